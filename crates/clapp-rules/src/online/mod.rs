//! The rule online: one time step, a saccade flag, weights changed at once; and what of SoftHebb and LPL streams.

mod hebb;
mod lpl;

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData, activation::relu};
use clapp_backend::linear_hebbian;

use crate::{
    Contrast, Feedback, Hinge, Metrics, Monitor, Optimize, Outcome, Synapses, WayBack,
    context_modulation, delta_w_pred, delta_w_retro, dendritic_prediction, fixation_score,
};

pub use hebb::OnlineHebb;
pub use lpl::{LplSignals, OnlineLpl};

/// What the lateral part of a layer remembers of the previous time step.
#[derive(Clone, Debug)]
struct Trace {
    /// c: activity one step ago, `[stream, context channel]`.
    activity: Tensor<2>,
    /// ẑ = W_pred c: what the dendrites received then, `[stream, target channel]`.
    dendrite: Tensor<2>,
}

/// Signals of one time step: what neurons multiply with their own ρ′(a)·x.
#[derive(Clone, Debug)]
pub struct Signals {
    /// For the synapses that are active now: γ · W_pred c, `[stream, target channel]`.
    pub now: Tensor<2>,
    /// For the synapses that were active one step ago: γ · W_retro z, `[stream, context channel]`.
    pub before: Option<Tensor<2>>,
    /// u, `[stream, 1]`.
    pub score: Tensor<2>,
    /// γ, `[stream, 1]`.
    pub third_factor: Tensor<2>,
    /// Mean loss over streams, fraction of open gates, fraction of scores on the right side of 0.
    pub metrics: Metrics,
    w_pred: Tensor<2>,
    w_retro: Option<Tensor<2>>,
}

impl Signals {
    /// Reads the metrics from the device.
    ///
    /// Accuracy here is the fraction of streams with y·u > 0: a stream has no second candidate to
    /// compare with.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.metrics.monitor()
    }
}

/// The lateral half of an online layer: prediction, comparison, third factor.
///
/// ```text
/// u = z^t · ẑ        ẑ = W_pred c      c = z^{t−δt}
/// γ = y · 1[y·u < 1]                   y = +1 fixation, −1 saccade between t−δt and t
/// ΔW_pred = γ z cᵀ                     ΔW_retro = γ c zᵀ
/// ```
///
/// It knows nothing of what drives its neurons, so it serves fully connected layers, recurrent cells
/// and spike simulators alike. Sums over streams are divided by their number. A stream has one third
/// factor: [`Feedback::PredRetro`] and [`Feedback::PredRetroShared`] are the same here.
///
/// # Paper
/// Illing et al. 2021, Eqs. 8–10. Deviations: none; no public code has this form.
///
/// # Example
///
/// A modulation for neurons of your own, here two streams of three rates.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Feedback, Optimizer, Outcome, Purpose, stream, online::OnlineRule};
///
/// let device = Device::flex();
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let mut rule = OnlineRule::init(3, Feedback::PredRetro, &device, &mut random);
/// let rates = Tensor::<2>::from_floats([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0]], &device);
/// // The second stream's eye jumps between the two steps.
/// let outcomes = [Outcome::Fixation, Outcome::Saccade];
/// assert!(rule.observe(rates.clone(), &outcomes).is_none());
/// let signals = rule.observe(rates, &outcomes).unwrap();
/// let gamma = signals.third_factor.clone().into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(gamma, [1.0, -1.0]);
/// assert_eq!(signals.now.dims(), [2, 3]); // × ρ′(a) x of this step
/// assert_eq!(signals.before.as_ref().unwrap().dims(), [2, 3]); // × ρ′(a) x of the step before
/// rule.learn(&signals, &Optimizer::Plain { rate: 0.01 });
/// ```
#[derive(Clone, Debug)]
pub struct OnlineRule {
    /// W_pred, `[target channel, context channel]`.
    pub w_pred: Synapses<2>,
    /// W_retro, `[context channel, target channel]`, where the way back has weights of its own.
    pub w_retro: Option<Synapses<2>>,
    blocked: bool,
    contrast: Arc<dyn Contrast>,
    trace: Option<Trace>,
}

