//! The closed update of two views: scores of whole samples, modulations of their cells.

use burn::tensor::{DType, Tensor};
use clapp_backend::{block_outer, pair_scores};

use crate::{
    Contrast, Lateral, LateralUpdate, Rows, Seen, Update,
    equations::{Gamma, target_modulation, weighted_targets},
    pairs::Index,
    update::Metrics,
};

/// Name of the weights from context to target.
pub(crate) const B: &str = "b";
/// Name of the first of two such matrices, from the context to `rank` numbers.
pub(crate) const B_DOWN: &str = "b_down";
/// Name of the second, from these to the target.
pub(crate) const B_UP: &str = "b_up";

/// What all of an update begins with.
struct Scored {
    /// Samples as they are predicted, `[N·cells, channel]`.
    targets: Tensor<2>,
    /// Samples as they predict, `[N, dim p_f]`.
    contexts: Tensor<2>,
    /// What B's second matrix sees, `[N, rank]`.
    middle: Option<Tensor<2>>,
    /// B c, `[N·cells, channel]`.
    prediction: Tensor<2>,
    /// Places of z⁺ and z⁻, `[N·cells, 2]`.
    index: Index,
    /// u⁺ and u⁻ of every context, `[N, 2]`.
    scores: Tensor<2>,
}

/// u⁺ and u⁻ of every context.
///
/// ```text
/// u±_i = Σ_d z±_{i,d} (B c_i)_d        d over cells × channels
/// ```
///
/// # Shapes
/// - returns two of `[N]`
///
/// # Panics
///
/// If shapes or rows do not fit.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::equations::{view_rows, view_scores};
/// use clapp_rules::{Lateral, Seen, Synapses};
/// let device = Device::flex();
/// // Two views of two images, one number each: (1, 2) and (3, 4); B = 2.
/// let p = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &device).reshape([4, 1, 1, 1]);
/// let lateral = Lateral::default().with("b", Synapses::new(Tensor::full([1, 1, 1], 2.0, &device)));
/// let rows = [view_rows([4, 1, 1].into(), &[(1, 0), (2, 0), (3, 0), (0, 0)])];
/// let [positive, negative] =
///     view_scores(&Seen { layer: 0, target: p, context: None, lateral: &lateral, rows: &rows });
/// assert_eq!(positive.into_data().try_to_vec::<f32>().unwrap(), [6.0, 16.0, 6.0, 16.0]);
/// assert_eq!(negative.into_data().try_to_vec::<f32>().unwrap(), [8.0, 4.0, 12.0, 24.0]);
/// ```
#[must_use]
pub fn view_scores(seen: &Seen<'_>) -> [Tensor<1>; 2] {
    let Scored { scores, .. } = scored(seen);
    let [samples, _] = scores.dims();
    [0, 1].map(|column| scores.clone().narrow(1, column, 1).reshape([samples]))
}

fn scored(seen: &Seen<'_>) -> Scored {
    let [samples, time, site, channels] = seen.target.dims();
    let context = seen.context.as_ref().unwrap_or(&seen.target);
    let [others, context_time, context_site, context_channels] = context.dims();
    assert_eq!(others, samples, "views: expected contexts of {samples} samples, got {others}");
    let [rows] = seen.rows else {
        panic!("views: expected one set of rows, got {}", seen.rows.len());
    };
    let cells = time * site;
    check(rows, [samples, time, site]);
    let contexts =
        context.clone().reshape([samples, context_time * context_site * context_channels]);
    let targets = seen.target.clone().reshape([samples * cells, channels]);
    let (prediction, middle) = predict(&contexts, seen.lateral, cells * channels);
    let prediction = prediction.reshape([samples * cells, channels]);
    let index = rows.targets_on(&targets.device());
    let scores = pair_scores(prediction.clone(), targets.clone(), index.clone());
    let scores = scores.reshape([samples, cells, 2]).sum_dim(1).reshape([samples, 2]);
    Scored { targets, contexts, middle, prediction, index, scores }
}

