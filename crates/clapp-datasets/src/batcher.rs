//! From items to what a network sees.

use std::fmt;

use crate::source::{Item, Source};
use crate::{Augment, Error, Skipped};

/// When an item is seen: with the item's index, the address of all its draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The loader's seed, or that of another view of the same item.
    pub seed: u64,
    /// The epoch.
    pub epoch: u64,
    /// Random or fixed views.
    pub augment: Augment,
}

/// Makes of items what a network sees.
///
/// A pipeline of a sense is one: [`ImagePipeline`](crate::ImagePipeline) of images,
/// [`SpeechPipeline`](crate::sound::SpeechPipeline) of recordings, a
/// [`Sampling`](crate::video::Sampling) with a [`ClipPipeline`](crate::video::ClipPipeline) of clips.
/// [`Loader`](crate::Loader) does the rest: order, batches, threads, places to resume at.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Batcher, Error, Image, InMemory, Loader, LoaderConfig, Source, Visit};
///
/// /// The mean of every image.
/// #[derive(Debug)]
/// struct Means;
/// impl Batcher for Means {
///     type Item = Image;
///     type Shape = [usize; 2];
///     fn shape(&self, _: &dyn Source<Item = Image>, _: usize) -> Result<[usize; 2], Error> {
///         Ok([1, 1])
///     }
///     fn make(
///         &self,
///         source: &dyn Source<Item = Image>,
///         index: usize,
///         _: Visit,
///         out: &mut [f32],
///     ) -> Result<Option<u32>, Error> {
///         let image = (&source).get(index)?;
///         let sum: f32 = image.pixels.iter().map(|value| f32::from(*value)).sum();
///         out[0] = sum / image.pixels.len() as f32;
///         Ok(image.label)
///     }
/// }
///
/// let source = InMemory::images("two", [1, 1, 2], vec![0, 10, 20, 30])?;
/// let batch = Loader::new(source, Means, LoaderConfig::evaluation())?.epoch(0)?.next();
/// assert_eq!(batch.expect("two images")?.values, [5.0, 25.0]);
/// # Ok::<(), Error>(())
/// ```
pub trait Batcher: fmt::Debug + Send + Sync + 'static {
    /// What the source holds.
    type Item: Item;
    /// The shape of a batch: `[usize; 4]` of images.
    type Shape: Copy
        + fmt::Debug
        + PartialEq
        + AsRef<[usize]>
        + AsMut<[usize]>
        + Send
        + Sync
        + 'static;
    /// Whether a worker makes one item at a time instead of a whole batch: for items so large that as
    /// many batches as workers would fill a memory.
    const ONE_AT_A_TIME: bool = false;

    /// Checks that an item is long enough; what is not becomes an error or is left out, as
    /// [`LoaderConfig::on_bad`](crate::LoaderConfig::on_bad) says.
    ///
    /// # Errors
    /// It is not.
    fn check(&self, _: &dyn Source<Item = Self::Item>, _: usize) -> Result<(), Error> {
        Ok(())
    }

    /// The shape of a batch of this item alone; its first number is 1.
    ///
    /// # Errors
    /// The settings have no meaning, alone or for this item.
    fn shape(
        &self,
        source: &dyn Source<Item = Self::Item>,
        index: usize,
    ) -> Result<Self::Shape, Error>;

    /// Writes what the network sees of an item, as many values as [`shape`](Self::shape) says, and
    /// returns its label: a function of the item and of `visit` alone, on any thread.
    ///
    /// # Errors
    /// The source fails.
    fn make(
        &self,
        source: &dyn Source<Item = Self::Item>,
        index: usize,
        visit: Visit,
        out: &mut [f32],
    ) -> Result<Option<<Self::Item as Item>::Label>, Error>;

    /// The error for `got` usable items where a batch needs `expected`.
    fn too_few(
        &self,
        source: &dyn Source<Item = Self::Item>,
        expected: usize,
        got: usize,
        _: &Skipped,
    ) -> Error {
        let expected = format!("at least {expected} {}", Self::Item::PLURAL);
        Error::too_few("loader", expected, got, source.name(), "take smaller batches or add data")
    }
}
