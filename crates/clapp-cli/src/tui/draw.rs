//! How the dashboard looks, from 40 columns up. What does not fit is left out from the middle: first the curves.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Style, Stylize as _},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph},
};

use super::view::View;

/// Notes that are shown at a time.
const NOTES: usize = 3;

/// Rows below which curves say nothing.
const CURVES: u16 = 6;

/// The nearest to Okabe and Ito's colours, which the colour-blind tell apart, that any terminal of 256 colours has, and
/// that are seen on black and on white. The last is that of text.
const COLOURS: [Color; 7] = [
    Color::Indexed(32),
    Color::Indexed(166),
    Color::Indexed(36),
    Color::Indexed(175),
    Color::Indexed(178),
    Color::Indexed(74),
    Color::Reset,
];

/// Style and marker of a layer, from 0. Without colours, the points of its curve are its number.
fn pen(layer: usize, colour: bool) -> (Style, Marker) {
    match colour {
        true => (Style::new().fg(COLOURS[layer % COLOURS.len()]), Marker::Braille),
        false => {
            let digits = ('1'..='9').chain('a'..='z');
            (Style::new(), Marker::Custom(digits.cycle().nth(layer).unwrap_or('*')))
        }
    }
}

impl View {
    /// Draws it `at` this time. `stopping`: the run has been asked to end.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, at: Duration, stopping: bool, colour: bool) {
        let Rect { width, height, .. } = frame.area();
        let columns = usize::from(width);
        let mut above = self.head(columns, at, colour);
        above.extend(self.table(columns, colour));
        let room = height.saturating_sub(1);
        let top = room.min(above.len() as u16);
        let newest = NOTES.min((room - top).into());
        let skipped = self.notes().count().saturating_sub(newest);
        let mut notes: Vec<Line<'_>> = self.notes().skip(skipped).map(note(columns)).collect();
        let bottom = notes.len() as u16;
        let keys = match stopping {
            true => "stopping; q again ends it at once",
            false => "q or Ctrl-C: stop after a checkpoint",
        };
        notes.push(Line::from(keys).bold());
        let below = Rect::new(0, room - bottom, width, bottom + 1).intersection(frame.area());
        frame.render_widget(Paragraph::new(above), Rect::new(0, 0, width, top));
        frame.render_widget(Paragraph::new(notes), below);
        let left = room - bottom - top;
        if left >= CURVES
            && let Some(chart) = self.curves(colour)
        {
            frame.render_widget(chart, Rect::new(0, top, width, left));
        }
    }

    /// Which run this is, what it does, and how far it is.
    fn head(&self, columns: usize, at: Duration, colour: bool) -> Vec<Line<'_>> {
        let which = match (self.seed, self.seeds) {
            (Some((index, seed)), 2..) => format!("  seed {seed}, {} of {}", index + 1, self.seeds),
            (Some((_, seed)), _) => format!("  seed {seed}"),
            (None, seeds @ 2..) => format!("  {seeds} seeds"),
            (None, _) => String::new(),
        };
        let (stage, since) = &self.stage;
        let so_long = clock(at.saturating_sub(*since).as_secs_f64());
        let mut lines = vec![
            Line::from(vec![Span::from(&*self.name).bold(), Span::from(which)]),
            Line::from(fitted(&self.folder, columns)),
            Line::from(format!("{}  {so_long}", fitted(stage, columns.saturating_sub(12)))),
        ];
        let Some((step, steps)) = self.step else { return lines };
        let speed = self.speed.per_second.filter(|speed| *speed > 0.0);
        let left = speed.map(|speed| clock(steps.saturating_sub(step) as f64 / speed));
        let done = step as f64 / steps.max(1) as f64;
        let left = left.map_or_else(String::new, |left| format!("  {left} left"));
        let label = format!(" {:3.0} %{left}", 100.0 * done);
        let cells = columns.saturating_sub(label.len());
        let full = ((done * cells as f64) as usize).min(cells);
        lines.push(Line::from(vec![
            Span::styled("█".repeat(full), pen(0, colour).0),
            Span::from("░".repeat(cells - full)),
            Span::from(label),
        ]));
        let (batch, unit) = &self.batch;
        let samples = speed.map(|speed| format!("  {:.0} {unit}/s", speed * batch));
        lines.push(Line::from(format!("step {step}/{steps}{}", samples.unwrap_or_default())));
        lines
    }

    /// The last metrics, a column for each layer.
    fn table(&self, columns: usize, colour: bool) -> Vec<Line<'_>> {
        let layers = self.metrics.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        if layers == 0 {
            return Vec::new();
        }
        let longest = self.metrics.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let names = longest.clamp(10, 10.max(columns / 4));
        let cell = (columns.saturating_sub(names) / layers).clamp(5, 8);
        let shown = layers.min(columns.saturating_sub(names) / cell);
        let head = format!("{:names$}", if shown < layers { "layer …" } else { "layer" });
        let numbers = (0..shown)
            .map(|layer| Span::styled(format!("{:>cell$}", layer + 1), pen(layer, colour).0));
        let mut lines = vec![Line::default()];
        lines.push(std::iter::once(Span::from(head)).chain(numbers).collect());
        for (name, values) in &self.metrics {
            let name = fitted(&name.replace('_', " "), names);
            let values = values.iter().take(shown).map(|value| {
                let value = value.map_or_else(String::new, |value| number(value, cell - 1));
                format!("{value:>cell$}")
            });
            lines.push(Line::from(format!("{name:names$}{}", values.collect::<String>())));
        }
        lines
    }

    /// The losses over time, if there are two points in time.
    fn curves(&self, colour: bool) -> Option<Chart<'_>> {
        let points = || self.losses.iter().flat_map(|curve| curve.points());
        let (mut x, mut y) =
            ([f64::INFINITY, f64::NEG_INFINITY], [f64::INFINITY, f64::NEG_INFINITY]);
        for point in points() {
            x = [x[0].min(point.0), x[1].max(point.0)];
            y = [y[0].min(point.1), y[1].max(point.1)];
        }
        if x[0] >= x[1] {
            return None;
        }
        if y[0] >= y[1] {
            // A level line, in the middle.
            let around = 0.1 * y[0].abs().max(0.1);
            y = [y[0] - around, y[0] + around];
        }
        let curves = self.losses.iter().enumerate().map(|(layer, curve)| {
            let (style, marker) = pen(layer, colour);
            let set = Dataset::default().data(curve.points()).style(style).marker(marker);
            set.graph_type(GraphType::Line)
        });
        let [steps, losses] = [x.map(|step| format!("{step:.0}")), y.map(|loss| number(loss, 6))];
        Some(
            Chart::new(curves.collect())
                .x_axis(Axis::default().bounds(x).labels(steps))
                .y_axis(Axis::default().bounds(y).labels(losses))
                .block(Block::new().title("loss of every layer by step")),
        )
    }
}

