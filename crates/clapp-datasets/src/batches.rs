//! Batches, made ahead of time by worker threads and delivered in an order that no thread decides.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};

use clapp_random::{Purpose, stream};
use rand::RngExt;

use crate::source::Item;
use crate::{Batcher, Error, ImagePipeline, Loader, LoaderConfig, Visit};

/// Some items, ready to become a tensor.
///
/// | of | shape | label |
/// |---|---|---|
/// | images | `[batch, colour, y, x]` | a class |
/// | speech | `[batch, 1, samples]` | a class per output of the encoder, see [`crop_labels`](crate::sound::crop_labels) |
/// | clips | `[batch, colour, time, y, x]` | a class |
///
/// With several [views](LoaderConfig::views) of every item the batch counts views: row v·n + i is view v
/// of item i of n; labels and indices are those of the n items.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<S = [usize; 4], L = u32> {
    /// Normalised values, `shape` row-major.
    pub values: Vec<f32>,
    /// The number of views of items and the size of each.
    pub shape: S,
    /// The label of each item, if it has one.
    pub labels: Vec<Option<L>>,
    /// The index of each item in the source.
    pub indices: Vec<usize>,
}

/// What a loader with the batcher `B` delivers.
pub type BatchOf<B> = Batch<<B as Batcher>::Shape, <<B as Batcher>::Item as Item>::Label>;

impl<S, L> Batch<S, L> {
    /// The number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// True if there is no item; a loader never yields such a batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// An epoch: everything that its batches are made of.
///
/// A unit is what a worker makes at a time: a whole batch, or one item of it.
pub(crate) struct Epoch<B: Batcher> {
    pub(crate) loader: Loader<B>,
    pub(crate) epoch: u64,
    pub(crate) order: Vec<usize>,
}

impl<B: Batcher> Epoch<B> {
    /// Units of a full batch, and items of a full unit.
    fn units(&self) -> (usize, usize) {
        let size = self.loader.config().batch_size;
        if B::ONE_AT_A_TIME { (size, 1) } else { (1, size) }
    }

    /// Makes a unit; a panic of the source becomes an error.
    fn make(&self, unit: usize) -> Result<BatchOf<B>, Error> {
        catch_unwind(AssertUnwindSafe(|| self.unit(unit))).unwrap_or_else(|panic| {
            let batch = unit / self.units().0;
            Err(Error::worker(
                "loader",
                format!("batch {batch} of epoch {}", self.epoch),
                format!("panic \"{}\"", message(panic.as_ref())),
                self.loader.source().name(),
                "this is a bug of the source",
            ))
        })
    }

    fn unit(&self, unit: usize) -> Result<BatchOf<B>, Error> {
        let (source, batcher, (_, size)) =
            (self.loader.source(), self.loader.batcher(), self.units());
        let &LoaderConfig { augment, views, .. } = self.loader.config();
        let visits: Vec<Visit> = (0..views as u64)
            .map(|view| Visit { seed: self.seed(view), epoch: self.epoch, augment })
            .collect();
        let start = unit * size;
        let indices = self.order[start..self.order.len().min(start + size)].to_vec();
        let mut shape = batcher.shape(source, indices[0])?;
        let size: usize = shape.as_ref().iter().product();
        shape.as_mut()[0] = views * indices.len();
        let mut values = vec![0.0; views * indices.len() * size];
        let rows =
            visits.iter().flat_map(|visit| indices.iter().map(move |&index| (index, *visit)));
        let mut labels = Vec::with_capacity(views * indices.len());
        for ((index, visit), out) in rows.zip(values.chunks_exact_mut(size)) {
            labels.push(batcher.make(source, index, visit, out)?);
        }
        labels.truncate(indices.len());
        Ok(Batch { values, shape, labels, indices })
    }

