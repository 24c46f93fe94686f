//! One panel: axes, grid, lines with error bars and level lines.

use svg::Node;
use svg::node::element::{Group, Path};

use super::Axis;
use super::axis::label;
use super::shape::{colour, dashes, lines, marker, rectangle, stroke, text};
use crate::Summary;

/// Outer size of a panel, in pixels.
pub(super) const WIDTH: f64 = 298.0;
pub(super) const HEIGHT: f64 = 262.0;
/// The plotted area within a panel.
const LEFT: f64 = 68.0;
const RIGHT: f64 = WIDTH - 10.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = HEIGHT - 56.0;
/// Sideways distance between the error bars of neighbouring lines.
const DODGE: f64 = 4.0;
/// Half the width of the end of an error bar: wider than a marker, so that a short one shows too.
const CAP: f64 = 6.5;

/// Means and ranges along x, in the look of `style`.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub style: usize,
    pub points: Vec<(f64, Summary)>,
    /// Points that have a marker, with the range.
    pub marks: Vec<usize>,
}

/// A value that holds for the whole panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    style: Option<usize>,
    low: f64,
    mean: f64,
    high: f64,
}

impl Level {
    pub fn chance(value: f64) -> Self {
        Self { style: None, low: value, mean: value, high: value }
    }

    pub fn encoder(style: usize, Summary { min, mean, max, .. }: Summary) -> Self {
        Self { style: Some(style), low: min, mean, high: max }
    }
}

/// Lines and levels with their axes.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    title: String,
    x: Axis,
    y: Axis,
    /// What is along x and y.
    names: [String; 2],
    /// Sideways distance of neighbouring lines.
    dodge: f64,
    /// What stands below the first tick of x in place of its number.
    first_tick: Option<&'static str>,
    lines: Vec<Line>,
    levels: Vec<Level>,
}

impl Panel {
    /// Accuracies against layers. The y axis goes from 0 to at least `highest`, so that panels can be compared; layer 0 is the
    /// input.
    pub fn layers(title: String, lines: Vec<Line>, levels: Vec<Level>, highest: f64) -> Self {
        let layers = || lines.iter().flat_map(|l| l.points.iter()).map(|&(x, _)| x as usize);
        let first = layers().min().unwrap_or(1);
        let x = Axis::layers(first, layers().max().unwrap_or(first));
        let y = Axis::round([0.0, highest].into_iter(), 6);
        let first_tick = (first == 0).then_some("input");
        let names = ["layer", "top-1 accuracy (%)"].map(str::to_owned);
        Self { title, x, y, names, dodge: DODGE, first_tick, lines, levels }
    }

    /// Curves between axes that other panels may share.
    pub fn curves(title: String, [x, y]: [Axis; 2], names: [String; 2], lines: Vec<Line>) -> Self {
        Self { title, x, y, names, dodge: 0.0, first_tick: None, lines, levels: Vec::new() }
    }

    pub fn draw(&self) -> Group {
        let mut group = Group::new();
        self.draw_axes(&mut group);
        for level in &self.levels {
            self.draw_level(&mut group, level);
        }
        for (place, line) in self.lines.iter().enumerate() {
            let centre = (self.lines.len() as f64 - 1.0) / 2.0;
            self.draw_line(&mut group, line, (place as f64 - centre) * self.dodge);
        }
        group
    }

    fn across(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (RIGHT - LEFT)
    }

    fn down(&self, value: f64) -> f64 {
        BOTTOM - self.y.place(value) * (BOTTOM - TOP)
    }

    fn draw_axes(&self, group: &mut Group) {
        for &tick in &self.y.ticks {
            let y = self.down(tick);
            group.append(stroke((LEFT, y), (RIGHT, y), "#e4e4e4", 1.0));
            group.append(
                text(&label(tick, self.y.step()), LEFT - 9.0, y + 4.5, 13.0)
                    .set("text-anchor", "end"),
            );
        }
        group.append(stroke((LEFT, TOP), (LEFT, BOTTOM), "#333333", 1.2));
        group.append(stroke((LEFT, BOTTOM), (RIGHT, BOTTOM), "#333333", 1.2));
        for (place, &tick) in self.x.ticks.iter().enumerate() {
            let x = self.across(tick);
            group.append(stroke((x, BOTTOM), (x, BOTTOM + 5.0), "#333333", 1.2));
            let name = match self.first_tick {
                Some(name) if place == 0 => name.to_owned(),
                _ => label(tick, self.x.step()),
            };
            group.append(text(&name, x, BOTTOM + 21.0, 13.0).set("text-anchor", "middle"));
        }
        let (middle_x, middle_y) = ((LEFT + RIGHT) / 2.0, (TOP + BOTTOM) / 2.0);
        let below = text(&self.names[0], middle_x, BOTTOM + 42.0, 14.0);
        group.append(below.set("text-anchor", "middle"));
        let beside = text(&self.names[1], 0.0, 0.0, 14.0).set("text-anchor", "middle");
        let turn = format!("translate({:.1} {middle_y:.1}) rotate(-90)", LEFT - 48.0);
        group.append(beside.set("transform", turn));
        let title = lines(&self.title, WIDTH - 16.0, 14.0);
        for (place, line) in title.iter().rev().enumerate() {
            let y = TOP - 14.0 - 16.0 * place as f64;
            group.append(text(line, 14.0, y, 14.0).set("font-weight", "bold"));
        }
    }

    fn draw_level(&self, group: &mut Group, level: &Level) {
        let (top, bottom) = (self.down(level.high), self.down(level.low));
        if bottom - top > 0.5 {
            let band = rectangle((LEFT, top), (RIGHT - LEFT, bottom - top), colour(level.style));
            group.append(band.set("fill-opacity", 0.15));
        }
        let y = self.down(level.mean);
        let line = stroke((LEFT, y), (RIGHT, y), colour(level.style), 1.8);
        group.append(line.set("stroke-dasharray", dashes(level.style)));
    }

    fn draw_line(&self, group: &mut Group, line: &Line, dodge: f64) {
        if line.points.is_empty() {
            return;
        }
        let colour = colour(Some(line.style));
        let place =
            |(x, summary): &(f64, Summary)| (self.across(*x) + dodge, self.down(summary.mean));
        let corners: Vec<String> =
            line.points.iter().map(place).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let data = format!("M{}", corners.join("L"));
        let path = Path::new().set("d", data).set("fill", "none").set("stroke", colour);
        let path = path.set("stroke-dasharray", dashes(Some(line.style)));
        group.append(path.set("stroke-width", 2.2).set("stroke-linejoin", "round"));
        for point in line.marks.iter().filter_map(|&place| line.points.get(place)) {
            let (x, y) = place(point);
            self.draw_bar(group, x, &point.1, colour);
            group.append(marker(line.style, x, y));
        }
    }

    fn draw_bar(&self, group: &mut Group, x: f64, summary: &Summary, colour: &str) {
        let (top, bottom) = (self.down(summary.max), self.down(summary.min));
        if bottom - top > 0.5 {
            group.append(stroke((x, top), (x, bottom), colour, 1.4));
            group.append(stroke((x - CAP, top), (x + CAP, top), colour, 1.4));
            group.append(stroke((x - CAP, bottom), (x + CAP, bottom), colour, 1.4));
        }
    }
}
