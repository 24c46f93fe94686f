//! Layers of sound against automatic differentiation, and learning with it.

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_baselines::{
    Gradients, Oracle, disagreement,
    sound::{PhoneLearner, SoundModule, Stop, gru, through_time},
};
use clapp_encoders::{
    GruUpdate, LocalActivity, LocalConv1d, LocalGru, LocalLayer, Recurrence, RecurrentPlan,
    SoundConfig, SoundEncoder, TargetSide,
};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    Draws, Feedback, GridShape, Negatives, Objective, Optimizer, Rule, Scope, Synapses,
};
use clapp_testing::steps::{SoundDelta, rows, sound_delta, visit};
use rand::RngExt;

/// Sums of some hundred products of doubles, in two orders.
const ROUNDING: f64 = 1e-12;
/// Exponentials of doubles as the backend approximates them, through five steps of time.
const EXPONENTIALS: f64 = 1e-11;

const SAMPLES: usize = 1500;
const BATCH: usize = 3;

fn uniform<const D: usize>(shape: [usize; D], index: u64) -> Tensor<D> {
    let mut random = stream(8, Purpose::Test, [index, 0, 0, 0]);
    let values: Vec<f64> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

fn rule(objective: Objective, feedback: Feedback, scope: Scope) -> Rule {
    let negatives = Negatives { count: 3, scope, ..Negatives::default() };
    let window = Some(40);
    Rule { objective, feedback, negatives, prediction_steps: 3, window, ..Rule::clapp_s_sound() }
}

/// Weights in double precision, large enough that activity reaches the top and gates close.
fn encoder(rule: &Rule, recurrence: Recurrence, target: TargetSide) -> SoundEncoder {
    let paper = SoundConfig::paper(1.0 / 64.0).expect("a width above 0");
    let recurrent = paper.recurrent.map(|plan| RecurrentPlan { recurrence, target, ..plan });
    let config = SoundConfig { samples: SAMPLES, recurrent, ..paper };
    let mut encoder = config.init(rule, 3, &Device::flex()).expect("the configuration fits");
    for l in 0..5 {
        let layer = encoder.layer_mut::<LocalConv1d>(l);
        layer.weight = scaled(&layer.weight, if l == 0 { 6.0 } else { 2.5 });
        layer.bias = scaled(&layer.bias, 1.0);
    }
    let gru = encoder.layer_mut::<LocalGru>(5);
    gru.input = scaled(&gru.input, 1.0);
    gru.recurrent = scaled(&gru.recurrent, 2.0);
    gru.input_bias = scaled(&gru.input_bias, 1.0);
    gru.recurrent_bias = scaled(&gru.recurrent_bias, 1.0);
    for (_, w) in encoder.predictions.iter_mut().flat_map(|p| p.lateral.synapses_mut()) {
        *w = scaled(w, 1.0);
    }
    encoder
}

fn scaled<const D: usize>(synapses: &Synapses<D>, factor: f64) -> Synapses<D> {
    Synapses::new(synapses.weight().cast(burn::tensor::FloatDType::F64) * factor)
}

fn waves() -> Tensor<3> {
    uniform([BATCH, 1, SAMPLES], 0)
}

fn draws(encoder: &SoundEncoder, rule: &Rule) -> Vec<Vec<Draws>> {
    let mut shapes = Vec::new();
    encoder.look(waves(), &mut |_, grid| {
        let [batch, time, site, _] = grid.dims();
        shapes.push(GridShape { batch, time, site });
    });
    let draw = |(l, shape): (usize, GridShape)| {
        rule.draw(shape, &mut stream(8, Purpose::Negatives, [l as u64, 0, 0, 0]))
    };
    shapes.into_iter().enumerate().map(draw).collect()
}

/// Gradients of the recurrent layer of a module.
fn recurrent(gradients: &Gradients<SoundModule>) -> GruUpdate {
    let layer = gradients.module.layers.recurrent.as_ref().expect("has one");
    GruUpdate {
        input: layer.input.weight(),
        recurrent: layer.recurrent.weight(),
        input_bias: layer.input_bias.weight(),
        recurrent_bias: layer.recurrent_bias.weight(),
    }
}

fn assert_gru(name: &str, update: &GruUpdate, gradients: &GruUpdate) {
    let differences = [
        disagreement(&update.input, &gradients.input),
        disagreement(&update.recurrent, &gradients.recurrent),
        disagreement(&update.input_bias, &gradients.input_bias),
        disagreement(&update.recurrent_bias, &gradients.recurrent_bias),
    ];
    assert!(differences.iter().all(|&d| d < ROUNDING), "{name}: {differences:?}");
}

/// Every update of an encoder against the gradients of its losses.
fn assert_equals_gradients(rule: &Rule, recurrence: Recurrence, target: TargetSide) {
    let mut encoder = encoder(rule, recurrence, target);
    let draws = draws(&encoder, rule);
    let stop = match recurrence {
        Recurrence::EProp => Stop::InGates,
        Recurrence::OneStep => Stop::Everywhere,
    };
    let gradients = |stop| Oracle::layer_wise(&encoder, rule, stop).gradients(&waves(), &draws);
    let (gradients, through) = (gradients(stop), gradients(Stop::Nowhere));
    // Cloned, because what back-propagation through time needs is the layer before it learns.
    let (layers, mut compared) = (encoder.clone(), 0);
    let mut draw = |l: usize, grid| rows(&draws[l], grid);
    visit(&mut encoder, waves(), rule, &mut draw, &mut |layer, learnt| {
        let l = learnt.index;
        let name = format!("{rule:?} {recurrence:?} {target:?} layer {}", l + 1);
        let SoundModule { layers: expected, lateral, .. } = &gradients[l].module;
        let told = learnt.modulation;
        match sound_delta(layer.as_ref(), learnt.activity, told.clone()) {
            SoundDelta::Convolution(delta) => {
                let convolution = &expected.convolutions[0];
                let d = disagreement(&delta.weight, &convolution.weight.weight());
                assert!(d < ROUNDING, "{name}: ΔW differs by {d:.1e}");
                let d = disagreement(&delta.bias, &convolution.bias.weight());
                assert!(d < ROUNDING, "{name}: Δb differs by {d:.1e}");
                assert!(delta.weight.abs().max().into_scalar::<f64>() > 1e-9, "{name}: no update");
            }
            SoundDelta::Recurrent(delta, input) => {
                assert_gru(&name, &delta, &recurrent(&gradients[l]));
                // The same signals, passed back through time.
                let delta = through_time(layers.layer(l), &input, told, Stop::Nowhere);
                assert_gru(&name, &delta, &recurrent(&through[l]));
            }
        }
        let loss = learnt.metrics.monitor().loss;
        assert!((loss - gradients[l].loss).abs() < ROUNDING, "{name}: loss");
        assert_eq!(learnt.lateral.has("w_retro"), lateral.has("w_retro"));
        for part in ["w_pred", "w_retro"].into_iter().filter(|part| lateral.has(part)) {
            let d = disagreement(&learnt.lateral.delta(part), &lateral.weight(part));
            assert!(d < ROUNDING, "{name}: Δ{part} differs by {d:.1e}");
        }
        compared += 1;
    });
    assert_eq!(compared, 6);
}

#[test]
fn every_layer_of_clapp_s_equals_the_blocked_gradient() {
    for scope in [Scope::Permuted, Scope::PermutedInTime, Scope::Everywhere] {
        let rule = rule(Objective::Hinge, Feedback::Symmetric, scope);
        assert_equals_gradients(&rule, Recurrence::EProp, TargetSide::Stopped);
    }
}

#[test]
fn every_layer_of_gim_equals_the_blocked_gradient() {
    let rule = rule(Objective::InfoNce { epsilon: 0.0 }, Feedback::Symmetric, Scope::Permuted);
    assert_equals_gradients(&rule, Recurrence::EProp, TargetSide::Stopped);
}

#[test]
fn the_target_side_of_the_last_convolution_equals_the_gradient() {
    let rule = rule(Objective::Hinge, Feedback::Symmetric, Scope::Permuted);
    assert_equals_gradients(&rule, Recurrence::EProp, TargetSide::Learns);
}

#[test]
fn one_step_equals_the_gradient_that_stops_everywhere() {
    let rule = rule(Objective::Hinge, Feedback::Symmetric, Scope::Permuted);
    assert_equals_gradients(&rule, Recurrence::OneStep, TargetSide::Stopped);
}

#[test]
fn retrodiction_weights_and_blocked_context_equal_the_gradient() {
    for feedback in [Feedback::PredRetro, Feedback::Blocked] {
        let rule = rule(Objective::Hinge, feedback, Scope::Permuted);
        if feedback == Feedback::PredRetro {
            assert_equals_gradients(&rule, Recurrence::EProp, TargetSide::Learns);
        } else {
            // A blocked context leaves the recurrent layer without a gradient: convolutions alone.
            let mut encoder = encoder(&rule, Recurrence::EProp, TargetSide::Stopped);
            encoder.layers.pop();
            encoder.predictions.pop();
            let draws = draws(&encoder, &rule);
            let oracle = Oracle::layer_wise(&encoder, &rule, Stop::InGates);
            let gradients = oracle.gradients(&waves(), &draws);
            let mut draw = |l: usize, grid| rows(&draws[l], grid);
            visit(&mut encoder, waves(), &rule, &mut draw, &mut |layer, learnt| {
                let delta = sound_delta(layer.as_ref(), learnt.activity, learnt.modulation);
                let SoundDelta::Convolution(delta) = delta else {
                    panic!("there is no recurrent layer")
                };
                let l = learnt.index;
                let gradient = gradients[l].module.layers.convolutions[0].weight.weight();
                let d = disagreement(&delta.weight, &gradient);
                assert!(d < ROUNDING, "layer {}: {d:.1e}", l + 1);
            });
        }
    }
}

/// Units that reach each other strongly, so that paths through the gates count.
fn random_gru(recurrence: Recurrence) -> LocalGru {
    LocalGru {
        input: Synapses::new(uniform([12, 5], 10)),
        recurrent: Synapses::new(uniform([12, 4], 11) * 3.0),
        input_bias: Synapses::new(uniform([12], 12)),
        recurrent_bias: Synapses::new(uniform([12], 13)),
        recurrence,
    }
}

#[test]
fn eprop_is_the_gradient_stopped_in_the_gates_and_no_other() {
    let (x, told) = (uniform([3, 15, 5], 14), uniform([3, 15, 1, 4], 15));
    let kinds = [(Recurrence::EProp, Stop::InGates), (Recurrence::OneStep, Stop::Everywhere)];
    for (recurrence, stop) in kinds {
        let layer = random_gru(recurrence);
        let activity = layer.forward(&x);
        let states = gru(&x, &layer, stop);
        assert!((activity.output() - states).abs().max().into_scalar::<f64>() < 1e-14);
        let delta = layer.delta(&activity, told.clone());
        // The gradient of Σ −m_t · h_t.
        let gradient = |stop| through_time(&layer, &x, -told.clone(), stop);
        assert_gru(&format!("{stop:?}"), &delta, &gradient(stop));
        for other in [Stop::Nowhere, Stop::InGates, Stop::Everywhere] {
            if other != stop {
                let d = disagreement(&delta.recurrent, &gradient(other).recurrent);
                assert!(d > 0.1, "{stop:?} and {other:?} differ by {d:.1e} only");
            }
        }
    }
}

/// Specification A14.5, back-propagation through time.
#[test]
fn back_propagation_through_time_equals_the_numbers_of_the_specification() {
    let fill = |shape: &[usize], value: &dyn Fn(f64) -> f64| {
        let count = shape.iter().product::<usize>();
        TensorData::new((0..count).map(|i| value(i as f64)).collect::<Vec<f64>>(), shape.to_vec())
    };
    let on = (&Device::flex(), DType::F64);
    let layer = LocalGru {
        input: Synapses::new(Tensor::from_data(fill(&[9, 2], &|i| (0.3 * i).cos()), on)),
        recurrent: Synapses::new(Tensor::from_data(fill(&[9, 3], &|i| (0.4 * i).sin()), on)),
        input_bias: Synapses::new(Tensor::from_data(fill(&[9], &|i| 0.1 * i), on)),
        recurrent_bias: Synapses::new(Tensor::from_data(fill(&[9], &|i| -0.05 * i), on)),
        recurrence: Recurrence::EProp,
    };
    let x = Tensor::from_data(fill(&[1, 5, 2], &|i| (0.7 * i).sin()), on);
    let told = Tensor::from_data(fill(&[1, 5, 1, 3], &|i| -i.cos()), on);
    let norm = |values: TensorData| values.iter::<f64>().map(|v| v * v).sum::<f64>().sqrt();
    let norms = |stop| {
        let found = through_time(&layer, &x, told.clone(), stop);
        [
            norm(found.input.into_data()),
            norm(found.recurrent.into_data()),
            norm(found.input_bias.into_data()),
            norm(found.recurrent_bias.into_data()),
        ]
    };
    let expected = [
        (
            Stop::Nowhere,
            [
                0.389_603_008_087_303_1,
                0.247_282_615_390_702_98,
                0.960_914_205_330_332_9,
                0.607_314_382_362_934_2,
            ],
        ),
        (
            Stop::InGates,
            [
                0.573_056_842_210_654_6,
                0.154_543_726_196_764_24,
                0.554_722_700_766_947_9,
                0.304_092_739_151_154_65,
            ],
        ),
        (
            Stop::Everywhere,
            [
                0.858_382_159_427_274_1,
                0.214_567_156_270_15,
                0.615_423_282_635_009,
                0.329_819_659_024_265_1,
            ],
        ),
    ];
    for (stop, expected) in expected {
        for (found, expected) in norms(stop).iter().zip(expected) {
            assert!((found - expected).abs() < EXPONENTIALS, "{stop:?}: {found} {expected}");
        }
    }
}

#[test]
fn end_to_end_gradients_are_differences_of_the_loss() {
    let rule = rule(Objective::InfoNce { epsilon: 0.0 }, Feedback::Symmetric, Scope::Permuted);
    let encoder = encoder(&rule, Recurrence::EProp, TargetSide::Stopped);
    let draws = vec![draws(&encoder, &rule).swap_remove(5)];
    let oracle = Oracle::end_to_end(&encoder, &rule);
    let gradients = oracle.gradients(&waves(), &draws).swap_remove(0).module.layers;
    // Small, so that hardly a neuron crosses its threshold between the two ends.
    let half_step = 1e-7;
    let difference = |change: &dyn Fn(&mut SoundModule, f64)| {
        let loss = |step: f64| {
            let mut changed = oracle.clone();
            change(&mut changed.modules[0], step);
            changed.gradients(&waves(), &draws)[0].loss
        };
        (loss(half_step) - loss(-half_step)) / (2.0 * half_step)
    };
    let value = |data: TensorData, at: usize| data.iter::<f64>().nth(at).expect("an element");
    for (l, layer) in gradients.convolutions.iter().enumerate() {
        let found = difference(&|module, step| {
            nudge(&mut module.layers.convolutions[l].weight, 3, step);
        });
        let expected = value(layer.weight.weight().to_data(), 3);
        assert!((found - expected).abs() < 1e-6, "layer {}: {found} {expected}", l + 1);
    }
    let found = difference(&|module, step| {
        let recurrent = module.layers.recurrent.as_mut().expect("has one");
        nudge(&mut recurrent.recurrent, 3, step);
    });
    let recurrent = gradients.recurrent.expect("has one").recurrent.weight();
    assert!((found - value(recurrent.to_data(), 3)).abs() < 1e-6);
    let first = gradients.convolutions[0].weight.weight().abs().max().into_scalar::<f64>();
    assert!(first > 1e-6, "expected a gradient in the first layer, got at most {first:.1e}");
}

fn nudge<const D: usize>(synapses: &mut Synapses<D>, at: usize, step: f64) {
    let tensor = synapses.weight();
    let mut values: Vec<f64> = tensor.to_data().iter::<f64>().collect();
    values[at] += step;
    let data = TensorData::new(values, tensor.dims());
    *synapses = Synapses::new(Tensor::from_data(data, (&tensor.device(), tensor.dtype())));
}

/// Vowels of two frequencies, half of a wave each, and which of them every frame holds.
fn vowels(index: u64) -> (Tensor<3>, Vec<usize>) {
    let mut random = stream(8, Purpose::Synthesis, [index, 0, 0, 0]);
    let (mut samples, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let first = random.random_range(0..2_usize);
        let phase = random.random_range(0.0..6.0);
        for t in 0..1600 {
            let vowel = if t < 800 { first } else { 1 - first };
            samples.push((phase + f64::from(t) * [0.15, 0.4][vowel]).sin() as f32);
        }
        labels.extend((0..10).map(|frame| if frame < 5 { first } else { 1 - first }));
    }
    let data = TensorData::new(samples, [4, 1, 1600]);
    (Tensor::from_data(data, &Device::flex()), labels)
}

#[test]
fn phones_are_learnt_end_to_end_and_greedily() {
    let device = Device::flex();
    let config = SoundConfig { samples: 1600, ..SoundConfig::paper(1.0 / 32.0).expect("above 0") };
    let rule = Rule { prediction_steps: 3, ..Rule::clapp_s_sound() };
    let encoder = config.init(&rule, 3, &device).expect("the configuration fits");
    let mut random = stream(8, Purpose::Probe, [0; 4]);
    let learners = [
        (1, PhoneLearner::end_to_end(&encoder, 2, &device, &mut random)),
        (6, PhoneLearner::greedy(&encoder, 2, &device, &mut random)),
    ];
    for (heads, mut learner) in learners {
        let optimizer = Optimizer::adam(3e-3);
        let steps: Vec<_> = (0..60)
            .map(|step| {
                let (waves, labels) = vowels(step);
                learner.step(&waves, &labels, &optimizer)
            })
            .collect();
        assert_eq!(steps[0].losses.len(), heads);
        let mean = |part: &[clapp_baselines::LabelStep]| {
            let last = part.iter().map(|step| *step.losses.last().expect("a read-out"));
            last.sum::<f64>() / part.len() as f64
        };
        let (early, late) = (mean(&steps[..5]), mean(&steps[55..]));
        // ln 2 knows nothing.
        assert!((early - 2f64.ln()).abs() < 0.15, "{heads} read-outs start at {early}");
        assert!(late < 0.5 * early, "{heads} read-outs: {early} → {late}");
    }
}

#[test]
fn greedy_gradients_stop_between_layers() {
    let device = Device::flex();
    let config = SoundConfig { samples: 1600, ..SoundConfig::paper(1.0 / 64.0).expect("above 0") };
    let rule = Rule { prediction_steps: 3, ..Rule::clapp_s_sound() };
    let whole = config.init(&rule, 3, &device).expect("the configuration fits");
    let mut lower = whole.clone();
    lower.layers.truncate(2);
    let learn = |encoder: &SoundEncoder| {
        let mut random = stream(8, Purpose::Probe, [0; 4]);
        let mut learner = PhoneLearner::greedy(encoder, 2, &device, &mut random);
        let (waves, labels) = vowels(0);
        learner.step(&waves, &labels, &Optimizer::adam(1e-2));
        learner.logits(&waves, 10)[1].to_data()
    };
    assert_eq!(learn(&whole), learn(&lower));
}
