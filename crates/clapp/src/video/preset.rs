//! Named configurations of runs on video.

use clapp_datasets::video::{ClipPipeline, Filter, Sampling, Short, Start, Step};
use clapp_encoders::VideoConfig;
use clapp_eval::Protocol;
use clapp_rules::{AllPairs, Optimizer};

use super::{ClipsConfig, VideoDataConfig, VideoReadoutConfig, VideoRunConfig};
use crate::{Error, Experiment, Learning, PRESETS};

/// Names of the methods for video, for messages.
pub const VIDEO_METHODS: &str = "clapp-s, clapp, gim, cpc, hinge-cpc, supervised, clapp-s-still, \
    clapp-still, gim-still, cpc-still, hinge-cpc-still, supervised-still";

/// Moving pictures a preset is made for.
#[derive(Clone, Debug, PartialEq)]
pub enum Video {
    /// The embedded moving scenes.
    MovingScenes,
    /// UCF-101, HMDB-51, or any tree of videos.
    Clips(ClipsConfig),
}

/// Builds a configuration from a preset, a method, videos and seeds.
///
/// | preset | what it is for |
/// |---|---|
/// | `smoke` | seconds; whether everything runs |
/// | `quick` | minutes on two cores; what the method does |
/// | `paper` | the published settings; days |
///
/// | method | what it is |
/// |---|---|
/// | `clapp-s` | every block predicts itself; all other rows of the batch are saccade targets |
/// | `clapp` | the same local in time: a clip contributes its fixations or its saccades; W_pred and W_retro |
/// | `gim` | InfoNCE in place of the hinge: Greedy InfoMax layer by layer |
/// | `cpc`, `hinge-cpc` | one loss at the last block, back-propagated through all blocks \* |
/// | `supervised` | actions from labels, with a read-out on top; from a run's encoder it is fine-tuning \* |
/// | …`-still` | the encoder without kernels in time: every frame by itself, in shorter clips |
///
/// \* needs the feature `baselines`.
///
/// # Errors
///
/// If preset or method is unknown, the build lacks what the method needs, or `paper` is asked for with the
/// embedded scenes.
///
/// # Example
///
/// ```
/// use clapp::{Video, video_preset};
/// let run = video_preset("quick", "clapp-s", &Video::MovingScenes, &[2]).unwrap();
/// assert_eq!(run.rule.prediction_steps, 3);
/// let still = video_preset("quick", "clapp-s-still", &Video::MovingScenes, &[2]).unwrap();
/// assert!(still.encoder.blocks.iter().all(|block| block.kernel[0] == 1));
/// ```
pub fn video_preset(
    name: &str,
    method: &str,
    video: &Video,
    seeds: &[u64],
) -> Result<VideoRunConfig, Error> {
    let (rule, time) = match method.strip_suffix("-still") {
        Some(rule) => (rule, Time::Still),
        None => (method, Time::Moving),
    };
    let mut config = match name {
        "smoke" => smoke(video, time)?,
        "quick" => quick(video, time)?,
        "paper" => paper(video, time)?,
        _ => return Err(Error::Preset { name: name.to_owned(), known: PRESETS }),
    };
    config.method = method.to_owned();
    (config.rule, config.learning) = match rule {
        "clapp-s" => (AllPairs::clapp_s(), Learning::Local),
        "clapp" => (AllPairs::clapp(), Learning::Local),
        "gim" => (AllPairs::gim(), Learning::Local),
        "cpc" => (AllPairs::gim(), Learning::EndToEnd),
        "hinge-cpc" => (AllPairs::clapp_s(), Learning::EndToEnd),
        "supervised" => (AllPairs::clapp_s(), Learning::Supervised),
        _ => return Err(Error::Method { name: method.to_owned(), known: VIDEO_METHODS }),
    };
    if config.learning.needs_labels() {
        learn_from_labels(&mut config);
    }
    config.seeds = seeds.to_vec();
    config.validate()?;
    Ok(config)
}

/// What learning from labels sees: the clips, views and rate of the read-outs.
///
/// # Paper
/// `finetune.py`: 200 epochs, here of the 3,128 clips of UCF-101's split 1 that are long enough.
fn learn_from_labels(config: &mut VideoRunConfig) {
    let readout = &config.readout;
    config.sampling = readout.sampling.clone();
    config.encoder.frames = config.sampling.length;
    config.pipeline = readout.training.clone();
    if config.preset == "paper" {
        config.clips = 200 * 391 * 8;
        config.optimizer = adam(1e-4);
    }
}

