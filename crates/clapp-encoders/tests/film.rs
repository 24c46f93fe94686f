//! Film layers: shapes and counts of the paper's video encoder, where a signal goes, what a checkpoint holds,
//! and that nothing above a block reaches it.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_encoders::{
    BlockPlan, ChannelNorm, Conv3dSpec, EncoderError, FilmPool, Learnt, LocalActivity, LocalConv3d,
    LocalLayer, NormOrder, Stack, Statistics, Uncut, VideoConfig,
};
use clapp_random::{Purpose, stream};
use clapp_rules::{AllPairs, Optimizer, Plasticity, RuleError, State, StateError, Synapses};
use rand::RngExt;

type VideoStack = Stack<LocalConv3d, Uncut<5>>;

const SEED: u64 = 5;
const OTHER_SEED: u64 = 6;

/// The paper's blocks at a narrow width, on clips as small as they can be with three predictions at the top.
fn config() -> VideoConfig {
    let config = VideoConfig::vgg5(1.0 / 32.0).expect("a width above 0");
    VideoConfig { frames: 36, size: 67, ..config }
}

fn stack(seed: u64) -> VideoStack {
    Stack::video(&config(), &AllPairs::clapp_s(), seed, &Device::flex()).expect("it fits")
}

fn clips(step: u64, batch: usize) -> Tensor<5> {
    let VideoConfig { colours, frames, size, .. } = config();
    let shape = [batch, colours, frames, size, size];
    let mut random = stream(SEED, Purpose::Test, [step, 0, 0, 0]);
    let pixels: Vec<f32> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.7..1.7)).collect();
    Tensor::from_data(TensorData::new(pixels, shape), &Device::flex())
}

fn learn(stack: &mut VideoStack, step: u64) {
    let (rule, optimizer) = (AllPairs::clapp_s(), Optimizer::adam(1e-3));
    let mut random = stream(SEED, Purpose::Saccade, [step, 0, 0, 0]);
    stack.step(clips(step, 2), &rule, &optimizer, &mut |_, grid| rule.pairs(grid, &mut random));
}

fn saved(stack: &VideoStack) -> State {
    let mut state = State::default();
    stack.save(&mut state);
    state
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("single precision")
}

#[test]
fn clips_of_the_read_out_have_the_paper_s_shapes() {
    let config = VideoConfig { frames: 72, ..VideoConfig::vgg5(1.0).unwrap() };
    let shapes = [[96, 72, 30], [256, 72, 6], [512, 72, 6], [512, 24, 6], [512, 8, 2]];
    assert_eq!(config.shapes().unwrap(), shapes);
    let still = VideoConfig::vgg5_still(1.0).unwrap();
    let shapes = [[96, 8, 30], [256, 8, 6], [512, 8, 6], [512, 8, 6], [512, 8, 2]];
    assert_eq!(still.shapes().unwrap(), shapes);
}

#[test]
fn maps_have_the_shapes_that_the_configuration_says() {
    let (config, mut input) = (config(), clips(0, 1));
    for (layer, [channels, frames, side]) in stack(SEED).layers.iter().zip(config.shapes().unwrap())
    {
        let activity = layer.forward(&input);
        input = activity.output();
        assert_eq!(input.dims(), [1, channels, frames, side, side]);
        assert_eq!(activity.representation().dims(), [1, frames, side * side, channels]);
    }
}

#[test]
fn lateral_weights_and_their_negatives_are_as_many_as_the_paper_s() {
    let (rule, config) = (AllPairs::clapp_s(), VideoConfig::vgg5(1.0).unwrap());
    let weights: Vec<usize> =
        config.channels().iter().map(|c| rule.prediction_steps * c * c).collect();
    assert_eq!(weights, [27_648, 196_608, 786_432, 786_432, 786_432]);
    let shapes = config.shapes().unwrap();
    let saccades =
        shapes.iter().map(|&[_, time, side]| rule.saccades([8, time, side * side].into()));
    assert_eq!(saccades.collect::<Vec<_>>(), [407, 407, 407, 119, 23]);
}

#[test]
fn initial_weights_have_kaiming_s_deviation() {
    let config = VideoConfig::vgg5(1.0).unwrap();
    let mut random = stream(SEED, Purpose::Initialisation, [0; 4]);
    // 96 and 256 channels are weights enough to see a deviation of 1 %.
    for (l, [pre, post], expected) in [(0, [3, 96], 0.020_62), (1, [96, 256], 0.017_68)] {
        let spec = config.spec(l);
        let layer = LocalConv3d::init(pre, post, spec, &Device::flex(), &mut random);
        let weights = host(layer.weight.weight());
        let variance = weights.iter().map(|w| w * w).sum::<f32>() / weights.len() as f32;
        assert!((variance.sqrt() / expected - 1.0).abs() < 0.02, "block {}", l + 1);
        assert!(host(layer.bias.weight()).iter().all(|&b| b.abs() <= 0.0));
    }
}

