//! What the read-outs promise, on data made for it.

use std::borrow::Cow;

use clapp_eval::probe::{self, Strength};
use clapp_eval::{Features, Knn, LinearProbe, Probe, StandardisedProbe};
use clapp_random::{Purpose, stream};
use ndarray::{Array2, array};
use rand::RngExt;

/// Three classes around corners of a cube, `noise` apart, in `dim` features; labels 0, 1, 2, 0, …
fn clusters(samples: usize, dim: usize, noise: f32, index: u64) -> Features {
    let mut rng = stream(1, Purpose::Test, [index, 0, 0, 0]);
    let values = Array2::from_shape_fn((samples, dim), |(i, j)| {
        let centre = if i % 3 == j % 3 { 1.0 } else { 0.0 };
        centre + noise * rng.random_range(-1.0..1.0_f32)
    });
    Features::new(values, (0..samples).map(|i| (i % 3) as u32).collect()).expect("finite")
}

fn probes() -> [Box<dyn Probe>; 5] {
    // All samples are one utterance, hence one step an epoch.
    let (epochs, learning_rate) = (300, 1e-2);
    [
        Box::new(StandardisedProbe::default()),
        Box::new(LinearProbe { epochs: 60, ..LinearProbe::paper() }),
        Box::new(LinearProbe { epochs, learning_rate, ..LinearProbe::phones() }),
        Box::new(LinearProbe { epochs: 120, ..LinearProbe::speakers() }),
        Box::new(Knn::default()),
    ]
}

#[test]
fn separable_data_are_read_out_without_error() {
    let (train, test) = (clusters(300, 12, 0.4, 0), clusters(200, 12, 0.4, 1));
    for probe in probes() {
        let accuracy = probe::accuracy(probe.as_ref(), &train, &test, 1).unwrap();
        assert!(accuracy > 99.999, "{probe:?}: {accuracy}");
    }
}

#[test]
fn shuffled_labels_are_read_out_at_chance() {
    // 33.3 % of 900 test samples: two standard deviations are 3.1 points.
    let mut rng = stream(2, Purpose::Test, [0; 4]);
    let mut shuffled = |features: Features| {
        let labels = (0..features.len()).map(|_| rng.random_range(0..3_u32)).collect();
        Features::new(features.values().to_owned(), labels).unwrap()
    };
    let train = shuffled(clusters(600, 12, 1.0, 2));
    let test = shuffled(clusters(900, 12, 1.0, 3));
    for probe in probes() {
        let accuracy = probe::accuracy(probe.as_ref(), &train, &test, 1).unwrap();
        assert!((accuracy - 33.3).abs() < 4.5, "{probe:?}: {accuracy}");
    }
}

#[test]
fn scores_do_not_depend_on_the_number_of_threads() {
    let (train, test) = (clusters(700, 300, 9.0, 4), clusters(600, 300, 9.0, 5));
    for probe in probes() {
        let scores = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| probe.fit(&train, 1).unwrap().scores(test.values()))
        };
        let bits = |scores: Array2<f64>| scores.mapv(f64::to_bits);
        assert_eq!(bits(scores(1)), bits(scores(2)), "{probe:?}");
    }
}

#[test]
fn standardised_read_out_ignores_scale_and_offset_of_features() {
    let (train, test) = (clusters(300, 12, 2.0, 6), clusters(300, 12, 2.0, 7));
    let moved = |part: &Features| {
        let values = Array2::from_shape_fn(part.values().dim(), |(i, j)| {
            part.values()[[i, j]] * 2.0_f32.powi(j as i32 - 6)
        });
        Features::new(values, part.labels().to_vec()).unwrap()
    };
    let accuracy = |train, test| {
        probe::accuracy(&StandardisedProbe::default(), train, test, 1).unwrap().to_bits()
    };
    assert_eq!(accuracy(&train, &test), accuracy(&moved(&train), &moved(&test)));
}

#[test]
fn a_stronger_penalty_gives_smaller_weights() {
    let train = clusters(100, 12, 2.0, 8);
    let size = |strength| {
        let probe = StandardisedProbe { strength: Strength::Fixed(strength), ..Default::default() };
        let solution = probe.solve(&train, 1).unwrap();
        assert!(solution.converged);
        solution.readout.weight().mapv(|w| w * w).sum()
    };
    assert!(size(0.1) > size(1.0) && size(1.0) > size(10.0));
}

