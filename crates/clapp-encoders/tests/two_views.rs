//! CLAPP++, DFB, both and LPL in a stack: whole images, cells of every layer, who predicts whom, what is kept.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use burn::tensor::{Device, Tensor, TensorData};
use clapp_encoders::{
    Context, EncoderConfig, EncoderError, Learnt, LocalActivity, LocalConv2d, LocalLayer,
    PatchActivity, PatchGrid, Patches, Stack,
};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    GridShape, Lpl, Metrics, Modulation, Optimize, Optimizer, Plasticity, Rows, RuleError, Shown,
    State, TwoViews, ViewNegatives,
};
use rand::RngExt;

const IMAGES: usize = 3;
const SIDE: usize = 32;

/// A narrow VGG-6 over whole images.
fn config() -> EncoderConfig {
    EncoderConfig {
        colours: 3,
        image: SIDE,
        patches: PatchGrid { size: SIDE, stride: SIDE },
        ..EncoderConfig::vgg6(1.0 / 32.0).expect("a width above 0")
    }
}

fn stack(rule: &dyn Plasticity, context: Context) -> Stack {
    Stack::init(&config(), rule, context, 2, &Device::flex()).expect("the configuration fits")
}

/// Two noisy views of each image, `[view 1; view 2]`.
fn views(index: u64) -> Tensor<4> {
    let mut random = stream(3, Purpose::Test, [index, 0, 0, 0]);
    let mut draw = |bound: f32| {
        let numbers = (0..IMAGES * 3 * SIDE * SIDE).map(|_| random.random_range(-bound..bound));
        let data = TensorData::new(numbers.collect::<Vec<f32>>(), [IMAGES, 3, SIDE, SIDE]);
        Tensor::<4>::from_data(data, &Device::flex())
    };
    let images = draw(1.7);
    Tensor::cat(vec![images.clone() + draw(0.3), images + draw(0.3)], 0)
}

fn draws(rule: &TwoViews, step: u64, prediction: usize, grid: GridShape) -> Vec<Rows> {
    let prediction = if rule.draws_together() { 0 } else { prediction as u64 };
    rule.pairs(grid, &mut stream(2, Purpose::Negatives, [step, prediction, 0, 0]))
}

#[test]
fn every_layer_is_shown_in_its_own_cells_and_predicted_by_whom_the_context_says() {
    let rule = TwoViews::clapp_plus_plus();
    let dims: Vec<usize> = config()
        .channels()
        .iter()
        .zip(&rule.grids)
        .map(|(channels, cells)| channels * cells * cells)
        .collect();
    let (same, top): (Vec<_>, Vec<_>) =
        ((0..6).map(|l| [l, l]).collect(), (0..6).map(|l| [l, 5]).collect());
    for (context, expected) in [
        (Context::SameLayer, same.clone()),
        (Context::Top, top.clone()),
        (Context::TopAndSameLayer, [top, same].concat()),
    ] {
        let mut stack = stack(&rule, context);
        let predictions = stack.predictions.iter();
        let found: Vec<_> = predictions.clone().map(|p| [p.target, p.context]).collect();
        assert_eq!(found, expected);
        for p in predictions {
            assert_eq!(p.lateral.weight("b").dims(), [1, dims[p.target], dims[p.context]]);
        }
        let (mut laterals, mut layers) = (0, Vec::new());
        stack.visit(views(0), &rule, &mut |p, grid| draws(&rule, 0, p, grid), &mut |learnt| {
            match learnt {
                Learnt::Lateral { .. } => laterals += 1,
                Learnt::Layer { index, told, .. } => {
                    let cells = rule.grids[index];
                    let [samples, time, site, channels] = told.m.dims();
                    assert_eq!([samples, time, site], [2 * IMAGES, 1, cells * cells]);
                    assert_eq!(told.shown, Shown::Cells(cells));
                    assert_eq!(site * channels, dims[index]);
                    layers.push(index);
                }
            }
        });
        assert_eq!((laterals, layers), (expected.len(), (0..6).collect()));
        let mut seen = Vec::new();
        stack.look_as(views(0), &rule, &mut |_, shown| {
            let [samples, _, site, channels] = shown.dims();
            assert_eq!(samples, 2 * IMAGES);
            seen.push(site * channels);
        });
        assert_eq!(seen, dims);
    }
}

