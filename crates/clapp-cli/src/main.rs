//! The program `clapp`. Every command is a file: its options and what it does with them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod list;
mod report;

/// Deep networks that learn without labels and without back-propagation.
#[derive(Parser)]
#[command(name = "clapp", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(list::Options),
    Report(report::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::List(options) => list::run(&options),
        Command::Report(options) => report::run(&options),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
