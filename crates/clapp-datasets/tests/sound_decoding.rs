//! Sound files: every sample as it was stored, and every way a file can be damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::fs;
use std::path::{Path, PathBuf};

use clapp_datasets::sound::{Check, IndexCache, OpenOptions, Rates, SpeechFiles};
use clapp_datasets::{OnBad, Source};
use clapp_testing::assert_says;
use tempfile::TempDir;

mod sound_files;
use sound_files::{amplitudes, flac, steps, wav, write};

fn options() -> OpenOptions {
    OpenOptions { cache: IndexCache::Nowhere, ..OpenOptions::default() }
}

fn thorough() -> OpenOptions {
    OpenOptions { check: Check::Samples, ..options() }
}

/// A folder with one file.
fn one(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(name);
    write(&path, bytes);
    (root, path)
}

/// The same sound in both formats, with a name for its file.
fn both(steps: &[i16], rate: u32, channels: usize) -> [(&'static str, Vec<u8>); 2] {
    let wav = wav(steps, rate, channels as u16);
    [("a.flac", flac(steps, rate, channels)), ("a.wav", wav)]
}

fn open(root: &TempDir, options: &OpenOptions) -> SpeechFiles {
    SpeechFiles::folder(root.path(), options).unwrap()
}

#[track_caller]
fn assert_refused(root: &TempDir, options: &OpenOptions, start: &str, place: &Path) {
    let text = SpeechFiles::folder(root.path(), options).unwrap_err().to_string();
    assert_says(&text, start, &place.display().to_string());
    // The same file beside a good one: skipped, with the same text.
    write(&root.path().join("good.wav"), &wav(&steps(500, 1), 16_000, 1));
    let options = OpenOptions { on_bad: OnBad::Skip, ..options.clone() };
    let files = SpeechFiles::folder(root.path(), &options).unwrap();
    assert_eq!((files.len(), files.info(0).id.as_str()), (1, "good"));
    assert_eq!(files.skipped().len(), 1);
    assert_eq!(files.skipped().iter().next().unwrap().to_string(), text);
}

#[test]
fn compressed_flac_of_another_encoder_is_read_as_it_was() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sound_fixture");
    let files = SpeechFiles::folder(root, &thorough()).unwrap();
    let formula = |i: i32| (31 * i % 2_400 - 1_200).abs() * 8 - 4_800 + (i * i % 7 * 7_919) % 7;
    let expected: Vec<i16> = (0..5_000).map(|i| formula(i) as i16).collect();
    assert_eq!(files.get(0).unwrap().samples, amplitudes(&expected));
}

#[test]
fn any_part_of_a_file_is_read_as_it_was() {
    let expected = steps(60_000, 3);
    for (name, bytes) in both(&expected, 16_000, 1) {
        let (root, _) = one(name, &bytes);
        let files = open(&root, &options());
        assert_eq!(files.info(0).samples, 60_000);
        assert_eq!(files.get(0).unwrap().samples, amplitudes(&expected));
        // Before and after the place from which on the frame is looked for; at and around the edges
        // of frames; to the very end.
        for start in [0, 1, 1_023, 1_024, 12_287, 12_288, 40_959, 40_960, 40_961, 59_000] {
            let mut part = vec![0.0; 1_000];
            files.read(0, (start, &mut part)).unwrap();
            assert_eq!(part, amplitudes(&expected[start..start + 1_000]), "{name} from {start}");
        }
    }
}

