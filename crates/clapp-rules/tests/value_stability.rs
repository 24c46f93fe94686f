//! A fixed seed gives these numbers, today and later.
//!
//! A change here changes every trained network. It is allowed, but it is *value-breaking*: list it
//! in the changelog under that name, with the size of the change.

mod common;

use burn::tensor::Device;
use clapp_random::{Purpose, Stream, stream};
use clapp_rules::{
    AllPairs, ContrastSampler, Feedback, GridShape, Lateral, Negatives, Outcome, Rule, Scope,
    SelfHits, Synapses, WayBack, flip_outcomes, online::OnlineLayer,
};
use common::{Layer, distance, host, tensor};

const BREAKING: &str =
    "frozen numbers changed: this is value-breaking; list it in CHANGELOG.md and freeze anew";

/// Vector units of another width add up in another order.
const SUMS: f64 = 1e-13;

const SHAPE: GridShape = GridShape { batch: 4, time: 4, site: 2 };

fn random(purpose: Purpose) -> Stream {
    stream(2, purpose, [1, 2, 3, 0])
}

fn first_targets(scope: Scope, self_hits: SelfHits, pool: Option<usize>) -> Vec<u32> {
    let sampler = Negatives { count: 2, scope, self_hits, pool };
    sampler.pairs(SHAPE, 2, &mut random(Purpose::Negatives)).index[..12].to_vec()
}

#[test]
fn saccades_everywhere_are_frozen() {
    let targets = first_targets(Scope::Everywhere, SelfHits::Allowed, None);
    assert_eq!(targets, EVERYWHERE, "{BREAKING}");
    let targets = first_targets(Scope::Everywhere, SelfHits::Excluded, Some(2));
    assert_eq!(targets, EVERYWHERE_ELSE, "{BREAKING}");
}

#[test]
fn saccades_to_the_same_position_are_frozen() {
    let targets = first_targets(Scope::SamePosition, SelfHits::Allowed, None);
    assert_eq!(targets, SAME_POSITION, "{BREAKING}");
    let targets = first_targets(Scope::SamePositionShared, SelfHits::Excluded, None);
    assert_eq!(targets, SHARED, "{BREAKING}");
}

#[test]
fn coins_are_frozen() {
    let flips = flip_outcomes(16, &mut random(Purpose::Saccade));
    let saccades: String =
        flips.iter().map(|outcome| if *outcome == Outcome::Saccade { 's' } else { 'f' }).collect();
    assert_eq!(saccades, COINS, "{BREAKING}");
}

#[test]
fn initial_weights_are_frozen() {
    let device = Device::flex();
    let mut random = random(Purpose::Initialisation);
    let predictors = Lateral::uniform(1, 4, 2, WayBack::OwnWeights, &device, &mut random);
    let bits = |values: Vec<f32>| values[..4].iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let read = |weight: burn::tensor::Tensor<3>| {
        weight.into_data().try_to_vec::<f32>().expect("weights start as f32")
    };
    assert_eq!(bits(read(predictors.weight("w_pred"))), W_PRED, "{BREAKING}");
    assert_eq!(bits(read(predictors.weight("w_retro"))), W_RETRO, "{BREAKING}");
    let layer = OnlineLayer::init(4, 2, Feedback::Symmetric, &device, &mut random);
    let weight = layer.weight.weight().into_data().try_to_vec::<f32>().expect("f32");
    assert_eq!(bits(weight), ONLINE, "{BREAKING}");
}

#[test]
fn draws_and_update_of_one_clapp_step_are_frozen() {
    let rule = Rule { prediction_steps: 2, ..Rule::clapp() };
    let mut random = random(Purpose::Test);
    let layer = Layer::random([4, 4, 2], [2, 2], 2, &mut random);
    let draws = rule.draw(SHAPE, &mut random);
    let update = layer.update(&rule, &draws);
    assert!(distance(&host(update.lateral.delta("w_pred")), &DELTA_W_PRED) < SUMS, "{BREAKING}");
    let modulation = host(update.modulation());
    assert!(distance(&modulation[..4], &MODULATION) < SUMS, "{BREAKING}");
    assert!((update.monitor().loss - LOSS).abs() < SUMS, "{BREAKING}");
}

#[test]
fn kaiming_weights_and_an_update_by_all_pairs_are_frozen() {
    let rule = AllPairs { prediction_steps: 2, ..AllPairs::clapp() };
    let mut random = random(Purpose::Initialisation);
    let lateral = rule.weights(2, 2, &Device::flex(), &mut random);
    let weights = lateral.weight("w_pred").into_data().try_to_vec::<f32>().expect("f32");
    let bits: Vec<u32> = weights[..4].iter().map(|w| w.to_bits()).collect();
    assert_eq!(bits, KAIMING, "{BREAKING}");
    let layer = Layer::random([4, 4, 2], [2, 2], 2, &mut random);
    let draws = rule.draw(SHAPE, &mut random);
    let synapses = |weights| Synapses::new(tensor(weights));
    let lateral = Lateral::default()
        .with("w_pred", synapses(&layer.w_pred))
        .with("w_retro", synapses(&layer.w_retro));
    let update = rule.update(tensor(&layer.z), tensor(&layer.z), &lateral, &draws);
    let delta = host(update.lateral.delta("w_pred"));
    assert!(distance(&delta[..4], &ALL_PAIRS) < SUMS, "{BREAKING}");
    assert!((update.monitor().loss - ALL_PAIRS_LOSS).abs() < SUMS, "{BREAKING}");
}

const EVERYWHERE: [u32; 12] = [5, 0, 0, 3, 1, 8, 6, 1, 13, 2, 1, 2];
const EVERYWHERE_ELSE: [u32; 12] = [3, 1, 0, 2, 0, 4, 4, 0, 6, 1, 0, 0];
const SAME_POSITION: [u32; 12] = [4, 0, 1, 1, 2, 10, 7, 3, 12, 0, 1, 1];
const SHARED: [u32; 12] = [8, 9, 10, 11, 0, 1, 2, 3, 0, 1, 2, 3];
const COINS: &str = "ffssfffssfffffsf";
const W_PRED: [u32; 4] = [3_196_277_995, 3_183_975_480, 1_052_349_151, 1_049_933_737];
const W_RETRO: [u32; 4] = [1_050_029_179, 3_172_743_165, 1_029_117_665, 3_201_764_259];
const ONLINE: [u32; 4] = [3_191_703_875, 1_046_284_259, 1_049_126_046, 3_201_350_642];
const DELTA_W_PRED: [f64; 8] = [
    0.022425863127209584,
    -0.032711943997628806,
    0.005229696819513708,
    0.03205615819146732,
    -0.03786527469161401,
    0.0025426264810603657,
    -0.03239865005787576,
    -0.017564596825126132,
];
/// Modulation of the first neurons of the first sample.
const MODULATION: [f64; 4] =
    [-0.07297929997495936, 0.1541663374102119, 0.003264357141553386, 0.14223828071851632];
const LOSS: f64 = 2.6419476938232793;
/// The first four of a normal draw, and of ΔW_pred by all pairs.
const KAIMING: [u32; 4] = [3_210_284_139, 3_201_632_354, 1_069_944_167, 1_061_183_742];
const ALL_PAIRS: [f64; 4] =
    [0.03097357378819233, -0.02155779487242226, 0.035524226860597356, -0.008718707628354304];
const ALL_PAIRS_LOSS: f64 = 2.082285723811302;
