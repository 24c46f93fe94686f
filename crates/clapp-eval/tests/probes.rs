//! What the read-outs promise, on data made for it.

use std::borrow::Cow;

use clapp_eval::probe::{self, Batches, Input, Strength, TestClips};
use clapp_eval::{
    Error, Features, Knn, LinearProbe, Probe, Protocol, Readout, StandardisedProbe, metrics,
};
use clapp_random::{Purpose, stream};
use ndarray::{Array2, array};
use rand::RngExt;

/// Three classes around corners of a cube, `noise` apart, in `dim` features; labels 0, 1, 2, 0, …
fn clusters(samples: usize, dim: usize, noise: f32, index: u64) -> Features {
    scaled_clusters([samples, dim], noise, [index, 0, 0, 0], |_| 1.0)
}

/// The same, in features whose scales differ a thousandfold.
fn unlike_clusters(samples: usize, dim: usize, noise: f32, index: u64) -> Features {
    let scale = |feature: usize| 10.0_f32.powi(feature as i32 % 4);
    scaled_clusters([samples, dim], noise, [index, 7, 0, 0], scale)
}

fn scaled_clusters(
    [samples, dim]: [usize; 2],
    noise: f32,
    address: [u64; 4],
    scale: impl Fn(usize) -> f32,
) -> Features {
    let mut rng = stream(1, Purpose::Test, address);
    let values = Array2::from_shape_fn((samples, dim), |(i, j)| {
        let centre = if i % 3 == j % 3 { 1.0 } else { 0.0 };
        scale(j) * (centre + noise * rng.random_range(-1.0..1.0_f32))
    });
    Features::new(values, (0..samples).map(|i| (i % 3) as u32).collect()).expect("finite")
}

/// The classifier of a block, in a hurry.
fn block() -> LinearProbe {
    LinearProbe { epochs: 30, learning_rate: 1e-2, schedule: vec![], ..LinearProbe::block() }
}

