//! The state of a training between two steps, as one safetensors file that is written whole or not at all.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::hooks::Stopped;
use super::optimiser::{Average, CopyOf, Flat, UpdateRule};
use super::peers::Peers;
use crate::error::{Error, Result};
use crate::files::own;
use crate::models::weights;
use crate::torch::read_back_in_parts;

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
    /// The callback that has ended the training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// Threads, kind of CPU and libtorch of its steps, oldest first: more than one if it was stopped and went on with others, by which its
    /// last digits are those of neither.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_with: Vec<String>,
}

impl TrainingPosition {
    /// Notes what the next steps are computed with. Returns what the last ones were, where that is something else.
    pub fn goes_on_with(&mut self, here: &str) -> Option<String> {
        let before = self.made_with.last().filter(|before| *before != here).cloned();
        if self.made_with.is_empty() || before.is_some() {
            self.made_with.push(here.to_string());
        }
        before
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Best {
    /// Validation mAP in percent.
    pub map: f64,
    pub epoch: u64,
    /// Whether the averaged weights gave it.
    pub averaged: bool,
}

/// The number of updates of a checkpoint. Errors: Data when it is damaged.
pub fn updates(path: &Path) -> Result<u64> {
    let bad = |what: String| Error::in_file(path, format!("not a checkpoint of this training: {what}"));
    let (tensors, metadata) = weights::parse_safetensors(path, &own::read(path)?)?;
    let position = metadata.get(PROGRESS).ok_or_else(|| bad("no progress in it".into()))?;
    if metadata.get(DIGEST) != Some(&digest(position, &tensors)?) {
        return Err(bad("its content is not what was written".into()));
    }
    let position: TrainingPosition = crate::json::parse(position.as_bytes()).map_err(bad)?;
    Ok(position.updates)
}

/// All tensors that change while training.
pub struct TrainingState {
    pub flat: Flat,
    pub rule: UpdateRule,
    pub average: Average,
    /// Values and statistics of the best epoch.
    pub best: Option<(Tensor, Tensor)>,
    pub position: TrainingPosition,
    /// The lines of metrics.jsonl of finished epochs: that file is for those who look on, and is written again when a training
    /// goes on.
    pub metrics: String,
}

/// The tensor of [`TrainingState::metrics`], since the header of the file has a limit.
const METRICS: &str = "metrics";
/// The keys of the metadata.
const PROGRESS: &str = "progress";
const DIGEST: &str = "blake3";

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

    /// What a step changes, with its name in a sentence; the averages if they are kept.
    pub(super) fn changed(&self, averaged: bool) -> Vec<(&'static str, &Tensor)> {
        let mut tensors = vec![("the weights", &self.flat.values), ("the batch statistics", &self.flat.statistics)];
        if averaged {
            tensors.push(("the averaged weights", &self.average.values));
            tensors.push(("the averaged batch statistics", &self.average.statistics));
        }
        tensors.extend(self.rule.state().into_iter().map(|(_, tensor)| ("the moments of the optimiser", tensor)));
        tensors
    }

    /// The state as it is now. It shares the tensors, so it is to be written before they change.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_of(|tensor| Ok(tensor.f_detach()?))
    }

    /// The state as it is now, in tensors of its own on the same device. Errors: Memory, when there is none for them.
    pub fn copied(&self) -> Result<Snapshot> {
        self.snapshot_of(CopyOf::f_copy_of)
    }

