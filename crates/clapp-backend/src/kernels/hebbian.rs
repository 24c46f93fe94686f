//! The weight update: presynaptic activity times modulation of the winners, summed over the batch.

use core::ops::Range;

use rayon::prelude::*;

use super::line::{Line, Scratch, grown, line_of, with_scratch, with_shared};
use super::product::{Onto, OuterProduct};
use super::rectify::SILENT;
use super::scheme::{
    Active, InputJob, Modulation, ModulationJob, Placement, Rows, Scheme, Step, UpdateJob,
};
use super::shape::{ConvPlan, LANES, Lanes, PANEL};
use super::simd::{Kernel, Simd};
use super::tile::WRITE_AHEAD;

/// Sums of one task, in lines: 2¼ MiB, so that two tasks leave room for the operands.
const SUM_LINES: usize = 36 * 64 * LANES;
/// Tasks worth having: enough for the cores of a workstation. Part of the summation order.
const TASKS: usize = 16;

/// Fewer rows than this lower the operands once for all tasks: part of the summation order.
const FEW_ROWS: usize = 224;

/// Rows of a slice of the direct path. Part of the summation order.
const SLICE_ROWS: usize = 1024;

/// What a weight update is made of.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Activity of the layer below.
    pub x: &'a [f32],
    /// Of the forward step with the same shape, pool and output layout.
    pub winners: &'a [u8],
    /// Modulation of the outputs.
    pub modulation: Modulation<'a>,
}

/// Computes `dw`; the sums run over patches in an order that depends on nothing but the shape and
/// on what is modulated at all.
pub(super) fn hebbian<S: Simd, W: Scheme>(
    simd: S,
    scheme: &W,
    from: Evidence<'_>,
    active: Active<'_>,
    dw: &mut [f32],
) {
    let rows = match active {
        Active::All => scheme.plan().shape.n * scheme.rows(),
        Active::Patches(list) => list.len() * scheme.rows(),
        Active::Sites(list) => list.len(),
    };
    if W::FREQUENCIES > 1 && rows <= FEW_ROWS {
        return by_panels(simd, scheme, from, active, rows, dw);
    }
    let cut = Cut::new(scheme, rows);
    let lines = (cut.slices - 1) * dw.len().div_ceil(LANES);
    with_shared(lines, |spare| {
        let spare: &mut [f32] = bytemuck::cast_slice_mut(spare);
        let len = dw.len();
        let mut parts: Vec<&mut [f32]> = vec![&mut *dw];
        parts.extend(spare.chunks_exact_mut(len.next_multiple_of(LANES)).map(|p| &mut p[..len]));
        let tasks: Vec<_> =
            parts.iter_mut().enumerate().flat_map(|(slice, part)| cut.split(slice, part)).collect();
        tasks.into_par_iter().with_max_len(1).for_each(|(block, mut rows)| {
            with_scratch(|scratch| task(simd, scheme, from, active, block, &mut rows, scratch));
        });
        let (dw, others) = parts.split_first_mut().expect("there is always a first slice");
        add_in_order(dw, others);
    });
}

/// The update from few rows: the input is lowered once, the modulation of each panel once, and sums are raised
/// while a cache holds them.
fn by_panels<S: Simd, W: Scheme>(
    simd: S,
    scheme: &W,
    from: Evidence<'_>,
    active: Active<'_>,
    count: usize,
    dw: &mut [f32],
) {
    let rows = || Rows { active, per_patch: scheme.rows(), range: 0..count };
    let ([block, columns], blocks) = (scheme.columns(), scheme.blocks());
    let place = Placement::columns(count, scheme.chunks(blocks));
    let group = scheme.group();
    let strides = [2 * count + 2, 2 * count];
    with_shared(W::FREQUENCIES * place.plane + WRITE_AHEAD, |v| {
        let job = InputJob { x: from.x, rows: rows(), blocks: 0..blocks, place, v: &mut *v };
        simd.vectorize(Step(scheme, job));
        let v = &*v;
        let panels = dw.par_chunks_mut(columns * PANEL).enumerate();
        panels.for_each(|(panel, dw)| {
            with_scratch(|Scratch { product, sums, .. }| {
                let g = grown(product, W::FREQUENCIES * strides[0] + WRITE_AHEAD);
                let Evidence { winners, modulation, .. } = from;
                let panels = panel..panel + 1;
                let (rows, g) = (rows(), &mut *g);
                let job = ModulationJob { winners, modulation, rows, panels, strides, g: &mut *g };
                simd.vectorize(Step(scheme, job));
                for first in (0..blocks).step_by(group) {
                    let blocks = group.min(blocks - first);
                    let (depth, onto) = (scheme.depth(blocks), Onto::Zero);
                    let stride = 2 * LANES * scheme.chunks(blocks);
                    let sum_strides = [stride + 2, stride];
                    let c = grown(sums, W::FREQUENCIES * sum_strides[0]);
                    let v = &v[first * place.step..];
                    let of =
                        Sums { v, place, g, strides, c: &mut *c, sum_strides, onto, depth, count };
                    of.add::<S>(simd, W::FREQUENCIES, 1);
                    let part = first * block..(first + blocks) * block;
                    let rows = dw.chunks_exact_mut(columns).map(|row| &mut row[part.clone()]);
                    let rows = &mut rows.collect::<Vec<_>>();
                    let job = UpdateJob { c, strides: sum_strides, blocks, rows };
                    simd.vectorize(Step(scheme, job));
                }
            });
        });
    });
}

