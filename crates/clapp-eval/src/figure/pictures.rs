//! Small pictures in rows: receptive fields, images that a unit prefers.

use base64::{Engine, prelude::BASE64_STANDARD};
use svg::Node;
use svg::node::element::Image;

use super::shape::{COLUMN, MARGIN, heading, page, text, text_width};

/// Between pictures.
const GAP: f64 = 3.0;
/// White columns between the pictures of a strip.
const BETWEEN: usize = 1;
/// Size of the rows' names.
const SIZE: f64 = 13.0;

/// A picture of 8-bit colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels of a row, and rows.
    pub size: [usize; 2],
    /// Red, green and blue of every pixel, row by row.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// A picture of planes of colours, `[colour, row, column]`: three are red, green and blue; of any other
    /// number the mean is shown in grey.
    ///
    /// # Panics
    ///
    /// If there are not `planes` planes of that size.
    #[must_use]
    pub fn of_planes(planes: usize, size: [usize; 2], value: impl Fn(usize) -> u8) -> Self {
        let pixels = size[0] * size[1];
        let grey = |pixel| {
            let sum: usize =
                (0..planes).map(|plane| usize::from(value(plane * pixels + pixel))).sum();
            [(sum / planes.max(1)) as u8; 3]
        };
        let colour = |pixel| match planes {
            3 => [0, 1, 2].map(|plane| value(plane * pixels + pixel)),
            _ => grey(pixel),
        };
        Self { size, rgb: (0..pixels).flat_map(colour).collect() }
    }

    /// Pictures of one height beside each other, with white between them.
    ///
    /// # Panics
    ///
    /// If their heights differ.
    #[must_use]
    pub fn strip(pictures: &[Self]) -> Self {
        let height = pictures.first().map_or(0, |first| first.size[1]);
        let alike = pictures.iter().all(|picture| picture.size[1] == height);
        assert!(alike, "strip: expected pictures of {height} rows, got others");
        let mut rgb = Vec::new();
        for y in 0..height {
            for (place, picture) in pictures.iter().enumerate() {
                rgb.extend(vec![255; if place == 0 { 0 } else { 3 * BETWEEN }]);
                rgb.extend(&picture.rgb[3 * y * picture.size[0]..][..3 * picture.size[0]]);
            }
        }
        let width: usize = pictures.iter().map(|picture| picture.size[0] + BETWEEN).sum();
        Self { size: [width.saturating_sub(BETWEEN), height], rgb }
    }

    /// The means of blocks of `factor` by `factor` pixels; pixels over at the ends are left out.
    ///
    /// # Panics
    ///
    /// If the factor is 0, or larger than the picture.
    #[must_use]
    pub fn shrunk(self, factor: usize) -> Self {
        if factor == 1 {
            return self;
        }
        let size @ [width, height] = self.size.map(|side| side / factor);
        assert!(
            width > 0 && height > 0,
            "picture: expected at least {factor} pixels, got {:?}",
            self.size
        );
        let mean = |x: usize, y: usize, colour: usize| {
            let block =
                (0..factor * factor).map(|i| [x * factor + i % factor, y * factor + i / factor]);
            let sum: usize = block
                .map(|[x, y]| usize::from(self.rgb[3 * (y * self.size[0] + x) + colour]))
                .sum();
            (sum / (factor * factor)) as u8
        };
        let pixels = (0..width * height).map(|pixel| [pixel % width, pixel / width]);
        let rgb = pixels.flat_map(|[x, y]| [0, 1, 2].map(|colour| mean(x, y, colour))).collect();
        Self { size, rgb }
    }

    /// The picture as a PNG in a `data:` address.
    ///
    /// # Panics
    ///
    /// As [`png`](Self::png).
    #[must_use]
    pub fn data_uri(&self) -> String {
        format!("data:image/png;base64,{}", BASE64_STANDARD.encode(self.png(None)))
    }

    /// The picture as a PNG, which may say how many pixels are printed on an inch.
    ///
    /// # Panics
    ///
    /// If there are not three bytes for each pixel.
    #[must_use]
    pub fn png(&self, per_inch: Option<f64>) -> Vec<u8> {
        let [width, height] = self.size.map(|side| u32::try_from(side).expect("a small picture"));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_pixel_dims(per_inch.map(|dots| {
            let per_metre = (dots / 0.0254).round() as u32;
            png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }
        }));
        let written = encoder.write_header().and_then(|mut w| w.write_image_data(&self.rgb));
        written.expect("three bytes for each pixel, written to memory");
        bytes
    }
}

/// Pictures that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What stands before them; may be empty.
    pub name: String,
    /// The pictures.
    pub pictures: Vec<Picture>,
}

/// Draws rows of pictures, at most `across` beside each other; longer rows go on below.
///
/// # Panics
///
/// As [`Picture::data_uri`].
///
/// # Example
///
/// ```
/// use clapp_eval::figure::{Picture, Row, pictures};
///
/// let edge = Picture::of_planes(1, [2, 1], |pixel| [0, 255][pixel]);
/// assert_eq!(edge.rgb, [0, 0, 0, 255, 255, 255]);
/// let row = Row { name: "unit 3".into(), pictures: vec![edge] };
/// assert!(pictures("Receptive fields", "made up", &[row], 8).contains("data:image/png"));
/// ```
#[must_use]
pub fn pictures(title: &str, about: &str, rows: &[Row], across: usize) -> String {
    let (heading, top) = heading(title, about, COLUMN);
    let widest = rows.iter().map(|row| text_width(&row.name, SIZE)).fold(0.0, f64::max);
    let left = MARGIN + if widest > 0.0 { widest + 8.0 } else { 0.0 };
    let across = across.max(1);
    // Strips need to be told apart from their own pictures.
    let strip = |of: &Picture| of.size[0] > 2 * of.size[1];
    let gap = GAP * if rows.iter().flat_map(|row| &row.pictures).any(strip) { 5.0 } else { 1.0 };
    let side = (COLUMN - MARGIN - left + gap) / across as f64 - gap;
    let (mut y, mut shown) = (top + 4.0, Vec::new());
    for Row { name, pictures } in rows {
        // Wide pictures take less height.
        let tall = |of: &Picture| side * (of.size[1] as f64 / of.size[0] as f64).min(1.0);
        let tall = pictures.iter().map(tall).reduce(f64::max).unwrap_or(side);
        let middle = y + tall / 2.0 + 0.35 * SIZE;
        shown.push(Box::new(text(name, MARGIN, middle, SIZE)) as Box<dyn Node>);
        for (place, picture) in pictures.iter().enumerate() {
            let x = left + (place % across) as f64 * (side + gap);
            let y = y + (place / across) as f64 * (tall + GAP);
            shown.push(Box::new(image(picture, (x, y), (side, tall))));
        }
        y += pictures.len().div_ceil(across).max(1) as f64 * (tall + GAP);
    }
    let mut document = page(COLUMN, y + MARGIN).add(heading);
    shown.into_iter().for_each(|node| document.append(node));
    document.to_string()
}

/// A picture at a place, as large as the given width and height allow.
pub(super) fn image(picture: &Picture, (x, y): (f64, f64), (width, height): (f64, f64)) -> Image {
    let image = Image::new().set("href", picture.data_uri());
    let image = image.set("x", format!("{x:.1}")).set("y", format!("{y:.1}"));
    let image = image.set("width", format!("{width:.1}")).set("height", format!("{height:.1}"));
    image.set("style", "image-rendering:pixelated")
}