impl OnlineRule {
    /// Draws lateral weights for `channels` neurons from U(±1/√channels).
    #[must_use]
    pub fn init(
        channels: usize,
        feedback: Feedback,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        Self::between(channels, channels, feedback, device, random)
    }

    /// Lateral weights between two populations: `contexts` neurons predict `targets` others. Drawn from
    /// U(±1/√targets).
    #[must_use]
    pub fn between(
        targets: usize,
        contexts: usize,
        feedback: Feedback,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let bound = 1.0 / (targets as f64).sqrt();
        let w_pred = Synapses::uniform([targets, contexts], bound, device, random);
        let w_retro = (feedback.way_back() == WayBack::OwnWeights)
            .then(|| Synapses::uniform([contexts, targets], bound, device, random));
        let (blocked, contrast) = (feedback == Feedback::Blocked, Arc::new(Hinge));
        Self { w_pred, w_retro, blocked, contrast, trace: None }
    }

    /// The same with a contrast of your own in the place of the hinge.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_rules::{Contrast, Feedback, Outcome, Purpose, ThirdFactor, stream, online::OnlineRule};
    ///
    /// /// Every pair counts, however well it is predicted already.
    /// #[derive(Debug)]
    /// struct Ungated;
    ///
    /// impl Contrast for Ungated {
    ///     fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
    ///         ThirdFactor {
    ///             fixation: fixation.ones_like(),
    ///             saccade: -saccade.ones_like(),
    ///             fixation_loss: -fixation,
    ///             saccade_loss: saccade,
    ///         }
    ///     }
    /// }
    ///
    /// let (device, mut random) = (Device::flex(), stream(2, Purpose::Test, [0; 4]));
    /// let rule = OnlineRule::init(2, Feedback::Symmetric, &device, &mut random);
    /// let mut rule = rule.with_contrast(Ungated);
    /// let rates = Tensor::<2>::full([1, 2], 100.0, &device);
    /// rule.observe(rates.clone(), &[Outcome::Fixation]);
    /// let signals = rule.observe(rates, &[Outcome::Saccade]).unwrap();
    /// assert_eq!(signals.third_factor.into_scalar::<f32>(), -1.0);
    /// ```
    ///
    /// # Panics
    ///
    /// If the contrast is not [separable](Contrast::separable): a stream has one outcome at a time.
    #[must_use]
    pub fn with_contrast(self, contrast: impl Contrast + 'static) -> Self {
        assert!(
            contrast.separable(),
            "online rule: expected a separable contrast, got {contrast:?}; a stream has one outcome at a time"
        );
        Self { contrast: Arc::new(contrast), ..self }
    }

    /// Forgets the previous time step, as at the start of a recording.
    pub fn reset(&mut self) {
        self.trace = None;
    }

    /// One time step of neurons that predict themselves: [`compare`](Self::compare), then
    /// [`predict`](Self::predict).
    ///
    /// Returns nothing at the first step, when there is no prediction yet. Weights stay as they are;
    /// see [`learn`](Self::learn).
    ///
    /// # Shapes
    /// - `activity`: `[stream, channel]`; `outcomes`: one per stream
    ///
    /// # Panics
    ///
    /// If the number of outcomes is not the number of streams, or changes between steps.
    pub fn observe(&mut self, activity: Tensor<2>, outcomes: &[Outcome]) -> Option<Signals> {
        let signals = self.compare(activity.clone(), outcomes);
        self.predict(activity);
        signals
    }

