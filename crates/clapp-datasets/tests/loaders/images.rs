//! Images.

use clapp_datasets::{Image, ImagePipeline, InMemory, LastBatch, Loader, LoaderConfig, Subset};
use clapp_testing::assert_says;

use super::{Sense, epoch};

/// 23 gray images of 8×8 pixels that all differ.
pub struct Images;

impl Sense for Images {
    type Batcher = ImagePipeline;

    fn source() -> InMemory<Image> {
        let pixels = (0..23 * 64).map(|i| (i * 37 % 256) as u8).collect();
        let labels = (0..23).map(|i| i % 5).collect();
        InMemory::images("images", [1, 8, 8], pixels).unwrap().with_labels(labels, 5).unwrap()
    }

    fn batcher() -> ImagePipeline {
        ImagePipeline { crop: 5, ..ImagePipeline::stl10() }
    }

    fn config(workers: usize) -> LoaderConfig {
        LoaderConfig { batch_size: 4, workers, ..LoaderConfig::training() }
    }
}

#[test]
fn labels_stay_with_their_images() {
    let batches = epoch(&Images::loader(2), 0);
    assert_eq!(batches[5].shape, [3, 1, 5, 5]);
    for batch in batches {
        for (index, label) in batch.indices.iter().zip(batch.labels) {
            assert_eq!(label, Some((index % 5) as u32));
        }
    }
}

#[test]
fn evaluation_is_in_order_and_never_changes() {
    let config = LoaderConfig { batch_size: 23, ..LoaderConfig::evaluation() };
    let loader = Images::of(Images::source(), config);
    let first = epoch(&loader, 0);
    assert_eq!(first, epoch(&loader, 1));
    assert!(first[0].indices.iter().copied().eq(0..23));
    // Image 0, centre crop from (1, 1): pixel 9 of the image.
    assert_eq!(first[0].values[0], (f32::from((9 * 37 % 256) as u8) / 255.0 - 0.4120) / 0.2570);
}

#[test]
fn a_source_without_a_batch_is_refused() {
    let nothing = Subset::new(Images::source(), Vec::new()).unwrap();
    let error = Loader::new(nothing, Images::batcher(), Images::config(0)).unwrap_err();
    let text =
        "loader: expected at least 1 images, got 0 in images; take smaller batches or add data";
    assert_eq!(error.to_string(), text);
    let config = LoaderConfig { batch_size: 24, last_batch: LastBatch::Drop, ..Images::config(0) };
    let error = Loader::new(Images::source(), Images::batcher(), config).unwrap_err();
    assert_says(&error, "loader: expected at least 24 images, got 23 in images", "images");
}

#[test]
fn a_crop_larger_than_the_images_is_refused() {
    let large = Loader::new(Images::source(), ImagePipeline::stl10(), Images::config(0));
    assert_says(&large.unwrap_err(), "crop: expected 1..=8 pixels, got 64 in", "an image of 8×8");
}
