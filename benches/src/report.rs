//! The line of JSON.

use clapp_backend::bench::instruction_set;
use clapp_benches::{Ceilings, Timing, count::Products, peak_memory};
use serde::Serialize;

use crate::{Options, Workload};

/// What was measured, of what, with what.
#[derive(Debug, Serialize)]
pub struct Report {
    program: &'static str,
    version: &'static str,
    workload: String,
    width: f64,
    batch: usize,
    crop: usize,
    colours: usize,
    rank: usize,
    arithmetic: &'static str,
    threads: usize,
    instruction_set: String,
    seed: u64,
    warmup: usize,
    steps: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<usize>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taught_patches: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerTime>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub ceilings: Option<Ceilings>,
    peak_memory_bytes: Option<u64>,
}

impl Report {
    /// A report of these options, when the threads have been started.
    pub fn new(options: &Options) -> Self {
        Self {
            program: env!("CARGO_BIN_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            workload: clap::ValueEnum::to_possible_value(&options.workload)
                .map_or_else(String::new, |value| value.get_name().to_owned()),
            width: options.width,
            batch: options.batch,
            crop: options.crop,
            colours: options.colours,
            rank: options.rank,
            arithmetic: if options.exact { "exact" } else { "fast" },
            threads: rayon::current_num_threads(),
            instruction_set: instruction_set().to_string(),
            seed: options.seed,
            warmup: options.warmup,
            steps: if options.workload == Workload::Roofline { 0 } else { options.steps },
            weights: None,
            speed: None,
            count: None,
            taught_patches: None,
            layers: vec![],
            ceilings: None,
            peak_memory_bytes: None,
        }
    }

    /// Takes the largest memory so far as that of the workload, unless it was taken before.
    pub fn note_peak(&mut self) {
        self.peak_memory_bytes = self.peak_memory_bytes.or_else(peak_memory);
    }

    /// The same report with its peak.
    pub fn finished(mut self) -> Self {
        self.note_peak();
        self
    }
}

/// How fast it was.
#[derive(Debug, Serialize)]
pub struct Speed {
    #[serde(flatten)]
    timing: Timing,
    images_per_second: f64,
}

impl Speed {
    /// So many images in each step.
    pub fn new(timing: Timing, images: usize) -> Self {
        Self { timing, images_per_second: images as f64 / timing.seconds_per_step }
    }
}

/// How much of it was arithmetic; 10⁹ operations a second, two for a multiply-add.
#[derive(Debug, Serialize)]
pub struct Count {
    useful_multiply_adds: u64,
    direct_multiply_adds: u64,
    useful_gflops: f64,
    direct_gflops: f64,
}

impl Count {
    /// Products of a step of this length.
    pub fn new(products: Products, timing: Timing) -> Self {
        let speed = |products: u64| 2e-9 * products as f64 / timing.seconds_per_step;
        Self {
            useful_multiply_adds: products.useful,
            direct_multiply_adds: products.direct,
            useful_gflops: speed(products.useful),
            direct_gflops: speed(products.direct),
        }
    }
}

/// Medians of one layer.
#[derive(Debug, Serialize)]
pub struct LayerTime {
    /// From 1.
    pub layer: usize,
    /// Forward pass.
    pub forward_seconds: f64,
    /// Weight and bias gradient.
    pub update_seconds: f64,
}
