//! HMDB-51 (Kuehne et al. 2011): 6 766 clips of 51 actions, 240 rows, 30 frames a second.
//!
//! ```text
//! root/{hmdb51_org, videos, frame, frames, .}/{class}/{video}{.avi, /image_00001.jpg …}
//! root/{testTrainMulti_7030_splits, splits, .}/{class}_test_split{1,2,3}.txt
//! ```
//!
//! A line is `video.avi 1` (train), `2` (test) or `0` (not used in this split). A split has 70 training
//! and 30 test clips a class.

use std::path::{Path, PathBuf};

use crate::files::{children, lines, read_text};
use crate::video::ucf101::{bad_line, check_split, is_plain};
use crate::video::{ClipList, Part};
use crate::{Error, OnBad};

const LISTS: [&str; 3] = ["testTrainMulti_7030_splits", "splits", ""];
const VIDEOS: [&str; 5] = ["hmdb51_org", "videos", "frame", "frames", ""];

impl ClipList {
    /// The clips of one part of split 1, 2 or 3 of HMDB-51.
    ///
    /// # Errors
    /// As [`ClipList::ucf101`].
    pub fn hmdb51(
        root: impl AsRef<Path>,
        split: u8,
        part: Part,
        on_bad: OnBad,
    ) -> Result<Self, Error> {
        let root = root.as_ref();
        check_split(split)?;
        let (stem, wanted) = if part == Part::Train { ("train", "1") } else { ("test", "2") };
        let mut list = Self::empty(format!("hmdb51/{stem}{split}"));
        let roots: Vec<PathBuf> = VIDEOS.iter().map(|folder| root.join(folder)).collect();
        for (class, path) in class_lists(root, split)? {
            let label = list.classes.len();
            list.classes.push(class.clone());
            for (line, words) in lines(&read_text(&path)?) {
                let (video, mark) = words.rsplit_once(char::is_whitespace).unwrap_or((words, ""));
                let video = video.trim();
                if !is_plain(video) || !["0", "1", "2"].contains(&mark) {
                    let reason = bad_line("`video.avi` and 0, 1 or 2", words, line, &path);
                    list.skipped.add("", reason, on_bad)?;
                } else if mark == wanted {
                    list.push(&roots, &class, video, label, on_bad)?;
                }
            }
        }
        list.checked(root)
    }
}

/// The classes with their lists, by name.
fn class_lists(root: &Path, split: u8) -> Result<Vec<(String, PathBuf)>, Error> {
    let ending = format!("_test_split{split}.txt");
    let searched: Vec<PathBuf> = LISTS.iter().map(|folder| root.join(folder)).collect();
    for folder in searched.iter().filter(|folder| folder.is_dir()) {
        let list = |path: PathBuf| {
            Some((path.file_name()?.to_str()?.strip_suffix(&ending)?.to_owned(), path))
        };
        let mut lists: Vec<_> = children(folder)?.into_iter().filter_map(list).collect();
        if !lists.is_empty() {
            lists.sort();
            return Ok(lists);
        }
    }
    Err(Error::missing_file("hmdb51", format!("*{ending}"), &searched))
}
