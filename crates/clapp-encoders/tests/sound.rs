//! Convolutions over time: against loops, against each other, and what they may depend on.

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_backend::Activity;
use clapp_encoders::{
    Conv1dPlan, Conv1dSpec, Cut, EncoderError, GruActivity, Learnt, LocalActivity, LocalConv1d,
    LocalGru, LocalLayer, OnlineConv1d, RecurrentPlan, SoundConfig, SoundEncoder, TargetSide, Wave,
    WaveActivity,
};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    Feedback, Optimizer, Outcome, Plasticity, Rule, RuleError, State, Synapses, online::OnlineLayer,
};
use clapp_testing::distance::{distance, host};
use rand::RngExt;

/// Sums of some hundred products of doubles, in two orders.
const ROUNDING: f64 = 1e-13;

fn values(shape: &[usize], index: u64) -> Vec<f64> {
    let mut random = stream(4, Purpose::Test, [index, 0, 0, 0]);
    (0..shape.iter().product::<usize>()).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], dtype: DType) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape).convert_dtype(dtype);
    Tensor::from_data(data, (&Device::flex(), dtype))
}

/// One convolution with its inputs, as numbers.
struct Case {
    spec: Conv1dSpec,
    batch: usize,
    frames: usize,
    pre: usize,
    post: usize,
    x: Vec<f64>,
    w: Vec<f64>,
    b: Vec<f64>,
    m: Vec<f64>,
}

impl Case {
    fn new([batch, frames, pre, post]: [usize; 4], [kernel, stride, padding]: [usize; 3]) -> Self {
        let spec = Conv1dSpec { kernel, stride, padding };
        Self {
            spec,
            batch,
            frames,
            pre,
            post,
            x: values(&[batch, frames, pre], 0),
            w: values(&[post, pre, kernel], 1),
            b: values(&[post], 2),
            m: values(&[batch, spec.frames(frames), post], 3),
        }
    }

    fn layer(&self, dtype: DType) -> LocalConv1d {
        LocalConv1d {
            weight: Synapses::new(tensor(&self.w, [self.post, self.pre, self.spec.kernel], dtype)),
            bias: Synapses::new(tensor(&self.b, [self.post], dtype)),
            spec: self.spec,
        }
    }

    fn input(&self, dtype: DType) -> Activity {
        let frames: Tensor<3> = tensor(&self.x, [self.batch, self.frames, self.pre], dtype);
        Wave.cut(frames.swap_dims(1, 2))
    }

    /// Output, ΔW and Δb by loops.
    fn loops(&self) -> [Vec<f64>; 3] {
        let outputs = self.spec.frames(self.frames);
        let Conv1dSpec { kernel, stride, padding } = self.spec;
        let (mut output, mut dw, mut db) =
            (vec![0.0; self.m.len()], vec![0.0; self.w.len()], vec![0.0; self.post]);
        for b in 0..self.batch {
            for t in 0..outputs {
                for (j, db) in db.iter_mut().enumerate() {
                    let at = (b * outputs + t) * self.post + j;
                    let pairs: Vec<(usize, f64)> = (0..kernel)
                        .flat_map(|tau| (0..self.pre).map(move |i| (tau, i)))
                        .filter_map(|(tau, i)| {
                            let frame = (t * stride + tau).checked_sub(padding)?;
                            let x = (b * self.frames + frame) * self.pre + i;
                            let inside = frame < self.frames;
                            inside.then(|| ((j * self.pre + i) * kernel + tau, self.x[x]))
                        })
                        .collect();
                    let a = self.b[j] + pairs.iter().map(|&(w, x)| self.w[w] * x).sum::<f64>();
                    output[at] = a.max(0.0);
                    if a > 0.0 {
                        pairs.iter().for_each(|&(w, x)| dw[w] += self.m[at] * x);
                        *db += self.m[at];
                    }
                }
            }
        }
        [output, dw, db]
    }
}

