//! Where local updates and back-propagation point the same way: theory, and a network that it isn't about.

#![allow(clippy::unwrap_used)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_backend::{Arithmetic, ConvSpec, Pool, Response};
use clapp_baselines::images::alignment;
use clapp_encoders::{Context, EncoderConfig, Learnt, LocalConv2d, PatchGrid, Stack};
use clapp_random::{Purpose, stream};
use clapp_rules::{Extent, GridShape, Lateral, Plasticity, Rows, Rule, Synapses, TwoViews};
use rand::RngExt;

const CHANNELS: usize = 5;
const LAYERS: usize = 4;
const SIDE: usize = 8;
/// Cells of two a side.
const CELLS: usize = 4;

fn rule() -> TwoViews {
    TwoViews { grids: vec![2; LAYERS], ..TwoViews::clapp_plus_plus() }
}

fn draw(_: usize, grid: GridShape) -> Vec<Rows> {
    rule().pairs(grid, &mut stream(2, Purpose::Negatives, [0; 4]))
}

fn values<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

fn images(samples: usize, colours: usize, side: usize) -> Tensor<4> {
    let mut random = stream(2, Purpose::Test, [1, 0, 0, 0]);
    let shape = [samples, colours, side, side];
    values((0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect(), shape)
}

/// A 3×3 kernel that is `matrix` in its middle.
fn layer(matrix: &[f64]) -> LocalConv2d {
    let mut kernel = vec![0.0; CHANNELS * CHANNELS * 9];
    matrix.iter().enumerate().for_each(|(at, value)| kernel[at * 9 + 4] = *value);
    let response = Response::Linear;
    LocalConv2d {
        weight: Synapses::new(values(kernel, [CHANNELS, CHANNELS, 3, 3])),
        bias: Synapses::new(values(vec![0.0; CHANNELS], [CHANNELS])),
        spec: ConvSpec {
            response,
            ..ConvSpec::same_3x3(Pool::None).with_arithmetic(Arithmetic::Exact)
        },
    }
}

/// 1 − 2 v vᵀ / |v|², a reflection.
fn orthogonal(random: &mut dyn rand::Rng) -> Vec<f64> {
    let v: Vec<f64> = (0..CHANNELS).map(|_| random.random_range(-1.0..1.0)).collect();
    let square = v.iter().map(|v| v * v).sum::<f64>();
    let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square;
    (0..CHANNELS)
        .flat_map(|i| (0..CHANNELS).map(move |j| (i, j)))
        .map(|(i, j)| entry(i, j))
        .collect()
}

/// A linear network with every B at the optimum of L + λ/2 ‖B‖², which is ΔB / λ where no gate closes.
fn network(matrices: &[Vec<f64>], context: Context, images: &Tensor<4>) -> Stack {
    let cut = PatchGrid { size: SIDE, stride: SIDE };
    let layers = matrices.iter().map(|matrix| layer(matrix)).collect();
    let extents = [Extent { site: CELLS, channel: CHANNELS }; LAYERS];
    let mut stack =
        Stack::new(cut, layers).predicting(&rule(), context, &extents, 2, &Device::flex());
    let dimension = CELLS * CHANNELS;
    let b = |b: Tensor<3>| Lateral::default().with("b", Synapses::new(b));
    for prediction in &mut stack.predictions {
        prediction.lateral = b(values(vec![0.0; dimension * dimension], [1, dimension, dimension]));
    }
    let (mut optimum, decay) = (Vec::new(), 10.0);
    stack.visit(images.clone(), &rule(), &mut draw, &mut |learnt| {
        if let Learnt::Lateral { update, metrics, .. } = learnt {
            assert!(metrics.monitor().open_gates >= 1.0, "every gate is open at a score of 0");
            optimum.push(update.delta("b") / decay);
        }
    });
    for (prediction, optimum) in stack.predictions.iter_mut().zip(optimum) {
        prediction.lateral = b(optimum);
    }
    stack.visit(images.clone(), &rule(), &mut draw, &mut |learnt| {
        if let Learnt::Lateral { metrics, .. } = learnt {
            assert!(metrics.monitor().open_gates >= 1.0, "and at the optimum");
        }
    });
    stack
}

#[test]
fn in_a_linear_network_with_orthogonal_weights_nothing_is_lost() {
    let mut random = stream(2, Purpose::Test, [0; 4]);
    let matrices: Vec<Vec<f64>> = (0..LAYERS).map(|_| orthogonal(&mut random)).collect();
    let images = images(8, CHANNELS, SIDE);
    for context in [Context::SameLayer, Context::Top] {
        let stack = network(&matrices, context, &images);
        let cosines = alignment(&stack, &images, &rule(), &mut draw);
        assert!(cosines.iter().all(|cosine| *cosine > 1.0 - 1e-9), "{context:?}: {cosines:?}");
    }
}

/// Without orthogonality the theorem has nothing to say, and the lower layers differ.
#[test]
fn in_a_linear_network_with_other_weights_something_is() {
    let mut random = stream(2, Purpose::Test, [0; 4]);
    let mut matrix = || (0..CHANNELS * CHANNELS).map(|_| random.random_range(-0.7..0.7)).collect();
    let matrices: Vec<Vec<f64>> = (0..LAYERS).map(|_| matrix()).collect();
    let images = images(8, CHANNELS, SIDE);
    let stack = network(&matrices, Context::Top, &images);
    let cosines = alignment(&stack, &images, &rule(), &mut draw);
    assert!(cosines[LAYERS - 1] > 1.0 - 1e-9 && cosines[0] < 0.99, "{cosines:?}");
}

fn vgg6(rule: &dyn Plasticity, context: Context, [size, stride]: [usize; 2]) -> Stack {
    let image = 32;
    let config = EncoderConfig::vgg6(1.0 / 16.0).unwrap();
    let mut config = EncoderConfig { image, patches: PatchGrid { size, stride }, ..config };
    config.layers.truncate(4);
    config.modules = vec![1; 4];
    Stack::init(&config, rule, context, 2, &Device::flex()).unwrap()
}

#[test]
fn in_a_random_network_of_rectified_layers_only_the_last_agrees() {
    let images = images(8, 1, 32).cast(DType::F32);
    let check = |cosines: Vec<f64>| {
        // Winograd's kernels cost a digit of single precision.
        assert!(cosines[3] > 1.0 - 1e-6, "the last loss is its own: {cosines:?}");
        assert!(cosines[..3].iter().all(|cosine| *cosine < 0.9), "{cosines:?}");
    };
    for context in [Context::SameLayer, Context::Top] {
        check(alignment(&vgg6(&rule(), context, [32, 32]), &images, &rule(), &mut draw));
    }
    let over_time = Rule { prediction_steps: 2, ..Rule::clapp_s() };
    let mut draw = |p: usize, grid| {
        over_time.pairs(grid, &mut stream(2, Purpose::Negatives, [p as u64, 0, 0, 0]))
    };
    let stack = vgg6(&over_time, Context::SameLayer, [8, 4]);
    check(alignment(&stack, &images, &over_time, &mut draw));
}
