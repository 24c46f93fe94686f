//! Random hierarchies as data of runs: presets, refusals, and that depth is learnt.

#![allow(clippy::unwrap_used)]

mod common;

use clapp::{
    Images, Run, RunConfig,
    datasets::hierarchy::Config,
    encoders::TilePlan,
    eval::{Labels, Protocol, Report, Series},
    image::DataConfig,
    preset,
};
use common::{assert_same, finished, results, resume, stopped};

const GRAMMAR: Config = Config { depth: 3, branching: 4, symbols: 12, synonyms: 8 };

fn quick(method: &str) -> RunConfig<Images> {
    preset("quick", method, &Images::Hierarchy(GRAMMAR), &[2]).unwrap()
}

#[test]
fn a_layer_a_level_sees_a_production_a_tile() {
    for depth in 1..=4 {
        let config = Images::Hierarchy(Config { depth, synonyms: 160, ..GRAMMAR });
        let config = preset("quick", "clapp-s", &config, &[2]).unwrap();
        let sides: Vec<usize> = (0..depth).rev().map(|level| 1 << level).collect();
        assert_eq!(config.setup.encoder.map_sizes().unwrap(), sides);
    }
}

#[test]
fn runs_on_hierarchies_learn_resume_and_are_read_out() {
    for method in ["clapp-s", "clapp", "gim", "clapp-s-blocked", "softhebb"] {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let grammar = Images::Hierarchy(Config { symbols: 4, ..GRAMMAR });
        let config = preset("smoke", method, &grammar, &[2]).unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<RunConfig<Images>>(&text).unwrap(), config);
        let whole = finished(root.path(), &config);
        let report = Report::load(&whole.join("table.json")).unwrap();
        assert_eq!(report.encoders(), [method, "random encoder", "raw pixels"]);
        assert_eq!(report.classes, 4);
        let halted = stopped(other.path(), &config, 3);
        resume::<Images>(&halted).unwrap();
        assert_same(&results(&halted), &results(&whole), method);
    }
}

#[test]
fn what_hierarchies_cannot_have_is_refused_before_anything_is_written() {
    let refused = |size, method, grammar| {
        preset(size, method, &Images::Hierarchy(grammar), &[2]).unwrap_err().to_string()
    };
    let text = refused("quick", "clapp-pp", GRAMMAR);
    assert!(text.contains("without random views, which leave no production whole"), "{text}");
    let text = refused("quick", "scff", GRAMMAR);
    assert!(text.contains("tiles, not layers with windows"), "{text}");
    let text = refused("quick", "clapp-s-above", GRAMMAR);
    assert!(text.contains("contexts of as many places as targets"), "{text}");
    let text = refused("paper", "clapp-s", GRAMMAR);
    assert!(text.contains("expected STL-10"), "{text}");
    let text = refused("quick", "clapp-s", Config { synonyms: 2_000, ..GRAMMAR });
    assert!(text.contains("synonyms"), "{text}");
    let root = tempfile::tempdir().unwrap();
    let mut config = quick("clapp-s");
    config.setup.encoder.layers[1] = TilePlan { channels: 8, tile: 3 }.into();
    let text = Run::create(root.path(), config).unwrap_err().to_string();
    assert!(text.contains("layer 2 sees a map of 4 pixels a side"), "{text}");
    let mut config = quick("clapp-s");
    let DataConfig::Hierarchy { grammar, .. } = &mut config.setup.data else { panic!("grammar") };
    grammar.branching = 2;
    let text = Run::create(root.path(), config).unwrap_err().to_string();
    assert!(text.contains("branching: expected 4 for images"), "{text}");
    assert!(std::fs::read_dir(root.path()).unwrap().next().is_none(), "no folder is left");
}

#[test]
fn the_last_layer_reads_a_class_that_the_first_does_not() {
    // A quarter of the preset's strings and half its channels.
    let root = tempfile::tempdir().unwrap();
    let mut config = quick("clapp-s");
    config.setup.images = 16_000;
    for (level, layer) in config.setup.encoder.layers.iter_mut().enumerate() {
        *layer = TilePlan { channels: 64, tile: if level == 0 { 8 } else { 2 } }.into();
    }
    let report = Report::load(&finished(root.path(), &config).join("table.json")).unwrap();
    let series = Series { protocol: Protocol::Standardised, labels: Labels::All(4_000) };
    let read = |encoder, layer| report.summary(encoder, layer, series).unwrap().mean;
    let (first, last) = (read("clapp-s", 1), read("clapp-s", 3));
    let untrained = read("random encoder", 3);
    // Chance is 8.3, with a deviation of 0.6 in 2,000 strings.
    assert!(first < 13.3 && untrained < 13.3, "first {first}, untrained {untrained}");
    assert!(last > first + 10.0, "first {first}, last {last}");
}
