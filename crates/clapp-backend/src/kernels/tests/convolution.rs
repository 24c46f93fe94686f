//! Forward step and weight update.

use super::oracle::{Case, Numbers, arranged, distance, plain};
use super::*;
use crate::{Arithmetic, Pool};

/// Norm-wise error of the forward step: Winograd's is up to 2e-6.
const FORWARD: f64 = 5e-6;
/// Norm-wise error of the weight update.
const UPDATE: f64 = 2e-6;

/// Every way to compute a case.
fn plans(case: &Case) -> Vec<ConvPlan> {
    let layouts = |channels| {
        if Lanes::preferred(channels) == Lanes::One {
            vec![Lanes::One]
        } else {
            vec![Lanes::One, Lanes::Sixteen]
        }
    };
    let mut plans = vec![];
    for set in sets() {
        for arithmetic in [Arithmetic::Fast, Arithmetic::Exact] {
            for input in layouts(case.shape.c_in) {
                for output in layouts(case.shape.c_out) {
                    let plan = case.plan().with_instructions(set).with_arithmetic(arithmetic);
                    plans.push(plan.with_lanes(input, output));
                }
            }
        }
    }
    plans
}

/// A forward step, its results in plain layout.
struct Step {
    y: Vec<f32>,
    winners: Vec<u8>,
    mean: Vec<f32>,
}

fn forward(case: &Case, plan: &ConvPlan) -> Step {
    let x = arranged(
        plan.input_lanes,
        [case.shape.c_in, case.shape.height * case.shape.width],
        &case.x,
    );
    let mut y = vec![f32::NAN; plan.output_len()];
    let mut winners = vec![9; y.len()];
    let mut mean = vec![f32::NAN; case.shape.n * case.shape.c_out];
    let out = Outputs { y: &mut y, winners: &mut winners, mean: &mut mean };
    plan.forward(Inputs { x: &x, w: &case.w, b: &case.b }, out);
    let map = [case.shape.c_out, plan.out_area()];
    let (y, winners) = (plain(plan.output_lanes, map, &y), plain(plan.output_lanes, map, &winners));
    Step { y, winners, mean }
}

/// A weight update with plain `winners` and a plain map or `[n, c_out]` of modulations.
fn hebbian(case: &Case, plan: &ConvPlan, winners: &[u8], m: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let x = arranged(
        plan.input_lanes,
        [case.shape.c_in, case.shape.height * case.shape.width],
        &case.x,
    );
    let map = [case.shape.c_out, plan.out_area()];
    let winners = arranged(plan.output_lanes, map, winners);
    let updated = |modulation: Modulation<'_>| {
        let (mut dw, mut db) = (vec![f32::NAN; case.w.len()], vec![f32::NAN; case.b.len()]);
        let from = Evidence { x: &x, winners: &winners, modulation };
        plan.hebbian(from, [&mut dw, &mut db]);
        (dw, db)
    };
    if m.len() == case.shape.n * case.shape.c_out {
        return updated(Modulation::PerPatch(m));
    }
    let lines = updated(Modulation::Map(&arranged(plan.output_lanes, map, m)));
    let rows = updated(Modulation::Rows(&rows(map, m)));
    // The direct path leaves silent rows out, so that its sums have other blocks.
    let off = [distance(&rows.0, &double(&lines.0)), distance(&rows.1, &double(&lines.1))];
    assert!(off.iter().all(|&d| d <= UPDATE), "{plan:?} rows: {off:?}");
    rows
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// `[n, channel, pixel]` → `[n, pixel, channel]`.
fn rows([channels, area]: [usize; 2], map: &[f32]) -> Vec<f32> {
    let patch = |map: &[f32]| -> Vec<f32> {
        (0..area * channels).map(|at| map[at % channels * area + at / channels]).collect()
    };
    map.chunks(channels * area).flat_map(patch).collect()
}

/// Repeats each patch-wise modulation over its map.
fn spread(m: &[f32], area: usize) -> Vec<f32> {
    m.iter().flat_map(|&m| std::iter::repeat_n(m, area)).collect()
}

fn check(shape: ConvShape, pool: Pool) {
    let case = Case::new(shape, pool);
    let expected = case.forward();
    let mut numbers = Numbers::new(11);
    let per_patch = numbers.vec(shape.n * shape.c_out);
    let map = numbers.vec(expected.y.len());
    let area = case.plan().out_area();
    let by_patch = case.hebbian(&expected.winners, &spread(&per_patch, area));
    let by_map = case.hebbian(&expected.winners, &map);
    for plan in plans(&case) {
        let step = forward(&case, &plan);
        let errors = [distance(&step.y, &expected.y), distance(&step.mean, &expected.mean)];
        assert!(errors.iter().all(|&e| e <= FORWARD), "{plan:?}: {errors:?}");
        check_winners(&case, &expected.map, &step, &plan);
        for (m, (dw, db)) in [(&per_patch, &by_patch), (&map, &by_map)] {
            let got = hebbian(&case, &plan, &expected.winners, m);
            let errors = [distance(&got.0, dw), distance(&got.1, db)];
            assert!(errors.iter().all(|&e| e <= UPDATE), "{plan:?}: {errors:?}");
        }
    }
}

