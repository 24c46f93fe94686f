//! `clapp embed`: features of every layer, as files that NumPy and others read.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use clapp::{
    Data, Error, Images,
    console::{self, print},
    datasets::{Folder, Source as _},
    image::{DataConfig, Encoder, Held, SizesConfig, Source},
    store::{self, write_folder},
};
use ndarray_npy::write_zeroed_npy;
use serde_json::json;

/// Features of every layer of a run, one file a layer, and what they are of.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the run.
    run: PathBuf,
    /// All photographs below this folder, in place of the run's own data.
    #[arg(short, long, value_name = "DIR", group = "data", conflicts_with = "part")]
    images: Option<PathBuf>,
    /// CIFAR-10 in this folder, in place of the run's own data.
    #[arg(long, value_name = "DIR", group = "data")]
    cifar10: Option<PathBuf>,
    /// STL-10 in this folder, in place of the run's own data.
    #[arg(long, value_name = "DIR", group = "data")]
    stl10: Option<PathBuf>,
    /// Accept other than the official numbers of images.
    #[arg(long, requires = "data")]
    any_size: bool,
    /// Which part of the data.
    #[arg(long, value_enum, default_value = "test")]
    part: Part,
    /// Seed of the run whose encoder is taken: that of the newest checkpoint unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Folder for the features; new or empty.
    #[arg(short, long)]
    out: PathBuf,
    /// Replace features that are there.
    #[arg(long)]
    overwrite: bool,
    /// Where to compute.
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
    let encoder = load(&options.run, options.seed, &options.device)?;
    let (source, data, part) = images(options, &encoder)?;
    if source.is_empty() {
        let got = format!("none in {data}");
        return Err(Error::misfit_of("embed", "at least one image", got, "give other images"));
    }
    let replaceable = |name: &str| options.overwrite && is_ours(name);
    let dims = write_folder(&options.out, &replaceable, |folder| {
        let (labels, dims) = write_layers(&encoder, &source, folder)?;
        write_names(folder, &source, &labels).map_err(|source| failed(folder, source))?;
        let about = json!({
            "run": options.run, "run_digest": encoder.digest(), "step": encoder.step(),
            "seed": encoder.seed(), "data": data, "part": part,
            "images": source.len(), "features": dims, "cells": encoder.cells(),
            "command": std::env::args().collect::<Vec<_>>(),
        });
        let text = format!("{about:#}\n");
        store::write_atomically(folder.join(ABOUT), |file| file.write_all(text.as_bytes()))?;
        Ok::<_, Error>(dims)
    })?;
    print(format_args!("{} images of {data} at step {}", source.len(), encoder.step()))?;
    dims.iter().enumerate().try_for_each(|(layer, dim)| {
        let path = options.out.join(file_of(layer));
        print(format_args!("{}: {} × {dim}", path.display(), source.len()))
    })
}

/// The encoder of a run, or of one of its seeds.
pub(crate) fn load(run: &Path, seed: Option<u64>, device: &str) -> Result<Encoder, Error> {
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

/// The images that are asked for, and names of their data and of the part.
fn images(options: &Options, encoder: &Encoder) -> Result<(Source, String, &'static str), Error> {
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
        return Ok((std::sync::Arc::new(folder), name, "all"));
    }
    let mut config = encoder.config().clone();
    let sizes = if options.any_size { SizesConfig::Any } else { SizesConfig::Official };
    if let Some(root) = options.cifar10.clone() {
        let (unlabelled, reused, tested_on) = (usize::MAX, true, Held::Test);
        config.setup.data = DataConfig::Cifar10 { root, sizes, unlabelled, reused, tested_on };
    }
    if let Some(root) = options.stl10.clone() {
        config.setup.data = DataConfig::Stl10 { root, sizes };
    }
    let Data::<Images> { learn, labelled, names: [learnt, read], .. } =
        Data::open(&config, encoder.seed())?;
    Ok(match (options.part, labelled) {
        (Part::Learn, _) | (Part::Test, None) => (learn, learnt, "learn"),
        (Part::Train, Some([train, _])) => (train, read, "train"),
        (Part::Test, Some([_, test])) => (test, read, "test"),
        (Part::Train, None) => {
            let got = format!("data without labels: {learnt}");
            return Err(Error::misfit_of("part", "labelled images", got, "choose learn"));
        }
    })
}

/// Writes the features of each layer while they are made; labels, and features of each layer.
fn write_layers(
    encoder: &Encoder,
    source: &Source,
    folder: &Path,
) -> Result<(Vec<Option<u32>>, Vec<usize>), Error> {
    let (mut labels, mut dims, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let failed = |source| failed(folder, source);
    for batch in encoder.loader(source.clone())?.epoch(0)? {
        let batch = batch?;
        let layers = encoder.features(&batch);
        labels.extend(batch.labels);
        if files.is_empty() {
            dims = layers.iter().map(|layer| layer.ncols()).collect();
            let begin = |(layer, &dim): (usize, &usize)| {
                begin(&folder.join(file_of(layer)), [source.len(), dim])
            };
            files =
                dims.iter().enumerate().map(begin).collect::<io::Result<_>>().map_err(failed)?;
        }
        for (file, values) in files.iter_mut().zip(&layers) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
            file.write_all(&bytes).map_err(failed)?;
        }
    }
    files.iter_mut().try_for_each(BufWriter::flush).map_err(failed)?;
    Ok((labels, dims))
}

/// A file of NumPy's whose rows are still to be written, in this machine's order of bytes.
fn begin(path: &Path, shape: [usize; 2]) -> io::Result<BufWriter<File>> {
    let file = File::create_new(path)?;
    write_zeroed_npy::<f32, _>(&file, shape).map_err(io::Error::other)?;
    Ok(BufWriter::new(file)) // stands where the values begin
}

/// Labels, if there are any, with −1 for none; and what each row is of.
fn write_names(folder: &Path, source: &Source, labels: &[Option<u32>]) -> io::Result<()> {
    if labels.iter().any(Option::is_some) {
        let mut file = File::create_new(folder.join(LABELS))?;
        write_zeroed_npy::<i64, _>(&file, [labels.len()]).map_err(io::Error::other)?;
        let column = labels.iter().map(|label| label.map_or(-1, i64::from));
        file.write_all(&column.flat_map(i64::to_ne_bytes).collect::<Vec<_>>())?;
    }
    let mut names = csv::Writer::from_path(folder.join(NAMES))?;
    names.write_record(["row", "name", "label"])?;
    for (row, label) in labels.iter().enumerate() {
        let label = label.map_or(String::new(), |label| label.to_string());
        let (name, row) = (source.item_name(row), row.to_string());
        names.write_record([&row, name.unwrap_or(&row), &label])?;
    }
    names.flush()
}

fn failed(folder: &Path, source: io::Error) -> Error {
    store::Error::Io { action: "write features", path: folder.to_owned(), source }.into()
}
