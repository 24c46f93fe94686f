//! Post × pre of every kind of layer, against automatic differentiation of Σ post · layer(pre).

use burn::tensor::{
    Device, FloatDType, Tensor, TensorData,
    module::{conv1d, conv2d, conv3d},
    ops::ConvOptions,
};
use clapp_backend::{Hebbian, conv1d_hebbian, conv2d_hebbian, conv3d_hebbian, linear_hebbian};
use clapp_baselines::disagreement;
use clapp_random::{Purpose, stream};
use rand::RngExt;

/// Precision of the product, and what it may differ by from a gradient in double precision.
const BOUNDS: [(FloatDType, f64); 2] = [(FloatDType::F64, 1e-9), (FloatDType::F32, 1e-5)];

fn values<const D: usize>(address: u64, shape: [usize; D]) -> Tensor<D> {
    let mut random = stream(3, Purpose::Test, [address, 0, 0, 0]);
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// Compares with the gradient of `Σ post · layer(pre, W, b)`.
fn compare<const D: usize>(
    name: &str,
    [pre, post, weight]: [Tensor<D>; 3],
    layer: impl Fn(Tensor<D>, Tensor<D>, Tensor<1>) -> Tensor<D>,
    hebbian: impl Fn(Tensor<D>, Tensor<D>, Tensor<D>) -> Hebbian<D>,
) {
    let exact = |tensor: &Tensor<D>| tensor.clone().cast(FloatDType::F64);
    let w = exact(&weight).autodiff().require_grad();
    let b = Tensor::<1>::zeros([post.dims()[1]], &Device::flex()).cast(FloatDType::F64);
    let b = b.autodiff().require_grad();
    let gradients = (layer(exact(&pre), w.clone(), b.clone()) * exact(&post)).sum().backward();
    // The product is an update, the negative of a gradient.
    let [w, b] =
        [w.grad(&gradients).map(|g| -g.flatten::<1>(0, D - 1)), b.grad(&gradients).map(|g| -g)]
            .map(|gradient| gradient.expect("both take part"));
    for (dtype, bound) in BOUNDS {
        let update =
            hebbian(pre.clone().cast(dtype), post.clone().cast(dtype), weight.clone().cast(dtype));
        assert_eq!(update.weight.dims(), weight.dims());
        for (what, update, gradient) in
            [("ΔW", update.weight.flatten::<1>(0, D - 1), &w), ("Δb", update.bias, &b)]
        {
            let d = disagreement(&update, gradient);
            assert!(d < bound, "{name} {dtype:?} {what}: expected below {bound:.0e}, got {d:.1e}");
        }
    }
}

/// Output length of a convolution along one axis.
fn length(input: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    (input + 2 * padding - kernel) / stride + 1
}

#[test]
fn conv1d_product_is_the_gradient() {
    // [n, pre, post, length, kernel, stride, padding]; the first two: sound encoder.
    let cases = [
        [2, 1, 16, 200, 10, 5, 2],
        [2, 16, 32, 39, 8, 4, 2],
        [3, 32, 32, 17, 4, 2, 1],
        [1, 3, 5, 7, 3, 1, 0],
        [4, 5, 1, 1, 1, 1, 0],
        [2, 7, 33, 9, 3, 3, 2],
    ];
    for case @ [n, i, j, l, k, stride, padding] in cases {
        let post = [n, j, length(l, k, stride, padding)];
        compare(
            &format!("conv1d {case:?}"),
            [values(0, [n, i, l]), values(1, post), values(2, [j, i, k])],
            |x, w, b| conv1d(x, w, Some(b), ConvOptions::new([stride], [padding], [1], 1)),
            |pre, post, weight| conv1d_hebbian(pre, post, weight, stride, padding),
        );
    }
}

#[test]
fn conv2d_product_is_the_gradient() {
    // n, pre, post, size, kernel, stride, padding
    let cases = [
        (3, 16, 32, [8, 8], [3, 3], [1, 1], [1, 1]),
        (2, 3, 5, [7, 9], [3, 5], [2, 1], [0, 2]),
        (2, 1, 48, [16, 16], [3, 3], [1, 1], [1, 1]),
        (1, 32, 7, [5, 4], [1, 1], [1, 1], [0, 0]),
        (2, 4, 16, [11, 6], [4, 3], [3, 2], [2, 1]),
        (5, 6, 2, [1, 1], [3, 3], [1, 1], [1, 1]),
    ];
    for case in cases {
        let (n, i, j, size, k, stride, padding) = case;
        let out = |axis: usize| length(size[axis], k[axis], stride[axis], padding[axis]);
        compare(
            &format!("conv2d {case:?}"),
            [
                values(0, [n, i, size[0], size[1]]),
                values(1, [n, j, out(0), out(1)]),
                values(2, [j, i, k[0], k[1]]),
            ],
            |x, w, b| conv2d(x, w, Some(b), ConvOptions::new(stride, padding, [1, 1], 1)),
            |pre, post, weight| conv2d_hebbian(pre, post, weight, stride, padding),
        );
    }
}

#[test]
fn conv3d_product_is_the_gradient() {
    let cases = [
        (1, 3, 8, [5, 8, 8], [1, 3, 3], [1, 2, 2], [0, 1, 1]),
        (2, 4, 3, [5, 4, 7], [3, 3, 3], [1, 1, 2], [1, 1, 0]),
        (2, 16, 16, [4, 5, 5], [3, 2, 3], [2, 1, 1], [1, 0, 1]),
        (1, 1, 1, [1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 0]),
    ];
    for case in cases {
        let (n, i, j, size, k, stride, padding) = case;
        let out = |axis: usize| length(size[axis], k[axis], stride[axis], padding[axis]);
        compare(
            &format!("conv3d {case:?}"),
            [
                values(0, [n, i, size[0], size[1], size[2]]),
                values(1, [n, j, out(0), out(1), out(2)]),
                values(2, [j, i, k[0], k[1], k[2]]),
            ],
            |x, w, b| conv3d(x, w, Some(b), ConvOptions::new(stride, padding, [1, 1, 1], 1)),
            |pre, post, weight| conv3d_hebbian(pre, post, weight, stride, padding),
        );
    }
}

#[test]
fn product_of_a_fully_connected_layer_is_the_gradient() {
    for case @ [n, i, j] in [[1, 1, 1], [5, 3, 7], [33, 64, 17], [8, 100, 32]] {
        compare(
            &format!("linear {case:?}"),
            [values(0, [n, i]), values(1, [n, j]), values(2, [j, i])],
            |x, w, b| x.matmul(w.transpose()) + b.unsqueeze::<2>(),
            |pre, post, _| linear_hebbian(pre, post),
        );
    }
}
