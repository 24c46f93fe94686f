//! Film layers on Flex: activities in rows of channels, `[n, t, y, x, c]` in memory.

use burn::backend::{
    Flex, Shape, TensorMetadata,
    flex::FlexTensor,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::DType;

use super::{contiguous, memory::Buffer, slice};
use crate::{
    film::{FilmOps, FilmSpec, FrameWindow, MomentsOutput, PooledOutput, Response, SignalOutput},
    generic_film as generic,
    kernels::{self, Back, FilmShape, FramePool},
    ops::HebbianOutput,
};

/// From `[n, c, t, y, x]` to rows, and back.
const TO_ROWS: [usize; 5] = [0, 2, 3, 4, 1];
const FROM_ROWS: [usize; 5] = [0, 4, 1, 2, 3];

impl FilmOps for Flex {
    fn arrange_film(film: FloatTensor<Self>) -> FloatTensor<Self> {
        if film.dtype() == DType::F32 { rows(&film).permute(&FROM_ROWS) } else { film }
    }

    fn conv3d_local(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: FilmSpec,
    ) -> FloatTensor<Self> {
        if input.dtype() != DType::F32 {
            return generic::conv3d_local::<Self>(input, weight, bias, spec);
        }
        let shape = shape(&input, &weight, spec.stride, spec.padding);
        let (x, w, b) = (rows(&input), contiguous(weight), contiguous(bias));
        let mut y = Buffer::<f32>::new(shape.output_len());
        shape.forward(slice(&x), slice(&w), slice(&b), kernel_response(spec.response), y.as_mut());
        let [t, h, w] = shape.out_size();
        y.into_tensor(Shape::from([shape.n, t, h, w, shape.c_out])).permute(&FROM_ROWS)
    }

    fn channel_moments(map: FloatTensor<Self>) -> MomentsOutput<Self> {
        if map.dtype() != DType::F32 {
            return generic::channel_moments::<Self>(map);
        }
        let pool = pool(&map, FrameWindow::PIXEL);
        let map = rows(&map);
        let [mean, variance] = kernels::channel_moments(slice(&map), pool.frames, pool.channels);
        MomentsOutput { mean: vector(&mean), variance: vector(&variance) }
    }

    fn normalise_pooled(
        map: FloatTensor<Self>,
        line: FloatTensor<Self>,
        window: FrameWindow,
    ) -> PooledOutput<Self> {
        if map.dtype() != DType::F32 {
            return generic::normalise_pooled::<Self>(map, line, window);
        }
        let ([n, _, t, ..], pool): ([usize; 5], _) = (map.shape().dims(), pool(&map, window));
        let (map, line) = (rows(&map), contiguous(line));
        let line = slice(&line).split_at(pool.channels);
        let mut output = Buffer::<f32>::new(pool.out_len());
        let mut winners = Buffer::<u8>::new(pool.out_len());
        pool.forward(slice(&map), [line.0, line.1], output.as_mut(), winners.as_mut());
        let [height, width] = pool.out_size();
        let shape = Shape::from([n, t, height, width, pool.channels]);
        let output = output.into_tensor(shape.clone()).permute(&FROM_ROWS);
        PooledOutput { output, winners: winners.into_tensor(shape) }
    }

    fn signal_sums(
        map: FloatTensor<Self>,
        winners: IntTensor<Self>,
        signal: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        window: FrameWindow,
    ) -> SignalOutput<Self> {
        if map.dtype() != DType::F32 {
            return generic::signal_sums::<Self>(map, winners, signal, mean, window);
        }
        let pool = pool(&map, window);
        let (map, signal, mean) = (rows(&map), rows(&signal), contiguous(mean));
        let from = Back { map: slice(&map), winners: codes(&winners), signal: slice(&signal) };
        let [sum, centred] = pool.sums(from, slice(&mean));
        SignalOutput { sum: vector(&sum), centred: vector(&centred) }
    }

    fn signal_back(
        map: FloatTensor<Self>,
        winners: IntTensor<Self>,
        signal: FloatTensor<Self>,
        terms: FloatTensor<Self>,
        window: FrameWindow,
        response: Response,
    ) -> FloatTensor<Self> {
        if map.dtype() != DType::F32 {
            return generic::signal_back::<Self>(map, winners, signal, terms, window, response);
        }
        let (shape, pool) = (map.shape(), pool(&map, window));
        let (map, signal, terms) = (rows(&map), rows(&signal), contiguous(terms));
        let from = Back { map: slice(&map), winners: codes(&winners), signal: slice(&signal) };
        let of = |row: usize| &slice(&terms)[row * pool.channels..][..pool.channels];
        let mut post = Buffer::<f32>::new(pool.map_len());
        pool.back(from, [of(0), of(1), of(2)], kernel_response(response), post.as_mut());
        let [n, c, t, h, w]: [usize; 5] = shape.dims();
        post.into_tensor(Shape::from([n, t, h, w, c])).permute(&FROM_ROWS)
    }
}

/// Post × pre of a convolution over films.
pub(super) fn hebbian(
    pre: &FlexTensor,
    post: &FlexTensor,
    weight: &FlexTensor,
    stride: [usize; 3],
    padding: [usize; 3],
) -> HebbianOutput<Flex> {
    let shape = shape(pre, weight, stride, padding);
    let (pre, post) = (rows(pre), rows(post));
    let mut dw = Buffer::<f32>::new(shape.weight_len());
    let mut db = Buffer::<f32>::new(shape.c_out);
    shape.hebbian(slice(&pre), slice(&post), dw.as_mut(), db.as_mut());
    HebbianOutput {
        weight: dw.into_tensor(weight.shape()),
        bias: db.into_tensor(Shape::from([shape.c_out])),
    }
}

fn shape(
    input: &FlexTensor,
    weight: &FlexTensor,
    stride: [usize; 3],
    padding: [usize; 3],
) -> FilmShape {
    let [n, c_in, t, h, w]: [usize; 5] = input.shape().dims();
    let [c_out, _, kt, kh, kw]: [usize; 5] = weight.shape().dims();
    FilmShape { n, c_in, c_out, size: [t, h, w], kernel: [kt, kh, kw], stride, padding }
}

fn pool(map: &FlexTensor, FrameWindow { side, stride }: FrameWindow) -> FramePool {
    let [n, channels, t, h, w]: [usize; 5] = map.shape().dims();
    FramePool { frames: n * t, size: [h, w], channels, side, stride }
}

/// A film `[n, c, t, y, x]` of any strides as rows.
fn rows(film: &FlexTensor) -> FlexTensor {
    let rows = film.permute(&TO_ROWS);
    if rows.is_contiguous() {
        return rows;
    }
    if !film.is_contiguous() {
        return rows.to_contiguous();
    }
    let [_, channels, t, h, w]: [usize; 5] = film.shape().dims();
    let mut buffer = Buffer::<f32>::new(film.shape().num_elements());
    kernels::plain_to_rows(channels, t * h * w, slice(film), buffer.as_mut());
    buffer.into_tensor(rows.shape())
}

fn codes(winners: &FlexTensor) -> &[u8] {
    winners.as_slice().expect("a pool wrote them contiguously")
}

fn vector(values: &[f32]) -> FlexTensor {
    let mut buffer = Buffer::<f32>::new(values.len());
    buffer.as_mut().copy_from_slice(values);
    buffer.into_tensor(Shape::from([values.len()]))
}

fn kernel_response(response: Response) -> kernels::Response {
    match response {
        Response::Rectified => kernels::Response::Rectified,
        Response::Linear => kernels::Response::Linear,
    }
}
