//! Changing the size of images by whole factors, in exact integer arithmetic.

use serde::{Deserialize, Serialize};

use crate::Error;

/// A change of size by a whole factor.
///
/// ```text
/// Shrink(f):  out(y, x) = round( Σ in(f·y + i, f·x + j) / f² ),   0 ≤ i, j < f      (area average)
/// Enlarge(f): out(y, x) = round( in((y + ½)/f − ½, (x + ½)/f − ½) )                (bilinear, edges clamped)
/// ```
/// Halves are rounded up. The arithmetic is in integers, so results are equal on all machines.
///
/// # Example
///
/// ```
/// use clapp_datasets::Scale;
///
/// assert_eq!(Scale::Shrink(2).apply(&[10, 20, 30, 41], [1, 2, 2]), [25]);
/// assert_eq!(Scale::Enlarge(2).apply(&[0, 100], [1, 1, 2])[..4], [0, 25, 75, 100]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scale {
    /// The image stays as it is.
    #[default]
    Keep,
    /// Sides are divided by the factor.
    Shrink(usize),
    /// Sides are multiplied by the factor.
    Enlarge(usize),
}

impl Scale {
    /// The size of an image of size `dims` = `[colour, height, width]` afterwards.
    ///
    /// # Errors
    /// [`Error::Config`] if the factor is 0 or above 64, or does not divide both sides.
    pub fn output(self, dims: [usize; 3]) -> Result<[usize; 3], Error> {
        let [colour, height, width] = dims;
        match self {
            Self::Keep => Ok(dims),
            Self::Shrink(factor) | Self::Enlarge(factor) if !(1..=64).contains(&factor) => {
                Err(Error::setting("scale", "a factor in 1..=64", factor))
            }
            Self::Shrink(factor) if height % factor + width % factor > 0 => {
                let expected = "a factor that divides both sides";
                let place = format!("an image of {height}×{width}");
                Err(Error::config("scale", expected, factor, place, "choose a divisor"))
            }
            Self::Shrink(factor) => Ok([colour, height / factor, width / factor]),
            Self::Enlarge(factor) => Ok([colour, height * factor, width * factor]),
        }
    }

    /// The scaled image, planar and row-major like the given one.
    ///
    /// # Panics
    /// `image` is not of size `dims`, or [`output`](Self::output) refuses `dims`.
    #[must_use]
    pub fn apply(self, image: &[u8], dims: [usize; 3]) -> Vec<u8> {
        let [_, height, width] = dims;
        let (got, expected) = (image.len(), dims.iter().product::<usize>());
        assert!(got == expected, "image: expected {expected} bytes for {dims:?}, got {got}");
        self.output(dims).expect("output accepts the dims");
        let planes = image.chunks_exact(height * width);
        match self {
            Self::Keep => image.to_vec(),
            Self::Shrink(factor) => planes.flat_map(|p| shrink(p, width, factor)).collect(),
            Self::Enlarge(factor) => planes.flat_map(|p| enlarge(p, width, factor)).collect(),
        }
    }
}

fn shrink(plane: &[u8], width: usize, factor: usize) -> Vec<u8> {
    let area = (factor * factor) as u32;
    let mut out = Vec::with_capacity(plane.len() / (factor * factor));
    for rows in plane.chunks_exact(factor * width) {
        for x in (0..width).step_by(factor) {
            let block = rows.chunks_exact(width).flat_map(|row| &row[x..x + factor]);
            let sum: u32 = block.map(|byte| u32::from(*byte)).sum();
            out.push(((sum + area / 2) / area) as u8); // an average of bytes is a byte
        }
    }
    out
}

fn enlarge(plane: &[u8], width: usize, factor: usize) -> Vec<u8> {
    let (rows, columns) = (taps(plane.len() / width, factor), taps(width, factor));
    let unit = 4 * (factor * factor) as u32; // the weights of a pixel add up to (2f)²
    let mut out = Vec::with_capacity(plane.len() * factor * factor);
    for &(above, below, down) in &rows {
        let down_rest = 2 * factor as u32 - down;
        for &(left, right, along) in &columns {
            let at = |y: usize, x: usize| u32::from(plane[y * width + x]);
            let along_rest = 2 * factor as u32 - along;
            let upper = along_rest * at(above, left) + along * at(above, right);
            let lower = along_rest * at(below, left) + along * at(below, right);
            let sum = down_rest * upper + down * lower;
            out.push(((sum + unit / 2) / unit) as u8); // a weighted mean of bytes is a byte
        }
    }
    out
}

/// For every output position: the two input positions it lies between, and the weight of the second
/// in units of 1/(2f). Position i reads at (2i + 1 − f)/(2f).
fn taps(side: usize, factor: usize) -> Vec<(usize, usize, u32)> {
    (0..side * factor)
        .map(|i| match (2 * i + 1).checked_sub(factor) {
            None => (0, 0, 0),
            Some(position) => {
                let first = position / (2 * factor);
                (first, (first + 1).min(side - 1), (position % (2 * factor)) as u32)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_of_one_changes_nothing() {
        let image: Vec<u8> = (0..24).collect();
        for scale in [Scale::Keep, Scale::Shrink(1), Scale::Enlarge(1)] {
            assert_eq!(scale.apply(&image, [2, 3, 4]), image);
        }
    }

    #[test]
    fn a_constant_image_stays_constant() {
        for value in [0, 1, 127, 255] {
            let image = vec![value; 3 * 6 * 6];
            for scale in [Scale::Shrink(3), Scale::Enlarge(3), Scale::Enlarge(64)] {
                assert!(scale.apply(&image, [3, 6, 6]).iter().all(|v| *v == value));
            }
        }
    }

    #[test]
    fn shrinking_averages_each_block_of_its_own_plane() {
        let image = [1, 1, 5, 5, 1, 1, 5, 5, 0, 1, 2, 2, 0, 1, 2, 4];
        assert_eq!(Scale::Shrink(2).apply(&image, [2, 2, 4]), [1, 5, 1, 3]);
    }

    #[test]
    fn enlarging_equals_bilinear_interpolation_at_pixel_centres() {
        // torch.nn.functional.interpolate(torch.tensor([[[[0., 90.], [30., 240.]]]]),
        //     scale_factor=3, mode="bilinear", align_corners=False)
        let golden = [
            [0, 0, 30, 60, 90, 90],
            [0, 0, 30, 60, 90, 90],
            [10, 10, 53, 97, 140, 140],
            [20, 20, 77, 133, 190, 190],
            [30, 30, 100, 170, 240, 240],
            [30, 30, 100, 170, 240, 240],
        ];
        assert_eq!(Scale::Enlarge(3).apply(&[0, 90, 30, 240], [1, 2, 2]), golden.concat());
    }

    #[test]
    fn a_factor_that_does_not_divide_is_refused() {
        let error = Scale::Shrink(5).output([3, 96, 96]).unwrap_err().to_string();
        assert_eq!(
            error,
            "scale: expected a factor that divides both sides, got 5 in an image of 96×96; choose \
             a divisor"
        );
    }

    #[test]
    fn a_factor_of_zero_is_refused() {
        let error = Scale::Enlarge(0).output([3, 96, 96]).unwrap_err().to_string();
        assert_eq!(
            error,
            "scale: expected a factor in 1..=64, got 0 in the configuration; correct the setting"
        );
    }
}
