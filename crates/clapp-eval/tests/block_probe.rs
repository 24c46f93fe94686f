//! The classifier of a block: what it promises, on data made for it.

use std::borrow::Cow;

use clapp_eval::probe::{self, Batches, Input, TestClips};
use clapp_eval::{Error, Features, LinearProbe, Probe, Protocol, Readout, metrics};
use clapp_random::{Purpose, stream};
use ndarray::Array2;
use rand::RngExt;

/// Three classes around corners of a cube in `dim` features, whose scales differ a thousandfold.
fn clusters(samples: usize, dim: usize, noise: f32, index: u64) -> Features {
    let mut rng = stream(1, Purpose::Test, [index, 7, 0, 0]);
    let values = Array2::from_shape_fn((samples, dim), |(i, j)| {
        let centre = if i % 3 == j % 3 { 1.0 } else { 0.0 };
        10.0_f32.powi(j as i32 % 4) * (centre + noise * rng.random_range(-1.0..1.0_f32))
    });
    Features::new(values, (0..samples).map(|i| (i % 3) as u32).collect()).expect("finite")
}

fn quick() -> LinearProbe {
    LinearProbe { epochs: 30, learning_rate: 1e-2, schedule: vec![], ..LinearProbe::block() }
}

#[test]
fn separable_data_are_read_out_without_error() {
    let (train, test) = (clusters(120, 12, 0.3, 0), clusters(200, 12, 0.3, 1));
    let accuracy = probe::accuracy(&quick(), &train, &test, 1).unwrap();
    assert!(accuracy > 99.0, "{accuracy}");
    assert_eq!(quick().protocol(), Protocol::Block);
}

#[test]
fn shuffled_labels_are_read_out_at_chance() {
    let mut rng = stream(2, Purpose::Test, [7; 4]);
    let mut shuffled = |features: Features| {
        let labels = (0..features.len()).map(|_| rng.random_range(0..3_u32)).collect();
        Features::new(features.values().to_owned(), labels).unwrap()
    };
    let train = shuffled(clusters(300, 12, 1.0, 2));
    let test = shuffled(clusters(900, 12, 1.0, 3));
    let accuracy = probe::accuracy(&quick(), &train, &test, 1).unwrap();
    // 33.3 % of 900: three standard deviations are 4.7 points.
    assert!((accuracy - 33.3).abs() < 4.7, "{accuracy}");
}

#[test]
fn neither_threads_nor_repetition_change_a_bit() {
    // More features than one task takes, and not a multiple of it.
    let train = clusters(32, 2_500, 5.0, 4);
    let probe = LinearProbe { epochs: 3, ..quick() };
    let scores = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let readout = pool.install(|| probe.fit(&train, seed).unwrap());
        readout.scores(train.values()).mapv(f64::to_bits)
    };
    assert_eq!(scores(1, 1), scores(3, 1));
    assert_ne!(scores(1, 1), scores(1, 2));
}

#[test]
fn epochs_may_bring_new_features_and_must_agree() {
    let (first, second) = (clusters(20, 6, 0.5, 5), clusters(20, 6, 0.5, 6));
    let probe = LinearProbe { epochs: 4, ..quick() };
    let mut seen = Vec::new();
    let trained = probe.train(1, |epoch| {
        seen.push(epoch);
        Cow::Borrowed(if epoch % 2 == 0 { &first } else { &second })
    });
    let trained = trained.unwrap();
    assert_eq!((trained.epochs.len(), seen), (4, vec![0, 1, 2, 3]));
    assert!(trained.epochs.iter().all(|epoch| epoch.top[0] <= epoch.top[1]));
    assert!((trained.epochs[0].top[1] - 100.0).abs() < 1e-9, "three classes are within three");
    let other = clusters(20, 5, 0.5, 7);
    let mixed = probe.train(1, |epoch| Cow::Borrowed(if epoch == 0 { &first } else { &other }));
    assert!(matches!(mixed, Err(Error::Disagreement { expected: 6, got: 5, .. })));
}

#[test]
fn a_probe_trained_by_hand_equals_fit() {
    let train = clusters(16, 9, 0.5, 8);
    // One batch an epoch: its order does not matter to the mean but to nothing else either.
    let probe = LinearProbe {
        epochs: 5,
        batches: Batches::Whole(16),
        input: Input::BatchNorm { dropout: 0.0 },
        ..quick()
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
    let train = clusters(64, 9, 2.0, 9);
    let slow = LinearProbe { schedule: vec![(1, 1.0), (2, 1e-6)], ..quick() };
    let distance = |probe: &LinearProbe| {
        let weight = |epochs| {
            let probe = LinearProbe { epochs, ..probe.clone() };
            let trained = probe.train(1, |_| Cow::Borrowed(&train)).unwrap();
            trained.epochs.last().unwrap().loss
        };
        (weight(2) - weight(20)).abs()
    };
    assert!(distance(&slow) < distance(&quick()));
}

#[test]
fn settings_out_of_range_are_refused() {
    let train = clusters(6, 3, 1.0, 11);
    for (probe, name) in [
        (LinearProbe { epochs: 0, ..quick() }, "epochs"),
        (LinearProbe { batches: Batches::Whole(1), ..quick() }, "batch"),
        (LinearProbe { batches: Batches::Whole(7), ..quick() }, "batch"),
        (LinearProbe { input: Input::BatchNorm { dropout: 1.0 }, ..quick() }, "dropout"),
        (LinearProbe { learning_rate: 0.0, ..quick() }, "learning rate"),
        (LinearProbe { weight_decay: -1.0, ..quick() }, "weight decay"),
        (LinearProbe { schedule: vec![(1, f32::NAN)], ..quick() }, "schedule"),
    ] {
        match probe.fit(&train, 1) {
            Err(Error::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_authors_number_of_a_part_is_the_number_of_all_if_batches_are_alike() {
    let test = clusters(400, 12, 0.3, 12);
    let readout = quick().fit(&clusters(120, 12, 0.3, 13), 1).unwrap();
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
fn block_read_out_is_frozen() {
    // A change here is value-breaking: list it in the changelog.
    let train = clusters(70, 4, 1.0, 15);
    let probe = LinearProbe { epochs: 6, ..quick() };
    let trained = probe.train(2, |_| Cow::Borrowed(&train)).unwrap();
    let found = [
        trained.readout.weight()[[0, 0]],
        trained.readout.bias()[1],
        trained.epochs[0].loss,
        trained.epochs[5].loss,
    ];
    for (found_value, frozen) in found.into_iter().zip(FROZEN) {
        // Rounding of f32 sums in another order, as on a machine without fused multiply-add.
        assert!((found_value - frozen).abs() < 1e-4, "{found:?}");
    }
}

const FROZEN: [f64; 4] = [0.718_685, -0.105_864, 1.340_257, 0.969_705];
