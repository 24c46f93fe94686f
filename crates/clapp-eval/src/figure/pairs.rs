//! Methods beside their controls: a row each.

use svg::Node;
use svg::node::element::Group;

use super::axis::{Axis, label};
use super::shape::{
    COLUMN, MARGIN, Sample, colour, heading, marker, page, rectangle, stroke, text, text_width,
};
use super::{LEGEND_SIZE, draw_legend};
use crate::Summary;

/// Height of a row, and of what lies above and below the rows of a panel.
const ROW: f64 = 25.0;
const ABOVE: f64 = 32.0;
const BELOW: f64 = 58.0;
/// Half the height of the end of a range.
const CAP: f64 = 5.0;
/// Size of the text of rows and ticks.
const SIZE: f64 = 14.0;

/// A method and what it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The method.
    pub name: String,
    /// What it reached.
    pub reached: Summary,
    /// What its control reached, if it has one.
    pub control: Option<Summary>,
}

/// One panel: rows that share an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// Above the panel.
    pub title: String,
    /// A row each, from the top.
    pub rows: Vec<Pair>,
}

/// Draws methods beside their controls: a panel for each of `panels`, in it a row for each method, from what its control
/// reached (the second of `names`) to what it reached itself (the first). Whiskers are the range from the lowest to the
/// highest seed; `along` names the axis.
///
/// # Example
///
/// ```
/// use clapp_eval::{Summary, figure::{Pair, Pairs, pairs}};
///
/// let of = |values: &[f64]| Summary::of(values).expect("some values");
/// let row = Pair { name: "clapp".into(), reached: of(&[60.0, 62.0]), control: Some(of(&[55.0])) };
/// let panel = Pairs { title: "all labels".into(), rows: vec![row] };
/// let svg = pairs("Rules", "made up", "accuracy (%)", ["learnt", "untrained"], &[panel]);
/// assert!(svg.starts_with("<svg"));
/// ```
#[must_use]
pub fn pairs(title: &str, about: &str, along: &str, names: [&str; 2], panels: &[Pairs]) -> String {
    let (heading, below) = heading(title, about, COLUMN);
    let samples = [(Sample::Point(0), names[0]), (Sample::Point(1), names[1])];
    let (legend, legend_height) = draw_legend(&samples, COLUMN - 2.0 * MARGIN);
    let legend = legend.set("transform", format!("translate({MARGIN} {below:.1})"));
    let names = panels.iter().flat_map(|panel| &panel.rows).map(|row| row.name.as_str());
    // No name takes more than half of the figure.
    let widest = names.map(|name| text_width(name, SIZE)).fold(0.0, f64::max);
    let left = MARGIN + widest.min(COLUMN / 2.0) + 12.0;
    let mut group = Group::new();
    let mut top = below + legend_height;
    for panel in panels {
        let drawn = draw(panel, along, left);
        group.append(drawn.set("transform", format!("translate(0 {top:.1})")));
        top += ABOVE + ROW * panel.rows.len() as f64 + BELOW;
    }
    page(COLUMN, top).add(heading).add(legend).add(group).to_string()
}

fn draw(panel: &Pairs, along: &str, left: f64) -> Group {
    let right = COLUMN - MARGIN;
    let reached = |row: &Pair| [Some(row.reached), row.control];
    let ends: Vec<f64> =
        panel.rows.iter().flat_map(reached).flatten().flat_map(|of| [of.min, of.max]).collect();
    let axis = Axis::round(ends.into_iter(), 6);
    let across = |value: f64| left + axis.place(value) * (right - left);
    let bottom = ABOVE + ROW * panel.rows.len() as f64;
    let mut group = Group::new();
    group.append(text(&panel.title, MARGIN, ABOVE - 14.0, SIZE).set("font-weight", "bold"));
    for &tick in &axis.ticks {
        let x = across(tick);
        group.append(stroke((x, ABOVE), (x, bottom), "#e4e4e4", 1.0));
        let name = text(&label(tick, axis.step()), x, bottom + 20.0, 13.0);
        group.append(name.set("text-anchor", "middle"));
    }
    group.append(stroke((left, bottom), (right, bottom), "#333333", 1.2));
    let below = text(along, (left + right) / 2.0, bottom + 42.0, LEGEND_SIZE);
    group.append(below.set("text-anchor", "middle"));
    for (place, row) in panel.rows.iter().enumerate() {
        let y = ABOVE + ROW * (place as f64 + 0.5);
        if place % 2 == 1 {
            let band = rectangle((MARGIN, y - ROW / 2.0), (right - MARGIN, ROW), "#0072B2");
            group.append(band.set("fill-opacity", 0.05));
        }
        group.append(text(&row.name, left - 12.0, y + 5.0, SIZE).set("text-anchor", "end"));
        if let Some(control) = row.control {
            let (from, to) = (across(control.mean), across(row.reached.mean));
            group.append(stroke((from, y), (to, y), "#b5b5b5", 2.2));
        }
        for (style, of) in [(1, row.control), (0, Some(row.reached))] {
            let Some(of) = of else { continue };
            let (low, high) = (across(of.min), across(of.max));
            if high - low > 0.5 {
                let colour = colour(Some(style));
                group.append(stroke((low, y), (high, y), colour, 1.4));
                for x in [low, high] {
                    group.append(stroke((x, y - CAP), (x, y + CAP), colour, 1.4));
                }
            }
            group.append(marker(style, across(of.mean), y));
        }
    }
    group
}
