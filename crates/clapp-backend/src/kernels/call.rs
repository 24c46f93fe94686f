//! The two calls of a plan: check sizes, choose a scheme, run it.

use super::direct::Direct;
use super::filter::{Four, Two};
use super::forward::{Inputs, forward};
use super::hebbian::{Evidence, active_patches, active_rows, bias_update, hebbian};
use super::line::{Line, pack, unpack};
use super::scheme::{Active, Modulation, Outputs, Scheme};
use super::shape::{ConvPlan, Lanes};
use super::simd::{Kernel, Simd};
use super::winograd::Winograd;
use crate::Arithmetic;

/// Winograd on maps of 2×2 pixels.
type TwoByTwo = Winograd<Two, 2, 3, 2>;
/// Winograd on tiles of 4×4 pixels.
type FourByFour = Winograd<Four, 6, 6, 4>;

impl ConvPlan {
    /// The activity of a layer, with what its learning rule needs.
    ///
    /// ```text
    /// y = pool(max(w ∗ x + b, 0))        mean[n,o] = ⟨y[n,o,p]⟩_p
    /// ```
    /// Of equal pixels the first wins. Not-a-number goes through: it wins its block.
    ///
    /// # Shapes
    /// - `x`: `[n, c_in, h, w]` in the input layout
    /// - `w`: `[c_out, c_in, kh, kw]`; `b`: `[c_out]`
    ///
    /// # Panics
    /// If a length does not fit the plan, the map is empty, or channels in lines are not multiples
    /// of 16.
    ///
    /// # Cost
    /// O(n·h·w·c_in·c_out·kh·kw) products, a quarter of that by Winograd. Scratch memory is kept.
    pub fn forward(&self, from: Inputs<'_>, out: Outputs<'_>) {
        self.check();
        check_len("x", self.input_len(), from.x.len());
        check_len("w", self.weight_len(), from.w.len());
        check_len("b", self.shape.c_out, from.b.len());
        check_len("y", self.output_len(), out.y.len());
        check_len("winners", self.output_len(), out.winners.len());
        check_len("mean", self.shape.n * self.shape.c_out, out.mean.len());
        if self.shape.n == 0 {
            return;
        }
        if self.uses_winograd() {
            self.forward_lines(from, out);
        } else {
            self.instructions.visit(Forward { plan: *self, from, out });
        }
    }

    /// The Hebbian product: presynaptic activity times modulation, where the postsynaptic cell won.
    ///
    /// ```text
    /// dw[o,i,u,v] = Σ_{n,p} m[n,o,(p)] · 1[winner] · x[n,i,p + (u,v)]
    /// db[o]       = Σ_{n,p} m[n,o,(p)] · 1[winner]
    /// ```
    /// A mean over the map is the caller's: divide the modulation by h'·w'. Both results are
    /// written, not added. Patches whose modulation is zero everywhere cost nothing; of
    /// `Modulation::Rows` without Winograd, rows that are.
    ///
    /// # Shapes
    /// - `x`: `[n, c_in, h, w]` in the input layout; `dw`: `[c_out, c_in, kh, kw]`; `db`: `[c_out]`
    ///
    /// # Panics
    /// As [`ConvPlan::forward`].
    ///
    /// # Cost
    /// That of the forward step.
    pub fn hebbian(&self, from: Evidence<'_>, [dw, db]: [&mut [f32]; 2]) {
        self.check();
        check_len("x", self.input_len(), from.x.len());
        check_len("winners", self.output_len(), from.winners.len());
        check_len("dw", self.weight_len(), dw.len());
        check_len("db", self.shape.c_out, db.len());
        match from.modulation {
            Modulation::PerPatch(m) => {
                check_len("modulation", self.shape.n * self.shape.c_out, m.len());
            }
            Modulation::Map(m) | Modulation::Rows(m) => {
                check_len("modulation map", self.output_len(), m.len());
            }
        }
        if self.uses_winograd() {
            self.hebbian_lines(from, [dw, db]);
        } else {
            self.instructions.visit(Hebbian { plan: *self, from, out: [dw, db] });
        }
    }

    /// Whether the arithmetic and the shape mean Winograd.
    fn uses_winograd(&self) -> bool {
        self.arithmetic == Arithmetic::Fast && self.supports_winograd()
    }

    /// Products by Winograd of one map, for each pair of channels; `None` where it is not used.
    pub fn winograd_products(&self) -> Option<usize> {
        self.uses_winograd().then(|| {
            if self.is_two_by_two() {
                TwoByTwo::new(*self).products()
            } else {
                FourByFour::new(*self).products()
            }
        })
    }

    fn is_two_by_two(&self) -> bool {
        [self.shape.height, self.shape.width, self.shape.padding[0]] == [2, 2, 1]
    }

    fn check(&self) {
        assert!(self.out_area() > 0, "map: expected at least one pixel after pooling");
        assert!(self.shape.c_in * self.shape.c_out > 0, "channels: expected at least one");
        for (lanes, channels) in
            [(self.input_lanes, self.shape.c_in), (self.output_lanes, self.shape.c_out)]
        {
            let fits = lanes == Lanes::One || Lanes::preferred(channels) == Lanes::Sixteen;
            assert!(fits, "lines: expected a multiple of 16 channels, got {channels}");
        }
    }

