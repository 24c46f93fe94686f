//! MP3, Ogg Vorbis and AAC in M4A: the samples that ffmpeg decodes, or refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;
mod sound_files;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use clapp_datasets::sound::{Check, IndexCache, OpenOptions, Rates, SpeechFiles};
use clapp_datasets::{OnBad, Source};
use clapp_testing::{assert_says, distance::distance};
use common::ffmpeg;
use sound_files::{steps, wav, write};
use tempfile::TempDir;

/// Two decoders in single precision round differently: less than a step of 16 bits.
const ROUNDING: f32 = 1.0 / 32_768.0;
/// What coding at these rates leaves of the sweep: 0.03 to 0.08 were measured. A shift by one sample is 0.34.
const CODING: f64 = 0.1;
/// Samples of the sweep.
const SWEEP: usize = 16_000;

const MP3: &[u8] = include_bytes!("sound_lossy/sweep.mp3");
const OGG: &[u8] = include_bytes!("sound_lossy/sweep.ogg");
const M4A: &[u8] = include_bytes!("sound_lossy/sweep.m4a");
const ALL: [(&str, &[u8]); 3] = [("a.mp3", MP3), ("a.ogg", OGG), ("a.m4a", M4A)];

fn thorough() -> OpenOptions {
    let cache = IndexCache::Nowhere;
    OpenOptions { cache, check: Check::Samples, ..OpenOptions::default() }
}

/// A folder with one file.
fn one(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(name);
    write(&path, bytes);
    (root, path)
}

/// What is said of a file, with its path, when it is opened.
#[track_caller]
fn refused(name: &str, bytes: &[u8], what: &str) {
    let (root, path) = one(name, bytes);
    match SpeechFiles::folder(root.path(), &thorough()) {
        Ok(_) => panic!("expected an error about {what}, got {name} that is read"),
        Err(error) => assert_says(&error, what, &path.display().to_string()),
    }
}

fn ffmpeg_makes(arguments: &[&str], path: &Path) {
    let mut command = Command::new("ffmpeg");
    let output = command.args(["-v", "error", "-nostdin", "-y"]).args(arguments).arg(path).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Places of the pages of an Ogg file.
fn pages(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut at, mut pages) = (0, Vec::new());
    while at < bytes.len() {
        let sizes = &bytes[at + 27..at + 27 + usize::from(bytes[at + 26])];
        let end =
            at + 27 + sizes.len() + sizes.iter().map(|&size| usize::from(size)).sum::<usize>();
        pages.push(at..end);
        at = end;
    }
    pages
}

/// A file in which some bytes, which are there once, are others.
fn changed(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    let [at] = places[..] else { panic!("{}: {places:?}", from.escape_ascii()) };
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn a_sweep_is_read_where_it_was_without_what_the_encoder_added() {
    let tone = |at: usize| {
        let t = at as f64 / 16_000.0;
        (std::f64::consts::TAU * (200.0 * t + 1_400.0 * t * t)).sin() / 2.0
    };
    let sweep: Vec<f64> = (0..SWEEP).map(tone).collect();
    for (name, bytes) in ALL {
        let (root, _) = one(name, bytes);
        let samples =
            SpeechFiles::folder(root.path(), &thorough()).unwrap().get(0).unwrap().samples;
        let samples: Vec<f64> = samples.into_iter().map(f64::from).collect();
        assert_eq!(samples.len(), SWEEP, "{name}");
        let apart = distance(&samples, &sweep);
        assert!(apart < CODING, "{name}: {apart}");
    }
}

#[test]
fn a_part_is_the_same_samples_whatever_was_read_before() {
    for (name, bytes) in ALL {
        let (root, _) = one(name, bytes);
        let files = SpeechFiles::folder(root.path(), &thorough()).unwrap();
        let whole = files.get(0).unwrap().samples;
        for start in [9_000, 0, 15_300, 1, 575, 9_000, 1_024, 14_999] {
            let mut part = vec![7.0; 700];
            files.read(0, (start, &mut part)).unwrap();
            let bits = |samples: &[f32]| samples.iter().map(|a| a.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&part), bits(&whole[start..start + 700]), "{name} from {start}");
        }
    }
}