    /// The seed of a view: the loader's of the first.
    fn seed(&self, view: u64) -> u64 {
        let seed = self.loader.config().seed;
        // No epoch has this number, so no item's draws are among these.
        let mut others = stream(seed, Purpose::Augmentation, [u64::MAX, view, 0, 0]);
        if view == 0 { seed } else { others.random() }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned())
}

/// The batches of one epoch, in order. After an error there are no more.
///
/// Worker w of W makes units w, w + W, w + 2W, … (a unit is a batch, or one clip) into a bounded queue
/// of its own, and `next` takes from the queues in turn: order needs no sorting, and at most
/// `workers · (prefetch + 1)` units exist at a time. Dropping this stops and joins the workers.
pub struct Batches<B: Batcher = ImagePipeline> {
    epoch: Arc<Epoch<B>>,
    next: usize,
    end: usize,
    queues: Vec<Receiver<Result<BatchOf<B>, Error>>>,
    workers: Vec<JoinHandle<()>>,
    first: usize,
    failed: bool,
}

impl<B: Batcher> fmt::Debug for Batches<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Batches");
        shown.field("epoch", &self.epoch.epoch).field("next", &self.position());
        shown.field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

impl<B: Batcher> Batches<B> {
    /// The batches of an epoch from `first` on, made by as many threads as there is work for.
    pub(crate) fn start(epoch: Epoch<B>, first: usize) -> Result<Self, Error> {
        let &LoaderConfig { workers, prefetch, .. } = epoch.loader.config();
        let (per_batch, size) = epoch.units();
        let all = epoch.order.len().div_ceil(size);
        let end = all.min(epoch.loader.batches_per_epoch() * per_batch);
        let first = end.min(first * per_batch);
        let workers = workers.min(end - first);
        let (queues, handles) = (Vec::with_capacity(workers), Vec::with_capacity(workers));
        let epoch = Arc::new(epoch);
        // Built before the first thread starts, so that an early return joins those that run.
        let mut batches =
            Self { epoch, next: first, end, queues, workers: handles, first, failed: false };
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(prefetch);
            let epoch = Arc::clone(&batches.epoch);
            let work = move || {
                for unit in (first + worker..end).step_by(workers) {
                    // In the pool that computes: this thread waits, so that no more threads work
                    // than the pool has, however many loaders there are.
                    let made = rayon::scope(|_| epoch.make(unit));
                    let failed = made.is_err();
                    if sender.send(made).is_err() || failed {
                        return; // the reader has gone, or will stop at this error
                    }
                }
            };
            let name = format!("clapp-loader-{worker}");
            let handle = Builder::new().name(name).spawn(work).map_err(|source| {
                let (got, place) = (format!("\"{source}\""), format!("worker {worker}"));
                Error::worker("loader", "a worker thread", got, place, "use fewer")
            })?;
            batches.queues.push(receiver);
            batches.workers.push(handle);
        }
        Ok(batches)
    }

    /// The index of the batch that `next` will yield: what a checkpoint has to keep, with the epoch.
    #[must_use]
    pub fn position(&self) -> usize {
        let (per_batch, _) = self.epoch.units();
        // After a failure the units of the batch's beginning have been taken already.
        if self.failed { self.next / per_batch } else { self.next.div_ceil(per_batch) }
    }

    /// The next `count` units as one batch.
    fn join(&mut self, count: usize) -> Result<BatchOf<B>, Error> {
        let views = self.epoch.loader.config().views;
        let mut batch = self.unit()?;
        if count == 1 {
            return Ok(batch);
        }
        // Of several units: single items, each with all of its views.
        let size = batch.values.len() / views;
        batch.shape.as_mut()[0] = views * count;
        let first = std::mem::replace(&mut batch.values, vec![0.0; views * count * size]);
        place(&first, (0, count), size, &mut batch.values);
        for item in 1..count {
            let unit = self.unit()?;
            place(&unit.values, (item, count), size, &mut batch.values);
            batch.labels.extend(unit.labels);
            batch.indices.extend(unit.indices);
        }
        Ok(batch)
    }

    fn unit(&mut self) -> Result<BatchOf<B>, Error> {
        let made = match self.queues.len() {
            0 => self.epoch.make(self.next),
            workers => received(&self.queues[(self.next - self.first) % workers]),
        };
        self.next += usize::from(made.is_ok());
        made
    }
}

impl<B: Batcher> Iterator for Batches<B> {
    type Item = Result<BatchOf<B>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let count = (self.end - self.next).min(self.epoch.units().0);
        if self.failed || count == 0 {
            return None;
        }
        let batch = self.join(count);
        self.failed = batch.is_err();
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = if self.failed { 0 } else { self.end - self.next };
        (0, Some(left.div_ceil(self.epoch.units().0)))
    }
}

/// Copies all views of one item of `count`, each `size` values, to their places in a batch.
fn place(views: &[f32], (item, count): (usize, usize), size: usize, values: &mut [f32]) {
    for (view, row) in views.chunks_exact(size).enumerate() {
        values[(view * count + item) * size..][..size].copy_from_slice(row);
    }
}

/// The next unit of a queue. A reader inside the pool works while it waits: the unit may be waiting for
/// the very thread.
fn received<T>(queue: &Receiver<Result<T, Error>>) -> Result<T, Error> {
    while rayon::current_thread_index().is_some() {
        match queue.try_recv() {
            Ok(made) => return made,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => help(),
        }
    }
    queue.recv().expect("a worker sends each of its units, or an error that ends the iteration")
}

/// Does some of what the pool has to do, or lets others run.
fn help() {
    if rayon::yield_now() != Some(rayon::Yield::Executed) {
        std::thread::yield_now();
    }
}

impl<B: Batcher> std::iter::FusedIterator for Batches<B> {}

impl<B: Batcher> Drop for Batches<B> {
    fn drop(&mut self) {
        self.queues.clear(); // a worker that waits to send wakes up and ends
        for worker in self.workers.drain(..) {
            while rayon::current_thread_index().is_some() && !worker.is_finished() {
                help();
            }
            let _ = worker.join(); // a panic was caught and sent; there is nothing more to learn
        }
    }
}
