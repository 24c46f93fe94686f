//! Every context against every target: the score matrix, its diagonal and the rest.

use burn::tensor::Tensor;

/// Takes a block of rows of a score matrix apart: each context's own target, and all others.
///
/// The block holds the contexts `start..start + rows` of `n`, so its fixations stand on the diagonal
/// that begins at column `start`. [`join`] is the inverse; the order of the others is its business.
///
/// # Shapes
/// - `scores`: `[rows, n]`; returns `[rows, 1]` and `[rows, n − 1]`
pub(crate) fn split(scores: Tensor<2>, start: usize) -> (Tensor<2>, Tensor<2>) {
    let [rows, n] = scores.dims();
    let square = scores.clone().narrow(1, start, rows);
    let (fixation, others) = split_square(square);
    let mut parts = Vec::with_capacity(3);
    if start > 0 {
        parts.push(scores.clone().narrow(1, 0, start));
    }
    parts.extend(others);
    let right = n - start - rows;
    if right > 0 {
        parts.push(scores.narrow(1, start + rows, right));
    }
    (fixation, Tensor::cat(parts, 1))
}

/// Puts together what [`split`] took apart.
pub(crate) fn join(fixation: Tensor<2>, saccade: Tensor<2>, start: usize) -> Tensor<2> {
    let [rows, others] = saccade.dims();
    let inner = rows - 1;
    let square = match inner {
        0 => fixation,
        _ => join_square(fixation, saccade.clone().narrow(1, start, inner)),
    };
    let mut parts = Vec::with_capacity(3);
    if start > 0 {
        parts.push(saccade.clone().narrow(1, 0, start));
    }
    parts.push(square);
    let right = others - start - inner;
    if right > 0 {
        parts.push(saccade.narrow(1, start + inner, right));
    }
    Tensor::cat(parts, 1)
}

/// Diagonal and off-diagonal of a square matrix of `r` rows.
///
/// Read in one line and without its first number, it has the next diagonal number at the end of every
/// r + 1 numbers.
fn split_square(square: Tensor<2>) -> (Tensor<2>, Option<Tensor<2>>) {
    let [r, _] = square.dims();
    if r == 1 {
        return (square, None);
    }
    let line: Tensor<1> = square.reshape([r * r]);
    let first = line.clone().narrow(0, 0, 1).reshape([1, 1]);
    let rest = line.narrow(0, 1, r * r - 1).reshape([r - 1, r + 1]);
    let diagonal = Tensor::cat(vec![first, rest.clone().narrow(1, r, 1)], 0);
    (diagonal, Some(rest.narrow(1, 0, r).reshape([r, r - 1])))
}

fn join_square(diagonal: Tensor<2>, others: Tensor<2>) -> Tensor<2> {
    let [r, _] = diagonal.dims();
    let rest = Tensor::cat(
        vec![others.reshape([r - 1, r]), diagonal.clone().narrow(0, 1, r - 1)],
        1, // [r − 1, r + 1]
    );
    let first = diagonal.narrow(0, 0, 1).reshape([1]);
    Tensor::<1>::cat(vec![first, rest.reshape([r * r - 1])], 0).reshape([r, r])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn matrix(rows: usize, n: usize) -> Tensor<2> {
        Tensor::<1, burn::tensor::Int>::arange(0..(rows * n) as i64, &Device::flex())
            .float()
            .reshape([rows, n])
    }

    fn host(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    #[test]
    fn a_row_keeps_its_own_target_apart_from_all_others() {
        // Contexts 1 and 2 of four.
        let (own, others) = split(matrix(2, 4), 1);
        assert_eq!(host(own), [1.0, 6.0]);
        assert_eq!(host(others), [0.0, 2.0, 3.0, 4.0, 5.0, 7.0]);
    }

    #[test]
    fn blocks_of_every_size_come_together_again() {
        for n in 2..6 {
            for rows in 1..=n {
                for start in 0..=n - rows {
                    let block = matrix(rows, n);
                    let (own, others) = split(block.clone(), start);
                    assert_eq!(others.dims(), [rows, n - 1]);
                    let diagonal: Vec<f32> =
                        (0..rows).map(|row| (row * n + start + row) as f32).collect();
                    assert_eq!(host(own.clone()), diagonal);
                    assert_eq!(host(join(own, others, start)), host(block), "{rows} of {n}");
                }
            }
        }
    }

    #[test]
    fn no_other_context_gets_into_a_row() {
        let (_, others) = split(matrix(5, 5), 0);
        for (row, others) in host(others).chunks(4).enumerate() {
            assert!(others.iter().all(|&value| value as usize / 5 == row));
            assert!(others.iter().all(|&value| value as usize % 5 != row));
        }
    }
}
