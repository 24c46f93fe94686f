//! `clapp data`: what a data set holds, what can be done ahead of time, what can be fetched.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use clap::{Args, Subcommand};
use clapp::{
    Data, Error, Sense, Sound, Video,
    console::{Ticker, note},
    datasets::{
        Item, Source, Survey,
        download::{self, Archive},
        video::PreparedClips,
    },
    preset::{Presets, preset},
    video::ClipsConfig,
};
use serde::Serialize;

use crate::{
    data::{self, Sensed},
    output::{print, print_json},
};

/// Look at data, prepare them ahead of time, fetch them.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Verify(Verify),
    Prepare(Prepare),
    Download(Download),
}

/// Read all of a data set and say what is there; what cannot be used is an error.
#[derive(Args)]
struct Verify {
    #[command(flatten)]
    data: data::Data,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Do what the first training on these data would do: decode videos, index sounds.
#[derive(Args)]
struct Prepare {
    #[command(flatten)]
    data: data::Data,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

/// Fetch an official archive, check it and unpack it; one that broke off goes on, nothing is overwritten.
#[derive(Args)]
struct Download {
    #[arg(help = format!("One of {}", download::NAMES))]
    name: String,
    /// Folder for it
    #[arg(short, long, value_name = "DIR", default_value = "data")]
    out: PathBuf,
    /// Fetch the same file from this address
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    match &options.what {
        What::Verify(options) => verify(options),
        What::Prepare(options) => prepare(options),
        What::Download(options) => download(options),
    }
}

/// How far something has come, said by many threads.
struct Progress(Option<Mutex<Ticker>>);

impl Progress {
    fn new(quiet: bool) -> Self {
        Self((!quiet).then(|| Mutex::new(Ticker::new())))
    }

