//! Between a network's state and the tensors of a checkpoint.

use std::collections::BTreeMap;

use burn::tensor::{Bytes, DType, Shape, TensorData};
use clapp_rules::State;
use clapp_store::{Dtype, TensorFile};

use crate::Error;

/// The last change of a step can spoil weights after a loss that was still finite: such a state is no
/// good checkpoint.
pub(crate) fn check_finite(state: &State, step: u64) -> Result<(), Error> {
    for (name, data) in &state.tensors {
        if let Some(value) = data.iter::<f64>().find(|value| !value.is_finite()) {
            return Err(Error::NotFiniteState { name: name.clone(), step, value });
        }
    }
    Ok(())
}

pub(crate) fn from_state(state: State) -> BTreeMap<String, TensorFile> {
    let convert = |data: TensorData| {
        let shape = data.shape().as_slice().to_vec();
        let dtype = match data.dtype() {
            DType::F64 => Dtype::F64,
            DType::I64 => Dtype::I64,
            DType::F32 => Dtype::F32,
            other => panic!("checkpoint: expected f32, f64 or i64 weights, got {other:?}"),
        };
        TensorFile::new(dtype, shape, data.as_bytes().to_vec())
    };
    state.tensors.into_iter().map(|(name, data)| (name, convert(data))).collect()
}

pub(crate) fn to_state(tensors: BTreeMap<String, TensorFile>) -> State {
    let convert = |tensor: TensorFile| {
        let dtype = match tensor.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::I64 => DType::I64,
            Dtype::U8 => DType::U8,
            _ => DType::F32,
        };
        let shape = Shape::from(tensor.shape().to_vec());
        TensorData::from_bytes(Bytes::from_bytes_vec(tensor.into_bytes()), shape, dtype)
    };
    State { tensors: tensors.into_iter().map(|(name, tensor)| (name, convert(tensor))).collect() }
}
