//! Films: convolution over time and space, its update, normalisation with max-pool and the way back.

use super::oracle::{Numbers, distance};
use super::*;
use crate::Response;

/// Plain sums in single precision, norm-wise; the longest has 4320 terms.
const SUMS: f64 = 2e-6;

const SHAPE: FilmShape = FilmShape {
    n: 2,
    c_in: 3,
    c_out: 20,
    size: [5, 9, 8],
    kernel: [1, 3, 3],
    stride: [1; 3],
    padding: [0, 1, 1],
};

/// Shapes of every kind: pieces and whole lines, overlapping and skipping kernels in time, odd sides.
fn shapes() -> Vec<FilmShape> {
    vec![
        FilmShape { kernel: [1, 7, 7], stride: [1, 2, 2], padding: [0; 3], ..SHAPE },
        FilmShape { c_in: 12, c_out: 33, kernel: [1, 5, 5], stride: [1, 2, 2], ..SHAPE },
        FilmShape { c_in: 16, c_out: 32, ..SHAPE },
        FilmShape {
            c_in: 32,
            c_out: 48,
            size: [6, 6, 6],
            kernel: [3; 3],
            stride: [3, 1, 1],
            ..SHAPE
        },
        FilmShape { c_in: 48, c_out: 80, kernel: [2, 3, 3], stride: [2, 1, 1], ..SHAPE },
        FilmShape { kernel: [3, 2, 4], stride: [1, 2, 1], padding: [1, 0, 3], ..SHAPE },
        FilmShape { c_in: 16, kernel: [3, 1, 1], padding: [2, 0, 0], ..SHAPE },
        FilmShape {
            n: 1,
            c_in: 1,
            c_out: 1,
            size: [1, 1, 1],
            kernel: [1; 3],
            padding: [0; 3],
            ..SHAPE
        },
        // Blocks of input channels and panels of output channels that are tasks of their own.
        FilmShape {
            n: 1,
            c_in: 160,
            c_out: 144,
            size: [3, 4, 4],
            kernel: [3; 3],
            stride: [3, 1, 1],
            ..SHAPE
        },
    ]
}

struct Case {
    shape: FilmShape,
    x: Vec<f32>,
    w: Vec<f32>,
    b: Vec<f32>,
    post: Vec<f32>,
}

impl Case {
    fn new(shape: FilmShape) -> Self {
        let mut numbers = Numbers::new(9);
        let mut take = |len| numbers.vec(len);
        let (x, w) = (take(shape.input_len()), take(shape.weight_len()));
        Self { shape, x, w, b: take(shape.c_out), post: take(shape.output_len()) }
    }

    /// Calls `visit(output, input, weight)` with the indices of every product.
    fn products(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let FilmShape { n, c_in, c_out, size, kernel, stride, padding } = self.shape;
        let out = self.shape.out_size();
        let position = |index: usize, of: [usize; 3]| {
            [index / (of[1] * of[2]), index / of[2] % of[1], index % of[2]]
        };
        let (sites, taps) = (out.iter().product::<usize>(), kernel.iter().product::<usize>());
        for row in 0..n * sites {
            let at = position(row % sites, out);
            for tap in 0..taps {
                let tau = position(tap, kernel);
                let from = [0, 1, 2].map(|a| (at[a] * stride[a] + tau[a]).wrapping_sub(padding[a]));
                if (0..3).any(|axis| from[axis] >= size[axis]) {
                    continue;
                }
                let pixel =
                    ((row / sites * size[0] + from[0]) * size[1] + from[1]) * size[2] + from[2];
                for o in 0..c_out {
                    for c in 0..c_in {
                        visit(row * c_out + o, pixel * c_in + c, (o * c_in + c) * taps + tap);
                    }
                }
            }
        }
    }

    fn forward(&self, set: InstructionSet, response: Response) -> Vec<f32> {
        let mut y = vec![f32::NAN; self.shape.output_len()];
        let from = Inputs { x: &self.x, w: &self.w, b: &self.b };
        self.shape.forward(set, from, response, &mut y);
        y
    }

    fn hebbian(&self, set: InstructionSet) -> [Vec<f32>; 2] {
        let [mut dw, mut db] = [self.w.len(), self.b.len()].map(|len| vec![f32::NAN; len]);
        self.shape.hebbian(set, [&self.x, &self.post], [&mut dw, &mut db]);
        [dw, db]
    }
}

