//! Places of a block that predict each other: pairs are those of one block, changes are slopes of the loss.

mod common;

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_rules::{
    Extent, Feedback, Lateral, Objective, Plasticity, Purpose, RuleError, Saccades, Seen, Siblings,
    Synapses, Timing, stream,
};
use common::{host, uniform};

/// Two images of 5 × 5 places, whose last row and column are in no block, of three channels.
const SHAPE: [usize; 4] = [2, 1, 25, 3];
const SIDE: u32 = 5;
/// Differences of a piecewise linear loss leave rounding alone.
const STEP: f64 = 1e-6;
const ROUNDING: f64 = 1e-8;

fn tensor<const D: usize>(shape: [usize; D], values: &[f64]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (&Device::flex(), DType::F64))
}

fn values(count: usize, index: u64) -> Vec<f64> {
    uniform([count], &mut stream(3, Purpose::Test, [index, 0, 0, 0])).to_vec()
}

/// Image, block and corner of a place.
fn place(row: u32) -> (u32, [u32; 2], [u32; 2]) {
    let (image, y, x) = (row / 25, row % 25 / SIDE, row % SIDE);
    (image, [y / 2, x / 2], [y % 2, x % 2])
}

#[test]
fn contexts_predict_the_other_corners_of_their_block_and_saccades_keep_the_corner() {
    let rule = Siblings::clapp_s();
    let rows = rule.pairs([2, 1, 25].into(), &mut stream(2, Purpose::Test, [0; 4]));
    let [rows] = &rows[..] else { panic!("one set") };
    assert_eq!(rows.blocks, [8; 6]);
    let Saccades::Drawn { count, rows: jumps } = &rows.saccades else { panic!("drawn") };
    assert_eq!((*count, jumps.len()), (4, 4 * 48));
    let mut corners = std::collections::HashSet::new();
    for (row, (&context, &fixation)) in rows.contexts.iter().zip(&rows.fixations).enumerate() {
        let (from, to) = (place(context), place(fixation));
        assert_eq!((from.0, from.1), (to.0, to.1), "row {row} stays in its block");
        assert!(from.1.iter().all(|&block| block < 2), "row {row} is in a whole block");
        assert_ne!(from.2, to.2);
        corners.insert((row / 8, from.2, to.2));
        for &jump in &jumps[4 * row..4 * (row + 1)] {
            assert_eq!(place(jump).2, to.2, "a saccade of row {row} changes its corner");
        }
    }
    assert_eq!(corners.len(), 6, "every pair of corners has its own weights");
}

#[test]
fn every_change_is_the_negative_slope_of_the_loss() {
    let rule = Siblings { saccades: 2, ..Siblings::clapp_s() };
    let rows = rule.pairs([2, 1, 25].into(), &mut stream(2, Purpose::Test, [1; 4]));
    let (z, w) = (values(150, 1), values(54, 2));
    let update = |z: &[f64], w: &[f64]| {
        let lateral = Lateral::default().with("w_pred", Synapses::new(tensor([6, 3, 3], w)));
        let target = tensor(SHAPE, z);
        rule.changes(Seen { layer: 0, target, context: None, lateral: &lateral, rows: &rows })
    };
    let whole = update(&z, &w);
    let changes = [host(whole.modulation()), host(whole.lateral.delta("w_pred"))];
    for (part, changes) in changes.into_iter().enumerate() {
        assert!(changes.iter().any(|change| change.abs() > 0.01));
        for (at, change) in changes.into_iter().enumerate() {
            let loss = |step: f64| {
                let mut both = [z.clone(), w.clone()];
                both[part][at] += step;
                update(&both[0], &both[1]).monitor().loss
            };
            let slope = (loss(STEP) - loss(-STEP)) / (2.0 * STEP);
            assert!((change + slope).abs() < ROUNDING, "{part} {at}: {change} and {slope}");
        }
    }
}

#[test]
fn a_map_without_a_block_teaches_nothing() {
    let (rule, mut random) = (Siblings::clapp_s(), stream(2, Purpose::Test, [2; 4]));
    let extent = Extent { site: 1, channel: 3 };
    let lateral = rule.lateral(extent, extent, &Device::flex(), &mut random);
    assert!(!lateral.has("w_pred"));
    let rows = rule.pairs([2, 1, 1].into(), &mut random);
    assert!(rows.is_empty());
    let target = tensor([2, 1, 1, 3], &values(6, 3));
    let update =
        rule.changes(Seen { layer: 0, target, context: None, lateral: &lateral, rows: &rows });
    assert!(host(update.target).iter().all(|m| m.abs() <= 0.0));
    assert!(update.metrics.names.is_empty());
}

#[test]
fn draws_are_frozen() {
    // A change here changes every trained number: list it in the changelog as value-breaking.
    let rows = Siblings::clapp_s().pairs([2, 1, 25].into(), &mut stream(2, Purpose::Test, [4; 4]));
    let Saccades::Drawn { rows: jumps, .. } = &rows[0].saccades else { panic!("drawn") };
    assert_eq!(jumps[..8], [1, 38, 36, 13, 38, 1, 26, 38]);
}

#[test]
fn what_cannot_be_is_refused() {
    let rule = Siblings::clapp_s();
    assert_eq!(rule.check(1), Ok(()));
    assert_eq!(rule.check(2), Err(RuleError::NotWhole { time: 2 }));
    assert_eq!(Siblings { saccades: 0, ..rule }.check(1), Err(RuleError::NoNegatives));
    let objective = Objective::InfoNce { epsilon: 1e-5 };
    let apart = Siblings { objective, timing: Timing::TimeLocal, ..rule };
    assert_eq!(apart.check(1), Err(RuleError::NotSeparable));
    let both = Siblings { feedback: Feedback::PredRetro, ..rule };
    let mut random = stream(2, Purpose::Test, [3; 4]);
    assert_eq!(both.pairs([2, 1, 4].into(), &mut random).len(), 2, "W_retro has its own draws");
}
