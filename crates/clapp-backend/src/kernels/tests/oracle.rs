//! Plain loops in f64, and numbers to feed them.

use super::*;
use crate::Pool;

/// Deterministic numbers: xorshift.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    /// Uniform in `[−1, 1)`.
    pub fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
    pub fn vec(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// Operands of one test, all in plain layout.
#[derive(Clone)]
pub struct Case {
    pub shape: ConvShape,
    pub pool: Pool,
    pub x: Vec<f32>,
    pub w: Vec<f32>,
    pub b: Vec<f32>,
}

/// Results in f64 and plain layout.
pub struct Expected {
    /// Before rectification.
    pub map: Vec<f64>,
    pub y: Vec<f64>,
    pub winners: Vec<u8>,
    pub mean: Vec<f64>,
}

impl Case {
    pub fn new(shape: ConvShape, pool: Pool) -> Self {
        let mut numbers = Numbers::new(7);
        let plan = ConvPlan::new(shape, pool);
        let scale = 1.0 / ((shape.c_in * shape.kernel[0] * shape.kernel[1]) as f32).sqrt();
        let x = numbers.vec(plan.input_len());
        let w = numbers.vec(plan.weight_len()).into_iter().map(|w| w * scale).collect();
        let b = numbers.vec(shape.c_out).into_iter().map(|b| b * 0.1).collect();
        Self { shape, pool, x, w, b }
    }

    pub fn plan(&self) -> ConvPlan {
        ConvPlan::new(self.shape, self.pool)
    }

    /// Calls `visit(input index, weight index)` for every product of output `(n, o, i, j)`.
    fn products(&self, [n, o, i, j]: [usize; 4], mut visit: impl FnMut(usize, usize)) {
        let ConvShape { c_in, height, width, kernel, stride, padding, .. } = self.shape;
        for c in 0..c_in {
            for u in 0..kernel[0] {
                for v in 0..kernel[1] {
                    let y = (i * stride[0] + u).wrapping_sub(padding[0]);
                    let x = (j * stride[1] + v).wrapping_sub(padding[1]);
                    if y < height && x < width {
                        let weight = ((o * c_in + c) * kernel[0] + u) * kernel[1] + v;
                        visit(((n * c_in + c) * height + y) * width + x, weight);
                    }
                }
            }
        }
    }

    pub fn forward(&self) -> Expected {
        let (rows, columns) = (self.shape.out_height(), self.shape.out_width());
        let mut map = vec![];
        for at in 0..self.shape.n * self.shape.c_out * rows * columns {
            let (pixel, channel) = (at % (rows * columns), at / (rows * columns));
            let [n, o] = [channel / self.shape.c_out, channel % self.shape.c_out];
            let mut sum = f64::from(self.b[o]);
            self.products([n, o, pixel / columns, pixel % columns], |x, w| {
                sum += f64::from(self.x[x]) * f64::from(self.w[w]);
            });
            map.push(sum);
        }
        let (mut y, mut winners, mut mean) = (vec![], vec![], vec![]);
        for map in map.chunks(rows * columns) {
            let before = y.len();
            for at in 0..self.plan().out_area() {
                let (value, code) = self.best(map, at);
                y.push(value.max(0.0));
                winners.push(if value > 0.0 { code } else { 4 });
            }
            mean.push(y[before..].iter().sum::<f64>() / self.plan().out_area() as f64);
        }
        Expected { map, y, winners, mean }
    }

    /// First maximum of output pixel `at`.
    fn best(&self, map: &[f64], at: usize) -> (f64, u8) {
        let columns = self.shape.out_width();
        if self.pool == Pool::None {
            return (map[at], 0);
        }
        let [i, j] = [at / self.plan().out_size()[1], at % self.plan().out_size()[1]];
        let values = [0, 1, 2, 3].map(|k| map[(2 * i + k / 2) * columns + 2 * j + k % 2]);
        (0..4).fold(
            (values[0], 0),
            |best, k| {
                if values[k] > best.0 { (values[k], k as u8) } else { best }
            },
        )
    }

    /// `dw` and `db` for a full map of modulations.
    pub fn hebbian(&self, winners: &[u8], m: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let (mut dw, mut db) = (vec![0.0; self.w.len()], vec![0.0; self.b.len()]);
        let [_, columns] = self.plan().out_size();
        let side = if self.pool == Pool::Max2 { 2 } else { 1 };
        let area = self.plan().out_area();
        for (at, (&code, &m)) in winners.iter().zip(m).enumerate() {
            if code == 4 || m == 0.0 {
                continue;
            }
            let (channel, pixel) = (at / area, at % area);
            let [n, o] = [channel / self.shape.c_out, channel % self.shape.c_out];
            let code = usize::from(code);
            let [i, j] = [pixel / columns * side + code / 2, pixel % columns * side + code % 2];
            db[o] += f64::from(m);
            self.products([n, o, i, j], |x, w| dw[w] += f64::from(m) * f64::from(self.x[x]));
        }
        (dw, db)
    }
}

/// `‖got − expected‖ / ‖expected‖`.
pub fn distance(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|a| a * a).sum::<f64>().sqrt();
    let error = norm(&mut got.iter().zip(expected).map(|(&g, e)| f64::from(g) - e));
    error / norm(&mut expected.iter().copied()).max(1e-30)
}

/// A plain activity in the layout `lanes`.
pub fn arranged<T: Copy + Send + Sync + Default>(
    lanes: Lanes,
    [channels, area]: [usize; 2],
    plain: &[T],
) -> Vec<T> {
    let mut out = plain.to_vec();
    if lanes == Lanes::Sixteen {
        pack(channels, area, plain, &mut out);
    }
    out
}

/// An activity of layout `lanes` in plain layout.
pub fn plain<T: Copy + Send + Sync + Default>(
    lanes: Lanes,
    [channels, area]: [usize; 2],
    from: &[T],
) -> Vec<T> {
    let mut out = from.to_vec();
    if lanes == Lanes::Sixteen {
        unpack(channels, area, from, &mut out);
    }
    out
}
