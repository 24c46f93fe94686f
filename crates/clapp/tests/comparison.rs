//! Several methods on one data set: equal budgets, one table, resuming, members that fail.

#![allow(clippy::unwrap_used, clippy::float_cmp)] // equal bits are meant

mod common;

use std::{fs, path::Path, process::Command};

use clapp::{
    Images, RunConfig, Sense,
    comparison::{Account, Budget, Comparison, Ended, Plan, Row, Table, run_member},
    image::SizesConfig,
    run::{Observer, Silent, StepMetrics},
};
use common::{STEPS, StopAt, assert_same, assert_says, finished, results, tiny, tiny_sound};

/// [`tiny`] with the read-outs that all share.
fn member(method: &str, seeds: &[u64]) -> RunConfig<Images> {
    let mut config = tiny(method, seeds);
    config.setup.readout = tiny("clapp-pp", seeds).setup.readout;
    config
}

fn plan<S: Sense>(members: Vec<RunConfig<S>>) -> Plan<S> {
    Plan { budget: Budget::Samples(8 * STEPS), program: "program".into(), members }
}

fn execute<S: Sense>(folder: &Path, plan: &Plan<S>, observer: &mut dyn Observer) -> Table {
    let comparison = Comparison::open(folder, plan.clone()).unwrap();
    comparison.execute(&clapp::device("flex").unwrap(), observer).unwrap()
}