#[test]
fn selection_is_repeatable_and_stays_within_the_grid() {
    // 60 samples in 200 features of noise beside 3 that matter a little.
    let train = clusters(60, 200, 9.0, 9);
    let grid = vec![1e-3, 1e3];
    let probe = StandardisedProbe {
        strength: Strength::Selected { grid, folds: 5 },
        ..StandardisedProbe::default()
    };
    let lambda = |seed| probe.solve(&train, seed).unwrap().lambda;
    assert_eq!(lambda(1).to_bits(), lambda(1).to_bits());
    assert!([1e-3 / 60.0, 1e3 / 60.0].contains(&lambda(1)));
}

#[test]
fn a_solver_that_gives_up_is_an_error() {
    let probe = StandardisedProbe { max_iterations: 1, tolerance: 1e-9, ..Default::default() };
    let error = probe.fit(&clusters(60, 12, 2.0, 10), 1).unwrap_err();
    assert!(error.to_string().contains("in 1 iterations"), "{error}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let train = clusters(6, 3, 1.0, 11);
    let bad: [Box<dyn Probe>; 4] = [
        Box::new(LinearProbe { epochs: 0, ..LinearProbe::paper() }),
        Box::new(LinearProbe { learning_rate: f32::NAN, ..LinearProbe::paper() }),
        Box::new(StandardisedProbe { strength: Strength::Fixed(0.0), ..Default::default() }),
        Box::new(Knn { k: 0, ..Knn::default() }),
    ];
    for probe in bad {
        assert!(
            matches!(probe.fit(&train, 1), Err(clapp_eval::Error::Setting { .. })),
            "{probe:?}"
        );
    }
}

#[test]
fn paper_read_out_sees_the_features_of_every_epoch() {
    let (first, second) = (clusters(40, 6, 0.5, 12), clusters(40, 6, 0.5, 13));
    let mut seen = Vec::new();
    let probe = LinearProbe { epochs: 4, ..LinearProbe::paper() };
    let trained = probe.train(1, |epoch| {
        seen.push(epoch);
        Cow::Borrowed(if epoch % 2 == 0 { &first } else { &second })
    });
    assert_eq!(trained.unwrap().epochs.len(), 4);
    assert_eq!(seen, [0, 1, 2, 3]);
    let other = clusters(40, 5, 0.5, 14);
    let mixed = probe.train(1, |epoch| Cow::Borrowed(if epoch == 0 { &first } else { &other }));
    assert!(mixed.is_err());
}

#[test]
fn first_paper_steps_follow_adam_by_hand() {
    // One sample x = 1 of class 0 of 2: the gradient of both parameters of class 0 is p₀ − 1 < 0 and
    // of class 1 is p₁ > 0, so Adam's first step moves each by the learning rate, up or down.
    let train = Features::new(array![[1.0]], vec![0]).unwrap().with_classes(2).unwrap();
    let after = |epochs| {
        let probe = LinearProbe { epochs, learning_rate: 1e-3, ..LinearProbe::paper() };
        probe.train(1, |_| Cow::Borrowed(&train)).unwrap().readout
    };
    let (one, two) = (after(1), after(2));
    let moved = &two.weight() - &one.weight();
    // The second step has almost the gradient of the first, hence almost the same length.
    assert!((moved[[0, 0]] - 1e-3).abs() < 1e-5 && (moved[[1, 0]] + 1e-3).abs() < 1e-5, "{moved}");
}

/// Rounding of f32 sums in another order, as on a machine without fused multiply-add.
const ROUNDING: f64 = 1e-4;

#[test]
fn paper_read_out_is_frozen() {
    // A change here is value-breaking: list it in the changelog.
    let train = clusters(70, 4, 1.0, 15);
    let probe = LinearProbe { epochs: 10, ..LinearProbe::paper() };
    let trained = probe.train(2, |_| Cow::Borrowed(&train)).unwrap();
    let found = [
        trained.readout.weight()[[0, 0]],
        trained.readout.weight()[[2, 3]],
        trained.readout.bias()[1],
        trained.epochs[0].loss,
        trained.epochs[9].loss,
    ];
    for (found_value, frozen) in found.into_iter().zip(FROZEN) {
        assert!((found_value - frozen).abs() < ROUNDING, "{found:?}");
    }
}

const FROZEN: [f64; 5] = [0.511_038, 0.139_227, 0.152_314, 1.143_185, 1.100_147];
