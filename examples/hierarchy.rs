//! Experiment.

use std::process::ExitCode;

use clap::Parser;
use clapp::datasets::hierarchy::Config;
use clapp::encoders::TilePlan;
use clapp::image::{DataConfig, METHODS};
use clapp::{Error, Images, RunConfig, preset};
use clapp_examples::RunOptions;

#[derive(Parser)]
struct Options {
    #[arg(long, default_value = "clapp-s", help = format!("One of {METHODS}"))]
    method: String,
    #[arg(long, default_value_t = 3)]
    depth: usize,
    #[arg(long, default_value_t = 8)]
    symbols: usize,
    #[arg(long, default_value_t = 8)]
    synonyms: usize,
    /// Seeds
    #[arg(long, value_delimiter = ',', default_value = "2,3,4")]
    seed: Vec<u64>,
    #[arg(long)]
    images: Option<u64>,
    #[arg(long)]
    channels: Option<usize>,
    #[arg(long)]
    strings: Option<usize>,
    #[arg(long)]
    labels: Option<usize>,
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long)]
    batch: Option<usize>,
    #[command(flatten)]
    run: RunOptions,
}

fn config(options: &Options, size: &str) -> Result<RunConfig<Images>, Error> {
    let &Options { depth, symbols, synonyms, .. } = options;
    let grammar = Config { depth, branching: 4, symbols, synonyms };
    let images = Images::Hierarchy(grammar);
    let mut config = preset(size, &options.method, &images, &options.seed)?;
    config.setup.images = options.images.unwrap_or(config.setup.images);
    config.batch = options.batch.unwrap_or(config.batch);
    if let Some(rate) = options.rate {
        *config.optimizer.rate_mut() = rate;
    }
    if let Some(channels) = options.channels {
        for (l, layer) in config.setup.encoder.layers.iter_mut().enumerate() {
            *layer = TilePlan { channels, tile: if l == 0 { 8 } else { 2 } }.into();
        }
    }
    if let DataConfig::Hierarchy { unlabelled, train, .. } = &mut config.setup.data {
        *unlabelled = options.strings.unwrap_or(*unlabelled);
        *train = options.labels.unwrap_or(*train);
    }
    Ok(config)
}

fn main() -> ExitCode {
    let options = Options::parse();
    options.run.run(|size| config(&options, size))
}
