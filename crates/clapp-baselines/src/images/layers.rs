//! Modules of an image encoder: patches, convolutions, and means over the map.

use burn::tensor::{
    FloatDType, Tensor,
    activation::relu,
    module::{conv2d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};
use clapp_backend::{Pool, Response};
use clapp_encoders::{Layer, LocalConv2d, PatchGrid};
use clapp_rules::{Lateral, Shown};

use crate::{
    Oracle,
    oracle::{Differentiable, Module, Seen},
    parts::{Parts, Visit},
};

/// A convolution of an image encoder, as it is or in a stack of unlike layers.
pub trait Convolution: Parts + Clone {
    /// The convolution.
    ///
    /// # Panics
    ///
    /// If the layer is of another kind.
    fn convolution(&self) -> &LocalConv2d;
}

impl Convolution for LocalConv2d {
    fn convolution(&self) -> &LocalConv2d {
        self
    }
}

impl Convolution for Box<dyn Layer> {
    fn convolution(&self) -> &LocalConv2d {
        let own = self.downcast_ref();
        own.unwrap_or_else(|| panic!("oracle: expected a rectified layer, got {self:?}"))
    }
}

impl Parts for Box<dyn Layer> {
    fn each<V: Visit>(&mut self, other: &Self, visit: &mut V) {
        let own = self.downcast_mut::<LocalConv2d>();
        own.expect("oracle: expected a rectified layer").each(other.convolution(), visit);
    }
}

impl Oracle<Module<LocalConv2d>> {
    /// The same weights in another precision.
    #[must_use]
    pub fn cast(&self, dtype: FloatDType) -> Self {
        Self { modules: self.modules.cast(dtype), ..self.clone() }
    }
}

impl<L: Convolution> Differentiable for Module<L> {
    type Raw = Tensor<4>;
    type Cut = PatchGrid;
    /// Patches in the order sample, row, column; and how many there are of each.
    type Data = (Tensor<4>, [usize; 3]);

    fn enter(images: &Tensor<4>, patches: &PatchGrid) -> Self::Data {
        cut(images, *patches)
    }

    fn forward(&self, (below, grid): &Self::Data) -> Seen<Self::Data> {
        let convolved = |map, layer: &L| convolved(map, layer.convolution());
        let output = self.layers.iter().fold(below.clone().detach(), convolved);
        let representation = show(&output, *grid, self.shown);
        Seen {
            output: (output, *grid),
            target: representation.clone(),
            context: representation,
            moments: Vec::new(),
        }
    }

    fn lateral(&self) -> &Lateral {
        &self.lateral
    }
}

/// `maxpool(ρ(W ∗ x + b))`.
fn convolved(input: Tensor<4>, layer: &LocalConv2d) -> Tensor<4> {
    let options = ConvOptions::new(layer.spec.stride, layer.spec.padding, [1, 1], 1);
    let sum = conv2d(input, layer.weight.weight(), Some(layer.bias.weight()), options);
    let map = match layer.spec.response {
        Response::Rectified => relu(sum),
        Response::Linear => sum,
    };
    match layer.spec.pool {
        Pool::None => map,
        Pool::Max2 => max_pool2d(map, MaxPoolOptions::new([2, 2])),
    }
}

/// What a loss sees of maps `[patch, channel, y, x]`: means over each, or over n × n cells of each.
fn show(map: &Tensor<4>, [batch, rows, columns]: [usize; 3], shown: Shown) -> Tensor<4> {
    let [patches, channels, height, width] = map.dims();
    match shown {
        Shown::Patch => {
            let mean = map.clone().mean_dim(3).mean_dim(2); // [patch, channel, 1, 1]
            mean.reshape([batch, rows, columns, channels])
        }
        Shown::Cells(n) => {
            let cells: Tensor<6> =
                map.clone().reshape([patches, channels, n, height / n, n, width / n]);
            let means = cells.mean_dim(5).mean_dim(3).reshape([patches, channels, n * n]);
            means.swap_dims(1, 2).reshape([batch, rows, columns * n * n, channels])
        }
        other => panic!("oracle: expected means over maps or cells, got {other:?}"),
    }
}

/// Patches `[b·rows·columns, c, size, size]` one by one, and their samples, rows and columns.
fn cut(images: &Tensor<4>, patches: PatchGrid) -> (Tensor<4>, [usize; 3]) {
    let [batch, colours, height, width] = images.dims();
    let PatchGrid { size, stride } = patches;
    let starts = |pixels: usize| (0..=pixels - size).step_by(stride);
    let grid = [batch, starts(height).count(), starts(width).count()];
    let patch = |(y, x): (usize, usize)| {
        images.clone().slice([0..batch, 0..colours, y..y + size, x..x + size])
    };
    let corners = starts(height).flat_map(|y| starts(width).map(move |x| (y, x)));
    let patches: Tensor<5> = Tensor::stack(corners.map(patch).collect(), 1); // [b, patch, c, y, x]
    (patches.reshape([grid.iter().product(), colours, size, size]), grid)
}
