//! WAV: chunks of a RIFF file, one of which holds samples as they are.
//!
//! Lengths in headers are claims. Programs that write into a pipe do not know them and leave 0, the largest number or one near
//! 2 GB; then the samples go on to the end of the file. Any other length has to be there. Memory is never asked for because a
//! header says so.
//!
//! Why no crate: hound, which was here before, takes the length of a pipe for that of 4 GB of samples and does not read RF64, and
//! without compression nothing is left to decode.

use std::path::Path;

use super::decode::{Header, failed, truncated};
use crate::Error;
use crate::files::RecordFile;

const WAV: &str = "wav";
/// Lengths from here on are of streams, if the file is shorter.
const STREAM: u64 = 0x7fff_0000;
/// More chunks than any program writes; zeros in a damaged file are chunks of no bytes.
const MOST_CHUNKS: usize = 1_000;
/// Amplitudes beyond are none: 40 dB above full scale. Usually they were never divided by the largest integer.
pub(super) const LOUDEST: f32 = 100.0;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 16;
/// What follows the tag in the identifier of a format.
const GUID: [u8; 14] = *b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

/// An open file.
#[derive(Debug)]
pub(super) struct Wav<'a> {
    path: &'a Path,
    file: RecordFile,
    pub header: Header,
    form: Form,
    /// Where samples begin.
    data: u64,
}

/// How samples are stored.
#[derive(Clone, Copy, Debug)]
struct Form {
    rate: u32,
    channels: usize,
    /// Bytes of a sample.
    bytes: usize,
    floats: bool,
}

impl<'a> Wav<'a> {
    pub fn open(path: &'a Path) -> Result<Self, Error> {
        let file = RecordFile::open(path.to_owned())?;
        let (form, data, bytes) = parse(&file, path)?;
        let block = (form.channels * form.bytes) as u64;
        let header = Header { rate: form.rate, channels: form.channels, samples: bytes / block };
        Ok(Self { path, file, header, form, data })
    }

    /// Fills `into` with amplitudes from sample `start` on, of a mono file.
    pub fn read(&self, start: u64, into: &mut [f32]) -> Result<(), Error> {
        let Form { bytes, floats, .. } = self.form;
        let left = self.header.samples.saturating_sub(start);
        if left < into.len() as u64 {
            return Err(truncated(WAV, start + into.len() as u64, start + left, self.path));
        }
        let mut stored = vec![0; into.len().saturating_mul(bytes).min(PIECE)];
        let mut at = start;
        for part in into.chunks_mut(PIECE / bytes) {
            let stored = &mut stored[..part.len() * bytes];
            self.file.read(self.data + at * bytes as u64, stored)?;
            for ((amplitude, sample), number) in
                part.iter_mut().zip(stored.chunks_exact(bytes)).zip(at..)
            {
                *amplitude = decode(sample, floats);
                if floats && (amplitude.is_nan() || amplitude.abs() > LOUDEST) {
                    let got = format!("{amplitude} at sample {number}");
                    let advice = "mend the file or leave it out";
                    return Err(Error::damaged(
                        WAV,
                        "amplitudes about ±1",
                        got,
                        self.path.display(),
                        advice,
                    ));
                }
            }
            at += part.len() as u64;
        }
        Ok(())
    }
}

