//! All layers read out together, from memory and from a file.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use clapp::eval::{ALL_LAYERS, Protocol, Report};
use common::{finished, results, tiny};

#[test]
fn all_layers_together_are_a_row_of_their_own_and_the_same_from_a_file() {
    let mut config = tiny("clapp-pp", &[2]);
    let readout = &mut config.setup.readout;
    readout.protocols = vec![Protocol::Standardised, Protocol::Paper, Protocol::Dropout];
    readout.cells = vec![2, 2, 2, 2, 2, 2];
    let root = tempfile::tempdir().unwrap();
    let plain = Report::load(&finished(root.path(), &config).join("table.json")).unwrap();
    assert!(plain.cells.iter().all(|cell| cell.layer <= 6));

    config.setup.readout.concatenated = true;
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let in_memory = finished(here.path(), &config);
    let report = Report::load(&in_memory.join("table.json")).unwrap();
    let (all, layers): (Vec<_>, Vec<_>) =
        report.cells.iter().cloned().partition(|cell| cell.layer == ALL_LAYERS);
    assert_eq!(layers, plain.cells, "single layers are read as before");
    // Two encoders; all and few labels, but for dropout.
    assert_eq!(all.len(), 2 * 5);
    assert!(all.iter().all(|cell| cell.encoder != "raw pixels"));
    let text = report.to_string();
    assert!(
        text.lines().any(|line| line.starts_with("paper") && line.contains(" all  ")),
        "{text}"
    );
    let paper = all.iter().find(|cell| cell.series.protocol == Protocol::Paper).unwrap().series;
    assert_eq!(report.layers("clapp-pp", paper).len(), 6, "none of them is the last layer");

    config.setup.readout.memory = 0;
    let streamed = finished(there.path(), &config);
    assert_eq!(
        results(&streamed)[Path::new("table.json")],
        results(&in_memory)[Path::new("table.json")]
    );
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&streamed), names(&in_memory), "no file of features is left");
}