/// Winners point at a pixel whose exact value is the activity, up to rounding.
fn check_winners(case: &Case, map: &[f64], step: &Step, plan: &ConvPlan) {
    let [columns, area] =
        [case.shape.out_width(), case.shape.out_height() * case.shape.out_width()];
    let side = if case.pool == Pool::Max2 { 2 } else { 1 };
    for (at, (&y, &code)) in step.y.iter().zip(&step.winners).enumerate() {
        assert_eq!(code == 4, y == 0.0, "{plan:?} at {at}: {y} {code}");
        if code == 4 {
            continue;
        }
        let (channel, pixel) = (at / plan.out_area(), at % plan.out_area());
        let code = usize::from(code);
        let [i, j] = [pixel / plan.out_size()[1], pixel % plan.out_size()[1]];
        let exact = map[channel * area + (i * side + code / 2) * columns + j * side + code % 2];
        assert!((f64::from(y) - exact).abs() < 1e-4, "{plan:?} at {at}: {y} {exact} {code}");
    }
}

#[test]
fn maps_of_sixteen_agree_with_the_oracle() {
    check(ConvShape::three_by_three(2, 16, 64, 16, 16), Pool::Max2);
    check(ConvShape::three_by_three(1, 32, 32, 16, 16), Pool::None);
}

#[test]
fn maps_of_eight_agree_with_the_oracle() {
    check(ConvShape::three_by_three(5, 48, 32, 8, 8), Pool::None);
    check(ConvShape::three_by_three(13, 16, 32, 8, 8), Pool::Max2);
    check(ConvShape::three_by_three(3, 16, 32, 4, 12), Pool::Max2);
}

#[test]
fn maps_of_four_agree_with_the_oracle() {
    check(ConvShape::three_by_three(29, 32, 64, 4, 4), Pool::Max2);
    check(ConvShape::three_by_three(1, 48, 96, 4, 4), Pool::None);
}

#[test]
fn maps_without_padding_agree_with_the_oracle() {
    let bare = |n, c_in, c_out, height, width| ConvShape {
        padding: [0, 0],
        ..ConvShape::three_by_three(n, c_in, c_out, height, width)
    };
    check(bare(3, 32, 64, 10, 10), Pool::None);
    check(bare(2, 16, 32, 18, 6), Pool::Max2);
    // Neither tiles of four nor the form for maps between zeros.
    check(bare(2, 32, 32, 4, 4), Pool::None);
    check(bare(2, 32, 32, 3, 4), Pool::None);
}

#[test]
fn a_linear_response_keeps_what_is_below_zero() {
    for padding in [[1, 1], [0, 0]] {
        let shape = ConvShape { padding, ..ConvShape::three_by_three(2, 16, 32, 10, 6) };
        let case = Case::new(shape, Pool::None);
        let map = case.forward().map;
        for plan in plans(&case) {
            let step = forward(&case, &plan.with_response(crate::Response::Linear));
            let error = distance(&step.y, &map);
            assert!(error <= FORWARD, "{plan:?}: {error}");
            assert!(step.winners.iter().all(|&code| code == 0), "{plan:?}");
        }
    }
}

#[test]
fn maps_of_two_agree_with_the_oracle() {
    check(ConvShape::three_by_three(29, 48, 64, 2, 2), Pool::Max2);
    check(ConvShape::three_by_three(13, 32, 32, 2, 2), Pool::None);
}

#[test]
fn many_blocks_of_channels_agree_with_the_oracle() {
    check(ConvShape::three_by_three(3, 160, 160, 4, 4), Pool::None);
    check(ConvShape::three_by_three(2, 288, 544, 2, 2), Pool::Max2);
    // More rows than an update lowers at once, and more blocks than one task has.
    check(ConvShape::three_by_three(225, 144, 64, 4, 4), Pool::None);
}

#[test]
fn first_layers_agree_with_the_oracle() {
    check(ConvShape::three_by_three(3, 1, 32, 16, 16), Pool::None);
    check(ConvShape::three_by_three(2, 3, 64, 16, 16), Pool::None);
    check(ConvShape::three_by_three(2, 3, 80, 8, 8), Pool::Max2);
}

#[test]
fn odd_sizes_and_channels_agree_with_the_oracle() {
    check(ConvShape::three_by_three(13, 3, 20, 5, 7), Pool::Max2);
    check(ConvShape::three_by_three(3, 16, 16, 5, 7), Pool::Max2);
    check(ConvShape::three_by_three(2, 20, 80, 6, 6), Pool::None);
}