    /// Compares the neurons that were predicted with the prediction, if there is one.
    ///
    /// # Shapes
    /// - `target`: `[stream, target channel]`; `outcomes`: one per stream
    ///
    /// # Panics
    ///
    /// If the number of outcomes is not the number of streams, or changes between steps.
    #[must_use]
    pub fn compare(&self, target: Tensor<2>, outcomes: &[Outcome]) -> Option<Signals> {
        let [streams, _] = target.dims();
        assert_eq!(
            outcomes.len(),
            streams,
            "online rule: expected an outcome for each of {streams} streams, got {}",
            outcomes.len()
        );
        let trace = self.trace.as_ref()?;
        Some(self.signals(target, trace, outcomes))
    }

    /// Predicts anew, from the neurons that predict, and forgets the prediction before.
    ///
    /// # Shapes
    /// - `context`: `[stream, context channel]`
    pub fn predict(&mut self, context: Tensor<2>) {
        let dendrite = dendritic_prediction(context.clone(), self.w_pred.weight());
        self.trace = Some(Trace { activity: context, dendrite });
    }

    fn signals(&self, activity: Tensor<2>, trace: &Trace, outcomes: &[Outcome]) -> Signals {
        let [streams, _] = activity.dims();
        let y: Vec<f64> = outcomes.iter().map(|o| o.sign()).collect();
        let y = host_column(y, &activity);
        let score = fixation_score(activity.clone(), trace.dendrite.clone());
        let third = self.contrast.third_factor(score.clone(), score.clone());
        let jumped = y.clone().lower_elem(0.0);
        let loss = third.fixation_loss.mask_where(jumped.clone(), third.saccade_loss);
        let third_factor = third.fixation.mask_where(jumped, third.saccade);
        let weighted = activity.clone() * (third_factor.clone() / streams as f64);
        let before = (!self.blocked).then(|| {
            let w_retro = self
                .w_retro
                .as_ref()
                .map_or_else(|| self.w_pred.weight().transpose(), Synapses::weight);
            context_modulation(weighted.clone(), w_retro)
        });
        let right = (y * score.clone()).sign().clamp_min(0.0).mean();
        let open = third_factor.clone().abs().sign().mean();
        Signals {
            now: trace.dendrite.clone() * (third_factor.clone() / streams as f64),
            before,
            w_pred: delta_w_pred(weighted.clone(), trace.activity.clone()),
            w_retro: self
                .w_retro
                .as_ref()
                .map(|_| delta_w_retro(weighted.clone(), trace.activity.clone())),
            metrics: Metrics::of_contrast(Tensor::cat(vec![loss.mean(), open, right], 0)),
            score,
            third_factor,
        }
    }

    /// Applies ΔW_pred and ΔW_retro.
    pub fn learn(&mut self, signals: &Signals, optimizer: &dyn Optimize) {
        self.w_pred.learn(signals.w_pred.clone(), optimizer);
        if let (Some(synapses), Some(delta)) = (&mut self.w_retro, &signals.w_retro) {
            synapses.learn(delta.clone(), optimizer);
        }
    }
}

/// ΔW and Δb of one online step.
#[derive(Clone, Debug)]
pub struct OnlineUpdate {
    /// ΔW, `[j, i]`.
    pub weight: Tensor<2>,
    /// Δb, `[j]`.
    pub bias: Tensor<1>,
    /// The lateral half: signals, ΔW_pred, ΔW_retro.
    pub signals: Signals,
}

/// Activity and update of one time step.
#[derive(Clone, Debug)]
pub struct OnlineStep {
    /// z, `[stream, j]`.
    pub activity: Tensor<2>,
    /// What there is to learn; nothing at the first step.
    pub update: Option<OnlineUpdate>,
}

