//! Self-contrastive forward-forward (SCFF): an image added to itself against an image added to another.

use burn::tensor::{
    Tensor,
    activation::{relu, sigmoid},
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{
    GridShape, Metrics, Plasticity, Post, Rows, RuleError, Saccades, Seen, Shown, Update,
    smooth::softplus,
};

/// Every place of a map should be active for an image added to itself, and silent for two images added up.
///
/// ```text
/// u⁺_i = a_i + a_i        u⁻_i = a_i + a_j        j = (i + r) mod N
/// G±_i(q) = (1/C) Σ_c max(0, u±_ic(q))²
/// L = (1/NQ) Σ_iq [ ln(1 + exp(θ₁ − G⁺)) + ln(1 + exp(G⁻ − θ₂)) ] + (λ/N) Σ_i ‖G⁺_i‖
/// γ⁺_i(q) = σ(θ₁ − G⁺)/NQ − λ G⁺_i(q)/(N ‖G⁺_i‖)        γ⁻_i(q) = −σ(G⁻ − θ₂)/NQ
/// p±_ic(q) = γ±_i(q) (2/C) max(0, u±_ic(q))
/// m_i(q) = 2 p⁺_i(q) + p⁻_i(q) + p⁻_{i−r}(q)        ΔW(τ) = Σ_iq m_i(q) x_i(q + τ)        Δb = Σ_iq m_i(q)
/// ```
///
/// a = W ⋆ x + b is the summed input of N images at Q places of C channels, ‖·‖ the root of the sum of squares over
/// places. Layers add up what a pair of images gives them: as a is linear in x, the pairs cost no convolution of
/// their own, and the bias counts twice. The slope of a pair goes to both of its images: every image is half of
/// two negative pairs. One r ~ U{1 … N − 1} is drawn for a step and serves all predictions.
///
/// **Locality.** G is one number of a place that all channels there share; γ is it against a threshold, and ‖G⁺‖ one
/// number a map. Where images come one at a time, a pair is one image laid over another and each sum of L an
/// average over time: nothing is compared within a batch.
///
/// | name | default ([`new`](Self::new)) | purpose | range |
/// |---|---|---|---|
/// | `positive_threshold` | 2 | θ₁: above it an image with itself is active enough | ≥ 0 |
/// | `negative_threshold` | 2 | θ₂: below it two images are silent enough | ≥ 0 |
/// | `activity_cost` | 0.05 | λ: as ‖G⁺‖ grows with √Q, larger maps pay more; without it a network ends below its untrained twin | ≥ 0 |
///
/// Layers show a at every pixel ([`TriangleConv2d`]). Metrics: `loss`, and the means `positive` of G⁺ and `negative`
/// of G⁻.
///
/// [`TriangleConv2d`]: https://docs.rs/clapp-encoders/latest/clapp_encoders/struct.TriangleConv2d.html
///
/// # Paper
/// Chen et al. (2025), *Self-contrastive forward-forward algorithm*, Nature Communications. Deviations: θ₁, θ₂ and λ are
/// ours; pairs are made anew before every layer, where theirs of CIFAR-10's second layer are the two streams of
/// pairs that the first made.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Lateral, Plasticity, Purpose, Scff, Seen, stream};
///
/// // Two images of one pixel and one channel, a = 1 and −1: together they are silent.
/// let a = Tensor::<1>::from_floats([1.0, -1.0], &Device::flex()).reshape([2, 1, 1, 1]);
/// let rule = Scff { positive_threshold: 4.0, activity_cost: 0.0, ..Scff::new() };
/// let rows = rule.pairs([2, 1, 1].into(), &mut stream(1, Purpose::Test, [0; 4]));
/// let seen = Seen { layer: 0, target: a, context: None, lateral: &Lateral::default(), rows: &rows };
/// let told = rule.changes(seen).target.into_data().try_to_vec::<f32>().unwrap();
/// // G⁺ = 2² is at its threshold: γ⁺ = σ(0)/2, p⁺ = ¼ · 2 · 2, m = 2.
/// assert_eq!(told, [2.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scff {
    /// θ₁.
    pub positive_threshold: f64,
    /// θ₂.
    pub negative_threshold: f64,
    /// λ.
    pub activity_cost: f64,
}

