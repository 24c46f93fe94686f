//! Writes sound files for tests: WAV, and FLAC without compression.

#![allow(dead_code, reason = "every test program uses a part of it")]

use std::fs;
use std::path::Path;

pub use clapp_testing::wav;

/// Samples of a frame of [`flac`].
pub const FRAME: usize = 1_024;

/// 16-bit samples that differ from their neighbours and never repeat within a second.
pub fn steps(count: usize, seed: usize) -> Vec<i16> {
    (0..count).map(|i| ((i * 7_919 + seed * 104_729) % 20_011) as i16 - 10_000).collect()
}

/// The amplitudes of 16-bit samples.
pub fn amplitudes(steps: &[i16]) -> Vec<f32> {
    steps.iter().map(|&step| f32::from(step) / 32_768.0).collect()
}

/// Writes a file below folders that need not exist.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A 16-bit FLAC file of verbatim frames; `steps` are those of all channels in turn. It has no MD5 sum.
pub fn flac(steps: &[i16], rate: u32, channels: usize) -> Vec<u8> {
    let samples = steps.len() / channels;
    let mut bytes = b"fLaC\x80\0\0\x22".to_vec();
    for size in [FRAME, FRAME] {
        bytes.extend((size as u16).to_be_bytes());
    }
    bytes.extend([0; 6]); // sizes of frames: not known
    let described = (u64::from(rate) << 44)
        | ((channels as u64 - 1) << 41)
        | (15 << 36) // bits in a sample, minus 1
        | samples as u64;
    bytes.extend(described.to_be_bytes());
    bytes.extend([0; 16]); // no MD5 sum
    for (number, frame) in steps.chunks(FRAME * channels).enumerate() {
        bytes.extend(flac_frame(number, frame, channels));
    }
    bytes
}

fn flac_frame(number: usize, steps: &[i16], channels: usize) -> Vec<u8> {
    assert!(number < 0x800, "numbers of frames are written with at most two bytes");
    // Fixed block size; its size in 16 bits after the number, rate and bits as described above.
    let mut bytes = vec![0xff, 0xf8, 0x70, (channels as u8 - 1) << 4];
    match number {
        0..0x80 => bytes.push(number as u8),
        _ => bytes.extend([0xc0 | (number >> 6) as u8, 0x80 | (number & 0x3f) as u8]),
    }
    bytes.extend(((steps.len() / channels - 1) as u16).to_be_bytes());
    bytes.push(crc(&bytes, 8, 0x07) as u8);
    for channel in 0..channels {
        bytes.push(0x02); // verbatim
        let own = steps.iter().skip(channel).step_by(channels);
        bytes.extend(own.flat_map(|step| step.to_be_bytes()));
    }
    bytes.extend(crc(&bytes, 16, 0x8005).to_be_bytes());
    bytes
}

/// Cyclic redundancy check, highest bit first.
fn crc(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    let mut state = 0_u32;
    for &byte in bytes {
        state ^= u32::from(byte) << (bits - 8);
        for _ in 0..8 {
            state <<= 1;
            if state >> bits & 1 == 1 {
                state ^= u32::from(polynomial) | 1 << bits;
            }
        }
    }
    state as u16
}
