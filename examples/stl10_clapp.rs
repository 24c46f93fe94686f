//! A network without labels and without back-propagation becomes better with every layer.
//!
//! Without arguments: the embedded scenes, a few minutes on two cores. With few labels, CLAPP's last
//! layer should end far above the random encoder's best layer and above its own first.
//!
//! `cargo run --release --example stl10_clapp`; with `-- --data DIR` on STL-10. `clapp train` is the program for
//! images of your own.

use std::process::ExitCode;

use clap::Parser;
use clapp::{Images, image::SizesConfig};
use clapp_examples::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let images = match &options.data {
        Some(folder) => Images::Stl10(folder.clone(), SizesConfig::Official),
        None => Images::Synthetic,
    };
    options.run(&images, &[2, 3, 4])
}
