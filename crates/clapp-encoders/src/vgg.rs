//! VGG-6: configuration, widths, splits into gradient-isolated modules.

use clapp_backend::{Arithmetic, ConvSpec, MapWindow, Pool, WindowOf};
use clapp_rules::{Extent, Plasticity, Shown};
use serde::{Deserialize, Serialize};

use crate::{EncoderError, PatchGrid, TrianglePlan};

/// One 3×3 convolution of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvPlan {
    /// Output channels.
    pub channels: usize,
    /// Whether a 2×2 max-pool follows.
    pub pool: PoolAfter,
}

/// A layer of an image encoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LayerPlan {
    /// Channels that compete: [`TriangleConv2d`](crate::TriangleConv2d).
    Competing(TrianglePlan),
    /// Rectified channels: [`LocalConv2d`](crate::LocalConv2d).
    Rectified(ConvPlan),
}

impl LayerPlan {
    /// Output channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        match self {
            Self::Competing(plan) => plan.channels,
            Self::Rectified(plan) => plan.channels,
        }
    }

    /// Weights and biases for so many input channels.
    fn weights(&self, pre: usize) -> usize {
        match self {
            Self::Competing(plan) => plan.weights(pre),
            Self::Rectified(plan) => plan.channels * (9 * pre + 1),
        }
    }

    /// Sides of the map that the layer is shown at and of that which it hands up, for a square input.
    fn sides(&self, layer: usize, side: usize) -> Result<[usize; 2], EncoderError> {
        match self {
            Self::Competing(plan) => Ok([side, plan.output_side(layer, side)?]),
            Self::Rectified(ConvPlan { pool: PoolAfter::Nothing, .. }) => Ok([side; 2]),
            Self::Rectified(_) if side < 2 => Err(EncoderError::MapTooSmall { layer, map: side }),
            Self::Rectified(_) => Ok([side / 2; 2]),
        }
    }
}

impl From<ConvPlan> for LayerPlan {
    fn from(plan: ConvPlan) -> Self {
        Self::Rectified(plan)
    }
}

impl From<TrianglePlan> for LayerPlan {
    fn from(plan: TrianglePlan) -> Self {
        Self::Competing(plan)
    }
}

/// What follows a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolAfter {
    /// Nothing.
    Nothing,
    /// A 2×2 max-pool.
    Max2,
}

/// An image encoder of convolutions over patches.
///
/// | name | default ([`vgg6`](Self::vgg6)) | purpose | range |
/// |---|---|---|---|
/// | `colours` | 1 | input channels | ≥ 1 |
/// | `image` | 64 | side of the crop | ≥ patch size |
/// | `patches` | 16, stride 8 | patch grid | |
/// | `layers` | 128, 256 M, 256, 512 M, 1024 M, 1024 M | channels, pools, competition | |
/// | `modules` | one layer each | sizes of the gradient-isolated modules, in order | sum = layers |
/// | `arithmetic` | fast | exact sums or Winograd | |
///
/// ```
/// use clapp_encoders::EncoderConfig;
/// let paper = EncoderConfig::vgg6(1.0).unwrap();
/// assert_eq!(paper.channels(), [128, 256, 256, 512, 1024, 1024]);
/// assert_eq!(paper.map_sizes().unwrap(), [16, 8, 8, 4, 2, 1]);
/// assert_eq!(paper.weights(), 16_224_512);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderConfig {
    /// Input channels: 1 gray, 3 colour.
    pub colours: usize,
    /// Side of the (square) image crop.
    pub image: usize,
    /// Patch grid.
    pub patches: PatchGrid,
    /// Convolutions in order.
    pub layers: Vec<LayerPlan>,
    /// Sizes of the gradient-isolated modules, in order.
    pub modules: Vec<usize>,
    /// Arithmetic of the convolutions.
    pub arithmetic: Arithmetic,
}

impl EncoderConfig {
    /// The paper's VGG-6 with all widths multiplied by `width` (at least one channel each).
    ///
    /// # Errors
    ///
    /// If `width` is not above 0.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 2; `FullModel.py`.
    pub fn vgg6(width: f64) -> Result<Self, EncoderError> {
        check_width(width)?;
        let plan = [
            (128, PoolAfter::Nothing),
            (256, PoolAfter::Max2),
            (256, PoolAfter::Nothing),
            (512, PoolAfter::Max2),
            (1024, PoolAfter::Max2),
            (1024, PoolAfter::Max2),
        ];
        let layer = |(channels, pool)| {
            LayerPlan::Rectified(ConvPlan { channels: scaled(channels, width), pool })
        };
        Ok(Self {
            colours: 1,
            image: 64,
            patches: PatchGrid { size: 16, stride: 8 },
            layers: plan.map(layer).to_vec(),
            modules: vec![1; 6],
            arithmetic: Arithmetic::Fast,
        })
    }

