//! Pictures of views, without a terminal, and the way back from one.

use std::{collections::BTreeMap, process::Command, time::Duration};

use clapp::run::StepMetrics;
use clapp_testing::skip;
use ratatui::{Terminal, backend::TestBackend, style::Color};

use super::{Dashboard, curve::Curve, view::View};

fn new(seeds: usize) -> View {
    View::new("quick-clapp".to_owned(), "runs/quick-clapp-7", seeds)
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Metrics of step 1 and seed 2 after 8 images.
fn metrics(loss: &[f64], open_gates: &[f64], accuracy: &[f64]) -> StepMetrics {
    StepMetrics {
        step: 1,
        seed: 2,
        seen: BTreeMap::from([("images".to_owned(), 8)]),
        only: None,
        loss: loss.to_vec(),
        open_gates: open_gates.to_vec(),
        accuracy: accuracy.to_vec(),
        other: BTreeMap::new(),
        look: Vec::new(),
    }
}

/// A run of six layers after 50 of 100 steps, one each two seconds.
fn half_way() -> View {
    let mut view = new(1);
    view.stage(at(0), "seed 2: opening scenes");
    for step in 1..=50 {
        let loss: Vec<f64> = (1..=6).map(|layer| layer as f64 / step as f64).collect();
        let seen = BTreeMap::from([("images".to_owned(), 8 * step)]);
        let metrics = metrics(&loss, &[0.25; 6], &[0.75; 6]);
        view.step(at(2 * step), 100, &StepMetrics { step, seen, ..metrics });
    }
    view
}

/// The rows of a picture 101 seconds after its opening, and the colours in it.
fn picture(view: &View, (columns, rows): (u16, u16), colour: bool) -> (Vec<String>, Vec<Color>) {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| view.draw(frame, at(101), false, colour));
    let cells = terminal.backend().buffer().content();
    let row = |row: &[ratatui::buffer::Cell]| {
        row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
    };
    let texts = cells.chunks(columns.max(1).into()).map(row).collect();
    (texts, cells.iter().flat_map(|cell| [cell.fg, cell.bg]).collect())
}

fn rows(view: &View, columns: u16, rows: u16) -> Vec<String> {
    picture(view, (columns, rows), true).0
}

#[track_caller]
fn assert_has(rows: &[String], expected: &str) {
    assert!(rows.iter().any(|row| row == expected), "no {expected:?} in {rows:#?}");
}

fn braille(rows: &[String]) -> usize {
    rows.concat().matches(|c| ('\u{2801}'..='\u{28ff}').contains(&c)).count()
}

#[test]
fn a_run_that_has_said_nothing_has_a_name_and_a_key() {
    let rows = rows(&new(2), 80, 24);
    assert_eq!(rows[..2], ["quick-clapp  2 seeds", "runs/quick-clapp-7"]);
    assert_eq!(rows[23], "q or Ctrl-C: stop after a checkpoint");
}

#[test]
fn half_way_it_has_a_bar_the_time_left_a_table_and_curves() {
    let rows = rows(&half_way(), 80, 24);
    assert_eq!(rows[0], "quick-clapp  seed 2");
    assert_eq!(rows[2], "learning  1:39");
    assert!(rows[3].ends_with("░  50 %  1:40 left"), "{:?}", rows[3]);
    assert_eq!(rows[3].matches('█').count(), 31, "half of 80 less 17 columns");
    assert_eq!(rows[4], "step 50/100  4 images/s");
    assert_has(&rows, "layer            1       2       3       4       5       6");
    assert_has(&rows, "loss         0.020   0.040   0.060   0.080   0.100   0.120");
    assert_has(&rows, "open gates   0.250   0.250   0.250   0.250   0.250   0.250");
    assert_has(&rows, "accuracy     0.750   0.750   0.750   0.750   0.750   0.750");
    assert_has(&rows, "loss of every layer by step");
    assert_eq!(rows[22].split_whitespace().collect::<Vec<_>>(), ["1", "50"]);
    assert!(braille(&rows) > 50, "{rows:#?}");
}

#[test]
fn six_layers_fit_into_forty_columns_and_twelve_rows() {
    let mut view = half_way();
    view.note("2 left out of photos:\n  a.png");
    let rows = rows(&view, 40, 12);
    assert_has(&rows, "layer         1    2    3    4    5    6");
    assert_has(&rows, "accuracy   0.75 0.75 0.75 0.75 0.75 0.75");
    assert_eq!(rows[10], "note: 2 left out of photos:");
    assert_eq!(rows[11], "q or Ctrl-C: stop after a checkpoint");
}

#[test]
fn layers_that_do_not_fit_are_announced() {
    let mut view = new(1);
    view.step(at(1), 10, &metrics(&[0.5; 12], &[], &[]));
    assert_has(&rows(&view, 40, 12), "layer …       1    2    3    4    5    6");
}

#[test]
fn one_layer_of_a_rule_without_gates_has_no_row_for_them() {
    let mut view = new(1);
    let other = BTreeMap::from([("weight_norm".to_owned(), vec![12.5])]);
    view.step(at(1), 10, &StepMetrics { other, ..metrics(&[0.5], &[], &[]) });
    let rows = rows(&view, 80, 24);
    assert_has(&rows, "layer             1");
    assert_has(&rows, "weight norm  12.500");
    assert!(!rows.concat().contains("gates") && !rows.concat().contains("accuracy"), "{rows:#?}");
}

