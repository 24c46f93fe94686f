//! All that the folder of a run says.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clapp::{
    Error, Images, RunConfig, Sense, Sound, Video,
    eval::Report,
    run::{Environment, StepMetrics},
    store::{Checkpoint, read_metrics},
};
use serde_json::Value;

use super::figures::Figure;
use crate::{
    config::{Kind, kind_of_run},
    info::finished,
};

/// A metric over time: how many samples were seen, values of layers, and the first of these layers from 1.
pub(super) type Quantity<'a> = Vec<(f64, &'a [f64], usize)>;

/// Place, name, and what was seen meanwhile: only runs of one unit share a figure.
pub(super) type Key = (usize, String, String);

/// A run, as far as it has come.
pub(super) struct Entry {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is called on the page: unlike all others.
    pub name: String,
    /// Its configuration, as it stands in the folder.
    pub config: String,
    /// The same as values.
    pub settings: Value,
    /// Step of the newest checkpoint, or of the last line of metrics.
    pub step: u64,
    /// Steps of the whole run; none of a sense that this program does not know.
    pub steps: Option<u64>,
    /// Whether there is a checkpoint; one of step 0 holds weights from elsewhere.
    pub saved: bool,
    /// Accuracies.
    pub report: Option<Report>,
    /// Metrics.
    pub metrics: Vec<StepMetrics>,
    /// Where it was computed.
    pub starts: Vec<Environment>,
}

impl Entry {
    /// Reads a folder, without a lock: the run may go on.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("config.json");
        let config = fs::read_to_string(&path)
            .map_err(|_| Error::NoRun { folder: folder.to_owned(), what: "config.json" })?;
        let settings = serde_json::from_str(&config).map_err(|source| Error::Json {
            what: "configuration",
            path,
            source,
        })?;
        let metrics: Vec<StepMetrics> = match folder.join("metrics.jsonl") {
            path if path.is_file() => read_metrics(&path)?,
            _ => Vec::new(),
        };
        let saved = Checkpoint::list(folder)?.last().map(|(step, _)| *step);
        let table = folder.join("table.json");
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_owned()));
        Ok(Self {
            folder: folder.to_owned(),
            name: name.unwrap_or_default().to_string_lossy().into_owned(),
            config,
            settings,
            step: metrics.last().map_or(0, |last| last.step).max(saved.unwrap_or(0)),
            saved: saved.is_some(),
            steps: steps(folder),
            report: table.is_file().then(|| Report::load(&table)).transpose()?,
            metrics,
            starts: Environment::load(folder)?,
        })
    }

    /// Which classes are taken for which, drawn by the run itself.
    pub fn confusions(&self) -> Vec<Figure> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
        files.sort();
        let mut figures = Vec::new();
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let seed = name.strip_prefix("confusion-seed-").and_then(|n| n.strip_suffix(".svg"));
            let (Some(seed), Ok(svg)) = (seed, fs::read_to_string(&path)) else { continue };
            let what = format!(
                "Confusion matrix of seed {seed}: what the read-out of the last layer takes for what; rows are labels, columns guesses."
            );
            figures.push(self.figure(&format!("confusion seed {seed}"), svg, &what));
        }
        figures
    }

    /// A setting that every run has, as text.
    pub fn setting(&self, name: &str) -> String {
        match &self.settings[name] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// Name of the data.
    pub fn data(&self) -> String {
        match &self.report {
            Some(report) => report.trained_on.clone(),
            None => self.settings["data"]["kind"].as_str().unwrap_or("unnamed data").to_owned(),
        }
    }

    /// Whether every seed is read out.
    pub fn finished(&self) -> bool {
        let seeds = self.settings["seeds"].as_array().map_or(0, Vec::len);
        self.steps.is_none_or(|steps| self.step >= steps) && finished(self.report.as_ref(), seeds)
    }

    /// How far it is, in a sentence.
    pub fn state(&self) -> String {
        match self.steps {
            _ if self.finished() => {
                format!("Finished: {} steps, seeds {}.", self.step, self.setting("seeds"))
            }
            _ if self.step == 0 => "Begun; no step is saved yet.".to_owned(),
            Some(steps) if self.step >= steps => {
                format!("All {steps} steps are taken; the read-outs are not finished.")
            }
            Some(steps) => {
                let share = 100.0 * self.step as f64 / steps as f64;
                format!("Stopped or still at work: step {} of {steps} ({share:.0} %).", self.step)
            }
            None => format!("After step {}.", self.step),
        }
    }

    /// The command that began it, where that is known.
    pub fn command(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,+@%-".contains(c);
        let quoted = |word: &String| match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        };
        let words: Vec<String> = self.starts.first()?.command.iter().map(quoted).collect();
        Some(words.join(" "))
    }

    /// A caption with all that a figure needs to be understood and repeated.
    pub fn caption(&self, what: &str) -> String {
        let version = match self.starts.last() {
            Some(Environment { version, commit: Some(commit), .. }) => {
                format!("clapp {version} ({})", commit.get(..10).unwrap_or(commit))
            }
            Some(Environment { version, .. }) => format!("clapp {version}"),
            None => "a version that was not recorded".to_owned(),
        };
        let command = self.command().unwrap_or_else(|| "not recorded".to_owned());
        let (data, seeds) = (self.data(), self.setting("seeds"));
        format!(
            "{what} Run {}, data: {data}, seeds {seeds}; command: {command}; {version}.",
            self.name
        )
    }

    /// A figure of this run alone.
    pub fn figure(&self, name: &str, svg: String, what: &str) -> Figure {
        Figure { name: format!("{name} {}", self.name), svg, caption: self.caption(what) }
    }

    /// Metrics of the first seed: loss, open gates, accuracy, early looks and what else the rule says.
    pub fn quantities(&self) -> BTreeMap<Key, Quantity<'_>> {
        let mut all: BTreeMap<Key, Quantity<'_>> = BTreeMap::new();
        let first = self.metrics.first().map(|metrics| metrics.seed);
        for metrics in self.metrics.iter().filter(|metrics| Some(metrics.seed) == first) {
            let StepMetrics { step, seen, only, loss, open_gates, accuracy, other, look, .. } =
                metrics;
            let (unit, &seen) =
                seen.iter().next().map_or(("steps", step), |(unit, seen)| (unit.as_str(), seen));
            let from = only.unwrap_or(1);
            let known = [
                ("loss", loss, from),
                ("open gates", open_gates, from),
                ("accuracy", accuracy, from),
                ("early look", look, 1),
            ];
            let other = other.iter().map(|(name, values)| (name.as_str(), values, from));
            for (place, (name, values, from)) in known.into_iter().chain(other).enumerate() {
                if !values.is_empty() {
                    let key = (place.min(known.len()), name.to_owned(), unit.to_owned());
                    all.entry(key).or_default().push((seen as f64, &values[..], from));
                }
            }
        }
        all
    }
}

/// Steps of all seeds.
fn steps(folder: &Path) -> Option<u64> {
    fn of<S: Sense>(folder: &Path) -> Option<u64> {
        let config = RunConfig::<S>::load(folder).ok()?;
        Some(config.steps() * config.seeds.len() as u64)
    }
    match kind_of_run(folder).ok()? {
        Kind::Images => of::<Images>(folder),
        Kind::Sound => of::<Sound>(folder),
        Kind::Video => of::<Video>(folder),
    }
}

/// Gives runs of one name their folders' paths as names.
pub(super) fn tell_apart(entries: &mut [Entry]) {
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    for entry in entries {
        if names.iter().filter(|name| **name == entry.name).count() > 1 {
            entry.name = entry.folder.display().to_string();
        }
    }
}
