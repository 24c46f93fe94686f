//! Multiply-adds: those that a step needs by definition, and those that the kernels have to do.
//!
//! ```text
//! direct   n · c_in · c_out · Σ taps that lie on the map        (padding is never multiplied)
//! useful   Winograd: n · tiles · products of a tile · c_in · c_out;   elsewhere as direct
//! share    2 · useful / (seconds of a step · measured multiply-add ceiling)
//! ```
//! Useful are the products of matrices only. Left out, although they take time: Winograd's
//! transforms, tiles filled up with zero rows, bias, rectification, pools and means, scores and sums
//! over pairs, Adam. So a share of 100 % cannot be reached.

use clapp::encoders::{EncoderConfig, EncoderError};
use clapp::rules::{Feedback, GridShape, Rule};
use clapp_backend::bench::{ConvPlan, ConvShape};
use clapp_backend::{Arithmetic, Pool};
use serde::Serialize;

use crate::Setting;

/// Multiply-adds of matrix products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Products {
    /// What the algorithm in use has to do.
    pub useful: u64,
    /// What the definition asks for.
    pub direct: u64,
}

impl std::ops::Add for Products {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { useful: self.useful + other.useful, direct: self.direct + other.direct }
    }
}

impl std::iter::Sum for Products {
    fn sum<I: Iterator<Item = Self>>(products: I) -> Self {
        products.fold(Self::default(), |sum, products| sum + products)
    }
}

/// Products of one half of a convolution: its forward pass, or its weight gradient.
///
/// ```
/// use clapp_backend::{Arithmetic, bench::ConvShape};
/// use clapp_benches::count::convolution;
/// // A 4×4 map has 100 taps within it (10 along each side); Winograd needs 36 products.
/// let products = convolution(ConvShape::three_by_three(1, 32, 32, 4, 4), Arithmetic::Fast);
/// assert_eq!((products.direct, products.useful), (100 * 1024, 36 * 1024));
/// ```
#[must_use]
pub fn convolution(shape: ConvShape, arithmetic: Arithmetic) -> Products {
    let pairs = (shape.n * shape.c_in * shape.c_out) as u64;
    let direct = pairs * taps(&shape, 0) * taps(&shape, 1);
    let plan = ConvPlan::new(shape, Pool::None).with_arithmetic(arithmetic);
    let useful = plan.winograd_products().map_or(direct, |products| pairs * products as u64);
    Products { useful, direct }
}

/// Taps on the map along one axis, over all outputs.
fn taps(shape: &ConvShape, axis: usize) -> u64 {
    let [size, outputs] = match axis {
        0 => [shape.height, shape.out_height()],
        _ => [shape.width, shape.out_width()],
    };
    let (stride, padding) = (shape.stride[axis], shape.padding[axis]);
    let inside = |position: usize| (padding..padding + size).contains(&position);
    let of =
        |output: usize| (0..shape.kernel[axis]).filter(|tap| inside(output * stride + tap)).count();
    (0..outputs).map(|output| of(output) as u64).sum()
}

/// Shapes of all convolutions of a step, from the input up.
///
/// # Errors
///
/// If the sizes don't fit together.
pub fn shapes(setting: &Setting) -> Result<Vec<ConvShape>, EncoderError> {
    let config = setting.encoder()?;
    let patches = setting.patches(config.patches);
    let mut side = config.patches.size;
    let mut pre = config.colours;
    let mut shapes = Vec::with_capacity(config.layers.len());
    for (post, next) in config.channels().into_iter().zip(config.map_sizes()?) {
        shapes.push(ConvShape::three_by_three(patches, pre, post, side, side));
        (pre, side) = (post, next);
    }
    Ok(shapes)
}

/// Forward pass of all layers.
///
/// # Errors
///
/// As [`shapes`].
pub fn inference(setting: &Setting) -> Result<Products, EncoderError> {
    let shapes = shapes(setting)?;
    Ok(shapes.into_iter().map(|shape| convolution(shape, setting.arithmetic)).sum())
}

/// A whole step. `taught` are the patches of each layer that have something to learn: others don't
/// enter a weight gradient.
///
/// # Errors
///
/// As [`shapes`].
pub fn step(setting: &Setting, rule: &Rule, taught: &[usize]) -> Result<Products, EncoderError> {
    let update = shapes(setting)?
        .into_iter()
        .zip(taught)
        .map(|(shape, &n)| convolution(ConvShape { n, ..shape }, setting.arithmetic))
        .sum();
    Ok(inference(setting)? + update + lateral(&setting.encoder()?, setting.batch, rule))
}

