//! `clapp man`: pages of the manual.

use clap::{Args, CommandFactory};
use clap_mangen::Man;
use clapp::Error;

use crate::{Cli, output};

/// Print a page of the manual in roff: `clapp man train | man -l -`.
#[derive(Args)]
pub(crate) struct Options {
    /// Command that the page is of [default: the program]
    command: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut program = Cli::command();
    program.build();
    let page = match options.command.as_deref() {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = program.get_subcommands().map(|c| c.get_name()).collect();
            Error::name("command", &known.join(", "), name)
        })?,
    };
    let mut text = Vec::new();
    clapp::console::written(Man::new(page).render(&mut text))?;
    output::print(String::from_utf8_lossy(&text).trim_end())
}
