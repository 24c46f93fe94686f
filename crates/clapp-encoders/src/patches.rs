//! Images cut into overlapping patches: the image's own "time".

use burn::tensor::Tensor;
use clapp_backend::{Activity, ConvActivity};
use clapp_rules::{GridShape, Shown};
use serde::{Deserialize, Serialize};

use crate::{Cut, LocalActivity};

/// Patches between two layers, and the grid that they come from.
#[derive(Clone, Debug)]
pub struct Patches {
    /// The patches, in the order sample, row, column.
    pub pixels: Activity,
    /// Samples, rows, columns.
    pub grid: GridShape,
}

impl Patches {
    /// Means over n × n cells of the map and over all patches of a sample, `[sample, channel · n²]`; a map of
    /// fewer pixels is taken as it is.
    ///
    /// # Panics
    ///
    /// If a larger map does not divide into the cells.
    #[must_use]
    pub fn cells(&self, n: usize) -> Tensor<2> {
        let [_, channels, height, width] = self.pixels.dims();
        let GridShape { batch, time, site } = self.grid;
        let cells = [n.min(height), n.min(width)];
        let [y, x] = [height, width].map(|side| side / n.min(side).max(1));
        assert!(
            n > 0 && [cells[0] * y, cells[1] * x] == [height, width],
            "cells: expected a map that divides into {n} × {n} cells, got {height} × {width}"
        );
        let patches = time * site;
        let rows = self.pixels.to_rows();
        let map = rows.reshape([batch * patches * cells[0], y, cells[1], x, channels]);
        let features = cells[0] * cells[1] * channels;
        let means = map.mean_dim(3).mean_dim(1).reshape([batch, patches, features]);
        means.mean_dim(1).reshape([batch, features])
    }
}

/// What a layer over patches keeps of a forward pass.
#[derive(Clone, Debug)]
pub struct PatchActivity {
    /// Of every patch by itself.
    pub conv: ConvActivity,
    /// Samples, rows, columns.
    pub grid: GridShape,
}

impl LocalActivity for PatchActivity {
    type Output = Patches;

    fn output(&self) -> Patches {
        Patches { pixels: self.conv.output.clone(), grid: self.grid }
    }

    fn representation(&self) -> Tensor<4> {
        let GridShape { batch, time, site } = self.grid;
        let [_, channels] = self.conv.representation.dims();
        self.conv.representation.clone().reshape([batch, time, site, channels])
    }

    /// # Panics
    ///
    /// If the map does not divide into the cells.
    fn show(&self, shown: Shown) -> Tensor<4> {
        let [patches, channels, height, width] = self.conv.output.dims();
        let GridShape { batch, time, site } = self.grid;
        let grid = |rows: Tensor<3>| {
            let [_, places, _] = rows.dims();
            rows.reshape([batch, time, site * places, channels])
        };
        match shown {
            Shown::Pixels => grid(self.conv.output.to_rows()),
            Shown::Cells(n) => {
                let [y, x] = cell([height, width], n);
                let map = self.conv.output.to_rows().reshape([patches * n, y, n, x, channels]);
                let cells = map.mean_dim(3).mean_dim(1); // [patches · n, 1, n, 1, channel]
                grid(cells.reshape([patches, n * n, channels]))
            }
            _ => self.representation(),
        }
    }
}

impl PatchActivity {
    /// A modulation of every pixel of the map, `[patch, y·x, channel]`, from that of what was shown.
    ///
    /// A mean shares its modulation among its pixels.
    pub(crate) fn at_pixels(&self, m: Tensor<4>, shown: Shown) -> Tensor<3> {
        let [patches, channels, height, width] = self.conv.output.dims();
        let pixels = height * width;
        match shown {
            Shown::Pixels => m.reshape([patches, pixels, channels]),
            Shown::Cells(n) => {
                let [y, x] = cell([height, width], n);
                let cells: Tensor<5> = m.reshape([patches * n, 1, n, 1, channels]) / (y * x) as f64;
                cells.expand([patches * n, y, n, x, channels]).reshape([patches, pixels, channels])
            }
            _ => (m.reshape([patches, 1, channels]) / pixels as f64)
                .expand([patches, pixels, channels]),
        }
    }
}

/// Height and width of one of n × n cells of a map.
fn cell([height, width]: [usize; 2], n: usize) -> [usize; 2] {
    assert!(
        n > 0 && height.is_multiple_of(n) && width.is_multiple_of(n),
        "cells: expected a map that divides into {n} × {n} cells, got {height} × {width}"
    );
    [height / n, width / n]
}

/// Patch size and stride, in pixels.
///
/// ```
/// use clapp_encoders::PatchGrid;
/// let grid = PatchGrid { size: 16, stride: 8 };
/// assert_eq!(grid.count(64), 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchGrid {
    /// Side of a patch.
    pub size: usize,
    /// Distance between neighbouring patches.
    pub stride: usize,
}

impl PatchGrid {
    /// Patches along an axis of `pixels`.
    #[must_use]
    pub fn count(&self, pixels: usize) -> usize {
        if pixels < self.size { 0 } else { (pixels - self.size) / self.stride + 1 }
    }

    /// Cuts images into patches that from here on are processed independently.
    ///
    /// Rows of patches are time, columns are sites: the context above predicts the patch below.
    ///
    /// # Shapes
    /// - `images`: `[b, c, y, x]`; returns `[b·rows·columns, c, size, size]` in the order b, y, x
    ///
    /// # Panics
    ///
    /// If the images are smaller than one patch.
    ///
    /// # Paper
    /// Illing et al. 2021, Sec. 4; `VGG_like_Encoder.py`. Deviations: none.
    #[must_use]
    pub fn cut(&self, images: Tensor<4>) -> Patches {
        let [batch, channels, height, width] = images.dims();
        let (rows, columns) = (self.count(height), self.count(width));
        assert!(
            rows > 0 && columns > 0,
            "patches: expected images of at least {0}×{0} pixels, got {height}×{width}",
            self.size
        );
        let patches = images
            .unfold::<5, _>(2, self.size, self.stride) // [b, c, rows, x, size]
            .unfold::<6, _>(3, self.size, self.stride) // [b, c, rows, columns, size, size]
            .permute([0, 2, 3, 1, 4, 5])
            .reshape([batch * rows * columns, channels, self.size, self.size]);
        let grid = GridShape { batch, time: rows, site: columns };
        Patches { pixels: Activity::from_plain(patches), grid }
    }
}

impl Cut for PatchGrid {
    type Raw = Tensor<4>;
    type Pieces = Patches;

    fn cut(&self, images: Tensor<4>) -> Patches {
        Self::cut(self, images)
    }
}
