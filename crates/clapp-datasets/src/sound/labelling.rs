//! Labels for utterances in files.

use super::files::SpeechFiles;
use super::frames::Framing;
use super::lists::PhoneLabels;
use super::speech::Utterance;
use crate::Error;

impl SpeechFiles {
    /// The same utterances with the labels of a file, instead of any they had. Utterances without a line have none, and
    /// lines without an utterance are passed over: label files often cover more than is at hand.
    ///
    /// # Errors
    /// [`Error::PhoneCount`] if a line has more or fewer labels than its utterance has frames; if
    /// bad ones are to be skipped, that utterance is left out.
    pub fn with_labels(mut self, labels: &PhoneLabels) -> Result<Self, Error> {
        let mut items = Vec::with_capacity(self.items.len());
        for mut item in self.items {
            let checked = match labels.get(&item.utterance.id) {
                None => Ok(None),
                Some(found) => check_count(&item.utterance, found, labels).map(Some),
            };
            let Some(found) = self.skipped.sift(checked, self.on_bad)? else { continue };
            item.labels = found;
            items.push(item);
        }
        let (classes, framing) = (labels.classes(), labels.framing());
        Ok(Self { items, classes, framing, ..self })
    }

    /// The same utterances with labels from files beside them, instead of any they had: `name.phones` holds the labels of
    /// `name.wav`, separated by blanks.
    ///
    /// # Errors
    /// [`Error::PhoneCount`], [`Error::PhoneLabel`] or [`Error::Io`] of such a file; if bad ones are to
    /// be skipped, that utterance is left out.
    ///
    /// # Panics
    /// `classes` is not in 1..=256.
    pub fn with_label_files(mut self, classes: usize, framing: Framing) -> Result<Self, Error> {
        let mut items = Vec::with_capacity(self.items.len());
        for mut item in self.items {
            let path = item.path.with_extension("phones");
            let checked = match path.is_file() {
                false => Ok(None),
                true => {
                    PhoneLabels::of_one(&path, &item.utterance.id, classes).and_then(|labels| {
                        let labels = labels.framed(framing);
                        let found = labels.get(&item.utterance.id).unwrap_or(&[]);
                        check_count(&item.utterance, found, &labels).map(Some)
                    })
                }
            };
            let Some(found) = self.skipped.sift(checked, self.on_bad)? else { continue };
            item.labels = found;
            items.push(item);
        }
        Ok(Self { items, classes, framing, ..self })
    }
}

fn check_count(
    utterance: &Utterance,
    found: &[u8],
    labels: &PhoneLabels,
) -> Result<Vec<u8>, Error> {
    let (expected, got) = (labels.framing().labels(utterance.samples), found.len());
    if got == expected {
        return Ok(found.to_vec());
    }
    Err(Error::PhoneCount {
        expected,
        got,
        id: utterance.id.clone(),
        samples: utterance.samples,
        line: labels.line(&utterance.id).unwrap_or(1),
        path: labels.path().to_owned(),
    })
}
