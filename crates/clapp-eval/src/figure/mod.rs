//! Figures as SVG: accuracy against layer, learning curves, confusion matrices, pictures, maps, histograms, phones over
//! time, methods beside their controls.
//!
//! All fit a column of 8.5 cm, where their smallest letters are 5 points high; of confusion matrices those of
//! up to twelve classes do.

mod axis;
mod confusion;
mod curves;
mod heat;
mod histograms;
mod pairs;
mod panel;
mod phones;
mod pictures;
mod points;
mod shape;

use svg::Node;
use svg::node::element::{Group, Text};

use crate::Report;
pub use confusion::confusion;
pub use curves::{Curves, curves};
pub use histograms::{Values, histograms};
pub use pairs::{Pair, Pairs, pairs};
pub use phones::{Phones, phones};
pub use pictures::{Picture, Row, pictures};
pub use points::{Points, points};

use axis::Axis;
use panel::{HEIGHT, Level, Line, Panel, WIDTH};
use shape::{COLUMN, MARGIN, Sample, heading, page, text, text_width};

/// Panels side by side.
const COLUMNS: usize = 2;
/// Size of the legend's text, and the height of one of its lines.
const LEGEND_SIZE: f64 = 14.0;
const LEGEND_LINE: f64 = 24.0;
/// Length of the line sample before a legend text.
const SAMPLE: f64 = 34.0;
/// The same of a marker alone.
const POINT: f64 = 10.0;

/// Draws a report: a panel per protocol and labels, a line per encoder with mean and the range from
/// the lowest to the highest seed, and chance. An encoder without layers (raw pixels) is a level line.
///
/// Colours are those of Okabe and Ito, which the colour-blind tell apart; markers and dashes differ
/// too. The figure needs no fonts beyond the viewer's sans-serif.
///
/// # Example
///
/// ```
/// use clapp_eval::{Labels, Protocol, Report, Series, figure};
///
/// let mut report = Report::new("glyphs", "glyphs", 10);
/// let series = Series { protocol: Protocol::Standardised, labels: Labels::All(3000) };
/// report.record("clapp", 1, series, 1, 61.0)?;
/// report.record("clapp", 2, series, 1, 68.0)?;
/// assert!(figure::report(&report).starts_with("<svg"));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[must_use]
pub fn report(report: &Report) -> String {
    let encoders = report.encoders();
    let chance = 100.0 / report.classes.max(1) as f64;
    let highest = report.cells.iter().flat_map(|cell| &cell.measurements);
    let highest = highest.map(|m| m.accuracy).fold(chance, f64::max);
    let panels: Vec<Panel> = report
        .series()
        .into_iter()
        .map(|series| {
            let chance = series.labels.classes().map_or(chance, |n| 100.0 / n.max(1) as f64);
            let (mut lines, mut levels) = (Vec::new(), vec![Level::chance(chance)]);
            for (style, encoder) in encoders.iter().enumerate() {
                match report.layers(encoder, series).as_slice() {
                    [] => {}
                    [(0, summary)] => levels.push(Level::encoder(style, *summary)),
                    layers => {
                        let points = layers.iter().map(|&(l, s)| (l as f64, s)).collect();
                        lines.push(Line { style, points, marks: (0..layers.len()).collect() });
                    }
                }
            }
            Panel::layers(series.to_string(), lines, levels, highest)
        })
        .collect();
    let title = format!("Read-out accuracy on {}", report.evaluated_on);
    let about = format!(
        "encoders trained on {}; mean, and range from lowest to highest seed",
        report.trained_on
    );
    let levels = |name: &str| report.cells.iter().all(|c| c.encoder != name || c.layer == 0);
    let look = |style, name| if levels(name) { Sample::Level(style) } else { Sample::Line(style) };
    let mut legend: Vec<(Sample, &str)> =
        encoders.iter().enumerate().map(|(style, &name)| (look(style, name), name)).collect();
    legend.push((Sample::Chance, "chance"));
    compose(&title, &about, &legend, &panels)
}

/// Title, legend and a grid of panels.
fn compose(title: &str, about: &str, legend: &[(Sample, &str)], panels: &[Panel]) -> String {
    let columns = panels.len().clamp(1, COLUMNS);
    let inset = (COLUMN - columns as f64 * WIDTH - MARGIN).max(0.0) / 2.0;
    let (heading, below) = heading(title, about, COLUMN);
    let (legend, legend_height) = draw_legend(legend, COLUMN - 2.0 * MARGIN);
    let top = below + legend_height;
    let height = top + panels.len().div_ceil(columns) as f64 * HEIGHT + 8.0;
    let legend = legend.set("transform", format!("translate({MARGIN} {below:.1})"));
    let mut document = page(COLUMN, height).add(heading).add(legend);
    for (place, panel) in panels.iter().enumerate() {
        let x = inset + (place % columns) as f64 * WIDTH;
        let y = top + (place / columns) as f64 * HEIGHT;
        document.append(panel.draw().set("transform", format!("translate({x:.1} {y:.1})")));
    }
    document.to_string()
}

/// The legend, wrapped at `width`, and its height.
fn draw_legend(entries: &[(Sample, &str)], width: f64) -> (Group, f64) {
    let mut group = Group::new();
    let (mut x, mut y) = (0.0, LEGEND_LINE / 2.0);
    for &(sample, name) in entries {
        let sample_length = if matches!(sample, Sample::Point(_)) { POINT } else { SAMPLE };
        let length = sample_length + 8.0 + text_width(name, LEGEND_SIZE);
        if x > 0.0 && x + length > width {
            (x, y) = (0.0, y + LEGEND_LINE);
        }
        group.append(shape::sample(sample, x, y, sample_length));
        let label: Text = text(name, x + sample_length + 8.0, y + 5.0, LEGEND_SIZE);
        group.append(label);
        x += length + 28.0;
    }
    (group, y + LEGEND_LINE)
}
