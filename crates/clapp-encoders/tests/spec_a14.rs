//! Golden values of the whole VGG-6: the authors' code in double precision, random draws replaced by
//! fixed ones (specification A14.2).
//!
//! In f64 through burn's own operations: the stored digits allow 1e-7, and single precision would
//! leave 1e-4 of them.

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_backend::{Arithmetic, ConvSpec, Pool};
use clapp_encoders::{Learnt, LocalActivity, LocalConv2d, PatchGrid, Prediction, Stack};
use clapp_rules::{
    Draws, Feedback, GridShape, Lateral, Negatives, Outcome, Pairs, Rows, Rule, Synapses, Timing,
};
use clapp_testing::distance::{host, norm};

/// Values are printed with seven to ten significant digits in the specification.
const RELATIVE: f64 = 1e-7;

const STEPS: usize = 5;
const CHANNELS: [usize; 6] = [128, 256, 256, 512, 1024, 1024];
const POOLED: [bool; 6] = [false, true, false, true, true, true];

fn tensor<const D: usize>(shape: [usize; D], value: impl Fn(usize) -> f64) -> Tensor<D> {
    let values: Vec<f64> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

fn images() -> Tensor<4> {
    tensor([2, 1, 64, 64], |i| {
        let (b, y, x) = ((i / 4096) as f64, (i / 64 % 64) as f64, (i % 64) as f64);
        (0.05 * y + 0.11 * x + b).sin() + 0.5 * (0.21 * y * (b + 1.0) - 0.07 * x).cos()
    })
}

/// M_k of all steps, `[K, context, target]`: cos(0.1 i + k + offset) / √target.
fn matrices(channels: usize, offset: usize) -> Tensor<3> {
    let size = channels * channels;
    tensor([STEPS, channels, channels], |flat| {
        let (k, i) = (flat / size + 1, flat % size);
        (0.1 * i as f64 + (k + offset) as f64).cos() / (channels as f64).sqrt()
    })
}

fn stack(w_retro: bool) -> Stack {
    let (mut layers, mut predictions) = (Vec::new(), Vec::new());
    for (l, &post) in CHANNELS.iter().enumerate() {
        let pre = if l == 0 { 1 } else { CHANNELS[l - 1] };
        let scale = 2.0 / (9.0 * pre as f64).sqrt();
        let pool = if POOLED[l] { Pool::Max2 } else { Pool::None };
        let weight = tensor([post, pre, 3, 3], |i| scale * (0.1 * i as f64 + 0.3).sin());
        layers.push(LocalConv2d {
            weight: Synapses::new(weight),
            bias: Synapses::new(tensor([post], |_| 0.05)),
            spec: ConvSpec::same_3x3(pool).with_arithmetic(Arithmetic::Exact),
        });
        // The authors' M_k is W_predᵀ, and W_retro as it stands.
        let w_pred = Synapses::new(matrices(post, 0).swap_dims(1, 2));
        let mut lateral = Lateral::default().with("w_pred", w_pred);
        if w_retro {
            lateral = lateral.with("w_retro", Synapses::new(matrices(post, 1)));
        }
        predictions.push(Prediction::of_itself(l, lateral));
    }
    Stack { predictions, ..Stack::new(PatchGrid { size: 16, stride: 8 }, layers) }
}

/// Both images jump to the other one: π = [1, 0].
fn swapped(shape: GridShape, outcomes: Option<Vec<Outcome>>) -> Rows {
    let pairs = |shift: usize| {
        let rows = (shape.time - shift) * shape.site;
        let index = (0..2 * rows).map(|row| ((row + rows) % (2 * rows)) as u32).collect();
        Pairs { shift, count: 1, index }
    };
    Draws { pairs: (2..2 + STEPS).map(pairs).collect(), outcomes, window: None }.rows(shape)
}

/// Mean, h[0, 1, 0, 2] and h[1, 3, 6, 1] of a layer's representation.
type Representation = [f64; 3];

/// Loss, |ΔW| and representation of every layer.
fn run(rule: &Rule, outcomes: Option<Vec<Outcome>>) -> Vec<(f64, f64, Representation)> {
    let mut stack = stack(rule.feedback == Feedback::PredRetro);
    let halves = 1 + usize::from(rule.feedback == Feedback::PredRetro);
    let mut draw = |_, shape| vec![swapped(shape, outcomes.clone()); halves];
    let (mut losses, mut layers) = (Vec::new(), Vec::new());
    stack.visit(images(), rule, &mut draw, &mut |learnt| match learnt {
        Learnt::Lateral { metrics, .. } => losses.push(metrics.monitor().loss),
        Learnt::Layer { layer, activity, told, .. } => {
            let h = activity.representation();
            let [.., channels] = h.dims();
            let h = host(h);
            let at =
                |b: usize, j: usize, y: usize, x: usize| h[((b * 7 + y) * 7 + x) * channels + j];
            let mean = h.iter().sum::<f64>() / h.len() as f64;
            let representation = [mean, at(0, 1, 0, 2), at(1, 3, 6, 1)];
            let delta = host(layer.change(&activity, told).weight);
            layers.push((norm(&delta), representation));
        }
    });
    losses.into_iter().zip(layers).map(|(loss, (norm, h))| (loss, norm, h)).collect()
}

fn assert_close(name: &str, layer: usize, found: f64, expected: f64) {
    let d = (found - expected).abs() / expected.abs();
    assert!(d < RELATIVE, "layer {layer}: {name}: expected {expected}, got {found} ({d:.1e})");
}

fn assert_layers(found: &[(f64, f64, Representation)], losses: [f64; 6], deltas: [f64; 6]) {
    assert_eq!(found.len(), 6);
    for (l, (loss, delta, _)) in found.iter().enumerate() {
        assert_close("loss", l + 1, *loss, losses[l]);
        assert_close("|dW_conv|", l + 1, *delta, deltas[l]);
    }
}

fn rule() -> Rule {
    Rule { negatives: Negatives { count: 1, ..Negatives::default() }, ..Rule::clapp_s() }
}

#[test]
fn clapp_s_and_representations() {
    let layers = run(&rule(), None);
    let expected: [(usize, Representation); 4] = [
        (1, [1.178_265_677, 2.679_260_691, 0.903_311_317]),
        (2, [21.616_653_91, 2.155_817_84, 3.258_805_003]),
        (3, [4.515_843_158, 0.274_547_991_5, 9.026_856_073]),
        (6, [0.054_449_163_58, 0.054_117_760_85, 0.086_867_474_31]),
    ];
    for (layer, numbers) in expected {
        for (name, (found, expected)) in ["mean of h", "h[0,1,0,2]", "h[1,3,6,1]"]
            .iter()
            .zip(layers[layer - 1].2.iter().zip(numbers))
        {
            assert_close(name, layer, *found, expected);
        }
    }
    assert_layers(
        &layers,
        [
            2.640_560_001,
            56.589_818_842_1,
            12.275_777_459_1,
            2.141_623_484,
            1.999_827_162_6,
            2.000_000_174,
        ],
        [2.222_456_9, 1053.8525, 12327.42, 768.002_45, 3.871_297_3, 0.028_798_564],
    );
}

#[test]
fn clapp_s_with_retrodiction_weights() {
    let rule = Rule { feedback: Feedback::PredRetro, ..rule() };
    assert_layers(
        &run(&rule, None),
        [
            5.253_633_391_9,
            118.511_858_886_6,
            25.755_503_627_2,
            4.272_682_754_1,
            3.999_999_462_5,
            3.999_999_549_2,
        ],
        [2.121_501_1, 1205.0885, 13935.993, 654.2972, 3.865_318_4, 0.028_761_789],
    );
}

#[test]
fn time_local_with_symmetric_weights() {
    let rule = Rule { timing: Timing::TimeLocal, ..rule() };
    let outcomes = vec![Outcome::Fixation, Outcome::Saccade];
    assert_layers(
        &run(&rule, Some(outcomes)),
        [
            2.436_738_602_1,
            59.259_569_430_7,
            12.796_626_401,
            2.127_862_775_9,
            1.998_077_802_6,
            2.000_003_287,
        ],
        [2.033_474_2, 1052.4321, 12814.517, 794.605_09, 9.279_077_1, 0.430_326_75],
    );
}
