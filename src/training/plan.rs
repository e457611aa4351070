//! What would be trained, without training it: jobs are named, looked up in the run store and timed on a few pictures.
//!
//! The name of a run follows from its specification, which holds the names of its teachers' runs and not their weights. So
//! a whole chain of teachers and students can be named before the first of them is trained.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::engine::Engine;
use super::hooks::Hooks;
use super::job::Job;
use super::options::{Images, TrainOptions};
use super::run::{Named, load};
use super::trained::Trained;
use crate::error::{Error, Result};
use crate::executors::pool;
use crate::images::Dataset;
use crate::losses::LossSpec;
use crate::runs::{Begun, RunStore};

/// Trainings in the order in which a script asks for them.
pub struct Plan {
    pub trainings: Vec<Planned>,
    /// Whether a few steps of every kind of training are run to tell how long all of it takes.
    timing: bool,
    costs: HashMap<String, Cost>,
    /// Features of frozen stages that were counted already: they are shared.
    features: HashSet<String>,
}

/// One training.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The run that it makes or made.
    pub id: String,
    pub name: String,
    /// What it trains: `resnet101 + gap at 448 px`.
    pub model: String,
    pub labels: usize,
    pub pictures: usize,
    pub epochs: u64,
    pub seed: u64,
    pub state: State,
    /// What it would take with this machine to itself; none when it is in the store, or was not timed.
    pub seconds: Option<f64>,
    /// What its run takes on disk, kept features and teacher outputs included; 0 when it is in the store.
    pub bytes: u64,
    /// What its checkpoint takes besides while it trains.
    pub checkpoint: u64,
}

/// What the store knows of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Stored,
    /// A checkpoint is there, from which it goes on.
    Begun,
    New,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Stored => "stored",
            State::Begun => "begun",
            State::New => "to do",
        }
    }
}

/// What a picture costs one kind of training on this machine, in seconds, and on disk.
#[derive(Clone, Copy)]
struct Cost {
    /// Once: decoding and the frozen stages, or the teachers' outputs, of all of its views.
    prepare: f64,
    /// Each epoch.
    step: f64,
    /// Each evaluation.
    validate: f64,
    /// Kept besides the model.
    bytes: f64,
}

/// Pictures that a timing takes: few where each is much work.
const FEW: usize = 2;
const MANY: usize = 32;
/// Models above this many parameters are timed on few pictures, on a CPU.
const LARGE: i64 = 4_000_000;
/// A checkpoint holds values, both of Adam's moments, averages, and the best values so far.
const CHECKPOINT: u64 = 5;

impl Plan {
    /// An empty plan.
    pub fn new(timing: bool) -> Plan {
        Plan { trainings: Vec::new(), timing, costs: HashMap::new(), features: HashSet::new() }
    }

    /// Puts a training down, once however often it is asked for, and stands in for it: with the model from the store, or
    /// one at its initial weights under the name that the trained one will have.
    ///
    /// Errors: those that the training itself would begin with (options, labels, weights that are not there).
    pub fn add(&mut self, store: &RunStore, job: &Job) -> Result<Trained> {
        let Named { job, model, train, val, id, .. } = Named::new(job)?;
        let found = store.find(&id);
        if !self.trainings.iter().any(|t| t.id == id) {
            let state = match &found {
                Some(_) => State::Stored,
                None if store.root().join(".work").join(&id).join("checkpoint.safetensors").exists() => State::Begun,
                None => State::New,
            };
            let options = &job.options;
            let weights = 4 * model.num_parameters().max(0) as u64;
            let mut planned = Planned {
                id: id.clone(),
                name: job.name.clone(),
                model: format!("{} + {} at {} px", model.spec.backbone, model.spec.head, model.image_size()),
                labels: job.labels.len(),
                pictures: train.len(),
                epochs: options.epochs,
                seed: options.seed,
                state,
                seconds: None,
                bytes: 0,
                checkpoint: 0,
            };
            if state != State::Stored {
                planned.bytes = weights;
                planned.checkpoint = CHECKPOINT * weights;
                if self.timing {
                    let cost = self.cost(&job, &train, &val, model.num_parameters())?;
                    let shared = shared_features(&job, &train);
                    let first = shared.is_none_or(|key| self.features.insert(key));
                    let evaluations = options.epochs.div_ceil(options.eval_period());
                    let n = train.len() as f64;
                    let prepare = if first { cost.prepare * n } else { 0.0 };
                    planned.seconds = Some(
                        prepare
                            + cost.step * n * options.epochs as f64
                            + cost.validate * val.len() as f64 * evaluations as f64,
                    );
                    planned.bytes += if first { (cost.bytes * n) as u64 } else { 0 };
                }
            }
            self.trainings.push(planned);
        }
        match found {
            Some(run) => load(run),
            None => Ok(Trained::new(model, id, None, job.train.labels.labels().to_vec())),
        }
    }

    /// Trainings that the store does not have yet.
    pub fn to_do(&self) -> impl Iterator<Item = &Planned> {
        self.trainings.iter().filter(|t| t.state != State::Stored)
    }

    /// Seconds of all that is to do, one after the other; none when a training was not timed.
    pub fn seconds(&self) -> Option<f64> {
        self.to_do().map(|t| t.seconds).sum()
    }

