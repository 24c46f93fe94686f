//! What a run costs, against numbers of the papers and of the networks themselves.

#![allow(clippy::unwrap_used, clippy::float_cmp)] // equal bits are meant

mod common;

use clapp::{
    Error, Images, RunConfig, Sense,
    datasets::hierarchy::Config,
    estimate::{Estimate, Part, dry_run},
    image::{ImageRule, METHODS, SizesConfig},
    preset,
    rules::State,
};
use common::{files, tiny, tiny_sound, tiny_video};

fn device() -> burn::tensor::Device {
    clapp::device("flex").unwrap()
}

fn estimate<S: Sense>(config: &RunConfig<S>) -> Estimate {
    Estimate::of(config, &device()).unwrap()
}

fn paper(method: &str) -> RunConfig<Images> {
    let stl10 = Images::Stl10("/data".into(), SizesConfig::Official);
    preset("paper", method, &stl10, &[2]).unwrap()
}

fn all<T>(estimate: &Estimate, of: impl Fn(&Part) -> T) -> Vec<T> {
    estimate.parts.iter().map(of).collect()
}

#[test]
fn the_papers_encoder_has_the_papers_numbers() {
    let estimate = estimate(&paper("clapp-s"));
    let weights = all(&estimate, |part| part.weights);
    assert_eq!(weights, [1_280, 295_168, 590_080, 1_180_160, 4_719_616, 9_438_208]);
    let lateral = all(&estimate, |part| part.lateral);
    assert_eq!(lateral, [81_920, 327_680, 327_680, 1_310_720, 5_242_880, 5_242_880]);
    assert_eq!(estimate.sum(|part| part.weights), 16_224_512);
    assert_eq!(estimate.sum(|part| part.lateral), 12_533_760);
    // Printed to four digits: 49 patches.
    let billions = |macs: u64| (macs as f64 / 1e6).round() / 1e3;
    let forward = all(&estimate, |part| billions(part.forward.unwrap()));
    assert_eq!(forward, [0.014, 3.699, 1.85, 3.699, 3.699, 1.85]);
    assert_eq!(estimate.sum(|part| part.forward.unwrap()) / 10_000_000, 1_481);
    assert_eq!((estimate.samples, estimate.steps), (30_000_000, 937_500));
}

#[test]
fn own_weights_for_the_way_back_are_as_many_again() {
    let estimate = estimate(&paper("clapp"));
    assert_eq!(estimate.sum(|part| part.lateral), 2 * 12_533_760);
    assert_eq!(estimate.samples, 60_000_000);
}

#[test]
fn matrices_of_two_views_are_as_large_as_published() {
    let millions = |config: &RunConfig<Images>| {
        (estimate(config).sum(|part| part.lateral) as f64 / 1e5).round() / 10.0
    };
    for (method, full) in [("clapp-pp", 201.3), ("dfb", 134.2), ("both", 335.5)] {
        assert_eq!(millions(&paper(method)), full, "{method}");
    }
    for (method, low) in [("clapp-pp", 8.4), ("dfb", 7.3)] {
        let mut config = paper(method);
        let ImageRule::TwoViews(rule) = &mut config.setup.rule else { panic!("two views") };
        rule.rank = Some(128);
        assert_eq!(millions(&config), low, "{method}");
    }
    // In colour.
    assert_eq!(estimate(&paper("dfb")).sum(|part| part.weights), 16_226_816);
}

#[test]
fn competing_channels_cost_as_much_to_change_as_to_use() {
    let cifar = Images::Cifar10("/data".into(), SizesConfig::Official);
    let estimate = estimate(&preset("quick", "softhebb", &cifar, &[2]).unwrap());
    let forward = estimate.sum(|part| part.forward.unwrap());
    assert_eq!(forward / 1_000_000, 432);
    assert_eq!(estimate.sum(|part| part.learning.unwrap()), 2 * forward);
    assert_eq!(estimate.sum(|part| part.lateral), 0);
}

#[test]
fn every_local_method_is_counted_as_its_network_is() {
    let sets = [Images::Synthetic, Images::Hierarchy(Config::default())];
    let mut counted = 0;
    for (data, method) in sets.iter().flat_map(|set| METHODS.split(", ").map(move |m| (set, m))) {
        let config = match preset("smoke", method, data, &[2]) {
            Err(Error::Differentiation { .. }) => continue,
            // Not every method has a hierarchy.
            Err(_) if *data != Images::Synthetic => continue,
            config => config.unwrap(),
        };
        if config.learning.differentiates() {
            continue;
        }
        let mut state = State::default();
        config.open(2, &device()).unwrap().save(&mut state);
        // Running statistics of inputs are no weights, and neither are counters of steps.
        let other = [".mean", ".variance", ".steps"];
        let weights = |name: &str| !other.iter().any(|other| name.ends_with(other));
        let weights = state.tensors.iter().filter(|(name, _)| weights(name));
        let count: usize = weights.clone().map(|(_, data)| data.num_elements()).sum();
        let estimate = estimate(&config);
        let expected = estimate.sum(|part| part.weights + part.lateral);
        let names: Vec<_> = weights.map(|(name, data)| (name, data.shape().clone())).collect();
        assert_eq!(expected, count as u64, "{data:?}, {method}: {names:?}");
        counted += 1;
    }
    assert_eq!(counted, 13 + 7);
}

#[test]
fn a_context_from_above_keeps_what_a_layer_alone_lets_go() {
    // In large batches of a narrow network, activities are nearly all.
    let bytes = |method: &str| {
        let mut config = tiny(method, &[2]);
        config.batch = 256;
        estimate(&config).learning_bytes.unwrap()
    };
    assert!(bytes("clapp-s-above") > 3 * bytes("clapp-s") / 2);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_not_do_it() {
    let config = tiny("clapp-pp", &[2, 3]);
    let text = dry_run(&config, &device()).unwrap();
    assert!(text.starts_with("{\n  \"preset\": \"smoke\""), "{text}");
    assert!(text.contains("96 images in 12 steps, for each of 2 seed(s)"), "{text}");
    assert!(text.contains("memory for learning: at least") && text.contains("on this machine:"));
}

#[test]
fn data_that_are_absent_are_not_missed() {
    let root = tempfile::tempdir().unwrap();
    let absent = Images::Stl10(root.path().join("absent"), SizesConfig::Official);
    let mut config = preset("smoke", "clapp-s", &absent, &[2]).unwrap();
    config.batch = 4;
    assert!(dry_run(&config, &device()).unwrap().contains("on this machine:"));
    assert!(files(root.path()).is_empty());
}

#[test]
fn senses_without_a_formula_count_their_network() {
    let sound = estimate(&tiny_sound("clapp-s", &[2]));
    let video = estimate(&tiny_video("clapp-s", &[2]));
    for estimate in [&sound, &video] {
        assert!(estimate.sum(|part| part.weights) > 0 && estimate.sum(|part| part.lateral) > 0);
        assert_eq!(estimate.parts[0].forward, None);
    }
    assert_eq!(sound.unit, "crops");
}
