//! Downloads from a small server on this machine: continued, checked, unpacked without trust.
//!
//! Where a proxy is set, the environment has to exempt 127.0.0.1 from it (`NO_PROXY`).

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clapp_datasets::download::{Archive, Contents, Progress, download, fetch, fetch_within};
use clapp_random::{Purpose, stream};
use clapp_testing::{assert_says, names};
use md5::{Digest, Md5};
use rand::RngExt;
use tar::{Builder, EntryType, Header};

/// How the server behaves.
#[derive(Clone, Copy)]
enum Manner {
    /// Answers with the range asked for.
    Ranges,
    /// Always sends everything.
    NoRanges,
    /// Sends everything up to this byte, then hangs up.
    CutAt(usize),
    /// Sends everything up to this byte, then nothing, and does not hang up.
    StallAt(usize),
    /// Sends everything and does not say how much that is.
    NoLength,
    /// Answers any range with a part that begins at 1.
    WrongRange,
    /// Answers with this status only.
    Status(u16),
}

/// Serves `content`; returns the address and, per request, the value of its Range header.
fn serve(content: Vec<u8>, manner: Manner) -> (String, Arc<Mutex<Vec<Option<String>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/set.tar.gz", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let requests = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &content, manner, &requests);
        }
    });
    (url, asked)
}

fn answer(
    mut stream: TcpStream,
    content: &[u8],
    manner: Manner,
    asked: &Mutex<Vec<Option<String>>>,
) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("range").then(|| value.to_owned())
    });
    asked.lock().unwrap().push(range.clone());
    let start = range.map(|r| r["bytes=".len()..r.len() - 1].parse::<usize>().unwrap());
    let (status, from, until) = match (manner, start) {
        (Manner::Ranges, Some(start)) => (206, start, content.len()),
        (Manner::WrongRange, Some(_)) => (206, 1, content.len()),
        (Manner::CutAt(end) | Manner::StallAt(end), _) => (200, 0, end),
        (Manner::Status(status), _) => (status, 0, 0),
        _ => (200, 0, content.len()),
    };
    let length = content.len() - from;
    let last = content.len() - 1;
    let range = match status {
        206 => format!("Content-Range: bytes {from}-{last}/{}\r\n", content.len()),
        _ => String::new(),
    };
    let length = match manner {
        Manner::NoLength => String::new(),
        _ => format!("Content-Length: {length}\r\n"),
    };
    let head = format!("HTTP/1.1 {status} X\r\n{length}Connection: close\r\n{range}\r\n");
    let _ = stream.write_all(head.as_bytes()); // the client may have hung up
    let _ = stream.write_all(&content[from..until]);
    if let Manner::StallAt(_) = manner {
        // Until the client hangs up.
        let _ = std::io::Read::read(&mut stream, &mut [0]);
    }
}

/// An entry of a tar archive, with a path that `tar` would refuse to write.
fn entry(path: &str, kind: EntryType, data: &[u8]) -> (Header, Vec<u8>) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(data.len() as u64);
    header.set_cksum();
    (header, data.to_vec())
}

fn file(path: &str, data: &[u8]) -> (Header, Vec<u8>) {
    entry(path, EntryType::Regular, data)
}

