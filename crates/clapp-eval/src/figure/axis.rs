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

/// `25`, `0.05`, `40,000`, `2.5 M`.
pub(super) fn label(value: f64) -> String {
    let size = value.abs();
    if size >= 999_999.5 {
        return format!("{} M", plain(value / 1e6));
    }
    if size < 9_999.5 {
        return plain(value);
    }
    format!("{},{:03}", (value / 1e3).trunc(), (size % 1e3).round())
}

/// At most three decimals, no trailing zeros.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        trimmed => trimmed.to_owned(),
    }
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
        let texts: Vec<String> = [0.0, 0.25, 60.0, 5000.0, 40_000.0, 2.5e6].map(label).into();
        assert_eq!(texts, ["0", "0.25", "60", "5000", "40,000", "2.5 M"]);
    }
}
