//! The batch of one step with its targets, mixed if the training mixes.

use tch::Tensor;

use super::TrainingLoop;
use crate::error::Result;
use crate::models::heads::Known;
use crate::training::mixing::{positions_with_partners, with_partners};
use crate::training::model_inputs::Batch;

/// The batch of one step, mixed if the training mixes.
pub(super) struct Step {
    pub x: Tensor,
    pub targets: Tensor,
    pub rows: Tensor,
    pub known: Option<Known>,
}

impl TrainingLoop<'_, '_> {
    /// The batch of a step with its targets, mixed if the training mixes.
    pub(super) fn step(&self, batch: &Batch, epoch: u64, step: u64) -> Result<Step> {
        let model = self.model;
        let [index, rows] = batch.positions(model.device)?;
        let targets = self.targets.f_index_select(0, &index)?;
        let known_rows = |images: &[i64]| {
            let rows = |known: &Vec<bool>| Known::rows(known, self.job.labels.len(), images, model.device);
            self.known.as_ref().map(rows).transpose()
        };
        let Some(mixing) = self.mixing else {
            let known = known_rows(&batch.images)?;
            return Ok(Step { x: batch.x.shallow_clone(), targets, rows, known });
        };
        let in_front = self.peers.size() > 1;
        let size = batch.x.size();
        let side = |dim: usize| size.get(dim).copied().unwrap_or(1);
        let mixture = mixing.step(epoch, step, (side(2), side(3)));
        let (own, partners) = with_partners(&batch.x, in_front)?;
        let x = mixture.pictures(&own, &partners)?;
        let (own, partners) = with_partners(&targets, in_front)?;
        let targets = mixture.targets(&own, &partners)?;
        let (rows, _) = with_partners(&rows, in_front)?;
        // A mixed entry is known where both are.
        let (own, partners) = positions_with_partners(&batch.images, in_front);
        let known = match (known_rows(&own)?, known_rows(&partners)?) {
            (Some(own), Some(partners)) => Some(own.among(partners.entries())?),
            _ => None,
        };
        Ok(Step { x, targets, rows, known })
    }
}
