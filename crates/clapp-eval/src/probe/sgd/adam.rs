//! One step of Adam with weight decay in the gradient.

use ndarray::{Array, Dimension};

/// Adam's decay of the first and second moment and its guard against division by 0.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Why parameters are slices.
pub(super) const CONTIGUOUS: &str = "arrays of one classifier are in standard layout";

/// What is the same for all parameters of a step.
///
/// ```text
/// g ← g + λw        m ← β₁m + (1 − β₁)g        v ← β₂v + (1 − β₂)g²
/// w ← w − η · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Adam {
    rate: f32,
    root: f32,
    decay: f32,
}

/// A parameter with its two moments.
#[derive(Clone, Debug)]
pub(super) struct Moments<T> {
    pub value: T,
    pub first: T,
    pub second: T,
}

impl<D: Dimension> Moments<Array<f32, D>> {
    /// A parameter before its first step.
    pub(super) fn new(value: Array<f32, D>) -> Self {
        let zeros = Array::zeros(value.raw_dim());
        Self { first: zeros.clone(), second: zeros, value }
    }

    /// All of it, the last axis fastest.
    pub(super) fn slices(&mut self) -> Moments<&mut [f32]> {
        Moments {
            value: self.value.as_slice_mut().expect(CONTIGUOUS),
            first: self.first.as_slice_mut().expect(CONTIGUOUS),
            second: self.second.as_slice_mut().expect(CONTIGUOUS),
        }
    }
}

impl Moments<&mut [f32]> {
    /// It, cut into pieces of `size`.
    pub(super) fn chunks(self, size: usize) -> impl Iterator<Item = Self> {
        let rest = self.first.chunks_mut(size).zip(self.second.chunks_mut(size));
        let all = self.value.chunks_mut(size).zip(rest);
        all.map(|(value, (first, second))| Moments { value, first, second })
    }
}

impl Adam {
    /// Step `step`, counted from 1.
    pub(super) fn new(step: u32, learning_rate: f32, decay: f32) -> Self {
        let step = i32::try_from(step).unwrap_or(i32::MAX); // by then the corrections are 1
        let rate = f64::from(learning_rate) / (1.0 - f64::from(BETA_1).powi(step));
        let root = (1.0 - f64::from(BETA_2).powi(step)).sqrt().recip();
        Self { rate: rate as f32, root: root as f32, decay }
    }

    /// Changes one run of parameters.
    pub(super) fn update(self, moments: Moments<&mut [f32]>, gradient: &[f32]) {
        let Moments { value, first, second } = moments;
        let parameters = value.iter_mut().zip(first).zip(second).zip(gradient);
        for (((w, m), v), g) in parameters {
            let g = g + self.decay * *w;
            *m = BETA_1 * *m + (1.0 - BETA_1) * g;
            *v = BETA_2 * *v + (1.0 - BETA_2) * g * g;
            *w -= self.rate * *m / (v.sqrt() * self.root + EPSILON);
        }
    }
}
