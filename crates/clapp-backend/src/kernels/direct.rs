//! Plain sums of products: any kernel, stride, padding, size and number of channels.
//!
//! ```text
//! y[r, o] = Σ_k x[r, k] · w[k, o]        Δw[k, o] = Σ_r x[r, k] · m[r, o]
//! ```
//! `r` is an output pixel and `k` a tap of an input channel. In lines of 16 channels the depths are
//! ordered `[tap, channel]`, so that lowering copies whole lines; in plain layout `[channel, tap]`.
//! The pixels of a pooled block are neighbouring rows.

use super::line::line_of;
use super::rectify::{accumulate, pool, respond};
use super::scheme::{InputJob, ModulationJob, OutputJob, Scheme, UpdateJob, WeightsJob};
use super::shape::{ConvPlan, ConvShape, LANES, Lanes, PANEL};
use super::simd::Simd;
use crate::Pool;

/// Code of an output channel that does not exist.
const ABSENT: u8 = u8::MAX;
/// A pixel of the padding.
const ZEROS: [f32; LANES] = [0.0; LANES];

/// The scheme of one frequency.
pub(super) struct Direct {
    plan: ConvPlan,
    /// Pixels and columns of the pooled map.
    out: [usize; 2],
    /// Plain input: what each depth stands for.
    taps: Vec<Tap>,
}

/// One weight of a kernel over one channel.
struct Tap {
    channel: usize,
    row: usize,
    column: usize,
}

impl Direct {
    /// The direct scheme of any plan.
    pub fn new(plan: ConvPlan) -> Self {
        let ConvShape { c_in, kernel, .. } = plan.shape;
        let area = plan.shape.taps();
        let tap =
            |k: usize| Tap { channel: k / area, row: k % area / kernel[1], column: k % kernel[1] };
        let taps = match plan.input_lanes {
            Lanes::One => (0..c_in * area).map(tap).collect(),
            Lanes::Sixteen => vec![],
        };
        Self { plan, out: [plan.out_area(), plan.out_size()[1]], taps }
    }

    /// Convolution pixels that become one output pixel.
    fn window(&self) -> usize {
        self.plan.pool.side() * self.plan.pool.side()
    }

    /// Output pixel and winner code of the row at `site`.
    #[inline(always)]
    fn output_pixel(&self, site: usize) -> (usize, u8) {
        (site / self.window(), (site % self.window()) as u8)
    }

    /// Input pixel under the first tap of the row at `site`; it wraps if it lies in the padding.
    #[inline(always)]
    fn input_origin(&self, site: usize) -> [usize; 2] {
        let (pixel, code) = self.output_pixel(site);
        let side = self.plan.pool.side();
        let width = self.plan.shape.out_width() / side;
        let at =
            [pixel / width * side + code as usize / 2, pixel % width * side + code as usize % 2];
        let ConvShape { stride, padding, .. } = self.plan.shape;
        [0, 1].map(|axis| (at[axis] * stride[axis]).wrapping_sub(padding[axis]))
    }

    /// The input pixel under tap `tap`, if it lies inside the map.
    #[inline(always)]
    fn input_pixel(&self, origin: [usize; 2], tap: usize) -> Option<usize> {
        let ConvShape { height, width, kernel, .. } = self.plan.shape;
        let y = origin[0].wrapping_add(tap / kernel[1]);
        let x = origin[1].wrapping_add(tap % kernel[1]);
        (y < height && x < width).then(|| y * width + x)
    }

    /// Column of the weights that depth `k` of so many blocks belongs to.
    #[inline(always)]
    fn column(&self, k: usize, blocks: usize) -> usize {
        match self.plan.input_lanes {
            Lanes::One => k,
            Lanes::Sixteen => {
                let channels = blocks * LANES;
                k % channels * self.plan.shape.taps() + k / channels
            }
        }
    }

    /// Lowers rows of an input in lines of 16 channels.
    #[inline(always)]
    fn lower_lines<S: Simd>(&self, simd: S, job: InputJob<'_>) {
        let (maps, _) = job.x.as_chunks::<LANES>();
        let [area, lines] = [self.plan.shape.in_area(), self.plan.shape.c_in / LANES];
        for run in job.rows.runs() {
            let maps = &maps[run.patch * lines * area..];
            for (row, site) in run.sites.enumerate() {
                let origin = self.input_origin(site);
                let mut at = job.place.row(run.row + row);
                for tap in 0..self.plan.shape.taps() {
                    let pixel = self.input_pixel(origin, tap);
                    for block in job.blocks.clone() {
                        let line = pixel.map_or(&ZEROS, |pixel| &maps[block * area + pixel]);
                        simd.store(&mut job.v[at].0, simd.load(line));
                        at += job.place.step;
                    }
                }
            }
        }
    }

