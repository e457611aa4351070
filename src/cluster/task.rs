//! This process as one task of a queue.
//!
//! A queue warns of a time limit by SIGUSR1: the task stops with a checkpoint and puts itself back into the queue, so often as the option
//! `requeues` allows. SIGTERM is somebody's will: it stops with a checkpoint and stays away. What came first decides.
//!
//! Its cores are those of the first of these variables that is set, and no more than the system lets it use: `SLURM_CPUS_PER_TASK` (what was
//! asked for; Slurm rounds up to whole cores), `SLURM_CPUS_ON_NODE` (what the job has here), `NCPUS` (PBS), `NSLOTS` (Grid Engine),
//! `LSB_DJOB_NUMPROC` (LSF). Its GPUs are those of `CUDA_VISIBLE_DEVICES`, as everywhere.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::batch::{self, Record};
use super::code;
use super::command::is_away;
use super::engine::{Engine, JobId, TaskId};
use crate::activity::signals::{self, Asked};
use crate::activity::{Activity, console};
use crate::devices;
use crate::environment;
use crate::error::{About, Error, ErrorKind, Result, cut_names};
use crate::executors::pool;
use crate::files::own;
use crate::options::Options;
use crate::runs::{jobs_have_ended, node_copy};
use crate::{json, torch};

/// Exit codes of a task. 75 is EX_TEMPFAIL of sysexits.h.
const DONE: u8 = 0;
const FAILED: u8 = 1;
pub(super) const PUT_BACK: u8 = 75;
pub(super) const STOPPED: u8 = 130;

/// The first that is set gives the number of cores.
const CORES: [&str; 5] = ["SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "NCPUS", "NSLOTS", "LSB_DJOB_NUMPROC"];
/// The first that is set is the name of this job, in queues without arrays: set by a template; of PBS, LSF, Grid Engine, OAR; of Slurm
/// behind another queue's commands.
const JOBS: [&str; 6] = ["CPSD_JOB", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "OAR_JOB_ID", "SLURM_JOB_ID"];

/// Processes of a task that are ended together are so within this time, on a busy node too.
const MOMENT: Duration = Duration::from_secs(2);

/// Between two attempts to be put back by a queue that does not answer.
const RETRY: Duration = Duration::from_secs(2);

/// `<index>.end.json`: how a task ended. A task that was killed wrote none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// The exit code: 0, 1, 75 (it was put back into the queue), 130 (it was stopped from outside).
    pub exit: u8,
    /// Why it failed.
    pub error: Option<Failed>,
    /// Where.
    pub node: String,
    /// How often the queue had started it before.
    pub restarts: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    pub kind: ErrorKind,
    pub message: String,
    pub help: Option<String>,
    pub about: Option<About>,
}

/// What decides the bits of results beside what they are results of: this program's version, a hash of its file, libtorch.
/// As `0.1.0 (3f29c0a81b52, libtorch 2.13.0)`.
pub fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        // On Linux also the one that runs after another was put in its place.
        let own = Path::new("/proc/self/exe");
        let program = if own.exists() { Ok(own.to_path_buf()) } else { std::env::current_exe() };
        let hash = program.ok().and_then(|program| {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(own::open(&program).ok()?).ok()?;
            Some(hasher.finalize().to_hex()[..12].to_string())
        });
        let (hash, version) = (hash.unwrap_or("unknown".into()), torch::version().map(|(version, _)| version));
        format!("{} ({hash}, libtorch {})", env!("CARGO_PKG_VERSION"), version.unwrap_or("unknown".into()))
    })
}

/// This process, which a queue has started for one task of a batch.
pub struct TaskProcess {
    /// Where its end is written.
    end: PathBuf,
    batch: Record,
    /// Its name in progress lines.
    name: String,
    /// Its name in the queue, if the environment gives it.
    id: Option<TaskId>,
    restarts: u32,
    node: String,
    began: Instant,
}

impl TaskProcess {
    /// Begins the task of the job file `<index>.json`, beside which is the batch's `batch.json`: takes the cores that the queue gave,
    /// removes the end of an earlier start, and says who and where it is. A stop that was asked for before is left to the work: only a task
    /// that has begun can put itself back.
    ///
    /// Errors: a file of another name; Io; Data for a `batch.json` that is none.
    pub fn begin(job: &Path) -> Result<TaskProcess> {
        Activity::background("begin".into(), None).enter(|| TaskProcess::begin_unstopped(job))
    }

