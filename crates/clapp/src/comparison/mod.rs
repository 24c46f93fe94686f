//! Several methods on one data set, for equal budgets, in one table.

mod account;
mod table;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use burn::tensor::Device;
use clapp_eval::Protocol;
use clapp_store::RunFolder;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Images, Run, RunConfig, RunEnd, Sense,
    estimate::seconds_per_step,
    preset,
    run::{Observer, exactly},
};
use account::Meter;

pub(crate) use account::peak;
pub use account::{Account, Ended};
pub use table::{Place, Readout, Row, Table};

/// How long each member of a comparison learns, for each seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// This many images, crops or clips; a multiple of what fits into whole batches is seen.
    Samples(u64),
    /// So many that they take about this many seconds. The speed of some steps decides before the run starts,
    /// and the number is part of the member's configuration from then on: schedules know where they end, and
    /// the member can be repeated bit for bit.
    Seconds(f64),
}

impl Budget {
    /// In words, of samples that are called `unit`.
    fn said(self, unit: &str) -> String {
        match self {
            Self::Samples(samples) => format!("Each method learns from {samples} {unit}"),
            Self::Seconds(seconds) => format!("Each method learns for about {seconds} seconds"),
        }
    }

    /// The configuration with the length that the budget gives it.
    fn apply<S: Sense>(
        self,
        config: &RunConfig<S>,
        device: &Device,
    ) -> Result<RunConfig<S>, Error> {
        let samples = match self {
            Self::Samples(samples) => samples,
            Self::Seconds(seconds) => {
                let look = Duration::from_secs_f64((seconds / 20.0).clamp(0.05, 5.0));
                let steps = seconds / seconds_per_step(config, device, look)?;
                (steps as u64).max(1) * config.batch as u64
            }
        };
        let mut config = config.clone();
        *S::amount_mut(&mut config.setup) = samples;
        Ok(config)
    }
}

/// What is compared.
///
/// Members are configurations with the same data and seeds. What else they have in common decides what the
/// table compares: give all of them the same read-outs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Plan<S: Sense> {
    /// How long each member learns.
    pub budget: Budget,
    /// What the command that repeats a member begins with; ` --config FOLDER` follows.
    pub program: String,
    /// The members; their lengths are the budget's.
    pub members: Vec<RunConfig<S>>,
}

const PLAN: &str = "plan.json";

impl Plan<Images> {
    /// Methods of images, which begin as a preset and are all read out in the same way: the mean of every layer,
    /// standardised. On CIFAR-10 all learn from 40,000 training images and are read out from the others.
    ///
    /// # Errors
    ///
    /// As [`preset()`].
    pub fn of<M: AsRef<str>>(
        methods: &[M],
        size: &str,
        images: &Images,
        seeds: &[u64],
        budget: Budget,
    ) -> Result<Self, Error> {
        let member = |method: &M| {
            let mut config = preset(size, method.as_ref(), images, seeds)?;
            let readout = &mut config.setup.readout;
            readout.protocols = vec![Protocol::Standardised];
            (readout.cells, readout.concatenated, readout.at_once) = (Vec::new(), false, None);
            config.setup.data.hold_back();
            Ok(config)
        };
        let members = methods.iter().map(member).collect::<Result<_, Error>>()?;
        Ok(Self { budget, program: "clapp train".into(), members })
    }
}

