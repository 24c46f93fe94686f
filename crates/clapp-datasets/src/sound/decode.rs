//! Sound files to amplitudes; FLAC among them.

use std::fs::File;
use std::path::Path;

use symphonia_bundle_flac::{FlacDecoder, FlacReader};
use symphonia_core::audio::{Audio, GenericAudioBufferRef};
use symphonia_core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia_core::errors::Error as SymphoniaError;
use symphonia_core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo};
use symphonia_core::io::MediaSourceStream;
use symphonia_core::packet::Packet;
use symphonia_core::units::Timestamp;

use super::bare::{Bare, FRONT};
use super::lossy::{self, Lossy};
use super::other;
use super::wav::Wav;
use crate::Error;

/// Samples before a crop from which on it is quicker to look for its frame than to decode what lies
/// before it: a few frames of the 4,096 samples that encoders of FLAC use.
const WORTH_SEEKING: u64 = 3 * 4_096;

/// Sound takes more room than a byte for so many samples. A header that says otherwise is near silence, or wrong.
const SAMPLES_PER_BYTE: u64 = 8;
/// Samples that are decoded at a time where a file is checked.
const PIECE: u64 = 1 << 18;

/// What a file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Samples in a second.
    pub rate: u32,
    pub channels: usize,
    /// Samples of a channel; 0 where a stream does not say.
    pub samples: u64,
}

/// Whether a name is that of a sound file.
pub(super) fn is_sound(path: &Path) -> bool {
    (format(path).is_some() || other::ending(path).is_some()) && !other::superseded(path)
}

/// Formats, by the endings of their files.
const FLAC: &str = "flac";
const WAV: &str = "wav";

fn format(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?;
    let formats = [FLAC, WAV].into_iter().chain(lossy::ENDINGS);
    formats.into_iter().find(|format| ending.eq_ignore_ascii_case(format))
}

/// What the header of a sound file says; how many samples there are, if it does not say so, or more than seems possible.
pub(super) fn header(path: &Path) -> Result<Header, Error> {
    if let Some(ending) = other::ending(path) {
        return Err(other::refused(ending, path));
    }
    match format(path) {
        Some(WAV) => Ok(Wav::open(path)?.header),
        Some(lossy) if lossy != FLAC => Ok(Lossy::open(lossy, path)?.header()),
        _ => {
            let mut flac = Flac::open(path, Verify::Nothing)?;
            let announced = flac.header.samples;
            if (1..=flac.bytes.saturating_mul(SAMPLES_PER_BYTE)).contains(&announced) {
                return Ok(flac.header);
            }
            let (mut samples, mut bytes) = (0, flac.bytes);
            while let Some(packet) = flac.next_packet()? {
                samples += packet.dur.get();
                bytes = bytes.saturating_sub(packet.data.len() as u64);
            }
            if announced > 0 && samples != announced {
                return Err(truncated(FLAC, announced, samples, path));
            }
            // What belongs to no frame is one that was cut or damaged.
            match bytes > FRONT as u64 {
                true => Err(flac.broken("a frame that is missing or damaged")),
                false => Ok(Header { samples, ..flac.header }),
            }
        }
    }
}

/// Fills `into` with amplitudes from sample `start` on, of a mono file.
pub(super) fn read(path: &Path, start: u64, into: &mut [f32]) -> Result<(), Error> {
    match format(path) {
        Some(WAV) => Wav::open(path)?.read(start, into),
        Some(lossy) if lossy != FLAC => {
            let end = start + into.len() as u64;
            Lossy::open(lossy, path)?.each(end, |frame, position| {
                copy_overlap(frame, position, start, into, |&amplitude| amplitude);
            })
        }
        _ => Flac::open(path, Verify::Nothing)?.read(start, into),
    }
}

