//! LibriSpeech's layout, lists, labels and the index: every bad line and stale entry.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clapp_datasets::sound::{
    Check, Framing, IndexCache, IndexUse, OpenOptions, PhoneLabels, Recording, SpeechFiles,
    SplitList, label_count,
};
use clapp_datasets::{Error, OnBad, Source};
use tempfile::TempDir;

mod sound_files;
use sound_files::{flac, steps, wav, write};

const PART: &str = "train-clean-100";

/// Utterances and their samples.
const UTTERANCES: [(&str, usize); 4] = [
    ("19-198-0000", 4_000),
    ("19-198-0001", 4_100),
    ("103-1240-0000", 5_000),
    ("26-495-0002", 3_000),
];

fn path(root: &Path, id: &str) -> PathBuf {
    let mut names = id.split('-');
    let folder = root.join(PART).join(names.next().unwrap()).join(names.next().unwrap());
    folder.join(format!("{id}.flac"))
}

/// Four utterances, and files that are none.
fn corpus() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (seed, (id, samples)) in UTTERANCES.into_iter().enumerate() {
        write(&path(root.path(), id), &flac(&steps(samples, seed), 16_000, 1));
    }
    write(&root.path().join(PART).join("19/198/19-198.trans.txt"), b"19-198-0000 NORTHANGER ABBEY");
    root
}

fn options() -> OpenOptions {
    OpenOptions { cache: IndexCache::Nowhere, ..OpenOptions::default() }
}

fn open(root: &TempDir, options: &OpenOptions) -> SpeechFiles {
    SpeechFiles::librispeech(root.path(), PART, options).unwrap()
}

fn ids(files: &dyn Source<Item = Recording>) -> Vec<&str> {
    (0..files.len()).map(|i| files.info(i).id.as_str()).collect()
}

fn labels_of(files: &SpeechFiles, index: usize) -> Option<&[u32]> {
    files.info(index).labels.as_deref()
}

