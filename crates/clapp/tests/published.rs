//! Every published row leads to a run, or to the reason why not.

#![allow(clippy::unwrap_used)]

mod common;

use clapp::{
    Error, Images, Sound, Video,
    image::{ImageRule, METHODS, PUBLISHED, SizesConfig},
    preset::{Published, published},
    rules::{Feedback, Timing},
    sound::{self, FilesConfig, LabelsConfig},
    video::{self, ClipsConfig, Place},
};
use common::assert_says;

fn known(method: &str) -> bool {
    METHODS.split(", ").any(|known| known == method)
}

fn of(name: &str) -> Result<clapp::RunConfig<Images>, Error> {
    let cifar10 = name.contains("/cifar10/");
    let images = if cifar10 { Images::Cifar10 } else { Images::Stl10 };
    published(name, &images("/data".into(), SizesConfig::Official), &[2])
}

#[test]
fn every_row_of_a_method_that_there_is_makes_a_configuration() {
    let mut built = 0;
    for row in PUBLISHED {
        match of(row.name) {
            Ok(config) => {
                config.validate().unwrap();
                assert_eq!((config.method.as_str(), config.seeds.len()), (row.method, 1));
                let data = config.setup.data.name().to_lowercase().replace('-', "");
                assert_eq!(data, row.data(), "{}", row.name);
                built += 1;
            }
            Err(Error::Differentiation { .. }) if !cfg!(feature = "baselines") => {}
            Err(error) if row.method == "random encoder" => {
                assert_says(&error.to_string(), "row", "random encoder");
            }
            Err(error) => {
                assert!(!known(row.method), "{}: {error}", row.name);
                assert_says(&error.to_string(), "method", METHODS);
            }
        }
    }
    // Six of the paper's by local rules in Table 1, 6 and Appendix C, five methods and no cells on two sets, two of
    // SoftHebb's own.
    assert!(built >= 3 + 1 + 3 + 2 * 6 + 2, "{built} rows were built");
}

#[test]
fn names_are_unique_and_accuracies_are_those_of_the_tables() {
    for (index, row) in PUBLISHED.iter().enumerate() {
        assert!(PUBLISHED[..index].iter().all(|other| other.name != row.name), "{}", row.name);
    }
    let accuracies = |table: &str| -> Vec<f64> {
        let of_table = PUBLISHED.iter().filter(|row| row.name.starts_with(table));
        of_table.map(|row| row.accuracy).collect()
    };
    assert_eq!(
        accuracies("table-1/stl10/"),
        [21.8, 66.3, 73.2, 81.1, 75.6, 80.3, 77.6, 77.4, 75.0, 79.1, 73.6]
    );
    assert_eq!(accuracies("table-4/stl10/"), [21.8, 65.0, 73.2, 81.1, 78.3]);
    assert_eq!(accuracies("table-6/stl10/"), [74.0, 75.4, 76.2, 77.4, 77.6, 80.3]);
    assert_eq!(accuracies("appendix-c/"), [78.0, 70.0, 80.2, 74.1, 72.4]);
}

#[test]
fn a_row_that_changes_a_method_says_so_in_its_configuration() {
    let ImageRule::TwoViews(views) = of("clapp-pp/cifar10/without-cells").unwrap().setup.rule
    else {
        panic!("CLAPP++ compares two views")
    };
    assert_eq!(views.grids, [1; 6]);
    let ImageRule::OverTime(rule) = of("appendix-c/stl10/clapp-blocked").unwrap().setup.rule else {
        panic!("CLAPP predicts patches")
    };
    assert_eq!((rule.feedback, rule.timing), (Feedback::Blocked, Timing::TimeLocal));
}

#[test]
fn rows_of_sound_and_video_are_those_of_table_1() {
    let labels = LabelsConfig::published("/data/labels".as_ref());
    let part = "train-clean-100";
    let files = Sound::Files(FilesConfig::librispeech("/data".as_ref(), part, part, labels));
    let clips = Video::Clips(ClipsConfig::new(Place::Ucf101 { root: "/data".into(), split: 1 }));
    for row in sound::PUBLISHED {
        match published(row.name, &files, &[2]) {
            Ok(config) => {
                assert_eq!((config.method.as_str(), row.data()), (row.method, "librispeech"))
            }
            Err(Error::Differentiation { .. }) if !cfg!(feature = "baselines") => {}
            Err(error) => assert_says(&error.to_string(), "row", "random encoder"),
        }
    }
    for row in video::PUBLISHED {
        match published(row.name, &clips, &[2]) {
            Ok(config) => assert_eq!((config.method.as_str(), row.data()), (row.method, "ucf101")),
            Err(Error::Differentiation { .. }) if !cfg!(feature = "baselines") => {}
            Err(error) => assert_says(&error.to_string(), "row", "random encoder"),
        }
    }
    let accuracies = |rows: &[Published]| rows.iter().map(|row| row.accuracy).collect::<Vec<_>>();
    assert_eq!(
        accuracies(sound::PUBLISHED),
        [27.7, 73.4, 77.7, 64.3, 63.9, 62.8, 61.7, 58.6, 52.4]
    );
    assert_eq!(accuracies(video::PUBLISHED), [30.5, 51.5, 35.7, 41.2, 36.1, 41.6]);
    // No back-propagation: these two are built by every program.
    assert!(published("text/librispeech/clapp-s-e-prop", &files, &[2]).is_ok());
    assert!(published("table-1/ucf101/clapp-s", &clips, &[2]).is_ok());
}

#[test]
fn an_unknown_row_is_answered_with_the_known_ones() {
    assert_says(&of("table-2/stl10/clapp").unwrap_err().to_string(), "row", "table-1/stl10/clapp");
}

#[test]
fn a_row_of_other_data_is_refused() {
    let cifar10 = Images::Cifar10("/data".into(), SizesConfig::Official);
    let text = published("table-1/stl10/clapp", &cifar10, &[2]).unwrap_err().to_string();
    assert_says(&text, "row: expected the data stl10", "got cifar10");
}
