//! The rule once more, as loops over `ndarray` in double precision, and what tests need to meet it.
#![allow(dead_code, reason = "every test file uses its own part")]

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_rules::{Draws, Feedback, Lateral, Objective, Outcome, Rule, Synapses, Window};
use ndarray::{Array, Array3, Array4, Dimension};
use rand::RngExt;

/// Puts host doubles on the device, in a kind of number.
pub fn tensor_as<const D: usize, S: Dimension>(array: &Array<f64, S>, dtype: DType) -> Tensor<D> {
    let values: Vec<f64> = array.iter().copied().collect();
    let data = TensorData::new(values, array.shape().to_vec()).convert_dtype(dtype);
    Tensor::from_data(data, (&Device::flex(), dtype))
}

/// [`tensor_as`] in double precision.
pub fn tensor<const D: usize, S: Dimension>(array: &Array<f64, S>) -> Tensor<D> {
    tensor_as(array, DType::F64)
}

/// A double-precision tensor of literal numbers.
pub fn literal<const D: usize>(shape: [usize; D], values: &[f64]) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&Device::flex(), DType::F64))
}

/// Reads a tensor as host doubles, in row-major order.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec().expect("just converted to f64")
}

/// Independent draws from U(−1, 1).
pub fn uniform<S: ndarray::ShapeBuilder>(
    shape: S,
    random: &mut dyn rand::Rng,
) -> Array<f64, S::Dim> {
    Array::from_shape_simple_fn(shape, || random.random_range(-1.0..1.0))
}

/// ‖a‖.
pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// ‖a − b‖ / (‖a‖ + ‖b‖), the measure of the authors' `compare_updates.py`; 0 for two zeros.
pub fn distance<'a>(
    a: impl IntoIterator<Item = &'a f64>,
    b: impl IntoIterator<Item = &'a f64>,
) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) =
        (a.into_iter().copied().collect(), b.into_iter().copied().collect());
    assert_eq!(a.len(), b.len(), "distance: expected as many numbers on both sides");
    let difference: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let scale = norm(&a) + norm(&b);
    if scale > 0.0 { norm(&difference) / scale } else { norm(&difference) }
}

/// One pair: its step, where its context and its target are, `[b, t, s]`, and its weighted γ.
#[derive(Clone)]
pub struct Pair {
    pub step: usize,
    pub context: [usize; 3],
    pub target: [usize; 3],
    pub gamma: f64,
}

/// What loops say an update should be.
pub struct Expected {
    pub target: Array4<f64>,
    pub context: Array4<f64>,
    pub w_pred: Array3<f64>,
    pub w_retro: Array3<f64>,
    pub loss: f64,
}

/// Activities and weights of one layer: `z`, `c` are `[b, t, s, channel]`, `w_pred` `[K, z, c]`,
/// `w_retro` `[K, c, z]`.
pub struct Layer {
    pub z: Array4<f64>,
    pub c: Array4<f64>,
    pub w_pred: Array3<f64>,
    pub w_retro: Array3<f64>,
}

impl Layer {
    /// Random activities, and weights that are large enough to close some gates.
    pub fn random(
        grid: [usize; 3],
        channels: [usize; 2],
        steps: usize,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let ([b, t, s], [post, pre]) = (grid, channels);
        Self {
            z: uniform((b, t, s, post), random),
            c: uniform((b, t, s, pre), random),
            w_pred: 3.0 * uniform((steps, post, pre), random),
            w_retro: 3.0 * uniform((steps, pre, post), random),
        }
    }

    /// The update of the crate, in double precision.
    pub fn update(&self, rule: &Rule, draws: &[Draws]) -> clapp_rules::Update {
        self.update_as(DType::F64, rule, draws)
    }

    /// The update of the crate.
    pub fn update_as(&self, dtype: DType, rule: &Rule, draws: &[Draws]) -> clapp_rules::Update {
        let lateral = |weights| Synapses::new(tensor_as(weights, dtype));
        let lateral = Lateral::default()
            .with("w_pred", lateral(&self.w_pred))
            .with("w_retro", lateral(&self.w_retro));
        let (z, c) = (tensor_as(&self.z, dtype), tensor_as(&self.c, dtype));
        rule.update(z, c, &lateral, draws)
    }

