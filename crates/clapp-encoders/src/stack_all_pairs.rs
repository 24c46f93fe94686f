//! A stack whose layers learn by all pairs of the batch.

use clapp_rules::{AllPairs, Contrast, GridShape, Optimizer, Watched};

use crate::{Cut, DrawPairs, Learn, LocalLayer, Seen, Stack};

impl<L: LocalLayer, C: Cut<Pieces = L::Input>> Stack<L, C> {
    /// One step of learning by [`AllPairs`]: every layer sees the batch, predicts, and changes its own
    /// weights; returns the numbers to watch of every layer.
    ///
    /// `draw` flips the coins of time-local learning, layer by layer; see [`AllPairs::draw`].
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn step_all_pairs(
        &mut self,
        raw: C::Raw,
        rule: &AllPairs,
        optimizer: &Optimizer,
        draw: &mut DrawPairs<'_>,
    ) -> Vec<Watched> {
        let mut watched = Vec::with_capacity(self.layers.len());
        let contrast = rule.contrast();
        self.visit_all_pairs(contrast.as_ref(), raw, rule, draw, &mut |layer, lateral, learnt| {
            layer.learn(learnt.activity, learnt.modulation, optimizer);
            lateral.learn(learnt.update.predictors.clone(), optimizer);
            watched.push(learnt.update.watched());
        });
        watched
    }

    /// Walks up the stack and hands every layer what it has to learn by [`AllPairs`], without deciding what
    /// to do with it.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn visit_all_pairs(
        &mut self,
        contrast: &dyn Contrast,
        raw: C::Raw,
        rule: &AllPairs,
        draw: &mut DrawPairs<'_>,
        learn: &mut Learn<'_, L>,
    ) {
        let update = &mut |l: usize, seen: Seen<'_>| {
            let [batch, time, site, _] = seen.target.dims();
            let draws = draw(l, GridShape { batch, time, site });
            rule.update_with(contrast, seen.target, seen.context, seen.predictors, &draws)
        };
        self.walk(raw, update, learn);
    }
}
