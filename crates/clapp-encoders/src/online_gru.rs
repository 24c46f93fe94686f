//! A recurrent layer that learns one frame at a time, in memory that does not grow.

use burn::tensor::Tensor;

use crate::{
    GruUpdate, LocalGru, Recurrence,
    gru::{Step, halves},
};

/// A recurrent layer with an eligibility trace at every synapse, one step of time after the other.
///
/// ```text
/// e ← ζ_j e + δ_j x_i        for W_i• (x_i = 1 for b_i•); with h⁻_i in the place of x_i for W_h•
/// ΔW_ji = m_j e_ji           whenever a modulation m arrives
/// ```
///
/// Local in space and time: a trace fades with its own neuron's update gate ζ and grows with what the
/// synapse sees and how much the state would follow (δ, see [`LocalGru`]). Summed over a recording, the
/// changes are those of [`LocalGru::delta`]; but nothing of the past is kept but the traces, one number
/// per synapse and stream, however long the recording.
///
/// # Shapes
/// - input `[stream, input]`, state and modulation `[stream, unit]`
///
/// # Paper
/// Illing et al. 2021, Eqs. 20–23 (newer numbers); Bellec et al. 2020. Deviations: none.
///
/// # Example
///
/// A recurrent layer predicts what it will hear next, and learns while it listens.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_encoders::{LocalGru, OnlineGru, Recurrence};
/// use clapp_random::{Purpose, stream};
/// use clapp_rules::{Feedback, Optimizer, Outcome, online::OnlineRule};
///
/// let device = Device::flex();
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let mut gru = OnlineGru::new(LocalGru::init(8, 4, Recurrence::EProp, &device, &mut random));
/// // From 4 recurrent units to the 8 channels that they hear.
/// let mut rule = OnlineRule::between(8, 4, Feedback::PredRetro, &device, &mut random);
/// let rate = Optimizer::Plain { rate: 0.01 };
/// for _ in 0..3 {
///     let heard = Tensor::<2>::random([2, 8], Distribution::Default, &device);
///     if let Some(signals) = rule.compare(heard.clone(), &[Outcome::Fixation, Outcome::Saccade]) {
///         // The trace still stands where the prediction was made.
///         let told = signals.before.clone().expect("not blocked");
///         let update = gru.delta(told).expect("has heard something");
///         gru.cell.apply(update, &rate);
///         rule.learn(&signals, &rate);
///     }
///     let state = gru.step(heard);
///     rule.predict(state);
/// }
/// ```
///
/// # Cost
/// Per step and stream: one multiplication and addition per weight.
#[derive(Clone, Debug)]
pub struct OnlineGru {
    /// Weights.
    pub cell: LocalGru,
    traces: Option<Traces>,
}

/// State and traces of all streams.
#[derive(Clone, Debug)]
struct Traces {
    state: Tensor<2>,
    /// `[stream, 3 · unit, input]`.
    input: Tensor<3>,
    /// `[stream, 3 · unit, unit]`.
    recurrent: Tensor<3>,
    /// `[stream, 3 · unit, 1]`.
    input_bias: Tensor<3>,
    /// `[stream, 3 · unit, 1]`.
    recurrent_bias: Tensor<3>,
}

impl OnlineGru {
    /// A layer that has heard nothing yet.
    #[must_use]
    pub fn new(cell: LocalGru) -> Self {
        Self { cell, traces: None }
    }

    /// Forgets state and traces, as at the start of a recording.
    pub fn reset(&mut self) {
        self.traces = None;
    }