    /// What all that is to do leaves on disk.
    pub fn bytes(&self) -> u64 {
        self.to_do().map(|t| t.bytes).sum()
    }

    /// The largest checkpoint, which is there besides while its training runs.
    pub fn checkpoint(&self) -> u64 {
        self.to_do().map(|t| t.checkpoint).max().unwrap_or(0)
    }

    fn cost(&mut self, job: &Job, train: &Dataset, val: &Dataset, parameters: i64) -> Result<Cost> {
        let kind = kind(job);
        if let Some(&cost) = self.costs.get(&kind) {
            return Ok(cost);
        }
        let cost = time(job, train, val, parameters)?;
        self.costs.insert(kind, cost);
        Ok(cost)
    }
}

/// What decides the time that a picture takes: trainings that agree in it are timed once.
fn kind(job: &Job) -> String {
    let o = &job.options;
    let teachers = job.distillation.as_ref().map(|d| {
        let of: Vec<Value> = d.ensembles.iter().flat_map(|e| &e.teachers).map(|t| json!(t.model().spec)).collect();
        json!([of, d.teacher_mode])
    });
    json!([o.model, o.batch, o.precision, o.views, o.augment, o.accumulate, o.ema > 0.0, job.train.name, teachers])
        .to_string()
}

/// What names the frozen features that this training shares with others; none where there are none to share.
fn shared_features(job: &Job, train: &Dataset) -> Option<String> {
    let o = &job.options;
    let shared = o.model.freeze > 0 && o.views > 0 && job.distillation.is_none();
    shared.then(|| {
        json!([
            o.model.backbone,
            o.model.weights,
            o.model.image_size,
            o.model.freeze,
            o.views,
            o.augment,
            o.seed_of_views(),
            train.source.fingerprint()
        ])
        .to_string()
    })
}

/// Two epochs on a few pictures, in a store of their own: the first warms up, the second counts.
fn time(job: &Job, train: &Dataset, val: &Dataset, parameters: i64) -> Result<Cost> {
    let device = crate::devices::first();
    let cuda = device.is_cuda();
    let o = &job.options;
    let few = if cuda {
        4 * o.batch
    } else if parameters > LARGE && o.model.freeze == 0 {
        FEW
    } else {
        MANY
    };
    let (train, val) = (train.take_first(few)?, val.take_first(few)?);
    let n = train.len() as f64;
    // A script's own loss is timed as the built-in one: what it costs beside the model is little.
    let plain = |loss: &LossSpec| if matches!(loss, LossSpec::Script(_)) { LossSpec::default() } else { loss.clone() };
    let options = TrainOptions {
        epochs: 2,
        eval_every: 2,
        patience: 0,
        batch: o.batch.min(train.len()),
        accumulate: 1,
        images: Images::All,
        labelled: 1.0,
        known: 1.0,
        loss: plain(&o.loss),
        threads: pool::cores(),
        ..o.clone()
    };
    let distillation = job.distillation.clone().map(|mut d| {
        d.loss = plain(&d.loss);
        d
    });
    let name = format!("timing {} + {}", o.model.backbone, o.model.head);
    let mini =
        Job { name, train: train.clone(), val: Some(val.clone()), labels: job.labels.clone(), options, distillation };
    tch::set_num_threads(pool::cores() as i32);
    let folder = tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), e))?;
    let store = RunStore::new(folder.path());
    let Named { job: mini, model, spec, id, .. } = Named::new(&mini)?;
    let Begun::Work(work) = store.begin(&id, &spec)? else {
        return Err(Error::internal("a new run store already holds a run"));
    };
    let started = Instant::now();
    // For every epoch: when it was over, evaluation included, and the seconds of its steps and all before.
    let mut ends: Vec<(Duration, f64)> = Vec::new();
    let mut prepared = Duration::ZERO;
    {
        let mut epoch = |line: &Value| -> Result<()> {
            ends.push((started.elapsed(), line["seconds"].as_f64().unwrap_or(0.0)));
            Ok(())
        };
        let hooks = Hooks { epoch: Some(&mut epoch), ..Hooks::default() };
        let engine = Engine::new(&store, &mini, &model, &train, &val, &work, hooks)?;
        prepared += started.elapsed();
        engine.train(&work)?;
    }
    let [(first, before), (second, after)] = ends[..] else {
        return Err(Error::internal("a timing of two epochs did not end after two"));
    };
    let steps = after - before;
    let validation = ((second - first).as_secs_f64() - steps).max(0.0);
    let fixed = o.views > 0;
    let kept: u64 = if fixed { size(folder.path(), &[".work"]) } else { 0 };
    Ok(Cost {
        prepare: if fixed { prepared.as_secs_f64() / n } else { 0.0 },
        step: steps / n,
        validate: validation / val.len() as f64,
        bytes: kept as f64 / n,
    })
}

/// Bytes of all files under a folder, but for these of its entries.
fn size(folder: &std::path::Path, without: &[&str]) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|e| !without.iter().any(|w| e.file_name() == *w))
        .map(|e| match e.metadata() {
            Ok(meta) if meta.is_dir() => size(&e.path(), &[]),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
