//! The forward step: lower the input, multiply, raise the output, all within one task's caches.

use rayon::prelude::*;

use super::line::{Line, Scratch, grown, with_scratch, with_shared};
use super::product::{Onto, TILE_LINES, TILE_ROWS, TileProduct};
use super::scheme::{
    Active, InputJob, OutputJob, Outputs, Placement, Rows, Scheme, Step, WeightsJob,
};
use super::shape::{LANES, PANEL};
use super::shelf::Lent;
use super::simd::Simd;
use super::tile::WRITE_AHEAD;

/// Lowered input of one pass, in bytes: with its products about what the second-level cache holds.
const PASS_BYTES: usize = 2 << 20;
/// Rows of one pass: fewer leave the weights' panel too little used, more overflow the products.
const PASS_ROWS: [usize; 2] = [2 * TILE_ROWS, 8 * TILE_ROWS];

/// Lowered weights that no cache holds, in lines: 16 MiB.
const MANY_LINES: usize = 1 << 18;

/// Input and parameters of a forward step.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Activity of the layer below.
    pub x: &'a [f32],
    /// `[c_out, c_in, kh, kw]`.
    pub w: &'a [f32],
    /// `[c_out]`.
    pub b: &'a [f32],
}

/// Computes all outputs.
///
/// Every output is one sum in a fixed order, whatever the number of threads.
pub(super) fn forward<S: Simd, W: Scheme>(simd: S, scheme: &W, from: Inputs<'_>, out: Outputs<'_>) {
    let plan = scheme.plan();
    let panel_plane = scheme.depth(scheme.blocks()) * 2;
    let panel = W::FREQUENCIES * panel_plane;
    let rows = plan.shape.n * scheme.rows();
    if rows <= PASS_ROWS[1] && plan.panels() * panel > MANY_LINES && scheme.panel().is_some() {
        return by_panels(simd, scheme, from, out);
    }
    let patches = patches_per_task(scheme);
    with_shared(plan.panels() * panel, |u| {
        u.par_chunks_mut(panel).enumerate().for_each(|(panel, u)| {
            let (blocks, plane) = (0..scheme.blocks(), panel_plane);
            let job = WeightsJob { w: from.w, panel, blocks, u, plane, kept: false };
            simd.vectorize(Step(scheme, job));
        });
        let u = &*u;
        let tasks: Vec<_> = out.split(plan.shape.n, patches).into_iter().enumerate().collect();
        tasks.into_par_iter().for_each(|(task, out)| {
            let n = patches.min(plan.shape.n - task * patches);
            let job = Task { u, from, first: task * patches, patches: n };
            with_scratch(|scratch| job.run(simd, scheme, out, scratch));
        });
    });
}

