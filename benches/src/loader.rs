//! STL-10's loader on a file of the right format with noise in it.

use std::path::Path;

use clapp::datasets::{ImagePipeline, Loader, LoaderConfig, Sizes, Stl10, stl10::Split};
use clapp::random::{Purpose, stream};
use rand::Rng;
use tempfile::TempDir;

use crate::{Error, Setting};

/// Images in the file: 28 MB, more than the caches of a core hold.
pub const IMAGES: usize = 1024;

/// Planes red, green, blue of 96×96 bytes, column by column.
const IMAGE_BYTES: usize = 3 * 96 * 96;

/// A loader with one worker, and the file that it reads from.
#[derive(Debug)]
pub struct Images {
    loader: Loader,
    _folder: TempDir,
}

impl Images {
    /// Writes the file and opens it. It is still in the system's page cache when it is read.
    ///
    /// ```
    /// use clapp_benches::{IMAGES, Images, Setting};
    /// assert_eq!(Images::new(&Setting::full())?.epoch(0)?, IMAGES);
    /// # Ok::<(), clapp_benches::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the temporary folder cannot be written to, there are neither 1 nor 3 colours, or the crop
    /// is larger than an image.
    pub fn new(setting: &Setting) -> Result<Self, Error> {
        let folder = tempfile::tempdir()
            .map_err(|source| Error::Write { path: std::env::temp_dir(), source })?;
        write(folder.path(), setting.seed)?;
        let source = Stl10::open(folder.path(), Split::Unlabeled, Sizes::Any)?;
        let pipeline = match setting.colours {
            1 => ImagePipeline::stl10(),
            3 => ImagePipeline::stl10_rgb(),
            colours => return Err(Error::Colours { colours }),
        };
        let pipeline = ImagePipeline { crop: setting.crop, ..pipeline };
        let config = LoaderConfig {
            batch_size: setting.batch,
            seed: setting.seed,
            workers: 1,
            ..LoaderConfig::training()
        };
        Ok(Self { loader: Loader::new(source, pipeline, config)?, _folder: folder })
    }

    /// Takes all batches of an epoch; returns the number of images.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more.
    pub fn epoch(&self, epoch: u64) -> Result<usize, Error> {
        let mut images = 0;
        for batch in self.loader.epoch(epoch)? {
            images += std::hint::black_box(batch?).len();
        }
        Ok(images)
    }
}

fn write(folder: &Path, seed: u64) -> Result<(), Error> {
    let mut pixels = vec![0; IMAGES * IMAGE_BYTES];
    stream(seed, Purpose::Test, [0; 4]).fill_bytes(&mut pixels);
    let path = folder.join("unlabeled_X.bin");
    std::fs::write(&path, &pixels).map_err(|source| Error::Write { path, source })
}
