//! A network without labels and without back-propagation becomes better with every layer.
//!
//! Without arguments: the embedded scenes, a few minutes on two cores. With few labels, CLAPP's last
//! layer should end far above the random encoder's best layer and above its own first.
//! `cargo run --release --example stl10_clapp -- --help` lists what else it does.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use clapp::backend::Arithmetic::{Exact, Fast};
use clapp::datasets::download::Archive;
use clapp::image::{Held, METHODS, Order, PUBLISHED, SizesConfig, published};
use clapp::{Error, Images, RunConfig, preset};
use clapp_examples::{RunOptions, fetch, needs};

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
    #[arg(long, default_value = "clapp-s", help = format!("One of {METHODS}"))]
    method: String,
    /// Run what a row of a published table would come out of, on its data
    #[arg(long, value_name = "NAME", conflicts_with_all = ["method", "preset", "images"])]
    row: Option<String>,
    /// Print names and accuracies of the published rows
    #[arg(long)]
    list_rows: bool,
    /// Seeds; the run is repeated for each
    #[arg(long, value_delimiter = ',', default_value = "2,3,4")]
    seed: Vec<u64>,
    /// Images to see without labels [default: the preset's]
    #[arg(long)]
    images: Option<u64>,
    /// Layers learn one after another, each from as many of the images
    #[arg(long)]
    one_after_another: bool,
    /// Plain sums of products only: slower, about a decimal digit more
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    run: RunOptions,
}

fn config(options: &Options, size: &str) -> Result<RunConfig<Images>, Error> {
    let sizes = if options.any_size { SizesConfig::Any } else { SizesConfig::Official };
    let (images, archive) = match (options.data.clone(), options.cifar10.clone()) {
        (Some(root), _) => (Images::Stl10(root, sizes), Archive::stl10()),
        (_, Some(root)) => (Images::Cifar10(root, sizes), Archive::cifar10()),
        _ => (Images::Synthetic, Archive::stl10()),
    };
    let root = options.data.as_ref().or(options.cifar10.as_ref());
    let place = (root.is_some(), "--data or --cifar10");
    needs((options.download, "--download"), place)?;
    needs((options.any_size, "--any-size"), (place.0 || options.row.is_some(), place.1))?;
    if let (true, Some(root)) = (options.download, root) {
        fetch(&archive, root)?;
    }
    let mut config = match &options.row {
        Some(row) => {
            let root = root.cloned().unwrap_or_else(|| "data".into());
            published(row, root, sizes, &options.seed)?
        }
        None => preset(size, &options.method, &images, &options.seed)?,
    };
    let setup = &mut config.setup;
    setup.images = options.images.unwrap_or(setup.images);
    if options.one_after_another && setup.order.is_all_at_once() {
        setup.order = Order::OneAfterAnother(Vec::new());
    }
    setup.encoder.arithmetic = if options.exact { Exact } else { Fast };
    setup.data.test_on(if options.validate { Held::Validation } else { Held::Test })?;
    Ok(config)
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list_rows {
        return clapp_examples::exit(PUBLISHED.iter().try_for_each(clapp::console::print));
    }
    options.run.run(|size| config(&options, size))
}