/// The same sums for few rows and many weights: each task lowers the weights of one panel, some input channels
/// at a time, and uses them at once, while a cache holds them. The lowered input is that of all rows.
fn by_panels<S: Simd, W: Scheme>(simd: S, scheme: &W, from: Inputs<'_>, out: Outputs<'_>) {
    let (plan, blocks) = (scheme.plan(), scheme.blocks());
    let narrow = scheme.panel().expect("asked before");
    let (n, area) = (plan.shape.n, plan.out_area());
    let range = 0..n * scheme.rows();
    let rows = Rows { active: Active::All, per_patch: scheme.rows(), range };
    let tiles = rows.range.len().div_ceil(TILE_ROWS);
    let place = Placement::tiles(tiles * TILE_ROWS, scheme.chunks(blocks));
    let group = scheme.group();
    with_shared(W::FREQUENCIES * place.plane + WRITE_AHEAD, |v| {
        let job = InputJob { x: from.x, rows: rows.clone(), blocks: 0..blocks, place, v };
        simd.vectorize(Step(scheme, job));
        let v = &*v;
        let parts: Vec<_> = out.panels(plan).into_iter().enumerate().collect();
        parts.into_par_iter().for_each(|(panel, parts)| {
            let mut own = OwnPanel::new(n, area);
            with_scratch(|scratch| {
                let m = grown(&mut scratch.product, tiles * W::FREQUENCIES * TILE_LINES);
                for first in (0..blocks).step_by(group) {
                    let blocks = first..(first + group).min(blocks);
                    let depth = scheme.depth(blocks.len());
                    // Planes that begin at one set of the caches would push each other out.
                    let plane = depth * 2 + 2;
                    let u = grown(&mut scratch.input, W::FREQUENCIES * plane);
                    let (before, onto) = (scheme.chunks(first), Onto::after(first));
                    let chunks = scheme.chunks(blocks.len());
                    let job =
                        WeightsJob { w: from.w, panel, blocks, u: &mut *u, plane, kept: true };
                    simd.vectorize(Step(scheme, job));
                    let v = &v[before * TILE_ROWS..];
                    let (depth, weights) = ([chunks, depth], [0, plane]);
                    let from = Operands { v, place, depth, tiles, u, weights, onto };
                    multiply::<S, W>(simd, from, m);
                }
                let bias = &from.b[panel * PANEL..];
                let (rows, out) = (rows.clone(), &mut own.outputs());
                simd.vectorize(Step(&narrow, OutputJob { m, rows, panel: 0, bias, out }));
            });
            own.write(parts);
        });
    });
}

/// The outputs of one panel for all patches, on their way to where they belong.
struct OwnPanel {
    area: usize,
    y: Lent,
    winners: Vec<u8>,
    mean: Vec<f32>,
}

impl OwnPanel {
    fn new(n: usize, area: usize) -> Self {
        let y = Lent::new(n * area * PANEL / LANES);
        Self { area, y, winners: vec![0; n * area * PANEL], mean: vec![0.0; n * PANEL] }
    }

    fn outputs(&mut self) -> Outputs<'_> {
        let y: &mut [f32] = bytemuck::cast_slice_mut(&mut self.y.lines);
        Outputs {
            y: &mut y[..self.winners.len()],
            winners: &mut self.winners,
            mean: &mut self.mean,
        }
    }

    fn write(&self, parts: Vec<Outputs<'_>>) {
        let y: &[f32] = bytemuck::cast_slice(&self.y.lines);
        let map = PANEL * self.area;
        let scale = 1.0 / self.area as f32;
        for (patch, part) in parts.into_iter().enumerate() {
            part.y.copy_from_slice(&y[patch * map..][..map]);
            part.winners.copy_from_slice(&self.winners[patch * map..][..map]);
            for (to, sum) in part.mean.iter_mut().zip(&self.mean[patch * PANEL..]) {
                *to = sum * scale;
            }
        }
    }
}

/// Rows whose lowered input and products fit the caches.
fn rows_per_pass<W: Scheme>(scheme: &W) -> usize {
    let bytes = W::FREQUENCIES * scheme.chunks(scheme.blocks()) * size_of::<Line>();
    // Whole pairs of tiles: 28 rows hold whole blocks of four pooled pixels.
    let rows = (PASS_BYTES / bytes).clamp(PASS_ROWS[0], PASS_ROWS[1]);
    rows / (2 * TILE_ROWS) * 2 * TILE_ROWS
}

/// Patches of one task: they fill a pass and whole tiles, if there are enough for all threads.
fn patches_per_task<W: Scheme>(scheme: &W) -> usize {
    let fill = (1..=TILE_ROWS).find(|n| (n * scheme.rows()).is_multiple_of(TILE_ROWS));
    let wanted = rows_per_pass(scheme).div_ceil(scheme.rows());
    let wanted = wanted.next_multiple_of(fill.unwrap_or(TILE_ROWS));
    let share = scheme.plan().shape.n.div_ceil(rayon::current_num_threads());
    wanted.min(share).max(1)
}

