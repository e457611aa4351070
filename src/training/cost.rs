//! The seconds and bytes that trainings would take, from two epochs on a few pictures.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::callbacks::Callbacks;
use super::freezing::FreezeByEpoch;
use super::hooks::Hook;
use super::job::Job;
use super::merge_rule::RuleKind;
use super::model_inputs::steps_per_epoch;
use super::naming::NamedJob;
use super::options::{Images, ScheduleKind, TrainOptions};
use super::peers::Peers;
use super::run::flags_of;
use super::sampler::Sampler;
use super::shared_features::{compute_features_on, runs_of};
use super::start::Start;
use super::training_loop::TrainingLoop;
use crate::activity::console;
use crate::error::{Error, Result};
use crate::executors::{device_pool, pool};
use crate::files::own;
use crate::images::Dataset;
use crate::images::augment::AugmentOptions;
use crate::losses::LossSpec;
use crate::models::ModelSpec;
use crate::runs::{Begun, RunStore};
use crate::torch::flags;

/// The costs measured so far.
#[derive(Default)]
pub(super) struct Costs {
    per_kind: HashMap<String, Cost>,
    /// Frozen features that were counted already, since trainings share them.
    features: HashSet<String>,
    timings: Timings,
}

/// Frozen features of the few pictures that are timed: kinds that differ behind the frozen stages share them, as their trainings do.
#[derive(Default)]
struct Timings {
    /// The store of all timings, made at the first.
    folder: Option<TempDir>,
    /// Seconds and bytes of each set of features that is there.
    features: HashMap<Vec<String>, (f64, u64)>,
}

impl Timings {
    fn store(&mut self) -> Result<RunStore> {
        let folder = match &mut self.folder {
            Some(folder) => folder,
            none => none.insert(own::temporary_folder(&own::session_folder()?, "cost-")?),
        };
        Ok(RunStore::new(folder.path()))
    }

    /// Removes all but features: the time of what other kinds keep belongs to theirs.
    fn forget_others(&self) {
        let Some(folder) = &self.folder else { return };
        for entry in own::entries(folder.path()) {
            if !entry.file_name().to_string_lossy().starts_with("features-") {
                // Left, it shortens the time of a kind that finds it.
                let _ = own::remove_folder(&entry.path());
            }
        }
    }
}

/// The cost of one kind of training per picture, in seconds on this machine and bytes on disk.
#[derive(Clone, Copy)]
struct Cost {
    /// Decoding and the frozen stages, of all views; once, and once for all trainings that share them.
    features: f64,
    /// The teachers' outputs, and reading what is stored; once.
    prepare: f64,
    /// Per epoch.
    step: f64,
    /// Per evaluation.
    validate: f64,
    /// Kept in addition to the model.
    bytes: f64,
}

/// Pictures per timing: few for a large model.
const FEW: usize = 2;
pub(super) const MANY: usize = 32;
/// Where frozen features are stored, steps take so little time that the work around a step and an evaluation counts: as much of it as
/// there is in a real epoch, or nearly.
const MOST: usize = 256;
/// Models above this number of parameters are timed on few pictures, on a CPU.
const LARGE: i64 = 4_000_000;

impl Costs {
    /// The seconds of a training, and the bytes on disk that it takes in addition to its model. The first training of
    /// its kind is timed.
    pub fn of(&mut self, named: &NamedJob) -> Result<(f64, u64)> {
        let NamedJob { job, model, train, val, .. } = named;
        let kind = kind(job);
        let cost = match self.per_kind.get(&kind) {
            Some(cost) => *cost,
            None => {
                console::log(&format!("timing a kind of training as {} on a few pictures", named.job.name));
                let cost = time(job, train, val, model.num_parameters(), &mut self.timings);
                self.timings.forget_others();
                cost?
            }
        };
        self.per_kind.insert(kind, cost);
        let prepared = job.features_of(train)?.whole;
        let first = shared_features(job, &prepared).is_none_or(|key| self.features.insert(key));
        let evaluations = job.options.epochs.div_ceil(job.options.eval_period());
        let n = prepared.len() as f64;
        let features = if first { cost.features * n } else { 0.0 };
        let seconds = features
            + cost.prepare * n
            + cost.step * trained(train.len(), &job.options) * job.options.epochs as f64
            + cost.validate * val.len() as f64 * evaluations as f64;
        Ok((seconds, if first { (cost.bytes * n) as u64 } else { 0 }))
    }
}

/// Everything that decides the time per picture: trainings that agree in it are timed once.
fn kind(job: &Job) -> String {
    let o = &job.options;
    // Dropout takes no time that a few pictures would show.
    let plain = |spec: &ModelSpec| ModelSpec { dropout: 0.0, ..spec.clone() };
    let teachers = job.distillation.as_ref().map(|d| {
        let teachers = d.ensembles.iter().flat_map(|e| &e.teachers);
        let of: Vec<Value> = teachers.map(|t| json!(plain(&t.model().spec))).collect();
        json!([of, d.teacher_mode])
    });
    json!([
        plain(&o.model),
        o.batch,
        o.drop_last,
        o.precision,
        o.tf32,
        o.deterministic,
        o.optimiser,
        o.views,
        o.augment,
        o.accumulate,
        o.ema > 0.0,
        job.train.name,
        teachers
    ])
    .to_string()
}

/// The number of pictures that an epoch trains, of so many: all, or those of whole batches.
fn trained(pictures: usize, options: &TrainOptions) -> f64 {
    let whole = steps_per_epoch(pictures, options.batch, options.drop_last) as f64 * options.batch as f64;
    whole.min(pictures as f64)
}