    /// Lowers rows of a plain input, up to 16 neighbours of an output row at a time.
    #[inline(always)]
    fn lower_plain<S: Simd>(&self, simd: S, job: InputJob<'_>) {
        let map_len = self.plan.shape.c_in * self.plan.shape.in_area();
        // The pixels of a pooled block are not neighbours in one row.
        let most = if self.plan.pool.side() == 1 { LANES } else { 1 };
        let width = self.plan.shape.out_width();
        for run in job.rows.runs() {
            let maps = &job.x[run.patch * map_len..][..map_len];
            let mut site = run.sites.start;
            while site < run.sites.end {
                let count = most.min(run.sites.end - site).min(width - site % width);
                let row = run.row + site - run.sites.start;
                for (chunk, taps) in self.taps.chunks(LANES).enumerate() {
                    let columns = self.neighbours(simd, maps, site, count, taps);
                    for (neighbour, line) in columns.iter().enumerate().take(count) {
                        let at = job.place.row(row + neighbour) + chunk * job.place.step;
                        job.v[at].0 = *line;
                    }
                }
                site += count;
            }
        }
    }

    /// What `count` output pixels from `site` on see through up to 16 taps: one line each.
    #[inline(always)]
    fn neighbours<S: Simd>(
        &self,
        simd: S,
        maps: &[f32],
        site: usize,
        count: usize,
        taps: &[Tap],
    ) -> [[f32; LANES]; LANES] {
        let ConvShape { height, width, stride, .. } = self.plan.shape;
        let [top, left] = self.input_origin(site);
        let mut seen = [ZEROS; LANES]; // [tap, neighbour]
        for (seen, tap) in seen.iter_mut().zip(taps) {
            let y = top.wrapping_add(tap.row);
            if y >= height {
                continue;
            }
            let pixels = &maps[(tap.channel * height + y) * width..][..width];
            let x = left.wrapping_add(tap.column);
            match pixels.get(x..).and_then(|pixels| pixels.first_chunk::<LANES>()) {
                Some(all) if stride[1] == 1 => *seen = *all,
                _ => {
                    for (neighbour, value) in seen[..count].iter_mut().enumerate() {
                        let x = x.wrapping_add(neighbour * stride[1]);
                        *value = pixels.get(x).copied().unwrap_or(0.0);
                    }
                }
            }
        }
        let mut columns = [ZEROS; LANES];
        simd.transpose(seen.each_ref(), &mut columns);
        columns
    }

    /// Codes and modulations of one line of output channels.
    #[inline(always)]
    fn modulation_line(
        &self,
        job: &ModulationJob<'_>,
        patch: usize,
        line: usize,
        pixel: usize,
    ) -> ([u8; LANES], [f32; LANES]) {
        let map = [self.plan.shape.c_out, self.out[0]];
        let lanes = self.plan.output_lanes;
        if lanes == Lanes::Sixteen && line * LANES < map[0] {
            let at = lanes.index(map, patch, line * LANES, pixel);
            let (m, place) = job.modulation.place(map, [patch, line * LANES, pixel], at);
            return (job.winners[at..].as_chunks().0[0], m[place..].as_chunks().0[0]);
        }
        let (mut codes, mut strengths) = ([ABSENT; LANES], [0.0; LANES]);
        for lane in 0..LANES.min(map[0].saturating_sub(line * LANES)) {
            let channel = line * LANES + lane;
            let at = lanes.index(map, patch, channel, pixel);
            let (m, place) = job.modulation.place(map, [patch, channel, pixel], at);
            (codes[lane], strengths[lane]) = (job.winners[at], m[place]);
        }
        (codes, strengths)
    }

    /// Writes one line of output channels.
    #[inline(always)]
    fn write<S: Simd>(
        &self,
        simd: S,
        job: &mut OutputJob<'_, '_>,
        [patch, line, pixel]: [usize; 3],
        (value, code): (S::Vector, S::Vector),
    ) {
        let map = [self.plan.shape.c_out, self.out[0]];
        let count = LANES.min(map[0] - line * LANES);
        let channel = line * LANES;
        accumulate(simd, &mut job.out.mean[patch * map[0] + channel..][..count], value);
        let at = self.plan.output_lanes.index(map, patch, channel, pixel);
        if self.plan.output_lanes == Lanes::Sixteen {
            simd.store(&mut job.out.y[at..].as_chunks_mut().0[0], value);
            simd.store_codes(&mut job.out.winners[at..].as_chunks_mut().0[0], code);
            return;
        }
        let (mut values, mut codes) = ([0.0; LANES], [0; LANES]);
        simd.store(&mut values, value);
        simd.store_codes(&mut codes, code);
        for lane in 0..count {
            job.out.y[at + lane * map[1]] = values[lane];
            job.out.winners[at + lane * map[1]] = codes[lane];
        }
    }
}

