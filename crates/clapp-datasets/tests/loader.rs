//! The loader: the same batches whatever the threads do, and no thread goes on after it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]
#![allow(clippy::float_cmp, reason = "the same operations give the same bits")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clapp_datasets::{
    Augment, Batch, Error, Image, ImageInfo, ImagePipeline, InMemory, LastBatch, Loader,
    LoaderConfig, Order, Source, Subset,
};

/// 23 gray images of 8×8 pixels that all differ.
fn images() -> InMemory<Image> {
    let pixels = (0..23 * 64).map(|i| (i * 37 % 256) as u8).collect();
    let labels = (0..23).map(|i| i % 5).collect();
    InMemory::images("images", [1, 8, 8], pixels).unwrap().with_labels(labels, 5).unwrap()
}

fn pipeline() -> ImagePipeline {
    ImagePipeline { crop: 5, ..ImagePipeline::stl10() }
}

fn config(workers: usize) -> LoaderConfig {
    LoaderConfig { batch_size: 4, workers, ..LoaderConfig::training() }
}

fn loader(workers: usize) -> Loader {
    Loader::new(images(), pipeline(), config(workers)).unwrap()
}

fn epoch(loader: &Loader, epoch: u64) -> Vec<Batch> {
    loader.epoch(epoch).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Behaves like [`images`] but slow in an irregular way, counting reads, and bad at one image.
struct Troubled {
    images: InMemory<Image>,
    reads: Arc<AtomicUsize>,
    bad: Option<(usize, Trouble)>,
}

#[derive(Clone, Copy)]
enum Trouble {
    Error,
    Panic,
}

impl Troubled {
    fn new(bad: Option<(usize, Trouble)>) -> Self {
        Self { images: images(), reads: Arc::default(), bad }
    }
}

impl Source for Troubled {
    type Item = Image;
    fn len(&self) -> usize {
        self.images.len()
    }
    fn info(&self, index: usize) -> ImageInfo {
        self.images.info(index)
    }
    fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_micros((index * 613 % 7) as u64 * 100));
        match self.bad {
            Some((bad, Trouble::Panic)) if bad == index => panic!("image {index} is haunted"),
            Some((bad, Trouble::Error)) if bad == index => Err(Error::Io {
                action: "read",
                path: "haunted.bin".into(),
                source: std::io::ErrorKind::UnexpectedEof.into(),
            }),
            _ => self.images.read(index, into),
        }
    }
    fn name(&self) -> &str {
        "troubled"
    }
    fn classes(&self) -> usize {
        self.images.classes()
    }
}

#[test]
fn workers_do_not_change_what_is_delivered() {
    let inline = epoch(&loader(0), 3);
    for workers in [1, 2, 3, 7, 50] {
        let source = Troubled::new(None);
        let loader = Loader::new(source, pipeline(), config(workers)).unwrap();
        assert_eq!(epoch(&loader, 3), inline, "{workers} workers");
    }
}

#[test]
fn an_epoch_holds_every_image_once_with_its_label() {
    let batches = epoch(&loader(2), 0);
    assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [4, 4, 4, 4, 4, 3]);
    assert_eq!(batches[5].shape, [3, 1, 5, 5]);
    assert_eq!(batches[5].values.len(), 3 * 25);
    let mut indices: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..23));
    for batch in batches {
        for (index, label) in batch.indices.iter().zip(batch.labels) {
            assert_eq!(label, Some((index % 5) as u32));
        }
    }
}

#[test]
fn epochs_differ_and_repeat() {
    let loader = loader(2);
    assert_eq!(epoch(&loader, 1), epoch(&loader, 1));
    assert_ne!(epoch(&loader, 1), epoch(&loader, 2));
}

#[test]
fn a_resumed_epoch_repeats_the_uninterrupted_one() {
    for workers in [0, 3] {
        let loader = loader(workers);
        let whole = epoch(&loader, 2);
        for first in 0..=6 {
            let rest = loader.resume(2, first).unwrap();
            assert_eq!(rest.position(), first);
            assert_eq!(rest.map(Result::unwrap).collect::<Vec<_>>(), whole[first..]);
        }
    }
}

#[test]
fn resuming_behind_the_end_is_refused() {
    let error = loader(1).resume(4, 7).unwrap_err().to_string();
    assert_eq!(
        error,
        "resume: expected a batch in 0..=6, got 7 in epoch 4; were the data or the batch size \
         changed?"
    );
}

#[test]
fn an_incomplete_batch_can_be_dropped() {
    let config = LoaderConfig { last_batch: LastBatch::Drop, ..config(2) };
    let loader = Loader::new(images(), pipeline(), config).unwrap();
    assert_eq!(loader.batches_per_epoch(), 5);
    assert!(epoch(&loader, 0).iter().all(|batch| batch.len() == 4));
}