/// A layer of one channel that hands its input on: 1×1×1, weight 1.
fn transparent(gain: f32, pool: FilmPool, statistics: Statistics) -> LocalConv3d {
    let device = Device::flex();
    let one = |value: f32| Synapses::new(Tensor::<1>::from_floats([value], &device));
    let spec = Conv3dSpec {
        kernel: [1; 3],
        stride: [1; 3],
        padding: [0; 3],
        pool,
        order: NormOrder::AfterRelu,
    };
    let norm = ChannelNorm { gain: one(gain), ..ChannelNorm::init(1, &device) };
    let weight = Synapses::new(Tensor::ones([1; 5], &device));
    LocalConv3d { weight, bias: one(0.0), norm, spec, statistics }
}

fn frame<const H: usize, const W: usize>(pixels: [[f32; W]; H]) -> Tensor<5> {
    Tensor::<2>::from_floats(pixels, &Device::flex()).reshape([1, 1, 1, H, W])
}

#[test]
fn a_pixel_that_wins_in_two_windows_gets_both_signals() {
    // The 9 in column 2 is the largest of both windows, columns 0–2 and 2–4.
    let pixels = frame([[1.0, 2.0, 9.0, 3.0, 4.0]; 3]);
    let layer = transparent(1.0, FilmPool::Max3, Statistics::Running);
    let activity = layer.forward(&pixels);
    assert_eq!(activity.output().dims(), [1, 1, 1, 1, 2]);
    let modulation = Tensor::<1>::from_floats([1.0, 10.0], &Device::flex()).reshape([1, 1, 2, 1]);
    let delta = layer.delta(&activity, modulation);
    let near = |found: Tensor<1>, expected: f32| {
        let found = found.into_scalar::<f32>();
        assert!((found - expected).abs() < 1e-3, "{found}, expected {expected}");
    };
    // The first of three equal rows wins; σ is √(1 + 10⁻⁵).
    near(delta.bias, 11.0);
    near(delta.weight.reshape([1]), 99.0);
    near(delta.norm.shift, 11.0);
    near(delta.norm.gain, 99.0);
}

#[test]
fn where_the_gain_is_negative_the_smallest_activity_wins() {
    let pixels = frame([[3.0, 2.0, 9.0]; 3]);
    for (gain, expected) in [(1.0, 9.0), (-1.0, -2.0)] {
        let layer = transparent(gain, FilmPool::Max3, Statistics::Running);
        let output = layer.forward(&pixels).output().into_scalar::<f32>();
        assert!((output - expected).abs() < 1e-3, "{output}, expected {expected}");
    }
}

#[test]
fn a_silent_neuron_does_not_learn() {
    let pixels = frame([[-1.0, 2.0], [3.0, -4.0]]);
    let layer = transparent(1.0, FilmPool::Nothing, Statistics::Running);
    let activity = layer.forward(&pixels);
    let delta = layer.delta(&activity, Tensor::ones([1, 1, 4, 1], &Device::flex()));
    // Two of four are active: Δb = 2/σ, ΔW = (2 + 3)/σ.
    assert!((delta.bias.into_scalar::<f32>() - 2.0).abs() < 1e-3);
    assert!((delta.weight.into_scalar::<f32>() - 5.0).abs() < 1e-3);
}

#[test]
fn a_signal_that_all_of_a_channel_share_is_taken_back_by_batch_statistics() {
    let pixels = frame([[1.0, 2.0], [3.0, 5.0]]);
    let layer = transparent(1.0, FilmPool::Nothing, Statistics::Batch);
    let activity = layer.forward(&pixels);
    let delta = layer.delta(&activity, Tensor::ones([1, 1, 4, 1], &Device::flex()));
    assert!(delta.weight.into_scalar::<f32>().abs() < 1e-5);
    assert!(delta.bias.into_scalar::<f32>().abs() < 1e-5);
    assert!((delta.norm.shift.into_scalar::<f32>() - 4.0).abs() < 1e-5);
}

#[test]
fn running_statistics_follow_a_tenth_of_a_batch_that_was_learnt_from() {
    let mut layer = transparent(1.0, FilmPool::Nothing, Statistics::Batch);
    let activity = layer.forward(&frame([[1.0, 2.0], [3.0, 6.0]]));
    assert!(host(layer.norm.running.mean.clone())[0].abs() <= 0.0, "to look is not to learn");
    let none = Tensor::zeros([1, 1, 4, 1], &Device::flex());
    layer.learn(activity, none.into(), &Optimizer::default());
    // Mean 3; unbiased variance (4 + 1 + 0 + 9)/3.
    assert!((host(layer.norm.running.mean.clone())[0] - 0.3).abs() < 1e-6);
    assert!((host(layer.norm.running.variance.clone())[0] - (0.9 + 1.4 / 3.0)).abs() < 1e-6);
}

