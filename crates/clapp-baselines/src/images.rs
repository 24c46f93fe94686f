//! Modules of an image encoder: patches, convolutions, and means over the map.

use burn::tensor::{
    FloatDType, Tensor,
    activation::relu,
    module::{conv2d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};
use clapp_backend::Pool;
use clapp_encoders::{LocalConv2d, PatchGrid};
use clapp_rules::Lateral;

use crate::{
    Oracle,
    oracle::{Differentiable, Module, Seen},
    parts::Parts,
};

impl Oracle<Module<LocalConv2d>> {
    /// The same weights in another precision.
    #[must_use]
    pub fn cast(&self, dtype: FloatDType) -> Self {
        Self { modules: self.modules.cast(dtype), ..self.clone() }
    }
}

impl Differentiable for Module<LocalConv2d> {
    type Raw = Tensor<4>;
    type Cut = PatchGrid;
    /// Patches in the order sample, row, column; and how many there are of each.
    type Data = (Tensor<4>, [usize; 3]);

    fn enter(images: &Tensor<4>, patches: &PatchGrid) -> Self::Data {
        cut(images, *patches)
    }

    fn forward(&self, (below, grid): &Self::Data) -> Seen<Self::Data> {
        let output = self.layers.iter().fold(below.clone().detach(), convolved);
        let ([_, channels, ..], [batch, rows, columns]) = (output.dims(), *grid);
        let mean = output.clone().mean_dim(3).mean_dim(2); // [n, channel, 1, 1]
        let representation = mean.reshape([batch, rows, columns, channels]);
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
    let map = relu(conv2d(input, layer.weight.weight(), Some(layer.bias.weight()), options));
    match layer.spec.pool {
        Pool::None => map,
        Pool::Max2 => max_pool2d(map, MaxPoolOptions::new([2, 2])),
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
