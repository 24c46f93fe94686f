//! Every update of a film layer that is written out, against automatic differentiation of its loss; and the
//! oracle itself against differences.

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use clapp_baselines::{
    Gradients, Module, Oracle, disagreement,
    film::{ClassifierHead, Rates, step_supervised},
};
use clapp_encoders::{
    BlockPlan, FilmPool, LocalActivity, LocalConv3d, LocalLayer, NormOrder, Stack, Statistics,
    Uncut, VideoConfig,
};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    AllPairs, Draws, Feedback, GridShape, Matrices, Objective, Optimizer, Outcome, Rows, Space,
    State, Synapses, Timing,
};
use clapp_testing::steps::visit;
use rand::RngExt;

/// Sums of some ten thousand doubles that cancel.
const EXACT: f64 = 1e-11;
/// The same in single precision; biases cancel most.
const SINGLE: f64 = 1e-5;
const SINGLE_BIASES: f64 = 1e-3;

const BATCH: usize = 3;

type Video = Stack<LocalConv3d, Uncut<5>>;

/// Odd sides, strides in time and space, with and without pools.
fn config(order: NormOrder) -> VideoConfig {
    use FilmPool::{Max3, Nothing};
    let block = |channels, kernel, stride, padding, pool| BlockPlan {
        channels,
        kernel,
        stride,
        padding,
        pool,
    };
    VideoConfig {
        colours: 2,
        frames: 13,
        size: 21,
        blocks: vec![
            block(4, [1, 4, 4], [1, 2, 2], [0; 3], Max3),
            block(5, [1, 3, 3], [1; 3], [0, 1, 1], Nothing),
            block(6, [3, 3, 3], [2, 1, 1], [0, 1, 1], Max3),
        ],
        order,
    }
}

fn rule() -> AllPairs {
    AllPairs { prediction_steps: 2, ..AllPairs::clapp_s() }
}

#[derive(Clone, Copy)]
struct Case {
    rule: AllPairs,
    order: NormOrder,
    statistics: Statistics,
}

impl Case {
    fn new(rule: AllPairs) -> Self {
        Self { rule, order: NormOrder::AfterRelu, statistics: Statistics::Batch }
    }

    /// Weights of which every term of the update can be seen: biases, gains of both signs, shifts, and running
    /// statistics that are not those of the start.
    fn stack(&self, dtype: FloatDType) -> Video {
        let mut stack = Stack::video(&config(self.order), &self.rule, 3, &Device::flex())
            .expect("the encoder fits its clips");
        for (l, layer) in stack.layers.iter_mut().enumerate() {
            let [post, ..] = layer.weight.weight().dims();
            let vector = |what, low, high| {
                let mut random = stream(4, Purpose::Test, [l as u64, what, 0, 0]);
                let values = (0..post).map(|_| random.random_range(low..high));
                vector(values.collect(), dtype)
            };
            layer.weight = Synapses::new(layer.weight.weight().cast(dtype));
            layer.bias = Synapses::new(vector(0, -0.5, 0.5));
            let gain = vector(1, 0.5, 1.5);
            // One channel falls.
            let sign = (0..post).map(|j| if j == 1 { -1.0 } else { 1.0 });
            layer.norm.gain = Synapses::new(gain * self::vector(sign.collect(), dtype));
            layer.norm.shift = Synapses::new(vector(2, -0.5, 0.5));
            layer.norm.running.mean = vector(3, -0.5, 0.5);
            layer.norm.running.variance = vector(4, 0.5, 1.5);
            layer.statistics = self.statistics;
        }
        // Scores of means are smaller: with all gates open, shifts have no gradient at all.
        let size = if self.rule.space == Space::Flattened { 0.2 } else { 2.0 };
        for (_, w) in stack.predictions.iter_mut().flat_map(|p| p.lateral.synapses_mut()) {
            *w = scaled(w, size, dtype);
        }
        stack
    }

    fn draws(&self) -> Vec<Vec<Draws>> {
        use Outcome::{Fixation, Saccade};
        let flips = [vec![Fixation, Saccade, Fixation], vec![Saccade, Saccade, Fixation]];
        let sets = if self.rule.feedback == Feedback::PredRetro { 2 } else { 1 };
        let local = self.rule.timing == Timing::TimeLocal;
        let set = |flips: &Vec<_>| coins(local.then(|| flips.clone()));
        vec![flips.iter().take(sets).map(set).collect(); 3]
    }
}

