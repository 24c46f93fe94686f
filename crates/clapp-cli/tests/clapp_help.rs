//! What `--help` says and docs/cli.md agree.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, process::Command};

const PAGE: &str = include_str!("../../../docs/cli.md");

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_clapp")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Words of two dashes, letters and dashes.
fn options(text: &str) -> BTreeSet<&str> {
    text.match_indices("--")
        .filter(|(at, _)| {
            !text[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '-')
        })
        .map(|(at, _)| {
            let end = text[at + 2..]
                .find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-');
            &text[at..end.map_or(text.len(), |end| at + 2 + end)]
        })
        .filter(|option| option.len() > 3 && !["--help", "--version"].contains(option))
        .collect()
}

/// Names of the commands that the program lists.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let name = |line: &'_ str| line.split_whitespace().next().map(str::len);
    let names = listed.lines().filter_map(|line| name(line).map(|len| &line.trim_start()[..len]));
    names.filter(|name| *name != "help").collect()
}

#[test]
fn every_command_and_option_is_on_the_page_and_no_other() {
    let program = help(&["--help"]);
    let commands = commands(&program);
    assert!(commands.contains(&"train"), "{commands:?}");
    for command in &commands {
        let heading = format!("\n## clapp {command}\n");
        let section = PAGE.split(&heading).nth(1).unwrap_or_else(|| panic!("no {heading:?}"));
        let section = section.split("\n## ").next().unwrap();
        let mut help = help(&[command, "--help"]);
        if help.contains("Commands:\n") {
            let parts = self::commands(&help)
                .into_iter()
                .map(|part| self::help(&[command, part, "--help"]));
            help = parts.collect();
        }
        assert_eq!(options(section), options(&help), "clapp {command}: page, then --help");
    }
    let headings = PAGE.matches("\n## clapp ").count();
    assert_eq!(headings, commands.len(), "sections of docs/cli.md beside {commands:?}");
}
