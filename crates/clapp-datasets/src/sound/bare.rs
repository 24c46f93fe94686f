//! A FLAC file without what stands around its sound.
//!
//! Tags, pictures and cue sheets have lengths of their own, up to 4 GB, and symphonia asks for as much memory as they say before it
//! reads them. They are of no use here, so it does not meet them; nor tags of ID3 in front of the file, which it refuses, and tags
//! behind it, which it takes for a part of the last frame, which then has another checksum.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};

use symphonia_core::io::MediaSource;

/// Marker, the head of a last block of 34 bytes, the description of the stream.
pub(super) const FRONT: usize = 42;

/// Front and frames of a file.
#[derive(Debug)]
pub(super) struct Bare {
    file: File,
    front: [u8; FRONT],
    /// Where the frames begin in the file.
    frames: u64,
    /// Of the file.
    bytes: u64,
    /// Place in what is shown.
    at: u64,
}

impl Bare {
    pub fn new(mut file: File) -> Result<Self> {
        let bytes = file.metadata()?.len();
        let wrong = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
        let (mut at, mut head) = (behind_id3(&mut file)?, [0; 4]);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut head)?;
        if head != *b"fLaC" {
            return Err(wrong("a file that does not begin as FLAC does"));
        }
        at += 4;
        let mut front = [0; FRONT];
        front[..8].copy_from_slice(b"fLaC\x80\0\0\x22");
        let (mut described, mut last) = (false, false);
        while !last {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut head)?;
            let [kind, a, b, c] = head;
            let size = u64::from(u32::from_be_bytes([0, a, b, c]));
            if kind & 0x7f == 0 && size == 34 {
                file.read_exact(&mut front[8..])?;
                described = true;
            }
            (last, at) = (kind & 0x80 != 0, at + 4 + size);
        }
        if !described {
            return Err(wrong("no description of the samples"));
        }
        let bytes = without_tags(&mut file, at, bytes)?;
        if at + 2 > bytes {
            return Err(wrong("no frame of sound"));
        }
        // Frames are numbered as their first bytes say. Not all programs keep to what the description has to say then: equal
        // sizes, the smallest and the largest, if frames are counted, and unequal ones if samples are.
        let mut sync = [0; 2];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut sync)?;
        let largest = [front[10], front[11]];
        let smallest = if sync[1] & 1 == 0 { largest } else { [0, 16] };
        front[8..10].copy_from_slice(&smallest);
        Ok(Self { file, front, frames: at, bytes, at: 0 })
    }

    /// Bytes that are shown.
    pub fn len(&self) -> u64 {
        self.bytes - self.frames + FRONT as u64
    }
}

/// Where a file goes on behind the tags of ID3 at its beginning.
pub(super) fn behind_id3(file: &mut (impl Read + Seek)) -> Result<u64> {
    let (mut at, mut head) = (0, [0; 10]);
    loop {
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut head)?;
        let [b'I', b'D', b'3', _, _, flags, size @ ..] = head else { return Ok(at) };
        // Seven bits of a byte count; a foot is as long as the head and not counted.
        let size = size.iter().fold(0, |sum, &byte| sum << 7 | u64::from(byte & 0x7f));
        at += 10 + size + if flags & 0x10 == 0 { 0 } else { 10 };
    }
}

/// The length of a file without tags of APE and ID3 at its end.
pub(super) fn without_tags(
    file: &mut (impl Read + Seek),
    frames: u64,
    mut bytes: u64,
) -> Result<u64> {
    let mut end = |bytes: u64, size: u64| -> Result<Vec<u8>> {
        let from = bytes.saturating_sub(size).max(frames.min(bytes));
        let mut end = vec![0; (bytes - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut end)?;
        Ok(end)
    };
    let id3 = end(bytes, 128)?;
    if id3.starts_with(b"TAG") && id3.len() == 128 {
        bytes -= 128;
    }
    let ape = end(bytes, 32)?;
    if ape.starts_with(b"APETAGEX") && ape.len() == 32 {
        let size = u32::from_le_bytes([ape[12], ape[13], ape[14], ape[15]]);
        // The highest bit: a head of 32 bytes, which the size leaves out.
        let head = 32 * u64::from(ape[23] >> 7);
        bytes = bytes.saturating_sub(u64::from(size) + head).max(frames);
    }
    Ok(bytes)
}

impl Read for Bare {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let read = if self.at < FRONT as u64 {
            (&self.front[self.at as usize..]).read(into)?
        } else {
            self.file.seek(SeekFrom::Start(self.frames + self.at - FRONT as u64))?;
            let left = self.len().saturating_sub(self.at);
            (&mut self.file).take(left).read(into)?
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Bare {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
        };
        self.at = place.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl MediaSource for Bare {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}
