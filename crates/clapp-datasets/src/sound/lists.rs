//! Text files beside the sound: phone labels and split lists.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frames::Framing;
use super::speech::bad_label;
use crate::files::{lines, read_text};
use crate::{Error, OnBad, Skipped};

/// Phone labels of many utterances, as in `converted_aligned_phones.txt`.
///
/// One line per utterance, `ID int int int …`, separated by blanks; one label per 10 ms, counted
/// from 0. The published labels of LibriSpeech count 41 classes, 0 is silence, and describe windows of
/// 25 ms; for others see [`framed`](Self::framed). Blank lines are passed over.
///
/// # Example
///
/// ```
/// use clapp_datasets::{OnBad, sound::PhoneLabels};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("converted_aligned_phones.txt");
/// std::fs::write(&path, "103-1240-0000 0 0 35 12\n").unwrap();
/// let labels = PhoneLabels::read(&path, 41, OnBad::Refuse)?;
/// assert_eq!(labels.get("103-1240-0000").expect("written above")[2], 35);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Debug)]
pub struct PhoneLabels {
    path: PathBuf,
    classes: usize,
    framing: Framing,
    lines: HashMap<String, (usize, Arc<[u32]>)>,
    skipped: Skipped,
}

impl PhoneLabels {
    /// Reads a file of labels below `classes`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read. Of a line, unless it is to be skipped:
    /// [`Error::Damaged`] if a word is no label below `classes`, or its utterance stands above already.
    ///
    /// # Panics
    /// `classes` is 0.
    pub fn read(path: impl AsRef<Path>, classes: usize, on_bad: OnBad) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let mut read = Self::empty(path, classes);
        for (line, words) in lines(&read_text(&read.path)?) {
            let (id, words) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
            let parsed = read.parse(id, words, line);
            if let Some(labels) = read.skipped.sift(parsed, on_bad)? {
                read.lines.insert(id.to_owned(), (line, labels));
            }
        }
        Ok(read)
    }

    fn empty(path: PathBuf, classes: usize) -> Self {
        assert!(classes > 0, "labels: expected at least one class, got 0");
        let (framing, lines) = (Framing::default(), HashMap::new());
        Self { path, classes, framing, lines, skipped: Skipped::default() }
    }

    /// The same labels, describing other samples.
    #[must_use]
    pub fn framed(self, framing: Framing) -> Self {
        Self { framing, ..self }
    }

    /// Which samples a label describes; [`Framing::Windows`] unless said otherwise.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The labels of one utterance, from a file that holds nothing else, on any number of lines.
    pub(super) fn of_one(path: &Path, id: &str, classes: usize) -> Result<Self, Error> {
        let mut read = Self::empty(path.to_owned(), classes);
        let mut labels = Vec::new();
        for (line, words) in lines(&read_text(path)?) {
            labels.extend_from_slice(&read.parse(id, words, line)?);
        }
        read.lines.insert(id.to_owned(), (1, labels.into()));
        Ok(read)
    }

    fn parse(&self, id: &str, words: &str, line: usize) -> Result<Arc<[u32]>, Error> {
        if self.lines.contains_key(id) {
            return Err(repeated("phone labels", id, line, &self.path));
        }
        let label = |word: &str| match word.parse::<u32>() {
            Ok(label) if (label as usize) < self.classes => Ok(label),
            _ => {
                let word = format!("{word:?}");
                Err(bad_label(self.classes, word, line, self.path.display()))
            }
        };
        words.split_whitespace().map(label).collect()
    }

    /// The labels of an utterance, if the file has any.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<[u32]>> {
        self.lines.get(id).map(|(_, labels)| labels)
    }

    /// The line of an utterance, counted from 1.
    #[must_use]
    pub fn line(&self, id: &str) -> Option<usize> {
        self.lines.get(id).map(|(line, _)| *line)
    }

    /// The utterances that have labels, in no order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.lines.keys().map(String::as_str)
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lines that were left out.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }
}

/// The names of some utterances in the order of a file, as in `train_split.txt`: one a line.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::SplitList;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("train_split.txt");
/// std::fs::write(&path, "40-222-0001\n103-1240-0000").unwrap();
/// let list = SplitList::read(&path)?;
/// assert_eq!(list.ids().collect::<Vec<_>>(), ["40-222-0001", "103-1240-0000"]);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SplitList {
    path: PathBuf,
    lines: Vec<(usize, String)>,
}

impl SplitList {
    /// Reads a list; blank lines are passed over.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Damaged`] if a name stands in it twice.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let text = read_text(&path)?;
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        for (line, id) in lines(&text) {
            if !seen.insert(id) {
                return Err(repeated("split list", id, line, &path));
            }
            found.push((line, id.to_owned()));
        }
        Ok(Self { path, lines: found })
    }

    /// The names, in the order of the file.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|(_, id)| id.as_str())
    }

    /// The number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True if there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lines, counted from 1, and names.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().map(|(line, id)| (*line, id.as_str()))
    }
}

/// An utterance stands in a list or in a file of labels twice.
fn repeated(what: &str, id: &str, line: usize, path: &Path) -> Error {
    let got = format!("{id} again at line {line}");
    Error::damaged(what, "each utterance once", got, path.display(), "remove one of the lines")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.txt");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn error(text: &str) -> String {
        let (_folder, path) = written(text);
        PhoneLabels::read(path, 41, OnBad::Refuse).unwrap_err().to_string()
    }

    #[test]
    fn bad_words_are_named_with_their_line() {
        for word in ["41", "-1", "1.5", "SIL", "256"] {
            let text = error(&format!("a 0 40\r\n\r\nb 3 {word} 3\n"));
            let start =
                format!("phone labels: expected a label in 0..=40, got \"{word}\" at line 3 in ");
            assert!(text.starts_with(&start) && text.contains("lines.txt;"), "{text}");
        }
    }

    #[test]
    fn a_repeated_utterance_is_named_with_its_line() {
        let text = error("a 0\nb 0\na 1\n");
        assert!(
            text.starts_with("phone labels: expected each utterance once, got a again at line 3")
        );
        let (_folder, path) = written("a\nb\nb");
        let text = SplitList::read(path).unwrap_err().to_string();
        assert!(
            text.starts_with("split list: expected each utterance once, got b again at line 3")
        );
    }

    #[test]
    fn skipped_lines_are_counted_and_the_rest_is_kept() {
        let (_folder, path) = written("a 0 1\nb 99\nc 2\na 3\n");
        let labels = PhoneLabels::read(path, 41, OnBad::Skip).unwrap();
        assert_eq!((labels.get("a"), labels.get("b")), (Some(&[0, 1].into()), None));
        assert_eq!((labels.line("c"), labels.skipped().len()), (Some(3), 2));
    }

    #[test]
    fn a_missing_file_is_named() {
        let text = SplitList::read("/no/where/train_split.txt").unwrap_err().to_string();
        assert!(
            text.starts_with("read: expected success, got ") && text.contains("train_split.txt")
        );
    }
}
