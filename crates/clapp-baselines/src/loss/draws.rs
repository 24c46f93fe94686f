//! From explicit rows back to what was drawn.

use clapp_rules::{Draws, Pairs, Rows, Saccades};

/// Pairs as an oracle takes them, of what [`Plasticity::pairs`](clapp_rules::Plasticity::pairs) drew.
///
/// Contexts from a window are more than rows tell; take [`Rule::draw`](clapp_rules::Rule::draw) there.
///
/// ```
/// use clapp_baselines::draws_of;
/// use clapp_rules::{GridShape, Plasticity, Purpose, Rule, stream};
/// let (rule, grid) = (Rule::clapp(), GridShape { batch: 4, time: 7, site: 7 });
/// let open = || stream(2, Purpose::Negatives, [0; 4]);
/// assert_eq!(draws_of(&rule.pairs(grid, &mut open())), rule.draw(grid, &mut open()));
/// ```
#[must_use]
pub fn draws_of(sets: &[Rows]) -> Vec<Draws> {
    sets.iter().map(drawn).collect()
}

fn drawn(rows: &Rows) -> Draws {
    let outcomes = rows.outcomes.clone();
    let Saccades::Drawn { count, rows: places } = &rows.saccades else {
        return Draws { pairs: Vec::new(), outcomes, window: None };
    };
    let (count, span) = (*count, rows.grid.time * rows.grid.site);
    let mut rest = places.as_slice();
    let pairs = |&block: &usize| {
        let (own, later) = rest.split_at(block * count);
        rest = later;
        let steps = block / (rows.grid.batch * rows.grid.site);
        let shift = rows.grid.time - steps;
        // Places count in the grid of the targets that can come true.
        let index = |&place: &u32| {
            let (sample, position) = (place as usize / span, place as usize % span);
            (sample * steps * rows.grid.site + position - shift * rows.grid.site) as u32
        };
        Pairs { shift, count, index: own.iter().map(index).collect() }
    };
    Draws { pairs: rows.blocks.iter().map(pairs).collect(), outcomes, window: None }
}