/// `sum += parts[0]; sum += parts[1]; …`
fn add_in_order(sum: &mut [f32], parts: &[&mut [f32]]) {
    const LEN: usize = 1 << 14;
    if parts.is_empty() {
        return;
    }
    sum.par_chunks_mut(LEN).enumerate().for_each(|(chunk, sum)| {
        for part in parts {
            let part = &part[chunk * LEN..][..sum.len()];
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    });
}

/// How the update is cut into tasks: blocks of input and of output channels, slices of the batch.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Columns of one input block and of a row of the update.
    columns: [usize; 2],
    /// Input blocks, and input blocks of one task.
    blocks: [usize; 2],
    /// Output panels, and panels of one task.
    panels: [usize; 2],
    /// Rows lowered at a time.
    chunk_rows: usize,
    /// Rows of the batch.
    rows: usize,
    /// Slices of the batch.
    slices: usize,
}

/// One task's part of the operands.
struct Block {
    blocks: Range<usize>,
    panels: Range<usize>,
    rows: Range<usize>,
    chunk_rows: usize,
}

impl Cut {
    fn new<W: Scheme>(scheme: &W, rows: usize) -> Self {
        let plan = scheme.plan();
        let per_block = W::FREQUENCIES * scheme.chunks(1) * LANES;
        // A square of input and output lines whose sums fit.
        let side = (SUM_LINES / per_block).isqrt().max(1);
        let (blocks, panels) = (scheme.blocks(), plan.panels());
        let per_task = |all: usize, most: usize| all.div_ceil(all.div_ceil(most));
        let blocks = [blocks, per_task(blocks, side)];
        let panels = [panels, per_task(panels, (side / 2).max(1))];
        let tasks = blocks[0].div_ceil(blocks[1]) * panels[0].div_ceil(panels[1]);
        let chunk_rows = if W::FREQUENCIES == 9 { 196 } else { 112 };
        // A slice has sums of its own to write and to add: it must be worth them.
        let fewest = if W::FREQUENCIES == 1 { SLICE_ROWS } else { chunk_rows };
        let slices = TASKS.div_ceil(tasks).min(rows.div_ceil(fewest)).max(1);
        let columns = scheme.columns();
        Self { columns, blocks, panels, chunk_rows, rows, slices }
    }

    /// The tasks of one slice, each with its rows of the update.
    fn split<'a>(&self, slice: usize, dw: &'a mut [f32]) -> Vec<(Block, Vec<&'a mut [f32]>)> {
        let per_slice = self.rows.div_ceil(self.chunk_rows).div_ceil(self.slices) * self.chunk_rows;
        let rows = (slice * per_slice).min(self.rows)..((slice + 1) * per_slice).min(self.rows);
        let mut tasks = vec![];
        for panel in (0..self.panels[0]).step_by(self.panels[1]) {
            for block in (0..self.blocks[0]).step_by(self.blocks[1]) {
                let blocks = block..(block + self.blocks[1]).min(self.blocks[0]);
                let panels = panel..(panel + self.panels[1]).min(self.panels[0]);
                let (rows, chunk_rows) = (rows.clone(), self.chunk_rows);
                tasks.push((Block { blocks, panels, rows, chunk_rows }, vec![]));
            }
        }
        let across = self.blocks[0].div_ceil(self.blocks[1]);
        for (o, row) in dw.chunks_exact_mut(self.columns[1]).enumerate() {
            let first = o / (self.panels[1] * 2 * LANES) * across;
            for (k, part) in row.chunks_mut(self.columns[0] * self.blocks[1]).enumerate() {
                tasks[first + k].1.push(part);
            }
        }
        tasks
    }
}

