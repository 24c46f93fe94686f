//! From a clip to the numbers a network sees.

use clapp_random::{Purpose, stream};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::colour::validate_constants;
use crate::video::{Filter, Frame, Jitter, Op, Scope, Step};

/// The steps from frames to input of a network, one after another, and the normalisation.
///
/// ```text
/// u8 [y, x, plane] → steps → v/255 → (v − mean)/std → f32 [plane, frame, y, x]
/// ```
/// Frames have as many planes as there are means; steps that change colours need three.
///
/// | preset | steps |
/// |---|---|
/// | [`self_supervised`](Self::self_supervised) | mirror ½ · random crop 224 · 128 nearest · one colour for all, each frame ½ · jitter, each frame |
/// | [`classification_train`](Self::classification_train) | random sized crop 224 · 128 nearest · mirror ½ · jitter of a clip 0.3 |
/// | [`classification_val`](Self::classification_val) | the same with random size only at 0.3 and less jitter: the authors' test accuracy is measured so |
/// | [`plain`](Self::plain) | centre crop 224 · 128 nearest; nothing random |
///
/// A pipeline is data: change, drop or reorder its steps.
///
/// # Paper
/// Illing et al. 2021, appendix, with the authors' code where they differ.
///
/// # Example
///
/// ```
/// use clapp_datasets::video::{ClipPipeline, Frame};
///
/// let pipeline = ClipPipeline::plain();
/// let side = pipeline.validate([240, 320])?;
/// let view = pipeline.view([240, 320], 1, 2, 0, 0);
/// let mut out = vec![0.0; 3 * side * side];
/// let mut gray = Frame::new([240, 320], vec![51; 3 * 240 * 320]);
/// pipeline.apply(&view[0], &mut gray, &mut Frame::default(), 0, 1, &mut out);
/// assert_eq!(out[0], (0.2 - 0.485) / 0.229);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipPipeline {
    /// What is done to frames, in this order.
    pub steps: Vec<Step>,
    /// Mean of every plane, such as red, green and blue, of values in 0..=1.
    pub mean: Vec<f32>,
    /// Standard deviation of every plane.
    pub std: Vec<f32>,
}

/// What is done to each frame of a clip: the outcome of all draws.
pub type ClipView = Vec<Vec<Op>>;