fn account(folder: &Path, name: &str) -> Account {
    serde_json::from_str(&fs::read_to_string(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

#[test]
fn members_are_ordinary_runs_wherever_the_comparison_was_stopped() {
    let root = tempfile::tempdir().unwrap();
    let plan = plan(vec![member("clapp-s", &[2, 3]), member("softhebb", &[2, 3])]);
    let folder = root.path().join("stopped");
    // The second member has half the steps of its second seed when it is stopped.
    struct StopSecond(bool);
    impl Observer for StopSecond {
        fn step(&mut self, _: u64, metrics: &StepMetrics) -> bool {
            !(self.0 && metrics.step == STEPS + 7)
        }
        fn stage(&mut self, what: &str) {
            self.0 |= what == "member smoke-softhebb";
        }
    }
    let ended = |table: &Table| table.rows.iter().map(|row| row.ended).collect::<Vec<_>>();
    let seeds = |table: &Table| {
        let of = |row: &Row| row.readouts.first().map(|readout| readout.best.accuracy.seeds);
        table.rows.iter().map(of).collect::<Vec<_>>()
    };
    // The first seed of every member comes before the second of any.
    let table = execute(&folder, &plan, &mut StopAt(STEPS - 1));
    assert_eq!(
        (ended(&table), seeds(&table)),
        (vec![Ended::Stopped, Ended::Not], vec![None, None])
    );
    let table = execute(&folder, &plan, &mut StopAt(STEPS + 2));
    assert_eq!(ended(&table), [Ended::Stopped, Ended::Not]);
    assert_eq!(seeds(&table), [Some(1), Some(1)]);
    let svg = fs::read_to_string(folder.join("comparison.svg")).unwrap();
    assert!(svg.contains("seeds [2];") && svg.contains("softhebb"), "{svg}");
    let table = execute(&folder, &plan, &mut StopSecond(false));
    assert_eq!(ended(&table), [Ended::Finished, Ended::Stopped]);
    assert_eq!(seeds(&table), [Some(2), Some(1)]);
    let table = execute(&folder, &plan, &mut Silent);
    assert_eq!(ended(&table), [Ended::Finished, Ended::Finished]);
    for config in &plan.members {
        let alone = results(&finished(root.path(), config));
        assert_same(&results(&folder.join(config.name())), &alone, &config.method);
    }
    let written: Table =
        serde_json::from_slice(&fs::read(folder.join("comparison.json")).unwrap()).unwrap();
    assert_eq!(written, table);
    assert_eq!(fs::read_to_string(folder.join("comparison.md")).unwrap(), table.to_string());
    // A finished member is not run again: its account would say other seconds.
    let accounts = ["smoke-clapp-s", "smoke-softhebb"].map(|name| account(&folder, name));
    assert_eq!(execute(&folder, &plan, &mut Silent), table);
    assert_eq!(["smoke-clapp-s", "smoke-softhebb"].map(|name| account(&folder, name)), accounts);
}

#[test]
fn a_row_has_what_its_table_has_and_what_it_cost() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("one");
    let plan = plan(vec![member("gim", &[2, 3])]);
    let table = execute(&folder, &plan, &mut Silent);
    let row = &table.rows[0];
    let report = clapp::eval::Report::load(&folder.join("smoke-gim/table.json")).unwrap();
    assert_eq!(row.readouts.len(), report.series().len());
    for readout in &row.readouts {
        let means = |encoder: &str| -> Vec<f64> {
            report.layers(encoder, readout.series).iter().map(|(_, of)| of.mean).collect()
        };
        let most = |means: Vec<f64>| means.into_iter().fold(0.0, f64::max);
        assert_eq!(readout.best.accuracy.mean, most(means("gim")));
        assert_eq!(readout.last.layer, 6);
        let twin = readout.twin.unwrap();
        assert_eq!(twin.accuracy.mean, most(means("random encoder")));
        let points = readout.difference.unwrap().points;
        assert_eq!(points, readout.best.accuracy.mean - twin.accuracy.mean);
    }
    assert_eq!((row.seen, row.error.as_deref()), (Some(8 * STEPS), None));
    assert!(row.seconds.unwrap() > 0.0);
    // But for the first steps of the seeds, and the one after the data were opened again for the second.
    assert_eq!(account(&folder, "smoke-gim").steps, 2 * (STEPS - 1) - 1);
    // Where the system says, reading out included is no less than learning.
    assert!(row.peak >= row.learning_peak);
    assert_eq!(row.command, format!("program --config {}", folder.join("smoke-gim").display()));
}

#[test]
fn a_member_that_fails_is_named_and_the_others_go_on() {
    let root = tempfile::tempdir().unwrap();
    let mut astray = member("clapp-s", &[2]);
    *astray.optimizer.rate_mut() = 1e30;
    let plan = plan(vec![astray, member("gim", &[2])]);
    for _ in 0..2 {
        // Called again, the failed one is tried again.
        let table = execute(&root.path().join("two"), &plan, &mut Silent);
        let [astray, gim] = &table.rows[..] else { panic!("two rows") };
        assert_eq!((astray.ended, gim.ended), (Ended::Failed, Ended::Finished));
        let error = astray.error.clone().unwrap();
        assert!(error.starts_with("training: expected a finite"), "{error}");
        assert!(table.to_string().contains(&format!("| clapp-s | failed: {error}")));
    }
}

#[test]
fn seconds_become_a_number_of_images_that_stays() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("timed");
    let mut plan = plan(vec![member("clapp-s", &[2]), member("lpl", &[2])]);
    plan.budget = Budget::Seconds(2.0);
    execute(&folder, &plan, &mut StopAt(1));
    let images = |name| RunConfig::<Images>::load(folder.join(name)).unwrap().setup.images;
    let first = images("smoke-clapp-s");
    assert!(first > 8 && first.is_multiple_of(8), "{first} images");
    let second = images("smoke-lpl");
    assert_eq!(account(&folder, "smoke-lpl").steps, 0, "a stopped member stops the comparison");
    let table = execute(&folder, &plan, &mut Silent);
    assert_eq!([images("smoke-clapp-s"), images("smoke-lpl")], [first, second], "not timed again");
    assert_eq!(table.rows[0].seen, Some(first));
    assert!(table.rows[1].seen.unwrap().is_multiple_of(8) && table.rows[1].seconds.is_some());
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("none");
    let refused = |plan: Plan<Images>| {
        let text = Comparison::open(&folder, plan).unwrap_err().to_string();
        assert!(!folder.exists());
        text
    };
    assert_says(&refused(plan(vec![])), "comparison", "at least one member");
    let twice = plan(vec![member("gim", &[2]), member("gim", &[2])]);
    assert_says(&refused(twice), "comparison", "smoke-gim");
    let seeds = plan(vec![member("gim", &[2]), member("lpl", &[3])]);
    assert_says(&refused(seeds), "comparison", "seeds [3] in smoke-lpl");
    let mut smaller = member("lpl", &[2]);
    smaller.setup.data =
        clapp::image::DataConfig::Synthetic { unlabelled: 48, train: 40, test: 10 };
    let data = refused(plan(vec![member("gim", &[2]), smaller]));
    assert!(data.contains("\"test\":10") && data.contains("\"test\":20"), "{data}");
    for budget in [Budget::Samples(0), Budget::Seconds(0.0), Budget::Seconds(f64::NAN)] {
        let nothing = Plan { budget, ..plan(vec![member("gim", &[2])]) };
        assert_says(&refused(nothing), "budget", "more than nothing");
    }
    let mut one = member("clapp-pp", &[2]);
    one.batch = 1;
    assert!(refused(plan(vec![one])).contains("at least 2 images"));
}

#[test]
fn another_plan_and_another_folder_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("begun");
    let begun = plan(vec![member("gim", &[2])]);
    let comparison = Comparison::open(&folder, begun.clone()).unwrap();
    let again = Comparison::open(&folder, begun.clone()).unwrap_err().to_string();
    assert!(again.contains("held by process"), "{again}");
    drop(comparison);
    let other = Plan { budget: Budget::Samples(8), ..begun.clone() };
    let text = Comparison::open(&folder, other).unwrap_err().to_string();
    assert_says(&text, "comparison", "plan.json");
    let device = clapp::device("flex").unwrap();
    let text = run_member::<Images>(&folder, "smoke-lpl", 1, &device, &mut Silent).unwrap_err();
    assert_says(&text.to_string(), "member", "smoke-gim");
    let foreign = root.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("notes.txt"), "mine").unwrap();
    assert_says(&Comparison::open(&foreign, begun).unwrap_err().to_string(), "run", "plan.json");
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
}

