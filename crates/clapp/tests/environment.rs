//! A run knows where it ran, and the files that it has learnt do not.

mod common;

use clapp::run::Environment;
use common::{EPOCH, stopped, stopped_at_each, tiny};

#[test]
fn every_start_has_an_entry() {
    let root = tempfile::tempdir().unwrap();
    let config = tiny("clapp-s", &[2, 3]);
    let batch = config.batch as u64;
    let folder = stopped_at_each(root.path(), &config, &[3, EPOCH]);
    let starts = Environment::load(&folder).unwrap();
    let samples: Vec<u64> = starts.iter().map(|start| start.samples).collect();
    let all = 2 * config.steps() * batch;
    assert_eq!(samples, [3 * batch, (EPOCH - 3) * batch, all - EPOCH * batch]);
    for start in &starts {
        assert_eq!(
            (start.unit.as_str(), start.version.as_str()),
            ("images", env!("CARGO_PKG_VERSION"))
        );
        let kernels = start.kernels.as_deref();
        assert!(kernels.is_some_and(|set| !set.is_empty()) == cfg!(feature = "flex"));
        assert!(start.learning_seconds > 0.0 && start.threads > 0 && !start.command.is_empty());
        assert!(start.started.ends_with('Z') && start.started.len() == 20, "{}", start.started);
    }
    let read_out: Vec<bool> = starts.iter().map(|start| start.readout_seconds > 0.0).collect();
    assert_eq!(read_out, [false, false, true]);
}

#[test]
fn runs_that_kept_none_go_on() {
    let root = tempfile::tempdir().unwrap();
    let config = tiny("clapp-s", &[2]);
    let folder = stopped(root.path(), &config, 3);
    std::fs::remove_file(folder.join("environment.json")).unwrap();
    assert_eq!(Environment::load(&folder).unwrap(), []);
    common::resume::<clapp::Images>(&folder).unwrap();
    assert_eq!(Environment::load(&folder).unwrap().len(), 1);
}

#[test]
fn a_damaged_list_stops_no_run_and_is_kept() {
    for damage in [&b"[{"[..], b"", b"\xff\xfe", b"[1]"] {
        let root = tempfile::tempdir().unwrap();
        let folder = stopped(root.path(), &tiny("clapp-s", &[2]), 3);
        std::fs::write(folder.join("environment.json"), damage).unwrap();
        assert!(Environment::load(&folder).is_err());
        common::resume::<clapp::Images>(&folder).unwrap();
        assert_eq!(Environment::load(&folder).unwrap().len(), 1);
        assert_eq!(std::fs::read(folder.join("environment.damaged")).unwrap(), damage);
    }
}
