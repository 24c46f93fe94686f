//! A page about runs holds all that it should, and loads nothing.

#![allow(clippy::unwrap_used)] // a test that fails there says where

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clapp::{
    Images, Run, RunConfig, Sound, Video,
    comparison::{Budget, Comparison, Plan},
    eval::Report,
    image::DataConfig,
    preset,
    run::{Environment, Observer, Silent, StepMetrics},
};

fn config(method: &str) -> RunConfig<Images> {
    let mut config = preset("smoke", method, &Images::Synthetic, &[2]).unwrap();
    config.setup.data = DataConfig::Synthetic { unlabelled: 320, train: 100, test: 80 };
    config.setup.images = 10 * config.batch as u64;
    config.metrics_every = 1;
    config
}

/// A run in a folder of `root`, to its end or to where `observer` stops it.
fn run(root: &Path, observer: &mut dyn Observer) -> PathBuf {
    let mut run = Run::create(root, config("clapp-s")).unwrap();
    run.execute(&clapp::device("flex").unwrap(), observer).unwrap();
    run.path().to_owned()
}

struct StopAt(u64);

impl Observer for StopAt {
    fn step(&mut self, _: u64, metrics: &StepMetrics) -> bool {
        metrics.step < self.0
    }
}

fn report(runs: &[&Path], out: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_clapp"));
    program.env("RAYON_NUM_THREADS", "1").arg("report").args(runs).arg("--out").arg(out);
    program.args(["--images", "60"]).output().unwrap()
}

/// The page, of which everything is checked that holds for every page.
fn page(runs: &[&Path]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("page.html");
    for _ in 0..2 {
        // The second time it is a page that is replaced.
        let output = report(runs, &out);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let html = fs::read_to_string(&out).unwrap();
    assert!(html.len() < 5 << 20, "{} bytes", html.len());
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"));
    for load in ["src=", "<link", "@import", "url(", "fetch("] {
        assert!(!html.contains(load), "{load}");
    }
    for address in html.split("href=\"").skip(1) {
        assert!(address.starts_with("data:image/png;base64,"), "{}", &address[..40]);
    }
    for svg in html.split("<svg").skip(1) {
        let end = svg.find("</svg>").expect("every drawing ends") + 6;
        roxmltree::Document::parse(&format!("<svg{}", &svg[..end])).unwrap();
    }
    html
}

fn says(html: &str, expected: &[&str]) {
    expected.iter().for_each(|text| assert!(html.contains(text), "expected {text}"));
}

#[test]
fn a_finished_run_shows_every_figure() {
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), &mut Silent);
    let html = page(&[&folder]);
    let figures = [
        "Accuracy per layer, with its controls",
        "Learning curves: loss of every layer",
        "Learning curves: open gates of every layer",
        "Confusion matrix of seed 2",
        "Receptive fields: the weights",
        "Preferred images: for 3 units of each layer",
        "Maps of features: t-SNE (perplexity 30, seed 2)",
        "Scores z·W_pred c of fixations and saccades",
    ];
    says(&html, &figures);
    says(&html, &["Finished: 10 steps", "data: synthetic scenes, seeds [2]", "raw pixels"]);
    let start = &Environment::load(&folder).unwrap()[0];
    says(&html, &[&start.started, &format!("{} images", start.samples)]);
    assert_eq!(html.matches("<b>Figure ").count(), html.matches("<svg").count());

    // A run of a version that kept no environment.
    fs::remove_file(folder.join("environment.json")).unwrap();
    says(&page(&[&folder]), &["Not recorded", "command: not recorded"]);
}

#[test]
fn a_stopped_run_says_how_far_it_is_and_one_without_labels_why_nothing_is_read_out() {
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), &mut StopAt(4));
    let html = page(&[&folder]);
    says(&html, &["step 4 of 10 (40 %)", "Receptive fields", "Learning curves: loss"]);
    assert!(!html.contains("Accuracy per layer"));

    let nothing = Report::new("photographs", "photographs", 0);
    fs::write(folder.join("table.json"), nothing.to_json().unwrap()).unwrap();
    says(&page(&[&folder]), &["The data have no labels", "data: photographs"]);
}

