//! What a run learns from and what it is read out with.

use std::{fmt, sync::Arc};

use clapp_datasets::{Item, Source, digest};

use crate::{Error, RunConfig, Sense};

/// The parts of a set of data.
#[derive(Clone)]
pub struct Data<S: Sense> {
    /// What is learnt from; labels are read only by methods that learn from them.
    pub learn: S::Source,
    /// What read-outs are fitted on, and what they are tested on; none without labels.
    pub labelled: Option<[S::Source; 2]>,
    /// Classes that labels count; 0 without labels.
    pub classes: usize,
    /// Names of what is learnt from and of what is read out, as they stand in the report.
    pub names: [String; 2],
    /// What a reader of results has to know of them, such as what was left out.
    pub notes: Vec<String>,
}

impl<S: Sense> Data<S> {
    /// Opens or generates the data of a run.
    ///
    /// # Errors
    ///
    /// If something is missing, damaged, or of an unexpected size or format; unless such is to be skipped.
    pub fn open(config: &RunConfig<S>, seed: u64) -> Result<Self, Error> {
        S::open(config, seed)
    }
}

impl<S: Sense> fmt::Debug for Data<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Data");
        shown.field("names", &self.names).field("classes", &self.classes).finish_non_exhaustive()
    }
}

/// Digests of what is learnt from and what is read out.
pub(crate) fn digests<I: Item>(
    learn: &Arc<dyn Source<Item = I>>,
    labelled: Option<&[Arc<dyn Source<Item = I>>; 2]>,
) -> Result<Vec<String>, Error> {
    let all = std::iter::once(learn).chain(labelled.into_iter().flatten());
    all.map(|source| Ok(digest(source)?)).collect()
}

/// Reasons of a note that a report gives; the others are counted.
const REASONS: usize = 3;

/// A note with its first reasons, a line each.
pub(crate) fn shortened(note: &str) -> String {
    let lines: Vec<&str> = note.lines().collect();
    match lines.len().saturating_sub(1 + REASONS) {
        0 => note.to_owned(),
        more => format!("{}\n  and {more} more", lines[..=REASONS].join("\n")),
    }
}

/// Notes how many of something were left out, and why.
pub(crate) fn left_out<E: fmt::Display>(
    notes: &mut Vec<String>,
    place: &str,
    errors: impl ExactSizeIterator<Item = E>,
) {
    let count = errors.len();
    if count == 0 {
        return;
    }
    let reasons: Vec<String> = errors.map(|error| format!("\n  {error}")).collect();
    let note = format!("{count} left out of {place}:{}", reasons.concat());
    if !notes.contains(&note) {
        notes.push(note);
    }
}
