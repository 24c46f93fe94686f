//! `clapp export`: weights of an encoder for PyTorch.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use clapp::{
    Error, Images, Sound, Video,
    encoder::Encodes,
    store::{self, TensorFile},
};

use crate::{
    config::{self, Kind},
    output::print,
};

/// Write weights of a run's encoder as safetensors, by PyTorch's names, with a Python file that loads them.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the run
    run: PathBuf,
    /// File for the weights; a Python file of the same name stands beside it
    #[arg(short, long, value_name = "FILE.safetensors")]
    out: PathBuf,
    /// Seed of the run whose encoder is taken: that of the newest checkpoint unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Replace files that are there
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let (weights, python) = (&options.out, options.out.with_extension("py"));
    let misfit = |expected: &str, got: String, advice| {
        Err(Error::misfit_of("export", expected, got, advice))
    };
    if weights.extension().is_none_or(|end| end != "safetensors") {
        let got = weights.display().to_string();
        return misfit("a file that ends in .safetensors", got, "choose another name");
    }
    if let Some(there) = [weights, &python].into_iter().find(|file| file.exists()) {
        let got = format!("{} is there", there.display());
        if !options.overwrite {
            return misfit("a name that is free", got, "choose another, or say --overwrite");
        }
    }
    let name = weights.file_name().unwrap_or_default().to_string_lossy();
    let (tensors, module) = match config::kind_of_run(&options.run)? {
        Kind::Images => of_encoder::<Images>(options, &name),
        Kind::Sound => of_encoder::<Sound>(options, &name),
        Kind::Video => of_encoder::<Video>(options, &name),
    }?;
    // One entry alone: the order of several is not fixed.
    let about = [("format".to_owned(), "pt".to_owned())].into();
    let bytes = safetensors::serialize(&tensors, Some(about)).map_err(|source| {
        let source = std::io::Error::other(source);
        store::Error::Io { action: "write weights", path: weights.clone(), source }
    })?;
    store::write_atomically(weights, |file| file.write_all(&bytes))?;
    store::write_atomically(&python, |file| file.write_all(module.as_bytes()))?;
    let (count, weights, python) = (tensors.len(), weights.display(), python.display());
    print(format_args!("{count} tensors in {weights}, to load with {python}"))
}

/// Weights, and the Python file that loads those of this name.
fn of_encoder<S: Encodes>(
    options: &Options,
    name: &str,
) -> Result<(BTreeMap<String, TensorFile>, String), Error> {
    let encoder = crate::embed::load::<S>(&options.run, options.seed, "flex")?;
    Ok((encoder.weights(), encoder.python(name)))
}
