#![no_main]
#![doc = "Files of compressed sound: FLAC, Ogg, MP4, and MP3 if nothing else is said."]

use std::{fs, path::PathBuf, sync::LazyLock};

use clapp_fuzz::{folder, sound};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(folder);

/// A folder for each kind: a file of one name stands for another.
fn place(kind: &str) -> PathBuf {
    let place = ROOT.path().join(kind);
    fs::create_dir_all(&place).expect("a folder can be made");
    place
}

fuzz_target!(|bytes: &[u8]| {
    let kind = match bytes {
        [b'O', b'g', b'g', b'S', ..] => "ogg",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "m4a",
        [0xff, ..] | [b'I', b'D', b'3', ..] => "mp3",
        _ => "flac",
    };
    sound(&place(kind), &format!("a.{kind}"), bytes);
});