impl Direct {
    /// Raises sums `[tap, channel]` to rows `[channel, tap]`, sixteen rows by sixteen channels at a time.
    #[inline(always)]
    fn raise_lines<S: Simd>(&self, simd: S, job: UpdateJob<'_, '_>) {
        let (taps, channels) = (self.plan.shape.taps(), job.blocks * LANES);
        for (line, rows) in job.rows.chunks_mut(LANES).enumerate() {
            let from = &job.c[line / 2 * job.strides[1] + line % 2..];
            for block in 0..job.blocks {
                for tap in 0..taps {
                    let first = tap * channels + block * LANES;
                    let lines = std::array::from_fn(|channel| &from[2 * (first + channel)].0);
                    let mut columns = [ZEROS; LANES];
                    simd.transpose(lines, &mut columns);
                    for (row, column) in rows.iter_mut().zip(&columns) {
                        let row = &mut row[block * LANES * taps..][..LANES * taps];
                        for (to, value) in row.chunks_exact_mut(taps).zip(column) {
                            to[tap] = *value;
                        }
                    }
                }
            }
        }
    }
}

impl Scheme for Direct {
    const FREQUENCIES: usize = 1;

    fn plan(&self) -> &ConvPlan {
        &self.plan
    }
    fn rows(&self) -> usize {
        self.out[0] * self.window()
    }
    fn blocks(&self) -> usize {
        match self.plan.input_lanes {
            Lanes::One => 1,
            Lanes::Sixteen => self.plan.shape.c_in / LANES,
        }
    }
    fn depth(&self, blocks: usize) -> usize {
        let channels = match self.plan.input_lanes {
            Lanes::One => self.plan.shape.c_in,
            Lanes::Sixteen => blocks * LANES,
        };
        channels * self.plan.shape.taps()
    }

    #[inline(always)]
    fn lower_weights<S: Simd>(&self, _simd: S, job: WeightsJob<'_>) {
        let columns = self.plan.shape.c_in * self.plan.shape.taps();
        let first = job.panel * PANEL;
        let rows = &job.w[first * columns..];
        for (k, pair) in job.u.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let column = self.column(k, self.blocks());
            for (half, line) in pair.iter_mut().enumerate() {
                for (lane, value) in line.0.iter_mut().enumerate() {
                    let at = (half * LANES + lane) * columns + column;
                    *value = rows.get(at).copied().unwrap_or(0.0);
                }
            }
        }
    }

    #[inline(always)]
    fn lower_input<S: Simd>(&self, simd: S, job: InputJob<'_>) {
        match self.plan.input_lanes {
            Lanes::One => self.lower_plain(simd, job),
            Lanes::Sixteen => self.lower_lines(simd, job),
        }
    }

    #[inline(always)]
    fn lower_modulation<S: Simd>(&self, simd: S, job: ModulationJob<'_>) {
        for run in job.rows.runs() {
            for line in 2 * job.panels.start..2 * job.panels.end {
                let first = (line / 2 - job.panels.start) * job.strides[1] + 2 * run.row + line % 2;
                for (row, site) in run.sites.clone().enumerate() {
                    let (pixel, code) = self.output_pixel(site);
                    let (codes, strengths) = self.modulation_line(&job, run.patch, line, pixel);
                    let wins = simd.codes_equal(&codes, code);
                    let value = simd.select(wins, simd.load(&strengths), simd.zero());
                    simd.store(&mut job.g[first + 2 * row].0, value);
                }
            }
        }
    }

    #[inline(always)]
    fn raise_output<S: Simd>(&self, simd: S, mut job: OutputJob<'_, '_>) {
        let lines = self.plan.shape.c_out.div_ceil(LANES);
        let window = self.window();
        for run in job.rows.clone().runs() {
            for line in 2 * job.panel..(2 * job.panel + 2).min(lines) {
                let bias = simd.load(&line_of(job.bias, line));
                for (row, site) in run.sites.clone().enumerate().step_by(window) {
                    let mut block = [simd.zero(); 4];
                    for (pixel, value) in block.iter_mut().enumerate().take(window) {
                        let m = &job.m[job.product(run.row + row + pixel, 1) + line % 2];
                        *value = simd.add(simd.load(&m.0), bias);
                    }
                    let coded = match self.plan.pool {
                        Pool::None => respond(simd, self.plan.response, block[0]),
                        Pool::Max2 => pool(simd, block),
                    };
                    self.write(simd, &mut job, [run.patch, line, site / window], coded);
                }
            }
        }
    }

    #[inline(always)]
    fn raise_update<S: Simd>(&self, simd: S, job: UpdateJob<'_, '_>) {
        if self.plan.input_lanes == Lanes::Sixteen {
            return self.raise_lines(simd, job);
        }
        for (o, row) in job.rows.iter_mut().enumerate() {
            let from = &job.c[o / PANEL * job.strides[1] + o % PANEL / LANES..];
            for (k, value) in row.iter_mut().enumerate().take(self.depth(job.blocks)) {
                *value = from[2 * k].0[o % LANES];
            }
        }
    }
}
