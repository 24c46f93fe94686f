//! Sound that is not decoded here, and sound that stands beside another form of itself.

use std::path::Path;

use super::lossy;
use crate::Error;

/// What is decoded.
pub(super) const READ: &str = "FLAC, WAV, MP3, Ogg Vorbis or AAC in M4A";
/// Endings of the names of files that are not, in lower case.
const ENDINGS: [&str; 5] = ["opus", "aac", "wma", "aif", "aiff"];
/// Files of these endings are what others were converted to.
const CONVERTED: [&str; 2] = ["flac", "wav"];

/// The ending of a file that is not decoded.
pub(super) fn ending(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?;
    ENDINGS.into_iter().find(|other| ending.eq_ignore_ascii_case(other))
}

/// Whether a file stands beside one of the same name that was made of it, as FLAC or WAV, or, if it is not decoded itself, in
/// any form that is. Two files of a name that are both decoded and neither of which is FLAC or WAV are refused instead.
pub(super) fn superseded(path: &Path) -> bool {
    let converted = path
        .extension()
        .is_some_and(|ending| CONVERTED.iter().any(|c| ending.eq_ignore_ascii_case(c)));
    let beside = |ending: &str| path.with_extension(ending).is_file();
    !converted
        && (CONVERTED.into_iter().any(beside)
            || ending(path).is_some() && lossy::ENDINGS.into_iter().any(beside))
}

/// A file holds what is not decoded.
pub(super) fn refused(what: &str, path: &Path) -> Error {
    let advice = format!(
        "convert it: ffmpeg -i \"{}\" -ar 16000 -ac 1 \"{}\"",
        path.display(),
        path.with_extension("flac").display()
    );
    Error::unfit("sound", READ, what, path.display(), advice)
}