fn pack(entries: &[(Header, Vec<u8>)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = Builder::new(gzip);
    for (header, data) in entries {
        tar.append(header, data.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// An archive with noise in it, so that it is longer than one read.
fn good() -> Vec<u8> {
    let mut draws = stream(0, Purpose::Test, [0; 4]);
    let noise: Vec<u8> = (0..300_000).map(|_| draws.random()).collect();
    pack(&[
        entry("set/", EntryType::Directory, &[]),
        file("set/images.bin", &noise),
        file("./set/names.txt", b"cat\n"),
        file("set/readme.html", b"not needed"),
    ])
}

fn archive(url: String, content: &[u8]) -> Archive {
    Archive {
        url,
        name: "set.tar.gz".into(),
        bytes: content.len() as u64,
        md5: Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
        folder: "set".into(),
        contents: Contents::Files(vec!["images.bin".into(), "names.txt".into()]),
    }
}

fn quiet(_: Progress) {}

/// `content` on a server, described as the genuine archive.
fn served(content: &[u8], manner: Manner) -> Archive {
    archive(serve(content.to_vec(), manner).0, content)
}

#[test]
fn an_archive_is_fetched_checked_and_unpacked() {
    let root = tempfile::tempdir().unwrap();
    let (url, asked) = serve(good(), Manner::Ranges);
    let mut seen = Vec::new();
    let archive = archive(url, &good());
    let folder = download(&archive, root.path(), &mut |p| seen.push(p)).unwrap();
    assert_eq!(folder, root.path().join("set"));
    assert_eq!(names(&folder), ["images.bin", "names.txt"]);
    assert_eq!(names(root.path()), ["set", "set.tar.gz"]);
    assert_eq!(fs::read(folder.join("names.txt")).unwrap(), b"cat\n");
    assert_eq!(seen[0], Progress { received: 0, total: archive.bytes });
    assert_eq!(seen.last().unwrap().received, archive.bytes);
    assert!(seen.is_sorted_by(|a, b| a.received < b.received));

    download(&archive, root.path(), &mut quiet).unwrap();
    assert_eq!(*asked.lock().unwrap(), [None], "the second call asks for nothing");
}

#[test]
fn an_interrupted_download_is_continued() {
    let root = tempfile::tempdir().unwrap();
    let cut = served(&good(), Manner::CutAt(100_000));
    let error = fetch(&cut, root.path(), &mut quiet).unwrap_err();
    assert_says(&error, "download: expected an answer, got ", "a partial download is resumed");
    let part = root.path().join("set.tar.gz.part");
    assert_eq!(fs::read(&part).unwrap(), good()[..100_000]);

    let (url, asked) = serve(good(), Manner::Ranges);
    let mut first = None;
    let whole = fetch(&archive(url, &good()), root.path(), &mut |p| {
        first.get_or_insert(p.received);
    });
    assert_eq!(fs::read(whole.unwrap()).unwrap(), good());
    assert_eq!(first, Some(100_000));
    assert_eq!(*asked.lock().unwrap(), [Some("bytes=100000-".to_owned())]);
    assert_eq!(names(root.path()), ["set.tar.gz"]);
}

#[test]
fn a_server_that_falls_silent_is_left_and_the_download_continued() {
    let root = tempfile::tempdir().unwrap();
    let patience = Duration::from_millis(300);
    for (at, held) in [(0, 0), (100_000, 100_000)] {
        let stalled = served(&good(), Manner::StallAt(at));
        let begun = Instant::now();
        let error = fetch_within(patience, &stalled, root.path(), &mut quiet).unwrap_err();
        assert_says(&error, "download: expected an answer, got ", "a partial download is resumed");
        // Ten times the patience: a busy machine.
        assert!(begun.elapsed() < 10 * patience, "{:?}", begun.elapsed());
        let part = fs::read(root.path().join("set.tar.gz.part")).unwrap();
        assert_eq!(part, good()[..held]);
    }
    // Nor is one waited for that accepts a connection and never answers.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/set.tar.gz", mute.local_addr().unwrap());
    assert!(fetch_within(patience, &archive(url, &good()), root.path(), &mut quiet).is_err());
    let whole = fetch(&served(&good(), Manner::Ranges), root.path(), &mut quiet).unwrap();
    assert_eq!(fs::read(whole).unwrap(), good());
}

#[test]
fn the_second_of_two_downloads_at_once_is_told_and_disturbs_nothing() {
    let root = tempfile::tempdir().unwrap();
    let archive = served(&good(), Manner::Ranges);
    let mut told = None;
    let whole = fetch(&archive, root.path(), &mut |_| {
        told.get_or_insert_with(|| fetch(&archive, root.path(), &mut quiet).unwrap_err());
    });
    assert_eq!(fs::read(whole.unwrap()).unwrap(), good());
    let start = "download: expected nobody else to fetch the archive, got another process in ";
    assert_says(&told.unwrap(), start, "wait for the other process");
    assert_eq!(names(root.path()), ["set.tar.gz"]);
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    for manner in [Manner::NoRanges, Manner::WrongRange] {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("set.tar.gz.part"), [1; 500]).unwrap();
        let whole = fetch(&served(&good(), manner), root.path(), &mut quiet).unwrap();
        assert_eq!(fs::read(whole).unwrap(), good());
    }
}

#[test]
fn a_complete_part_is_checked_without_asking() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("set.tar.gz.part"), good()).unwrap();
    let archive = archive("http://127.0.0.1:1/".into(), &good());
    fetch(&archive, root.path(), &mut quiet).unwrap();
    assert_eq!(names(root.path()), ["set.tar.gz"]);
}

#[test]
fn a_wrong_checksum_removes_the_download() {
    let root = tempfile::tempdir().unwrap();
    let mut content = good();
    let genuine = archive(String::new(), &content);
    content[70_000] ^= 1;
    let (url, _) = serve(content, Manner::Ranges);
    let error = download(&Archive { url, ..genuine.clone() }, root.path(), &mut quiet).unwrap_err();
    assert_says(
        &&error,
        &format!("checksum: expected md5 {}, got ", genuine.md5),
        "set.tar.gz.part; it was removed",
    );
    assert!(names(root.path()).is_empty());
}

#[test]
fn an_existing_archive_is_never_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("set.tar.gz");
    fs::write(&whole, b"precious").unwrap();
    let (url, asked) = serve(good(), Manner::Ranges);
    let error = download(&archive(url, &good()), root.path(), &mut quiet).unwrap_err();
    assert_says(&error, "archive: expected ", "got 8 in ");
    assert_says(&error, "archive: ", "set.tar.gz; remove the file to download it again");
    assert_eq!(fs::read(whole).unwrap(), b"precious");
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("set")).unwrap();
    fs::write(root.path().join("set/names.txt"), b"dog\n").unwrap();
    let archive = served(&good(), Manner::Ranges);
    let folder = download(&archive, root.path(), &mut quiet).unwrap();
    assert_eq!(fs::read(folder.join("names.txt")).unwrap(), b"dog\n");
    assert_eq!(names(&folder), ["images.bin", "names.txt"]);
}