#[test]
fn a_layer_that_learns_alone_leaves_the_others_as_they_were() {
    let mut view = new(1);
    view.step(at(1), 10, &StepMetrics { only: Some(1), ..metrics(&[0.5], &[], &[]) });
    view.step(at(2), 10, &StepMetrics { step: 2, only: Some(3), ..metrics(&[0.25], &[], &[]) });
    assert_has(&rows(&view, 80, 24), "loss         0.500           0.250");
}

#[test]
fn a_look_stays_in_the_table_until_the_next_seed() {
    let mut view = new(2);
    view.step(at(1), 10, &StepMetrics { look: vec![0.5], ..metrics(&[0.5], &[], &[]) });
    view.step(at(2), 10, &StepMetrics { step: 2, ..metrics(&[0.5], &[], &[]) });
    assert_has(&rows(&view, 80, 24), "early look   0.500");
    view.step(at(3), 10, &StepMetrics { step: 6, seed: 7, ..metrics(&[0.5], &[], &[]) });
    let rows = rows(&view, 80, 24);
    assert_eq!(rows[0], "quick-clapp  seed 7, 2 of 2");
    assert!(!rows.concat().contains("early look"), "{rows:#?}");
}

#[test]
fn a_long_note_is_cut_and_the_newest_are_shown() {
    let mut view = new(1);
    ["first", "second", "third", &"界".repeat(500)].into_iter().for_each(|note| view.note(note));
    let rows = rows(&view, 40, 12);
    assert_eq!(rows[8..10], ["note: second", "note: third"]);
    // A character of two columns, then a column that it covers.
    assert_eq!(rows[10].replace(' ', ""), format!("note:{}…", "界".repeat(16)));
    assert_eq!(view.notes().next(), Some("first"));
}

#[test]
fn losses_that_are_no_numbers_are_named_and_not_drawn() {
    let mut view = new(1);
    for (step, loss) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].into_iter().enumerate() {
        let step = step as u64 + 1;
        view.step(at(step), 10, &StepMetrics { step, ..metrics(&[loss], &[f64::NAN], &[]) });
    }
    let rows = rows(&view, 80, 24);
    assert_has(&rows, "loss          -inf");
    assert_has(&rows, "open gates     NaN");
    assert_eq!(braille(&rows), 0);
}

#[test]
fn without_colours_there_are_none_and_layers_have_their_numbers() {
    let (rows, colours) = picture(&half_way(), (80, 24), false);
    assert!(colours.iter().all(|colour| *colour == Color::Reset));
    assert_eq!(braille(&rows), 0);
    // Beside the table, the curve of layer 6 is the highest at the left.
    let highest = rows.iter().skip_while(|row| !row.starts_with("loss of")).nth(1);
    assert!(highest.is_some_and(|row| row.contains('6')), "{rows:#?}");
    assert!(picture(&half_way(), (80, 24), true).1.contains(&Color::Indexed(32)));
}

#[test]
fn no_size_of_the_terminal_is_too_small() {
    let mut view = half_way();
    view.note("a note");
    for (columns, lines) in (0..=45).flat_map(|columns| (0..=14).map(move |row| (columns, row))) {
        let rows = rows(&view, columns, lines);
        assert_eq!(rows.len(), if columns == 0 { 0 } else { lines.into() });
    }
}

#[test]
fn a_curve_of_a_million_steps_keeps_few_points_and_its_shape() {
    let mut curve = Curve::new();
    (1..=1_000_000).for_each(|step| curve.push(f64::from(step), f64::from(step)));
    let points = curve.points();
    assert!((256..512).contains(&points.len()), "{}", points.len());
    // The mean of 2,048 consecutive numbers is 1,023.5 below the last.
    assert!(points.iter().all(|(x, y)| x - y <= 1023.5));
    assert!(points.is_sorted_by(|a, b| a.0 < b.0) && points[points.len() - 1].0 > 995_000.0);
}

#[test]
#[ignore = "the next one starts it, in a terminal"]
fn panics_on_the_dashboard() {
    let _dashboard = Dashboard::open(new(1));
    panic!("for once");
}

#[test]
fn a_panic_is_read_on_the_normal_screen_of_a_terminal_as_it_was() {
    let this = std::env::current_exe().expect("this program");
    let name = "tui::tests::panics_on_the_dashboard";
    let line = format!("stty -g; {} --ignored --nocapture {name}; stty -g", this.display());
    let script = Command::new("script").args(["-qec", &line, "/dev/null"]).output();
    let said = script.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    let Some(said) = said.ok().filter(|said| said.contains("running 1 test")) else {
        return skip("no script of util-linux is installed");
    };
    let [before, dashboard, after] = said.split("\x1b[?1049").collect::<Vec<_>>()[..] else {
        panic!("{said:?}")
    };
    assert!(dashboard.starts_with('h') && after.starts_with('l'), "{said:?}");
    assert!(after.contains("\x1b[?25h") && after.contains("for once"), "{said:?}");
    assert_eq!(before.lines().next(), after.lines().last(), "modes of the terminal: {said:?}");
}
