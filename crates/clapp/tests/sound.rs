//! Runs on sound: from talkers to tables, stopped and resumed, and with files that are not as they should
//! be.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::Path};

use clapp::{
    Experiment, FilesConfig, LOG_MEL, LabelsConfig, MFCC, Outcome, PRESETS, RANDOM_ENCODER, RunOf,
    SOUND_METHODS, Seen, Silent, Sound, SoundDataConfig, SoundRun, SoundRunConfig, StepMetrics,
    datasets::sound::OnBad,
    eval::{Labels, Protocol, Report, Series},
    rules::Objective,
    sound_preset,
    store::read_metrics,
};
use common::{
    STEPS, assert_same, assert_says, assert_stops, execute, files, finished, results, stopped,
    tiny_sound,
};

fn root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn resume(folder: &Path) -> Result<Outcome, clapp::Error> {
    execute(&mut SoundRun::resume(folder)?, &mut Silent)
}

fn table(folder: &Path) -> Report {
    Report::load(&folder.join("table.json")).unwrap()
}

#[test]
fn the_smoke_preset_runs_to_a_table_of_every_layer_and_control() {
    let root = root();
    let config = sound_preset("smoke", "clapp-s", &Sound::Synthetic, &[2]).unwrap();
    let folder = finished(root.path(), &config);
    let report = table(&folder);
    assert_eq!(report.encoders(), ["clapp-s", RANDOM_ENCODER, LOG_MEL, MFCC]);
    assert_eq!(report.trained_on, "synthetic speech");
    assert_eq!(report.series().len(), 4, "two protocols, with and without silence");
    for series in report.series() {
        let layers = |encoder| report.layers(encoder, series).len();
        assert_eq!([layers("clapp-s"), layers(RANDOM_ENCODER)], [6, 6], "{series}");
        assert_eq!([layers(LOG_MEL), layers(MFCC)], [1, 1], "{series}");
    }
    let metrics: Vec<StepMetrics> = read_metrics(folder.join("metrics.jsonl")).unwrap();
    assert_eq!((metrics.len(), metrics[9].seen), (10, Seen::Crops(80)));
    // Nothing is predicted yet: 1 for the fixation and 1 for the saccades.
    for (layer, loss) in metrics[0].loss.iter().enumerate() {
        assert!((loss - 2.0).abs() < 0.1, "layer {}: {loss}", layer + 1);
    }
    assert!(folder.join("confusion-seed-2.svg").is_file());
    let text = fs::read_to_string(folder.join("table.txt")).unwrap();
    assert!(text.contains("12 utterances, without silence"), "{text}");
}

/// MFCC are read out far better than by guessing; silence is found more easily than phones.
#[test]
fn read_outs_of_spectra_find_phones() {
    let root = root();
    let mut config = tiny_sound("clapp-s-no-gru", &[2]);
    config.data = SoundDataConfig::Synthetic { unlabelled: 12, train: 24, test: 12 };
    let report = table(&finished(root.path(), &config));
    let accuracy = |labels| {
        let series = Series { protocol: Protocol::Standardised, labels };
        report.summary(MFCC, 0, series).unwrap().mean
    };
    let (all, spoken) = (accuracy(Labels::Utterances(24)), accuracy(Labels::UtterancesSpoken(24)));
    // 11 classes; the most frequent one, silence, has about a fifth of the frames.
    assert!(all > 45.0 && spoken > 35.0 && spoken < all, "{all} {spoken}");
}

fn assert_stops_leave_no_trace(method: &str) {
    let root = root();
    let config = tiny_sound(method, &[2, 3]);
    let expected = results(&finished(root.path(), &config));
    let folder = stopped(root.path(), &config, 1);
    for step in [6, 7, STEPS, STEPS + 1, 2 * STEPS] {
        assert_stops(&mut SoundRun::resume(&folder).unwrap(), step);
    }
    resume(&folder).unwrap();
    assert_same(&results(&folder), &expected, method);
}

#[test]
fn clapp_s_with_e_prop_resumes_bit_for_bit() {
    assert_stops_leave_no_trace("clapp-s");
}

#[test]
fn gim_without_a_recurrent_layer_resumes_bit_for_bit() {
    assert_stops_leave_no_trace("gim-no-gru");
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let root = root();
    let folders = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| finished(root.path(), &tiny_sound("clapp-s", &[2])))
    });
    assert_same(&results(&folders[1]), &results(&folders[0]), "2 threads against 1");
}

