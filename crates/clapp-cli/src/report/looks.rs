//! The figures of one run that need its weights: what its units respond to, how its layers see the data.

use super::{entry::Entry, figures::Figure, senses};
use crate::config::{Kind, kind_of_run};
use clapp::{
    Encoder, Error, Images, Learning, Look, Sound, Video,
    console::Ticker,
    encoder::Encodes,
    eval::{
        Tsne,
        figure::{self, Curves, Points, Row, Values},
    },
    image::{self, scores},
    receptive_fields,
    rules::burn::tensor::Device,
    run::retro_alignment,
    store::Checkpoint,
};

/// Units of the first layer, units of each layer, and images of each, that are shown.
const FIELDS: usize = 96;
pub(super) const UNITS: usize = 3;
const BEST: usize = 8;
/// Images that are scored: every one has some thousand pairs.
const SCORED: usize = 128;
/// Classes that marks tell apart.
const CLASSES: usize = 28;

/// What the units of a run respond to, and where its layers put samples; none of a sense that this program does not know.
pub(super) fn looks(entry: &Entry, device: &Device, most: usize) -> Vec<Figure> {
    match kind_of_run(&entry.folder) {
        Ok(Kind::Images) => {
            of_sense::<Images>(entry, device, |about, of| images(entry, of, most, about))
        }
        Ok(Kind::Sound) => {
            of_sense::<Sound>(entry, device, |about, of| senses::sound(entry, of, most, about))
        }
        Ok(Kind::Video) => {
            of_sense::<Video>(entry, device, |about, of| senses::video(entry, of, most, about))
        }
        Err(_) => Vec::new(),
    }
}

/// Receptive fields, and what else there is to see of an encoder.
fn of_sense<S: Encodes>(
    entry: &Entry,
    device: &Device,
    others: impl FnOnce(&str, &Encoder<S>) -> Vec<Figure>,
) -> Vec<Figure> {
    match Encoder::<S>::load(&entry.folder, device) {
        Ok(encoder) => {
            let about = format!("{}, step {}, seed {}", entry.name, encoder.step(), encoder.seed());
            fields(entry, &encoder, &about).into_iter().chain(others(&about, &encoder)).collect()
        }
        Err(error) => vec![Figure::missing(entry, "Pictures", &error)],
    }
}

/// What units of a run on images prefer, where its layers put the images, and how they score pairs.
fn images(entry: &Entry, encoder: &image::Encoder, most: usize, about: &str) -> Vec<Figure> {
    let mut figures = Vec::new();
    match image::Look::at(encoder, most, &mut seen(entry, "images")) {
        Ok(look) => {
            let preferred = preferred(entry, encoder, &look, about);
            figures.push(preferred.unwrap_or_else(missing(entry, "Preferred images")));
            let classes = look.labels.iter().copied().collect();
            let groups = Groups { of: "images", by: "class", names: &look.classes, classes };
            figures.extend(map(entry, encoder.seed(), &look, about, groups));
        }
        Err(error) => figures.push(missing(entry, "Pictures of images")(error)),
    }
    let config = encoder.config();
    if config.setup.rule.over_time().is_some() && config.learning == Learning::Local {
        let scored = scored(entry, encoder, most.min(SCORED), about);
        figures.push(scored.unwrap_or_else(missing(entry, "Scores")));
    }
    figures
}

/// The reason in place of a figure.
pub(super) fn missing(entry: &Entry, what: &'static str) -> impl Fn(Error) -> Figure {
    move |error| Figure::missing(entry, what, &error)
}

/// Says how many samples were looked at.
pub(super) fn seen(entry: &Entry, what: &str) -> impl FnMut(usize, usize) {
    let mut ticker = Ticker::new();
    move |seen, all| {
        ticker.tell(format_args!("{seen} of {all} {what} seen by {}", entry.name), seen == all);
    }
}

fn fields<S: Encodes>(entry: &Entry, encoder: &Encoder<S>, about: &str) -> Option<Figure> {
    let mut pictures = receptive_fields(encoder);
    let all = pictures.len();
    pictures.truncate(FIELDS);
    let of = format!("{about}: weights of {} of {all} units", pictures.len());
    let wave = pictures.first().is_some_and(|first| first.size[0] != first.size[1]);
    let rows = [Row { name: String::new(), pictures }];
    let svg = figure::pictures("Receptive fields of layer 1", &of, &rows, 16);
    let zero = if wave { "time goes right, the middle line is 0" } else { "grey is 0" };
    let what = format!(
        "Receptive fields: the weights of the first layer's units, each scaled to its largest; {zero}."
    );
    (all > 0).then(|| entry.figure("receptive fields", svg, &what))
}

