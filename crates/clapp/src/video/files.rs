//! Videos of a run: where they lie, what becomes of those that cannot be used.

use std::path::{Path, PathBuf};

use clapp_datasets::{
    OnBad,
    video::{ClipList, Part, Preparation, PreparedClips, Progress, prepare},
};
use serde::{Deserialize, Serialize, Serializer};

use crate::Error;

/// Videos to learn from and to read out.
///
/// They are prepared once, into a folder of their own: one checksummed file of JPEG frames a clip. A
/// preparation that was stopped goes on where it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipsConfig {
    /// The videos, and which of them are for testing.
    pub place: Place,
    /// Folder of the prepared clips.
    pub prepared: PathBuf,
    /// Pixels of the shorter side of a prepared frame.
    pub short_side: usize,
    /// What becomes of videos and lines that cannot be used.
    #[serde(serialize_with = "stop_or_skip")]
    pub on_bad: OnBad,
}

/// The words that configurations of videos have always had.
fn stop_or_skip<S: Serializer>(on_bad: &OnBad, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *on_bad == OnBad::Skip { "skip" } else { "stop" })
}

/// A set of videos, one folder a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "layout")]
pub enum Place {
    /// UCF-101 with its official lists.
    Ucf101 {
        /// Folder of videos and lists.
        root: PathBuf,
        /// 1, 2 or 3.
        split: u8,
    },
    /// HMDB-51 with its official lists.
    Hmdb51 {
        /// Folder of videos and lists.
        root: PathBuf,
        /// 1, 2 or 3.
        split: u8,
    },
    /// Any folders of videos, or of folders of frames; the folder's name is the class.
    Folders {
        /// Folder of the class folders.
        root: PathBuf,
        /// Share of every class that is tested on, drawn once for all seeds.
        test_share: f64,
    },
}

/// Seed of a split that belongs to the data and not to the run.
const SPLIT_SEED: u64 = 0;

impl Place {
    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Ucf101 { split, .. } => format!("ucf101, split {split}"),
            Self::Hmdb51 { split, .. } => format!("hmdb51, split {split}"),
            Self::Folders { root, .. } => root.display().to_string(),
        }
    }

    /// The folder of the videos.
    #[must_use]
    pub fn root(&self) -> &Path {
        match self {
            Self::Ucf101 { root, .. } | Self::Hmdb51 { root, .. } | Self::Folders { root, .. } => {
                root
            }
        }
    }

    /// The clips to learn from and those to test on.
    fn lists(&self, on_bad: OnBad) -> Result<[ClipList; 2], Error> {
        let parts = [Part::Train, Part::Test];
        let lists = match self {
            Self::Ucf101 { root, split } => {
                parts.map(|part| ClipList::ucf101(root, *split, part, on_bad))
            }
            Self::Hmdb51 { root, split } => {
                parts.map(|part| ClipList::hmdb51(root, *split, part, on_bad))
            }
            Self::Folders { root, test_share } => {
                let list = ClipList::folders(root, on_bad)?;
                let (train, test) = list.hold_out(*test_share, SPLIT_SEED)?;
                return Ok([train, test]);
            }
        };
        let [train, test] = lists;
        Ok([train?, test?])
    }
}

impl ClipsConfig {
    /// Videos at a place, prepared into a folder beside them, with frames of the authors' size; the first
    /// that cannot be used is an error.
    ///
    /// ```
    /// use clapp::video::{ClipsConfig, Place};
    /// let clips = ClipsConfig::new(Place::Ucf101 { root: "datasets/UCF101".into(), split: 1 });
    /// assert_eq!(clips.prepared, std::path::Path::new("datasets/UCF101.prepared"));
    /// assert_eq!(clips.short_side, 240);
    /// ```
    #[must_use]
    pub fn new(place: Place) -> Self {
        let mut prepared = place.root().as_os_str().to_owned();
        prepared.push(".prepared");
        let prepared = prepared.into();
        Self { place, prepared, short_side: 240, on_bad: OnBad::Refuse }
    }

    /// Prepares what is not prepared yet, and opens the clips to learn from and those to test on.
    ///
    /// `progress` is called for every clip that is prepared.
    ///
    /// # Errors
    ///
    /// If nothing can be used, or the disk is full; unless such are to be skipped, also if a video is
    /// missing or damaged, or ffmpeg is not there.
    pub fn prepare(&self, progress: impl Fn(Progress) + Sync) -> Result<[PreparedClips; 2], Error> {
        let [train, test] = self.place.lists(self.on_bad)?;
        Ok([self.prepare_list(train, &progress)?, self.prepare_list(test, &progress)?])
    }

    /// The same for any clips, such as all of a tree, in the same folder.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub fn prepare_list(
        &self,
        list: ClipList,
        progress: impl Fn(Progress) + Sync,
    ) -> Result<PreparedClips, Error> {
        let (short_side, on_bad) = (self.short_side, self.on_bad);
        let preparation = Preparation { short_side, on_bad, ..Preparation::default() };
        Ok(prepare(list, &self.prepared, &preparation, progress)?)
    }
}
