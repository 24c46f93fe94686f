//! FLAC and WAV files to amplitudes.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hound::{SampleFormat, WavReader};
use symphonia_bundle_flac::{FlacDecoder, FlacReader};
use symphonia_core::audio::{Audio, GenericAudioBufferRef};
use symphonia_core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia_core::errors::Error as SymphoniaError;
use symphonia_core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo};
use symphonia_core::io::MediaSourceStream;
use symphonia_core::units::Timestamp;

use crate::Error;

/// Samples before a crop from which on it is quicker to look for its frame than to decode what lies
/// before it: a few frames of the 4,096 samples that encoders of FLAC use.
const WORTH_SEEKING: u64 = 3 * 4_096;

/// Silence in the largest blocks of FLAC: 65,535 samples in 11 bytes.
const MOST_SAMPLES_PER_BYTE: u64 = 6_000;

/// What a file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Samples in a second.
    pub rate: u32,
    pub channels: usize,
    /// Samples of a channel.
    pub samples: u64,
}

/// Whether a name is that of a sound file.
pub(super) fn is_sound(path: &Path) -> bool {
    format(path).is_some()
}

/// Formats, by the endings of their files.
const FLAC: &str = "flac";
const WAV: &str = "wav";

fn format(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?;
    [FLAC, WAV].into_iter().find(|format| ending.eq_ignore_ascii_case(format))
}

/// What the header of a sound file says.
pub(super) fn header(path: &Path) -> Result<Header, Error> {
    match format(path) {
        Some(WAV) => {
            let wav = open_wav(path)?;
            let (spec, samples) = (wav.spec(), u64::from(wav.duration()));
            Ok(Header { rate: spec.sample_rate, channels: usize::from(spec.channels), samples })
        }
        _ => Ok(Flac::open(path, Verify::Nothing)?.header),
    }
}

/// Fills `into` with amplitudes from sample `start` on, of a mono file.
pub(super) fn read(path: &Path, start: u64, into: &mut [f32]) -> Result<(), Error> {
    match format(path) {
        Some(WAV) => read_wav(path, start, into),
        _ => Flac::open(path, Verify::Nothing)?.read(start, into),
    }
}

/// Decodes a whole mono file and compares it with the checksum that it carries, if it does.
pub(super) fn read_verified(path: &Path) -> Result<Vec<f32>, Error> {
    match format(path) {
        Some(WAV) => {
            let samples = open_wav(path)?.duration() as usize;
            let mut amplitudes = vec![0.0; samples];
            read_wav(path, 0, &mut amplitudes)?;
            Ok(amplitudes)
        }
        _ => {
            let mut flac = Flac::open(path, Verify::Sum)?;
            let samples = usize::try_from(flac.header.samples)
                .map_err(|_| flac.broken("more samples than memory has places"))?;
            let mut amplitudes = vec![0.0; samples];
            flac.read(0, &mut amplitudes)?;
            match flac.decoder.finalize().verify_ok {
                Some(false) => Err(flac.broken("samples that differ from their MD5 sum")),
                _ => Ok(amplitudes),
            }
        }
    }
}

/// Whether the samples are compared with the sum in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verify {
    Nothing,
    Sum,
}

/// An open FLAC file.
struct Flac<'a> {
    path: &'a Path,
    reader: FlacReader<'static>,
    decoder: FlacDecoder,
    header: Header,
}

impl<'a> Flac<'a> {
    fn open(path: &'a Path, verify: Verify) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
        let bytes = file.metadata().map_err(|source| Error::io("open", path, source))?.len();
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let reader = FlacReader::try_new(stream, FormatOptions::default())
            .map_err(|error| failed(FLAC, path, &error))?;
        let missing = || failed(FLAC, path, &"no description of the samples");
        let track = reader.tracks().first().ok_or_else(missing)?;
        let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or_else(missing)?;
        let (Some(rate), Some(channels), Some(samples)) =
            (parameters.sample_rate, &parameters.channels, track.num_frames)
        else {
            return Err(missing());
        };
        let header = Header { rate, channels: channels.count(), samples };
        // A damaged header must not decide how much memory is asked for.
        if samples > bytes.saturating_mul(MOST_SAMPLES_PER_BYTE) {
            return Err(failed(FLAC, path, &format!("{samples} samples in {bytes} bytes")));
        }
        let options = AudioDecoderOptions::default().verify(verify == Verify::Sum);
        let decoder = FlacDecoder::try_new(parameters, &options)
            .map_err(|error| failed(FLAC, path, &error))?;
        Ok(Self { path, reader, decoder, header })
    }

