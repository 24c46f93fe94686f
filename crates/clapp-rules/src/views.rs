//! Two views of each image: CLAPP++, direct feedback (DFB), and both.

use burn::tensor::Device;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{
    Contrast, Extent, GridShape, Hinge, Lateral, Plasticity, Rows, RuleError, Saccades, Seen,
    Shown, Synapses, Update,
    smooth::{Linear, SoftHinge, Softplus},
    view_update::{B, B_DOWN, B_UP, view_update},
};

/// One view of an image predicts the other, and not that of another image.
///
/// ```text
/// p_l      what layer l shows of a sample: its cells × channels
/// σ(i)     = (i + B) mod N        the other view
/// u⁺_i     = p_{l,σ(i)} · B_l c_i        c_i = p_{f(l),i}, a constant
/// u⁻_i     = p_{l,σ(ν(i))} · B_l c_i     ν(i) the draw
/// L_l      = (1/N) Σ_i [ max(0, 1 − u⁺_i) + max(0, 1 + u⁻_i) ]
/// m_r      = (1/N) [ γ⁺_{σ(r)} B_l c_{σ(r)} + Σ_{i: ν(i) = σ(r)} γ⁻_i B_l c_i ]
/// ΔB_l     = (1/N) Σ_i (γ⁺_i z⁺_i + γ⁻_i z⁻_i) c_iᵀ
/// ```
///
/// Samples are whole images, ordered `[view 1; view 2]`, N = 2B of them; there is no time. The rule is CLAPP++
/// where a layer predicts itself (f(l) = l), DFB where the top predicts all (f(l) = L), and both with two
/// predictions a layer: who predicts whom is the stack's business. Only the predicted side learns, so that
/// there is no way back, neither W_retro nor weight transport.
///
/// | name | default ([`clapp_plus_plus`](Self::clapp_plus_plus)) | purpose | range |
/// |---|---|---|---|
/// | `negatives` | cyclic | which sample is the negative | see [`ViewNegatives`] |
/// | `objective` | hinge | scores → third factors | see [`ViewObjective`] |
/// | `grids` | 8, 4, 4, 4, 2, 2 | cells a side that each layer shows; 1 is the mean over its map | divides the map |
/// | `rank` | none | B as two matrices c → r → z | ≥ 1 |
///
/// Lateral weights: `b` `[1, dim p_l, dim p_f(l)]` from U(±1/√dim p_f(l)), with a rank `b_down`
/// `[1, r, dim p_f(l)]` from the same and `b_up` `[1, dim p_l, r]` from U(±1/√r). Dimensions run over
/// (cell row, cell column, channel).
///
/// # Cost
/// N · dim p_l · dim p_f(l) each for B c and ΔB; nothing of N × N is ever made.
///
/// # Paper
/// CLAPP++ and DFB, `zihan-wu/local-SSL`. Deviations: the order of B's dimensions (theirs is channel, row,
/// column); [`ViewNegatives::SameImage`] is ours.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_rules::{Extent, Plasticity, Purpose, Seen, TwoViews, stream};
///
/// let rule = TwoViews { grids: vec![2], ..TwoViews::clapp_plus_plus() };
/// let (device, mut random) = (Device::flex(), stream(2, Purpose::Test, [0; 4]));
/// let extent = Extent { site: 4, channel: 3 };
/// let lateral = rule.lateral(extent, extent, &device, &mut random);
/// assert_eq!(lateral.weight("b").dims(), [1, 12, 12]);
/// // Two views of three images.
/// let p = Tensor::<4>::random([6, 1, 4, 3], Distribution::Uniform(0.0, 0.1), &device);
/// let rows = rule.pairs([6, 1, 4].into(), &mut random);
/// let update = rule.changes(Seen { layer: 0, target: p, context: None, lateral: &lateral, rows: &rows });
/// assert_eq!(update.target.dims(), [6, 1, 4, 3]);
/// // Nothing is predicted yet: 1 for the other view and 1 for the negative.
/// assert!((update.monitor().loss - 2.0).abs() < 0.1);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoViews {
    /// Which sample is the negative of a context.
    pub negatives: ViewNegatives,
    /// Loss and third factor.
    pub objective: ViewObjective,
    /// Cells a side of every layer's map, from the input up; 1 is the mean over the map.
    pub grids: Vec<usize>,
    /// Rank of B; full without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
}

