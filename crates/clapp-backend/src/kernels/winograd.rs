//! Minimal filtering: 3×3 convolutions with a quarter of the multiplications.
//!
//! ```text
//! y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)]A        Δw = Gᵀ[Σ (A m Aᵀ) ⊙ (Bᵀ d B)]G
//! ```
//! `d` is a tile of the input, `w` a kernel, `y` the tile of the output, `m` the modulation of that
//! tile. Winograd 1980; Lavin and Gray 2016. Computed for 16 channels at a time.

use core::marker::PhantomData;

use super::filter::Filter;
use super::line::line_of;
use super::rectify::{accumulate, pool, respond};
use super::scheme::{InputJob, ModulationJob, OutputJob, Scheme, UpdateJob, WeightsJob};
use super::shape::{ConvPlan, ConvShape, LANES, PANEL};
use super::simd::{Simd, Streamed};
use super::tile::{self, Square};
use crate::Pool;

/// Taps of a 3×3 kernel.
const TAPS: usize = 9;
/// Lines of input asked for ahead of their use.
const AHEAD: usize = 64;

/// The scheme of filter `F`: tiles of `D`×`D` inputs, `P`×`P` products and `T`×`T` outputs.
pub(super) struct Winograd<F, const D: usize, const P: usize, const T: usize> {
    plan: ConvPlan,
    /// Pixels and columns of the pooled map.
    out: [usize; 2],
    filter: PhantomData<F>,
}

impl<F: Filter<D, P, T>, const D: usize, const P: usize, const T: usize> Winograd<F, D, P, T> {
    /// The scheme of a plan whose activities are both in lines of 16 channels.
    pub fn new(plan: ConvPlan) -> Self {
        Self { plan, out: [plan.out_area(), plan.out_size()[1]], filter: PhantomData }
    }

    /// Products of one map, for each pair of channels.
    pub fn products(&self) -> usize {
        self.rows() * Self::FREQUENCIES
    }

    /// First pixel of the tile at `site`.
    #[inline(always)]
    fn origin(&self, site: usize) -> [usize; 2] {
        let across = self.plan.shape.out_width() / T;
        [site / across * T, site % across * T]
    }

    /// Modulation of the tile at `site` for one line of channels: zero where the pixel did not win.
    #[inline(always)]
    fn modulation_tile<S: Simd>(
        &self,
        simd: S,
        job: &ModulationJob<'_>,
        patch: usize,
        line: usize,
        site: usize,
    ) -> Square<S, T> {
        let origin = self.origin(site);
        let plan = &self.plan;
        let side = plan.pool.side();
        let [area, width] = self.out;
        let base = (patch * (plan.shape.c_out / LANES) + line) * area;
        let winners = &job.winners.as_chunks::<LANES>().0[base..][..area];
        let mut out = [[simd.zero(); T]; T];
        for (i, row) in out.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                let pixel = (origin[0] + i) / side * width + (origin[1] + j) / side;
                let code = if side == 2 { i % 2 * 2 + j % 2 } else { 0 };
                let at = [patch, line * LANES, pixel];
                let (m, place) =
                    job.modulation.place([plan.shape.c_out, area], at, (base + pixel) * LANES);
                let strength = &m[place..].as_chunks().0[0];
                let wins = simd.codes_equal(&winners[pixel], code as u8);
                *value = simd.select(wins, simd.load(strength), simd.zero());
            }
        }
        out
    }

    /// Writes one rectified tile, pooled or not.
    #[inline(always)]
    fn write_tile<S: Simd>(
        &self,
        simd: S,
        job: &mut OutputJob<'_, '_>,
        at: (usize, usize, [usize; 2]),
        tile: Square<S, T>,
    ) {
        let (patch, line, origin) = at;
        let side = self.plan.pool.side();
        let [area, width] = self.out;
        let c_out = self.plan.shape.c_out;
        let base = (patch * (c_out / LANES) + line) * area;
        let y = &mut job.out.y.as_chunks_mut::<LANES>().0[base..][..area];
        let winners = &mut job.out.winners.as_chunks_mut::<LANES>().0[base..][..area];
        let mut sum = simd.zero();
        for i in (0..T).step_by(side) {
            for j in (0..T).step_by(side) {
                let (value, code) = match self.plan.pool {
                    Pool::None => respond(simd, self.plan.response, tile[i][j]),
                    Pool::Max2 => {
                        pool(simd, [tile[i][j], tile[i][j + 1], tile[i + 1][j], tile[i + 1][j + 1]])
                    }
                };
                let pixel = (origin[0] + i) / side * width + (origin[1] + j) / side;
                simd.store(&mut y[pixel], value);
                simd.store_codes(&mut winners[pixel], code);
                sum = simd.add(sum, value);
            }
        }
        accumulate(simd, &mut job.out.mean[patch * c_out + line * LANES..], sum);
    }
}