/// Decodes a whole mono file of `samples` samples and compares it with the checksum that it carries, if it does; false if all
/// samples are equal.
pub(super) fn has_signal(path: &Path, samples: u64) -> Result<bool, Error> {
    let (mut first, mut differs) = (None, false);
    let mut look = |part: &[f32]| {
        let first = *first.get_or_insert(part.first().copied().unwrap_or_default());
        differs |= part.iter().any(|amplitude| amplitude.to_bits() != first.to_bits());
    };
    match format(path) {
        Some(WAV) => {
            let (wav, mut part) = (Wav::open(path)?, vec![0.0; samples.min(PIECE) as usize]);
            for start in (0..samples).step_by(PIECE as usize) {
                let part = &mut part[..(samples - start).min(PIECE) as usize];
                wav.read(start, part)?;
                look(part);
            }
        }
        Some(lossy) if lossy != FLAC => {
            Lossy::open(lossy, path)?.each(samples, |frame, _| look(frame))?;
        }
        _ => {
            let (mut flac, mut part) = (Flac::open(path, Verify::Sum)?, Vec::new());
            let mut end = 0;
            flac.each(0, samples, |frame, position| {
                end = position + frame.len() as u64;
                part.clear();
                part.extend(frame.iter().map(amplitude));
                look(&part);
            })?;
            if end > samples || flac.next_packet()?.is_some() {
                return Err(flac.broken("more samples than its header announces"));
            }
            if flac.decoder.finalize().verify_ok == Some(false) {
                return Err(flac.broken("samples that differ from their MD5 sum"));
            }
        }
    }
    Ok(differs)
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
    /// Of the file.
    bytes: u64,
}

impl<'a> Flac<'a> {
    fn open(path: &'a Path, verify: Verify) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
        let bare = Bare::new(file).map_err(|error| failed(FLAC, path, &error))?;
        let bytes = bare.len();
        let stream = MediaSourceStream::new(Box::new(bare), Default::default());
        let reader = FlacReader::try_new(stream, FormatOptions::default())
            .map_err(|error| failed(FLAC, path, &error))?;
        let missing = || failed(FLAC, path, &"no description of the samples");
        let track = reader.tracks().first().ok_or_else(missing)?;
        let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or_else(missing)?;
        let (Some(rate), Some(channels)) = (parameters.sample_rate, &parameters.channels) else {
            return Err(missing());
        };
        let samples = track.num_frames.unwrap_or(0);
        let header = Header { rate, channels: channels.count(), samples };
        let options = AudioDecoderOptions::default().verify(verify == Verify::Sum);
        let decoder = FlacDecoder::try_new(parameters, &options)
            .map_err(|error| failed(FLAC, path, &error))?;
        Ok(Self { path, reader, decoder, header, bytes })
    }

    fn read(&mut self, start: u64, into: &mut [f32]) -> Result<(), Error> {
        let end = start + into.len() as u64;
        self.each(start, end, |frame, position| {
            copy_overlap(frame, position, start, into, amplitude)
        })
    }

    /// Decodes frame by frame from the one that holds `start` to the one that holds what lies before `end`.
    fn each(
        &mut self,
        start: u64,
        end: u64,
        mut each: impl FnMut(&[i32], u64),
    ) -> Result<(), Error> {
        // The position of the first sample of the next frame; a gap is a damaged frame.
        let mut position = self.seek(start)?;
        while position < end {
            let Some(packet) = self.next_packet()? else {
                let expected = if self.header.samples > 0 { self.header.samples } else { end };
                return Err(truncated(FLAC, expected, position, self.path));
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
            each(frame, position);
            position += frame.len() as u64;
        }
        Ok(())
    }

    /// The next frame, not yet decoded; none at the end of the file.
    fn next_packet(&mut self) -> Result<Option<Packet>, Error> {
        match self.reader.next_packet() {
            Err(SymphoniaError::IoError(error))
                if error.kind() == std::io::ErrorKind::UnexpectedEof =>
            {
                Ok(None)
            }
            packet => packet.map_err(|error| failed(FLAC, self.path, &error)),
        }
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
fn copy_overlap<T>(
    frame: &[T],
    position: u64,
    start: u64,
    into: &mut [f32],
    amplitude: impl Fn(&T) -> f32,
) {
    let skip = start.saturating_sub(position).min(frame.len() as u64) as usize;
    let offset = position.saturating_sub(start) as usize;
    let amplitudes = frame[skip..].iter().map(amplitude);
    into[offset..].iter_mut().zip(amplitudes).for_each(|(to, amplitude)| *to = amplitude);
}

/// Symphonia's samples fill 32 bits. 16 and 24 bits are exact as f32.
fn amplitude(sample: &i32) -> f32 {
    *sample as f32 / 2_147_483_648.0
}

/// A sound file cannot be decoded, or its checksum is not that of its samples.
pub(super) fn failed(format: &str, path: &Path, message: &dyn std::fmt::Display) -> Error {
    let got = format!("\"{message}\"");
    Error::damaged(format, "sound that decodes", got, path.display(), "is the file complete?")
}

/// A sound file ends before the number of samples that its header announces.
pub(super) fn truncated(format: &str, expected: u64, got: u64, path: &Path) -> Error {
    let expected = format!("{expected} samples");
    Error::damaged(format, expected, got, path.display(), "is the file complete?")
}