/// Some patches.
struct Task<'a> {
    u: &'a [Line],
    from: Inputs<'a>,
    /// The first of them.
    first: usize,
    patches: usize,
}

impl Task<'_> {
    fn run<S: Simd, W: Scheme>(
        self,
        simd: S,
        scheme: &W,
        mut out: Outputs<'_>,
        scratch: &mut Scratch,
    ) {
        let (plan, blocks, per_patch) = (scheme.plan(), scheme.blocks(), scheme.rows());
        let [rows, chunks] = [self.patches * per_patch, scheme.chunks(blocks)];
        let depth = [chunks, scheme.depth(blocks)];
        let pass = rows_per_pass(scheme).min(rows.next_multiple_of(TILE_ROWS));
        let place = Placement::tiles(pass, chunks);
        let v = grown(&mut scratch.input, W::FREQUENCIES * place.plane + WRITE_AHEAD);
        let m = grown(&mut scratch.product, pass / TILE_ROWS * W::FREQUENCIES * TILE_LINES);
        out.mean.fill(0.0);
        for first in (0..rows).step_by(pass) {
            let range = first..(first + pass).min(rows);
            let tiles = range.len().div_ceil(TILE_ROWS);
            // The input is that of the whole batch, the output that of this task.
            let before = self.first * per_patch;
            let rows = |range| Rows { active: Active::All, per_patch, range };
            let seen = rows(before + range.start..before + range.end);
            let job = InputJob { x: self.from.x, rows: seen, blocks: 0..blocks, place, v };
            simd.vectorize(Step(scheme, job));
            for panel in 0..plan.panels() {
                let weights = [panel * W::FREQUENCIES * depth[1] * 2, depth[1] * 2];
                let (u, onto) = (self.u, Onto::Zero);
                let from = Operands { v, place, depth, tiles, u, weights, onto };
                multiply::<S, W>(simd, from, m);
                let (rows, out) = (rows(range.clone()), &mut out);
                let job = OutputJob { m, rows, panel, bias: self.from.b, out };
                simd.vectorize(Step(scheme, job));
            }
        }
        let scale = 1.0 / plan.out_area() as f32;
        out.mean.iter_mut().for_each(|sum| *sum *= scale);
    }
}

/// What is multiplied in one pass and panel.
struct Operands<'a> {
    v: &'a [Line],
    place: Placement,
    /// Chunks and depths.
    depth: [usize; 2],
    tiles: usize,
    u: &'a [Line],
    /// The first line of the panel's weights, and lines between frequencies.
    weights: [usize; 2],
    onto: Onto,
}

/// All products of one panel, to `[tile][frequency][14 rows]` pairs of lines.
fn multiply<S: Simd, W: Scheme>(simd: S, from: Operands<'_>, m: &mut [Line]) {
    let Operands { v, place, depth, tiles, u, weights, onto } = from;
    let frequencies = W::FREQUENCIES;
    let [tile_len, weight_len] = [depth[0] * TILE_ROWS, depth[1] * 2];
    for f in 0..frequencies {
        let at = weights[0] + f * weights[1];
        let b = &u[at..][..weight_len];
        let next_b = u.get(at + weights[1]..).unwrap_or(&[]);
        let share = weight_len.div_ceil(tiles);
        for tile in 0..tiles {
            let a = f * place.plane + place.row(tile * TILE_ROWS);
            let last = tile + 1 == tiles;
            let next = if last {
                (f + 1) % frequencies * place.plane
            } else {
                f * place.plane + place.row((tile + 1) * TILE_ROWS)
            };
            let job = TileProduct {
                a: &v[a..][..tile_len],
                b,
                out: &mut m[(tile * frequencies + f) * TILE_LINES..][..TILE_LINES],
                onto,
                next_a: &v[next..][..tile_len],
                next_b: next_b.get(tile * share..).unwrap_or(&[]),
            };
            simd.vectorize(job);
        }
    }
}
