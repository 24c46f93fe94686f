//! `clapp import`: the authors' weights as a run of ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::{Path, PathBuf},
};

use clap::Args;
use clapp::{
    Error, Images, Run, RunConfig,
    encoders::{LayerPlan, Stack},
    image::{Setup, SizesConfig},
    preset,
    rules::{State, burn::tensor::TensorData},
};
use pytorch_reader::{DType, PickleValue, PytorchReader};

use crate::{
    data::{Sets, absolute},
    output::print,
};

mod patches;
mod views;

/// Weights that the authors' code saved, of CLAPP or CLAPP++, as a run at step 0.
///
/// Files are model_0_299.ckpt to model_5_299.ckpt, of CLAPP++ loss_299.ckpt as well, or the state dict of a whole network.
/// Nothing in a file is executed. The run can be embedded, probed, exported and trained on.
#[derive(Args)]
pub(crate) struct Options {
    /// One file for each module, of one layer each, and that of the loss; or one of the whole network
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Folder of the run, new or empty
    #[arg(short, long)]
    out: PathBuf,
    /// Method that they were trained with, where names and shapes of the weights do not tell it
    #[arg(long)]
    method: Option<String>,
    /// Seed of what is drawn from now on
    #[arg(long, default_value_t = 2)]
    seed: u64,
    // For read-outs and further training, needed by then: STL-10 in the folder data if none are named.
    #[command(flatten)]
    sets: Sets,
}

/// A state dict: shapes and values by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Tensors of a whole network by the authors' names: those of a module begin with `encoder.NUMBER.`, those of losses that
/// are none of a module with `loss`. With each the file that it comes from.
struct Weights {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>, PathBuf)>,
    place: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut weights = Weights::of(&options.files)?;
    let of_patches = weights.has("encoder.0.loss.W_k.0.weight");
    let config = match of_patches {
        true => patches::configuration(&weights, options)?,
        false => views::configuration(&weights, options)?,
    };
    let Setup { encoder, rule, context, .. } = &config.setup;
    let device = clapp::device("flex")?;
    let stack = Stack::images(encoder, rule.rule(), *context, options.seed, &device)?;
    let mut state = State::default();
    stack.save(&mut state);
    let channels = encoder.channels();
    let mut pre = encoder.colours;
    for (layer, &post) in channels.iter().enumerate() {
        let mut forward = |name: &str, shape: &[usize]| {
            let theirs = format!("encoder.{layer}.model.0.{name}");
            put(
                &mut state,
                &format!("layer{}.{name}", layer + 1),
                weights.take(&theirs, shape)?,
                shape,
            );
            Ok::<_, Error>(())
        };
        forward("weight", &[post, pre, 3, 3])?;
        forward("bias", &[post])?;
        pre = post;
    }
    match of_patches {
        true => patches::lateral(&mut weights, &config, &mut state)?,
        false => views::lateral(&mut weights, &config, &mut state)?,
    }
    if let Some((name, (.., file))) = weights.tensors.iter().next() {
        let expected = format!("the weights of {} layers of {}", channels.len(), config.method);
        return Err(refused(expected, format!("{name} as well"), file));
    }
    Run::<Images>::begin_with(&options.out, &config, state)?;
    let (method, out, count) = (&config.method, options.out.display(), channels.len());
    print(format_args!("{count} modules as {method} at step 0 in {out}"))
}

fn put(state: &mut State, name: &str, values: Vec<f32>, shape: &[usize]) {
    state.tensors.insert(name.to_owned(), TensorData::new(values, shape.to_vec()));
}

fn refused(expected: impl Display, got: impl Display, file: &Path) -> Error {
    let got = format!("{got} in {}", file.display());
    Error::misfit_of("import", expected, got, "give the authors' files of one run as they are")
}

/// The authors' architecture, with the widths of the files.
fn architecture(
    weights: &Weights,
    options: &Options,
    method: &str,
) -> Result<RunConfig<Images>, Error> {
    let usual = || Images::Stl10(absolute("data".as_ref()), SizesConfig::Official);
    let images = options.sets.images().unwrap_or_else(usual);
    let method = options.method.as_deref().unwrap_or(method);
    let mut config = preset("paper", method, &images, &[options.seed])?;
    let layers = &mut config.setup.encoder.layers;
    let modules = weights.modules();
    if !modules.iter().copied().eq(0..layers.len()) {
        let expected = format!("the modules 0 to {}", layers.len() - 1);
        return Err(refused(
            expected,
            format!("{:?}", modules.iter().collect::<Vec<_>>()),
            &weights.place,
        ));
    }
    for (layer, plan) in layers.iter_mut().enumerate() {
        let name = format!("encoder.{layer}.model.0.weight");
        let LayerPlan::Rectified(plan) = plan else { continue };
        plan.channels = weights.sides(&name)?[0];
    }
    Ok(config)
}