/// Whether the encoder has kernels in time.
#[derive(Clone, Copy)]
enum Time {
    Moving,
    Still,
}

/// Adam with the authors' weight decay.
fn adam(rate: f64) -> Optimizer {
    Optimizer::Adam { rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, decay: 1e-5 }
}

/// The published settings (Illing et al. 2021, appendix; the authors' `commands.txt`).
fn paper(video: &Video, time: Time) -> Result<VideoRunConfig, Error> {
    let Video::Clips(clips) = video else {
        return Err(Error::PaperVideo);
    };
    let mut config = VideoRunConfig {
        preset: "paper".into(),
        method: String::new(),
        data: VideoDataConfig::Clips(clips.clone()),
        sampling: Sampling::self_supervised(),
        pipeline: ClipPipeline::self_supervised(),
        encoder: VideoConfig::vgg5(1.0)?,
        rule: AllPairs::clapp_s(),
        learning: Learning::Local,
        start: None,
        optimizer: adam(1e-3),
        batch: 8,
        // 300 epochs of the 5,018 long clips of UCF-101's split 1, what is left of a batch of 8 dropped.
        clips: 300 * 627 * 8,
        metrics_every: 100,
        checkpoint_every: 627,
        checkpoints_kept: 2,
        readout: VideoReadoutConfig {
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
        seeds: vec![2],
    };
    if let Time::Still = time {
        config.encoder = VideoConfig::vgg5_still(1.0)?;
        config.sampling.length = 8;
        config.readout.sampling.length = 8;
        config.batch = 16;
    }
    Ok(config)
}

/// Side of the frames that the smaller presets look at: the least that leaves a map for the last pool.
const SIDE: usize = 67;
/// Frames that they look at: the least that leaves four moments in the last block.
const FRAMES: usize = 36;

/// VGG-5 on small and short clips.
fn small_encoder(width: f64, time: Time) -> Result<VideoConfig, Error> {
    let encoder = match time {
        Time::Moving => VideoConfig { frames: FRAMES, ..VideoConfig::vgg5(width)? },
        Time::Still => VideoConfig { frames: FRAMES / 3, ..VideoConfig::vgg5_still(width)? },
    };
    Ok(VideoConfig { size: SIDE, ..encoder })
}

fn quick(video: &Video, time: Time) -> Result<VideoRunConfig, Error> {
    let encoder = small_encoder(0.125, time)?;
    // Every third frame, as in the paper. Slower scenes move by less than the first blocks resolve.
    let length = encoder.frames;
    let sampling = Sampling { downsample: 3, length, start: Start::Random, short: Short::Drop };
    let (data, [pipeline, training, authors, plain]) = match video {
        Video::MovingScenes => {
            let (unlabelled, train, test) = (3_200, 400, 400);
            let (frames, side) = (3 * length + 4, SIDE);
            let scenes = VideoDataConfig::MovingScenes { unlabelled, train, test, frames, side };
            (scenes, std::array::from_fn(|_| moving_scenes()))
        }
        Video::Clips(clips) => (VideoDataConfig::Clips(clips.clone()), videos()),
    };
    // Of still clips as many as make the same number of frames.
    let batch = 8 * FRAMES / encoder.frames;
    Ok(VideoRunConfig {
        preset: "quick".into(),
        method: String::new(),
        data,
        sampling: sampling.clone(),
        pipeline,
        encoder,
        rule: AllPairs::clapp_s(),
        learning: Learning::Local,
        start: None,
        optimizer: adam(1e-3),
        batch,
        clips: 1_600,
        metrics_every: 10,
        checkpoint_every: 100,
        checkpoints_kept: 2,
        readout: VideoReadoutConfig {
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
        seeds: vec![2],
    })
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

fn smoke(video: &Video, time: Time) -> Result<VideoRunConfig, Error> {
    let mut config = quick(video, time)?;
    config.preset = "smoke".into();
    let frames = config.encoder.frames;
    config.encoder = VideoConfig { frames, ..small_encoder(1.0 / 32.0, time)? };
    if let VideoDataConfig::MovingScenes { unlabelled, train, test, .. } = &mut config.data {
        (*unlabelled, *train, *test) = (16, 20, 30);
    }
    config.batch = 4;
    config.clips = 40;
    (config.checkpoint_every, config.metrics_every) = (5, 1);
    (config.readout.epochs, config.readout.views) = (2, Some(1));
    Ok(config)
}
