//! MP3, Ogg Vorbis and AAC in MP4: packets of a file to amplitudes.
//!
//! The containers are read here, strictly: a byte that belongs to nothing is damage. symphonia's own readers look for the next
//! thing that they know, and say nothing of what they passed over. Its decoders get one packet after the other.
//!
//! | file | what is cut | what shows damage |
//! |---|---|---|
//! | MP3, layer III of MPEG 1, 2 and 2.5 | before: the delay that a tag of LAME, Lavf or Lavc tells and the 529 samples of a decoder; behind: its padding but for these 529. Without such a tag, nothing | frames that do not follow on each other, one that is cut or whose data lie in one that is missing, another number of frames than a Xing or Info tag tells |
//! | Ogg Vorbis | what the position of the first page with sound, and that of the last, leave out | every page has a checksum and a number, the last one a mark |
//! | AAC-LC in MP4 | what the one edit of the track leaves out, and what the last packet has beyond its length | boxes and packets beyond the end of the file, packets that do not decode |
//!
//! Beyond that, MP3 and MP4 have no checksums of their sound: bytes that were exchanged within a frame go unseen if it decodes
//! all the same, and so does an MP3 without a tag that was cut between two frames. AAC whose upper half is made from the lower
//! one (SBR, HE-AAC) is refused if the file says so; some say it in the packets alone and are read without that half.
//!
//! Samples are those of ffmpeg to 1e−5 of full scale but for MP3 of 24 kHz, where lines 330 and 331 of 576, at 6.9 kHz, belong to the
//! band above: the encoder LAME and the corrected standard have it so, ffmpeg 5.1 does not.
//!
//! A part is decoded from the beginning of its file, so it is the same samples whatever was read before: packets need the ones
//! before them, AAC all of them for its noise.

use std::ops::Range;
use std::path::Path;

use symphonia_bundle_mp3::MpaDecoder;
use symphonia_codec_aac::AacDecoder;
use symphonia_codec_vorbis::VorbisDecoder;
use symphonia_core::audio::{Audio, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP3, CODEC_ID_VORBIS};
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::errors::Error as SymphoniaError;
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use super::decode::{Header, failed, truncated};
use super::wav::LOUDEST;
use super::{mp3, mp4, ogg, other};
use crate::Error;

/// Endings of the names of such files, in lower case.
pub(super) const ENDINGS: [&str; 4] = ["mp3", "ogg", "oga", "m4a"];

/// What a container holds.
#[derive(Debug)]
pub(super) struct Track {
    pub header: Header,
    pub codec: Codec,
    pub bytes: Vec<u8>,
    /// Places of packets in `bytes`.
    pub packets: Vec<Range<usize>>,
    /// Decoded samples before the first one of `header`.
    pub skip: u64,
}

/// What packets are decoded by.
#[derive(Debug)]
pub(super) enum Codec {
    Mp3,
    /// The headers of identification and setup.
    Vorbis(Vec<u8>),
    /// The configuration of the decoder.
    Aac(Vec<u8>),
}

/// A file that is decoded from its beginning.
pub(super) struct Lossy<'a> {
    path: &'a Path,
    format: &'static str,
    track: Track,
}

impl<'a> Lossy<'a> {
    /// Reads the whole file.
    pub fn open(format: &'static str, path: &'a Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
        let track = match format {
            "mp3" => mp3::parse(bytes, path),
            "m4a" => mp4::parse(bytes, path),
            _ => ogg::parse(bytes, path),
        }?;
        Ok(Self { path, format, track })
    }

    pub fn header(&self) -> Header {
        self.track.header
    }

    /// Decodes packet by packet up to sample `end`, of a mono file.
    pub fn each(&self, end: u64, mut each: impl FnMut(&[f32], u64)) -> Result<(), Error> {
        let Track { header, codec, bytes, packets, skip } = &self.track;
        let (mut decoder, mut at, end) =
            (Decoder::new(codec, self.format, self.path)?, 0, skip + end);
        for packet in packets {
            if at >= end {
                return Ok(());
            }
            let frame = decoder.decode(&bytes[packet.clone()])?;
            let within = |place: u64| place.saturating_sub(at).min(frame.len() as u64) as usize;
            let (from, to) = (within(*skip), within(end));
            each(&frame[from..to], (at + from as u64).saturating_sub(*skip));
            at += frame.len() as u64;
        }
        match at < end {
            true => {
                Err(truncated(self.format, header.samples, at.saturating_sub(*skip), self.path))
            }
            false => Ok(()),
        }
    }
}

/// A decoder at the beginning of a file.
pub(super) struct Decoder<'a> {
    path: &'a Path,
    format: &'static str,
    decoder: Box<dyn AudioDecoder>,
}

impl<'a> Decoder<'a> {
    pub fn new(codec: &Codec, format: &'static str, path: &'a Path) -> Result<Self, Error> {
        let (options, mut parameters) =
            (AudioDecoderOptions::default(), AudioCodecParameters::new());
        let mut with =
            |id, data: &[u8]| parameters.for_codec(id).with_extra_data(data.into()).clone();
        let decoder: Result<Box<dyn AudioDecoder>, _> = match codec {
            Codec::Mp3 => {
                MpaDecoder::try_new(&with(CODEC_ID_MP3, &[]), &options).map(|d| Box::new(d) as _)
            }
            Codec::Vorbis(headers) => {
                VorbisDecoder::try_new(&with(CODEC_ID_VORBIS, headers), &options)
                    .map(|d| Box::new(d) as _)
            }
            Codec::Aac(configuration) => {
                AacDecoder::try_new(&with(CODEC_ID_AAC, configuration), &options)
                    .map(|d| Box::new(d) as _)
            }
        };
        let decoder = decoder.map_err(|error| refused(format, path, &error))?;
        Ok(Self { path, format, decoder })
    }

    /// The samples of the first channel of a packet.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], Error> {
        let broken = |got: &dyn std::fmt::Display| failed(self.format, self.path, got);
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, packet);
        let decoded = self.decoder.decode_ref(&packet);
        let decoded = decoded.map_err(|error| refused(self.format, self.path, &error))?;
        let GenericAudioBufferRef::F32(buffer) = decoded else {
            return Err(broken(&"samples that are not in floating point"));
        };
        let frame = buffer.plane(0).unwrap_or_default();
        match frame.iter().find(|amplitude| amplitude.is_nan() || amplitude.abs() > LOUDEST) {
            Some(amplitude) => Err(broken(&format!("an amplitude of {amplitude}"))),
            None => Ok(frame),
        }
    }
}

/// What a decoder says: the file holds what it does not do, or is damaged.
fn refused(format: &str, path: &Path, error: &SymphoniaError) -> Error {
    match error {
        SymphoniaError::Unsupported(what) => other::refused(&format!("{format} with {what}"), path),
        error => failed(format, path, error),
    }
}
