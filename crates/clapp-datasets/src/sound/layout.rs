//! Which files of a folder are utterances, and what their names say.

use std::path::{Path, PathBuf};

use super::speech::Utterance;
use super::{decode, index};
use crate::Error;

/// All sound files below `folder`, hidden ones apart, in the order of their names.
pub(super) fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::io("read folder", folder, source);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            walk(&path, files)?;
        } else if decode::is_sound(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// `speaker/chapter/speaker-chapter-number`.
pub(super) fn librispeech_utterance(root: &Path, path: &Path) -> Result<Utterance, Error> {
    let below = index::name(root, &path.with_extension(""));
    let named = || {
        let (speaker, rest) = below.split_once('/')?;
        let (chapter, id) = rest.split_once('/')?;
        let number = id.strip_prefix(&format!("{speaker}-{chapter}-"))?;
        let digits = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        [speaker, chapter, number].iter().all(|word| digits(word)).then(|| Utterance {
            id: id.to_owned(),
            speaker: Some(speaker.to_owned()),
            chapter: Some(chapter.to_owned()),
            ..Utterance::default()
        })
    };
    let expected = "a file <speaker>/<chapter>/<speaker>-<chapter>-<number>";
    let advice = "open other folders with SpeechFiles::folder";
    named().ok_or_else(|| Error::unfit("librispeech", expected, path.display(), "", advice))
}

/// The path below the root is the id, its first folder the speaker.
pub(super) fn folder_utterance(root: &Path, path: &Path) -> Result<Utterance, Error> {
    let id = index::name(root, &path.with_extension(""));
    let speaker = id.split_once('/').map(|(speaker, _)| speaker.to_owned());
    Ok(Utterance { id, speaker, ..Utterance::default() })
}
