//! Which videos belong to a data set.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::files::{children, name_of};
use crate::split::of_every_class;
use crate::{Error, OnBad, Skipped};

/// How the names of videos end, in lower case.
const ENDINGS: [&str; 17] = [
    "avi", "mp4", "mkv", "mov", "webm", "mpg", "mpeg", "m4v", "wmv", "3gp", "asf", "flv", "m2ts",
    "mts", "ogv", "ts", "vob",
];
/// First index of the streams of [`Purpose::Split`] used here; 0 and 1 belong to images.
const CLIPS: u64 = 2;

/// Where the frames of a clip are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Media {
    /// In a video file.
    Video(PathBuf),
    /// In a folder of `image_00001.jpg`, `image_00002.jpg`, …
    Frames(PathBuf),
}

impl Media {
    /// The file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Video(path) | Self::Frames(path) => path,
        }
    }
}

/// One video of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedClip {
    /// `class/name` without an ending, or with it where videos differ in nothing else: unique within its list.
    pub id: String,
    /// Its class, counted from 0.
    pub label: u32,
    /// Its frames.
    pub media: Media,
}

/// The videos of a data set or of a part of it, with their classes.
///
/// A list says where videos are; it has opened none of them. [`prepare`](super::prepare) does.
///
/// | what | from | classes in the order of |
/// |---|---|---|
/// | any tree | [`folders`](Self::folders) | the folders' names |
/// | UCF-101 | [`ucf101`](Self::ucf101) | `classInd.txt` |
/// | HMDB-51 | [`hmdb51`](Self::hmdb51) | the split files' names |
///
/// # Example
///
/// ```
/// use clapp_datasets::{OnBad, video::ClipList};
///
/// # let root = tempfile::tempdir().unwrap();
/// # let root = root.path();
/// for class in ["walk", "run"] {
///     std::fs::create_dir(root.join(class))?;
///     std::fs::write(root.join(class).join("one.avi"), b"not looked at yet")?;
/// }
/// let list = ClipList::folders(root, OnBad::Refuse)?;
/// assert_eq!(list.classes(), ["run", "walk"]);
/// assert_eq!((list.clips()[1].id.as_str(), list.clips()[1].label), ("walk/one", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClipList {
    pub(crate) name: String,
    pub(crate) clips: Vec<ListedClip>,
    pub(crate) classes: Vec<String>,
    pub(crate) skipped: Skipped,
    /// Ids of `clips`.
    names: HashSet<String>,
}

impl ClipList {
    /// All videos and folders of frames in the class folders below `root`.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder cannot be read, [`Error::TooFew`] if there is no video at all; with
    /// [`OnBad::Refuse`] also [`Error::Unfit`] for a class folder without videos, which is else listed as
    /// skipped and keeps its label, and for a clip of the name of another.
    pub fn folders(root: impl AsRef<Path>, on_bad: OnBad) -> Result<Self, Error> {
        let root = root.as_ref();
        let mut list =
            Self::empty(root.file_name().map_or("videos".into(), |n| n.to_string_lossy()));
        let folders = children(root)?.into_iter().filter(|path| path.is_dir()).collect::<Vec<_>>();
        for (class, folder) in folders.into_iter().enumerate() {
            let class_name = name_of(&folder);
            list.classes.push(class_name.clone());
            let media: Vec<Media> = children(&folder)?.into_iter().filter_map(media).collect();
            if media.is_empty() {
                let (expected, advice) =
                    ("videos or folders of frames", "remove the folder or add videos");
                let reason =
                    Error::unfit("class folder", expected, "none", folder.display(), advice);
                list.skipped.add(&class_name, reason, on_bad)?;
            }
            let mut stems: BTreeMap<String, usize> = BTreeMap::new();
            media.iter().for_each(|media| *stems.entry(stem_of(media)).or_default() += 1);
            for media in media {
                let stem = stem_of(&media);
                // Of one stem, `a.avi` and `a.mp4`: each is called by its whole name.
                let name = if stems[&stem] == 1 { stem } else { name_of(media.path()) };
                let id = format!("{class_name}/{name}");
                list.add(ListedClip { id, label: class as u32, media }, on_bad)?;
            }
        }
        list.checked(root)
    }

