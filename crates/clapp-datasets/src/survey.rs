//! What a data set holds, after all of it was read.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use crate::{Error, Item, Source, digest};

/// What a source holds: every item was read once, and those that cannot be read are named.
///
/// # Example
///
/// ```
/// use clapp_datasets::{InMemory, Survey};
/// let images = InMemory::images("two", [1, 2, 2], vec![0; 8])?.with_labels(vec![1, 1], 3)?;
/// let survey = Survey::of(&images, |_| ())?;
/// assert_eq!((survey.items, survey.unlabelled, survey.unreadable.len()), (2, 0, 0));
/// assert_eq!(survey.classes, [("0".to_owned(), 0), ("1".to_owned(), 2), ("2".to_owned(), 0)]);
/// assert_eq!(survey.smallest, [1, 2, 2]);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// The source's name.
    pub name: String,
    /// What its items are, in the plural.
    pub what: &'static str,
    /// How many there are.
    pub items: usize,
    /// [`digest`] of the source.
    pub digest: String,
    /// Names of the classes, numbers where they have none, and how many items each has; empty without labels of
    /// whole items.
    pub classes: Vec<(String, usize)>,
    /// Items of no class.
    pub unlabelled: usize,
    /// Least of every extent: colours, rows, columns of images; samples; frames, rows, columns of clips.
    pub smallest: Vec<usize>,
    /// Most of every extent.
    pub largest: Vec<usize>,
    /// Items that cannot be read, and why.
    pub unreadable: Vec<String>,
}

impl Survey {
    /// Reads a source, on all threads; `progress` is called with the number of items that are done.
    ///
    /// # Errors
    /// All items can be read, but not a second time, for the digest; it is empty if some cannot be read.
    pub fn of<I: Item>(
        source: &dyn Source<Item = I>,
        progress: impl Fn(usize) + Sync,
    ) -> Result<Self, Error> {
        let done = AtomicUsize::new(0);
        let read = |index: usize| {
            let reason = I::whole(source, index).err().map(|error| error.to_string());
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            reason
        };
        let unreadable: Vec<String> = (0..source.len()).into_par_iter().filter_map(read).collect();
        let name = |class: usize| {
            source.class_name(class).map_or_else(|| class.to_string(), str::to_owned)
        };
        let mut classes: Vec<_> = (0..source.classes()).map(|class| (name(class), 0)).collect();
        let (mut unlabelled, mut smallest, mut largest) = (0, Vec::new(), Vec::new());
        for index in 0..source.len() {
            let info = source.info(index);
            match I::class(&info).and_then(|class| classes.get_mut(class as usize)) {
                Some((_, items)) => *items += 1,
                None => unlabelled += 1,
            }
            let extent = I::extent(&info);
            if index == 0 {
                (smallest, largest) = (extent.clone(), extent);
                continue;
            }
            smallest.iter_mut().zip(&extent).for_each(|(least, &e)| *least = e.min(*least));
            largest.iter_mut().zip(&extent).for_each(|(most, &e)| *most = e.max(*most));
        }
        if unlabelled == source.len() {
            classes.clear(); // such as phones, which are of frames
        }
        let digest = if unreadable.is_empty() { digest(source)? } else { String::new() };
        let (name, what, items) = (source.name().to_owned(), I::PLURAL, source.len());
        Ok(Self { name, what, items, digest, classes, unlabelled, smallest, largest, unreadable })
    }
}
