//! A data set of a user's own: frames of an event camera, with two polarities and 300 classes.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]
#![allow(clippy::float_cmp, reason = "the same operations give the same bits")]

use clapp_datasets::video::{
    Clip, ClipInfo, ClipPipeline, Filter, Frame, Sampling, Scope, Short, Start, Step,
};
use clapp_datasets::{Error, InMemory, Loader, LoaderConfig, OnBad, Order, Source, Subset};

/// A column of light that moves right through 8×8 pixels, one pixel a frame: events where it comes are in
/// plane 0, events where it was in plane 1. The row that it skips is the class modulo 8.
struct Events;

impl Source for Events {
    type Item = Clip;

    fn len(&self) -> usize {
        300
    }

    fn info(&self, clip: usize) -> ClipInfo {
        ClipInfo { frames: 7, dims: [8, 8, 2], label: Some(clip as u32) }
    }

    fn read(
        &self,
        clip: usize,
        (frames, each): (&[usize], &mut dyn FnMut(usize, &mut Frame)),
    ) -> Result<(), Error> {
        for (place, &time) in frames.iter().enumerate() {
            let mut events = vec![0; 8 * 8 * 2]; // [row, column, polarity]
            for row in (0..8).filter(|row| *row != clip % 8) {
                events[(row * 8 + time + 1) * 2] = 255;
                events[(row * 8 + time) * 2 + 1] = 255;
            }
            each(place, &mut Frame::new([8, 8], events));
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "events"
    }

    fn classes(&self) -> usize {
        300
    }
}

fn sampling() -> Sampling {
    Sampling { downsample: 1, length: 4, start: Start::Centre, short: Short::Drop }
}

fn pipeline(steps: Vec<Step>) -> ClipPipeline {
    ClipPipeline { steps, mean: vec![0.0; 2], std: vec![1.0, 0.5] }
}

fn config() -> LoaderConfig {
    LoaderConfig { order: Order::Sequential, ..LoaderConfig::clips() }
}

#[test]
fn two_polarities_of_many_classes_become_batches() {
    let loader = Loader::new(Events, (sampling(), pipeline(vec![])), config()).unwrap();
    assert_eq!(loader.shape(), [1, 2, 4, 8, 8]);
    let last = loader.epoch(0).unwrap().last().unwrap().unwrap();
    assert_eq!((last.shape, last.labels[7]), ([8, 2, 4, 8, 8], Some(295)));
    // Clip 295 skips row 7; the middle four of its frames begin at frame 1.
    let value = |plane: usize, time: usize, row: usize, column: usize| {
        last.values[(((7 * 2 + plane) * 4 + time) * 8 + row) * 8 + column]
    };
    for time in 0..4 {
        assert_eq!((value(0, time, 0, time + 2), value(1, time, 0, time + 1)), (1.0, 2.0));
        assert_eq!((value(0, time, 7, time + 2), value(1, time, 0, time + 2)), (0.0, 0.0));
    }
}

#[test]
fn geometry_takes_any_planes_and_colours_take_three() {
    let steps = vec![
        Step::Mirror { probability: 1.0 },
        Step::CentreCrop { side: 6 },
        Step::Resize { side: 3, filter: Filter::Bilinear },
    ];
    let loader = Loader::new(Events, (sampling(), pipeline(steps)), config()).unwrap();
    let batch = loader.epoch(0).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.shape, [8, 2, 4, 3, 3]);
    assert!(batch.values.iter().all(|value| (0.0..=2.0).contains(value)));
    assert!(batch.values.iter().any(|value| *value > 0.0));

    let colour = pipeline(vec![Step::RandomChannel { probability: 0.5, scope: Scope::Frame }]);
    let error = Loader::new(Events, (sampling(), colour), config()).unwrap_err();
    let text = "colour: expected 3 planes, got 2 in the source; choose the other mode";
    assert_eq!(error.to_string(), text);
    let error = Loader::new(Events, (sampling(), ClipPipeline::new(vec![])), config()).unwrap_err();
    assert_eq!(error.to_string(), text);
}

#[test]
fn parts_copies_and_policies_are_those_of_every_source() {
    let some = Subset::new(Events, vec![299, 4]).unwrap();
    let copy = InMemory::copy_of(&some).unwrap();
    assert_eq!(copy.get(0).unwrap(), Events.get(299).unwrap());
    assert_eq!((copy.classes(), copy.info(1).label), (300, Some(4)));

    let long = Sampling { length: 7, ..sampling() };
    let strict = LoaderConfig { on_bad: OnBad::Refuse, ..config() };
    let error = Loader::new(copy, (long, pipeline(vec![])), strict).unwrap_err();
    assert!(matches!(error, Error::Unfit(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "sampling: expected more than 7 frames, got 7 in clip 0 of events; shorten the sequence or \
         hold the last frame"
    );
}
