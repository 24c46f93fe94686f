//! Which data: the options, and what they name.

use std::path::{Path, PathBuf};

use clap::Args;
use clapp::{
    Images, Sound, Video,
    datasets::OnBad,
    image::SizesConfig,
    sound::{FilesConfig, LabelsConfig},
    video::{ClipsConfig, Place},
};

/// Options that name sets of images in their binary layouts.
#[derive(Args, Clone)]
#[group(skip)]
pub(crate) struct Sets {
    /// Folder of STL-10 in its binary layout
    #[arg(long, value_name = "DIR", groups = ["place", "binary"])]
    stl10: Option<PathBuf>,
    /// Folder of CIFAR-10 in its binary layout
    #[arg(long, value_name = "DIR", groups = ["place", "binary"])]
    cifar10: Option<PathBuf>,
    /// Accept other than the official numbers of images
    #[arg(long, requires = "binary")]
    any_size: bool,
}

impl Sets {
    /// The set that is named.
    pub(crate) fn images(&self) -> Option<Images> {
        let sizes = if self.any_size { SizesConfig::Any } else { SizesConfig::Official };
        let stl10 = self.stl10.as_deref().map(|root| Images::Stl10(absolute(root), sizes));
        stl10.or_else(|| Some(Images::Cifar10(absolute(self.cifar10.as_deref()?), sizes)))
    }
}

/// Options that name data; without one, the embedded scenes.
#[derive(Args, Clone)]
#[group(id = "data")]
pub(crate) struct Data {
    /// Folder of photographs of one's own: any structure, any sizes; class folders or labels.csv are labels
    #[arg(short, long, value_name = "DIR", group = "place")]
    images: Option<PathBuf>,
    #[command(flatten)]
    sets: Sets,
    /// Folder of LibriSpeech, or with --part folder of any FLAC, WAV, MP3, Ogg Vorbis and M4A files
    #[arg(long, value_name = "DIR", groups = ["place", "recorded"])]
    sounds: Option<PathBuf>,
    /// Part of LibriSpeech to learn from; "folder" takes all sound files
    #[arg(long, default_value = "train-clean-100", requires = "sounds")]
    part: String,
    /// Folder of converted_aligned_phones.txt, train_split.txt, test_split.txt; else no phones are read out
    #[arg(long, value_name = "DIR", requires = "sounds")]
    labels: Option<PathBuf>,
    /// Folder of UCF-101, HMDB-51 or any class folders of videos
    #[arg(long, value_name = "DIR", groups = ["place", "recorded"])]
    videos: Option<PathBuf>,
    /// How the videos are laid out; "folders" holds out three tenths of every class for testing
    #[arg(long, default_value = "ucf101", value_parser = ["ucf101", "hmdb51", "folders"], requires = "videos")]
    layout: String,
    /// Official split of the videos: 1, 2 or 3
    #[arg(long, default_value_t = 1, requires = "videos")]
    split: u8,
    /// Of sound and video: leave out files and lines that cannot be used; bad photographs always are
    #[arg(long, requires = "recorded")]
    skip_bad: bool,
    /// Embedded data: nothing to download
    #[arg(long, value_parser = ["scenes", "talkers", "moving-scenes"], group = "place")]
    embedded: Option<String>,
}

/// Data of one of the senses.
pub(crate) enum Sensed {
    Images(Images),
    Sound(Sound),
    Video(Video),
}

/// A folder that is found from elsewhere as well.
pub(crate) fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

impl Data {
    /// The first option that names data, if any was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let Self { images, sets: Sets { stl10, cifar10, .. }, sounds, videos, embedded, .. } = self;
        let given = [
            ("--images", images.is_some()),
            ("--stl10", stl10.is_some()),
            ("--cifar10", cifar10.is_some()),
            ("--sounds", sounds.is_some()),
            ("--videos", videos.is_some()),
            ("--embedded", embedded.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// The same data without what cannot be used, where it would be an error.
    pub(crate) fn without_bad(&self) -> Option<Self> {
        let strict = !self.skip_bad && (self.sounds.is_some() || self.videos.is_some());
        strict.then(|| Self { skip_bad: true, ..self.clone() })
    }

    /// The data.
    pub(crate) fn sensed(&self) -> Sensed {
        let Self { sounds, videos, embedded, .. } = self;
        if let Some(root) = sounds {
            return Sensed::Sound(Sound::Files(self.recordings(&absolute(root))));
        }
        if let Some(root) = videos {
            return Sensed::Video(Video::Clips(self.clips(absolute(root))));
        }
        match embedded.as_deref() {
            Some("talkers") => Sensed::Sound(Sound::Synthetic),
            Some("moving-scenes") => Sensed::Video(Video::MovingScenes),
            _ => Sensed::Images(self.images()),
        }
    }

    /// The images.
    pub(crate) fn images(&self) -> Images {
        match &self.images {
            Some(root) => Images::Folder(absolute(root)),
            None => self.sets.images().unwrap_or(Images::Synthetic),
        }
    }

    fn on_bad(&self) -> OnBad {
        if self.skip_bad { OnBad::Skip } else { OnBad::Refuse }
    }

    fn recordings(&self, root: &Path) -> FilesConfig {
        let labels =
            self.labels.as_deref().map(|folder| LabelsConfig::published(&absolute(folder)));
        let mut files = match self.part.as_str() {
            "folder" => FilesConfig::folder(root, labels),
            part => FilesConfig::librispeech(root, part, part, labels),
        };
        files.on_bad = self.on_bad();
        files
    }

    fn clips(&self, root: PathBuf) -> ClipsConfig {
        let split = self.split;
        let mut clips = ClipsConfig::new(match self.layout.as_str() {
            "ucf101" => Place::Ucf101 { root, split },
            "hmdb51" => Place::Hmdb51 { root, split },
            _ => Place::Folders { root, test_share: 0.3 },
        });
        clips.on_bad = self.on_bad();
        clips
    }
}
