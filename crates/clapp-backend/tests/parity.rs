//! The primitives of one whole step on every backend that is built: `--features ndarray,wgpu,cuda`.
//!
//! Each primitive runs once on the backend and once on flex in double precision, where burn's own
//! operations do the work: the same comparison shows the kernels of flex to be right.
//!
//! A GPU that is not there is a skip, unless `CLAPP_REQUIRE_WGPU` or `CLAPP_REQUIRE_CUDA` is set.
#![cfg(feature = "flex")]

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use clapp_backend::{
    Activity, AdamCoefficients, Arithmetic, Contract, ConvSpec, FilmSpec, FrameWindow, Hebbian,
    MapWindow, Pool, PooledMap, Reach, Response, WindowOf, adam, arrange_film, block_outer,
    block_product, block_product_onto, channel_moments, conv1d_hebbian, conv2d_hebbian,
    conv2d_local, conv2d_local_hebbian, conv2d_local_hebbian_map, conv3d_hebbian, conv3d_local,
    gru_credit, gru_states, linear_hebbian, pair_gather, pair_scatter, pair_scores, sgd,
    soft_winners, unit_norm,
};

/// ‖a − b‖ / (‖a‖ + ‖b‖) in single precision, sums of a few thousand terms. Above 1e-6 it would be
/// a constant that lost digits, not a sum.
const TOLERANCE: f64 = 2e-6;

/// A step on one device, in one precision.
struct Step<'a> {
    device: &'a Device,
    dtype: DType,
    arithmetic: Arithmetic,
    /// Results by name, on the host.
    results: Vec<(String, Vec<f64>)>,
}

