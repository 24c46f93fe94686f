//! Named configurations of runs on video.

use clapp_datasets::video::{ClipPipeline, Filter, Sampling, Short, Start, Step};
use clapp_encoders::VideoConfig;
use clapp_eval::Protocol;
use clapp_rules::{AllPairs, Optimizer};

use super::{DataConfig, Place, ReadoutConfig, Setup, Video};
use crate::{
    Error, RunConfig,
    preset::{Method, Presets, Published, Size},
};

/// Names of the methods for video, for messages.
pub const METHODS: &str = "clapp-s, clapp, gim, cpc, hinge-cpc, supervised, clapp-s-still, \
    clapp-still, gim-still, cpc-still, hinge-cpc-still, supervised-still";

impl Presets for Video {
    const METHODS: &'static str = METHODS;
    const ENDINGS: &'static [&'static str] = &["-still"];
    const PUBLISHED: &'static [Published] = super::PUBLISHED;

    fn published_as(&self) -> Option<&'static str> {
        let Self::Clips(clips) = self else { return None };
        matches!(clips.place, Place::Ucf101 { .. }).then_some("ucf101")
    }

    fn preset(&self, size: Size, method: &Method<'_>) -> Result<RunConfig<Self>, Error> {
        let mut config = match size {
            Size::Paper => paper(self, method)?,
            Size::Quick => quick(self, size, method)?,
            Size::Smoke => smoke(self, method)?,
        };
        config.setup.rule = match method.rule {
            "clapp" => AllPairs::clapp(),
            "gim" => AllPairs::gim(),
            _ => AllPairs::clapp_s(),
        };
        if method.learning.needs_labels() {
            learn_from_labels(&mut config, size);
        }
        Ok(config)
    }
}

/// What learning from labels sees: the clips, views and rate of the read-outs.
///
/// # Paper
/// `finetune.py`: 200 epochs, here of the 3,128 clips of UCF-101's split 1 that are long enough.
fn learn_from_labels(config: &mut RunConfig<Video>, size: Size) {
    let Setup { sampling, encoder, pipeline, clips, readout, .. } = &mut config.setup;
    *sampling = readout.sampling.clone();
    encoder.frames = sampling.length;
    *pipeline = readout.training.clone();
    if size == Size::Paper {
        *clips = 200 * 391 * 8;
        config.optimizer = adam(1e-4);
    }
}

/// Whether the encoder has no kernels in time.
fn still(method: &Method<'_>) -> bool {
    method.ending == "-still"
}

/// Adam with the authors' weight decay.
fn adam(rate: f64) -> Optimizer {
    Optimizer::Adam { rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, decay: 1e-5 }
}

/// The published settings (Illing et al. 2021, appendix; the authors' `commands.txt`).
fn paper(video: &Video, method: &Method<'_>) -> Result<RunConfig<Video>, Error> {
    let Video::Clips(clips) = video else {
        return Err(Error::misfit_of(
            "preset paper",
            "videos",
            "the embedded moving scenes in the configuration",
            "give a folder, or use the preset quick",
        ));
    };
    let mut setup = Setup {
        data: DataConfig::Clips(clips.clone()),
        sampling: Sampling::self_supervised(),
        pipeline: ClipPipeline::self_supervised(),
        encoder: VideoConfig::vgg5(1.0)?,
        rule: AllPairs::clapp_s(),
        start: None,
        // 300 epochs of the 5,018 long clips of UCF-101's split 1, what is left of a batch of 8 dropped.
        clips: 300 * 627 * 8,
        readout: ReadoutConfig {
            protocols: vec![Protocol::Block, Protocol::BlockAuthors],
            sampling: Sampling::classification(),
            training: ClipPipeline::classification_train(),
            authors: ClipPipeline::classification_val(),
            plain: ClipPipeline::plain(),
            views: None,
            epochs: 200,
            batch: 8,
            learning_rate: 1e-4,
        },
    };
    let mut batch = 8;
    if still(method) {
        setup.encoder = VideoConfig::vgg5_still(1.0)?;
        (setup.sampling.length, setup.readout.sampling.length, batch) = (8, 8, 16);
    }
    Ok(RunConfig::new(Size::Paper, method, setup, adam(1e-3), batch, 627))
}

