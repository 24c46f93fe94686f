//! Lists of clips: the official files, any tree, and what is wrong with them.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::fs;
use std::path::Path;

use clapp_datasets::video::{ClipList, Media, Part};
use clapp_datasets::{Error, OnBad};
use clapp_testing::assert_says;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Two classes with their lists, as in the official archives but for what `lists` says.
fn ucf(lists: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "ucfTrainTestlist/classInd.txt", "1 Archery\n2 HandstandPushups\n");
    for video in ["Archery/v_Archery_g01_c01", "HandstandPushups/v_HandStandPushups_g08_c01"] {
        write(root.path(), &format!("UCF-101/{video}.avi"), "not opened by a list");
    }
    for (file, text) in lists {
        write(root.path(), &format!("ucfTrainTestlist/{file}"), text);
    }
    root
}

const BOTH: &str =
    "Archery/v_Archery_g01_c01.avi 1\nHandstandPushups/v_HandStandPushups_g08_c01.avi 2\n";

#[test]
fn the_class_is_the_folder_whatever_the_file_is_called() {
    let root = ucf(&[("trainlist01.txt", BOTH)]);
    let list = ClipList::ucf101(root.path(), 1, Part::Train, OnBad::Refuse).unwrap();
    let found: Vec<(&str, u32)> =
        list.clips().iter().map(|clip| (clip.id.as_str(), clip.label)).collect();
    let expected =
        [("Archery/v_Archery_g01_c01", 0), ("HandstandPushups/v_HandStandPushups_g08_c01", 1)];
    assert_eq!(found, expected);
    assert_eq!((list.name(), list.classes().len()), ("ucf101/train1", 2));
}

#[test]
fn line_ends_of_windows_and_labels_in_test_lists_change_nothing() {
    let windows = format!("\u{feff}{}", BOTH.replace('\n', "\r\n"));
    let bare = BOTH.replace(" 1", "").replace(" 2", "");
    let root =
        ucf(&[("testlist01.txt", BOTH), ("testlist02.txt", &windows), ("testlist03.txt", &bare)]);
    write(root.path(), "ucfTrainTestlist/classInd.txt", "1 Archery\r\n2 HandstandPushups\r\n\r\n");
    let clips = |split| {
        let list = ClipList::ucf101(root.path(), split, Part::Test, OnBad::Refuse).unwrap();
        list.clips().to_vec()
    };
    assert_eq!(clips(1), clips(2));
    assert_eq!(clips(1), clips(3));
}

#[test]
fn frames_in_folders_are_found_in_the_authors_tree() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "splits_classification/classInd.txt", "1 Archery\n");
    write(
        root.path(),
        "splits_classification/trainlist02.txt",
        "Archery/v_Archery_g01_c01.avi 1\n",
    );
    write(root.path(), "frame/Archery/v_Archery_g01_c01/image_00001.jpg", "");
    let list = ClipList::ucf101(root.path(), 2, Part::Train, OnBad::Refuse).unwrap();
    let expected = root.path().join("frame/Archery/v_Archery_g01_c01");
    assert_eq!(list.clips()[0].media, Media::Frames(expected));
}

#[test]
fn a_missing_video_is_named_and_the_rest_is_used() {
    let text = format!("{BOTH}Archery/v_Archery_g09_c09.avi 1\n");
    let root = ucf(&[("trainlist01.txt", &text)]);
    let list = ClipList::ucf101(root.path(), 1, Part::Train, OnBad::Skip).unwrap();
    assert_eq!((list.clips().len(), list.skipped().len()), (2, 1));
    let text = list.skipped().to_string();
    assert!(
        text.contains(
            "Archery/v_Archery_g09_c09: ucf101/train1: expected file \
             Archery/v_Archery_g09_c09.avi, got no such file in "
        ),
        "{text}"
    );
    let error = ClipList::ucf101(root.path(), 1, Part::Train, OnBad::Refuse).unwrap_err();
    assert!(matches!(error, Error::Missing(_)), "{error}");
}

