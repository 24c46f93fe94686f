//! Event files that TensorBoard reads: records of TensorFlow (TFRecord) that hold messages of Protocol Buffers, of which a
//! few fields are all that scalars, histograms and pictures need.
//!
//! ```text
//! record    length: u64, crc(length): u32, message, crc(message): u32       little-endian
//! Event     1 wall_time: double, 2 step: int64, 3 file_version: string, 5 summary: Summary
//! Summary   1 value: Value …
//! Value     1 tag: string, 2 simple_value: float, 4 image: Image, 5 histo: HistogramProto
//! Image     1 height: int32, 2 width: int32, 3 colorspace: int32, 4 encoded_image_string: bytes
//! Histogram 1 min, 2 max, 3 num, 4 sum, 5 sum_squares: double, 6 bucket_limit, 7 bucket: double …
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use clapp::{
    Error,
    store::{self, Checkpoint},
};

use super::{
    entry::Entry,
    files::{Drawn, file_name, unlike},
};

/// The one file of each folder: TensorBoard looks for the middle of it.
const FILE: &str = "events.out.tfevents.clapp";

/// Bars of a histogram.
const BARS: usize = 64;

/// Writes `NAME/seed-N` for the metrics of each run and seed and for the weights of its checkpoints, and `figures` for all
/// figures.
pub(super) fn write(folder: &Path, entries: &[Entry], figures: &[Drawn<'_>]) -> Result<(), Error> {
    // Names become folders of this one, whatever is in them.
    let mut names = BTreeSet::from(["figures".to_owned()]);
    for entry in entries {
        let name = unlike(&file_name(&entry.name), &mut names);
        // Steps have no times of their own: that of the last one.
        let written = fs::metadata(entry.folder.join("metrics.jsonl")).and_then(|of| of.modified());
        let since = written.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let time = since.as_ref().map_or(0.0, Duration::as_secs_f64);
        let mut seeds: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for metrics in &entry.metrics {
            let events = seeds.entry(metrics.seed).or_insert_with(|| first(time));
            let from = metrics.only.unwrap_or(1);
            let known = [
                ("loss", &metrics.loss, from),
                ("open gates", &metrics.open_gates, from),
                ("accuracy", &metrics.accuracy, from),
                ("early look", &metrics.look, 1),
            ];
            let other = metrics.other.iter().map(|(name, values)| (name.as_str(), values, from));
            let mut summary = Vec::new();
            for (name, values, from) in known.into_iter().chain(other) {
                for (layer, &value) in (from..).zip(values) {
                    let mut one = bytes(1, format!("{name}/layer {layer}").as_bytes());
                    one.push(key(2, 5));
                    one.extend((value as f32).to_le_bytes());
                    summary.extend(bytes(1, &one));
                }
            }
            events.extend(event(time, metrics.step, &bytes(5, &summary)));
        }
        for (_, path) in Checkpoint::list(&entry.folder)? {
            let checkpoint = Checkpoint::load(path)?;
            let index = checkpoint.progress["seed_index"].as_u64().unwrap_or_default() as usize;
            let Some(seed) = entry.settings["seeds"][index].as_u64() else { continue };
            let events = seeds.entry(seed).or_insert_with(|| first(time));
            events.extend(event(time, checkpoint.step, &bytes(5, &weights(&checkpoint))));
        }
        for (seed, events) in seeds {
            put(&folder.join(&name).join(format!("seed-{seed}")), &events)?;
        }
    }
    let (mut events, step) = (first(0.0), entries.iter().map(|entry| entry.step).max());
    for Drawn { name, size: [width, height], png, .. } in figures {
        let sides = [(1, *height), (2, *width), (3, 3)];
        let mut image: Vec<u8> =
            sides.iter().flat_map(|&(field, n)| number(field, n as u64)).collect();
        image.extend(bytes(4, png));
        let value = [bytes(1, name.as_bytes()), bytes(4, &image)].concat();
        events.extend(event(0.0, step.unwrap_or_default(), &bytes(5, &bytes(1, &value))));
    }
    put(&folder.join("figures"), &events)
}

/// A histogram of every tensor that is learnt: neither statistics of activities nor what an optimizer remembers.
fn weights(checkpoint: &Checkpoint) -> Vec<u8> {
    let other = ["mean", "variance", "first", "second", "steps"];
    let mut summary = Vec::new();
    for (name, tensor) in &checkpoint.tensors {
        let values = tensor.values::<f32>().filter(|values| !values.is_empty());
        let (Some(values), Some((layer, of))) = (values, name.split_once('.')) else { continue };
        if !other.iter().any(|other| of.ends_with(other)) {
            let value = [bytes(1, format!("{of}/{layer}").as_bytes()), bytes(5, &bars(&values))];
            summary.extend(bytes(1, &value.concat()));
        }
    }
    summary
}

/// A message of a histogram with bars of equal width.
fn bars(values: &[f32]) -> Vec<u8> {
    let values = || values.iter().map(|&value| f64::from(value));
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(f64::NEG_INFINITY, f64::max);
    let width = (most - least) / BARS as f64;
    let mut counts = [0.0; BARS];
    for value in values() {
        // All equal: one bar, where 0 / 0 becomes 0.
        counts[(((value - least) / width) as usize).min(BARS - 1)] += 1.0;
    }
    let limits = (1..=BARS).map(|bar| least + width * bar as f64);
    let sums =
        [least, most, values().count() as f64, values().sum(), values().map(|v| v * v).sum()];
    let one = |(field, sum): (u8, f64)| [vec![key(field, 1)], sum.to_le_bytes().to_vec()].concat();
    let packed =
        |of: &mut dyn Iterator<Item = f64>| of.flat_map(f64::to_le_bytes).collect::<Vec<_>>();
    let mut message: Vec<u8> = (1..).zip(sums).flat_map(one).collect();
    message.extend(bytes(6, &packed(&mut limits.into_iter())));
    message.extend(bytes(7, &packed(&mut counts.into_iter())));
    message
}

fn put(folder: &Path, events: &[u8]) -> Result<(), Error> {
    store::write_folder(folder, &|name| name == FILE, |folder| {
        Ok(store::write_atomically(folder.join(FILE), |file| file.write_all(events))?)
    })
}

/// What every file begins with.
fn first(time: f64) -> Vec<u8> {
    event(time, 0, &bytes(3, b"brain.Event:2"))
}

/// A record of an event with `what` in it.
fn event(time: f64, step: u64, what: &[u8]) -> Vec<u8> {
    let mut message = vec![key(1, 1)];
    message.extend(time.to_le_bytes());
    message.extend(number(2, step));
    message.extend(what);
    let length = (message.len() as u64).to_le_bytes();
    let check = |bytes: &[u8]| masked(crc(bytes)).to_le_bytes();
    [&length[..], &check(&length), &message, &check(&message)].concat()
}

/// What a field begins with; kinds are 0 for a number, 1 and 5 for 8 and 4 bytes, 2 for a length and bytes.
fn key(field: u8, kind: u8) -> u8 {
    field << 3 | kind
}

fn number(field: u8, value: u64) -> Vec<u8> {
    [vec![key(field, 0)], varint(value)].concat()
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    [vec![key(field, 2)], varint(content.len() as u64), content.to_vec()].concat()
}

/// Seven bits a byte, the lowest first; the eighth says that there are more.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// CRC-32C (Castagnoli), bit by bit: the files are small.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// As records hold checksums, because a checksum of a checksum would say little.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_numbers_are_those_of_their_specifications() {
        // RFC 3720, B.4, and the check value of CRC-32C.
        assert_eq!([crc(&[0; 32]), crc(b"123456789")], [0x8a91_36aa, 0xe306_9283]);
        // https://protobuf.dev/programming-guides/encoding
        assert_eq!(number(1, 150), [0x08, 0x96, 0x01]);
        assert_eq!(bytes(2, b"testing"), b"\x12\x07testing");
        let event = first(0.0);
        assert_eq!(event.len(), 8 + 4 + 9 + 2 + 15 + 4);
        assert_eq!(&event[8..12], &masked(crc(&event[..8])).to_le_bytes());
    }
}
