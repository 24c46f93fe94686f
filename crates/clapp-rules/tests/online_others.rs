//! SoftHebb and LPL online: what adds up to a batch's change, and what one moment cannot know.

mod common;

use burn::tensor::{DType, Device, Tensor};
use clapp_rules::{
    Lateral, Lpl, OnlineHebb, OnlineLpl, Optimizer, Outcome, Plasticity, Purpose, Seen, SoftHebb,
    Synapses, stream,
};
use common::{distance, host, tensor, uniform};

/// Sums of some hundred products of doubles, in two orders.
const ROUNDING: f64 = 1e-12;

fn values(index: u64, rows: usize, columns: usize) -> Tensor<2> {
    tensor(&uniform((rows, columns), &mut stream(4, Purpose::Test, [index, 0, 0, 0])))
}

#[test]
fn changes_of_single_inputs_add_up_to_a_batch_of_soft_hebb() {
    let (inputs, neurons, samples) = (5, 4, 7);
    let mut random = stream(4, Purpose::Test, [9, 0, 0, 0]);
    let mut layer = OnlineHebb::init(inputs, neurons, 0.7, &Device::flex(), &mut random);
    let weight = values(0, neurons, inputs);
    layer.weight = Synapses::new(weight.clone());
    let x = values(1, samples, inputs);
    let one_by_one = (0..samples)
        .map(|sample| layer.observe(x.clone().narrow(0, sample, 1)).1)
        .reduce(|sum, change| sum + change)
        .expect("there are samples");
    // As parallel streams, which are averaged.
    let (u, together) = layer.observe(x.clone());
    assert!(distance(&host(together * samples as f64), &host(one_by_one.clone())) < ROUNDING);
    // As a batch of images of one pixel.
    let target = u.reshape([samples, 1, 1, neurons]);
    let lateral = Lateral::default();
    let rule = SoftHebb { temperatures: vec![0.7] };
    let update =
        rule.changes(Seen { layer: 0, target, context: None, lateral: &lateral, rows: &[] });
    let y = update.target.reshape([samples, neurons]);
    let decay = update.decay.expect("it decays").reshape([neurons, 1]);
    let batch = y.transpose().matmul(x) - weight * decay;
    assert!(distance(&host(batch), &host(one_by_one)) < ROUNDING);
}

#[test]
fn an_input_changes_weights_at_once() {
    let mut random = stream(4, Purpose::Test, [8, 0, 0, 0]);
    let mut layer = OnlineHebb::init(3, 2, 1.0, &Device::flex(), &mut random);
    let x = Tensor::<2>::from_floats([[1.0, 0.0, -1.0]], &Device::flex());
    let (weight, (u, change)) = (layer.weight.weight(), layer.observe(x.clone()));
    let seen = layer.step(x, &Optimizer::Plain { rate: 0.5 });
    assert_eq!(host(seen), host(u));
    assert_eq!(host(layer.weight.weight()), host(weight + change * 0.5));
}

#[test]
fn moments_add_up_to_a_batch_of_lpl_with_the_same_estimates() {
    let (images, d) = (5, 3);
    let views = [values(2, images, d), values(3, images, d)];
    let (mean, variance) = (values(4, 1, d), values(5, 1, d).square() + 0.5);
    let lateral = Lateral::default()
        .with_statistic("mean", mean.clone().reshape([d]))
        .with_statistic("variance", variance.clone().reshape([d]))
        .with_statistic("batches", Tensor::ones([1], (&Device::flex(), DType::F64)));
    let rule = Lpl { pull: 1.5, push: 0.8, decorrelation: 0.0, stale: true, ..Lpl::paper() };
    let target = Tensor::cat(views.to_vec(), 0).reshape([2 * images, 1, 1, d]);
    let update =
        rule.changes(Seen { layer: 0, target, context: None, lateral: &lateral, rows: &[] });
    // The unbiased variance's factor.
    let push = rule.push * images as f64 / (images - 1) as f64;
    let mut told = vec![Vec::new(); 2];
    for image in 0..images {
        let mut online = OnlineLpl::init(Lpl { push, ..rule }, 0.0, d, &Device::flex());
        (online.mean, online.variance) = (mean.clone(), variance.clone());
        let view = |v: usize| views[v].clone().narrow(0, image, 1);
        let first = online.observe(view(0), &[Outcome::Fixation]);
        assert!(first.before.is_none());
        let second = online.observe(view(1), &[Outcome::Fixation]);
        let back = second.before.expect("there was a moment before");
        // One stream at a time; a batch divides by its images.
        told[0].extend(host((first.now + back) / images as f64));
        told[1].extend(host(second.now / images as f64));
        assert_eq!(host(online.mean), host(mean.clone()), "nothing follows by a share of 0");
    }
    assert!(distance(&told.concat(), &host(update.target)) < ROUNDING);
}

#[test]
fn a_saccade_pulls_nothing_and_statistics_follow_what_is_seen() {
    let rule = Lpl { push: 0.0, decorrelation: 0.0, ..Lpl::paper() };
    let mut online = OnlineLpl::init(rule, 0.25, 1, &Device::flex());
    let moment = |z: f32| Tensor::<2>::from_floats([[z]], &Device::flex());
    online.observe(moment(2.0), &[Outcome::Fixation]);
    // From 0 and 1: a quarter of 2, and of 2².
    assert_eq!((host(online.mean.clone()), host(online.variance.clone())), (vec![0.5], vec![1.75]));
    let told = online.observe(moment(5.0), &[Outcome::Saccade]);
    assert!(host(told.now)[0].abs() <= 0.0 && host(told.before.expect("second"))[0].abs() <= 0.0);
    online.reset();
    assert!(online.observe(moment(5.0), &[Outcome::Fixation]).before.is_none());
}

#[test]
#[should_panic(expected = "expected a decorrelation of 0, got 10; covariances need a batch")]
fn covariances_are_refused() {
    let _ = OnlineLpl::init(Lpl::paper(), 0.1, 2, &Device::flex());
}