/// Draws of a rule that takes all pairs.
fn coins(outcomes: Option<Vec<Outcome>>) -> Draws {
    Draws { pairs: Vec::new(), outcomes, window: None }
}

/// The same as rows of a grid.
fn rows(rule: &AllPairs, draws: &[Draws], grid: GridShape) -> Vec<Rows> {
    draws.iter().map(|draws| rule.set(grid, draws.outcomes.clone())).collect()
}

fn scaled(synapses: &Synapses<3>, size: f64, dtype: FloatDType) -> Synapses<3> {
    Synapses::new((synapses.weight() * size).cast(dtype))
}

fn vector(values: Vec<f32>, dtype: FloatDType) -> Tensor<1> {
    Tensor::<1>::from_floats(values.as_slice(), &Device::flex()).cast(dtype)
}

fn clips(dtype: FloatDType) -> Tensor<5> {
    let VideoConfig { colours, frames, size, .. } = config(NormOrder::AfterRelu);
    let shape = [BATCH, colours, frames, size, size];
    let mut random = stream(4, Purpose::Test, [99, 0, 0, 0]);
    let pixels: Vec<f32> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::<5>::from_data(TensorData::new(pixels, shape), &Device::flex()).cast(dtype)
}

fn assert_equal(case: Case) {
    let gradients = Oracle::of(&case.stack(FloatDType::F64), &case.rule)
        .gradients(&clips(FloatDType::F64), &case.draws());
    for (dtype, bound, biases) in
        [(FloatDType::F64, EXACT, EXACT), (FloatDType::F32, SINGLE, SINGLE_BIASES)]
    {
        let name = format!("{:?} {:?} {:?} {dtype:?}", case.rule, case.order, case.statistics);
        let (mut stack, draws, mut compared) = (case.stack(dtype), case.draws(), 0);
        let mut draw = |l: usize, grid| rows(&case.rule, &draws[l], grid);
        visit(&mut stack, clips(dtype), &case.rule, &mut draw, &mut |layer, learnt| {
            let l = learnt.index;
            let Gradients { loss, module: Module { layers, lateral, .. }, .. } = &gradients[l];
            let expected = &layers[0];
            let delta = layer.delta(&learnt.activity, learnt.modulation.clone());
            let check = |what: &str, d: f64, bound: f64| {
                assert!(
                    d < bound,
                    "{name} block {}: {what} {d:.1e}, expected below {bound:.0e}",
                    l + 1
                );
            };
            check("W", disagreement(&delta.weight, &expected.weight.weight()), bound);
            if !vanishes(case) {
                check("b", disagreement(&delta.bias, &expected.bias.weight()), biases);
            }
            let norm = &expected.norm;
            check("g", disagreement(&delta.norm.gain, &norm.gain.weight()), biases);
            check("s", disagreement(&delta.norm.shift, &norm.shift.weight()), biases);
            for name in ["w_pred", "w_retro"].into_iter().filter(|name| lateral.has(name)) {
                let d = disagreement(&learnt.lateral.delta(name), &lateral.weight(name));
                check(name, d, bound);
            }
            let monitor = learnt.metrics.monitor();
            check("loss", (monitor.loss - loss).abs() / loss, bound);
            if case.rule.objective == Objective::Hinge {
                let open = monitor.open_gates;
                assert!((0.02..0.98).contains(&open), "{name} block {}: {open} open", l + 1);
            }
            compared += 1;
        });
        assert_eq!(compared, 3);
    }
}

/// Batch normalisation right after the convolution takes every bias back: its gradient is 0 but for rounding.
fn vanishes(case: Case) -> bool {
    case.order == NormOrder::BeforeRelu && case.statistics == Statistics::Batch
}

#[test]
fn clapp_s_equals_the_gradient_in_every_block_order_and_statistics() {
    for order in [NormOrder::AfterRelu, NormOrder::BeforeRelu] {
        for statistics in [Statistics::Batch, Statistics::Running] {
            assert_equal(Case { rule: rule(), order, statistics });
        }
    }
}

#[test]
fn layer_wise_gim_equals_the_gradient_in_every_block() {
    assert_equal(Case::new(AllPairs { prediction_steps: 2, ..AllPairs::gim() }));
}

