//! What can be wrong with an encoder's configuration.

/// An encoder that cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// No layers, or a layer without channels.
    #[error(
        "encoder: expected at least one layer with at least one channel each, got {channels:?}"
    )]
    Empty {
        /// Channels of every layer.
        channels: Vec<usize>,
    },
    /// The patch grid does not fit the image.
    #[error(
        "encoder: expected images of at least {size} pixels for patches of that size, got {image}; enlarge the crop or lower the patch size"
    )]
    ImageTooSmall {
        /// Side of a patch.
        size: usize,
        /// Side of the image.
        image: usize,
    },
    /// A pool meets a map of one pixel.
    #[error(
        "encoder: layer {layer} pools a map of {map} pixels a side, expected at least 2; drop the pool or enlarge the patches"
    )]
    MapTooSmall {
        /// Layer, from 1.
        layer: usize,
        /// Side of its map.
        map: usize,
    },
    /// A map that does not divide into a layer's tiles.
    #[error(
        "encoder: layer {layer} sees a map of {map} pixels a side, which does not divide into tiles of {tile}; choose a divisor"
    )]
    Tiles {
        /// Layer, from 1.
        layer: usize,
        /// Side of a tile.
        tile: usize,
        /// Side of the map.
        map: usize,
    },
    /// A map that does not divide into the cells at which a rule wants to see it.
    #[error(
        "encoder: layer {layer} has a map of {map} pixels a side, which does not divide into {cells} × {cells} cells; {fits:?} a side would fit"
    )]
    Cells {
        /// Layer, from 1.
        layer: usize,
        /// Cells a side.
        cells: usize,
        /// Side of the map, in pixels.
        map: usize,
        /// Cells a side into which it divides.
        fits: Vec<usize>,
    },
    /// A clip that is smaller than a block's kernel or pool, or no longer square.
    #[error(
        "encoder: block {block} gets {frames} frames of {side} pixels a side, expected at least its kernel and pool, and a square map; use longer or larger clips"
    )]
    ClipTooSmall {
        /// Block, from 1.
        block: usize,
        /// Frames that reach it.
        frames: usize,
        /// Side of its input.
        side: usize,
    },
    /// A layer of competing channels among rectified ones that learn together.
    #[error(
        "encoder: expected rectified layers only, got competing channels in layer {layer}; use Stack::images"
    )]
    Unlike {
        /// Layer, from 1.
        layer: usize,
    },
    /// A layer of competing channels whose kernel or windows do not fit.
    #[error(
        "encoder: layer {layer} gets a map of {side} pixels a side, expected an odd kernel at most {} wide, windows that fit the map and less padding than a window, got a kernel of {} and {:?}",
        2 * side - 1, plan.kernel, plan.window
    )]
    Competition {
        /// Layer, from 1.
        layer: usize,
        /// Side of its input.
        side: usize,
        /// The layer.
        plan: crate::TrianglePlan,
    },
    /// The width factor leaves no channels, or is no number.
    #[error("encoder: expected a width factor above 0, got {width}")]
    Width {
        /// The factor.
        width: f64,
    },
    /// The modules do not partition the layers in order.
    #[error(
        "encoder: expected modules that split {layers} layers in order, got sizes {modules:?}; modules of as many layers each can be {}, others any sizes of 1 and more that add up to {layers}",
        equal_splits(*layers)
    )]
    Modules {
        /// Number of layers.
        layers: usize,
        /// Sizes of the modules.
        modules: Vec<usize>,
    },
    /// A module of several layers needs back-propagation inside.
    #[error(
        "encoder: expected modules of one layer for the local rules, got sizes {modules:?}; larger modules need back-propagation inside and come with the baselines"
    )]
    NotLayerwise {
        /// Sizes of the modules.
        modules: Vec<usize>,
    },
    /// A convolution without a kernel, or one that does not move.
    #[error(
        "encoder: layer {layer} has a kernel of {kernel} frames and a stride of {stride}, expected at least 1 each"
    )]
    Geometry {
        /// Layer, from 1.
        layer: usize,
        /// Frames of its kernel.
        kernel: usize,
        /// Frames of its stride.
        stride: usize,
    },
    /// A crop leaves a layer without a frame.
    #[error(
        "encoder: expected crops that leave layer {layer} at least one frame, got {samples} samples; use longer ones"
    )]
    WaveTooShort {
        /// Layer, from 1.
        layer: usize,
        /// Samples of a crop.
        samples: usize,
    },
    /// The rule does not fit the grid or itself.
    #[error(transparent)]
    Rule(#[from] clapp_rules::RuleError),
}

/// How layers split into modules of one size, as modules × layers: `1x6, 2x3, 3x2, 6x1`.
fn equal_splits(layers: usize) -> String {
    let modules = (1..=layers).filter(|modules| layers.is_multiple_of(*modules));
    let splits: Vec<String> =
        modules.map(|modules| format!("{modules}x{}", layers / modules)).collect();
    splits.join(", ")
}
