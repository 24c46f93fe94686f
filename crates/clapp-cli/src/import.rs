//! `clapp import`: the authors' weights as a run of ours.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
};

use clap::Args;
use clapp::{
    Error, Images, Run, RunConfig,
    encoders::Stack,
    image::{Setup, SizesConfig},
    preset,
    rules::{Feedback, State, burn::tensor::TensorData},
};
use pytorch_reader::{DType, PickleValue, PytorchReader};

use crate::{data::absolute, output::print};

/// Weights that the authors' code saved, model_0_299.ckpt to model_5_299.ckpt, as a run at step 0.
///
/// Nothing in a file is executed. The run can be embedded, probed, exported and trained on.
#[derive(Args)]
pub(crate) struct Options {
    /// One file for each module, of one layer each.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Folder of the run, new or empty.
    #[arg(short, long)]
    out: PathBuf,
    /// Method that they were trained with: clapp-s, or clapp where files have loss_mirror.
    #[arg(long)]
    method: Option<String>,
    /// Seed of what is drawn from now on.
    #[arg(long, default_value_t = 2)]
    seed: u64,
    /// Folder of STL-10, for read-outs and further training; needed by then.
    #[arg(long, value_name = "DIR", default_value = "data")]
    stl10: PathBuf,
    /// Accept other than the official numbers of images there.
    #[arg(long)]
    any_size: bool,
}

/// A state dict: shapes and values by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A module's file.
struct Module {
    file: PathBuf,
    tensors: Tensors,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut modules = BTreeMap::new();
    for file in &options.files {
        let module = Module { file: file.clone(), tensors: read(file)? };
        if modules.insert(number(file)?, module).is_some() {
            return Err(refused("a file for each module", "two of one number", file));
        }
    }
    let config = configuration(&modules, options)?;
    let count = modules.len();
    let state = state(&config, modules.into_values().collect())?;
    Run::<Images>::begin_with(&options.out, &config, state)?;
    let (method, out) = (&config.method, options.out.display());
    print(format_args!("{count} modules as {method} at step 0 in {out}"))
}

fn refused(expected: impl Display, got: impl Display, file: &Path) -> Error {
    let got = format!("{got} in {}", file.display());
    Error::misfit_of("import", expected, got, "give the authors' files of one run as they are")
}

/// The module's number in a name such as `model_3_299.ckpt`.
fn number(file: &Path) -> Result<usize, Error> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let number = name.strip_prefix("model_").and_then(|rest| rest.split('_').next()?.parse().ok());
    number.ok_or_else(|| refused("a name such as model_0_299.ckpt", name, file))
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

/// The authors' architecture, with the widths and the prediction steps of the files.
fn configuration(
    modules: &BTreeMap<usize, Module>,
    options: &Options,
) -> Result<RunConfig<Images>, Error> {
    let Some(first) = modules.values().next() else {
        return Err(refused("at least one file", "none", &options.out));
    };
    let mirrored = first.tensors.contains_key("loss_mirror.W_k.0.weight");
    let method = options.method.as_deref().unwrap_or(if mirrored { "clapp" } else { "clapp-s" });
    let sizes = if options.any_size { SizesConfig::Any } else { SizesConfig::Official };
    let images = Images::Stl10(absolute(&options.stl10), sizes);
    let mut config = preset("paper", method, &images, &[options.seed])?;
    let layers = config.setup.encoder.layers.len();
    if !modules.keys().copied().eq(0..layers) {
        let got = format!("{:?}", modules.keys().collect::<Vec<_>>());
        return Err(refused(format!("the modules 0 to {}", layers - 1), got, &first.file));
    }
    for (layer, module) in config.setup.encoder.layers.iter_mut().zip(modules.values()) {
        let clapp::encoders::LayerPlan::Rectified(plan) = layer else { continue };
        let weight = module.tensors.get("model.0.weight");
        let channels = weight.and_then(|(shape, _)| shape.first().copied());
        plan.channels = channels.ok_or_else(|| refused("model.0.weight", "none", &module.file))?;
    }
    let Some(rule) = config.setup.rule.over_time_mut() else {
        let (expected, advice) = ("a method that predicts patches", "leave it out");
        return Err(Error::misfit_of("--method", expected, format!("{method:?}"), advice));
    };
    let steps = first.tensors.keys().filter(|name| name.starts_with("loss.W_k."));
    rule.prediction_steps = steps.count();
    Ok(config)
}

/// The network's state: the authors' W_k are W_predᵀ, those of loss_mirror W_retro as they stand.
fn state(config: &RunConfig<Images>, modules: Vec<Module>) -> Result<State, Error> {
    let Setup { encoder, rule, context, .. } = &config.setup;
    let (device, seed) = (clapp::device("flex")?, config.seeds[0]);
    let stack = Stack::images(encoder, rule.rule(), *context, seed, &device)?;
    let mut state = State::default();
    stack.save(&mut state);
    let (channels, mut pre) = (encoder.channels(), encoder.colours);
    let rule = rule.over_time().expect("checked when the configuration was made");
    let halves: &[_] = match rule.feedback {
        Feedback::PredRetro => &[("loss", "w_pred"), ("loss_mirror", "w_retro")],
        _ => &[("loss", "w_pred")],
    };
    for (layer, mut module) in modules.into_iter().enumerate() {
        let (z, c) = (channels[layer], channels[context.of(layer, channels.len())]);
        let mut put = |name: &str, values: Vec<f32>, shape: &[usize]| {
            let data = TensorData::new(values, shape.to_vec());
            state.tensors.insert(format!("layer{}.{name}", layer + 1), data);
        };
        let weight = [z, pre, 3, 3];
        put("weight", module.take("model.0.weight", &weight)?, &weight);
        put("bias", module.take("model.0.bias", &[z])?, &[z]);
        for (theirs, ours) in halves {
            let mut all = Vec::new();
            for k in 0..rule.prediction_steps {
                let w = module.take(&format!("{theirs}.W_k.{k}.weight"), &[c, z, 1, 1])?;
                match *ours {
                    "w_pred" => all.extend((0..z * c).map(|i| w[i % c * z + i / c])),
                    _ => all.extend(w),
                }
            }
            let shape = if *ours == "w_pred" { [z, c] } else { [c, z] };
            put(ours, all, &[rule.prediction_steps, shape[0], shape[1]]);
        }
        if let Some(name) = module.tensors.keys().next() {
            let expected = format!("the weights of one layer of {}", config.method);
            return Err(refused(expected, format!("{name} as well"), &module.file));
        }
        pre = z;
    }
    Ok(state)
}

impl Module {
    /// Takes a tensor of a shape out of the file's.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let expected = format!("{name} of shape {shape:?}");
        match self.tensors.remove(name) {
            Some((found, values)) if found == shape => Ok(values),
            Some((found, _)) => Err(refused(expected, format!("{found:?}"), &self.file)),
            None => Err(refused(expected, "none", &self.file)),
        }
    }
}
