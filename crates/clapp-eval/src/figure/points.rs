//! Samples as points: maps of features, one panel a layer.

use ndarray::Array2;
use svg::Node;
use svg::node::element::{Group, Path};

use super::draw_legend;
use super::shape::{COLUMN, MARGIN, Sample, colour, heading, outline, page, rectangle, text};

/// Between panels, and above each for its title.
const GAP: f64 = 10.0;
const TITLE: f64 = 24.0;
/// Room between the outermost points and the frame.
const INSET: f64 = 7.0;

/// One panel: where every sample lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    /// Above the panel, such as the layer.
    pub title: String,
    /// `[sample, 2]`; only distances matter, so there are no axes.
    pub places: Array2<f32>,
}

/// Draws maps side by side, each sample in colour and shape of its class; `classes` are those of all samples, `names`
/// of all classes.
///
/// Seven colours and four shapes tell 28 classes apart; then they begin again.
///
/// # Panics
///
/// If a panel does not have as many places as there are classes of samples.
///
/// # Example
///
/// ```
/// use clapp_eval::figure::{Points, points};
/// use ndarray::array;
///
/// let places = array![[0.0, 1.0], [0.5, 0.0], [2.0, 1.5]];
/// let panel = Points { title: "layer 1".into(), places };
/// let svg = points("Map", "made up", &["cat", "dog"], &[0, 0, 1], &[panel]);
/// assert!(svg.starts_with("<svg"));
/// ```
#[must_use]
pub fn points(
    title: &str,
    about: &str,
    names: &[&str],
    classes: &[u32],
    panels: &[Points],
) -> String {
    let columns = match panels.len() {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    let room = COLUMN - 2.0 * MARGIN + GAP;
    let side = (room / columns as f64 - GAP).min(400.0);
    let (heading, below) = heading(title, about, COLUMN);
    let legend: Vec<(Sample, &str)> =
        names.iter().enumerate().map(|(style, &name)| (Sample::Point(style), name)).collect();
    let (legend, height) = draw_legend(&legend, COLUMN - 2.0 * MARGIN);
    let legend = legend.set("transform", format!("translate({MARGIN} {below:.1})"));
    let top = below + height;
    let rows = panels.len().div_ceil(columns) as f64;
    let mut document = page(COLUMN, top + rows * (side + TITLE + GAP) + MARGIN / 2.0);
    document = document.add(heading).add(legend);
    for (place, panel) in panels.iter().enumerate() {
        let x = MARGIN + (place % columns) as f64 * (side + GAP);
        let y = top + (place / columns) as f64 * (side + TITLE + GAP);
        let drawn = draw(panel, classes, side);
        document.append(drawn.set("transform", format!("translate({x:.1} {y:.1})")));
    }
    document.to_string()
}

fn draw(panel: &Points, classes: &[u32], side: f64) -> Group {
    let samples = panel.places.nrows();
    assert!(samples == classes.len(), "map: expected {} places, got {samples}", classes.len());
    let title = text(&panel.title, 0.0, TITLE - 8.0, 14.0).set("font-weight", "bold");
    let frame = rectangle((0.0, TITLE), (side, side), "none").set("stroke", "#999999");
    let mut group = Group::new().add(title).add(frame);
    let column = |axis: usize| panel.places.column(axis).into_iter().copied();
    let ends = [0, 1].map(|axis| {
        let low = column(axis).fold(f32::INFINITY, f32::min);
        (low, column(axis).fold(f32::NEG_INFINITY, f32::max))
    });
    // One scale for both directions.
    let span = ends.map(|(low, high)| high - low).into_iter().fold(f32::MIN_POSITIVE, f32::max);
    let place = |axis: usize, value: f32| {
        let (low, high) = ends[axis];
        let from_middle = f64::from((value - (low + high) / 2.0) / span);
        side / 2.0 + from_middle * (side - 2.0 * INSET)
    };
    // Smaller where there are more of them.
    let size = (side * 0.35 / (samples.max(1) as f64).sqrt()).clamp(0.9, 4.0);
    let last = classes.iter().max().map_or(0, |&class| class + 1);
    for class in 0..last {
        let own = panel.places.rows().into_iter().zip(classes).filter(|(_, of)| **of == class);
        let data: String = own
            .map(|(at, _)| outline(class as usize, place(0, at[0]), TITLE + place(1, at[1]), size))
            .collect();
        let fill = colour(Some(class as usize));
        group.append(Path::new().set("d", data).set("fill", fill).set("fill-opacity", 0.8));
    }
    group
}
