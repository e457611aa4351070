//! Batches of inputs for a model: from pictures, or from the kept features of a frozen backbone.

use std::ops::Range;

use tch::Tensor;

use super::frozen_features::frozen_features;
use super::peers::Peers;
use super::stored_rows::StoredRows;
use super::views::Views;
use crate::error::Result;
use crate::images::{Batches, Dataset, epoch_order};
use crate::models::heads::{Answer, Truth};
use crate::models::{Model, Pass};
use crate::runs::RunStore;

/// The input of one step.
pub struct Batch {
    pub images: Vec<i64>,
    /// Position of each (image, view) among the rows of a fixed set of views.
    pub rows: Vec<i64>,
    /// Normalised pictures or frozen features.
    pub x: Tensor,
}

/// The inputs of one data set for one model.
pub enum ModelInputs {
    /// Features of the frozen stages, for a fixed set of views.
    Frozen { rows: StoredRows, n: usize, views: Views },
    /// Pictures, decoded and augmented ahead of the step.
    Pictures { dataset: Dataset, views: Views },
}

impl ModelInputs {
    /// Prepares the inputs. Frozen features that the model needs and the store does not have are computed.
    pub fn new(store: &RunStore, model: &Model, dataset: &Dataset, views: Views) -> Result<ModelInputs> {
        if model.spec.freeze > 0 && views.count > 0 {
            let rows = frozen_features(store, model, dataset, &views)?;
            return Ok(ModelInputs::Frozen { rows, n: dataset.len(), views });
        }
        Ok(ModelInputs::Pictures { dataset: dataset.clone(), views })
    }

    /// Number of pictures.
    pub fn num_pictures(&self) -> usize {
        match self {
            ModelInputs::Frozen { n, .. } => *n,
            ModelInputs::Pictures { dataset, .. } => dataset.len(),
        }
    }

    /// The shuffled batches of one epoch: those of `steps`, and of each this process's part. The last batch of the epoch may be
    /// smaller.
    pub fn epoch<'a>(
        &'a self,
        model: &'a Model,
        epoch: u64,
        steps: Range<u64>,
        batch: usize,
        seed: u64,
        peers: &Peers,
    ) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        let order = epoch_order(seed, epoch, self.num_pictures());
        let views = self.views().clone();
        let order: Vec<(u32, u32)> = order.into_iter().map(|image| (image, views.of(epoch, image))).collect();
        let at = |step: u64| (step as usize * batch).min(order.len());
        let order = &order[at(steps.start)..at(steps.end)];
        // Smaller batches have no larger parts, so the parts are cut where they were put together.
        let own = order.chunks(batch).flat_map(|whole| &whole[peers.part(whole.len())]).copied().collect();
        self.batches(model, own, peers.part(batch).len())
    }

    /// Every (image, view) once, in the order of [`StoredRows`].
    pub fn all<'a>(&'a self, model: &'a Model, batch: usize) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        self.batches(model, self.views().all(self.num_pictures()), batch)
    }

    fn views(&self) -> &Views {
        match self {
            ModelInputs::Frozen { views, .. } | ModelInputs::Pictures { views, .. } => views,
        }
    }

    fn batches<'a>(
        &'a self,
        model: &'a Model,
        order: Vec<(u32, u32)>,
        batch: usize,
    ) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        let n = self.num_pictures() as i64;
        match self {
            ModelInputs::Frozen { rows, .. } => {
                let starts: Vec<usize> = (0..order.len()).step_by(batch).collect();
                Ok(Box::new(starts.into_iter().map(move |start| {
                    let part = &order[start..(start + batch).min(order.len())];
                    let which: Vec<i64> =
                        part.iter().map(|&(image, view)| i64::from(view) * n + i64::from(image)).collect();
                    let x = crate::torch::upload(&rows.take_maps(&which)?, model.device)?;
                    Ok(Batch { images: part.iter().map(|p| i64::from(p.0)).collect(), rows: which, x })
                })))
            }
            ModelInputs::Pictures { dataset, views } => {
                let side = model.image_size();
                let batches =
                    Batches::new(dataset.clone(), side as u32, views.augment.clone(), order, batch, views.seed)?;
                Ok(Box::new(batches.map(move |batch| {
                    let batch = batch?;
                    let pixels =
                        Tensor::f_from_slice(&batch.pixels)?.f_view([batch.rows.len() as i64, side, side, 3])?;
                    let rows =
                        batch.rows.iter().zip(&batch.views).map(|(&i, &v)| i64::from(v) * n + i64::from(i)).collect();
                    Ok(Batch {
                        images: batch.rows.iter().map(|&i| i64::from(i)).collect(),
                        rows,
                        x: model.normalise(&pixels)?,
                    })
                })))
            }
        }
    }

    /// The model's answer to a batch of these inputs; `truth` is that of a training step.
    pub fn answer(&self, model: &Model, x: &Tensor, pass: Pass, truth: Option<Truth>) -> Result<Answer> {
        match self {
            ModelInputs::Frozen { .. } => model.answer(x, pass, truth),
            ModelInputs::Pictures { .. } => model.answer(&model.frozen_features(x)?, pass, truth),
        }
    }

    /// Logits `[n, m]` of a batch of these inputs.
    pub fn logits(&self, model: &Model, x: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.answer(model, x, pass, None)?.logits)
    }
}

/// The number of batches of an epoch, at least one: of whole ones if `drop_last`, else of all.
pub fn steps_per_epoch(images: usize, batch: usize, drop_last: bool) -> u64 {
    let batches = if drop_last { images / batch } else { images.div_ceil(batch) };
    (batches as u64).max(1)
}

/// The number of images in the last batch of an epoch.
pub fn last_batch(images: usize, batch: usize, drop_last: bool) -> usize {
    match images % batch {
        0 => batch.min(images),
        _ if drop_last && images > batch => batch,
        rest => rest,
    }
}
