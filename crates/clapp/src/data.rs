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

/// Reasons that a note gives; the others are counted.
const REASONS: usize = 3;

/// Notes how many of something were left out, with the first reasons.
pub(crate) fn left_out<E: fmt::Display>(
    notes: &mut Vec<String>,
    place: &str,
    errors: impl ExactSizeIterator<Item = E>,
) {
    let count = errors.len();
    if count == 0 {
        return;
    }
    let reasons: Vec<String> = errors.take(REASONS).map(|error| format!("\n  {error}")).collect();
    let more = match count.saturating_sub(REASONS) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let note = format!("{count} left out of {place}:{}{more}", reasons.concat());
    if !notes.contains(&note) {
        notes.push(note);
    }
}
