//! What is taken for what, as a map of shades.

use svg::Node;
use svg::node::element::Group;

use super::shape::{COLUMN, MARGIN, heading, page, rectangle, stroke, text, text_width};
use crate::Confusion;

/// The darkest shade: all samples of a class. The first of the colours of lines.
const FULL: [f64; 3] = [0.0, 114.0, 178.0];
/// Side of the map for few classes; cells are then as large as they can be.
const SIDE: f64 = 400.0;
/// Sides of cells, smallest and largest.
const CELLS: (f64, f64) = (13.0, 48.0);
/// Above this share, numbers are written in white.
const DARK: f64 = 0.55;
/// Cells of this size have room for a number.
const ROOM: f64 = 30.0;

/// Draws a confusion matrix: rows labels, columns guesses; the shade is the share of the label's
/// samples, from white (none) to blue (all). `about` names data and protocol. Where there is room, the
/// share stands in the cell, in percent.
///
/// # Example
///
/// ```
/// use clapp_eval::{Confusion, figure};
/// use ndarray::array;
///
/// let scores = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
/// let confusion = Confusion::of(scores.view(), &[0, 1, 1]).named(&["sil", "ah"])?;
/// let svg = figure::confusion(&confusion, "Phones", "made up, standardised, all 3 labels");
/// assert!(svg.starts_with("<svg"));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[must_use]
pub fn confusion(confusion: &Confusion, title: &str, about: &str) -> String {
    let classes = confusion.classes();
    let cell = (SIDE / classes as f64).clamp(CELLS.0, CELLS.1).floor();
    let size = (0.8 * cell).clamp(9.0, 14.0);
    let names = confusion.names().iter().map(|name| text_width(name, size));
    let room = names.fold(0.0, f64::max) + 8.0;
    // The map begins right of the labels and below the title.
    let (left, side) = (MARGIN + 22.0 + room, cell * classes as f64);
    let width = (left + side + 90.0).max(COLUMN);
    let (heading, top) = heading(title, about, width);
    let height = top + side + room + 34.0 + MARGIN;
    let mut map = Group::new().set("transform", format!("translate({left:.1} {top:.1})"));
    draw_cells(confusion, cell, &mut map);
    draw_names(confusion, cell, size, &mut map);
    let middle = side / 2.0;
    let below = text("guess", middle, side + room + 24.0, 14.0).set("text-anchor", "middle");
    let turn = format!("translate({:.1} {middle:.1}) rotate(-90)", -room - 8.0);
    let beside = text("label", 0.0, 0.0, 14.0).set("text-anchor", "middle").set("transform", turn);
    let map = map.add(below).add(beside).add(scale(side));
    page(width, height).add(heading).add(map).to_string()
}

/// Cells that are not white, then the frame.
fn draw_cells(confusion: &Confusion, cell: f64, map: &mut Group) {
    let classes = confusion.classes();
    for (label, guess) in (0..classes).flat_map(|l| (0..classes).map(move |g| (l, g))) {
        let share = confusion.share(label, guess).unwrap_or(0.0);
        let (x, y) = (guess as f64 * cell, label as f64 * cell);
        if share > 0.0 {
            map.append(rectangle((x, y), (cell, cell), shade(share)));
        }
        if share >= 0.005 && cell >= ROOM {
            let number = format!("{:.0}", 100.0 * share);
            let number = text(&number, x + cell / 2.0, y + cell / 2.0 + 4.5, 13.0);
            let number = number.set("text-anchor", "middle");
            map.append(if share > DARK { number.set("fill", "#ffffff") } else { number });
        }
    }
    let side = cell * classes as f64;
    let frame = rectangle((0.0, 0.0), (side, side), "none").set("stroke", "#333333");
    map.append(frame.set("stroke-width", 1.2));
}

/// Labels to the left, guesses below, turned.
fn draw_names(confusion: &Confusion, cell: f64, size: f64, map: &mut Group) {
    let side = cell * confusion.classes() as f64;
    for (class, name) in confusion.names().iter().enumerate() {
        let middle = (class as f64 + 0.5) * cell + 0.35 * size;
        map.append(text(name, -5.0, middle, size).set("text-anchor", "end"));
        let turn = format!("translate({middle:.1} {:.1}) rotate(-90)", side + 5.0);
        map.append(text(name, 0.0, 0.0, size).set("text-anchor", "end").set("transform", turn));
    }
}

/// What the shades mean.
fn scale(side: f64) -> Group {
    const STEPS: usize = 40;
    let height = side.min(160.0);
    let mut group = Group::new().set("transform", format!("translate({:.1} 0)", side + 24.0));
    for step in 0..STEPS {
        let share = (STEPS - step) as f64 / STEPS as f64;
        let y = step as f64 * height / STEPS as f64;
        group.append(rectangle((0.0, y), (14.0, height / STEPS as f64 + 0.3), shade(share)));
    }
    for (share, name) in [(1.0, "100 %"), (0.5, "50 %"), (0.0, "0 %")] {
        let y = (1.0 - share) * height;
        group.append(stroke((14.0, y), (18.0, y), "#333333", 1.0));
        group.append(text(name, 22.0, y + 4.5, 13.0));
    }
    group
}

/// From white to [`FULL`]. The root makes rare mistakes visible beside frequent ones.
fn shade(share: f64) -> String {
    let depth = share.clamp(0.0, 1.0).sqrt();
    let [red, green, blue] = FULL.map(|full| (255.0 + depth * (full - 255.0)).round() as u8);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_go_from_white_to_blue() {
        assert_eq!([shade(0.0), shade(1.0)], ["#ffffff", "#0072b2"]);
    }
}