fn probes() -> [Box<dyn Probe>; 6] {
    // All samples are one utterance, hence one step an epoch.
    let (epochs, learning_rate) = (300, 1e-2);
    [
        Box::new(StandardisedProbe::default()),
        Box::new(LinearProbe { epochs: 60, ..LinearProbe::paper() }),
        Box::new(LinearProbe { epochs, learning_rate, ..LinearProbe::phones() }),
        Box::new(LinearProbe { epochs: 120, ..LinearProbe::speakers() }),
        Box::new(block()),
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
    // A block's activities have scales of their own, which its classifier levels.
    let (train, test) = (unlike_clusters(120, 12, 0.3, 0), unlike_clusters(200, 12, 0.3, 1));
    let accuracy = probe::accuracy(&block(), &train, &test, 1).unwrap();
    assert!(accuracy > 99.0, "{accuracy}");
    assert_eq!(block().protocol(), Protocol::Block);
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
fn neither_threads_nor_repetition_change_a_bit_of_a_block() {
    // More features than one task takes, and not a multiple of it.
    let train = unlike_clusters(32, 2_500, 5.0, 4);
    let probe = LinearProbe { epochs: 3, ..block() };
    let scores = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let readout = pool.install(|| probe.fit(&train, seed).unwrap());
        readout.scores(train.values()).mapv(f64::to_bits)
    };
    assert_eq!(scores(1, 1), scores(3, 1));
    assert_ne!(scores(1, 1), scores(1, 2));
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
    let linear = |probe: LinearProbe| -> Box<dyn Probe> { Box::new(probe) };
    for (probe, name) in [
        (linear(LinearProbe { epochs: 0, ..LinearProbe::paper() }), "epochs"),
        (linear(LinearProbe { learning_rate: f32::NAN, ..LinearProbe::paper() }), "learning rate"),
        (linear(LinearProbe { epochs: 0, ..block() }), "epochs"),
        (linear(LinearProbe { batches: Batches::Whole(1), ..block() }), "batch"),
        (linear(LinearProbe { batches: Batches::Whole(7), ..block() }), "batch"),
        (linear(LinearProbe { input: Input::BatchNorm { dropout: 1.0 }, ..block() }), "dropout"),
        (linear(LinearProbe { learning_rate: 0.0, ..block() }), "learning rate"),
        (linear(LinearProbe { weight_decay: -1.0, ..block() }), "weight decay"),
        (linear(LinearProbe { schedule: vec![(1, f32::NAN)], ..block() }), "schedule"),
        (
            Box::new(StandardisedProbe { strength: Strength::Fixed(0.0), ..Default::default() }),
            "penalty strength",
        ),
        (Box::new(Knn { k: 0, ..Knn::default() }), "k"),
    ] {
        match probe.fit(&train, 1) {
            Err(Error::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn epochs_may_bring_new_features_and_must_agree() {
    let part = |index| clusters(40, 6, 0.5, index);
    let (first, second, other) = (part(12), part(13), clusters(40, 5, 0.5, 14));
    for probe in [LinearProbe::paper(), block()] {
        let probe = LinearProbe { epochs: 4, ..probe };
        let mut seen = Vec::new();
        let trained = probe.train(1, |epoch| {
            seen.push(epoch);
            Cow::Borrowed(if epoch % 2 == 0 { &first } else { &second })
        });
        let epochs = trained.unwrap().epochs;
        assert_eq!((epochs.len(), seen), (4, vec![0, 1, 2, 3]));
        let mixed = probe.train(1, |epoch| Cow::Borrowed(if epoch == 0 { &first } else { &other }));
        assert!(matches!(mixed, Err(Error::Disagreement { expected: 6, got: 5, .. })));
    }
}

#[test]
fn a_probe_trained_by_hand_equals_fit() {
    let train = unlike_clusters(16, 9, 0.5, 8);
    // One batch an epoch: its order does not matter to the mean but to nothing else either.
    let probe = LinearProbe {
        epochs: 5,
        batches: Batches::Whole(16),
        input: Input::BatchNorm { dropout: 0.0 },
        ..block()
    };
    let mut classifier = probe.begin(9, 3, 4).unwrap();
    for epoch in 0..5 {
        classifier.step(train.values(), train.labels(), epoch);
    }
    let by_hand = classifier.readout().scores(train.values());
    let fitted = probe.fit(&train, 4).unwrap().scores(train.values());
    for (a, b) in by_hand.iter().zip(&fitted) {
        // Sums over the batch in another order, single precision.
        assert!((a - b).abs() < 1e-3 * (1.0 + a.abs()), "{a} {b}");
    }
}

#[test]
fn a_longer_schedule_changes_less() {
    let train = unlike_clusters(64, 9, 2.0, 9);
    let slow = LinearProbe { schedule: vec![(1, 1.0), (2, 1e-6)], ..block() };
    let distance = |probe: &LinearProbe| {
        let weight = |epochs| {
            let probe = LinearProbe { epochs, ..probe.clone() };
            let trained = probe.train(1, |_| Cow::Borrowed(&train)).unwrap();
            *trained.epochs.last().unwrap()
        };
        (weight(2) - weight(20)).abs()
    };
    assert!(distance(&slow) < distance(&block()));
}

#[test]
fn the_authors_number_of_a_part_is_the_number_of_all_if_batches_are_alike() {
    let test = unlike_clusters(400, 12, 0.3, 12);
    let readout = block().fit(&unlike_clusters(120, 12, 0.3, 13), 1).unwrap();
    let accuracy = |part: TestClips| {
        let part = test.subset(&part.indices(test.len()));
        let scores = readout.scores(part.values());
        metrics::batch_mean_accuracy(scores.view(), part.labels(), 1, 8)
    };
    let (all, authors) =
        (accuracy(TestClips::Everything), accuracy(TestClips::Authors { seed: 1, batch: 8 }));
    assert!(all > 99.0 && authors > 99.0, "{all} {authors}");
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
fn read_outs_are_frozen() {
    // A change here is value-breaking: list it in the changelog.
    let paper = LinearProbe { epochs: 10, ..LinearProbe::paper() };
    let paper = paper.train(2, |_| Cow::Owned(clusters(70, 4, 1.0, 15))).unwrap();
    let block = LinearProbe { epochs: 6, ..block() };
    let block = block.train(2, |_| Cow::Owned(unlike_clusters(70, 4, 1.0, 15))).unwrap();
    let found = [
        paper.readout.weight()[[0, 0]],
        paper.readout.weight()[[2, 3]],
        paper.readout.bias()[1],
        paper.epochs[0],
        paper.epochs[9],
        block.readout.weight()[[0, 0]],
        block.readout.bias()[1],
        block.epochs[0],
        block.epochs[5],
    ];
    for (found_value, frozen) in found.into_iter().zip(FROZEN) {
        assert!((found_value - frozen).abs() < ROUNDING, "{found:?}");
    }
}

const FROZEN: [f64; 9] = [
    0.511_038, 0.139_227, 0.152_314, 1.143_185, 1.100_147, 0.718_685, -0.105_864, 1.340_257,
    0.969_705,
];
