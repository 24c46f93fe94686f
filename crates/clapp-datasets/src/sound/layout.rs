//! Which files of a folder are utterances, and what their names say.

use std::path::Path;

use super::speech::Utterance;
use crate::Error;
use crate::files::relative;

/// `speaker/chapter/speaker-chapter-number`.
pub(super) fn librispeech_utterance(root: &Path, path: &Path) -> Result<Utterance, Error> {
    let below = relative(root, &path.with_extension(""));
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
    let advice =
        "take other trees as folders of sound files (--part folder, or SpeechFiles::folder)";
    named().ok_or_else(|| Error::unfit("librispeech", expected, path.display(), "", advice))
}

/// The path below the root is the id, its first folder the speaker.
pub(super) fn folder_utterance(root: &Path, path: &Path) -> Result<Utterance, Error> {
    let id = relative(root, &path.with_extension(""));
    let speaker = id.split_once('/').map(|(speaker, _)| speaker.to_owned());
    Ok(Utterance { id, speaker, ..Utterance::default() })
}
