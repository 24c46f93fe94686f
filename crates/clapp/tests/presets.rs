//! Every preset with every method: on every kind of images, and of every sense.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use clapp::{
    Error, Images, RunConfig, Sense, Sound, Video,
    encoders::Stack,
    image::{DataConfig, Held, METHODS, SizesConfig},
    preset,
    preset::{PRESETS, Presets},
    rules::{Feedback, Objective, Optimizer, Timing},
};
use common::assert_says;
use serde_json::Value;

fn names(list: &str) -> Vec<&str> {
    list.split(", ").collect()
}

fn kinds() -> [Images; 5] {
    let root = PathBuf::from("/data");
    [
        Images::Synthetic,
        Images::Stl10(root.clone(), SizesConfig::Official),
        Images::Stl10(root.clone(), SizesConfig::Any),
        Images::Cifar10(root.clone(), SizesConfig::Official),
        Images::Cifar10(root, SizesConfig::Any),
    ]
}

/// All that can be asked for, and the one thing that cannot: the paper's settings without STL-10.
fn all() -> Vec<RunConfig<Images>> {
    let mut configs = Vec::new();
    for name in names(PRESETS) {
        for method in names(METHODS) {
            for images in kinds() {
                match preset(name, method, &images, &[2, 3]) {
                    Ok(config) => configs.push(config),
                    Err(Error::Differentiation { .. }) if !cfg!(feature = "baselines") => {}
                    Err(error) => {
                        assert_eq!(name, "paper", "{error}");
                        assert!(!matches!(images, Images::Stl10(..)), "{error}");
                        assert!(error.to_string().contains("expected STL-10"), "{error}");
                    }
                }
            }
        }
    }
    configs
}

#[test]
fn every_preset_of_every_method_fits_together_on_all_images_it_is_made_for() {
    let configs = all();
    // The paper's rules were published on STL-10 in two sizes, the later ones on CIFAR-10 too.
    let with = |all, local| if cfg!(feature = "baselines") { all } else { local };
    let (methods, later) = (with(names(METHODS).len(), 13), with(8, 6));
    assert_eq!(configs.len(), methods * (5 + 5 + 2) + later * 2);
    for config in configs {
        config.validate().unwrap();
        assert_eq!(config.seeds, [2, 3]);
        assert!(names(PRESETS).contains(&config.preset.as_str()));
        assert!(names(METHODS).contains(&config.method.as_str()));
    }
}

#[test]
fn a_configuration_is_the_same_behind_its_json() {
    for config in all() {
        let text = serde_json::to_string_pretty(&config).unwrap();
        let read: RunConfig<Images> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, config);
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), text);
    }
}

/// What tells two methods apart.
fn essence<S: Sense>(config: &RunConfig<S>) -> [Option<Value>; 4] {
    let config = serde_json::to_value(config).unwrap();
    ["rule", "context", "encoder", "learning"].map(|key| config.get(key).cloned())
}

/// All methods of a sense that this build has differ, and are the same after their JSON; how many.
fn assert_all_differ<S: Presets>(data: &S) -> usize {
    let mut seen = Vec::new();
    for method in names(S::METHODS) {
        let config = match preset("quick", method, data, &[2]) {
            // A build without automatic differentiation says what it lacks.
            Err(Error::Differentiation { learning }) if !cfg!(feature = "baselines") => {
                assert!(learning.differentiates());
                continue;
            }
            config => config.unwrap(),
        };
        assert!(!seen.contains(&essence(&config)), "{method} is another method");
        let text = serde_json::to_string_pretty(&config).unwrap();
        assert_eq!(serde_json::from_str::<RunConfig<S>>(&text).unwrap(), config);
        seen.push(essence(&config));
    }
    seen.len()
}

#[test]
fn every_method_is_another_network_or_rule() {
    let with = |all, local| if cfg!(feature = "baselines") { all } else { local };
    assert_eq!(assert_all_differ(&Images::Synthetic), with(27, 13));
    assert_eq!(assert_all_differ(&Sound::Synthetic), with(12, 6));
    assert_eq!(assert_all_differ(&Video::MovingScenes), with(12, 6));
}

fn assert_unknown_names_are_answered<S: Presets>(data: &S, methods: &[&str], published: &str) {
    let ask = |name, method| preset(name, method, data, &[2]).unwrap_err().to_string();
    let text = ask("qick", "clapp-s");
    assert_says(&text, "preset", "\"qick\"");
    assert!(text.contains("smoke, quick, paper"), "{text}");
    for method in methods {
        assert_says(&ask("quick", method), "method", S::METHODS);
        assert!(ask("quick", method).contains(&format!("{method:?}")));
    }
    assert_says(&ask("paper", "clapp-s"), "preset paper", published);
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    assert_unknown_names_are_answered(&Images::Synthetic, &["clap", "cpc-2x3"], "STL-10");
    let none = ["clapp", "clapp-s-two-step", "-no-gru", "", "cpc-bptt", "supervised-no-gru"];
    assert_unknown_names_are_answered(&Sound::Synthetic, &none, "sound files");
    let none = ["clapp-s-moving", "-still", ""];
    assert_unknown_names_are_answered(&Video::MovingScenes, &none, "videos");
}

