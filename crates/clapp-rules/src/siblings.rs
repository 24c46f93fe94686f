//! Places of one image that predict each other: the four of a block that the layer above sees as one.

use burn::tensor::Device;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{
    Extent, Feedback, GridShape, Lateral, Objective, Plasticity, Rows, RuleError, Saccades, Seen,
    Shown, Timing, Update, contrastive::update, flip_outcomes,
};

/// CLAPP with the places of a block in the part of context and target: no time passes, the eye looks at a part
/// and predicts the part beside it.
///
/// ```text
/// 0 1     u⁺ = z_j(q) · W_ij z_i(q)        (i, j) ∈ {01, 23, 02, 13, 03, 12}, q a block of 2 × 2 places
/// 2 3     u⁻ = z_j(q′) · W_ij z_i(q)       q′ any block of any image of the batch
/// L   = (1/6) Σ_ij [ mean_q max(0, 1 − u⁺) + mean_q,q′ max(0, 1 + u⁻) ]
/// ```
///
/// Each of the six pairs of a block has a W_pred of its own, because what stands beside something depends on
/// where. A saccade lands at the same corner j of another block, so that it cannot be told by its corner. Where
/// parts that mean the same stand beside the same parts, as the synonyms of a grammar do, layers learn to answer
/// them alike: nothing else in an image is worth predicting. Third factors and modulations are those of
/// [`Rule`](crate::Rule).
///
/// A map of fewer than 2 × 2 places has no pair: that layer keeps its weights. Odd last rows and columns are left
/// out. Layers show every place of their map, of whole images.
///
/// | name | default ([`clapp_s`](Self::clapp_s)) | purpose | range |
/// |---|---|---|---|
/// | `objective` | hinge | scores → third factors | |
/// | `timing` | synchronous | both terms of a sample at once or one of them | time-local needs the hinge |
/// | `saccades` | 4 | of each context | ≥ 1 |
/// | `feedback` | symmetric | signal to the context | |
///
/// # Paper
/// Ours; the rule is that of Illing et al. 2021 but for its pairs. That predicting neighbours finds the synonyms
/// of a random hierarchy level by level: Cagnetta & Wyart 2024, arXiv 2406.00048.
///
/// # Example
///
/// ```
/// use clapp_rules::{Plasticity, Purpose, Siblings, stream};
/// // One image of 4 × 4 places: four blocks, and six pairs in each.
/// let rows = &Siblings::clapp_s().pairs([1, 1, 16].into(), &mut stream(2, Purpose::Test, [0; 4]))[0];
/// assert_eq!(rows.blocks, [4; 6]);
/// // The second block is at the top right: its left upper place predicts the right upper one.
/// assert_eq!((rows.contexts[1], rows.fixations[1]), (2, 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Siblings {
    /// Loss and third factor.
    pub objective: Objective,
    /// When the two terms of a sample are learnt.
    pub timing: Timing,
    /// Saccades of each context.
    pub saccades: usize,
    /// Signal to the context.
    pub feedback: Feedback,
}

/// Corners of a block that predict each other.
const PAIRS: [[usize; 2]; 6] = [[0, 1], [2, 3], [0, 2], [1, 3], [0, 3], [1, 2]];

impl Siblings {
    /// Pairs of places in a block that predict each other, each with lateral weights of its own.
    pub const PAIRS: usize = PAIRS.len();

    /// The hinge, both terms at once, four saccades.
    #[must_use]
    pub fn clapp_s() -> Self {
        let (timing, feedback) = (Timing::Synchronous, Feedback::Symmetric);
        Self { objective: Objective::Hinge, timing, saccades: 4, feedback }
    }

    fn rows(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Rows {
        let GridShape { batch, site, .. } = grid;
        let side = site.isqrt();
        assert_eq!(side * side, site, "siblings: expected a square map, got {site} places");
        let (half, places) = (side / 2, batch * (side / 2) * (side / 2));
        let at = |block: usize, corner: usize| {
            let (sample, y, x) = (block / (half * half), block / half % half, block % half);
            (sample * site + (2 * y + corner / 2) * side + 2 * x + corner % 2) as u32
        };
        let all = |end: usize| {
            PAIRS.iter().flat_map(move |pair| (0..places).map(move |block| at(block, pair[end])))
        };
        let jumps = PAIRS.iter().flat_map(|pair| (0..places * self.saccades).map(move |_| pair[1]));
        let mut block = || random.random_range(0..places as u64) as usize;
        let rows = jumps.map(|corner| at(block(), corner)).collect();
        Rows {
            grid,
            blocks: vec![places; PAIRS.len()],
            contexts: all(0).collect(),
            fixations: all(1).collect(),
            saccades: Saccades::Drawn { count: self.saccades, rows },
            outcomes: match self.timing {
                Timing::Synchronous => None,
                Timing::TimeLocal => Some(flip_outcomes(batch, random)),
            },
        }
    }
}

/// Whether so many places have a block.
fn has_blocks(places: usize) -> bool {
    places >= 4
}

impl Plasticity for Siblings {
    fn check(&self, time: usize) -> Result<(), RuleError> {
        if time != 1 {
            return Err(RuleError::NotWhole { time });
        }
        if self.saccades == 0 {
            return Err(RuleError::NoNegatives);
        }
        if self.timing == Timing::TimeLocal && !self.objective.contrast().separable() {
            return Err(RuleError::NotSeparable);
        }
        Ok(())
    }

    fn shows(&self) -> Shown {
        Shown::Pixels
    }

    fn lateral(
        &self,
        target: Extent,
        context: Extent,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Lateral {
        if !has_blocks(target.site) {
            return Lateral::default();
        }
        let way_back = self.feedback.way_back();
        let [target, context] = [target.channel, context.channel];
        Lateral::uniform(PAIRS.len(), target, context, way_back, device, random)
    }

    /// # Panics
    ///
    /// If the map is not square.
    fn pairs(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Vec<Rows> {
        if !has_blocks(grid.site) {
            return Vec::new();
        }
        (0..self.feedback.sets()).map(|_| self.rows(grid, random)).collect()
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        let [_, _, site, _] = seen.target.dims();
        if !has_blocks(site) {
            return Update::of(seen.target.zeros_like());
        }
        update(self.objective.contrast().as_ref(), self.feedback, false, seen)
    }
}
