//! `clapp completions`: what a shell needs to complete commands and options.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clapp::Error;

use crate::{Cli, output};

/// Print completions for a shell.
#[derive(Args)]
pub(crate) struct Options {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "clapp", &mut text);
    output::print(String::from_utf8_lossy(&text).trim_end())
}