/// Products with and for the lateral weights: Σ_k rows(k) · channels² · how many.
///
/// A row of one prediction step needs W_pred c, its share of ΔW_pred, and W_retro g on the way back.
/// W_retro with draws of its own needs its own scores and its own update as well.
#[must_use]
pub fn lateral(config: &EncoderConfig, batch: usize, rule: &Rule) -> Products {
    let products: u64 = match rule.feedback {
        Feedback::Blocked => 2,
        Feedback::PredRetro => 5,
        _ => 3,
    };
    let shape = GridShape { batch, time: config.time(), site: config.time() };
    let rows: usize = (1..=rule.prediction_steps).map(|k| shape.rows(rule.shift(k))).sum();
    let squares: u64 = config.channels().iter().map(|&channels| (channels as u64).pow(2)).sum();
    let direct = products * rows as u64 * squares;
    Products { useful: direct, direct }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(n: usize, channels: [usize; 2], side: usize) -> Products {
        let [pre, post] = channels;
        convolution(ConvShape::three_by_three(n, pre, post, side, side), Arithmetic::Fast)
    }

    #[test]
    fn a_map_of_two_by_two_has_16_taps_and_9_products() {
        assert_eq!(of(3, [16, 32], 2), Products { direct: 16 * 3 * 512, useful: 9 * 3 * 512 });
    }

    #[test]
    fn a_map_of_eight_by_eight_has_22_taps_a_side_and_4_tiles() {
        assert_eq!(of(1, [16, 32], 8), Products { direct: 22 * 22 * 512, useful: 4 * 36 * 512 });
    }

    #[test]
    fn a_map_of_three_by_three_is_computed_directly() {
        // 2 + 3 + 2 taps along each side.
        assert_eq!(of(1, [16, 32], 3), Products { direct: 49 * 512, useful: 49 * 512 });
    }

    #[test]
    fn one_colour_is_computed_directly() {
        assert_eq!(of(1, [1, 32], 4), Products { direct: 100 * 32, useful: 100 * 32 });
    }

    #[test]
    fn exact_arithmetic_does_what_the_definition_asks_for() {
        let shape = ConvShape::three_by_three(1, 16, 32, 4, 4);
        let products = convolution(shape, Arithmetic::Exact);
        assert_eq!(products.useful, products.direct);
    }

    #[test]
    fn strides_and_large_kernels_count_taps_within_the_map_only() {
        // One row of 5 pixels, kernel 3, stride 2, padding 1: outputs at 0, 2, 4 see 2, 3, 2 taps.
        let mut shape = ConvShape::three_by_three(1, 1, 1, 1, 5);
        (shape.kernel, shape.stride, shape.padding) = ([1, 3], [1, 2], [0, 1]);
        assert_eq!(convolution(shape, Arithmetic::Fast).direct, 7);
    }

    #[test]
    fn lateral_products_are_those_of_the_rows_that_predict() {
        // 32 pixels are 3 rows and columns of patches; a prediction over 2 rows leaves 1 · 3 contexts.
        let setting = Setting { width: 1.0 / 128.0, batch: 2, crop: 32, ..Setting::full() };
        let config = setting.encoder().unwrap();
        let squares = 1 + 4 + 4 + 16 + 64 + 64;
        let rule = Rule { prediction_steps: 1, ..Rule::clapp_s() };
        assert_eq!(lateral(&config, 2, &rule).useful, 3 * 2 * 3 * squares);
        let rule = Rule { prediction_steps: 1, ..Rule::clapp() };
        assert_eq!(lateral(&config, 2, &rule).useful, 5 * 2 * 3 * squares);
    }

    #[test]
    fn patches_that_learn_nothing_leave_the_weight_gradient() {
        let setting = Setting { batch: 1, ..Setting::full() };
        let rule = Rule::clapp_s();
        let idle = step(&setting, &rule, &[0; 6]).unwrap();
        let half = step(&setting, &rule, &[24; 6]).unwrap();
        let forward = inference(&setting).unwrap();
        assert_eq!((half.useful - idle.useful) * 49, forward.useful * 24);
    }

    #[test]
    fn the_second_layer_at_full_width_is_what_it_is_in_the_table() {
        let shape = shapes(&Setting::full()).unwrap()[1];
        assert_eq!(shape, ConvShape::three_by_three(392, 128, 256, 16, 16));
        // 46 taps a side, 16 tiles.
        let pairs = 392 * 128 * 256;
        let expected = Products { direct: 46 * 46 * pairs, useful: 576 * pairs };
        assert_eq!(convolution(shape, Arithmetic::Fast), expected);
    }
}
