//! How far an update is from a step down its loss, and whether two point the same way.

use burn::tensor::Tensor;

/// Relative difference of an update and the negative gradient.
///
/// ```text
/// d = ‖ΔW + g‖ / (‖ΔW‖ + ‖g‖)        g = ∂L/∂W
/// ```
///
/// 0 if the update is the negative gradient, 1 if it points elsewhere. Two zero tensors agree; NaN
/// agrees with nothing. Computed on the host in double precision.
///
/// # Panics
///
/// If the shapes differ.
///
/// # Paper
/// `compare_updates.py`: `d = diff.norm() / (dWpred.norm() + grad_Wpred.norm())`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::disagreement;
/// let device = Device::flex();
/// let update = Tensor::<1>::from_floats([3.0, 4.0], &device);
/// assert_eq!(disagreement(&update, &-update.clone()), 0.0);
/// assert_eq!(disagreement(&update, &update), 1.0);
/// ```
#[must_use]
pub fn disagreement<const D: usize>(update: &Tensor<D>, gradient: &Tensor<D>) -> f64 {
    assert_eq!(
        update.dims(),
        gradient.dims(),
        "disagreement: expected a gradient of the update's shape {:?}, got {:?}",
        update.dims(),
        gradient.dims()
    );
    let (update, gradient) = (host(update), host(gradient));
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut update.iter().zip(&gradient).map(|(u, g)| u + g));
    let scale = norm(&mut update.iter().copied()) + norm(&mut gradient.iter().copied());
    if scale > 0.0 { difference / scale } else { difference }
}

/// Cosine of the angle between two changes.
///
/// ```text
/// a = ⟨Δ, Δ′⟩ / (‖Δ‖ ‖Δ′‖)
/// ```
///
/// 1 if they point the same way, whatever their lengths; 0 if either is zero. Computed on the host in double
/// precision.
///
/// # Panics
///
/// If the shapes differ.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::cosine;
/// let device = Device::flex();
/// let [a, b] = [[3.0, 4.0], [4.0, 3.0]].map(|values| Tensor::<1>::from_floats(values, &device));
/// assert!((cosine(&a, &b) - 0.96).abs() < 1e-12);
/// ```
#[must_use]
pub fn cosine<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> f64 {
    assert_eq!(
        a.dims(),
        b.dims(),
        "cosine: expected one shape, got {:?} and {:?}",
        a.dims(),
        b.dims()
    );
    let (a, b) = (host(a), host(b));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = (dot(&a, &a) * dot(&b, &b)).sqrt();
    if scale == 0.0 { 0.0 } else { dot(&a, &b) / scale }
}

fn host<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    let data = tensor.to_data().convert::<f64>();
    data.try_to_vec::<f64>().expect("just converted to f64")
}