/// A text file in a folder of its own.
fn text(name: &str, content: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

/// A line of labels that fits an utterance of `samples`.
fn line(id: &str, samples: usize) -> String {
    let labels: Vec<String> = (0..label_count(samples)).map(|i| (i % 41).to_string()).collect();
    format!("{id} {}\n", labels.join(" "))
}

#[test]
fn names_tell_speaker_and_chapter() {
    let root = corpus();
    let files = open(&root, &options());
    assert_eq!(ids(&files), ["103-1240-0000", "19-198-0000", "19-198-0001", "26-495-0002"]);
    let utterance = files.info(1);
    assert_eq!(utterance.speaker.as_deref(), Some("19"));
    assert_eq!(utterance.chapter.as_deref(), Some("198"));
    assert_eq!((utterance.samples, files.name()), (4_000, "librispeech/train-clean-100"));
    assert_eq!((&files.info(0).labels, files.classes()), (&None, 0));
}

#[test]
fn all_three_places_are_accepted() {
    let root = corpus();
    let inside = root.path().join(PART);
    assert_eq!(SpeechFiles::librispeech(&inside, PART, &options()).unwrap().len(), 4);
    let outer = tempfile::tempdir().unwrap();
    fs::create_dir(outer.path().join("LibriSpeech")).unwrap();
    fs::rename(&inside, outer.path().join("LibriSpeech").join(PART)).unwrap();
    assert_eq!(open(&outer, &options()).len(), 4);
}

#[test]
fn a_missing_folder_names_all_places_searched() {
    let error = SpeechFiles::librispeech("/no/where", PART, &options()).unwrap_err().to_string();
    assert_eq!(
        error,
        "librispeech: expected file train-clean-100, got no such file in \
         /no/where/LibriSpeech/train-clean-100, /no/where/train-clean-100; download the data set or \
         correct the root folder"
    );
}

#[test]
fn a_name_that_is_not_librispeechs_is_refused_or_skipped() {
    for bad in
        ["19/198/19-199-0003.flac", "19/198/intro.flac", "19/19-198-0004.flac", "a/b/a-b-c.flac"]
    {
        let root = corpus();
        let bad = root.path().join(PART).join(bad);
        write(&bad, &flac(&steps(900, 0), 16_000, 1));
        let error = SpeechFiles::librispeech(root.path(), PART, &options()).unwrap_err();
        assert!(
            matches!(&error, Error::Unfit(found) if found.got == bad.display().to_string()),
            "{error}"
        );
        let files = open(&root, &OpenOptions { on_bad: OnBad::Skip, ..options() });
        assert_eq!((files.len(), files.skipped().len()), (4, 1));
    }
}

#[test]
fn two_files_of_one_utterance_are_refused_or_the_second_is_skipped() {
    let root = corpus();
    let twin = path(root.path(), "19-198-0000").with_extension("wav");
    write(&twin, &wav(&steps(900, 0), 16_000, 1));
    let error = SpeechFiles::librispeech(root.path(), PART, &options()).unwrap_err().to_string();
    let expected = format!(
        "sound: expected one file for utterance 19-198-0000, got 19-198-0000.wav as well in {}; remove \
         one",
        twin.display()
    );
    assert_eq!(error, expected);
    let files = open(&root, &OpenOptions { on_bad: OnBad::Skip, ..options() });
    assert_eq!((files.len(), files.skipped().len(), files.info(1).samples), (4, 1, 4_000));
}

#[test]
fn a_list_decides_which_utterances_and_in_which_order() {
    let root = corpus();
    let (_folder, list) = text("train_split.txt", "26-495-0002\n103-1240-0000\r\n\n19-198-0001");
    let selected = open(&root, &options()).select(&SplitList::read(list).unwrap()).unwrap();
    assert_eq!(ids(&selected), ["26-495-0002", "103-1240-0000", "19-198-0001"]);
    assert_eq!(selected.name(), "librispeech/train-clean-100/train_split");
}

#[test]
fn a_name_without_a_file_is_refused_or_skipped() {
    let root = corpus();
    let (_folder, list) = text("test_split.txt", "19-198-0000\n19-198-0009\n");
    let list = SplitList::read(list).unwrap();
    let error = open(&root, &options()).select(&list).unwrap_err().to_string();
    let start = "split list: expected an utterance of librispeech/train-clean-100, got 19-198-0009 at \
                 line 2 in ";
    assert!(error.starts_with(start) && error.contains("test_split.txt"), "{error}");
    let skip = OpenOptions { on_bad: OnBad::Skip, ..options() };
    let selected = open(&root, &skip).select(&list).unwrap();
    assert_eq!((ids(&selected), selected.skipped().len()), (vec!["19-198-0000"], 1));
}

#[test]
fn labels_come_to_their_utterances() {
    let root = corpus();
    let lines = [line("26-495-0002", 3_000), line("19-198-0000", 4_000), line("1-1-0000", 900)];
    let (_folder, labels) = text("converted_aligned_phones.txt", &lines.concat());
    let labels = PhoneLabels::read(labels, 41, OnBad::Refuse).unwrap();
    let files = open(&root, &options()).with_labels(&labels).unwrap();
    assert_eq!((files.len(), files.classes()), (4, 41));
    assert_eq!(labels_of(&files, 1).unwrap().len(), label_count(4_000));
    assert_eq!(labels_of(&files, 0), None);
    assert_eq!(ids(&files.labelled()), ["19-198-0000", "26-495-0002"]);
}

#[test]
fn too_few_or_too_many_labels_are_refused_or_skipped() {
    for (wrong, got) in [(3_000, 17), (3_841, 22), (4_161, 24)] {
        let root = corpus();
        let lines = [line("26-495-0002", 3_000), line("19-198-0000", wrong)];
        let (_folder, labels) = text("labels.txt", &lines.concat());
        let labels = PhoneLabels::read(&labels, 41, OnBad::Refuse).unwrap();
        let error = open(&root, &options()).with_labels(&labels).unwrap_err().to_string();
        let start = format!(
            "phone labels: expected 23 for utterance 19-198-0000 (4000 samples), got {got} at line 2 in "
        );
        assert!(error.starts_with(&start) && error.contains("labels.txt"), "{error}");
        let skip = OpenOptions { on_bad: OnBad::Skip, ..options() };
        let files = open(&root, &skip).with_labels(&labels).unwrap();
        assert_eq!(ids(&files), ["103-1240-0000", "19-198-0001", "26-495-0002"]);
        assert_eq!(files.skipped().len(), 1);
    }
}

#[test]
fn labels_of_hops_are_more_than_labels_of_windows() {
    let root = corpus();
    let words = vec!["1"; 4_000 / 160].join(" ");
    let (_folder, labels) = text("labels.txt", &format!("19-198-0000 {words}\n"));
    let read = || PhoneLabels::read(&labels, 41, OnBad::Refuse).unwrap();
    let files = open(&root, &options()).with_labels(&read().framed(Framing::Hops)).unwrap();
    assert_eq!((labels_of(&files, 1).unwrap().len(), files.info(1).framing), (25, Framing::Hops));
    let error = open(&root, &options()).with_labels(&read()).unwrap_err().to_string();
    assert!(error.contains("expected 23 ") && error.contains("got 25 "), "{error}");
    assert!(error.ends_with("; is this the right file and Framing?"), "{error}");
}

#[test]
fn a_folder_of_wav_files_has_label_files_beside_them() {
    let root = tempfile::tempdir().unwrap();
    for (name, samples) in [("anna/one", 900), ("anna/two", 720), ("bob/one", 560), ("solo", 400)] {
        write(&root.path().join(name).with_extension("wav"), &wav(&steps(samples, 0), 16_000, 1));
    }
    fs::write(root.path().join("anna/one.phones"), "0 1\n2 1\n").unwrap();
    fs::write(root.path().join("bob/one.phones"), "2 2").unwrap();
    let files = SpeechFiles::folder(root.path(), &options())
        .unwrap()
        .with_label_files(3, Framing::Windows)
        .unwrap();
    assert_eq!(ids(&files), ["anna/one", "anna/two", "bob/one", "solo"]);
    assert_eq!(labels_of(&files, 0), Some(&[0, 1, 2, 1][..]));
    assert_eq!((labels_of(&files, 1), labels_of(&files, 2)), (None, Some(&[2, 2][..])));
    assert_eq!(files.info(3).speaker, None);

    fs::write(root.path().join("solo.phones"), "1\n3\n").unwrap();
    let reopened = SpeechFiles::folder(root.path(), &options()).unwrap();
    let error = reopened.with_label_files(3, Framing::Windows).unwrap_err().to_string();
    let start = "phone labels: expected a label in 0..=2, got \"3\" at line 2 in ";
    assert!(error.starts_with(start) && error.contains("solo.phones"), "{error}");
}

fn cached(at: &Path) -> OpenOptions {
    OpenOptions { cache: IndexCache::At(at.to_owned()), ..options() }
}

fn index_use(reused: usize, read: usize) -> IndexUse {
    IndexUse { reused, read, discarded: false, written: read > 0 }
}

#[test]
fn an_index_is_written_once_and_used_ever_after() {
    let root = corpus();
    let beside = OpenOptions::default();
    assert_eq!(open(&root, &beside).index(), index_use(0, 4));
    assert!(root.path().join(PART).join(".clapp-sound-index.json").is_file());
    let again = open(&root, &beside);
    assert_eq!(again.index(), index_use(4, 0));
    assert_eq!(ids(&again), ids(&open(&root, &options())));
    let lengths = |files: &SpeechFiles| -> Vec<usize> {
        (0..files.len()).map(|i| files.info(i).samples).collect()
    };
    assert_eq!(lengths(&again), [5_000, 4_000, 4_100, 3_000]);
}

#[test]
fn changed_files_are_read_again_and_others_are_not() {
    let (root, folder) = (corpus(), tempfile::tempdir().unwrap());
    let options = cached(&folder.path().join("index.json"));
    open(&root, &options);

    // Another length.
    let changed = path(root.path(), "19-198-0000");
    write(&changed, &flac(&steps(9_000, 9), 16_000, 1));
    let files = open(&root, &options);
    assert_eq!((files.index(), files.info(1).samples), (index_use(3, 1), 9_000));

    // The same size at another time.
    write(&changed, &flac(&steps(9_000, 8), 16_000, 1));
    let later = SystemTime::now() + Duration::from_secs(60);
    fs::File::options().write(true).open(&changed).unwrap().set_modified(later).unwrap();
    assert_eq!(open(&root, &options).index(), index_use(3, 1));

    // One more, and one less.
    write(&path(root.path(), "1-1-0000"), &flac(&steps(900, 0), 16_000, 1));
    assert_eq!(open(&root, &options).index(), index_use(4, 1));
    fs::remove_file(&changed).unwrap();
    let files = open(&root, &options);
    assert_eq!((files.index().reused, files.index().written, files.len()), (4, true, 4));
    assert_eq!(open(&root, &options).index(), index_use(4, 0));
}

#[test]
fn a_damaged_index_is_built_anew() {
    let (root, folder) = (corpus(), tempfile::tempdir().unwrap());
    let place = folder.path().join("index.json");
    open(&root, &cached(&place));
    let whole = fs::read(&place).unwrap();
    let digit = whole.windows(4).position(|w| w == b"4100").unwrap();
    let mut changed = whole.clone();
    changed[digit] = b'5';
    let other_version =
        String::from_utf8(whole.clone()).unwrap().replace("\"version\":3", "\"version\":0");
    for damaged in
        [&changed[..], &whole[..whole.len() - 3], b"", b"{}\n[]", other_version.as_bytes()]
    {
        fs::write(&place, damaged).unwrap();
        let files = open(&root, &cached(&place));
        let expected = IndexUse { reused: 0, read: 4, discarded: true, written: true };
        assert_eq!(files.index(), expected);
        assert_eq!(fs::read(&place).unwrap(), whole, "the same files have the same index");
    }
}

#[test]
fn an_index_that_cannot_be_written_is_done_without() {
    let root = corpus();
    let options = cached(Path::new("/no/where/index.json"));
    let expected = IndexUse { reused: 0, read: 4, discarded: false, written: false };
    assert_eq!(open(&root, &options).index(), expected);
}

#[test]
fn samples_are_checked_once_per_file() {
    let (root, folder) = (corpus(), tempfile::tempdir().unwrap());
    let headers = cached(&folder.path().join("index.json"));
    let samples = OpenOptions { check: Check::Samples, ..headers.clone() };
    open(&root, &headers);
    assert_eq!(open(&root, &samples).index(), index_use(0, 4), "headers were not enough");
    assert_eq!(open(&root, &samples).index(), index_use(4, 0));
    assert_eq!(open(&root, &headers).index(), index_use(4, 0), "and samples are more than enough");
}

#[test]
fn bad_files_are_looked_at_every_time() {
    let (root, folder) = (corpus(), tempfile::tempdir().unwrap());
    let options = cached(&folder.path().join("index.json"));
    let skip = OpenOptions { on_bad: OnBad::Skip, ..options };
    write(&path(root.path(), "19-198-0005"), b"not a file of sound");
    for reused in [0, 4] {
        let files = open(&root, &skip);
        assert_eq!((files.len(), files.skipped().len(), files.index().reused), (4, 1, reused));
    }
}