/// That rows are those of every cell of every context, in order, with one saccade.
fn check(rows: &Rows, [samples, time, site]: [usize; 3]) {
    rows.check();
    let places = samples * time * site;
    assert_eq!(
        (rows.grid, rows.blocks.as_slice(), rows.saccades_per_row()),
        ([samples, time, site].into(), [places].as_slice(), 1),
        "views: expected {places} rows with one negative each of {samples} samples of {time} × {site} cells, got {:?} with {} of {:?}",
        rows.blocks,
        rows.saccades_per_row(),
        rows.grid
    );
    assert!(
        rows.outcomes.is_none() && rows.contexts.iter().zip(0..).all(|(&at, place)| at == place),
        "views: expected a row for every place in order, with both of its terms"
    );
}

/// B c of every sample `[N, dim p_l]`, and what lies between the two matrices of a low rank.
fn predict(
    contexts: &Tensor<2>,
    lateral: &Lateral,
    dimension: usize,
) -> (Tensor<2>, Option<Tensor<2>>) {
    let times = |c: &Tensor<2>, name: &str, expected: Option<usize>| {
        let weight = matrix(lateral, name);
        let ([post, pre], [_, given]) = (weight.dims(), c.dims());
        assert_eq!(
            [post, pre],
            [expected.unwrap_or(post), given],
            "views: expected {name} for samples of {given} numbers that predict {dimension}, got [{post}, {pre}]"
        );
        c.clone().matmul(weight.transpose())
    };
    if lateral.has(B) {
        return (times(contexts, B, Some(dimension)), None);
    }
    let middle = times(contexts, B_DOWN, None);
    (times(&middle, B_UP, Some(dimension)), Some(middle))
}

fn matrix(lateral: &Lateral, name: &str) -> Tensor<2> {
    let weight = lateral.weight(name);
    let [_, post, pre] = weight.dims();
    weight.reshape([post, pre])
}

/// Everything that one prediction teaches.
pub(crate) fn view_update(contrast: &dyn Contrast, seen: Seen<'_>) -> Update {
    let Scored { targets, contexts, middle, prediction, index, scores } = scored(&seen);
    let Seen { target, lateral, .. } = seen;
    let shape = target.dims();
    let [samples, time, site, channels] = shape;
    let (cells, share) = (time * site, 1.0 / samples as f64);
    let [fixation, saccade] = [0, 1].map(|column| scores.clone().narrow(1, column, 1));
    let third = contrast.third_factor(fixation.clone(), saccade.clone());
    let metrics = {
        let loss = (third.fixation_loss + third.saccade_loss).mean();
        let open = Tensor::cat(vec![third.fixation.clone(), third.saccade.clone()], 1);
        let open = open.abs().sign().mean();
        let accuracy = fixation.greater(saccade).float().cast(loss.dtype()).mean();
        Metrics::of_contrast(Tensor::cat(vec![loss, open, accuracy], 0))
    };
    // All cells of a context share its third factors.
    let of_cells =
        |gamma: Tensor<2>| (gamma * share).expand([samples, cells]).reshape([samples * cells, 1]);
    let gamma = Gamma { fixation: of_cells(third.fixation), saccade: of_cells(third.saccade) };
    let modulation = target_modulation(&gamma, prediction, index.clone(), samples * cells);
    let weighted = weighted_targets(&gamma, targets, index).reshape([samples, cells * channels]);
    let lateral = match middle {
        None => LateralUpdate::default().with(B, outer(weighted, contexts)),
        Some(middle) => {
            let back = weighted.clone().matmul(matrix(lateral, B_UP)); // [N, rank]
            LateralUpdate::default()
                .with(B_DOWN, outer(back, contexts))
                .with(B_UP, outer(weighted, middle))
        }
    };
    Update { lateral, metrics, ..Update::of(modulation.reshape(shape)) }
}

/// Change of a matrix, Σ_i post_i pre_iᵀ over samples, `[1, post, pre]`.
///
/// The same as [`delta_w_pred`](crate::equations::delta_w_pred), in about half the time on Flex where matrices
/// are thousands wide and samples few.
fn outer(post: Tensor<2>, pre: Tensor<2>) -> Tensor<3> {
    let [samples, _] = post.dims();
    let all = Tensor::arange(0..samples as i64, (&post.device(), DType::I32));
    block_outer((post, all.clone()), (pre, all), &[samples])
}
