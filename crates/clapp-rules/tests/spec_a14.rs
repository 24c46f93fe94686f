//! Golden values of the vision loss: the authors' code in double precision, random draws replaced by
//! fixed ones (specification A14.1).
//!
//! Equivalent python code, after `from models.ContrastiveLoss import ContrastiveLoss`:
//!
//! ```python
//! z = torch.sin(0.37 * torch.arange(2 * 3 * 7 * 7, dtype=torch.float64)).reshape(2, 3, 7, 7)
//! for k in range(5):  # W_k of shape (context, target)
//!     loss.W_k[k].weight.data = torch.cos(0.5 * torch.arange(9.) + k).reshape(3, 3, 1, 1)
//! loss(z, z).backward()  # with sample_negative_samples replaced by the indices below
//! ```

mod common;

use clapp_rules::{
    Draws, Feedback, Lateral, Negatives, Objective, Outcome, Pairs, Rule, Synapses, Timing, Update,
};
use common::{host, norm, tensor};
use ndarray::{Array3, Array4};

/// The stored values carry 16 digits; seven are asked for by the specification.
const RELATIVE: f64 = 1e-7;

const GRID: [usize; 3] = [2, 7, 7];
const STEPS: usize = 5;

fn assert_close(name: &str, found: f64, expected: f64) {
    let d = (found - expected).abs() / expected.abs();
    assert!(d < RELATIVE, "{name}: expected {expected}, got {found}");
}

fn update(rule: &Rule, draws: Draws) -> Update {
    // Flat indices of the authors run over (sample, channel, row, column).
    let z = Array4::from_shape_fn((2, 7, 7, 3), |(b, y, x, j)| {
        (0.37 * (((b * 3 + j) * 7 + y) * 7 + x) as f64).sin()
    });
    // Their W_k is (context, target): W_predᵀ.
    let w_pred = Array3::from_shape_fn((STEPS, 3, 3), |(k, post, pre)| {
        (0.5 * (pre * 3 + post) as f64 + k as f64).cos()
    });
    let lateral = Lateral::default().with("w_pred", Synapses::new(tensor(&w_pred)));
    rule.update(tensor(&z), tensor(&z), &lateral, &[draws])
}

fn rule() -> Rule {
    Rule { negatives: Negatives { count: 1, ..Negatives::default() }, ..Rule::clapp_s() }
}

/// Everyone jumps to the other of the two images: π = [1, 0].
fn swapped(outcomes: Option<Vec<Outcome>>) -> Draws {
    let pairs = |shift: usize| {
        let rows = (7 - shift) * 7;
        let index = (0..2 * rows).map(|row| ((row + rows) % (2 * rows)) as u32).collect();
        Pairs { shift, count: 1, index }
    };
    Draws { pairs: (2..2 + STEPS).map(pairs).collect(), outcomes, window: None }
}

/// Entry i of (row, column, sample, saccade) jumps to vector (7i + 3) mod N of (row, column, sample).
fn everywhere() -> Draws {
    let pairs = |shift: usize| {
        let rows = 7 - shift;
        let mut index = Vec::new();
        for b in 0..2 {
            for position in 0..rows * 7 {
                for n in 0..2 {
                    let flat = (7 * ((position * 2 + b) * 2 + n) + 3) % (rows * 7 * 2);
                    index.push((flat % 2 * rows * 7 + flat / 2) as u32);
                }
            }
        }
        Pairs { shift, count: 2, index }
    };
    Draws { pairs: (2..2 + STEPS).map(pairs).collect(), outcomes: None, window: None }
}

fn delta_of_step(update: &Update, k: usize) -> Vec<f64> {
    // −ΔW_predᵀ is the authors' gradient of W_k.
    host(-update.lateral.delta("w_pred").narrow(0, k - 1, 1).swap_dims(1, 2))
}

fn assert_update(update: &Update, loss: f64, modulation: f64) {
    assert_close("loss", update.monitor().loss, loss);
    assert_close("|dz|", norm(&host(update.modulation())), modulation);
}

#[test]
fn grid_is_the_one_of_the_specification() {
    assert!(rule().validate(GRID[1]).is_ok());
    assert_eq!((1..=STEPS).map(|k| rule().shift(k)).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[test]
fn synchronous_hinge() {
    let update = update(&rule(), swapped(None));
    assert_update(&update, 2.708_819_666_277_272, 0.302_031_143_231_765_6);
    let expected = [
        -0.042_679_107_666_728_66,
        0.049_990_674_684_460_286,
        0.117_874_927_908_722_06,
        -0.124_561_417_018_248_74,
        -0.066_868_442_654_871_25,
        0.023_978_109_721_922_53,
        -0.144_685_795_533_983_84,
        -0.150_573_981_980_786_4,
        -0.081_807_128_468_660_33,
    ];
    for (i, (found, expected)) in delta_of_step(&update, 1).iter().zip(expected).enumerate() {
        assert_close(&format!("dL/dM_1[{i}]"), *found, expected);
    }
    assert_close("|dM_5|", norm(&delta_of_step(&update, 5)), 0.365_106_866_446_013_6);
}

#[test]
fn time_local_hinge() {
    let rule = Rule { timing: Timing::TimeLocal, ..rule() };
    let outcomes = vec![Outcome::Fixation, Outcome::Saccade];
    let update = update(&rule, swapped(Some(outcomes)));
    assert_update(&update, 2.660_699_976_477_94, 0.358_764_507_326_606_4);
    assert_close("|dM_1|", norm(&delta_of_step(&update, 1)), 0.321_846_897_651_775_65);
}

#[test]
fn time_local_hinge_without_a_saccade() {
    let rule = Rule { timing: Timing::TimeLocal, ..rule() };
    let update = update(&rule, swapped(Some(vec![Outcome::Fixation; 2])));
    assert_close("loss", update.monitor().loss, 1.401_020_383_244_779_6);
}

#[test]
fn blocked_context() {
    let rule = Rule { feedback: Feedback::Blocked, ..rule() };
    let update = update(&rule, swapped(None));
    assert_update(&update, 2.708_819_666_277_272, 0.205_047_607_915_989_9);
    assert_close("|dM_1|", norm(&delta_of_step(&update, 1)), 0.298_455_804_335_885_64);
}

#[test]
fn saccades_everywhere() {
    let hinge = update(&rule(), everywhere());
    assert_update(&hinge, 2.703_511_164_589_728_3, 0.346_189_824_877_522_7);
    let objective = Objective::InfoNce { epsilon: 1e-11 };
    let multiclass = update(&Rule { objective, ..rule() }, everywhere());
    assert_update(&multiclass, 2.091_894_978_696_700_5, 0.457_817_712_261_180_73);
}
