//! Features of sound without learning: log-mel spectra and MFCC, the controls of learned features.
//!
//! ```text
//! samples → frames of 25 ms every 10 ms → power spectrum → mel filters → ln → (DCT → MFCC → Δ, ΔΔ)
//! ```
//! One row per label: 16 kHz, no padding by default, so that rows and the published phone labels are as
//! many.

mod deltas;
mod frames;
mod mel;
mod mfcc;

pub use deltas::with_deltas;
pub(crate) use frames::RATE;
pub use frames::{Edges, HOP, WINDOW};
pub use mel::LogMel;
pub use mfcc::Mfcc;
