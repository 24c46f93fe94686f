//! Names of devices, as a user types them.

use burn::tensor::Device;

/// What can go wrong when a device is asked for by name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The name is none of the known backends.
    #[error(
        "device: expected auto, flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], got {name:?}; flex is the CPU"
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
    /// The backend is part of this build, but there is no such device, or none that its driver shows.
    #[error(
        "device: expected a device that is there, got {name:?} where {backend} sees {found}; {advice}"
    )]
    Absent {
        /// What was asked for.
        name: String,
        /// The backend.
        backend: &'static str,
        /// How many devices of that kind there are.
        found: usize,
        /// What may help.
        advice: &'static str,
    },
    /// `CLAPP_ISA` names no instruction set, or one that the processor lacks.
    #[cfg(feature = "flex")]
    #[error(transparent)]
    Instructions(#[from] crate::kernels::InstructionSetError),
}

/// Opens the device with this name: `auto`, `flex`, `ndarray`, `wgpu`, `wgpu:1`, `cuda`, `cuda:0`.
///
/// `auto` is the best of what this build has and the machine shows: the first CUDA device, else a graphics card by `wgpu`,
/// else the CPU. A graphics driver in software is no card; `wgpu` by name takes it.
///
/// # Errors
///
/// If the name is unknown, its backend is not part of this build, the machine has no such device or no driver for it, or
/// the index is no number; on flex, if the environment variable `CLAPP_ISA` names no instruction set of this processor.
///
/// # Example
///
/// ```
/// let device = clapp_backend::device("flex").unwrap();
/// assert_eq!(device, burn::tensor::Device::flex());
/// assert!(clapp_backend::device("auto").is_ok());
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
        ("wgpu", index) => wgpu(name, index),
        #[cfg(feature = "cuda")]
        ("cuda", index) => cuda(name, index.unwrap_or(0)),
        ("auto", None) => device(best()),
        _ => Err(missing(name, backend, index)),
    }
}

/// The name of what `auto` stands for.
fn best() -> &'static str {
    #[cfg(feature = "cuda")]
    if !Device::enumerate(burn::tensor::DeviceType::Cuda).is_empty() {
        return "cuda";
    }
    #[cfg(feature = "wgpu")]
    {
        let software = Device::wgpu(burn::tensor::DeviceKind::Cpu);
        if Device::enumerate(burn::tensor::DeviceType::Wgpu).iter().any(|found| *found != software)
        {
            return "wgpu";
        }
    }
    if cfg!(feature = "flex") { "flex" } else { "ndarray" }
}

#[cfg(feature = "wgpu")]
fn wgpu(name: &str, index: Option<usize>) -> Result<Device, DeviceError> {
    use burn::tensor::DeviceKind::{DefaultDevice, DiscreteGpu};
    let found = Device::enumerate(burn::tensor::DeviceType::Wgpu);
    let device = Device::wgpu(index.map_or(DefaultDevice, DiscreteGpu));
    let there = index.map_or(!found.is_empty(), |_| found.iter().any(|found| *found == device));
    there.then_some(device).ok_or_else(|| DeviceError::Absent {
        name: name.to_owned(),
        backend: "wgpu",
        found: found.len(),
        advice: "an index counts graphics cards from 0; a driver of Vulkan, Metal or DirectX 12 is needed (Debian: libvulkan1 and the card's driver, or mesa-vulkan-drivers)",
    })
}

#[cfg(feature = "cuda")]
fn cuda(name: &str, index: usize) -> Result<Device, DeviceError> {
    let found = Device::enumerate(burn::tensor::DeviceType::Cuda).len();
    (index < found).then(|| Device::cuda(index)).ok_or_else(|| DeviceError::Absent {
        name: name.to_owned(),
        backend: "cuda",
        found,
        advice: "an index counts cards from 0; NVIDIA's driver with libcuda is needed, and nvidia-smi shows what it sees",
    })
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