impl<S: Sense> Plan<S> {
    /// Reads the plan of a comparison from its folder.
    ///
    /// # Errors
    ///
    /// If there is none, or none that this version understands.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(PLAN);
        let text = std::fs::read_to_string(&path)
            .map_err(|_| Error::NoRun { folder: folder.to_owned(), what: PLAN })?;
        serde_json::from_str(&text).map_err(|source| Error::Json { what: "plan", path, source })
    }

    /// The member whose folder has this name.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn member(&self, name: &str) -> Result<&RunConfig<S>, Error> {
        let names: Vec<String> = self.members.iter().map(RunConfig::name).collect();
        let found = self.members.iter().find(|member| member.name() == name);
        found.ok_or_else(|| Error::name("member", &names.join(", "), name))
    }

    fn validate(&self) -> Result<(), Error> {
        let allowed = match self.budget {
            Budget::Samples(samples) => samples > 0,
            Budget::Seconds(seconds) => seconds > 0.0 && seconds.is_finite(),
        };
        if !allowed {
            let got = format!("{:?}", self.budget);
            return Err(Error::misfit_of("budget", "more than nothing", got, "raise it"));
        }
        let Some(first) = self.members.first() else {
            let advice = "name some methods";
            return Err(Error::misfit_of("comparison", "at least one member", "none", advice));
        };
        for (index, member) in self.members.iter().enumerate() {
            member.validate()?;
            if let Some(own) = &member.own_rule {
                let (expected, got) = ("rules that a file can name", own.name());
                let advice = "compare the tables of its own runs";
                return Err(Error::misfit_of("comparison", expected, got, advice));
            }
            let name = member.name();
            if self.members[..index].iter().any(|other| other.name() == name) {
                let advice = "name each once";
                return Err(Error::misfit_of("comparison", "different members", name, advice));
            }
            let of = |config: &RunConfig<S>| {
                let setup = serde_json::to_value(&config.setup).unwrap_or_default();
                let data = setup.get("data").map(ToString::to_string).unwrap_or_default();
                format!("the data {data} and seeds {:?}", config.seeds)
            };
            if of(member) != of(first) {
                let (expected, got) = (of(first), format!("{} in {name}", of(member)));
                return Err(Error::misfit_of("comparison", expected, got, "give all the same"));
            }
        }
        Ok(())
    }
}

/// A comparison and its folder.
///
/// ```text
/// <folder>/plan.json              budget and members
/// <folder>/<member>/              an ordinary run of all seeds: configuration, metrics, checkpoints, table
/// <folder>/<member>.json          seconds, memory, how it ended
/// <folder>/comparison.{json,md}   the table, rewritten after every member
/// <folder>/comparison.svg         the same as a figure
/// ```
///
/// Stopping at any moment and opening it again with the same plan goes on where it stopped: a member that has
/// finished is not run again, one that was stopped goes on at its checkpoint, one that failed is tried again.
/// A member that fails is named in the table with its error, and the others go on.
///
/// First the lengths of all members are decided, then all learn from their first seed, then from their second, and so
/// on: the table has a row of every member early, and the spread of each grows with the time that there is.
///
/// Members learn one after another, either [all in this process](Self::execute) or [each in one of its
/// own](Self::execute_apart). The second is what figures of memory need, because a process keeps some of what
/// it has had; and a member that the system kills, or that panics, is then a failed one and not the end of all.
///
/// Not to be confused with [`clapp_eval::Comparison`], which is of two encoders in one table.
///
/// # Example
///
/// ```
/// use clapp::{Images, comparison::{Budget, Comparison, Plan}, run::Silent};
///
/// let methods = ["clapp-s", "gim"];
/// let plan = Plan::of(&methods, "smoke", &Images::Synthetic, &[2], Budget::Samples(64))?;
/// # let root = tempfile::tempdir()?;
/// # let folder = root.path().join("two-rules");
/// let comparison = Comparison::open(&folder, plan)?;
/// let table = comparison.execute(&clapp::device("flex")?, &mut Silent)?;
/// assert_eq!(table.rows.len(), 2);
/// assert!(table.to_string().contains("| clapp-s |"));
/// assert!(folder.join("comparison.md").exists() && folder.join("smoke-gim/table.txt").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Comparison<S: Sense> {
    folder: RunFolder,
    plan: Plan<S>,
}

impl<S: Sense> Comparison<S> {
    /// Starts a comparison in a folder, or goes on with the one that is there.
    ///
    /// # Errors
    ///
    /// If a member's configuration does not fit together, members differ in data or seeds, or two have one name;
    /// if the folder holds another plan or no comparison, another process compares there, or it cannot be
    /// written.
    pub fn open(folder: impl AsRef<Path>, plan: Plan<S>) -> Result<Self, Error> {
        let place = folder.as_ref();
        plan.validate()?;
        let begun = place.is_dir()
            && std::fs::read_dir(place).is_ok_and(|mut in_it| in_it.next().is_some());
        if begun && Plan::<S>::load(place)? != plan {
            return Err(Error::misfit_of(
                "comparison",
                "the budget and the members that it began with",
                format!("others than those in {}", place.join(PLAN).display()),
                "ask for the same, or choose another folder",
            ));
        }
        let folder = exactly(place)?;
        folder.write_json(PLAN, &plan)?;
        Ok(Self { folder, plan })
    }