/// One block of the update over one slice of the batch.
fn task<S: Simd, W: Scheme>(
    simd: S,
    scheme: &W,
    from: Evidence<'_>,
    active: Active<'_>,
    block: Block,
    update: &mut [&mut [f32]],
    scratch: &mut Scratch,
) {
    let Block { blocks, panels, rows, chunk_rows } = block;
    let [block_count, panel_count] = [blocks.len(), panels.len()];
    let chunks = scheme.chunks(block_count);
    let place = Placement::columns(chunk_rows, chunks);
    let [stride, sum_stride] = [2 * chunk_rows, 2 * LANES * chunks];
    let strides = [panel_count * stride + 2, stride];
    let sum_strides = [panel_count * sum_stride + LANES, sum_stride];
    let v = grown(&mut scratch.input, W::FREQUENCIES * place.plane + WRITE_AHEAD);
    let g = grown(&mut scratch.product, W::FREQUENCIES * strides[0] + WRITE_AHEAD);
    let c = grown(&mut scratch.sums, W::FREQUENCIES * sum_strides[0]);
    if rows.is_empty() {
        c.fill(Line::ZERO);
    }
    for first in rows.clone().step_by(chunk_rows) {
        let onto = Onto::after(first - rows.start);
        let range = first..(first + chunk_rows).min(rows.end);
        let count = range.len();
        let rows = Rows { active, per_patch: scheme.rows(), range };
        let (x, blocks) = (from.x, blocks.clone());
        simd.vectorize(Step(scheme, InputJob { x, rows: rows.clone(), blocks, place, v }));
        let Evidence { winners, modulation, .. } = from;
        let job = ModulationJob { winners, modulation, rows, panels: panels.clone(), strides, g };
        simd.vectorize(Step(scheme, job));
        let depth = scheme.depth(block_count);
        let sums = Sums { v, place, g, strides, c, sum_strides, onto, depth, count };
        sums.add::<S>(simd, W::FREQUENCIES, panel_count);
    }
    let job = UpdateJob { c, strides: sum_strides, blocks: block_count, rows: update };
    simd.vectorize(Step(scheme, job));
}

/// The operands of one chunk of rows, and where their products are summed.
struct Sums<'a> {
    v: &'a [Line],
    place: Placement,
    g: &'a [Line],
    strides: [usize; 2],
    c: &'a mut [Line],
    sum_strides: [usize; 2],
    onto: Onto,
    depth: usize,
    count: usize,
}

impl Sums<'_> {
    /// Adds the products of all frequencies and panels.
    fn add<S: Simd>(self, simd: S, frequencies: usize, panels: usize) {
        let lines = self.depth.div_ceil(LANES);
        let share = (2 * self.count).div_ceil(lines);
        for f in 0..frequencies {
            for panel in 0..panels {
                let g = f * self.strides[0] + panel * self.strides[1];
                let b = &self.g[g..][..2 * self.count];
                let next_panel = self.g.get(self.next_panel(f, panel, panels)..).unwrap_or(&[]);
                for line in 0..lines {
                    let a = f * self.place.plane + line * self.place.step;
                    let next = match (line + 1 == lines, panel + 1 == panels) {
                        (false, _) => a + self.place.step,
                        (true, false) => f * self.place.plane,
                        (true, true) => (f + 1) % frequencies * self.place.plane,
                    };
                    let sums = f * self.sum_strides[0] + panel * self.sum_strides[1];
                    let job = OuterProduct {
                        a: &self.v[a..][..self.count],
                        b,
                        c: &mut self.c[sums + line * 2 * LANES..][..2 * LANES],
                        onto: self.onto,
                        next_a: &self.v[next..],
                        next_b: next_panel.get(line * share..).unwrap_or(&[]),
                    };
                    simd.vectorize(job);
                }
            }
        }
    }

    /// First line of the modulation that is read after that of `panel`.
    fn next_panel(&self, f: usize, panel: usize, panels: usize) -> usize {
        if panel + 1 < panels {
            f * self.strides[0] + (panel + 1) * self.strides[1]
        } else {
            (f + 1) * self.strides[0]
        }
    }
}

