//! The figures of a page.

use std::{collections::BTreeSet, fmt::Display};

use clapp::{
    comparison::Table,
    eval::{
        Report,
        figure::{self, Curves},
    },
    readout::{RANDOM_ENCODER, RAW_PIXELS},
};

use super::entry::{Entry, Quantity};

/// Runs that have one figure of accuracies, in which each has two lines.
const TOGETHER: usize = 4;

/// A figure with its caption.
pub(super) struct Figure {
    /// Of its file: what it shows, and of which run if of one.
    pub name: String,
    /// The drawing; empty where there is a reason in its place.
    pub svg: String,
    /// What it shows, of what, and how it was made.
    pub caption: String,
}

impl Figure {
    /// The reason why there is no figure.
    pub fn missing(entry: &Entry, what: &str, why: &dyn Display) -> Self {
        Self {
            name: String::new(),
            svg: String::new(),
            caption: format!("{what} of {} could not be made: {why}.", entry.name),
        }
    }
}

/// All methods of a comparison beside their untrained twins.
pub(super) fn compared(table: &Table) -> Option<Figure> {
    let caption = format!(
        "Comparison: the best layer of every method and that of its untrained twin, on {}; budget, seeds and commands stand in the table above.",
        table.data
    );
    Some(Figure { name: "comparison".to_owned(), svg: table.figure()?, caption })
}

/// Figures of all runs together: accuracy of the layers, and how they learnt.
pub(super) fn figures(entries: &[Entry]) -> Vec<Figure> {
    let mut figures: Vec<Figure> = Vec::new();
    let mut drawn: Vec<(&str, usize)> = Vec::new();
    for entry in entries {
        let Some(report) = entry.report.as_ref().filter(|report| !report.cells.is_empty()) else {
            continue;
        };
        if drawn.contains(&data(report)) {
            continue;
        }
        drawn.push(data(report));
        let same =
            |other: &&Entry| other.report.as_ref().is_some_and(|of| data(of) == data(report));
        let alike = entries.iter().filter(same);
        let alike: Vec<&Entry> = alike.collect();
        // More lines than colours tell nothing; each run's numbers are in its table.
        if alike.len() > TOGETHER {
            continue;
        }
        let what = "Accuracy per layer, with its controls: the same network before its first step, and the input itself; dotted grey is chance.";
        let caption = alike.iter().map(|entry| entry.caption("")).collect::<String>();
        figures.push(Figure {
            name: "accuracy".to_owned(),
            svg: figure::report(&together(&alike)),
            caption: format!("{what}{caption}"),
        });
    }
    figures.extend(learning(entries));
    figures
}

/// What a report was read out on: only what agrees in it stands in one figure.
fn data(of: &Report) -> (&str, usize) {
    (&of.evaluated_on, of.classes)
}

/// The reports of runs that were read out on the same data, in one.
fn together(entries: &[&Entry]) -> Report {
    let reports = || entries.iter().filter_map(|entry| Some((entry, entry.report.as_ref()?)));
    let mut reports_of = reports();
    let (_, first) = reports_of.next().expect("runs with reports are asked for");
    let mut all = Report { cells: Vec::new(), notes: Vec::new(), ..first.clone() };
    for (entry, report) in reports() {
        for cell in &report.cells {
            let mut cell = cell.clone();
            match cell.encoder.as_str() {
                _ if entries.len() == 1 => {}
                RAW_PIXELS
                    if all
                        .cells
                        .iter()
                        .any(|c| (&c.encoder, c.series) == (&cell.encoder, cell.series)) =>
                {
                    continue;
                }
                RAW_PIXELS => {}
                RANDOM_ENCODER => cell.encoder = format!("{}, random", entry.name),
                _ => cell.encoder.clone_from(&entry.name),
            }
            all.cells.push(cell);
        }
    }
    all
}

/// Curves of all that the layers say while they learn; a figure for each quantity.
fn learning(entries: &[Entry]) -> Vec<Figure> {
    let quantities: Vec<_> = entries.iter().map(Entry::quantities).collect();
    let names: BTreeSet<_> = quantities.iter().flat_map(|of| of.keys().cloned()).collect();
    let mut figures = Vec::new();
    for key @ (_, name, along) in &names {
        let of: Vec<_> =
            entries.iter().zip(&quantities).filter_map(|(e, q)| Some((e, q.get(key)?))).collect();
        let layers = of.iter().flat_map(|(_, lines)| lines.iter());
        let layers = layers.map(|(_, values, from)| from + values.len() - 1).max().unwrap_or(0);
        let curve = |lines: &Quantity<'_>, layer: usize| {
            let value = |&(seen, values, from): &(f64, &[f64], usize)| {
                Some((seen, *values.get(layer.checked_sub(from)?)?))
            };
            lines.iter().filter_map(value).collect()
        };
        let panel = |layer| Curves {
            title: format!("layer {layer}"),
            quantity: name.clone(),
            runs: of.iter().map(|(_, lines)| curve(lines, layer)).collect(),
        };
        let panels: Vec<Curves> = (1..=layers).map(panel).collect();
        let title = format!("Learning: {name}");
        let runs: Vec<&str> = of.iter().map(|(entry, _)| entry.name.as_str()).collect();
        let about = format!(
            "first seed of each run; at most 60 means of neighbouring steps, over the {along} seen"
        );
        let svg = figure::curves(&title, &about, along, &runs, &panels);
        let meant = match &**name {
            "accuracy" => "how often a context's own target scores above all its saccades, in",
            other => &format!("{other} of"),
        };
        let what = format!("Learning curves: {meant} every layer, smoothed, of the first seed.");
        let caption = of.iter().map(|(entry, _)| entry.caption("")).collect::<String>();
        let (name, caption) = (format!("learning {name}"), format!("{what}{caption}"));
        figures.push(Figure { name, svg, caption });
    }
    figures
}