#[test]
fn runs_on_sound_and_video_show_phones_strips_and_maps() {
    let root = tempfile::tempdir().unwrap();
    let mut sound = preset("smoke", "clapp-s", &Sound::Synthetic, &[2]).unwrap();
    sound.setup.crops = 16;
    let mut video = preset("smoke", "clapp-s-still", &Video::MovingScenes, &[2]).unwrap();
    (video.setup.clips, video.setup.readout.epochs) = (8, 1);
    let device = clapp::device("flex").unwrap();
    let mut heard = Run::create(root.path(), sound).unwrap();
    heard.execute(&device, &mut Silent).unwrap();
    let mut seen = Run::create(root.path(), video).unwrap();
    seen.execute(&device, &mut Silent).unwrap();
    let html = page(&[heard.path()]);
    says(&html, &["Phones: the log-mel spectrogram of a held-out utterance (test", "speaker test"]);
    says(
        &html,
        &["was fitted on 12 labelled utterances", "what each layer's units make of 12 utterances"],
    );
    says(&html, &["the middle line is 0", "probability"]);
    let html = page(&[seen.path()]);
    says(
        &html,
        &["Preferred clips: for 3 units of each block", "make of 30 clips", "anticlockwise"],
    );
    says(&html, &["Receptive fields: the weights"]);
    assert_eq!(html.matches("<b>Figure ").count(), html.matches("<svg").count());
}

#[test]
fn runs_stand_side_by_side_and_comparisons_are_tables() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("two-rules");
    let members = ["clapp-s", "gim"].map(config).to_vec();
    let plan = Plan { budget: Budget::Samples(64), program: "clapp train".into(), members };
    let comparison = Comparison::open(&folder, plan).unwrap();
    comparison.execute(&clapp::device("flex").unwrap(), &mut Silent).unwrap();
    let html = page(&[&folder]);
    says(&html, &["Comparison on synthetic scenes", "smoke-clapp-s, random", "smoke-gim, random"]);
    assert_eq!(html.matches("Receptive fields: ").count(), 2);
    let both = page(&[&folder.join("smoke-gim"), &folder.join("smoke-clapp-s")]);
    says(&both, &["<h1>smoke-gim, smoke-clapp-s</h1>", "smoke-gim, random"]);
}

