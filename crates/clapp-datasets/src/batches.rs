//! Batches, made ahead of time by worker threads and delivered in an order that no thread decides.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::{Error, Loader};

/// Some images, ready to become a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Normalised values, `shape` row-major.
    pub pixels: Vec<f32>,
    /// `[batch, colour, y, x]`.
    pub shape: [usize; 4],
    /// The class of each image, if it has one.
    pub labels: Vec<Option<u8>>,
    /// The index of each image in the source.
    pub indices: Vec<usize>,
}

impl Batch {
    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// True if there is no image; a loader never yields such a batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// One epoch: everything that its batches are made of. Whatever is loaded (images, sound) implements
/// this; [`Batches`] does the rest.
pub(crate) trait Maker: Send + Sync {
    /// What an epoch is cut into.
    type Batch;

    /// Makes a batch, on any thread: a function of its index and what `self` was made of.
    fn make(&self, batch: usize) -> Result<Self::Batch, Error>;

    /// The epoch, for messages.
    fn epoch(&self) -> u64;

    /// The name of the source, for messages.
    fn place(&self) -> &str;
}

/// Makes a batch; a panic of the source becomes an error.
fn make<B>(maker: &dyn Maker<Batch = B>, batch: usize) -> Result<B, Error> {
    catch_unwind(AssertUnwindSafe(|| maker.make(batch))).unwrap_or_else(|panic| {
        let (epoch, place) = (maker.epoch(), maker.place().to_owned());
        Err(Error::Panic { batch, epoch, message: message(panic.as_ref()), place })
    })
}

/// An epoch of images.
pub(crate) struct ImageMaker {
    pub(crate) loader: Loader,
    pub(crate) epoch: u64,
    pub(crate) order: Vec<usize>,
}

impl Maker for ImageMaker {
    type Batch = Batch;

    fn make(&self, batch: usize) -> Result<Batch, Error> {
        let (source, loader) = (self.loader.source(), &self.loader);
        let (pipeline, config) = (loader.pipeline(), loader.config());
        let start = batch * config.batch_size;
        let end = self.order.len().min(start + config.batch_size);
        let indices = self.order[start..end].to_vec();
        let (dims, [planes, height, width]) = (source.dims(), pipeline.output_dims());
        let size = planes * height * width;
        let mut pixels = vec![0.0; indices.len() * size]; // [batch, colour, y, x]
        let mut image = vec![0; source.image_bytes()];
        for (&index, out) in indices.iter().zip(pixels.chunks_exact_mut(size)) {
            source.read(index, &mut image)?;
            let view = pipeline.view(dims, config.augment, config.seed, self.epoch, index as u64);
            pipeline.apply(&image, dims, view, out);
        }
        let labels = indices.iter().map(|&index| source.label(index)).collect();
        Ok(Batch { pixels, shape: [indices.len(), planes, height, width], labels, indices })
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn place(&self) -> &str {
        self.loader.source().name()
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned())
}

/// How far ahead of their reader batches are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threads {
    /// Threads; with 0, batches are made when asked for.
    pub(crate) workers: usize,
    /// Finished batches that may wait, per worker.
    pub(crate) prefetch: usize,
}

/// The batches of one epoch, in order. After an error there are no more.
///
/// Worker w of W makes batches w, w + W, w + 2W, … into a bounded queue of its own, and `next`
/// takes from the queues in turn: order needs no sorting, and at most `workers · (prefetch + 1)`
/// batches exist at a time. Dropping this stops and joins the workers.
pub struct Batches<B = Batch> {
    maker: Arc<dyn Maker<Batch = B>>,
    next: usize,
    end: usize,
    queues: Vec<Receiver<Result<B, Error>>>,
    workers: Vec<JoinHandle<()>>,
    first: usize,
}

impl<B> fmt::Debug for Batches<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Batches");
        shown.field("epoch", &self.maker.epoch()).field("next", &self.next);
        shown.field("end", &self.end).field("workers", &self.workers.len()).finish()
    }
}

impl<B: Send + 'static> Batches<B> {
    /// Batches `first..end`, made by as many threads as there is work for.
    pub(crate) fn start(
        maker: Arc<dyn Maker<Batch = B>>,
        Range { start: first, end }: Range<usize>,
        Threads { workers, prefetch }: Threads,
    ) -> Result<Self, Error> {
        let workers = workers.min(end - first);
        let (queues, handles) = (Vec::with_capacity(workers), Vec::with_capacity(workers));
        // Built before the first thread starts, so that an early return joins those that run.
        let mut batches = Self { maker, next: first, end, queues, workers: handles, first };
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(prefetch);
            let maker = Arc::clone(&batches.maker);
            let work = move || {
                for batch in (first + worker..end).step_by(workers) {
                    // In the pool that computes: this thread waits, so that no more threads work
                    // than the pool has, however many loaders there are.
                    let made = rayon::scope(|_| make(&*maker, batch));
                    let failed = made.is_err();
                    if sender.send(made).is_err() || failed {
                        return; // the reader has gone, or will stop at this error
                    }
                }
            };
            let handle = Builder::new()
                .name(format!("clapp-loader-{worker}"))
                .spawn(work)
                .map_err(|source| Error::Thread { worker, source })?;
            batches.queues.push(receiver);
            batches.workers.push(handle);
        }
        Ok(batches)
    }
}

impl<B> Batches<B> {
    /// The index of the batch that `next` will yield: what a checkpoint has to keep, with the epoch.
    #[must_use]
    pub fn position(&self) -> usize {
        self.next
    }
}

impl<B> Iterator for Batches<B> {
    type Item = Result<B, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let made = match self.queues.len() {
            0 => make(&*self.maker, self.next),
            workers => received(&self.queues[(self.next - self.first) % workers]),
        };
        match made {
            Ok(_) => self.next += 1,
            Err(_) => self.end = self.next,
        }
        Some(made)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.end - self.next))
    }
}

/// The next batch of a queue. A reader inside the pool works while it waits: the batch may be waiting for
/// the very thread.
fn received<B>(queue: &Receiver<Result<B, Error>>) -> Result<B, Error> {
    while rayon::current_thread_index().is_some() {
        match queue.try_recv() {
            Ok(made) => return made,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => help(),
        }
    }
    queue.recv().expect("a worker sends each of its batches, or an error that ends the iteration")
}

/// Does some of what the pool has to do, or lets others run.
fn help() {
    if rayon::yield_now() != Some(rayon::Yield::Executed) {
        std::thread::yield_now();
    }
}

impl<B> std::iter::FusedIterator for Batches<B> {}

impl<B> Drop for Batches<B> {
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
