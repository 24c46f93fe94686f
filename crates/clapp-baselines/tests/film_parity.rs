//! A whole step of a video encoder on ndarray, burn's compatibility backend, against flex.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_encoders::{NormOrder, Stack, VideoConfig};
use clapp_random::{Purpose, stream};
use clapp_rules::{AllPairs, Optimizer, Plasticity, State};
use clapp_testing::distance::distance;
use rand::RngExt;

/// Both compute in single precision, in another order.
const TOLERANCE: f64 = 1e-5;
/// Biases and shifts are sums over a map that cancel.
const BIASES: f64 = 1e-4;

/// Everything that one step changed.
fn after_one_step(rule: &AllPairs, order: NormOrder, device: &Device) -> State {
    let config = VideoConfig::vgg5(1.0 / 32.0).expect("a width above 0");
    let config = VideoConfig { frames: 36, size: 67, order, ..config };
    let mut stack = Stack::video(&config, rule, 3, device).expect("it fits");
    let mut random = stream(3, Purpose::Test, [0; 4]);
    let shape = [2, 3, 36, 67, 67];
    let pixels: Vec<f32> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    let clips = Tensor::<5>::from_data(TensorData::new(pixels, shape), device);
    let mut draw =
        |l: usize, shape| rule.pairs(shape, &mut stream(3, Purpose::Saccade, [l as u64, 0, 0, 0]));
    // Plain steps leave the size of an update to be seen.
    stack.step(clips, rule, &Optimizer::Plain { rate: 1.0 }, &mut draw);
    let mut state = State::default();
    stack.save(&mut state);
    state
}

fn assert_parity(rule: &AllPairs, order: NormOrder) {
    let ndarray = clapp_backend::device("ndarray").expect("this crate's tests switch it on");
    let flex = after_one_step(rule, order, &Device::flex());
    let other = after_one_step(rule, order, &ndarray);
    assert_eq!(flex.tensors.len(), other.tensors.len());
    for (name, values) in &flex.tensors {
        // Normalisation takes the bias before it back: nothing but rounding is left of it.
        if order == NormOrder::BeforeRelu && name.ends_with(".bias") {
            continue;
        }
        assert_eq!(values.shape(), other.tensors[name].shape(), "{name}");
        let [a, b] =
            [values, &other.tensors[name]].map(|data| data.iter::<f64>().collect::<Vec<_>>());
        let d = distance(&a, &b);
        let bias = name.ends_with(".bias") || name.ends_with(".shift");
        let bound = if bias { BIASES } else { TOLERANCE };
        assert!(d < bound, "{name}: expected below {bound:.0e}, got {d:.1e}");
    }
}

#[test]
fn a_step_of_clapp_s_is_the_same_on_ndarray() {
    assert_parity(&AllPairs::clapp_s(), NormOrder::AfterRelu);
    assert_parity(&AllPairs::clapp_s(), NormOrder::BeforeRelu);
}

#[test]
fn time_local_clapp_and_gim_are_the_same_on_ndarray() {
    assert_parity(&AllPairs::clapp(), NormOrder::AfterRelu);
    assert_parity(&AllPairs::gim(), NormOrder::AfterRelu);
}
