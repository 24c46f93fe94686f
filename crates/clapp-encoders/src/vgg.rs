//! VGG-6: configuration, widths, splits into gradient-isolated modules.

use clapp_backend::{Arithmetic, ConvSpec, Pool};
use clapp_rules::{Extent, Plasticity, Shown};
use serde::{Deserialize, Serialize};

use crate::{EncoderError, PatchGrid};

/// One 3×3 convolution of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvPlan {
    /// Output channels.
    pub channels: usize,
    /// Whether a 2×2 max-pool follows.
    pub pool: PoolAfter,
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

/// An image encoder of 3×3 convolutions over patches.
///
/// | name | default ([`vgg6`](Self::vgg6)) | purpose | range |
/// |---|---|---|---|
/// | `colours` | 1 | input channels | ≥ 1 |
/// | `image` | 64 | side of the crop | ≥ patch size |
/// | `patches` | 16, stride 8 | patch grid | |
/// | `layers` | 128, 256 M, 256, 512 M, 1024 M, 1024 M | channels and pools | |
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderConfig {
    /// Input channels: 1 gray, 3 colour.
    pub colours: usize,
    /// Side of the (square) image crop.
    pub image: usize,
    /// Patch grid.
    pub patches: PatchGrid,
    /// Convolutions in order.
    pub layers: Vec<ConvPlan>,
    /// Sizes of the gradient-isolated modules, in order.
    pub modules: Vec<usize>,
    /// Arithmetic of the convolutions.
    #[serde(with = "arithmetic")]
    pub arithmetic: Arithmetic,
}

mod arithmetic {
    use super::Arithmetic;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Name {
        Fast,
        Exact,
    }

    pub fn serialize<S: Serializer>(value: &Arithmetic, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Arithmetic::Fast => Name::Fast,
            Arithmetic::Exact => Name::Exact,
        }
        .serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arithmetic, D::Error> {
        Ok(match Name::deserialize(from)? {
            Name::Fast => Arithmetic::Fast,
            Name::Exact => Arithmetic::Exact,
        })
    }
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
        if !(width > 0.0 && width.is_finite()) {
            return Err(EncoderError::Width { width });
        }
        let plan = [
            (128, PoolAfter::Nothing),
            (256, PoolAfter::Max2),
            (256, PoolAfter::Nothing),
            (512, PoolAfter::Max2),
            (1024, PoolAfter::Max2),
            (1024, PoolAfter::Max2),
        ];
        let layer = |(channels, pool)| ConvPlan {
            channels: ((f64::from(channels) * width) as usize).max(1),
            pool,
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

    /// Output channels of every layer.
    #[must_use]
    pub fn channels(&self) -> Vec<usize> {
        self.layers.iter().map(|layer| layer.channels).collect()
    }

    /// Geometry of layer `index` (from 0).
    #[must_use]
    pub fn spec(&self, index: usize) -> ConvSpec {
        let pool = match self.layers[index].pool {
            PoolAfter::Nothing => Pool::None,
            PoolAfter::Max2 => Pool::Max2,
        };
        ConvSpec::same_3x3(pool).with_arithmetic(self.arithmetic)
    }

    /// Side of every layer's output map inside a patch.
    ///
    /// # Errors
    ///
    /// If a pool meets a map of one pixel.
    pub fn map_sizes(&self) -> Result<Vec<usize>, EncoderError> {
        let mut side = self.patches.size;
        let mut sizes = Vec::with_capacity(self.layers.len());
        for (index, plan) in self.layers.iter().enumerate() {
            if plan.pool == PoolAfter::Max2 {
                if side < 2 {
                    return Err(EncoderError::MapTooSmall { layer: index + 1, map: side });
                }
                side /= 2;
            }
            sizes.push(side);
        }
        Ok(sizes)
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
    #[must_use]
    pub fn extents(&self, shown: Shown) -> Vec<Extent> {
        let columns = self.time();
        let mut side = self.patches.size;
        let extent = |plan: &ConvPlan| {
            if plan.pool == PoolAfter::Max2 {
                side /= 2;
            }
            let places = match shown {
                Shown::Pixels => side * side,
                Shown::Cells(n) => n * n,
                _ => 1,
            };
            Extent { site: columns * places, channel: plan.channels }
        };
        self.layers.iter().map(extent).collect()
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
            sum += plan.channels * (9 * pre + 1);
            pre = plan.channels;
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
