//! Flex, burn's CPU backend, with kernels of its own: activities in lines of 16 channels, everything
//! around a convolution fused, optimizer steps in place.
//!
//! Single precision takes the kernels; any other takes burn's own operations.

mod blocks;
mod film;
mod gru;
mod memory;
mod pairs;

use burn::backend::{
    Flex, Shape, TensorMetadata,
    flex::FlexTensor,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::DType;

use self::memory::Buffer;
use crate::{
    generic,
    kernels::{self, ConvPlan, ConvShape, Lanes, Modulation, Path},
    ops::{
        AdamCoefficients, AdamOutput, Arithmetic, Contract, ConvOutput, ConvSpec, GruCreditOutput,
        GruOutput, HebbianOutput, LocalOps, Pool, Reach,
    },
};

impl LocalOps for Flex {
    fn conv2d_local(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> ConvOutput<Self> {
        if input.dtype() != DType::F32 {
            return generic::conv2d_local::<Self>(input, weight, bias, spec);
        }
        let plan = plan(&input, &weight, spec);
        let [n, c] = [plan.shape.n, plan.shape.c_out];
        let [height, width] = plan.out_size();
        let lanes = width_of(plan.output_lanes);
        let shape = Shape::from([n, c / lanes, height, width, lanes]);
        let mut output = Buffer::<f32>::new(plan.output_len());
        let mut winners = Buffer::<u8>::new(plan.output_len());
        let mut mean = Buffer::<f32>::new(n * c);
        let (input, weight, bias) = (contiguous(input), contiguous(weight), contiguous(bias));
        plan.forward(
            slice(&input),
            slice(&weight),
            slice(&bias),
            kernels::Activity {
                y: output.as_mut(),
                winners: winners.as_mut(),
                mean: mean.as_mut(),
            },
        );
        ConvOutput {
            output: output.into_tensor(shape.clone()),
            representation: mean.into_tensor(Shape::from([n, c])),
            winners: winners.into_tensor(shape),
        }
    }

    fn conv2d_local_hebbian(
        input: FloatTensor<Self>,
        output: FloatTensor<Self>,
        winners: IntTensor<Self>,
        modulation: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> HebbianOutput<Self> {
        if input.dtype() != DType::F32 {
            return generic::conv2d_local_hebbian::<Self>(
                input, output, winners, modulation, weight, spec,
            );
        }
        let plan = plan(&input, &weight, spec);
        let (input, modulation) = (contiguous(input), contiguous(modulation));
        let winners = contiguous(winners);
        let codes = winners.as_slice::<u8>().expect("a local convolution wrote them contiguously");
        let modulation = match modulation.shape().num_dims() {
            3 => Modulation::Rows(slice(&modulation)),
            _ => Modulation::PerPatch(slice(&modulation)),
        };
        hebbian(&plan, slice(&input), codes, modulation, weight.shape())
    }

    fn to_rows(activity: FloatTensor<Self>) -> FloatTensor<Self> {
        let [n, blocks, height, width, lanes]: [usize; 5] = activity.shape().dims();
        if lanes == 1 || activity.dtype() != DType::F32 {
            return generic::to_rows::<Self>(activity);
        }
        let (activity, channels) = (contiguous(activity), blocks * lanes);
        let mut rows = Buffer::<f32>::new(slice(&activity).len());
        kernels::lines_to_rows(channels, height * width, slice(&activity), rows.as_mut());
        rows.into_tensor(Shape::from([n, height * width, channels]))
    }

    fn unpack(activity: FloatTensor<Self>) -> FloatTensor<Self> {
        let [n, blocks, height, width, lanes]: [usize; 5] = activity.shape().dims();
        if lanes == 1 {
            return activity;
        }
        let activity = contiguous(activity);
        let channels = blocks * lanes;
        let mut plain = Buffer::<f32>::new(slice(&activity).len());
        kernels::unpack(channels, height * width, slice(&activity), plain.as_mut());
        plain.into_tensor(Shape::from([n, channels, height, width, 1]))
    }

    fn conv2d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> HebbianOutput<Self> {
        if pre.dtype() != DType::F32 {
            return generic::conv2d_hebbian::<Self>(pre, post, weight, stride, padding);
        }
        let [n, c_in, height, width]: [usize; 4] = pre.shape().dims();
        let [c_out, _, kernel_y, kernel_x]: [usize; 4] = weight.shape().dims();
        let kernel = [kernel_y, kernel_x];
        let shape = ConvShape { n, c_in, c_out, height, width, kernel, stride, padding };
        let plan = ConvPlan::new(shape, kernels::Pool::None)
            .with_lanes(Lanes::One, Lanes::One)
            .with_path(Path::Direct);
        let (pre, post) = (contiguous(pre), contiguous(post));
        let map = slice(&post);
        let winners = vec![0_u8; map.len()]; // ρ′ is already in `post`: every pixel counts
        hebbian(&plan, slice(&pre), &winners, Modulation::Map(map), weight.shape())
    }

    fn conv1d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> HebbianOutput<Self> {
        if pre.dtype() != DType::F32 {
            return generic::conv1d_hebbian::<Self>(pre, post, weight, stride, padding);
        }
        let as_rows = |tensor: FloatTensor<Self>| {
            let [n, c, length]: [usize; 3] = tensor.shape().dims();
            contiguous(tensor).reshape(Shape::from([n, c, 1, length]))
        };
        let shape = weight.shape();
        let result = Self::conv2d_hebbian(
            as_rows(pre),
            as_rows(post),
            as_rows(weight),
            [1, stride],
            [0, padding],
        );
        HebbianOutput { weight: result.weight.reshape(shape), bias: result.bias }
    }

    fn conv3d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 3],
        padding: [usize; 3],
    ) -> HebbianOutput<Self> {
        if pre.dtype() != DType::F32 {
            return generic::conv3d_hebbian::<Self>(pre, post, weight, stride, padding);
        }
        film::hebbian(&pre, &post, &weight, stride, padding)
    }

    fn pair_scores(
        prediction: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        index: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        if prediction.dtype() != DType::F32 || index.dtype() != DType::I32 {
            return generic::pair_scores::<Self>(prediction, targets, index);
        }
        pairs::scores(contiguous(prediction), contiguous(targets), contiguous(index))
    }

    fn pair_gather(
        gamma: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        index: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        if gamma.dtype() != DType::F32 || index.dtype() != DType::I32 {
            return generic::pair_gather::<Self>(gamma, targets, index);
        }
        pairs::gather(contiguous(gamma), contiguous(targets), contiguous(index))
    }

    fn pair_scatter(
        gamma: FloatTensor<Self>,
        prediction: FloatTensor<Self>,
        index: IntTensor<Self>,
        rows: usize,
    ) -> FloatTensor<Self> {
        if gamma.dtype() != DType::F32 || index.dtype() != DType::I32 {
            return generic::pair_scatter::<Self>(gamma, prediction, index, rows);
        }
        pairs::scatter(contiguous(gamma), contiguous(prediction), contiguous(index), rows)
    }

    fn block_product(
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weight: FloatTensor<Self>,
        blocks: Vec<usize>,
        contract: Contract,
    ) -> FloatTensor<Self> {
        if rows.dtype() != DType::F32 || index.dtype() != DType::I32 {
            return generic::block_product::<Self>(rows, index, weight, &blocks, contract);
        }
        blocks::product(contiguous(rows), contiguous(index), contiguous(weight), &blocks, contract)
    }

    fn block_product_onto(
        sums: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weight: FloatTensor<Self>,
        blocks: Vec<usize>,
        contract: Contract,
        places: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let (index, places) = (contiguous(index), contiguous(places));
        let single = rows.dtype() == DType::F32
            && [&index, &places].iter().all(|rows| rows.dtype() == DType::I32);
        if !single || !blocks::ascend(&places, &blocks) {
            let product = Self::block_product(rows, index, weight, blocks, contract);
            return generic::add_rows::<Self>(sums, product, places);
        }
        let (rows, weight) = (contiguous(rows), contiguous(weight));
        blocks::product_onto(whole(sums), [&rows, &index], &weight, &blocks, contract, &places)
    }

    fn block_outer(
        a: FloatTensor<Self>,
        index_a: IntTensor<Self>,
        b: FloatTensor<Self>,
        index_b: IntTensor<Self>,
        blocks: Vec<usize>,
    ) -> FloatTensor<Self> {
        if a.dtype() != DType::F32 || index_a.dtype() != DType::I32 {
            return generic::block_outer::<Self>([a, b], [index_a, index_b], &blocks);
        }
        blocks::outer([a, b].map(contiguous), [index_a, index_b].map(contiguous), &blocks)
    }

    fn gru_states(
        driven: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> GruOutput<Self> {
        if driven.dtype() != DType::F32 {
            return generic::gru_states::<Self>(driven, weight, bias);
        }
        gru::states(&contiguous(driven), &contiguous(weight), &contiguous(bias))
    }

    fn gru_credit(
        gates: FloatTensor<Self>,
        candidates: FloatTensor<Self>,
        recalled: FloatTensor<Self>,
        states: FloatTensor<Self>,
        modulation: FloatTensor<Self>,
        reach: Reach,
    ) -> GruCreditOutput<Self> {
        let seen = GruOutput { gates, candidates, recalled, states };
        if modulation.dtype() != DType::F32 {
            return generic::gru_credit::<Self>(seen, modulation, reach);
        }
        let GruOutput { gates, candidates, recalled, states } = seen;
        let [gates, candidates, recalled, states] =
            [gates, candidates, recalled, states].map(contiguous);
        let seen = GruOutput { gates, candidates, recalled, states };
        gru::credit(&seen, &contiguous(modulation), reach)
    }

    fn adam(
        weight: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        delta: FloatTensor<Self>,
        k: AdamCoefficients,
    ) -> AdamOutput<Self> {
        if weight.dtype() != DType::F32 {
            return generic::adam::<Self>(weight, first, second, delta, k);
        }
        let [mut weight, mut first, mut second] = [weight, first, second].map(whole);
        let delta = contiguous(delta);
        kernels::adam(
            weight.storage_mut(),
            first.storage_mut(),
            second.storage_mut(),
            slice(&delta),
            kernels::AdamCoefficients {
                lr: k.rate as f32,
                beta1: k.beta_1,
                beta2: k.beta_2,
                eps: k.epsilon as f32,
                bias_correction1: k.correction_1 as f32,
                bias_correction2: k.correction_2 as f32,
                weight_decay: k.decay as f32,
            },
        );
        AdamOutput { weight, first, second }
    }

    fn sgd(weight: FloatTensor<Self>, delta: FloatTensor<Self>, rate: f64) -> FloatTensor<Self> {
        if weight.dtype() != DType::F32 {
            return generic::sgd::<Self>(weight, delta, rate);
        }
        let (mut weight, delta) = (whole(weight), contiguous(delta));
        kernels::sgd(weight.storage_mut(), slice(&delta), rate as f32);
        weight
    }
}

fn plan(input: &FlexTensor, weight: &FlexTensor, spec: ConvSpec) -> ConvPlan {
    let [n, blocks, height, width, lanes]: [usize; 5] = input.shape().dims();
    let [c_out, c_in, ..]: [usize; 4] = weight.shape().dims();
    debug_assert_eq!(blocks * lanes, c_in, "checked by the caller");
    let ConvSpec { kernel, stride, padding, .. } = spec;
    let shape = ConvShape { n, c_in, c_out, height, width, kernel, stride, padding };
    let pool = match spec.pool {
        Pool::None => kernels::Pool::None,
        Pool::Max2 => kernels::Pool::Max2,
    };
    let path = match spec.arithmetic {
        Arithmetic::Fast => Path::Auto,
        Arithmetic::Exact => Path::Direct,
    };
    let input_lanes = if lanes == 1 { Lanes::One } else { Lanes::Sixteen };
    ConvPlan::new(shape, pool).with_lanes(input_lanes, Lanes::preferred(c_out)).with_path(path)
}

fn hebbian(
    plan: &ConvPlan,
    input: &[f32],
    winners: &[u8],
    modulation: Modulation<'_>,
    shape: Shape,
) -> HebbianOutput<Flex> {
    let channels = plan.shape.c_out;
    let mut dw = Buffer::<f32>::new(plan.weight_len());
    let mut db = Buffer::<f32>::new(channels);
    let update = kernels::Update { dw: dw.as_mut(), db: db.as_mut() };
    plan.hebbian(input, winners, modulation, update);
    HebbianOutput { weight: dw.into_tensor(shape), bias: db.into_tensor(Shape::from([channels])) }
}

fn width_of(lanes: Lanes) -> usize {
    match lanes {
        Lanes::One => 1,
        Lanes::Sixteen => kernels::LANES,
    }
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// A tensor that fills its storage, so that the storage can be changed in place.
fn whole(tensor: FlexTensor) -> FlexTensor {
    let len = tensor.shape().num_elements();
    if tensor.is_contiguous() && tensor.storage::<f32>().len() == len {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

fn slice(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("made contiguous before")
}
