//! Every preset with every method on every kind of images.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use clapp::{
    Images, METHODS, PRESETS, RunConfig,
    config::{DataConfig, Held, SizesConfig},
    encoders::{Context, Stack},
    preset,
    rules::{Feedback, Objective, Optimizer, Rule, Timing},
};

fn names(list: &str) -> Vec<&str> {
    list.split(", ").collect()
}

fn kinds() -> [Images<'static>; 5] {
    let root = Path::new("/data");
    [
        Images::Synthetic,
        Images::Stl10(root, SizesConfig::Official),
        Images::Stl10(root, SizesConfig::Any),
        Images::Cifar10(root, SizesConfig::Official),
        Images::Cifar10(root, SizesConfig::Any),
    ]
}

/// All that can be asked for, and the one thing that cannot: the paper's settings without STL-10.
fn all() -> Vec<RunConfig> {
    let mut configs = Vec::new();
    for name in names(PRESETS) {
        for method in names(METHODS) {
            for images in kinds() {
                match preset(name, method, &images, &[2, 3]) {
                    Ok(config) => configs.push(config),
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
    assert_eq!(configs.len(), names(METHODS).len() * (5 + 5 + 2));
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
        let read: RunConfig = serde_json::from_str(&text).unwrap();
        assert_eq!(read, config);
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), text);
    }
}

#[test]
fn no_two_methods_are_the_same_rule() {
    let rules: Vec<(Rule, Context)> = names(METHODS)
        .into_iter()
        .map(|method| preset("quick", method, &Images::Synthetic, &[2]).unwrap())
        .map(|config| (config.rule, config.context))
        .collect();
    for (i, rule) in rules.iter().enumerate() {
        assert!(!rules[..i].contains(rule), "{} is another method", names(METHODS)[i]);
    }
}

fn paper(method: &str) -> RunConfig {
    let images = Images::Stl10(Path::new("/data"), SizesConfig::Official);
    preset("paper", method, &images, &[2]).unwrap()
}

/// Weights of W_pred and of W_retro, over all layers and prediction steps.
fn lateral(method: &str) -> [usize; 2] {
    let config = paper(method);
    let device = clapp::device("flex").unwrap();
    let stack = Stack::init(&config.encoder, &config.rule, config.context, 2, &device).unwrap();
    let count = |dims: [usize; 3]| dims.iter().product::<usize>();
    let w_pred = stack.predictors.iter().map(|p| count(p.w_pred.weight().dims())).sum();
    let w_retro = stack.predictors.iter().filter_map(|p| p.w_retro.as_ref());
    [w_pred, w_retro.map(|w| count(w.weight().dims())).sum()]
}

#[test]
fn the_paper_preset_has_as_many_weights_as_the_paper() {
    let config = paper("clapp-s");
    assert_eq!(config.encoder.weights(), 16_224_512);
    let squares: usize = config.encoder.channels().iter().map(|channels| channels.pow(2)).sum();
    assert_eq!(config.rule.prediction_steps * squares, 12_533_760);
    assert_eq!(lateral("clapp-s"), [12_533_760, 0]);
    assert_eq!(lateral("clapp"), [12_533_760, 12_533_760]);
}

#[test]
fn the_paper_preset_has_the_settings_of_the_paper() {
    let config = paper("clapp-s");
    assert_eq!(config.optimizer, Optimizer::adam(2e-4));
    assert_eq!((config.batch, config.images), (32, 300 * 100_000));
    assert_eq!((config.rule.prediction_steps, config.rule.skip), (5, 1));
    assert_eq!(config.rule.negatives.count, 16);
    assert_eq!((config.encoder.image, config.encoder.time()), (64, 7));
    assert_eq!(config.rule.feedback, Feedback::Symmetric);

    let local = paper("clapp");
    assert_eq!(local.images, 2 * config.images);
    assert_eq!(local.rule.timing, Timing::TimeLocal);
    assert_eq!(local.rule.feedback, Feedback::PredRetro);
    assert_eq!(local.rule.negatives.count, 1);
    assert!(matches!(paper("gim").rule.objective, Objective::InfoNce { .. }));
    assert_eq!(paper("gim").images, config.images);
}

#[test]
fn settings_are_chosen_on_validation_images_where_there_are_any() {
    let root = Path::new("/data");
    let cifar = Images::Cifar10(root, SizesConfig::Official);
    let mut config = preset("quick", "clapp-s", &cifar, &[2]).unwrap();
    let held = |config: &RunConfig| match config.data {
        DataConfig::Cifar10 { tested_on, .. } => tested_on,
        _ => unreachable!(),
    };
    assert_eq!(held(&config), Held::Test, "reports are about test images unless asked otherwise");
    config.data.test_on(Held::Validation);
    assert_eq!(held(&config), Held::Validation);
}
