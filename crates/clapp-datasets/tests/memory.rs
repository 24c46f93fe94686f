//! What a header claims is not what a reader asks memory for. Alone in its program, whose allocations it counts.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod sound_files;

use std::fs;
use std::path::Path;

use clapp_datasets::sound::{Check, IndexCache, OpenOptions, SpeechFiles};
use clapp_datasets::video::{ClipList, Preparation, prepare};
use clapp_datasets::{Error, Folder, OnBad};
use image::{ExtendedColorType, ImageEncoder};
use sound_files::{flac, steps, wav};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Beside twice the file, whatever it says.
const LEAST: usize = 64 << 20;

/// The most bytes that were taken at a time.
fn peak(run: impl FnOnce()) -> usize {
    let _profiler = dhat::Profiler::builder().testing().build();
    run();
    dhat::HeapStats::get().max_bytes
}

/// Opens a file alone in its folder, which is refused with its name.
fn refused<T>(name: &str, bytes: &[u8], open: impl Fn(&Path) -> Result<T, Error>) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("class").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    let mut said = None;
    let taken = peak(|| said = open(root.path()).err().map(|error| error.to_string()));
    let said = said.unwrap_or_else(|| panic!("{name}: expected an error"));
    assert!(said.contains(&root.path().display().to_string()), "{said}");
    assert!(taken < LEAST + 2 * bytes.len(), "{name}, {} bytes: {taken}; {said}", bytes.len());
}

/// The beginning of a PNG of gray pixels.
fn png(width: u32, height: u32) -> Vec<u8> {
    let chunk = |name: &[u8], body: &[u8]| {
        let named = [name, body].concat();
        let (size, sum) = (body.len() as u32, crc32fast::hash(&named));
        [&size.to_be_bytes()[..], &named, &sum.to_be_bytes()].concat()
    };
    let described = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &described), &chunk(b"IDAT", &[])].concat()
}

#[test]
fn no_header_takes_more_than_its_file_justifies() {
    let mut photographs = vec![
        ("a.ppm", b"P6 60000 60000 255\n\0".to_vec()),
        ("b.pgm", b"P2 4000000000 4000000000 65535\n1".to_vec()),
        ("c.pbm", b"P4 60000 60000\n\0".to_vec()),
        ("d.png", png(60_000, 60_000)),
        ("e.png", png(u32::MAX >> 1, 1)),
        ("f.gif", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;".to_vec()),
        ("g.webp", b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\xff\xff\xff\x0f\0".to_vec()),
    ];
    // A whole picture of one gray, which packs well: 80 million pixels.
    let mut bomb = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bomb);
    encoder.write_image(&vec![0; 9_000 * 9_000], 9_000, 9_000, ExtendedColorType::L8).unwrap();
    photographs.push(("h.png", bomb));
    let small = image::RgbImage::new(16, 16);
    let encoded = |format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        small.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let mut jpeg = encoded(image::ImageFormat::Jpeg);
    let size = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap() + 5;
    jpeg[size..size + 4].fill(0xff);
    photographs.push(("i.jpg", jpeg));
    let mut bmp = encoded(image::ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[[0x60, 0xea, 0, 0]; 2].concat());
    photographs.push(("j.bmp", bmp));
    // Six million values in a file of 26 bytes, in each order of bytes.
    photographs
        .push(("k.tif", b"II*\0\x08\0\0\0\x01\0\x06\x01\x03\0\x80\x8d\x5b\0\0\0\0\0".to_vec()));
    photographs
        .push(("l.tif", b"MM\0*\0\0\0\x08\0\x01\x01\x06\0\x03\0\x5b\x8d\x80\0\0\0\0".to_vec()));
    for (name, bytes) in &photographs {
        refused(name, bytes, |root| Folder::open(root, 4));
    }

    let cache = IndexCache::Nowhere;
    let options = OpenOptions { cache, check: Check::Samples, ..OpenOptions::default() };
    let mut long = wav(&steps(500, 0), 16_000, 1);
    long[40..44].copy_from_slice(&[0xfe, 0xff, 0xff, 0x6f]);
    let mut many = flac(&steps(5_000, 0), 16_000, 1);
    many[21] |= 0x0f;
    let mut blocks = flac(&steps(5_000, 0), 16_000, 1);
    blocks[8..12].fill(0xff);
    blocks[12..18].fill(0xff);
    blocks.truncate(5_000);
    // A picture of 16 MB before the sound.
    let mut cover = flac(&steps(5_000, 0), 16_000, 1);
    cover[4] = 0;
    cover.splice(42..42, [0x86, 0xff, 0xff, 0xff, 0]);
    // As many packets as a number can say, of one size and of sizes of their own; as many frames.
    let with = |bytes: &[u8], name: &[u8], behind: usize, value: [u8; 8]| {
        let at = bytes.windows(4).position(|word| word == name).unwrap() + 4 + behind;
        [&bytes[..at], &value, &bytes[at + 8..]].concat()
    };
    let m4a = include_bytes!("sound_lossy/sweep.m4a");
    let equal = with(m4a, b"stsz", 4, [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
    let own = with(m4a, b"stsz", 4, [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    let mp3 = include_bytes!("sound_lossy/sweep.mp3");
    let frames = with(mp3, b"Info", 0, [0, 0, 0, 15, 0xff, 0xff, 0xff, 0xff]);
    for (name, bytes) in [
        ("a.wav", long),
        ("b.flac", many),
        ("c.flac", blocks),
        ("d.flac", cover),
        ("e.m4a", equal),
        ("f.m4a", own),
        ("g.mp3", frames),
    ] {
        refused(name, &bytes, |root| SpeechFiles::folder(root, &options));
    }

    // A clip whose index is larger than all memory: prepared anew from a folder without a frame.
    let clip = [&b"CLAPPCLP\x02\0\0\0\xff\xff\xff\xff"[..], &[0; 100]].concat();
    let small = Preparation { on_bad: OnBad::Refuse, ..Preparation::default() };
    refused("e.clip", &clip, |root| {
        let videos = root.join("videos");
        fs::create_dir_all(videos.join("class/e")).unwrap();
        prepare(ClipList::folders(&videos, OnBad::Refuse)?, root, &small, |_| {})
    });
}
