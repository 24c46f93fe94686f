//! Ticks at round numbers, and the map from values to places.

/// One axis: the values at its ends, and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<f64>,
}

impl Axis {
    /// An axis over `values` that begins and ends at ticks, about `count` of them.
    pub fn round(values: impl Iterator<Item = f64> + Clone, count: usize) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        if !(low.is_finite() && high.is_finite()) {
            return Self { low: 0.0, high: 1.0, ticks: vec![0.0, 1.0] };
        }
        let span = if high > low { high - low } else { low.abs().max(1.0) };
        let step = round_step(span / count as f64);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let last = if last > first { last } else { first + 1.0 };
        let ticks = (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect();
        Self { low: first * step, high: last * step, ticks }
    }

    /// An axis of layers, with half a layer of room at each end.
    pub fn layers(first: usize, last: usize) -> Self {
        let ticks = (first..=last).map(|layer| layer as f64).collect();
        Self { low: first as f64 - 0.4, high: last as f64 + 0.4, ticks }
    }

    /// The distance between ticks.
    pub fn step(&self) -> f64 {
        (self.high - self.low) / (self.ticks.len().max(2) - 1) as f64
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end.
    pub fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The smallest of 1, 2, 5 × 10ⁿ that is not below `step`.
fn round_step(step: f64) -> f64 {
    let scale = 10_f64.powf(step.log10().floor());
    let rounding = 1.0 + 1e-9;
    [1.0, 2.0, 5.0].into_iter().find(|m| m * scale * rounding >= step).unwrap_or(10.0) * scale
}

/// `25`, `0.80`, `40,000`, `2.5 M`: as many decimals as ticks that lie `step` apart need.
pub(super) fn label(value: f64, step: f64) -> String {
    let size = value.abs();
    if size >= 999_999.5 {
        return format!("{} M", decimals(value / 1e6, step / 1e6));
    }
    if size < 9_999.5 {
        return decimals(value, step);
    }
    let rounded = size.round();
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{},{:03}", (rounded / 1e3).trunc(), rounded % 1e3)
}

fn decimals(value: f64, step: f64) -> String {
    let places = (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 6.0) as usize;
    // A tick at 0 may be off by rounding, or be −0.
    format!("{:.places$}", if value.abs() < 1e-9 * step { 0.0 } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        let axis = Axis::round([21.8, 73.6].into_iter(), 6);
        assert_eq!(axis.ticks, [20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0]);
    }

    #[test]
    fn equal_values_still_have_an_axis() {
        for value in [0.0, 10.0, -3.5] {
            let axis = Axis::round([value].into_iter(), 5);
            assert!(axis.low <= value && value <= axis.high && axis.low < axis.high);
        }
    }

    #[test]
    fn labels_are_short() {
        let ticks = [(0.0, 5.0), (1.0, 0.2), (60.0, 10.0), (4e4, 1e4), (2.5e6, 5e5), (-0.05, 0.01)];
        let texts = ticks.map(|(value, step)| label(value, step));
        assert_eq!(texts, ["0", "1.0", "60", "40,000", "2.5 M", "-0.05"]);
    }
}
