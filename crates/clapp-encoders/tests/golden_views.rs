//! CLAPP++, DFB, both, and LPL against the values of their authors' code.

use burn::tensor::{DType, Device, Tensor};
use clapp_encoders::{Learnt, LocalActivity};
use clapp_rules::{
    Lateral, Lpl, Metrics, Optimizer, Plasticity, Purpose, Seen, ViewNegatives,
    equations::view_scores, stream,
};
use clapp_testing::golden::{Bounds, F32, F64, LplPairs, Report, Views, compare_files};

/// Tensors of the files in `golden`, in both precisions.
const COMPARED: usize = 214;
/// A loss that is a difference of two means cancels.
const DIFFERENCE: f64 = 100.0;

#[test]
fn updates_equal_the_authors_gradients() {
    compare_files(COMPARED, |golden, report| {
        let (views, lpl) = (Views::of(golden), LplPairs::of(golden));
        if views.is_none() && lpl.is_none() {
            return Err("no two views of each image".into());
        }
        for bounds in [F64, F32] {
            report.precision(bounds);
            if let Some(views) = &views {
                check(views, bounds, report);
            }
            if let Some(lpl) = &lpl {
                check_lpl(lpl, bounds, report);
            }
        }
        Ok(())
    });
}

/// Batch by batch, as estimates go from one to the next.
fn check_lpl(lpl: &LplPairs<'_>, bounds: Bounds, report: &mut Report<'_>) {
    let (on, rule) = ((&Device::flex(), bounds.dtype), lpl.rule());
    let mut laterals = lpl.laterals(on);
    let only = Lpl { pull: 0.0, push: 0.0, decorrelation: 0.0, ..rule };
    let terms = [
        ("pull", Lpl { pull: 1.0, ..only }),
        ("push", Lpl { push: 1.0, ..only }),
        ("decorrelation", Lpl { decorrelation: 1.0, ..only }),
    ];
    for batch in 0..lpl.batches() {
        let mut values = Vec::new();
        for (l, lateral) in laterals.iter_mut().enumerate() {
            let z = lpl.views(batch, l, on);
            let [samples, _, _, units] = z.dims();
            let images = samples / 2;
            let changes = |rule: &Lpl, lateral: &Lateral| {
                rule.changes(Seen {
                    layer: 0,
                    target: z.clone(),
                    context: None,
                    lateral,
                    rows: &[],
                })
            };
            let name = format!("batch{batch}.layer{l}");
            let view = |told: &Tensor<4>, v: usize| told.clone().narrow(0, v * images, images);
            let update = changes(&rule, lateral);
            for v in 0..2 {
                let (name, told) = (format!("{name}.z{}", v + 1), view(&update.target, v));
                let m = told.clone() * ((images * units) as f64 / (2.0 * rule.pull));
                report.value(&format!("{name}.modulation"), m);
                report.update(&name, told);
                for (term, rule) in &terms {
                    let told = view(&changes(rule, lateral).target, v);
                    report.update(&format!("{name}.{term}"), told);
                }
            }
            values.push(update.metrics.values);
            lateral.learn(update.lateral, &Optimizer::default());
            if rule.stale {
                report.value(&format!("{name}.mean"), lateral.statistic("mean"));
                report.value(&format!("{name}.var"), lateral.statistic("variance"));
            }
        }
        let values = Tensor::stack::<2>(values, 0); // [layers, 4]
        let column = |at| values.clone().narrow(1, at, 1);
        report.value(&format!("batch{batch}.loss"), column(0).sum());
        for (at, (term, _)) in (1..).zip(&terms) {
            report.value(&format!("batch{batch}.{term}"), column(at));
        }
    }
}

/// `[N, channel · cell]` from what a layer shows, `[N, 1, cell, channel]`.
fn theirs(shown: Tensor<4>) -> Tensor<2> {
    let [samples, time, site, channels] = shown.dims();
    let cells = time * site;
    let channel_first = shown.reshape([samples, cells, channels]).swap_dims(1, 2);
    channel_first.reshape([samples, channels * cells])
}

fn check(views: &Views<'_>, bounds: Bounds, report: &mut Report<'_>) {
    let on = (&Device::flex(), bounds.dtype);
    let (rule, mut stack) = (views.rule(), views.stack(on));
    let pairs: Vec<[usize; 2]> = stack.predictions.iter().map(|p| [p.target, p.context]).collect();
    let cyclic = rule.negatives == ViewNegatives::Cyclic;
    let mut draw = |p: usize, grid| {
        let [target, _] = pairs[p];
        let rows = views.draws(p, target, grid);
        if cyclic {
            assert_eq!(rows, rule.pairs(grid, &mut stream(2, Purpose::Test, [0; 4])));
        }
        rows
    };
    let mut shown = vec![None; views.modules()];
    let mut losses = vec![Vec::new(); views.modules()];
    let widened = views.linear() && bounds.dtype == DType::F32;
    let wider = if widened { DIFFERENCE } else { 1.0 };
    stack.visit(views.images(on), &rule, &mut draw, &mut |learnt| match learnt {
        Learnt::Lateral { prediction: p, update, metrics, .. } => {
            let [target, _] = pairs[p];
            let loss = loss(&metrics);
            report.value_within(&format!("{}.loss", views.name(p, target)), loss.clone(), wider);
            losses[target].push(loss);
            for (name, delta) in views.lateral_changes(p, pairs[p], &update) {
                report.update(&name, delta);
            }
        }
        Learnt::Layer { index, layer, activity, told } => {
            let name = format!("module{index}");
            let z = activity.show(rule.shows_layer(index));
            report.value(&format!("{name}.representation"), theirs(z.clone()));
            report.value(&format!("{name}.modulation"), theirs(told.m.clone()));
            let delta = layer.change(&activity, told);
            report.update(&format!("{name}.conv0.weight"), delta.weight);
            report.update(&format!("{name}.conv0.bias"), delta.bias);
            shown[index] = Some(z);
        }
    });
    let sums = losses.into_iter().map(|of_layer| Tensor::stack::<2>(of_layer, 0).sum());
    report.value_within("losses", Tensor::<1>::cat(sums.collect(), 0), wider);
    for (p, prediction) in stack.predictions.iter().enumerate() {
        let show = |layer: usize| shown[layer].clone().expect("every layer is visited");
        let [target, context] = [show(prediction.target), show(prediction.context)];
        let [samples, time, site, _] = target.dims();
        let rows = views.draws(p, prediction.target, [samples, time, site].into());
        let lateral = &prediction.lateral;
        let seen = Seen { layer: 0, target, context: Some(context), lateral, rows: &rows };
        let name = views.name(p, prediction.target);
        for (part, scores) in ["u_pos", "u_neg"].into_iter().zip(view_scores(&seen)) {
            report.value(&format!("{name}.{part}"), scores);
        }
    }
}

fn loss(metrics: &Metrics) -> Tensor<1> {
    let at = metrics.names.iter().position(|&name| name == "loss").expect("a contrastive rule");
    metrics.values.clone().narrow(0, at, 1)
}
