//! Small encoders with gates that are open for some pairs and closed for others.

#![allow(dead_code)] // not every test file needs everything

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use clapp_backend::Arithmetic;
use clapp_encoders::{Context, ConvPlan, EncoderConfig, LayerPlan, PatchGrid, PoolAfter, Stack};
use clapp_random::{Purpose, stream};
use clapp_rules::{Draws, GridShape, Negatives, Objective, Rule, Scope, Synapses};
use rand::RngExt;

/// One encoder, one rule, one batch.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub config: EncoderConfig,
    pub rule: Rule,
    pub context: Context,
    pub batch: usize,
    pub seed: u64,
}

/// The five shapes of encoder: which kernels run depends on channels and on the sides of maps.
pub fn encoders() -> Vec<(&'static str, EncoderConfig)> {
    use PoolAfter::{Max2, Nothing};
    let sixteens = [(16, Nothing), (16, Max2), (48, Nothing), (16, Max2), (80, Max2)];
    let thirty_twos =
        [(32, Nothing), (32, Max2), (64, Nothing), (32, Max2), (32, Max2), (32, Nothing)];
    vec![
        ("plain", encoder(1, [16, 8], 40, &[(5, Nothing), (6, Max2), (7, Nothing), (9, Max2)])),
        ("sixteens", encoder(3, [8, 4], 24, &sixteens)),
        ("thirty-twos", encoder(1, [16, 8], 40, &thirty_twos)),
        ("mixed", encoder(3, [8, 4], 24, &[(16, Max2), (20, Nothing), (32, Max2), (3, Max2)])),
        ("odd", encoder(1, [10, 5], 30, &[(8, Max2), (32, Nothing), (64, Max2), (12, Nothing)])),
    ]
}

fn encoder(
    colours: usize,
    [size, stride]: [usize; 2],
    image: usize,
    layers: &[(usize, PoolAfter)],
) -> EncoderConfig {
    let plan = |&(channels, pool): &_| LayerPlan::Rectified(ConvPlan { channels, pool });
    EncoderConfig {
        colours,
        image,
        patches: PatchGrid { size, stride },
        layers: layers.iter().map(plan).collect(),
        modules: vec![1; layers.len()],
        arithmetic: Arithmetic::Exact,
    }
}

/// Rules for grids of four or five rows: two prediction steps.
pub fn clapp() -> Rule {
    Rule { prediction_steps: 2, ..Rule::clapp() }
}

pub fn clapp_s() -> Rule {
    let negatives = Negatives { count: 5, ..Negatives::default() };
    Rule { prediction_steps: 2, negatives, ..Rule::clapp_s() }
}

pub fn gim() -> Rule {
    Rule { objective: Objective::InfoNce { epsilon: 1e-11 }, ..clapp_s() }
}

pub fn same_position() -> Negatives {
    Negatives { count: 3, scope: Scope::SamePosition, ..Negatives::default() }
}

impl Case {
    pub fn new(encoder: (&str, EncoderConfig), rule: Rule) -> Self {
        let (name, config) = encoder;
        let name = name.to_owned();
        Self { name, config, rule, context: Context::SameLayer, batch: 4, seed: 7 }
    }

    /// Weights large enough that scores fall on both sides of the margin.
    pub fn stack(&self, device: &Device, dtype: FloatDType, arithmetic: Arithmetic) -> Stack {
        let config = EncoderConfig { arithmetic, ..self.config.clone() };
        let mut stack = Stack::init(&config, &self.rule, self.context, self.seed, device)
            .expect("the encoders above fit their grids");
        for (layer, prediction) in stack.layers.iter_mut().zip(&mut stack.predictions) {
            // A uniform draw of the usual bound has a sixth of the variance that keeps activity up.
            layer.weight = scaled(&layer.weight, 6_f64.sqrt(), dtype);
            layer.bias = scaled(&layer.bias, 1.0, dtype);
            for (_, w) in prediction.lateral.synapses_mut() {
                *w = scaled(w, 4.0, dtype);
            }
        }
        stack
    }

    pub fn images(&self, device: &Device, dtype: FloatDType) -> Tensor<4> {
        let EncoderConfig { colours, image, .. } = self.config;
        let shape = [self.batch, colours, image, image];
        let mut random = stream(self.seed, Purpose::Test, [0; 4]);
        let pixels: Vec<f32> =
            (0..shape.iter().product()).map(|_| random.random_range(-1.7..1.7)).collect();
        Tensor::<4>::from_data(TensorData::new(pixels, shape), device).cast(dtype)
    }

    /// Draws of every layer.
    pub fn draws(&self) -> Vec<Vec<Draws>> {
        let rows = self.config.time();
        let shape = GridShape { batch: self.batch, time: rows, site: rows };
        let of = |l: usize| {
            let indices = [l as u64, 0, 0, 0];
            self.rule.draw(shape, &mut stream(self.seed, Purpose::Negatives, indices))
        };
        (0..self.config.layers.len()).map(of).collect()
    }
}

fn scaled<const D: usize>(synapses: &Synapses<D>, factor: f64, dtype: FloatDType) -> Synapses<D> {
    // Scaled in single precision first: both precisions then hold the same numbers.
    Synapses::new((synapses.weight() * factor).cast(dtype))
}
