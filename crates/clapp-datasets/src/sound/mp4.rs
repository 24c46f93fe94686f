//! MP4: one track of AAC-LC, and where its packets lie.

use std::ops::Range;
use std::path::Path;

use super::boxes::{Boxes, behind};
use super::decode::Header;
use super::lossy::{Codec, Track};
use crate::Error;

/// Samples of a packet of AAC-LC.
const PACKET: u64 = 1_024;
/// Rates by their number in a configuration.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

pub(super) fn parse(bytes: Vec<u8>, path: &Path) -> Result<Track, Error> {
    let boxes = Boxes { bytes: &bytes, path };
    let whole = 0..bytes.len();
    if bytes.get(4..8) != Some(b"ftyp") {
        return Err(boxes.broken("a file that does not begin as MP4 does"));
    }
    if boxes.find(&whole, b"moof")?.is_some() {
        return Err(boxes.unread("fragments"));
    }
    let movie = boxes.inner(&whole, &[b"moov"])?;
    let mut sounds = Vec::new();
    for (_, track) in boxes.within(&movie)?.into_iter().filter(|(kind, _)| kind == b"trak") {
        let handler = boxes.inner(&track, &[b"mdia", b"hdlr"])?;
        if boxes.number(&handler, 8, 4)? == u64::from(u32::from_be_bytes(*b"soun")) {
            sounds.push(track);
        }
    }
    let [track] = &sounds[..] else {
        return Err(boxes.unread(&format!("{} tracks of sound", sounds.len())));
    };
    let media = boxes.inner(track, &[b"mdia"])?;
    let table = boxes.inner(&media, &[b"minf", b"stbl"])?;
    let (configuration, rate, channels) = boxes.description(&table)?;
    // A scale or packets of twice the length are those of a half that is made up.
    let scale = boxes.scale(&boxes.inner(&media, &[b"mdhd"])?)?;
    if scale != u64::from(rate) {
        return Err(boxes.unread(&format!("AAC of {rate} Hz in times of {scale} Hz")));
    }
    let packets = boxes.packets(&table)?;
    let total = boxes.duration(&table, packets.len() as u64)?;
    let (skip, length) = boxes.edit(&movie, track, rate)?;
    let samples = total.saturating_sub(skip).min(length);
    let header = Header { rate, channels, samples };
    Ok(Track { header, codec: Codec::Aac(configuration), packets, skip, bytes })
}

