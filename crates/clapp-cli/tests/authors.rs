//! What docs/from-the-authors.md puts beside the authors' flags is there.

#![allow(clippy::unwrap_used)]

use std::process::Command;

const PAGE: &str = include_str!("../../../docs/from-the-authors.md");

/// Data of each section, none of which have to be there to say what a configuration is.
const SECTIONS: [(&str, &[&str]); 4] = [
    ("Images", &["--cifar10", "DIR"]),
    ("Sound", &["--embedded", "talkers"]),
    ("Video", &["--embedded", "moving-scenes"]),
    ("CLAPP++", &["--cifar10", "DIR", "--method", "clapp-pp"]),
];

/// Words in backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_setting_and_every_method_of_the_page_is_one() {
    let mut tried = 0;
    for (name, data) in SECTIONS {
        let section = PAGE.split(&format!("\n## {name}\n")).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| "));
        for cell in rows.flat_map(|row| row.split(" | ").skip(1)) {
            // Settings that go together are joined by "with", all others stand alone.
            let together = cell.contains("` with `") && !cell.contains("-m ");
            let words: Vec<&str> = code(cell).filter(|word| !word.starts_with("--")).collect();
            let sets = words.iter().copied().filter(|word| word.contains('='));
            let sets = sets.map(|set| vec!["--set", set]);
            let sets: Vec<Vec<&str>> = match together {
                true => vec![sets.flatten().collect()],
                false => sets.collect(),
            };
            let methods = words.iter().filter_map(|word| word.strip_prefix("-m "));
            let methods = methods.map(|method| vec!["--method", method]);
            for options in sets.into_iter().chain(methods) {
                // What a section takes for granted gives way.
                let kept = if options[0] == "--method" { &data[..2] } else { data };
                let mut command = Command::new(env!("CARGO_BIN_EXE_clapp"));
                command.arg("train").args(kept).args(&options).arg("--print-config");
                let output = command.output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{name}: {options:?}: {said}");
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "expected the settings of four tables, got {tried}");
}
