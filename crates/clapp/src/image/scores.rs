//! How well layers predict: scores of fixations and saccades.

use std::{
    mem::take,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use burn::tensor::{Device, Tensor};
use clapp_datasets::{LastBatch, Loader, LoaderConfig};
use clapp_encoders::{EncoderConfig, Learnt, Stack};
use clapp_random::{Purpose, stream};
use clapp_rules::{Contrast, Feedback, Objective, Plasticity, Rule, ThirdFactor, Timing};

use super::{Encoder, Images, Setup, tensor};
use crate::{
    Error, Learning,
    look::held_out,
    run::{newest, to_state},
};

/// Scores u = zᵀ W_pred c of one layer, of all prediction steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Of contexts with what they predict.
    pub fixations: Vec<f32>,
    /// Of contexts with what a saccade brought in its place.
    pub saccades: Vec<f32>,
}

/// Scores of every layer, from the input up, of the newest checkpoint of a run whose patches predict patches layer by layer
/// (CLAPP, CLAPP-s, layer-wise GIM), for up to `most` held-out images in whole batches, and the name of the data.
/// Under the hinge (CLAPP, CLAPP-s) a layer learns until fixations score above 1 and saccades below −1.
///
/// # Errors
///
/// If the run has another rule, there is no checkpoint that fits, or the data are missing, damaged or less than a
/// batch.
///
/// # Paper
/// Illing et al. 2021, Eq. 5. Both terms of every image are scored, even where a rule learns one at a time.
///
/// # Example
///
/// ```no_run
/// let (layers, data) = clapp::image::scores("runs/quick-clapp-s", 500, &clapp::device("flex")?)?;
/// let learnt = layers[0].fixations.iter().filter(|score| **score > 1.0).count();
/// println!("{learnt} fixations of {data} need no more learning");
/// # Ok::<(), clapp::Error>(())
/// ```
pub fn scores(
    run: impl AsRef<Path>,
    most: usize,
    device: &Device,
) -> Result<(Vec<Scores>, String), Error> {
    let encoder = Encoder::load(&run, device)?;
    let config = encoder.config();
    let Setup { encoder: layers, rule, context, .. } = &config.setup;
    let plan = EncoderConfig { modules: vec![1; layers.layers.len()], ..layers.clone() };
    let rule = rule
        .over_time()
        .filter(|_| config.learning == Learning::Local && config.own_rule.is_none());
    let Some(rule) = rule else {
        let expected = "a rule by which patches predict patches in every layer";
        return Err(Error::misfit_of("scores", expected, &config.method, "show another run"));
    };
    let mut stack = Stack::images(&plan, rule, *context, encoder.seed(), device)?;
    stack
        .load(&to_state(newest::<Images>(run.as_ref(), config, Some(encoder.seed()))?.0.tensors))?;
    let (images, name) = held_out(&encoder, most)?;
    let (batch_size, last_batch) = (config.batch, LastBatch::Drop);
    let batches = LoaderConfig { batch_size, last_batch, workers: 1, ..LoaderConfig::evaluation() };
    let batches = Loader::new(images, encoder.pipeline(), batches)?;

    let noted = Arc::new(Mutex::new(Scores::default()));
    let Rule { objective, .. } = *rule;
    // Both terms, and W_pred alone: what a way back scores, it scores for itself.
    let both = Rule { timing: Timing::Synchronous, feedback: Feedback::Blocked, ..*rule };
    let listening = both.with_contrast(Noting { objective, noted: Arc::clone(&noted) });
    let mut all = vec![Scores::default(); stack.predictions.len()];
    for (place, batch) in batches.epoch(0)?.enumerate() {
        let mut draw = |prediction: usize, grid| {
            let address = [1, place as u64, prediction as u64, 0];
            both.pairs(grid, &mut stream(encoder.seed(), Purpose::Figure, address))
        };
        stack.visit(tensor(batch?, device), &listening, &mut draw, &mut |learnt| {
            if let Learnt::Lateral { prediction, .. } = learnt {
                let Scores { fixations, saccades } =
                    take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner));
                all[prediction].fixations.extend(fixations);
                all[prediction].saccades.extend(saccades);
            }
        });
    }
    Ok((all, name))
}

/// An objective, and every score that it was told.
#[derive(Debug)]
struct Noting {
    objective: Objective,
    noted: Arc<Mutex<Scores>>,
}

impl Contrast for Noting {
    fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.fixations.extend(fixation.to_data().iter::<f32>());
        noted.saccades.extend(saccade.to_data().iter::<f32>());
        self.objective.contrast().third_factor(fixation, saccade)
    }

    fn separable(&self) -> bool {
        self.objective.contrast().separable()
    }
}
