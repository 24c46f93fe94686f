//! What is done to a frame once all draws are made.

use crate::video::{Filter, Frame, colour_ops, resize};

/// One change of a frame: the outcome of the draws of a [`Step`](super::Step).
///
/// Colours are 8-bit numbers before and after, as in Pillow: results are rounded after each change, so
/// the order of changes counts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Left and right change places.
    Mirror,
    /// A rectangle is cut out.
    Cut {
        /// First row.
        top: usize,
        /// First column.
        left: usize,
        /// Rows and columns.
        dims: [usize; 2],
    },
    /// The frame takes another size.
    Resize {
        /// Rows and columns.
        dims: [usize; 2],
        /// How a pixel is found.
        filter: Filter,
    },
    /// One colour, 0 to 2, is copied into all three.
    Channel(usize),
    /// `f·x`.
    Brightness(f32),
    /// `m + f·(x − m)`, with the mean luma m of the frame, rounded.
    Contrast(f32),
    /// `l + f·(x − l)`, with the luma l of the pixel.
    Saturation(f32),
    /// The hue turns by this many parts of a circle that has 256.
    Hue(u8),
}

impl Op {
    /// Changes `frame`; `spare` is working memory.
    ///
    /// # Panics
    /// A cut reaches over the edge, or a side is 0.
    pub fn apply(self, frame: &mut Frame, spare: &mut Frame) {
        match self {
            Self::Mirror => mirror(frame),
            Self::Cut { top, left, dims } => {
                cut(frame, [top, left], dims, spare);
                std::mem::swap(frame, spare);
            }
            Self::Resize { dims, .. } if dims == frame.dims() => {}
            Self::Resize { dims, filter } => {
                resize(frame, dims, filter, spare);
                std::mem::swap(frame, spare);
            }
            Self::Channel(colour) => {
                for pixel in frame.pixels_mut().chunks_exact_mut(3) {
                    pixel.fill(pixel[colour]);
                }
            }
            Self::Brightness(factor) => colour_ops::brightness(frame, factor),
            Self::Contrast(factor) => colour_ops::contrast(frame, factor),
            Self::Saturation(factor) => colour_ops::saturation(frame, factor),
            Self::Hue(shift) => colour_ops::hue(frame, shift),
        }
    }
}

fn mirror(frame: &mut Frame) {
    let (width, planes) = (frame.dims()[1], frame.planes());
    for row in frame.pixels_mut().chunks_exact_mut(planes * width) {
        for left in 0..width / 2 {
            let right = planes * (width - 1 - left);
            for plane in 0..planes {
                row.swap(planes * left + plane, right + plane);
            }
        }
    }
}

