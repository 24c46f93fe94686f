//! Damaged inputs, again and again.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant},
};

/// The variable that says for how many seconds, 2 if it is not set.
const SECONDS: &str = "CLAPP_MUTATE_SECONDS";

/// Hands `each` one changed input after another, with its number, for two seconds, or as many as `CLAPP_MUTATE_SECONDS` says.
///
/// Inputs of `corpus` are cut, joined, overwritten and extended; numbers that are likely to be lengths become extreme. An input depends
/// on the corpus and its number alone.
///
/// # Panics
///
/// As `each`, after the number of the input was printed.
pub fn mutations(what: &str, corpus: &[Vec<u8>], each: impl Fn(u64, &[u8])) {
    let seconds = env::var(SECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let (begun, limit) = (Instant::now(), Duration::from_secs(seconds));
    let mut number = 0;
    // At least some, however slow the machine is.
    while number < 50 || begun.elapsed() < limit {
        let input = mutated(corpus, number);
        let result = catch_unwind(AssertUnwindSafe(|| each(number, &input)));
        if let Err(panic) = result {
            println!(
                "{what}: input {number}, {} bytes: {:02x?}",
                input.len(),
                &input[..input.len().min(400)]
            );
            resume_unwind(panic);
        }
        number += 1;
    }
    println!("{what}: {number} inputs");
}

/// The input of a number.
fn mutated(corpus: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut draws = Draws(number);
    let mut bytes = corpus[draws.below(corpus.len())].clone();
    for _ in 0..1 + draws.below(4) {
        let at = draws.below(bytes.len() + 1);
        // Most of what a reader decides by stands in front.
        let at = if draws.below(2) == 0 { at % 64.min(bytes.len() + 1) } else { at };
        let length = 1 + draws.below(16).min(bytes.len() - at);
        match draws.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + length).min(bytes.len()))),
            2 => {
                let other = &corpus[draws.below(corpus.len())];
                let from = draws.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            3 => drop(bytes.splice(at..at, vec![draws.below(256) as u8; length])),
            4 | 5 => {
                let extreme = [0, 1, 0x7f, 0x80, 0xff][draws.below(5)];
                bytes[at..]
                    .iter_mut()
                    .take([1, 2, 4, 8][draws.below(4)])
                    .for_each(|byte| *byte = extreme);
            }
            6 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte ^= 1 << draws.below(8)),
            _ => {
                bytes[at..].iter_mut().take(length).for_each(|byte| *byte = draws.below(256) as u8)
            }
        }
    }
    bytes
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ word >> 31) % bound as u64) as usize
    }
}
