//! The trainings that a script would run: named, looked up in the run store and timed on a few pictures.
//!
//! The id of a run follows from its specification, which holds the ids of its teachers' runs and not their weights. So
//! a whole chain of teachers and students can be named before the first of them is trained.

use std::collections::{HashMap, HashSet};

use super::cost::Costs;
use super::job::Job;
use super::naming::NamedJob;
use super::on_cluster;
use super::run::load;
use super::trained_model::Trained;
use super::{shared_features, teacher_outputs};
use crate::cluster::{Cluster, Executor};
use crate::error::{Error, Result};
use crate::runs::{Listing, RunStore};

/// Trainings in the order in which a script asks for them.
pub struct Plan {
    pub trainings: Vec<Planned>,
    /// The ids of all trainings, and of those that are to do.
    ids: HashSet<String>,
    to_do: HashSet<String>,
    /// The store as it was at the first training.
    listing: Option<Listing>,
    /// None when trainings are not timed.
    costs: Option<Costs>,
    /// Those that are to run in a queue and can begin now. None when they are only listed.
    jobs: Option<Vec<(String, Job)>>,
    /// Those that are collected and are not to run in a queue ahead: of executor "here", and their students.
    here: HashSet<String>,
    /// Why a training cannot run in a queue.
    refused: Option<Error>,
    /// The queue in which they would run.
    pub cluster: Option<Cluster>,
    /// Frozen features that the trainings to do read in a queue and the store lacks, and the tasks that compute them.
    features: HashSet<String>,
    feature_tasks: usize,
    /// The same of teachers' outputs.
    outputs: HashSet<String>,
    output_tasks: usize,
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
    /// The processes in which it would run.
    pub nproc: usize,
    pub status: StoreStatus,
    /// The runs of its teachers.
    pub teachers: Vec<String>,
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

/// Trainings of a plan at most: no store and no queue takes more at once, and a closure that never ends would plan for ever.
const MOST: usize = 50_000;

/// A checkpoint holds values, averages and the best values so far, in addition to the optimiser's state.
const CHECKPOINT: u64 = 3;

impl Plan {
    /// An empty plan. With `timing`, a few steps of every kind of training are run to estimate the time of all.
    pub fn new(timing: bool) -> Plan {
        Plan {
            trainings: Vec::new(),
            ids: HashSet::new(),
            to_do: HashSet::new(),
            listing: None,
            costs: timing.then(Costs::default),
            jobs: None,
            here: HashSet::new(),
            refused: None,
            cluster: None,
            features: HashSet::new(),
            feature_tasks: 0,
            outputs: HashSet::new(),
            output_tasks: 0,
        }
    }

    /// An empty plan that collects the trainings which can begin, for [`jobs_to_do`](Self::jobs_to_do). A model of the store is not
    /// read: its stand-in has the run, and initial weights.
    pub fn collecting() -> Plan {
        Plan { jobs: Some(Vec::new()), ..Plan::new(false) }
    }

