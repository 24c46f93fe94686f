//! Applies CLAPP to activities that are not a layer of ours: leaky rate neurons that watch drifting
//! gratings. The neurons and their ρ′ are this program's business; the rule only sees their rates.

use clapp_rules::burn::tensor::{Device, Distribution, Tensor, activation::relu};
use clapp_rules::{Optimizer, Purpose, Rule, Synapses, stream};

const SAMPLES: usize = 8;
const TIME: usize = 6;
const PIXELS: usize = 16;
const NEURONS: usize = 12;

/// `[sample · time, pixel]`: every sample is a grating of its own orientation that drifts.
fn gratings(device: &Device) -> Tensor<2> {
    let value = |sample: usize, t: usize, pixel: usize| {
        let (x, y) = ((pixel % 4) as f32, (pixel / 4) as f32);
        let angle = sample as f32 * std::f32::consts::PI / SAMPLES as f32;
        (1.5 * (x * angle.cos() + y * angle.sin()) + 0.2 * t as f32).sin()
    };
    let values: Vec<f32> = (0..SAMPLES * TIME * PIXELS)
        .map(|i| value(i / PIXELS / TIME, i / PIXELS % TIME, i % PIXELS))
        .collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([SAMPLES * TIME, PIXELS])
}

fn main() {
    let device = Device::flex();
    device.seed(2);
    let rule = Rule { prediction_steps: 2, ..Rule::clapp() };
    rule.validate(TIME).expect("two predictions fit into six steps of time");
    let optimizer = Optimizer::adam(5e-3);
    let mut random = stream(2, Purpose::Initialisation, [0; 4]);
    let mut lateral = rule.weights(NEURONS, NEURONS, &device, &mut random);
    let start = Tensor::random([NEURONS, PIXELS], Distribution::Uniform(-0.25, 0.25), &device);
    let mut synapses = Synapses::new(start);

    let input = gratings(&device);
    let mut losses = Vec::new();
    for step in 0..400 {
        let rates = relu(input.clone().matmul(synapses.weight().transpose()));
        let z = rates.clone().reshape([SAMPLES, TIME, 1, NEURONS]);
        let mut random = stream(2, Purpose::Negatives, [step, 0, 0, 0]);
        let draws = rule.draw([SAMPLES, TIME, 1].into(), &mut random);
        let update = rule.update(z.clone(), z, &lateral, &draws);
        // ΔW = modulation × post × pre, the neurons' own part.
        let modulation = update.modulation().reshape([SAMPLES * TIME, NEURONS]);
        let post = modulation * rates.sign();
        synapses.learn(post.transpose().matmul(input.clone()), &optimizer);
        losses.push(update.monitor().loss);
        lateral.learn(update.lateral, &optimizer);
    }
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..20]), mean(&losses[380..]));
    assert!(losses.iter().all(|loss| loss.is_finite()), "a loss is not finite");
    assert!(last < 0.5 * first, "expected the loss to halve, got {first} and then {last}");
    println!("outside: loss {first:.2} at first, {last:.2} at last, ok");
}