    /// The update of the paper, one pair and one synapse after the other.
    pub fn expected(&self, rule: &Rule, draws: &[Draws]) -> Expected {
        let (forward, mut loss) = self.pairs(rule, &self.w_pred, &draws[0]);
        let mut backward = forward.clone();
        if rule.feedback == Feedback::PredRetro {
            let scores = self.w_retro.clone().permuted_axes([0, 2, 1]);
            let (pairs, more) = self.pairs(rule, &scores, &draws[1]);
            (backward, loss) = (pairs, loss + more);
        }
        let mut expected = Expected {
            target: Array4::zeros(self.z.raw_dim()),
            context: Array4::zeros(self.c.raw_dim()),
            w_pred: Array3::zeros(self.w_pred.raw_dim()),
            w_retro: Array3::zeros(self.w_retro.raw_dim()),
            loss,
        };
        let (post, pre) = (self.z.dim().3, self.c.dim().3);
        for Pair { step, context: [b, t, s], target: [d, r, p], gamma } in forward {
            for j in 0..post {
                for k in 0..pre {
                    let (z, c) = (self.z[[d, r, p, j]], self.c[[b, t, s, k]]);
                    expected.target[[d, r, p, j]] += gamma * self.w_pred[[step, j, k]] * c;
                    expected.w_pred[[step, j, k]] += gamma * z * c;
                }
            }
        }
        for Pair { step, context: [b, t, s], target: [d, r, p], gamma } in backward {
            for j in 0..post {
                for k in 0..pre {
                    let (z, c) = (self.z[[d, r, p, j]], self.c[[b, t, s, k]]);
                    let way_back = match rule.feedback {
                        Feedback::Symmetric => self.w_pred[[step, j, k]],
                        Feedback::PredRetro | Feedback::PredRetroShared => {
                            self.w_retro[[step, k, j]]
                        }
                        // Blocked, the only one left.
                        _ => 0.0,
                    };
                    expected.context[[b, t, s, k]] += gamma * way_back * z;
                    expected.w_retro[[step, k, j]] += gamma * c * z;
                }
            }
        }
        expected
    }

    /// All pairs of one half with their third factors, and its loss; scores from `w`, `[K, z, c]`.
    fn pairs(&self, rule: &Rule, w: &Array3<f64>, draws: &Draws) -> (Vec<Pair>, f64) {
        let (batch, time, site, _) = self.z.dim();
        let (mut all, mut loss) = (Vec::new(), 0.0);
        for (step, drawn) in draws.pairs.iter().enumerate() {
            let window = draws.window.unwrap_or(Window { start: 0, steps: time });
            let positions = (window.steps - drawn.shift) * site;
            let place = |row: usize, shift: usize| {
                [row / positions, window.start + row % positions / site + shift, row % site]
            };
            let landing = |row: usize| match draws.window {
                // A row of the whole grid.
                Some(_) => [row / (time * site), row % (time * site) / site, row % site],
                None => place(row, drawn.shift),
            };
            let weight = |wanted: Outcome, sample: usize| {
                let steps = draws.pairs.len();
                let Some(outcomes) = &draws.outcomes else {
                    return 1.0 / (steps * batch * positions) as f64;
                };
                let chosen = outcomes.iter().filter(|&&o| o == wanted).count();
                let chooses = outcomes[sample] == wanted;
                if chooses { 1.0 / (steps * chosen * positions) as f64 } else { 0.0 }
            };
            for row in 0..batch * positions {
                let context = place(row, 0);
                let saccades = &drawn.index[row * drawn.count..(row + 1) * drawn.count];
                let landings = saccades.iter().map(|&to| landing(to as usize));
                let targets: Vec<_> =
                    std::iter::once(place(row, drawn.shift)).chain(landings).collect();
                let u: Vec<f64> =
                    targets.iter().map(|&to| self.score(w, step, context, to)).collect();
                let plus = weight(Outcome::Fixation, context[0]);
                let minus = weight(Outcome::Saccade, context[0]);
                let (row_loss, gammas) = third_factors(rule.objective, &u, plus, minus);
                loss += row_loss;
                for (target, gamma) in targets.into_iter().zip(gammas) {
                    all.push(Pair { step, context, target, gamma });
                }
            }
        }
        (all, loss)
    }

    /// u = zᵀ W c.
    fn score(&self, w: &Array3<f64>, step: usize, context: [usize; 3], target: [usize; 3]) -> f64 {
        let ([b, t, s], [d, r, p]) = (context, target);
        let mut u = 0.0;
        for j in 0..self.z.dim().3 {
            for k in 0..self.c.dim().3 {
                u += self.z[[d, r, p, j]] * w[[step, j, k]] * self.c[[b, t, s, k]];
            }
        }
        u
    }
}

/// Weighted loss and weighted third factors of one context: `u[0]` is the fixation.
fn third_factors(objective: Objective, u: &[f64], plus: f64, minus: f64) -> (f64, Vec<f64>) {
    let n = (u.len() - 1) as f64;
    match objective {
        Objective::Hinge => {
            let mut loss = plus * (1.0 - u[0]).max(0.0);
            let mut gammas = vec![if u[0] < 1.0 { plus } else { 0.0 }];
            for &u in &u[1..] {
                loss += minus * (1.0 + u).max(0.0) / n;
                gammas.push(if u > -1.0 { -minus / n } else { 0.0 });
            }
            (loss, gammas)
        }
        Objective::InfoNce { epsilon } => {
            let sum: f64 = u.iter().map(|u| u.exp()).sum();
            let pi: Vec<f64> = u.iter().map(|u| u.exp() / sum).collect();
            let damped = pi[0] / (pi[0] + epsilon);
            let own = |tau: usize| if tau == 0 { 1.0 } else { 0.0 };
            let gammas =
                pi.iter().enumerate().map(|(tau, pi)| plus * (own(tau) - pi) * damped).collect();
            (-plus * (pi[0] + epsilon).ln(), gammas)
        }
        other => panic!("expected an objective with loops of its own, got {other:?}"),
    }
}
