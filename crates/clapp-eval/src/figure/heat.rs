//! Colours for values: maps of shades that print and that the colour-blind can read.

use ndarray::ArrayView2;

use super::Picture;

/// From low to high at equal distances: violet, blue, green, yellow. The lightness L* rises by 10 from each to the next, so that equal
/// steps of a value look equal, also in grey and without red or green.
const COLOURS: [[u8; 3]; 9] = [
    [49, 1, 91],
    [39, 39, 131],
    [2, 77, 135],
    [6, 108, 137],
    [11, 138, 143],
    [13, 169, 141],
    [91, 197, 119],
    [178, 217, 102],
    [255, 233, 104],
];

impl Picture {
    /// A pixel for every value, `[row, column]`: violet at the low end of the range or below, yellow at the high end or
    /// above, black for what is no number.
    ///
    /// ```
    /// use clapp_eval::figure::Picture;
    /// let picture = Picture::heat(ndarray::array![[-1.0, 0.0, 9.0]].view(), [0.0, 1.0]);
    /// assert_eq!((picture.size, &picture.rgb[..3]), ([3, 1], &picture.rgb[3..6]));
    /// ```
    #[must_use]
    pub fn heat(values: ArrayView2<'_, f64>, [low, high]: [f64; 2]) -> Self {
        let (rows, columns) = values.dim();
        let span = (high - low).max(f64::MIN_POSITIVE);
        let rgb = values.iter().flat_map(|value| colour((value - low) / span)).collect();
        Self { size: [columns, rows], rgb }
    }
}

/// The colour at a place from 0 to 1, between those of the table.
fn colour(place: f64) -> [u8; 3] {
    let along = place.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
    let from = (along as usize).min(COLOURS.len() - 2);
    let share = along - from as f64;
    let [a, b] = [COLOURS[from], COLOURS[from + 1]];
    [0, 1, 2].map(|i| (f64::from(a[i]) * (1.0 - share) + f64::from(b[i]) * share).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L* of CIE 1976, from 0 for black to 100 for white.
    fn lightness(rgb: [u8; 3]) -> f64 {
        let linear = rgb.map(|value| match f64::from(value) / 255.0 {
            v if v <= 0.040_45 => v / 12.92,
            v => ((v + 0.055) / 1.055).powf(2.4),
        });
        let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        116.0 * y.cbrt() - 16.0
    }

    #[test]
    fn colours_get_lighter_by_equal_steps() {
        for pair in COLOURS.windows(2) {
            let step = lightness(pair[1]) - lightness(pair[0]);
            // Whole numbers of 8 bits are up to 0.3 off.
            assert!((step - 10.0).abs() < 0.3, "{pair:?}: {step}");
        }
        assert_eq!([colour(0.0), colour(1.0)], [COLOURS[0], COLOURS[8]]);
        assert_eq!(colour(0.25), COLOURS[2]);
    }
}