    /// SoftHebb's network for 32×32 images in colour, with all widths multiplied by `width`: 24,576 features.
    ///
    /// # Errors
    ///
    /// If `width` is not above 0.
    ///
    /// # Paper
    /// Journé et al. (2023), ICLR, appendix.
    ///
    /// ```
    /// use clapp_encoders::EncoderConfig;
    /// let config = EncoderConfig::soft_hebb_cifar(1.0).unwrap();
    /// assert_eq!((config.channels(), config.map_sizes().unwrap()), (vec![96, 384, 1536], vec![16, 8, 4]));
    /// ```
    pub fn soft_hebb_cifar(width: f64) -> Result<Self, EncoderError> {
        let max = MapWindow { of: WindowOf::Max, side: 4, stride: 2, padding: 1 };
        let two = MapWindow { of: WindowOf::Mean, side: 2, stride: 2, padding: 0 };
        Self::competing(32, width, &[(96, 5, 0.7, max), (384, 3, 1.4, max), (1536, 3, 1.0, two)])
    }

    /// SoftHebb's network for 96×96 images in colour.
    ///
    /// # Errors
    ///
    /// If `width` is not above 0.
    ///
    /// # Paper
    /// Journé et al. (2023), ICLR, appendix.
    pub fn soft_hebb_stl(width: f64) -> Result<Self, EncoderError> {
        let window = |of| MapWindow { of, side: 4, stride: 2, padding: 1 };
        let (max, mean) = (window(WindowOf::Max), window(WindowOf::Mean));
        let two = MapWindow { of: WindowOf::Mean, side: 2, stride: 2, padding: 0 };
        let layers =
            [(96, 5, 0.7, mean), (384, 3, 0.7, max), (1536, 3, 1.4, mean), (6144, 3, 1.0, two)];
        Self::competing(96, width, &layers)
    }

    /// Layers of competing channels over whole images in colour: channels, kernel, power, window.
    fn competing(
        image: usize,
        width: f64,
        layers: &[(u32, usize, f64, MapWindow)],
    ) -> Result<Self, EncoderError> {
        check_width(width)?;
        let layer = |&(channels, kernel, power, window): &_| {
            let channels = scaled(channels, width);
            LayerPlan::Competing(TrianglePlan::new(channels, kernel, power, window))
        };
        Ok(Self {
            colours: 3,
            image,
            patches: PatchGrid { size: image, stride: image },
            layers: layers.iter().map(layer).collect(),
            modules: vec![1; layers.len()],
            arithmetic: Arithmetic::Fast,
        })
    }

    /// Output channels of every layer.
    #[must_use]
    pub fn channels(&self) -> Vec<usize> {
        self.layers.iter().map(LayerPlan::channels).collect()
    }

    /// Geometry of rectified layer `index` (from 0).
    ///
    /// # Panics
    ///
    /// If it is of another kind.
    #[must_use]
    pub fn spec(&self, index: usize) -> ConvSpec {
        let pool = match self.layers[index] {
            LayerPlan::Rectified(ConvPlan { pool: PoolAfter::Nothing, .. }) => Pool::None,
            LayerPlan::Rectified(ConvPlan { pool: PoolAfter::Max2, .. }) => Pool::Max2,
            LayerPlan::Competing(_) => panic!("encoder: expected a rectified layer {index}"),
        };
        ConvSpec::same_3x3(pool).with_arithmetic(self.arithmetic)
    }

    /// Side of every layer's output map inside a patch.
    ///
    /// # Errors
    ///
    /// If a pool meets a map of one pixel.
    pub fn map_sizes(&self) -> Result<Vec<usize>, EncoderError> {
        Ok(self.sides()?.into_iter().map(|[_, handed]| handed).collect())
    }

    /// Sides of the maps that every layer is shown at and hands up.
    fn sides(&self) -> Result<Vec<[usize; 2]>, EncoderError> {
        let mut side = self.patches.size;
        let mut next = |(layer, plan): (usize, &LayerPlan)| {
            let sides = plan.sides(layer + 1, side)?;
            side = sides[1];
            Ok(sides)
        };
        self.layers.iter().enumerate().map(&mut next).collect()
    }