#[test]
fn both_is_the_sum_of_a_prediction_by_the_top_and_one_by_the_layer_itself() {
    let rule = TwoViews::clapp_plus_plus();
    let mut both = stack(&rule, Context::TopAndSameLayer);
    let modulations = |stack: &mut Stack, first: usize| {
        let mut all = Vec::new();
        let mut draw = |p: usize, grid| draws(&rule, 0, first + p, grid);
        stack.visit(views(0), &rule, &mut draw, &mut |learnt| {
            if let Learnt::Layer { told, .. } = learnt {
                all.push(told.m);
            }
        });
        all
    };
    let of = |predictions: &[clapp_encoders::Prediction]| {
        let predictions = predictions.to_vec();
        Stack { predictions, ..both.clone() }
    };
    let (mut top, mut same) = (of(&both.predictions[..6]), of(&both.predictions[6..]));
    let parts = modulations(&mut top, 0).into_iter().zip(modulations(&mut same, 6));
    for (sum, (top, same)) in modulations(&mut both, 0).into_iter().zip(parts) {
        assert!((top.clone() - same.clone()).abs().max().into_scalar::<f32>() > 0.0);
        // Two numbers add up to the same in either order.
        assert_eq!(sum.into_data(), (top + same).into_data());
    }
}

#[test]
fn losses_fall_and_a_saved_stack_goes_on_alike() {
    for (context, negatives, rank, first_weights, second_weights) in [
        (Context::SameLayer, ViewNegatives::Cyclic, Some(4), "layer1.b_up", None),
        (Context::Top, ViewNegatives::SameImage, None, "layer1.b", None),
        (
            Context::TopAndSameLayer,
            ViewNegatives::SameImage,
            None,
            "layer1.b",
            Some("layer1.second.b"),
        ),
    ] {
        let rule = TwoViews { negatives, rank, ..TwoViews::clapp_plus_plus() };
        let mut first = stack(&rule, context);
        let step = |stack: &mut Stack, step: u64| -> Vec<f64> {
            let optimizer = Optimizer::adam(5e-3);
            let mut draw = |p, grid| draws(&rule, step, p, grid);
            let metrics = stack.step(views(step % 2), &rule, &optimizer, &mut draw);
            metrics.iter().map(|metrics| metrics.monitor().loss).collect()
        };
        let start: f64 = step(&mut first, 0).iter().sum();
        (1..40).for_each(|s| drop(step(&mut first, s)));
        let mut state = State::default();
        first.save(&mut state);
        for name in [Some(first_weights), second_weights].into_iter().flatten() {
            assert!(state.tensors.contains_key(name), "{name}");
        }
        assert_eq!(second_weights.is_some(), stack(&rule, context).predictions.len() == 12);
        let mut resumed = stack(&rule, context);
        resumed.load(&state).expect("of the same configuration");
        let losses = step(&mut first, 40);
        assert_eq!(losses, step(&mut resumed, 40));
        let end: f64 = losses.iter().sum();
        assert!(end < 0.5 * start, "{context:?} {negatives:?}: {start} to {end}");
    }
}

#[test]
fn lpl_learns_in_the_same_stack_and_keeps_its_estimates() {
    for stale in [false, true] {
        let rule = Lpl { stale, ..Lpl::paper() };
        let mut stack = stack(&rule, Context::SameLayer);
        let losses: Vec<f64> = (0..30)
            .map(|step| {
                let optimizer = Optimizer::adam(1e-3);
                let mut draw = |_, grid| rule.pairs(grid, &mut stream(2, Purpose::Test, [0; 4]));
                let metrics = stack.step(views(step % 2), &rule, &optimizer, &mut draw);
                let push = |(name, value)| if name == "push" { value } else { 0.0 };
                let pushes = |metrics: &Metrics| metrics.read().into_iter().map(push).sum::<f64>();
                metrics.iter().map(pushes).sum()
            })
            .collect();
        if stale {
            let lateral = &stack.predictions[5].lateral;
            let batches = lateral.statistic("batches").into_data().iter::<u32>().sum::<u32>();
            assert_eq!(batches, 30);
            assert!(lateral.statistic("mean").abs().max().into_scalar::<f32>() > 0.0);
            assert!(lateral.statistic("variance").min().into_scalar::<f32>() < 1.0);
        } else {
            assert!(losses[29] < losses[1] - 1.0, "units vary more: {losses:?}");
        }
    }
}

