//! The state of a training between two steps, as one safetensors file that appears whole or not at all.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::optimiser::{Adam, Average, Flat};
use crate::error::{Error, Result};
use crate::models::weights;

/// Where a training stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs done.
    pub epoch: u64,
    /// Steps done within the epoch that is under way.
    pub step: u64,
    /// Optimiser updates done in all.
    pub updates: u64,
    /// Sum of the losses of the steps of this epoch so far, and how many images they saw.
    pub loss_sum: f64,
    pub loss_images: u64,
    /// The best validation mAP so far (in percent), its epoch, and whether the averaged weights gave it.
    pub best: Option<Best>,
    /// Seconds of training so far, over all its sittings.
    pub seconds: f64,
    /// Bytes of metrics.jsonl that belong to the epochs done: what comes after them is cut off on resuming.
    pub metrics_bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Best {
    pub map: f64,
    pub epoch: u64,
    pub averaged: bool,
}

/// All tensors that change while training.
pub struct State {
    pub flat: Flat,
    pub adam: Adam,
    pub average: Average,
    /// Values and statistics of the best epoch.
    pub best: Option<(Tensor, Tensor)>,
    pub progress: Progress,
}

impl State {
    fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        let mut tensors = vec![
            ("values", &self.flat.values),
            ("statistics", &self.flat.statistics),
            ("adam.mean", &self.adam.mean),
            ("adam.square", &self.adam.square),
            ("average.values", &self.average.values),
            ("average.statistics", &self.average.statistics),
        ];
        if let Some((values, statistics)) = &self.best {
            tensors.push(("best.values", values));
            tensors.push(("best.statistics", statistics));
        }
        tensors
    }

    /// Writes the checkpoint. Errors: Io (a full disk, a read-only folder); the previous checkpoint then stays.
    pub fn save(&self, path: &Path) -> Result<()> {
        let tensors: Vec<(String, Tensor)> =
            self.tensors().into_iter().map(|(name, t)| (name.to_string(), t.shallow_clone())).collect();
        let progress = serde_json::to_string(&self.progress).map_err(|e| Error::internal(e.to_string()))?;
        weights::write_safetensors(path, &tensors, &[("progress".to_string(), progress)])
    }

    /// Continues from a checkpoint of the same model and options.
    ///
    /// Errors: Data when it is cut short or of another model; the state is then unchanged.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let bad = |what: String| Error::data(format!("{}: not a checkpoint of this training: {what}", path.display()));
        let (tensors, metadata) = weights::read_safetensors(path)?;
        let progress = metadata.get("progress").ok_or_else(|| bad("no progress in it".into()))?;
        let progress: Progress = serde_json::from_str(progress).map_err(|e| bad(e.to_string()))?;
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
        for (name, tensor) in self.tensors().into_iter().take(6) {
            read.push((tensor.shallow_clone(), find(name, tensor)?));
        }
        let best = match progress.best {
            Some(_) => Some((find("best.values", &self.flat.values)?, find("best.statistics", &self.flat.statistics)?)),
            None => None,
        };
        for (mut into, from) in read {
            tch::no_grad(|| into.f_copy_(&from))?;
        }
        self.best = best;
        self.adam.step = progress.updates;
        self.progress = progress;
        Ok(())
    }
}
