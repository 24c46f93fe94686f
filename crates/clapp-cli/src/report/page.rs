//! The page itself.

use clapp::{
    comparison::{Ended, Table},
    eval::{ALL_LAYERS, Report},
    run::Environment,
    summary,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{MARK, entry::Entry, figures::Figure};

/// What browsers hold the page to: all that it shows and does stands in it.
const NOTHING_LOADED: &str =
    "default-src 'none'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'";

/// The whole document: nothing in it is loaded from elsewhere.
pub(super) fn page(entries: &[Entry], tables: &[Table], figures: &[Figure]) -> Markup {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let title = names.join(", ");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(NOTHING_LOADED);
                (PreEscaped(MARK)) (env!("CARGO_PKG_VERSION")) (PreEscaped("\">"))
                title { (title) " – CLAPP" }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    p .kicker { "Learnt without labels, layer by layer" }
                    h1 { (title) }
                }
                main {
                    section .runs { @for entry in entries { (card(entry)) } }
                    @for table in tables { (comparison(table)) }
                    h2 { "Figures" }
                    div .figures { @for (place, figure) in figures.iter().enumerate() { (drawn(place, figure)) } }
                    @if figures.is_empty() { p { "Nothing can be drawn yet." } }
                    @for entry in entries { (details(entry)) }
                }
                footer { p { "Made by clapp " (env!("CARGO_PKG_VERSION")) ". Figures are SVG, legible at the width of a column, 8.5 cm; " code { "clapp report RUN --figures DIR" } " writes them as files, as PNG too. Click the head of a table to sort it." } }
                script { (PreEscaped(include_str!("page.js"))) }
            }
        }
    }
}

/// The first thing to be seen of a run.
fn card(entry: &Entry) -> Markup {
    let said = entry.report.as_ref().map(summary).unwrap_or_default();
    html! {
        article .card {
            h2 { (entry.name) }
            p .state .done[entry.finished()] { (entry.state()) }
            dl {
                dt { "method" } dd { (entry.setting("method")) }
                dt { "preset" } dd { (entry.setting("preset")) }
                dt { "data" } dd { (entry.data()) }
                dt { "seeds" } dd { (entry.setting("seeds")) }
                @if let Some(speed) = entry.starts.iter().rev().find_map(|start| start.samples_per_second) {
                    dt { "speed" } dd { (format!("{speed:.0} {}/s", entry.starts[0].unit)) }
                }
            }
            @for line in said.lines() { p .said { (line) } }
            @if entry.report.as_ref().is_some_and(|report| report.cells.is_empty()) {
                p .said { "The data have no labels: nothing was read out." }
            }
        }
    }
}

fn drawn(place: usize, Figure { svg, caption, .. }: &Figure) -> Markup {
    html! {
        figure {
            @if !svg.is_empty() { div .drawing { (PreEscaped(svg)) } }
            figcaption { b { "Figure " (place + 1) ". " } (caption) }
        }
    }
}

/// Numbers, circumstances and settings of a run.
fn details(entry: &Entry) -> Markup {
    html! {
        section {
            h2 { (entry.name) }
            @if let Some(report) = &entry.report { (accuracies(report)) }
            h3 { "Where it ran" }
            @if entry.starts.is_empty() {
                p { "Not recorded: the run is of a version that did not, or has not begun." }
            } @else {
                (environments(&entry.starts))
            }
            h3 { "To repeat it" }
            @if let Some(command) = entry.command() { pre { (command) } }
            pre { "clapp report " (entry.folder.display()) }
            details {
                summary { "Configuration (" code { "config.json" } ")" }
                pre { (entry.config) }
            }
        }
    }
}

