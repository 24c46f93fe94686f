//! Layers of images in PyTorch's words.

use clapp_encoders::{
    Above, ConvPlan, LayerPlan, MapWindow, PoolAfter, Start, TilePlan, TrianglePlan, WindowOf,
};

use super::{
    Images,
    encoder::{cells, pipeline},
};
use crate::{
    sense::Trial,
    torch::{Torch, TorchLayer},
};

const TRIANGLE: &str = "
class Triangle(nn.Module):
    def __init__(self, power):
        super().__init__()
        self.power = power

    def forward(self, u):
        return (u - u.mean(1, keepdim=True)).relu() ** self.power

";

pub(super) fn torch(trial: &Trial<Images>) -> Torch {
    let encoder = &trial.config.setup.encoder;
    let pipeline = serde_json::to_value(pipeline(trial)).unwrap_or_default();
    let (colours, side) = (encoder.colours, encoder.image);
    let (size, stride) = (encoder.patches.size, encoder.patches.stride);
    let mut cells = cells(trial);
    cells.resize(encoder.layers.len(), 1);
    let mut pre = colours;
    let layer = |(layer, plan): (usize, &LayerPlan)| {
        let modules = modules(plan, pre);
        pre = plan.channels();
        match plan {
            LayerPlan::Competing(_) => {
                TorchLayer::sequential(layer, 1, &modules).with_statistics(0)
            }
            _ => TorchLayer::sequential(layer, 0, &modules),
        }
    };
    let layers = encoder.layers.iter().enumerate().map(layer).collect();
    let input = format!(
        "Images are [image, {colours}, {side}, {side}], prepared by the centre cut of this pipeline:\n{pipeline}"
    );
    let features = format!(
        r#"def features(images):
    """[image, feature] of each layer, from the input up; of cells in the order row, column, channel."""
    x = images.unfold(2, {size}, {stride}).unfold(3, {size}, {stride}).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    for layer, n in zip(layers, {cells:?}):
        x = layer["model"](x)
        means = nn.functional.adaptive_avg_pool2d(x, min(n, x.shape[-1])).movedim(1, -1).flatten(1)
        yield means.reshape(len(images), -1, means.shape[-1]).mean(1)
"#
    );
    Torch { input, helpers: TRIANGLE, layers, features }
}

/// The modules of a layer.
fn modules(plan: &LayerPlan, pre: usize) -> String {
    match *plan {
        LayerPlan::Rectified(ConvPlan { channels, pool }) => {
            let pool = if pool == PoolAfter::Max2 { ", nn.MaxPool2d(2)" } else { "" };
            format!("nn.Conv2d({pre}, {channels}, 3, padding=1), nn.ReLU(){pool}")
        }
        LayerPlan::Tiles(TilePlan { channels, tile }) => {
            format!("nn.Conv2d({pre}, {channels}, {tile}, stride={tile}), nn.ReLU()")
        }
        LayerPlan::Competing(TrianglePlan { channels, kernel, power, window, above, start }) => {
            let MapWindow { of, side, stride, padding } = window;
            let bias = if start == Start::Uniform { "True" } else { "False" };
            let border = format!("padding={}, padding_mode=\"reflect\"", kernel / 2);
            let above = match above {
                Above::Mean => format!("Triangle({power})"),
                Above::Zero => "nn.ReLU()".to_owned(),
            };
            let pool = if of == WindowOf::Max { "Max" } else { "Avg" };
            format!(
                "nn.BatchNorm2d({pre}, affine=False), nn.Conv2d({pre}, {channels}, {kernel}, {border}, bias={bias}), {above}, nn.{pool}Pool2d({side}, {stride}, {padding})"
            )
        }
    }
}