impl Boxes<'_> {
    /// The configuration of the decoder, and the rate and channels in it.
    fn description(&self, table: &Range<usize>) -> Result<(Vec<u8>, u32, usize), Error> {
        let described = self.inner(table, &[b"stsd"])?;
        // Version, flags, a number of entries.
        let entries = self.within(&behind(&described, 8))?;
        let [(kind, entry)] = &entries[..] else {
            return Err(self.unread(&format!("{} descriptions of its sound", entries.len())));
        };
        match kind {
            b"mp4a" => {}
            b"alac" => return Err(self.unread("ALAC")),
            b"enca" | b"drms" => return Err(self.unread("protected sound")),
            kind => return Err(self.unread(&format!("sound of kind \"{}\"", kind.escape_ascii()))),
        }
        if self.number(entry, 8, 2)? != 0 {
            return Err(self.unread("a description of QuickTime"));
        }
        let stream = self.inner(&behind(entry, 28), &[b"esds"])?;
        let mut rest = self.bytes[stream].get(4..).unwrap_or_default();
        // One within the other: the stream, its decoder, what that has to know.
        let mut kind = 0;
        for (tag, head) in [(3, 3), (4, 13), (5, 0)] {
            let content = descriptor(rest, tag).and_then(|content| content.split_at_checked(head));
            let (head, content) = content.ok_or_else(|| self.broken("no description of AAC"))?;
            if tag == 4 {
                kind = head[0];
            }
            rest = content;
        }
        let &[a, b, ref extension @ ..] = rest else {
            return Err(self.broken("no description of AAC"));
        };
        let (object, rate, channels) = (a >> 3, (a & 7) << 1 | b >> 7, b >> 3 & 15);
        // Behind the configuration may stand that there is more to it.
        let upper = matches!(extension, [0x56, 0xe5, flags, ..] if flags & 0x80 != 0);
        let found = match (kind, object) {
            (0x40, 2) if upper => "HE-AAC".to_owned(),
            (0x40, 2) if b & 7 != 0 => "AAC of other packets than of 1024 samples".to_owned(),
            (0x40, 2) if matches!(channels, 1 | 2) => String::new(),
            (0x40, 2) => format!("AAC of channel configuration {channels}"),
            (0x40, 5 | 29) => "HE-AAC".to_owned(),
            (0x40, object) => format!("AAC of object type {object}"),
            (kind, _) => format!("sound of object type {kind:#04x}"),
        };
        match RATES.get(usize::from(rate)) {
            Some(&rate) if found.is_empty() => Ok((rest.to_vec(), rate, channels.into())),
            None if found.is_empty() => Err(self.unread("AAC of a rate of its own")),
            _ => Err(self.unread(&found)),
        }
    }

    /// Where the packets lie.
    fn packets(&self, table: &Range<usize>) -> Result<Vec<Range<usize>>, Error> {
        let of = self.inner(table, &[b"stsz"])?;
        let sizes = match self.number(&of, 4, 4)? {
            0 => self.rows(&of, 8, 4)?,
            // Not more than there is room for, whatever the number says.
            size => {
                let count = self.number(&of, 8, 4)?;
                vec![size; count.min(self.bytes.len() as u64 / size + 1) as usize]
            }
        };
        let chunks = match self.find(table, b"stco")? {
            Some(of) => self.rows(&of, 4, 4)?,
            None => self.rows(&self.inner(table, &[b"co64"])?, 4, 8)?,
        };
        // From which chunk on there are how many packets in each.
        let of = self.inner(table, &[b"stsc"])?;
        let (count, mut row, mut each) = (self.number(&of, 4, 4)?, 0, 0);
        let (mut sizes, mut packets, mut sum) = (sizes.into_iter(), Vec::new(), 0);
        for (chunk, mut at) in (1..).zip(chunks) {
            while row < count && self.number(&of, 8 + 12 * row as usize, 4)? <= chunk {
                each = self.number(&of, 12 + 12 * row as usize, 4)?;
                row += 1;
            }
            for size in sizes.by_ref().take(each as usize) {
                let end = at.checked_add(size).filter(|&end| end <= self.bytes.len() as u64);
                sum += size;
                let end = end.filter(|_| size > 0 && sum <= self.bytes.len() as u64);
                let end = end.ok_or_else(|| self.broken("packets beyond the end of the file"))?;
                packets.push(at as usize..end as usize);
                at = end;
            }
        }
        match sizes.next() {
            Some(_) => Err(self.broken("packets in no chunk")),
            None => Ok(packets),
        }
    }

    /// Samples of all packets; the last one may have fewer than the others.
    fn duration(&self, table: &Range<usize>, packets: u64) -> Result<u64, Error> {
        let of = self.inner(table, &[b"stts"])?;
        let (mut counted, mut total) = (0, 0);
        for run in self.rows(&of, 4, 8)? {
            let (count, each) = (run >> 32, run & 0xffff_ffff);
            let last = count == 1 && counted + 1 == packets;
            if each != PACKET && !(last && each < PACKET) {
                return Err(self.unread(&format!("packets of {each} samples")));
            }
            (counted, total) = (counted + count, total + count * each);
        }
        match counted == packets {
            true => Ok(total),
            false => Err(self.broken(&format!("times of {counted} packets and {packets} packets"))),
        }
    }

    /// Samples before the first that is heard, and how many are.
    fn edit(
        &self,
        movie: &Range<usize>,
        track: &Range<usize>,
        rate: u32,
    ) -> Result<(u64, u64), Error> {
        let Some(edits) = self.find(track, b"edts")? else { return Ok((0, u64::MAX)) };
        let of = self.inner(&edits, &[b"elst"])?;
        let wide = if self.number(&of, 0, 1)? == 0 { 4 } else { 8 };
        let (count, length) = (self.number(&of, 4, 4)?, self.number(&of, 8, wide)?);
        let (start, speed) =
            (self.number(&of, 8 + wide, wide)?, self.number(&of, 8 + 2 * wide, 4)?);
        // The highest bit: an edit of silence.
        if count != 1 || start >> (8 * wide - 1) != 0 || speed != 1 << 16 {
            return Err(self.unread("edits"));
        }
        let scale = self.scale(&self.inner(movie, &[b"mvhd"])?)?.max(1);
        let samples = (u128::from(length) * u128::from(rate)).div_ceil(scale.into());
        Ok((start, if length == 0 { u64::MAX } else { samples.min(u64::MAX.into()) as u64 }))
    }
}

/// What a descriptor of this tag holds; seven bits of a byte are of its length, and one says that more follow.
fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, mut rest) = bytes.split_first()?;
    let mut length = 0;
    loop {
        let (byte, behind) = rest.split_first()?;
        (length, rest) = (length << 7 | usize::from(byte & 0x7f), behind);
        if byte & 0x80 == 0 || length > bytes.len() {
            break;
        }
    }
    rest.get(..length).filter(|_| *found == tag)
}
