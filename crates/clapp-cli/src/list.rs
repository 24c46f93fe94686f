//! `clapp list`: what the program knows by name.

use clap::Args;
use clapp::{Error, image, preset::PRESETS, sound, video};
use serde_json::json;

use crate::output;

/// Print names of presets, methods and published rows.
#[derive(Args)]
pub(crate) struct Options {
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let methods =
        [("images", image::METHODS), ("sounds", sound::METHODS), ("videos", video::METHODS)];
    let rows = [image::PUBLISHED, sound::PUBLISHED, video::PUBLISHED];
    let rows: Vec<String> = rows.into_iter().flatten().map(ToString::to_string).collect();
    if options.json {
        let names = |names: &str| names.split(", ").map(str::to_owned).collect::<Vec<_>>();
        let methods: serde_json::Map<_, _> = methods
            .map(|(sense, known)| (sense.to_owned(), json!(names(known))))
            .into_iter()
            .collect();
        return output::print_json(
            &json!({"presets": names(PRESETS), "methods": methods, "published rows": rows}),
        );
    }
    let methods = methods.map(|(sense, known)| format!("\nmethods on {sense}: {known}")).concat();
    output::print(format!(
        "presets: {PRESETS}{methods}\nrows of published tables:\n  {}",
        rows.join("\n  ")
    ))
}