    /// Sites and channels of what every layer shows.
    ///
    /// ```
    /// use clapp_encoders::EncoderConfig;
    /// use clapp_rules::{Extent, Plasticity, Shown};
    /// let paper = EncoderConfig::vgg6(1.0).unwrap();
    /// assert_eq!(paper.extents(Shown::Patch)[0], Extent { site: 7, channel: 128 });
    /// assert_eq!(paper.extents(Shown::Pixels)[0].site, 7 * 16 * 16);
    /// ```
    ///
    /// # Panics
    ///
    /// If a pool or a window does not fit its map.
    #[must_use]
    pub fn extents(&self, shown: Shown) -> Vec<Extent> {
        let columns = self.time();
        let sides = self.sides().expect("validated");
        let extent = |(plan, [side, _]): (&LayerPlan, [usize; 2])| {
            let places = match shown {
                Shown::Pixels => side * side,
                Shown::Cells(n) => n * n,
                _ => 1,
            };
            Extent { site: columns * places, channel: plan.channels() }
        };
        self.layers.iter().zip(sides).map(extent).collect()
    }

    /// Whether a layer keeps running statistics.
    #[must_use]
    pub fn keeps_statistics(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, LayerPlan::Competing(_)))
    }

    /// Sites and channels of what every layer shows to a rule, which may ask for another resolution of each.
    ///
    /// # Errors
    ///
    /// If the rule is for another number of layers, or a map does not divide into the cells that it asks for.
    ///
    /// ```
    /// use clapp_encoders::{EncoderConfig, PatchGrid};
    /// use clapp_rules::{Extent, TwoViews};
    /// let patches = PatchGrid { size: 32, stride: 32 };
    /// let whole = EncoderConfig { image: 32, patches, ..EncoderConfig::vgg6(1.0)? };
    /// let extents = whole.extents_for(&TwoViews::clapp_plus_plus())?;
    /// assert_eq!(extents[0], Extent { site: 8 * 8, channel: 128 });
    /// assert_eq!(extents[5], Extent { site: 2 * 2, channel: 1024 });
    /// # Ok::<(), clapp_encoders::EncoderError>(())
    /// ```
    pub fn extents_for(&self, rule: &dyn Plasticity) -> Result<Vec<Extent>, EncoderError> {
        rule.check_layers(self.layers.len())?;
        let maps = self.map_sizes()?;
        let extent = |(l, &map): (usize, &usize)| {
            let shown = rule.shows_layer(l);
            match shown {
                Shown::Cells(cells) if cells == 0 || !map.is_multiple_of(cells) => {
                    let fits = (1..=map).filter(|cells| map.is_multiple_of(*cells)).collect();
                    Err(EncoderError::Cells { layer: l + 1, cells, map, fits })
                }
                _ => Ok(self.extents(shown)[l]),
            }
        };
        maps.iter().enumerate().map(extent).collect()
    }

    /// Weights and biases of all convolutions.
    #[must_use]
    pub fn weights(&self) -> usize {
        let mut pre = self.colours;
        let mut sum = 0;
        for plan in &self.layers {
            sum += plan.weights(pre);
            pre = plan.channels();
        }
        sum
    }

    /// Time steps (patch rows) of the grid.
    #[must_use]
    pub fn time(&self) -> usize {
        self.patches.count(self.image)
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    ///
    /// As [`EncoderError`] says.
    pub fn validate(&self) -> Result<(), EncoderError> {
        let channels = self.channels();
        if channels.is_empty() || channels.contains(&0) || self.colours == 0 {
            return Err(EncoderError::Empty { channels });
        }
        if self.image < self.patches.size || self.patches.size == 0 || self.patches.stride == 0 {
            return Err(EncoderError::ImageTooSmall { size: self.patches.size, image: self.image });
        }
        let layers = self.layers.len();
        if self.modules.iter().sum::<usize>() != layers || self.modules.contains(&0) {
            return Err(EncoderError::Modules { layers, modules: self.modules.clone() });
        }
        self.map_sizes().map(|_| ())
    }
}

fn check_width(width: f64) -> Result<(), EncoderError> {
    if width > 0.0 && width.is_finite() { Ok(()) } else { Err(EncoderError::Width { width }) }
}

/// A number of channels at a share of the width, at least one.
fn scaled(channels: u32, width: f64) -> usize {
    ((f64::from(channels) * width) as usize).max(1)
}
