//! A golden file of LPL: batches of pairs of representations.

use burn::tensor::Tensor;
use clapp_rules::{Lateral, Lpl};
use serde::Deserialize;

use super::{Golden, On};

/// Latent predictive learning.
#[derive(Debug)]
pub struct LplPairs<'a> {
    file: &'a Golden,
    config: Config,
}

#[derive(Debug, Deserialize)]
struct Config {
    units: Vec<usize>,
    batches: usize,
    #[serde(flatten)]
    rule: Lpl,
}

impl<'a> LplPairs<'a> {
    /// The set-up of a file, if it is one of this kind.
    #[must_use]
    pub fn of(file: &'a Golden) -> Option<Self> {
        Some(Self { file, config: file.config()? })
    }

    /// Its rule.
    #[must_use]
    pub fn rule(&self) -> Lpl {
        self.config.rule
    }

    /// Batches, in their order.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.config.batches
    }

    /// What the rule keeps in each layer before the first batch.
    #[must_use]
    pub fn laterals(&self, on: On<'_>) -> Vec<Lateral> {
        let lateral = |&units: &usize| {
            let lateral = Lateral::default();
            if !self.config.rule.stale {
                return lateral;
            }
            lateral
                .with_statistic("mean", Tensor::zeros([units], on))
                .with_statistic("variance", Tensor::ones([units], on))
                .with_statistic("batches", Tensor::zeros([1], on))
        };
        self.config.units.iter().map(lateral).collect()
    }

    /// Both views of a batch in one layer, `[2 · batch, 1, 1, units]`.
    #[must_use]
    pub fn views(&self, batch: usize, layer: usize, on: On<'_>) -> Tensor<4> {
        let view = |v| self.file.tensor::<2>(&format!("batch{batch}.layer{layer}.z{v}"), on);
        let both = Tensor::cat(vec![view(1), view(2)], 0);
        let [samples, units] = both.dims();
        both.reshape([samples, 1, 1, units])
    }
}