#[test]
fn damaged_lines_are_errors_with_their_number() {
    for (line, text) in [
        ("Archery_g01_c01.avi", "a name without a class"),
        ("Swimming/v_Swimming_g01_c01.avi", "a class that is not in the index"),
        ("Archery/../../secret.avi", "a way out of the folder"),
        ("../Archery/v.avi", "another way out"),
    ] {
        let root = ucf(&[("trainlist01.txt", &format!("{BOTH}\r\n{line}\r\n"))]);
        let list = |on_bad| ClipList::ucf101(root.path(), 1, Part::Train, on_bad);
        let error = list(OnBad::Refuse).unwrap_err();
        assert!(matches!(error, Error::Damaged(_)), "{text}: {error}");
        assert_says(&error, "split list: ", " at line 4 in ");
        assert!(error.to_string().contains(line), "{error}");
        let rest = list(OnBad::Skip).unwrap();
        assert_eq!((rest.clips().len(), rest.skipped().len()), (2, 1), "{text}");
    }
    let root = ucf(&[("trainlist01.txt", BOTH)]);
    write(root.path(), "ucfTrainTestlist/classInd.txt", "1 Archery\n3 HandstandPushups\n");
    let error = ClipList::ucf101(root.path(), 1, Part::Train, OnBad::Skip).unwrap_err();
    let start = "split list: expected `id Class`, ids from 1 in order, got \"3 HandstandPushups\" at \
                 line 2 in ";
    assert_says(&error, start, "classInd.txt");
}

#[test]
fn lists_that_are_of_no_use_say_why() {
    let root = ucf(&[("trainlist01.txt", BOTH)]);
    fs::remove_dir_all(root.path().join("UCF-101")).unwrap();
    let ucf = |split, part| ClipList::ucf101(root.path(), split, part, OnBad::Skip);
    let none = "clip list: expected at least one usable clip, got none of 2 in ";
    for (list, start) in [
        (ucf(3, Part::Test), "ucf101: expected file testlist03.txt, got no such file in "),
        (ucf(4, Part::Test), "split: expected 1, 2 or 3, got 4"),
        (
            ClipList::hmdb51(root.path(), 1, Part::Test, OnBad::Skip),
            "hmdb51: expected file *_test_split1.txt, got no such file in ",
        ),
        (ucf(1, Part::Train), none),
    ] {
        assert_says(&list.unwrap_err(), start, " in ");
    }
}

#[test]
fn hmdb_marks_choose_the_part() {
    let root = tempfile::tempdir().unwrap();
    let lists = "testTrainMulti_7030_splits";
    for video in ["wave/a b_0", "wave/c_1", "wave/d_2", "turn/e_0"] {
        write(root.path(), &format!("{video}.avi"), "");
    }
    write(
        root.path(),
        &format!("{lists}/wave_test_split1.txt"),
        "a b_0.avi 1 \r\nc_1.avi 2 \r\nd_2.avi 0 \r\n",
    );
    write(root.path(), &format!("{lists}/turn_test_split1.txt"), "e_0.avi 1\n");
    let ids = |part| {
        let list = ClipList::hmdb51(root.path(), 1, part, OnBad::Refuse).unwrap();
        assert_eq!(list.classes(), ["turn", "wave"]);
        list.clips().iter().map(|clip| (clip.id.clone(), clip.label)).collect::<Vec<_>>()
    };
    assert_eq!(ids(Part::Train), [("turn/e_0".to_owned(), 0), ("wave/a b_0".to_owned(), 1)]);
    assert_eq!(ids(Part::Test), [("wave/c_1".to_owned(), 1)]);
    write(root.path(), &format!("{lists}/wave_test_split1.txt"), "c_1.avi 3\n");
    let error = ClipList::hmdb51(root.path(), 1, Part::Test, OnBad::Refuse).unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error}");
    assert!(error.to_string().contains(" at line 1 in "), "{error}");
    let rest = ClipList::hmdb51(root.path(), 1, Part::Train, OnBad::Skip).unwrap();
    assert_eq!((rest.clips().len(), rest.skipped().len()), (1, 1));
}

