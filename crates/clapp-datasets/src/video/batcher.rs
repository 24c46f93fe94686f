//! From clips to batches.

use super::{Clip, ClipInfo, ClipPipeline, Frame, Sampling, Short};
use crate::skipped::no_clips;
use crate::source::Source;
use crate::{Batcher, Error, Skipped, Visit};

/// Some frames of a clip, as the pipeline shows them; clips that are not long enough are unfit.
///
/// A worker makes one clip at a time, frame by frame: it holds one decoded frame and the network's
/// input of one clip, however long the video is.
///
/// ```
/// use clapp_datasets::video::{ClipPipeline, Sampling, Short, Start, Step, moving};
/// use clapp_datasets::{Loader, LoaderConfig};
///
/// let scenes = moving::MovingScenes::new(2, moving::Part::Train, 20);
/// let config = LoaderConfig { batch_size: 4, ..LoaderConfig::clips() };
/// let sampling = Sampling { downsample: 1, length: 16, start: Start::Random, short: Short::Drop };
/// let pipeline = ClipPipeline::new(vec![Step::RandomCrop { side: 56 }]);
/// let loader = Loader::new(scenes, (sampling, pipeline), config)?;
/// for batch in loader.epoch(0)? {
///     assert_eq!(batch?.shape, [4, 3, 16, 56, 56]);
/// }
/// assert_eq!(loader.batches_per_epoch(), 5);
/// assert_eq!(loader.resume(1, 3)?.count(), 2);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
impl Batcher for (Sampling, ClipPipeline) {
    type Item = Clip;
    type Shape = [usize; 5];
    const ONE_AT_A_TIME: bool = true;

    fn check(&self, source: &dyn Source<Item = Clip>, index: usize) -> Result<(), Error> {
        let (sampling, frames) = (&self.0, source.info(index).frames);
        if sampling.short == Short::HoldLast || frames > sampling.span() {
            return Ok(());
        }
        let expected = format!("more than {} frames", sampling.span());
        let place = format!("clip {index} of {}", source.name());
        let advice = "shorten the sequence or hold the last frame";
        Err(Error::unfit("sampling", expected, frames, place, advice))
    }

    fn shape(&self, source: &dyn Source<Item = Clip>, index: usize) -> Result<[usize; 5], Error> {
        let (sampling, pipeline) = self;
        sampling.validate()?;
        let [rows, columns, planes] = source.info(index).dims;
        let side = pipeline.validate([rows, columns])?;
        if planes != pipeline.mean.len() {
            return Err(Error::planes(pipeline.mean.len(), planes));
        }
        Ok([1, planes, sampling.length, side, side])
    }

    fn make(
        &self,
        source: &dyn Source<Item = Clip>,
        index: usize,
        Visit { seed, epoch, .. }: Visit,
        out: &mut [f32],
    ) -> Result<Option<u32>, Error> {
        let (sampling, pipeline) = self;
        let ClipInfo { frames, dims: [rows, columns, _], label } = source.info(index);
        let frames = sampling.frames(frames, seed, epoch, index as u64);
        let view = pipeline.view([rows, columns], frames.len(), seed, epoch, index as u64);
        let mut spare = Frame::default();
        let mut each = |t: usize, frame: &mut Frame| {
            pipeline.apply(&view[t], frame, &mut spare, t, frames.len(), out);
        };
        source.read(index, (&frames, &mut each))?;
        Ok(label)
    }

    fn too_few(
        &self,
        source: &dyn Source<Item = Clip>,
        expected: usize,
        got: usize,
        _: &Skipped,
    ) -> Error {
        let (what, place) = ("clip loader", source.name());
        if got == 0 {
            let selection = self.0.select(source);
            let advice = format!("{selection}; shorten the sequence or hold the last frame");
            return no_clips(what, source.len(), place, advice);
        }
        let expected = format!("at least {expected} clips");
        Error::too_few(what, expected, got, place, "lower the batch or add videos")
    }
}