impl<F: Filter<D, P, T>, const D: usize, const P: usize, const T: usize> Scheme
    for Winograd<F, D, P, T>
{
    const FREQUENCIES: usize = P * P;

    fn plan(&self) -> &ConvPlan {
        &self.plan
    }
    fn rows(&self) -> usize {
        self.plan.shape.out_height() * self.plan.shape.out_width() / (T * T)
    }
    fn blocks(&self) -> usize {
        self.plan.shape.c_in / LANES
    }
    fn depth(&self, blocks: usize) -> usize {
        blocks * LANES
    }
    fn panel(&self) -> Option<Self> {
        let shape = ConvShape { c_out: PANEL, ..self.plan.shape };
        Some(Self::new(ConvPlan { shape, ..self.plan }))
    }

    #[inline(always)]
    fn lower_weights<S: Simd>(&self, simd: S, job: WeightsJob<'_>) {
        let columns = self.plan.shape.c_in * TAPS;
        let mut taps = [[[0.0; LANES]; TAPS]; LANES]; // [channel, tap, lane]
        let WeightsJob { w: weights, panel, blocks, u, plane, kept } = job;
        // At full width the lowered weights are larger than all caches.
        let mut lowered = Streamed::new(simd, u);
        for line in 0..blocks.len() * 2 {
            let (block, half) = (line / 2, line % 2);
            let rows = &weights[(panel * PANEL + half * LANES) * columns..];
            let flat = taps.as_flattened_mut().as_chunks_mut::<LANES>().0;
            for (part, square) in flat.iter_mut().enumerate() {
                let column = ((blocks.start + block) * TAPS + part) * LANES;
                simd.transpose(rows_at(rows, columns, column), square);
            }
            for (channel, w) in taps.iter().enumerate() {
                let u = tile::lower_weights::<F, S, D, P, T>(simd, w);
                let at = (block * LANES + channel) * 2 + half;
                for f in 0..P * P {
                    let (at, value) = (f * plane + at, u[f / P][f % P]);
                    if kept { lowered.keep(at, value) } else { lowered.put(at, value) }
                }
            }
        }
    }

    #[inline(always)]
    fn lower_input<S: Simd>(&self, simd: S, job: InputJob<'_>) {
        let area = self.plan.shape.in_area();
        let size = [self.plan.shape.height, self.plan.shape.width];
        let border = self.plan.shape.padding[0].min((D - T) / 2);
        let maps = job.x.as_chunks::<LANES>().0;
        let first = |patch: usize, block: usize| (patch * self.blocks() + block) * area;
        let ahead = AHEAD.div_ceil(area);
        for (index, run) in job.rows.runs().enumerate() {
            for (chunk, block) in job.blocks.clone().enumerate() {
                let map = &maps[first(run.patch, block)..][..area];
                let later = chunk + ahead;
                let next = job.rows.run(index + later / job.blocks.len()).map_or(&[][..], |run| {
                    &maps[first(run.patch, job.blocks.start + later % job.blocks.len())..]
                });
                let pixels = T * T; // one map is fetched while another is read
                for (row, site) in run.sites.clone().enumerate() {
                    next.iter()
                        .skip(site * pixels)
                        .take(pixels)
                        .for_each(|line| simd.prefetch(line));
                    let at = job.place.row(run.row + row) + chunk * job.place.step;
                    let to = (&mut job.v[at..], job.place.plane);
                    let origin = self.origin(site);
                    tile::lower_input::<F, S, D, P, T>(simd, (map, size), (origin, border), to);
                }
            }
        }
    }

    #[inline(always)]
    fn lower_modulation<S: Simd>(&self, simd: S, job: ModulationJob<'_>) {
        let [plane, stride] = job.strides;
        for run in job.rows.runs() {
            for (p, panel) in job.panels.clone().enumerate() {
                for (row, site) in run.sites.clone().enumerate() {
                    for half in 0..2 {
                        let m = self.modulation_tile(simd, &job, run.patch, 2 * panel + half, site);
                        let at = p * stride + 2 * (run.row + row) + half;
                        let to = (&mut job.g[at..], plane);
                        tile::lower_modulation::<F, S, D, P, T>(simd, m, to);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn raise_output<S: Simd>(&self, simd: S, mut job: OutputJob<'_, '_>) {
        let biases = [0, 1].map(|half| line_of(job.bias, 2 * job.panel + half));
        for run in job.rows.clone().runs() {
            for (row, site) in run.sites.enumerate() {
                for (half, bias) in biases.iter().enumerate() {
                    let m = &job.m[job.product(run.row + row, P * P) + half..];
                    let tile = tile::raise_output::<F, S, D, P, T>(simd, m, simd.load(bias));
                    let at = (run.patch, 2 * job.panel + half, self.origin(site));
                    self.write_tile(simd, &mut job, at, tile);
                }
            }
        }
    }

    #[inline(always)]
    fn raise_update<S: Simd>(&self, simd: S, job: UpdateJob<'_, '_>) {
        let [plane, stride] = job.strides;
        let mut taps = [[[0.0; LANES]; TAPS]; LANES]; // [channel, tap, lane]
        let mut square = [[0.0; LANES]; LANES];
        for (line, rows) in job.rows.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            for block in 0..job.blocks {
                for (channel, taps) in taps.iter_mut().enumerate() {
                    let at = line / 2 * stride + (block * LANES + channel) * 2 + line % 2;
                    let tile = tile::raise_update::<F, S, D, P, T>(simd, &job.c[at..], plane);
                    for (tap, to) in taps.iter_mut().enumerate() {
                        simd.store(to, tile[tap / 3][tap % 3]);
                    }
                }
                let squares = taps.as_flattened().as_chunks::<LANES>().0;
                for (part, from) in squares.iter().enumerate() {
                    simd.transpose(from.each_ref(), &mut square);
                    let column = (block * TAPS + part) * LANES;
                    for (row, values) in rows.iter_mut().zip(&square) {
                        row[column..][..LANES].copy_from_slice(values);
                    }
                }
            }
        }
    }
}

/// Sixteen values of each of 16 rows of `stride` values.
#[inline(always)]
fn rows_at(rows: &[f32], stride: usize, column: usize) -> [&[f32; LANES]; LANES] {
    core::array::from_fn(|row| &rows[row * stride + column..].as_chunks::<LANES>().0[0])
}