#[test]
fn every_method_is_another_network_or_rule() {
    let mut seen: Vec<SoundRunConfig> = Vec::new();
    for method in SOUND_METHODS.split(", ") {
        let config = sound_preset("quick", method, &Sound::Synthetic, &[2]).unwrap();
        let same = |other: &SoundRunConfig| {
            (&other.rule, &other.encoder) == (&config.rule, &config.encoder)
        };
        assert!(!seen.iter().any(same), "{method}");
        let text = serde_json::to_string_pretty(&config).unwrap();
        assert_eq!(serde_json::from_str::<SoundRunConfig>(&text).unwrap(), config);
        seen.push(config);
    }
    assert_eq!(seen.len(), 6);
}

#[test]
fn the_paper_preset_has_the_settings_of_the_paper() {
    let sound = Sound::Files(FilesConfig::librispeech(
        Path::new("/data"),
        "train-clean-100",
        "train-clean-100",
        LabelsConfig::published(Path::new("/data/labels")),
    ));
    let config = sound_preset("paper", "clapp-s", &sound, &[2]).unwrap();
    assert_eq!((config.batch, config.crops), (8, 22_824_000));
    assert_eq!((config.rule.prediction_steps, config.rule.window), (12, Some(128)));
    assert_eq!(config.rule.negatives.count, 10);
    assert_eq!(config.encoder.weights(), 5_632 + 2_097_664 + 3 * 1_049_088 + 591_360);
    assert_eq!(config.pipeline.crop, 20_480);
    let gim = sound_preset("paper", "gim", &sound, &[2]).unwrap();
    assert_eq!(gim.rule.objective, Objective::InfoNce { epsilon: 0.0 });
    let SoundDataConfig::Files(files) = config.data else { panic!("expected files") };
    assert_eq!(files.learn, Some(files.labels.train));
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let ask = |name, method| {
        let error = sound_preset(name, method, &Sound::Synthetic, &[2]).unwrap_err();
        error.to_string()
    };
    assert_says(&ask("qick", "clapp-s"), "preset", PRESETS);
    for method in ["clapp", "clapp-s-two-step", "-no-gru", ""] {
        assert_says(&ask("quick", method), "method", SOUND_METHODS);
    }
    assert_says(&ask("paper", "clapp-s"), "preset paper", "sound files");
}

#[test]
fn settings_that_would_fail_after_hours_fail_at_once() {
    let root = root();
    let refused = |change: &dyn Fn(&mut SoundRunConfig)| {
        let mut config = tiny_sound("clapp-s", &[2]);
        change(&mut config);
        RunOf::create(root.path(), config).unwrap_err().to_string()
    };
    assert!(refused(&|c| c.pipeline.crop = 5_280).contains("expected crops of 5120 samples"));
    assert!(refused(&|c| c.encoder.layers[0].spec.stride = 4).contains("got one per 128; "));
    assert!(refused(&|c| c.crops = 0).contains("expected crops of at least 1, got 0; "));
    assert!(refused(&|c| c.readout.train = Some(0)).contains("expected readout.train of at "));
    assert!(refused(&|c| c.seeds = vec![2, 2]).contains("got 2 twice in [2, 2]; "));
    assert!(files(root.path()).is_empty(), "no folder for a run that cannot be");
}

#[test]
fn a_run_on_images_is_not_resumed_as_one_on_sound() {
    let root = root();
    let folder = stopped(root.path(), &common::tiny("clapp-s", &[2]), 3);
    let text = SoundRun::resume(&folder).unwrap_err().to_string();
    assert_says(&text, "configuration", &folder.join("config.json").to_string_lossy());
}

/// Eight talkers in WAV files of their own folders, labels, and two lists.
struct Recordings {
    root: tempfile::TempDir,
}

/// Samples of every file: 129 labels of windows.
const SAMPLES: usize = 20_880;

impl Recordings {
    fn new() -> Self {
        let recordings = Self { root: root() };
        for talker in 0..8 {
            recordings.write(talker, SAMPLES, 16_000);
        }
        let line = |talker: usize| {
            let labels: Vec<String> = (0..129).map(|i| (i / 16 % 4).to_string()).collect();
            format!("t{talker}/a {}\n", labels.join(" "))
        };
        let labels: String = (0..8).map(line).collect();
        fs::write(recordings.path("converted_aligned_phones.txt"), labels).unwrap();
        fs::write(recordings.path("train_split.txt"), "t0/a\nt1/a\nt2/a\nt3/a\n").unwrap();
        fs::write(recordings.path("test_split.txt"), "t6/a\nt7/a\n").unwrap();
        recordings
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join(name)
    }

