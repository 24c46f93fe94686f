//! Competition between the channels of a pixel, and the parts of a layer around it.

use burn::backend::{Backend, Slice, backend_extension, tensor::FloatTensor};
use burn::tensor::{IndexingUpdateOp, Tensor};

use crate::convolution::plain;
use crate::operation::{Own, WINNER_TYPE, dims, on_backend, reshape};
use crate::{Activity, MapWindow, WindowOf};

/// Competition and what stands around it, as backends compute them.
///
/// Activities are lines, as in [`ConvolutionOps`](crate::ConvolutionOps).
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait CompetitionOps<P = Own>: Backend {
    /// [`soft_winners`]: signed soft winners and the sum of `y u` of every channel.
    fn soft_winners(
        u: FloatTensor<Self>,
        temperature: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [_, channels] = dims::<2, Self>(&u);
        let above = Self::float_sub(u.clone(), Self::float_max_dim(u.clone(), 1));
        let e = Self::float_exp(Self::float_mul_scalar(above, temperature.into()));
        let share = Self::float_div(e.clone(), Self::float_sum_dim(e, 1));
        let winner = Self::float_argmax(u.clone(), 1, WINNER_TYPE);
        let won = Self::float_gather(1, share.clone(), winner.clone());
        let won = Self::float_mul_scalar(won, 2.0.into());
        let lost = Self::float_neg(share);
        let y = Self::float_scatter(1, lost, winner, won, IndexingUpdateOp::Add);
        let sums = Self::float_sum_dim(Self::float_mul(y.clone(), u), 0);
        (y, reshape::<Self, 1>(sums, [channels]))
    }

    /// [`Activity::moments`]: mean and variance.
    fn map_moments(map: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let map = plain::<Self>(map);
        let [n, channels, height, width] = dims::<4, Self>(&map);
        let share = 1.0 / (n * height * width) as f64;
        let average = |of: FloatTensor<Self>| {
            let sums =
                Self::float_sum_dim(reshape::<Self, 3>(of, [n, channels, height * width]), 2);
            let sum = Self::float_sum_dim(reshape::<Self, 2>(sums, [n, channels]), 0);
            Self::float_mul_scalar(reshape::<Self, 1>(sum, [channels]), share.into())
        };
        let mean = average(map.clone());
        let centred = Self::float_sub(map, reshape::<Self, 4>(mean.clone(), [1, channels, 1, 1]));
        (mean, average(Self::float_mul(centred.clone(), centred)))
    }

    /// [`Activity::normalised`].
    fn normalise_reflected(
        map: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        border: usize,
    ) -> FloatTensor<Self> {
        let map = plain::<Self>(map);
        let [_, channels, ..] = dims::<4, Self>(&map);
        let [mean, scale] = [mean, scale].map(|of| reshape::<Self, 4>(of, [1, channels, 1, 1]));
        let centred = Self::float_mul(Self::float_sub(map, mean), scale);
        let reflected = reflect::<Self>(reflect::<Self>(centred, 2, border), 3, border);
        let [n, c, h, w] = dims::<4, Self>(&reflected);
        reshape::<Self, 5>(reflected, [n, c, h, w, 1])
    }

    /// [`Activity::triangle`].
    fn triangle(map: FloatTensor<Self>, power: f64, window: MapWindow) -> FloatTensor<Self> {
        let map = plain::<Self>(map);
        let above = Self::float_sub(map.clone(), Self::float_mean_dim(map, 1));
        let active = Self::relu(above);
        let exactly_one = (power - 1.0).abs() < f64::EPSILON;
        let active =
            if exactly_one { active } else { Self::float_powf_scalar(active, power.into()) };
        let MapWindow { of, side, stride, padding } = window;
        let [side, stride, padding] = [side, stride, padding].map(|pixels| [pixels; 2]);
        let pooled = match of {
            WindowOf::Max => Self::max_pool2d(active, side, stride, padding, [1, 1], false),
            WindowOf::Mean => Self::avg_pool2d(active, side, stride, padding, true, false),
        };
        let [n, c, h, w] = dims::<4, Self>(&pooled);
        reshape::<Self, 5>(pooled, [n, c, h, w, 1])
    }
}

