//! Photographs of one's own: what a folder has, in parts.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use clapp_datasets::{Folder, Source as _, Subset, folder};

use super::{DataConfig, Held, Images, Source, data::SPLIT_SEED};
use crate::{Data, Error, RunConfig, data::left_out};

/// The images of a folder that were decoded last: a run checks its data, then opens them for every seed.
static DECODED: Mutex<Option<([String; 3], Arc<Folder>)>> = Mutex::new(None);

/// Decodes the images of a folder, which are those of the digest unless it is empty.
fn folder(root: &Path, side: usize, (files, digest): (usize, &str)) -> Result<Arc<Folder>, Error> {
    let listing = folder::Listing::of(root)?;
    if !digest.is_empty() && listing.digest() != digest {
        return Err(Error::misfit_of(
            "photographs",
            format!("the {files} files that the run began with, of names and sizes {digest}"),
            format!("{} of {} in {}", listing.len(), listing.digest(), root.display()),
            "restore the folder, or start a new run",
        ));
    }
    decoded(root, side, listing)
}

fn decoded(root: &Path, side: usize, listing: folder::Listing) -> Result<Arc<Folder>, Error> {
    let key = [root.display().to_string(), side.to_string(), listing.digest().to_owned()];
    let mut decoded = DECODED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*decoded {
        Some((same, folder)) if *same == key => Ok(folder.clone()),
        _ => Ok(decoded.insert((key, Arc::new(listing.read(side)?))).1.clone()),
    }
}

/// The parts of a folder of photographs; those that have labels are read out, if they are enough for two parts.
pub(super) fn open(config: &DataConfig) -> Result<Data<Images>, Error> {
    let DataConfig::Folder { root, side, tested_on, files, digest } = config else {
        panic!("photographs: expected a folder of them, got {config:?}")
    };
    let folder = folder(root, *side, (*files, digest))?;
    let held = match tested_on {
        Held::Test => folder::Part::Test,
        Held::Validation => folder::Part::Validation,
    };
    let [learn, train, test] = folder.parts(held, SPLIT_SEED);
    let part = |indices: Vec<usize>| -> Result<Source, Error> {
        Ok(Arc::new(Subset::new(folder.clone(), indices)?))
    };
    let mut notes = Vec::new();
    left_out(&mut notes, folder.name(), folder.skipped().iter());
    let few = "there are too few labelled images for two parts";
    let why = folder.unlabelled().or((train.is_empty() || test.is_empty()).then_some(few));
    let labelled = match why {
        None => Some([part(train)?, part(test)?]),
        Some(why) => {
            notes.push(format!("without labels, so that nothing is read out: {why}"));
            None
        }
    };
    let classes = if labelled.is_some() { folder.classes() } else { 0 };
    let name = format!("{} in {}", config.name(), folder.name());
    Ok(Data { learn: part(learn)?, labelled, classes, names: [name.clone(), name], notes })
}

/// Squares of photographs: as large as CIFAR-10's, whose presets they take.
const SIDE: usize = 32;

/// How often a preset sees a photograph at most.
const EPOCHS: u64 = 200;

/// CIFAR-10's configuration for a folder of photographs.
pub(super) fn with_folder(
    mut config: RunConfig<Images>,
    root: &Path,
) -> Result<RunConfig<Images>, Error> {
    let listing = folder::Listing::of(root)?;
    let (files, digest) = (listing.len(), listing.digest().to_owned());
    let folder = decoded(root, SIDE, listing)?;
    let (root, tested_on) = (root.to_owned(), Held::Test);
    config.setup.data = DataConfig::Folder { root, side: SIDE, tested_on, files, digest };
    // The presets were made for tens of thousands of images; few are not seen more often than this.
    let [learn, train, _] = folder.parts(folder::Part::Test, SPLIT_SEED);
    let most = (EPOCHS * learn.len() as u64).max(config.batch as u64);
    config.setup.images = config.setup.images.min(most);
    // Few labels are no more than the smallest class has.
    let mut members = vec![0; folder.classes()];
    train.iter().filter_map(|&index| folder.info(index).label).for_each(|label| {
        members[label as usize] += 1;
    });
    let fewest = members.into_iter().min().unwrap_or(usize::MAX).max(1);
    config.setup.readout.few = config.setup.readout.few.min(fewest);
    Ok(config)
}