#[test]
fn every_rate_and_kind_is_read_as_ffmpeg_reads_it() {
    if ffmpeg().is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let (ours, theirs) = (root.path().join("ours"), root.path().join("theirs"));
    fs::create_dir_all(&ours).unwrap();
    fs::create_dir_all(&theirs).unwrap();
    let cover = root.path().join("cover.png");
    ffmpeg_makes(&["-f", "lavfi", "-i", "color=red:s=99x99", "-frames:v", "1"], &cover);
    let cover = cover.to_str().unwrap();
    let mp3 = "-c:a libmp3lame";
    let kinds = [
        ("cbr.mp3", format!("{mp3} -b:a 64k")),
        ("vbr.mp3", format!("{mp3} -q:a 5")),
        ("cover.mp3", format!("{mp3} -map 0 -map 1 -c:v png -id3v2_version 3 -write_id3v1 1")),
        ("bare.mp3", format!("{mp3} -write_xing 0 -id3v2_version 0")),
        ("low.ogg", "-c:a libvorbis -q:a 0".to_owned()),
        ("high.oga", "-c:a libvorbis -q:a 8".to_owned()),
        ("aac.m4a", "-c:a aac -b:a 48k".to_owned()),
        ("picture.m4a", "-c:a aac -map 0 -map 1 -c:v png -disposition:v attached_pic".to_owned()),
    ];
    for rate in [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] {
        for (kind, options) in &kinds {
            let path = ours.join(format!("{rate}_{kind}"));
            // Tones, noise and silence, so that blocks of all lengths are met.
            let sound = format!(
                "aevalsrc=(0.3*sin(500*t*t)+0.1*(random(0)-0.5))*lt(mod(t\\,0.7)\\,0.5)\
                 +0.5*eq(mod(n\\,3001)\\,0):s={rate}:d=1.28"
            );
            let mut arguments = vec!["-f", "lavfi", "-i", &sound, "-i", cover];
            arguments.extend(options.split(' '));
            if !options.contains("-map") {
                arguments.extend(["-map", "0"]);
            }
            if rate == 24_000 && kind.ends_with("mp3") {
                // ffmpeg takes two lines at 6.9 kHz for a part of the band below, as the standard did before it was corrected.
                arguments.extend(["-cutoff", "6000"]);
            }
            ffmpeg_makes(&arguments, &path);
            let exact = (f64::from(rate) * 1.28).round();
            // ffmpeg leaves what a last packet of AAC has beyond its length.
            let cut = if kind.ends_with("m4a") { exact } else { f64::INFINITY };
            let trim = format!("atrim=end_sample={}", cut.min(1e9));
            let arguments = ["-i", path.to_str().unwrap(), "-af", &trim, "-c:a", "pcm_f32le"];
            ffmpeg_makes(&arguments, &theirs.join(format!("{rate}_{kind}.wav")));
        }
    }
    // Both are resampled alike.
    let options = OpenOptions { rates: Rates::Resample, ..thorough() };
    let ours = SpeechFiles::folder(&ours, &options).unwrap();
    let theirs = SpeechFiles::folder(&theirs, &options).unwrap();
    assert_eq!((ours.len(), theirs.len()), (72, 72));
    let mut same = 0;
    let find = |id: &str| {
        (0..theirs.len()).find(|&at| theirs.info(at).id.rsplit_once('.').unwrap().0 == id)
    };
    for index in 0..ours.len() {
        let id = &ours.info(index).id;
        let [ours, theirs] =
            [ours.get(index), theirs.get(find(id).unwrap())].map(|r| r.unwrap().samples);
        assert_eq!(ours.len(), theirs.len(), "{id}");
        let largest = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < ROUNDING, "{id}: {largest}");
        same += 1;
    }
    assert_eq!(same, 72);
}

#[test]
fn stereo_is_refused_as_elsewhere() {
    if ffmpeg().is_none() {
        return;
    }
    for (name, codec) in [("a.mp3", "libmp3lame"), ("a.ogg", "libvorbis"), ("a.m4a", "aac")] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(name);
        let source = "sine=d=1:r=16000";
        ffmpeg_makes(&["-f", "lavfi", "-i", source, "-ac", "2", "-c:a", codec], &path);
        let text = SpeechFiles::folder(root.path(), &thorough()).unwrap_err().to_string();
        assert_says(&text, "channels: expected 1 (mono), got 2", name);
    }
}

