//! The program `clapp`. Every command is a file: its options and what it does with them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod embed;
mod export;
mod import;
mod list;
mod probe;
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
    Embed(embed::Options),
    Export(export::Options),
    Import(import::Options),
    List(list::Options),
    Report(report::Options),
    Probe(probe::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Embed(options) => embed::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Import(options) => import::run(&options),
        Command::List(options) => list::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Probe(options) => probe::run(&options),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
