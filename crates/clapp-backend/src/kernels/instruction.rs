//! Which instructions the kernels use: chosen at run time, never by a build flag alone.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use super::simd::{Kernel, Portable};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};

/// The environment variable that names the instruction set.
const VARIABLE: &str = "CLAPP_ISA";

/// Makes the enum and all that asks for every set of it. A set has a type of its name that implements
/// [`Simd`](super::simd::Simd) and is made by `detect` alone.
macro_rules! instruction_sets {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $set:ident = $name:literal,)*) => {
        /// A family of processor instructions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum InstructionSet {
            $($(#[doc = $doc])* $set,)*
        }

        impl InstructionSet {
            /// Every set, slowest first.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$set),*];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$set => $name,)*
                }
            }

            /// Whether this processor has the set.
            pub fn is_available(self) -> bool {
                match self {
                    $($(#[cfg($cfg)])? Self::$set => $set::detect().is_some(),)*
                    #[allow(unreachable_patterns)] // those of other processors
                    _ => false,
                }
            }

            /// Runs `kernel` with this set; with the portable one if the processor does not have it.
            pub(super) fn visit<K: Kernel>(self, kernel: K) -> K::Output {
                $(
                    $(#[cfg($cfg)])?
                    if let (Self::$set, Some(simd)) = (self, $set::detect()) {
                        return kernel.run(simd);
                    }
                )*
                kernel.run(Portable)
            }
        }
    };
}

instruction_sets! {
    /// Whatever the compiler's target has.
    Portable = "portable",
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2 = "avx2",
    /// x86-64 with AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512 = "avx512",
}

/// Why an instruction set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstructionSetError {
    /// No set has this name.
    #[error(
        "instruction set: expected {}, got {name:?} in {VARIABLE}; choose one of these, or unset it",
        names()
    )]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// This processor does not have it.
    #[error(
        "instruction set: expected one that this processor has, got {set} in {VARIABLE}; unset it"
    )]
    Unavailable {
        /// The set that was asked for.
        set: InstructionSet,
    },
}

/// The names of all sets, as a sentence lists them.
fn names() -> String {
    let [last, others @ ..] = InstructionSet::ALL.map(InstructionSet::name);
    let others: Vec<_> = others.into_iter().rev().collect();
    format!("{} or {last}", others.join(", "))
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for InstructionSet {
    type Err = InstructionSetError;

    /// # Errors
    /// If the name is unknown or this processor does not have the set.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let set = Self::ALL.into_iter().find(|set| set.name() == name.trim().to_lowercase());
        let set = set.ok_or_else(|| InstructionSetError::Unknown { name: name.to_owned() })?;
        if set.is_available() { Ok(set) } else { Err(InstructionSetError::Unavailable { set }) }
    }
}

impl InstructionSet {
    /// The fastest set this processor has.
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|set| set.is_available()).unwrap_or(Self::Portable)
    }

    /// The set of this name; the best one without a name, or with one that is unknown or not available.
    pub(super) fn named(name: Option<&str>) -> Self {
        name.and_then(|name| name.parse().ok()).unwrap_or_else(Self::best)
    }
}

/// Checks that `CLAPP_ISA`, where it is set, names a set that this processor has.
///
/// # Errors
/// If it does not.
pub(crate) fn check_instruction_set() -> Result<(), InstructionSetError> {
    std::env::var(VARIABLE).map_or(Ok(()), |name| name.parse::<InstructionSet>().map(|_| ()))
}

/// The set that new plans use: that of `CLAPP_ISA`, which is read once, else the best available.
pub fn instruction_set() -> InstructionSet {
    static SET: OnceLock<InstructionSet> = OnceLock::new();
    *SET.get_or_init(|| InstructionSet::named(std::env::var(VARIABLE).ok().as_deref()))
}
