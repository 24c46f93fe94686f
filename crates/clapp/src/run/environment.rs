//! Where a run was computed, and what that took.

use std::{
    fs, io,
    path::Path,
    sync::OnceLock,
    time::{Instant, SystemTime},
};

use burn::tensor::Device;
use clapp_store::RunFolder;
use serde::{Deserialize, Serialize};

use crate::{Error, comparison::peak};

/// The commit that the program was built from.
static COMMIT: OnceLock<&str> = OnceLock::new();
/// The file in a run's folder.
const FILE: &str = "environment.json";

/// One start of a run, or one resumption: which program on which machine, and what it took.
///
/// `environment.json` in the folder of a run is a list of these, in order. Nothing that a run computes
/// depends on it, and nothing of it stands in the other files: those stay the same byte for byte wherever
/// and however often a run is resumed. It is brought up to date with every checkpoint.
///
/// # Example
///
/// ```
/// use clapp::{Images, Run, preset, run::{Environment, Silent}};
///
/// # let runs = tempfile::tempdir()?;
/// let mut config = preset("smoke", "clapp-s", &Images::Synthetic, &[2])?;
/// config.setup.images = 64;
/// let mut run = Run::create(&runs, config)?;
/// run.execute(&clapp::device("flex")?, &mut Silent)?;
///
/// let starts = Environment::load(run.path())?;
/// assert_eq!((starts.len(), starts[0].samples), (1, 64));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Environment {
    /// Version of the library.
    pub version: String,
    /// Commit of the checkout that the program was built from, if it told; it says nothing of changes that were not
    /// committed. None of a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Model of the processor, where the system says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// Architecture, then which of the extensions with kernels of their own the processor has.
    pub instructions: Vec<String>,
    /// The set of them that the kernels of the processor use: the best, or that of `CLAPP_ISA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<String>,
    /// Threads that compute.
    pub threads: usize,
    /// Device of the tensors.
    pub device: String,
    /// When it started: UTC, RFC 3339.
    pub started: String,
    /// Samples that were learnt from since then, over all seeds.
    pub samples: u64,
    /// What they are: `images`, `crops`, `clips`.
    pub unit: String,
    /// Seconds of learning, with loading and checkpoints.
    pub learning_seconds: f64,
    /// Seconds of read-outs.
    pub readout_seconds: f64,
    /// Samples learnt from per second of learning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_per_second: Option<f64>,
    /// Most resident memory, in bytes; none where the system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
}

impl Environment {
    /// Says which commit the program was built from, for every run that it starts. A library can't know: what it stands in may be
    /// anybody's checkout. The first word counts.
    pub fn built_from(commit: &'static str) {
        let _ = COMMIT.set(commit);
    }

    /// All starts of the run in a folder; none of a run of a version that did not keep them.
    ///
    /// # Errors
    ///
    /// If the file is damaged.
    pub fn load(folder: impl AsRef<Path>) -> Result<Vec<Self>, Error> {
        let path = folder.as_ref().join(FILE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text,
        };
        let read = text.map_err(serde_json::Error::io);
        read.and_then(|text| serde_json::from_slice(&text)).map_err(|source| Error::Json {
            what: "environment",
            path,
            source,
        })
    }

    fn now(device: &Device, unit: &str) -> Self {
        let command = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: COMMIT.get().map(|&commit| commit.to_owned()),
            command: command.collect(),
            processor: processor(),
            instructions: instructions(),
            kernels: kernels(),
            threads: rayon::current_num_threads(),
            device: format!("{device:?}"),
            started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            unit: unit.to_owned(),
            ..Self::default()
        }
    }
}

/// Keeps the last entry up to date.
pub(super) struct Recorder {
    earlier: Vec<Environment>,
    now: Environment,
}

impl Recorder {
    /// Reads what there is. What is damaged is put aside and `told`: no run depends on it.
    pub fn new(folder: &Path, device: &Device, unit: &str, told: impl FnOnce(String)) -> Self {
        let earlier = Environment::load(folder).unwrap_or_else(|_| {
            let path = folder.join(FILE);
            let aside = path.with_extension("damaged");
            let kept = match fs::rename(&path, &aside) {
                Ok(()) => format!("kept as {}", aside.display()),
                Err(error) => format!("lost: {error}"),
            };
            told(format!("{} is damaged; a new one begins, it is {kept}", path.display()));
            Vec::new()
        });
        Self { earlier, now: Environment::now(device, unit) }
    }

    /// Adds samples that were learnt from, and the time since `since`, which becomes now.
    pub fn learnt(&mut self, samples: usize, since: &mut Instant) {
        self.now.samples += samples as u64;
        self.now.learning_seconds += lap(since);
        self.now.samples_per_second = Some(self.now.samples as f64 / self.now.learning_seconds);
    }

    /// Adds the time of a read-out.
    pub fn read_out(&mut self, mut since: Instant) {
        self.now.readout_seconds += lap(&mut since);
    }

    /// Writes the file.
    pub fn save(&mut self, folder: &RunFolder) -> Result<(), Error> {
        self.now.peak_memory = self.now.peak_memory.max(peak());
        let all: Vec<_> = self.earlier.iter().chain([&self.now]).collect();
        folder.write_json(FILE, &all)?;
        Ok(())
    }
}

fn lap(since: &mut Instant) -> f64 {
    let now = Instant::now();
    (now - std::mem::replace(since, now)).as_secs_f64()
}

fn processor() -> Option<String> {
    let Ok(text) = fs::read_to_string("/proc/cpuinfo") else {
        // Windows.
        return std::env::var("PROCESSOR_IDENTIFIER").ok();
    };
    let model = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(model.trim_start().strip_prefix(':')?.trim().to_owned())
}

fn instructions() -> Vec<String> {
    let mut found = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    {
        let extensions = [
            ("avx2", is_x86_feature_detected!("avx2")),
            ("fma", is_x86_feature_detected!("fma")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
        ];
        found.extend(extensions.into_iter().filter_map(|(name, has)| has.then_some(name)));
    }
    found.into_iter().map(str::to_owned).collect()
}

fn kernels() -> Option<String> {
    #[cfg(feature = "flex")]
    return Some(clapp_backend::bench::instruction_set().to_string());
    #[cfg(not(feature = "flex"))]
    return None;
}
