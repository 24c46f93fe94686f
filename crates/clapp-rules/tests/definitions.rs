//! What runs is what is documented: the update of all pairs at once, put together from the functions of
//! single equations.

mod common;

use burn::tensor::{Device, Int, Tensor, TensorData};
use clapp_random::{Purpose, stream};
use clapp_rules::equations::{
    Gamma, context_modulation, delta_w_pred, delta_w_retro, dendritic_prediction, fixation_score,
    hinge, saccade_score, target_modulation, third_factor, weighted_targets,
};
use clapp_rules::{
    Feedback, GridShape, Lateral, Outcome, Plasticity, Rows, Rule, Saccades, Seen, Synapses,
};
use common::{Layer, distance, host, tensor};

/// Sums of some hundred products of doubles, in two orders.
const ROUNDING: f64 = 1e-12;
const GRID: GridShape = GridShape { batch: 3, time: 5, site: 2 };

fn places<const D: usize>(rows: &[u32], shape: [usize; D]) -> Tensor<D, Int> {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    Tensor::from_data(TensorData::new(rows, shape), &Device::flex())
}

/// Loss, modulation, ΔW_pred and ΔW_retro of synchronous rows, equation by equation.
fn by_equations(z: &Tensor<2>, c: &Tensor<2>, lateral: &Lateral, rows: &Rows) -> [Vec<f64>; 4] {
    let Saccades::Drawn { count, rows: saccades } = &rows.saccades else { unreachable!("drawn") };
    let [places_of_grid, channels] = z.dims();
    let steps = rows.blocks.len();
    let (mut loss, mut modulation) = (0.0, Tensor::zeros_like(z));
    let (mut w_pred, mut w_retro) = (Vec::new(), Vec::new());
    let mut first = 0;
    for (k, &n) in rows.blocks.iter().enumerate() {
        let block = first..first + n;
        first += n;
        let matrix = |name| lateral.weight(name).narrow(0, k, 1).reshape([channels, channels]);
        let at = |rows: &[u32], from: &Tensor<2>| from.clone().select(0, places(rows, [n]));
        let context = at(&rows.contexts[block.clone()], c);
        let target = at(&rows.fixations[block.clone()], z);
        let saccades = &saccades[block.start * count..block.end * count];
        let prediction = dendritic_prediction(context.clone(), matrix("w_pred"));
        let fixation = fixation_score(target, prediction.clone());
        let saccade = saccade_score(z.clone(), prediction.clone(), places(saccades, [n, *count]));
        let weight = 1.0 / (steps * n) as f64;
        let mean = hinge(fixation.clone(), Outcome::Fixation).sum()
            + hinge(saccade.clone(), Outcome::Saccade).sum() / *count as f64;
        loss += host(mean * weight)[0];
        let gamma = Gamma {
            fixation: third_factor(fixation, Outcome::Fixation) * weight,
            saccade: third_factor(saccade, Outcome::Saccade) * (weight / *count as f64),
        };
        let all: Vec<u32> = block
            .clone()
            .flat_map(|row| {
                let own = &saccades[(row - block.start) * count..][..*count];
                std::iter::once(rows.fixations[row]).chain(own.iter().copied())
            })
            .collect();
        let index = places(&all, [n, 1 + count]);
        let weighted = weighted_targets(&gamma, z.clone(), index.clone());
        let back = context_modulation(weighted.clone(), matrix("w_retro"));
        let contexts = places(&rows.contexts[block], [n]);
        modulation = modulation + target_modulation(&gamma, prediction, index, places_of_grid);
        modulation =
            modulation.select_assign(0, contexts, back, burn::tensor::IndexingUpdateOp::Add);
        w_pred.extend(host(delta_w_pred(weighted.clone(), context.clone())));
        w_retro.extend(host(delta_w_retro(weighted, context)));
    }
    [vec![loss], host(modulation), w_pred, w_retro]
}

#[test]
fn an_update_is_the_sum_of_its_equations() {
    let negatives = clapp_rules::Negatives { count: 3, ..Rule::clapp_s().negatives };
    let feedback = Feedback::PredRetroShared;
    let rule = Rule { feedback, negatives, prediction_steps: 2, ..Rule::clapp_s() };
    let mut random = stream(4, Purpose::Test, [0; 4]);
    let layer = Layer::random([GRID.batch, GRID.time, GRID.site], [3, 3], 2, &mut random);
    let synapses = |weights| Synapses::new(tensor(weights));
    let lateral = Lateral::default()
        .with("w_pred", synapses(&layer.w_pred))
        .with("w_retro", synapses(&layer.w_retro));
    let rows = rule.pairs(GRID, &mut random);
    let z: Tensor<4> = tensor(&layer.z);
    let flat = z.clone().reshape([GRID.rows(0), 3]);
    let expected = by_equations(&flat, &flat, &lateral, &rows[0]);
    let update =
        rule.changes(Seen { layer: 0, target: z, context: None, lateral: &lateral, rows: &rows });
    let found = [
        vec![update.monitor().loss],
        host(update.modulation()),
        host(update.lateral.delta("w_pred")),
        host(update.lateral.delta("w_retro")),
    ];
    for (what, (found, expected)) in
        ["loss", "modulation", "ΔW_pred", "ΔW_retro"].iter().zip(found.iter().zip(&expected))
    {
        let d = distance(found, expected);
        assert!(d < ROUNDING, "{what} differs by {d:.1e}");
        assert!(common::norm(expected) > 0.0, "{what} of zeros shows nothing");
    }
}
