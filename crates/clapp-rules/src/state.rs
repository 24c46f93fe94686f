//! Names and values of everything that learns: what a checkpoint holds.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};

use crate::{Predictors, Synapses};

/// Tensors by name, on the host.
///
/// `NAME` holds weights, `NAME.steps` the number of optimizer steps, `NAME.first` and `NAME.second`
/// Adam's moments once there are any: all that the next step depends on.
///
/// # Example
///
/// ```
/// use burn::tensor::Device;
/// use clapp_rules::{Predictors, Purpose, State, WayBack, stream};
/// let init = |seed| {
///     let mut random = stream(seed, Purpose::Initialisation, [0; 4]);
///     Predictors::init(5, 8, 8, WayBack::OwnWeights, &Device::flex(), &mut random)
/// };
/// let (trained, mut other) = (init(1), init(2));
/// let mut state = State::default();
/// trained.save("layer1", &mut state);
/// assert!(state.tensors.contains_key("layer1.w_pred"));
/// other.load("layer1", &state)?;
/// assert_eq!(other.w_pred.weight().into_data(), trained.w_pred.weight().into_data());
/// assert!(other.load("layer2", &state).unwrap_err().to_string().contains("layer2.w_pred"));
/// # Ok::<(), clapp_rules::StateError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Values by name.
    pub tensors: BTreeMap<String, TensorData>,
}

/// A saved state that does not belong to the network it is loaded into.
///
/// It names the first tensor that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A tensor is not there.
    #[error(
        "state: expected a tensor named {name}, got none among {count}; was it saved with another configuration?"
    )]
    Missing {
        /// Name of the tensor.
        name: String,
        /// Tensors that are there.
        count: usize,
    },
    /// A tensor has another shape.
    #[error(
        "state: expected {name} of shape {expected:?}, got {found:?}; was it saved with another configuration?"
    )]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape in the network.
        expected: Vec<usize>,
        /// Shape in the state.
        found: Vec<usize>,
    },
}

impl State {
    /// Values of a tensor of an expected shape.
    ///
    /// # Errors
    ///
    /// If it is missing or has another shape.
    pub fn get<const D: usize>(
        &self,
        name: &str,
        expected: [usize; D],
    ) -> Result<&TensorData, StateError> {
        let data = self.tensors.get(name).ok_or_else(|| StateError::Missing {
            name: name.to_owned(),
            count: self.tensors.len(),
        })?;
        let found = data.shape().as_slice().to_vec();
        if found != expected {
            let (name, expected) = (name.to_owned(), expected.to_vec());
            return Err(StateError::Shape { name, expected, found });
        }
        Ok(data)
    }
}

impl<const D: usize> Synapses<D> {
    /// Adds weights, moments and the number of steps under `name`.
    pub fn save(&self, name: &str, state: &mut State) {
        let mut put = |suffix: &str, data| state.tensors.insert(format!("{name}{suffix}"), data);
        put("", self.weight().to_data());
        put(".steps", TensorData::new(vec![self.steps() as i64], [1]));
        if let Some([first, second]) = self.moments() {
            put(".first", first.to_data());
            put(".second", second.to_data());
        }
    }

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape. The synapses are then unchanged.
    pub fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        let shape = self.weight().dims();
        let options = (&self.weight().device(), self.weight().dtype());
        let read = |suffix: &str| {
            let data = state.get(&format!("{name}{suffix}"), shape)?;
            Ok(Tensor::from_data(data.clone(), options))
        };
        let weight = read("")?;
        let steps = state.get(&format!("{name}.steps"), [1])?;
        let steps = steps.iter::<i64>().next().unwrap_or_default() as u64;
        let moments = if state.tensors.contains_key(&format!("{name}.first")) {
            Some([read(".first")?, read(".second")?])
        } else {
            None
        };
        self.restore(weight, moments, steps);
        Ok(())
    }
}

impl Predictors {
    /// Adds both matrices under `{name}.w_pred` and `{name}.w_retro`.
    pub fn save(&self, name: &str, state: &mut State) {
        self.w_pred.save(&format!("{name}.w_pred"), state);
        if let Some(w_retro) = &self.w_retro {
            w_retro.save(&format!("{name}.w_retro"), state);
        }
    }

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape. W_pred may have been restored by then.
    pub fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.w_pred.load(&format!("{name}.w_pred"), state)?;
        match &mut self.w_retro {
            Some(w_retro) => w_retro.load(&format!("{name}.w_retro"), state),
            None => Ok(()),
        }
    }
}
