//! A report as text.

use std::fmt;

use crate::{ALL_LAYERS, Report};

/// The table: a line per protocol, labels and layer; a column per encoder; `mean ± std (seeds)`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoders = self.encoders();
        let mut table = vec![vec!["protocol".to_owned(), "labels".into(), "layer".into()]];
        table[0].extend(encoders.iter().map(|&encoder| encoder.to_owned()));
        for series in self.series() {
            let in_series = self.cells.iter().filter(|cell| cell.series == series);
            let mut layers: Vec<usize> = in_series.map(|cell| cell.layer).collect();
            layers.sort_unstable();
            layers.dedup();
            for layer in layers {
                let name = match layer {
                    0 => "input".to_owned(),
                    ALL_LAYERS => "all".to_owned(),
                    layer => layer.to_string(),
                };
                let mut row = vec![series.protocol.to_string(), series.labels.to_string(), name];
                row.extend(encoders.iter().map(|encoder| {
                    self.summary(encoder, layer, series)
                        .map_or("–".into(), |summary| summary.to_string())
                }));
                table.push(row);
            }
        }
        writeln!(f, "trained on:   {}", self.trained_on)?;
        if self.cells.is_empty() {
            writeln!(f, "evaluated on: nothing")?;
            return notes(f, &self.notes);
        }
        writeln!(f, "evaluated on: {} ({} classes)", self.evaluated_on, self.classes)?;
        writeln!(f, "top-1 accuracy in %: mean ± sample standard deviation (number of seeds)\n")?;
        let columns = table[0].len();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &table {
            let padded = row.iter().zip(&widths).map(|(text, &width)| format!("{text:<width$}"));
            writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        notes(f, &self.notes)
    }
}

/// Below the table, a line apart.
fn notes(f: &mut fmt::Formatter<'_>, notes: &[String]) -> fmt::Result {
    for (place, note) in notes.iter().enumerate() {
        let gap = if place == 0 { "\n" } else { "" };
        writeln!(f, "{gap}note: {note}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn the_protocol_stands_on_the_line_of_every_number() {
        for line in report().to_string().lines().filter(|line| line.contains('±')).skip(1) {
            assert!(line.starts_with("paper ") || line.starts_with("standardised "), "{line}");
            assert!(line.contains(" labels"), "{line}");
        }
    }

    #[test]
    fn notes_stand_below_the_table_once_and_in_place_of_none() {
        let mut noted = report();
        for _ in 0..2 {
            noted.note("2 utterances left out");
        }
        let text = noted.to_string();
        assert_eq!(text, format!("{}\nnote: 2 utterances left out\n", report()));
        let mut empty = Report::new("glyphs", "glyphs", 10);
        empty.note("no labels");
        let text = empty.to_string();
        assert_eq!(text, "trained on:   glyphs\nevaluated on: nothing\n\nnote: no labels\n");
    }

    #[test]
    fn columns_are_aligned() {
        let text = report().to_string();
        let table: Vec<Vec<char>> = text.lines().skip(4).map(|l| l.chars().collect()).collect();
        let start = text.lines().nth(4).unwrap().find("clapp").unwrap();
        assert!(table.iter().all(|line| line[start - 1] == ' ' && line[start] != ' '));
    }
}