    /// One step of time: moves state and traces, returns the state.
    ///
    /// # Panics
    ///
    /// If the number of inputs does not fit, or the number of streams changes without a
    /// [`reset`](Self::reset).
    pub fn step(&mut self, input: Tensor<2>) -> Tensor<2> {
        let [streams, inputs] = input.dims();
        let before = match &self.traces {
            Some(traces) => traces.state.clone(),
            None => self.cell.silence(streams, input.dtype()),
        };
        let [known, units] = before.dims();
        assert_eq!(
            streams, known,
            "recurrent layer: expected {known} streams as before, got {streams}; reset it between recordings"
        );
        let step = self.cell.advance(self.cell.driven(input.clone()), before.clone());
        let [driven, recalled] = step.slopes(&before);
        let [driven, recalled] = [driven, recalled].map(|d| d.reshape([streams, 3 * units, 1]));
        let keep = self.fading(&step).reshape([streams, 3 * units, 1]);
        let moved = |trace: Option<&Tensor<3>>, now: Tensor<3>| match trace {
            Some(trace) => trace.clone() * keep.clone() + now,
            None => now,
        };
        let old = self.traces.as_ref();
        let traces = Traces {
            input: moved(
                old.map(|traces| &traces.input),
                driven.clone() * input.reshape([streams, 1, inputs]),
            ),
            recurrent: moved(
                old.map(|traces| &traces.recurrent),
                recalled.clone() * before.reshape([streams, 1, units]),
            ),
            input_bias: moved(old.map(|traces| &traces.input_bias), driven),
            recurrent_bias: moved(old.map(|traces| &traces.recurrent_bias), recalled),
            state: step.state.clone(),
        };
        self.traces = Some(traces);
        step.state
    }

    /// What a trace keeps of itself: ζ of its neuron, for each of the three gates.
    fn fading(&self, step: &Step) -> Tensor<2> {
        let [_, update] = halves(&step.gates);
        match self.cell.recurrence {
            Recurrence::EProp => update.repeat_dim(1, 3),
            Recurrence::OneStep => update.zeros_like().repeat_dim(1, 3),
        }
    }

    /// What a modulation `[stream, unit]` of the present state makes of the traces, summed over streams;
    /// nothing before the first step.
    ///
    /// # Panics
    ///
    /// If `modulation` has another shape.
    #[must_use]
    pub fn delta(&self, modulation: Tensor<2>) -> Option<GruUpdate> {
        let traces = self.traces.as_ref()?;
        let [streams, units] = traces.state.dims();
        assert_eq!(
            modulation.dims(),
            [streams, units],
            "recurrent layer: expected a modulation of {:?}, got {:?}",
            [streams, units],
            modulation.dims()
        );
        let told = modulation.repeat_dim(1, 3).reshape([streams, 3 * units, 1]);
        let sum = |trace: &Tensor<3>| {
            let [_, rows, columns] = trace.dims();
            (trace.clone() * told.clone()).sum_dim(0).reshape([rows, columns])
        };
        let bias = |trace: &Tensor<3>| sum(trace).reshape([3 * units]);
        Some(GruUpdate {
            input: sum(&traces.input),
            recurrent: sum(&traces.recurrent),
            input_bias: bias(&traces.input_bias),
            recurrent_bias: bias(&traces.recurrent_bias),
        })
    }

    /// Numbers that are kept between two steps.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_encoders::{LocalGru, OnlineGru, Recurrence};
    /// use clapp_random::{Purpose, stream};
    /// let (device, mut random) = (Device::flex(), stream(2, Purpose::Initialisation, [0; 4]));
    /// let mut gru = OnlineGru::new(LocalGru::init(3, 2, Recurrence::EProp, &device, &mut random));
    /// let mut kept = Vec::new();
    /// for _ in 0..50 {
    ///     gru.step(Tensor::ones([1, 3], &device));
    ///     kept.push(gru.remembered());
    /// }
    /// assert!(kept.iter().all(|&numbers| numbers == gru.cell.weights() + 2)); // traces and state
    /// ```
    #[must_use]
    pub fn remembered(&self) -> usize {
        let count = |shape: &[usize]| shape.iter().product::<usize>();
        self.traces.as_ref().map_or(0, |traces| {
            let kept =
                [&traces.input, &traces.recurrent, &traces.input_bias, &traces.recurrent_bias];
            let kept: usize = kept.iter().map(|trace| count(&trace.dims())).sum();
            kept + count(&traces.state.dims())
        })
    }
}