    /// A tone for each talker, with something new every 160 ms.
    fn write(&self, talker: usize, samples: usize, rate: u32) {
        let folder = self.path(&format!("sound/t{talker}"));
        fs::create_dir_all(&folder).unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(folder.join("a.wav"), spec).unwrap();
        for i in 0..samples {
            let pitch = 0.05 * (1 + i / 2_560 % 4) as f32 + 0.003 * talker as f32;
            wav.write_sample(((i as f32 * pitch).sin() * 6_000.0) as i16).unwrap();
        }
        wav.finalize().unwrap();
    }

    fn config(&self, on_bad: OnBad) -> SoundRunConfig {
        let labels = LabelsConfig { classes: 4, ..LabelsConfig::published(self.root.path()) };
        let files = FilesConfig::folder(&self.path("sound"), labels);
        let sound = Sound::Files(FilesConfig { on_bad, ..files });
        let mut config = sound_preset("smoke", "clapp-s", &sound, &[2]).unwrap();
        let tiny = tiny_sound("clapp-s", &[2]);
        (config.batch, config.crops) = (tiny.batch, tiny.crops);
        (config.encoder.samples, config.pipeline.crop) = (5_120, 5_120);
        config
    }

    /// The error of a run that cannot begin, and begins nothing.
    fn refused(&self) -> String {
        let runs = root();
        let error = RunOf::create(runs.path(), self.config(OnBad::Refuse)).unwrap_err();
        assert!(files(runs.path()).is_empty(), "no run folder for data that cannot be used");
        error.to_string()
    }
}

#[test]
fn a_folder_of_recordings_with_labels_runs_to_its_table() {
    let (recordings, runs) = (Recordings::new(), root());
    let config = recordings.config(OnBad::Refuse);
    let folder = finished(runs.path(), &config);
    assert_eq!(config.name(), "sound-smoke-clapp-s");
    let report = table(&folder);
    assert!(report.trained_on.starts_with("4 utterances of "), "{}", report.trained_on);
    assert!(report.evaluated_on.starts_with("2 utterances of "), "{}", report.evaluated_on);
    assert_eq!(report.classes, 4);
}

#[test]
fn bad_files_stop_a_run_before_it_begins_or_are_left_out_and_counted() {
    let recordings = Recordings::new();
    let wav = recordings.path("sound/t1/a.wav");
    let sound = fs::read(&wav).unwrap();
    fs::write(&wav, &sound[..sound.len() / 2]).unwrap();
    assert!(recordings.refused().contains("a.wav"), "{}", recordings.refused());
    recordings.write(1, SAMPLES, 8_000);
    let text = recordings.refused();
    assert!(text.contains("8000") && text.contains("a.wav"), "{text}");
    // Shorter than a crop.
    recordings.write(1, 4_000, 16_000);
    let labels = recordings.path("converted_aligned_phones.txt");
    let lines = fs::read_to_string(&labels).unwrap();
    let short = format!("t1/a {}", vec!["1"; 23].join(" "));
    let replaced: Vec<&str> =
        lines.lines().map(|l| if l.starts_with("t1/a") { &short } else { l }).collect();
    fs::write(&labels, replaced.join("\n")).unwrap();
    let text = recordings.refused();
    assert!(text.contains("expected at least 5120 samples") && text.contains("t1/a"), "{text}");

    let runs = root();
    let folder = finished(runs.path(), &recordings.config(OnBad::Skip));
    assert!(table(&folder).trained_on.starts_with("4 utterances of "));
}

#[test]
fn labels_and_lists_that_do_not_fit_are_named_with_their_line() {
    let recordings = Recordings::new();
    let labels = recordings.path("converted_aligned_phones.txt");
    let sound = fs::read_to_string(&labels).unwrap();
    fs::write(&labels, sound.replacen(" 0\nt3/a", "\nt3/a", 1)).unwrap();
    let text = recordings.refused();
    assert_says(&text, "phone labels", &labels.to_string_lossy());
    assert!(text.contains("line 3"), "{text}");

    fs::write(&labels, sound.replacen("t2/a 0", "t2/a 4", 1)).unwrap();
    assert!(recordings.refused().contains("got \"4\" at line 3"), "{}", recordings.refused());

    // A labelled utterance is missing; its line is gone.
    let without: Vec<&str> = sound.lines().filter(|line| !line.starts_with("t6/a")).collect();
    fs::write(&labels, without.join("\n")).unwrap();
    let text = recordings.refused();
    assert_says(&text, "labels", &recordings.path("test_split.txt").to_string_lossy());
    assert!(text.contains("got none of t6/a"), "{text}");

    fs::write(&labels, sound).unwrap();
    let list = recordings.path("train_split.txt");
    fs::write(&list, "t0/a\nt9/a\n").unwrap();
    let text = recordings.refused();
    assert!(text.contains("t9/a") && text.contains("line 2"), "{text}");
}