#[test]
fn what_a_server_gets_wrong_is_reported() {
    let genuine = served(&good(), Manner::Ranges);
    let silent = served(&good(), Manner::NoLength);
    let refusing = served(&good(), Manner::Status(404));
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{unused}/set.tar.gz");
    for (archive, start, place) in [
        (
            Archive { bytes: 1_000, ..genuine.clone() },
            "archive: expected 1000 bytes, got ",
            "set.tar.gz; nothing was kept of it",
        ),
        (
            Archive { bytes: 1_000, ..silent.clone() },
            "archive: expected 1000 bytes, got ",
            "set.tar.gz.part; the partial file was emptied",
        ),
        (
            Archive { bytes: 1_000_000, ..silent },
            "archive: expected 1000000 bytes, got ",
            "run again to continue",
        ),
        (
            refusing.clone(),
            "download: expected status 200 or 206, got 404 in ",
            refusing.url.as_str(),
        ),
        (
            Archive { url: url.clone(), ..genuine },
            "download: expected an answer, got ",
            url.as_str(),
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        assert_says(&fetch(&archive, root.path(), &mut quiet).unwrap_err(), start, place);
    }
}

/// Nothing but the archive itself remains of it.
fn assert_leaves_nothing(archive: &Archive, start: &str, place: &str) {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    assert_says(&download(archive, &root, &mut quiet).unwrap_err(), start, place);
    assert_eq!(names(outer.path()), ["root"]);
    assert_eq!(names(&root), ["set.tar.gz"]);
}

#[test]
fn an_archive_that_reaches_outside_its_folder_leaves_nothing() {
    let evil = [
        file("../evil", b"evil"),
        file("set/../../evil", b"evil"),
        file("/tmp/evil", b"evil"),
        entry("set/names.txt", EntryType::Symlink, &[]),
        entry("set/names.txt", EntryType::Link, &[]),
        entry("set/pipe", EntryType::Fifo, &[]),
    ];
    for entry in evil {
        let path = entry.0.path().unwrap().display().to_string();
        let content = pack(&[file("set/images.bin", b"first"), entry]);
        let start = format!("unpack: expected plain files below set/, got {path:?} in ");
        let place = "set.tar.gz; do not trust this archive";
        assert_leaves_nothing(&served(&content, Manner::Ranges), &start, place);
    }
}

#[test]
fn an_incomplete_archive_leaves_nothing() {
    let lacking = pack(&[file("set/names.txt", b"cat\n")]);
    for (archive, start, place) in [
        (
            served(&lacking, Manner::Ranges),
            "set: expected file images.bin, got no such file in ",
            "set.tar.gz; ",
        ),
        (
            served(&good()[..100_000], Manner::Ranges),
            "unpack: expected success, got ",
            "set.tar.gz; check that",
        ),
        (
            tree_archive(&tree(), 3),
            "speech/part: expected file .flac number 3 of 3, got no such file in ",
            "set.tar.gz; ",
        ),
    ] {
        assert_leaves_nothing(&archive, start, place);
    }
}

/// A tree of two utterances, and files beside them.
fn tree() -> Vec<u8> {
    pack(&[
        file("speech/README.TXT", b"not below the part"),
        entry("speech/part/", EntryType::Directory, &[]),
        file("speech/part/19/198/19-198-0000.flac", b"one"),
        file("speech/part/19/198/19-198.trans.txt", b"19-198-0000 NORTHANGER ABBEY"),
        file("speech/part/26/495/26-495-0000.flac", b"two"),
    ])
}

fn tree_archive(content: &[u8], files: usize) -> Archive {
    let contents = Contents::Tree { ending: ".flac".into(), files };
    Archive { folder: "speech/part".into(), contents, ..served(content, Manner::Ranges) }
}

#[test]
fn a_tree_is_unpacked_with_its_folders() {
    let root = tempfile::tempdir().unwrap();
    let archive = tree_archive(&tree(), 2);
    let folder = download(&archive, root.path(), &mut quiet).unwrap();
    assert_eq!(folder, root.path().join("speech/part"));
    assert_eq!(names(root.path()), ["set.tar.gz", "speech"]);
    assert_eq!(names(&root.path().join("speech")), ["part"]);
    assert_eq!(names(&folder.join("19/198")), ["19-198-0000.flac"]);
    assert_eq!(fs::read(folder.join("26/495/26-495-0000.flac")).unwrap(), b"two");

    // Complete: nothing is asked for. One gone: it comes back, and the other stays as it is.
    fs::remove_file(root.path().join("set.tar.gz")).unwrap();
    download(&archive, root.path(), &mut quiet).unwrap();
    assert_eq!(names(root.path()), ["speech"]);
    fs::remove_file(folder.join("26/495/26-495-0000.flac")).unwrap();
    fs::write(folder.join("19/198/19-198-0000.flac"), b"mine").unwrap();
    download(&archive, root.path(), &mut quiet).unwrap();
    assert_eq!(fs::read(folder.join("26/495/26-495-0000.flac")).unwrap(), b"two");
    assert_eq!(fs::read(folder.join("19/198/19-198-0000.flac")).unwrap(), b"mine");
}

#[test]
fn the_official_archives_are_described_in_full() {
    for archive in
        [Archive::stl10(), Archive::cifar10(), Archive::cifar100(), Archive::librispeech()]
    {
        assert!(archive.url.ends_with(&archive.name) && archive.name.ends_with(".tar.gz"));
        assert!(archive.md5.len() == 32 && archive.md5.bytes().all(|b| b.is_ascii_hexdigit()));
        match archive.contents {
            Contents::Files(files) => assert!(files.len() > 2, "{files:?}"),
            Contents::Tree { ending, files } => {
                assert_eq!((ending.as_str(), files), (".flac", 28_539))
            }
        }
    }
}