impl Scff {
    /// Thresholds and cost of our own choice.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no published values to fall back on")]
    pub fn new() -> Self {
        Self { positive_threshold: 2.0, negative_threshold: 2.0, activity_cost: 0.05 }
    }
}

/// Row i of the result is row (i + by) mod N.
fn turned(rows: &Tensor<3>, by: usize) -> Tensor<3> {
    let [count, ..] = rows.dims();
    let part = |first, length| rows.clone().narrow(0, first, length);
    Tensor::cat(vec![part(by, count - by), part(0, by)], 0)
}

/// max(0, u), and the mean of its square over channels, `[image, place, 1]`.
fn goodness(u: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
    let active = relu(u);
    let mean = active.clone().square().mean_dim(2);
    (active, mean)
}

impl Plasticity for Scff {
    fn check(&self, _: usize) -> Result<(), RuleError> {
        let named = [
            ("positive_threshold", self.positive_threshold),
            ("negative_threshold", self.negative_threshold),
            ("activity_cost", self.activity_cost),
        ];
        match named.into_iter().find(|(_, value)| !(*value >= 0.0 && value.is_finite())) {
            None => Ok(()),
            Some((name, value)) => Err(RuleError::Coefficient { name, value: value.to_string() }),
        }
    }

    fn check_batch(&self, samples: usize) -> Result<(), RuleError> {
        if samples < 2 { Err(RuleError::NoOther { samples }) } else { Ok(()) }
    }

    fn shows(&self) -> Shown {
        Shown::Pixels
    }

    fn draws_together(&self) -> bool {
        true
    }

    /// One row: the first place of image 0, added to itself and to the first place of image r.
    ///
    /// # Panics
    ///
    /// If there is no other image.
    fn pairs(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Vec<Rows> {
        self.check_batch(grid.batch).unwrap_or_else(|error| panic!("{error}"));
        let places = (grid.time * grid.site) as u32;
        let other = random.random_range(1..grid.batch as u32) * places;
        let saccades = Saccades::Drawn { count: 1, rows: vec![other] };
        let (contexts, fixations) = (vec![0], vec![0]);
        vec![Rows { grid, blocks: vec![1], contexts, fixations, saccades, outcomes: None }]
    }

    /// # Panics
    ///
    /// If rows are not those of [`pairs`](Self::pairs).
    fn changes(&self, seen: Seen<'_>) -> Update {
        let shape = seen.target.dims();
        let [images, time, site, channels] = shape;
        let places = time * site;
        let by = match seen.rows {
            [Rows { grid, saccades: Saccades::Drawn { rows, .. }, .. }]
                if *grid == [images, time, site].into() && rows.len() == 1 =>
            {
                rows[0] as usize / places
            }
            rows => panic!(
                "scff: expected the one row of {images} images of {time} × {site} places, got {rows:?}"
            ),
        };
        let a = seen.target.reshape([images, places, channels]);
        let (own, positive) = goodness(a.clone() * 2.0);
        let (both, negative) = goodness(a.clone() + turned(&a, by));
        let lacking = -positive.clone() + self.positive_threshold;
        let surplus = negative.clone() - self.negative_threshold;
        let length = positive.clone().square().sum_dim(1).sqrt(); // [image, 1, 1]
        // A silent map has no slope; 1e-30 keeps 0/0 away and is lost beside anything else.
        let cost =
            positive.clone() / (length.clone() + 1e-30) * (self.activity_cost / images as f64);
        let share = 1.0 / (images * places) as f64;
        let per_channel = 2.0 / channels as f64;
        let own = own * ((sigmoid(lacking.clone()) * share - cost) * (2.0 * per_channel));
        let both = both * (sigmoid(surplus.clone()) * (-share * per_channel));
        let m = own + turned(&both, images - by) + both;
        let loss = softplus(lacking).mean()
            + softplus(surplus).mean()
            + length.mean() * self.activity_cost;
        let values = Tensor::cat(vec![loss, positive.mean(), negative.mean()], 0);
        let metrics = Metrics { names: &["loss", "positive", "negative"], values };
        Update { post: Post::One, metrics, ..Update::of(m.reshape(shape)) }
    }
}
