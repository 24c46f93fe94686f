//! How far numbers are from what they should be.

/// Relative difference of two lists of numbers, the measure of every comparison with an oracle.
///
/// ```text
/// ‖a − b‖ / (‖a‖ + ‖b‖)
/// ```
///
/// Two lists of zeros agree; not-a-number agrees with nothing.
///
/// # Panics
///
/// If the lists differ in length.
///
/// ```
/// use clapp_testing::distance::distance;
/// assert_eq!(distance(&[3.0, 4.0], &[3.0, 4.0]), 0.0);
/// assert_eq!(distance(&[3.0, 4.0], &[-3.0, -4.0]), 1.0);
/// assert!(distance(&[f64::NAN], &[1.0]).is_nan());
/// ```
#[must_use]
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "distance: expected as many numbers on both sides");
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let scale = norm(a) + norm(b);
    // Not-a-number is not above 0 either, but is in the difference as well.
    if scale > 0.0 { difference / scale } else { difference }
}

/// Euclidean norm.
#[must_use]
pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The numbers of a tensor.
#[cfg(feature = "tensors")]
#[must_use]
pub fn host<const D: usize>(tensor: burn::tensor::Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