fn preferred(
    entry: &Entry,
    encoder: &image::Encoder,
    look: &image::Look,
    about: &str,
) -> Result<Figure, Error> {
    let of = format!("{about}: picked out of {} from {}", look.labels.len(), look.name);
    let rows =
        look.preferred_patches(encoder, UNITS, BEST, &mut seen(entry, "images, for patches,"))?;
    let svg = figure::pictures("What units prefer", &of, &rows, BEST);
    let which = match encoder.config().setup.encoder.time() {
        1 => "images with the largest mean activity",
        _ => "images with the most active patch, which is framed",
    };
    let what = format!(
        "Preferred images: for {UNITS} units of each layer, evenly spaced, the {BEST} {which}, the largest first."
    );
    Ok(entry.figure("preferred images", svg, &what))
}

/// What points of a map are told apart by; no class of some of them, no map.
pub(super) struct Groups<'a> {
    /// What is on the map, and what it is told apart by.
    pub of: &'static str,
    pub by: &'static str,
    /// Names of all classes, and the class of every sample.
    pub names: &'a [String],
    pub classes: Option<Vec<u32>>,
}

/// A map of every layer, if there are classes to be told apart.
pub(super) fn map<S: Encodes>(
    entry: &Entry,
    seed: u64,
    look: &Look<S>,
    about: &str,
    Groups { of, by, names, classes }: Groups<'_>,
) -> Option<Figure> {
    let classes = classes.filter(|classes| classes.len() >= 4)?;
    let tsne = Tsne::new(seed);
    let layers: Vec<_> = look.layers.iter().map(|of| of.view()).collect();
    let (steps, mut ticker) = (tsne.epochs * layers.len(), Ticker::new());
    let places = tsne.maps(&layers, &mut |step| {
        let share = 100 * step / steps.max(1);
        ticker.tell(format_args!("t-SNE of {}: {share:3} %", entry.name), step == steps);
    });
    let places = match places {
        Ok(places) => places,
        Err(error) => return Some(Figure::missing(entry, "Maps", &error)),
    };
    let panel = |(layer, places)| Points { title: format!("layer {}", layer + 1), places };
    let panels: Vec<Points> = places.into_iter().enumerate().map(panel).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let names = if names.len() > CLASSES { &[][..] } else { &names[..] };
    let count = classes.len();
    let subtitle = format!("{about}: t-SNE of {count} {of} of {}", look.name);
    let svg = figure::points("Maps of the layers' features", &subtitle, names, &classes, &panels);
    let what = format!(
        "Maps of features: t-SNE (perplexity {}, seed {}) of what each layer's units make of {count} {of}, reduced to the 50 directions of largest variance before; colour and shape are the {by}, which nothing has learnt from. Near means alike; axes and far distances mean nothing.",
        tsne.perplexity, tsne.seed
    );
    Some(entry.figure("maps", svg, &what))
}

fn scored(
    entry: &Entry,
    encoder: &image::Encoder,
    images: usize,
    about: &str,
) -> Result<Figure, Error> {
    let (layers, data) = scores(&entry.folder, images, encoder.device())?;
    let pairs = layers.first().map_or(0, |of| of.fixations.len());
    let panel = |(layer, of): (usize, image::Scores)| Values {
        title: format!("layer {}", layer + 1),
        groups: vec![of.fixations, of.saccades],
    };
    let panels: Vec<Values> = layers.into_iter().enumerate().map(panel).collect();
    let names = ["fixations", "saccades"];
    let of = format!("{about}: {pairs} fixations of {data}");
    let svg = figure::histograms("How layers score pairs", &of, "score", &names, &panels);
    let what = "Scores z·W_pred c of fixations and saccades in every layer, on held-out images, all prediction steps together. The hinge leaves fixations above 1 and saccades below −1 alone.";
    Ok(entry.figure("scores", svg, what))
}

/// How near W_retro has come to the transpose of W_pred, of a run that has both.
pub(super) fn alignment(entry: &Entry) -> Option<Figure> {
    let newest = match Checkpoint::load_newest(&entry.folder) {
        Ok(newest) => newest?,
        Err(error) => return Some(Figure::missing(entry, "Alignment", &error)),
    };
    let layers = retro_alignment(&newest);
    let (names, runs): (Vec<&str>, Vec<_>) = layers
        .iter()
        .map(|(name, steps)| {
            (name.as_str(), (1..).map(f64::from).zip(steps.iter().copied()).collect())
        })
        .unzip();
    let (title, quantity) = (String::new(), "cosine".to_owned());
    let about =
        format!("{}, step {}: 1 is the transpose, 0 nothing in common", entry.name, newest.step);
    let panel = Curves { title, quantity, runs };
    let svg = figure::curves("W_pred and W_retro", &about, "prediction step", &names, &[panel]);
    let what = "Alignment: cosine of W_pred and the transpose of W_retro, which begin as independent draws, for every layer and prediction step.";
    (!layers.is_empty()).then(|| entry.figure("alignment", svg, what))
}
