//! How a source of speech is visited for read-outs: whole utterances.

use std::sync::Arc;

use super::scaling::Scaling;
use super::speech::SpeechSource;
use crate::Error;
use crate::batches::{Batches, Maker, Threads};

/// An utterance without any cut.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeUtterance {
    /// Its index in the source.
    pub index: usize,
    /// All scaled samples.
    pub samples: Vec<f32>,
    /// One class per 10 ms, as many as the source's framing says, if it has labels.
    pub labels: Option<Vec<u8>>,
}

/// All utterances of a source, whole and in order, decoded ahead by `workers` threads: for read-outs.
///
/// # Errors
/// [`Error::Setting`] if the scaling has no meaning, [`Error::Thread`] if a worker cannot be started.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::{Scaling, label_count, synthetic, whole_utterances};
///
/// let source = synthetic::utterances(2, synthetic::Part::Test, 3);
/// for utterance in whole_utterances(source, Scaling::librispeech(), 1)? {
///     let utterance = utterance?;
///     let labels = utterance.labels.expect("test utterances have labels");
///     assert_eq!(labels.len(), label_count(utterance.samples.len()));
/// }
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
pub fn whole_utterances(
    source: impl SpeechSource + 'static,
    scaling: Scaling,
    workers: usize,
) -> Result<Batches<WholeUtterance>, Error> {
    scaling.validate()?;
    let all = 0..source.len();
    let maker = Arc::new(WholeMaker { source: Arc::new(source), scaling });
    // One waits for each worker: utterances are large.
    Batches::start(maker, all, Threads { workers, prefetch: 1 })
}

struct WholeMaker {
    source: Arc<dyn SpeechSource>,
    scaling: Scaling,
}

impl Maker for WholeMaker {
    type Batch = WholeUtterance;

    fn make(&self, index: usize) -> Result<WholeUtterance, Error> {
        let mut samples = self.source.read_whole(index)?;
        self.scaling.apply(&mut samples);
        let labels = self.source.labels(index).map(<[u8]>::to_vec);
        Ok(WholeUtterance { index, samples, labels })
    }

    fn epoch(&self) -> u64 {
        0
    }

    fn place(&self) -> &str {
        self.source.name()
    }
}