#[test]
fn what_is_not_decoded_is_named_with_the_command_that_converts_it() {
    let all = "sound: expected FLAC, WAV, MP3, Ogg Vorbis or AAC in M4A, got ";
    let configuration = b"\x05\x80\x80\x80\x05\x14\x08\x56\xe5\x00";
    let of = |bytes: &[u8]| changed(M4A, configuration, &[b"\x05\x80\x80\x80\x05", bytes].concat());
    for (name, bytes, what) in [
        ("a.opus", b"OggS".to_vec(), "opus"),
        ("a.m4a", of(b"\x14\x08\x56\xe5\x80"), "MP4 with HE-AAC"),
        ("a.m4a", of(b"\x2b\x8a\x08\x00\x00"), "MP4 with HE-AAC"),
        ("a.m4a", of(b"\x0c\x08\x00\x00\x00"), "MP4 with AAC of object type 1"),
        ("a.m4a", changed(M4A, b"mp4a\0", b"enca\0"), "MP4 with protected sound"),
        ("a.m4a", changed(M4A, b"mp4a\0", b"ac-3\0"), "MP4 with sound of kind \"ac-3\""),
        ("a.m4a", changed(M4A, b"soun", b"text"), "MP4 with 0 tracks of sound"),
        ("a.mp3", [&b"\xff\xfd\x58\xc0"[..], &[0; 40]].concat(), "MPEG audio of layer 2"),
        ("a.mp3", [&b"\xff\xf3\x08\xc0"[..], &[0; 40]].concat(), "MP3 of a free bit rate"),
        ("a.ogg", [OGG, OGG].concat(), "Ogg with several streams"),
    ] {
        refused(name, &bytes, &format!("{all}{what} in "));
    }
    if ffmpeg().is_none() {
        return;
    }
    for (name, options, what) in [
        ("a.ogg", "-c:a libopus -b:a 16k", "Ogg with Opus"),
        ("a.ogg", "-c:a flac", "Ogg with FLAC"),
        ("a.ogg", "-c:a libspeex", "Ogg with Speex"),
        ("a.m4a", "-c:a alac", "MP4 with ALAC"),
        ("a.m4a", "-c:a aac -movflags +frag_keyframe+empty_moov", "MP4 with fragments"),
    ] {
        let (root, path) = (tempfile::tempdir().unwrap(), Path::new(name));
        let made = root.path().join(path);
        let mut arguments = vec!["-f", "lavfi", "-i", "sine=d=1:r=16000"];
        arguments.extend(options.split(' '));
        ffmpeg_makes(&arguments, &made);
        let text = SpeechFiles::folder(root.path(), &thorough()).unwrap_err().to_string();
        assert_says(&text, &format!("{all}{what} in "), name);
        assert!(text.contains("convert it: ffmpeg -i"), "{text}");
    }
}

#[test]
fn a_file_that_is_cut_or_has_lost_a_part_is_refused() {
    let whole = |format: &str| format!("{format}: expected sound that decodes, got \"");
    for (name, bytes) in ALL {
        for share in [1, 4, 9, 19] {
            refused(name, &bytes[..bytes.len() * share / 20], &whole(&name[2..]));
        }
        let bytes =
            [&bytes[..bytes.len() / 2], &vec![0; 700], &bytes[bytes.len() / 2 + 700..]].concat();
        if name != "a.m4a" {
            refused(name, &bytes, &whole(&name[2..]));
        }
    }
    // Frames of 144 bytes behind the tag and the frame that holds another.
    let frames: Vec<_> =
        (0..MP3.len() - 2).filter(|&at| MP3[at..].starts_with(b"\xff\xf3\x48")).collect();
    assert_eq!(frames.len(), 30);
    let lost = "mp3: expected 30 frames, as its tag says, got 29 in ";
    refused("a.mp3", &MP3[..frames[29]], lost);
    let without =
        |place: &Range<usize>, bytes: &[u8]| [&bytes[..place.start], &bytes[place.end..]].concat();
    refused("a.mp3", &without(&(frames[14]..frames[15]), MP3), lost);
    let pages = pages(OGG);
    refused(
        "a.ogg",
        &OGG[..pages[pages.len() - 1].start],
        &format!("{}no last page", whole("ogg")),
    );
    let missing = format!("{}a page that is missing before byte ", whole("ogg"));
    refused("a.ogg", &without(&pages[2], OGG), &missing);
    // The place of the only chunk, as 32 bits.
    let at = M4A.windows(4).position(|word| word == b"stco").unwrap() + 12;
    let beyond = [&M4A[..at], &[0, 1, 0, 0], &M4A[at + 4..]].concat();
    refused("a.m4a", &beyond, &format!("{}packets beyond the end of the file", whole("m4a")));
}

#[test]
fn a_bit_anywhere_in_an_ogg_file_is_seen() {
    for at in (0..OGG.len()).step_by(61) {
        let mut bytes = OGG.to_vec();
        bytes[at] ^= 1;
        refused("a.ogg", &bytes, "ogg: expected sound that decodes, got \"");
    }
}

#[test]
fn a_recording_counts_once_in_whatever_forms_it_is_there() {
    let (root, _) = one("talk/a.mp3", MP3);
    let put = |name: &str, bytes: &[u8]| write(&root.path().join(name), bytes);
    let open = |on_bad| SpeechFiles::folder(root.path(), &OpenOptions { on_bad, ..thorough() });
    // What is not decoded stands beside what is.
    put("talk/a.opus", b"OggS");
    assert_eq!(open(OnBad::Refuse).unwrap().len(), 1);
    // Which of two decoded ones is meant is not known.
    put("talk/a.ogg", OGG);
    let text = open(OnBad::Refuse).unwrap_err().to_string();
    assert_says(&text, "sound: expected one file for utterance talk/a, got a.ogg as well", "a.ogg");
    let files = open(OnBad::Skip).unwrap();
    assert_eq!((files.len(), files.skipped().len()), (1, 1));
    // WAV and FLAC are what others are converted to.
    put("talk/a.wav", &wav(&steps(900, 0), 16_000, 1));
    let files = open(OnBad::Refuse).unwrap();
    assert_eq!((files.len(), files.info(0).samples), (1, 900));
}
