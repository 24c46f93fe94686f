//! Two rules of your own, neither of which predicts over time, trained by one loop in the same stack.
//!
//! `Competition` is Hebbian: at every pixel the channels compete (softmax), winners move towards their input,
//! and a decay keeps them in bounds; no lateral weights. `views` contrasts: two noisy views of a scene
//! should predict each other, and not the next scene. Each stops half-way, is saved, goes on from what was
//! saved, and is read out beside the untrained network.
//!
//! `cargo run --release --example custom_rule`

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};
use clapp::datasets::{Loader, LoaderConfig, synthetic};
use clapp::random::{Purpose, stream};
use clapp::rules::{
    Contrastive, Feedback, GridShape, Hinge, Optimizer, Plasticity, Post, Rows, Saccades, Seen,
    Shown, State, Update,
};
use clapp::{Images, encoders::Stack, preset};
use clapp_examples::{accuracies, say, tensor};
use rand::RngExt;

type Outcome = Result<(), clapp::Error>;

/// ΔW = Σ y x − (Σ y u) W per pixel, with y = softmax(u) over channels.
#[derive(Debug)]
struct Competition;

impl Plasticity for Competition {
    fn shows(&self) -> Shown {
        Shown::Pixels
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        let [batch, time, site, channels] = seen.target.dims();
        let pixels = batch * time * site;
        let u = seen.target.reshape([pixels, channels]);
        let y = softmax(u.clone() * 4.0, 1) / pixels as f64;
        let decay = (y.clone() * u).sum_dim(0).reshape([channels]);
        let m = y.reshape([batch, time, site, channels]);
        Update { post: Post::One, decay: Some(decay), ..Update::of(m) }
    }
}

/// Samples are ordered `[view 1; view 2]`; patches are compared at the same place.
fn views() -> Contrastive {
    let pairs = |grid: GridShape, _: &mut dyn rand::Rng| {
        let (batch, places) = (grid.batch as u32, (grid.time * grid.site) as u32);
        let other = |sample: u32| (sample + batch / 2) % batch;
        let at = |of: &dyn Fn(u32) -> u32| -> Vec<u32> {
            (0..batch * places).map(|row| of(row / places) * places + row % places).collect()
        };
        let saccades = at(&|sample| other((sample + 1) % batch));
        Rows {
            grid,
            blocks: vec![grid.rows(0)],
            contexts: at(&|sample| sample),
            fixations: at(&other),
            saccades: Saccades::Drawn { count: 1, rows: saccades },
            outcomes: None,
        }
    };
    Contrastive::new(pairs, Hinge).with_feedback(Feedback::Blocked)
}

/// An epoch: it does not know which rule it was given.
fn learn(stack: &mut Stack, rule: &dyn Plasticity, scenes: &Loader, epoch: u64) -> Outcome {
    for (step, batch) in (0..).zip(scenes.epoch(epoch)?) {
        let images = tensor(&batch?);
        let mut random = stream(2, Purpose::Test, [epoch, step, 0, 0]);
        let mut view = || {
            let noise = (0..images.shape().num_elements()).map(|_| random.random_range(-0.5..0.5));
            let noise = TensorData::new(noise.collect::<Vec<f32>>(), images.dims());
            images.clone() + Tensor::from_data(noise, &images.device())
        };
        let both = Tensor::cat(vec![view(), view()], 0);
        let draws = |layer| stream(2, Purpose::Negatives, [epoch, step, layer as u64, 0]);
        let mut draw = |layer, grid| rule.pairs(grid, &mut draws(layer));
        stack.step(both, rule, &Optimizer::adam(1e-3), &mut draw);
    }
    Ok(())
}

fn main() -> Outcome {
    let config = preset("smoke", "clapp-s", &Images::Synthetic, &[2])?.setup;
    let settings = LoaderConfig { seed: 2, ..LoaderConfig::training() };
    let scenes = synthetic::scenes(2, synthetic::Part::Unlabelled, 1600)?;
    let scenes = Loader::new(scenes, config.pipeline.clone(), settings)?;
    let rules: [(&str, &dyn Plasticity); 2] = [("competition", &Competition), ("views", &views())];
    for (name, rule) in rules {
        let start = || Stack::init(&config.encoder, rule, config.context, 2, &Device::flex());
        let (mut first, mut state) = (start()?, State::default());
        say!("{name:11}  untrained {}", accuracies(&first, &config.pipeline)?);
        (0..2).try_for_each(|epoch| learn(&mut first, rule, &scenes, epoch))?;
        first.save(&mut state);
        let mut resumed = start()?;
        resumed.load(&state)?;
        (2..4).try_for_each(|epoch| learn(&mut resumed, rule, &scenes, epoch))?;
        say!("{name:11}  learnt    {}", accuracies(&resumed, &config.pipeline)?);
    }
    Ok(())
}
