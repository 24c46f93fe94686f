//! A rule of one's own learns in the runs of all senses, and resumes if the program brings it along.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use clapp::{
    Images, Learning, Run, RunConfig, RunEnd, Sense, Silent, Sound,
    eval::Report,
    rules::{Metrics, Plasticity, Post, Seen, Shown, Update},
    run::StepMetrics,
    store::read_metrics,
};
use common::{assert_same, assert_says, execute, finished, results, resume, stopped};

/// ΔW = Σ z x / n − W / 10: Hebbian, with forgetting.
#[derive(Debug)]
struct Forgetful;

impl Plasticity for Forgetful {
    fn shows(&self) -> Shown {
        Shown::Pixels
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        let [batch, time, site, channels] = seen.target.dims();
        let decay = seen.target.clone().narrow(0, 0, 1).narrow(1, 0, 1).narrow(2, 0, 1);
        let decay = (decay * 0.0 + 0.1).reshape([channels]);
        let m = seen.target / (batch * time * site) as f64;
        let metrics = Metrics { names: &["activity"], values: m.clone().sum() };
        Update { post: Post::One, decay: Some(decay), metrics, ..Update::of(m) }
    }
}

fn assert_learns_and_resumes<S: Sense>(config: RunConfig<S>) {
    let root = tempfile::tempdir().unwrap();
    let config = config.with_rule("forgetful", Forgetful);
    let whole = finished(root.path(), &config);
    assert!(whole.to_string_lossy().ends_with("-forgetful"), "{}", whole.display());
    let report = Report::load(&whole.join("table.json")).unwrap();
    assert_eq!(report.encoders()[0], "forgetful");
    let metrics: Vec<StepMetrics> = read_metrics(whole.join("metrics.jsonl")).unwrap();
    let last = metrics.last().unwrap();
    assert!(last.loss.is_empty() && last.other["activity"].iter().all(|&a| a > 0.0), "{last:?}");

    let folder = stopped(root.path(), &config, 3);
    let text = resume::<S>(&folder).unwrap_err().to_string();
    assert_says(&text, "forgetful", "none");
    let mut run = Run::<S>::resume_with(&folder, Forgetful).unwrap();
    assert!(matches!(execute(&mut run, &mut Silent).unwrap(), RunEnd::Finished(_)));
    assert_same(&results(&folder), &results(&whole), "forgetful");
}

#[test]
fn on_images() {
    assert_learns_and_resumes(common::tiny("clapp-s", &[2]));
}

#[test]
fn on_sound() {
    assert_learns_and_resumes(common::tiny_sound("clapp-s", &[2]));
}

#[test]
fn on_video() {
    assert_learns_and_resumes(common::tiny_video("clapp-s", &[2]));
}

#[test]
fn it_changes_what_is_learnt() {
    let root = tempfile::tempdir().unwrap();
    let config = common::tiny("clapp-s", &[2]);
    let metrics = |config| fs::read(finished(root.path(), &config).join("metrics.jsonl")).unwrap();
    assert_ne!(metrics(config.clone()), metrics(config.with_rule("forgetful", Forgetful)));
}

#[test]
fn what_it_does_not_go_with_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = stopped(root.path(), &common::tiny("clapp-s", &[2]), 3);
    let text = Run::<Images>::resume_with(&folder, Forgetful).unwrap_err().to_string();
    assert_says(&text, "one of the library", "Run::resume");
    let mut config: RunConfig<Sound> = common::tiny_sound("clapp-s", &[2]);
    config.learning = Learning::EndToEnd;
    let text = config.with_rule("forgetful", Forgetful).validate().unwrap_err().to_string();
    let word = if cfg!(feature = "baselines") { "forgetful" } else { "baselines" };
    assert_says(&text, word, "one loss for all layers");
}
