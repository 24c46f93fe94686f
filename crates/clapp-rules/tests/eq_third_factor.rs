//! γ = −∂L/∂u: the one number that is broadcast to a layer.

mod common;

use clapp_rules::equations::third_factor;
use clapp_rules::{
    Contrast, Hinge, InfoNce, Outcome, ThirdFactor,
    smooth::{Linear, SoftHinge, Softplus},
};
use common::{distance, host, literal};

/// Step of the central differences: the root of the precision of a double, rounded.
const STEP: f64 = 1e-6;
/// Differences of losses near 1 carry 1e-16 / STEP of rounding and STEP² of curvature.
const DIFFERENCES: f64 = 1e-8;
/// What ε = 1e-11 adds to the loss of 17 equal scores: 17e-11.
const EPSILON_IN_THE_LOGARITHM: f64 = 1e-9;
/// A handful of operations on doubles.
const ROUNDING: f64 = 1e-14;

/// Loss of one context whose fixation scores `u[0]` and whose saccades score the rest.
fn loss(contrast: &dyn Contrast, u: &[f64]) -> f64 {
    let third = evaluate(contrast, u);
    host(third.fixation_loss)[0] + host(third.saccade_loss)[0]
}

fn evaluate(contrast: &dyn Contrast, u: &[f64]) -> ThirdFactor {
    contrast.third_factor(literal([1, 1], &u[..1]), literal([1, u.len() - 1], &u[1..]))
}

fn gammas(contrast: &dyn Contrast, u: &[f64]) -> Vec<f64> {
    let third = evaluate(contrast, u);
    [host(third.fixation), host(third.saccade)].concat()
}

fn assert_gamma_is_the_negative_slope(contrast: &dyn Contrast, u: &[f64]) {
    let slope = |i: usize| {
        let moved = |by: f64| {
            let mut moved = u.to_vec();
            moved[i] += by;
            loss(contrast, &moved)
        };
        -(moved(STEP) - moved(-STEP)) / (2.0 * STEP)
    };
    let slopes: Vec<f64> = (0..u.len()).map(slope).collect();
    let gammas = gammas(contrast, u);
    for (gamma, slope) in gammas.iter().zip(&slopes) {
        assert!((gamma - slope).abs() < DIFFERENCES, "{contrast:?} {u:?}: {gammas:?} {slopes:?}");
    }
}

/// One fixation and three saccades on both sides of both margins, never at them.
const SCORES: [[f64; 4]; 5] = [
    [0.0, 0.0, 0.0, 0.0],
    [0.9, -0.9, 0.3, 2.0],
    [1.1, -1.1, -0.3, -5.0],
    [-3.0, 1.0, 4.0, -0.5],
    [12.0, 9.0, -7.0, 1.5],
];

#[test]
fn hinge_gamma_is_the_negative_slope_of_the_loss() {
    for u in SCORES {
        assert_gamma_is_the_negative_slope(&Hinge, &u);
    }
}

#[test]
fn info_nce_gamma_is_the_negative_slope_of_the_loss() {
    // 0.1 makes the damping π₀ / (π₀ + ε) visible, which 1e-11 hides.
    for epsilon in [0.0, 1e-11, 0.1] {
        for u in SCORES {
            assert_gamma_is_the_negative_slope(&InfoNce { epsilon }, &u);
        }
    }
}

#[test]
fn gammas_without_a_corner_are_the_negative_slopes_of_their_losses() {
    let contrasts: [&dyn Contrast; 4] =
        [&SoftHinge, &Linear, &Softplus { theta: 1.0 }, &Softplus { theta: 0.3 }];
    for contrast in contrasts {
        for u in SCORES {
            assert_gamma_is_the_negative_slope(contrast, &u);
        }
    }
}

#[test]
fn losses_without_a_corner_survive_hopeless_scores() {
    // exp 2000 is no number; ln(1 + exp x) is x there.
    for (contrast, expected) in
        [(&SoftHinge as &dyn Contrast, 2002.0), (&Softplus { theta: 1.0 }, 2000.0)]
    {
        let loss = loss(contrast, &[-1000.0, 1000.0]);
        assert!((loss - expected).abs() < ROUNDING * expected, "{contrast:?} {loss}");
        assert!(
            gammas(contrast, &[-1000.0, 1000.0]).iter().all(|g| (g.abs() - 1.0).abs() < ROUNDING)
        );
    }
}

