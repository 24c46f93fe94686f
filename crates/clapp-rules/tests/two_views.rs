//! CLAPP++ and DFB: updates are slopes of their loss, draws are what they say, settings that cannot be are told.

mod common;

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_rules::equations::view_scores;
use clapp_rules::{
    Extent, GridShape, Lateral, Plasticity, Purpose, Rows, Saccades, Seen, Shown, Stream, Synapses,
    TwoViews, ViewNegatives, ViewObjective, stream,
};
use common::{host, uniform};

/// Three images, four cells of two channels, predicted by one cell of three channels.
const SAMPLES: usize = 6;
const TARGET: [usize; 4] = [SAMPLES, 1, 4, 2];
const CONTEXT: [usize; 4] = [SAMPLES, 1, 1, 3];
/// Steps of differences, and what is left of them: losses are piecewise linear, or smooth with second
/// derivatives of some units.
const STEP: f64 = 1e-6;
const ROUNDING: f64 = 1e-8;

const NEGATIVES: [ViewNegatives; 4] = [
    ViewNegatives::Cyclic,
    ViewNegatives::Random,
    ViewNegatives::RandomShared,
    ViewNegatives::SameImage,
];

fn random(index: u64) -> Stream {
    stream(11, Purpose::Test, [index, 0, 0, 0])
}

fn tensor<const D: usize>(shape: [usize; D], values: &[f64]) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&Device::flex(), DType::F64))
}

fn values<const D: usize>(shape: [usize; D], index: u64) -> Vec<f64> {
    uniform([shape.iter().product::<usize>()], &mut random(index)).to_vec()
}

/// All that an update depends on, as numbers.
#[derive(Clone)]
struct Case {
    rule: TwoViews,
    rows: Vec<Rows>,
    /// Target, then the matrices by name.
    parts: Vec<(&'static str, Vec<f64>)>,
    context: Vec<f64>,
}

impl Case {
    fn new(negatives: ViewNegatives, objective: ViewObjective, rank: Option<usize>) -> Self {
        let rule = TwoViews { negatives, objective, grids: vec![2, 2], rank };
        let [z, c] = [TARGET, CONTEXT].map(|shape| shape[2] * shape[3]);
        let matrices: &[(&str, [usize; 2])] = match rank {
            None => &[("b", [z, c])],
            Some(rank) => &[("b_down", [rank, c]), ("b_up", [z, rank])],
        };
        let mut parts = vec![("target", values(TARGET, 1))];
        let matrices = matrices.iter().zip(2..);
        parts.extend(matrices.map(|(&(name, shape), index)| (name, values(shape, index))));
        let rows = rule.pairs([TARGET[0], TARGET[1], TARGET[2]].into(), &mut random(9));
        Self { rule, rows, parts, context: values(CONTEXT, 8) }
    }

    fn shape(&self, name: &str) -> [usize; 3] {
        let [z, c] = [TARGET, CONTEXT].map(|shape| shape[2] * shape[3]);
        let rank = self.rule.rank.unwrap_or_default();
        match name {
            "b" => [1, z, c],
            "b_down" => [1, rank, c],
            _ => [1, z, rank],
        }
    }

    fn lateral(&self) -> Lateral {
        self.parts[1..].iter().fold(Lateral::default(), |lateral, (name, values)| {
            lateral.with(name, Synapses::new(tensor(self.shape(name), values)))
        })
    }

    fn seen<'a>(&'a self, lateral: &'a Lateral) -> Seen<'a> {
        let context = Some(tensor(CONTEXT, &self.context));
        Seen {
            layer: 0,
            target: tensor(TARGET, &self.parts[0].1),
            context,
            lateral,
            rows: &self.rows,
        }
    }

