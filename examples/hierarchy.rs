//! Depth is learnt: the third layer reads over 80 % where the first and the untrained network read about 10.
//!
//! Strings of a random grammar, drawn as images: 12 classes (chance 8.3 %), three levels of productions of
//! 2 × 2 symbols, eight synonyms of each symbol, so that tokens by themselves say little: all of them at
//! their places read 16 %. Three layers, one a level, see 64,000 strings once, without labels; what is at a
//! place learns to predict what stands beside it. About a minute for three seeds, each with its own grammar.
//!
//! `cargo run --release --example hierarchy`; with `--method softhebb`, competition without prediction, no
//! layer reads the class.

use std::process::ExitCode;

use clap::Parser;
use clapp::datasets::hierarchy::Config;
use clapp::{Error, Images, RunConfig, image::METHODS, preset};
use clapp_examples::RunOptions;

#[derive(Parser)]
#[command(about = "Learns random hierarchies and reads out every layer")]
struct Options {
    #[arg(long, default_value = "clapp-s", help = format!("One of {METHODS}"))]
    method: String,
    /// Levels of productions, and layers
    #[arg(long, default_value_t = 3)]
    depth: usize,
    /// Symbols of each level; the root's are the classes
    #[arg(long, default_value_t = 12)]
    symbols: usize,
    /// Productions of each symbol
    #[arg(long, default_value_t = 8)]
    synonyms: usize,
    /// Seeds of grammar, strings, network and read-out; the run is repeated for each
    #[arg(long, value_delimiter = ',', default_value = "2,3,4")]
    seed: Vec<u64>,
    /// Strings to see without labels [default: the preset's]
    #[arg(long)]
    images: Option<u64>,
    #[command(flatten)]
    run: RunOptions,
}

fn config(options: &Options, size: &str) -> Result<RunConfig<Images>, Error> {
    let &Options { depth, symbols, synonyms, .. } = options;
    let grammar = Config { depth, branching: 4, symbols, synonyms };
    let mut config = preset(size, &options.method, &Images::Hierarchy(grammar), &options.seed)?;
    config.setup.images = options.images.unwrap_or(config.setup.images);
    Ok(config)
}

fn main() -> ExitCode {
    let options = Options::parse();
    options.run.run(|size| config(&options, size))
}
