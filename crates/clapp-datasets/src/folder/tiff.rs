//! What the directory of a TIFF file claims.

/// Whether the first directory of a TIFF file lists more values than the file can hold. The decoder would ask for
/// memory for all of them, a multiple of their size, before it reads one.
pub(super) fn claims_too_much(bytes: &[u8]) -> bool {
    let (little, big) = match bytes.get(..4) {
        Some(b"II*\0") => (true, false),
        Some(b"MM\0*") => (false, false),
        Some(b"II+\0") => (true, true),
        Some(b"MM\0+") => (false, true),
        _ => return false,
    };
    let number = |at: u64, size: u64| {
        let at = usize::try_from(at).ok()?;
        let digits = bytes.get(at..at.checked_add(size as usize)?)?;
        let number = |number, &digit: &u8| number << 8 | u64::from(digit);
        Some(if little {
            digits.iter().rev().fold(0, number)
        } else {
            digits.iter().fold(0, number)
        })
    };
    // Sizes of an offset and of the number of entries.
    let [word, head] = if big { [8, 8] } else { [4, 2] };
    let Some(directory) = number(word, word) else { return false };
    let entries = number(directory, head).unwrap_or(0).min(bytes.len() as u64);
    let claim = |entry| {
        // Tag and kind of two bytes each, how many values, and where they are.
        let at = directory.checked_add(head + entry * (4 + 2 * word))?;
        let size = match number(at.checked_add(2)?, 2)? {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => 1,
        };
        Some(number(at.checked_add(4)?, word)?.saturating_mul(size))
    };
    (0..entries).map_while(claim).any(|claimed| claimed > bytes.len() as u64)
}
