//! The recurrent layer: the specification's numbers, traces against the factored form, one step against
//! memory, and the online rule against the batched one.

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_encoders::{GruUpdate, LocalActivity, LocalGru, LocalLayer, OnlineGru, Recurrence};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    Draws, Feedback, Lateral, Optimizer, Outcome, Pairs, Rule, Synapses, Timing, online::OnlineRule,
};
use clapp_testing::distance::{distance, host, norm};
use rand::RngExt;

/// Sums of some hundred products of doubles, in two orders.
const ROUNDING: f64 = 1e-13;
/// Exponentials of doubles as the backend approximates them, through five steps of time.
const EXPONENTIALS: f64 = 1e-11;

fn tensor<const D: usize>(shape: [usize; D], value: impl FnMut(usize) -> f64) -> Tensor<D> {
    let values: Vec<f64> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

fn uniform<const D: usize>(shape: [usize; D], random: &mut dyn rand::Rng) -> Tensor<D> {
    tensor(shape, |_| random.random_range(-1.0..1.0))
}

/// Changes of the four tensors, in the order W_i, W_h, b_i, b_h.
fn parts(update: GruUpdate) -> [Vec<f64>; 4] {
    [
        host(update.input),
        host(update.recurrent),
        host(update.input_bias),
        host(update.recurrent_bias),
    ]
}

fn random_layer(recurrence: Recurrence, random: &mut dyn rand::Rng) -> LocalGru {
    let (inputs, units) = (5, 4);
    LocalGru {
        input: Synapses::new(uniform([3 * units, inputs], random)),
        recurrent: Synapses::new(uniform([3 * units, units], random)),
        input_bias: Synapses::new(uniform([3 * units], random)),
        recurrent_bias: Synapses::new(uniform([3 * units], random)),
        recurrence,
    }
}

/// Specification A14.5: I = 2, H = 3, T = 5, loss Σ cos(i) · h.
#[test]
fn states_and_changes_equal_the_numbers_of_the_specification() {
    let layer = |recurrence| LocalGru {
        input: Synapses::new(tensor([9, 2], |i| (0.3 * i as f64).cos())),
        recurrent: Synapses::new(tensor([9, 3], |i| (0.4 * i as f64).sin())),
        input_bias: Synapses::new(tensor([9], |i| 0.1 * i as f64)),
        recurrent_bias: Synapses::new(tensor([9], |i| -0.05 * i as f64)),
        recurrence,
    };
    let x = tensor([1, 5, 2], |i| (0.7 * i as f64).sin());
    let descent = || tensor([1, 5, 1, 3], |i| -(i as f64).cos());
    let expected = [
        (
            Recurrence::EProp,
            [
                0.573_056_842_210_654_6,
                0.154_543_726_196_764_24,
                0.554_722_700_766_947_9,
                0.304_092_739_151_154_65,
            ],
        ),
        (
            Recurrence::OneStep,
            [
                0.858_382_159_427_274_1,
                0.214_567_156_270_15,
                0.615_423_282_635_009,
                0.329_819_659_024_265_1,
            ],
        ),
    ];
    for (recurrence, norms) in expected {
        let layer = layer(recurrence);
        let activity = layer.forward(&x);
        let last = host(activity.output().narrow(1, 4, 1));
        let state = [0.708_676_502_426_415_4, 0.553_984_413_330_623, 0.379_514_918_262_183_4];
        assert!(distance(&last, &state) < EXPONENTIALS, "{last:?}");
        let found = parts(layer.delta(&activity, descent())).map(|part| norm(&part));
        for (found, expected) in found.iter().zip(norms) {
            assert!((found - expected).abs() < EXPONENTIALS, "{recurrence:?}: {found} {expected}");
        }
    }
}

/// Changes summed over a recording, one step after the other.
fn by_traces(layer: &LocalGru, x: &Tensor<3>, modulation: &Tensor<4>) -> [Vec<f64>; 4] {
    let [batch, time, inputs] = x.dims();
    let [_, _, _, units] = modulation.dims();
    let mut online = OnlineGru::new(layer.clone());
    let mut sums: Option<[Vec<f64>; 4]> = None;
    for t in 0..time {
        online.step(x.clone().narrow(1, t, 1).reshape([batch, inputs]));
        let told = modulation.clone().narrow(1, t, 1).reshape([batch, units]);
        let now = parts(online.delta(told).expect("has heard a step"));
        sums = Some(match sums {
            None => now,
            Some(sums) => {
                let add = |k: usize| sums[k].iter().zip(&now[k]).map(|(a, b)| a + b).collect();
                [add(0), add(1), add(2), add(3)]
            }
        });
    }
    sums.expect("a recording has steps")
}

#[test]
fn traces_forward_in_time_and_the_factored_form_agree() {
    let mut random = stream(6, Purpose::Test, [0; 4]);
    for recurrence in [Recurrence::EProp, Recurrence::OneStep] {
        for [batch, time] in [[1, 1], [1, 9], [3, 20]] {
            let layer = random_layer(recurrence, &mut random);
            let x = uniform([batch, time, 5], &mut random);
            let modulation = uniform([batch, time, 1, 4], &mut random);
            let factored = parts(layer.delta(&layer.forward(&x), modulation.clone()));
            let traced = by_traces(&layer, &x, &modulation);
            for (factored, traced) in factored.iter().zip(&traced) {
                let d = distance(factored, traced);
                assert!(d < ROUNDING, "{recurrence:?}, {time} steps: {d:.1e}");
            }
        }
    }
}

#[test]
fn memory_makes_a_difference() {
    let mut random = stream(6, Purpose::Test, [1, 0, 0, 0]);
    let eprop = random_layer(Recurrence::EProp, &mut random);
    let one_step = LocalGru { recurrence: Recurrence::OneStep, ..eprop.clone() };
    let x = uniform([3, 20, 5], &mut random);
    let modulation = uniform([3, 20, 1, 4], &mut random);
    let activity = eprop.forward(&x);
    let with = parts(eprop.delta(&activity, modulation.clone()));
    let without = parts(one_step.delta(&activity, modulation));
    for (with, without) in with.iter().zip(&without) {
        let d = distance(with, without);
        assert!(d > 0.1, "expected a clear difference, got {d:.1e}");
    }
}

#[test]
fn a_step_that_is_told_nothing_changes_nothing_but_remembers() {
    let mut random = stream(6, Purpose::Test, [2, 0, 0, 0]);
    let layer = random_layer(Recurrence::EProp, &mut random);
    let x = uniform([1, 6, 5], &mut random);
    // Only the last step is told anything: all credit of earlier steps comes through memory.
    let late = tensor([1, 6, 1, 4], |i| if i >= 20 { 1.0 } else { 0.0 });
    let whole = parts(layer.delta(&layer.forward(&x), late));
    let alone = LocalGru { recurrence: Recurrence::OneStep, ..layer.clone() };
    let last = tensor([1, 6, 1, 4], |i| if i >= 20 { 1.0 } else { 0.0 });
    let step = parts(alone.delta(&alone.forward(&x), last));
    assert!(distance(&whole[0], &step[0]) > 0.05);
    let silent = parts(layer.delta(&layer.forward(&x), tensor([1, 6, 1, 4], |_| 0.0)));
    assert!(silent.iter().flatten().all(|change| change.abs() <= 0.0));
}

#[test]
fn numbers_kept_do_not_depend_on_the_length_of_a_recording() {
    let mut random = stream(6, Purpose::Test, [3, 0, 0, 0]);
    let mut online = OnlineGru::new(random_layer(Recurrence::EProp, &mut random));
    let streams = 3;
    let mut kept = Vec::new();
    for _ in 0..200 {
        online.step(uniform([streams, 5], &mut random));
        kept.push(online.remembered());
    }
    let expected = streams * (online.cell.weights() + online.cell.units());
    assert!(kept.iter().all(|&numbers| numbers == expected), "{kept:?}");
    online.reset();
    assert_eq!(online.remembered(), 0);
}

/// Streams of frames with an outcome between any two of them.
struct Recording {
    /// What the recurrent layer hears and predicts, `[stream, time, 5]`.
    z: Tensor<3>,
    outcome: Outcome,
}

/// The batched rule over neighbouring steps, with the one third factor of the online rule.
fn batched(
    recording: &Recording,
    gru: &LocalGru,
    rule: &OnlineRule,
    feedback: Feedback,
) -> Vec<Vec<f64>> {
    let [streams, time, _] = recording.z.dims();
    let of = |synapses: &Synapses<2>| Synapses::new(synapses.weight().unsqueeze::<3>());
    let mut lateral = Lateral::default().with("w_pred", of(&rule.w_pred));
    if let Some(w_retro) = &rule.w_retro {
        lateral = lateral.with("w_retro", of(w_retro));
    }
    // A stream that jumped has landed already: its saccade target is its own present activity.
    let index = (0..(streams * (time - 1)) as u32).collect();
    let draws = Draws {
        pairs: vec![Pairs { shift: 1, count: 1, index }],
        outcomes: Some(vec![recording.outcome; streams]),
        window: None,
    };
    let timing = Timing::TimeLocal;
    let rule = Rule { timing, feedback, prediction_steps: 1, skip: 0, ..Rule::clapp_s() };
    let activity = gru.forward(&recording.z);
    let target = recording.z.clone().unsqueeze_dim(2);
    let update = rule.update(target, activity.representation(), &lateral, &[draws]);
    let told = update.context.clone().expect("not blocked");
    let mut all = parts(gru.delta(&activity, told)).to_vec();
    let names = ["w_pred", "w_retro"].into_iter().filter(|name| update.lateral.has(name));
    all.extend(names.map(|name| host(update.lateral.delta(name))));
    all
}

#[test]
fn listening_step_by_step_equals_the_batched_rule() {
    for feedback in [Feedback::Symmetric, Feedback::PredRetroShared] {
        for outcome in [Outcome::Fixation, Outcome::Saccade] {
            let mut random = stream(6, Purpose::Test, [4, 0, 0, 0]);
            let (streams, time) = (3, 12);
            let gru = random_layer(Recurrence::EProp, &mut random);
            let device = Device::flex();
            let mut rule = OnlineRule::between(5, 4, feedback, &device, &mut random);
            rule.w_pred = Synapses::new(uniform([5, 4], &mut random));
            rule.w_retro = rule.w_retro.map(|_| Synapses::new(uniform([4, 5], &mut random)));
            let recording = Recording { z: uniform([streams, time, 5], &mut random), outcome };
            let expected = batched(&recording, &gru, &rule, feedback);

            let mut online = OnlineGru::new(gru);
            let mut sums: Vec<Vec<f64>> = Vec::new();
            for t in 0..time {
                let heard = recording.z.clone().narrow(1, t, 1).reshape([streams, 5]);
                if let Some(signals) = rule.compare(heard.clone(), &vec![outcome; streams]) {
                    let told = signals.before.clone().expect("not blocked");
                    let mut now = parts(online.delta(told).expect("has heard a step")).to_vec();
                    // With rates of 1, the change of the lateral weights is their update.
                    let mut taught = rule.clone();
                    taught.learn(&signals, &Optimizer::Plain { rate: 1.0 });
                    now.push(host(taught.w_pred.weight() - rule.w_pred.weight()));
                    if let (Some(after), Some(before)) = (&taught.w_retro, &rule.w_retro) {
                        now.push(host(after.weight() - before.weight()));
                    }
                    if sums.is_empty() {
                        sums = now;
                    } else {
                        for (sum, now) in sums.iter_mut().zip(now) {
                            sum.iter_mut().zip(now).for_each(|(sum, now)| *sum += now);
                        }
                    }
                }
                let state = online.step(heard);
                rule.predict(state);
            }
            // The batched rule takes the mean over steps too.
            let steps = (time - 1) as f64;
            assert_eq!(sums.len(), expected.len());
            for (k, (sum, expected)) in sums.iter().zip(&expected).enumerate() {
                let mean: Vec<f64> = sum.iter().map(|sum| sum / steps).collect();
                let d = distance(&mean, expected);
                assert!(d < 1e-12, "{feedback:?} {outcome:?} part {k}: {d:.1e}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "recurrent layer: expected 2 streams as before, got 3")]
fn another_number_of_streams_is_named() {
    let mut random = stream(6, Purpose::Test, [5, 0, 0, 0]);
    let mut online = OnlineGru::new(random_layer(Recurrence::EProp, &mut random));
    online.step(uniform([2, 5], &mut random));
    online.step(uniform([3, 5], &mut random));
}

#[test]
#[should_panic(expected = "recurrent layer: expected a modulation of every state")]
fn a_modulation_of_another_length_is_named() {
    let mut random = stream(6, Purpose::Test, [6, 0, 0, 0]);
    let layer = random_layer(Recurrence::EProp, &mut random);
    let activity = layer.forward(&uniform([2, 7, 5], &mut random));
    let _ = layer.delta(&activity, uniform([2, 6, 1, 4], &mut random));
}