fn paper(method: &str) -> RunConfig<Images> {
    let images = Images::Stl10("/data".into(), SizesConfig::Official);
    preset("paper", method, &images, &[2]).unwrap()
}

/// Weights of W_pred and of W_retro, over all layers and prediction steps.
fn lateral(method: &str) -> [usize; 2] {
    let config = paper(method);
    let device = clapp::device("flex").unwrap();
    let stack = Stack::init(
        &config.setup.encoder,
        config.setup.rule.rule(),
        config.setup.context,
        2,
        &device,
    )
    .unwrap();
    let count = |dims: [usize; 3]| dims.iter().product::<usize>();
    ["w_pred", "w_retro"].map(|name| {
        let lateral = stack.predictions.iter().map(|prediction| &prediction.lateral);
        let lateral = lateral.filter(|lateral| lateral.has(name));
        lateral.map(|lateral| count(lateral.weight(name).dims())).sum()
    })
}

#[test]
fn the_paper_preset_has_as_many_weights_as_the_paper() {
    let config = paper("clapp-s");
    assert_eq!(config.setup.encoder.weights(), 16_224_512);
    let squares: usize =
        config.setup.encoder.channels().iter().map(|channels| channels.pow(2)).sum();
    assert_eq!(config.setup.rule.over_time().unwrap().prediction_steps * squares, 12_533_760);
    assert_eq!(lateral("clapp-s"), [12_533_760, 0]);
    assert_eq!(lateral("clapp"), [12_533_760, 12_533_760]);
}

#[test]
fn the_paper_preset_has_the_settings_of_the_paper() {
    let config = paper("clapp-s");
    assert_eq!(config.optimizer, Optimizer::adam(2e-4));
    assert_eq!((config.batch, config.setup.images), (32, 300 * 100_000));
    assert_eq!(
        (
            config.setup.rule.over_time().unwrap().prediction_steps,
            config.setup.rule.over_time().unwrap().skip
        ),
        (5, 1)
    );
    assert_eq!(config.setup.rule.over_time().unwrap().negatives.count, 16);
    assert_eq!((config.setup.encoder.image, config.setup.encoder.time()), (64, 7));
    assert_eq!(config.setup.rule.over_time().unwrap().feedback, Feedback::Symmetric);

    let local = paper("clapp");
    assert_eq!(local.setup.images, 2 * config.setup.images);
    assert_eq!(local.setup.rule.over_time().unwrap().timing, Timing::TimeLocal);
    assert_eq!(local.setup.rule.over_time().unwrap().feedback, Feedback::PredRetro);
    assert_eq!(local.setup.rule.over_time().unwrap().negatives.count, 1);
    assert!(matches!(
        paper("gim").setup.rule.over_time().unwrap().objective,
        Objective::InfoNce { .. }
    ));
    assert_eq!(paper("gim").setup.images, config.setup.images);
}

#[cfg(feature = "baselines")]
#[test]
fn paper_presets_of_comparisons_have_their_epochs_pairs_and_modules() {
    let images = |method: &str| paper(method).setup.images;
    let once = images("clapp-s");
    for (method, factor) in [("cpc", 1), ("gim-3x2", 1), ("hinge-cpc-time-local", 2)] {
        assert_eq!(images(method), factor * once, "{method}");
    }
    for method in ["supervised", "greedy-supervised"] {
        assert_eq!(images(method), 300 * 5_000, "{method}: of the labelled images");
    }
    let rule = |method: &str| *paper(method).setup.rule.over_time().unwrap();
    assert_eq!(rule("hinge-cpc-time-local").feedback, Feedback::Symmetric);
    assert_eq!(rule("hinge-cpc-time-local").negatives.count, 1);
    assert_eq!(rule("hinge-cpc-retro").feedback, Feedback::PredRetro);
    assert_eq!(rule("hinge-cpc-blocked").feedback, Feedback::Blocked);
    assert!(matches!(rule("cpc").objective, Objective::InfoNce { .. }));
    for (method, modules) in [
        ("clapp-s-2x3", &[3, 3][..]),
        ("clapp-s-3x2", &[2, 2, 2]),
        ("clapp-s-3-1-1-1", &[3, 1, 1, 1]),
        ("clapp-pp-3x2", &[2, 2, 2]),
        ("hinge-cpc", &[6]),
        ("greedy-supervised", &[1; 6]),
    ] {
        assert_eq!(paper(method).setup.encoder.modules, modules, "{method}");
    }
}

#[test]
fn settings_are_chosen_on_validation_images_where_there_are_any() {
    let cifar = Images::Cifar10("/data".into(), SizesConfig::Official);
    let mut config = preset("quick", "clapp-s", &cifar, &[2]).unwrap();
    let held = |config: &RunConfig<Images>| match config.setup.data {
        DataConfig::Cifar10 { tested_on, .. } => tested_on,
        _ => unreachable!(),
    };
    assert_eq!(held(&config), Held::Test, "reports are about test images unless asked otherwise");
    config.setup.data.test_on(Held::Validation).unwrap();
    assert_eq!(held(&config), Held::Validation);
}
