//! `clapp report`: what runs have learnt, as one page that needs nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use clapp::{Error, comparison::Table, console::note, store};

use crate::output::print;
use entry::Entry;
use figures::{Figure, compared, figures};
use looks::{alignment, looks};

mod entry;
mod figures;
mod files;
mod looks;
mod page;
mod senses;
mod tensorboard;

/// Make one HTML page about a run, or about several side by side, with all figures inside.
#[derive(Args)]
pub(crate) struct Options {
    /// Folders of runs or of comparisons; finished, stopped or still at work
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// File for the page. A page that is there is replaced, another file is not
    #[arg(long, short, default_value = "report.html")]
    out: PathBuf,
    /// Folder for every figure as SVG and as PNG for a column of a paper, with captions; new, or to replace
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
    /// Folder for metrics and figures as TensorBoard reads them; new, or to replace
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// Images of the run's data that units are shown and that maps are made of; 8,000 at most. Of clips and utterances 200 at most
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=8000))]
    images: u16,
    /// Where to compute
    #[arg(long, default_value = "flex")]
    device: String,
}

/// What says that a file is a page of ours.
const MARK: &str = "<meta name=\"generator\" content=\"clapp ";

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let out = &options.out;
    if fs::read_to_string(out).map_or_else(|_| out.exists(), |text| !text.contains(MARK)) {
        return Err(Error::misfit_of(
            "report",
            "a new file, or a page to replace",
            format!("something else at {}", out.display()),
            "choose another name by --out",
        ));
    }
    let (mut entries, mut tables) = (Vec::new(), Vec::new());
    for folder in &options.runs {
        if let Some(table) = comparison(folder)? {
            for row in members(folder, &table) {
                entries.push(Entry::load(&row)?);
            }
            tables.push(table);
        } else {
            entries.push(Entry::load(folder)?);
        }
    }
    entry::tell_apart(&mut entries);
    let device = clapp::device(&options.device)?;
    let mut all: Vec<Figure> = tables.iter().filter_map(compared).collect();
    all.extend(figures(&entries));
    for entry in &entries {
        all.extend(entry.confusions());
        all.extend(alignment(entry));
        if entry.saved {
            all.extend(looks(entry, &device, options.images.into()));
        }
    }
    let html = page::page(&entries, &tables, &all).into_string();
    store::write_atomically(out, |file| file.write_all(html.as_bytes()))?;
    if options.figures.is_some() || options.tensorboard.is_some() {
        let drawn = files::draw(&all)?;
        if let Some(folder) = &options.figures {
            files::write(folder, &drawn)?;
        }
        if let Some(folder) = &options.tensorboard {
            tensorboard::write(folder, &entries, &drawn)?;
        }
    }
    let (drawn, missing): (Vec<_>, Vec<_>) = all.iter().partition(|figure| !figure.svg.is_empty());
    missing.iter().for_each(|figure| note(format_args!("note: {}", figure.caption)));
    let runs = if entries.len() == 1 { "1 run".into() } else { format!("{} runs", entries.len()) };
    print(format_args!("{}: {} figures of {runs}", out.display(), drawn.len()))
}

/// The table of a comparison, if the folder holds one.
fn comparison(folder: &Path) -> Result<Option<Table>, Error> {
    let path = folder.join("comparison.json");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
    let table = serde_json::from_str(&text);
    table.map(Some).map_err(|source| Error::Json { what: "comparison", path, source })
}

/// The folders of the members that have begun, in the order of the table: what their commands end with.
fn members(folder: &Path, table: &Table) -> Vec<PathBuf> {
    let member = |command: &String| {
        let path = Path::new(command.rsplit_once(" --config ")?.1);
        Some(folder.join(path.file_name()?))
    };
    let members = table.rows.iter().filter_map(|row| member(&row.command));
    members.filter(|member| member.join("config.json").is_file()).collect()
}