/// Which z⁻ a context meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ViewNegatives {
    /// The other view of the next sample, ν(i) = (i + 1) mod N: what the authors' published code does.
    #[default]
    Cyclic,
    /// ν(i) ~ U{0 … N − 1}, which may hit the own other view; anew for every prediction.
    Random,
    /// One such draw for all predictions of a step ([`Plasticity::draws_together`]).
    RandomShared,
    /// The own other view with its cells moved: z⁻_i at cell q is z⁺_i at cell (q + s_i) mod n², where
    /// s_i ~ U{1 … n² − 1} is drawn for every context and prediction, and cells count by row, then column.
    ///
    /// Such a negative has the brightness, the colour cast and all other means of its positive, so that
    /// telling them apart takes more. It is ours, not the paper's, and means something only where a layer
    /// shows more than one cell.
    SameImage,
}

/// Which loss turns scores into third factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum ViewObjective {
    /// [`Hinge`].
    #[default]
    Hinge,
    /// [`SoftHinge`].
    SoftHinge,
    /// [`Linear`].
    Linear,
    /// [`Softplus`].
    Softplus {
        /// θ: how sharp its corner is; above 0.
        theta: f64,
    },
}

impl ViewObjective {
    /// The objective as a trait object.
    ///
    /// ```
    /// use clapp_rules::ViewObjective;
    /// assert!(!ViewObjective::Softplus { theta: 1.0 }.contrast().separable());
    /// ```
    #[must_use]
    pub fn contrast(self) -> Box<dyn Contrast> {
        match self {
            Self::Hinge => Box::new(Hinge),
            Self::SoftHinge => Box::new(SoftHinge),
            Self::Linear => Box::new(Linear),
            Self::Softplus { theta } => Box::new(Softplus { theta }),
        }
    }
}

impl TwoViews {
    /// The published set-up of a VGG-6: cyclic negatives, hinge, cells of 8, 4, 4, 4, 2, 2 a side, whatever
    /// the size of the image.
    #[must_use]
    pub fn clapp_plus_plus() -> Self {
        Self {
            negatives: ViewNegatives::Cyclic,
            objective: ViewObjective::Hinge,
            grids: vec![8, 4, 4, 4, 2, 2],
            rank: None,
        }
    }

    /// The same for `layers` layers that show the mean over their map.
    #[must_use]
    pub fn of_means(layers: usize) -> Self {
        Self { grids: vec![1; layers], ..Self::clapp_plus_plus() }
    }
}

impl Plasticity for TwoViews {
    fn check(&self, time: usize) -> Result<(), RuleError> {
        if time != 1 {
            return Err(RuleError::NotWhole { time });
        }
        if let ViewObjective::Softplus { theta } = self.objective
            && !(theta > 0.0 && theta.is_finite())
        {
            return Err(RuleError::Theta { theta: theta.to_string() });
        }
        if self.rank == Some(0) {
            return Err(RuleError::Rank);
        }
        let alone = |&cells: &usize| cells == 0 || cells == 1 && self.negatives.in_the_image();
        match self.grids.iter().position(alone) {
            Some(layer) if self.grids[layer] == 0 => Err(RuleError::NoCells { layer: layer + 1 }),
            Some(layer) => Err(RuleError::OneCell { layer: layer + 1 }),
            None => Ok(()),
        }
    }

    fn check_layers(&self, layers: usize) -> Result<(), RuleError> {
        if self.grids.len() == layers {
            return Ok(());
        }
        Err(RuleError::Grids { layers, grids: self.grids.clone() })
    }

    fn check_batch(&self, samples: usize) -> Result<(), RuleError> {
        if samples == 0 || !samples.is_multiple_of(2) {
            return Err(RuleError::OddViews { samples });
        }
        if samples == 2 && !self.negatives.in_the_image() {
            return Err(RuleError::OneImage);
        }
        Ok(())
    }

    fn shows(&self) -> Shown {
        self.shows_layer(0)
    }

