//! Measures one workload in a process of its own and prints one line of JSON.
//!
//! `clapp-bench step --width 0.25 --batch 32`; `README.md` says what the numbers mean.

mod films;
mod report;
mod rules;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::Device;
use clap::{Parser, ValueEnum};
use clapp::rules::Rule;
use clapp_backend::Arithmetic;
use clapp_benches::{
    Ceilings, Error, GruTraining, IMAGES, Images, Repeats, Setting, SoundSetting, SoundTraining,
    Training, cases, count, images, measure, median,
};

use report::{Count, LayerTime, Report, Speed};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// A whole step of CLAPP-s: patches, six layers, rule, weight gradients, Adam
    Step,
    /// A whole step of time-local CLAPP
    TimeLocal,
    /// Features of all layers
    Inference,
    /// Forward pass and weight gradient of layers 2 to 6
    Convolutions,
    /// STL-10's loader with one worker
    Loader,
    /// A whole step of CLAPP-s on sound: five convolutions and the recurrent layer
    SoundStep,
    /// A step of the recurrent layer alone, by e-prop, with the rule
    GruStep,
    /// A whole step of CLAPP-s on films: five blocks, all pairs
    FilmStep,
    /// A whole step of SoftHebb: three layers of competing channels
    SoftHebbStep,
    /// A whole step of CLAPP++: six layers that predict the other view of each image
    ViewsStep,
    /// The loader of clips with one worker, from the videos of `--data`
    Clips,
    /// What the machine can do at most
    Roofline,
}

#[derive(Debug, Parser)]
#[command(version, about = "Measures one workload and prints one line of JSON")]
struct Options {
    #[arg(value_enum)]
    workload: Workload,
    /// Factor of VGG-6's channels
    #[arg(long, default_value_t = 1.0)]
    width: f64,
    /// Images of a step; of `views-step` pairs of views [soft-hebb-step: 10, views-step: 64]
    #[arg(long, default_value_t = 8, value_parser = at_least_one)]
    #[arg(default_value_ifs = rules::defaults("10", "64"))]
    batch: usize,
    /// Side of an image in pixels [soft-hebb-step, views-step: 32]
    #[arg(long, default_value_t = 64, default_value_ifs = rules::defaults("32", "32"))]
    crop: usize,
    /// Colour planes of an image [soft-hebb-step, views-step: 3]
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    #[arg(default_value_ifs = rules::defaults("3", "3"))]
    colours: usize,
    /// Rank of CLAPP++'s B; 0 is a full matrix
    #[arg(long, default_value_t = 0)]
    rank: usize,
    /// Frames of a clip
    #[arg(long, default_value_t = 54)]
    frames: usize,
    /// Tree of class folders with videos
    #[arg(long)]
    data: Option<std::path::PathBuf>,
    /// Threads [default: one per core]
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Steps that count
    #[arg(long, default_value_t = 5, value_parser = at_least_one)]
    steps: usize,
    /// Steps before them
    #[arg(long, default_value_t = 2)]
    warmup: usize,
    /// Names all random draws
    #[arg(long, default_value_t = 2)]
    seed: u64,
    /// Samples of a crop of sound
    #[arg(long, default_value_t = 20_480)]
    samples: usize,
    /// Plain sums of products only, no Winograd
    #[arg(long)]
    exact: bool,
}

impl Options {
    fn setting(&self) -> Setting {
        let arithmetic = if self.exact { Arithmetic::Exact } else { Arithmetic::Fast };
        let &Self { width, batch, crop, colours, seed, .. } = self;
        Setting { width, batch, crop, colours, arithmetic, seed }
    }

    fn sound(&self) -> SoundSetting {
        let &Self { width, batch, samples, seed, .. } = self;
        SoundSetting { width, batch, samples, seed }
    }

    fn repeats(&self) -> Repeats {
        Repeats { warmup: self.warmup, steps: self.steps }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("expected a number of at least 1, got {text:?}")),
    }
}

/// Seconds that each ceiling is measured for.
const CEILING_SECONDS: f64 = 1.0;

