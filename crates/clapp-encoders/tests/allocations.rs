//! In the steady state a step takes no memory from the system for its activities, updates and
//! transforms.
//!
//! What it still takes is small and bounded by the grid: draws and pairs on the host, scores and gates
//! of the pairs, one modulation per layer.
#![cfg(feature = "flex")]

use burn::tensor::{Device, Distribution, Tensor};
use clapp_encoders::{Context, EncoderConfig, Stack};
use clapp_random::{Purpose, stream};
use clapp_rules::{Optimizer, Plasticity, Rule};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const BATCH: usize = 8;
/// Patches of an image of 64 × 64.
const PATCHES: usize = 49;

#[test]
fn a_steady_step_allocates_no_map_and_no_matrix() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let (device, rule) = (Device::flex(), Rule::clapp_s());
    let config = EncoderConfig::vgg6(0.25).expect("a width of a quarter");
    let mut stack = Stack::init(&config, &rule, Context::SameLayer, 2, &device).expect("fits");
    let images = Tensor::<4>::random([BATCH, 1, 64, 64], Distribution::Normal(0.0, 1.0), &device);
    let mut step = |step: u64| {
        let before = dhat::HeapStats::get().total_bytes;
        stack.step(images.clone(), &rule, &Optimizer::default(), &mut |layer, shape| {
            rule.pairs(shape, &mut stream(2, Purpose::Negatives, [step, layer as u64, 0, 0]))
        });
        dhat::HeapStats::get().total_bytes - before
    };
    // Threads return their working memory in an order of their own, so that a piece may still be missing
    // in the second step: a map or a matrix that every step makes anew would show in all of them.
    let first = step(0);
    let steady = (1..5).map(&mut step).min().unwrap_or(u64::MAX);
    // A modulation is taken twice at most; pairs have an index, a score, a third factor, their
    // weighted and signed kin and copies of them: thirty numbers each are plenty.
    let channels: usize = config.channels().iter().sum();
    let pairs = 6 * BATCH * 7 * (5 + 4 + 3 + 2 + 1) * 17;
    let small = (size_of::<f32>() * (2 * BATCH * PATCHES * channels + 30 * pairs)) as u64;
    assert!(steady < small, "expected less than {small} bytes in a steady step, got {steady}");
    // The maps alone of the first layer would be more.
    let map = (size_of::<f32>() * BATCH * PATCHES * 32 * 16 * 16) as u64;
    assert!(
        small < map && map < first,
        "the bound would not notice a map: {small}, {map}, {first}"
    );
}
