//! Ogg: pages with a checksum and a number each, which hold packets of Vorbis.

use std::path::Path;

use symphonia_core::checksum::Crc32;
use symphonia_core::io::Monitor;

use super::decode::{Header, failed};
use super::lossy::{Codec, Decoder, Track};
use super::other;
use crate::Error;

const OGG: &str = "ogg";
/// Bytes of a page before the lengths of its segments.
const HEAD: usize = 27;
/// The most samples that a packet makes: half of the longest block.
const MOST: u64 = 4_096;
/// The beginnings of first packets.
const CODECS: [(&[u8], &str); 5] = [
    (b"OpusHead", "Opus"),
    (b"\x7fFLAC", "FLAC"),
    (b"Speex   ", "Speex"),
    (b"\x80theora", "video"),
    (b"fishead\0", "several streams"),
];

pub(super) fn parse(mut bytes: Vec<u8>, path: &Path) -> Result<Track, Error> {
    let broken = |got: &str| failed(OGG, path, &got);
    let unread = |what: &str| other::refused(&format!("Ogg with {what}"), path);
    let (mut at, mut numbered, mut ended) = (0, 0, false);
    // Bodies of pages move to the front, where packets are whole.
    let (mut kept, mut begun, mut packets) = (0, 0, Vec::new());
    let (mut stream, mut opening, mut last) = (0, None, 0);
    while at < bytes.len() {
        let page = Page::read(&bytes[at..]).map_err(|what| match at {
            0 => broken("a file that does not begin as Ogg does"),
            _ => broken(&format!("{what} at byte {at}")),
        })?;
        let Page { flags, position, serial, number, sizes, bytes: size } = page;
        if at == 0 {
            (stream, numbered) = (serial, number);
        } else if flags & 2 != 0 || serial != stream {
            return Err(unread("several streams"));
        }
        if ended || number != numbered {
            return Err(broken(&format!("a page that is missing before byte {at}")));
        }
        numbered = number.wrapping_add(1);
        ended = flags & 4 != 0;
        let body = at + HEAD + sizes.len();
        let mut place = kept;
        for segment in &sizes {
            place += usize::from(*segment);
            if *segment < 255 {
                packets.push(begun..place);
                begun = place;
            }
        }
        bytes.copy_within(body..at + size, kept);
        if at == 0 && !bytes[..place].starts_with(b"\x01vorbis") {
            let found = CODECS.iter().find(|(start, _)| bytes[..place].starts_with(start));
            return Err(unread(found.map_or("a codec that is not known", |(_, name)| name)));
        }
        (kept, at) = (place, at + size);
        // A page on which no packet ends has no position.
        if position != u64::MAX {
            last = position;
            if packets.len() > 3 {
                opening.get_or_insert((packets.len() - 3, position, ended));
            }
        }
    }
    if !ended || begun != kept {
        return Err(broken("no last page"));
    }
    let Some((count, position, only)) = opening else { return Err(broken("no packet of sound")) };
    let [first, setup] = [&packets[0], &packets[2]].map(|at| &bytes[at.clone()]);
    let Some(&[channels, a, b, c, d]) = first.get(11..16) else {
        return Err(broken("a description that is too short"));
    };
    let (codec, channels) = (Codec::Vorbis([first, setup].concat()), usize::from(channels));
    packets.drain(..3);
    let (mut skip, mut late) = (0, 0);
    if channels == 1 && !only {
        // The first page tells where its end is: what is made beyond is cut before, what is missing was never there.
        let (mut decoder, mut made) = (Decoder::new(&codec, OGG, path)?, 0);
        for packet in &packets[..count] {
            made += decoder.decode(&bytes[packet.clone()])?.len() as u64;
        }
        (skip, late) = (made.saturating_sub(position), position.saturating_sub(made));
    }
    let samples = last.checked_sub(late).filter(|&s| s <= packets.len() as u64 * MOST);
    let samples = samples.ok_or_else(|| broken("positions beyond what its packets hold"))?;
    let header = Header { rate: u32::from_le_bytes([a, b, c, d]), channels, samples };
    Ok(Track { header, codec, bytes, packets, skip })
}

struct Page {
    /// 2: the first of a stream, 4: the last.
    flags: u8,
    /// Samples of the stream up to its end.
    position: u64,
    serial: u32,
    number: u32,
    /// Of segments; one of less than 255 bytes ends a packet.
    sizes: Vec<u8>,
    /// Of the page.
    bytes: usize,
}

impl Page {
    fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let head = bytes.first_chunk::<HEAD>().ok_or("a page that is cut")?;
        if !head.starts_with(b"OggS\0") {
            return Err("no page");
        }
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let sizes = bytes.get(HEAD..HEAD + usize::from(head[26])).ok_or("a page that is cut")?;
        let size = HEAD + sizes.len() + sizes.iter().map(|&size| usize::from(size)).sum::<usize>();
        let page = bytes.get(..size).ok_or("a page that is cut")?;
        // The sum is taken with zeros in its own place.
        let mut sum = Crc32::new(0);
        [&page[..22], &[0; 4], &page[26..]]
            .into_iter()
            .for_each(|part| sum.process_buf_bytes(part));
        if sum.crc() != word(22) {
            return Err("a page whose checksum is another one");
        }
        let position = u64::from(word(6)) | u64::from(word(10)) << 32;
        let (serial, number, sizes) = (word(14), word(18), sizes.to_vec());
        Ok(Self { flags: head[5], position, serial, number, sizes, bytes: size })
    }
}
