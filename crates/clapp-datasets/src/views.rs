//! Random views of an image: two of them share what is in it, not its size, place and colours.

use clapp_random::Stream;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::video::{Filter, Jitter, Op, Scope, Step};
use crate::{Change, Error, Flip};

/// How strongly random views of an image differ.
///
/// ```text
/// cut of random size and aspect → crop × crop, bilinear → mirror → jitter → gray → blur
/// ```
/// | step | draws, in this order |
/// |---|---|
/// | cut | up to ten times: share of the area, logarithm of the aspect; then top and left |
/// | mirror | mirrored? (if [`ImagePipeline::flip`](crate::ImagePipeline::flip) allows) |
/// | jitter | applied? then the factors of brightness, contrast, saturation, the shift of the hue, the order of the four |
/// | gray | applied? |
/// | blur | applied? then the deviation |
///
/// All draws are uniform. A cut of area A and aspect r has `round(√(A·r))` columns and `round(√(A/r))`
/// rows; if ten do not fit, it is the largest one in the middle whose aspect is allowed, which is the
/// whole of a square. Every change gives bytes, each the same byte as torchvision's on a picture of
/// Pillow below version 13 (whose resize takes columns first where that is less work, and so differs by a
/// level).
///
/// # Paper
/// Chen et al. 2020 (SimCLR), appendix A, as CLAPP++ uses it (`zihan-wu/local-SSL`).
///
/// # Example
///
/// ```
/// use clapp_datasets::{Augment, ImagePipeline, InMemory, Loader, LoaderConfig};
///
/// let pixels = (0..5 * 3 * 32 * 32).map(|i| (i % 251) as u8).collect();
/// let source = InMemory::images("five", [3, 32, 32], pixels)?;
/// let config = LoaderConfig { batch_size: 4, views: 2, ..LoaderConfig::training() };
/// let loader = Loader::new(source, ImagePipeline::simclr_cifar10(), config)?;
/// let batch = loader.epoch(0)?.next().expect("five images are two batches")?;
/// // The first views of four images, then their second views.
/// assert_eq!((batch.shape, batch.len()), ([8, 3, 32, 32], 4));
/// let (first, second) = batch.values.split_at(4 * 3 * 32 * 32);
/// assert_ne!(first, second);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Views {
    /// Least and largest share of the image's area.
    pub area: [f64; 2],
    /// Least and largest aspect, columns per row, before the cut becomes a square.
    pub aspect: [f64; 2],
    /// How much colours change.
    pub jitter: Jitter,
    /// Probability that they do.
    pub jittered: f64,
    /// Probability that luma takes the place of the colours.
    pub gray: f64,
    /// Blur.
    #[serde(default)]
    pub blur: Option<Blur>,
    /// For evaluation: the shorter side in pixels that the whole image is brought to, bilinearly, before
    /// its middle is cut out; as it is if there is none.
    #[serde(default)]
    pub whole: Option<usize>,
}

/// A random blur, see [`blur`](crate::blur).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// Probability.
    pub probability: f64,
    /// Side of the window in pixels, odd.
    pub side: usize,
    /// Least and largest deviation in pixels.
    pub sigma: [f64; 2],
}

impl Blur {
    /// SimCLR's for views of `crop` pixels a side: every second one, over a tenth of the side (made odd,
    /// upwards), deviations of 0.1 to 2.
    #[must_use]
    pub fn simclr(crop: usize) -> Self {
        Self { probability: 0.5, side: (crop / 10) | 1, sigma: [0.1, 2.0] }
    }
}

impl Views {
    /// SimCLR's of STL-10: cuts of 8 % of an image and more, strong jitter, a blur over 9 pixels;
    /// evaluation enlarges to 105 pixels before the middle is cut out.
    #[must_use]
    pub fn simclr_stl10() -> Self {
        Self {
            area: [0.08, 1.0],
            aspect: [3.0 / 4.0, 4.0 / 3.0],
            jitter: Jitter { brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2 },
            jittered: 0.8,
            gray: 0.2,
            blur: Some(Blur::simclr(96)),
            whole: Some(105),
        }
    }

    /// SimCLR's of CIFAR-10: cuts of 25 % and more, no blur; evaluation sees images as they are.
    #[must_use]
    pub fn simclr_cifar10() -> Self {
        Self { area: [0.25, 1.0], blur: None, whole: None, ..Self::simclr_stl10() }
    }

    /// The same cuts without changes of colour and sharpness: what read-outs are trained on.
    #[must_use]
    pub fn cuts_only(self) -> Self {
        Self { jittered: 0.0, gray: 0.0, blur: None, ..self }
    }