#[test]
fn other_kernels_and_strides_agree_with_the_oracle() {
    let shape = ConvShape::three_by_three(3, 16, 20, 9, 8);
    for (kernel, stride, padding) in
        [([1, 1], [1, 1], [0, 0]), ([5, 5], [2, 2], [2, 2]), ([7, 3], [1, 2], [3, 0])]
    {
        check(ConvShape { kernel, stride, padding, ..shape }, Pool::None);
        check(ConvShape { kernel, stride, padding, c_in: 3, c_out: 32, ..shape }, Pool::Max2);
    }
    let line = ConvShape { height: 1, width: 40, kernel: [1, 8], padding: [0, 2], ..shape };
    check(ConvShape { stride: [1, 4], ..line }, Pool::None);
}

#[test]
fn winograd_is_chosen_and_refused_by_shape() {
    let shape = ConvShape::three_by_three(1, 16, 32, 8, 8);
    let supports = |shape| ConvPlan::new(shape, Pool::None).supports_winograd();
    assert!(supports(shape) && supports(ConvShape { height: 2, width: 2, ..shape }));
    assert!(!supports(ConvShape { height: 6, ..shape }));
    assert!(
        !supports(ConvShape { c_in: 3, ..shape }) && !supports(ConvShape { c_out: 16, ..shape })
    );
    assert!(!supports(ConvShape { stride: [2, 2], ..shape }));
    assert!(!supports(ConvShape { padding: [0, 0], ..shape }));
}

#[test]
fn the_direct_path_is_as_exact_as_plain_sums() {
    let case = Case::new(ConvShape::three_by_three(2, 64, 32, 8, 8), Pool::None);
    let expected = case.forward();
    let error =
        distance(&forward(&case, &case.plan().with_arithmetic(Arithmetic::Exact)).y, &expected.y);
    assert!(error < 1e-6, "{error}");
}

#[test]
fn patches_without_modulation_change_nothing() {
    for arithmetic in [Arithmetic::Fast, Arithmetic::Exact] {
        let shape = ConvShape::three_by_three(9, 32, 64, 4, 4);
        let case = Case::new(shape, Pool::Max2);
        let kept = [1, 2, 4, 7, 8];
        let part = |v: &[f32]| {
            let len = v.len() / 9;
            kept.iter().flat_map(|n| v[n * len..][..len].to_vec()).collect::<Vec<_>>()
        };
        let mut m = Numbers::new(3).vec(9 * 64);
        for n in (0..9).filter(|n| !kept.contains(n)) {
            m[n * 64..][..64].fill(0.0);
        }
        let winners = case.forward().winners;
        let few = ConvShape { n: 5, ..shape };
        let few =
            Case { shape: few, x: part(&case.x), w: case.w.clone(), b: case.b.clone(), ..case };
        let few_winners: Vec<u8> =
            kept.iter().flat_map(|n| winners[n * 256..][..256].to_vec()).collect();
        let plan = |case: &Case| {
            case.plan().with_arithmetic(arithmetic).with_instructions(InstructionSet::best())
        };
        let all = hebbian(&case, &plan(&case), &winners, &m);
        assert_eq!(all, hebbian(&few, &plan(&few), &few_winners, &part(&m)));
        let none = hebbian(&case, &plan(&case), &winners, &vec![0.0; m.len()]);
        assert!(none.0.iter().chain(&none.1).all(|&d| d == 0.0));
    }
}

/// A wave is a map of one row; its window leaves most of it without a modulation.
#[test]
fn frames_without_modulation_change_nothing() {
    for (channels, kernel, stride, padding) in
        [([1, 40], 10, 5, 2), ([48, 64], 8, 4, 2), ([32, 7], 4, 2, 1)]
    {
        let shape = ConvShape {
            n: 3,
            c_in: channels[0],
            c_out: channels[1],
            height: 1,
            width: 301,
            kernel: [1, kernel],
            stride: [1, stride],
            padding: [0, padding],
        };
        let case = Case::new(shape, Pool::None);
        let winners = case.forward().winners;
        let area = case.plan().out_area();
        // A stretch in the middle and a few frames elsewhere.
        let heard = |at: usize| (20..41).contains(&(at % area)) || at.is_multiple_of(17);
        let mut m = Numbers::new(13).vec(winners.len());
        m.iter_mut().enumerate().filter(|(at, _)| !heard(*at)).for_each(|(_, m)| *m = 0.0);
        let expected = case.hebbian(&winners, &m);
        for plan in plans(&case) {
            let got = hebbian(&case, &plan, &winners, &m);
            let errors = [distance(&got.0, &expected.0), distance(&got.1, &expected.1)];
            assert!(errors.iter().all(|&e| e <= UPDATE), "{plan:?}: {errors:?}");
            let on = |threads| on_threads(threads, || hebbian(&case, &plan, &winners, &m));
            assert!(on(1) == on(2), "{plan:?}");
        }
    }
}

