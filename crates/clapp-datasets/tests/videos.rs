//! Videos and folders of frames, from files to prepared clips, good and bad.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use clapp_datasets::video::{Check, ClipList, Ffmpeg, Frame, Preparation, PreparedClips, prepare};
use clapp_datasets::{Error, OnBad, Source};
use clapp_testing::{copy_real_videos, count_frames, make_video};
use common::{RED, ffmpeg, make_frames};

/// Prepares all of `root` into `root/../prepared`; also returns how many clips were built.
fn run(root: &Path, preparation: &Preparation) -> Result<(PreparedClips, usize), Error> {
    let built = AtomicUsize::new(0);
    let count = |_| {
        built.fetch_add(1, Ordering::Relaxed);
    };
    let list = ClipList::folders(root.join("videos"), preparation.on_bad)?;
    let clips = prepare(list, root.join("prepared"), preparation, count)?;
    Ok((clips, built.into_inner()))
}

fn tiny(short_side: usize) -> Preparation {
    Preparation { short_side, ..Preparation::default() }
}

/// Folders of frames of one class, and how many there are.
fn frames(clips: &[(&str, usize)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for &(clip, frames) in clips {
        make_frames(&root.path().join("videos/red").join(clip), frames);
    }
    root
}

fn pixels(clips: &PreparedClips, clip: usize) -> Result<Vec<Frame>, Error> {
    Ok(clips.get(clip)?.frames)
}

/// Brightness that grows by four levels a frame.
const RAMP: &str = "40+X+4*N";

#[test]
fn a_video_has_all_its_frames_in_order_at_the_size_asked_for() {
    if ffmpeg().is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let video = root.path().join("videos/ramp/one.avi");
    make_video(&video, 23, "64x48", RAMP, &["-c:v", "mpeg4", "-bf", "2", "-q:v", "2"]);
    let (clips, built) = run(root.path(), &tiny(24)).unwrap();
    assert_eq!((clips.len(), built, clips.info(0).frames), (1, 1, count_frames(&video)));
    assert_eq!(
        (clips.info(0).frames, clips.info(0).dims, clips.id(0)),
        (23, [24, 32, 3], "ramp/one")
    );

    // The reference: frames as ffmpeg writes them, at the same size.
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i"]).arg(&video);
    command.args(["-vf", "scale=32:24:flags=bilinear", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let raw = command.output().unwrap().stdout;
    for (place, (frame, raw)) in
        pixels(&clips, 0).unwrap().iter().zip(raw.chunks(3 * 24 * 32)).enumerate()
    {
        let distance = frame.pixels().iter().zip(raw).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = distance.sum::<u64>() as f64 / raw.len() as f64;
        // JPEG costs about a level; a frame of another place would differ by four or more.
        assert!(mean < 2.0, "frame {place}: {mean}");
    }
}

#[test]
fn real_videos_have_as_many_frames_as_ffprobe_counts() {
    if ffmpeg().is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let Some(videos) = copy_real_videos(&root.path().join("videos/real")) else { return };
    let (clips, _) = run(root.path(), &Preparation::default()).unwrap();
    assert!(clips.skipped().is_empty(), "{}", clips.skipped());
    assert_eq!(clips.len(), videos.len());
    for (clip, video) in videos.iter().enumerate() {
        assert_eq!(clips.info(clip).frames, count_frames(video), "{}", video.display());
        assert_eq!(clips.info(clip).dims[0], 240);
        let last = clips.info(clip).frames - 1;
        clips.read(clip, (&[last], &mut |_, frame| assert_eq!(frame.dims()[0], 240))).unwrap();
    }
}

#[test]
fn bad_videos_are_named_and_the_rest_is_used() {
    if ffmpeg().is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("videos/ramp");
    // Large frames, so that half of the file is more than its header.
    make_video(&class.join("good.avi"), 30, "160x120", RAMP, &["-c:v", "mjpeg", "-q:v", "2"]);
    let whole = fs::read(class.join("good.avi")).unwrap();
    fs::write(class.join("cut.avi"), &whole[..whole.len() / 2]).unwrap();
    fs::write(class.join("empty.avi"), b"").unwrap();
    fs::write(class.join("text.avi"), b"this is no video at all").unwrap();
    let mut sound = Command::new("ffmpeg");
    sound.args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "sine=duration=0.2"]);
    assert!(sound.arg(class.join("sound.avi")).status().unwrap().success());

    let (clips, _) = run(root.path(), &tiny(24)).unwrap();
    assert_eq!((clips.len(), clips.id(0), clips.info(0).frames), (1, "ramp/good", 30));
    let skipped = clips.skipped().to_string();
    let reasons = |id: &str| {
        let entry = clips.skipped().entries().iter().find(|(clip, _)| clip == id);
        entry.unwrap_or_else(|| panic!("{id} in {skipped}")).1.to_string()
    };
    let cut = reasons("ramp/cut");
    assert!(cut.starts_with("video: expected the 30 frames of its header, got "), "{cut}");
    let empty = reasons("ramp/empty");
    assert!(empty.starts_with("video: expected a video, got \"an empty file\" in "), "{empty}");
    for id in ["ramp/text", "ramp/sound"] {
        let reason = reasons(id);
        assert!(reason.starts_with("video: expected a video stream, got "), "{reason}");
    }
    let stop = Preparation { on_bad: OnBad::Refuse, ..tiny(24) };
    let error = run(root.path(), &stop).unwrap_err();
    assert!(
        matches!(error, Error::Damaged(_)) && error.to_string().starts_with("video: "),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn without_ffmpeg_videos_are_skipped_with_advice_and_frames_are_used() {
    let root = frames(&[("frames", 3)]);
    for name in ["one", "two"] {
        fs::write(root.path().join(format!("videos/red/{name}.avi")), b"RIFF").unwrap();
    }
    // Programs that answer when they are looked for and are gone when they are needed.
    let programs = ["ffmpeg", "ffprobe"].map(|program| root.path().join(program));
    for program in &programs {
        std::os::unix::fs::symlink("/bin/true", program).unwrap();
    }
    let gone = Some(Ffmpeg::at(root.path()).unwrap());
    programs.iter().for_each(|program| fs::remove_file(program).unwrap());

    let without = Preparation { ffmpeg: gone, ..tiny(2) };
    let (clips, _) = run(root.path(), &without).unwrap();
    assert_eq!((clips.len(), clips.id(0), clips.skipped().len()), (1, "red/frames", 2));
    let text = clips.skipped().to_string();
    assert!(text.contains("red/one and 1 more: video: expected the program "), "{text}");
    assert!(text.contains("install ffmpeg (apt install ffmpeg, "), "{text}");
    let stop = Preparation { on_bad: OnBad::Refuse, ..without.clone() };
    assert!(matches!(run(root.path(), &stop), Err(Error::Program(_))));

    fs::remove_dir_all(root.path().join("videos/red/frames")).unwrap();
    let error = run(root.path(), &without).unwrap_err().to_string();
    assert!(
        error.starts_with("preparation: expected at least one usable clip, got none of 2"),
        "{error}"
    );
    assert!(error.contains("install ffmpeg"), "{error}");
}

#[test]
fn frames_of_the_right_size_are_copied_as_they_are() {
    let root = frames(&[("one", 4)]);
    let (clips, _) = run(root.path(), &tiny(2)).unwrap();
    assert_eq!((clips.info(0).frames, clips.info(0).dims), (4, [2, 3, 3]));
    let frames = pixels(&clips, 0).unwrap();
    assert!(frames.iter().all(|frame| *frame == frames[0]));
    let prepared = fs::read(root.path().join("prepared/red/one.clip")).unwrap();
    assert!(prepared.ends_with(RED));
}

#[test]
fn frames_of_another_size_are_scaled() {
    if ffmpeg().is_none() {
        return;
    }
    let root = frames(&[("100% of it", 4)]);
    let (clips, _) = run(root.path(), &tiny(4)).unwrap();
    assert!(clips.skipped().is_empty(), "{}", clips.skipped());
    assert_eq!((clips.info(0).frames, clips.info(0).dims), (4, [4, 6, 3]));
}

#[test]
fn bad_frame_folders_are_named_and_the_rest_is_used() {
    let root = frames(&["good", "hole", "cut", "empty", "late"].map(|name| (name, 5)));
    let class = root.path().join("videos/red");
    fs::remove_file(class.join("hole/image_00003.jpg")).unwrap();
    fs::remove_file(class.join("late/image_00001.jpg")).unwrap();
    fs::write(class.join("cut/image_00004.jpg"), &RED[..RED.len() - 9]).unwrap();
    fs::write(class.join("empty/image_00005.jpg"), b"").unwrap();
    fs::create_dir(class.join("nothing")).unwrap();

    let (clips, _) = run(root.path(), &tiny(2)).unwrap();
    assert_eq!((clips.len(), clips.id(0)), (1, "red/good"));
    let text = clips.skipped().to_string();
    for expected in [
        "red/hole: frame folder: expected image_00003.jpg, got image_00004.jpg in ",
        "red/late: frame folder: expected image_00001.jpg, got image_00002.jpg in ",
        "red/nothing: frame folder: expected image_00001.jpg, got no frame in ",
        "red/cut: frame: expected a complete JPEG, got a file cut short in ",
        "red/empty: frame: expected a complete JPEG, got an empty file in ",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let stop = Preparation { on_bad: OnBad::Refuse, ..tiny(2) };
    assert!(run(root.path(), &stop).is_err());
}

#[test]
fn damage_is_found_in_every_container() {
    if ffmpeg().is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("videos/ramp");
    let noise = "128+100*sin(X*Y+N)"; // fills the file
    // What leaves no mark: a program stream cut between two packets, a changed coefficient of WMV or VP8.
    let codecs: [(&str, &[&str], &[usize], bool); 7] = [
        ("avi", &["-c:v", "mpeg4", "-bf", "2", "-q:v", "2"], &[1, 3, 5, 7, 9], true),
        ("mpg", &["-c:v", "mpeg2video", "-q:v", "2"], &[], true),
        ("mkv", &["-c:v", "mpeg4", "-q:v", "2"], &[1, 3, 5, 7, 9], true),
        ("mov", &["-c:v", "mjpeg", "-q:v", "2"], &[1, 3, 5, 7, 9], true),
        ("mp4", &["-c:v", "mpeg4", "-q:v", "2"], &[1, 3, 5, 7, 9], true),
        ("webm", &["-c:v", "libvpx", "-b:v", "2M"], &[1, 3, 5, 7, 9], false),
        ("wmv", &["-c:v", "wmv2", "-q:v", "2"], &[1, 3, 5, 7, 9], false),
    ];
    let mut bad = 0;
    for (ending, codec, cuts, seen) in codecs {
        let good = class.join(format!("good_{ending}.{ending}"));
        make_video(&good, 40, "160x120", noise, codec);
        let whole = fs::read(&good).unwrap();
        bad += cuts.len() + usize::from(seen);
        for tenth in cuts {
            let cut = format!("cut{tenth}_{ending}.{ending}");
            fs::write(class.join(cut), &whole[..whole.len() * tenth / 10]).unwrap();
        }
        if !seen {
            continue;
        }
        let mut damaged = whole.clone();
        let middle = whole.len() / 2;
        (0..600).for_each(|at| damaged[middle + at] = (at * 37 % 251) as u8);
        fs::write(class.join(format!("damaged_{ending}.{ending}")), damaged).unwrap();
    }
    let (clips, _) = run(root.path(), &tiny(24)).unwrap();
    let used: Vec<&str> = (0..clips.len()).map(|clip| clips.id(clip)).collect();
    let good = ["avi", "mkv", "mov", "mp4", "mpg", "webm", "wmv"]
        .map(|ending| format!("ramp/good_{ending}"));
    assert_eq!(used, good, "{}", clips.skipped());
    assert_eq!(clips.skipped().len(), bad);
}

#[test]
fn frames_that_are_damaged_or_of_another_size_are_refused_where_frames_are_scaled_too() {
    if ffmpeg().is_none() {
        return;
    }
    let root = frames(&["cut", "garbled", "good", "small"].map(|name| (name, 3)));
    let class = root.path().join("videos/red");
    let mut command = Command::new("ffmpeg");
    command.args([
        "-v",
        "error",
        "-nostdin",
        "-y",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=64x48:d=1:r=3",
    ]);
    let into = class.join("large_%05d.jpg");
    assert!(command.args(["-q:v", "2"]).arg(&into).status().unwrap().success());
    for number in 1..=3 {
        let large = fs::read(class.join(format!("large_{number:05}.jpg"))).unwrap();
        fs::remove_file(class.join(format!("large_{number:05}.jpg"))).unwrap();
        for name in ["cut", "garbled", "good", "small"] {
            let mut bytes = large.clone();
            match (name, number) {
                ("cut", 2) => bytes.truncate(large.len() / 2),
                ("garbled", 3) => bytes[large.len() - 300..large.len() - 2].fill(0xff),
                ("small", 2) => bytes = RED.to_vec(),
                _ => {}
            }
            fs::write(class.join(name).join(format!("image_{number:05}.jpg")), bytes).unwrap();
        }
    }
    for side in [24, 48] {
        let (clips, _) = run(root.path(), &tiny(side)).unwrap();
        let text = clips.skipped().to_string();
        assert!(text.contains("cut/image_00002.jpg"), "{text}");
        assert!(text.contains("expected 48×64, got 2×3 in "), "{text}");
        // Also where frames fit, and are copied.
        assert!(text.contains("red/garbled"), "{text}");
        assert!((0..clips.len()).any(|clip| clips.id(clip) == "red/good"), "{text}");
    }
}

#[test]
fn frames_that_change_their_size_are_refused() {
    if ffmpeg().is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("videos/ramp");
    let [small, large] = ["64x48", "96x48"].map(|size| {
        let path = class.join(format!("{size}.mpg"));
        make_video(&path, 10, size, RAMP, &["-c:v", "mpeg2video", "-q:v", "2"]);
        fs::read(path).unwrap()
    });
    fs::write(class.join("narrower.mpg"), [&large[..], &small].concat()).unwrap();
    fs::write(class.join("wider.mpg"), [&small[..], &large].concat()).unwrap();
    for side in [24, 48] {
        let (clips, _) = run(root.path(), &tiny(side)).unwrap();
        let text = clips.skipped().to_string();
        assert_eq!((clips.len(), clips.skipped().len()), (2, 2), "{text}");
        assert!(
            text.contains("ramp/narrower: video: expected frames of 48×96, got another"),
            "{text}"
        );
        assert!(
            text.contains("ramp/wider: video: expected frames of 48×64, got another"),
            "{text}"
        );
    }
}

#[test]
fn a_source_of_the_same_size_is_another_one() {
    let root = frames(&[("one", 3), ("two", 3)]);
    let class = root.path().join("videos/red");
    let other = |byte: u8| {
        let mut bytes = RED.to_vec();
        bytes[15] = byte; // dots an inch
        bytes
    };
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 2);
    // Another frame, and its time set back.
    let path = class.join("one/image_00002.jpg");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, other(7)).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 1);
    let prepared = fs::read(root.path().join("prepared/red/one.clip")).unwrap();
    assert!(prepared.windows(RED.len()).any(|window| window == other(7)));
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 0);
    // Names that change places.
    fs::rename(class.join("one"), class.join("three")).unwrap();
    fs::rename(class.join("two"), class.join("one")).unwrap();
    fs::rename(class.join("three"), class.join("two")).unwrap();
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 2);
    // A clip that is younger than its source says nothing, as where a clock was set back.
    let clip = root.path().join("prepared/red/one.clip");
    let stamp = fs::metadata(&clip).unwrap().modified().unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1_000);
    fs::write(&path, other(9)).unwrap();
    fs::File::options().append(true).open(&clip).unwrap().set_modified(later).unwrap();
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 1);
    assert_ne!(fs::metadata(&clip).unwrap().modified().unwrap(), stamp);
    // A copy is the same source.
    for name in ["one", "two"] {
        let bytes = fs::read(class.join(name).join("image_00001.jpg")).unwrap();
        fs::write(class.join(name).join("image_00001.jpg"), bytes).unwrap();
    }
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 0);
}

