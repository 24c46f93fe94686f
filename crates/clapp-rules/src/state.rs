//! Names and values of everything that learns: what a checkpoint holds.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Tensor, TensorData};

use crate::{Memory, Synapses, synapses::rows};

/// Tensors by name, on the host.
///
/// `NAME` holds weights, `NAME.steps` the number of optimizer steps, `NAME.first` and `NAME.second`
/// Adam's moments once there are any (`NAME.velocity` for momentum): all that the next step depends on.
///
/// # Example
///
/// ```
/// use burn::tensor::Device;
/// use clapp_rules::{Lateral, Purpose, State, WayBack, stream};
/// let init = |seed| {
///     let mut random = stream(seed, Purpose::Initialisation, [0; 4]);
///     Lateral::uniform(5, 8, 8, WayBack::OwnWeights, &Device::flex(), &mut random)
/// };
/// let (trained, mut other) = (init(1), init(2));
/// let mut state = State::default();
/// trained.save("layer1", &mut state);
/// assert!(state.tensors.contains_key("layer1.w_pred"));
/// other.load("layer1", &state)?;
/// assert_eq!(other.weight("w_pred").into_data(), trained.weight("w_pred").into_data());
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
    /// Adds weights, the optimizer's memory and the number of steps under `name`.
    pub fn save(&self, name: &str, state: &mut State) {
        let shape = self.weight().dims();
        let mut put = |suffix: &str, data| state.tensors.insert(format!("{name}{suffix}"), data);
        put("", self.weight().to_data());
        put(".steps", TensorData::new(vec![self.steps() as i64], [1]));
        for (part, tensor) in &self.memory().tensors {
            put(&format!(".{part}"), tensor.clone().reshape(shape).to_data());
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
        let read = |name: &str| {
            let data = state.get(name, shape)?;
            Ok(Tensor::<D>::from_data(data.clone(), options))
        };
        let weight = read(name)?;
        let steps = state.get(&format!("{name}.steps"), [1])?;
        let steps = steps.iter::<i64>().next().unwrap_or_default() as u64;
        let mut memory = Memory { steps, ..Memory::default() };
        for part in parts(name, state) {
            let tensor = read(&format!("{name}.{part}"))?;
            memory.put(&part, tensor.reshape(rows(shape)));
        }
        self.restore(weight, memory);
        Ok(())
    }
}

/// What an optimizer remembered of the weights `name`. Moments come in pairs.
fn parts(name: &str, state: &State) -> BTreeSet<String> {
    let of_name = |key: &String| key.strip_prefix(name)?.strip_prefix('.').map(str::to_owned);
    let own = |part: &String| part != "steps" && !part.contains('.');
    let mut parts: BTreeSet<String> =
        state.tensors.keys().filter_map(of_name).filter(own).collect();
    if parts.contains("first") {
        parts.insert("second".to_owned());
    }
    parts
}