    /// Decodes frame by frame from the one that holds `start`, until `into` is full.
    fn read(&mut self, start: u64, into: &mut [f32]) -> Result<(), Error> {
        let end = start + into.len() as u64;
        // The position of the first sample of the next frame; a gap is a damaged frame.
        let mut position = self.seek(start)?;
        while position < end {
            let packet = match self.reader.next_packet() {
                Ok(packet) => packet,
                Err(SymphoniaError::IoError(error))
                    if error.kind() == std::io::ErrorKind::UnexpectedEof =>
                {
                    None
                }
                Err(error) => return Err(failed(FLAC, self.path, &error)),
            };
            let Some(packet) = packet else {
                return Err(truncated(FLAC, self.header.samples, position, self.path));
            };
            if packet.pts.get() != position as i64 {
                return Err(self.broken("a frame that is missing or damaged"));
            }
            let decoded = self.decoder.decode(&packet).map_err(|e| failed(FLAC, self.path, &e))?;
            let GenericAudioBufferRef::S32(buffer) = decoded else {
                return Err(self.broken("samples that are no integers"));
            };
            let Some(frame) = buffer.plane(0) else {
                return Err(self.broken("a frame without a channel"));
            };
            copy_overlap(frame, position, start, into);
            position += frame.len() as u64;
        }
        Ok(())
    }

    /// Goes to the frame that holds `start` if that saves time; returns where it begins.
    fn seek(&mut self, start: u64) -> Result<u64, Error> {
        if start < WORTH_SEEKING {
            return Ok(0);
        }
        let to = SeekTo::Timestamp { ts: Timestamp::new(start as i64), track_id: 0 };
        let there = self.reader.seek(SeekMode::Accurate, to);
        let there = there.map_err(|error| failed(FLAC, self.path, &error))?;
        let found = there.actual_ts.get();
        match u64::try_from(found) {
            Ok(found) if found <= start => Ok(found),
            _ => Err(self.broken("a frame that is missing or damaged")),
        }
    }

    fn broken(&self, message: &str) -> Error {
        failed(FLAC, self.path, &message)
    }
}

/// Copies what `frame`, which begins at `position`, has of the samples from `start` on.
fn copy_overlap(frame: &[i32], position: u64, start: u64, into: &mut [f32]) {
    let skip = start.saturating_sub(position).min(frame.len() as u64) as usize;
    let offset = position.saturating_sub(start) as usize;
    // Symphonia's samples fill 32 bits. 16 and 24 bits are exact as f32.
    let amplitudes = frame[skip..].iter().map(|&s| s as f32 / 2_147_483_648.0);
    into[offset..].iter_mut().zip(amplitudes).for_each(|(to, amplitude)| *to = amplitude);
}

fn open_wav(path: &Path) -> Result<WavReader<BufReader<File>>, Error> {
    let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
    WavReader::new(BufReader::new(file)).map_err(|error| failed(WAV, path, &error))
}

fn read_wav(path: &Path, start: u64, into: &mut [f32]) -> Result<(), Error> {
    let mut wav = open_wav(path)?;
    let (spec, expected) = (wav.spec(), u64::from(wav.duration()));
    wav.seek(start as u32).map_err(|source| Error::io("seek", path, source))?;
    let filled = match spec.sample_format {
        SampleFormat::Float => fill(into, wav.samples::<f32>()),
        SampleFormat::Int => {
            let scale = 1.0 / (1_u64 << (spec.bits_per_sample - 1)) as f32;
            fill(into, wav.samples::<i32>().map(|sample| Ok(sample? as f32 * scale)))
        }
    };
    match filled {
        Ok(count) if count == into.len() => Ok(()),
        Ok(count) => Err(truncated(WAV, expected, start + count as u64, path)),
        Err(error) => Err(failed(WAV, path, &error)),
    }
}

/// Fills `into` as far as there are samples; returns how far.
fn fill(
    into: &mut [f32],
    samples: impl Iterator<Item = hound::Result<f32>>,
) -> hound::Result<usize> {
    let mut filled = 0;
    for (to, sample) in into.iter_mut().zip(samples) {
        match sample {
            Ok(sample) => *to = sample,
            // What hound says when the file ends within the data that its header announces.
            Err(hound::Error::FormatError(_)) => break,
            Err(hound::Error::IoError(error))
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::Other
                ) =>
            {
                break;
            }
            Err(error) => return Err(error),
        }
        filled += 1;
    }
    Ok(filled)
}

/// A sound file cannot be decoded, or its checksum is not that of its samples.
pub(super) fn failed(format: &str, path: &Path, message: &dyn std::fmt::Display) -> Error {
    let got = format!("\"{message}\"");
    Error::damaged(format, "sound that decodes", got, path.display(), "is the file complete?")
}

/// A sound file ends before the number of samples that its header announces.
fn truncated(format: &str, expected: u64, got: u64, path: &Path) -> Error {
    let expected = format!("{expected} samples");
    Error::damaged(format, expected, got, path.display(), "is the file complete?")
}
