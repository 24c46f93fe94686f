//! Layout, optimizers, choice of instructions.

use super::oracle::Numbers;
use super::*;
use crate::{AdamCoefficients, Pool};

#[test]
fn packing_and_unpacking_return_the_activity() {
    let plain = Numbers::new(1).vec(3 * 48 * 35);
    let (mut lines, mut back) = (vec![0.0; plain.len()], vec![0.0; plain.len()]);
    pack(48, 35, &plain, &mut lines);
    let [pixel, channel] = [4, 18];
    let line: Vec<f32> = (16..32).map(|c| plain[(48 + c) * 35 + pixel]).collect();
    assert_eq!(lines[(48 + 16) * 35 + pixel * 16..][..16], line);
    assert_eq!(line[channel - 16..][..1], plain[(48 + channel) * 35 + pixel..][..1]);
    unpack(48, 35, &lines, &mut back);
    assert_eq!(plain, back);
}

#[test]
fn adam_follows_the_loop_in_double_precision() {
    sets().for_each(check_adam);
}

fn check_adam(set: InstructionSet) {
    let len = 100_003;
    let mut numbers = Numbers::new(2);
    let (mut w, mut m, mut v) = (numbers.vec(len), vec![0.0; len], vec![0.0; len]);
    let mut exact: Vec<[f64; 3]> = w.iter().map(|&w| [f64::from(w), 0.0, 0.0]).collect();
    let (lr, beta1, beta2, eps, decay) = (1e-3, 0.9f64, 0.999f64, 1e-8, 1e-2);
    for step in 1..=3 {
        let dw = numbers.vec(len);
        let corrections = [1.0 - beta1.powi(step), 1.0 - beta2.powi(step)];
        let coefficients = AdamCoefficients {
            rate: lr,
            beta_1: beta1,
            beta_2: beta2,
            epsilon: eps,
            decay,
            correction_1: corrections[0],
            correction_2: corrections[1],
        };
        adam(set, [&mut w, &mut m, &mut v], &dw, coefficients);
        for ([w, m, v], dw) in exact.iter_mut().zip(&dw) {
            let g = decay * *w - f64::from(*dw);
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w -= lr / corrections[0] * *m / (v.sqrt() / corrections[1].sqrt() + eps);
        }
        let error = |got: f32, exact: f64| (f64::from(got) - exact).abs();
        for (i, [w64, m64, v64]) in exact.iter().enumerate() {
            let errors = [error(w[i], *w64), error(m[i], *m64), error(v[i], *v64)];
            assert!(errors.iter().all(|&e| e < 5e-7), "step {step} weight {i}: {errors:?}");
            // The second moment is small, and all of it comes through 1 − β₂; g may have cancelled.
            assert!(errors[2] < 1e-6 * v64 + 1e-10, "step {step} weight {i}: {} of {v64}", v[i]);
        }
    }
}

#[test]
fn sgd_adds_the_scaled_update() {
    let (mut w, dw) = (vec![1.0, 2.0, 3.0], [4.0, 0.0, -2.0]);
    sgd(&mut w, &dw, 0.5);
    assert_eq!(w, [3.0, 2.0, 2.0]);
}

#[test]
fn instruction_sets_have_names() {
    assert_eq!("portable".parse(), Ok(InstructionSet::Portable));
    assert_eq!(
        "sse9".parse::<InstructionSet>().unwrap_err().to_string(),
        "instruction set: expected avx512, avx2 or portable, got \"sse9\" in CLAPP_ISA; choose one of these, or unset it"
    );
    assert!(InstructionSet::best().is_available());
}

#[test]
fn a_set_that_is_named_is_used_and_the_best_one_otherwise() {
    assert_eq!(InstructionSet::named(Some("portable")), InstructionSet::Portable);
    for none in [None, Some("sse9"), Some("")] {
        assert_eq!(InstructionSet::named(none), InstructionSet::best());
    }
    let plan = ConvPlan::new(ConvShape::three_by_three(1, 1, 1, 2, 2), Pool::None);
    assert_eq!(plan.instructions, instruction_set());
    assert!(plan.instructions.is_available());
}

#[test]
fn transposes_agree() {
    use super::super::simd::{Kernel, Simd};
    struct Transpose<'a>(&'a [[f32; LANES]; LANES]);
    impl Kernel for Transpose<'_> {
        type Output = [[f32; LANES]; LANES];
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let mut out = [[0.0; LANES]; LANES];
            simd.transpose(self.0.each_ref(), &mut out);
            out
        }
    }
    let square = std::array::from_fn(|i| std::array::from_fn(|j| (16 * i + j) as f32));
    for set in sets() {
        let out = set.visit(Transpose(&square));
        assert!(
            (0..256).all(|k| out[k / 16][k % 16].to_bits() == square[k % 16][k / 16].to_bits())
        );
    }
}