#[test]
fn a_clip_that_is_listed_twice_counts_once() {
    let root = ucf(&[("trainlist01.txt", &format!("{BOTH}{BOTH}"))]);
    let list = ClipList::ucf101(root.path(), 1, Part::Train, OnBad::Skip).unwrap();
    assert_eq!((list.clips().len(), list.skipped().len()), (2, 2));
    let error = ClipList::ucf101(root.path(), 1, Part::Train, OnBad::Refuse).unwrap_err();
    assert_says(
        &error,
        "clip list: expected one clip Archery/v_Archery_g01_c01",
        "got another of that name",
    );
}

#[test]
fn videos_of_one_stem_are_clips_of_their_own() {
    let root = tempfile::tempdir().unwrap();
    for path in [
        "walk/a.avi",
        "walk/a.mp4",
        "walk/b.avi",
        "walk/b/image_00001.jpg",
        "walk/c.mkv",
        "run/a.avi",
    ] {
        write(root.path(), path, "");
    }
    for path in ["walk/._a.avi", "walk/Thumbs.db", "__MACOSX/walk/._a.avi", ".DS_Store"] {
        write(root.path(), path, "");
    }
    let list = ClipList::folders(root.path(), OnBad::Refuse).unwrap();
    let ids: Vec<&str> = list.clips().iter().map(|clip| clip.id.as_str()).collect();
    assert_eq!(ids, ["run/a", "walk/a.avi", "walk/a.mp4", "walk/b", "walk/b.avi", "walk/c"]);
    assert_eq!(list.classes(), ["run", "walk"]);
    // A whole name that is the stem of another.
    write(root.path(), "walk/a.avi.mov", "");
    let error = ClipList::folders(root.path(), OnBad::Refuse).unwrap_err();
    assert_says(
        &error,
        "clip list: expected one clip walk/a.avi, ",
        "walk/a.avi.mov; rename one of them",
    );
}

#[test]
fn an_empty_class_folder_is_named_and_keeps_its_label() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "run/one.MP4", "");
    write(root.path(), "run/notes.txt", "no video");
    write(root.path(), "walk/two/image_00001.jpg", "");
    fs::create_dir(root.path().join("stand")).unwrap();
    let list = ClipList::folders(root.path(), OnBad::Skip).unwrap();
    assert_eq!(list.classes(), ["run", "stand", "walk"]);
    let labels: Vec<u32> = list.clips().iter().map(|clip| clip.label).collect();
    assert_eq!(labels, [0, 2]);
    let text = list.skipped().to_string();
    assert!(
        text.contains("stand: class folder: expected videos or folders of frames, got none in "),
        "{text}"
    );
    let error = ClipList::folders(root.path(), OnBad::Refuse).unwrap_err();
    assert!(matches!(error, Error::Unfit(_)), "{error}");
}

#[test]
fn a_hold_out_takes_its_share_of_every_class() {
    let root = tempfile::tempdir().unwrap();
    for clip in 0..10 {
        write(root.path(), &format!("a/{clip}.avi"), "");
        write(root.path(), &format!("b/{clip}.avi"), "");
    }
    fs::create_dir(root.path().join("c")).unwrap();
    let hold_out =
        |share, seed| ClipList::folders(root.path(), OnBad::Skip).unwrap().hold_out(share, seed);
    let (train, test) = hold_out(0.3, 5).unwrap();
    assert_eq!((train.skipped().len(), test.skipped().len()), (1, 0), "a class without videos");
    for label in [0, 1] {
        let count =
            |part: &ClipList| part.clips().iter().filter(|clip| clip.label == label).count();
        assert_eq!((count(&train), count(&test)), (7, 3));
    }
    assert!(test.clips().iter().all(|clip| !train.clips().contains(clip)));
    assert_eq!(hold_out(0.3, 5).unwrap().1.clips(), test.clips());
    assert_ne!(hold_out(0.3, 6).unwrap().1.clips(), test.clips());
    assert!(hold_out(1.0, 5).is_err());
}
