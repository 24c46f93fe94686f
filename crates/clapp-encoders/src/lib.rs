//! Layers that learn locally, and the encoders built of them.
//!
//! A layer gets two things: the activity of the layer below, and one *modulation* per neuron from a
//! rule of `clapp-rules`. It changes its own weights from these and hands its activity up. Nothing
//! comes down: no error, no label, no weight of another layer.
//!
//! | equation | meaning | function |
//! |---|---|---|
//! | n = ⌊(pixels − size)/stride⌋ + 1 | an image as a film of patches: rows are time, columns are sites | [`PatchGrid::cut`] |
//! | z = mean_p ρ(W ∗ x + b)(p) | activity and representation of a layer | [`LocalConv2d`] |
//! | ΔW_ji(τ) = m_j · mean_p ρ′(a_j(p)) x_i(p + τ) | its update: modulation × post × pre | [`LocalConv2d::delta`] |
//! | y = g (ρ(a) − μ)/σ + s | the same for film: three dimensions, normalised channels, every pixel a site | [`LocalConv3d`] |
//! | ΔW, Δb, Δg, Δs | its update, through mean and variance of its own channel | [`LocalConv3d::delta`] |
//! | ΔW = Σ m ⊗ post ⊗ pre − d ⊙ W | what every layer makes of a modulation | [`LocalLayer::learn`] |
//! | x^l = ρ(a^{l−1}), constant | layers above layers, of one kind or of several, each learning by itself | [`Stack::step`], [`Layer`] |
//! | c = z^l, z^{l+1} or z^L | who predicts: the layer itself, the one above, or the last | [`Context`] |
//! | feature = mean of z over the grid | what a read-out sees | [`Stack::features`] |
//! | z(t) = ρ(Σ_τ W(τ) x(s·t + τ − p) + b) | a layer over sound, and its update frame by frame | [`LocalConv1d`] |
//! | h = (1 − ζ) n + ζ h⁻; λ_t = m_t + ζ_{t+1} λ_{t+1} | a recurrent layer, and its update by e-prop | [`LocalGru`] |
//! | e ← ζ e + δ x | the same forward in time, by eligibility traces | [`OnlineGru`] |
//! | c = gru(h_L), z = h_L | the recurrent layer predicts the last convolution | [`SoundEncoder`] |
//!
//! # Quick start
//!
//! Three steps of CLAPP in a narrow VGG-6:
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use clapp_encoders::{Context, EncoderConfig, Stack};
//! use clapp_random::{Purpose, stream};
//! use clapp_rules::{Optimizer, Plasticity, Rule};
//!
//! let (device, rule) = (Device::flex(), Rule::clapp());
//! let config = EncoderConfig::vgg6(1.0 / 16.0)?;
//! let mut stack = Stack::init(&config, &rule, Context::SameLayer, 2, &device)?;
//! for step in 0..3 {
//!     let images = Tensor::random([4, 1, 64, 64], Distribution::Normal(0.0, 1.0), &device);
//!     let metrics = stack.step(images, &rule, &Optimizer::default(), &mut |layer, grid| {
//!         rule.pairs(grid, &mut stream(2, Purpose::Negatives, [step, layer as u64, 0, 0]))
//!     });
//!     // An untrained layer predicts nothing: a loss of 2 for each set of lateral weights.
//!     assert!((metrics[5].monitor().loss - 4.0).abs() < 0.5);
//! }
//! let images = Tensor::zeros([1, 1, 64, 64], &device);
//! assert_eq!(stack.features(images)[5].dims(), [1, 64]);
//! # Ok::<(), clapp_encoders::EncoderError>(())
//! ```
//!
//! # Extending
//!
//! Any encoder of 3×3 convolutions is an [`EncoderConfig`]: channels, pools, patches, colours. For sound there
//! is [`SoundConfig`], for video [`VideoConfig`], which [`Stack::video`] builds. A layer
//! with another way to learn is a [`LocalLayer`], and a [`Stack`] takes it as it takes a convolution; beside
//! layers of another kind it is a [`Layer`].
//! Here, synapses with hard bounds:
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use clapp_backend::{ConvSpec, Pool};
//! use clapp_encoders::{
//!     Context, LocalConv2d, LocalLayer, PatchActivity, PatchGrid, Patches, Stack,
//! };
//! use clapp_random::{Purpose, stream};
//! use clapp_rules::{Extent, Modulation, Optimize, Optimizer, Plasticity, Rule};
//!
//! #[derive(Debug)]
//! struct Bounded(LocalConv2d);
//!
//! impl LocalLayer for Bounded {
//!     type Input = Patches;
//!     type Activity = PatchActivity;
//!
//!     fn forward(&self, input: &Patches) -> PatchActivity {
//!         self.0.forward(input)
//!     }
//!
//!     fn learn(&mut self, activity: PatchActivity, told: Modulation, optimizer: &dyn Optimize) {
//!         self.0.learn(activity, told, optimizer);
//!         let synapses = &mut self.0.weight;
//!         let bounded = synapses.weight().clamp(-0.3, 0.3);
//!         synapses.restore(bounded, synapses.memory().clone());
//!     }
//! }
//!
//! let (device, rule) = (Device::flex(), Rule::clapp_s());
//! let mut random = stream(2, Purpose::Initialisation, [0; 4]);
//! let layer = LocalConv2d::init(1, 8, ConvSpec::same_3x3(Pool::Max2), &device, &mut random);
//! let grid = PatchGrid { size: 8, stride: 4 };
//! let extents = [Extent { site: grid.count(32), channel: 8 }];
//! let mut stack = Stack::new(grid, vec![Bounded(layer)])
//!     .predicting(&rule, Context::SameLayer, &extents, 2, &device);
//! let images = Tensor::ones([2, 1, 32, 32], &device);
//! let optimizer = Optimizer::adam(1.0); // much too fast, to meet the bound
//! stack.step(images, &rule, &optimizer, &mut |_, grid| rule.pairs(grid, &mut random));
//! let largest = stack.layers[0].0.weight.weight().abs().max().into_scalar::<f32>();
//! assert_eq!(largest, 0.3);
//! ```
//!
//! Then show what a layer of this crate has to show: its update is bit for bit the same whatever lies
//! above it (`tests/locality.rs`), and it is the negative gradient of the loss it claims to descend
//! (`clapp-baselines`). [`Stack::visit`] hands out every update before it is applied.
//!
//! # Features
//!
//! `flex` (CPU, default), `ndarray`, `wgpu`, `cuda`: forwarded to burn. A library should take this
//! crate without default features and leave the choice to the final binary.
//!
//! # Citation
//!
//! Illing, B., Ventura, J., Bellec, G., Gerstner, W. (2021). Local plasticity rules can learn deep
//! representations using self-supervised contrastive predictions. NeurIPS 34. arXiv:2010.08262.