/// Side of the frames that the smaller presets look at: the least that leaves a map for the last pool.
const SIDE: usize = 67;
/// Frames that they look at: the least that leaves four moments in the last block.
const FRAMES: usize = 36;

/// VGG-5 on small and short clips.
fn small_encoder(width: f64, method: &Method<'_>) -> Result<VideoConfig, Error> {
    let encoder = match still(method) {
        false => VideoConfig { frames: FRAMES, ..VideoConfig::vgg5(width)? },
        true => VideoConfig { frames: FRAMES / 3, ..VideoConfig::vgg5_still(width)? },
    };
    Ok(VideoConfig { size: SIDE, ..encoder })
}

fn quick(video: &Video, size: Size, method: &Method<'_>) -> Result<RunConfig<Video>, Error> {
    let encoder = small_encoder(0.125, method)?;
    // Every third frame, as in the paper. Slower scenes move by less than the first blocks resolve.
    let length = encoder.frames;
    let sampling = Sampling { downsample: 3, length, start: Start::Random, short: Short::Drop };
    let (data, [pipeline, training, authors, plain]) = match video {
        Video::MovingScenes => {
            let (unlabelled, train, test) = (3_200, 400, 400);
            let (frames, side) = (3 * length + 4, SIDE);
            let scenes = DataConfig::MovingScenes { unlabelled, train, test, frames, side };
            (scenes, std::array::from_fn(|_| moving_scenes()))
        }
        Video::Clips(clips) => (DataConfig::Clips(clips.clone()), videos()),
    };
    // Of still clips as many as make the same number of frames.
    let batch = 8 * FRAMES / encoder.frames;
    let setup = Setup {
        data,
        sampling: sampling.clone(),
        pipeline,
        encoder,
        rule: AllPairs::clapp_s(),
        start: None,
        clips: 1_600,
        readout: ReadoutConfig {
            protocols: vec![Protocol::Standardised, Protocol::Block, Protocol::BlockAuthors],
            sampling,
            training,
            authors,
            plain,
            views: Some(1),
            epochs: 80,
            batch: 8,
            learning_rate: 3e-3,
        },
    };
    Ok(RunConfig::new(size, method, setup, adam(1e-3), batch, 100))
}

/// Moving scenes as they are. Every scene is drawn in a random pose, so that a crop would add nothing; a
/// mirrored scene belongs to another class.
fn moving_scenes() -> ClipPipeline {
    ClipPipeline { steps: Vec::new(), mean: vec![0.5; 3], std: vec![0.2; 3] }
}

/// The paper's views of videos, made smaller.
fn videos() -> [ClipPipeline; 4] {
    let smaller = |mut pipeline: ClipPipeline| {
        for step in &mut pipeline.steps {
            if matches!(step, Step::Resize { .. }) {
                *step = Step::Resize { side: SIDE, filter: Filter::Bilinear };
            }
        }
        pipeline
    };
    [
        ClipPipeline::self_supervised(),
        ClipPipeline::classification_train(),
        ClipPipeline::classification_val(),
        ClipPipeline::plain(),
    ]
    .map(smaller)
}

fn smoke(video: &Video, method: &Method<'_>) -> Result<RunConfig<Video>, Error> {
    let mut config = quick(video, Size::Smoke, method)?;
    (config.batch, config.checkpoint_every) = (4, 5);
    let Setup { data, encoder, clips, readout, .. } = &mut config.setup;
    *encoder = VideoConfig { frames: encoder.frames, ..small_encoder(1.0 / 32.0, method)? };
    if let DataConfig::MovingScenes { unlabelled, train, test, .. } = data {
        (*unlabelled, *train, *test) = (16, 20, 30);
    }
    *clips = 40;
    (readout.epochs, readout.views) = (2, Some(1));
    Ok(config)
}
