//! Turning the hue of 8-bit colours, byte for byte as Pillow and torchvision.
//!
//! ```text
//! colour → (h, s, v) as bytes, h ← h + shift mod 256, and back
//! ```

use std::sync::LazyLock;

/// Which of `[v, t, p, q]` is red, green and blue in each sixth of the circle.
const ORDER: [[u32; 3]; 6] = [[0, 1, 2], [3, 0, 2], [2, 0, 1], [2, 3, 0], [1, 2, 0], [0, 2, 3]];

/// The sixth of the circle that a byte of hue lies in, and the rest.
static HUES: LazyLock<[(usize, f64); 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let position = byte as f64 * 6.0 / 255.0;
        (position as usize % 6, f64::from((position - position.floor()) as f32))
    })
});

/// A byte of saturation as a share.
static SHARES: LazyLock<[f64; 256]> =
    LazyLock::new(|| std::array::from_fn(|byte| f64::from((byte as f64 / 255.0) as f32)));

/// Turns the hue of red, green and blue side by side by `shift`/256 of a circle.
///
/// Numbers are rounded to single precision where Pillow's are, so that no byte differs. In two passes:
/// the steps of several pixels overlap then, which halves the time.
pub(crate) fn turn(pixels: &mut [u8], shift: u8) {
    let (pixels, _) = pixels.as_chunks_mut();
    pixels.iter_mut().for_each(|pixel| *pixel = to_hsv(*pixel));
    for pixel in pixels {
        let [h, s, v] = *pixel;
        *pixel = to_rgb([h.wrapping_add(shift), s, v]);
    }
}

fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    // The colours on both sides of the largest one on the circle, and its place in sixths.
    let (before, after, place) = if r == most {
        (b, g, 0.0)
    } else if g == most {
        (r, b, 2.0)
    } else {
        (g, r, 4.0)
    };
    let range = f32::from((most - least).max(1)); // all distances of a gray are 0
    let distance = |colour: u8| f64::from(f32::from(most - colour) / range);
    let sixths = (place + distance(before) - distance(after)) as f32;
    let circles = f64::from(sixths) / 6.0 + 1.0; // below 2: the remainder of 1 is a difference
    let hue = (if circles < 1.0 { circles } else { circles - 1.0 }) as f32;
    let saturation = f32::from(most - least) / f32::from(most.max(1));
    let byte = |share: f32| (f64::from(share) * 255.0) as i32 as u8;
    [byte(hue), byte(saturation), most]
}

fn to_rgb([h, s, v]: [u8; 3]) -> [u8; 3] {
    let ((sixth, rest), share) = (HUES[usize::from(h)], SHARES[usize::from(s)]);
    let value = f64::from(v);
    let byte = |fading: f64| (value * (1.0 - fading) + 0.5) as i32 as u32;
    let [p, q, t] = [share, share * rest, share * (1.0 - rest)].map(byte);
    let bytes = u32::from(v) | t << 8 | p << 16 | q << 24; // shifts are quicker than a table
    ORDER[sixth].map(|place| (bytes >> (8 * place)) as u8)
}