    fn begin_unstopped(job: &Path) -> Result<TaskProcess> {
        let variable = environment::text;
        let index = job.file_stem().and_then(|stem| stem.to_str()?.parse::<usize>().ok());
        let Some(index) = index.filter(|_| job.extension().is_some_and(|ending| ending == "json")) else {
            let text = format!("{}: a task's file has its index as name, as 3.json", job.display());
            return Err(Error::argument(text).about_file(job));
        };
        let folder = job.parent().unwrap_or(Path::new(""));
        let (path, end) = (folder.join(batch::RECORD), batch::end(folder, index));
        let batch: Record = json::parse(&own::read(&path)?)
            .map_err(|e| Error::in_file(&path, format!("this is not the record of a batch: {}", cut_names(&e))))?;
        // Whoever submitted it was asked, and the task can only put itself back.
        code::own(&batch.cluster);
        batch.cluster.options.check("the cluster").map_err(|e| Error::in_file(&path, e.message))?;
        jobs_have_ended(batch.ended.iter().cloned());
        if let Some(cores) = cores(variable) {
            pool::set_cores(cores);
        }
        let restarts = restarts(variable, end_before(&end));
        match own::remove_file(&end) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&end, e)),
            _ => {}
        }
        let id = own_id(&batch.cluster.engine, variable);
        // A folder that is not on this node is no reason to do nothing.
        if let Some(local) = &batch.cluster.options.local
            && let Err(error) = node_copy::keep_in(Path::new(local))
        {
            console::warn(&format!("kept features are read from the store: {error}"));
        }
        let name = batch.tasks.get(index).map_or_else(|| format!("task {index}"), |task| task.name.clone());
        let process = TaskProcess { end, batch, name, id, restarts, node: node(variable), began: Instant::now() };
        console::warn(&process.first_line(index));
        Ok(process)
    }

    fn first_line(&self, index: usize) -> String {
        let job = self.id.as_ref().map_or(format!("task {index} of no job that it knows"), |id| format!("job {id}"));
        let names: Vec<String> = devices::all_gpus().iter().map(|gpu| format!("cuda:{gpu}")).collect();
        let gpus = match std::env::var("CUDA_VISIBLE_DEVICES") {
            _ if names.is_empty() => "no GPU".to_string(),
            Ok(seen) if !seen.is_empty() => format!("{} (CUDA_VISIBLE_DEVICES {seen})", names.join(", ")),
            _ => names.join(", "),
        };
        let (node, cores) = (&self.node, pool::cores());
        let restarts = format!("restart {} of {}", self.restarts, self.batch.cluster.options.requeues);
        format!(
            "node {node}, {job}, {restarts}, {cores} core{}, {gpus}, cpsd {}",
            if cores == 1 { "" } else { "s" },
            build()
        )
    }

    /// Ends the task: puts it back into the queue if its time limit came first, writes [`End`], says how it ended. Returns the exit code.
    pub fn conclude(self, outcome: Result<String>) -> u8 {
        let (exit, error, said) = match outcome {
            Ok(made) if made.is_empty() => (DONE, None, "done".to_string()),
            Ok(made) => (DONE, None, format!("done: {made}")),
            Err(error) if error.kind == ErrorKind::Interrupted && signals::first() == Some(Asked::Warned) => {
                match self.put_back() {
                    Ok(said) => (PUT_BACK, None, said),
                    // Seen alone, it says whose limit it was.
                    Err(error) => {
                        let message = format!("{}: {}", self.name, error.message);
                        (FAILED, Some(Error { message, ..error }), String::new())
                    }
                }
            }
            Err(error) if error.kind == ErrorKind::Interrupted => {
                (STOPPED, None, "stopped from outside; what is done is kept, and the same call goes on from it".into())
            }
            Err(error) => (FAILED, Some(error), String::new()),
        };
        let said = match &error {
            Some(error) => {
                let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
                format!("failed: {}: {error}{help}", error.kind.code())
            }
            None => said,
        };
        node_copy::leave();
        self.write_end(exit, error);
        console::warn(&format!("ended after {:.0} s, {said}", self.began.elapsed().as_secs_f64()));
        exit
    }

    /// Puts the task back into the queue, to be said. Errors: it was put back too often; the queue's refusal.
    fn put_back(&self) -> Result<String> {
        let options = &self.batch.cluster.options;
        if self.restarts >= options.requeues {
            return Err(too_often(self.restarts, options.time.as_deref()));
        }
        let Some(id) = &self.id else {
            let text = "the time limit is near, and this task cannot put itself back into the queue: no variable gives its name there";
            return Err(Error::argument(text).with_help(match self.batch.cluster.engine {
                Engine::Slurm => "SLURM_ARRAY_JOB_ID and SLURM_ARRAY_TASK_ID are those of Slurm's arrays".to_string(),
                Engine::Commands(_) => format!("one of {} is looked for", JOBS.join(", ")),
            }));
        };
        // Before: a queue ends its process at once, or nearly so.
        node_copy::leave();
        self.write_end(PUT_BACK, None);
        let ends = signals::ends();
        // This process was asked to stop; the command is not.
        let apart = Activity::background("requeue".into(), None);
        // A record from elsewhere may have any number.
        let until = Instant::now().checked_add(Duration::from_secs(options.signal_before / 2));
        let put = loop {
            match apart.enter(|| self.batch.cluster.requeue(id)) {
                // A queue that does not answer may do so soon.
                Err(error)
                    if is_away(&error)
                        && until.is_none_or(|until| Instant::now() < until)
                        && signals::ends() == ends =>
                {
                    std::thread::sleep(RETRY);
                }
                put => break put,
            }
        };
        let said = format!("put back into the queue as {id}, restart {} of {}", self.restarts + 1, options.requeues);
        match put {
            Ok(()) => Ok(said),
            // The command was ended along with this process, by the very thing that it asked for. Which of the two is ended first is a
            // matter of chance.
            Err(error) if is_ended_too(ends) => Ok(format!("{said}, as it seems ({error})")),
            Err(error) => {
                let message =
                    format!("the time limit is near, and {id} could not be put back into the queue: {}", error.message);
                let help = "what is done is kept";
                Err(Error { message, help: Some(error.help.unwrap_or_else(|| help.into())), ..error })
            }
        }
    }

    fn write_end(&self, exit: u8, error: Option<Error>) {
        let failed = |Error { kind, message, help, about }| Failed { kind, message, help, about };
        let end = End { exit, error: error.map(failed), node: self.node.clone(), restarts: self.restarts };
        let text = serde_json::to_vec(&end).unwrap_or_default();
        if let Err(error) = own::write(&self.end, &text) {
            console::warn(&format!("how it ended is not written: {error}"));
        }
    }
}

