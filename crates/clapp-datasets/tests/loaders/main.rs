//! The loader: the same batches of every sense whatever the threads do, and no thread goes on after it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]
#![allow(clippy::float_cmp, reason = "the same operations give the same bits")]

mod clips;
#[path = "../common/mod.rs"]
mod common;
mod images;
mod speech;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clapp_datasets::{
    BatchOf, Batcher, Error, InMemory, Info, LastBatch, Loader, LoaderConfig, Order, Part, Source,
};
use clapp_testing::assert_says;

/// What the loader is tried with.
trait Sense {
    type Batcher: Batcher;

    fn source() -> InMemory<<Self::Batcher as Batcher>::Item>;

    fn batcher() -> Self::Batcher;

    /// Batches of four.
    fn config(workers: usize) -> LoaderConfig;

    fn loader(workers: usize) -> Loader<Self::Batcher> {
        Self::of(Self::source(), Self::config(workers))
    }

    fn of(
        source: impl Source<Item = <Self::Batcher as Batcher>::Item> + 'static,
        config: LoaderConfig,
    ) -> Loader<Self::Batcher> {
        Loader::new(source, Self::batcher(), config).unwrap()
    }
}

/// Slow in an irregular way, counting reads, and bad at one item.
struct Troubled<S> {
    source: S,
    reads: Arc<AtomicUsize>,
    bad: Option<(usize, Trouble)>,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Error,
    Panic,
}

impl<S> Troubled<S> {
    fn new(source: S, bad: Option<(usize, Trouble)>) -> Self {
        Self { source, reads: Arc::default(), bad }
    }
}

impl<S: Source> Source for Troubled<S> {
    type Item = S::Item;
    fn len(&self) -> usize {
        self.source.len()
    }
    fn info(&self, index: usize) -> Info<'_, Self> {
        self.source.info(index)
    }
    fn read(&self, index: usize, part: Part<'_, Self>) -> Result<(), Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_micros((index * 613 % 7) as u64 * 100));
        match self.bad {
            Some((bad, Trouble::Panic)) if bad == index => panic!("item {index} is haunted"),
            Some((bad, Trouble::Error)) if bad == index => Err(Error::Io {
                action: "read",
                path: "haunted.bin".into(),
                source: std::io::ErrorKind::UnexpectedEof.into(),
            }),
            _ => self.source.read(index, part),
        }
    }
    fn name(&self) -> &str {
        "troubled"
    }
    fn classes(&self) -> usize {
        self.source.classes()
    }
}

fn epoch<B: Batcher>(loader: &Loader<B>, epoch: u64) -> Vec<BatchOf<B>> {
    loader.epoch(epoch).unwrap().collect::<Result<_, _>>().unwrap()
}

fn indices<S, L>(batches: &[clapp_datasets::Batch<S, L>]) -> Vec<usize> {
    batches.iter().flat_map(|batch| batch.indices.clone()).collect()
}

fn workers_do_not_change_what_is_delivered<S: Sense>() {
    let inline = epoch(&S::loader(0), 3);
    for workers in [1, 2, 3, 7, 50] {
        let loader = S::of(Troubled::new(S::source(), None), S::config(workers));
        assert_eq!(epoch(&loader, 3), inline, "{workers} workers");
    }
}

fn epochs_differ_and_repeat<S: Sense>() {
    let loader = S::loader(2);
    assert_eq!(epoch(&loader, 1), epoch(&loader, 1));
    assert_ne!(epoch(&loader, 1), epoch(&loader, 2));
    assert_ne!(indices(&epoch(&loader, 1)), indices(&epoch(&loader, 2)));
}

fn a_resumed_epoch_repeats_the_uninterrupted_one<S: Sense>() {
    for (last_batch, workers) in
        [(LastBatch::Keep, 0), (LastBatch::Keep, 3), (LastBatch::Drop, 0), (LastBatch::Drop, 3)]
    {
        let loader = S::of(S::source(), LoaderConfig { last_batch, ..S::config(workers) });
        let whole = epoch(&loader, 2);
        assert_eq!(whole.len(), loader.batches_per_epoch());
        for first in 0..=whole.len() {
            let mut rest = loader.resume(2, first).unwrap();
            for (position, expected) in whole.iter().enumerate().skip(first) {
                assert_eq!(rest.position(), position);
                assert_eq!(&rest.next().unwrap().unwrap(), expected);
            }
            assert_eq!((rest.position(), rest.next().is_none()), (whole.len(), true));
        }
    }
}

fn resuming_behind_the_end_is_refused<S: Sense>() {
    let loader = S::loader(1);
    let last = loader.batches_per_epoch();
    let error = loader.resume(4, last + 1).unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error}");
    let got = last + 1;
    let text = format!(
        "resume: expected a batch in 0..={last}, got {got} in epoch 4; were the data or the batch size \
         changed?"
    );
    assert_eq!(error.to_string(), text);
}

