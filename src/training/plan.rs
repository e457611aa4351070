//! The trainings that a script would run: named, looked up in the run store and timed on a few pictures.
//!
//! The id of a run follows from its specification, which holds the ids of its teachers' runs and not their weights. So
//! a whole chain of teachers and students can be named before the first of them is trained.

use super::cost::Costs;
use super::job::Job;
use super::naming::NamedJob;
use super::run::load;
use super::trained_model::Trained;
use crate::error::Result;
use crate::runs::RunStore;

/// Trainings in the order in which a script asks for them.
pub struct Plan {
    pub trainings: Vec<Planned>,
    /// None when trainings are not timed.
    costs: Option<Costs>,
}

/// One training.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The run that it makes or made.
    pub id: String,
    pub name: String,
    /// The model in words: `resnet101 + gap at 448 px`.
    pub model: String,
    pub labels: usize,
    pub pictures: usize,
    pub epochs: u64,
    pub seed: u64,
    pub status: StoreStatus,
    /// Its time with this machine to itself. None when it is in the store or was not timed.
    pub seconds: Option<f64>,
    /// Bytes of its run on disk, with kept features and teacher outputs; 0 when it is in the store.
    pub bytes: u64,
    /// Bytes of its checkpoint, on top of the run while it trains.
    pub checkpoint: u64,
}

/// Whether a training is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreStatus {
    /// Finished.
    Stored,
    /// With a checkpoint from which it goes on.
    Stopped,
    New,
}

impl StoreStatus {
    pub fn name(self) -> &'static str {
        match self {
            StoreStatus::Stored => "stored",
            StoreStatus::Stopped => "begun",
            StoreStatus::New => "to do",
        }
    }
}

/// A checkpoint holds values, averages and the best values so far, in addition to the optimiser's state.
const CHECKPOINT: u64 = 3;

impl Plan {
    /// An empty plan. With `timing`, a few steps of every kind of training are run to estimate the time of all.
    pub fn new(timing: bool) -> Plan {
        Plan { trainings: Vec::new(), costs: timing.then(Costs::default) }
    }

    /// Adds a training, once however often it is asked for. Returns the model from the store, or one at its initial
    /// weights under the id that the trained model will have.
    ///
    /// Errors: those that the training itself would begin with (options, labels, missing weights).
    pub fn add(&mut self, store: &RunStore, job: &Job) -> Result<Trained> {
        let named = NamedJob::new(job)?;
        let found = store.find(&named.id);
        if !self.trainings.iter().any(|t| t.id == named.id) {
            let NamedJob { job, model, train, id, .. } = &named;
            let mut planned = Planned {
                id: id.clone(),
                name: job.name.clone(),
                model: format!("{} + {} at {} px", model.spec.backbone, model.spec.head, model.image_size()),
                labels: job.labels.len(),
                pictures: train.len(),
                epochs: job.options.epochs,
                seed: job.options.seed,
                status: match &found {
                    Some(_) => StoreStatus::Stored,
                    None if store.has_checkpoint(id) => StoreStatus::Stopped,
                    None => StoreStatus::New,
                },
                seconds: None,
                bytes: 0,
                checkpoint: 0,
            };
            if found.is_none() {
                planned.bytes = 4 * model.num_parameters().max(0) as u64;
                planned.checkpoint = (CHECKPOINT + job.options.optimiser.state_tensors()) * planned.bytes;
                if let Some(costs) = &mut self.costs {
                    let (seconds, bytes) = costs.of(&named)?;
                    planned.seconds = Some(seconds);
                    planned.bytes += bytes;
                }
            }
            self.trainings.push(planned);
        }
        match found {
            Some(run) => load(run),
            None => Ok(Trained::new(named.model, named.id, None, job.train.labels.labels().to_vec())),
        }
    }

    /// Trainings that the store does not have yet.
    pub fn to_do(&self) -> impl Iterator<Item = &Planned> {
        self.trainings.iter().filter(|t| t.status != StoreStatus::Stored)
    }

    /// Seconds of all trainings to do, one after the other. None when a training was not timed.
    pub fn seconds(&self) -> Option<f64> {
        self.to_do().map(|t| t.seconds).sum()
    }

    /// Bytes on disk of all trainings to do.
    pub fn bytes(&self) -> u64 {
        self.to_do().map(|t| t.bytes).sum()
    }

    /// Bytes of the largest checkpoint, on top of [`bytes`](Self::bytes) while its training runs.
    pub fn checkpoint(&self) -> u64 {
        self.to_do().map(|t| t.checkpoint).max().unwrap_or(0)
    }
}
