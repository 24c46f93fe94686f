//! Normalisation and max-pool of frames in rows of channels, and the way back to the pixels that won.
//!
//! ```text
//! y(q) = α u(p*) + β        p* = the pixel of window q with the largest α u
//! ```

use super::frame_windows::{BackCall, Forward, SumsCall, Won};
use super::instruction::InstructionSet;
use super::rows::{Rows, lines};
use super::shape::LANES;
use crate::Response;

/// Frames `[frame, row, column, channel]` and the square windows over each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePool {
    /// Frames of all clips.
    pub frames: usize,
    /// Rows and columns of a frame.
    pub size: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// Side of a window: 1 to 15 pixels.
    pub side: usize,
    /// Pixels between windows.
    pub stride: usize,
}

/// The way back: what reaches a pixel of the map.
#[derive(Clone, Copy, Debug)]
pub struct Back<'a> {
    /// The map.
    pub map: &'a [f32],
    /// Of [`FramePool::forward`].
    pub winners: &'a [u8],
    /// A signal for every window and channel.
    pub signal: &'a [f32],
}

impl FramePool {
    /// Rows and columns of the pooled map.
    ///
    /// # Panics
    /// If a frame is smaller than a window.
    pub fn out_size(&self) -> [usize; 2] {
        let Self { size, side, stride, .. } = *self;
        assert!(
            (1..=15).contains(&side) && stride > 0,
            "windows: expected 1 to 15 pixels, got {side}"
        );
        size.map(|size| {
            assert!(size >= side, "windows: expected a map of at least {side} pixels, got {size}");
            (size - side) / stride + 1
        })
    }

    /// Elements of the map.
    pub fn map_len(&self) -> usize {
        self.frames * self.size[0] * self.size[1] * self.channels
    }

    /// Elements of the pooled map.
    pub fn out_len(&self) -> usize {
        let [rows, columns] = self.out_size();
        self.frames * rows * columns * self.channels
    }

    /// Normalised winners, and which pixel of its window each was, row by row; the first of equals wins, and
    /// not-a-number.
    ///
    /// # Shapes
    /// - `map`: `[frame, row, column, channel]`; `line`: α and β, `[channel]` each
    /// - `y`, `winners`: `[frame, row', column', channel]`
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn forward(
        &self,
        instructions: InstructionSet,
        map: &[f32],
        line: [&[f32]; 2],
        (y, winners): (&mut [f32], &mut [u8]),
    ) {
        self.check(map.len(), [y.len(), winners.len()], &line);
        let sign: Vec<f32> =
            line[0].iter().map(|&scale| if scale < 0.0 { -1.0 } else { 1.0 }).collect();
        let terms = [lines(line[0]), lines(line[1]), lines(&sign)];
        instructions.visit(Forward { pool: *self, rows: self.rows(map), terms, y, winners });
    }

    /// Sums of the signal, by itself and times the winner's distance from a mean.
    ///
    /// ```text
    /// Σ_q m(q)        Σ_q m(q) (u(p*) − μ)
    /// ```
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn sums(
        &self,
        instructions: InstructionSet,
        from: Back<'_>,
        mean: &[f32],
    ) -> [Vec<f32>; 2] {
        self.check(from.map.len(), [from.signal.len(), from.winners.len()], &[mean]);
        let [height, width] = self.out_size();
        let won = Won {
            pool: *self,
            out: [height, width],
            map: self.rows(from.map),
            signal: self.rows(from.signal),
            winners: from.winners,
            mean: lines(mean),
        };
        instructions.visit(SumsCall { won })
    }

    /// Postsynaptic terms of every pixel of the map.
    ///
    /// ```text
    /// post(p) = ρ′(u(p)) [ α Σ_{q: p won window q} m(q) − (κ u(p) + λ) ]
    /// ```
    /// ρ′ is 1 everywhere under [`Response::Linear`].
    ///
    /// # Shapes
    /// - `terms`: α, κ, λ, `[channel]` each; `post`: as the map
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn back(
        &self,
        instructions: InstructionSet,
        from: Back<'_>,
        terms: [&[f32]; 3],
        (response, post): (Response, &mut [f32]),
    ) {
        self.check(from.map.len(), [from.signal.len(), from.winners.len()], &terms);
        assert_eq!(post.len(), from.map.len(), "windows: expected a result like the map");
        instructions.visit(BackCall {
            pool: *self,
            map: self.rows(from.map),
            signal: self.rows(from.signal),
            winners: from.winners,
            terms: terms.map(lines),
            response,
            post,
        });
    }

    fn check(&self, map: usize, pooled: [usize; 2], vectors: &[&[f32]]) {
        assert_eq!(map, self.map_len(), "windows: expected another map for {self:?}");
        assert_eq!(pooled, [self.out_len(); 2], "windows: expected others for {self:?}");
        let fits = vectors.iter().all(|vector| vector.len() == self.channels);
        assert!(fits, "windows: expected one number for each of {} channels", self.channels);
    }

    fn rows<'a>(&self, values: &'a [f32]) -> Rows<'a> {
        Rows { values, channels: self.channels }
    }

    pub(super) fn lines(&self) -> usize {
        self.channels.div_ceil(LANES)
    }
}
