//! Runs by SoftHebb and by rules of two views: trained, stopped, resumed and read out.

#![allow(clippy::unwrap_used)]

mod common;

use clapp::{
    Images, Run, RunConfig,
    eval::{Protocol, Report},
    image::{Held, ImageRule, Schedule, SizesConfig},
    preset,
    rules::{SoftHebb, TwoViews},
    run::StepMetrics,
    store::read_metrics,
};
use common::{assert_same, finished, results, resume, stopped, tiny};

#[test]
fn competing_channels_learn_resume_and_are_read_out() {
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny("softhebb", &[2]);
    // The part of the labels that probes of all features see may be the few.
    config.setup.readout.at_once = Some(10 * config.setup.readout.few);
    let whole = finished(root.path(), &config);
    let report = Report::load(&whole.join("table.json")).unwrap();
    assert_eq!(report.encoders(), ["softhebb", "random encoder", "raw pixels"]);
    let protocols: Vec<Protocol> = report.series().iter().map(|series| series.protocol).collect();
    assert!(protocols.contains(&Protocol::Dropout) && protocols.contains(&Protocol::Standardised));
    let metrics: Vec<StepMetrics> = read_metrics(whole.join("metrics.jsonl")).unwrap();
    let competition = &metrics[0].other["competition"];
    assert!(competition.len() == 3 && competition.iter().all(|value| value.is_finite()));
    assert!(metrics[0].loss.is_empty(), "there is no loss");
    let other = tempfile::tempdir().unwrap();
    let halted = stopped(other.path(), &config, 7);
    resume::<Images>(&halted).unwrap();
    assert_same(&results(&halted), &results(&whole), "resumed after step 7");
}

#[test]
fn what_does_not_fit_its_layers_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut RunConfig<Images>)| {
        let mut config = tiny("softhebb", &[2]);
        change(&mut config);
        Run::create(root.path(), config).unwrap_err().to_string()
    };
    let text = refused(&|c| c.setup.rates.push(0.1));
    assert!(text.contains("a value for each of 3 layers, or none, got 4"), "{text}");
    let text = refused(&|c| c.setup.rule = SoftHebb { temperatures: vec![1.0] }.into());
    assert!(text.contains("a temperature for each of 3 layers, got 1"), "{text}");
    let text = refused(&|c| c.setup.rule = SoftHebb { temperatures: vec![1.0, 0.0, 1.0] }.into());
    assert!(text.contains("expected a temperature above 0, got 0"), "{text}");
    let text = refused(&|c| c.setup.encoder.layers.truncate(2));
    assert!(text.contains("modules"), "{text}");
}

#[test]
fn a_preset_on_photographs_is_the_published_one() {
    let images = Images::Cifar10("absent".into(), SizesConfig::Official);
    let mut config = preset("quick", "softhebb", &images, &[2]).unwrap();
    assert_eq!(config.setup.encoder.channels(), [96, 384, 1536]);
    assert_eq!((config.batch, config.setup.images), (10, 50_000));
    assert_eq!(config.setup.rates, [0.08, 0.005, 0.01]);
    assert_eq!(
        config.setup.rule,
        ImageRule::SoftHebb(SoftHebb { temperatures: vec![1.0, 0.65, 0.25] })
    );
    config.setup.data.test_on(Held::Validation).unwrap();
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<RunConfig<Images>>(&text).unwrap(), config);
    let stl = Images::Stl10("absent".into(), SizesConfig::Official);
    let config = preset("quick", "softhebb", &stl, &[2]).unwrap();
    assert_eq!(config.setup.encoder.map_sizes().unwrap(), [48, 24, 12, 6]);
}

