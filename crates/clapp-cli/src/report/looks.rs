//! The figures of one run that need its weights: what its units respond to, how its layers see the data.

use clapp::{
    Error, Learning,
    console::Ticker,
    eval::{
        Tsne,
        figure::{self, Curves, Points, Row, Values},
    },
    image::{Encoder, Look, receptive_fields, scores},
    run::retro_alignment,
    store::Checkpoint,
};

use super::{entry::Entry, figures::Figure};

/// Units of the first layer, units of each layer, and images of each, that are shown.
const FIELDS: usize = 96;
const UNITS: usize = 3;
const BEST: usize = 8;
/// Images that are scored: every one has some thousand pairs.
const SCORED: usize = 128;
/// Classes that marks tell apart.
const CLASSES: usize = 28;

/// What the units of a run on images respond to, where its layers put the images, and how they score pairs.
pub(super) fn looks(entry: &Entry, encoder: &Encoder, images: usize) -> Vec<Figure> {
    let mut figures = Vec::new();
    let about = format!("{}, step {}, seed {}", entry.name, encoder.step(), encoder.seed());
    figures.extend(fields(entry, encoder, &about));
    let missing = |what: &'static str| move |error: Error| Figure::missing(entry, what, &error);
    match Look::at(encoder, images) {
        Ok(look) => {
            let preferred = preferred(entry, &look, &about);
            figures.push(preferred.unwrap_or_else(missing("Preferred images")));
            let map = map(entry, encoder, &look, &about);
            figures.extend(map.unwrap_or_else(|error| Some(missing("Maps")(error))));
        }
        Err(error) => figures.push(missing("Pictures of images")(error)),
    }
    let config = encoder.config();
    if config.setup.rule.over_time().is_some() && config.learning == Learning::Local {
        let scored = scored(entry, encoder, images.min(SCORED), &about);
        figures.push(scored.unwrap_or_else(missing("Scores")));
    }
    figures
}

fn fields(entry: &Entry, encoder: &Encoder, about: &str) -> Option<Figure> {
    let mut pictures = receptive_fields(encoder);
    let all = pictures.len();
    pictures.truncate(FIELDS);
    let of = format!("{about}: weights of {} of {all} units", pictures.len());
    let rows = [Row { name: String::new(), pictures }];
    let svg = figure::pictures("Receptive fields of layer 1", &of, &rows, 16);
    let what = "Receptive fields: the weights of the first layer's units, each scaled to its largest; grey is 0.";
    (all > 0).then(|| entry.figure("receptive fields", svg, what))
}

fn preferred(entry: &Entry, look: &Look, about: &str) -> Result<Figure, Error> {
    let of = format!("{about}: picked out of {} from {}", look.labels.len(), look.name);
    let svg = figure::pictures("What units prefer", &of, &look.preferred(UNITS, BEST)?, BEST);
    let what = format!(
        "Preferred images: for {UNITS} units of each layer, evenly spaced, the {BEST} images with the largest mean activity, the largest first."
    );
    Ok(entry.figure("preferred images", svg, &what))
}

/// A map of every layer, if the images have classes to be told apart by.
fn map(
    entry: &Entry,
    encoder: &Encoder,
    look: &Look,
    about: &str,
) -> Result<Option<Figure>, Error> {
    let classes: Option<Vec<u32>> = look.labels.iter().copied().collect();
    let Some(classes) = classes.filter(|classes| classes.len() >= 4) else { return Ok(None) };
    let tsne = Tsne::new(encoder.seed());
    let layers: Vec<_> = look.layers.iter().map(|of| of.view()).collect();
    let (steps, mut ticker) = (tsne.epochs * layers.len(), Ticker::new());
    let places = tsne.maps(&layers, &mut |step| {
        let share = 100 * step / steps.max(1);
        ticker.tell(format_args!("t-SNE of {}: {share:3} %", entry.name), step == steps);
    })?;
    let panel = |(layer, places)| Points { title: format!("layer {}", layer + 1), places };
    let panels: Vec<Points> = places.into_iter().enumerate().map(panel).collect();
    let names: Vec<&str> = look.classes.iter().map(String::as_str).collect();
    let names = if names.len() > CLASSES { &[][..] } else { &names[..] };
    let count = classes.len();
    let of = format!("{about}: t-SNE of {count} images of {}", look.name);
    let svg = figure::points("Maps of the layers' features", &of, names, &classes, &panels);
    let what = format!(
        "Maps of features: t-SNE (perplexity {}, seed {}) of what each layer's units make of {count} images, reduced to the 50 directions of largest variance before; colour and shape are the class, which nothing has learnt from. Near means alike; axes and far distances mean nothing.",
        tsne.perplexity, tsne.seed
    );
    Ok(Some(entry.figure("maps", svg, &what)))
}

fn scored(entry: &Entry, encoder: &Encoder, images: usize, about: &str) -> Result<Figure, Error> {
    let (layers, data) = scores(&entry.folder, images, encoder.device())?;
    let pairs = layers.first().map_or(0, |of| of.fixations.len());
    let panel = |(layer, of): (usize, clapp::image::Scores)| Values {
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
