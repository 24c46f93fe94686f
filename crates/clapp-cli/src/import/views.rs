//! Weights of CLAPP++ and direct feedback, which compare two views: a matrix B for each layer, or two.

use clapp::{
    Error, Images, RunConfig,
    image::{ImageRule, Setup},
    rules::State,
};

use super::{Options, Weights, architecture, put};

/// Low ranks are two maps in a row.
const PARTS: [&str; 2] = ["0.weight", "1.weight"];

/// The authors' architecture, with the widths, cells and rank of the files.
pub(super) fn configuration(
    weights: &Weights,
    options: &Options,
) -> Result<RunConfig<Images>, Error> {
    let b = |layer: usize, part: &str| weights.sides(&format!("loss.W_k.{layer}.{part}"));
    let low = weights.has("loss.W_k.0.0.weight");
    // What is predicted, and from what.
    let sides = |layer| -> Result<[usize; 2], Error> {
        Ok(if low { [b(layer, PARTS[1])?[0], b(layer, PARTS[0])?[1]] } else { b(layer, "weight")? })
    };
    let [z, c] = sides(0)?;
    let method = match (weights.has("loss_lateral.W_k.0.weight"), z == c) {
        (true, _) => "both",
        (false, true) => "clapp-pp",
        (false, false) => "dfb",
    };
    let mut config = architecture(weights, options, method)?;
    let channels = config.setup.encoder.channels();
    let ImageRule::TwoViews(rule) = &mut config.setup.rule else {
        let (expected, advice) = ("a method that compares two views", "leave it out");
        return Err(Error::misfit_of("--method", expected, &config.method, advice));
    };
    for (layer, grid) in rule.grids.iter_mut().enumerate() {
        let [z, _] = sides(layer)?;
        *grid = (z / channels[layer]).isqrt();
    }
    rule.rank = if low { Some(b(0, PARTS[0])?[0]) } else { None };
    if !config.setup.readout.cells.is_empty() {
        config.setup.readout.cells.clone_from(&rule.grids);
    }
    Ok(config)
}

/// The authors' B, whose sides count channels first, cells second; ours count cells first.
pub(super) fn lateral(
    weights: &mut Weights,
    config: &RunConfig<Images>,
    state: &mut State,
) -> Result<(), Error> {
    let Setup { encoder, rule, context, .. } = &config.setup;
    let ImageRule::TwoViews(rule) = rule else { return Ok(()) };
    let channels = encoder.channels();
    let layers = channels.len();
    for (index, [target, from]) in context.predictions(layers).into_iter().enumerate() {
        let (loss, second) =
            if index < layers { ("loss", "") } else { ("loss_lateral", ".second") };
        let side = |layer: usize| [channels[layer], rule.grids[layer].pow(2)];
        let mut put_b = |theirs: &str, ours: &str, z: [usize; 2], c: [usize; 2]| {
            let shape = [z, c].map(|[channels, cells]| channels * cells);
            let values = weights.take(&format!("{loss}.W_k.{target}.{theirs}"), &shape)?;
            let name = format!("layer{}{second}.{ours}", target + 1);
            put(state, &name, reordered(&values, z, c), &[1, shape[0], shape[1]]);
            Ok::<_, Error>(())
        };
        match rule.rank {
            None => put_b("weight", "b", side(target), side(from))?,
            Some(rank) => {
                put_b(PARTS[0], "b_down", [rank, 1], side(from))?;
                put_b(PARTS[1], "b_up", side(target), [rank, 1])?;
            }
        }
    }
    Ok(())
}

/// From (channel, cell) to (cell, channel) on both sides.
fn reordered(b: &[f32], [zs, z_cells]: [usize; 2], [cs, c_cells]: [usize; 2]) -> Vec<f32> {
    let theirs = |i: usize, channels: usize, cells: usize| i % channels * cells + i / channels;
    let (rows, columns) = (zs * z_cells, cs * c_cells);
    let row = |z: usize| (0..columns).map(move |c| (z, c));
    let place = |(z, c)| theirs(z, zs, z_cells) * columns + theirs(c, cs, c_cells);
    (0..rows).flat_map(row).map(|at| b[place(at)]).collect()
}
