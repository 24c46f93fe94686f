//! A gated recurrent layer over whole recordings: forward in time, and the factored form of its update.

use burn::tensor::Tensor;
use clapp_backend::linear_hebbian;
use clapp_rules::Optimizer;

use crate::{GruUpdate, LocalActivity, LocalGru, LocalLayer, Recurrence, gru::Step};

impl LocalGru {
    /// All changes for a modulation `[batch, time, 1, unit]` of the states.
    ///
    /// # Panics
    ///
    /// If `modulation` has another shape.
    #[must_use]
    pub fn delta(&self, activity: &GruActivity, modulation: Tensor<4>) -> GruUpdate {
        let [time, batch, units] = activity.states.dims();
        assert_eq!(
            modulation.dims(),
            [batch, time, 1, units],
            "recurrent layer: expected a modulation of every state {:?}, got {:?}",
            [batch, time, 1, units],
            modulation.dims()
        );
        let modulation = modulation.reshape([batch, time, units]).swap_dims(0, 1);
        let rows = time * batch;
        let flat = |tensor: &Tensor<3>| {
            let [_, _, channels] = tensor.dims();
            tensor.clone().reshape([rows, channels])
        };
        let credit = match self.recurrence {
            Recurrence::EProp => filtered(modulation, &activity.gates),
            Recurrence::OneStep => modulation,
        };
        let before = flat(&activity.before());
        let step = Step {
            gates: flat(&activity.gates),
            candidate: flat(&activity.candidates),
            recalled: flat(&activity.recalled),
            state: flat(&activity.states),
        };
        let [driven, recalled] = step.slopes(&before);
        let credit = flat(&credit).repeat_dim(1, 3);
        let input = linear_hebbian(flat(&activity.input), driven * credit.clone());
        let recurrent = linear_hebbian(before, recalled * credit);
        GruUpdate {
            input: input.weight,
            recurrent: recurrent.weight,
            input_bias: input.bias,
            recurrent_bias: recurrent.bias,
        }
    }
}

/// λ_t = m_t + ζ_{t+1} ⊙ λ_{t+1}: what all later modulations owe to a state through its own memory.
fn filtered(modulation: Tensor<3>, gates: &Tensor<3>) -> Tensor<3> {
    let [time, _, units] = modulation.dims();
    let mut credit: Vec<Tensor<3>> = Vec::with_capacity(time);
    for t in (0..time).rev() {
        let told = modulation.clone().narrow(0, t, 1);
        let remembered = credit
            .last()
            .map(|later| gates.clone().narrow(0, t + 1, 1).narrow(2, units, units) * later.clone());
        credit.push(match remembered {
            Some(remembered) => told + remembered,
            None => told,
        });
    }
    credit.reverse();
    Tensor::cat(credit, 0)
}

impl LocalLayer for LocalGru {
    type Input = Tensor<3>;
    type Activity = GruActivity;

    /// # Panics
    ///
    /// If the inputs differ in number.
    fn forward(&self, input: &Tensor<3>) -> GruActivity {
        let [batch, time, inputs] = input.dims();
        let input = input.clone().swap_dims(0, 1).reshape([time * batch, inputs]);
        let driven = self.driven(input.clone()).reshape([time, batch, 3 * self.units()]);
        let mut state = self.silence(batch, input.dtype());
        let mut steps = Vec::with_capacity(time);
        for t in 0..time {
            let driven = driven.clone().narrow(0, t, 1).reshape([batch, 3 * self.units()]);
            let step = self.advance(driven, state);
            state = step.state.clone();
            steps.push(step);
        }
        let stack = |of: fn(&Step) -> Tensor<2>| Tensor::stack(steps.iter().map(of).collect(), 0);
        GruActivity {
            input: input.reshape([time, batch, inputs]),
            gates: stack(|step| step.gates.clone()),
            candidates: stack(|step| step.candidate.clone()),
            recalled: stack(|step| step.recalled.clone()),
            states: stack(|step| step.state.clone()),
        }
    }

    fn learn(&mut self, activity: GruActivity, modulation: Tensor<4>, optimizer: &Optimizer) {
        let update = self.delta(&activity, modulation);
        self.apply(update, optimizer);
    }
}

/// What a recurrent layer leaves behind, every tensor `[time, batch, ·]`.
#[derive(Clone, Debug)]
pub struct GruActivity {
    input: Tensor<3>,
    gates: Tensor<3>,
    candidates: Tensor<3>,
    recalled: Tensor<3>,
    states: Tensor<3>,
}

impl GruActivity {
    /// What the layer heard, `[batch, time, input]`.
    #[must_use]
    pub fn input(&self) -> Tensor<3> {
        self.input.clone().swap_dims(0, 1)
    }

    /// h⁻ of every step.
    fn before(&self) -> Tensor<3> {
        let [time, batch, units] = self.states.dims();
        let options = (&self.states.device(), self.states.dtype());
        let silence = Tensor::zeros([1, batch, units], options);
        Tensor::cat(vec![silence, self.states.clone()], 0).narrow(0, 0, time)
    }
}

impl LocalActivity for GruActivity {
    type Output = Tensor<3>;

    fn output(&self) -> Tensor<3> {
        self.states.clone().swap_dims(0, 1)
    }

    fn representation(&self) -> Tensor<4> {
        let [time, batch, units] = self.states.dims();
        self.output().reshape([batch, time, 1, units])
    }
}