#[test]
fn an_empty_batch_gives_no_update() {
    let case = Case::new(ConvShape::three_by_three(0, 16, 32, 4, 4), Pool::Max2);
    assert!(forward(&case, &case.plan()).y.is_empty());
    let (dw, db) = hebbian(&case, &case.plan(), &[], &[]);
    assert!(dw.iter().chain(&db).all(|&d| d == 0.0));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for size in [8, 2] {
        let case = Case::new(ConvShape::three_by_three(37, 48, 64, size, size), Pool::Max2);
        let m = Numbers::new(5).vec(37 * 64);
        for arithmetic in [Arithmetic::Fast, Arithmetic::Exact] {
            let plan = case.plan().with_arithmetic(arithmetic);
            let run = || {
                let step = forward(&case, &plan);
                let update = hebbian(&case, &plan, &step.winners, &m);
                (step.y, step.winners, step.mean, update)
            };
            let alone = on_threads(1, run);
            assert!(
                alone == on_threads(2, run) && alone == on_threads(3, run),
                "{arithmetic:?} {size}"
            );
        }
    }
}

#[test]
fn not_a_number_goes_through() {
    for (c_in, size) in [(3, 8), (16, 8), (16, 2)] {
        for pool in [Pool::None, Pool::Max2] {
            let mut case = Case::new(ConvShape::three_by_three(2, c_in, 32, size, size), pool);
            case.x[0] = f32::NAN;
            for plan in plans(&case) {
                let step = forward(&case, &plan);
                for o in 0..32 {
                    let at = o * plan.out_area();
                    assert!(step.y[at].is_nan() && step.winners[at] < 4, "{plan:?}");
                    assert!(step.mean[o].is_nan());
                }
                let second = &step.y[step.y.len() / 2..];
                assert!(second.iter().all(|y| y.is_finite()), "{plan:?}");
            }
        }
    }
}

#[test]
fn the_largest_of_four_pixels_is_the_activity() {
    let plan = ConvPlan::new(ConvShape::three_by_three(1, 1, 1, 2, 2), Pool::Max2);
    let (mut y, mut winners, mut mean) = ([0.0], [0], [0.0]);
    let out = Outputs { y: &mut y, winners: &mut winners, mean: &mut mean };
    // Only the middle tap: the second pixel, 5, is the largest.
    let w = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    plan.forward(Inputs { x: &[1.0, 5.0, 2.0, 3.0], w: &w, b: &[0.5] }, out);
    assert_eq!((y, winners, mean), ([5.5], [1], [5.5]));
}

#[test]
fn the_first_of_equal_pixels_wins() {
    let shape =
        ConvShape { kernel: [1, 1], padding: [0, 0], ..ConvShape::three_by_three(1, 1, 16, 2, 2) };
    let (x, w, b) = (vec![1.0; 4], vec![1.0; 16], vec![0.0; 16]);
    let case = Case { shape, pool: Pool::Max2, x, w, b };
    for plan in plans(&case) {
        assert!(forward(&case, &plan).winners.iter().all(|&code| code == 0));
    }
}

#[test]
#[should_panic(expected = "w: expected 4608 elements, got 1")]
fn wrong_lengths_are_refused() {
    let mut case = Case::new(ConvShape::three_by_three(1, 16, 32, 4, 4), Pool::None);
    case.w.truncate(1);
    forward(&case, &case.plan());
}

#[test]
fn few_rows_and_many_weights_give_the_same_bits() {
    // Lowered weights of 17 MiB: with 20 maps of 8 tiles all tasks share them, with one each has its own.
    let case = Case::new(ConvShape::three_by_three(20, 224, 544, 8, 16), Pool::None);
    let image = case.x.len() / 20;
    let single = Case {
        shape: ConvShape { n: 1, ..case.shape },
        x: case.x[19 * image..].to_vec(),
        ..case.clone()
    };
    for set in sets() {
        for lanes in [Lanes::One, Lanes::Sixteen] {
            let plan = |case: &Case| case.plan().with_instructions(set).with_lanes(lanes, lanes);
            let (many, one) = (forward(&case, &plan(&case)), forward(&single, &plan(&single)));
            let last = many.y.len() / 20 * 19;
            assert_eq!(many.y[last..], one.y, "{set} {lanes:?}");
            assert_eq!(many.winners[last..], one.winners, "{set} {lanes:?}");
            assert_eq!(many.mean[many.mean.len() / 20 * 19..], one.mean, "{set} {lanes:?}");
        }
    }
}