#[test]
fn a_frozen_encoder_answers_alike_in_any_company() {
    let mut stack = stack(SEED);
    learn(&mut stack, 1);
    let both = clips(2, 2);
    let first = both.clone().narrow(0, 0, 1);
    let features = |stack: &VideoStack, clips: Tensor<5>| {
        stack.features(clips).into_iter().map(|f| host(f.narrow(0, 0, 1))).collect::<Vec<_>>()
    };
    let frozen = stack.frozen();
    let differs = |a: &[f32], b: &[f32]| a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-4);
    let (alone, accompanied) = (features(&frozen, first.clone()), features(&frozen, both.clone()));
    assert!(alone.iter().zip(&accompanied).all(|(a, b)| !differs(a, b)));
    // Batch statistics are those of the company.
    let (alone, accompanied) = (features(&stack, first), features(&stack, both));
    assert!(alone.iter().zip(&accompanied).all(|(a, b)| differs(a, b)));
}

#[test]
fn a_restored_encoder_learns_on_as_if_never_stopped() {
    let mut uninterrupted = stack(SEED);
    learn(&mut uninterrupted, 1);
    let state = saved(&uninterrupted);
    for part in
        ["weight", "bias", "norm.gain", "norm.shift", "norm.mean", "norm.variance", "w_pred"]
    {
        assert!(state.tensors.contains_key(&format!("layer5.{part}")), "{part}");
    }
    let mut restored = stack(OTHER_SEED);
    restored.load(&state).unwrap();
    learn(&mut uninterrupted, 2);
    learn(&mut restored, 2);
    assert_eq!(saved(&restored).tensors, saved(&uninterrupted).tensors);
}

#[test]
fn running_statistics_of_another_shape_are_refused() {
    let mut state = saved(&stack(SEED));
    state.tensors.insert("layer2.norm.mean".into(), TensorData::new(vec![0f32; 3], [3]));
    let error = stack(SEED).load(&state).unwrap_err();
    let name = "layer2.norm.mean".to_owned();
    assert_eq!(error, StateError::Shape { name, expected: vec![8], found: vec![3] });
}

#[test]
fn blocks_above_do_not_change_an_update_by_a_bit() {
    let deltas = |stack: &mut VideoStack| {
        let (rule, mut deltas) = (AllPairs::clapp_s(), Vec::new());
        let mut draw = |_, grid| rule.pairs(grid, &mut stream(SEED, Purpose::Saccade, [0; 4]));
        stack.visit(clips(0, 2), &rule, &mut draw, &mut |learnt| {
            if let Learnt::Layer { layer, activity, told, .. } = learnt {
                let delta = layer.delta(&activity, told.m);
                let norm = [host(delta.norm.gain), host(delta.norm.shift)];
                deltas.push((host(delta.weight), host(delta.bias), norm));
            }
        });
        deltas
    };
    let (mut whole, other) = (stack(SEED), stack(OTHER_SEED));
    let expected = deltas(&mut whole);
    for above in [1, 4] {
        let mut changed = whole.clone();
        changed.layers[above] = other.layers[above].clone();
        changed.predictions[above] = other.predictions[above].clone();
        let found = deltas(&mut changed);
        assert_eq!(found[..above], expected[..above]);
        // The comparison is able to see a difference.
        assert_ne!(found[above].0, expected[above].0);
    }
}

#[test]
fn configurations_that_do_not_fit_are_named() {
    let rule = AllPairs::clapp_s();
    assert_eq!(VideoConfig::vgg5(0.0), Err(EncoderError::Width { width: 0.0 }));
    let small = VideoConfig { size: 20, ..config() };
    assert_eq!(
        small.validate(&rule),
        Err(EncoderError::ClipTooSmall { block: 2, frames: 36, side: 3 })
    );
    // 54 frames become 18 and 6; 27 become 9 and 3, too few to predict three.
    let short = VideoConfig { frames: 27, ..config() };
    let too_few = RuleError::TooFewTimeSteps { furthest: 3, time: 3 };
    assert_eq!(short.validate(&rule), Err(EncoderError::Rule(too_few)));
    let none = VideoConfig { blocks: Vec::new(), ..config() };
    assert_eq!(none.validate(&rule), Err(EncoderError::Empty { channels: Vec::new() }));
    let block = BlockPlan { padding: [0, 2, 1], ..config().blocks[0] };
    let oblong = VideoConfig { blocks: vec![block], ..config() };
    assert!(matches!(oblong.shapes(), Err(EncoderError::ClipTooSmall { block: 1, .. })));
    let still = BlockPlan { stride: [1, 0, 1], ..config().blocks[0] };
    let still = VideoConfig { blocks: vec![still], ..config() };
    assert!(matches!(still.shapes(), Err(EncoderError::ClipTooSmall { block: 1, .. })));
}
