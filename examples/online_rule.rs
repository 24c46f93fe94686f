//! From 12.5 % (chance) to about 100 %: a layer learns online which views belong together.
//!
//! Eight objects have three views each, and no two views share a single input. The eye rests on an object
//! for a while (fixation) and jumps to another (saccade). One fully connected layer predicts its own
//! next activity; weights change at every time step, from what is present at the synapse alone.
//!
//! After every two hundred steps the layer is asked, without learning: is the activity to the second view of
//! an object nearest to the activity to its own first view?
//!
//! `cargo run --release --example online_rule`

use burn::tensor::{Device, Tensor, TensorData};
use clapp::random::{Purpose, Stream, stream};
use clapp::rules::{Feedback, Optimizer, Outcome, online::OnlineLayer};
use clapp_examples::say;
use rand::RngExt;

const OBJECTS: usize = 8;
const VIEWS: usize = 3;
/// Inputs that one view switches on.
const ACTIVE: usize = 4;
const INPUTS: usize = OBJECTS * VIEWS * ACTIVE;
const NEURONS: usize = 64;
const STREAMS: usize = 16;
const SACCADE: f64 = 0.3;

/// Input of one view, with a little noise on every line.
fn view(object: usize, view: usize, random: &mut Stream) -> Vec<f32> {
    let first = (object * VIEWS + view) * ACTIVE;
    let on = first..first + ACTIVE;
    (0..INPUTS).map(|i| random.random_range(0.0..0.2) + f32::from(on.contains(&i))).collect()
}

fn tensor(rows: Vec<f32>, count: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(rows, [count, INPUTS]), device)
}

/// Percentage of objects whose second view lies nearest to their own first view.
fn recognised(layer: &OnlineLayer, device: &Device, random: &mut Stream) -> f64 {
    let mut layer = layer.clone(); // its traces stay out of the stream's
    let mut codes = |which: usize| {
        layer.reset();
        let rows = (0..OBJECTS).flat_map(|object| view(object, which, random)).collect();
        let step = layer.observe(tensor(rows, OBJECTS, device), &[Outcome::Fixation; OBJECTS]);
        let norm = step.activity.clone().square().sum_dim(1).sqrt() + 1e-9;
        step.activity / norm
    };
    let similarity = codes(1).matmul(codes(0).transpose());
    let nearest = similarity.argmax(1).into_data();
    let right = nearest.iter::<i64>().enumerate().filter(|&(object, found)| found == object as i64);
    100.0 * right.count() as f64 / OBJECTS as f64
}

fn main() {
    let device = Device::flex();
    let mut init = stream(2, Purpose::Initialisation, [0; 4]);
    let mut layer =
        OnlineLayer::init(INPUTS, NEURONS, Feedback::PredRetroShared, &device, &mut init);
    let optimizer = Optimizer::Plain { rate: 0.1 };
    let mut world = stream(2, Purpose::Synthesis, [0; 4]);
    let mut objects: Vec<usize> = (0..STREAMS).map(|_| world.random_range(0..OBJECTS)).collect();
    say!("  step   loss  open gates  scores on the right side  views recognised");
    let mut sums = [0.0; 3];
    for step in 0..=2000_u32 {
        let outcomes: Vec<Outcome> = objects
            .iter_mut()
            .map(|object| {
                if world.random_bool(SACCADE) {
                    *object = (*object + world.random_range(1..OBJECTS)) % OBJECTS;
                    Outcome::Saccade
                } else {
                    Outcome::Fixation
                }
            })
            .collect();
        let rows = objects
            .iter()
            .flat_map(|&object| {
                let which = world.random_range(0..VIEWS);
                view(object, which, &mut world)
            })
            .collect();
        let seen = layer.step(tensor(rows, STREAMS, &device), &outcomes, &optimizer);
        if let Some(update) = seen.update {
            let monitor = update.signals.monitor();
            let numbers = [monitor.loss, monitor.open_gates, 100.0 * monitor.accuracy];
            sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number / 200.0);
        }
        if step.is_multiple_of(200) {
            let [loss, gates, right] = std::mem::take(&mut sums);
            let views = recognised(&layer, &device, &mut world);
            say!("{step:6}  {loss:5.2}  {gates:10.2}  {right:22.0} %  {views:14.1} %");
        }
    }
}
