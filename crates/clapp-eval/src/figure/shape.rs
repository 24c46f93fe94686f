//! The look of lines, markers and text.

use svg::Document;
use svg::node::element::{Group, Line as Stroke, Path, Rectangle, Text};

/// The margin of a figure, in pixels.
pub(super) const MARGIN: f64 = 24.0;
/// Mean width of a character of sans-serif text, in parts of its size; generous.
const CHARACTER: f64 = 0.54;

/// Okabe & Ito's palette without its yellow, which is too faint for lines on white.
const COLOURS: [&str; 7] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
const DASHES: [&str; 4] = ["none", "8 4", "2 3", "10 3 2 3"];
const CHANCE: &str = "#777777";

/// What an entry of the legend stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    /// A line with markers.
    Line(usize),
    /// A level line of an encoder.
    Level(usize),
    /// A marker without a line.
    Point(usize),
    /// Chance.
    Chance,
}

/// The widest a figure for a column is: at 8.5 cm its smallest letters, of 13, are 5 points high.
pub(super) const COLUMN: f64 = 620.0;

/// An empty figure.
pub(super) fn page(width: f64, height: f64) -> Document {
    Document::new()
        .set("viewBox", (0.0, 0.0, width.ceil(), height.ceil()))
        .set("width", width.ceil())
        .set("height", height.ceil())
        .set("font-family", "Helvetica, Arial, 'DejaVu Sans', sans-serif")
        .add(Rectangle::new().set("width", "100%").set("height", "100%").set("fill", "#ffffff"))
}

/// Title and explanation in as many lines as they need, and where they end.
pub(super) fn heading(title: &str, about: &str, width: f64) -> (Group, f64) {
    let (mut group, mut y) = (Group::new(), 14.0);
    for (content, size, fill, weight) in
        [(title, 20.0, "#222222", "bold"), (about, 13.0, "#555555", "normal")]
    {
        for line in lines(content, width - 2.0 * MARGIN, size) {
            y += 1.3 * size;
            group = group
                .add(text(&line, MARGIN, y, size).set("fill", fill).set("font-weight", weight));
        }
    }
    (group, y + 12.0)
}

/// A text in lines no wider than `width`, as long as its words are not.
pub(super) fn lines(content: &str, width: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in content.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A piece of a line, as the legend shows it.
pub(super) fn sample(sample: Sample, x: f64, y: f64, length: f64) -> Group {
    let style = match sample {
        Sample::Line(style) | Sample::Level(style) => Some(style),
        Sample::Point(style) => return marker(style, x + 6.0, y),
        Sample::Chance => None,
    };
    let line = stroke((x, y), (x + length, y), colour(style), 2.2);
    let group = Group::new().add(line.set("stroke-dasharray", dashes(style)));
    match sample {
        Sample::Line(style) => group.add(marker(style, x + length / 2.0, y)),
        _ => group,
    }
}

/// Text that begins at `(x, y)`, the base line.
pub(super) fn text(content: &str, x: f64, y: f64, size: f64) -> Text {
    Text::new(content)
        .set("x", format!("{x:.1}"))
        .set("y", format!("{y:.1}"))
        .set("font-size", size)
        .set("fill", "#222222")
}

/// About how wide a text is; rather too wide than too narrow.
pub(super) fn text_width(content: &str, size: f64) -> f64 {
    content.chars().count() as f64 * CHARACTER * size
}

/// The colour of `style`; of chance if none.
pub(super) fn colour(style: Option<usize>) -> &'static str {
    style.map_or(CHANCE, |style| COLOURS[style % COLOURS.len()])
}

/// The dashes of `style`; of chance if none.
pub(super) fn dashes(style: Option<usize>) -> &'static str {
    style.map_or("2 4", |style| DASHES[style % DASHES.len()])
}

/// A rectangle.
pub(super) fn rectangle(
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    fill: impl Into<String>,
) -> Rectangle {
    Rectangle::new()
        .set("x", format!("{x:.1}"))
        .set("y", format!("{y:.1}"))
        .set("width", format!("{width:.1}"))
        .set("height", format!("{height:.1}"))
        .set("fill", fill.into())
}

/// A straight line.
pub(super) fn stroke(from: (f64, f64), to: (f64, f64), colour: &str, width: f64) -> Stroke {
    Stroke::new()
        .set("x1", format!("{:.1}", from.0))
        .set("y1", format!("{:.1}", from.1))
        .set("x2", format!("{:.1}", to.0))
        .set("y2", format!("{:.1}", to.1))
        .set("stroke", colour)
        .set("stroke-width", width)
}

/// Circle, square, triangle or diamond, with a white rim that sets it off from other lines.
pub(super) fn marker(style: usize, x: f64, y: f64) -> Group {
    let path = Path::new().set("d", outline(style, 0.0, 0.0, 4.2));
    Group::new()
        .set("fill", colour(Some(style)))
        .set("stroke", "#ffffff")
        .set("stroke-width", 1.0)
        .set("transform", format!("translate({x:.1} {y:.1})"))
        .add(path)
}

/// The outline of a marker about as large as a circle of radius `size`.
pub(super) fn outline(style: usize, x: f64, y: f64, size: f64) -> String {
    let [whole, flat, steep] = [1.0, 0.9, 1.2].map(|part| part * size);
    match style % 4 {
        0 => format!(
            "M{:.1} {y:.1}a{whole:.1} {whole:.1} 0 1 0 {:.1} 0a{whole:.1} {whole:.1} 0 1 0 {:.1} 0",
            x - whole,
            2.0 * whole,
            -2.0 * whole
        ),
        1 => {
            let side = 2.0 * flat;
            format!("M{:.1} {:.1}h{side:.1}v{side:.1}h{:.1}z", x - flat, y - flat, -side)
        }
        2 => {
            let (half, high) = (1.15 * size, 2.0 * size);
            format!("M{x:.1} {:.1}l{half:.1} {high:.1}h{:.1}z", y - steep, -2.0 * half)
        }
        _ => format!(
            "M{x:.1} {:.1}l{whole:.1} {steep:.1}l{:.1} {steep:.1}l{:.1} {:.1}z",
            y - steep,
            -whole,
            -whole,
            -steep
        ),
    }
}
