//! Competition, and the parts of a layer around it, on activities in lines of 16 channels.

use burn::backend::flex::FlexTensor;

use super::{contiguous, dims, memory::Buffer, single_precision, slice};
use crate::kernels::{self, LANES, LineMap, instruction_set};
use crate::{CompetitionOps, Composed, MapWindow};

single_precision! {
    impl CompetitionOps for Flex {
        fn soft_winners(u: FlexTensor, temperature: f64) -> (FlexTensor, FlexTensor) {
            let [rows, channels] = dims(&u);
            let u = contiguous(u);
            let (mut y, mut decay) = (Buffer::new([rows, channels]), Buffer::new([channels]));
            let (isa, t) = (instruction_set(), temperature as f32);
            let sums = kernels::soft_winners(isa, slice(&u), channels, t, y.as_mut());
            decay.as_mut().copy_from_slice(&sums);
            (y.into_tensor(), decay.into_tensor())
        }

        fn map_moments(map: FlexTensor) -> (FlexTensor, FlexTensor) {
            if dims::<5>(&map)[4] != LANES {
                return <Self as CompetitionOps<Composed>>::map_moments(map);
            }
            let map = contiguous(map);
            let moments = kernels::map_moments(instruction_set(), lines(&map)).map(|values| {
                let mut to = Buffer::<f32>::new([values.len()]);
                to.as_mut().copy_from_slice(&values);
                to.into_tensor()
            });
            moments.into()
        }

        fn normalise_reflected(
            map: FlexTensor,
            mean: FlexTensor,
            scale: FlexTensor,
            border: usize,
        ) -> FlexTensor {
            let [n, blocks, height, width, lanes] = dims(&map);
            if lanes != LANES {
                return <Self as CompetitionOps<Composed>>::normalise_reflected(
                    map, mean, scale, border,
                );
            }
            let [map, mean, scale] = [map, mean, scale].map(contiguous);
            let size = [height, width].map(|side| side + 2 * border);
            let mut y = Buffer::new([n, blocks, size[0], size[1], LANES]);
            let line = [slice(&mean), slice(&scale)];
            kernels::normalise_reflected(lines(&map), line, border, y.as_mut());
            y.into_tensor()
        }

        fn triangle(map: FlexTensor, power: f64, window: MapWindow) -> FlexTensor {
            let [n, blocks, height, width, lanes] = dims(&map);
            if lanes != LANES {
                return <Self as CompetitionOps<Composed>>::triangle(map, power, window);
            }
            let map = contiguous(map);
            let [rows, columns] = window.output_size([height, width]);
            let mut y = Buffer::new([n, blocks, rows, columns, LANES]);
            let (isa, p) = (instruction_set(), power as f32);
            kernels::triangle(isa, lines(&map), p, window, y.as_mut());
            y.into_tensor()
        }
    }
}

/// A contiguous map in lines.
fn lines(map: &FlexTensor) -> LineMap<'_> {
    let [_, blocks, height, width, _] = dims(map);
    LineMap { values: slice(map), channels: blocks * LANES, size: [height, width] }
}
