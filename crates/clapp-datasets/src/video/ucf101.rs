//! UCF-101 (Soomro, Zamir & Shah 2012): 13 320 clips of 101 actions, 320×240, 25 frames a second.
//!
//! ```text
//! root/{UCF-101, videos, frame, frames, .}/{Class}/v_{Class}_g{01..25}_c{01..}{.avi, /image_00001.jpg …}
//! root/{ucfTrainTestlist, splits_classification, .}/{classInd, trainlist01, testlist01, …}.txt
//! ```
//!
//! A line of a training list is `Class/video.avi label`, of a test list `Class/video.avi`; some copies
//! carry labels there too. Labels are passed over: the class is the folder's name and its number comes
//! from `classInd.txt`. The file's name would not do: the clips of `HandstandPushups` are called
//! `v_HandStandPushups_…`.

use std::path::{Component, Path, PathBuf};

use crate::files::{lines, locate, read_text};
use crate::video::list::find;
use crate::video::{ClipList, ListedClip};
use crate::{Error, OnBad};

const LISTS: [&str; 3] = ["ucfTrainTestlist", "splits_classification", ""];
const VIDEOS: [&str; 5] = ["UCF-101", "videos", "frame", "frames", ""];

/// The part of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// For learning and for read-outs.
    Train,
    /// For testing them.
    Test,
}

impl ClipList {
    /// The clips of one part of split 1, 2 or 3 of UCF-101.
    ///
    /// | split | train | test |
    /// |---|---|---|
    /// | 1 | 9 537 | 3 783 |
    /// | 2 | 9 586 | 3 734 |
    /// | 3 | 9 624 | 3 696 |
    ///
    /// # Errors
    /// [`Error::Config`] for another split, [`Error::Missing`] without the lists, [`Error::Damaged`] if
    /// `classInd.txt` is, [`Error::TooFew`] if none of the videos is there; with [`OnBad::Refuse`] also
    /// [`Error::Damaged`] for the first line that is, [`Error::Missing`] for the first video that is not there, and
    /// [`Error::Unfit`] for the first that is listed again.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_datasets::{OnBad, video::{ClipList, Part}};
    ///
    /// # let root = tempfile::tempdir().unwrap();
    /// # let root = root.path();
    /// let write = |path: &str, text: &str| {
    ///     let path = root.join(path);
    ///     std::fs::create_dir_all(path.parent().expect("not the root"))?;
    ///     std::fs::write(path, text)
    /// };
    /// write("UCF-101/Surfing/v_Surfing_g01_c01.avi", "")?;
    /// write("ucfTrainTestlist/classInd.txt", "1 Archery\r\n2 Surfing\r\n")?;
    /// write("ucfTrainTestlist/testlist01.txt", "Surfing/v_Surfing_g01_c01.avi\r\n")?;
    /// let list = ClipList::ucf101(root, 1, Part::Test, OnBad::Refuse)?;
    /// assert_eq!((list.name(), list.clips()[0].label), ("ucf101/test1", 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ucf101(
        root: impl AsRef<Path>,
        split: u8,
        part: Part,
        on_bad: OnBad,
    ) -> Result<Self, Error> {
        let root = root.as_ref();
        check_split(split)?;
        let stem = if part == Part::Train { "train" } else { "test" };
        let file = format!("{stem}list{split:02}.txt");
        let folder = locate("ucf101", root, &LISTS, &file)?;
        locate("ucf101", &folder, &[""], "classInd.txt")?;
        let mut list = Self::empty(format!("ucf101/{stem}{split}"));
        list.classes = read_classes(&folder.join("classInd.txt"))?;
        let roots: Vec<PathBuf> = VIDEOS.iter().map(|folder| root.join(folder)).collect();
        let path = folder.join(&file);
        for (line, words) in lines(&read_text(&path)?) {
            let expected = "Class/video.avi of a class in classInd.txt, and a label or none";
            let video = words.split_whitespace().next().and_then(split_name);
            let labelled = video.and_then(|(class, name)| {
                Some((class, name, list.classes.iter().position(|known| known == class)?))
            });
            let labelled = labelled.ok_or_else(|| bad_line(expected, words, line, &path));
            if let Some((class, name, label)) = list.skipped.sift(labelled, on_bad)? {
                list.push(&roots, class, name, label, on_bad)?;
            }
        }
        list.checked(root)
    }

    /// Adds a video, or the reason why it cannot be.
    pub(crate) fn push(
        &mut self,
        roots: &[PathBuf],
        class: &str,
        file: &str,
        label: usize,
        on_bad: OnBad,
    ) -> Result<(), Error> {
        let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        let id = format!("{class}/{stem}");
        match find(roots, class, file) {
            Some(media) => self.add(ListedClip { id, label: label as u32, media }, on_bad),
            None => {
                let reason = Error::missing_file(&self.name, format!("{class}/{file}"), roots);
                self.skipped.add(&id, reason, on_bad)
            }
        }
    }
}

pub(crate) fn check_split(split: u8) -> Result<(), Error> {
    match split {
        1..=3 => Ok(()),
        _ => Err(Error::setting("split", "1, 2 or 3", split)),
    }
}

/// A line of a list of videos has another form than it should.
pub(crate) fn bad_line(expected: &str, words: &str, line: usize, path: &Path) -> Error {
    let got = format!("{words:?} at line {line}");
    Error::damaged("split list", expected, got, path.display(), "mend the line or restore the file")
}

/// `Class/video.avi`: exactly two plain names, so that a list cannot lead out of its folder.
fn split_name(video: &str) -> Option<(&str, &str)> {
    let (class, file) = video.split_once(['/', '\\'])?;
    (is_plain(class) && is_plain(file)).then_some((class, file))
}

pub(crate) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        && !name.contains(['/', '\\'])
}

/// Lines `id Class`, ids from 1 without a gap.
fn read_classes(path: &Path) -> Result<Vec<String>, Error> {
    let mut classes = Vec::new();
    for (line, words) in lines(&read_text(path)?) {
        match words.split_whitespace().collect::<Vec<_>>()[..] {
            [id, class] if id.parse() == Ok(classes.len() + 1) => classes.push(class.to_owned()),
            _ => {
                let expected = "`id Class`, ids from 1 in order";
                return Err(bad_line(expected, words, line, path));
            }
        }
    }
    Ok(classes)
}