impl Weights {
    fn of(files: &[PathBuf]) -> Result<Self, Error> {
        let place = files.first().cloned().unwrap_or_default();
        let mut all = Self { tensors: BTreeMap::new(), place };
        for file in files {
            let prefix = prefix(file);
            for (name, (shape, values)) in read(file)? {
                let whole = name.strip_prefix("module.").unwrap_or(&name);
                let name =
                    prefix.as_ref().map_or(whole.to_owned(), |prefix| prefix.clone() + &name);
                if !["encoder.", "loss"].iter().any(|start| name.starts_with(start)) {
                    let expected =
                        "a name such as model_0_299.ckpt or loss_299.ckpt, or a whole network";
                    return Err(refused(expected, name, file));
                }
                if all.tensors.insert(name, (shape, values, file.clone())).is_some() {
                    return Err(refused("a file for each module", "two of one number", file));
                }
            }
        }
        Ok(all)
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Numbers of the modules.
    fn modules(&self) -> BTreeSet<usize> {
        let number = |name: &String| name.strip_prefix("encoder.")?.split('.').next()?.parse().ok();
        self.tensors.keys().filter_map(number).collect()
    }

    /// The first two sides of a tensor: what comes out, what goes in.
    fn sides(&self, name: &str) -> Result<[usize; 2], Error> {
        match self.tensors.get(name).map(|(shape, ..)| &shape[..]) {
            Some(&[post, pre, ..]) => Ok([post, pre]),
            _ => Err(refused(name, "none", &self.place)),
        }
    }

    /// Takes a tensor of a shape out.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let expected = format!("{name} of shape {shape:?}");
        match self.tensors.remove(name) {
            Some((found, values, _)) if found == shape => Ok(values),
            Some((found, _, file)) => Err(refused(expected, format!("{found:?}"), &file)),
            None => Err(refused(expected, "none", &self.place)),
        }
    }
}

/// What the names of tensors begin with in a whole network, if the file is a part of one: `model_3_299.ckpt`, `loss_299.ckpt`.
fn prefix(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_string_lossy().into_owned();
    if name.starts_with("loss_") {
        return Some("loss.".to_owned());
    }
    let number: usize = name.strip_prefix("model_")?.split_once('_')?.0.parse().ok()?;
    Some(format!("encoder.{number}."))
}

/// A state dict of single precision; whatever else a pickle may hold is refused.
fn read(file: &Path) -> Result<Tensors, Error> {
    let damaged =
        |error: &dyn Display| refused("what torch.save wrote", format!("\"{error}\""), file);
    let root = PytorchReader::read_pickle_data(file, None).map_err(|error| damaged(&error))?;
    let expected = "a dictionary of tensors and nothing else";
    let PickleValue::Dict(entries) = root else {
        return Err(refused(expected, kind(&root), file));
    };
    // A state dict carries versions of its modules, which are none of ours.
    let foreign = |(name, value): &(&String, &PickleValue)| {
        kind(value) != "torch.Tensor" && *name != "_metadata"
    };
    if let Some((name, value)) = entries.iter().find(foreign) {
        return Err(refused(expected, format!("{} under {name:?}", kind(value)), file));
    }
    let reader = PytorchReader::new(file).map_err(|error| damaged(&error))?;
    let values = |tensor: pytorch_reader::Tensor| {
        if tensor.dtype() != DType::F32 {
            let got = format!("{:?} in {}", tensor.dtype(), tensor.name);
            return Err(refused("single precision (float32)", got, file));
        }
        let bytes = tensor.read().map_err(|error| damaged(&error))?;
        let (words, _) = bytes.as_chunks();
        Ok((tensor.shape().to_vec(), words.iter().map(|word| f32::from_ne_bytes(*word)).collect()))
    };
    reader.into_tensors().into_iter().map(|(name, tensor)| Ok((name, values(tensor)?))).collect()
}

/// What a value of a pickle is, in Python's words.
fn kind(value: &PickleValue) -> &str {
    match value {
        PickleValue::Unsupported(kind) => kind,
        PickleValue::Dict(_) => "a dictionary",
        PickleValue::List(_) => "a list",
        _ => "a plain value",
    }
}