#[test]
fn rules_of_two_views_learn_resume_and_are_read_out() {
    for (method, names) in [
        ("clapp-pp", &["loss"][..]),
        ("dfb", &["loss"]),
        ("both", &["loss"]),
        ("lpl", &["loss", "pull", "push", "decorrelation"]),
    ] {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let config = tiny(method, &[2]);
        let whole = finished(root.path(), &config);
        let report = Report::load(&whole.join("table.json")).unwrap();
        assert_eq!(report.encoders(), [method, "random encoder", "raw pixels"]);
        let metrics: Vec<StepMetrics> = read_metrics(whole.join("metrics.jsonl")).unwrap();
        let predictions = if method == "both" { 12 } else { 6 };
        assert_eq!(metrics[0].loss.len(), predictions, "{method}");
        assert!(names[1..].iter().all(|name| metrics[0].other.contains_key(*name)), "{method}");
        let halted = stopped(other.path(), &config, 7);
        resume::<Images>(&halted).unwrap();
        assert_same(&results(&halted), &results(&whole), method);
    }
}

#[test]
fn images_added_up_teach_one_layer_after_another_and_resume() {
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = tiny("scff", &[2]);
    let whole = finished(root.path(), &config);
    let report = Report::load(&whole.join("table.json")).unwrap();
    assert_eq!(report.encoders(), ["scff", "random encoder", "raw pixels"]);
    let metrics: Vec<StepMetrics> = read_metrics(whole.join("metrics.jsonl")).unwrap();
    assert_eq!((metrics[0].only, metrics.last().unwrap().only), (Some(1), Some(3)));
    assert!(metrics.iter().all(|of| of.loss.len() == 1 && of.other["positive"].len() == 1));
    let halted = stopped(other.path(), &config, 7);
    resume::<Images>(&halted).unwrap();
    assert_same(&results(&halted), &results(&whole), "resumed in the second layer's time");
    let alone = RunConfig { batch: 1, ..config };
    let text = Run::create(root.path(), alone).unwrap_err().to_string();
    assert!(text.contains("expected at least 2 images in a batch, got 1"), "{text}");
}

#[test]
fn scff_s_paper_preset_is_the_published_one() {
    let images = Images::Cifar10("absent".into(), SizesConfig::Official);
    let config = preset("paper", "scff", &images, &[2]).unwrap();
    assert_eq!(config.setup.encoder.channels(), [96, 384, 1536]);
    assert_eq!((config.batch, config.setup.images), (50, 31 * 50_000));
    // Passes of 1,000 steps.
    let order = &config.setup.order;
    let spans = [0, 6_000, 10_000].map(|step| order.stage(3, config.steps(), step));
    assert_eq!(spans, [(0..1, 0..6_000), (1..2, 6_000..10_000), (2..3, 10_000..31_000)]);
    // A bias for every channel.
    assert_eq!(config.setup.encoder.weights(), 96 * 76 + 384 * 865 + 1536 * 3457);
}

#[test]
fn two_views_that_cannot_be_had_are_refused_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut RunConfig<Images>)| {
        let mut config = tiny("clapp-pp", &[2]);
        change(&mut config);
        Run::create(root.path(), config).unwrap_err().to_string()
    };
    let text = refused(&|c| c.setup.pipeline.views = None);
    assert!(text.contains("expected random views for a rule that compares two of them"), "{text}");
    let text = refused(&|c| c.batch = 1);
    assert!(text.contains("expected at least 2 images (4 samples) in a batch, got 1"), "{text}");
    let grids = |grids: &[usize]| {
        ImageRule::from(TwoViews { grids: grids.to_vec(), ..TwoViews::clapp_plus_plus() })
    };
    let text = refused(&|c| c.setup.rule = grids(&[8, 4, 4, 4, 2, 3]));
    assert!(text.contains("layer 6") && text.contains("3"), "{text}");
    let text = refused(&|c| c.setup.rule = grids(&[8, 4]));
    assert!(text.contains("for each of 6 layers, got 2"), "{text}");
    assert!(std::fs::read_dir(root.path()).unwrap().next().is_none(), "no folder is left");
}

#[test]
fn a_cosine_ends_at_nothing() {
    let mut config = tiny("clapp-pp", &[2]);
    assert_eq!(config.setup.schedule, Schedule::Cosine);
    config.setup.schedule = Schedule::Constant;
    let text = serde_json::to_string(&config).unwrap();
    assert!(!text.contains("schedule"), "what is as before is not written: {text}");
}
