//! Convolutions over time and space, of activities in rows of channels.
//!
//! ```text
//! y[n, t, i, j, o] = ρ(b[o] + Σ_{τ,u,v,c} w[o, c, τ, u, v] · x[n, s₀t + τ − p₀, s₁i + u − p₁, s₂j + v − p₂, c])
//! ```
//! Plain sums of products; `film_scheme.rs` lowers them.

use super::film_scheme::Film;
use super::forward::{Inputs, forward};
use super::hebbian::{Evidence, hebbian};
use super::instruction::InstructionSet;
use super::rows::{Rows, sums};
use super::scheme::{Active, Modulation, Outputs, Scheme};
use super::simd::{Kernel, Simd};
use crate::{Response, spec::positions};

/// Size of a convolution over frames; axes are time, rows, columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilmShape {
    /// Clips in the batch.
    pub n: usize,
    /// Input channels.
    pub c_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Size of the input.
    pub size: [usize; 3],
    /// Size of the kernel.
    pub kernel: [usize; 3],
    /// Strides.
    pub stride: [usize; 3],
    /// Zeros added on each side.
    pub padding: [usize; 3],
}

impl FilmShape {
    /// Size of the output.
    ///
    /// # Panics
    /// If the kernel is larger than the padded input.
    pub fn out_size(&self) -> [usize; 3] {
        positions(self.size, self.kernel, self.stride, self.padding)
    }

    /// Elements of `x`.
    pub fn input_len(&self) -> usize {
        self.n * self.size.iter().product::<usize>() * self.c_in
    }

    /// Elements of `y`.
    pub fn output_len(&self) -> usize {
        self.n * self.out_size().iter().product::<usize>() * self.c_out
    }

    /// Elements of `w`.
    pub fn weight_len(&self) -> usize {
        self.c_out * self.c_in * self.taps()
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The activity of a layer.
    ///
    /// # Shapes
    /// - `x`: `[n, t, h, w, c_in]`; `w`: `[c_out, c_in, kt, kh, kw]`; `b`: `[c_out]`
    /// - `y`: `[n, t', h', w', c_out]`
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn forward(
        &self,
        instructions: InstructionSet,
        from: Inputs<'_>,
        response: Response,
        y: &mut [f32],
    ) {
        let lens = [from.x.len(), from.w.len(), from.b.len(), y.len()];
        let expected = [self.input_len(), self.weight_len(), self.c_out, self.output_len()];
        assert_eq!(lens, expected, "film: expected other lengths of x, w, b, y");
        if !y.is_empty() {
            instructions.visit(Forward { film: Film::new(*self, response), from, y });
        }
    }

    /// The Hebbian product of presynaptic with postsynaptic activity.
    ///
    /// ```text
    /// dw[o, c, τ, u, v] = Σ post[n, t, i, j, o] · x[…]        db[o] = Σ post[n, t, i, j, o]
    /// ```
    ///
    /// # Shapes
    /// - as [`forward`](Self::forward), `post` and `dw` as `y` and `w`
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn hebbian(
        &self,
        instructions: InstructionSet,
        [x, post]: [&[f32]; 2],
        [dw, db]: [&mut [f32]; 2],
    ) {
        let lens = [x.len(), post.len(), dw.len(), db.len()];
        let expected = [self.input_len(), self.output_len(), self.weight_len(), self.c_out];
        assert_eq!(lens, expected, "film: expected other lengths of x, post, dw, db");
        let film = Film::new(*self, Response::Linear);
        instructions.visit(Hebbian { film, x, post, dw, db });
    }
}

struct Forward<'a> {
    film: Film,
    from: Inputs<'a>,
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // Nobody asks for winners or for means over a frame.
        let out = Outputs { y: self.y, winners: &mut [], mean: &mut [] };
        forward(simd, &self.film, self.from, out);
    }
}

struct Hebbian<'a> {
    film: Film,
    x: &'a [f32],
    post: &'a [f32],
    dw: &'a mut [f32],
    db: &'a mut [f32],
}

impl Kernel for Hebbian<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { film, x, post, dw, db } = self;
        let modulation = Modulation::Rows(post);
        hebbian(simd, &film, Evidence { x, winners: &[], modulation }, Active::All, dw);
        let rows = Rows { values: post, channels: film.plan().shape.c_out };
        let [sums] = sums(simd, &rows, [film.plan().shape.n, film.rows()], rows.channels);
        db.iter_mut().zip(sums).for_each(|(db, sum)| *db = sum as f32);
    }
}
