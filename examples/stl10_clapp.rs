//! A network without labels and without back-propagation becomes better with every layer.
//!
//! Without arguments: the embedded scenes, a few minutes on two cores. With few labels, CLAPP's last
//! layer should end far above the random encoder's best layer and above its own first.
//! `cargo run --release --example stl10_clapp -- --help` lists what else it does.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use clapp::backend::Arithmetic::{Exact, Fast};
use clapp::config::{Held, SizesConfig};
use clapp::{Error, Images, Outcome, Progress, Run, datasets::download, preset};

#[derive(Parser)]
#[command(about = "Trains CLAPP on images and reads out every layer")]
struct Options {
    /// Folder of STL-10 in its binary layout [default: embedded scenes]
    #[arg(long, value_name = "DIR", conflicts_with = "cifar10")]
    data: Option<PathBuf>,
    /// Folder of CIFAR-10 in its binary layout
    #[arg(long, value_name = "DIR")]
    cifar10: Option<PathBuf>,
    /// Accept other than the official numbers of images
    #[arg(long)]
    any_size: bool,
    /// Test read-outs on a part of the training images, to choose settings (CIFAR-10)
    #[arg(long)]
    validate: bool,
    /// Fetch the official archive into the data folder first
    #[arg(long)]
    download: bool,
    #[arg(long, default_value = "quick", help = format!("One of {}", clapp::PRESETS))]
    preset: String,
    #[arg(long, default_value = "clapp-s", help = format!("One of {}", clapp::METHODS))]
    method: String,
    /// flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], as far as built
    #[arg(long, default_value = "flex")]
    device: String,
    /// Seeds; the run is repeated for each
    #[arg(long, value_delimiter = ',', default_value = "2,3,4")]
    seed: Vec<u64>,
    /// Images to see without labels [default: the preset's]
    #[arg(long)]
    images: Option<u64>,
    /// Plain sums of products only: slower, about a decimal digit more
    #[arg(long)]
    exact: bool,
    /// Threads [default: one per core]
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Folder that runs are written to
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "cifar10", "any_size", "validate",
        "download", "preset", "method", "seed", "images", "exact", "out"])]
    resume: Option<PathBuf>,
}

fn start(options: &Options) -> Result<Run, Error> {
    let sizes = if options.any_size { SizesConfig::Any } else { SizesConfig::Official };
    let images = match (&options.data, &options.cifar10) {
        (Some(root), _) => Images::Stl10(root, sizes),
        (_, Some(root)) => Images::Cifar10(root, sizes),
        _ => Images::Synthetic,
    };
    if let (true, Images::Stl10(root, _) | Images::Cifar10(root, _)) = (options.download, &images) {
        let cifar = options.cifar10.is_some();
        let archive = if cifar { download::Archive::cifar10() } else { download::Archive::stl10() };
        download::download(&archive, root, &mut |p| eprint!("\r{} of {}", p.received, p.total))?;
    }
    let mut config = preset(&options.preset, &options.method, &images, &options.seed)?;
    config.images = options.images.unwrap_or(config.images);
    config.encoder.arithmetic = if options.exact { Exact } else { Fast };
    config.data.test_on(if options.validate { Held::Validation } else { Held::Test });
    Run::create(&options.out, config)
}

fn run(options: &Options) -> Result<(), Error> {
    clapp::set_threads(options.threads)?;
    let device = clapp::device(&options.device)?;
    let mut run = options.resume.as_ref().map_or_else(|| start(options), Run::resume)?;
    println!("run folder: {}", run.path().display());
    let mut progress = Progress::until_interrupted(run.config().batch);
    match run.execute(&device, &mut progress)? {
        Outcome::Finished(report) => println!("{report}\n{}", clapp::summary(&report)),
        Outcome::Stopped { step } => {
            println!("stopped at step {step}; go on with --resume {}", run.path().display());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let Err(error) = run(&Options::parse()) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
