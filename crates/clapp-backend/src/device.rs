//! Names of devices, as a user types them.

use burn::tensor::Device;

/// What can go wrong when a device is asked for by name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The name is none of the known backends.
    #[error(
        "device: expected flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], got {name:?}; flex is the CPU"
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The backend is known but not part of this build.
    #[error(
        "device: expected one of the backends of this build, got {name:?}, which needs {backend}; build again with --features {backend}"
    )]
    NotBuilt {
        /// What was asked for.
        name: String,
        /// The cargo feature that brings it.
        backend: &'static str,
    },
    /// The index after the colon is no number.
    #[error(
        "device: expected a number after the colon, got {index:?} in {name:?}; 0 is the first one"
    )]
    Index {
        /// What was asked for.
        name: String,
        /// The part after the colon.
        index: String,
    },
    /// `CLAPP_ISA` names no instruction set, or one that the processor lacks.
    #[cfg(feature = "flex")]
    #[error(transparent)]
    Instructions(#[from] crate::kernels::InstructionSetError),
}

/// Opens the device with this name: `flex`, `ndarray`, `wgpu`, `wgpu:1`, `cuda`, `cuda:0`.
///
/// # Errors
///
/// If the name is unknown, its backend is not part of this build, or the index is no number; on flex, if the environment
/// variable `CLAPP_ISA` names no instruction set of this processor.
///
/// # Example
///
/// ```
/// let device = clapp_backend::device("flex").unwrap();
/// assert_eq!(device, burn::tensor::Device::flex());
/// let error = clapp_backend::device("abacus").unwrap_err();
/// assert!(error.to_string().contains("abacus"));
/// ```
pub fn device(name: &str) -> Result<Device, DeviceError> {
    let (backend, index) = match name.split_once(':') {
        Some((backend, index)) => (backend, Some(index)),
        None => (name, None),
    };
    let index = index
        .map(|index| {
            index
                .parse::<usize>()
                .map_err(|_| DeviceError::Index { name: name.to_owned(), index: index.to_owned() })
        })
        .transpose()?;
    match (backend, index) {
        #[cfg(feature = "flex")]
        ("flex", None) => {
            crate::kernels::check_instruction_set()?;
            Ok(Device::flex())
        }
        #[cfg(feature = "ndarray")]
        ("ndarray", None) => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        ("wgpu", index) => {
            use burn::tensor::DeviceKind::{DefaultDevice, DiscreteGpu};
            Ok(Device::wgpu(index.map_or(DefaultDevice, DiscreteGpu)))
        }
        #[cfg(feature = "cuda")]
        ("cuda", index) => Ok(Device::cuda(index.unwrap_or(0))),
        _ => Err(missing(name, backend, index)),
    }
}

/// Why there is no such device.
fn missing(name: &str, backend: &str, index: Option<usize>) -> DeviceError {
    let name = name.to_owned();
    match ["flex", "ndarray", "wgpu", "cuda"].into_iter().find(|&known| known == backend) {
        // A processor has no index.
        Some("flex" | "ndarray") if index.is_some() => DeviceError::Unknown { name },
        Some(backend) => DeviceError::NotBuilt { name, backend },
        None => DeviceError::Unknown { name },
    }
}
