//! The table of a comparison.

use std::{fmt, path::Path};

use clapp_eval::{
    Margin, Report, Series, Spread, Summary,
    figure::{self, Pair, Pairs},
};
use serde::{Deserialize, Serialize};

use super::{Account, Budget, Ended, Plan, account};
use crate::{Error, RunConfig, Sense, readout::RANDOM_ENCODER};

/// Rules × accuracy × untrained twin × seconds × memory.
///
/// Its text is Markdown: one table for each protocol and number of labels, because others cannot be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Name of the data.
    pub data: String,
    /// What is learnt from: images, crops, clips.
    pub unit: String,
    /// How long each member learns.
    pub budget: Budget,
    /// Seeds of every member.
    pub seeds: Vec<u64>,
    /// A row for each member, in the order of the plan.
    pub rows: Vec<Row>,
}

/// A member of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Method.
    pub method: String,
    /// How it ended.
    pub ended: Ended,
    /// Why it failed.
    pub error: Option<String>,
    /// Samples seen by each seed; none before the member has begun.
    pub seen: Option<u64>,
    /// Seconds of learning of each seed: loading, steps and checkpoints, without read-outs.
    pub seconds: Option<f64>,
    /// Most resident memory while learning, in bytes; none where the system does not say.
    pub learning_peak: Option<u64>,
    /// The same with read-outs.
    pub peak: Option<u64>,
    /// Accuracies, by protocol and labels.
    pub readouts: Vec<Readout>,
    /// The command that repeats the member.
    pub command: String,
}

/// Accuracies of one protocol and one number of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readout {
    /// Protocol and labels.
    #[serde(flatten)]
    pub series: Series,
    /// The layer that reads best.
    pub best: Place,
    /// The last layer.
    pub last: Place,
    /// The best layer of the same network before its first step.
    pub twin: Option<Place>,
    /// The best layer above the twin's best.
    pub difference: Option<Margin>,
}

/// A layer and its accuracies over the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Layer, from 1.
    pub layer: usize,
    /// Accuracies in percent.
    #[serde(flatten)]
    pub accuracy: Summary,
}

