//! A rule of one's own learns in the runs of all senses, and resumes if the program brings it along.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use burn::tensor::Tensor;
use clapp::{
    Images, Learning, Run, RunConfig, RunEnd, Sense, Sound,
    eval::Report,
    rules::{Metrics, Plasticity, Post, Seen, Shown, Update},
    run::{Silent, StepMetrics},
    store::read_metrics,
};
use common::{assert_same, assert_says, execute, finished, results, resume, stopped};

/// ΔW = Σ z ρ′(a) x / n: layers that grow with what they see.
#[derive(Clone, Debug)]
struct Hebb;

impl Plasticity for Hebb {
    fn shows(&self) -> Shown {
        Shown::Pixels
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        let [batch, time, site, _] = seen.target.dims();
        let m = seen.target / (batch * time * site) as f64;
        let metrics = Metrics { names: &["activity"], values: m.clone().sum() };
        Update { metrics, ..Update::of(m) }
    }
}

/// The same with ΔW = … − W / 10 and without ρ′, which convolutions of images alone can do.
#[derive(Clone, Debug)]
struct Forgetful;

impl Plasticity for Forgetful {
    fn shows(&self) -> Shown {
        Shown::Pixels
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        let [.., channels] = seen.target.dims();
        let decay = Tensor::full([channels], 0.1, &seen.target.device());
        Update { post: Post::One, decay: Some(decay), ..Hebb.changes(seen) }
    }
}

fn assert_learns_and_resumes<S: Sense>(
    config: RunConfig<S>,
    rule: impl Plasticity + Clone + 'static,
) {
    let root = tempfile::tempdir().unwrap();
    let config = config.with_rule("own", rule.clone());
    let whole = finished(root.path(), &config);
    assert!(whole.to_string_lossy().ends_with("-own"), "{}", whole.display());
    let report = Report::load(&whole.join("table.json")).unwrap();
    assert_eq!(report.encoders()[0], "own");
    let metrics: Vec<StepMetrics> = read_metrics(whole.join("metrics.jsonl")).unwrap();
    let last = metrics.last().unwrap();
    assert!(last.loss.is_empty() && last.other["activity"].iter().all(|&a| a > 0.0), "{last:?}");

    let folder = stopped(root.path(), &config, 3);
    let text = resume::<S>(&folder).unwrap_err().to_string();
    assert_says(&text, "configuration", "the rule own from the program");
    let mut run = Run::<S>::resume_with(&folder, rule).unwrap();
    assert!(matches!(execute(&mut run, &mut Silent).unwrap(), RunEnd::Finished(_)));
    assert_same(&results(&folder), &results(&whole), "own");
}

#[test]
fn on_images() {
    assert_learns_and_resumes(common::tiny("clapp-s", &[2]), Forgetful);
}

#[test]
fn on_sound() {
    assert_learns_and_resumes(common::tiny_sound("clapp-s", &[2]), Hebb);
}

#[test]
fn on_video() {
    assert_learns_and_resumes(common::tiny_video("clapp-s", &[2]), Hebb);
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
    assert_says(&text, "configuration", "one of the library");
    let mut config: RunConfig<Sound> = common::tiny_sound("clapp-s", &[2]);
    config.learning = Learning::EndToEnd;
    let text = config.with_rule("forgetful", Forgetful).validate().unwrap_err().to_string();
    let [what, word] = match cfg!(feature = "baselines") {
        true => ["configuration", "local rules with the rule forgetful"],
        false => ["method", "baselines"],
    };
    assert_says(&text, what, word);
}