#[test]
fn evaluation_is_in_order_and_never_changes() {
    let config = LoaderConfig { batch_size: 23, ..LoaderConfig::evaluation() };
    assert_eq!((config.order, config.augment), (Order::Sequential, Augment::Evaluation));
    let loader = Loader::new(images(), pipeline(), config).unwrap();
    let first = epoch(&loader, 0);
    assert_eq!(first, epoch(&loader, 1));
    assert!(first[0].indices.iter().copied().eq(0..23));
    // Image 0, centre crop from (1, 1): pixel 9 of the image.
    assert_eq!(first[0].values[0], (f32::from((9 * 37 % 256) as u8) / 255.0 - 0.4120) / 0.2570);
}

#[test]
fn an_error_of_the_source_ends_the_epoch_at_its_batch() {
    for workers in [0, 2] {
        let config = LoaderConfig { order: Order::Sequential, ..config(workers) };
        let source = Troubled::new(Some((9, Trouble::Error)));
        let loader = Loader::new(source, pipeline(), config).unwrap();
        let mut batches = loader.epoch(0).unwrap();
        assert!(batches.next().unwrap().is_ok());
        assert!(batches.next().unwrap().is_ok());
        let error = batches.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("haunted.bin"), "{error}");
        assert!(batches.next().is_none());
        assert_eq!(batches.position(), 2);
    }
}

#[test]
fn a_panic_of_the_source_is_an_error_that_names_the_batch() {
    for workers in [0, 2] {
        let config = LoaderConfig { order: Order::Sequential, ..config(workers) };
        let source = Troubled::new(Some((9, Trouble::Panic)));
        let loader = Loader::new(source, pipeline(), config).unwrap();
        let error = loader.epoch(7).unwrap().find_map(Result::err).unwrap().to_string();
        assert_eq!(
            error,
            "loader: expected batch 2 of epoch 7, got panic \"image 9 is haunted\" in troubled; \
             this is a bug of the source"
        );
    }
}

#[test]
fn dropping_an_epoch_joins_its_threads() {
    let source = Arc::new(images());
    let loader = Loader::new(Arc::clone(&source), pipeline(), config(3)).unwrap();
    let mut batches = loader.epoch(0).unwrap();
    batches.next().unwrap().unwrap();
    drop(batches);
    drop(loader);
    // Every worker held the source; none is left.
    assert_eq!(Arc::strong_count(&source), 1);
}

#[test]
fn readers_on_every_thread_of_the_pool_do_not_wait_for_each_other() {
    let (alone, loader) = (epoch(&loader(0), 3), loader(2));
    // Batches are made in the pool too, and every thread of it reads and then leaves early.
    let read = rayon::broadcast(|_| {
        drop(loader.epoch(4).unwrap());
        epoch(&loader, 3)
    });
    assert!(read.iter().all(|read| read == &alone));
}

#[test]
fn no_more_is_read_ahead_than_prefetch_allows() {
    let source = Troubled::new(None);
    let reads = Arc::clone(&source.reads);
    let config = LoaderConfig { batch_size: 1, prefetch: 2, ..config(2) };
    let loader = Loader::new(source, pipeline(), config).unwrap();
    let mut batches = loader.epoch(0).unwrap();
    batches.next().unwrap().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    // One was taken; each of 2 workers has 2 waiting and holds 1 more.
    assert!(reads.load(Ordering::SeqCst) <= 1 + 2 * (2 + 1));
}

#[test]
fn a_batch_size_of_zero_is_refused() {
    let config = LoaderConfig { batch_size: 0, ..config(0) };
    let error = Loader::new(images(), pipeline(), config).unwrap_err().to_string();
    assert_eq!(
        error,
        "batch_size: expected at least 1, got 0 in the configuration; correct the setting"
    );
}

#[test]
fn a_source_without_a_batch_is_refused() {
    let nothing = Subset::new(images(), Vec::new()).unwrap();
    let error = Loader::new(nothing, pipeline(), config(0)).unwrap_err().to_string();
    assert_eq!(error, "loader: expected at least 1 images, got 0 in images; ask for fewer");
    let config = LoaderConfig { batch_size: 24, last_batch: LastBatch::Drop, ..config(0) };
    let error = Loader::new(images(), pipeline(), config).unwrap_err().to_string();
    assert!(error.starts_with("loader: expected at least 24 images, got 23 in images"), "{error}");
}

#[test]
fn a_crop_larger_than_the_images_is_refused() {
    let error = Loader::new(images(), ImagePipeline::stl10(), config(0)).unwrap_err().to_string();
    assert!(error.starts_with("crop: expected 1..=8 pixels, got 64 in an image of 8×8"), "{error}");
}

#[test]
fn a_configuration_survives_serialization() {
    let text = serde_json::to_string(&config(3)).unwrap();
    assert_eq!(serde_json::from_str::<LoaderConfig>(&text).unwrap(), config(3));
}