    pub(crate) fn empty(name: impl Into<String>) -> Self {
        let (skipped, names) = (Skipped::default(), HashSet::new());
        Self { name: name.into(), clips: vec![], classes: vec![], skipped, names }
    }

    /// Adds a clip, unless another has its name: prepared clips are told apart by that.
    pub(crate) fn add(&mut self, clip: ListedClip, on_bad: OnBad) -> Result<(), Error> {
        if self.names.insert(clip.id.clone()) {
            self.clips.push(clip);
            return Ok(());
        }
        let (expected, got) = (format!("one clip {}", clip.id), "another of that name");
        let advice = "rename one of them, or list it once";
        let place = clip.media.path().display();
        self.skipped.add(&clip.id, Error::unfit("clip list", expected, got, place, advice), on_bad)
    }

    /// The list, unless it is of no use.
    pub(crate) fn checked(self, root: &Path) -> Result<Self, Error> {
        match self.clips.is_empty() {
            true => Err(self.skipped.no_clips("clip list", self.skipped.len(), root.display())),
            false => Ok(self),
        }
    }

    /// A short name, such as `ucf101/train1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The videos that are there.
    #[must_use]
    pub fn clips(&self) -> &[ListedClip] {
        &self.clips
    }

    /// The classes' names, indexed by label.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What should be there and is not.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// The clips at `indices`, in that order, under another name; nothing of it is skipped.
    ///
    /// # Panics
    /// An index is not below the number of clips.
    #[must_use]
    pub fn subset(&self, name: impl Into<String>, indices: &[usize]) -> Self {
        let clips: Vec<ListedClip> =
            indices.iter().map(|index| self.clips[*index].clone()).collect();
        Self { clips, classes: self.classes.clone(), ..Self::empty(name) }
    }

    /// Divides the list at random into `(training, test)`, for trees without lists of their own: of
    /// every class about `share` of the clips go to the test, the same for a seed.
    ///
    /// Clips cut from one recording end in both parts; UCF-101's own lists avoid that. What was skipped is
    /// listed with the training part.
    ///
    /// # Errors
    /// [`Error::Config`] unless `share` lies between 0 and 1.
    pub fn hold_out(self, share: f64, seed: u64) -> Result<(Self, Self), Error> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::setting("hold-out share", "a number between 0 and 1", share));
        }
        let clips = self.clips.iter().map(|clip| clip.label).enumerate();
        let (training, test) = of_every_class(clips, share, seed, CLIPS);
        let part = |name, indices: &[usize]| self.subset(format!("{}/{name}", self.name), indices);
        let (mut training, test) = (part("train", &training), part("test", &test));
        training.skipped = self.skipped;
        Ok((training, test))
    }
}

fn stem_of(media: &Media) -> String {
    match media {
        Media::Video(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        Media::Frames(path) => name_of(path),
    }
}

/// What a path is by its name: a video, a folder of frames, or nothing of ours.
fn media(path: PathBuf) -> Option<Media> {
    if path.is_dir() {
        return Some(Media::Frames(path));
    }
    let ending = path.extension()?.to_string_lossy().to_lowercase();
    ENDINGS.contains(&ending.as_str()).then_some(Media::Video(path))
}

/// The clip `class/stem` as the first of `names` below `roots`, or as a folder of frames.
pub(crate) fn find(roots: &[PathBuf], class: &str, file: &str) -> Option<Media> {
    let stem = Path::new(file).file_stem().unwrap_or_default();
    let folders = || roots.iter().map(|root| root.join(class));
    let video = folders().map(|folder| folder.join(file)).find(|path| path.is_file());
    let frames = || folders().map(|folder| folder.join(stem)).find(|path| path.is_dir());
    video.map(Media::Video).or_else(|| frames().map(Media::Frames))
}
