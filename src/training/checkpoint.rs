//! The state of a training between two steps, as one safetensors file that is written whole or not at all.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::optimiser::{Average, Flat, UpdateRule};
use crate::error::{Error, Result};
use crate::models::weights;

/// The position of a training.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TrainingPosition {
    /// Finished epochs.
    pub epoch: u64,
    /// Finished steps of the current epoch.
    pub step: u64,
    /// Optimiser updates over all epochs.
    pub updates: u64,
    /// Sum of the losses of this epoch's finished steps, and their number of images.
    pub loss_sum: f64,
    pub loss_images: u64,
    /// The best evaluation so far.
    pub best: Option<Best>,
    /// Seconds of training so far, earlier processes included.
    pub seconds: f64,
    /// Bytes of metrics.jsonl that belong to finished epochs. A resumed training cuts off the rest.
    pub metrics_bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Best {
    /// Validation mAP in percent.
    pub map: f64,
    pub epoch: u64,
    /// Whether the averaged weights gave it.
    pub averaged: bool,
}

/// All tensors that change while training.
pub struct TrainingState {
    pub flat: Flat,
    pub rule: UpdateRule,
    pub average: Average,
    /// Values and statistics of the best epoch.
    pub best: Option<(Tensor, Tensor)>,
    pub position: TrainingPosition,
}

impl TrainingState {
    /// The tensors that every checkpoint holds.
    fn current(&self) -> Vec<(&'static str, &Tensor)> {
        let mut tensors = vec![
            ("values", &self.flat.values),
            ("statistics", &self.flat.statistics),
            ("average.values", &self.average.values),
            ("average.statistics", &self.average.statistics),
        ];
        tensors.extend(self.rule.state());
        tensors
    }

    fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        let mut tensors = self.current();
        if let Some((values, statistics)) = &self.best {
            tensors.push(("best.values", values));
            tensors.push(("best.statistics", statistics));
        }
        tensors
    }

    /// Writes the checkpoint. Errors: Io (a full disk, a read-only folder); the previous checkpoint is then kept.
    pub fn save(&self, path: &Path) -> Result<()> {
        let tensors: Vec<(String, Tensor)> =
            self.tensors().into_iter().map(|(name, t)| (name.to_string(), t.shallow_clone())).collect();
        let position = serde_json::to_string(&self.position).map_err(|e| Error::internal(e.to_string()))?;
        weights::write_safetensors(path, &tensors, &[("progress".to_string(), position)])
    }

    /// Continues from a checkpoint of the same model and options.
    ///
    /// Errors: Data when it is cut short, of another model or of another optimiser. The state is then unchanged.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let bad = |what: String| Error::in_file(path, format!("not a checkpoint of this training: {what}"));
        let (tensors, metadata) = weights::read_safetensors(path)?;
        let position = metadata.get("progress").ok_or_else(|| bad("no progress in it".into()))?;
        let position: TrainingPosition = crate::json::parse(position.as_bytes()).map_err(bad)?;
        let find = |name: &str, like: &Tensor| {
            let tensor = tensors
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, t)| t)
                .ok_or_else(|| bad(format!("no {name} in it")))?;
            if tensor.size() != like.size() {
                return Err(bad(format!("{name} is {:?}, not {:?}", tensor.size(), like.size())));
            }
            Ok(tensor.f_to_device(like.device())?)
        };
        let mut read = Vec::new();
        for (name, tensor) in self.current() {
            read.push((tensor.shallow_clone(), find(name, tensor)?));
        }
        let best = match position.best {
            Some(_) => Some((find("best.values", &self.flat.values)?, find("best.statistics", &self.flat.statistics)?)),
            None => None,
        };
        for (mut into, from) in read {
            tch::no_grad(|| into.f_copy_(&from))?;
        }
        self.best = best;
        self.rule.resume(position.updates);
        self.position = position;
        Ok(())
    }
}
