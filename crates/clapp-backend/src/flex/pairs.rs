//! Sums over pairs, without a copy of what the pairs name.

use burn::backend::{Shape, TensorMetadata, flex::FlexTensor};
use rayon::prelude::*;

use super::{memory::Buffer, slice};

/// `u[r, n] = prediction[r] · targets[index[r, n]]`.
pub(super) fn scores(prediction: FlexTensor, targets: FlexTensor, index: FlexTensor) -> FlexTensor {
    let [rows, n]: [usize; 2] = index.shape().dims();
    let [_, channels]: [usize; 2] = targets.shape().dims();
    let (p, z, index) = (slice(&prediction), slice(&targets), indices(&index));
    let mut scores = Buffer::<f32>::new(rows * n);
    scores.as_mut().par_chunks_mut(n.max(1)).enumerate().for_each(|(row, scores)| {
        let p = &p[row * channels..][..channels];
        for (score, &target) in scores.iter_mut().zip(&index[row * n..]) {
            *score = dot(p, &z[target as usize * channels..][..channels]);
        }
    });
    scores.into_tensor(Shape::from([rows, n]))
}

/// `g[r] = Σ_n γ[r, n] targets[index[r, n]]`.
pub(super) fn gather(gamma: FlexTensor, targets: FlexTensor, index: FlexTensor) -> FlexTensor {
    let [rows, n]: [usize; 2] = index.shape().dims();
    let [_, channels]: [usize; 2] = targets.shape().dims();
    let (gamma, z, index) = (slice(&gamma), slice(&targets), indices(&index));
    let mut sums = Buffer::<f32>::new(rows * channels);
    sums.as_mut().par_chunks_mut(channels.max(1)).enumerate().for_each(|(row, sum)| {
        sum.fill(0.0);
        for pair in row * n..(row + 1) * n {
            let target = index[pair] as usize;
            add_scaled(sum, gamma[pair], &z[target * channels..][..channels]);
        }
    });
    sums.into_tensor(Shape::from([rows, channels]))
}

/// `m[j] = Σ_{r,n: index[r,n] = j} γ[r, n] prediction[r]`.
pub(super) fn scatter(
    gamma: FlexTensor,
    prediction: FlexTensor,
    index: FlexTensor,
    rows: usize,
) -> FlexTensor {
    let [_, n]: [usize; 2] = index.shape().dims();
    let [_, channels]: [usize; 2] = prediction.shape().dims();
    let (gamma, p, index) = (slice(&gamma), slice(&prediction), indices(&index));
    let arrivals = arrivals(index, rows);
    let mut sums = Buffer::<f32>::new(rows * channels);
    sums.as_mut().par_chunks_mut(channels.max(1)).enumerate().for_each(|(row, sum)| {
        sum.fill(0.0);
        // Pairs in their own order: the sum does not depend on threads.
        for &pair in arrivals.of(row) {
            let source = pair as usize / n;
            add_scaled(sum, gamma[pair as usize], &p[source * channels..][..channels]);
        }
    });
    sums.into_tensor(Shape::from([rows, channels]))
}

fn indices(tensor: &FlexTensor) -> &[i32] {
    tensor.as_slice().expect("made contiguous before")
}

/// Pairs by the row they arrive at.
struct Arrivals {
    first: Vec<u32>,
    pairs: Vec<u32>,
}

impl Arrivals {
    fn of(&self, row: usize) -> &[u32] {
        &self.pairs[self.first[row] as usize..self.first[row + 1] as usize]
    }
}

/// Counting sort of pairs by target row; stable.
fn arrivals(index: &[i32], rows: usize) -> Arrivals {
    let mut first = vec![0_u32; rows + 1];
    for &row in index {
        first[row as usize + 1] += 1;
    }
    for row in 0..rows {
        first[row + 1] += first[row];
    }
    let mut next = first.clone();
    let mut pairs = vec![0_u32; index.len()];
    for (pair, &row) in index.iter().enumerate() {
        let place = &mut next[row as usize];
        pairs[*place as usize] = pair as u32;
        *place += 1;
    }
    Arrivals { first, pairs }
}

/// Partial sums of one vector register, so that the loop vectorises and its order is fixed.
const PARTIAL: usize = 16;

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; PARTIAL];
    let (a, a_rest) = a.as_chunks::<PARTIAL>();
    let (b, b_rest) = b.as_chunks::<PARTIAL>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..PARTIAL {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn add_scaled(sum: &mut [f32], factor: f32, row: &[f32]) {
    // A closed gate adds nothing. A number that is not finite still shows in its pair's score.
    if factor.abs() <= 0.0 {
        return;
    }
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}