#[test]
fn output_and_update_equal_loops() {
    let cases = [
        ([3, 40, 1, 5], [10, 5, 2]),
        ([2, 33, 3, 4], [8, 4, 2]),
        ([3, 17, 4, 3], [4, 2, 2]),
        ([1, 16, 4, 3], [4, 2, 1]),
        // Lines of channels.
        ([2, 19, 16, 32], [4, 2, 2]),
        ([1, 25, 32, 16], [8, 4, 2]),
        ([2, 30, 1, 48], [10, 5, 2]),
        // A stride that leaves frames out, one that does not divide the kernel, no padding, one window.
        ([2, 23, 2, 3], [2, 5, 0]),
        ([2, 20, 2, 3], [5, 3, 1]),
        ([2, 9, 1, 1], [1, 1, 0]),
        ([2, 4, 3, 2], [4, 2, 0]),
    ];
    for (sizes, geometry) in cases {
        let case = Case::new(sizes, geometry);
        let [output, dw, db] = case.loops();
        for (dtype, bound) in [(DType::F64, ROUNDING), (DType::F32, 1e-5)] {
            let layer = case.layer(dtype);
            let activity = layer.forward(&case.input(dtype));
            let d = distance(&host(activity.representation()), &output);
            assert!(d < bound, "{sizes:?} {geometry:?}: output differs by {d:.1e}");
            let shape = [sizes[0], case.spec.frames(sizes[1]), 1, sizes[3]];
            assert_eq!(activity.representation().dims(), shape);
            let delta = layer.delta(&activity, tensor(&case.m, shape, dtype));
            let d = distance(&host(delta.weight), &dw);
            assert!(d < bound, "{sizes:?} {geometry:?}: ΔW differs by {d:.1e}");
            let d = distance(&host(delta.bias), &db);
            assert!(d < bound, "{sizes:?} {geometry:?}: Δb differs by {d:.1e}");
        }
    }
}

#[test]
fn a_wave_gives_a_frame_every_hop_and_one_more_if_there_is_enough_left() {
    let paper = SoundConfig::paper(1.0).expect("the paper's width is a width");
    for samples in 20_480..60_000 {
        let expected = samples / 160 + usize::from(samples % 160 >= 41);
        assert_eq!(paper.frames(samples).last(), Some(&expected), "{samples} samples");
    }
}

#[test]
fn a_frame_sees_its_receptive_field_and_nothing_else() {
    let config = SoundConfig::paper(1.0 / 64.0).expect("a width above 0");
    let encoder = config.init(&Rule::clapp_s_sound(), 2, &Device::flex()).expect("it fits");
    let last = |wave: &[f64]| {
        let wave = tensor(wave, [1, 1, wave.len()], DType::F32);
        let mut top = None;
        encoder.look(wave, &mut |l, grid| {
            if l == 4 {
                top = Some(grid);
            }
        });
        host(top.expect("an encoder has layers"))
    };
    let frame = 7;
    let wave = values(&[20_480], 5);
    let before = last(&wave);
    let begin = config.hop() * frame - config.left();
    let channels = before.len() / 128;
    let changed = |sample: usize| {
        let mut wave = wave.clone();
        wave[sample] += 3.0;
        let after = last(&wave);
        let of = |v: &[f64]| v[frame * channels..(frame + 1) * channels].to_vec();
        of(&before) != of(&after)
    };
    assert!(!changed(begin - 1) && !changed(begin + config.receptive_field()));
    assert!((begin..begin + 20).any(changed), "the first samples of its field");
}

#[test]
fn a_window_that_slides_hears_what_the_whole_recording_gives() {
    for (sizes, geometry) in [([3, 30, 2, 4], [10, 5, 2]), ([2, 23, 2, 3], [2, 5, 0])] {
        let case = Case::new(sizes, geometry);
        let [batch, frames, pre, post] = sizes;
        let x: Tensor<3> = tensor(&case.x, [batch, frames, pre], DType::F64);
        let whole = case.layer(DType::F64).forward(&case.input(DType::F64)).representation();
        let expected = host(whole.swap_dims(0, 1));
        let mut random = stream(4, Purpose::Test, [9, 0, 0, 0]);
        let device = Device::flex();
        let inputs = pre * case.spec.kernel;
        let mut layer = OnlineLayer::init(inputs, post, Feedback::Blocked, &device, &mut random);
        // Frame by frame here, channel by channel there.
        let weight: Tensor<3> = tensor(&case.w, [post, pre, case.spec.kernel], DType::F64);
        layer.weight = Synapses::new(weight.swap_dims(1, 2).reshape([post, inputs]));
        layer.bias = Synapses::new(tensor(&case.b, [post], DType::F64));
        let w_pred = vec![0.0; post * post];
        layer.rule.w_pred = Synapses::new(tensor(&w_pred, [post, post], DType::F64));
        let mut online = OnlineConv1d::new(layer, case.spec);
        let mut heard = Vec::new();
        // W_pred stays near 0 and nothing else learns: the layer only listens.
        let still = Optimizer::Plain { rate: 0.0 };
        for t in 0..frames {
            let frame = x.clone().narrow(1, t, 1).reshape([batch, pre]);
            let step = online.step(frame, &vec![Outcome::Fixation; batch], &still);
            heard.extend(step.map(|step| host(step.activity)).unwrap_or_default());
        }
        // The last windows need the silence after the recording, which a stream does not know of.
        let complete = &expected[..heard.len()];
        assert!(heard.len() >= expected.len() - 2 * batch * post, "{geometry:?}");
        assert!(distance(&heard, complete) < ROUNDING, "{geometry:?}");
    }
}