    fn shows_layer(&self, layer: usize) -> Shown {
        match self.grids.get(layer) {
            None | Some(1) => Shown::Patch,
            Some(&cells) => Shown::Cells(cells),
        }
    }

    fn draws_together(&self) -> bool {
        self.negatives == ViewNegatives::RandomShared
    }

    fn lateral(
        &self,
        target: Extent,
        context: Extent,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Lateral {
        let [z, c] = [target, context].map(|extent| extent.site * extent.channel);
        let mut draw = |post: usize, pre: usize| {
            let bound = 1.0 / (pre as f64).sqrt();
            Synapses::uniform([1, post, pre], bound, device, random)
        };
        match self.rank {
            None => Lateral::default().with(B, draw(z, c)),
            Some(rank) => {
                let down = draw(rank, c);
                Lateral::default().with(B_DOWN, down).with(B_UP, draw(z, rank))
            }
        }
    }

    /// One set of rows, a row for each cell of each context.
    ///
    /// The draws for samples come first and do not depend on the grid, so that one stream gives the same to
    /// layers of any size.
    ///
    /// # Panics
    ///
    /// If [`check_batch`](Plasticity::check_batch) has an error, or an image of one cell is its own negative.
    fn pairs(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Vec<Rows> {
        let GridShape { batch, time, site } = grid;
        self.check_batch(batch).unwrap_or_else(|error| panic!("{error}"));
        let (n, cells) = (batch as u32, (time * site) as u32);
        assert!(
            cells > 1 || !self.negatives.in_the_image(),
            "views: expected more than one cell for negatives of the same image, got {cells}"
        );
        let negatives: Vec<(u32, u32)> = (0..n)
            .map(|i| match self.negatives {
                ViewNegatives::Cyclic => ((i + 1) % n, 0),
                ViewNegatives::Random | ViewNegatives::RandomShared => {
                    (random.random_range(0..n), 0)
                }
                ViewNegatives::SameImage => (i, random.random_range(1..cells)),
            })
            .collect();
        vec![rows(grid, &negatives)]
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        view_update(self.objective.contrast().as_ref(), seen)
    }
}

impl ViewNegatives {
    /// Whether a negative is of the image of its context.
    fn in_the_image(self) -> bool {
        self == Self::SameImage
    }
}

/// Rows of two views, one for each cell of each context.
///
/// `negatives`: for every context i the sample ν(i), whose other view is its negative, and by how many cells
/// this is moved.
///
/// ```
/// use clapp_rules::equations::view_rows;
/// let rows = view_rows([4, 1, 1].into(), &[(1, 0), (2, 0), (3, 0), (0, 0)]);
/// assert_eq!(rows.fixations, [2, 3, 0, 1]);
/// assert_eq!(rows.saccades, clapp_rules::Saccades::Drawn { count: 1, rows: vec![3, 0, 1, 2] });
/// ```
///
/// # Panics
///
/// If there is not one negative for each sample, or the number of samples is odd.
#[must_use]
pub fn rows(grid: GridShape, negatives: &[(u32, u32)]) -> Rows {
    let (n, cells) = (grid.batch as u32, (grid.time * grid.site) as u32);
    assert_eq!(
        negatives.len(),
        grid.batch,
        "views: expected a negative for each of {n} samples, got {}",
        negatives.len()
    );
    assert!(n.is_multiple_of(2), "views: expected an even number of samples, got {n}");
    let other = |sample: u32| (sample + n / 2) % n;
    let at = |of: &dyn Fn(u32, u32) -> u32| -> Vec<u32> {
        (0..n).flat_map(|i| (0..cells).map(move |q| (i, q))).map(|(i, q)| of(i, q)).collect()
    };
    let negative = |i: u32, q: u32| {
        let (sample, moved) = negatives[i as usize];
        other(sample) * cells + (q + moved) % cells
    };
    Rows {
        grid,
        blocks: vec![grid.rows(0)],
        contexts: at(&|i, q| i * cells + q),
        fixations: at(&|i, q| other(i) * cells + q),
        saccades: Saccades::Drawn { count: 1, rows: at(&negative) },
        outcomes: None,
    }
}