#[test]
fn other_files_are_not_replaced_and_folders_without_a_run_are_named() {
    let root = tempfile::tempdir().unwrap();
    let notes = root.path().join("notes.html");
    fs::write(&notes, "mine").unwrap();
    let error = |output: Output| String::from_utf8(output.stderr).unwrap();
    let refused = error(report(&[root.path()], &notes));
    assert!(refused.contains("report: expected a new file, or a page to replace"), "{refused}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    let none = error(report(&[root.path()], &root.path().join("page.html")));
    assert!(none.contains("expected config.json in"), "{none}");
}

/// A folder of figures: what the program said, and files by name.
fn figures(run: &Path, out: &Path, fonts: Option<&Path>) -> (Output, Vec<String>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_clapp"));
    let page = out.with_extension("html");
    program
        .arg("report")
        .arg(run)
        .args(["--images", "40", "--out"])
        .arg(page)
        .arg("--figures")
        .arg(out);
    program.envs(fonts.map(|file| ("FONTCONFIG_FILE", file)));
    let output = program.output().unwrap();
    let files = fs::read_dir(out).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    (output, names)
}

#[test]
fn figures_are_files_for_a_column_of_a_paper() {
    let root = tempfile::tempdir().unwrap();
    let mut run = Run::create(root.path(), config("clapp")).unwrap();
    run.execute(&clapp::device("flex").unwrap(), &mut Silent).unwrap();
    let out = root.path().join("figures");
    for _ in 0..2 {
        let (output, _) = figures(run.path(), &out, None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let (_, names) = figures(run.path(), &out, None);
    let captions = fs::read_to_string(out.join("captions.md")).unwrap();
    let drawn: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix(".svg")).collect();
    for expected in [
        "accuracy",
        "learning-loss",
        "learning-open-gates",
        "alignment-smoke-clapp",
        "confusion-seed-2-smoke-clapp",
        "maps-smoke-clapp",
        "preferred-images-smoke-clapp",
        "receptive-fields-smoke-clapp",
        "scores-smoke-clapp",
    ] {
        assert!(drawn.contains(&expected), "{expected}: {drawn:?}");
    }
    for name in drawn {
        says(&captions, &[&format!("## {name}\n"), "seeds [2]; command: "]);
        let svg = fs::read_to_string(out.join(format!("{name}.svg"))).unwrap();
        let drawing = roxmltree::Document::parse(&svg).unwrap();
        let number = |text: &str| text.parse::<f64>().unwrap();
        let width = number(drawing.root_element().attribute("width").unwrap());
        // In points, where 620 units are 8.5 cm.
        let unit = 8.5 / 2.54 * 72.0 / 620.0;
        let sizes = drawing.descendants().filter_map(|node| node.attribute("font-size"));
        let smallest = sizes.map(number).fold(f64::INFINITY, f64::min) * unit;
        assert!(smallest >= 5.0 && smallest.is_finite(), "{name}: {smallest} points");
        let png = image::open(out.join(format!("{name}.png"))).unwrap().into_rgb8();
        let across = (width * unit / 72.0 * 300.0).round() as u32;
        assert_eq!(png.width(), across, "{name}");
        assert!(
            png.pixels().any(|pixel| pixel.0.iter().all(|value| *value < 80)),
            "{name}: no ink"
        );
    }
}

#[test]
fn without_fonts_there_are_no_figures_with_empty_places_for_letters() {
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), &mut StopAt(2));
    let fonts = root.path().join("fonts.conf");
    let dir = root.path().display();
    fs::write(&fonts, format!("<?xml version=\"1.0\"?><fontconfig><dir>{dir}</dir></fontconfig>"))
        .unwrap();
    let (output, names) = figures(&folder, &root.path().join("figures"), Some(&fonts));
    assert!(!output.status.success() && names.is_empty(), "{names:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    says(&error, &["figures: expected fonts of this system", "fonts-dejavu-core"]);
    let (output, _) = figures(&folder, &folder, None);
    says(&String::from_utf8(output.stderr).unwrap(), &["expected nothing or an empty folder"]);
}

/// What a browser makes of a page, and what it says on its console meanwhile.
fn browse(browser: &str, page: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    fs::write(&path, page).unwrap();
    let mut browser = Command::new(browser);
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
    browser.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
    browser.args(["--virtual-time-budget=10000", "--dump-dom"]);
    let output = browser.arg(format!("file://{}", path.display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let console = said.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console.join("\n"))
}

/// Clicks the head of the column of layers twice, decodes all pictures, and writes what it saw into the title.
const LOOK: &str = r#"<script>
const table = document.querySelector("table.sortable"), head = table.tHead.rows[0].cells[2];
const column = () => [...table.tBodies[0].rows].map(row => row.cells[2].textContent);
const seen = { first: column() };
head.click(); seen.up = column();
head.click(); seen.down = column();
seen.drawings = [...document.querySelectorAll(".drawing svg")].map(svg => Math.round(svg.getBoundingClientRect().width));
const pictures = [...document.querySelectorAll("svg image")];
Promise.all(pictures.map(picture => picture.decode()))
  .then(all => { seen.pictures = all.length; }, error => { seen.pictures = String(error); })
  .then(() => { document.title = JSON.stringify(seen); });
</script></body>"#;

#[test]
fn a_browser_shows_all_of_the_page_and_loads_nothing() {
    let known = ["chromium", "chromium-browser", "google-chrome"];
    let installed = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let Some(browser) = known.into_iter().find(installed) else {
        return clapp_testing::skip("no Chromium is installed");
    };
    let root = tempfile::tempdir().unwrap();
    let html = page(&[&run(root.path(), &mut Silent)]);
    let (dom, console) = browse(browser, &html.replace("</body>", LOOK));
    assert_eq!(console, "");
    let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    let seen: serde_json::Value = serde_json::from_str(title.unwrap()).unwrap();
    let names = |what: &str| -> Vec<&str> {
        seen[what].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
    };
    let mut sorted = names("first");
    sorted.sort_unstable();
    assert_ne!(names("first"), sorted);
    assert_eq!(names("up"), sorted);
    sorted.reverse();
    assert_eq!(names("down"), sorted);
    assert_eq!(seen["pictures"], html.matches("<image").count(), "{seen}");
    let drawings = seen["drawings"].as_array().unwrap();
    assert_eq!(drawings.len(), html.matches("<svg").count());
    assert!(drawings.iter().all(|width| width.as_u64() > Some(300)), "{drawings:?}");

    // What would be loaded is refused, and would have been seen.
    let loading = html.replace("</body>", "<img src=\"http://127.0.0.1:9/x.png\"></body>");
    let (_, console) = browse(browser, &loading);
    assert!(console.contains("Content Security Policy"), "{console}");
}

#[test]
fn tensorboard_reads_metrics_and_figures() {
    let python = std::env::var("CLAPP_TENSORBOARD_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return clapp_testing::skip("CLAPP_TENSORBOARD_PYTHON names no Python with tensorboard");
    }
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), &mut Silent);
    let events = root.path().join("events");
    let mut program = Command::new(env!("CARGO_BIN_EXE_clapp"));
    program.arg("report").arg(&folder).arg("--out").arg(root.path().join("page.html"));
    let output = program.args(["--images", "40", "--tensorboard"]).arg(&events).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = "import json, sys\n\
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n\
        def of(folder):\n    \
            events = EventAccumulator(folder)\n    \
            events.Reload()\n    \
            return events\n\
        metrics, figures = map(of, sys.argv[1:])\n\
        losses = metrics.Scalars('loss/layer 2')\n\
        images = {tag: figures.Images(tag)[0] for tag in figures.Tags()['images']}\n\
        weights = metrics.Histograms('weight/layer1')[-1]\n\
        of = weights.histogram_value\n\
        print(json.dumps([metrics.Tags()['scalars'], [[at.step, at.value] for at in losses],\n    \
            {tag: [at.width, at.height, len(at.encoded_image_string)] for tag, at in images.items()},\n    \
            [weights.step, of.min, of.max, of.num, of.sum, sum(of.bucket)],\n    \
            metrics.Tags()['histograms']]))\n";
    let output = Command::new(&python)
        .args(["-c", read])
        .args(["smoke-clapp-s/seed-2", "figures"].map(|of| events.join(of)))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let read: serde_json::Value = serde_json::from_str(&printed)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let metrics: Vec<StepMetrics> =
        clapp::store::read_metrics(folder.join("metrics.jsonl")).unwrap();
    let losses: Vec<_> =
        metrics.iter().map(|of| serde_json::json!([of.step, of.loss[1] as f32])).collect();
    assert_eq!(losses.len(), 10);
    assert_eq!(read[1], serde_json::json!(losses));
    assert_eq!(read[0].as_array().unwrap().len(), 3 * metrics[0].loss.len(), "{}", read[0]);
    let map = &read[2]["maps-smoke-clapp-s"];
    assert_eq!(map[0], 1004, "{}", read[2]);
    let newest = clapp::store::Checkpoint::load_newest(&folder).unwrap().unwrap();
    let values = newest.tensors["layer1.weight"].values::<f32>().unwrap();
    let wide = || values.iter().map(|&value| f64::from(value));
    let count = values.len() as f64;
    let (least, most) = (wide().fold(0.0, f64::min), wide().fold(0.0, f64::max));
    let expected = serde_json::json!([newest.step, least, most, count, wide().sum::<f64>(), count]);
    assert_eq!(read[3], expected);
    // Weights, biases and W_pred of six layers; nothing that the optimizer remembers.
    assert_eq!(read[4].as_array().unwrap().len(), 3 * 6, "{}", read[4]);
}
