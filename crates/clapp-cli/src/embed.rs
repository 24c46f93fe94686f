//! `clapp embed`: features of every layer, as files that NumPy and others read.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use clapp::{
    Data, Encoder, Error, Images, RunConfig, Sense, Sound, Video,
    console::{self, print},
    datasets::{Folder, Item, Source, video::ClipList},
    encoder::Encodes,
    image::{self, DataConfig, Held},
    sound::{self, FilesConfig},
    store::{self, write_folder},
    video::{self, ClipsConfig, Place},
};
use ndarray_npy::write_zeroed_npy;
use serde_json::json;

use crate::{
    config::{self, Kind},
    data::{Sets, absolute},
};

/// Write features of every layer of a run, one file a layer, and what they are of.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the run
    run: PathBuf,
    /// All photographs below this folder, in place of the run's own data
    #[arg(short, long, value_name = "DIR", group = "place", conflicts_with = "part")]
    images: Option<PathBuf>,
    #[command(flatten)]
    sets: Sets,
    /// All sound files below this folder, in place of the run's own data
    #[arg(long, value_name = "DIR", group = "place", conflicts_with = "part")]
    sounds: Option<PathBuf>,
    /// All videos in the class folders of this folder, in place of the run's own data
    #[arg(long, value_name = "DIR", group = "place", conflicts_with = "part")]
    videos: Option<PathBuf>,
    /// A row for every 10 ms of a recording, in place of their mean
    #[arg(long)]
    frames: bool,
    /// Which part of the data
    #[arg(long, value_enum, default_value = "test")]
    part: Part,
    /// Seed of the run whose encoder is taken: that of the newest checkpoint unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Folder for the features; new or empty
    #[arg(short, long)]
    out: PathBuf,
    /// Replace features that are there
    #[arg(long)]
    overwrite: bool,
    /// Where to compute
    #[arg(long, default_value = "flex")]
    device: String,
}

/// A part of a set of data.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// What is learnt from without labels.
    Learn,
    /// What read-outs are fitted on.
    Train,
    /// What read-outs are tested on; of data without labels all that is learnt from.
    Test,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let kind = config::kind_of_run(&options.run)?;
    let of_images = options.images.is_some() || options.sets.images().is_some();
    let named = [
        (of_images, Kind::Images),
        (options.sounds.is_some(), Kind::Sound),
        (options.videos.is_some(), Kind::Video),
    ];
    let other = named.iter().any(|(given, named)| *given && *named != kind);
    if other || (options.frames && kind != Kind::Sound) {
        let expected = match kind {
            Kind::Images => "--images, --stl10 or --cifar10, and no --frames, for a run on images",
            Kind::Sound => "--sounds, for a run on sound",
            Kind::Video => "--videos, and no --frames, for a run on video",
        };
        let got = format!("another option for {}", options.run.display());
        return Err(Error::misfit_of("embed", expected, got, "leave it out"));
    }
    match kind {
        Kind::Images => embed(options, images, image::Encoder::cells),
        Kind::Sound => embed(options, sounds, |_| Vec::new()),
        Kind::Video => embed(options, videos, |_| Vec::new()),
    }
}

