//! What is a representation worth? Read-outs of frozen features, per-layer reports and figures.
//!
//! | What | Equation | Where |
//! |---|---|---|
//! | standardised read-out | min (1/n) Σ −ln softmax(W x' + b)_y + (λ/2)‖W‖², x' = (x − μ)/σ | [`StandardisedProbe`] |
//! | the paper's read-out | Adam on mean −ln softmax(W x + b)_y, raw x, 300 epochs | [`LinearProbe::paper`] |
//! | the authors' read-out of a video block | Adam on −ln softmax(W dropout(BN(mean_t map)) + b)_y, 200 epochs | [`LinearProbe::block`] |
//! | phones, the paper's | as above, one whole utterance a step, first surplus outputs dropped | [`LinearProbe::phones`], [`PhoneFrames`] |
//! | speakers | the same on means over time | [`LinearProbe::speakers`] |
//! | log-mel, MFCC | frames of 25 ms every 10 ms, 13 cepstra + Δ + ΔΔ | [`sound`] |
//! | confusion | how often each class is taken for each | [`Confusion`] |
//! | map of features | t-SNE of their 50 leading directions | [`Tsne`] |
//! | k nearest neighbours | s_c = Σ_{i ∈ nearest k, y_i = c} w_i | [`Knn`] |
//! | accuracy | share of y among the k largest scores; the authors' mean over batches | [`metrics`] |
//! | margin | mean of the last layer − best mean of a control, against the spread | [`Comparison`] |
//!
//! The crate takes [`Features`], not encoders: a matrix of numbers with a label a row. Where they come
//! from (an encoder trained without labels, the same encoder at random, the pixels themselves) is a
//! name in the [`Report`]. No number stands without its [`Protocol`] and its [`Labels`], because the
//! protocol alone moves accuracies by tens of points.
//!
//! # Quick start
//!
//! ```
//! use clapp_eval::{Features, Labels, Probe, Protocol, Report, Series, probe};
//! use ndarray::Array2;
//!
//! // Features of layers 1 and 2: here numbers in place of an encoder. 120 samples, 3 classes.
//! let features = |signal: f32, from: usize| {
//!     let labels: Vec<u32> = (from..from + 120).map(|i| (i % 3) as u32).collect();
//!     let values = Array2::from_shape_fn((120, 9), |(i, j)| {
//!         let noise = (((from + i) * 31 + j * 17) % 23) as f32 / 23.0;
//!         noise + if j % 3 == i % 3 { signal } else { 0.0 }
//!     });
//!     Features::new(values, labels)
//! };
//!
//! let mut report = Report::new("nothing", "made-up numbers", 3);
//! let protocols = [Protocol::Standardised, Protocol::Paper, Protocol::Knn];
//! let probes: Vec<Box<dyn Probe>> = protocols.into_iter().filter_map(Protocol::probe).collect();
//! for (encoder, layer, signal) in
//!     [("clapp", 1, 0.1), ("clapp", 2, 0.6), ("random encoder", 1, 0.1), ("random encoder", 2, 0.0)]
//! {
//!     let (train, test) = (features(signal, 0)?, features(signal, 120)?);
//!     for probe in &probes {
//!         for seed in 1..=2 {
//!             let few = train.few_labels(10, seed)?;
//!             let series = Series { protocol: probe.protocol(), labels: Labels::PerClass(10) };
//!             let accuracy = probe::accuracy(probe.as_ref(), &few, &test, seed)?;
//!             report.record(encoder, layer, series, seed, accuracy)?;
//!         }
//!     }
//! }
//! println!("{report}");
//! let comparison = report.compare("clapp", "random encoder", report.series()[0])?;
//! assert!(comparison.over_other.points > 0.0);
//! let svg = clapp_eval::figure::report(&report);
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), clapp_eval::Error>(())
//! ```
//!
//! # How to extend
//!
//! Another linear classifier is a [`LinearProbe`] with other settings. A new read-out implements
//! [`Probe`] (learn from labelled features) and [`Readout`] (one score per class), names its
//! [`Protocol`] (outside this crate [`Protocol::Custom`]), and shows in a test that it reads separable
//! data without error and shuffled labels at chance.
//!
//! # Determinism
//!
//! All draws come from `clapp-random` streams keyed by the seed. Sums over samples are taken in blocks
//! of fixed size and order, so on one machine a result is the same bit for bit on any number of
//! threads. Machines with other vector units may differ in the last digits.
//!
//! # Citation
//!
//! Illing, B., Ventura, J., Bellec, G., Gerstner, W. (2021). Local plasticity rules can learn deep
//! representations using self-supervised contrastive predictions. NeurIPS 34.

#![warn(missing_docs)]

mod comparison;
mod confusion;
mod error;
mod features;
pub mod figure;
mod kept;
mod knn;
pub mod metrics;
pub mod phones;
pub mod probe;
mod report;
pub mod sound;
mod standardise;
mod table;
mod tsne;

pub use comparison::{Comparison, Margin, Spread};
pub use confusion::Confusion;
pub use error::Error;
pub use features::Features;
pub use kept::{Gather, Keep};
pub use knn::{Knn, Nearness, Vote};
pub use metrics::Summary;
pub use phones::PhoneFrames;
pub use probe::{LinearProbe, Probe, Protocol, Readout, StandardisedProbe};
pub use report::{ALL_LAYERS, Cell, Labels, Measurement, Report, Series};
pub use standardise::Standardiser;
pub use tsne::Tsne;
