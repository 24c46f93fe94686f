//! How a folder of sound files is opened.

use super::index::{Check, IndexCache};
use crate::OnBad;

/// What becomes of files of another rate than 16 kHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rates {
    /// They are bad files: published numbers are of 16 kHz.
    #[default]
    Refuse,
    /// They are resampled when they are read. A crop then costs a whole utterance.
    Resample,
}

/// How a folder of sound files is opened.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `rates` | refuse | files of another rate than 16 kHz |
/// | `check` | headers | how closely files are looked at |
/// | `on_bad` | refuse | bad files, lines and names |
/// | `cache` | beside | where the index is kept |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Files of another rate than 16 kHz.
    pub rates: Rates,
    /// How closely files are looked at.
    pub check: Check,
    /// What becomes of bad files, of labels that do not fit and of names without a file.
    pub on_bad: OnBad,
    /// Where the index is kept.
    pub cache: IndexCache,
}