/// Samples, and names of their data and of the part.
type Asked<S> = (<S as Sense>::Source, String, &'static str);

fn embed<S, I>(
    options: &Options,
    asked: fn(&Options, &Encoder<S>) -> Result<Asked<S>, Error>,
    cells: fn(&Encoder<S>) -> Vec<usize>,
) -> Result<(), Error>
where
    S: Encodes + Sense<Source = Arc<dyn Source<Item = I>>>,
    I: Item,
{
    let encoder = load(&options.run, options.seed, &options.device)?;
    let (source, data, part) = asked(options, &encoder)?;
    if source.is_empty() {
        let (expected, got) = (format!("at least one of {}", I::PLURAL), format!("none in {data}"));
        return Err(Error::misfit_of("embed", expected, got, "give other data"));
    }
    let replaceable = |name: &str| options.overwrite && is_ours(name);
    let (count, rows, dims) = write_folder(&options.out, &replaceable, |folder| {
        let layers = Layers::of(&encoder, &source, options.frames, folder)?;
        write_names(folder, &source, &layers).map_err(|source| failed(folder, source))?;
        let about = json!({
            "run": options.run, "run_digest": encoder.digest(), "step": encoder.step(),
            "seed": encoder.seed(), "data": data, "part": part, "what": I::PLURAL,
            "count": layers.samples.len(), "rows": layers.rows, "features": layers.dims,
            "cells": cells(&encoder),
            "command": std::env::args().collect::<Vec<_>>(),
        });
        let text = format!("{about:#}\n");
        store::write_atomically(folder.join(ABOUT), |file| file.write_all(text.as_bytes()))?;
        Ok::<_, Error>((layers.samples.len(), layers.rows, layers.dims))
    })?;
    let (what, step) = (I::PLURAL, encoder.step());
    print(format_args!("{count} {what} of {data} at step {step}"))?;
    dims.iter().enumerate().try_for_each(|(layer, dim)| {
        let path = options.out.join(file_of(layer));
        print(format_args!("{}: {rows} × {dim}", path.display()))
    })
}

/// The encoder of a run, or of one of its seeds.
pub(crate) fn load<S: Encodes>(
    run: &Path,
    seed: Option<u64>,
    device: &str,
) -> Result<Encoder<S>, Error> {
    let device = clapp::device(device)?;
    match seed {
        None => Encoder::load(run, &device),
        Some(seed) => Encoder::load_seed(run, seed, &device),
    }
}

const ABOUT: &str = "embed.json";
const LABELS: &str = "labels.npy";
const NAMES: &str = "names.csv";

fn file_of(layer: usize) -> String {
    format!("layer{}.npy", layer + 1)
}

fn is_ours(name: &str) -> bool {
    let layer = name.strip_prefix("layer").and_then(|rest| rest.strip_suffix(".npy"));
    [ABOUT, LABELS, NAMES].contains(&name) || layer.is_some_and(|l| l.parse::<usize>().is_ok())
}

/// The images that are asked for.
fn images(options: &Options, encoder: &image::Encoder) -> Result<Asked<Images>, Error> {
    if let Some(root) = &options.images {
        // As large as the run's own were, so that its pipeline takes them.
        let side = match encoder.config().setup.data {
            DataConfig::Folder { side, .. } => side,
            DataConfig::Synthetic { .. } | DataConfig::Stl10 { .. } => 96,
            _ => encoder.pipeline().crop,
        };
        let folder = Folder::open(root, side)?;
        for skipped in folder.skipped().iter() {
            console::note(format_args!("note: left out {skipped}"));
        }
        let name = folder.name().to_owned();
        return Ok((Arc::new(folder), name, "all"));
    }
    let mut config = encoder.config().clone();
    match options.sets.images() {
        Some(Images::Cifar10(root, sizes)) => {
            let (unlabelled, reused, tested_on) = (usize::MAX, true, Held::Test);
            config.setup.data = DataConfig::Cifar10 { root, sizes, unlabelled, reused, tested_on };
        }
        Some(Images::Stl10(root, sizes)) => config.setup.data = DataConfig::Stl10 { root, sizes },
        _ => {}
    }
    part(options, &config, encoder.seed())
}

/// The recordings that are asked for.
fn sounds(options: &Options, encoder: &sound::Encoder) -> Result<Asked<Sound>, Error> {
    let mut config = encoder.config().clone();
    let Some(root) = &options.sounds else { return part(options, &config, encoder.seed()) };
    let mut files = FilesConfig::folder(&absolute(root), None);
    if let sound::DataConfig::Files(own) = &config.setup.data {
        (files.rates, files.on_bad) = (own.rates, own.on_bad);
    }
    config.setup.data = sound::DataConfig::Files(files);
    let Data { learn, names: [name, _], notes, .. } = Data::<Sound>::open(&config, encoder.seed())?;
    for note in notes.iter().filter(|note| note.contains("left out")) {
        console::note(format_args!("note: {note}"));
    }
    Ok((learn, name, "all"))
}

/// The clips that are asked for.
fn videos(options: &Options, encoder: &video::Encoder) -> Result<Asked<Video>, Error> {
    let config = encoder.config();
    let Some(root) = &options.videos else { return part(options, config, encoder.seed()) };
    let root = absolute(root);
    let mut clips = ClipsConfig::new(Place::Folders { root: root.clone(), test_share: 0.5 });
    if let video::DataConfig::Clips(own) = &config.setup.data {
        (clips.short_side, clips.on_bad) = (own.short_side, own.on_bad);
    }
    let list = ClipList::folders(&root, clips.on_bad)?;
    let prepared = clips.prepare_list(list, |_| {})?;
    if !prepared.skipped().is_empty() {
        console::note(format_args!("note: {}", prepared.skipped()));
    }
    let name = prepared.name().to_owned();
    Ok((Arc::new(prepared), name, "all"))
}

/// A part of the data of a configuration.
fn part<S: Sense>(options: &Options, config: &RunConfig<S>, seed: u64) -> Result<Asked<S>, Error> {
    let Data { learn, labelled, names: [learnt, read], .. } = Data::<S>::open(config, seed)?;
    Ok(match (options.part, labelled) {
        (Part::Learn, _) | (Part::Test, None) => (learn, learnt, "learn"),
        (Part::Train, Some([train, _])) => (train, read, "train"),
        (Part::Test, Some([_, test])) => (test, read, "test"),
        (Part::Train, None) => {
            let got = format!("data without labels: {learnt}");
            return Err(Error::misfit_of("part", "labelled samples", got, "choose learn"));
        }
    })
}

/// What the files of layers hold.
struct Layers {
    /// Samples in the order of their rows: those of the source that are long enough.
    samples: Vec<usize>,
    /// Rows of each sample.
    each: Vec<usize>,
    /// Rows of all.
    rows: usize,
    /// Features of each layer.
    dims: Vec<usize>,
}

impl Layers {
    /// Writes the features of each layer while they are made.
    fn of<S: Encodes>(
        encoder: &Encoder<S>,
        source: &S::Source,
        frames: bool,
        folder: &Path,
    ) -> Result<Self, Error> {
        let failed = |source| failed(folder, source);
        let loader = encoder.loader(source.clone())?;
        for reason in loader.skipped().iter() {
            console::note(format_args!("note: left out {reason}"));
        }
        let samples = loader.kept().to_vec();
        let rows = |&sample: &usize| if frames { encoder.rows(source, sample) } else { 1 };
        let each: Vec<usize> = samples.iter().map(rows).collect();
        let rows = each.iter().sum();
        let (mut dims, mut files) = (Vec::new(), Vec::new());
        for batch in loader.epoch(0)? {
            let batch = batch?;
            let layers = if frames { encoder.features(&batch) } else { encoder.means(&batch) };
            if files.is_empty() {
                dims = layers.iter().map(|layer| layer.ncols()).collect();
                let begin = |(layer, &dim): (usize, &usize)| {
                    begin(&folder.join(file_of(layer)), [rows, dim])
                };
                files = dims
                    .iter()
                    .enumerate()
                    .map(begin)
                    .collect::<io::Result<_>>()
                    .map_err(failed)?;
            }
            for (file, values) in files.iter_mut().zip(&layers) {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
                file.write_all(&bytes).map_err(failed)?;
            }
        }
        files.iter_mut().try_for_each(BufWriter::flush).map_err(failed)?;
        Ok(Self { samples, each, rows, dims })
    }
}

/// A file of NumPy's whose rows are still to be written, in this machine's order of bytes.
fn begin(path: &Path, shape: [usize; 2]) -> io::Result<BufWriter<File>> {
    let file = File::create_new(path)?;
    write_zeroed_npy::<f32, _>(&file, shape).map_err(io::Error::other)?;
    Ok(BufWriter::new(file)) // stands where the values begin
}

/// Labels, if there are any, with −1 for none; and what each row, or each first of several rows, is of.
fn write_names<I: Item>(
    folder: &Path,
    source: &dyn Source<Item = I>,
    Layers { samples, each, .. }: &Layers,
) -> io::Result<()> {
    let label = |&sample: &usize| I::class(&source.info(sample));
    let labels: Vec<Option<u32>> = samples.iter().map(label).collect();
    if labels.iter().any(Option::is_some) {
        let mut file = File::create_new(folder.join(LABELS))?;
        write_zeroed_npy::<i64, _>(&file, [labels.len()]).map_err(io::Error::other)?;
        let column = labels.iter().map(|label| label.map_or(-1, i64::from));
        file.write_all(&column.flat_map(i64::to_ne_bytes).collect::<Vec<_>>())?;
    }
    let mut names = csv::Writer::from_path(folder.join(NAMES))?;
    let several = each.iter().any(|&rows| rows != 1);
    let mut line = |fields: [&str; 5]| names.write_record(&fields[..if several { 5 } else { 4 }]);
    line(["row", "name", "label", "class", "rows"])?;
    let mut row = 0;
    for ((&sample, label), rows) in samples.iter().zip(labels).zip(each) {
        let class = label.and_then(|label| source.class_name(label as usize)).unwrap_or_default();
        let label = label.map_or(String::new(), |label| label.to_string());
        let (number, first) = (sample.to_string(), row.to_string());
        let name = source.item_name(sample).unwrap_or(&number);
        line([&first, name, &label, class, &rows.to_string()])?;
        row += rows;
    }
    names.flush()
}

fn failed(folder: &Path, source: io::Error) -> Error {
    store::Error::Io { action: "write features", path: folder.to_owned(), source }.into()
}
