//! A gated recurrent layer over whole recordings: forward in time, and the factored form of its update.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use clapp_backend::{GruStates, Reach, block_outer, gru_credit, gru_states};
use clapp_rules::{Modulation, Optimize, Post};

use crate::{GruUpdate, LocalActivity, LocalGru, LocalLayer, Recurrence};

impl LocalGru {
    /// All changes for a modulation `[batch, time, 1, unit]` of the states.
    ///
    /// # Panics
    ///
    /// If `modulation` has another shape.
    #[must_use]
    pub fn delta(&self, activity: &GruActivity, modulation: Tensor<4>) -> GruUpdate {
        let [batch, time, units] = activity.run.states.dims();
        assert_eq!(
            modulation.dims(),
            [batch, time, 1, units],
            "recurrent layer: expected a modulation of every state {:?}, got {:?}",
            [batch, time, 1, units],
            modulation.dims()
        );
        let reach = match self.recurrence {
            Recurrence::EProp => Reach::Memory,
            Recurrence::OneStep => Reach::Present,
        };
        let credit = gru_credit(&activity.run, modulation.reshape([batch, time, units]), reach);
        let device = activity.input.device();
        let all = named(0..batch * time, &device);
        // The first state of a recording has no past to learn from.
        let later = || (0..batch * time).filter(|row| row % time > 0);
        let (later_rows, before) =
            (named(later(), &device), named(later().map(|row| row - 1), &device));
        let (driven, recalled) = (flat(&credit.driven), flat(&credit.recalled));
        let sum = |post: &Tensor<2>| post.clone().sum_dim(0).reshape([3 * units]);
        GruUpdate {
            input_bias: sum(&driven),
            recurrent_bias: sum(&recalled),
            input: outer((driven, all.clone()), (flat(&activity.input), all)),
            recurrent: outer((recalled, later_rows), (flat(&activity.run.states), before)),
        }
    }
}

/// Row numbers on a device.
fn named(rows: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = rows.map(|row| row as i32).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), (device, DType::I32))
}

/// Σ post × pre over rows that are named.
fn outer(post: (Tensor<2>, Tensor<1, Int>), pre: (Tensor<2>, Tensor<1, Int>)) -> Tensor<2> {
    let ([_, outer], [_, inner], [rows]) = (post.0.dims(), pre.0.dims(), post.1.dims());
    if rows == 0 {
        // Not every backend names no row.
        return Tensor::zeros([outer, inner], (&post.0.device(), post.0.dtype()));
    }
    block_outer(post, pre, &[rows]).reshape([outer, inner])
}

/// `[stream, time, channel]` as rows.
fn flat(tensor: &Tensor<3>) -> Tensor<2> {
    let [streams, time, channels] = tensor.dims();
    tensor.clone().reshape([streams * time, channels])
}

impl LocalLayer for LocalGru {
    type Input = Tensor<3>;
    type Activity = GruActivity;

    /// # Panics
    ///
    /// If the inputs differ in number.
    fn forward(&self, input: &Tensor<3>) -> GruActivity {
        let [batch, time, _] = input.dims();
        let rows = 3 * self.units();
        let driven = self.driven(flat(input)).reshape([batch, time, rows]);
        let run = gru_states(driven, self.recurrent.weight(), self.recurrent_bias.weight());
        GruActivity { input: input.clone(), run }
    }

    fn learn(&mut self, activity: GruActivity, told: Modulation, optimizer: &dyn Optimize) {
        let Modulation { m, post, decay, .. } = told;
        assert!(
            post == Post::Slope && decay.is_none(),
            "recurrent layer: expected its own postsynaptic factors and no decay, got {post:?} and {decay:?}"
        );
        let update = self.delta(&activity, m);
        self.apply(update, optimizer);
    }
}

/// What a recurrent layer keeps of a forward pass.
#[derive(Clone, Debug)]
pub struct GruActivity {
    /// `[batch, time, input]`.
    input: Tensor<3>,
    run: GruStates,
}

impl GruActivity {
    /// What the layer heard, `[batch, time, input]`.
    #[must_use]
    pub fn input(&self) -> Tensor<3> {
        self.input.clone()
    }
}

impl LocalActivity for GruActivity {
    type Output = Tensor<3>;

    fn output(&self) -> Tensor<3> {
        self.run.states.clone()
    }

    fn representation(&self) -> Tensor<4> {
        let [batch, time, units] = self.run.states.dims();
        self.output().reshape([batch, time, 1, units])
    }
}