/// A layer that counts how many of its kind have an activity in memory.
#[derive(Debug)]
struct Counted {
    layer: LocalConv2d,
    alive: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

struct CountedActivity {
    activity: Option<PatchActivity>,
    alive: Arc<AtomicUsize>,
}

impl Drop for CountedActivity {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LocalActivity for CountedActivity {
    type Output = Patches;

    fn output(&self) -> Patches {
        self.activity.as_ref().expect("it has not learnt").output()
    }

    fn representation(&self) -> Tensor<4> {
        self.show(Shown::Patch)
    }

    fn show(&self, shown: Shown) -> Tensor<4> {
        self.activity.as_ref().expect("it has not learnt").show(shown)
    }
}

impl LocalLayer for Counted {
    type Input = Patches;
    type Activity = CountedActivity;

    fn forward(&self, input: &Patches) -> CountedActivity {
        let alive = 1 + self.alive.fetch_add(1, Ordering::Relaxed);
        self.most.fetch_max(alive, Ordering::Relaxed);
        let activity = Some(self.layer.forward(input));
        CountedActivity { activity, alive: self.alive.clone() }
    }

    fn learn(&mut self, mut activity: CountedActivity, told: Modulation, optimizer: &dyn Optimize) {
        let activity = activity.activity.take().expect("it learns once");
        self.layer.learn(activity, told, optimizer);
    }
}

#[test]
fn a_layer_that_predicts_itself_is_forgotten_before_the_next_is_active() {
    let rule = TwoViews::clapp_plus_plus();
    for (context, expected) in
        [(Context::SameLayer, 1), (Context::Top, 6), (Context::TopAndSameLayer, 6)]
    {
        let Stack { cut, layers, names, predictions } = stack(&rule, context);
        let [alive, most] = [0, 0].map(|zero| Arc::new(AtomicUsize::new(zero)));
        let count = |layer| Counted { layer, alive: alive.clone(), most: most.clone() };
        let layers = layers.into_iter().map(count).collect();
        let mut stack = Stack { cut, layers, names, predictions };
        let mut draw = |p, grid| draws(&rule, 0, p, grid);
        stack.step(views(0), &rule, &Optimizer::adam(1e-3), &mut draw);
        let counts = [&most, &alive].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [expected, 0], "{context:?}");
    }
}

#[test]
fn what_does_not_fit_a_map_is_told_with_what_would() {
    let refused = |config: &EncoderConfig, rule: &TwoViews| {
        let stack = Stack::init(config, rule, Context::SameLayer, 2, &Device::flex());
        stack.expect_err("it does not fit")
    };
    let thirds = TwoViews { grids: vec![8, 4, 3, 4, 2, 2], ..TwoViews::clapp_plus_plus() };
    let expected = EncoderError::Cells { layer: 3, cells: 3, map: 16, fits: vec![1, 2, 4, 8, 16] };
    assert_eq!(refused(&config(), &thirds), expected);
    assert_eq!(
        expected.to_string(),
        "encoder: layer 3 has a map of 16 pixels a side, which does not divide into 3 × 3 cells; [1, 2, 4, 8, 16] a side would fit"
    );
    let patches = EncoderConfig { patches: PatchGrid { size: 16, stride: 8 }, ..config() };
    let error = refused(&patches, &TwoViews::of_means(6));
    assert_eq!(error, RuleError::NotWhole { time: 3 }.into());
    let error = refused(&config(), &TwoViews::of_means(5));
    assert_eq!(error, RuleError::Grids { layers: 6, grids: vec![1; 5] }.into());
}