/// The patches with any modulation other than zero, in order.
pub(super) fn active_patches(plan: &ConvPlan, modulation: &[f32]) -> Vec<u32> {
    let patches = modulation.chunks_exact((modulation.len() / plan.shape.n.max(1)).max(1));
    let any = |(_, patch): &(usize, &[f32])| patch.iter().any(|&m| m != 0.0);
    patches.enumerate().filter(any).map(|(n, _)| n as u32).collect()
}

/// The rows of `channels` with any modulation other than zero, in order.
pub(super) fn active_rows(channels: usize, modulation: &[f32]) -> Vec<u32> {
    let any = |(_, row): &(usize, &[f32])| row.iter().any(|&m| m != 0.0);
    let rows = modulation.par_chunks_exact(channels).with_min_len(MIN_ROWS).enumerate();
    rows.filter(any).map(|(row, _)| row as u32).collect()
}

/// Rows that one task looks through.
const MIN_ROWS: usize = 512;

/// The bias update `db[o] = Σ_{n,p} m[n,o,(p)] · 1[winner]`, each channel summed in order.
pub(super) fn bias_update<S: Simd>(
    simd: S,
    plan: &ConvPlan,
    from: Evidence<'_>,
    active: Active<'_>,
    db: &mut [f32],
) {
    db.par_chunks_mut(LANES).enumerate().for_each(|(line, db)| {
        simd.vectorize(BiasLine { plan, from, active, line, db });
    });
}

/// Sixteen channels of the bias update.
struct BiasLine<'a> {
    plan: &'a ConvPlan,
    from: Evidence<'a>,
    active: Active<'a>,
    line: usize,
    db: &'a mut [f32],
}

impl Kernel for BiasLine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.plan.output_lanes {
            Lanes::One => self.plain(),
            Lanes::Sixteen => self.lines(simd),
        }
    }
}

impl BiasLine<'_> {
    /// Pixels that count, patch by patch: all of a patch, or one site.
    #[inline(always)]
    fn pixels(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (n, area) = (self.plan.shape.n, self.plan.out_area());
        let count = match self.active {
            Active::All => n,
            Active::Patches(list) | Active::Sites(list) => list.len(),
        };
        let active = self.active;
        (0..count).map(move |at| match active {
            Active::All => (at, 0..area),
            Active::Patches(list) => (list[at] as usize, 0..area),
            Active::Sites(list) => {
                let site = list[at] as usize;
                (site / area, site % area..site % area + 1)
            }
        })
    }

    #[inline(always)]
    fn lines<S: Simd>(self, simd: S) {
        let (channels, area) = (self.plan.shape.c_out, self.plan.out_area());
        let (winners, _) = self.from.winners.as_chunks::<LANES>();
        let mut total = simd.zero();
        for (patch, pixels) in self.pixels() {
            let first = (patch * channels / LANES + self.line) * area;
            let mut sum = simd.zero();
            for pixel in pixels {
                let at = [patch, self.line * LANES, pixel];
                let (m, place) =
                    self.from.modulation.place([channels, area], at, (first + pixel) * LANES);
                let strength = simd.load(&line_of(&m[place..], 0));
                let silent = simd.codes_equal(&winners[first + pixel], SILENT as u8);
                sum = simd.add(sum, simd.select(silent, simd.zero(), strength));
            }
            total = simd.add(total, sum);
        }
        let mut lanes = [0.0; LANES];
        simd.store(&mut lanes, total);
        self.db.copy_from_slice(&lanes);
    }

    #[inline(always)]
    fn plain(self) {
        let (channels, area) = (self.plan.shape.c_out, self.plan.out_area());
        let mut sums = [0.0; LANES];
        for (patch, pixels) in self.pixels() {
            for (lane, sum) in sums.iter_mut().enumerate().take(self.db.len()) {
                let channel = self.line * LANES + lane;
                let first = (patch * channels + channel) * area;
                let strength = |pixel: usize| {
                    let at = [patch, channel, pixel];
                    let (m, place) =
                        self.from.modulation.place([channels, area], at, first + pixel);
                    m[place]
                };
                let wins = |&pixel: &usize| self.from.winners[first + pixel] != SILENT as u8;
                *sum += pixels.clone().filter(wins).map(strength).sum::<f32>();
            }
        }
        self.db.copy_from_slice(&sums[..self.db.len()]);
    }
}
