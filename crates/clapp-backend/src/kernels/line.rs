//! Lines of 16 channels: the unit of memory, its scratch space, and the change of layout.

use std::cell::RefCell;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::shape::LANES;
use super::shelf::Lent;

/// Sixteen channels of one pixel, aligned to a cache line.
///
/// An activity in [`Lanes::Sixteen`](super::Lanes::Sixteen) may be allocated as `Vec<Line>` and
/// viewed as `&[f32]` by `bytemuck::cast_slice`; the kernels are right for any alignment and
/// fastest for this one.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Line(pub [f32; LANES]);

impl Line {
    /// A line of zeros.
    pub const ZERO: Self = Self([0.0; LANES]);

    /// `floats / 16` lines of zeros.
    ///
    /// # Panics
    /// If `floats` is not a multiple of 16.
    pub fn zeros(floats: usize) -> Vec<Self> {
        assert!(floats.is_multiple_of(LANES), "lines: expected a multiple of 16, got {floats}");
        vec![Self::ZERO; floats / LANES]
    }
}

/// Reorders `[n, c, h, w]` as `[n, c/16, h, w, 16]`; for activities and for winners.
///
/// # Shapes
/// - `plain`, `lines`: `n · channels · area` elements
///
/// # Panics
/// If `channels` is not a multiple of 16 or the lengths differ.
pub fn pack<T: Copy + Send + Sync>(channels: usize, area: usize, plain: &[T], lines: &mut [T]) {
    check_blocks(channels, area, plain.len(), lines.len());
    if area == 0 {
        return;
    }
    lines.par_chunks_mut(LANES * area).zip(plain.par_chunks(LANES * area)).for_each(
        |(to, from)| {
            for (pixel, line) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                for (lane, value) in line.iter_mut().enumerate() {
                    *value = from[lane * area + pixel];
                }
            }
        },
    );
}

/// Reorders `[n, c/16, h, w, 16]` as `[n, c, h, w]`; for activities and for winners.
///
/// # Shapes
/// - `lines`, `plain`: `n · channels · area` elements
///
/// # Panics
/// If `channels` is not a multiple of 16 or the lengths differ.
pub fn unpack<T: Copy + Send + Sync>(channels: usize, area: usize, lines: &[T], plain: &mut [T]) {
    check_blocks(channels, area, lines.len(), plain.len());
    if area == 0 {
        return;
    }
    plain.par_chunks_mut(LANES * area).zip(lines.par_chunks(LANES * area)).for_each(
        |(to, from)| {
            for (lane, map) in to.chunks_exact_mut(area).enumerate() {
                for (pixel, value) in map.iter_mut().enumerate() {
                    *value = from[pixel * LANES + lane];
                }
            }
        },
    );
}

/// Reorders `[n, c/16, area, 16]` as rows `[n, area, c]`.
///
/// # Panics
/// If `channels` is not a multiple of 16 or the lengths differ.
pub fn lines_to_rows(channels: usize, area: usize, lines: &[f32], rows: &mut [f32]) {
    check_blocks(channels, area, lines.len(), rows.len());
    let blocks = channels / LANES;
    let (lines, _) = lines.as_chunks::<LANES>();
    rows.par_chunks_mut(channels.max(1)).enumerate().for_each(|(row, to)| {
        let (patch, pixel) = (row / area, row % area);
        for (block, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            *to = lines[(patch * blocks + block) * area + pixel];
        }
    });
}

fn check_blocks(channels: usize, area: usize, from: usize, to: usize) {
    assert!(channels.is_multiple_of(LANES), "channels: expected a multiple of 16, got {channels}");
    assert_eq!(from, to, "change of layout: expected equal lengths");
    let patch = (channels * area).max(1);
    assert!(from.is_multiple_of(patch), "activity: expected a multiple of {patch}, got {from}");
}

/// Working memory of one task: kept by its thread, grown when a layer needs more.
#[derive(Default)]
pub(super) struct Scratch {
    /// Transformed inputs.
    pub input: Vec<Line>,
    /// Products of the forward step, or transformed modulations.
    pub product: Vec<Line>,
    /// Sums of the weight update.
    pub sums: Vec<Line>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Runs `task` with this thread's scratch memory; `task` must not enter rayon.
pub(super) fn with_scratch<R>(task: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with(|scratch| task(&mut scratch.borrow_mut()))
}

/// Runs `task` with `len` lines that its own sub-tasks may share. Contents are arbitrary.
pub(super) fn with_shared<R>(len: usize, task: impl FnOnce(&mut [Line]) -> R) -> R {
    task(&mut Lent::new(len).lines[..len])
}

/// The first `len` lines of `lines`, which grows if it is shorter. Contents are arbitrary.
pub(super) fn grown(lines: &mut Vec<Line>, len: usize) -> &mut [Line] {
    if lines.len() < len {
        lines.resize(len, Line::ZERO);
    }
    &mut lines[..len]
}

/// The line of channels `16·block ..` of a plain vector, with zeros past its end.
#[inline(always)]
pub(super) fn line_of(vector: &[f32], block: usize) -> [f32; LANES] {
    let tail = &vector[(block * LANES).min(vector.len())..];
    // Nearly always: a copy of known length is a register, any other a call.
    if let Some(line) = tail.first_chunk() {
        return *line;
    }
    let mut line = [0.0; LANES];
    line[..tail.len()].copy_from_slice(tail);
    line
}

/// Writes a pair of lines to `to`, as far as it reaches.
#[inline(always)]
pub(super) fn put_pair(lines: &[Line; 2], to: &mut [f32]) {
    let values: &[f32; 2 * LANES] = bytemuck::cast_ref(lines);
    match to.first_chunk_mut() {
        Some(to) => *to = *values,
        None => to.copy_from_slice(&values[..to.len()]),
    }
}