impl Step<'_> {
    /// The same numbers in every precision: exact in single.
    fn values<const D: usize>(&self, address: usize, shape: [usize; D]) -> Tensor<D> {
        let value = |i: usize| {
            // Well spread in −1 … 1, no two neighbours alike.
            let turn = (i + 1) as f64 * 0.618_033_988_749_895 + address as f64 * 0.377;
            (2.0 * turn.fract() - 1.0) as f32
        };
        let data: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        let data = TensorData::new(data, shape).convert_dtype(self.dtype);
        Tensor::from_data(data, (self.device, self.dtype))
    }

    fn index(&self, shape: [usize; 2], rows: usize) -> Tensor<2, Int> {
        let index: Vec<i32> = (0..shape[0] * shape[1]).map(|i| (i * 7 % rows) as i32).collect();
        Tensor::from_data(TensorData::new(index, shape), (self.device, DType::I32))
    }

    fn keep<const D: usize>(&mut self, name: &str, tensor: &Tensor<D>) {
        let values = tensor.to_data().convert::<f64>();
        self.results.push((name.to_owned(), values.try_to_vec::<f64>().expect("converted")));
    }

    fn keep_update<const D: usize>(&mut self, name: &str, update: &Hebbian<D>) {
        self.keep(&format!("{name} ΔW"), &update.weight);
        self.keep(&format!("{name} Δb"), &update.bias);
    }

    /// Two layers, the upper one on the activity of the lower as the backend keeps it.
    fn convolutions(&mut self, pools: [Pool; 2], channels: [usize; 3]) {
        let patches = self.values(0, [6, channels[0], 8, 8]);
        let mut input = Activity::from_plain(patches);
        for (l, pool) in pools.into_iter().enumerate() {
            let name = format!("layer {} {pool:?} {channels:?}", l + 1);
            let spec = ConvSpec::same_3x3(pool).with_arithmetic(self.arithmetic);
            let weight = self.values(10 + l, [channels[l + 1], channels[l], 3, 3]);
            let bias = self.values(20 + l, [channels[l + 1]]);
            let activity = conv2d_local(&input, weight.clone(), bias, spec);
            self.keep(&format!("{name} output"), &activity.output.to_plain());
            self.keep(&format!("{name} representation"), &activity.representation);
            let modulation = self.values(30 + l, [6, channels[l + 1]]);
            let update = conv2d_local_hebbian(&activity, modulation, weight, spec);
            self.keep_update(&name, &update);
            let rows = activity.output.to_rows();
            self.keep(&format!("{name} rows"), &rows);
            let modulation = self.values(40 + l, rows.dims());
            let weight = self.values(10 + l, [channels[l + 1], channels[l], 3, 3]);
            let update = conv2d_local_hebbian_map(&activity, modulation, weight, spec);
            self.keep_update(&format!("{name} map"), &update);
            input = activity.output;
        }
    }

    fn products(&mut self) {
        let pre = self.values(1, [3, 4, 11]);
        let (post, weight) = (self.values(2, [3, 5, 5]), self.values(3, [5, 4, 4]));
        self.keep_update("conv1d", &conv1d_hebbian(pre, post, weight, 2, 1));
        let pre = self.values(4, [2, 3, 7, 6]);
        let (post, weight) = (self.values(5, [2, 16, 4, 4]), self.values(6, [16, 3, 3, 3]));
        self.keep_update("conv2d", &conv2d_hebbian(pre, post, weight, [2, 1], [1, 0]));
        let pre = self.values(7, [2, 3, 4, 5, 5]);
        let (post, weight) = (self.values(8, [2, 4, 4, 3, 3]), self.values(9, [4, 3, 3, 3, 3]));
        self.keep_update("conv3d", &conv3d_hebbian(pre, post, weight, [1, 2, 2], [1, 1, 1]));
        let (pre, post) = (self.values(10, [9, 7]), self.values(11, [9, 33]));
        self.keep_update("linear", &linear_hebbian(pre, post));
    }

    /// Two layers over films, the upper one on the map of the lower as the backend keeps it.
    fn films(&mut self, response: Response, window: FrameWindow) {
        let mut input = arrange_film(self.values(80, [2, 3, 6, 13, 12]));
        for (l, channels) in [20, 16].into_iter().enumerate() {
            let name = format!("film {} {response:?} {window:?}", l + 1);
            let [_, pre, ..] = input.dims();
            let (stride, padding) = ([1 + l, 1, 1], [0, 1, l]);
            let weight = self.values(81 + l, [channels, pre, 1 + l, 3, 2]);
            let spec = FilmSpec { stride, padding, response };
            let bias = self.values(83 + l, [channels]);
            let map = conv3d_local(input.clone(), weight.clone(), bias, spec);
            self.keep(&format!("{name} map"), &map);
            let (mean, variance) = channel_moments(map.clone());
            self.keep(&format!("{name} mean"), &mean);
            self.keep(&format!("{name} variance"), &variance);
            let of = |address: usize| self.values::<1>(address + l, [channels]);
            let (scale, offset, slope) = (of(85), of(87), of(89));
            let pooled = PooledMap::new(map, [scale.clone(), offset.clone()], window);
            self.keep(&format!("{name} output"), &pooled.output);
            let signal = self.values(91 + l, pooled.output.dims());
            let (sum, centred) = pooled.signal_sums(signal.clone(), mean);
            self.keep(&format!("{name} sum"), &sum);
            self.keep(&format!("{name} centred sum"), &centred);
            let post = pooled.signal_back(signal, [scale, slope, offset], response);
            self.keep(&format!("{name} post"), &post);
            self.keep_update(&name, &conv3d_hebbian(input, post, weight, stride, padding));
            input = pooled.output;
        }
    }

    /// Layers whose channels compete: from colours, from lines of 16 channels, from neither.
    fn competition(&mut self) {
        let window = |of, side, stride, padding| MapWindow { of, side, stride, padding };
        let layers = [
            (32, 5, 0.7, window(WindowOf::Max, 4, 2, 1)),
            (64, 3, 1.4, window(WindowOf::Mean, 4, 2, 1)),
            (20, 3, 1.0, window(WindowOf::Mean, 2, 2, 0)),
        ];
        let mut input = Activity::from_plain(self.values(100, [3, 3, 16, 16]));
        for (l, (channels, kernel, power, window)) in layers.into_iter().enumerate() {
            let name = format!("competition {}", l + 1);
            let [_, pre, ..] = input.dims();
            let (mean, variance) = input.moments();
            self.keep(&format!("{name} mean"), &mean);
            self.keep(&format!("{name} variance"), &variance);
            let scale = (variance + 1e-5).sqrt().recip();
            let normalised = input.normalised(mean, scale, kernel / 2);
            self.keep(&format!("{name} normalised"), &normalised.to_plain());
            let weight = self.values(101 + l, [channels, pre, kernel, kernel]);
            let spec = ConvSpec {
                kernel: [kernel; 2],
                padding: [0, 0],
                arithmetic: self.arithmetic,
                response: Response::Linear,
                ..ConvSpec::same_3x3(Pool::None)
            };
            let bias = self.values(110, [channels]);
            let activity = conv2d_local(&normalised, weight.clone(), bias, spec);
            self.keep(&format!("{name} u"), &activity.output.to_plain());
            let rows = activity.output.to_rows();
            let [n, pixels, _] = rows.dims();
            let (y, decay) = soft_winners(rows.reshape([n * pixels, channels]), 0.5);
            self.keep(&format!("{name} winners"), &y);
            self.keep(&format!("{name} decay"), &decay);
            let y = y.reshape([n, pixels, channels]);
            let update = conv2d_local_hebbian_map(&activity, y, weight.clone(), spec);
            self.keep_update(&name, &update);
            let synapses = pre * kernel * kernel;
            let [weight, delta] =
                [weight, update.weight].map(|of| of.reshape([channels, synapses]));
            let moved = unit_norm(weight, delta, Some(decay), 0.1, 0.5);
            self.keep(&format!("{name} weights"), &moved);
            input = activity.output.triangle(power, window);
            self.keep(&format!("{name} output"), &input.to_plain());
        }
    }

    fn pairs(&mut self) {
        let (rows, n, targets, channels) = (12, 5, 9, 20);
        let prediction = self.values(40, [rows, channels]);
        let z = self.values(41, [targets, channels]);
        let gamma = self.values(42, [rows, n]);
        let index = self.index([rows, n], targets);
        let scores = pair_scores(prediction.clone(), z.clone(), index.clone());
        self.keep("pair scores", &scores);
        self.keep("pair gather", &pair_gather(gamma.clone(), z, index.clone()));
        self.keep("pair scatter", &pair_scatter(gamma, prediction, index, targets));
    }

    fn blocks(&mut self) {
        let blocks = [9, 0, 20];
        let rows = self.values(70, [12, 33]);
        let index: Tensor<1, Int> = self.index([29, 1], 12).reshape([29]);
        let weight = self.values(71, [3, 18, 33]);
        let y =
            block_product(rows.clone(), index.clone(), weight.clone(), &blocks, Contract::Inner);
        self.keep("block product", &y);
        let own = Tensor::arange(0..29, (self.device, DType::I32));
        let back = block_product(y.clone(), own.clone(), weight, &blocks, Contract::Outer);
        self.keep("block product, outer", &back);
        self.keep("block outer", &block_outer((y.clone(), own.clone()), (rows, index), &blocks));
        let weight = self.values(71, [3, 18, 33]);
        // Ascending in every block, and not.
        for places in
            [(0..9).chain(1..21).collect::<Vec<i32>>(), (0..29).map(|r| r * 5 % 22).collect()]
        {
            let places =
                Tensor::from_data(TensorData::new(places, [29]), (self.device, DType::I32));
            let (sums, rows) = (self.values(72, [22, 33]), (y.clone(), own.clone()));
            let onto =
                block_product_onto(sums, rows, weight.clone(), &blocks, Contract::Outer, places);
            self.keep("block product onto", &onto);
        }
    }

    fn recurrence(&mut self) {
        let driven = self.values(80, [5, 6, 3 * 17]);
        let (weight, bias) = (self.values(81, [3 * 17, 17]) * 0.25, self.values(82, [3 * 17]));
        let run = gru_states(driven, weight, bias);
        self.keep("gru states", &run.states);
        for reach in [Reach::Memory, Reach::Present] {
            let credit = gru_credit(&run, self.values(83, [5, 6, 17]), reach);
            self.keep("gru credit of the input", &credit.driven);
            self.keep("gru credit of the past", &credit.recalled);
        }
    }

    fn optimizers(&mut self) {
        let mut weight = self.values(50, [7, 33]);
        let (mut first, mut second) = (weight.zeros_like(), weight.zeros_like());
        for step in 1..=3 {
            let coefficients = AdamCoefficients {
                rate: 1e-2,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                decay: if step == 3 { 1e-3 } else { 0.0 },
                correction_1: 1.0 - 0.9_f64.powi(step),
                correction_2: 1.0 - 0.999_f64.powi(step),
            };
            let delta = self.values(50 + step as usize, [7, 33]);
            (weight, first, second) = adam(weight, first, second, delta, coefficients);
        }
        self.keep("adam weights", &weight);
        self.keep("adam first moments", &first);
        self.keep("adam second moments", &second);
        let delta = self.values(60, [7, 33]);
        self.keep("plain step", &sgd(weight, delta, 0.5));
    }
}