#[test]
fn gamma_is_zero_at_the_margin_itself() {
    let (at, inside) = (1.0, 1.0 - f64::EPSILON);
    let u = literal([1, 2], &[at, inside]);
    assert_eq!(host(third_factor(u.clone(), Outcome::Fixation)), [0.0, 1.0]);
    assert_eq!(host(third_factor(-u, Outcome::Saccade)), [0.0, -1.0]);
}

#[test]
fn gamma_is_minus_one_zero_or_one() {
    let u: Vec<f64> = (-200..=200).map(|i| 0.05 * f64::from(i)).collect();
    for outcome in [Outcome::Fixation, Outcome::Saccade] {
        let gammas = host(third_factor(literal([1, u.len()], &u), outcome));
        for (u, gamma) in u.iter().zip(gammas) {
            let open = outcome.sign() * u < 1.0;
            let expected = if open { outcome.sign() } else { 0.0 };
            assert!((gamma - expected).abs() < f64::EPSILON, "{outcome:?} {u}: {gamma}");
        }
    }
}

#[test]
fn flipping_y_flips_gamma_where_both_gates_are_open() {
    let u = literal([1, 5], &[-0.99, -0.5, 0.0, 0.5, 0.99]);
    let fixation = host(third_factor(u.clone(), Outcome::Fixation));
    let saccade = host(-third_factor(u, Outcome::Saccade));
    assert_eq!(fixation, saccade);
}

#[test]
fn hinge_shares_the_third_factor_of_a_context_among_its_saccades() {
    assert_eq!(gammas(&Hinge, &[2.0, 0.0, -2.0, 0.5, 3.0]), [0.0, -0.25, 0.0, -0.25, -0.25]);
}

#[test]
fn info_nce_gammas_compete() {
    // π = (1, e, 1/e) / (1 + e + 1/e); the fixation gains what the saccades lose.
    let gammas = gammas(&InfoNce { epsilon: 0.0 }, &[0.0, 1.0, -1.0]);
    let sum = 1.0 + 1f64.exp() + (-1f64).exp();
    let expected = [1.0 - 1.0 / sum, -1f64.exp() / sum, -(-1f64).exp() / sum];
    assert!(distance(&gammas, &expected) < ROUNDING);
    assert!(gammas.iter().sum::<f64>().abs() < ROUNDING);
}

#[test]
fn info_nce_of_zero_scores_is_the_logarithm_of_the_choices() {
    // Spec A14.6: ln 17 for images, ln 11 for sound.
    for (negatives, epsilon) in [(16, 1e-11), (10, 0.0)] {
        let loss = loss(&InfoNce { epsilon }, &vec![0.0; negatives + 1]);
        assert!((loss - (negatives as f64 + 1.0).ln()).abs() < EPSILON_IN_THE_LOGARITHM, "{loss}");
    }
}

#[test]
fn info_nce_without_epsilon_survives_a_hopeless_fixation() {
    // π₀ = exp(−2000) is 0 even in double precision; loss and γ of log-softmax are 2000 and 1.
    let contrast = InfoNce { epsilon: 0.0 };
    assert_eq!(gammas(&contrast, &[-1000.0, 1000.0]), [1.0, -1.0]);
    assert!((loss(&contrast, &[-1000.0, 1000.0]) - 2000.0).abs() < DIFFERENCES);
}

#[test]
fn info_nce_with_epsilon_gives_up_on_a_hopeless_fixation() {
    // As the authors' code: −ln(0 + 1e-11), and no gradient.
    let contrast = InfoNce::default();
    assert_eq!(gammas(&contrast, &[-1000.0, 1000.0]), [0.0, 0.0]);
    assert!((loss(&contrast, &[-1000.0, 1000.0]) + 1e-11f64.ln()).abs() < DIFFERENCES);
}
