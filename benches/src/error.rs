//! What can go wrong with a measurement.

use std::path::PathBuf;

/// A measurement that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no such colour planes.
    #[error(
        "loader: expected 1 or 3 colours, got {colours}; STL-10 has three and a gray version of them"
    )]
    Colours {
        /// Colours asked for.
        colours: usize,
    },
    /// The file of synthetic images cannot be written.
    #[error("loader: expected to write {}, got \"{source}\"; is there room in the temporary folder?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The loader of clips was given no videos.
    #[error("clips: expected a tree of class folders with videos, got none; name it with --data")]
    NoVideos,
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] clapp::encoders::EncoderError),
    /// The images.
    #[error(transparent)]
    Data(#[from] clapp::datasets::Error),
    /// Device and threads.
    #[error(transparent)]
    Clapp(#[from] clapp::Error),
}