/// Whether this process is asked to end too, more often than it was before, within a moment.
fn is_ended_too(before: u64) -> bool {
    let until = Instant::now() + MOMENT;
    while signals::ends() == before && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    signals::ends() > before
}

fn too_often(restarts: u32, time: Option<&str>) -> Error {
    let often = match restarts {
        0 => "requeues: 0 lets no task go back into the queue".to_string(),
        1 => "it was put back once, and requeues allows no more".to_string(),
        n => format!("it was put back {n} times, and requeues allows no more"),
    };
    let limit = time.map(|time| format!(" (time: \"{time}\")")).unwrap_or_default();
    Error::argument(format!("the time limit{limit} comes before the end: {often}"))
        .about_option("requeues")
        .with_help("a longer time, or more requeues, lets it end; what is done is kept, and goes on from there")
}

/// How the last start ended, if it could say so.
fn end_before(end: &Path) -> Option<End> {
    if own::is_absent(end) {
        return None;
    }
    json::parse(&own::read(end).ok()?).ok()
}

fn cores(variable: impl Fn(&str) -> Option<String>) -> Option<usize> {
    CORES.iter().find_map(|name| variable(name)?.trim().parse().ok().filter(|cores| (1..=1 << 16).contains(cores)))
}

/// How often the queue has started this task before, all causes included; of queues that do not count, how often it put itself back.
fn restarts(variable: impl Fn(&str) -> Option<String>, before: Option<End>) -> u32 {
    if variable("SLURM_JOB_ID").is_some() {
        return variable("SLURM_RESTART_COUNT").and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    }
    before.filter(|end| end.exit == PUT_BACK).map_or(0, |end| end.restarts.saturating_add(1))
}

/// The name of this task. SLURM_JOB_ID is none: that of an array's last task is the array's, and would put all of it back.
fn own_id(engine: &Engine, variable: impl Fn(&str) -> Option<String>) -> Option<TaskId> {
    match engine {
        Engine::Slurm => {
            let index = variable("SLURM_ARRAY_TASK_ID")?.trim().parse().ok()?;
            Some(TaskId { job: JobId(variable("SLURM_ARRAY_JOB_ID")?.trim().to_string()), index })
        }
        Engine::Commands(_) => {
            let job = JOBS.iter().find_map(|name| variable(name))?;
            Some(TaskId { job: JobId(job.trim().to_string()), index: 0 })
        }
    }
}