fn cut(frame: &Frame, [top, left]: [usize; 2], dims: [usize; 2], into: &mut Frame) {
    let ([height, width], [rows, columns]) = (dims, frame.dims());
    assert!(
        top + height <= rows && left + width <= columns,
        "cut: expected at most {rows}×{columns}, got {height}×{width} from ({top}, {left})"
    );
    let planes = frame.planes();
    let out = into.reshape(dims, planes);
    for (y, out) in out.chunks_exact_mut(planes * width).enumerate() {
        out.copy_from_slice(&frame.row(top + y)[planes * left..][..planes * width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pixels differ: ANSI C's `rand` with seed 1, its bits 16 to 23.
    ///
    /// ```python
    /// def picture(h, w):
    ///     s, v = 1, []
    ///     for _ in range(h * w * 3):
    ///         s = (s * 1103515245 + 12345) % (1 << 31); v.append((s >> 16) & 255)
    ///     return Image.fromarray(np.array(v, np.uint8).reshape(h, w, 3))
    /// ```
    fn picture(height: usize, width: usize) -> Frame {
        let mut state = 1_u32;
        let pixels = (0..3 * height * width).map(|_| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            (state >> 16) as u8
        });
        Frame::new([height, width], pixels.collect())
    }

    fn checksum(op: Op) -> u32 {
        let mut frame = picture(64, 48);
        op.apply(&mut frame, &mut Frame::default());
        crc32fast::hash(frame.pixels())
    }

    #[test]
    fn blends_equal_pillow_byte_for_byte() {
        // zlib.crc32(np.array(ImageEnhance.Brightness(picture(64, 48)).enhance(f))), Contrast, Color;
        // Pillow 13, f rounded to single precision.
        let golden = [
            (0.5, [0x6174_a5fb, 0xe188_9f7a, 0xa544_6dd6]),
            (0.83, [0x721a_f986, 0x9500_432c, 0x2270_877f]),
            (1.0, [0xd414_a0b3; 3]),
            (1.27, [0x99fa_cb59, 0x5258_5d00, 0x3a93_acd1]),
            (1.5, [0x3c10_247d, 0xa91c_69b6, 0x284d_2347]),
        ];
        for (factor, sums) in golden {
            let ops = [Op::Brightness(factor), Op::Contrast(factor), Op::Saturation(factor)];
            assert_eq!(ops.map(checksum), sums, "factor {factor}");
        }
    }

    #[test]
    fn hue_equals_torchvision_byte_for_byte() {
        // h, s, v = picture(64, 48).convert("HSV").split(); h += np.uint8(255 * shift) mod 256; merge,
        // convert("RGB"); Pillow 13. Even no shift changes pixels: HSV is rounded to bytes.
        let golden = [
            (193, 0x1628_73a7),
            (231, 0xd401_b8af),
            (0, 0x3ee9_8453),
            (17, 0x9a03_14ec),
            (63, 0xb6bf_65bf),
        ];
        for (shift, sum) in golden {
            assert_eq!(checksum(Op::Hue(shift)), sum, "shift {shift}");
        }
    }

    #[test]
    fn both_filters_equal_pillow_byte_for_byte() {
        // zlib.crc32(np.array(picture(64, 48).resize((w, h), Image.NEAREST))), Image.BILINEAR; Pillow 13
        let golden = [
            ([37, 29], 0x004c_3150, 0xe8c9_3854),
            ([64, 48], 0xd414_a0b3, 0xd414_a0b3),
            ([20, 48], 0xaa83_cddf, 0xac29_a670),
            ([64, 20], 0x3168_fec9, 0x4fd5_207a),
            ([100, 77], 0x74fb_d20f, 0x6a56_f6fb),
            ([128, 128], 0x5c23_f1dc, 0xed25_127d),
        ];
        for (dims, nearest, bilinear) in golden {
            assert_eq!(checksum(Op::Resize { dims, filter: Filter::Nearest }), nearest, "{dims:?}");
            assert_eq!(
                checksum(Op::Resize { dims, filter: Filter::Bilinear }),
                bilinear,
                "{dims:?}"
            );
        }
    }

    #[test]
    fn mirroring_exchanges_pixels_and_keeps_their_colours() {
        let mut frame = Frame::new([1, 3], vec![1, 2, 3, 4, 5, 6, 7, 8, 9]);
        Op::Mirror.apply(&mut frame, &mut Frame::default());
        assert_eq!(frame.pixels(), [7, 8, 9, 4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn a_cut_keeps_rows_as_rows() {
        let mut frame = picture(4, 5);
        let (corner, last) = (frame.pixel(1, 2).to_vec(), frame.pixel(3, 4).to_vec());
        Op::Cut { top: 1, left: 2, dims: [3, 3] }.apply(&mut frame, &mut Frame::default());
        assert_eq!((frame.pixel(0, 0), frame.pixel(2, 2)), (&corner[..], &last[..]));
    }

    #[test]
    fn one_colour_can_stand_for_all() {
        let mut frame = Frame::new([1, 2], vec![1, 2, 3, 4, 5, 6]);
        Op::Channel(1).apply(&mut frame, &mut Frame::default());
        assert_eq!(frame.pixels(), [2, 2, 2, 5, 5, 5]);
    }

    #[test]
    #[should_panic(expected = "cut: expected at most 4×5, got 4×4 from (0, 2)")]
    fn a_cut_over_the_edge_panics_with_the_numbers() {
        Op::Cut { top: 0, left: 2, dims: [4, 4] }.apply(&mut picture(4, 5), &mut Frame::default());
    }
}