#[test]
fn films_agree_with_the_oracle() {
    for shape in shapes() {
        let case = Case::new(shape);
        let mut linear: Vec<f64> =
            (0..shape.output_len()).map(|at| f64::from(case.b[at % shape.c_out])).collect();
        let mut dw = vec![0.0; case.w.len()];
        case.products(|y, x, w| {
            linear[y] += f64::from(case.x[x]) * f64::from(case.w[w]);
            dw[w] += f64::from(case.post[y]) * f64::from(case.x[x]);
        });
        let mut db = vec![0.0; shape.c_out];
        for row in case.post.chunks(shape.c_out) {
            db.iter_mut().zip(row).for_each(|(db, &post)| *db += f64::from(post));
        }
        let rectified: Vec<f64> = linear.iter().map(|y| y.max(0.0)).collect();
        for set in sets() {
            let update = case.hebbian(set);
            let errors = [
                distance(&case.forward(set, Response::Linear), &linear),
                distance(&case.forward(set, Response::Rectified), &rectified),
                distance(&update[0], &dw),
                distance(&update[1], &db),
            ];
            assert!(errors.iter().all(|&e| e <= SUMS), "{set} {shape:?}: {errors:?}");
        }
    }
}

const POOL: FramePool = FramePool { frames: 3, size: [7, 9], channels: 20, side: 3, stride: 2 };

fn pools() -> [FramePool; 5] {
    [
        POOL,
        FramePool { size: [6, 8], channels: 32, ..POOL },
        FramePool { side: 1, stride: 1, ..POOL },
        FramePool { side: 2, channels: 5, ..POOL },
        FramePool { side: 3, stride: 1, channels: 48, ..POOL },
    ]
}

/// A rectified map (half of it ties at 0), coefficients of both signs, and a signal.
struct Frames {
    pool: FramePool,
    map: Vec<f32>,
    signal: Vec<f32>,
    terms: [Vec<f32>; 3],
}

impl Frames {
    fn new(pool: FramePool) -> Self {
        let mut numbers = Numbers::new(4);
        let mut take = |len| numbers.vec(len);
        let map = take(pool.map_len()).into_iter().map(|u| u.max(0.0)).collect();
        Self {
            pool,
            map,
            signal: take(pool.out_len()),
            terms: [(); 3].map(|()| take(pool.channels)),
        }
    }

    fn forward(&self, set: InstructionSet) -> (Vec<f32>, Vec<u8>) {
        let (mut y, mut winners) = (vec![f32::NAN; self.signal.len()], vec![9; self.signal.len()]);
        let line = [&self.terms[0][..], &self.terms[1]];
        self.pool.forward(set, &self.map, line, (&mut y, &mut winners));
        (y, winners)
    }

    fn back<'a>(&'a self, winners: &'a [u8]) -> Back<'a> {
        Back { map: &self.map, winners, signal: &self.signal }
    }

    fn post(&self, set: InstructionSet, winners: &[u8], response: Response) -> Vec<f32> {
        let mut post = vec![f32::NAN; self.map.len()];
        let terms = [&self.terms[0][..], &self.terms[1], &self.terms[2]];
        self.pool.back(set, self.back(winners), terms, (response, &mut post));
        post
    }

    /// Index into the map of every window's winner, by definition.
    fn winners(&self) -> Vec<usize> {
        let FramePool { size: [height, width], channels, side, stride, .. } = self.pool;
        let [rows, columns] = self.pool.out_size();
        let winner = |at: usize| {
            let (q, channel) = (at / channels, at % channels);
            let corner = [q / columns % rows * stride, q % columns * stride];
            let pixel = |k: usize| {
                let row = q / (rows * columns) * height + corner[0] + k / side;
                (row * width + corner[1] + k % side) * channels + channel
            };
            let sign = self.terms[0][channel].signum();
            let larger = |best: usize, k: usize| {
                if sign * self.map[pixel(k)] > sign * self.map[pixel(best)] { k } else { best }
            };
            pixel((1..side * side).fold(0, larger))
        };
        (0..self.signal.len()).map(winner).collect()
    }
}