/// The node's name in the queue, or the host's.
fn node(variable: impl Fn(&str) -> Option<String>) -> String {
    let host = || own::of_system(Path::new("/proc/sys/kernel/hostname")).map(|name| name.trim().to_string());
    variable("SLURMD_NODENAME").or_else(host).or_else(|| variable("HOSTNAME")).unwrap_or_else(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::batch::{Batch, Task};
    use crate::cluster::{Cluster, ClusterOptions};
    use crate::runs::RunStore;

    fn of<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + Copy + 'a {
        |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
    }

    #[test]
    fn an_arrays_task_is_named_by_its_array_and_no_other_is_named() {
        let last = [("SLURM_JOB_ID", "4711"), ("SLURM_ARRAY_JOB_ID", "4711"), ("SLURM_ARRAY_TASK_ID", "7")];
        assert_eq!(own_id(&Engine::Slurm, of(&last)).unwrap().to_string(), "4711_7");
        assert_eq!(own_id(&Engine::Slurm, of(&last[..1])), None);
        let pbs = json!({ "name": "pbs", "submit": "qsub", "status": "qstat", "cancel": "qdel", "requeue": "qrerun" });
        let pbs = Engine::Commands(serde_json::from_value(pbs).unwrap());
        let id = own_id(&pbs, of(&[("PBS_JOBID", "12.server"), ("JOB_ID", "3")])).unwrap();
        assert_eq!((id.job.0.as_str(), id.index), ("12.server", 0));
    }

    #[test]
    fn cores_are_what_was_asked_for_before_what_is_there() {
        assert_eq!(cores(of(&[("SLURM_CPUS_ON_NODE", "4"), ("SLURM_CPUS_PER_TASK", "3"), ("NCPUS", "9")])), Some(3));
        assert_eq!(cores(of(&[("SLURM_CPUS_ON_NODE", "4")])), Some(4));
        assert_eq!([cores(of(&[("NSLOTS", "2")])), cores(of(&[("LSB_DJOB_NUMPROC", "5")]))], [Some(2), Some(5)]);
        assert_eq!([cores(of(&[("NCPUS", "0")])), cores(of(&[("NCPUS", "many")])), cores(of(&[]))], [None; 3]);
    }

    #[test]
    fn restarts_are_the_queues_or_those_that_the_task_counts() {
        let end = |exit, restarts| Some(End { exit, error: None, node: "n1".into(), restarts });
        assert_eq!(restarts(of(&[("SLURM_JOB_ID", "1"), ("SLURM_RESTART_COUNT", "3")]), None), 3);
        assert_eq!(restarts(of(&[("SLURM_JOB_ID", "1")]), end(75, 4)), 0);
        assert_eq!([restarts(of(&[]), end(75, 4)), restarts(of(&[]), end(130, 4)), restarts(of(&[]), None)], [5, 0, 0]);
    }

    #[test]
    fn at_the_cap_it_is_said_how_often_and_what_helps() {
        let said = |n| too_often(n, Some("1:00:00")).message;
        assert_eq!(
            said(5),
            "the time limit (time: \"1:00:00\") comes before the end: it was put back 5 times, and requeues allows no more"
        );
        assert!(said(0).ends_with("requeues: 0 lets no task go back into the queue") && said(1).contains("once"));
        assert!(too_often(5, None).help.unwrap().contains("a longer time, or more requeues"));
    }

    /// By a warning during the lines of setup.
    #[test]
    fn a_task_that_was_asked_to_stop_begins() {
        let root = tempfile::tempdir().unwrap();
        let task = Task { runs: vec!["train-000000000001".into()], name: "teacher 1/1".into(), job: json!({}) };
        let cluster = Cluster::slurm(ClusterOptions::default());
        let batch = Batch::make(&RunStore::new(root.path()), &cluster, vec![(0, task)], &[], vec![]).unwrap();
        let stopped = Activity::background("test".into(), None);
        stopped.stop();
        let process = stopped.enter(|| TaskProcess::begin(&batch.folder.join("0.json"))).unwrap();
        assert_eq!((process.name.as_str(), process.restarts), ("teacher 1/1", 0));
    }

    #[test]
    fn a_build_is_of_this_program() {
        let hash = &blake3::hash(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).to_hex()[..12];
        assert!(build().starts_with(&format!("{} ({hash}, libtorch ", env!("CARGO_PKG_VERSION"))), "{}", build());
    }
}
