//! The program `clapp`. Every command is a file: its options and what it does with them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod compare;
mod completions;
mod config;
mod data;
mod data_sets;
mod embed;
mod export;
mod import;
mod info;
mod list;
mod machine;
mod man;
mod output;
mod probe;
mod report;
mod resume;
mod train;
mod tui;

/// Deep networks that learn without labels and without back-propagation.
#[derive(Parser)]
#[command(name = "clapp", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 finished; 1 error; 2 the command line is not understood; \
    130, 143, 129 stopped by Ctrl-C, SIGTERM, SIGHUP after a checkpoint, to go on with `clapp resume`, \
    or after `clapp compare` with the same command";

#[derive(Subcommand)]
enum Command {
    Train(train::Options),
    Resume(resume::Options),
    Probe(probe::Options),
    Embed(embed::Options),
    Export(export::Options),
    Import(import::Options),
    Report(report::Options),
    Compare(compare::Options),
    Data(data_sets::Options),
    Info(info::Options),
    List(list::Options),
    Completions(completions::Options),
    Man(man::Options),
}

fn main() -> ExitCode {
    if let Some(commit) = option_env!("CLAPP_COMMIT") {
        clapp::run::Environment::built_from(commit);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no mistakes, but there may be no room for them.
        Err(said) => {
            let code = u8::try_from(said.exit_code()).unwrap_or(2);
            return code_of(clapp::console::written(said.print()).map(|()| ExitCode::from(code)));
        }
    };
    let result = match cli.command {
        Command::Train(options) => train::run(&options),
        Command::Resume(options) => resume::run(&options),
        Command::Probe(options) => probe::run(&options),
        Command::Embed(options) => embed::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Data(options) => data_sets::run(&options),
        Command::Info(options) => info::run(&options),
        Command::List(options) => list::run(&options),
        Command::Completions(options) => completions::run(&options),
        Command::Man(options) => man::run(&options),
    };
    code_of(result.map(|()| output::code()))
}

fn code_of(result: Result<ExitCode, clapp::Error>) -> ExitCode {
    result.unwrap_or_else(|error| {
        clapp::console::note(format_args!("error: {error}"));
        ExitCode::FAILURE
    })
}
