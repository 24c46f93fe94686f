//! The written-out rules against automatic differentiation: every d(W) and d(W_pred) below 1e-5.
//!
//! For every layer, d = ‖ΔW + g‖ / (‖ΔW‖ + ‖g‖), the measure of the authors' `compare_updates.py`: 0 if
//! the update is the negative gradient g of the layer's loss, 1 if it points elsewhere. ΔW is computed in
//! single precision, g in double. After a little learning, because then some gates have closed.
//!
//! `cargo run --release --example compare_updates --features baselines`

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use clapp::backend::Arithmetic;
use clapp::encoders::{Context, EncoderConfig, Learnt, Stack};
use clapp::random::{Purpose, stream};
use clapp::rules::{Draws, Feedback, GridShape, Optimizer, Plasticity, Rule};
use clapp_baselines::{Oracle, disagreement};
use clapp_examples::say;
use rand::RngExt;

const BATCH: usize = 4;
const SEED: u64 = 2;
const STEPS: u64 = 40;

/// Noise with vertical stripes: something that the patch below shares with the patch above.
fn images(step: u64, device: &Device) -> Tensor<4> {
    let mut random = stream(SEED, Purpose::Test, [step, 0, 0, 0]);
    let mut pixels = Vec::with_capacity(BATCH * 64 * 64);
    for _ in 0..BATCH {
        let (width, phase) = (random.random_range(0.2..1.5), random.random_range(0.0..6.0));
        for pixel in 0..64 * 64 {
            let stripe = ((pixel % 64) as f32 * width + phase).sin();
            pixels.push(1.4 * stripe + random.random_range(-0.5..0.5_f32));
        }
    }
    Tensor::from_data(TensorData::new(pixels, [BATCH, 1, 64, 64]), device)
}

fn draws(rule: &Rule, step: u64, layer: usize, shape: GridShape) -> Vec<Draws> {
    rule.draw(shape, &mut stream(SEED, Purpose::Negatives, [step, layer as u64, 0, 0]))
}

/// An eighth of the paper's widths: the comparison is the same at any.
fn learnt(rule: &Rule, context: Context, device: &Device) -> Stack {
    let mut config = EncoderConfig::vgg6(0.125).expect("an eighth of every width");
    config.arithmetic = Arithmetic::Exact;
    let stack = Stack::init(&config, rule, context, SEED, device);
    let mut stack = stack.expect("VGG-6 fits 64 × 64 pixels");
    for step in 1..=STEPS {
        let mut draw = |l: usize, grid| {
            rule.pairs(grid, &mut stream(SEED, Purpose::Negatives, [step, l as u64, 0, 0]))
        };
        stack.step(images(step, device), rule, &Optimizer::adam(3e-3), &mut draw);
    }
    stack
}

fn compare(name: &str, rule: &Rule, context: Context, device: &Device) {
    let mut stack = learnt(rule, context, device);
    let shape = GridShape { batch: BATCH, time: 7, site: 7 };
    let draws: Vec<_> = (0..6).map(|l| draws(rule, 0, l, shape)).collect();
    let images = images(0, device);
    let oracle = Oracle::of(&stack, rule).cast(FloatDType::F64);
    let gradients = oracle.gradients(&images.clone().cast(FloatDType::F64), &draws);

    say!("\n{name}\nlayer     d(W)     d(b)  d(W_pred)  d(W_retro)    loss  open gates");
    let mut lateral = Vec::new();
    let mut draw = |l: usize, grid| draws[l].iter().map(|draws| draws.rows(grid)).collect();
    stack.visit(images, rule, &mut draw, &mut |learnt| match learnt {
        Learnt::Lateral { update, metrics, .. } => lateral.push((update, metrics.monitor())),
        Learnt::Layer { index: l, layer, activity, told } => {
            let ((update, monitor), g) = (&lateral[l], &gradients[l].module);
            let delta = layer.change(&activity, told);
            let d_w = disagreement(&delta.weight, &g.layers[0].weight.weight());
            let d_b = disagreement(&delta.bias, &g.layers[0].bias.weight());
            let d = |name| match update.has(name) {
                true => format!("{:.1e}", disagreement(&update.delta(name), &g.lateral.weight(name))),
                false => "–".to_owned(),
            };
            let (d_pred, d_retro) = (d("w_pred"), d("w_retro"));
            let (l, loss, open) = (l + 1, monitor.loss, 100.0 * monitor.open_gates);
            say!(
                "{l:>5}  {d_w:.1e}  {d_b:.1e}  {d_pred:>9}  {d_retro:>10}  {loss:6.3}  {open:>8.0} %"
            );
        }
    });
}

fn main() {
    let device = Device::flex();
    let (same, above) = (Context::SameLayer, Context::LayerAbove);
    compare("CLAPP", &Rule::clapp(), same, &device);
    compare("CLAPP-s", &Rule::clapp_s(), same, &device);
    let blocked = Rule { feedback: Feedback::Blocked, ..Rule::clapp_s() };
    compare("CLAPP-s, blocked context", &blocked, same, &device);
    compare("CLAPP-s, context from the layer above", &Rule::clapp_s(), above, &device);
    compare("layer-wise GIM", &Rule::gim(), same, &device);
}
