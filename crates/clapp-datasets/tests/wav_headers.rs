//! Hundreds of WAV headers, as programs write them: read as ffmpeg reads them, or refused; never something else.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use clapp_datasets::Source;
use clapp_datasets::sound::{Check, IndexCache, OpenOptions, SpeechFiles};
use common::ffmpeg;

/// An odd number, so that 8 bits need a byte of padding.
const SAMPLES: usize = 601;
const RATE: u32 = 16_000;

/// How samples are described: tag, bits, bytes of one, whether extensible, valid bits.
type Form = (u16, u16, usize, bool, u16);

const FORMS: [Form; 14] = [
    (1, 8, 1, false, 0),
    (1, 16, 2, false, 0),
    (1, 24, 3, false, 0),
    (1, 32, 4, false, 0),
    (1, 12, 2, false, 0),
    (3, 32, 4, false, 0),
    (3, 64, 8, false, 0),
    (1, 8, 1, true, 8),
    (1, 16, 2, true, 16),
    (1, 24, 3, true, 20),
    (1, 32, 4, true, 24), // refused: three bytes of four
    (1, 32, 4, true, 32),
    (3, 32, 4, true, 32),
    (3, 64, 8, true, 0),
];
/// What stands between the description and the samples.
const BEFORE: [&str; 5] = ["", "LIST", "JUNK", "bext", "fact"];
/// What the header says of lengths, and what follows the samples.
const LENGTHS: [&str; 10] = [
    "exact",
    "ffffffff",
    "zero",
    "unpatched",
    "7fffffff",
    "7ffff000",
    "RF64",
    "riff wrong",
    "LIST behind",
    "partial sample",
];

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn chunk(name: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes.extend(vec![0; body.len() % 2]);
    bytes
}

