//! The figures of runs on sound and on video that need their weights.

use clapp::{
    Error,
    eval::figure,
    sound::{self, Posteriors},
    video,
};

use super::{
    entry::Entry,
    figures::Figure,
    looks::{Groups, UNITS, map, missing, seen},
};

/// Clips or utterances that are looked at, at most: each takes long, and a second where an encoder is wide.
const MOST: usize = 200;
/// Utterances that phones are learnt from: some ten thousand frames.
const FITTED: usize = 60;
/// Clips of each unit, and frames of each clip.
const CLIPS: usize = 2;
const FRAMES: usize = 5;

/// What the last layer tells of phones, and where layers put talkers.
pub(super) fn sound(
    entry: &Entry,
    encoder: &sound::Encoder,
    most: usize,
    about: &str,
) -> Vec<Figure> {
    let mut figures = vec![phones(entry, encoder, about).unwrap_or_else(missing(entry, "Phones"))];
    match sound::Look::at(encoder, most.min(MOST), &mut seen(entry, "utterances")) {
        Ok(look) => {
            let (speakers, names) = look.speakers().unzip();
            let names = names.unwrap_or_default();
            let groups =
                Groups { of: "utterances", by: "speaker", names: &names, classes: speakers };
            figures.extend(map(entry, encoder.seed(), &look, about, groups));
        }
        Err(error) => figures.push(missing(entry, "Maps")(error)),
    }
    figures
}

fn phones(entry: &Entry, encoder: &sound::Encoder, about: &str) -> Result<Figure, Error> {
    let read = Posteriors::of(encoder, FITTED, &mut seen(entry, "labelled utterances"))?;
    let Posteriors { data, utterance, speaker, fitted, accuracy, phones } = &read;
    let speaker =
        speaker.as_ref().map_or("an unknown speaker".to_owned(), |of| format!("speaker {of}"));
    let of = format!("{about}: {utterance} of {data}, {accuracy:.0} % of its frames read right");
    let svg = figure::phones("Phones in the last layer", &of, phones);
    let what = format!(
        "Phones: the log-mel spectrogram of a held-out utterance ({utterance}, {speaker}), below it the posteriors of the phones that occur in it (the 20 most frequent), framed in white where the label is that phone, and the labels. The linear read-out (standardised) of the last layer's frames was fitted on {fitted} labelled utterances of {data} and finds {accuracy:.1} % of this one's {} labels. {about}.",
        phones.labels.len()
    );
    Ok(entry.figure("phones", svg, &what))
}

/// What blocks prefer, and where they put clips.
pub(super) fn video(
    entry: &Entry,
    encoder: &video::Encoder,
    most: usize,
    about: &str,
) -> Vec<Figure> {
    let look = match video::Look::at(encoder, most.min(MOST), &mut seen(entry, "clips")) {
        Ok(look) => look,
        Err(error) => return vec![missing(entry, "Pictures of clips")(error)],
    };
    let strips = strips(entry, encoder, &look, about);
    let mut figures = vec![strips.unwrap_or_else(missing(entry, "Preferred clips"))];
    let classes = look.labels.iter().copied().collect();
    let groups = Groups { of: "clips", by: "class", names: &look.classes, classes };
    figures.extend(map(entry, encoder.seed(), &look, about, groups));
    figures
}

fn strips(
    entry: &Entry,
    encoder: &video::Encoder,
    look: &video::Look,
    about: &str,
) -> Result<Figure, Error> {
    let rows = look.preferred(encoder, UNITS, CLIPS, FRAMES)?;
    let of = format!("{about}: picked out of {} from {}", look.labels.len(), look.name);
    let svg = figure::pictures("What units prefer", &of, &rows, CLIPS);
    let what = format!(
        "Preferred clips: for {UNITS} units of each block, evenly spaced, the {CLIPS} clips with the largest mean activity, the largest first, each as {FRAMES} frames, evenly spaced among those that the encoder saw; time goes right."
    );
    Ok(entry.figure("preferred clips", svg, &what))
}