    /// Forward by Winograd, which works in lines: plain activities are reordered before and after.
    fn forward_lines(&self, from: Inputs<'_>, out: Outputs<'_>) {
        let shape = self.shape;
        let plan = self.with_lanes(Lanes::Sixteen, Lanes::Sixteen);
        let packed = self.packed_input(from.x);
        let x = packed.as_ref().map_or(from.x, |lines| bytemuck::cast_slice(lines));
        let from = Inputs { x, ..from };
        if self.output_lanes == Lanes::Sixteen {
            self.instructions.visit(Forward { plan, from, out });
            return;
        }
        let mut lines = Line::zeros(out.y.len());
        let mut codes = vec![0; out.y.len()];
        let y = bytemuck::cast_slice_mut(&mut lines);
        let inner = Outputs { y, winners: &mut codes, mean: out.mean };
        self.instructions.visit(Forward { plan, from, out: inner });
        unpack::<f32>(shape.c_out, self.out_area(), bytemuck::cast_slice(&lines), out.y);
        unpack(shape.c_out, self.out_area(), &codes, out.winners);
    }

    /// Update by Winograd, which works in lines: plain activities are reordered before.
    fn hebbian_lines(&self, from: Evidence<'_>, out: [&mut [f32]; 2]) {
        let plan = self.with_lanes(Lanes::Sixteen, Lanes::Sixteen);
        let packed = self.packed_input(from.x);
        let x = packed.as_ref().map_or(from.x, |lines| bytemuck::cast_slice(lines));
        let from = Evidence { x, ..from };
        if self.output_lanes == Lanes::Sixteen {
            self.instructions.visit(Hebbian { plan, from, out });
            return;
        }
        let (channels, area) = (self.shape.c_out, self.out_area());
        let mut codes = vec![0; from.winners.len()];
        pack(channels, area, from.winners, &mut codes);
        let mut lines =
            Line::zeros(if let Modulation::Map(m) = from.modulation { m.len() } else { 0 });
        let modulation = match from.modulation {
            Modulation::PerPatch(_) | Modulation::Rows(_) => from.modulation,
            Modulation::Map(m) => {
                pack::<f32>(channels, area, m, bytemuck::cast_slice_mut(&mut lines));
                Modulation::Map(bytemuck::cast_slice(&lines))
            }
        };
        let from = Evidence { winners: &codes, modulation, ..from };
        self.instructions.visit(Hebbian { plan, from, out });
    }

    /// The input in lines, if it is not in lines already.
    fn packed_input(&self, x: &[f32]) -> Option<Vec<Line>> {
        (self.input_lanes == Lanes::One).then(|| {
            let mut lines = Line::zeros(x.len());
            let to = bytemuck::cast_slice_mut(&mut lines);
            pack::<f32>(self.shape.c_in, self.shape.in_area(), x, to);
            lines
        })
    }

    /// Runs `visitor` with the scheme of this plan.
    fn with_scheme<V: SchemeVisitor>(self, visitor: V) {
        if !self.uses_winograd() {
            visitor.visit(&Direct::new(self));
        } else if self.is_two_by_two() {
            visitor.visit(&TwoByTwo::new(self));
        } else {
            visitor.visit(&FourByFour::new(self));
        }
    }
}

fn check_len(name: &str, expected: usize, got: usize) {
    assert_eq!(expected, got, "{name}: expected {expected} elements, got {got}");
}

/// Something to do with a scheme.
trait SchemeVisitor {
    fn visit<W: Scheme>(self, scheme: &W);
}

struct Forward<'a> {
    plan: ConvPlan,
    from: Inputs<'a>,
    out: Outputs<'a>,
}

struct Hebbian<'a> {
    plan: ConvPlan,
    from: Evidence<'a>,
    out: [&'a mut [f32]; 2],
}

/// A call and its proof of instructions.
struct With<S, C>(S, C);

impl Kernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.plan.with_scheme(With(simd, self));
    }
}

impl<S: Simd> SchemeVisitor for With<S, Forward<'_>> {
    fn visit<W: Scheme>(self, scheme: &W) {
        forward(self.0, scheme, self.1.from, self.1.out);
    }
}

impl Kernel for Hebbian<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.plan.with_scheme(With(simd, self));
    }
}

impl<S: Simd> SchemeVisitor for With<S, Hebbian<'_>> {
    fn visit<W: Scheme>(self, scheme: &W) {
        let Hebbian { plan, from, out: [dw, db] } = self.1;
        let (patches, rows);
        let active = match from.modulation {
            // A row of the product is one of the modulation: neither a tile nor a pooled block.
            Modulation::Rows(m) if W::FREQUENCIES == 1 && plan.pool.side() == 1 => {
                rows = active_rows(plan.shape.c_out, m);
                // All rows are neighbours, which single sites are not.
                let all = rows.len() * plan.shape.c_out == m.len();
                if all { Active::All } else { Active::Sites(&rows) }
            }
            Modulation::PerPatch(m) | Modulation::Map(m) | Modulation::Rows(m) => {
                patches = active_patches(&plan, m);
                Active::Patches(&patches)
            }
        };
        hebbian(self.0, scheme, from, active, dw);
        bias_update(self.0, &plan, from, active, db);
    }
}