impl Table {
    pub(super) fn of<S: Sense>(folder: &Path, plan: &Plan<S>) -> Result<Self, Error> {
        let first = &plan.members[0];
        Ok(Self {
            data: S::data_name(&first.setup),
            unit: S::UNIT.to_owned(),
            budget: plan.budget,
            seeds: first.seeds.clone(),
            rows: plan
                .members
                .iter()
                .map(|m| Row::of(folder, plan, m))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Table {
    /// All protocols and numbers of labels in it.
    fn series(&self) -> Vec<Series> {
        let readouts = self.rows.iter().flat_map(|row| &row.readouts);
        let mut series: Vec<Series> = readouts.map(|readout| readout.series).collect();
        series.sort_unstable();
        series.dedup();
        series
    }

    /// Every method's best layer beside that of its untrained twin, the best method first, as SVG; none before
    /// anything was read out.
    #[must_use]
    pub fn figure(&self) -> Option<String> {
        let panel = |series: Series| {
            let row = |row: &Row| {
                let readout = row.readouts.iter().find(|readout| readout.series == series)?;
                let control = readout.twin.map(|twin| twin.accuracy);
                Some(Pair { name: row.method.clone(), reached: readout.best.accuracy, control })
            };
            let mut rows: Vec<Pair> = self.rows.iter().filter_map(row).collect();
            rows.sort_by(|a, b| b.reached.mean.total_cmp(&a.reached.mean));
            Pairs { title: series.to_string(), rows }
        };
        let panels: Vec<Pairs> = self.series().into_iter().map(panel).collect();
        let title = format!("Rules on {}", self.data);
        // Those that every method in the figure has behind it.
        let readouts = self.rows.iter().flat_map(|row| &row.readouts);
        let done = readouts.map(|readout| readout.best.accuracy.seeds).min().unwrap_or(0);
        let about = format!(
            "{}, seeds {:?}; best layer, mean and range from lowest to highest seed",
            self.budget.said(&self.unit),
            &self.seeds[..done.min(self.seeds.len())]
        );
        let names = ["after learning", "the same network before its first step"];
        let draw = || figure::pairs(&title, &about, "top-1 accuracy (%)", names, &panels);
        (!panels.is_empty()).then(draw)
    }
}

impl Row {
    fn of<S: Sense>(folder: &Path, plan: &Plan<S>, member: &RunConfig<S>) -> Result<Self, Error> {
        let (name, method) = (member.name(), member.method.clone());
        let account = Account::load(&account(folder, &name))?;
        let run = folder.join(name);
        // A member has a folder as soon as its length is known.
        let begun = run.join(crate::run::CONFIG).is_file();
        let config = begun.then(|| RunConfig::<S>::load(&run)).transpose()?;
        let steps = config.as_ref().map(RunConfig::steps);
        let table = run.join("table.json");
        let report = table.is_file().then(|| Report::load(&table)).transpose()?;
        let step = account.seconds_per_step();
        Ok(Self {
            seen: steps.map(|steps| steps * member.batch as u64),
            seconds: steps.zip(step).map(|(steps, seconds)| steps as f64 * seconds),
            readouts: report.map_or_else(Vec::new, |report| Readout::all(&report, &method)),
            command: format!("{} --config {}", plan.program, run.display()),
            ended: account.ended,
            error: account.error,
            learning_peak: account.learning_peak,
            peak: account.peak,
            method,
        })
    }
}

impl Readout {
    fn all(report: &Report, method: &str) -> Vec<Self> {
        let place = |(layer, accuracy)| Place { layer, accuracy };
        let readout = |series| {
            let best = report.best(method, series).map(place)?;
            let last = report.layers(method, series).pop().map(place)?;
            let twin = report.best(RANDOM_ENCODER, series).map(place);
            let difference = twin.map(|twin| Margin::of(&best.accuracy, &twin.accuracy));
            Some(Self { series, best, last, twin, difference })
        };
        report.series().into_iter().filter_map(readout).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, unit, budget, seeds, rows } = self;
        writeln!(f, "# Comparison on {data}\n")?;
        write!(f, "{}", budget.said(unit))?;
        writeln!(
            f,
            ", seeds {seeds:?}. Accuracy in %: layer, mean ± sample standard deviation (number of seeds). \
             Difference: best layer above the best layer of the same network before its first step; \
             \\* more than the spread over seeds. Seconds: learning, a seed. Memory: resident at most, learning / with read-outs."
        )?;
        for series in self.series() {
            writeln!(f, "\n## {series}\n")?;
            writeln!(
                f,
                "| method | best layer | last layer | untrained twin | difference | {unit} | seconds | MiB |"
            )?;
            writeln!(f, "|---|---|---|---|---|---|---|---|")?;
            for row in rows {
                let found = row.readouts.iter().find(|readout| readout.series == series);
                if let Some(readout) = found {
                    writeln!(f, "| {} | {readout} | {} |", row.method, row.cost())?;
                }
            }
        }
        writeln!(f, "\n## Members\n\n| method | ended | repeat it |\n|---|---|---|")?;
        for Row { method, ended, error, command, .. } in rows {
            let ended = match (ended, error) {
                (_, Some(error)) => {
                    format!("failed: {}", error.replace('|', "\\|").replace('\n', " "))
                }
                (Ended::Finished, _) => "finished".to_owned(),
                (Ended::Stopped, _) => "stopped".to_owned(),
                _ => "not yet".to_owned(),
            };
            writeln!(f, "| {method} | {ended} | `{command}` |")?;
        }
        Ok(())
    }
}

impl Row {
    /// Samples, seconds and memory, as cells of a line.
    fn cost(&self) -> String {
        let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "–".to_owned());
        let mebibytes = |bytes: Option<u64>| or_none(bytes.map(|b| (b >> 20).to_string()));
        format!(
            "{} | {} | {} / {}",
            or_none(self.seen.map(|seen| seen.to_string())),
            or_none(self.seconds.map(|seconds| format!("{seconds:.1}"))),
            mebibytes(self.learning_peak),
            mebibytes(self.peak),
        )
    }
}

/// Cells of a line.
impl fmt::Display for Readout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { best, last, twin, difference, .. } = self;
        write!(f, "{best} | {last} | ")?;
        match twin {
            Some(twin) => write!(f, "{twin} | ")?,
            None => write!(f, "– | ")?,
        }
        match difference {
            Some(Margin { points, spread: Spread::Above }) => write!(f, "{points:+.1}\\*"),
            Some(Margin { points, .. }) => write!(f, "{points:+.1}"),
            None => write!(f, "–"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.accuracy)
    }
}