    /// Checks the settings for images of `[planes, height, width]` and views of `crop` pixels a side.
    ///
    /// # Errors
    /// [`Error::Config`] if a range is empty, an area not in 0..=1, an aspect, a deviation or a side not
    /// positive, a probability not in 0..=1, an amount of jitter senseless, a window even or too large,
    /// `whole` below `crop`, or if colours change and there are not three.
    pub fn validate(&self, [planes, height, width]: [usize; 3], crop: usize) -> Result<(), Error> {
        range("area", self.area, 1.0)?;
        range("aspect", self.aspect, f64::MAX)?;
        self.jitter().output([height, width])?;
        probability("gray", self.gray)?;
        if let Some(Blur { probability: blurred, side, sigma }) = self.blur {
            probability("blur", blurred)?;
            range("sigma", sigma, f64::MAX)?;
            if side % 2 == 0 || side / 2 >= crop {
                let expected = format!("an odd window below {}", 2 * crop);
                return Err(Error::setting("blur side", &expected, side));
            }
        }
        let whole = self.whole.unwrap_or(height.min(width));
        if crop == 0 || crop > whole {
            return Err(Error::crop(crop, [whole; 2]));
        }
        match planes == 3 || (self.jittered == 0.0 && self.gray == 0.0) {
            true => Ok(()),
            false => Err(Error::planes(3, planes)),
        }
    }

    fn jitter(&self) -> Step {
        Step::Jitter { amount: self.jitter, probability: self.jittered, scope: Scope::Clip }
    }

    /// Draws what is done to an image of `dims` = `[height, width]` for one view.
    ///
    /// # Panics
    /// [`validate`](Self::validate) refuses the settings.
    #[must_use]
    pub fn draw(
        &self,
        dims: [usize; 2],
        crop: usize,
        flip: Flip,
        random: &mut Stream,
    ) -> Vec<Change> {
        let mut ops = vec![self.cut(dims, random), to_square(crop)];
        if flip == Flip::EvenChance && random.random() {
            ops.push(Op::Mirror);
        }
        self.jitter().draw([crop; 2], random, &mut ops);
        let mut changes: Vec<Change> = ops.into_iter().map(Change::Op).collect();
        if random.random_bool(self.gray) {
            changes.push(Change::Gray);
        }
        if let Some(Blur { probability, side, sigma: [least, most] }) = self.blur
            && random.random_bool(probability)
        {
            let sigma = random.random_range(least..=most) as f32;
            changes.push(Change::Blur { side, sigma });
        }
        changes
    }

    /// A rectangle of random size, aspect and place.
    fn cut(&self, [height, width]: [usize; 2], random: &mut Stream) -> Op {
        let [least, most] = self.aspect;
        for _ in 0..ATTEMPTS {
            let area = random.random_range(self.area[0]..=self.area[1]) * (height * width) as f64;
            let aspect = random.random_range(least.ln()..=most.ln()).exp();
            let columns = (area * aspect).sqrt().round_ties_even() as usize;
            let rows = (area / aspect).sqrt().round_ties_even() as usize;
            if (1..=height).contains(&rows) && (1..=width).contains(&columns) {
                let mut offset = |most: usize| random.random_range(0..=most as u64) as usize;
                let (top, left) = (offset(height - rows), offset(width - columns));
                return Op::Cut { top, left, dims: [rows, columns] };
            }
        }
        middle([height, width], self.aspect)
    }

    /// What is done to an image of `dims` for evaluation, before its middle is cut out.
    pub(crate) fn enlarged(&self, [height, width]: [usize; 2]) -> Option<[usize; 2]> {
        let (side, shorter) = (self.whole?, height.min(width));
        Some([side * height / shorter, side * width / shorter])
    }
}

/// How often a rectangle is drawn before the middle is taken.
const ATTEMPTS: usize = 10;

/// The largest rectangle in the middle whose aspect is allowed.
fn middle([height, width]: [usize; 2], [least, most]: [f64; 2]) -> Op {
    let (rows, columns) = (height as f64, width as f64);
    let side = |length: f64| (length.round_ties_even() as usize).max(1);
    let dims = match columns / rows {
        aspect if aspect < least => [side(columns / least).min(height), width],
        aspect if aspect > most => [height, side(rows * most).min(width)],
        _ => [height, width],
    };
    Op::Cut { top: (height - dims[0]) / 2, left: (width - dims[1]) / 2, dims }
}

fn to_square(side: usize) -> Op {
    Op::Resize { dims: [side; 2], filter: Filter::Bilinear }
}

fn range(setting: &str, [least, most]: [f64; 2], limit: f64) -> Result<(), Error> {
    if 0.0 < least && least <= most && most <= limit {
        return Ok(());
    }
    let above = if limit > 1.0 { "" } else { " and up to 1" };
    let expected = format!("two numbers above 0{above}, the larger last");
    Err(Error::setting(setting, &expected, format!("{least}..={most}")))
}

fn probability(setting: &str, got: f64) -> Result<(), Error> {
    match (0.0..=1.0).contains(&got) {
        true => Ok(()),
        false => Err(Error::setting(setting, "a probability in 0..=1", got)),
    }
}