fn run(options: &Options) -> Result<Report, Error> {
    clapp::set_threads(options.threads)?;
    let (setting, device) = (options.setting(), Device::flex());
    let mut report = Report::new(options);
    match options.workload {
        Workload::Step => train(options, Rule::clapp_s(), &device, &mut report)?,
        Workload::TimeLocal => train(options, Rule::clapp(), &device, &mut report)?,
        Workload::Inference => {
            let network = Training::new(&setting, Rule::clapp_s(), &device)?;
            let timing = measure(
                options.repeats(),
                |step| images(&setting, step, &device),
                |images| drop(black_box(network.features(images))),
            );
            report.speed = Some(Speed::new(timing, setting.batch));
            report.count = Some(Count::new(count::inference(&setting)?, timing));
        }
        Workload::Convolutions => convolutions(options, &device, &mut report)?,
        Workload::Loader => {
            let images = Images::new(&setting)?;
            let mut result = Ok(0);
            let timing = measure(
                options.repeats(),
                |epoch| epoch,
                |epoch| {
                    if result.is_ok() {
                        result = images.epoch(epoch);
                    }
                },
            );
            result?;
            report.speed = Some(Speed::new(timing, IMAGES));
        }
        Workload::SoundStep => {
            let sound = options.sound();
            let mut training = SoundTraining::new(&sound, &device)?;
            let timing = measure(
                options.repeats(),
                |step| sound.waves(step, &device),
                |waves| drop(black_box(training.step(waves))),
            );
            report.speed = Some(Speed::new(timing, sound.batch));
        }
        Workload::GruStep => recurrent(options, &device, &mut report)?,
        Workload::FilmStep => films::train(options, &device, &mut report)?,
        Workload::SoftHebbStep => rules::soft_hebb(options, &device, &mut report)?,
        Workload::ViewsStep => rules::views(options, &device, &mut report)?,
        Workload::Clips => films::load(options, &mut report)?,
        Workload::Roofline => {
            report.ceilings =
                Some(Ceilings::measure(rayon::current_num_threads(), CEILING_SECONDS));
        }
    }
    Ok(report.finished())
}

fn train(options: &Options, rule: Rule, device: &Device, report: &mut Report) -> Result<(), Error> {
    let setting = options.setting();
    let mut training = Training::new(&setting, rule, device)?;
    let timing = measure(
        options.repeats(),
        |step| images(&setting, step, device),
        |images| drop(black_box(training.step(images))),
    );
    report.speed = Some(Speed::new(timing, setting.batch));
    report.note_peak();
    // After the clock and the peak: it walks up the network once more.
    let taught = training.taught_patches(images(&setting, u64::MAX, device));
    report.count = Some(Count::new(count::step(&setting, &rule, &taught)?, timing));
    report.taught_patches = Some(taught);
    Ok(())
}

fn convolutions(options: &Options, device: &Device, report: &mut Report) -> Result<(), Error> {
    let setting = options.setting();
    let cases = cases(&setting, device)?;
    // Layer 1 has too few inputs to be a convolution like the others.
    let mut layers: Vec<_> = cases.iter().enumerate().skip(1).map(|(l, _)| (l, vec![])).collect();
    let timing = measure(
        options.repeats(),
        |_| (),
        |()| {
            for (l, seconds) in &mut layers {
                let start = Instant::now();
                let activity = cases[*l].forward();
                let forward = start.elapsed();
                drop(black_box(cases[*l].update(&activity)));
                seconds.push([forward, start.elapsed() - forward].map(|time| time.as_secs_f64()));
            }
        },
    );
    let shapes = count::shapes(&setting)?;
    let half = |l: usize| count::convolution(shapes[l], setting.arithmetic);
    let products = layers.iter().map(|&(l, _)| half(l) + half(l)).sum();
    report.speed = Some(Speed::new(timing, setting.batch));
    report.count = Some(Count::new(products, timing));
    report.layers =
        layers.iter().map(|(l, seconds)| layer_time(l + 1, &seconds[options.warmup..])).collect();
    Ok(())
}

/// The recurrent layer is the sixth of its encoder.
const RECURRENT_LAYER: usize = 6;

fn recurrent(options: &Options, device: &Device, report: &mut Report) -> Result<(), Error> {
    let sound = options.sound();
    let mut training = GruTraining::new(&sound, device)?;
    let inputs: Vec<_> =
        (0..options.warmup + options.steps).map(|s| training.frames(s as u64, device)).collect();
    let mut seconds = vec![];
    let timing = measure(
        options.repeats(),
        |step| inputs[step as usize].clone(),
        |frames| seconds.push(training.step(frames).layer.map(|half| half.as_secs_f64())),
    );
    report.speed = Some(Speed::new(timing, sound.batch));
    report.layers = vec![layer_time(RECURRENT_LAYER, &seconds[options.warmup..])];
    Ok(())
}

/// Medians of the two halves.
fn layer_time(layer: usize, seconds: &[[f64; 2]]) -> LayerTime {
    let middle = |half: usize| median(&seconds.iter().map(|pair| pair[half]).collect::<Vec<_>>());
    LayerTime { layer, forward_seconds: middle(0), update_seconds: middle(1) }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let line = run(&options).map_err(|error| error.to_string()).and_then(|report| {
        serde_json::to_string(&report).map_err(|error| format!("report: {error}"))
    });
    match line {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