fn described((tag, bits, bytes, extensible, valid): Form, channels: u16) -> Vec<u8> {
    let block = channels * bytes as u16;
    let mut form = (if extensible { 0xfffe } else { tag }).to_le_bytes().to_vec();
    form.extend(channels.to_le_bytes());
    form.extend(RATE.to_le_bytes());
    form.extend((RATE * u32::from(block)).to_le_bytes());
    form.extend(block.to_le_bytes());
    form.extend(bits.to_le_bytes());
    if extensible {
        form.extend(22_u16.to_le_bytes());
        form.extend(valid.to_le_bytes());
        form.extend(4_u32.to_le_bytes());
        form.extend(tag.to_le_bytes());
        form.extend(*b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    }
    form
}

/// Samples whose bytes take all values, as far as they are amplitudes.
fn samples((tag, _, bytes, ..): Form, seed: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for i in 0..SAMPLES {
        let word = (i * 31 + seed * 97_003) as u64;
        let word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let amplitude = (word >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
        match (tag, bytes) {
            (3, 4) => all.extend((amplitude as f32).to_le_bytes()),
            (3, _) => all.extend(amplitude.to_le_bytes()),
            _ => all.extend(&word.to_be_bytes()[..bytes]),
        }
    }
    all
}

fn file(form: Form, before: &str, length: &str, seed: usize) -> Vec<u8> {
    let content = samples(form, seed);
    let mut body = b"WAVE".to_vec();
    if length == "RF64" {
        let size = content.len() as u64;
        let numbers = [size + 500, size, SAMPLES as u64].map(u64::to_le_bytes).concat();
        body.extend(chunk("ds64", &[&numbers[..], &[0; 4]].concat()));
    }
    body.extend(chunk("fmt ", &described(form, 1)));
    match before {
        "" => {}
        "fact" => body.extend(chunk("fact", &(SAMPLES as u32).to_le_bytes())),
        "bext" => body.extend(chunk("bext", &[7; 602])),
        odd => body.extend(chunk(odd, b"INFOISFT\x05\0\0\0Lavf\0")),
    }
    let mut data = chunk("data", &content);
    let riff = match length {
        "ffffffff" | "RF64" => u32::MAX,
        "zero" => 0,
        "unpatched" => body.len() as u32 + 8,
        "7fffffff" | "7ffff000" => u32::from_str_radix(length, 16).unwrap(),
        "riff wrong" => 17,
        _ => (body.len() + data.len()) as u32,
    };
    match length {
        "ffffffff" | "RF64" => data[4..8].fill(0xff),
        "zero" | "unpatched" => data[4..8].fill(0),
        "7fffffff" | "7ffff000" => data[4..8].copy_from_slice(&riff.to_le_bytes()),
        _ => {}
    }
    // A stream does not know either that it needs a byte more.
    if !["exact", "RF64", "riff wrong", "LIST behind"].contains(&length) {
        data.truncate(8 + content.len());
    }
    match length {
        "LIST behind" => data.extend(chunk("LIST", b"INFO")),
        "partial sample" => {
            data[4..8].fill(0xff);
            data.extend(vec![1; form.2 - 1]);
        }
        _ => {}
    }
    let name: &[u8] = if length == "RF64" { b"RF64" } else { b"RIFF" };
    [name, &riff.to_le_bytes(), &body, &data].concat()
}

/// What ffmpeg reads in files; it ends with an error if it cannot read one of them.
fn reference(root: &Path, ids: &[String]) -> Vec<Vec<f32>> {
    let raw = |id: &String| root.join(format!("{id}.raw"));
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y"]);
    for id in ids {
        command.arg("-i").arg(root.join(format!("{id}.wav")));
    }
    for (number, id) in ids.iter().enumerate() {
        command.args(["-map", &number.to_string(), "-f", "f32le"]).arg(raw(id));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |id| std::fs::read(raw(id)).unwrap();
    let words = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    ids.iter().map(|id| read(id).chunks_exact(4).map(words).collect()).collect()
}

#[test]
fn every_header_is_read_as_ffmpeg_reads_it_or_refused() {
    if ffmpeg().is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let mut refused = Vec::new();
    for (number, form) in FORMS.into_iter().enumerate() {
        for (place, before) in BEFORE.into_iter().enumerate() {
            for (way, length) in LENGTHS.into_iter().enumerate() {
                let name = format!("{number:02}{place}{way}.wav");
                write(&root.path().join(&name), &file(form, before, length, number + place + way));
                refused.extend((form.4 == 24).then_some(name));
            }
        }
    }
    let options = OpenOptions {
        cache: IndexCache::Nowhere,
        check: Check::Samples,
        on_bad: clapp_datasets::OnBad::Skip,
        ..OpenOptions::default()
    };
    let files = SpeechFiles::folder(root.path(), &options).unwrap();
    let all = FORMS.len() * BEFORE.len() * LENGTHS.len();
    let texts: Vec<String> = files.skipped().iter().map(ToString::to_string).collect();
    assert_eq!((files.len(), texts.len()), (all - refused.len(), refused.len()), "{texts:?}");
    for (text, name) in texts.iter().zip(refused) {
        assert!(text.contains("24 valid bits of 32") && text.contains(&name), "{text}");
    }
    let ids: Vec<String> = (0..files.len()).map(|index| files.info(index).id.clone()).collect();
    for (part, ids) in ids.chunks(50).enumerate() {
        for (place, expected) in reference(root.path(), ids).iter().enumerate() {
            let index = 50 * part + place;
            assert_eq!(&files.get(index).unwrap().samples, expected, "{}", ids[place]);
            assert_eq!(expected.len(), SAMPLES, "{}", ids[place]);
        }
    }
}

/// What opening a single file says.
fn said(bytes: &[u8]) -> String {
    let root = tempfile::tempdir().unwrap();
    let path: PathBuf = root.path().join("anna/a.wav");
    write(&path, bytes);
    let options =
        OpenOptions { cache: IndexCache::Nowhere, check: Check::Samples, ..OpenOptions::default() };
    let text = SpeechFiles::folder(root.path(), &options).unwrap_err().to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    text
}

#[test]
fn what_is_not_read_is_refused_in_its_own_words() {
    let good = file(FORMS[1], "", "exact", 0);
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let twice = [&good[..], &chunk("data", &[1, 2])].concat();
    let mut long = file(FORMS[1], "", "RF64", 0);
    // Ten bytes and the padding: an odd number of bytes has one.
    let content = samples(FORMS[1], 0).len();
    long.truncate(long.len() - content % 2 - 10);
    for (bytes, words) in [
        (with(20, &[7, 0]), "compressed samples (format 0x0007)"),
        (with(20, &[2, 0]), "compressed samples (format 0x0002)"),
        (with(34, &[4, 0]), "samples of 4 bits"),
        (with(0, b"RIFX"), "highest byte first"),
        (with(0, b"OggS"), "does not begin as WAV does"),
        (with(32, &[3, 0]), "1 channels of 16 bits in 3 bytes"),
        (with(22, &[0, 0]), "0 channels"),
        (with(40, &[0, 0, 0, 0x10]), "got 601 in "),
        (with(40, &[1, 0, 0, 0]), "an incomplete last sample"),
        (with(12, b"JUNK"), "samples before their description"),
        (with(36, b"JUNK"), "no samples"),
        (with(24, &[0; 4]), "expected 16000 Hz, got 0 Hz"),
        (twice, "two chunks of samples"),
        (
            [&good[..], &chunk("fmt ", &described(FORMS[0], 1))].concat(),
            "two descriptions of samples",
        ),
        ([&good[..12], &[0; 20_000]].concat(), "more than 1000 chunks"),
        (good[..36].to_vec(), "no samples"),
        (long, &format!("got {} in ", SAMPLES - 5)),
        (good[..11].to_vec(), "ends within its header"),
    ] {
        let text = said(&bytes);
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn chunks_without_their_padding_and_zeros_behind_the_samples_change_nothing() {
    let form = FORMS[1];
    let (good, content) = (file(form, "", "exact", 0), samples(form, 0));
    let mut unpadded = chunk("LIST", b"INFOISFT\x05\0\0\0Lavf\0");
    assert_eq!(unpadded.len() % 2, 0);
    unpadded.pop();
    for bytes in [
        [&good[..36], &unpadded, &good[36..]].concat(),
        [&good[..36], &unpadded, &[0], &good[36..]].concat(),
        [&good[..], &[0; 20_000]].concat(),
    ] {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("a.wav"), &bytes);
        let options = OpenOptions { cache: IndexCache::Nowhere, ..OpenOptions::default() };
        let read = SpeechFiles::folder(root.path(), &options).unwrap().get(0).unwrap().samples;
        let expected = content.chunks_exact(2).map(|s| f32::from(i16::from_le_bytes([s[0], s[1]])));
        assert_eq!(read, expected.map(|sample| sample / 32_768.0).collect::<Vec<_>>());
    }
}

#[test]
fn amplitudes_that_are_none_are_found_with_file_and_place() {
    for (form, value) in
        [(FORMS[5], "NaN"), (FORMS[5], "inf"), (FORMS[5], "-32000"), (FORMS[6], "1e300")]
    {
        let mut bytes = file(form, "", "exact", 0);
        let at = 44 + 411 * form.2;
        match form.2 {
            4 => bytes[at..at + 4].copy_from_slice(&value.parse::<f32>().unwrap().to_le_bytes()),
            _ => bytes[at..at + 8].copy_from_slice(&value.parse::<f64>().unwrap().to_le_bytes()),
        }
        let text = said(&bytes);
        assert!(text.starts_with("wav: expected amplitudes about ±1, got "), "{text}");
        assert!(text.contains(" at sample 411 in "), "{text}");
    }
}
