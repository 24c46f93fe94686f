//! Normalisation and max-pool of a map of films.

use burn::tensor::{Int, Tensor};

use crate::operation::on_backend;
use crate::{FilmOps, FrameWindow, Response};

/// A map after normalisation and max-pool: what goes up, and what the way back needs.
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
        let line = Tensor::stack::<2>(line.to_vec(), 0);
        let (output, winners) = on_backend!(FilmOps::normalise_pooled(map.clone(), line), window);
        let (output, winners) = (Tensor::from_dispatch(output), Tensor::from_dispatch(winners));
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
        let (map, winners) = (self.map.clone(), self.winners.clone());
        let (sum, centred) =
            on_backend!(FilmOps::signal_sums(map, winners, signal, mean), self.window);
        (Tensor::from_dispatch(sum), Tensor::from_dispatch(centred))
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
        let (map, winners) = (self.map.clone(), self.winners.clone());
        let terms = Tensor::stack::<2>(terms.to_vec(), 0);
        Tensor::from_dispatch(on_backend!(
            FilmOps::signal_back(map, winners, signal, terms),
            self.window,
            response
        ))
    }

    fn check(&self, signal: &Tensor<5>) {
        let expected = self.output.dims();
        let got = signal.dims();
        assert_eq!(got, expected, "pooled map: expected a signal of {expected:?}, got {got:?}");
    }
}