fn step(device: &Device, dtype: DType, arithmetic: Arithmetic) -> Vec<(String, Vec<f64>)> {
    let mut step = Step { device, dtype, arithmetic, results: Vec::new() };
    step.convolutions([Pool::None, Pool::Max2], [1, 16, 32]);
    step.convolutions([Pool::Max2, Pool::None], [32, 64, 32]);
    step.convolutions([Pool::Max2, Pool::Max2], [3, 5, 48]);
    step.products();
    step.films(Response::Rectified, FrameWindow { side: 3, stride: 2 });
    step.films(Response::Linear, FrameWindow::PIXEL);
    step.competition();
    step.pairs();
    step.blocks();
    step.recurrence();
    step.optimizers();
    step.results
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let scale = norm(&mut a.iter().copied()) + norm(&mut b.iter().copied());
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / scale
}

/// The step in single precision on `device`, against double precision on flex.
fn assert_parity(device: &Device, arithmetic: Arithmetic) {
    let expected = step(&Device::flex(), DType::F64, Arithmetic::Exact);
    let found = step(device, DType::F32, arithmetic);
    assert_eq!(expected.len(), found.len());
    for ((name, expected), (_, found)) in expected.iter().zip(&found) {
        let d = difference(expected, found);
        // Also false for NaN.
        let agree = d < TOLERANCE;
        assert!(agree, "{device:?} {name}: expected below {TOLERANCE:.0e}, got {d:.1e}");
    }
}

