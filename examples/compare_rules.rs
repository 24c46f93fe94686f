//! Rules on one data set, for equal budgets, in one table: accuracy, untrained twin, seconds, memory.
//!
//! Without arguments: a few rules on the embedded scenes, under two minutes on two cores. All are read out in the
//! same way. Call it again, with the same options, to go on after a stop; `--help` lists what else it does.

use std::{path::PathBuf, process::Command, process::ExitCode};

use clap::Parser;
use clapp::comparison::{Budget, Comparison, Plan, run_member};
use clapp::image::{Held, METHODS, SizesConfig};
use clapp::{Error, Images, ProgressBar, RunConfig, RunEnd, preset};
use clapp_examples::needs;

#[derive(Parser)]
#[command(about = "Compares rules on images for equal budgets")]
struct Options {
    /// Folder of STL-10 in its binary layout [default: embedded scenes]
    #[arg(long, value_name = "DIR", conflicts_with = "cifar10")]
    data: Option<PathBuf>,
    #[arg(long, value_name = "DIR", help = "Folder of CIFAR-10 in its binary layout")]
    cifar10: Option<PathBuf>,
    #[arg(long, help = "Accept other than the official numbers of images")]
    any_size: bool,
    /// Test read-outs on a part of the training images, to choose settings (CIFAR-10)
    #[arg(long)]
    validate: bool,
    #[arg(long, value_delimiter = ',', default_value = "clapp-s,clapp,gim,softhebb,clapp-pp,lpl")]
    #[arg(help = format!("Any of {METHODS}"))]
    methods: Vec<String>,
    #[arg(long, default_value = "quick", help = "Preset that members begin as")]
    preset: String,
    #[arg(long, value_delimiter = ',', default_value = "2,3", help = "Seeds of every member")]
    seeds: Vec<u64>,
    /// Minutes of learning of every member and seed, in place of a number of images
    #[arg(long, conflicts_with = "images")]
    minutes: Option<f64>,
    #[arg(long, default_value_t = 3_200, help = "Images to see without labels, of each member")]
    images: u64,
    #[arg(long, default_value = "flex", help = "Device of all tensors")]
    device: String,
    #[arg(long, default_value_t = 0, help = "Threads [default: one per core]")]
    threads: usize,
    #[arg(long, value_name = "DIR", default_value = "comparison", help = "Folder to write")]
    out: PathBuf,
    /// Run this member of the comparison in the folder: what this program calls itself with
    #[arg(long, hide = true)]
    member: Option<String>,
}

fn plan(options: &Options) -> Result<Plan<Images>, Error> {
    let sizes = if options.any_size { SizesConfig::Any } else { SizesConfig::Official };
    let place = options.data.is_some() || options.cifar10.is_some();
    needs((options.any_size, "--any-size"), (place, "--data or --cifar10"))?;
    let images = match (options.data.clone(), options.cifar10.clone()) {
        (Some(root), _) => Images::Stl10(root, sizes),
        (_, Some(root)) => Images::Cifar10(root, sizes),
        _ => Images::Synthetic,
    };
    // All see the same images and are read out in the same way: the mean of every layer, standardised.
    let mut all = preset(&options.preset, "clapp-pp", &images, &options.seeds)?.setup;
    all.data.test_on(if options.validate { Held::Validation } else { Held::Test })?;
    let member = |method: &String| -> Result<RunConfig<Images>, Error> {
        let mut config = preset(&options.preset, method, &images, &options.seeds)?;
        (config.setup.data, config.setup.readout) = (all.data.clone(), all.readout.clone());
        Ok(config)
    };
    let members = options.methods.iter().map(member).collect::<Result<_, _>>()?;
    let seconds = options.minutes.map(|minutes| Budget::Seconds(60.0 * minutes));
    let budget = seconds.unwrap_or(Budget::Samples(options.images));
    Ok(Plan { budget, program: "cargo run --release --example stl10_clapp --".into(), members })
}

/// Whether it was stopped before its end.
fn run(options: &Options) -> Result<bool, Error> {
    if let Some(name) = &options.member {
        clapp::set_threads(options.threads)?;
        let batch = Plan::<Images>::load(&options.out)?.member(name)?.batch;
        let mut progress = ProgressBar::until_interrupted(batch);
        let device = clapp::device(&options.device)?;
        return run_member::<Images>(&options.out, name, &device, &mut progress)
            .map(|end| matches!(end, RunEnd::Stopped { .. }));
    }
    let comparison = Comparison::open(&options.out, plan(options)?)?;
    let program = std::env::current_exe().unwrap_or_else(|_| "compare_rules".into());
    // The member ends after a checkpoint, and then the comparison.
    let _ = clapp::console::interrupted();
    let table = comparison.execute_apart(&|name| {
        clapp::console::note(name);
        let mut command = Command::new(&program);
        command.args(["--member", name, "--device", &options.device]);
        command.args(["--threads", &options.threads.to_string()]).arg("--out").arg(&options.out);
        command
    })?;
    clapp::console::print(format_args!("{table}\nfolder: {}", comparison.path().display()))?;
    Ok(clapp::console::exit_code().is_some())
}

fn main() -> ExitCode {
    clapp_examples::end(run(&Options::parse()))
}
