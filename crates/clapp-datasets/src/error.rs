//! What can go wrong outside the program.
//!
//! One flat enum, longer than other files: a variant is a sentence and the values it needs.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::sound::Skipped;

/// Everything that files, servers and configurations can do wrong.
///
/// Every text reads `<what failed>: expected <X>, got <Y> in <where>; <what to do>`. Mistakes of
/// the calling program (a buffer of the wrong length, an index beyond the end) panic instead.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Sizes, stl10::{Split, Stl10}};
///
/// let error = Stl10::open("/nowhere", Split::Train, Sizes::Official).unwrap_err();
/// assert!(error.to_string().starts_with("stl10: expected file train_X.bin, got no such file in"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// None of the folders searched holds the file.
    #[error(
        "{dataset}: expected file {file}, got no such file in {}; download the data set or correct \
         the root folder",
        folders(.searched)
    )]
    MissingFile {
        /// The data set that was to be opened.
        dataset: String,
        /// The file's name.
        file: String,
        /// The folders that were searched, in order.
        searched: Vec<PathBuf>,
    },

    /// The file's size differs from the official one (`Sizes::Official`).
    #[error("{what}: expected {expected} bytes, got {got} in {}; {}", .path.display(), size_advice(*.expected, *.got))]
    FileSize {
        /// What the file holds.
        what: String,
        /// The official size in bytes.
        expected: u64,
        /// The file's size in bytes.
        got: u64,
        /// The file.
        path: PathBuf,
    },

    /// The file is empty, or its size is not a multiple of the record's (`Sizes::Any`).
    #[error(
        "{what}: expected a positive multiple of {record} bytes, got {got} in {}; is the file \
         complete?",
        .path.display()
    )]
    PartialRecord {
        /// What the file holds.
        what: String,
        /// Bytes of one record.
        record: u64,
        /// The file's size in bytes.
        got: u64,
        /// The file.
        path: PathBuf,
    },

    /// Two numbers that belong together differ, such as images and labels.
    #[error("{what}: expected {expected}, got {got} in {place}; do the files belong together?")]
    Count {
        /// What was counted.
        what: String,
        /// The number required.
        expected: usize,
        /// The number found.
        got: usize,
        /// The file or the source.
        place: String,
    },

    /// A label lies outside the range of classes.
    #[error(
        "{what}: expected a label in {}..={}, got {got} at image {index} in {place}; is this the \
         right file?",
        .expected.start(), .expected.end()
    )]
    Label {
        /// Which labels.
        what: String,
        /// The labels that exist, as stored.
        expected: RangeInclusive<u8>,
        /// The label found.
        got: u8,
        /// The image that carries it.
        index: usize,
        /// The file or the source.
        place: String,
    },

    /// A sound file has another sampling rate than the encoders are made for, and resampling was not
    /// asked for.
    #[error(
        "sample rate: expected {expected} Hz, got {got} Hz in {}; resample the file, or open with \
         Rates::Resample", .path.display()
    )]
    SampleRate {
        /// The rate required, in Hz.
        expected: u32,
        /// The rate of the file, in Hz.
        got: u32,
        /// The file.
        path: PathBuf,
    },

    /// A sound file has several channels.
    #[error("channels: expected 1 (mono), got {got} in {}; mix the file down", .path.display())]
    Channels {
        /// The channels of the file.
        got: usize,
        /// The file.
        path: PathBuf,
    },

    /// A sound file cannot be decoded, or its checksum is not that of its samples.
    #[error(
        "{format}: expected sound that decodes, got \"{message}\" in {}; is the file complete?",
        .path.display()
    )]
    Decode {
        /// The format that the file's name announces.
        format: &'static str,
        /// What the decoder says.
        message: String,
        /// The file.
        path: PathBuf,
    },

    /// A sound file ends before the number of samples that its header announces.
    #[error(
        "{format}: expected {expected} samples, got {got} in {}; is the file complete?",
        .path.display()
    )]
    Truncated {
        /// The format that the file's name announces.
        format: &'static str,
        /// The samples announced.
        expected: u64,
        /// The samples found.
        got: u64,
        /// The file.
        path: PathBuf,
    },

    /// All samples of a sound file are equal.
    #[error(
        "sound: expected a signal, got {samples} samples of silence in {}; remove the file",
        .path.display()
    )]
    Silence {
        /// The number of samples.
        samples: usize,
        /// The file.
        path: PathBuf,
    },

    /// An utterance is shorter than what is to be cut from it.
    #[error(
        "crop: expected at least {expected} samples, got {got} in utterance {id} of {place}; \
         choose a shorter crop, or skip short utterances"
    )]
    ShortUtterance {
        /// The samples of a crop.
        expected: usize,
        /// The samples of the utterance.
        got: usize,
        /// The utterance.
        id: String,
        /// The source.
        place: String,
    },

    /// A sound file's name or place is not that of LibriSpeech.
    #[error(
        "librispeech: expected a file <speaker>/<chapter>/<speaker>-<chapter>-<number>, got {}; \
         open other folders with SpeechFiles::folder", .path.display()
    )]
    UtteranceName {
        /// The file.
        path: PathBuf,
    },

    /// Two sound files have names that differ in their ending only.
    #[error(
        "sound: expected one file for utterance {id}, got {} as well in {}; remove one",
        .path.file_name().unwrap_or_default().display(), .path.display()
    )]
    SameUtterance {
        /// The utterance.
        id: String,
        /// The later of the two files.
        path: PathBuf,
    },

    /// A line of labels has more or fewer than its utterance has frames.
    #[error(
        "phone labels: expected {expected} for utterance {id} ({samples} samples), got {got} at \
         line {line} in {}; is this the right file and Framing?", .path.display()
    )]
    PhoneCount {
        /// The labels that the utterance needs.
        expected: usize,
        /// The labels of the line.
        got: usize,
        /// The utterance.
        id: String,
        /// Its samples.
        samples: usize,
        /// The line, counted from 1.
        line: usize,
        /// The file of labels.
        path: PathBuf,
    },

    /// A word of a line of labels is no label.
    #[error(
        "phone labels: expected a label in 0..={largest}, got {got:?} at line {line} in {}; \
         correct the line or the number of classes", .path.display()
    )]
    PhoneLabel {
        /// The largest label.
        largest: usize,
        /// The word found.
        got: String,
        /// The line, counted from 1.
        line: usize,
        /// The file of labels.
        path: PathBuf,
    },

    /// An utterance stands in a list or in a file of labels twice.
    #[error(
        "{what}: expected each utterance once, got {id} again at line {line} in {}; remove one \
         of the lines", .path.display()
    )]
    RepeatedId {
        /// What the file holds.
        what: &'static str,
        /// The utterance.
        id: String,
        /// The later line, counted from 1.
        line: usize,
        /// The file.
        path: PathBuf,
    },

    /// A list names an utterance that has no sound file.
    #[error(
        "split list: expected an utterance of {place}, got {id} at line {line} in {}; is the data \
         set complete?", .path.display()
    )]
    UnknownId {
        /// The utterance.
        id: String,
        /// The line, counted from 1.
        line: usize,
        /// The list.
        path: PathBuf,
        /// The source.
        place: String,
    },

    /// There are fewer utterances than are needed.
    #[error(
        "{what}: expected at least {expected} utterances, got {got} in {place}; add data{}",
        skipped_advice(.skipped)
    )]
    TooFewUtterances {
        /// What they were wanted for.
        what: &'static str,
        /// The number needed.
        expected: usize,
        /// The number of usable utterances.
        got: usize,
        /// Others, which were skipped, and why.
        skipped: Skipped,
        /// The source or folder.
        place: String,
    },

    /// A word of `fold_indices.txt` is no index of a training image.
    #[error(
        "fold indices: expected an index below {expected}, got {got:?} at line {line} in {}; \
         restore the file or remove it (it is optional)",
        .path.display()
    )]
    FoldIndex {
        /// The number of training images.
        expected: usize,
        /// The word found.
        got: String,
        /// The line, counted from 1.
        line: usize,
        /// The file.
        path: PathBuf,
    },

    /// A subset names an image that its source does not have.
    #[error("subset: expected indices below {expected}, got {got} in {place}; correct the indices")]
    SubsetIndex {
        /// The number of images of the source.
        expected: usize,
        /// The index found.
        got: usize,
        /// The source.
        place: String,
    },

    /// There are fewer clips than a batch needs.
    #[error(
        "clip loader: expected at least {expected} clips, got {got} in {place}; lower the batch or add videos"
    )]
    TooFewClips {
        /// Clips of a batch.
        expected: usize,
        /// Clips that are long enough.
        got: usize,
        /// Name of the source.
        place: String,
    },
    /// There are fewer images than were asked for.
    #[error("{what}: expected at least {expected} images, got {got} in {place}; ask for fewer")]
    TooFew {
        /// What the images were wanted for.
        what: String,
        /// The number of images asked for.
        expected: usize,
        /// The number of images there are.
        got: usize,
        /// The source.
        place: String,
    },

    /// The crop is empty or larger than the (scaled) image.
    #[error(
        "crop: expected 1..={} pixels, got {crop} in an image of {height}×{width}; choose a \
         smaller crop or enlarge first",
        .height.min(.width)
    )]
    Crop {
        /// The side of the crop in pixels.
        crop: usize,
        /// Rows of the scaled image.
        height: usize,
        /// Columns of the scaled image.
        width: usize,
    },

    /// The image cannot be shrunk by this factor: a side is not a multiple of it.
    #[error(
        "scale: expected a factor that divides both sides, got {factor} in an image of \
         {height}×{width}; choose a divisor"
    )]
    Shrink {
        /// The factor.
        factor: usize,
        /// Rows of the image.
        height: usize,
        /// Columns of the image.
        width: usize,
    },

    /// The source's number of colour planes does not fit the colour mode.
    #[error("colour: expected {expected} planes, got {got} in the source; choose the other mode")]
    Planes {
        /// What the mode accepts.
        expected: &'static str,
        /// The planes of the source.
        got: usize,
    },

    /// A setting is zero, negative, infinite or not a number where that has no meaning.
    #[error("{setting}: expected {expected}, got {got} in the configuration; correct the setting")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What is accepted.
        expected: &'static str,
        /// The value found.
        got: f64,
    },

    /// A run was to resume behind the end of an epoch.
    #[error(
        "resume: expected a batch in 0..={expected}, got {got} in epoch {epoch}; were the data or \
         the batch size changed?"
    )]
    Position {
        /// Batches of an epoch.
        expected: usize,
        /// The batch asked for.
        got: usize,
        /// The epoch.
        epoch: u64,
    },

    /// The operating system refused to open, read, write, rename or unpack.
    #[error("{action}: expected success, got \"{source}\" in {}; check that the file exists, is \
             complete and accessible", .path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },

    /// The operating system refused to start a worker thread.
    #[error("loader: expected a worker thread, got \"{source}\" in worker {worker}; use fewer")]
    Thread {
        /// The worker.
        worker: usize,
        /// The system's answer.
        source: std::io::Error,
    },

    /// A source panicked while a batch was made.
    #[error(
        "loader: expected batch {batch} of epoch {epoch}, got panic \"{message}\" in {place}; this \
         is a bug of the source"
    )]
    Panic {
        /// The batch within the epoch.
        batch: usize,
        /// The epoch.
        epoch: u64,
        /// The panic's message.
        message: String,
        /// The source.
        place: String,
    },

    /// The server answered with another status than "here is the file".
    #[error("download: expected status {expected}, got {got} in {url}; try later or use a mirror")]
    Status {
        /// The statuses that would have been accepted.
        expected: &'static str,
        /// The status.
        got: u16,
        /// The address.
        url: String,
    },

    /// No answer from the server, or the connection broke.
    #[error(
        "download: expected an answer, got \"{source}\" in {url}; check the connection and run \
         again (a partial download is resumed)"
    )]
    Transport {
        /// The address.
        url: String,
        /// The cause.
        source: std::io::Error,
    },

    /// An archive is longer or shorter than the official one.
    #[error("archive: expected {expected} bytes, got {got} in {}; {advice}", .path.display())]
    ArchiveSize {
        /// The official size in bytes.
        expected: u64,
        /// The bytes there are, or that were received before the download was given up.
        got: u64,
        /// The archive.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
    },

    /// The MD5 sum of an archive differs from the official one.
    #[error("checksum: expected md5 {expected}, got {got} in {}; {advice}", .path.display())]
    Checksum {
        /// The official sum, 32 hexadecimal digits.
        expected: String,
        /// The sum of the file.
        got: String,
        /// The archive.
        path: PathBuf,
        /// What to do: a partial download has been removed, a complete file is left alone.
        advice: &'static str,
    },

    /// An archive holds a link, a device, an absolute path or a path with `..`; nothing of it was
    /// kept.
    #[error(
        "unpack: expected plain files below {folder}/, got {entry:?} in {}; do not trust this \
         archive",
        .path.display()
    )]
    UnsafeEntry {
        /// The only folder that the archive may fill.
        folder: String,
        /// The entry's path as stored.
        entry: String,
        /// The archive.
        path: PathBuf,
    },

    /// A program that reads videos cannot be started, or its answer is not understood.
    #[error(
        "video: expected the program {program}, got \"{source}\"; install ffmpeg (apt install ffmpeg, \
         brew install ffmpeg, winget install ffmpeg), or extract frames elsewhere to \
         image_00001.jpg, … in one folder a video"
    )]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },

    /// A video holds nothing that can be shown.
    #[error("video: expected {expected}, got {got:?} in {}; is the file complete?", .path.display())]
    Video {
        /// What should have been there.
        expected: &'static str,
        /// What ffmpeg says.
        got: String,
        /// The video.
        path: PathBuf,
    },

    /// A video has fewer frames than it says.
    #[error(
        "video: expected the {expected} frames of its header, got {got} in {} ({detail}); was the \
         file cut short?",
        .path.display()
    )]
    FrameCount {
        /// Frames according to the file's header.
        expected: usize,
        /// Frames that were decoded.
        got: usize,
        /// What ffmpeg says.
        detail: String,
        /// The video.
        path: PathBuf,
    },

    /// A folder of frames has none, or one of the middle is missing.
    #[error(
        "frame folder: expected image_{expected:05}.jpg, got {got} in {}; extract this video again",
        .path.display()
    )]
    FrameHole {
        /// The number of the frame that is missing.
        expected: usize,
        /// What is there.
        got: String,
        /// The folder.
        path: PathBuf,
    },

    /// A frame is no complete JPEG, or of another size than its clip.
    #[error("frame: expected {expected}, got {got} in {}; extract or prepare this video again", .path.display())]
    Frame {
        /// What should have been there.
        expected: String,
        /// What is there.
        got: String,
        /// The file of the frame or of the prepared clip.
        path: PathBuf,
    },

    /// A folder of a class holds no video.
    #[error(
        "class folder: expected videos or folders of frames, got none in {}; remove the folder or \
         add videos",
        .path.display()
    )]
    EmptyClass {
        /// The folder.
        path: PathBuf,
    },

    /// A line of a list of videos has another form than it should.
    #[error("split list: expected {expected}, got {got:?} at line {line} in {}; restore the file", .path.display())]
    SplitLine {
        /// The form of a line.
        expected: &'static str,
        /// The line.
        got: String,
        /// The line's number, counted from 1.
        line: usize,
        /// The list.
        path: PathBuf,
    },

    /// A prepared clip is damaged, cut short or from another version of this program.
    #[error(
        "prepared clip: expected {expected}, got {got} in {}; remove the file and prepare again",
        .path.display()
    )]
    PreparedClip {
        /// What should have been there.
        expected: String,
        /// What is there.
        got: String,
        /// The file.
        path: PathBuf,
    },

    /// Not one clip can be used.
    #[error("{what}: expected at least one usable clip, got none of {of} in {place}; {advice}")]
    NoClips {
        /// What the clips were wanted for.
        what: &'static str,
        /// The number of clips that were looked at.
        of: usize,
        /// The source.
        place: String,
        /// The reason of the first, or what to do.
        advice: String,
    },

    /// A class of clips that labels cannot count.
    #[error("classes: expected at most 256 classes, got {got} in {place}; labels are bytes")]
    Classes {
        /// The number of classes.
        got: usize,
        /// The source.
        place: String,
    },

    /// What the store of files says.
    #[error(transparent)]
    Store(#[from] clapp_store::Error),
}

impl Error {
    /// The system error of `action` on `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

fn folders(searched: &[PathBuf]) -> String {
    searched.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// One reason stands for all: a run that asks for too much has no place to list them.
fn skipped_advice(skipped: &Skipped) -> String {
    skipped.iter().next().map_or_else(String::new, |first| {
        format!(", or mend what was skipped, {} in all; the first: {first}", skipped.len())
    })
}

fn size_advice(expected: u64, got: u64) -> &'static str {
    if got < expected {
        "is the download complete? (Sizes::Any accepts other sizes)"
    } else {
        "is this the right file? (Sizes::Any accepts other sizes)"
    }
}