mod channel_norm;
mod conv1d;
mod conv2d;
mod conv3d;
mod error;
mod film_pool;
mod film_spec;
mod gru;
mod gru_layer;
mod layer;
mod online_conv;
mod online_gru;
mod patches;
mod running;
mod signal;
mod sound;
mod stack;
mod triangle;
mod triangle_plan;
mod vgg;
mod video;

pub use channel_norm::{ChannelNorm, NormDelta};
pub use clapp_backend::{MapWindow, WindowOf};
pub use conv1d::{Conv1dSpec, LocalConv1d, Wave, WaveActivity};
pub use conv2d::LocalConv2d;
pub use conv3d::{FilmActivity, FilmDelta, LocalConv3d};
pub use error::EncoderError;
pub use film_pool::FilmPool;
pub use film_spec::{Conv3dSpec, NormOrder};
pub use gru::{GruUpdate, LocalGru, Recurrence};
pub use gru_layer::GruActivity;
pub use layer::{Cut, LocalActivity, LocalLayer, Persist, Uncut};
pub use online_conv::OnlineConv1d;
pub use online_gru::OnlineGru;
pub use patches::{PatchActivity, PatchGrid, Patches};
pub use running::{Moments, RunningMoments, Statistics};
pub use signal::{AnyActivity, Carried, Layer, Signal};
pub use sound::{Conv1dPlan, RecurrentPlan, SoundConfig, SoundEncoder, TargetSide};
pub use stack::{Context, DrawPairs, Learnt, Prediction, Stack};
pub use triangle::{TriangleActivity, TriangleConv2d};
pub use triangle_plan::{Above, Start, TrianglePlan};
pub use vgg::{ConvPlan, EncoderConfig, LayerPlan, PoolAfter};
pub use video::{BlockPlan, VideoConfig};