#[test]
fn wav_files_of_other_formats_are_read_as_amplitudes() {
    let write = |bits_per_sample, sample_format, samples: &[f32]| {
        let (channels, sample_rate) = (1, 16_000);
        let spec = hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for &sample in samples {
            match sample_format {
                hound::SampleFormat::Float => writer.write_sample(sample).unwrap(),
                hound::SampleFormat::Int => {
                    let scale = 2.0_f32.powi(i32::from(bits_per_sample) - 1);
                    writer.write_sample((sample * scale) as i32).unwrap();
                }
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    };
    let samples = [-1.0, -0.5, 0.0, 0.25, 0.75];
    for (bits, format) in [
        (8, hound::SampleFormat::Int),
        (24, hound::SampleFormat::Int),
        (32, hound::SampleFormat::Int),
        (32, hound::SampleFormat::Float),
    ] {
        let (root, _) = one("a.WAV", &write(bits, format, &samples));
        assert_eq!(open(&root, &options()).get(0).unwrap().samples, samples, "{bits} bits");
    }
}

#[test]
fn another_rate_is_refused_with_advice() {
    for (name, bytes) in both(&steps(5_000, 0), 44_100, 1) {
        let (root, path) = one(name, &bytes);
        let start = "sample rate: expected 16000 Hz, got 44100 Hz in ";
        assert_refused(&root, &options(), start, &path);
        let text = SpeechFiles::folder(root.path(), &options()).unwrap_err().to_string();
        assert!(text.ends_with("(data.rates=resample)"), "{text}");
    }
}

#[test]
fn another_rate_is_resampled_on_request() {
    let tone = |rate: f32, count: usize| -> Vec<i16> {
        let wave = |i: usize| (i as f32 * 440.0 / rate * std::f32::consts::TAU).sin();
        (0..count).map(|i| (wave(i) * 16_000.0) as i16).collect()
    };
    let (root, _) = one("a.flac", &flac(&tone(48_000.0, 48_000), 48_000, 1));
    let files = open(&root, &OpenOptions { rates: Rates::Resample, ..options() });
    assert_eq!(files.info(0).samples, 16_000);
    let expected = amplitudes(&tone(16_000.0, 16_000));
    let mut part = vec![0.0; 4_000];
    files.read(0, (6_000, &mut part)).unwrap();
    // Half a sample of 48 kHz at 440 Hz, half of full scale, and rounding to 16 bits.
    let bound = 0.5 * std::f32::consts::TAU * 440.0 * 0.5 / 48_000.0 + 1e-3;
    let differences = part.iter().zip(&expected[6_000..]).map(|(a, b)| (a - b).abs());
    assert!(differences.fold(0.0, f32::max) < bound);
}

#[test]
fn rates_of_no_sound_are_refused_before_they_are_resampled() {
    let options = OpenOptions { rates: Rates::Resample, ..options() };
    let whole = wav(&steps(2_000, 0), 16_000, 1);
    for rate in [0, 1, 999, 768_001, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[24..28].copy_from_slice(&rate.to_le_bytes());
        let (root, path) = one("a.wav", &bytes);
        let start = format!("sample rate: expected 1000 to 768000 Hz, got {rate} Hz in ");
        assert_refused(&root, &options, &start, &path);
    }
    for rate in [1_000, 767_999] {
        let mut bytes = whole.clone();
        bytes[24..28].copy_from_slice(&u32::to_le_bytes(rate));
        let (root, _) = one("a.wav", &bytes);
        let files = open(&root, &options);
        assert_eq!(
            files.get(0).unwrap().samples.len() as u64,
            (2_000 * 16_000_u64).div_ceil(rate.into())
        );
    }
}

#[test]
fn stereo_is_refused() {
    for (name, bytes) in both(&steps(5_000, 0), 16_000, 2) {
        let (root, path) = one(name, &bytes);
        assert_refused(&root, &options(), "channels: expected 1 (mono), got 2 in ", &path);
    }
}

#[test]
fn a_truncated_file_is_found_at_once_or_by_a_thorough_check_or_when_it_is_read() {
    let bytes = wav(&steps(5_000, 0), 16_000, 1); // 44 bytes are the header
    let (root, path) = one("a.wav", &bytes[..7_000]);
    assert_refused(&root, &options(), "wav: expected 5000 samples, got 3478 in ", &path);

    let bytes = flac(&steps(5_000, 0), 16_000, 1);
    let (root, path) = one("a.flac", &bytes[..7_000]);
    let start = "flac: expected 5000 samples, got 3072 in "; // three whole frames
    let files = open(&root, &options());
    let text = files.get(0).unwrap_err().to_string();
    assert!(text.starts_with(start) && text.ends_with("; is the file complete?"), "{text}");
    // What lies before the end can still be read.
    files.read(0, (0, &mut [0.0; 3_000])).unwrap();
    assert_refused(&root, &thorough(), start, &path);
}

#[test]
fn a_damaged_frame_is_found_by_its_checksum() {
    let mut bytes = flac(&steps(5_000, 0), 16_000, 1);
    bytes[5_000] ^= 4; // within the third frame
    let (root, path) = one("a.flac", &bytes);
    let files = open(&root, &options());
    files.read(0, (0, &mut [0.0; 2_048])).unwrap();
    let text = files.get(0).unwrap_err().to_string();
    assert!(text.starts_with("flac: expected "), "{text}");
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert_refused(&root, &thorough(), "flac: expected ", &path);
}

#[test]
fn samples_that_differ_from_their_md5_sum_are_refused() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sound_fixture/triangle.flac");
    let mut bytes = fs::read(fixture).unwrap();
    bytes[30] ^= 1; // within the sum
    let (root, path) = one("a.flac", &bytes);
    let start =
        "flac: expected sound that decodes, got \"samples that differ from their MD5 sum\" in ";
    assert_refused(&root, &thorough(), start, &path);
}

#[test]
fn what_is_no_sound_is_refused() {
    for (name, bytes) in [
        ("a.flac", &b""[..]),
        ("a.wav", b""),
        ("a.flac", b"fLaC"),
        ("a.flac", b"<html>404</html>"),
        ("a.wav", b"<html>404</html>"),
        ("a.flac", &flac(&steps(5_000, 0), 16_000, 1)[..42]), // a header without a frame
    ] {
        let (root, path) = one(name, bytes);
        let start = format!("{}: expected sound that decodes, got \"", &name[2..]);
        assert_refused(&root, &options(), &start, &path);
    }
}

#[test]
fn a_header_that_announces_far_too_much_is_refused() {
    let mut bytes = flac(&steps(5_000, 0), 16_000, 1);
    bytes[21] |= 0x0f; // the highest of 36 bits
    let (root, path) = one("a.flac", &bytes);
    let start = "flac: expected 64424514440 samples, got 5000 in ";
    assert_refused(&root, &options(), start, &path);
}

#[test]
fn silence_is_found_by_a_thorough_check() {
    for (name, bytes) in
        [("a.flac", flac(&[0; 3_000], 16_000, 1)), ("a.wav", wav(&[7; 3_000], 16_000, 1))]
    {
        let (root, path) = one(name, &bytes);
        assert_eq!(open(&root, &options()).len(), 1);
        let start = "sound: expected a signal, got 3000 samples of silence in ";
        assert_refused(&root, &thorough(), start, &path);
    }
}

#[test]
fn files_without_a_sample_are_silence() {
    let (root, path) = one("a.wav", &wav(&[], 16_000, 1));
    let start = "sound: expected a signal, got 0 samples of silence in ";
    assert_refused(&root, &options(), start, &path);
}

#[test]
fn a_folder_of_other_formats_says_which_are_read() {
    let (root, path) = one("anna/a.opus", b"OggS");
    let text = SpeechFiles::folder(root.path(), &options()).unwrap_err().to_string();
    assert_says(
        &text,
        "sound: expected FLAC, WAV, MP3, Ogg Vorbis or AAC in M4A, got opus",
        &path.to_string_lossy(),
    );
    assert!(text.contains("ffmpeg -i"), "{text}");
    let (root, _) = one("anna/a.txt", b"none");
    let text = SpeechFiles::folder(root.path(), &options()).unwrap_err().to_string();
    let what = "sound files: expected FLAC, WAV, MP3, Ogg Vorbis or AAC in M4A, got none";
    assert_says(&text, what, &root.path().to_string_lossy());
}

#[test]
fn nothing_usable_is_an_error_that_counts() {
    let (root, _) = one("a.wav", &wav(&steps(900, 0), 8_000, 1));
    let skip = OpenOptions { on_bad: OnBad::Skip, ..options() };
    let text = SpeechFiles::folder(root.path(), &skip).unwrap_err().to_string();
    assert!(text.starts_with("sound files: expected at least 1 utterances, got 0 in "), "{text}");
    let reason = "; add data, or mend what was skipped, 1 in all; \
         the first: sample rate: expected 16000 Hz, got 8000";
    assert!(text.contains(reason), "{text}");
}

#[test]
fn flac_without_a_length_or_behind_tags_is_read_as_it_was() {
    let expected = steps(20_000, 5);
    let whole = flac(&expected, 16_000, 1);
    let mut unknown = whole.clone();
    unknown[21] &= 0xf0;
    unknown[22..26].fill(0);
    let tag = |size: usize| {
        let size_in_sevens = [0, 0, (size >> 7) as u8, (size & 0x7f) as u8];
        [&b"ID3\x03\0\0"[..], &size_in_sevens, &vec![0x55; size]].concat()
    };
    let old = [&b"TAG"[..], &[0x20; 125]].concat();
    // A head, an item of 20 bytes, a foot, which counts both of these and says that there is a head.
    let ends = |kind: u8| {
        [&b"APETAGEX\xd0\x07\0\0\x34\0\0\0\x01\0\0\0\0\0\0"[..], &[kind], &[0; 8]].concat()
    };
    let ape = [&ends(0xa0)[..], &[0x61; 20], &ends(0x80)].concat();
    let mut nothing_smallest = whole.clone();
    nothing_smallest[8..10].fill(0);
    for (what, bytes) in [
        ("no length", unknown.clone()),
        ("a tag", [&tag(10)[..], &whole].concat()),
        ("two tags", [&tag(5_000)[..], &tag(127), &whole].concat()),
        ("a tag and no length", [&tag(300)[..], &unknown].concat()),
        ("a tag behind", [&whole[..], &old].concat()),
        ("a tag behind and no length", [&unknown[..], &old].concat()),
        ("a longer tag behind", [&whole[..], &ape].concat()),
        ("both behind and no length", [&unknown[..], &ape, &old].concat()),
        ("no smallest block", nothing_smallest),
    ] {
        let (root, _) = one("a.flac", &bytes);
        let files = open(&root, &thorough());
        assert_eq!(files.info(0).samples, 20_000, "{what}");
        assert_eq!(files.get(0).unwrap().samples, amplitudes(&expected), "{what}");
        let mut part = vec![0.0; 700];
        files.read(0, (16_500, &mut part)).unwrap();
        assert_eq!(part, amplitudes(&expected[16_500..17_200]), "{what}");
    }
    let (root, path) = one("a.flac", &[&tag(10)[..], b"no flac behind it"].concat());
    assert_refused(&root, &options(), "flac: expected sound that decodes, got ", &path);
    let (root, path) = one("a.flac", &unknown[..unknown.len() - 9]);
    let start = "flac: expected sound that decodes, got \"a frame that is missing or damaged\" in ";
    assert_refused(&root, &options(), start, &path);
}

#[test]
fn flac_of_more_samples_than_its_header_announces_is_refused() {
    for announced in [3_000_u16, 4_990] {
        let mut bytes = flac(&steps(5_000, 0), 16_000, 1);
        bytes[24..26].copy_from_slice(&announced.to_be_bytes());
        let (root, path) = one("a.flac", &bytes);
        let start = "flac: expected sound that decodes, \
                     got \"more samples than its header announces\" in ";
        assert_refused(&root, &thorough(), start, &path);
    }
}
