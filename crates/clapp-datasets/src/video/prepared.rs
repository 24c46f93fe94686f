//! Prepared clips, as a source.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::source::Source;
use crate::video::clip_file::{ClipFile, damaged};
use crate::video::prepare::path_of;
use crate::video::{Clip, ClipInfo, Frame, ListedClip};
use crate::{Error, Skipped};

/// Clips on disk, ready to be read: the result of [`prepare`](super::prepare).
///
/// Nothing is kept in memory but sizes and labels; a read opens the clip's file, checks its index and
/// every frame it decodes.
#[derive(Debug)]
pub struct PreparedClips {
    name: String,
    classes: Vec<String>,
    clips: Vec<Prepared>,
    skipped: Skipped,
}

#[derive(Debug)]
struct Prepared {
    id: String,
    label: u32,
    path: PathBuf,
    frames: usize,
    dims: [usize; 2],
}

impl PreparedClips {
    /// The clips whose files are there; the others have been skipped.
    pub(crate) fn open(
        name: String,
        clips: Vec<ListedClip>,
        classes: Vec<String>,
        folder: &Path,
        skipped: Skipped,
    ) -> Result<Self, Error> {
        let of = clips.len();
        let opened: Result<Vec<Option<Prepared>>, Error> = clips
            .into_par_iter()
            .map(|clip| {
                let path = path_of(folder, &clip.id);
                let Some(file) = ClipFile::open(&path)? else { return Ok(None) };
                let (frames, dims) = (file.header.len(), file.header.dims);
                Ok(Some(Prepared { id: clip.id, label: clip.label, path, frames, dims }))
            })
            .collect();
        let clips: Vec<Prepared> = opened?.into_iter().flatten().collect();
        if clips.is_empty() {
            return Err(skipped.no_clips("preparation", of, folder.display()));
        }
        Ok(Self { name, classes, clips, skipped })
    }

    /// What was left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// The classes' names, indexed by label.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.classes
    }

    /// `class/name` of a clip.
    ///
    /// # Panics
    /// There is no such clip.
    #[must_use]
    pub fn id(&self, clip: usize) -> &str {
        &self.clips[clip].id
    }
}

impl Source for PreparedClips {
    type Item = Clip;

    fn len(&self) -> usize {
        self.clips.len()
    }

    fn info(&self, clip: usize) -> ClipInfo {
        let &Prepared { label, frames, dims: [rows, columns], .. } = &self.clips[clip];
        ClipInfo { frames, dims: [rows, columns, 3], label: Some(label) }
    }

    fn read(
        &self,
        clip: usize,
        (frames, each): (&[usize], &mut dyn FnMut(usize, &mut Frame)),
    ) -> Result<(), Error> {
        let Prepared { path, frames: opened, dims, .. } = &self.clips[clip];
        let changed = |got: String| {
            let expected =
                format!("{opened} frames of {}×{} as when it was opened", dims[0], dims[1]);
            damaged(path, expected, got)
        };
        let mut file = ClipFile::open(path)?.ok_or_else(|| changed("no such file".into()))?;
        let (now, [height, width]) = (file.header.len(), file.header.dims);
        if (now, [height, width]) != (*opened, *dims) {
            return Err(changed(format!("{now} of {height}×{width}")));
        }
        let (mut bytes, mut frame) = (Vec::new(), Frame::default());
        for (place, &index) in frames.iter().enumerate() {
            file.frame(index, &mut bytes, &mut frame)?;
            each(place, &mut frame);
        }
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn classes(&self) -> usize {
        self.classes.len()
    }

    fn class_name(&self, class: usize) -> Option<&str> {
        self.classes.get(class).map(String::as_str)
    }

    fn item_name(&self, clip: usize) -> Option<&str> {
        Some(self.id(clip))
    }
}