fn rule() -> Rule {
    let negatives = clapp_rules::Negatives { count: 3, ..Rule::clapp_s_sound().negatives };
    Rule { prediction_steps: 3, window: Some(20), negatives, ..Rule::clapp_s_sound() }
}

fn config(target: TargetSide) -> SoundConfig {
    let paper = SoundConfig::paper(1.0 / 64.0).expect("a width above 0");
    let recurrent = paper.recurrent.map(|plan| RecurrentPlan { target, ..plan });
    SoundConfig { samples: 1600, recurrent, ..paper }
}

fn encoder(target: TargetSide, seed: u64) -> SoundEncoder {
    let mut encoder =
        config(target).init(&rule(), seed, &Device::flex()).expect("the configuration fits");
    // Weights large enough that activity, and with it every update, lasts to the top.
    for l in 0..5 {
        let layer = encoder.layer_mut::<LocalConv1d>(l);
        layer.weight = Synapses::new(layer.weight.weight() * 2.5);
    }
    encoder
}

/// ΔW, Δb or the recurrent layer's changes, and ΔW_pred of every layer, bit for bit.
fn updates(encoder: &mut SoundEncoder) -> Vec<Vec<u64>> {
    let waves = tensor(&values(&[2, 1, 1600], 6), [2, 1, 1600], DType::F32);
    let (rule, mut updates) = (rule(), vec![Vec::new(); encoder.layers.len()]);
    let mut draw =
        |l: usize, grid| rule.pairs(grid, &mut stream(3, Purpose::Negatives, [l as u64, 0, 0, 0]));
    encoder.visit(waves, &rule, &mut draw, &mut |learnt| {
        let (l, values) = match learnt {
            Learnt::Lateral { prediction, update, .. } => {
                (prediction, host(update.delta("w_pred")))
            }
            Learnt::Layer { index, layer, activity, told } => {
                let activity = activity.into_any();
                let values = if let Some(gru) = layer.as_any().downcast_ref::<LocalGru>() {
                    let activity = activity.downcast_ref::<GruActivity>().expect("its own");
                    let delta = gru.delta(activity, told.m);
                    [host(delta.input), host(delta.recurrent)].concat()
                } else {
                    let layer = layer.as_any().downcast_ref::<LocalConv1d>().expect("the others");
                    let activity = activity.downcast_ref::<WaveActivity>().expect("its own");
                    let delta = layer.delta(activity, told.m);
                    [host(delta.weight), host(delta.bias)].concat()
                };
                (index, values)
            }
        };
        assert!(values.iter().any(|value| value.abs() > 0.0), "an update of zeros shows nothing");
        updates[l].extend(values.into_iter().map(f64::to_bits));
    });
    updates
}

#[test]
fn layers_above_do_not_change_an_update_by_a_bit() {
    let mut whole = encoder(TargetSide::Stopped, 5);
    let other = encoder(TargetSide::Stopped, 6);
    let expected = updates(&mut whole);
    assert_eq!(expected.len(), 6);
    for above in 1..6 {
        let mut changed = whole.clone();
        changed.layers[above] = other.layers[above].clone();
        let found = updates(&mut changed);
        assert_eq!(found[..above], expected[..above], "layer {}", above + 1);
        assert_ne!(found[above], expected[above], "layer {}", above + 1);
    }
}

#[test]
fn being_predicted_teaches_the_last_convolution_alone() {
    let stopped = updates(&mut encoder(TargetSide::Stopped, 5));
    let learns = updates(&mut encoder(TargetSide::Learns, 5));
    for (l, (stopped, learns)) in stopped.iter().zip(&learns).enumerate() {
        assert_eq!(l != 4, stopped == learns, "layer {}", l + 1);
    }
}

