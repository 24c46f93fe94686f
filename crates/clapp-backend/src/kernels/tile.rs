//! Two-dimensional transforms of minimal filtering: a [`Filter`] along columns, then along rows.
//!
//! Transformed tiles are scattered over planes, one for each frequency.
#![expect(
    clippy::needless_range_loop,
    reason = "iterators over arrays of vectors copy them: 5 % of a layer"
)]

use super::filter::Filter;
use super::line::Line;
use super::product::TILE_LINES;
use super::shape::LANES;
use super::simd::Simd;

/// Lines past the last plane that may be asked for.
pub(super) const WRITE_AHEAD: usize = 4;

/// A square of vectors.
pub(super) type Square<S, const N: usize> = [[<S as Simd>::Vector; N]; N];

/// Column `j` of `square` becomes `column`.
#[inline(always)]
fn put_column<V: Copy, const N: usize, const M: usize>(
    square: &mut [[V; M]; N],
    j: usize,
    column: [V; N],
) {
    for i in 0..N {
        square[i][j] = column[i];
    }
}

/// Writes a transformed tile to lines that are `plane` apart.
#[inline(always)]
fn scatter<S: Simd, const P: usize>(simd: S, tile: Square<S, P>, to: &mut [Line], plane: usize) {
    let to = &mut to[..(P * P - 1) * plane + 1 + WRITE_AHEAD];
    // One loop over all lines: faster than six short ones between the transforms of the rows.
    for f in 0..P * P {
        simd.prefetch_write(&to[f * plane + WRITE_AHEAD].0);
        simd.store(&mut to[f * plane].0, tile[f / P][f % P]);
    }
}

/// `Bᵀ d B` of the tile at `origin` of a map of `size` with `border` zeros around it.
#[inline(always)]
pub(super) fn lower_input<
    F: Filter<D, P, T>,
    S: Simd,
    const D: usize,
    const P: usize,
    const T: usize,
>(
    simd: S,
    (map, size): (&[[f32; LANES]], [usize; 2]),
    (origin, border): ([usize; 2], usize),
    (to, plane): (&mut [Line], usize),
) {
    let mut half = [[simd.zero(); D]; P]; // [product, column]
    for j in 0..D {
        let x = (origin[1] + j).wrapping_sub(border);
        if x >= size[1] {
            continue;
        }
        let mut column = [simd.zero(); D];
        for (i, value) in column.iter_mut().enumerate() {
            let y = (origin[0] + i).wrapping_sub(border);
            // Whatever the border is, at most one row of each side lies in it.
            let inner = i >= (D - T) / 2 && i < D - (D - T) / 2;
            if inner || y < size[0] {
                *value = simd.load(&map[y * size[1] + x]);
            }
        }
        put_column(&mut half, j, F::input(simd, column));
    }
    let mut tile = [[simd.zero(); P]; P];
    for p in 0..P {
        tile[p] = F::input(simd, half[p]);
    }
    scatter(simd, tile, to, plane);
}

/// `A m Aᵀ` of the modulations of a tile.
#[inline(always)]
pub(super) fn lower_modulation<
    F: Filter<D, P, T>,
    S: Simd,
    const D: usize,
    const P: usize,
    const T: usize,
>(
    simd: S,
    m: Square<S, T>,
    (to, plane): (&mut [Line], usize),
) {
    let mut half = [[simd.zero(); T]; P];
    for j in 0..T {
        let mut column = [simd.zero(); T];
        for i in 0..T {
            column[i] = m[i][j];
        }
        put_column(&mut half, j, F::modulation(simd, column));
    }
    let mut tile = [[simd.zero(); P]; P];
    for p in 0..P {
        tile[p] = F::modulation(simd, half[p]);
    }
    scatter(simd, tile, to, plane);
}

/// `G w Gᵀ` of a kernel.
#[inline(always)]
pub(super) fn lower_weights<
    F: Filter<D, P, T>,
    S: Simd,
    const D: usize,
    const P: usize,
    const T: usize,
>(
    simd: S,
    w: &[[f32; LANES]; 9],
) -> Square<S, P> {
    let mut half = [[simd.zero(); 3]; P];
    for j in 0..3 {
        let column = [simd.load(&w[j]), simd.load(&w[3 + j]), simd.load(&w[6 + j])];
        put_column(&mut half, j, F::weight(simd, column));
    }
    let mut out = [[simd.zero(); P]; P];
    for p in 0..P {
        out[p] = F::weight(simd, half[p]);
    }
    out
}

/// `Aᵀ m A` plus bias, of products that are a tile's lines apart.
#[inline(always)]
pub(super) fn raise_output<
    F: Filter<D, P, T>,
    S: Simd,
    const D: usize,
    const P: usize,
    const T: usize,
>(
    simd: S,
    m: &[Line],
    bias: S::Vector,
) -> Square<S, T> {
    let m = &m[..(P * P - 1) * TILE_LINES + 1];
    let mut half = [[simd.zero(); P]; T];
    for j in 0..P {
        let mut column = [simd.zero(); P];
        for (i, value) in column.iter_mut().enumerate() {
            *value = simd.load(&m[(i * P + j) * TILE_LINES].0);
        }
        put_column(&mut half, j, F::output(simd, column));
    }
    let mut out = [[simd.zero(); T]; T];
    for t in 0..T {
        let row = F::output(simd, half[t]);
        for u in 0..T {
            out[t][u] = simd.add(row[u], bias);
        }
    }
    out
}

/// `Gᵀ c G` of sums that are `plane` lines apart.
#[inline(always)]
pub(super) fn raise_update<
    F: Filter<D, P, T>,
    S: Simd,
    const D: usize,
    const P: usize,
    const T: usize,
>(
    simd: S,
    c: &[Line],
    plane: usize,
) -> Square<S, 3> {
    let mut half = [[simd.zero(); P]; 3];
    for j in 0..P {
        let mut column = [simd.zero(); P];
        for (i, value) in column.iter_mut().enumerate() {
            *value = simd.load(&c[(i * P + j) * plane].0);
        }
        put_column(&mut half, j, F::update(simd, column));
    }
    [F::update(simd, half[0]), F::update(simd, half[1]), F::update(simd, half[2])]
}
