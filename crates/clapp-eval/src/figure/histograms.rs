//! How often values occur: small panels, one a layer.

use super::axis::Axis;
use super::panel::{Line, Panel};
use super::{Sample, compose};
use crate::Summary;

/// Bins of a panel.
const BINS: usize = 40;
/// Share of the values that lies beyond either end, in the first or the last bin.
const BEYOND: f64 = 0.002;

/// One panel: values of a layer, in a group for each name.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Above the panel, such as the layer.
    pub title: String,
    /// The values of each group, in the order of their names.
    pub groups: Vec<Vec<f32>>,
}

/// Draws histograms: a panel for each of `panels`, an outline for each of the groups `names`; `along` names the x
/// axis. All groups of a panel have the same bins, and each sums up to 100 %.
///
/// # Example
///
/// ```
/// use clapp_eval::figure::{Values, histograms};
///
/// let groups = vec![vec![0.5, 1.5, 1.0], vec![-1.0, -0.5]];
/// let panel = Values { title: "layer 1".into(), groups };
/// let svg = histograms("Scores", "made up", "score", &["fixation", "saccade"], &[panel]);
/// assert!(svg.starts_with("<svg"));
/// ```
#[must_use]
pub fn histograms(
    title: &str,
    about: &str,
    along: &str,
    names: &[&str],
    panels: &[Values],
) -> String {
    let panel = |panel: &Values| {
        let x = Axis::round(ends(&panel.groups).into_iter(), 4);
        let outlines: Vec<_> = panel.groups.iter().map(|values| outline(values, &x)).collect();
        let shares = outlines.iter().flatten().map(|&(_, share)| share).chain([0.0]);
        let y = Axis::round(shares.collect::<Vec<_>>().into_iter(), 5);
        let line = |(style, outline): (usize, &Vec<(f64, f64)>)| {
            let points = outline.iter().filter_map(|&(x, y)| Some((x, Summary::of(&[y])?)));
            let by_share = |a: &usize, b: &usize| outline[*a].1.total_cmp(&outline[*b].1);
            // One marker, on the highest bin.
            let marks = (0..outline.len()).max_by(by_share).into_iter().collect();
            Line { style, points: points.collect(), marks }
        };
        let lines = outlines.iter().enumerate().map(line).collect();
        let names = [along, "share (%)"].map(str::to_owned);
        Panel::curves(panel.title.clone(), [x, y], names, lines)
    };
    let panels: Vec<Panel> = panels.iter().map(panel).collect();
    let legend: Vec<_> =
        names.iter().enumerate().map(|(style, &name)| (Sample::Line(style), name)).collect();
    compose(title, about, &legend, &panels)
}

/// Between which values all but a few of every group lie.
fn ends(groups: &[Vec<f32>]) -> Vec<f64> {
    let mut ends = Vec::new();
    for values in groups {
        let mut values: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
        values.sort_by(f32::total_cmp);
        let beyond = (values.len() as f64 * BEYOND) as usize;
        let both =
            [values.get(beyond), values.len().checked_sub(beyond + 1).and_then(|i| values.get(i))];
        ends.extend(both.into_iter().flatten().map(|&value| f64::from(value)));
    }
    ends
}

/// The outline of the bins between the ends of an axis, in percent.
fn outline(values: &[f32], x: &Axis) -> Vec<(f64, f64)> {
    let mut counts = [0_usize; BINS];
    let finite = values.iter().filter(|value| value.is_finite());
    for &value in finite.clone() {
        // Truncation and the bounds put what lies beyond into the outermost bins.
        let bin = (x.place(f64::from(value)) * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    let all = finite.count().max(1) as f64;
    let width = (x.high - x.low) / BINS as f64;
    let edge = |bin: usize| x.low + bin as f64 * width;
    let top = |(bin, &count): (usize, &usize)| {
        let share = 100.0 * count as f64 / all;
        [(edge(bin), share), (edge(bin + 1), share)]
    };
    let tops = counts.iter().enumerate().flat_map(top);
    [(x.low, 0.0)].into_iter().chain(tops).chain([(x.high, 0.0)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_every_value_once_and_rare_extremes_do_not_stretch_the_axis() {
        let mut values: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        values.extend([1e6, f32::NAN]);
        let x = Axis::round(ends(&[values.clone()]).into_iter(), 4);
        assert!(x.low <= 0.01 && x.high <= 1.0 + 1e-9, "{x:?}");
        let outline = outline(&values, &x);
        let sum: f64 = outline.iter().skip(1).step_by(2).map(|&(_, share)| share).sum();
        assert!((sum - 100.0).abs() < 1e-9, "{sum}");
    }
}