#[test]
fn an_encoder_without_recurrence_learns_the_same() {
    let mut whole = encoder(TargetSide::Stopped, 5);
    let expected = updates(&mut whole);
    whole.layers.pop();
    whole.predictions.pop();
    assert_eq!(updates(&mut whole), expected[..5]);
}

#[test]
fn a_saved_encoder_goes_on_as_if_nothing_had_happened() {
    let waves = || tensor(&values(&[2, 1, 1600], 7), [2, 1, 1600], DType::F32);
    let rule = rule();
    let step = |encoder: &mut SoundEncoder, step: u64| {
        let optimizer = Optimizer::adam(1e-3);
        encoder.step(waves(), &rule, &optimizer, &mut |l, shape| {
            rule.pairs(shape, &mut stream(3, Purpose::Negatives, [step, l as u64, 0, 0]))
        });
    };
    let state = |encoder: &SoundEncoder| {
        let mut state = State::default();
        encoder.save(&mut state);
        state.tensors
    };
    let mut first = encoder(TargetSide::Learns, 5);
    step(&mut first, 0);
    let saved = State { tensors: state(&first) };
    step(&mut first, 1);
    let mut second = encoder(TargetSide::Learns, 6);
    second.load(&saved).expect("the same configuration");
    step(&mut second, 1);
    assert_eq!(state(&first), state(&second));
    assert!(state(&first).keys().any(|name| name == "recurrent.recurrent.first"));
}

#[test]
fn stereo_is_two_channels() {
    let stereo = tensor(&values(&[1, 2, 3], 8), [1, 2, 3], DType::F64);
    let cut = Wave.cut(stereo.clone());
    assert_eq!(cut.dims(), [1, 2, 1, 3]);
    assert_eq!(host(cut.to_plain()), host(stereo));
}

fn error_of(change: impl FnOnce(&mut SoundConfig, &mut Rule)) -> EncoderError {
    let (mut config, mut rule) =
        (SoundConfig::paper(0.125).expect("a width above 0"), Rule::clapp_s_sound());
    change(&mut config, &mut rule);
    config.init(&rule, 2, &Device::flex()).expect_err("the change does not fit")
}

#[test]
fn what_does_not_fit_is_named() {
    let error = error_of(|config, _| config.samples = 30);
    assert_eq!(error, EncoderError::WaveTooShort { layer: 5, samples: 30 });
    let error = error_of(|config, _| config.layers[2].spec.stride = 0);
    assert_eq!(error, EncoderError::Geometry { layer: 3, kernel: 4, stride: 0 });
    let error = error_of(|config, _| config.samples = 1920);
    let expected = RuleError::TooFewTimeSteps { furthest: 12, time: 12 };
    assert_eq!(error, EncoderError::Rule(expected));
    let error = error_of(|config, _| {
        let plan = config.layers[0];
        config.layers[0] = Conv1dPlan { channels: 0, ..plan };
    });
    assert!(error.to_string().contains("[0, 64, 64, 64, 64, 32]"), "{error}");
    let error = SoundConfig::paper(0.0).expect_err("no width");
    assert_eq!(error, EncoderError::Width { width: 0.0 });
}

#[test]
fn a_configuration_reads_as_it_was_written() {
    let config = SoundConfig::paper(0.5).expect("a width above 0");
    let text = serde_json::to_string(&config).expect("plain data");
    assert_eq!(serde_json::from_str::<SoundConfig>(&text).expect("just written"), config);
}

#[test]
#[should_panic(expected = "convolution: expected a modulation of every frame")]
fn a_modulation_of_another_length_is_named() {
    let case = Case::new([2, 20, 1, 3], [4, 2, 1]);
    let layer = case.layer(DType::F64);
    let activity = layer.forward(&case.input(DType::F64));
    let _ = layer.delta(&activity, tensor(&case.m, [2, 5, 2, 3], DType::F64));
}

#[test]
#[should_panic(expected = "convolution: expected at least 4 frames with padding, got 3")]
fn a_wave_shorter_than_the_kernel_is_named() {
    let layer = Case::new([1, 9, 1, 1], [4, 1, 1]).layer(DType::F64);
    let _ = layer.forward(&Wave.cut(tensor(&[1.0], [1, 1, 1], DType::F64)));
}
