//! Which instructions the kernels use: chosen at run time, never by a build flag alone.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use super::simd::{Kernel, Portable};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};

/// The environment variable that names the instruction set: `avx512`, `avx2` or `portable`.
pub const INSTRUCTION_SET_VARIABLE: &str = "CLAPP_ISA";

/// A family of processor instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// Whatever the compiler's target has.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512F.
    Avx512,
}

/// Why an instruction set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstructionSetError {
    /// The name is none of `avx512`, `avx2`, `portable`.
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// This processor does not have it.
    Unavailable {
        /// The set that was asked for.
        set: InstructionSet,
    },
}

impl fmt::Display for InstructionSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(f, "instruction set: expected avx512, avx2 or portable, got {name:?}")
            }
            Self::Unavailable { set } => {
                write!(f, "instruction set: {set} is not available on this processor")
            }
        }
    }
}

impl std::error::Error for InstructionSetError {}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

impl FromStr for InstructionSet {
    type Err = InstructionSetError;

    /// # Errors
    /// If the name is unknown or this processor does not have the set.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let set = Self::ALL.into_iter().find(|set| set.to_string() == name.trim().to_lowercase());
        let set = set.ok_or_else(|| InstructionSetError::Unknown { name: name.to_owned() })?;
        if set.is_available() { Ok(set) } else { Err(InstructionSetError::Unavailable { set }) }
    }
}

impl InstructionSet {
    /// Every set, slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Whether this processor has the set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The fastest set this processor has.
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|set| set.is_available()).unwrap_or(Self::Portable)
    }

    /// Runs `kernel` with this set; with the portable one if the processor does not have it.
    pub(super) fn visit<K: Kernel>(self, kernel: K) -> K::Output {
        #[cfg(target_arch = "x86_64")]
        {
            let wide = if self == Self::Avx512 { Avx512::detect() } else { None };
            if let Some(simd) = wide {
                return kernel.run(simd);
            }
            let middle = if self == Self::Avx2 { Avx2::detect() } else { None };
            if let Some(simd) = middle {
                return kernel.run(simd);
            }
        }
        kernel.run(Portable)
    }
}

/// 0: none chosen by the program, else 1 + position in [`InstructionSet::ALL`].
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The set asked for in `CLAPP_ISA`, or `None` if the variable is not set.
///
/// # Errors
/// If its value is unknown or this processor does not have the set; [`instruction_set`] then
/// ignores it.
pub fn environment_instruction_set() -> Result<Option<InstructionSet>, InstructionSetError> {
    std::env::var(INSTRUCTION_SET_VARIABLE).ok().map(|name| name.parse()).transpose()
}

/// The set new plans use: the program's choice, else that of `CLAPP_ISA`, else the best available.
///
/// A value of `CLAPP_ISA` that is unknown or not available counts as none; the variable is read
/// once.
pub fn instruction_set() -> InstructionSet {
    static DEFAULT: OnceLock<InstructionSet> = OnceLock::new();
    match CHOSEN.load(Ordering::Relaxed) {
        0 => *DEFAULT.get_or_init(|| {
            environment_instruction_set().ok().flatten().unwrap_or_else(InstructionSet::best)
        }),
        position => InstructionSet::ALL[usize::from(position) - 1],
    }
}

/// Chooses the set for the whole program, or returns to the default with `None`.
///
/// # Errors
/// If this processor does not have the set; the choice is then unchanged.
pub fn set_instruction_set(set: Option<InstructionSet>) -> Result<(), InstructionSetError> {
    let position = match set {
        None => 0,
        Some(set) if !set.is_available() => return Err(InstructionSetError::Unavailable { set }),
        Some(InstructionSet::Portable) => 1,
        Some(InstructionSet::Avx2) => 2,
        Some(InstructionSet::Avx512) => 3,
    };
    CHOSEN.store(position, Ordering::Relaxed);
    Ok(())
}
