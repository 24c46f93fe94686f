//! A series for the eye, in memory that does not grow with it.

/// Points at most, two for each of the columns of a wide terminal.
const MOST: usize = 512;

/// Means of so many values each as keep the points few, however many the values are.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    points: Vec<(f64, f64)>,
    /// Values to a point.
    every: u32,
    /// Number and sum of those that are no point yet.
    open: (u32, f64),
}

impl Curve {
    pub(super) fn new() -> Self {
        Self { points: Vec::new(), every: 1, open: (0, 0.0) }
    }

    /// Adds `y` at `x`, which grows from call to call; what is no finite number leaves no trace.
    pub(super) fn push(&mut self, x: f64, y: f64) {
        if !y.is_finite() {
            return;
        }
        let (count, sum) = (self.open.0 + 1, self.open.1 + y);
        self.open = (count, sum);
        if count < self.every {
            return;
        }
        self.points.push((x, sum / f64::from(count)));
        self.open = (0, 0.0);
        if self.points.len() == MOST {
            let merged = |pair: &[(f64, f64)]| (pair[1].0, 0.5 * (pair[0].1 + pair[1].1));
            self.points = self.points.chunks_exact(2).map(merged).collect();
            self.every *= 2;
        }
    }

    /// Where each mean ends, and the mean.
    pub(super) fn points(&self) -> &[(f64, f64)] {
        &self.points
    }
}