impl ClipPipeline {
    /// Steps with the usual normalisation of ImageNet, which the authors use.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps, mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }
    }

    /// Learning without labels, and its validation.
    #[must_use]
    pub fn self_supervised() -> Self {
        Self::new(vec![
            Step::Mirror { probability: 0.5 },
            Step::RandomCrop { side: 224 },
            Step::Resize { side: 128, filter: Filter::Nearest },
            Step::RandomChannel { probability: 0.5, scope: Scope::Frame },
            Step::Jitter { amount: Jitter::TRAINING, probability: 1.0, scope: Scope::Frame },
        ])
    }

    /// Training of a classifier.
    #[must_use]
    pub fn classification_train() -> Self {
        Self::classification(1.0, Jitter::TRAINING)
    }

    /// The authors' test of a classifier, which is random like its training.
    #[must_use]
    pub fn classification_val() -> Self {
        Self::classification(0.3, Jitter::VALIDATION)
    }

    fn classification(sized: f64, amount: Jitter) -> Self {
        Self::new(vec![
            Step::RandomSizedCrop { side: 224, probability: sized },
            Step::Resize { side: 128, filter: Filter::Nearest },
            Step::Mirror { probability: 0.5 },
            Step::Jitter { amount, probability: 0.3, scope: Scope::Clip },
        ])
    }

    /// The middle of the frame, always the same: for a test that is a function of the encoder alone.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(vec![
            Step::CentreCrop { side: 224 },
            Step::Resize { side: 128, filter: Filter::Nearest },
        ])
    }

    /// Checks the settings for frames of `dims` = `[rows, columns]`; returns the side of the output.
    ///
    /// # Errors
    /// What [`Step::output`] finds; [`Error::Config`] if a deviation is not positive, a mean not finite, a
    /// step needs three colours and gets other planes, or no step makes the frames square.
    pub fn validate(&self, dims: [usize; 2]) -> Result<usize, Error> {
        validate_constants(&self.mean, &self.std)?;
        if self.mean.len() != 3 && self.steps.iter().any(Step::is_of_colours) {
            return Err(Error::planes(3, self.mean.len()));
        }
        let [height, width] = self.steps.iter().try_fold(dims, |dims, step| step.output(dims))?;
        if height != width {
            let (expected, got) = ("a step that makes frames square", width as f64 / height as f64);
            return Err(Error::setting("video pipeline", expected, got));
        }
        Ok(height)
    }

    /// Decides what is done to each of `frames` frames of clip `clip` in `epoch`.
    ///
    /// Step i (from 1) draws from the stream `(seed, Augmentation, [epoch, clip, i, 0])`, or for
    /// frame t (from 1) from `[epoch, clip, i, t]`: no step's draws depend on another's.
    ///
    /// # Panics
    /// [`validate`](Self::validate) refuses `dims`.
    #[must_use]
    pub fn view(
        &self,
        mut dims: [usize; 2],
        frames: usize,
        seed: u64,
        epoch: u64,
        clip: u64,
    ) -> ClipView {
        let mut view = vec![Vec::with_capacity(2 * self.steps.len()); frames];
        for (place, step) in (1..).zip(&self.steps) {
            let open = |t| stream(seed, Purpose::Augmentation, [epoch, clip, place, t]);
            match step.scope() {
                Scope::Clip => {
                    let mut ops = Vec::new();
                    step.draw(dims, &mut open(0), &mut ops);
                    view.iter_mut().for_each(|frame| frame.extend_from_slice(&ops));
                }
                Scope::Frame => {
                    for (t, ops) in (1..).zip(&mut view) {
                        step.draw(dims, &mut open(t), ops);
                    }
                }
            }
            dims = step.output(dims).expect("validate accepts the dims");
        }
        view
    }

    /// Writes frame `place` of a clip of `frames` frames as the network sees it.
    ///
    /// # Shapes
    /// - `frame`: any; changed on the way. `spare` is working memory.
    /// - `out`: `[planes, frames, side, side]`, of which the planes of `place` are written
    ///
    /// # Panics
    /// `out` is not of this size, or an operation does not fit the frame.
    pub fn apply(
        &self,
        ops: &[Op],
        frame: &mut Frame,
        spare: &mut Frame,
        place: usize,
        frames: usize,
        out: &mut [f32],
    ) {
        ops.iter().for_each(|op| op.apply(frame, spare));
        let ([height, width], planes, got) = (frame.dims(), frame.planes(), out.len());
        let (plane, expected) = (height * width, planes * frames * height * width);
        assert!(got == expected, "clip: expected {expected} values for {frames} frames, got {got}");
        for colour in 0..planes {
            let (mean, std) = (self.mean[colour], self.std[colour]);
            let table: [f32; 256] = std::array::from_fn(|v| (v as f32 / 255.0 - mean) / std);
            let out = &mut out[(colour * frames + place) * plane..][..plane];
            for (out, pixel) in out.iter_mut().zip(frame.pixels().chunks_exact(planes)) {
                *out = table[usize::from(pixel[colour])];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UCF: [usize; 2] = [240, 320];

    fn views(pipeline: &ClipPipeline) -> Vec<ClipView> {
        (0..800).map(|clip| pipeline.view(UCF, 3, 2, 0, clip)).collect()
    }

    #[test]
    fn presets_make_128_pixels_of_ucf() {
        for pipeline in [
            ClipPipeline::self_supervised(),
            ClipPipeline::classification_train(),
            ClipPipeline::classification_val(),
            ClipPipeline::plain(),
        ] {
            assert_eq!(pipeline.validate(UCF).unwrap(), 128);
            let (mut spare, mut out) = (Frame::default(), vec![0.0; 3 * 128 * 128]);
            for clip in 0..4 {
                let view = pipeline.view(UCF, 1, 2, 0, clip);
                let mut frame = Frame::new(UCF, vec![9; 3 * 240 * 320]);
                pipeline.apply(&view[0], &mut frame, &mut spare, 0, 1, &mut out);
            }
        }
    }

    #[test]
    fn learning_crops_a_clip_once_and_colours_every_frame() {
        let (mut left_edge, mut right_edge, mut grays, mut mirrored) = (0, 0, 0, 0);
        for view in views(&ClipPipeline::self_supervised()) {
            let geometry = |ops: &[Op]| -> Vec<Op> {
                let is_geometry =
                    |op: &&Op| matches!(op, Op::Mirror | Op::Cut { .. } | Op::Resize { .. });
                ops.iter().filter(is_geometry).copied().collect()
            };
            assert_eq!(geometry(&view[0]), geometry(&view[1]));
            assert_ne!(view[0], view[1]);
            for op in &view[0] {
                match op {
                    Op::Cut { top, left, dims } => {
                        assert!(*top <= 16 && *left <= 96 && *dims == [224, 224]);
                        left_edge += usize::from(*left == 0);
                        right_edge += usize::from(*left == 96);
                    }
                    Op::Mirror => mirrored += 1,
                    _ => {}
                }
            }
            grays += view.iter().flatten().filter(|op| matches!(op, Op::Channel(_))).count();
            let jitters = |op: &&Op| {
                matches!(op, Op::Brightness(_) | Op::Contrast(_) | Op::Saturation(_) | Op::Hue(_))
            };
            assert_eq!(view[2].iter().filter(jitters).count(), 4);
        }
        // 800 clips; 97 places; 2400 frames. Standard deviations: 3 of 8, 14 of 400, 24 of 1200.
        assert!(left_edge > 0 && right_edge > 0);
        assert!((340..460).contains(&mirrored), "{mirrored}");
        assert!((1_100..1_300).contains(&grays), "{grays}");
    }

    #[test]
    fn classification_treats_all_frames_of_a_clip_alike() {
        let mut jittered = 0;
        for view in views(&ClipPipeline::classification_train()) {
            assert_eq!(view[0], view[2]);
            jittered += usize::from(view[0].iter().any(|op| matches!(op, Op::Hue(_))));
            let Op::Cut { top, left, dims: [rows, columns] } = view[0][0] else {
                assert!(
                    matches!(view[0][0], Op::Resize { .. }),
                    "the fallback begins with a resize"
                );
                continue;
            };
            assert!(top + rows <= 240 && left + columns <= 320);
            let (area, aspect) = (rows * columns, columns as f64 / rows as f64);
            // Sides are rounded, which moves area and aspect by less than a hundredth.
            assert!(area as f64 >= 0.99 * 0.5 * 240.0 * 320.0, "{rows}×{columns}");
            assert!((0.74..1.35).contains(&aspect), "{rows}×{columns}");
        }
        // Binomial(800, 0.3): 240, standard deviation 13.
        assert!((185..295).contains(&jittered), "{jittered}");
    }

    #[test]
    fn factors_fill_their_ranges_and_every_order_occurs() {
        let (mut orders, mut most) = (std::collections::BTreeSet::new(), [0.0_f32; 4]);
        for view in views(&ClipPipeline::self_supervised()) {
            let mut order = Vec::new();
            for op in &view[0] {
                let (kind, distance) = match op {
                    Op::Brightness(factor) => (0, (factor - 1.0).abs()),
                    Op::Contrast(factor) => (1, (factor - 1.0).abs()),
                    Op::Saturation(factor) => (2, (factor - 1.0).abs()),
                    // ±63 levels of 256 are a quarter of a circle.
                    Op::Hue(shift) => (3, f32::from((*shift as i8).unsigned_abs()) / 126.0),
                    _ => continue,
                };
                order.push(kind);
                assert!(distance <= 0.5, "{op:?}");
                most[kind] = most[kind].max(distance);
            }
            orders.insert(order);
        }
        assert!(most.iter().all(|distance| *distance > 0.49), "{most:?}");
        assert_eq!(orders.len(), 24);
    }

    #[test]
    fn a_plain_view_is_the_middle() {
        let expected = [
            Op::Cut { top: 8, left: 48, dims: [224, 224] },
            Op::Resize { dims: [128, 128], filter: Filter::Nearest },
        ];
        let pipeline = ClipPipeline::plain();
        assert_eq!(pipeline.view(UCF, 1, 2, 0, 0)[0], expected);
        assert_eq!(pipeline.view(UCF, 2, 3, 1, 4)[1], expected);
    }

    #[test]
    fn one_step_more_changes_no_draw_of_the_others() {
        let mut longer = ClipPipeline::self_supervised();
        longer.steps.push(Step::Mirror { probability: 1.0 });
        let (view, mut with) =
            (ClipPipeline::self_supervised().view(UCF, 2, 2, 0, 5), longer.view(UCF, 2, 2, 0, 5));
        with.iter_mut().for_each(|ops| assert_eq!(ops.pop(), Some(Op::Mirror)));
        assert_eq!(view, with);
    }

    #[test]
    fn views_are_frozen() {
        // A change here changes every trained number: list it in the changelog as value-breaking.
        let cut = |pipeline: &ClipPipeline| {
            let view = pipeline.view(UCF, 1, 2, 1, 5);
            view[0].iter().find(|op| matches!(op, Op::Cut { .. })).copied()
        };
        let found = [
            cut(&ClipPipeline::self_supervised()).unwrap(),
            cut(&ClipPipeline::classification_train()).unwrap(),
        ];
        let frozen = [
            Op::Cut { top: 10, left: 7, dims: [224, 224] },
            Op::Cut { top: 38, left: 63, dims: [201, 205] },
        ];
        assert_eq!(found, frozen);
    }

    #[test]
    fn a_frame_lands_on_its_planes() {
        let pipeline = ClipPipeline { steps: vec![], mean: vec![0.0; 3], std: vec![1.0; 3] };
        let mut frame = Frame::new([2, 2], vec![0, 51, 102, 0, 51, 102, 0, 51, 102, 0, 51, 255]);
        let mut out = vec![-1.0; 3 * 2 * 4]; // [colour, frame, y, x]
        pipeline.apply(&[], &mut frame, &mut Frame::default(), 1, 2, &mut out);
        assert_eq!(out[..8], [-1.0, -1.0, -1.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(out[12..16], [0.2; 4]);
        assert_eq!(out[20..], [0.4, 0.4, 0.4, 1.0]);
    }

    #[test]
    fn a_configuration_survives_serialization() {
        for pipeline in [ClipPipeline::self_supervised(), ClipPipeline::classification_val()] {
            let text = serde_json::to_string(&pipeline).unwrap();
            assert_eq!(serde_json::from_str::<ClipPipeline>(&text).unwrap(), pipeline);
        }
    }

    #[test]
    fn settings_without_meaning_are_refused_in_words() {
        let refused =
            |step, dims| ClipPipeline::new(vec![step]).validate(dims).unwrap_err().to_string();
        let error = refused(Step::RandomCrop { side: 224 }, [120, 160]);
        assert!(
            error.starts_with("crop: expected 1..=120 pixels, got 224 in an image of 120×160"),
            "{error}"
        );
        let error = refused(Step::Mirror { probability: 1.5 }, [8, 8]);
        assert!(error.starts_with("probability: expected a number in 0..=1, got 1.5"), "{error}");
        let amount = Jitter { hue: 0.6, ..Jitter::TRAINING };
        let error = refused(Step::Jitter { amount, probability: 1.0, scope: Scope::Clip }, [8, 8]);
        assert!(error.starts_with("hue: expected a number in 0..=0.5, got 0.6"), "{error}");
        let error = refused(Step::Mirror { probability: 0.5 }, UCF);
        assert!(
            error.starts_with("video pipeline: expected a step that makes frames square"),
            "{error}"
        );
    }
}