/// A key of the frozen features of `images` that this training shares with others, or none.
fn shared_features(job: &Job, images: &Dataset) -> Option<String> {
    let o = &job.options;
    let shared = o.model.fixed_stages() > 0 && o.views > 0;
    shared.then(|| {
        json!([
            o.model.backbone,
            o.model.weights,
            o.model.image_size,
            o.model.freeze,
            o.model.frozen_compute,
            o.model.normalise,
            o.model.path,
            o.views,
            o.augment,
            o.seed_of_views(),
            o.tf32,
            images.source.fingerprint()
        ])
        .to_string()
    })
}

/// Times two epochs on a few pictures, in a store of their own: the first warms up, the second counts.
fn time(job: &Job, train: &Dataset, val: &Dataset, parameters: i64, timings: &mut Timings) -> Result<Cost> {
    let o = &job.options;
    let few = if crate::devices::first().is_cuda() {
        4 * o.batch
    } else if o.model.fixed_stages() > 0 && o.views > 0 {
        MOST
    } else if parameters > LARGE && o.model.fixed_stages() == 0 {
        FEW
    } else {
        MANY
    };
    let flags = flags_of(job, train.len());
    let (train, val) = (train.take_first(few)?, val.take_first(few)?);
    let n = train.len() as f64;
    // A script's own loss is timed as the built-in one: its cost is small compared with the model's.
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
        schedule: match &o.schedule {
            ScheduleKind::Script(_) | ScheduleKind::Rate(_) => ScheduleKind::Constant,
            schedule => schedule.clone(),
        },
        // What lives in the script, or is of other epochs and images.
        augment: if o.own_views().is_some() { AugmentOptions::default() } else { o.augment.clone() },
        sampler: Sampler::default(),
        freeze: FreezeByEpoch::default(),
        on_epoch: Hook::None,
        on_batch: Hook::None,
        start: Start::default(),
        threads: pool::cores(),
        // Timed as the work of one process.
        nproc: 1,
        sync_batchnorm: false,
        ..o.clone()
    };
    let distillation = job.distillation.clone().map(|mut d| {
        d.loss = plain(&d.loss);
        d.features = false;
        // Timed as one that learns alone.
        d.mutual = None;
        for rule in d.ensembles.iter_mut().filter_map(|ensemble| ensemble.rule.as_mut()) {
            if rule.script().is_some() {
                rule.kind = RuleKind::Mean;
            }
        }
        d
    });
    let name = format!("timing {} + {}", o.model.backbone, o.model.head);
    let mini =
        Job { name, train: train.clone(), val: Some(val.clone()), labels: job.labels.clone(), options, distillation };
    tch::set_num_threads(pool::cores() as i32);
    let store = timings.store()?;
    let NamedJob { job: mini, model, spec, id, .. } = NamedJob::new(&mini)?;
    // Not waited for: a script's thread is here, with the lock that who has the GPU may need.
    let (place, others) = device_pool::take_now(&mini.name, 1);
    if !others.is_empty() {
        console::log(&format!(
            "{}: {} trains on {} meanwhile; the seconds are too many",
            mini.name,
            others.join(" and "),
            crate::devices::name(place.device())
        ));
    }
    let _held = flags::hold(flags, place.device())?;
    let model = model.moved_to(place.device())?;
    let Begun::Work(work) = store.begin(&id, &spec)? else {
        return Err(Error::internal("a new run store already holds a run"));
    };
    let runs = runs_of(&mini, &model, &train, &val)?;
    let (began, before) = (Instant::now(), store.bytes());
    compute_features_on(&store, &mini, &model)?;
    let there = store.bytes();
    let computed = (began.elapsed().as_secs_f64(), there - before);
    let (features, feature_bytes) = *timings.features.entry(runs).or_insert(computed);
    let started = Instant::now();
    // The end of each epoch, evaluation included, and the seconds of all steps so far.
    let mut ends: Vec<(Duration, f64)> = Vec::new();
    let mut epoch = |line: &Value| -> Result<()> {
        ends.push((started.elapsed(), line["seconds"].as_f64().unwrap_or(0.0)));
        Ok(())
    };
    let callbacks = Callbacks { epoch: Some(&mut epoch), ..Callbacks::default() };
    let alone = Peers::alone();
    let training = TrainingLoop::new(&store, &mini, &model, &train, &val, Some(&work), callbacks, &alone)?;
    let prepared = started.elapsed();
    training.train(&work)?;
    let [(first, before), (second, after)] = ends[..] else {
        return Err(Error::internal("a timing of two epochs did not end after two"));
    };
    let steps = after - before;
    let validation = ((second - first).as_secs_f64() - steps).max(0.0);
    let fixed = o.views > 0;
    Ok(Cost {
        features: features / n,
        prepare: if fixed { prepared.as_secs_f64() / n } else { 0.0 },
        step: steps / trained(train.len(), &mini.options),
        validate: validation / val.len().max(1) as f64,
        bytes: if fixed { (feature_bytes + (store.bytes() - there)) as f64 / n } else { 0.0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_a_last_batch_that_is_left_out_are_not_counted() {
        let of =
            |pictures, drop_last| trained(pictures, &TrainOptions { batch: 16, drop_last, ..TrainOptions::default() });
        assert_eq!([of(41, true), of(41, false), of(7, true), of(32, true)], [32.0, 41.0, 7.0, 32.0]);
    }
}
