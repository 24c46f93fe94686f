//! One prepared clip: its frames as JPEG in one file, with an index and checksums.
//!
//! | offset | bytes | content, little endian |
//! |---|---|---|
//! | 0 | 8 | `CLAPPCLP` |
//! | 8 | 4 | version: 2 |
//! | 12 | 4 | frames n |
//! | 16 | 4 | rows |
//! | 20 | 4 | columns |
//! | 24 | 8 | digest of the source: the beginning of its SHA-256 |
//! | 32 | 8·n | length and CRC-32 of every frame |
//! | 32 + 8·n | 4 | CRC-32 of everything before |
//! | 36 + 8·n | | the JPEG files one after another |
//!
//! Why JPEG: raw frames of UCF-101 take 570 GB, these about 25, and decoding a frame takes under half a
//! millisecond. Why one file a clip: 13 320 files instead of 2.5 million, and a clip is read from one
//! place. Why a checksum a frame: a reader wants 54 of 166 frames and shall check what it reads.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::video::{Frame, jpeg};

const MAGIC: &[u8; 8] = b"CLAPPCLP";
const VERSION: u32 = 2;
const FIXED: usize = 32;

/// The beginning of a prepared clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) dims: [usize; 2],
    pub(crate) source: u64,
    frames: Vec<Packed>,
}

/// Where a frame lies and what its bytes sum up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    offset: u64,
    length: u32,
    checksum: u32,
}

impl Header {
    /// The number of frames.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }
}

/// A clip that is being prepared, in memory: some megabytes.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    index: Vec<u8>,
    jpegs: Vec<u8>,
    frames: u32,
}

impl Packer {
    pub(crate) fn push(&mut self, jpeg: &[u8]) {
        let length = u32::try_from(jpeg.len()).expect("a frame is smaller than 4 GB");
        self.index.extend(length.to_le_bytes());
        self.index.extend(crc32fast::hash(jpeg).to_le_bytes());
        self.jpegs.extend_from_slice(jpeg);
        self.frames += 1;
    }

    /// The whole file.
    pub(crate) fn finish(self, dims: [usize; 2], source: u64) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let [height, width] = dims.map(|side| side as u32); // a JPEG's sides are below 65536
        for number in [VERSION, self.frames, height, width] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(source.to_le_bytes());
        bytes.extend(self.index);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.extend(self.jpegs);
        bytes
    }
}

/// An open prepared clip.
#[derive(Debug)]
pub(crate) struct ClipFile {
    path: PathBuf,
    file: File,
    pub(crate) header: Header,
}

impl ClipFile {
    /// Opens a clip and checks its index and its length; `None` if there is no such file.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Error> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|source| Error::io("open", path, source))?,
        };
        let header = read_header(&mut file, path)?;
        Ok(Some(Self { path: path.to_owned(), file, header }))
    }

    /// Reads one frame's JPEG into `bytes` and compares its checksum.
    pub(crate) fn jpeg(&mut self, frame: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let Packed { offset, length, checksum } = self.header.frames[frame];
        bytes.resize(length as usize, 0);
        let mut read = || {
            self.file.seek(SeekFrom::Start(offset))?;
            self.file.read_exact(bytes)
        };
        read().map_err(|source| Error::io("read", &self.path, source))?;
        match crc32fast::hash(bytes) {
            got if got == checksum => Ok(()),
            got => {
                let expected = format!("checksum {checksum:08x} of frame {frame}");
                Err(damaged(&self.path, expected, format!("{got:08x}")))
            }
        }
    }

    /// Decodes one frame; `bytes` is working memory.
    pub(crate) fn frame(
        &mut self,
        frame: usize,
        bytes: &mut Vec<u8>,
        into: &mut Frame,
    ) -> Result<(), Error> {
        self.jpeg(frame, bytes)?;
        jpeg::decode(bytes, into)
            .map_err(|got| damaged(&self.path, format!("frame {frame} as JPEG"), got))?;
        let ([height, width], got) = (self.header.dims, into.dims());
        if got != [height, width] {
            let expected = format!("frame {frame} of {height}×{width}");
            return Err(damaged(&self.path, expected, format!("{}×{}", got[0], got[1])));
        }
        Ok(())
    }
}

/// A prepared clip is damaged, cut short or from another version of this program.
pub(crate) fn damaged(
    path: &Path,
    expected: impl std::fmt::Display,
    got: impl std::fmt::Display,
) -> Error {
    let advice = "remove the file and prepare again";
    Error::damaged("prepared clip", expected, got, path.display(), advice)
}

fn read_header(file: &mut File, path: &Path) -> Result<Header, Error> {
    let io = |source| Error::io("read", path, source);
    let total = file.metadata().map_err(io)?.len();
    let mut bytes = vec![0; FIXED];
    if total < FIXED as u64 {
        return Err(damaged(path, format!("at least {FIXED} bytes"), format!("{total}")));
    }
    file.read_exact(&mut bytes).map_err(io)?;
    if bytes[..8] != *MAGIC {
        return Err(damaged(path, "a prepared clip", "another kind of file"));
    }
    let word = |bytes: &[u8], at: usize| {
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    };
    if word(&bytes, 8) != VERSION {
        return Err(damaged(path, format!("version {VERSION}"), word(&bytes, 8).to_string()));
    }
    let count = word(&bytes, 12) as usize;
    let start = FIXED as u64 + 8 * count as u64 + 4;
    if total < start {
        return Err(damaged(path, format!("{start} bytes of index"), total.to_string()));
    }
    bytes.resize(FIXED + 8 * count + 4, 0); // no more than the file is long
    file.read_exact(&mut bytes[FIXED..]).map_err(io)?;
    let (body, checksum) = bytes.split_at(FIXED + 8 * count);
    if crc32fast::hash(body) != word(checksum, 0) {
        return Err(damaged(path, "an index that fits its checksum", "another"));
    }
    let mut offset = start;
    let frames = body[FIXED..].chunks_exact(8).map(|entry| {
        let packed = Packed { offset, length: word(entry, 0), checksum: word(entry, 4) };
        offset += u64::from(packed.length);
        packed
    });
    let frames: Vec<Packed> = frames.collect();
    if offset != total {
        return Err(damaged(path, format!("{offset} bytes"), total.to_string()));
    }
    let dims = [word(body, 16) as usize, word(body, 20) as usize];
    let source = u64::from(word(body, 24)) | u64::from(word(body, 28)) << 32;
    Ok(Header { dims, source, frames })
}
