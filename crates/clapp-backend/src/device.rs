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
    /// The index behind the colon is no number.
    #[error(
        "device: expected a number after the colon, got {index:?} in {name:?}; 0 is the first one"
    )]
    Index {
        /// What was asked for.
        name: String,
        /// The part after the colon.
        index: String,
    },
}

/// Opens the device with this name: `flex`, `ndarray`, `wgpu`, `wgpu:1`, `cuda`, `cuda:0`.
///
/// # Errors
///
/// If the name is unknown, its backend is not part of this build, or the index is no number.
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
    match backend {
        "flex" if index.is_none() => flex(name),
        "ndarray" if index.is_none() => ndarray(name),
        "wgpu" => wgpu(name, index),
        "cuda" => cuda(name, index),
        _ => Err(DeviceError::Unknown { name: name.to_owned() }),
    }
}

#[allow(dead_code)] // used by whichever backends a build leaves out
fn not_built(name: &str, backend: &'static str) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt { name: name.to_owned(), backend })
}

#[cfg(feature = "flex")]
fn flex(_: &str) -> Result<Device, DeviceError> {
    Ok(Device::flex())
}
#[cfg(not(feature = "flex"))]
fn flex(name: &str) -> Result<Device, DeviceError> {
    not_built(name, "flex")
}

#[cfg(feature = "ndarray")]
fn ndarray(_: &str) -> Result<Device, DeviceError> {
    Ok(Device::ndarray())
}
#[cfg(not(feature = "ndarray"))]
fn ndarray(name: &str) -> Result<Device, DeviceError> {
    not_built(name, "ndarray")
}

#[cfg(feature = "wgpu")]
fn wgpu(_: &str, index: Option<usize>) -> Result<Device, DeviceError> {
    use burn::tensor::DeviceKind;
    Ok(Device::wgpu(index.map_or(DeviceKind::DefaultDevice, DeviceKind::DiscreteGpu)))
}
#[cfg(not(feature = "wgpu"))]
fn wgpu(name: &str, _: Option<usize>) -> Result<Device, DeviceError> {
    not_built(name, "wgpu")
}

#[cfg(feature = "cuda")]
fn cuda(_: &str, index: Option<usize>) -> Result<Device, DeviceError> {
    Ok(Device::cuda(index.unwrap_or(0)))
}
#[cfg(not(feature = "cuda"))]
fn cuda(name: &str, _: Option<usize>) -> Result<Device, DeviceError> {
    not_built(name, "cuda")
}
