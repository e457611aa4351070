//! Where a training's batches come from: pictures, or the kept features of a frozen backbone.

use serde_json::{Value, json};
use tch::Tensor;

use super::features::{Rows, features};
use crate::error::Result;
use crate::images::augment::AugmentOptions;
use crate::images::{Batches, Dataset, epoch_order};
use crate::models::heads::Answer;
use crate::models::{Model, Pass};
use crate::runs::RunStore;

/// Which views of each picture there are.
#[derive(Clone, Debug)]
pub struct Views {
    /// How many; 0 stands for a new one each epoch.
    pub count: u32,
    /// None is the one centre view of evaluation.
    pub augment: Option<AugmentOptions>,
    pub seed: u64,
}

impl Views {
    /// The one view that evaluation sees.
    pub fn centre() -> Self {
        Views { count: 1, augment: None, seed: 0 }
    }

    pub fn fingerprint(&self) -> Value {
        match &self.augment {
            None => json!("centre"),
            Some(augment) => json!({ "count": self.count, "augment": augment, "seed": self.seed }),
        }
    }

    /// Every (image, view) of `n` images, in the order of [`Rows`].
    pub fn all(&self, n: usize) -> Vec<(u32, u32)> {
        (0..self.count.max(1)).flat_map(|view| (0..n as u32).map(move |image| (image, view))).collect()
    }

    /// The view that image `image` shows in epoch `epoch`: each of a fixed set comes equally often.
    pub fn of(&self, epoch: u64, image: u32) -> u32 {
        match self.count {
            0 => epoch as u32,
            count => ((epoch + u64::from(image)) % u64::from(count)) as u32,
        }
    }
}

/// One step's worth of input.
pub struct Batch {
    pub images: Vec<i64>,
    /// Position of each (image, view) among the rows of a fixed set of views.
    pub rows: Vec<i64>,
    /// What the model reads: normalised pictures or frozen features.
    pub x: Tensor,
}

/// The inputs of one data set for one model.
pub enum Inputs {
    /// Features of the frozen stages, for a fixed set of views.
    Frozen { rows: Rows, n: usize, views: Views },
    /// Pictures, decoded and augmented ahead of the step.
    Pictures { dataset: Dataset, views: Views },
}

impl Inputs {
    /// Prepares the inputs; computes frozen features when the model has frozen stages and they are not in the store.
    pub fn new(store: &RunStore, model: &Model, dataset: &Dataset, views: Views) -> Result<Inputs> {
        if model.spec.freeze > 0 && views.count > 0 {
            let rows = features(store, model, dataset, &views)?;
            return Ok(Inputs::Frozen { rows, n: dataset.len(), views });
        }
        Ok(Inputs::Pictures { dataset: dataset.clone(), views })
    }

    pub fn len(&self) -> usize {
        match self {
            Inputs::Frozen { n, .. } => *n,
            Inputs::Pictures { dataset, .. } => dataset.len(),
        }
    }

    /// The shuffled batches of one epoch from step `from` on; the last, smaller one is left out unless it is the only one.
    pub fn epoch<'a>(
        &'a self,
        model: &'a Model,
        epoch: u64,
        from: u64,
        batch: usize,
        seed: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        let order = epoch_order(seed, epoch, self.len());
        let views = self.views().clone();
        let order: Vec<(u32, u32)> = order.into_iter().map(|image| (image, views.of(epoch, image))).collect();
        let steps = steps_per_epoch(self.len(), batch) as usize;
        let order = order[(from as usize * batch).min(order.len())..(steps * batch).min(order.len())].to_vec();
        self.batches(model, order, batch)
    }

    /// Every (image, view) once, in the order of [`Rows`].
    pub fn all<'a>(&'a self, model: &'a Model, batch: usize) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        self.batches(model, self.views().all(self.len()), batch)
    }

    fn views(&self) -> &Views {
        match self {
            Inputs::Frozen { views, .. } | Inputs::Pictures { views, .. } => views,
        }
    }

    fn batches<'a>(
        &'a self,
        model: &'a Model,
        order: Vec<(u32, u32)>,
        batch: usize,
    ) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        let n = self.len() as i64;
        match self {
            Inputs::Frozen { rows, .. } => {
                let starts: Vec<usize> = (0..order.len()).step_by(batch).collect();
                Ok(Box::new(starts.into_iter().map(move |start| {
                    let part = &order[start..(start + batch).min(order.len())];
                    let which: Vec<i64> =
                        part.iter().map(|&(image, view)| i64::from(view) * n + i64::from(image)).collect();
                    let x = crate::torch::upload(&rows.take_maps(&which)?, model.device)?;
                    Ok(Batch { images: part.iter().map(|p| i64::from(p.0)).collect(), rows: which, x })
                })))
            }
            Inputs::Pictures { dataset, views } => {
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

    /// What the model says of a batch of these inputs.
    pub fn answer(&self, model: &Model, x: &Tensor, pass: Pass) -> Result<Answer> {
        match self {
            Inputs::Frozen { .. } => model.answer(x, pass),
            Inputs::Pictures { .. } => model.answer(&model.frozen_features(x)?, pass),
        }
    }

    /// Logits `[n, m]` of a batch of these inputs.
    pub fn logits(&self, model: &Model, x: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.answer(model, x, pass)?.logits)
    }
}

/// Whole batches only, but at least one.
pub fn steps_per_epoch(images: usize, batch: usize) -> u64 {
    ((images / batch) as u64).max(1)
}