/// A fully connected layer that learns online: one or many parallel streams, one time step
/// at a time.
///
/// ```text
/// a = W x + b        z = ρ(a) = max(0, a)
/// ΔW_ji = γ^t (W_pred c)_j ρ′(a_j^t) x_i^t + γ^t (W_retro z)_j ρ′(a_j^{t−δt}) x_i^{t−δt}
/// ```
///
/// All it keeps of the past are traces of one step: input, slope, activity, dendrite.
///
/// # Paper
/// Illing et al. 2021, Eqs. 8–10. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Feedback, Optimizer, Outcome, Purpose, stream, online::OnlineLayer};
///
/// let device = Device::flex();
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let mut layer = OnlineLayer::init(3, 4, Feedback::PredRetro, &device, &mut random);
/// let x = Tensor::<2>::from_floats([[1.0, 0.0, 0.5]], &device);
/// let rate = Optimizer::Plain { rate: 0.1 };
/// assert!(layer.step(x.clone(), &[Outcome::Fixation], &rate).update.is_none());
/// let update = layer.step(x, &[Outcome::Fixation], &rate).update.unwrap();
/// assert_eq!(update.weight.dims(), [4, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct OnlineLayer {
    /// W, `[j, i]`.
    pub weight: Synapses<2>,
    /// b, `[j]`.
    pub bias: Synapses<1>,
    /// The lateral half.
    pub rule: OnlineRule,
    /// x and ρ′(a) one step ago.
    trace: Option<[Tensor<2>; 2]>,
}

impl OnlineLayer {
    /// Draws weights and biases from U(±1/√inputs).
    #[must_use]
    pub fn init(
        inputs: usize,
        neurons: usize,
        feedback: Feedback,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let bound = 1.0 / (inputs as f64).sqrt();
        Self {
            weight: Synapses::uniform([neurons, inputs], bound, device, random),
            bias: Synapses::uniform([neurons], bound, device, random),
            rule: OnlineRule::init(neurons, feedback, device, random),
            trace: None,
        }
    }

    /// Forgets the previous time step.
    pub fn reset(&mut self) {
        self.trace = None;
        self.rule.reset();
    }

    /// One time step without learning: moves the traces and returns what there would be to learn.
    ///
    /// # Shapes
    /// - `input`: `[stream, i]`; `outcomes`: one per stream: did a saccade happen since the last step?
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn observe(&mut self, input: Tensor<2>, outcomes: &[Outcome]) -> OnlineStep {
        let ([_, inputs], [neurons, expected]) = (input.dims(), self.weight.weight().dims());
        assert_eq!(inputs, expected, "online layer: expected {expected} inputs, got {inputs}");
        let bias = self.bias.weight().reshape([1, neurons]);
        let activity = relu(input.clone().matmul(self.weight.weight().transpose()) + bias);
        let slope = activity.clone().sign(); // ρ′(a) of a rectified activity
        let signals = self.rule.observe(activity.clone(), outcomes);
        let before = self.trace.replace([input.clone(), slope.clone()]);
        let update = signals.map(|signals| {
            let mut total = linear_hebbian(input, signals.now.clone() * slope);
            if let (Some(modulation), Some([input, slope])) = (&signals.before, before) {
                let back = linear_hebbian(input, modulation.clone() * slope);
                total.weight = total.weight + back.weight;
                total.bias = total.bias + back.bias;
            }
            OnlineUpdate { weight: total.weight, bias: total.bias, signals }
        });
        OnlineStep { activity, update }
    }

    /// One time step with learning.
    ///
    /// # Panics
    ///
    /// As [`observe`](Self::observe).
    pub fn step(
        &mut self,
        input: Tensor<2>,
        outcomes: &[Outcome],
        optimizer: &dyn Optimize,
    ) -> OnlineStep {
        let step = self.observe(input, outcomes);
        if let Some(update) = &step.update {
            self.weight.learn(update.weight.clone(), optimizer);
            self.bias.learn(update.bias.clone(), optimizer);
            self.rule.learn(&update.signals, optimizer);
        }
        step
    }
}

/// One host number per row, in the kind and on the device of `like`.
pub(crate) fn host_column(values: Vec<f64>, like: &Tensor<2>) -> Tensor<2> {
    let rows = values.len();
    let dtype: DType = like.dtype();
    let data = TensorData::new(values, [rows, 1]).convert_dtype(dtype);
    Tensor::from_data(data, (&like.device(), dtype))
}
