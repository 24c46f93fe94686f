//! Sound in formats that are not decoded here.

use std::path::Path;

use crate::Error;

/// Endings of the names of such files, in lower case.
const ENDINGS: [&str; 9] = ["mp3", "ogg", "oga", "opus", "m4a", "aac", "wma", "aif", "aiff"];

/// The ending of such a file, unless it stands beside what was made of it.
pub(super) fn ending(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?;
    let other = ENDINGS.into_iter().find(|other| ending.eq_ignore_ascii_case(other))?;
    let converted = ["flac", "wav"].iter().any(|ending| path.with_extension(ending).is_file());
    (!converted).then_some(other)
}

/// A file is of such a format.
pub(super) fn refused(ending: &str, path: &Path) -> Error {
    let advice = format!(
        "convert it: ffmpeg -i \"{}\" -ar 16000 -ac 1 \"{}\"",
        path.display(),
        path.with_extension("flac").display()
    );
    Error::unfit("sound", "FLAC or WAV", ending, path.display(), advice)
}
