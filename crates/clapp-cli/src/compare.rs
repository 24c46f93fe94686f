//! `clapp compare`: methods on the same images, for equal budgets, in one table.

use std::{path::PathBuf, process::Command};

use clap::Args;
use clapp::{
    Error, Images,
    comparison::{Budget, Comparison, Ended, Plan, run_member},
};

use crate::{
    data::{Data, Sensed},
    machine::Machine,
    output,
};

/// Compare methods on images for equal budgets; called again, it goes on.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    data: Data,
    /// Methods; `clapp list` names all
    #[arg(short, long, value_delimiter = ',', value_name = "NAME")]
    #[arg(default_value = "clapp-s,clapp,gim,softhebb,clapp-pp,lpl")]
    methods: Vec<String>,
    /// Preset that all begin as
    #[arg(short, long, default_value = "quick", value_name = "NAME")]
    preset: String,
    /// Seeds of every method
    #[arg(short, long, value_delimiter = ',', default_value = "2,3", value_name = "N")]
    seed: Vec<u64>,
    /// Minutes of learning of every method and seed, in place of a number of images
    #[arg(long, conflicts_with = "samples")]
    minutes: Option<f64>,
    /// Images to see without labels, of every method and seed
    #[arg(long, default_value_t = 3_200, value_name = "N")]
    samples: u64,
    /// Folder of the comparison
    #[arg(short, long, value_name = "DIR", default_value = "comparison")]
    out: PathBuf,
    #[command(flatten)]
    machine: Machine,
    /// Run this member: what the program calls itself with
    #[arg(long, hide = true, requires = "seeds")]
    member: Option<String>,
    /// Of that member, as many of its seeds as this
    #[arg(long, hide = true)]
    seeds: Option<usize>,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let Options { out, machine, .. } = options;
    if let (Some(name), Some(seeds)) = (&options.member, options.seeds) {
        let mut progress = machine.progress();
        return run_member::<Images>(out, name, seeds, &machine.open()?, &mut progress);
    }
    // Before data that many threads read.
    clapp::set_threads(machine.threads)?;
    let comparison = Comparison::open(out, plan(options)?)?;
    let refused = |source| {
        let expected = "the path of this program";
        Error::misfit_of("comparison", expected, source, "call it by its whole path")
    };
    let program = std::env::current_exe().map_err(refused)?;
    // The member that runs ends after a checkpoint, and then the comparison.
    let _ = clapp::console::interrupted();
    let table = comparison.execute_apart(&|name, seeds| {
        let mut command = Command::new(&program);
        command.args(["compare", "--member", name, "--seeds", &seeds.to_string()]);
        command.args(["--device", &machine.device]);
        command.args(["--threads", &machine.threads.to_string()]).arg("--out").arg(out);
        if machine.quiet {
            command.arg("--quiet");
        }
        command
    })?;
    if table.rows.iter().any(|row| row.ended != Ended::Finished) {
        output::stopped();
        if clapp::console::exit_code().is_some() {
            clapp::console::note("stopped; go on with the same command");
        }
    }
    match machine.json {
        true => output::print_json(&table),
        false => output::print(format!("{table}\nfolder: {}", comparison.path().display())),
    }
}

fn plan(options: &Options) -> Result<Plan<Images>, Error> {
    let Sensed::Images(images) = options.data.sensed() else {
        let got = options.data.given().unwrap_or_default();
        return Err(Error::misfit_of("comparison", "images", got, "leave it out"));
    };
    let seconds = options.minutes.map(|minutes| Budget::Seconds(60.0 * minutes));
    let budget = seconds.unwrap_or(Budget::Samples(options.samples));
    Plan::of(&options.methods, &options.preset, &images, &options.seed, budget)
}