    /// What is compared.
    #[must_use]
    pub fn plan(&self) -> &Plan<S> {
        &self.plan
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs all members that have not finished in this process, until the observer stops one.
    ///
    /// # Errors
    ///
    /// If the table cannot be made or written; errors of members are in the table.
    pub fn execute(&self, device: &Device, observer: &mut dyn Observer) -> Result<Table, Error> {
        self.each(&mut |name, seeds| {
            let stage = format!("member {name}");
            observer.stage(&stage);
            // The account has the error.
            let _ = run_member::<S>(self.path(), name, seeds, device, observer);
            Ok(())
        })
    }

    /// Runs every member that has not finished in processes of its own, one for each seed, until one is stopped.
    ///
    /// `command` makes the command for a member of a name and a number of seeds: it has to call [`run_member`] with
    /// this folder.
    ///
    /// # Errors
    ///
    /// If a process cannot be started, or the table cannot be made or written.
    pub fn execute_apart(&self, command: &dyn Fn(&str, usize) -> Command) -> Result<Table, Error> {
        self.each(&mut |name, seeds| {
            let place = account(self.path(), name);
            let failed = match command(name, seeds).status() {
                Ok(status) if status.success() => return Ok(()),
                Ok(status) => format!("the process ended with {status}"),
                Err(source) => format!("the process could not be started: {source}"),
            };
            let mut account = Account::load(&place)?;
            // What the member says itself is more than what can be seen from outside.
            if account.error.is_none() && account.ended != Ended::Stopped {
                (account.ended, account.error) = (Ended::Failed, Some(failed));
                account.save(&place)?;
            }
            Ok(())
        })
    }

    /// Calls `run` for every member that has fewer than so many seeds behind it, for one seed more each time.
    fn each(&self, run: &mut dyn FnMut(&str, usize) -> Result<(), Error>) -> Result<Table, Error> {
        self.write()?;
        let mut failed = Vec::new();
        for seeds in 0..=self.plan.members[0].seeds.len() {
            for name in self.plan.members.iter().map(RunConfig::name) {
                let place = account(self.path(), &name);
                let account = Account::load(&place)?;
                let behind = match seeds {
                    0 => self.path().join(&name).join(crate::run::CONFIG).is_file(),
                    _ => account.seeds >= seeds,
                };
                if behind || account.ended == Ended::Finished || failed.contains(&name) {
                    continue;
                }
                Account::begin(&place)?;
                run(&name, seeds)?;
                self.write()?;
                let account = Account::load(&place)?;
                match account.ended {
                    Ended::Failed => failed.push(name),
                    Ended::Finished => {}
                    // It ended where it should, or was stopped before.
                    _ if account.seeds >= seeds && crate::console::exit_code().is_none() => {}
                    _ => return self.write(),
                }
            }
        }
        self.write()
    }

    /// The table of what there is so far.
    ///
    /// # Errors
    ///
    /// If a file of a member is damaged.
    pub fn table(&self) -> Result<Table, Error> {
        Table::of(self.path(), &self.plan)
    }

    fn write(&self) -> Result<Table, Error> {
        let table = self.table()?;
        self.folder.write_json("comparison.json", &table)?;
        self.folder.write_text("comparison.md", &table.to_string())?;
        if let Some(svg) = table.figure() {
            self.folder.write_text("comparison.svg", &svg)?;
        }
        Ok(table)
    }
}

/// Runs one member of the comparison in a folder, or goes on with it, until it has learnt from its first `seeds` seeds
/// and was read out, and keeps account of it. None makes its configuration alone.
///
/// # Errors
///
/// If there is no such comparison or member; as [`Run::execute`], after a note in the member's account.
pub fn run_member<S: Sense>(
    folder: &Path,
    name: &str,
    seeds: usize,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let plan = Plan::<S>::load(folder)?;
    let config = plan.member(name)?;
    let mut meter = Meter::new(account(folder, name), observer)?;
    let mut run = || {
        let mut run = Run::at(&folder.join(name), || plan.budget.apply(config, device))?;
        if seeds == 0 {
            return Ok(RunEnd::Stopped { step: 0 });
        }
        // A seed has been read out when the next one has made a step.
        meter.until = run.config().steps() * seeds as u64;
        run.execute(device, &mut meter)
    };
    let end = run();
    meter.end(&end, seeds)?;
    end.map(|_| ())
}

/// Where the account of a member is.
fn account(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}
