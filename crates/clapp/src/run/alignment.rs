//! Whether the way back has come to be the transpose of the way forth.

use clapp_rules::{W_PRED, W_RETRO};
use clapp_store::{Checkpoint, TensorFile};

/// Cosine of W_pred and W_retroᵀ for every prediction of a checkpoint that has both, by name, and every prediction step.
///
/// ```text
/// a_k = ⟨W_pred,k , W_retro,kᵀ⟩ / (‖W_pred,k‖ ‖W_retro,k‖)
/// ```
///
/// 0 is where independent draws begin; 1 would mean that the local rule has found the weights that back-propagation
/// through a layer takes for granted.
///
/// # Paper
/// Illing et al. 2021, Sec. 3 and appendix: W_retro instead of weight transport.
///
/// # Example
///
/// ```no_run
/// use clapp::{run::retro_alignment, store::Checkpoint};
/// let newest = Checkpoint::load_newest("runs/quick-clapp")?.expect("a checkpoint");
/// for (layer, steps) in retro_alignment(&newest) {
///     println!("{layer}: {steps:.2?}");
/// }
/// # Ok::<(), clapp::store::Error>(())
/// ```
#[must_use]
pub fn retro_alignment(checkpoint: &Checkpoint) -> Vec<(String, Vec<f64>)> {
    let tensors = &checkpoint.tensors;
    let both = tensors.iter().filter_map(|(name, pred)| {
        let layer = name.strip_suffix(W_PRED)?.strip_suffix('.')?;
        let retro = tensors.get(&format!("{layer}.{W_RETRO}"))?;
        Some((layer.to_owned(), cosines(pred, retro)?))
    });
    both.collect()
}

/// For W_pred `[K, target, context]` and W_retro `[K, context, target]`.
fn cosines(pred: &TensorFile, retro: &TensorFile) -> Option<Vec<f64>> {
    let &[steps, targets, contexts] = pred.shape() else { return None };
    if retro.shape() != [steps, contexts, targets] {
        return None;
    }
    let (pred, retro) = (pred.values::<f32>()?, retro.values::<f32>()?);
    let step = |k: usize| {
        let (mut product, mut squares) = (0.0, [0.0; 2]);
        for (target, context) in (0..targets).flat_map(|t| (0..contexts).map(move |c| (t, c))) {
            let forth = f64::from(pred[(k * targets + target) * contexts + context]);
            let back = f64::from(retro[(k * contexts + context) * targets + target]);
            product += forth * back;
            squares = [squares[0] + forth * forth, squares[1] + back * back];
        }
        product / (squares[0] * squares[1]).sqrt()
    };
    Some((0..steps).map(step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_is_aligned_and_its_negative_the_other_way() {
        let pred = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let transposed = [1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0];
        let of = |shape: [usize; 3], values: &[f32]| TensorFile::from_values(shape, values);
        let cosine = |sign: f32| {
            let back = transposed.map(|value| sign * value);
            cosines(&of([1, 2, 3], &pred), &of([1, 3, 2], &back)).unwrap()[0]
        };
        assert!((cosine(0.5) - 1.0).abs() < 1e-12 && (cosine(-2.0) + 1.0).abs() < 1e-12);
        // As it stands, without the transpose, it is something else.
        let same = cosines(&of([1, 2, 3], &pred), &of([1, 3, 2], &pred)).unwrap()[0];
        assert!(same < 0.99, "{same}");
    }
}