    fn snapshot_of(&self, current: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Snapshot> {
        let mut tensors = Vec::new();
        for (name, tensor) in self.current() {
            tensors.push((name.to_string(), current(tensor)?));
        }
        // Replaced by others and never changed, so they are shared in any case.
        if let Some((values, statistics)) = &self.best {
            tensors.push(("best.values".to_string(), values.f_detach()?));
            tensors.push(("best.statistics".to_string(), statistics.f_detach()?));
        }
        tensors.push((METRICS.to_string(), Tensor::f_from_slice(self.metrics.as_bytes())?));
        let position = serde_json::to_string(&self.position).map_err(|e| Error::internal(e.to_string()))?;
        Ok(Snapshot { tensors, position })
    }

    /// Gives the other processes of the training the state of rank 0. Errors: one of them has ended.
    pub fn share(&mut self, peers: &Peers) -> Result<()> {
        // Not before all are ready, which may take longer than an operation of the group may.
        peers.meet("ready")?;
        let told = "position";
        if peers.is_first() {
            peers.tell(told, &serde_json::to_value(&self.position).map_err(|e| Error::internal(e.to_string()))?)?;
        } else {
            self.hear_position(peers, told)?;
        }
        peers.copy_first(self.current().into_iter().map(|(_, tensor)| tensor))
    }

    /// Goes on at the position that rank 0 tells. Errors: it has ended.
    pub fn hear_position(&mut self, peers: &Peers, told: &str) -> Result<()> {
        let position = peers.hear(told)?;
        self.position = serde_json::from_value(position)
            .map_err(|e| Error::internal(format!("rank 0 told another position: {e}")))?;
        self.rule.resume(self.position.updates);
        Ok(())
    }

    /// Continues from a checkpoint of the same model and options.
    ///
    /// Errors: Data when it is cut short, of another model or of another optimiser. The state is then unchanged.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let bad = |what: String| Error::in_file(path, format!("not a checkpoint of this training: {what}"));
        let (tensors, metadata) = weights::parse_safetensors(path, &own::read(path)?)?;
        let position = metadata.get(PROGRESS).ok_or_else(|| bad("no progress in it".into()))?;
        if metadata.get(DIGEST) != Some(&digest(position, &tensors)?) {
            return Err(bad("its content is not what was written".into()));
        }
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
        let metrics = tensors.iter().find(|(name, _)| name == METRICS).ok_or_else(|| bad("no metrics in it".into()))?;
        let metrics = Vec::<u8>::try_from(&metrics.1).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let metrics = metrics.ok_or_else(|| bad("its metrics are not a text".into()))?;
        if metrics.lines().count() as u64 != position.epoch {
            return Err(bad(format!("{} lines of metrics of {} epochs", metrics.lines().count(), position.epoch)));
        }
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
        self.metrics = metrics;
        Ok(())
    }
}

/// The state of a training at one moment.
pub struct Snapshot {
    tensors: Vec<(String, Tensor)>,
    /// As JSON.
    position: String,
}

impl Snapshot {
    /// Writes the checkpoint. Errors: Io (a full disk, a read-only folder); the previous checkpoint is then kept.
    pub fn write(self, path: &Path) -> Result<()> {
        let mut tensors = Vec::new();
        for (name, tensor) in self.tensors {
            // One copy from the device, for the digest and for the file.
            tensors.push((name, read_back_in_parts(&tensor)?));
        }
        let digest = digest(&self.position, &tensors)?;
        let metadata = [(PROGRESS.to_string(), self.position), (DIGEST.to_string(), digest)];
        own::write(path, &weights::to_safetensors(&tensors, &metadata)?)
    }
}

/// A digest of the position and of all tensors in the order of their names, as they are on the CPU.
fn digest(position: &str, tensors: &[(String, Tensor)]) -> Result<String> {
    let mut sorted: Vec<&(String, Tensor)> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hasher = blake3::Hasher::new();
    hasher.update(position.as_bytes());
    let mut bytes = Vec::new();
    for (name, tensor) in sorted {
        let tensor = tensor.f_contiguous()?;
        let count = tensor.numel();
        bytes.resize(count * tensor.kind().elt_size_in_bytes(), 0);
        tensor.f_copy_data_u8(&mut bytes, count)?;
        hasher.update(format!("\n{name} {:?} {:?} ", tensor.kind(), tensor.size()).as_bytes());
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
}
