//! MP3: frames one behind the other, each with a header of four bytes, between tags.

use std::io::Cursor;
use std::path::Path;

use super::bare::{behind_id3, without_tags};
use super::decode::{Header, failed};
use super::lossy::{Codec, Track};
use super::other;
use crate::Error;

/// Kilobits in a second by their number in a header, of MPEG 1, and of MPEG 2 and 2.5.
const KILOBITS: [[usize; 14]; 2] = [
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// What a decoder is behind, in samples: it belongs to the delay, and is a part of the padding.
const DECODER: u64 = 529;

/// What the header of a frame says.
struct Frame {
    first: bool,
    rate: u32,
    channels: usize,
    /// Bytes of the frame, its header included.
    bytes: usize,
    /// Of the side information, which follows the header.
    side: usize,
    /// Bytes of a checksum between them.
    sum: usize,
}

impl Frame {
    /// `Err` has the name of what is not read.
    fn read(head: [u8; 4]) -> Option<Result<Self, String>> {
        let [sync, version, size, mode] = head;
        let (mpeg, layer, kilobits, rate) =
            (version >> 3 & 3, version >> 1 & 3, size >> 4, size >> 2 & 3);
        if sync != 0xff || version < 0xe0 || mpeg == 1 || layer == 0 || kilobits == 15 || rate == 3
        {
            return None;
        }
        if layer != 1 {
            return Some(Err(format!("MPEG audio of layer {}", 4 - layer)));
        }
        if kilobits == 0 {
            return Some(Err("MP3 of a free bit rate".to_owned()));
        }
        let (first, mono) = (mpeg == 3, mode >> 6 == 3);
        let rate = [44_100, 48_000, 32_000][usize::from(rate)] >> [2, 0, 1, 0][usize::from(mpeg)];
        let kilobits = KILOBITS[usize::from(!first)][usize::from(kilobits) - 1];
        let eighths = if first { 144_000 } else { 72_000 };
        let bytes = eighths * kilobits / rate as usize + usize::from(size >> 1 & 1);
        let side = [[9, 17], [17, 32]][usize::from(first)][usize::from(!mono)];
        let (channels, sum) = (2 - usize::from(mono), 2 * usize::from(version & 1 == 0));
        Some(Ok(Self { first, rate, channels, bytes, side, sum }))
    }

    fn samples(&self) -> u64 {
        if self.first { 1_152 } else { 576 }
    }
}

pub(super) fn parse(bytes: Vec<u8>, path: &Path) -> Result<Track, Error> {
    let broken = |got: &dyn std::fmt::Display| failed("mp3", path, got);
    let mut reader = Cursor::new(&bytes);
    let mut at = behind_id3(&mut reader).map_err(|e| broken(&e))?.min(bytes.len() as u64) as usize;
    let end = without_tags(&mut reader, at as u64, bytes.len() as u64);
    let end = end.map_err(|error| broken(&error))? as usize;
    // Some programs leave room behind their tag.
    at += bytes[at..end].iter().take_while(|&&byte| byte == 0).count();
    let (mut packets, mut header, mut tag, mut held) = (Vec::new(), None, None, 0);
    while at < end {
        let here = &bytes[at..end];
        let frame = match (here.first_chunk().and_then(|head| Frame::read(*head)), header) {
            (Some(Ok(frame)), _) => frame,
            (Some(Err(what)), None) => return Err(other::refused(&what, path)),
            (None, None) => return Err(broken(&"a file that does not begin as MP3 does")),
            (_, Some(_)) => return Err(broken(&format!("no frame at byte {at}"))),
        };
        let form = (frame.rate, frame.channels, frame.samples());
        if *header.get_or_insert(form) != form {
            return Err(broken(&format!("a frame of another rate or channel at byte {at}")));
        }
        let Some(data) = here.get(..frame.bytes) else {
            return Err(broken(&"a last frame that is cut"));
        };
        let tagged = packets.is_empty() && tag.is_none();
        match Tag::read(data, &frame).filter(|_| tagged) {
            Some(found) => tag = Some(found),
            None => {
                let side = 4 + frame.sum;
                let Some(&[high, low]) = data.get(side..side + 2) else {
                    return Err(broken(&format!("a frame without room at byte {at}")));
                };
                // How many bytes before its own a frame's data begin.
                let begin = u16::from_be_bytes([high, low]) >> if frame.first { 7 } else { 8 };
                if usize::from(begin) > held {
                    let what =
                        format!("a frame at byte {at} whose data begin in one that is missing");
                    return Err(broken(&what));
                }
                held += frame.bytes.saturating_sub(side + frame.side);
                packets.push(at..at + frame.bytes);
            }
        }
        at += frame.bytes;
    }
    let (rate, channels, each) = header.ok_or_else(|| broken(&"no frame of sound"))?;
    let Tag { frames, delay, padding } = tag.unwrap_or_default();
    if let Some(frames) = frames.filter(|&frames| frames as usize != packets.len()) {
        let expected = format!("{frames} frames, as its tag says");
        let advice = "is the file complete?";
        return Err(Error::damaged("mp3", expected, packets.len(), path.display(), advice));
    }
    let samples = (packets.len() as u64 * each).saturating_sub(delay + padding);
    let header = Header { rate, channels, samples };
    Ok(Track { header, codec: Codec::Mp3, bytes, packets, skip: delay })
}

/// What a first frame without sound says of the others.
#[derive(Default)]
struct Tag {
    frames: Option<u32>,
    /// Samples to be cut before and behind.
    delay: u64,
    padding: u64,
}

impl Tag {
    fn read(data: &[u8], frame: &Frame) -> Option<Self> {
        // Fraunhofer's tag counts frames in a way of its own.
        if data.get(36..40) == Some(b"VBRI") {
            return Some(Self::default());
        }
        let mut rest = data.get(4 + frame.side..)?;
        let mut take = |count: usize| {
            let (taken, behind) = rest.split_at_checked(count)?;
            rest = behind;
            Some(taken)
        };
        if ![b"Xing", b"Info"].contains(&take(4)?.first_chunk()?) {
            return None;
        }
        let flags = take(4)?[3];
        let frames = match flags & 1 {
            0 => None,
            _ => Some(u32::from_be_bytes(*take(4)?.first_chunk()?)),
        };
        // Bytes, places for seeking, quality.
        for (flag, size) in [(2, 4), (4, 100), (8, 4)] {
            if flags & flag != 0 {
                take(size)?;
            }
        }
        let made_by = take(21).unwrap_or_default();
        let cut = take(3).filter(|_| {
            ["LAME", "Lavf", "Lavc"].iter().any(|by| made_by.starts_with(by.as_bytes()))
        });
        let (delay, padding) = match cut {
            Some(&[a, b, c]) => {
                let delay = u64::from(a) << 4 | u64::from(b) >> 4;
                let padding = (u64::from(b) & 15) << 8 | u64::from(c);
                (delay + DECODER, padding.saturating_sub(DECODER))
            }
            _ => (0, 0),
        };
        Some(Self { frames, delay, padding })
    }
}