#[test]
fn a_process_that_ends_otherwise_is_a_failed_member() {
    let root = tempfile::tempdir().unwrap();
    let comparison = Comparison::open(root.path().join("apart"), plan(vec![member("gim", &[2])]));
    let comparison = comparison.unwrap();
    let absent = root.path().join("absent");
    let table = comparison.execute_apart(&|_, _| Command::new(&absent)).unwrap();
    assert_eq!(table.rows[0].ended, Ended::Failed);
    let error = table.rows[0].error.clone().unwrap();
    assert!(error.starts_with("the process could not be started"), "{error}");
}

#[test]
fn other_senses_are_compared_too() {
    let root = tempfile::tempdir().unwrap();
    let mut members = ["clapp-s", "gim"].map(|method| tiny_sound(method, &[2])).to_vec();
    members.iter_mut().for_each(|member| member.checkpoint_every = 100);
    let plan = Plan { budget: Budget::Samples(8), ..plan(members) };
    let table = execute(&root.path().join("sound"), &plan, &mut Silent);
    assert!(table.rows.iter().all(|row| row.ended == Ended::Finished && row.seen == Some(8)));
    assert!(table.rows.iter().all(|row| row.readouts.iter().any(|of| of.twin.is_some())));
    assert_eq!(table.unit, "crops");
}

#[test]
fn methods_of_all_kinds_have_one_plan_on_every_data_set() {
    let root = tempfile::tempdir().unwrap();
    let methods = ["clapp-s", "clapp", "gim", "softhebb", "clapp-pp", "lpl", "scff"];
    let sets = [
        Images::Synthetic,
        Images::Cifar10("cifar-10".into(), SizesConfig::Any),
        Images::Stl10("stl10".into(), SizesConfig::Official),
    ];
    for (index, images) in sets.iter().enumerate() {
        let plan = Plan::of(&methods, "quick", images, &[2, 3], Budget::Samples(64)).unwrap();
        let softhebb = &plan.members[3].setup;
        assert_eq!(softhebb.readout.protocols, [clapp::eval::Protocol::Standardised]);
        assert!(plan.members.iter().all(|member| member.setup.data == softhebb.data));
        assert!(plan.members.iter().all(|member| member.setup.readout.cells.is_empty()));
        Comparison::open(root.path().join(index.to_string()), plan).unwrap();
    }
}
