//! What can go wrong with a run.

use std::path::PathBuf;

/// A run that cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No preset has this name.
    #[error(
        "preset: expected one of {known}, got {name:?} in the configuration; choose one of these"
    )]
    Preset {
        /// What was asked for.
        name: String,
        /// What there is.
        known: &'static str,
    },
    /// No method has this name.
    #[error(
        "method: expected one of {known}, got {name:?} in the configuration; choose one of these"
    )]
    Method {
        /// What was asked for.
        name: String,
        /// What there is.
        known: &'static str,
    },
    /// A method with automatic differentiation in a build without it.
    #[error(
        "method: expected the feature baselines for {learning}, got a build without it; build with --features baselines"
    )]
    Differentiation {
        /// How it learns.
        learning: crate::Learning,
    },
    /// The paper's settings with other images.
    #[error(
        "preset paper: expected STL-10, got other images in the configuration; give its folder, or use the preset quick"
    )]
    PaperData,
    /// The paper's settings with embedded talkers.
    #[error(
        "preset paper: expected sound files, got the embedded talkers in the configuration; give a folder, or use the preset quick"
    )]
    PaperSound,
    /// The paper's settings with the embedded moving scenes.
    #[error(
        "preset paper: expected videos, got the embedded moving scenes in the configuration; give a folder, or use the preset quick"
    )]
    PaperVideo,
    /// Clips have another number of frames than the encoder takes.
    #[error(
        "configuration: expected sequences of {expected} frames for the encoder, got {got} from the sampling; change one of them"
    )]
    Frames {
        /// Frames that the encoder takes.
        expected: usize,
        /// Frames that the sampling takes from a clip.
        got: usize,
    },
    /// More classes than features of the last block: a read-out cannot begin with orthonormal rows.
    #[error(
        "configuration: expected at most {features} classes for as many features of the last block, got {classes}; widen the encoder"
    )]
    Head {
        /// Classes of the data.
        classes: usize,
        /// Features of the last block.
        features: usize,
    },
    /// A way to learn that video encoders do not have.
    #[error(
        "configuration: expected local rules, one loss or one read-out for all blocks of a video encoder, got {learning}; choose another method"
    )]
    VideoLearning {
        /// How it would learn.
        learning: crate::Learning,
    },
    /// A protocol that blocks of a video encoder are not read out with.
    #[error(
        "configuration: expected the protocols standardised, block or block_authors for video, got {protocol:?}; correct the setting"
    )]
    VideoProtocol {
        /// The protocol.
        protocol: clapp_eval::Protocol,
    },
    /// The pipeline cuts other crops than the encoder takes.
    #[error(
        "configuration: expected crops of {expected} samples for the encoder, got {got} from the pipeline; change one of them"
    )]
    Crop {
        /// Samples that the encoder takes.
        expected: usize,
        /// Samples that the pipeline cuts.
        got: usize,
    },
    /// The encoder's last convolution has another rate than labels.
    #[error(
        "configuration: expected an encoder of one output per 160 samples, as labels have it, got one per {got}; change the strides"
    )]
    Hop {
        /// Samples from one output to the next.
        got: usize,
    },
    /// Labels cannot be stored, or silence is none of their classes.
    #[error(
        "configuration: expected 1 to 256 classes of labels with silence among them, got {classes} and silence {silence}; correct the labels"
    )]
    Classes {
        /// Number of classes.
        classes: usize,
        /// Class of silence.
        silence: usize,
    },
    /// An utterance for read-outs has no labels.
    #[error(
        "labels: expected labels of every utterance of {}, got none of {id} in {}; correct the list, or skip such utterances",
        list.display(),
        labels.as_ref().map_or("the file beside it".into(), |path| path.display().to_string())
    )]
    Unlabelled {
        /// The utterance.
        id: String,
        /// File of the labels; none if every utterance has one of its own.
        labels: Option<PathBuf>,
        /// The list that names it.
        list: PathBuf,
    },
    /// A method needs labels, and there are none.
    #[error(
        "labels: expected labels to learn from for {learning}, got none in the configuration; give them, or choose another method"
    )]
    NoLabels {
        /// How it learns.
        learning: crate::Learning,
    },
    /// Crops of an utterance reach beyond its labels.
    #[error(
        "labels: expected a label for every output of a crop of {crop} samples, got fewer for {id} of {samples} samples in {place}; leave out utterances that are hardly longer than a crop, or skip them"
    )]
    Uncovered {
        /// The utterance.
        id: String,
        /// Its samples.
        samples: usize,
        /// Samples of a crop.
        crop: usize,
        /// Name of the data.
        place: String,
    },
    /// The pipeline makes other images than the encoder takes.
    #[error(
        "configuration: expected images of {} channels and {} pixels a side for the encoder, got {} and {} from the pipeline; change its crop or colour",
        expected[0], expected[1], found[0], found[1]
    )]
    Pipeline {
        /// Channels and side that the encoder takes.
        expected: [usize; 2],
        /// Channels and side that the pipeline makes.
        found: [usize; 2],
    },
    /// A number that must be positive is 0.
    #[error("configuration: expected {name} of at least 1, got 0; correct the setting")]
    Zero {
        /// Name of the setting.
        name: &'static str,
    },
    /// A seed occurs twice: its numbers would count twice in every mean.
    #[error("configuration: expected different seeds, got {seed} twice in {seeds:?}; remove one")]
    SeedTwice {
        /// The seed.
        seed: u64,
        /// All seeds.
        seeds: Vec<u64>,
    },
    /// The pool of negatives does not divide the batch.
    #[error(
        "configuration: expected a pool of negatives that divides the batch of {batch}, got {pool}; choose a divisor"
    )]
    Pool {
        /// Images in a batch.
        batch: usize,
        /// Samples in a pool.
        pool: usize,
    },
    /// Fewer images than one batch.
    #[error(
        "data: expected at least {batch} images for one batch, got {images} in {name}; lower the batch or add images"
    )]
    TooFewImages {
        /// Images in a batch.
        batch: usize,
        /// Images there are.
        images: usize,
        /// Name of the data.
        name: String,
    },
    /// A loss is no longer a number.
    #[error(
        "training: expected a finite loss, got {loss} in layer {layer} at step {step}; the last good checkpoint is kept, lower the learning rate or look at the data"
    )]
    NotFinite {
        /// Layer, from 1.
        layer: usize,
        /// Step, from 1.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// A weight or a moment is no longer a number.
    #[error(
        "training: expected finite weights, got {value} in {name} behind step {step}; the last good checkpoint is kept, lower the learning rate or look at the data"
    )]
    NotFiniteState {
        /// Name of the tensor, which begins with its layer.
        name: String,
        /// Step, from 1.
        step: u64,
        /// The value.
        value: f64,
    },
    /// A run is resumed with another configuration.
    #[error(
        "resume: expected the configuration of the checkpoints, got another in {}; restore it, or start a new run", folder.join("config.json").display()
    )]
    Resume {
        /// Folder of the run.
        folder: PathBuf,
    },
    /// A folder holds no run.
    #[error("resume: expected {what} in {}, got none; is this the folder of a run?", folder.display())]
    NoRun {
        /// Folder.
        folder: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A configuration or manifest that cannot be read.
    #[error("{what}: expected JSON that this version understands, got \"{source}\" in {}; restore it, or start a new run", path.display())]
    Json {
        /// What was read.
        what: &'static str,
        /// File.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// The thread pool was built before.
    #[error(
        "threads: expected to set up {threads} threads before any were started, got \"{source}\"; call it first and once"
    )]
    Threads {
        /// Threads asked for; 0 is one per core.
        threads: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
    /// The device.
    #[error(transparent)]
    Device(#[from] clapp_backend::DeviceError),
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] clapp_encoders::EncoderError),
    /// The data.
    #[error(transparent)]
    Data(#[from] clapp_datasets::Error),
    /// The read-outs.
    #[error(transparent)]
    Eval(#[from] clapp_eval::Error),
    /// Checkpoints and other files.
    #[error(transparent)]
    Store(#[from] clapp_store::Error),
    /// A saved state that does not fit the network.
    #[error(transparent)]
    State(#[from] clapp_rules::StateError),
}