/// One sample; full scale is ±1.
fn decode(sample: &[u8], floats: bool) -> f32 {
    match *sample {
        [byte] => (f32::from(byte) - 128.0) / 128.0,
        [a, b, c, d] if floats => f32::from_le_bytes([a, b, c, d]),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
        _ => {
            let mut word = [0; 4];
            word[4 - sample.len()..].copy_from_slice(sample);
            // 16 and 24 bits are exact as f32.
            i32::from_le_bytes(word) as f32 / 2_147_483_648.0
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// How samples are stored, where they begin, and how many bytes they take.
fn parse(file: &RecordFile, path: &Path) -> Result<(Form, u64, u64), Error> {
    let broken = |got: &str| failed(WAV, path, &got);
    let mut riff = [0; 12];
    if file.bytes() < 12 {
        return Err(broken("a file that ends within its header"));
    }
    file.read(0, &mut riff)?;
    match (&riff[..4], &riff[8..]) {
        (b"RIFF" | b"RF64" | b"BW64", b"WAVE") => {}
        (b"RIFX", b"WAVE") => {
            return Err(unfit("numbers with the highest byte first (RIFX)", path));
        }
        _ => return Err(broken("a file that does not begin as WAV does")),
    }
    let (mut form, mut data, mut long, mut at) = (None, None, None, 12_u64);
    for chunk in 0.. {
        let mut head = [0; 8];
        if at.saturating_add(8) > file.bytes() {
            break;
        }
        if chunk == MOST_CHUNKS {
            return Err(broken("more than 1000 chunks"));
        }
        file.read(at, &mut head)?;
        let (body, size) = (at + 8, number(&head[4..]));
        let left = file.bytes() - body;
        let start = |bytes: u64| {
            let mut start = vec![0; bytes.min(size).min(left) as usize];
            file.read(body, &mut start).map(|()| start)
        };
        let behind = |size: u64| {
            let (end, odd, mut padding) = (body.saturating_add(size), size % 2 == 1, [0]);
            if odd && end < file.bytes() {
                file.read(end, &mut padding)?;
            }
            // Some programs forget the byte behind an odd number of others, which is 0.
            Ok::<u64, Error>(end.saturating_add(u64::from(odd && padding == [0])))
        };
        at = behind(size)?;
        match &head[..4] {
            b"fmt " if form.is_some() => return Err(unfit("two descriptions of samples", path)),
            b"fmt " => form = Some(read_form(&start(40)?, path)?),
            b"ds64" => long = start(16)?.get(8..).map(number),
            b"data" if data.is_some() => return Err(unfit("two chunks of samples", path)),
            b"data" if form.is_none() => return Err(broken("samples before their description")),
            b"data" => {
                let whole = number(&riff[4..8]);
                let size = if size == 0xffff_ffff { long.unwrap_or(size) } else { size };
                let unknown = match size {
                    0 => whole + 8 <= body || whole >= STREAM,
                    0xffff_ffff => true,
                    // What RF64 says in 64 bits is no stream's guess.
                    _ => size >= STREAM && size > left && long.is_none_or(|long| long != size),
                };
                data = Some((body, if unknown { left } else { size }, unknown));
                at = if unknown { file.bytes() } else { behind(size)? };
            }
            // Zeros up to the next multiple of something.
            [0, 0, 0, 0] if data.is_some() => break,
            _ => {}
        }
    }
    let form: Form = form.ok_or_else(|| broken("no description of the samples"))?;
    let (body, size, unknown) = data.ok_or_else(|| broken("no samples"))?;
    let block = (form.channels * form.bytes) as u64;
    if !unknown && size > file.bytes() - body {
        return Err(truncated(WAV, size / block, (file.bytes() - body) / block, path));
    }
    if !unknown && size % block != 0 {
        return Err(broken("an incomplete last sample"));
    }
    Ok((form, body, size))
}

/// The description of the samples.
fn read_form(bytes: &[u8], path: &Path) -> Result<Form, Error> {
    if bytes.len() < 16 {
        return Err(failed(WAV, path, &"a description that is too short"));
    }
    let word = |at: usize| number(&bytes[at..at + 2]) as usize;
    let (mut tag, channels, block, bits) = (word(0), word(2), word(12), word(14));
    if tag == 0xfffe {
        if bytes.len() < 40 || bytes[26..] != GUID {
            return Err(unfit("an extensible format of its own", path));
        }
        // Fewer bits than there is room for lie at the top, so they are read as if all were there.
        if word(18) > bits || (word(18) > 0 && word(18).div_ceil(8) != bits.div_ceil(8)) {
            return Err(unfit(&format!("{} valid bits of {bits}", word(18)), path));
        }
        tag = word(24);
    }
    let floats = match (tag, bits) {
        (1, 8..=32) => false,
        (3, 32 | 64) => true,
        (1 | 3, _) => return Err(unfit(&format!("samples of {bits} bits"), path)),
        _ => return Err(unfit(&format!("compressed samples (format {tag:#06x})"), path)),
    };
    let bytes_each = bits.div_ceil(8);
    if channels == 0 || block != channels * bytes_each {
        let got = format!("{channels} channels of {bits} bits in {block} bytes");
        return Err(failed(WAV, path, &got));
    }
    Ok(Form { rate: number(&bytes[4..8]) as u32, channels, bytes: bytes_each, floats })
}

/// A legal file of a kind that is not read.
fn unfit(got: &str, path: &Path) -> Error {
    let expected = "integers of 8 to 32 bits or floating point";
    let advice = "convert it, as by ffmpeg -i FILE -c:a pcm_s16le NEW.wav";
    Error::unfit(WAV, expected, got, path.display(), advice)
}
