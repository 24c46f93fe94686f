//! Features in a file: the same numbers as in memory, and nothing that stays behind.

#![allow(clippy::unwrap_used)]

use clapp_eval::{Features, Gather, Keep, Knn, LinearProbe, Probe, StandardisedProbe};
use clapp_random::{Purpose, stream};
use ndarray::{Array2, Axis, Slice};
use rand::RngExt;

/// More samples than are scored at a time, of three classes.
const SHAPE: (usize, usize) = (2_100, 8);

fn values() -> Array2<f32> {
    let mut random = stream(5, Purpose::Test, [0; 4]);
    Array2::from_shape_fn(SHAPE, |(i, j)| {
        random.random_range(-1.0..1.0_f32) + if i % 3 == j % 3 { 0.5 } else { 0.0 }
    })
}

fn labels() -> Vec<u32> {
    (0..SHAPE.0 as u32).map(|i| i % 3).collect()
}

fn gathered(keep: &Keep) -> Features {
    let mut gather = Gather::new(SHAPE.into(), keep).unwrap();
    // Pieces of unlike size, as the last batch is.
    for piece in [0..900, 900..SHAPE.0] {
        gather.push(values().slice_axis(Axis(0), Slice::from(piece))).unwrap();
    }
    gather.features(labels()).unwrap()
}

#[test]
fn streamed_features_give_every_probe_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep { most: 0, folder: folder.path().to_owned() };
    let (here, streamed) = (gathered(&Keep::default()), gathered(&keep));
    assert_eq!(here, Features::new(values(), labels()).unwrap());
    assert!(streamed.is_streamed() && !here.is_streamed());
    assert_eq!((streamed.len(), streamed.dim(), streamed.classes()), (2_100, 8, 3));
    assert_eq!(*streamed.loaded().unwrap(), here);
    assert_eq!(streamed.few_labels(7, 1).unwrap(), here.few_labels(7, 1).unwrap());
    let probes: [Box<dyn Probe>; 4] = [
        Box::new(StandardisedProbe::default()),
        Box::new(LinearProbe { epochs: 2, ..LinearProbe::paper() }),
        Box::new(LinearProbe::dropout(2)),
        Box::new(Knn::default()),
    ];
    for probe in probes {
        let scores = |fit: &Features, test: &Features| {
            test.scored_by(&*probe.fit(fit, 1).unwrap()).mapv(f64::to_bits)
        };
        assert_eq!(scores(&streamed, &streamed), scores(&here, &here), "{:?}", probe.protocol());
    }
}

#[test]
fn only_what_is_larger_goes_to_a_file() {
    let bytes = (SHAPE.0 * SHAPE.1 * 4) as u64;
    for (most, streamed) in [(bytes, false), (bytes - 1, true)] {
        assert_eq!(gathered(&Keep { most, ..Keep::default() }).is_streamed(), streamed);
    }
}

#[cfg(unix)]
#[test]
fn a_file_has_no_name_from_the_beginning_so_that_none_is_left_by_a_run_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep { most: 0, folder: folder.path().to_owned() };
    let mut gather = Gather::new(SHAPE.into(), &keep).unwrap();
    gather.push(values().view()).unwrap();
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn what_cannot_be_kept_is_told() {
    let keep = Keep { most: 0, ..Keep::default() };
    let mut gather = Gather::new([2, 1], &keep).unwrap();
    gather.push(Array2::zeros((1, 1)).view()).unwrap();
    let error = gather.push(Array2::from_elem((1, 1), f32::NAN).view()).unwrap_err().to_string();
    let expected =
        "features: expected finite values, got NaN in row 1, column 0; has the encoder diverged?";
    assert_eq!(error, expected);
    let absent = Keep { most: 0, folder: "/absent/folder".into() };
    let error = Gather::new([2, 1], &absent).unwrap_err().to_string();
    assert!(error.contains("/absent/folder"), "{error}");
}
