//! Everything that decides what a run computes.

use std::{num::NonZeroU64, path::Path, sync::Arc};

use burn::tensor::Device;
use clapp_eval::Report;
use clapp_rules::{Optimizer, Plasticity};
use serde::{Deserialize, Serialize};

use crate::{Data, Error, Learning, OwnRule, Sense, Trainer, run::CONFIG};

/// A run: what all senses have in common, and the sense's part.
///
/// Two runs with equal configurations give equal results, bit for bit on one machine's CPU: a resumed run
/// is one whose folder holds the same configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RunConfig<S: Sense> {
    /// Name of the preset it began as.
    pub preset: String,
    /// Method, as it stands in reports.
    pub method: String,
    /// The sense's part: data, views, encoder, rule, length, read-outs.
    #[serde(flatten)]
    pub setup: S::Setup,
    /// How the rule's signals, or labels, reach the weights.
    #[serde(default)]
    pub learning: Learning,
    /// Rule of one's own in place of the sense's, see [`with_rule`](Self::with_rule).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_rule: Option<OwnRule>,
    /// Optimizer of every layer.
    pub optimizer: Optimizer,
    /// Samples in a batch.
    pub batch: usize,
    /// Steps between lines of the metrics.
    pub metrics_every: u64,
    /// Samples between early looks at what the layers know, see [`StepMetrics::look`](crate::run::StepMetrics::look).
    /// What is learnt does not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_every: Option<NonZeroU64>,
    /// Steps between checkpoints; one more is written at the end.
    pub checkpoint_every: u64,
    /// Checkpoints kept.
    pub checkpoints_kept: usize,
    /// Seeds: the run is repeated for each of them, from data to read-outs.
    pub seeds: Vec<u64>,
}

impl<S: Sense> RunConfig<S> {
    /// Checks that the parts fit together, before any data are read.
    ///
    /// # Errors
    ///
    /// If a number is out of range or the parts do not fit.
    pub fn validate(&self) -> Result<(), Error> {
        self.learning.check()?;
        if let Some(own) = &self.own_rule {
            own.rule()?;
            if self.learning.differentiates() {
                let expected = format!("local rules with the rule {}", own.name());
                return Err(Error::misfit(expected, self.learning, "choose another method"));
            }
        }
        S::validate(self)?;
        if self.probe_every.is_some() && !S::LOOKS {
            let (expected, got) =
                ("images, for early looks", format!("{} in probe_every", S::UNIT));
            return Err(Error::misfit(expected, got, "leave it out"));
        }
        at_least_one(&[
            ("seeds", self.seeds.len() as u64),
            ("metrics_every", self.metrics_every),
            ("checkpoint_every", self.checkpoint_every),
            ("checkpoints_kept", self.checkpoints_kept as u64),
            ("batch", self.batch as u64),
            (S::UNIT, S::amount(&self.setup)),
        ])?;
        let repeated = |&(i, seed): &(usize, &u64)| self.seeds[..i].contains(seed);
        match self.seeds.iter().enumerate().find(repeated) {
            None => Ok(()),
            Some((_, seed)) => Err(Error::misfit(
                "different seeds",
                format!("{seed} twice in {:?}", self.seeds),
                "remove one",
            )),
        }
    }

    /// Learns by a rule of one's own, whose name becomes the method's.
    ///
    /// ```
    /// use clapp::{Images, preset, rules::{Plasticity, Post, Seen, Shown, Update}};
    ///
    /// /// ΔW = Σ z x
    /// #[derive(Debug)]
    /// struct Hebb;
    ///
    /// impl Plasticity for Hebb {
    ///     fn shows(&self) -> Shown {
    ///         Shown::Pixels
    ///     }
    ///
    ///     fn changes(&self, seen: Seen<'_>) -> Update {
    ///         Update { post: Post::One, ..Update::of(seen.target) }
    ///     }
    /// }
    ///
    /// let config = preset("smoke", "clapp-s", &Images::Synthetic, &[2])?.with_rule("hebb", Hebb);
    /// assert_eq!(config.name(), "smoke-hebb");
    /// # Ok::<(), clapp::Error>(())
    /// ```
    #[must_use]
    pub fn with_rule(mut self, name: &str, rule: impl Plasticity + 'static) -> Self {
        name.clone_into(&mut self.method);
        self.own_rule = Some(OwnRule::new(name, Arc::new(rule)));
        self
    }

    /// The rule of one's own, or that of the sense's settings.
    ///
    /// # Panics
    ///
    /// If the rule of one's own is missing, which [`validate`](Self::validate) says.
    #[must_use]
    pub fn rule<'a>(&'a self, of_sense: &'a dyn Plasticity) -> &'a dyn Plasticity {
        match &self.own_rule {
            None => of_sense,
            Some(own) => own.rule().expect("validated"),
        }
    }

    /// Steps of each seed.
    #[must_use]
    pub fn steps(&self) -> u64 {
        (S::amount(&self.setup) / (self.batch as u64).max(1)).max(1)
    }

    /// Whether a step, from 1, is followed by an early look.
    pub(crate) fn looks_after(&self, step: u64) -> bool {
        let looks = |every: NonZeroU64, steps: u64| steps * self.batch as u64 / every;
        self.probe_every.is_some_and(|every| looks(every, step) > looks(every, step - 1))
    }

    /// Reads the configuration of a run from its folder.
    ///
    /// # Errors
    ///
    /// If there is none, or none that this version understands.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let path = folder.join(CONFIG);
        let text = std::fs::read_to_string(&path)
            .map_err(|_| Error::NoRun { folder: folder.to_owned(), what: CONFIG })?;
        serde_json::from_str(&text).map_err(|source| Error::Json {
            what: "configuration",
            path,
            source,
        })
    }

    /// Name of the run's folder.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}-{}", S::PREFIX, self.preset, self.method)
    }

    /// Opens the data and prepares a network before its first step.
    ///
    /// # Errors
    ///
    /// If data or device fail.
    pub fn open(&self, seed: u64, device: &Device) -> Result<Trainer<S>, Error> {
        Trainer::new(self, seed, Data::open(self, seed)?, device)
    }

    /// An empty table, which names the data as long as they are not open.
    pub(crate) fn report(&self) -> Report {
        let name = S::data_name(&self.setup);
        Report::new(name.clone(), name, 0)
    }
}

/// Checks that no setting is 0.
pub(crate) fn at_least_one(numbers: &[(&str, u64)]) -> Result<(), Error> {
    match numbers.iter().find(|(_, value)| *value == 0) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Error::misfit(format!("{name} of at least 1"), "0", "correct the setting"))
        }
    }
}

/// Checks that pools of negatives divide the batch.
pub(crate) fn check_pool(pool: Option<usize>, batch: usize) -> Result<(), Error> {
    match pool.unwrap_or(batch) {
        pool if batch.is_multiple_of(pool) => Ok(()),
        pool => Err(Error::misfit(
            format!("a pool of negatives that divides the batch of {batch}"),
            pool,
            "choose a divisor",
        )),
    }
}
