//! A folder of recordings with labels and lists, sound or not.

use std::{fs, path::PathBuf};

use clapp::{
    Run, RunConfig, Sound,
    datasets::OnBad,
    preset,
    sound::{DataConfig, FilesConfig, LabelsConfig},
};

use super::{files, tiny_sound};

/// Samples of every file: 129 labels of windows.
pub const SAMPLES: usize = 20_880;

/// The file of labels.
pub const LABELS: &str = "converted_aligned_phones.txt";

/// Eight talkers in WAV files of their own folders, labels, and two lists.
pub struct Recordings {
    root: tempfile::TempDir,
}

impl Recordings {
    pub fn new() -> Self {
        let recordings = Self { root: tempfile::tempdir().unwrap() };
        for talker in 0..8 {
            recordings.write(talker, SAMPLES, 16_000);
        }
        recordings.text(LABELS, &(0..8).map(|talker| line(talker, 129)).collect::<String>());
        recordings.text("train_split.txt", "t0/a\nt1/a\nt2/a\nt3/a\n");
        recordings.text("test_split.txt", "t6/a\nt7/a\n");
        recordings
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn text(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Changes one line of the labels.
    pub fn relabel(&self, talker: usize, line: &str) {
        let text = fs::read_to_string(self.path(LABELS)).unwrap();
        let start = format!("t{talker}/a ");
        let keep =
            |old: &str| if old.starts_with(&start) { line.to_owned() } else { format!("{old}\n") };
        self.text(LABELS, &text.lines().map(keep).collect::<String>());
    }

    /// A tone for each talker, with something new every 160 ms.
    pub fn write(&self, talker: usize, samples: usize, rate: u32) {
        self.write_as(talker, samples, rate, 1, 6_000.0);
    }

    pub fn write_as(&self, talker: usize, samples: usize, rate: u32, channels: u16, loud: f32) {
        let folder = self.path(&format!("sound/t{talker}"));
        fs::create_dir_all(&folder).unwrap();
        let sample = |i: usize| {
            let pitch = 0.05 * (1 + i / 2_560 % 4) as f32 + 0.003 * talker as f32;
            vec![((i as f32 * pitch).sin() * loud) as i16; channels.into()]
        };
        let samples: Vec<i16> = (0..samples).flat_map(sample).collect();
        fs::write(folder.join("a.wav"), clapp_testing::wav(&samples, rate, channels)).unwrap();
    }

    /// A run of seconds on these files.
    pub fn config(&self, on_bad: OnBad) -> RunConfig<Sound> {
        self.config_of("clapp-s", on_bad)
    }

    pub fn config_of(&self, method: &str, on_bad: OnBad) -> RunConfig<Sound> {
        let labels = LabelsConfig { classes: 4, ..LabelsConfig::published(self.root.path()) };
        let files = FilesConfig::folder(&self.path("sound"), labels);
        let sound = Sound::Files(FilesConfig { on_bad, ..files });
        let config = preset("smoke", method, &sound, &[2]).unwrap();
        let mut tiny = tiny_sound("clapp-s", &[2]);
        tiny.setup.data = config.setup.data;
        (tiny.method, tiny.learning) = (config.method, config.learning);
        tiny
    }

    /// The same files without labels.
    pub fn unlabelled(&self) -> RunConfig<Sound> {
        let files = FilesConfig::folder(&self.path("sound"), None);
        let mut config = self.config(OnBad::Refuse);
        config.setup.data = DataConfig::Files(files);
        config
    }

    /// The error of a run that cannot begin, and begins nothing.
    pub fn refused(&self) -> String {
        let runs = tempfile::tempdir().unwrap();
        let error = Run::create(runs.path(), self.config(OnBad::Refuse)).unwrap_err();
        assert!(files(runs.path()).is_empty(), "no run folder for data that cannot be used");
        error.to_string()
    }
}

/// A line of labels.
pub fn line(talker: usize, count: usize) -> String {
    let labels: Vec<String> = (0..count).map(|i| (i / 16 % 4).to_string()).collect();
    format!("t{talker}/a {}\n", labels.join(" "))
}
