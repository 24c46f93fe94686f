//! Brightness, contrast, saturation and hue of 8-bit frames, byte for byte as Pillow and torchvision.
//!
//! ```text
//! blend(d, x, f) = clip(d + f·(x − d)), truncated          f = 1 leaves x, f = 0 gives d
//! brightness: d = 0        contrast: d = round(mean luma of the frame)        saturation: d = luma of the pixel
//! hue: colour → (h, s, v) as bytes, h ← h + ⌊255·shift⌋ mod 256, and back
//! ```

use crate::colour::luma;
use crate::video::Frame;

/// `d + f·(x − d)` in single precision, clipped and truncated.
fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let difference = f32::from(value) - f32::from(degenerate);
    (f32::from(degenerate) + factor * difference).clamp(0.0, 255.0) as u8
}

/// A table of [`blend`] for a degenerate value that all pixels share.
fn blend_all(frame: &mut Frame, degenerate: u8, factor: f32) {
    let table: [u8; 256] = std::array::from_fn(|value| blend(degenerate, value as u8, factor));
    frame.pixels_mut().iter_mut().for_each(|value| *value = table[usize::from(*value)]);
}

/// Blends with black.
pub(super) fn brightness(frame: &mut Frame, factor: f32) {
    blend_all(frame, 0, factor);
}

/// Blends with the frame's mean luma.
pub(super) fn contrast(frame: &mut Frame, factor: f32) {
    let pixels = frame.pixels().chunks_exact(3);
    let (count, sum) =
        (pixels.len(), pixels.map(|p| u64::from(luma(p[0], p[1], p[2]))).sum::<u64>());
    let mean = (sum as f64 / count as f64 + 0.5) as u8; // at most 255.5, truncated
    blend_all(frame, mean, factor);
}

/// Blends every pixel with its own luma.
pub(super) fn saturation(frame: &mut Frame, factor: f32) {
    for pixel in frame.pixels_mut().chunks_exact_mut(3) {
        let gray = luma(pixel[0], pixel[1], pixel[2]);
        pixel.iter_mut().for_each(|value| *value = blend(gray, *value, factor));
    }
}

/// Turns the hue by `shift`/256 of a circle.
pub(super) fn hue(frame: &mut Frame, shift: u8) {
    for pixel in frame.pixels_mut().chunks_exact_mut(3) {
        let [h, s, v] = to_hsv([pixel[0], pixel[1], pixel[2]]);
        pixel.copy_from_slice(&to_rgb([h.wrapping_add(shift), s, v]));
    }
}

/// Pillow's `rgb2hsv_row`: single precision where C has `float`, double where it promotes.
fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let saturation = range / f32::from(most);
    let distance = |colour: u8| f32::from(most - colour) / range;
    let (rc, gc, bc) = (distance(r), distance(g), distance(b));
    let sector = if r == most {
        bc - gc
    } else if g == most {
        (2.0 + f64::from(rc) - f64::from(bc)) as f32
    } else {
        (4.0 + f64::from(gc) - f64::from(rc)) as f32
    };
    let turn = ((f64::from(sector) / 6.0 + 1.0) % 1.0) as f32;
    [(f64::from(turn) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, most]
}

/// Pillow's `hsv2rgb`.
fn to_rgb([h, s, v]: [u8; 3]) -> [u8; 3] {
    if s == 0 {
        return [v; 3];
    }
    let position = f64::from(f32::from(h)) * 6.0 / 255.0;
    let sector = position.floor();
    let rest = f64::from((position - sector) as f32);
    let saturation = f64::from((f64::from(f32::from(s)) / 255.0) as f32);
    let value = f64::from(v);
    let byte = |x: f64| x.round().clamp(0.0, 255.0) as u8;
    let p = byte(value * (1.0 - saturation));
    let q = byte(value * (1.0 - saturation * rest));
    let t = byte(value * (1.0 - saturation * (1.0 - rest)));
    match sector as u8 % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
