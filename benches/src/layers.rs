//! The convolutions of VGG-6, each on the activity of the layer below.

use burn::tensor::{Device, Tensor};
use clapp::encoders::{
    EncoderError, LocalActivity, LocalConv2d, LocalLayer, PatchActivity, Patches,
};
use clapp::random::{Purpose, stream};
use clapp_backend::Hebbian;

use crate::{Setting, images};

/// A layer with what its two halves are computed from.
#[derive(Debug)]
pub struct Case {
    layer: LocalConv2d,
    input: Patches,
    modulation: Tensor<4>,
}

impl Case {
    /// Convolution, bias, rectification, pool, mean over the map.
    #[must_use]
    pub fn forward(&self) -> PatchActivity {
        self.layer.forward(&self.input)
    }

    /// Weight and bias gradient, from a modulation of every patch and channel.
    #[must_use]
    pub fn update(&self, activity: &PatchActivity) -> Hebbian<4> {
        self.layer.delta(activity, self.modulation.clone())
    }
}

/// All layers, from the input up, at the start of training.
///
/// ```
/// use burn::tensor::Device;
/// use clapp_benches::{Setting, cases};
///
/// let setting = Setting { width: 1.0 / 16.0, batch: 1, ..Setting::full() };
/// let cases = cases(&setting, &Device::flex())?;
/// let activity = cases[5].forward();
/// assert_eq!(activity.conv.output.dims(), [49, 64, 1, 1]);
/// assert_eq!(cases[5].update(&activity).weight.dims(), [64, 64, 3, 3]);
/// # Ok::<(), clapp_benches::Error>(())
/// ```
///
/// # Errors
///
/// If the sizes don't fit together.
pub fn cases(setting: &Setting, device: &Device) -> Result<Vec<Case>, EncoderError> {
    let config = setting.encoder()?;
    let mut input = config.patches.cut(images(setting, 0, device));
    let mut pre = config.colours;
    let mut cases = Vec::with_capacity(config.layers.len());
    for (l, post) in config.channels().into_iter().enumerate() {
        let mut random = stream(setting.seed, Purpose::Initialisation, [l as u64, 0, 0, 0]);
        let layer = LocalConv2d::init(pre, post, config.spec(l), device, &mut random);
        let activity = layer.forward(&input);
        let modulation = activity.representation().ones_like();
        cases.push(Case { layer, input, modulation });
        input = activity.output();
        pre = post;
    }
    Ok(cases)
}