/// The first line of a note.
fn note(columns: usize) -> impl Fn(&str) -> Line<'static> {
    move |note| {
        let first = note.lines().next().unwrap_or_default();
        Line::from(fitted(&format!("note: {first}"), columns))
    }
}

/// As much of a text as fits into so many columns, with an ellipsis if that is not all.
fn fitted(text: &str, columns: usize) -> String {
    // Longer ones need not be measured.
    let mut text: String = text.chars().take(4 * columns + 4).collect();
    if Span::from(&*text).width() <= columns {
        return text;
    }
    while Span::from(&*text).width() >= columns.max(1) {
        text.pop();
    }
    text + "…"
}

/// A number in so many columns, with three digits behind the point if there is room.
fn number(value: f64, columns: usize) -> String {
    let mut texts = (0..=3).rev().map(|digits| format!("{value:.digits$}"));
    texts.find(|text| text.len() <= columns).unwrap_or_else(|| format!("{value:.0e}"))
}

/// `4:05`, `3:04:05`, or `2 d 3 h`.
fn clock(seconds: f64) -> String {
    let (minutes, seconds) = (seconds as u64 / 60, seconds as u64 % 60);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}:{seconds:02}"),
        (hours @ 1..24, minutes) => format!("{hours}:{minutes:02}:{seconds:02}"),
        (hours, _) => format!("{} d {} h", hours / 24, hours % 24),
    }
}
