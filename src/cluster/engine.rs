//! What is asked of a queue.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::code::{self, Use};
use super::options::ClusterOptions;
use super::settings;
use super::slurm::Slurm;
use super::templates::Templates;
use crate::error::{Error, Result};
use crate::files::policy;

/// A queue with the resources of a task: data, equal by value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub engine: Engine,
    pub options: ClusterOptions,
}

/// The kind of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Slurm,
    /// Another one, by the four commands of `[engine.NAME]` in `cpsd.toml`.
    Commands(Templates),
}

/// A job that a queue knows, an array of tasks: `4711`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

/// One task of a job. Engines without arrays have one job per task and index 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId {
    pub job: JobId,
    pub index: usize,
}

/// The index of an answer about all tasks of a job that the queue does not name: Slurm's, of tasks that were cancelled together while they
/// waited.
pub(super) const ALL_OTHERS: usize = usize::MAX;

/// `4711_3`, as Slurm writes it.
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}_{}", self.job.0, self.index)
    }
}

/// What a queue says of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStatus {
    pub state: TaskState,
    /// The queue's own word: `PENDING`, `OUT_OF_MEMORY`.
    pub word: String,
    /// Why it waits, in the queue's words: `Resources`, `Priority`, `BeginTime`.
    pub reason: Option<String>,
    /// Where it runs or ran.
    pub node: Option<String>,
    /// Its exit code as a shell has it (128 and the signal for a process that was killed), where the queue tells.
    pub exit: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Pending, also after a requeue, a preemption or the failure of a node.
    Queued,
    /// Running, completing, suspended.
    Running,
    /// It ended with exit code 0.
    Completed,
    /// It ended otherwise, and is not put back by the queue.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// An array of tasks to put into a queue.
#[derive(Clone, Debug)]
pub struct Submission {
    /// A name that no other job of this user has.
    pub name: String,
    /// The batch's folder, absolute. It has `job.sh`, `0.json`…, and `logs/`.
    pub folder: PathBuf,
    /// Indices of tasks, ascending: consecutive or not.
    pub tasks: Vec<usize>,
    /// The jobs that must have ended, however, before it may begin.
    pub after: Vec<JobId>,
}

impl Cluster {
    /// Slurm with these options.
    pub fn slurm(options: ClusterOptions) -> Cluster {
        Cluster { engine: Engine::Slurm, options }
    }

    /// The queue of that name in `cpsd.toml`: `slurm` (table `[slurm]`, which may be absent), or NAME of `[engine.NAME]`.
    ///
    /// Errors: a name that is not there (the nearest is named), a table with unknown keys, a file that is no TOML.
    pub fn named(name: &str) -> Result<Cluster> {
        settings::cluster(name)
    }

    /// `Slurm`, or the name of the table in `cpsd.toml`.
    pub fn name(&self) -> &str {
        match &self.engine {
            Engine::Slurm => "Slurm",
            Engine::Commands(templates) => &templates.name,
        }
    }

    /// Checks the options further than [`Options::check`](crate::options::Options::check) does: formats of texts, and that another
    /// engine's commands use what is set. `word` is named in errors.
    ///
    /// Errors: the first option that is not as the queue needs it.
    pub fn check(&self, word: &str) -> Result<()> {
        self.options.check_further(word)?;
        match &self.engine {
            Engine::Slurm => Ok(()),
            Engine::Commands(templates) => templates.check(&self.options),
        }
    }

    /// Errors: the script is not trusted, so that it has no queue: its commands and its tasks would run without a fence.
    pub(super) fn check_trusted(&self) -> Result<()> {
        if policy::current().untrusted {
            let text = "a script that is not trusted cannot put work into a queue: nothing would fence it there";
            return Err(Error::argument(format!("{text}; nor can it ask the queue, or change what is there")));
        }
        Ok(())
    }

    /// Whether the queue may be used so: see [`check_trusted`](Self::check_trusted) and [`code::check`].
    pub(super) fn check_allowed(&self, what: Use) -> Result<()> {
        self.check_trusted()?;
        code::check(self, what)
    }

    /// The engine, whose programs are about to run. Errors: [`check_allowed`](Self::check_allowed).
    fn engine(&self, what: Use) -> Result<&Engine> {
        self.check_allowed(what).map(|()| &self.engine)
    }

    /// Whether tasks of the two get the same in the same queue. What only a waiting call or a node does with it may differ: `wait`,
    /// `on_interrupt`, `local`.
    pub(super) fn asks_the_same(&self, other: &Cluster) -> bool {
        let asked = |cluster: &Cluster| {
            let ClusterOptions { wait, on_interrupt, local, .. } = ClusterOptions::default();
            ClusterOptions { wait, on_interrupt, local, ..cluster.options.clone() }
        };
        self.engine == other.engine && asked(self) == asked(other)
    }

