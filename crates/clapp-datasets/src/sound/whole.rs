//! How a source of speech is visited for read-outs: whole utterances.

use super::scaling::Scaling;
use super::speech::Recording;
use crate::source::Source;
use crate::{Batcher, Batches, Error, Loader, LoaderConfig, Visit};

/// Utterances without any cut, scaled, with all their labels: a [`Batcher`] for batches of one.
#[derive(Clone, Copy, Debug)]
pub struct WholeUtterances {
    scaling: Scaling,
}

impl WholeUtterances {
    /// Whole utterances, scaled.
    #[must_use]
    pub fn new(scaling: Scaling) -> Self {
        Self { scaling }
    }
}

/// All utterances of a source, whole and in order, decoded ahead by `workers` threads: for read-outs.
/// Each is a batch of its own, of shape `[1, 1, samples]`.
///
/// # Errors
/// [`Error::Config`] if the scaling has no meaning, [`Error::TooFew`] if there is no utterance,
/// [`Error::Worker`] if a worker cannot be started.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::{Scaling, label_count, synthetic, whole_utterances};
///
/// let source = synthetic::utterances(2, synthetic::Part::Test, 3);
/// for utterance in whole_utterances(source, Scaling::librispeech(), 1)? {
///     let utterance = utterance?;
///     let labels = utterance.labels[0].as_ref().expect("test utterances have labels");
///     assert_eq!(labels.len(), label_count(utterance.values.len()));
/// }
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
pub fn whole_utterances(
    source: impl Source<Item = Recording> + 'static,
    scaling: Scaling,
    workers: usize,
) -> Result<Batches<WholeUtterances>, Error> {
    // One waits for each worker: utterances are large.
    let config = LoaderConfig { batch_size: 1, workers, prefetch: 1, ..LoaderConfig::evaluation() };
    Loader::new(source, WholeUtterances::new(scaling), config)?.epoch(0)
}

impl Batcher for WholeUtterances {
    type Item = Recording;
    type Shape = [usize; 3];

    fn shape(
        &self,
        source: &dyn Source<Item = Recording>,
        index: usize,
    ) -> Result<[usize; 3], Error> {
        self.scaling.validate()?;
        Ok([1, 1, source.info(index).samples])
    }

    fn make(
        &self,
        source: &dyn Source<Item = Recording>,
        index: usize,
        _: Visit,
        out: &mut [f32],
    ) -> Result<Option<Vec<u32>>, Error> {
        source.read(index, (0, out))?;
        self.scaling.apply(out);
        Ok(source.info(index).labels.as_deref().map(<[u32]>::to_vec))
    }
}
