//! Named configurations: a preset says how large, a method how to learn, a sense fills in the rest.

use clapp_rules::Optimizer;

pub(crate) mod published;

pub use published::{Published, published};

use crate::{Error, Learning, RunConfig, Sense};

/// Names of the presets, for messages.
pub const PRESETS: &str = "smoke, quick, paper";

/// A sense with presets; `self` says which data they are made for.
pub trait Presets: Sense {
    /// Names of the methods, separated by commas.
    const METHODS: &'static str;
    /// Endings of methods' names that change the network or how it is credited.
    const ENDINGS: &'static [&'static str];
    /// Methods whose names may go on with a split of the layers into modules: `-2x3` is two modules of three
    /// layers each, `-3-1-1-1` a module of three layers below three of one.
    const SPLIT: &'static [&'static str] = &[];

    /// Rows of published tables on this sense.
    const PUBLISHED: &'static [Published] = &[];

    /// The data as the [names of rows](Published::data) have it; none of data that nothing was published on.
    fn published_as(&self) -> Option<&'static str> {
        None
    }

    /// Changes the preset of a row's method where the row differs from it.
    fn amend(row: &Published, config: &mut RunConfig<Self>) {
        let _ = (row, config);
    }

    /// The settings of a preset for a method.
    ///
    /// # Errors
    ///
    /// If the preset is not made for these data.
    fn preset(&self, size: Size, method: &Method<'_>) -> Result<RunConfig<Self>, Error>;
}

/// Builds a configuration from a preset, a method, data and seeds.
///
/// | preset | what it is for |
/// |---|---|
/// | `smoke` | seconds; whether everything runs |
/// | `quick` | minutes on two cores; what the method does |
/// | `paper` | the published settings; days on a GPU |
///
/// Which methods there are says the table of the sense: [`image`](crate::image#methods),
/// [`sound`](crate::sound#methods), [`video`](crate::video#methods).
///
/// # Errors
///
/// If preset or method is unknown, the build lacks what the method needs, or `paper` is asked for with
/// other data than the published ones.
///
/// # Example
///
/// ```
/// use clapp::{Images, Sound, Video, preset};
/// let run = preset("quick", "clapp-s", &Images::Synthetic, &[2])?;
/// assert_eq!(run.setup.images, 30_000);
/// let run = preset("quick", "clapp-s-no-gru", &Sound::Synthetic, &[2])?;
/// assert_eq!(run.setup.encoder.recurrent, None);
/// let run = preset("quick", "clapp-s-still", &Video::MovingScenes, &[2])?;
/// assert!(run.setup.encoder.blocks.iter().all(|block| block.kernel[0] == 1));
/// assert!(preset("qick", "gim", &Sound::Synthetic, &[2]).unwrap_err().to_string().contains("qick"));
/// # Ok::<(), clapp::Error>(())
/// ```
pub fn preset<S: Presets>(
    name: &str,
    method: &str,
    data: &S,
    seeds: &[u64],
) -> Result<RunConfig<S>, Error> {
    let size = Size::named(name)?;
    let method = Method::named::<S>(method)?;
    let mut config = data.preset(size, &method)?;
    config.seeds = seeds.to_vec();
    config.validate()?;
    Ok(config)
}

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds.
    Smoke,
    /// Minutes.
    Quick,
    /// As published.
    Paper,
}

impl Size {
    fn named(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "smoke" => Self::Smoke,
            "quick" => Self::Quick,
            "paper" => Self::Paper,
            _ => return Err(Error::name("preset", PRESETS, name)),
        })
    }

    /// The name of its preset, and the steps between lines of the metrics.
    fn settings(self) -> (&'static str, u64) {
        match self {
            Self::Smoke => ("smoke", 1),
            Self::Quick => ("quick", 10),
            Self::Paper => ("paper", 100),
        }
    }
}

/// A method, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method<'a> {
    /// Its name.
    pub name: &'a str,
    /// The local rule whose contrast it takes.
    pub rule: &'a str,
    /// How signals, or labels, reach the weights.
    pub learning: Learning,
    /// The ending of its name; may be empty.
    pub ending: &'a str,
}

impl<'a> Method<'a> {
    fn named<S: Presets>(name: &'a str) -> Result<Self, Error> {
        let mut endings = S::SPLIT.iter().filter_map(|method| name.strip_prefix(method));
        let split = endings.find(|ending| modules(ending).is_some());
        if split.is_none() && !S::METHODS.split(", ").any(|known| known == name) {
            return Err(Error::name("method", S::METHODS, name));
        }
        let ending = S::ENDINGS.iter().copied().find(|ending| name.ends_with(ending));
        let ending = split.or(ending).unwrap_or("");
        let (rule, learning) = match &name[..name.len() - ending.len()] {
            "cpc" => ("gim", Learning::EndToEnd),
            "hinge-cpc" => ("clapp-s", Learning::EndToEnd),
            "hinge-cpc-retro" => ("clapp-s-retro", Learning::EndToEnd),
            "hinge-cpc-blocked" => ("clapp-s-blocked", Learning::EndToEnd),
            "hinge-cpc-time-local" => ("clapp-symmetric", Learning::EndToEnd),
            "clapp-pp-backprop" => ("clapp-pp", Learning::EndToEnd),
            "supervised" => ("clapp-s", Learning::Supervised),
            "greedy-supervised" => ("clapp-s", Learning::GreedySupervised),
            rule if split.is_some() => (rule, Learning::Modules),
            rule if ending == "-bptt" => (rule, Learning::ThroughTime),
            rule => (rule, Learning::Local),
        };
        Ok(Self { name, rule, learning, ending })
    }

    /// Layers of each module, from the input up, if the name says so.
    #[must_use]
    pub fn modules(&self) -> Option<Vec<usize>> {
        modules(self.ending)
    }
}

/// `-MxN`: M modules of N layers; or `-` and layers for each module.
fn modules(ending: &str) -> Option<Vec<usize>> {
    // More than 255 of either are no network.
    let number = |text: &str| text.parse::<u8>().ok().map(usize::from);
    let text = ending.strip_prefix('-')?;
    match text.split_once('x') {
        Some((modules, layers)) => Some(vec![number(layers)?; number(modules)?]),
        None => text.split('-').map(number).collect(),
    }
}

impl<S: Sense> RunConfig<S> {
    /// A run of this size and method, for one seed.
    pub fn new(
        size: Size,
        method: &Method<'_>,
        setup: S::Setup,
        optimizer: Optimizer,
        batch: usize,
        checkpoint_every: u64,
    ) -> Self {
        let (preset, metrics_every) = size.settings();
        Self {
            preset: preset.to_owned(),
            method: method.name.to_owned(),
            setup,
            learning: method.learning,
            optimizer,
            batch,
            metrics_every,
            probe_every: None,
            checkpoint_every,
            checkpoints_kept: 2,
            own_rule: None,
            seeds: vec![2],
        }
    }
}