fn an_epoch_holds_every_item_once_and_whole_batches_if_asked_for<S: Sense>() {
    for (last_batch, order) in
        [(LastBatch::Keep, Order::Shuffled), (LastBatch::Drop, Order::Sequential)]
    {
        let loader = S::of(S::source(), LoaderConfig { last_batch, order, ..S::config(2) });
        let batches = epoch(&loader, 0);
        let (whole, rest) = (loader.kept().len() / 4, loader.kept().len() % 4);
        let mut expected = vec![4; whole];
        expected.extend((last_batch == LastBatch::Keep && rest > 0).then_some(rest));
        assert_eq!(batches.iter().map(|batch| batch.len()).collect::<Vec<_>>(), expected);
        for batch in &batches {
            assert_eq!(batch.shape.as_ref()[0], batch.len());
            assert_eq!(batch.shape.as_ref().iter().product::<usize>(), batch.values.len());
        }
        let mut seen = indices(&batches);
        if order == Order::Shuffled {
            seen.sort_unstable();
        }
        assert_eq!(seen, loader.kept()[..seen.len()]);
    }
}

fn an_error_or_a_panic_of_the_source_ends_the_epoch_at_its_batch<S: Sense>() {
    // Batch 2 of the items that are used.
    let bad = S::loader(0).kept()[9];
    for (workers, trouble) in
        [(0, Trouble::Error), (0, Trouble::Panic), (2, Trouble::Error), (2, Trouble::Panic)]
    {
        let source = Troubled::new(S::source(), Some((bad, trouble)));
        let config = LoaderConfig { order: Order::Sequential, ..S::config(workers) };
        let loader = S::of(source, config);
        let mut batches = loader.epoch(7).unwrap();
        assert!(batches.next().unwrap().is_ok());
        assert!(batches.next().unwrap().is_ok());
        let error = batches.next().unwrap().unwrap_err().to_string();
        match trouble {
            Trouble::Error => assert_says(&error, "read: ", "haunted.bin"),
            Trouble::Panic => assert_eq!(
                error,
                format!(
                    "loader: expected batch 2 of epoch 7, got panic \"item {bad} is haunted\" in \
                     troubled; this is a bug of the source"
                )
            ),
        }
        assert!(batches.next().is_none());
        assert_eq!(batches.position(), 2);
    }
}

fn dropping_an_epoch_joins_its_threads<S: Sense>() {
    let source = Arc::new(S::source());
    let loader = S::of(Arc::clone(&source), S::config(3));
    let mut batches = loader.epoch(0).unwrap();
    batches.next().unwrap().unwrap();
    drop(batches);
    drop(loader);
    // Every worker held the source; none is left.
    assert_eq!(Arc::strong_count(&source), 1);
}

fn readers_on_every_thread_of_the_pool_do_not_wait_for_each_other<S: Sense>() {
    let (alone, loader) = (epoch(&S::loader(0), 3), S::loader(2));
    // Batches are made in the pool too, and every thread of it reads and then leaves early.
    let read = rayon::broadcast(|_| {
        drop(loader.epoch(4).unwrap());
        epoch(&loader, 3)
    });
    assert!(read.iter().all(|read| read == &alone));
}

fn no_more_is_read_ahead_than_prefetch_allows<S: Sense>() {
    let source = Troubled::new(S::source(), None);
    let reads = Arc::clone(&source.reads);
    let loader = S::of(source, LoaderConfig { batch_size: 1, prefetch: 2, ..S::config(2) });
    let mut batches = loader.epoch(0).unwrap();
    batches.next().unwrap().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    // One was taken; each of 2 workers has 2 waiting and holds 1 more.
    assert!(reads.load(Ordering::SeqCst) <= 1 + 2 * (2 + 1));
}

fn a_batch_size_of_zero_is_refused<S: Sense>() {
    let config = LoaderConfig { batch_size: 0, ..S::config(0) };
    let error = Loader::new(S::source(), S::batcher(), config).unwrap_err().to_string();
    let text = "batch_size: expected at least 1, got 0 in the configuration; correct the setting";
    assert_eq!(error, text);
}

fn a_configuration_survives_serialization<S: Sense>() {
    let text = serde_json::to_string(&S::config(3)).unwrap();
    assert_eq!(serde_json::from_str::<LoaderConfig>(&text).unwrap(), S::config(3));
}

/// Every claim, of every sense.
macro_rules! every_sense {
    ($($claim:ident)*) => {$(
        mod $claim {
            #[test]
            fn of_images() {
                super::$claim::<super::images::Images>();
            }

            #[test]
            fn of_speech() {
                super::$claim::<super::speech::Speech>();
            }

            #[test]
            fn of_clips() {
                super::$claim::<super::clips::Clips>();
            }
        }
    )*};
}

every_sense! {
    workers_do_not_change_what_is_delivered
    epochs_differ_and_repeat
    a_resumed_epoch_repeats_the_uninterrupted_one
    resuming_behind_the_end_is_refused
    an_epoch_holds_every_item_once_and_whole_batches_if_asked_for
    an_error_or_a_panic_of_the_source_ends_the_epoch_at_its_batch
    dropping_an_epoch_joins_its_threads
    readers_on_every_thread_of_the_pool_do_not_wait_for_each_other
    no_more_is_read_ahead_than_prefetch_allows
    a_batch_size_of_zero_is_refused
    a_configuration_survives_serialization
}