fn accuracies(report: &Report) -> Markup {
    let encoders = report.encoders();
    let mut places: Vec<_> = report.cells.iter().map(|cell| (cell.series, cell.layer)).collect();
    places.sort_unstable();
    places.dedup();
    let layer = |layer| match layer {
        0 => "input".to_owned(),
        ALL_LAYERS => "all".to_owned(),
        layer => layer.to_string(),
    };
    let cell = |encoder, layer, series| report.summary(encoder, layer, series);
    html! {
        @if !places.is_empty() {
            h3 { "Accuracy" }
            p { "Top-1 in %, mean ± sample standard deviation (number of seeds), on " (report.evaluated_on) ", " (report.classes) " classes." }
            div .wide { table .sortable {
                thead { tr { th { "protocol" } th { "labels" } th { "layer" } @for name in &encoders { th { (name) } } } }
                tbody {
                    @for (series, place) in places { tr {
                        td { (series.protocol) } td { (series.labels) } td { (layer(place)) }
                        @for name in &encoders { td { (cell(name, place, series).map_or("–".to_owned(), |s| s.to_string())) } }
                    } }
                }
            } }
        }
        @for note in &report.notes { p .note { (note) } }
    }
}

fn environments(starts: &[Environment]) -> Markup {
    let memory =
        |bytes: Option<u64>| bytes.map_or("–".to_owned(), |b| format!("{} MiB", b >> 20));
    html! {
        div .wide { table .sortable {
            thead { tr {
                @for head in ["started (UTC)", "version", "processor", "instructions", "threads", "device", "learnt from", "learning", "read-out", "speed", "memory"] { th { (head) } }
            } }
            tbody { @for start in starts { tr {
                td { (start.started) }
                td { (start.version) @if let Some(commit) = &start.commit { " " code { (commit.get(..10).unwrap_or(commit)) } } }
                td { (start.processor.as_deref().unwrap_or("–")) }
                td { (start.instructions.join(", ")) }
                td { (start.threads) }
                td { (start.device) }
                td { (start.samples) " " (start.unit) }
                td { (format!("{:.1} s", start.learning_seconds)) }
                td { (format!("{:.1} s", start.readout_seconds)) }
                td { (start.samples_per_second.map_or("–".to_owned(), |speed| format!("{speed:.1}/s"))) }
                td { (memory(start.peak_memory)) }
            } } }
        } }
    }
}

/// A comparison: a line for each member and series.
fn comparison(table: &Table) -> Markup {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let ended = |ended| match ended {
        Ended::Finished => "finished",
        Ended::Stopped => "stopped",
        Ended::Failed => "failed",
        Ended::Not => "not yet",
    };
    html! {
        section {
            h2 { "Comparison on " (table.data) }
            p { "Seeds " (format!("{:?}", table.seeds)) ". Accuracy in %: layer, mean ± sample standard deviation (number of seeds). The twin is the same network before its first step." }
            div .wide { table .sortable {
                thead { tr { @for head in ["method", "read-out", "best layer", "last layer", "untrained twin", "above it", "seconds", "memory", "state"] { th { (head) } } } }
                tbody {
                    @for row in &table.rows {
                        @let rest = html! {
                            td { (or_none(row.seconds.map(|seconds| format!("{seconds:.1}")))) }
                            td { (or_none(row.peak.map(|bytes| format!("{} MiB", bytes >> 20)))) }
                            td title=[row.error.as_deref()] { (ended(row.ended)) }
                        };
                        @for readout in &row.readouts { tr {
                            td { (row.method) } td { (readout.series) } td { (readout.best) } td { (readout.last) }
                            td { (or_none(readout.twin.map(|twin| twin.to_string()))) }
                            td { (or_none(readout.difference.as_ref().map(|margin| format!("{:+.1}", margin.points)))) }
                            (rest)
                        } }
                        @if row.readouts.is_empty() { tr { td { (row.method) } @for _ in 0..5 { td { "–" } } (rest) } }
                    }
                }
            } }
            details { summary { "Commands that repeat the members" } @for row in &table.rows { pre { (row.command) } } }
        }
    }
}
