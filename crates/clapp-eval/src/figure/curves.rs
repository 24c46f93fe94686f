//! How quantities change while layers learn: small panels, one a layer.

use super::axis::Axis;
use super::panel::{Line, Panel};
use super::{Sample, compose};
use crate::Summary;

/// Most points of a curve; of more, neighbours are averaged.
const POINTS: usize = 60;
/// Markers of a curve.
const MARKERS: usize = 4;

/// One panel: a quantity of a layer, with a curve for each run.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// Above the panel, such as the layer.
    pub title: String,
    /// What is drawn; panels of one quantity share their axis.
    pub quantity: String,
    /// `(x, y)` of each run, in the order of their names; empty for a run without it.
    pub runs: Vec<Vec<(f64, f64)>>,
}

/// Draws learning curves: a panel for each of `panels`, a colour for each of the runs `names`; `along` names
/// the x axis.
///
/// Curves are smoothed: neighbouring points are averaged until at most 60 are left. Points that are no
/// number are left out.
///
/// # Example
///
/// ```
/// use clapp_eval::figure::{Curves, curves};
///
/// let run = (1..=500).map(|step| (f64::from(step), 2.0 / f64::from(step))).collect();
/// let panel = Curves { title: "layer 1".into(), quantity: "loss".into(), runs: vec![run] };
/// let svg = curves("Learning", "made up", "images", &["clapp"], &[panel]);
/// assert!(svg.starts_with("<svg"));
/// ```
#[must_use]
pub fn curves(title: &str, about: &str, along: &str, names: &[&str], panels: &[Curves]) -> String {
    let smoothed: Vec<Vec<_>> =
        panels.iter().map(|panel| panel.runs.iter().map(|run| smooth(run)).collect()).collect();
    let points = |of: &Vec<Vec<(f64, f64)>>| of.concat().into_iter();
    let all = smoothed.iter().flat_map(points).map(|(x, _)| x).chain([0.0]);
    let x = Axis::round(all.collect::<Vec<_>>().into_iter(), 3);
    let panels: Vec<Panel> = panels
        .iter()
        .zip(&smoothed)
        .map(|(panel, runs)| {
            let alike = panels.iter().zip(&smoothed);
            let alike = alike.filter(|(other, _)| other.quantity == panel.quantity);
            let values: Vec<f64> =
                alike.flat_map(|(_, runs)| points(runs)).map(|(_, y)| y).collect();
            let axes = [x.clone(), Axis::round(values.into_iter(), 5)];
            let line = |(style, run): (usize, &Vec<(f64, f64)>)| {
                let points = run.iter().filter_map(|&(x, y)| Some((x, Summary::of(&[y])?)));
                let apart = run.len().div_ceil(MARKERS).max(1);
                let marks = (apart / 2..run.len()).step_by(apart);
                Line { style, points: points.collect(), marks: marks.collect() }
            };
            let lines = runs.iter().enumerate().map(line).collect();
            Panel::curves(
                panel.title.clone(),
                axes,
                [along.to_owned(), panel.quantity.clone()],
                lines,
            )
        })
        .collect();
    let legend: Vec<_> =
        names.iter().enumerate().map(|(style, &name)| (Sample::Line(style), name)).collect();
    compose(title, about, &legend, &panels)
}

/// At most [`POINTS`] means of neighbouring points.
fn smooth(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<_> = run.iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let mean = |part: &[&(f64, f64)]| {
        let n = part.len() as f64;
        let (x, y) = part.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (x / n, y / n)
    };
    finite.chunks(finite.len().div_ceil(POINTS).max(1)).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_averaged_and_what_is_no_number_is_left_out() {
        let run: Vec<(f64, f64)> = (0..120).map(|x| (f64::from(x), f64::from(x % 2))).collect();
        let smoothed = smooth(&run);
        assert_eq!((smoothed.len(), smoothed[1]), (60, (2.5, 0.5)));
        assert_eq!(smooth(&[(1.0, f64::NAN), (2.0, 3.0)]), [(2.0, 3.0)]);
        assert_eq!(smooth(&[]), []);
    }
}