#[test]
fn time_local_clapp_equals_the_gradient_in_every_block() {
    for feedback in [Feedback::Symmetric, Feedback::PredRetro, Feedback::PredRetroShared] {
        assert_equal(Case::new(AllPairs { feedback, timing: Timing::TimeLocal, ..rule() }));
    }
}

#[test]
fn every_space_and_one_repeated_matrix_equal_the_gradient() {
    for space in [Space::Collapsed, Space::Segmented] {
        assert_equal(Case::new(AllPairs { space, ..rule() }));
    }
    assert_equal(Case::new(AllPairs { lateral: Matrices::Repeated, ..rule() }));
    assert_equal(Case::new(AllPairs { feedback: Feedback::Blocked, ..rule() }));
}

#[test]
fn a_bias_before_batch_normalisation_does_not_learn() {
    let case = Case { order: NormOrder::BeforeRelu, ..Case::new(rule()) };
    let (mut stack, draws) = (case.stack(FloatDType::F64), case.draws());
    let mut draw = |l: usize, grid| rows(&case.rule, &draws[l], grid);
    let clips = clips(FloatDType::F64);
    visit(&mut stack, clips, &case.rule, &mut draw, &mut |layer, learnt| {
        let delta = layer.delta(&learnt.activity, learnt.modulation);
        let [bias, weight] = [delta.bias.abs().max(), delta.weight.abs().max()]
            .map(|largest| largest.into_scalar::<f64>());
        assert!(bias < 1e-13 * weight.max(1.0), "Δb of {bias:.1e} beside ΔW of {weight:.1e}");
    });
}

/// An encoder in double precision with small lateral weights, whose gates are open and closed.
fn encoder(rule: AllPairs) -> Video {
    let mut encoder = Case::new(rule).stack(FloatDType::F64);
    let start = Stack::video(&config(NormOrder::AfterRelu), &rule, 3, &Device::flex());
    encoder.predictions = start.expect("it fits").predictions;
    for (_, w) in encoder.predictions.iter_mut().flat_map(|p| p.lateral.synapses_mut()) {
        *w = scaled(w, 0.2, FloatDType::F64);
    }
    encoder
}

fn synchronous(modules: usize) -> Vec<Vec<Draws>> {
    vec![vec![coins(None)]; modules]
}

#[test]
fn end_to_end_gradients_are_differences_of_the_loss() {
    // Half of a step of a central difference, small enough that hardly a neuron crosses its threshold.
    const HALF_STEP: f64 = 1e-7;
    for rule in [rule(), AllPairs { prediction_steps: 2, ..AllPairs::gim() }] {
        let oracle = Oracle::of(&encoder(rule), &rule).joined(&[3]);
        let clips = clips(FloatDType::F64);
        let gradients = oracle.gradients(&clips, &synchronous(1)).remove(0);
        for (l, block) in gradients.module.layers.iter().enumerate() {
            let difference = |change: &dyn Fn(&mut LocalConv3d, f64)| {
                let loss = |step| {
                    let mut changed = oracle.clone();
                    change(&mut changed.modules[0].layers[l], step);
                    changed.gradients(&clips, &synchronous(1))[0].loss
                };
                (loss(HALF_STEP) - loss(-HALF_STEP)) / (2.0 * HALF_STEP)
            };
            let found = [
                difference(&|layer, step| nudge(&mut layer.weight, 3, step)),
                difference(&|layer, step| nudge(&mut layer.bias, 2, step)),
                difference(&|layer, step| nudge(&mut layer.norm.gain, 1, step)),
                difference(&|layer, step| nudge(&mut layer.norm.shift, 0, step)),
            ];
            let expected = [
                value(&block.weight, 3),
                value(&block.bias, 2),
                value(&block.norm.gain, 1),
                value(&block.norm.shift, 0),
            ];
            for (found, expected) in found.iter().zip(expected) {
                let d = (found - expected).abs();
                assert!(d < 1e-6, "block {}: {found:e}, expected {expected:e}", l + 1);
            }
        }
    }
}

fn nudge<const D: usize>(synapses: &mut Synapses<D>, at: usize, step: f64) {
    let weight = synapses.weight();
    let mut values = weight.to_data().try_to_vec::<f64>().expect("double precision");
    values[at] += step;
    let data = TensorData::new(values, weight.dims());
    *synapses = Synapses::new(Tensor::from_data(data, (&weight.device(), DType::F64)));
}

fn value<const D: usize>(synapses: &Synapses<D>, at: usize) -> f64 {
    synapses.weight().to_data().try_to_vec::<f64>().expect("double precision")[at]
}