/// The device, or the reason why it cannot be used.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn available(name: &str) -> Result<Device, String> {
    let device = clapp_backend::device(name).map_err(|error| error.to_string())?;
    let usable = device.clone();
    // Backends of GPUs panic where there is no adapter.
    std::panic::catch_unwind(move || {
        let four = (Tensor::<1>::ones([4], &usable) * 2.0).sum().into_scalar::<f32>();
        assert!(four > 7.0, "{name}: expected 8 from a sum, got {four}");
    })
    .map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "its backend panicked".to_owned())
    })?;
    Ok(device)
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn assert_parity_if_available(name: &str, required: &str) {
    match available(name) {
        Ok(device) => assert_parity(&device, Arithmetic::Fast),
        Err(reason) => {
            assert!(std::env::var_os(required).is_none(), "{name}: {reason}");
            clapp_testing::skip(format_args!("parity {name}: {reason}"));
        }
    }
}

#[test]
fn flex_kernels_agree_with_double_precision() {
    assert_parity(&Device::flex(), Arithmetic::Exact);
}

#[test]
fn flex_fast_kernels_agree_with_double_precision() {
    assert_parity(&Device::flex(), Arithmetic::Fast);
}

#[test]
#[cfg(feature = "ndarray")]
fn ndarray_agrees_with_double_precision() {
    let device = clapp_backend::device("ndarray").expect("this build has it");
    assert_parity(&device, Arithmetic::Fast);
}

#[test]
#[cfg(feature = "wgpu")]
fn wgpu_agrees_with_double_precision() {
    assert_parity_if_available("wgpu", "CLAPP_REQUIRE_WGPU");
}

#[test]
#[cfg(feature = "cuda")]
fn cuda_agrees_with_double_precision() {
    assert_parity_if_available("cuda", "CLAPP_REQUIRE_CUDA");
}