#[test]
fn winners_are_normalised_and_get_the_signal_of_every_window_that_they_won() {
    for pool in pools() {
        let frames = Frames::new(pool);
        let [alpha, kappa, lambda] =
            frames.terms.each_ref().map(|t| t.iter().map(|&t| f64::from(t)).collect::<Vec<_>>());
        let expected = frames.winners();
        let u = |at: usize| f64::from(frames.map[at]);
        let c = pool.channels;
        let y: Vec<f64> =
            expected.iter().map(|&at| alpha[at % c] * u(at) + kappa[at % c]).collect();
        let mut routed = vec![0.0; frames.map.len()];
        let mut sums = [vec![0.0; c], vec![0.0; c]];
        for (&at, &m) in expected.iter().zip(&frames.signal) {
            routed[at] += f64::from(m);
            sums[0][at % c] += f64::from(m);
            sums[1][at % c] += f64::from(m) * (u(at) - lambda[at % c]);
        }
        let post = |gated: bool| -> Vec<f64> {
            let value =
                |at: usize| alpha[at % c] * routed[at] - (kappa[at % c] * u(at) + lambda[at % c]);
            (0..routed.len())
                .map(|at| if gated && u(at) <= 0.0 { 0.0 } else { value(at) })
                .collect()
        };
        for set in sets() {
            let (values, winners) = frames.forward(set);
            let found = pool.sums(set, frames.back(&winners), &frames.terms[2]);
            let errors = [
                distance(&values, &y),
                distance(&found[0], &sums[0]),
                distance(&found[1], &sums[1]),
                distance(&frames.post(set, &winners, Response::Rectified), &post(true)),
                distance(&frames.post(set, &winners, Response::Linear), &post(false)),
            ];
            assert!(errors.iter().all(|&e| e <= SUMS), "{set} {pool:?}: {errors:?}");
        }
    }
}

#[test]
fn moments_of_a_channel_far_from_zero_keep_their_digits() {
    let [frames, rows, channels] = [3, 77, 21];
    let values: Vec<f32> = Numbers::new(6).vec(frames * rows * channels);
    let values: Vec<f32> = values.into_iter().map(|v| 100.0 + v).collect();
    let column = |c: usize| values.iter().skip(c).step_by(channels).map(|&v| f64::from(v));
    let count = (frames * rows) as f64;
    let mean: Vec<f64> = (0..channels).map(|c| column(c).sum::<f64>() / count).collect();
    let square = |c: usize| column(c).map(|v| (v - mean[c]).powi(2)).sum::<f64>() / count;
    let variance: Vec<f64> = (0..channels).map(square).collect();
    for set in sets() {
        let found = channel_moments(set, &values, frames, channels);
        assert!(distance(&found[0], &mean) < 1e-7, "{set}");
        // The mean is a single: its rounding is 1e-5 of the deviation, its square nothing.
        assert!(distance(&found[1], &variance) < SUMS, "{set}");
    }
}

#[test]
fn rows_hold_what_maps_held() {
    let [n, channels, pixels] = [2, 3, 5000];
    let plain = Numbers::new(8).vec(n * channels * pixels);
    let mut rows = vec![f32::NAN; plain.len()];
    plain_to_rows(channels, pixels, &plain, &mut rows);
    for (at, value) in rows.iter().enumerate() {
        let (clip, pixel, channel) =
            (at / (channels * pixels), at / channels % pixels, at % channels);
        assert_eq!(value.to_bits(), plain[(clip * channels + channel) * pixels + pixel].to_bits());
    }
}

#[test]
fn films_do_not_depend_on_the_number_of_threads() {
    let set = InstructionSet::best();
    for shape in shapes() {
        let case = Case::new(shape);
        let run = || (case.forward(set, Response::Rectified), case.hebbian(set));
        assert!(on_threads(1, run) == on_threads(2, run), "{shape:?}");
    }
    let frames = Frames::new(POOL_OF_SEVEN);
    let run = || {
        let (y, winners) = frames.forward(set);
        let sums = POOL_OF_SEVEN.sums(set, frames.back(&winners), &frames.terms[2]);
        let moments = channel_moments(set, &frames.map, 7, POOL.channels);
        (y, sums, moments, frames.post(set, &winners, Response::Rectified))
    };
    assert!(on_threads(1, run) == on_threads(2, run));
}

const POOL_OF_SEVEN: FramePool = FramePool { frames: 7, ..POOL };

#[test]
fn not_a_number_wins_its_windows_and_goes_through() {
    let mut frames = Frames::new(POOL);
    let [_, width] = POOL.size;
    // In the middle of the first frame: row 2, column 2 belongs to four windows.
    let at = (2 * width + 2) * POOL.channels;
    frames.map[at] = f32::NAN;
    for set in sets() {
        let (y, _) = frames.forward(set);
        assert_eq!(y.iter().filter(|y| y.is_nan()).count(), 4, "{set}");
    }
    let mut case = Case::new(SHAPE);
    case.x[0] = f32::NAN;
    for set in sets() {
        for response in [Response::Linear, Response::Rectified] {
            let y = case.forward(set, response);
            // The corner is seen by four pixels of its frame.
            assert_eq!(y.iter().filter(|y| y.is_nan()).count(), 4 * SHAPE.c_out, "{set}");
        }
    }
}
