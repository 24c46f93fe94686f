//! What tells data from others of the same size.

use sha2::{Digest, Sha256};

use crate::{Error, Item, Source};

/// Items that are looked at.
const LOOKED_AT: usize = 64;

/// A digest of a source: the number of its items, and label and content of up to 64 of them, spread evenly.
///
/// Data that were exchanged have another one. A change of few items among many may go unnoticed.
///
/// # Errors
/// Those of reading.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Image, InMemory, digest};
///
/// let greys = |from: u8| {
///     let image = |grey| Image { dims: [1, 1, 1], label: None, pixels: vec![grey] };
///     InMemory::new("greys", (from..from + 9).map(image).collect(), 0)
/// };
/// assert_eq!(digest(&greys(0)?)?, digest(&greys(0)?)?);
/// assert_ne!(digest(&greys(0)?)?, digest(&greys(1)?)?);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
pub fn digest<I: Item>(source: &dyn Source<Item = I>) -> Result<String, Error> {
    let mut sum = Sha256::new();
    let items = source.len();
    sum.update((items as u64).to_le_bytes());
    for place in 0..items.min(LOOKED_AT) {
        let bytes = I::sample(source, place * items / items.min(LOOKED_AT))?;
        sum.update((bytes.len() as u64).to_le_bytes());
        sum.update(&bytes);
    }
    Ok(hex(&sum.finalize()[..16]))
}

/// Bytes as text, two digits each.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