    fn loss(&self) -> f64 {
        let lateral = self.lateral();
        self.rule.changes(self.seen(&lateral)).monitor().loss
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let softplus = ViewObjective::Softplus { theta: 1.7 };
    let objectives =
        [ViewObjective::Hinge, ViewObjective::SoftHinge, ViewObjective::Linear, softplus];
    NEGATIVES.into_iter().flat_map(move |negatives| {
        objectives.into_iter().flat_map(move |objective| {
            [None, Some(2)].map(|rank| Case::new(negatives, objective, rank))
        })
    })
}

#[test]
fn every_change_is_the_negative_slope_of_the_loss() {
    for case in cases() {
        let lateral = case.lateral();
        let update = case.rule.changes(case.seen(&lateral));
        assert!(update.context.is_none(), "only the predicted side learns");
        for part in 0..case.parts.len() {
            let name = case.parts[part].0;
            let changes = match name {
                "target" => host(update.target.clone()),
                name => host(update.lateral.delta(name)),
            };
            assert!(changes.iter().any(|change| change.abs() > 0.01), "{name} changes");
            for (at, change) in changes.into_iter().enumerate() {
                let moved = |step: f64| {
                    let mut moved = case.clone();
                    moved.parts[part].1[at] += step;
                    moved.loss()
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                assert!(
                    (change + slope).abs() < ROUNDING,
                    "{:?} {name} {at}: expected {}, got {change}",
                    case.rule,
                    -slope
                );
            }
        }
    }
}

#[test]
fn a_context_is_a_constant_also_where_a_layer_predicts_itself() {
    let [samples, _, cells, channels] = TARGET;
    let rule = TwoViews { grids: vec![2], ..TwoViews::clapp_plus_plus() };
    let dim = cells * channels;
    let b = Synapses::new(tensor([1, dim, dim], &values([dim, dim], 3)));
    let (lateral, z) = (Lateral::default().with("b", b), tensor(TARGET, &values(TARGET, 1)));
    let rows = rule.pairs([samples, 1, cells].into(), &mut random(9));
    let changes = |context| {
        let seen = Seen { layer: 0, target: z.clone(), context, lateral: &lateral, rows: &rows };
        let update = rule.changes(seen);
        (host(update.target), host(update.lateral.delta("b")))
    };
    assert_eq!(changes(None), changes(Some(z.clone())));
}

#[test]
fn a_low_rank_is_the_full_matrix_that_is_its_product() {
    let low = Case::new(ViewNegatives::Random, ViewObjective::Hinge, Some(2));
    let [down, up] = ["b_down", "b_up"].map(|name| low.lateral().weight(name));
    let product = host(up.matmul(down));
    let mut full = Case::new(ViewNegatives::Random, ViewObjective::Hinge, None);
    full.parts[1].1 = product;
    let scores = |case: &Case| view_scores(&case.seen(&case.lateral())).map(host);
    for (low, full) in scores(&low).iter().flatten().zip(scores(&full).iter().flatten()) {
        // Sums of some ten products of doubles, in two orders.
        assert!((low - full).abs() < 1e-13, "{low} {full}");
    }
}

fn saccades(rows: &[Rows]) -> &[u32] {
    let Saccades::Drawn { rows, .. } = &rows[0].saccades else { unreachable!("drawn") };
    rows
}

fn pairs(negatives: ViewNegatives, grid: GridShape, index: u64) -> Vec<Rows> {
    let rule = TwoViews { negatives, ..TwoViews::clapp_plus_plus() };
    rule.pairs(grid, &mut random(index))
}

#[test]
fn the_positive_is_the_other_view_and_the_cyclic_negative_that_of_the_next_sample() {
    let rows = pairs(ViewNegatives::Cyclic, [4, 1, 2].into(), 0);
    assert_eq!(rows[0].contexts, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(rows[0].fixations, [4, 5, 6, 7, 0, 1, 2, 3]);
    assert_eq!(saccades(&rows), [6, 7, 0, 1, 2, 3, 4, 5]);
}

#[test]
fn random_negatives_are_every_sample_and_one_draw_serves_grids_of_any_size() {
    let cells = 3;
    let mut hit = [0; SAMPLES];
    for index in 0..100 {
        let small = pairs(ViewNegatives::RandomShared, [SAMPLES, 1, 1].into(), index);
        let large = pairs(ViewNegatives::RandomShared, [SAMPLES, 1, cells].into(), index);
        let samples: Vec<u32> =
            saccades(&large).iter().step_by(cells).map(|at| at / cells as u32).collect();
        assert_eq!(saccades(&small), samples, "the same samples");
        samples.iter().for_each(|&sample| hit[sample as usize] += 1);
    }
    // 600 draws: 100 each, give or take five deviations.
    assert!(hit.iter().all(|hits| (54..146).contains(hits)), "{hit:?}");
}

#[test]
fn a_negative_of_the_same_image_is_its_other_view_at_every_other_cell() {
    let cells = 4u32;
    let mut moves = [0; 4];
    for index in 0..50 {
        let rows = pairs(ViewNegatives::SameImage, [SAMPLES, 1, cells as usize].into(), index);
        for (context, places) in saccades(&rows).chunks(cells as usize).enumerate() {
            let other = ((context + SAMPLES / 2) % SAMPLES) as u32;
            let moved: Vec<u32> = (0..cells).map(|q| places[q as usize] - other * cells).collect();
            let by = moved[0];
            let expected: Vec<u32> = (0..cells).map(|q| (q + by) % cells).collect();
            assert_eq!(moved, expected, "all cells move alike");
            moves[by as usize] += 1;
        }
    }
    assert_eq!(moves[0], 0, "no negative is the positive");
    assert!(moves[1..].iter().all(|&moves| moves > 50), "300 draws of three moves: {moves:?}");
}

#[test]
fn initial_weights_are_bounded_by_what_they_see() {
    let (target, context) = (Extent { site: 16, channel: 8 }, Extent { site: 4, channel: 16 });
    let bound = |rank: Option<usize>, name: &str| {
        let rule = TwoViews { rank, ..TwoViews::clapp_plus_plus() };
        let lateral = rule.lateral(target, context, &Device::flex(), &mut random(4));
        let weight = lateral.weight(name);
        (weight.dims(), host(weight.abs().max())[0])
    };
    let full = bound(None, "b");
    assert_eq!(full.0, [1, 128, 64]);
    // Of 8192 draws from U(±1/8) the largest is within a hundredth of the bound.
    assert!((0.12375..=0.125).contains(&full.1), "{}", full.1);
    let (down, up) = (bound(Some(4), "b_down"), bound(Some(4), "b_up"));
    assert_eq!((down.0, up.0), ([1, 4, 64], [1, 128, 4]));
    assert!((0.115..=0.125).contains(&down.1), "{}", down.1);
    assert!((0.475..=0.5).contains(&up.1), "{}", up.1);
}

#[test]
fn what_cannot_be_is_told_with_what_would_fit() {
    let rule = TwoViews::clapp_plus_plus();
    let with = |change: fn(&mut TwoViews)| {
        let mut rule = TwoViews::clapp_plus_plus();
        change(&mut rule);
        rule.check(1).expect_err("a rule that cannot be").to_string()
    };
    assert!(rule.check(1).is_ok() && rule.check_layers(6).is_ok() && rule.check_batch(4).is_ok());
    let errors = [
        (rule.check(7).expect_err("patches").to_string(), "whole images for two views, got 7 rows"),
        (with(|rule| rule.rank = Some(0)), "rank of at least 1, got 0"),
        (with(|rule| rule.grids[3] = 0), "1 cell a side in layer 4, got 0"),
        (with(|rule| rule.objective = ViewObjective::Softplus { theta: 0.0 }), "above 0, got 0"),
        (
            with(|rule| {
                rule.negatives = ViewNegatives::SameImage;
                rule.grids[5] = 1;
            }),
            "2 cells a side in layer 6",
        ),
        (
            rule.check_layers(4).expect_err("four layers").to_string(),
            "each of 4 layers, got 6: [8, 4, 4, 4, 2, 2]",
        ),
        (rule.check_batch(5).expect_err("odd").to_string(), "got 5 samples"),
        (rule.check_batch(0).expect_err("none").to_string(), "got 0 samples"),
        (rule.check_batch(2).expect_err("alone").to_string(), "at least 2 images (4 samples)"),
    ];
    for (error, expected) in errors {
        assert!(error.contains(expected), "expected '{expected}' in '{error}'");
    }
    let same = TwoViews { negatives: ViewNegatives::SameImage, ..rule };
    assert!(same.check(1).is_ok() && same.check_batch(2).is_ok(), "it needs no other image");
}

#[test]
#[should_panic(expected = "at least 2 images")]
fn a_batch_of_one_image_has_no_cyclic_negative() {
    let _ = pairs(ViewNegatives::Cyclic, [2, 1, 4].into(), 0);
}

#[test]
#[should_panic(expected = "views: expected 24 rows with one negative each")]
fn rows_of_another_grid_are_refused() {
    let mut case = Case::new(ViewNegatives::Cyclic, ViewObjective::Hinge, None);
    case.rows = pairs(ViewNegatives::Cyclic, [SAMPLES, 1, 1].into(), 0);
    let _ = case.loss();
}

#[test]
fn a_setting_is_the_same_after_it_was_written() {
    let rule = TwoViews {
        objective: ViewObjective::Softplus { theta: 2.0 },
        rank: Some(128),
        ..TwoViews::clapp_plus_plus()
    };
    let written = serde_json::to_string(&rule).expect("plain values");
    assert_eq!(serde_json::from_str::<TwoViews>(&written).expect("what was written"), rule);
    let short = r#"{"negatives":"same-image","objective":{"kind":"soft-hinge"},"grids":[8,1]}"#;
    let rule: TwoViews = serde_json::from_str(short).expect("no rank is a full matrix");
    assert_eq!((rule.rank, rule.shows_layer(0)), (None, Shown::Cells(8)));
    assert_eq!(rule.shows_layer(1), Shown::Patch);
}
