//! Phones over time: what a sound is, what a read-out takes it for, what its labels say.

use ndarray::{Array2, Axis as Along};
use svg::Node;
use svg::node::element::{Group, Image};

use super::pictures::image;
use super::shape::{COLUMN, MARGIN, heading, page, rectangle, stroke, text, text_width};
use super::{Axis, Picture, axis::label};
use crate::sound::{HOP, LogMel, RATE};

/// Rows of phones that are shown, at most: the most frequent ones.
const MOST: usize = 20;
/// Height of a phone's row: room for its name.
const ROW: f64 = 16.0;
/// Height of the spectrogram.
const SPECTRUM: f64 = 120.0;
/// Natural logarithms of power below the loudest that are told apart: 52 decibels.
const RANGE: f64 = 12.0;
/// Size of names and numbers, and the room for what stands left and right of the maps.
const SIZE: f64 = 13.0;
const BESIDE: f64 = 24.0;
const SCALE: f64 = 62.0;

/// A sound of which every 10 ms have a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Phones {
    /// Logarithms of power in mel bands, `[frame, band]`: [`LogMel`].
    pub spectrum: Array2<f32>,
    /// How probable a read-out finds each class, `[frame, class]`.
    pub posteriors: Array2<f64>,
    /// The class of every frame.
    pub labels: Vec<u32>,
    /// Names of all classes.
    pub names: Vec<String>,
    /// Where the first frame begins, in seconds.
    pub begin: f64,
}

/// Draws a spectrogram, below it the posteriors of the phones that the labels have, framed where the label is that phone,
/// and the labels as a row of segments; at most the 20 most frequent phones have a row.
///
/// # Panics
///
/// Unless spectrum, posteriors and labels have as many frames, and posteriors and labels have names.
///
/// # Example
///
/// ```
/// use clapp_eval::figure::{Phones, phones};
/// use ndarray::{Array2, array};
///
/// let sound = Phones {
///     spectrum: Array2::zeros((3, 40)),
///     posteriors: array![[0.9, 0.1], [0.4, 0.6], [0.0, 1.0]],
///     labels: vec![0, 1, 1],
///     names: vec!["silence".into(), "ah".into()],
///     begin: 0.0,
/// };
/// assert!(phones("Phones", "made up", &sound).contains("ah"));
/// ```
#[must_use]
pub fn phones(title: &str, about: &str, sound: &Phones) -> String {
    let frames = sound.labels.len();
    let got = [sound.spectrum.nrows(), sound.posteriors.nrows()];
    assert_eq!(got, [frames; 2], "phones: expected {frames} frames of spectrum and posteriors");
    let shown = frequent(&sound.labels);
    let wide = shown.iter().map(|&class| text_width(&sound.names[class], SIZE)).fold(0.0, f64::max);
    let (heading, top) = heading(title, about, COLUMN);
    let left = MARGIN + BESIDE + wide.max(text_width("0.5", SIZE)) + 6.0;
    let width = COLUMN - MARGIN - SCALE - left;
    let time = Time { begin: sound.begin, frames, width };
    let posteriors = ROW * shown.len() as f64;
    let labels = wide + 8.0;
    let mut spectrum = spectrum(sound, &time);
    beside("frequency (kHz)", SPECTRUM / 2.0, left, &mut spectrum);
    let mut map = map(sound, &shown, &time);
    beside("phone", posteriors / 2.0, left, &mut map);
    let mut segments = segments(sound, &time, labels);
    beside("label", labels / 2.0, left, &mut segments);
    time.axis(labels, &mut segments);
    let mut document = page(COLUMN, top + SPECTRUM + posteriors + labels + 80.0);
    document = document.add(heading);
    let mut y = top;
    for (part, height) in [(spectrum, SPECTRUM), (map, posteriors), (segments, labels)] {
        document.append(part.set("transform", format!("translate({left:.1} {y:.1})")));
        y += height + 10.0;
    }
    document.to_string()
}

/// Classes that occur, in their order; the most frequent ones if they are too many.
fn frequent(labels: &[u32]) -> Vec<usize> {
    let classes = labels.iter().max().map_or(0, |&last| last as usize + 1);
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let mut shown: Vec<usize> = (0..classes).filter(|&class| counts[class] > 0).collect();
    shown.sort_by_key(|&class| std::cmp::Reverse(counts[class])); // stable: of equals the first
    shown.truncate(MOST);
    shown.sort_unstable();
    shown
}

/// The runs of equal labels: first frame, frame after the last, class.
fn runs(labels: &[u32]) -> Vec<(usize, usize, usize)> {
    let mut end = 0;
    let run = |run: &[u32]| {
        end += run.len();
        (end - run.len(), end, run[0] as usize)
    };
    labels.chunk_by(|a, b| a == b).map(run).collect()
}

/// Frames along the time axis, which begins with the sound.
struct Time {
    begin: f64,
    frames: usize,
    width: f64,
}

impl Time {
    fn end(&self) -> f64 {
        self.begin + self.frames.max(1) as f64 * HOP as f64 / RATE
    }

    /// Where a frame begins.
    fn x(&self, frame: usize) -> f64 {
        (self.begin + frame as f64 * HOP as f64 / RATE) / self.end() * self.width
    }

    /// A picture with a column a frame.
    fn image(&self, picture: &Picture, height: f64) -> Image {
        let (from, to) = (self.x(0), self.x(self.frames));
        image(picture, (from, 0.0), (to - from, height)).set("preserveAspectRatio", "none")
    }