/// `border` reflected pixels at both ends of an axis.
fn reflect<B: Backend>(map: FloatTensor<B>, axis: usize, border: usize) -> FloatTensor<B> {
    if border == 0 {
        return map;
    }
    let shape = dims::<4, B>(&map);
    let part = |from: usize| {
        let mut slices: Vec<Slice> = shape.iter().map(|&side| (0..side).into()).collect();
        slices[axis] = (from..from + border).into();
        B::float_flip(B::float_slice(map.clone(), &slices), &[axis])
    };
    let ends = [part(1), part(shape[axis] - 1 - border)];
    let [first, last] = ends;
    B::float_cat(vec![first, map.clone(), last], axis)
}

/// Signed soft winners among the channels of every pixel, and how strongly each channel's weights decay.
///
/// ```text
/// y_o = s_o softmax(t u)_o        d_o = Σ y_o u_o
/// ```
/// with s = +1 for the channel with the largest u, of equals the first, and −1 for all others.
///
/// # Shapes
/// - `u`: `[pixel, channel]`; returns y of the same shape and d `[channel]`
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::soft_winners;
/// let u = Tensor::<2>::from_floats([[2.0, 2.0, 0.0]], &Device::flex());
/// let (y, decay) = soft_winners(u, 100.0);
/// // Two equals share the softmax; the first of them wins.
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap()[..2], [0.5, -0.5]);
/// assert_eq!(decay.into_data().try_to_vec::<f32>().unwrap()[..2], [1.0, -1.0]);
/// ```
#[must_use]
pub fn soft_winners(u: Tensor<2>, temperature: f64) -> (Tensor<2>, Tensor<1>) {
    let (y, decay) = on_backend!(CompetitionOps::soft_winners(u), temperature);
    (Tensor::from_dispatch(y), Tensor::from_dispatch(decay))
}

impl Activity {
    /// Mean and biased variance of every channel over images and pixels, `[c]` each.
    #[must_use]
    pub fn moments(&self) -> (Tensor<1>, Tensor<1>) {
        let (mean, variance) = on_backend!(CompetitionOps::map_moments(self.lines.clone()));
        (Tensor::from_dispatch(mean), Tensor::from_dispatch(variance))
    }

    /// `(x − mean) · scale` of every channel, with `border` pixels reflected around it.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_backend::Activity;
    /// let device = Device::flex();
    /// let row = Tensor::<1>::from_floats([1.0, 2.0, 4.0], &device).reshape([1, 1, 1, 3]);
    /// let map = Activity::from_plain(row.repeat(&[1, 1, 2, 1]));
    /// let (zero, one) = (Tensor::zeros([1], &device), Tensor::ones([1], &device));
    /// let padded = map.normalised(zero, one, 1).to_plain();
    /// assert_eq!(padded.dims(), [1, 1, 4, 5]);
    /// assert_eq!(padded.into_data().try_to_vec::<f32>().unwrap()[..5], [2.0, 1.0, 2.0, 4.0, 2.0]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the border is not narrower than the map.
    #[must_use]
    pub fn normalised(&self, mean: Tensor<1>, scale: Tensor<1>, border: usize) -> Self {
        let [.., height, width] = self.dims();
        assert!(
            border < height.min(width),
            "reflected border: expected less than the {} pixels of the map, got {border}",
            height.min(width)
        );
        let lines = self.lines.clone();
        let lines = on_backend!(CompetitionOps::normalise_reflected(lines, mean, scale), border);
        Self { lines: Tensor::from_dispatch(lines) }
    }

    /// What is above the mean over channels, to a power, in windows.
    ///
    /// ```text
    /// r = max(u − ⟨u⟩_channels, 0)^p        y = largest, or mean, of a window of r
    /// ```
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_backend::{Activity, MapWindow, WindowOf};
    /// let u = Tensor::<1>::from_floats([1.0, 5.0], &Device::flex()).reshape([1, 2, 1, 1]);
    /// let pixel = MapWindow { of: WindowOf::Max, side: 1, stride: 1, padding: 0 };
    /// let y = Activity::from_plain(u).triangle(2.0, pixel).to_plain();
    /// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [0.0, 4.0]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the padded map is smaller than a window.
    #[must_use]
    pub fn triangle(&self, power: f64, window: MapWindow) -> Self {
        let lines = on_backend!(CompetitionOps::triangle(self.lines.clone()), power, window);
        Self { lines: Tensor::from_dispatch(lines) }
    }
}
