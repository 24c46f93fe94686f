//! What a member of a comparison has cost.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use clapp_store::write_atomically;
use serde::{Deserialize, Serialize};

use crate::{
    Error, RunEnd,
    run::{Observer, StepMetrics},
};

/// How a member ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Not yet.
    #[default]
    Not,
    /// After a checkpoint, from which it can go on.
    Stopped,
    /// With an error.
    Failed,
    /// With its table.
    Finished,
}

/// What a member has cost so far, over all processes that worked on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// How it ended.
    pub ended: Ended,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Seeds that it has learnt from and that were read out.
    #[serde(default)]
    pub seeds: usize,
    /// Steps that were timed: all but the first after data were opened.
    pub steps: u64,
    /// Seconds that they took, with loading and checkpoints.
    pub seconds: f64,
    /// Most resident memory while the first seed was learning, in bytes; none where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_peak: Option<u64>,
    /// Most resident memory at any time, read-outs included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<u64>,
}

impl Account {
    /// Reads an account; an empty one if there is none.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let Ok(text) = fs::read_to_string(path) else { return Ok(Self::default()) };
        serde_json::from_str(&text).map_err(|source| Error::Json {
            what: "account",
            path: path.to_owned(),
            source,
        })
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(|source| Error::Json {
            what: "account",
            path: path.to_owned(),
            source,
        })?;
        Ok(write_atomically(path, |file| writeln!(file, "{text}"))?)
    }

    /// Forgets how the member ended the last time.
    pub(super) fn begin(path: &Path) -> Result<(), Error> {
        Self { ended: Ended::Not, error: None, ..Self::load(path)? }.save(path)
    }

    /// Seconds a step.
    #[must_use]
    pub fn seconds_per_step(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.seconds / self.steps as f64)
    }
}

/// Keeps the account of a run that another observer follows.
pub(super) struct Meter<'a> {
    path: PathBuf,
    account: Account,
    inner: &'a mut dyn Observer,
    /// When the last step ended, as long as nothing but a step has happened since.
    last: Option<Instant>,
    saved: Instant,
    /// Whether there was a step since the peak was last reset.
    learnt: bool,
    resets: bool,
    /// The steps after which one more is the last, over all seeds.
    pub(super) until: u64,
}

/// Seconds between two writings of the account: what a kill loses.
const EVERY: f32 = 10.0;

impl<'a> Meter<'a> {
    pub(super) fn new(path: PathBuf, inner: &'a mut dyn Observer) -> Result<Self, Error> {
        Account::begin(&path)?;
        let account = Account::load(&path)?;
        let (last, saved, resets) = (None, Instant::now(), reset_peak());
        Ok(Self { path, account, inner, last, saved, learnt: false, resets, until: 0 })
    }

    /// Notes how a member ended that was to learn from its first `seeds` seeds.
    pub(super) fn end(mut self, end: &Result<RunEnd, Error>, seeds: usize) -> Result<(), Error> {
        self.take_peak();
        let account = &mut self.account;
        (account.ended, account.error) = match end {
            Ok(RunEnd::Finished(_)) => (Ended::Finished, None),
            Ok(RunEnd::Stopped { step }) if *step > self.until || seeds == 0 => (Ended::Not, None),
            Ok(RunEnd::Stopped { .. }) => (Ended::Stopped, None),
            Err(error) => (Ended::Failed, Some(error.to_string())),
        };
        if matches!(account.ended, Ended::Finished | Ended::Not) {
            account.seeds = seeds;
        }
        self.account.save(&self.path)
    }

    /// Charges the peak since the last call to what was done since.
    fn take_peak(&mut self) {
        let Some(peak) = self.resets.then(peak).flatten() else { return };
        self.account.peak = self.account.peak.max(Some(peak));
        if self.learnt {
            self.account.learning_peak.get_or_insert(peak);
        }
        (self.learnt, self.resets) = (false, reset_peak());
    }
}

impl Observer for Meter<'_> {
    fn step(&mut self, steps: u64, metrics: &StepMetrics) -> bool {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.account.seconds += (now - last).as_secs_f64();
            self.account.steps += 1;
        }
        self.learnt = true;
        if self.saved.elapsed().as_secs_f32() > EVERY {
            // If the disk is full the run itself says so, at its next checkpoint.
            let _ = self.account.save(&self.path);
            self.saved = now;
        }
        self.inner.step(steps, metrics) && (metrics.step <= self.until || metrics.step == steps)
    }

    fn stage(&mut self, what: &str) {
        self.last = None;
        self.take_peak();
        self.inner.stage(what);
    }

    fn note(&mut self, what: &str) {
        self.inner.note(what);
    }
}

/// Lets the peak of this process's resident memory begin anew; whether that is possible here.
fn reset_peak() -> bool {
    // Linux: "5" resets what VmHWM says to what is resident now.
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Most resident memory since then, in bytes.
pub(crate) fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_seen_and_forgotten() {
        if !reset_peak() {
            return clapp_testing::skip("the peak of resident memory cannot be reset here");
        }
        let large = std::hint::black_box(vec![1_u8; 256 << 20]);
        let with = peak().expect("Linux says");
        assert!(with >= large.len() as u64);
        drop(large);
        assert!(reset_peak() && peak().expect("Linux says") < with);
    }
}