    fn tell(&self, what: &str, done: usize, of: usize) {
        if let Some(ticker) = &self.0 {
            let mut ticker = ticker.lock().unwrap_or_else(PoisonError::into_inner);
            ticker.tell(format_args!("{what}: {done} of {of}"), done == of);
        }
    }
}

/// What a data set holds.
#[derive(Serialize)]
struct Found {
    data: String,
    parts: Vec<Part>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Part {
    part: &'static str,
    #[serde(flatten)]
    survey: Survey,
}

fn verify(options: &Verify) -> Result<(), Error> {
    let progress = Progress::new(options.quiet);
    let look = |data: data::Data| match data.sensed() {
        Sensed::Images(data) => found(&data, &progress),
        Sensed::Sound(data) => found(&data, &progress),
        Sensed::Video(data) => found(&data, &progress),
    };
    let found = look(options.data.clone()).or_else(|error| {
        // All that is wrong, not the first alone; it stays an error.
        if let Some(found) = options.data.without_bad().and_then(|data| look(data).ok()) {
            say(&found, options.json)?;
        }
        Err(error)
    })?;
    say(&found, options.json)?;
    let mut unreadable = found.parts.iter().flat_map(|part| &part.survey.unreadable);
    let Some(first) = unreadable.next() else { return Ok(()) };
    let got = format!("{} that cannot, the first: {first}", 1 + unreadable.count());
    Err(Error::misfit_of("data", "items that can be read", got, "restore the files"))
}

fn found<S, I>(data: &S, progress: &Progress) -> Result<Found, Error>
where
    S: Presets + Sense<Source = Arc<dyn Source<Item = I>>>,
    I: Item,
{
    let opened = open(data)?;
    let [train, test] = opened.labelled.clone().map_or([None, None], |parts| parts.map(Some));
    let train = train.filter(|train| !Arc::ptr_eq(train, &opened.learn));
    let parts = [("learn", Some(opened.learn)), ("train", train), ("test", test)];
    let parts = parts.into_iter().filter_map(|(part, source)| Some((part, source?)));
    let survey = |(part, source): (&'static str, S::Source)| -> Result<Part, Error> {
        let count = source.len();
        let survey = Survey::of(&*source, |done| progress.tell(source.name(), done, count))?;
        Ok(Part { part, survey })
    };
    let data = opened.names[0].clone();
    Ok(Found { data, parts: parts.map(survey).collect::<Result<_, _>>()?, notes: opened.notes })
}

/// Opens data as training does.
fn open<S: Presets>(data: &S) -> Result<Data<S>, Error> {
    let config = preset("quick", "clapp-s", data, &[2])?;
    Data::open(&config, config.seeds[0])
}

fn say(found: &Found, json: bool) -> Result<(), Error> {
    if json {
        return print_json(found);
    }
    let extent =
        |extent: &[usize]| extent.iter().map(ToString::to_string).collect::<Vec<_>>().join("×");
    for Part { part, survey } in &found.parts {
        let Survey { name, what, items, digest, classes, unreadable, .. } = survey;
        let (smallest, largest) = (extent(&survey.smallest), extent(&survey.largest));
        let sizes = if smallest == largest { smallest } else { format!("{smallest} to {largest}") };
        print(format_args!("{part}: {items} {what} of {name}, {sizes}, digest {digest}"))?;
        if !classes.is_empty() {
            let each: Vec<String> =
                classes.iter().map(|(class, items)| format!("{class} {items}")).collect();
            print(format_args!("  {} classes: {}", classes.len(), each.join(", ")))?;
        }
        unreadable.iter().try_for_each(|reason| print(format_args!("  {reason}")))?;
    }
    found.notes.iter().try_for_each(|note| print(format_args!("note: {note}")))
}

/// Decodes videos that are not prepared yet, and says how far it is.
pub(crate) fn decode(clips: &ClipsConfig, quiet: bool) -> Result<[PreparedClips; 2], Error> {
    let progress = Progress::new(quiet);
    clips.prepare(|now| progress.tell("videos", now.done, now.of))
}

fn prepare(options: &Prepare) -> Result<(), Error> {
    match options.data.sensed() {
        Sensed::Video(Video::Clips(clips)) => {
            for part in &decode(&clips, options.quiet)? {
                if !part.skipped().is_empty() {
                    note(format_args!("note: {}: {}", part.name(), part.skipped()));
                }
                let folder = clips.prepared.display();
                print(format_args!("{} clips of {} in {folder}", part.len(), part.name()))?;
            }
            Ok(())
        }
        Sensed::Sound(data @ Sound::Files(_)) => {
            let opened = open(&data)?;
            opened.notes.iter().for_each(|text| note(format_args!("note: {text}")));
            print(format_args!("{}: every file was decoded, and is known", opened.names[0]))
        }
        _ => print("nothing to prepare: these data are read as they are"),
    }
}

fn download(options: &Download) -> Result<(), Error> {
    let Download { name, out, mirror, quiet } = options;
    let mut archive = match name.as_str() {
        "ucf101" | "hmdb51" => {
            let got = format!("{name}, which is packed as RAR");
            let advice = "unpack it yourself: https://www.crcv.ucf.edu/data/UCF101.php, \
                          https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database";
            let expected = format!("one of {}", download::NAMES);
            return Err(Error::misfit_of("download", expected, got, advice));
        }
        name => {
            Archive::named(name).ok_or_else(|| Error::name("download", download::NAMES, name))?
        }
    };
    if let Some(url) = mirror {
        archive.url.clone_from(url);
    }
    let mut ticker = (!quiet).then(Ticker::new);
    let folder = download::download(&archive, out, &mut |now| {
        if let Some(ticker) = &mut ticker {
            let megabytes = [now.received, now.total].map(|bytes| bytes / 1_000_000);
            let [received, total] = megabytes;
            ticker.tell(
                format_args!("{}: {received} of {total} MB", archive.name),
                now.received == now.total,
            );
        }
    })?;
    print(format_args!("{name} in {}", folder.display()))
}