#[test]
fn modules_of_one_block_learn_as_the_local_layers_do() {
    let (rule, optimizer) = (rule(), Optimizer::Plain { rate: 0.1 });
    let mut stack = encoder(rule);
    let mut oracle = Oracle::of(&stack, &rule);
    oracle.step(&clips(FloatDType::F64), &synchronous(3), &optimizer);
    let draws = synchronous(3);
    let mut draw = |l: usize, grid| rows(&rule, &draws[l], grid);
    stack.step(clips(FloatDType::F64), &rule, &optimizer, &mut draw);
    let mut local = State::default();
    stack.save(&mut local);
    for (l, Module { layers, lateral, .. }) in oracle.modules.into_iter().enumerate() {
        (stack.layers[l], stack.predictions[l].lateral) = (layers[0].clone(), lateral);
    }
    let mut differentiated = State::default();
    stack.save(&mut differentiated);
    assert_eq!(local.tensors.len(), differentiated.tensors.len());
    for (name, values) in &local.tensors {
        let [a, b] = [values, &differentiated.tensors[name]]
            .map(|data| data.iter::<f64>().collect::<Vec<_>>());
        let largest = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(largest < EXACT, "{name} differs by {largest:.1e}");
    }
}

#[test]
fn an_end_to_end_loss_goes_down() {
    for rule in [rule(), AllPairs { prediction_steps: 2, ..AllPairs::gim() }] {
        let mut oracle = Oracle::of(&encoder(rule), &rule).joined(&[3]);
        let clips = clips(FloatDType::F64);
        let mut step = || oracle.step(&clips, &synchronous(1), &Optimizer::adam(1e-2))[0];
        let first = step();
        let last = (0..20).map(|_| step()).last().expect("there were steps");
        assert!(last < 0.7 * first, "{rule:?}: {first} became {last}");
    }
}

#[test]
fn a_classifier_learns_the_labels_of_its_clips() {
    let mut stack = Case::new(rule()).stack(FloatDType::F32);
    let (mut head, mut random) = head(3);
    let rows = head.weight.weight();
    let identity =
        rows.clone().matmul(rows.transpose()).into_data().try_to_vec::<f32>().expect("f32");
    for (at, value) in identity.iter().enumerate() {
        let expected = if at % 4 == 0 { 1.0 } else { 0.0 };
        assert!((value - expected).abs() < 1e-6, "rows are orthonormal: {identity:?}");
    }
    let before = stack.layers[0].weight.weight().into_data();
    let (clips, labels) = (clips(FloatDType::F32), [2, 0, 1]);
    for _ in 0..60 {
        let labelled = (&clips, &labels[..]);
        let loss = step_supervised(&mut stack, &mut head, labelled, &rates(1e-2), &mut random);
        assert!(loss.is_finite());
    }
    let seen = |map: Tensor<5>, layer: &LocalConv3d| layer.forward(&map).output();
    let scores = head.scores(stack.frozen().layers.iter().fold(clips, seen));
    let found = scores.argmax(1).into_data().iter::<i64>().collect::<Vec<_>>();
    assert_eq!(found, labels.map(|label| label as i64));
    assert_ne!(before, stack.layers[0].weight.weight().into_data(), "all blocks learn");
}

/// A read-out of the encoder's last block, and what it drops features by.
fn head(classes: usize) -> (ClassifierHead, clapp_random::Stream) {
    let mut random = stream(5, Purpose::Probe, [0; 4]);
    let [channels, _, side] = config(NormOrder::AfterRelu).shapes().expect("it fits")[2];
    let features = channels * side * side;
    (ClassifierHead::init(features, classes, &Device::flex(), &mut random), random)
}

/// The authors' rates, from that of the read-out.
fn rates(rate: f64) -> Rates {
    let adam =
        |rate| Optimizer::Adam { rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, decay: 1e-5 };
    Rates { encoder: adam(rate / 10.0), head: adam(rate) }
}

#[test]
#[should_panic(expected = "expected classes below 3, got 3")]
fn a_label_that_is_no_class_is_named() {
    let mut stack = Case::new(rule()).stack(FloatDType::F32);
    let (mut head, mut random) = head(3);
    let labelled = (&clips(FloatDType::F32), &[0, 1, 3][..]);
    step_supervised(&mut stack, &mut head, labelled, &rates(1e-4), &mut random);
}
