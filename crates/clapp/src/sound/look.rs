//! What an encoder of sound makes of talkers and of phones.

use std::{collections::BTreeSet, sync::Arc};

use clapp_datasets::{
    Item as _, Source as _, Subset,
    sound::{Framing, HOP, RATE, Recording, WINDOW},
};
use clapp_eval::{PhoneFrames, Probe as _, StandardisedProbe, figure::Phones, metrics, probe};

use super::{Encoder, Setup, Sound, Source, features::log_mel};
use crate::{Data, Error};

/// Samples of the utterance that is shown, about: so long that words are in it, so short that phones have room.
const SHOWN: usize = 5 * RATE as usize / 2;

/// Mean activity in every layer for some utterances of a run's data.
pub type Look = crate::Look<Sound>;

impl Look {
    /// The speaker of every utterance, if all are known, and their names.
    #[must_use]
    pub fn speakers(&self) -> Option<(Vec<u32>, Vec<String>)> {
        let speaker = |&sample: &usize| self.source.info(sample).speaker.clone();
        let spoken: Vec<String> = self.samples.iter().map(speaker).collect::<Option<_>>()?;
        let names: Vec<String> =
            spoken.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let place = |speaker| names.binary_search(speaker).map_or(0, |place| place as u32);
        Some((spoken.iter().map(place).collect(), names))
    }
}

/// What a linear read-out of the last layer takes a held-out utterance for, frame by frame.
#[derive(Clone, Debug)]
pub struct Posteriors {
    /// Name of the data.
    pub data: String,
    /// The utterance.
    pub utterance: String,
    /// Who speaks, if that is known.
    pub speaker: Option<String>,
    /// Utterances that the read-out was fitted on.
    pub fitted: usize,
    /// Percentage of the utterance's frames whose most probable phone is the label.
    pub accuracy: f64,
    /// Spectrogram, posteriors and labels.
    pub phones: Phones,
}

impl Posteriors {
    /// Fits the standardised read-out on the first labelled utterances, `most` at most, and reads the held-out utterance whose
    /// length is nearest to 2.5 s. `progress` is told after each utterance how many were seen, and of how many.
    ///
    /// # Errors
    ///
    /// If the run has no labels, data are missing or damaged, or the read-out does not converge.
    ///
    /// # Example
    ///
    /// A run of a second, in a folder that is then removed:
    ///
    /// ```
    /// use clapp::{Run, Sound, device, eval::figure, preset, run::Silent, sound::{Encoder, Posteriors}};
    /// let folder = tempfile::tempdir()?;
    /// let mut config = preset("smoke", "clapp-s-no-gru", &Sound::Synthetic, &[2])?;
    /// config.setup.crops = 8;
    /// let mut run = Run::create(folder.path(), config)?;
    /// run.execute(&device("flex")?, &mut Silent)?;
    /// let encoder = Encoder::load(run.path(), &device("flex")?)?;
    /// let read = Posteriors::of(&encoder, 3, &mut |_, _| ())?;
    /// assert_eq!(read.phones.posteriors.dim(), (read.phones.labels.len(), 17));
    /// assert!(figure::phones("Phones", &read.utterance, &read.phones).starts_with("<svg"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(
        encoder: &Encoder,
        most: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, Error> {
        let (config, seed) = (encoder.config(), encoder.seed());
        let Setup { data: settings, pipeline, .. } = &config.setup;
        let Data { labelled, names: [_, data], .. } = Data::<Sound>::open(config, seed)?;
        let Some([train, test]) = labelled else {
            let (expected, got) = ("labels of a run's sound", "none in its configuration");
            return Err(Error::misfit_of("phones", expected, got, "train with --labels"));
        };
        let fitted = most.min(train.len());
        let near = |&index: &usize| test.info(index).samples.abs_diff(SHOWN);
        let shown = (0..test.len()).min_by_key(near).unwrap_or_default();
        let train = frames(encoder, train, (0..fitted).collect(), progress)?.features()?;
        let heard = frames(encoder, test.clone(), vec![shown], &mut |_, _| ())?.features()?;
        probe::check(&train, &heard)?;
        let readout = StandardisedProbe::default().fit(&train, seed)?;
        let mut posteriors = readout.scores(heard.values());
        posteriors.rows_mut().into_iter().for_each(probe::softmax);
        let Recording { utterance, mut samples } = Recording::whole(&*test, shown)?;
        pipeline.scaling.apply(&mut samples);
        let labels = heard.labels().to_vec();
        // Windows overlap: the middle 10 ms of each are drawn.
        let begin = match utterance.framing {
            Framing::Windows => (WINDOW - HOP) as f64 / 2.0 / f64::from(RATE),
            Framing::Hops => 0.0,
        };
        Ok(Self {
            data,
            utterance: utterance.id,
            speaker: utterance.speaker,
            fitted,
            accuracy: metrics::top1(posteriors.view(), &labels),
            phones: Phones {
                spectrum: log_mel(&samples, utterance.framing)?,
                posteriors,
                labels,
                names: (0..settings.classes()).map(|class| settings.class_name(class)).collect(),
                begin,
            },
        })
    }
}

/// Frames of the last layer that have a label, of some utterances.
fn frames(
    encoder: &Encoder,
    source: Source,
    picked: Vec<usize>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<PhoneFrames, Error> {
    let (count, mut frames) =
        (picked.len(), PhoneFrames::new(encoder.config().setup.data.classes()));
    let source: Source = Arc::new(Subset::new(source, picked)?);
    for (place, batch) in encoder.loader(source.clone())?.epoch(0)?.enumerate() {
        let batch = batch?;
        let (id, labels) = (&source.info(batch.indices[0]).id, batch.labels[0].as_deref());
        if let Some(last) = encoder.features(&batch).last() {
            frames.push(id, last.view(), labels.unwrap_or_default())?;
        }
        progress(place + 1, count);
    }
    Ok(frames)
}
