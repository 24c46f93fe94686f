//! Film layers on Flex: activities in rows of channels, `[n, t, y, x, c]` in memory.

use burn::backend::flex::FlexTensor;

use super::{contiguous, dims, memory::Buffer, single_precision, slice};
use crate::kernels::{self, Back, FilmShape, FramePool, Inputs, instruction_set};
use crate::{FilmSpec, FrameWindow, Response};

/// From `[n, c, t, y, x]` to rows, and back.
const TO_ROWS: [usize; 5] = [0, 2, 3, 4, 1];
const FROM_ROWS: [usize; 5] = [0, 4, 1, 2, 3];

single_precision! {
    impl FilmOps for Flex {
        fn arrange_film(film: FlexTensor) -> FlexTensor {
            rows(&film).permute(&FROM_ROWS)
        }

        fn conv3d_local(
            input: FlexTensor,
            weight: FlexTensor,
            bias: FlexTensor,
            spec: FilmSpec,
        ) -> FlexTensor {
            let shape = shape(&input, &weight, spec.stride, spec.padding);
            let (x, w, b) = (rows(&input), contiguous(weight), contiguous(bias));
            let from = Inputs { x: slice(&x), w: slice(&w), b: slice(&b) };
            let [t, height, width] = shape.out_size();
            let mut y = Buffer::new([shape.n, t, height, width, shape.c_out]);
            shape.forward(instruction_set(), from, spec.response, y.as_mut());
            y.into_tensor().permute(&FROM_ROWS)
        }

        fn channel_moments(map: FlexTensor) -> (FlexTensor, FlexTensor) {
            let pool = pool(&map, FrameWindow::PIXEL);
            let map = rows(&map);
            let [mean, variance] = kernels::channel_moments(
                instruction_set(),
                slice(&map),
                pool.frames,
                pool.channels,
            );
            (vector(&mean), vector(&variance))
        }

        fn normalise_pooled(
            map: FlexTensor,
            line: FlexTensor,
            window: FrameWindow,
        ) -> (FlexTensor, FlexTensor) {
            let ([n, _, t, ..], pool): ([usize; 5], _) = (dims(&map), pool(&map, window));
            let (map, line) = (rows(&map), contiguous(line));
            let (scale, offset) = slice(&line).split_at(pool.channels);
            let [height, width] = pool.out_size();
            let shape = [n, t, height, width, pool.channels];
            let (mut output, mut winners) = (Buffer::new(shape), Buffer::new(shape));
            let out = (output.as_mut(), winners.as_mut());
            pool.forward(instruction_set(), slice(&map), [scale, offset], out);
            (output.into_tensor().permute(&FROM_ROWS), winners.into_tensor())
        }

        fn signal_sums(
            map: FlexTensor,
            winners: FlexTensor,
            signal: FlexTensor,
            mean: FlexTensor,
            window: FrameWindow,
        ) -> (FlexTensor, FlexTensor) {
            let pool = pool(&map, window);
            let (map, signal, mean) = (rows(&map), rows(&signal), contiguous(mean));
            let from = Back { map: slice(&map), winners: slice(&winners), signal: slice(&signal) };
            let [sum, centred] = pool.sums(instruction_set(), from, slice(&mean));
            (vector(&sum), vector(&centred))
        }

        fn signal_back(
            map: FlexTensor,
            winners: FlexTensor,
            signal: FlexTensor,
            terms: FlexTensor,
            window: FrameWindow,
            response: Response,
        ) -> FlexTensor {
            let ([n, c, t, height, width], pool) = (dims(&map), pool(&map, window));
            let (map, signal, terms) = (rows(&map), rows(&signal), contiguous(terms));
            let from = Back { map: slice(&map), winners: slice(&winners), signal: slice(&signal) };
            let terms = [0, 1, 2].map(|row| &slice(&terms)[row * c..][..c]);
            let mut post = Buffer::new([n, t, height, width, c]);
            pool.back(instruction_set(), from, terms, (response, post.as_mut()));
            post.into_tensor().permute(&FROM_ROWS)
        }
    }
}

/// Post × pre of a convolution over films.
pub(super) fn hebbian(
    pre: &FlexTensor,
    post: &FlexTensor,
    weight: &FlexTensor,
    stride: [usize; 3],
    padding: [usize; 3],
) -> (FlexTensor, FlexTensor) {
    let shape = shape(pre, weight, stride, padding);
    let (pre, post) = (rows(pre), rows(post));
    let (mut dw, mut db) = (Buffer::new(dims::<5>(weight)), Buffer::new([shape.c_out]));
    let out = [dw.as_mut(), db.as_mut()];
    shape.hebbian(instruction_set(), [slice(&pre), slice(&post)], out);
    (dw.into_tensor(), db.into_tensor())
}

fn shape(
    input: &FlexTensor,
    weight: &FlexTensor,
    stride: [usize; 3],
    padding: [usize; 3],
) -> FilmShape {
    let ([n, c_in, t, h, w], [c_out, _, kt, kh, kw]) = (dims(input), dims(weight));
    FilmShape { n, c_in, c_out, size: [t, h, w], kernel: [kt, kh, kw], stride, padding }
}

fn pool(map: &FlexTensor, FrameWindow { side, stride }: FrameWindow) -> FramePool {
    let [n, channels, t, h, w] = dims(map);
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
    let [n, channels, t, h, w] = dims(film);
    let mut buffer = Buffer::new([n, t, h, w, channels]);
    kernels::plain_to_rows(channels, t * h * w, slice(film), buffer.as_mut());
    buffer.into_tensor()
}

fn vector(values: &[f32]) -> FlexTensor {
    let mut buffer = Buffer::new([values.len()]);
    buffer.as_mut().copy_from_slice(values);
    buffer.into_tensor()
}