    /// Trainings that one task makes side by side.
    pub fn trainings_per_task(&self) -> usize {
        match (self.options.trainings, &self.options.gres) {
            (0, Some(gres)) => gpus_of(gres).max(1),
            (0, None) => 1,
            (n, _) => n,
        }
    }

    /// Puts an array into the queue. The caller has written the folder; `job.sh` is written here. One array of Slurm or more: the
    /// indices of one are below MaxArraySize, and a task's index in the queue is the name of its file in any case.
    ///
    /// Errors: the queue's refusal in its own words, after which arrays before the refused one are in the queue under the same name; a
    /// queue that does not answer ([`is_away`](super::is_away)), in which case nobody knows whether the job is there: ask
    /// [`find`](Self::find) before trying again (jobs of other engines are taken out again instead); a script that is not trusted, or shell
    /// that may not run, as with all that runs a program of the queue; Interrupted.
    pub fn submit(&self, submission: &Submission) -> Result<Vec<(JobId, Vec<usize>)>> {
        match self.engine(Use::Submit)? {
            Engine::Slurm => Slurm(&self.options).submit(submission),
            Engine::Commands(templates) => templates.submit(&self.options, submission),
        }
    }

    /// The jobs of that name that the queue knows; none of engines other than Slurm. Errors: a queue that does not answer.
    pub fn find(&self, name: &str) -> Result<Vec<JobId>> {
        match self.engine(Use::Ask)? {
            Engine::Slurm => Slurm(&self.options).find(name),
            Engine::Commands(_) => Ok(vec![]),
        }
    }

    /// What the queue says of all tasks of these jobs, by one call. Tasks that it has forgotten are absent; the index [`ALL_OTHERS`] is that
    /// of an answer about all of a job's tasks that have none of their own.
    ///
    /// Errors: a queue that does not answer, which says nothing about the tasks; Interrupted.
    pub fn states(&self, jobs: &[JobId]) -> Result<BTreeMap<TaskId, TaskStatus>> {
        match self.engine(Use::Ask)? {
            Engine::Slurm => Slurm(&self.options).states(jobs),
            Engine::Commands(templates) => templates.states(jobs),
        }
    }

    /// Takes jobs out of the queue, running ones too. One that has ended is no error. Errors: a queue that does not answer.
    pub fn cancel(&self, jobs: &[JobId]) -> Result<()> {
        match self.engine(Use::Ask)? {
            Engine::Slurm => Slurm(&self.options).cancel(jobs),
            Engine::Commands(templates) => templates.cancel(jobs),
        }
    }

    /// Puts one task back, running or ended, alone. One that is waiting already is no error. Errors: the queue's refusal; a queue that
    /// does not answer.
    pub fn requeue(&self, task: &TaskId) -> Result<()> {
        match self.engine(Use::Ask)? {
            Engine::Slurm => Slurm(&self.options).requeue(task),
            Engine::Commands(templates) => templates.requeue(task),
        }
    }

    /// Lets tasks begin that the queue holds. One that is not held is no error. Errors: the queue's refusal for any of them; an engine that
    /// does not say what it holds; a queue that does not answer.
    pub fn release(&self, tasks: &[TaskId]) -> Result<()> {
        match self.engine(Use::Ask)? {
            Engine::Slurm => Slurm(&self.options).release(tasks),
            Engine::Commands(templates) => {
                Err(Error::argument(format!("{} has no command that releases what is held", templates.name)))
            }
        }
    }

    /// Whether the queue has no such job any more, asked in another way than by [`states`](Self::states), whose answer may be empty while a
    /// queue's daemon begins anew. Engines without another way say yes.
    ///
    /// Errors: a queue that does not answer.
    pub fn has_forgotten(&self, job: &JobId) -> Result<bool> {
        match self.engine(Use::Ask)? {
            Engine::Slurm => Slurm(&self.options).has_forgotten(job),
            Engine::Commands(_) => Ok(true),
        }
    }

    /// How the site is set up, in names and values for people: MaxArraySize, KillWait, JobRequeue, version.
    ///
    /// Errors: a queue that does not answer.
    pub fn facts(&self) -> Result<Vec<(String, String)>> {
        match self.engine(Use::Ask)? {
            Engine::Slurm => Slurm(&self.options).facts(),
            Engine::Commands(_) => Ok(vec![]),
        }
    }
}

/// The number in `gpu:4`, `gpu:a100:4`, `gpu` (1); 0 if there is no gpu in it.
pub fn gpus_of(gres: &str) -> usize {
    let gpu = gres.split(',').find(|part| part.split(':').next() == Some("gpu"));
    gpu.map_or(0, |part| part.rsplit(':').next().and_then(|n| n.split('(').next()?.parse().ok()).unwrap_or(1))
}
