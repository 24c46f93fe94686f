//! Runs by SoftHebb: trained, stopped, resumed and read out beside a twin whose statistics are set.

#![allow(clippy::unwrap_used)]

mod common;

use clapp::{
    Images, Run, RunConfig,
    eval::{Protocol, Report},
    image::{Held, ImageRule, SizesConfig},
    preset,
    rules::SoftHebb,
    run::StepMetrics,
    store::read_metrics,
};
use common::{assert_same, finished, results, resume, stopped, tiny};

#[test]
fn a_run_learns_resumes_and_is_read_out() {
    let root = tempfile::tempdir().unwrap();
    let config = tiny("softhebb", &[2]);
    let whole = finished(root.path(), &config);
    let report = Report::load(&whole.join("table.json")).unwrap();
    assert_eq!(report.encoders(), ["softhebb", "random encoder", "raw pixels"]);
    let protocols: Vec<Protocol> = report.series().iter().map(|series| series.protocol).collect();
    assert!(protocols.contains(&Protocol::Dropout) && protocols.contains(&Protocol::Standardised));
    let metrics: Vec<StepMetrics> = read_metrics(&whole.join("metrics.jsonl")).unwrap();
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
    config.setup.data.test_on(Held::Validation);
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<RunConfig<Images>>(&text).unwrap(), config);
    let stl = Images::Stl10("absent".into(), SizesConfig::Official);
    let config = preset("quick", "softhebb", &stl, &[2]).unwrap();
    assert_eq!(config.setup.encoder.map_sizes().unwrap(), [48, 24, 12, 6]);
}