    /// Adds a training, once however often it is asked for. The store is listed at the first one. Returns the model from the store, or one at its initial
    /// weights under the id that the trained model will have.
    ///
    /// Errors: those that the training itself would begin with (options, labels, missing weights); one for a queue that cannot leave this
    /// process.
    pub fn add(&mut self, store: &RunStore, job: &Job) -> Result<Trained> {
        let in_queue = match job.options.executor {
            Executor::Here => false,
            Executor::Unset => self.jobs.is_some() || self.cluster.is_some(),
            _ => true,
        };
        if in_queue && let Err(error) = on_cluster::check_functions(job) {
            self.refused.get_or_insert(error.clone());
            return Err(error);
        }
        let named = {
            // Most of it is many small steps, for each of which the threads of libtorch would wait.
            let threads = tch::get_num_threads();
            tch::set_num_threads(1);
            let named = NamedJob::new(job);
            tch::set_num_threads(threads);
            named?
        };
        let found = self.listing.get_or_insert_with(|| store.listing()).find(&named.id);
        if self.ids.len() >= MOST && !self.ids.contains(&named.id) {
            let text = format!("this asks for more than {MOST} trainings, of which \"{}\" is one", job.name);
            let error = Error::argument(text).with_help("fewer points at once; a loop that trains must end");
            self.refused.get_or_insert(error.clone());
            return Err(error);
        }
        if self.ids.insert(named.id.clone()) {
            let teachers = teachers(job);
            if self.cluster.is_some() && found.is_none() {
                self.note_shared(store, &named)?;
            }
            if found.is_none() {
                let here = job.options.executor == Executor::Here || teachers.iter().any(|id| self.here.contains(id));
                if let Some(jobs) = &mut self.jobs {
                    if here {
                        self.here.insert(named.id.clone());
                    } else if !teachers.iter().any(|id| self.to_do.contains(id)) {
                        jobs.push((named.id.clone(), job.clone()));
                    }
                }
                self.to_do.insert(named.id.clone());
            }
            let NamedJob { job, model, train, id, .. } = &named;
            let mut planned = Planned {
                id: id.clone(),
                name: job.name.clone(),
                model: format!("{} + {} at {} px", model.spec.backbone, model.spec.head, model.image_size()),
                labels: job.labels.len(),
                pictures: train.len(),
                epochs: job.options.epochs,
                seed: job.options.seed,
                nproc: job.options.nproc,
                status: match &found {
                    Some(_) => StoreStatus::Stored,
                    None if store.has_checkpoint(id) => StoreStatus::Stopped,
                    None => StoreStatus::New,
                },
                teachers,
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
            Some(run) if self.jobs.is_none() => load(run),
            run => Ok(Trained::new(named.model, named.id, run, job.train.labels.labels().to_vec())),
        }
    }

    /// Counts the tasks that come before a training in a queue, as `on_cluster` makes them: one for all features that it is the first to
    /// read, and one for all teachers' outputs.
    fn note_shared(&mut self, store: &RunStore, named: &NamedJob) -> Result<()> {
        let NamedJob { job, model, train, val, .. } = named;
        let mut features = shared_features::runs_of(job, model, train, val)?;
        let mut outputs = teacher_outputs::runs_of(job, train);
        let listing = self.listing.get_or_insert_with(|| store.listing());
        features.retain(|id| listing.find(id).is_none() && self.features.insert(id.clone()));
        outputs.retain(|id| listing.find(id).is_none() && self.outputs.insert(id.clone()));
        self.feature_tasks += usize::from(!features.is_empty());
        self.output_tasks += usize::from(!outputs.is_empty());
        Ok(())
    }

    /// Tasks in a queue that come before trainings: those of frozen features, and those of teachers' outputs.
    pub fn tasks_before(&self) -> (usize, usize) {
        (self.feature_tasks, self.output_tasks)
    }

    /// The collected trainings that can begin, with the ids of their runs: those that the store does not have, and all of whose teachers it
    /// has.
    pub fn jobs_to_do(&mut self) -> Vec<(String, Job)> {
        self.jobs.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The trainings to do that a queue can make ahead: without those of executor "here", and their students.
    pub fn to_do_ahead(&self) -> impl Iterator<Item = &Planned> {
        self.to_do().filter(|training| !self.here.contains(&training.id))
    }

    /// Why a training cannot run in a queue, if one was asked for.
    pub fn refused(&self) -> Option<&Error> {
        self.refused.as_ref()
    }

    /// The trainings to do by stage: those of the first need nothing that is to do, those of a later one need one of the stage before.
    pub fn stages(&self) -> Vec<Vec<&Planned>> {
        let mut stage_of: HashMap<&str, usize> = HashMap::new();
        let mut stages: Vec<Vec<&Planned>> = Vec::new();
        for training in self.to_do() {
            let after = training.teachers.iter().filter_map(|id| stage_of.get(id.as_str())).map(|stage| stage + 1);
            let stage = after.max().unwrap_or(0);
            stage_of.insert(&training.id, stage);
            if stages.len() <= stage {
                stages.resize(stage + 1, Vec::new());
            }
            stages[stage].push(training);
        }
        stages
    }

    /// Tasks of trainings in a queue by stage. Those of features and of teachers' outputs, which come before, are not among them. Empty
    /// without a queue.
    pub fn tasks(&self) -> Vec<usize> {
        let Some(cluster) = &self.cluster else { return vec![] };
        self.stages().iter().map(|stage| stage.len().div_ceil(per_task(cluster, stage))).collect()
    }

    /// How many trainings a task of the first stage does at most. 1 without a queue.
    pub fn trainings_per_task(&self) -> usize {
        self.cluster.as_ref().zip(self.stages().first()).map_or(1, |(cluster, first)| per_task(cluster, first))
    }

    /// Seconds until all that is to do is done, if as much runs at once as the queue's options allow: the longest chain of a training and
    /// its teachers, or where fewer run at once than there are, their share of all if that is longer. None without a queue, or when a
    /// training was not timed.
    pub fn seconds_in_queue(&self) -> Option<f64> {
        let cluster = self.cluster.as_ref()?;
        let mut end: HashMap<&str, f64> = HashMap::new();
        for training in self.to_do() {
            let begin = training.teachers.iter().filter_map(|id| end.get(id.as_str())).fold(0.0, |a: f64, b| a.max(*b));
            end.insert(&training.id, begin + training.seconds?);
        }
        let longest = end.values().fold(0.0, |a: f64, b| a.max(*b));
        if cluster.options.parallel == 0 {
            return Some(longest);
        }
        let share = |stage: &Vec<&Planned>| {
            let seconds: Option<f64> = stage.iter().map(|training| training.seconds).sum();
            Some(seconds? / (cluster.options.parallel * per_task(cluster, stage)) as f64)
        };
        Some(longest.max(self.stages().iter().map(share).sum::<Option<f64>>()?))
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

/// How many of the trainings of a stage one task of the queue does at most.
fn per_task(cluster: &Cluster, stage: &[&Planned]) -> usize {
    match on_cluster::share_tasks(stage.iter().map(|training| training.nproc)) {
        true => cluster.trainings_per_task().max(1),
        false => 1,
    }
}

/// The runs of a job's teachers, and of the model from which it starts.
fn teachers(job: &Job) -> Vec<String> {
    let teachers = job.distillation.iter().flat_map(|d| &d.ensembles).flat_map(|ensemble| ensemble.run_ids());
    teachers.chain(job.options.start.id().map(String::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterOptions;

    fn planned(id: &str, teachers: &[&str], seconds: f64) -> Planned {
        Planned {
            id: id.into(),
            name: id.into(),
            model: String::new(),
            labels: 1,
            pictures: 1,
            epochs: 1,
            seed: 0,
            nproc: 1,
            status: if seconds == 0.0 { StoreStatus::Stored } else { StoreStatus::New },
            teachers: teachers.iter().map(|id| id.to_string()).collect(),
            seconds: (seconds > 0.0).then_some(seconds),
            bytes: 0,
            checkpoint: 0,
        }
    }

    #[test]
    fn tasks_come_in_stages_and_the_longest_chain_counts() {
        let mut plan = Plan::new(true);
        plan.trainings = vec![
            planned("a", &[], 10.0),
            planned("b", &[], 30.0),
            planned("old", &[], 0.0),
            planned("s", &["a", "b"], 5.0),
            planned("t", &["old"], 50.0),
            planned("u", &["s", "old"], 1.0),
        ];
        assert!(plan.tasks().is_empty() && plan.seconds_in_queue().is_none());
        let of = |parallel, gres: Option<&str>| {
            Some(Cluster::slurm(ClusterOptions {
                parallel,
                gres: gres.map(str::to_string),
                ..ClusterOptions::default()
            }))
        };
        plan.cluster = of(0, None);
        assert_eq!((plan.tasks(), plan.seconds_in_queue()), (vec![3, 1, 1], Some(50.0)));
        plan.cluster = of(1, Some("gpu:2"));
        assert_eq!((plan.tasks(), plan.seconds_in_queue()), (vec![2, 1, 1], Some(50.0)));
        plan.cluster = of(1, None);
        assert_eq!(plan.seconds_in_queue(), Some(96.0));
        // One in several processes is alone in its task, and so are those beside it.
        plan.trainings[0].nproc = 2;
        plan.cluster = of(1, Some("gpu:2"));
        assert_eq!((plan.tasks(), plan.seconds_in_queue()), (vec![3, 1, 1], Some(93.0)));
    }
}
