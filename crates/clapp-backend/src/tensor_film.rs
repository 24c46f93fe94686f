//! The primitives of film layers on burn's `Tensor`.

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use crate::film::{FilmOps, FilmSpec, FrameWindow, Response};

/// The same film in the memory order that its backend likes best: costs nothing the second time.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::arrange_film;
/// let film = Tensor::<5>::ones([1, 3, 2, 8, 8], &Device::flex());
/// assert_eq!(arrange_film(film).dims(), [1, 3, 2, 8, 8]);
/// ```
#[must_use]
pub fn arrange_film(film: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(<Dispatch as FilmOps>::arrange_film(film.into_dispatch()))
}

/// Convolution over time and space with bias and response.
///
/// ```text
/// u = ρ(W ∗ x + b)
/// ```
///
/// # Shapes
/// - `input`: `[n, i, t, y, x]`; `weight`: `[j, i, kt, ky, kx]`; `bias`: `[j]`; returns `[n, j, t', y', x']`
///
/// # Panics
///
/// If the channels of input, weight and bias disagree, or the film is smaller than the kernel.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::{FilmSpec, Response, conv3d_local};
/// let device = Device::flex();
/// // Two frames of one pixel, 1 and 2; the second minus the first, and the first minus the second.
/// let film = Tensor::<1>::from_floats([1.0, 2.0], &device).reshape([1, 1, 2, 1, 1]);
/// let weight = Tensor::<1>::from_floats([-1.0, 1.0, 1.0, -1.0], &device).reshape([2, 1, 2, 1, 1]);
/// let spec = FilmSpec { stride: [1; 3], padding: [0; 3], response: Response::Rectified };
/// let map = conv3d_local(film, weight, Tensor::zeros([2], &device), spec);
/// assert_eq!(map.into_data().try_to_vec::<f32>().unwrap(), [1.0, 0.0]);
/// ```
#[must_use]
pub fn conv3d_local(
    input: Tensor<5>,
    weight: Tensor<5>,
    bias: Tensor<1>,
    spec: FilmSpec,
) -> Tensor<5> {
    let ([_, channels, ..], [post, pre, ..]) = (input.dims(), weight.dims());
    assert_eq!(channels, pre, "conv3d_local: expected {pre} input channels, got {channels}");
    assert_eq!(bias.dims(), [post], "conv3d_local: expected {post} biases, got {:?}", bias.dims());
    Tensor::from_dispatch(<Dispatch as FilmOps>::conv3d_local(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        spec,
    ))
}

/// Mean and biased variance of every channel of a map `[n, c, t, y, x]`, `[c]` each.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::channel_moments;
/// let map = Tensor::<1>::from_floats([1.0, 3.0], &Device::flex()).reshape([1, 1, 1, 1, 2]);
/// let (mean, variance) = channel_moments(map);
/// assert_eq!((mean.into_scalar::<f32>(), variance.into_scalar::<f32>()), (2.0, 1.0));
/// ```
#[must_use]
pub fn channel_moments(map: Tensor<5>) -> (Tensor<1>, Tensor<1>) {
    let found = <Dispatch as FilmOps>::channel_moments(map.into_dispatch());
    (Tensor::from_dispatch(found.mean), Tensor::from_dispatch(found.variance))
}

/// A map behind normalisation and max-pool: what goes up, and what the way back needs.
///
/// ```text
/// y(q) = α u(p*) + β        p* = the pixel of window q with the largest α u
/// ```
///
/// Because y rises with u where α > 0 and falls where α < 0, winners are picked from u, and only
/// winners are normalised.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::{FrameWindow, PooledMap, Response};
/// let device = Device::flex();
/// let map = Tensor::<1>::from_floats([1.0, 4.0, 2.0], &device).reshape([1, 1, 1, 1, 3]);
/// let line = [2.0, -1.0].map(|value| Tensor::<1>::from_floats([value], &device));
/// // One window of one pixel each: no pool.
/// let pooled = PooledMap::new(map, line, FrameWindow::PIXEL);
/// assert_eq!(pooled.output.clone().into_data().try_to_vec::<f32>().unwrap(), [1.0, 7.0, 3.0]);
/// let signal = pooled.output.ones_like();
/// let (sum, centred) = pooled.signal_sums(signal, Tensor::from_floats([2.0], &device));
/// assert_eq!((sum.into_scalar::<f32>(), centred.into_scalar::<f32>()), (3.0, -1.0 + 2.0 + 0.0));
/// ```
#[derive(Clone, Debug)]
pub struct PooledMap {
    /// u, `[n, c, t, y, x]`.
    pub map: Tensor<5>,
    /// y, `[n, c, t, y', x']`.
    pub output: Tensor<5>,
    winners: Tensor<5, Int>,
    window: FrameWindow,
}

impl PooledMap {
    /// Normalises and pools a map; `line` is α and β of every channel, `[c]` each.
    ///
    /// # Panics
    ///
    /// If a frame is smaller than a window.
    #[must_use]
    pub fn new(map: Tensor<5>, line: [Tensor<1>; 2], window: FrameWindow) -> Self {
        let found = <Dispatch as FilmOps>::normalise_pooled(
            map.clone().into_dispatch(),
            Tensor::stack::<2>(line.to_vec(), 0).into_dispatch(),
            window,
        );
        let (output, winners) =
            (Tensor::from_dispatch(found.output), Tensor::from_dispatch(found.winners));
        Self { map, output, winners, window }
    }

    /// Sums of a signal for every channel.
    ///
    /// ```text
    /// Σ_q m(q)        Σ_q m(q) (u(p*) − μ)
    /// ```
    ///
    /// # Shapes
    /// - `signal`: as the output; `mean`: `[c]`; returns two times `[c]`
    #[must_use]
    pub fn signal_sums(&self, signal: Tensor<5>, mean: Tensor<1>) -> (Tensor<1>, Tensor<1>) {
        self.check(&signal);
        let found = <Dispatch as FilmOps>::signal_sums(
            self.map.clone().into_dispatch(),
            self.winners.clone().into_dispatch(),
            signal.into_dispatch(),
            mean.into_dispatch(),
            self.window,
        );
        (Tensor::from_dispatch(found.sum), Tensor::from_dispatch(found.centred))
    }

    /// What reaches every pixel of the map.
    ///
    /// ```text
    /// post(p) = ρ′(u(p)) [ α Σ_{q: p won window q} m(q) − κ u(p) − λ ]
    /// ```
    ///
    /// ρ′ is 1 everywhere under [`Response::Linear`].
    ///
    /// # Shapes
    /// - `signal`: as the output; `terms`: α, κ and λ, `[c]` each; returns the shape of the map
    #[must_use]
    pub fn signal_back(
        &self,
        signal: Tensor<5>,
        terms: [Tensor<1>; 3],
        response: Response,
    ) -> Tensor<5> {
        self.check(&signal);
        Tensor::from_dispatch(<Dispatch as FilmOps>::signal_back(
            self.map.clone().into_dispatch(),
            self.winners.clone().into_dispatch(),
            signal.into_dispatch(),
            Tensor::stack::<2>(terms.to_vec(), 0).into_dispatch(),
            self.window,
            response,
        ))
    }

    fn check(&self, signal: &Tensor<5>) {
        let expected = self.output.dims();
        let got = signal.dims();
        assert_eq!(got, expected, "pooled map: expected a signal of {expected:?}, got {got:?}");
    }
}
