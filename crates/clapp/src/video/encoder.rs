//! A trained encoder of moving pictures.

use clapp_datasets::{
    LoaderConfig,
    video::{ClipBatch, ClipPipeline, Sampling},
};
use clapp_encoders::{BlockPlan, FilmPool, NormOrder};
use ndarray::{Array2, Axis};

use super::{
    ClipLoader, Film, Source, Video,
    data::{centred, views},
    readout::blocks,
};
use crate::{
    Error,
    encoder::{Encodes, NoRule},
    look::over_places,
    sense::Trial,
    torch::{Torch, TorchLayer},
};

/// The blocks of a run on video by themselves.
pub type Encoder = crate::Encoder<Video>;

impl Encodes for Video {
    type Stack = Film;
    type Batcher = (Sampling, ClipPipeline);

    fn stack(trial: &Trial<Self>) -> Result<Film, Error> {
        let encoder = &trial.config.setup.encoder;
        Ok(Film::video(encoder, &NoRule, trial.seed, &trial.device)?.frozen())
    }

    fn in_order(trial: &Trial<Self>, clips: Source) -> Result<ClipLoader, Error> {
        let readout = &trial.config.setup.readout;
        let settings = LoaderConfig { batch_size: readout.batch, ..LoaderConfig::clips_in_order() };
        views(&clips, &centred(&readout.sampling), &readout.plain, settings)
    }

    fn features(trial: &Trial<Self>, stack: &Film, batch: &ClipBatch) -> Vec<Array2<f32>> {
        blocks(stack, batch, &trial.device)
    }

    fn units(trial: &Trial<Self>, layer: usize, features: Array2<f32>) -> Array2<f32> {
        over_places(&features, trial.config.setup.encoder.channels()[layer], Axis(2))
    }

    fn torch(trial: &Trial<Self>) -> Torch {
        let setup = &trial.config.setup;
        let mut pre = setup.encoder.colours;
        let block = |(layer, block): (usize, &BlockPlan)| {
            let (modules, norm) = modules(block, pre, setup.encoder.order);
            pre = block.channels;
            let mut layer = TorchLayer::sequential(layer, 0, &modules).with_statistics(norm);
            for (ours, theirs) in [("norm.gain", "weight"), ("norm.shift", "bias")] {
                layer.tensors.push((ours, format!("model.{norm}.{theirs}")));
            }
            layer
        };
        let layers = setup.encoder.blocks.iter().enumerate().map(block).collect();
        let readout = &setup.readout;
        let input = format!(
            "Clips are [clip, colour, frame, row, column], frames and pixels prepared by\n{}\n{}",
            serde_json::to_string(&centred(&readout.sampling)).unwrap_or_default(),
            serde_json::to_string(&readout.plain).unwrap_or_default(),
        );
        Torch { input, helpers: "", layers, features: FEATURES.to_owned() }
    }
}

/// The modules of a block, and the place of the normalisation among them.
fn modules(block: &BlockPlan, pre: usize, order: NormOrder) -> (String, usize) {
    let BlockPlan { channels, kernel, stride, padding, pool } = *block;
    let tuple = |[t, y, x]: [usize; 3]| format!("({t}, {y}, {x})");
    let convolution = format!(
        "nn.Conv3d({pre}, {channels}, {}, {}, {})",
        tuple(kernel),
        tuple(stride),
        tuple(padding)
    );
    let norm = format!("nn.BatchNorm3d({channels})");
    let pool = match pool {
        FilmPool::Nothing => "",
        FilmPool::Max3 => ", nn.MaxPool3d((1, 3, 3), (1, 2, 2))",
    };
    match order {
        NormOrder::AfterRelu => (format!("{convolution}, nn.ReLU(), {norm}{pool}"), 2),
        NormOrder::BeforeRelu => (format!("{convolution}, {norm}, nn.ReLU(){pool}"), 1),
    }
}

const FEATURES: &str = r#"def features(clips):
    """[clip, feature] of each block, from the input up: means over time, in the order channel, row, column."""
    x = clips
    for layer in layers:
        x = layer["model"](x)
        yield x.mean(2).flatten(1)
"#;