    fn axis(&self, y: f64, group: &mut Group) {
        group.append(stroke((0.0, y), (self.width, y), "#333333", 1.2));
        let axis = Axis::round([0.0, self.end()].into_iter(), 8);
        for &tick in axis.ticks.iter().filter(|&&tick| tick <= self.end()) {
            let x = tick / self.end() * self.width;
            group.append(stroke((x, y), (x, y + 5.0), "#333333", 1.2));
            let number = text(&label(tick, axis.step()), x, y + 20.0, SIZE);
            group.append(number.set("text-anchor", "middle"));
        }
        let name = text("time (s)", self.width / 2.0, y + 38.0, 14.0);
        group.append(name.set("text-anchor", "middle"));
    }
}

/// What an axis along y says, upwards.
fn beside(name: &str, middle: f64, left: f64, group: &mut Group) {
    let turn = format!("translate({:.1} {middle:.1}) rotate(-90)", MARGIN + 4.0 - left);
    group.append(text(name, 0.0, 0.0, 14.0).set("text-anchor", "middle").set("transform", turn));
}

fn spectrum(sound: &Phones, time: &Time) -> Group {
    let mut values = sound.spectrum.mapv(f64::from);
    let of = |pick: fn(f64, f64) -> f64, start| values.iter().copied().fold(start, pick);
    let (low, high) = (of(f64::min, f64::INFINITY), of(f64::max, f64::NEG_INFINITY));
    values.invert_axis(Along(1)); // low frequencies are below
    let picture = Picture::heat(values.t(), [low.max(high - RANGE), high]);
    let mut group = Group::new().add(time.image(&picture, SPECTRUM));
    let mel = LogMel { bands: values.ncols(), ..LogMel::default() };
    for khz in [0.5, 1.0, 2.0, 4.0] {
        let y = SPECTRUM * (1.0 - (mel.band(1_000.0 * khz) + 0.5) / values.ncols() as f64);
        group.append(stroke((-4.0, y), (0.0, y), "#333333", 1.2));
        group.append(text(&khz.to_string(), -7.0, y + 4.5, SIZE).set("text-anchor", "end"));
    }
    group
}

fn map(sound: &Phones, shown: &[usize], time: &Time) -> Group {
    let height = ROW * shown.len() as f64;
    let rows = sound.posteriors.select(Along(1), shown);
    let mut group = Group::new().add(time.image(&Picture::heat(rows.t(), [0.0, 1.0]), height));
    for (row, &class) in shown.iter().enumerate() {
        let y = (row as f64 + 0.5) * ROW + 4.5;
        group.append(text(&sound.names[class], -7.0, y, SIZE).set("text-anchor", "end"));
    }
    for (from, to, class) in runs(&sound.labels) {
        let Some(row) = shown.iter().position(|&row| row == class) else { continue };
        let (x, size) = (time.x(from), (time.x(to) - time.x(from), ROW));
        let frame = rectangle((x, row as f64 * ROW), size, "none").set("stroke", "#ffffff");
        group.append(frame.set("stroke-width", 1.2));
    }
    // What the colours mean.
    let steps = Array2::from_shape_fn((64, 1), |(step, _)| 1.0 - step as f64 / 63.0);
    let (x, tall) = (time.width + 12.0, height.min(120.0));
    let scale = image(&Picture::heat(steps.view(), [0.0, 1.0]), (x, 0.0), (12.0, tall));
    group.append(scale.set("preserveAspectRatio", "none"));
    for (place, name) in [(0.0, "1"), (0.5, "0.5"), (1.0, "0")] {
        // At the ends within the scale, so that nothing beside it is touched.
        group.append(text(name, x + 16.0, 4.5 + 5.0 + place * (tall - 10.0), SIZE));
    }
    let turn = format!("translate({:.1} {:.1}) rotate(-90)", x + 50.0, tall / 2.0);
    let name = text("probability", 0.0, 0.0, 14.0).set("text-anchor", "middle");
    group.add(name.set("transform", turn))
}

/// The labels, each with its name upwards where there is room.
fn segments(sound: &Phones, time: &Time, height: f64) -> Group {
    let mut group = Group::new();
    for (place, (from, to, class)) in runs(&sound.labels).into_iter().enumerate() {
        let (x, width) = (time.x(from), time.x(to) - time.x(from));
        let fill = if place % 2 == 0 { "#d9d9d9" } else { "#f4f4f4" };
        group.append(rectangle((x, 0.0), (width, height), fill));
        if width >= SIZE {
            let (x, y) = (x + width / 2.0 + 4.5, height / 2.0);
            let turn = format!("translate({x:.1} {y:.1}) rotate(-90)");
            let name = text(&sound.names[class], 0.0, 0.0, SIZE).set("transform", turn);
            group.append(name.set("text-anchor", "middle"));
        }
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_runs_and_the_most_frequent_classes_are_shown_in_order() {
        assert_eq!(runs(&[3, 3, 0, 3]), [(0, 2, 3), (2, 3, 0), (3, 4, 3)]);
        // Class i occurs i times, up to 24: the first four are left out, and class 0, which does not occur.
        let labels: Vec<u32> = (0..25).flat_map(|class| vec![class; class as usize]).collect();
        assert_eq!(frequent(&labels), (5..25).collect::<Vec<_>>());
    }

    #[test]
    fn a_frame_is_where_its_time_is() {
        let time = Time { begin: 0.0075, frames: 99, width: 500.0 };
        assert!((time.end() - 0.9975).abs() < 1e-12);
        assert!((time.x(50) - 0.5075 / 0.9975 * 500.0).abs() < 1e-9);
    }
}
