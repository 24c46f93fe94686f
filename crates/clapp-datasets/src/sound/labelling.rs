//! Labels for utterances in files.

use super::files::{SoundFile, SpeechFiles};
use super::frames::Framing;
use super::lists::PhoneLabels;
use super::speech::Utterance;
use crate::Error;

impl SpeechFiles {
    /// The same utterances with the labels of a file, instead of any they had. Utterances without a line
    /// have none, and lines without an utterance are passed over: label files often cover more than is
    /// at hand.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a line has more or fewer labels than its utterance has frames; if bad ones
    /// are to be skipped, that utterance is left out.
    pub fn with_labels(self, labels: &PhoneLabels) -> Result<Self, Error> {
        self.labelled_by(labels.classes(), |file| give(&mut file.utterance, labels))
    }

    /// The same utterances with labels from files beside them, instead of any they had: `name.phones`
    /// holds the labels of `name.wav`, separated by blanks.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Io`] of such a file; if bad ones are to be skipped, that utterance
    /// is left out.
    ///
    /// # Panics
    /// `classes` is 0.
    pub fn with_label_files(self, classes: usize, framing: Framing) -> Result<Self, Error> {
        self.labelled_by(classes, |SoundFile { utterance, path, .. }| {
            (utterance.labels, utterance.framing) = (None, framing);
            let path = path.with_extension("phones");
            if !path.is_file() {
                return Ok(());
            }
            let labels = PhoneLabels::of_one(&path, &utterance.id, classes)?;
            give(utterance, &labels.framed(framing))
        })
    }

    fn labelled_by(
        mut self,
        classes: usize,
        label: impl Fn(&mut SoundFile) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut files = Vec::with_capacity(self.files.len());
        for mut file in self.files {
            let labelled = label(&mut file).map(|()| file);
            files.extend(self.skipped.sift(labelled, self.on_bad)?);
        }
        Ok(Self { files, classes, ..self })
    }
}

/// Gives an utterance its labels, or none if it has no line.
fn give(utterance: &mut Utterance, labels: &PhoneLabels) -> Result<(), Error> {
    let found = labels.get(&utterance.id);
    if let Some(found) = found {
        let line = labels.line(&utterance.id).unwrap_or(1);
        utterance.check_count(found, labels.framing(), line, labels.path().display())?;
    }
    (utterance.labels, utterance.framing) = (found.cloned(), labels.framing());
    Ok(())
}