#[test]
fn what_is_prepared_is_not_prepared_again() {
    let root = frames(&[("one", 3), ("two", 4)]);
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 2);
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 0);
    // A preparation that was killed has left one clip and a part of another.
    let clip = root.path().join("prepared/red/two.clip");
    let leftover = root.path().join("prepared/red/.two.clip.1-0.tmp");
    fs::rename(&clip, &leftover).unwrap();
    let (clips, built) = run(root.path(), &tiny(2)).unwrap();
    assert_eq!((clips.len(), built), (2, 1));
    assert!(!leftover.exists());
    // A source that has changed.
    make_frames(&root.path().join("videos/red/one"), 5);
    let (clips, built) = run(root.path(), &tiny(2)).unwrap();
    assert_eq!((clips.info(0).frames, built), (5, 1));
}

#[test]
fn a_clip_cut_short_anywhere_is_prepared_again() {
    let root = frames(&[("one", 3)]);
    let expected = pixels(&run(root.path(), &tiny(2)).unwrap().0, 0).unwrap();
    let path = root.path().join("prepared/red/one.clip");
    let whole = fs::read(&path).unwrap();
    for length in [0, 7, 31, 40, 60, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let (clips, built) = run(root.path(), &tiny(2)).unwrap();
        assert_eq!((built, pixels(&clips, 0).unwrap() == expected), (1, true), "{length} bytes");
    }
    fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 1);
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let root = frames(&[("one", 2)]);
    let (clips, _) = run(root.path(), &tiny(2)).unwrap();
    let path = root.path().join("prepared/red/one.clip");
    let whole = fs::read(&path).unwrap();
    for byte in (0..whole.len()).step_by(13) {
        let mut damaged = whole.clone();
        damaged[byte] ^= 4;
        fs::write(&path, &damaged).unwrap();
        let error = pixels(&clips, 0).unwrap_err();
        assert!(matches!(error, Error::Damaged(_)), "byte {byte}: {error}");
        assert!(error.to_string().starts_with("prepared clip: "), "byte {byte}: {error}");
        assert!(
            error.to_string().contains("one.clip; remove the file and prepare again"),
            "{error}"
        );
    }
    // Damage of a frame is found on request before it is read.
    let mut damaged = whole.clone();
    damaged[whole.len() - 5] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 0);
    let everything = Preparation { check: Check::Everything, ..tiny(2) };
    assert_eq!(run(root.path(), &everything).unwrap().1, 1);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn a_clip_that_disappears_or_changes_is_an_error_that_names_it() {
    let root = frames(&[("one", 3)]);
    let (clips, _) = run(root.path(), &tiny(2)).unwrap();
    make_frames(&root.path().join("videos/red/one"), 4);
    run(root.path(), &tiny(2)).unwrap();
    let error = pixels(&clips, 0).unwrap_err().to_string();
    assert!(
        error.contains("expected 3 frames of 2×3 as when it was opened, got 4 of 2×3 in "),
        "{error}"
    );
    fs::remove_file(root.path().join("prepared/red/one.clip")).unwrap();
    let error = pixels(&clips, 0).unwrap_err().to_string();
    assert!(error.contains("got no such file in "), "{error}");
}

#[test]
fn two_preparations_of_one_folder_do_not_meet() {
    let root = frames(&[("one", 3)]);
    fs::create_dir(root.path().join("prepared")).unwrap();
    let lock = clapp_store::RunLock::acquire(root.path().join("prepared")).unwrap();
    assert!(matches!(run(root.path(), &tiny(2)), Err(Error::Store(_))));
    drop(lock);
    let (_, built) = run(root.path(), &tiny(2)).unwrap();
    assert_eq!(built, 1);
    // With nothing to build, nothing is locked: several runs may share one folder.
    let _lock = clapp_store::RunLock::acquire(root.path().join("prepared")).unwrap();
    assert_eq!(run(root.path(), &tiny(2)).unwrap().1, 0);
}
