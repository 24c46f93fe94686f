//! What lies in a folder of images, by names.

use std::path::{Path, PathBuf};

use image::ImageFormat;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{
    Folder, WHAT,
    labels::{self, Labels},
    picture,
};
use crate::digest::hex;
use crate::files::{below, relative};
use crate::{Error, Image, InMemory, OnBad, Skipped};

/// The images of a folder by their names, before any is decoded.
#[derive(Debug)]
pub struct Listing {
    root: PathBuf,
    names: Vec<String>,
    /// Their files: a name on disk need not be text.
    paths: Vec<PathBuf>,
    labels: Labels,
    skipped: Skipped,
    digest: String,
}

impl Listing {
    /// Lists a folder at any depth, in the order of names.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such folder, or `labels.csv` names files that are not there;
    /// [`Error::TooFew`] if no file is an image by its name; [`Error::Damaged`] if `labels.csv` is; [`Error::Unfit`] if folders
    /// of parts lie beside others; [`Error::Io`] if the system refuses to list a folder.
    pub fn of(root: impl AsRef<Path>) -> Result<Self, Error> {
        let root = root.as_ref();
        if !root.is_dir() {
            let got = if root.exists() { "a file" } else { "none" };
            let advice = "correct the path";
            return Err(Error::missing(WHAT, "a folder", got, root.display(), advice));
        }
        let (mut names, mut paths) = (Vec::new(), Vec::new());
        let (mut skipped, mut digest) = (Skipped::default(), Sha256::new());
        for path in below(root, &|_| true)? {
            let name = relative(root, &path);
            let listed = name == labels::FILE;
            if !listed && !is_image(&path) {
                let got = format!("{name:?}");
                let advice = "remove it, or convert it";
                let reason =
                    Error::unfit(WHAT, "the name of an image", got, root.display(), advice);
                skipped.add(&name, reason, OnBad::Skip)?;
                continue;
            }
            let size = path.metadata().map_or(0, |file| file.len());
            digest.update(format!("{name}\0{size}\n"));
            if !listed {
                names.push(name);
                paths.push(path);
            }
        }
        if names.is_empty() {
            return Err(none(root, &skipped, format!("none in {} files", skipped.len())));
        }
        let labels = Labels::of(root, &names)?;
        let (root, digest) = (root.to_owned(), hex(&digest.finalize()));
        Ok(Self { root, names, paths, labels, skipped, digest })
    }

    /// How many images there seem to be.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True if there are none, which [`of`](Self::of) refuses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// SHA-256 of names and sizes, that of the list of labels among them.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Decodes all images into squares of `side` pixels, on all threads.
    ///
    /// # Errors
    /// [`Error::TooFew`] if not one can be decoded.
    ///
    /// # Cost
    /// 3 `side`² bytes an image in memory; a photograph of 12 million pixels takes about a fifth of a second, a third of it to count the data of a JPEG.
    pub fn read(self, side: usize) -> Result<Folder, Error> {
        let Self { root, names: all, paths, labels, mut skipped, .. } = self;
        let decoded: Vec<_> = paths.par_iter().map(|path| picture::square(path, side)).collect();
        let (mut items, mut names, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        let (count, classes) = (all.len(), labels.classes.len());
        for ((name, pixels), (label, part)) in all.into_iter().zip(decoded).zip(labels.of_images) {
            let Some(pixels) = skipped.sift(pixels, OnBad::Skip)? else { continue };
            items.push(Image { dims: [3, side, side], label, pixels });
            names.push(name);
            parts.push(part);
        }
        if items.is_empty() {
            return Err(none(&root, &skipped, format!("{count} of which none can be decoded")));
        }
        let images = InMemory::new(root.display().to_string(), items, classes)?;
        let (class_names, unlabelled) = (labels.classes, labels.why_none);
        Ok(Folder { images, names, parts, class_names, unlabelled, skipped })
    }
}

fn is_image(path: &Path) -> bool {
    ImageFormat::from_path(path).is_ok_and(|format| format.reading_enabled())
}

/// Nothing is left; the first reason stands for all.
fn none(root: &Path, skipped: &Skipped, got: String) -> Error {
    let reason = skipped.iter().next();
    let advice = reason.map_or("name a folder of photographs".to_owned(), ToString::to_string);
    let expected = "files with images (jpg, png, webp, bmp, gif, tif, pnm)";
    Error::too_few(WHAT, expected, got, root.display(), advice)
}
