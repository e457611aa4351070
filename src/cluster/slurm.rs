//! Slurm, by its command line programs.
//!
//! Only text in a format that is asked for is read: JSON changes between versions. What is asked for is in every version since 2.6.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::command::{Answer, LIMIT, Program, words};
use super::engine::{ALL_OTHERS, JobId, Submission, TaskId, TaskState, TaskStatus};
use super::job_script::{self, Index};
use super::options::ClusterOptions;
use crate::activity::console;
use crate::error::{Error, ErrorKind, Result};

/// Slurm with the resources of a task.
pub(super) struct Slurm<'a>(pub &'a ClusterOptions);

/// Array, index in it, state, reason, nodes; the script with its argument is last, since a path may hold the sign between.
const FORMAT: &str = "%F|%K|%T|%r|%N|%o";
/// The columns of `-O`, 20 letters wide each, with spaces between.
const EXIT_FORMAT: &str = "ArrayJobID,ArrayTaskID,exit_code";
/// Options of sbatch that refuse a value, an empty one too.
const WITHOUT_VALUE: [&str; 8] =
    ["contiguous", "hold", "overcommit", "oversubscribe", "reboot", "spread-job", "use-min-nodes", "ignore-pbs"];
/// The question before a requeue, which a task may ask shortly before its end, and before a release gives up after so long.
const OFFSET_LIMIT: Duration = Duration::from_secs(10);
/// So many jobs are named in one call, as arguments may be so long.
const JOBS_PER_CALL: usize = 1000;
/// So many tasks of one array at most, so that its list of indices is no longer than an argument may be.
const MOST_TASKS: usize = 10_000;
/// What `scontrol show config` has about it where the site has not set it.
const DEFAULT_MAX_ARRAY_SIZE: usize = 1001;

impl Slurm<'_> {
    pub fn submit(&self, submission: &Submission) -> Result<Vec<(JobId, Vec<usize>)>> {
        self.0.check_further("slurm")?;
        if submission.tasks.is_empty() {
            return Ok(vec![]);
        }
        let most = max_array_size()?;
        job_script::write(&submission.folder, self.0, Index::OfArray)?;
        let mut made: Vec<(JobId, Vec<usize>)> = Vec::new();
        for (offset, tasks) in arrays(&submission.tasks, most) {
            let mut after = submission.after.clone();
            // Arrays side by side would run more tasks at once than the bound of each.
            after.extend(made.last().filter(|_| self.0.parallel > 0).map(|(job, _)| job.clone()));
            let arguments = self.arguments(submission, offset, &tasks, &after)?;
            let program = changing("sbatch");
            let answer = program.run(&arguments)?;
            if !answer.success {
                return Err(helped(program.failed(&answer)));
            }
            let job = job_of(&answer.output).ok_or_else(|| {
                Error::data(format!("sbatch has not answered with the number of a job: \"{}\"", words(&answer.output)))
            })?;
            let said = words(&answer.errors);
            if !said.is_empty() {
                console::log(&format!("sbatch: {said}"));
            }
            made.push((job, tasks));
        }
        Ok(made)
    }

    /// The arguments of sbatch for one array.
    fn arguments(
        &self,
        submission: &Submission,
        offset: usize,
        tasks: &[usize],
        after: &[JobId],
    ) -> Result<Vec<String>> {
        let o = self.0;
        let indices: Vec<usize> = tasks.iter().map(|task| task - offset).collect();
        let at_once = if o.parallel > 0 { format!("%{}", o.parallel) } else { String::new() };
        let requeue = if o.requeues > 0 { "--requeue" } else { "--no-requeue" };
        let mut all = vec![
            "--parsable".to_string(),
            format!("--job-name={}", submission.name),
            format!("--array={}{at_once}", ranges(&indices)),
            format!("--output={}", job_script::log_pattern(&submission.folder, offset)?),
            "--open-mode=append".into(),
            requeue.into(),
            format!("--signal=B:USR1@{}", o.signal_before),
        ];
        if !after.is_empty() {
            let ids: Vec<&str> = after.iter().map(|job| job.0.as_str()).collect();
            all.push(format!("--dependency=afterany:{}", ids.join(":")));
        }
        let cpus = o.cpus.map(|cpus| cpus.to_string());
        // The manual knows 32G; not every version takes 32GB.
        let memory = o.memory.as_ref().map(|memory| memory.trim_end_matches(['b', 'B']).to_string());
        let options = [
            ("partition", &o.partition),
            ("account", &o.account),
            ("qos", &o.qos),
            ("gres", &o.gres),
            ("constraint", &o.constraint),
            ("exclude", &o.exclude),
            ("nodelist", &o.nodelist),
            ("cpus-per-task", &cpus),
            ("mem", &memory),
            ("time", &o.time),
        ];
        all.extend(options.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("--{name}={value}"))));
        all.extend(o.sbatch.iter().map(|(name, value)| match value.as_deref() {
            // TOML has no () for the options that take none.
            Some("") if WITHOUT_VALUE.contains(&name.as_str()) => format!("--{name}"),
            Some(value) => format!("--{name}={value}"),
            None => format!("--{name}"),
        }));
        all.push(submission.folder.join(job_script::SCRIPT).display().to_string());
        if offset > 0 {
            all.push(offset.to_string());
        }
        Ok(all)
    }

    pub fn find(&self, name: &str) -> Result<Vec<JobId>> {
        let program = asking("squeue");
        let answer = program.run(&["-h", "-t", "all", "-o", "%F", &format!("--name={name}")])?;
        if !answer.success {
            return Err(program.no_answer(&answer));
        }
        let lines = answer.output.lines().map(str::trim);
        let jobs: BTreeSet<&str> = lines.filter(|line| line.parse::<u64>().is_ok()).collect();
        Ok(jobs.into_iter().map(|job| JobId(job.into())).collect())
    }

    pub fn states(&self, jobs: &[JobId]) -> Result<BTreeMap<TaskId, TaskStatus>> {
        let mut all = BTreeMap::new();
        for jobs in jobs.chunks(JOBS_PER_CALL) {
            let begun = Instant::now();
            let tasks = lines_of(jobs, &["-o", FORMAT], LIMIT)?;
            let tasks: Vec<Line> = tasks.lines().filter_map(line).collect();
            let failed = |task: &Line| self.state(&task.word) == TaskState::Failed;
            let jobs: BTreeSet<&JobId> = tasks.iter().filter(|task| failed(task)).map(|task| &task.job).collect();
            let jobs: Vec<JobId> = jobs.into_iter().cloned().collect();
            // How it failed is worth a question; without an answer it has failed all the same.
            let exits = match jobs.is_empty() {
                true => BTreeMap::new(),
                // The two are one question: together they take no longer than one may.
                false => match lines_of(&jobs, &["-O", EXIT_FORMAT], LIMIT.saturating_sub(begun.elapsed())) {
                    Ok(text) => text.lines().filter_map(exit_line).collect(),
                    Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                    Err(_) => BTreeMap::new(),
                },
            };
            all.extend(tasks.into_iter().map(|task| {
                let state = self.state(&task.word);
                let exit = exits.get(&(task.job.clone(), task.index)).copied();
                let id = TaskId { job: task.job, index: task.index.saturating_add(task.offset) };
                let status = TaskStatus {
                    state,
                    word: task.word,
                    reason: task.reason.filter(|_| state == TaskState::Queued),
                    node: task.node,
                    exit: match state {
                        TaskState::Completed => Some(0),
                        TaskState::Failed => exit,
                        _ => None,
                    },
                };
                (id, status)
            }));
        }
        Ok(all)
    }

    /// What a word of squeue means. Words of other versions are no ends: the task is in the queue as long as squeue has it.
    fn state(&self, word: &str) -> TaskState {
        // As sacct says it: "CANCELLED by 1000".
        match word.split([' ', '+']).next().unwrap_or_default() {
            // A failure of the node or a preemption passes, if the task may be put back.
            "NODE_FAIL" | "PREEMPTED" if self.0.requeues == 0 => TaskState::Failed,
            "PENDING" | "CONFIGURING" | "POWER_UP_NODE" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD"
            | "RESV_DEL_HOLD" | "SPECIAL_EXIT" | "NODE_FAIL" | "PREEMPTED" | "LAUNCH_FAILED" | "RECONFIG_FAIL" => {
                TaskState::Queued
            }
            "COMPLETED" => TaskState::Completed,
            "FAILED" | "TIMEOUT" | "OUT_OF_MEMORY" | "BOOT_FAIL" | "DEADLINE" => TaskState::Failed,
            "CANCELLED" => TaskState::Cancelled,
            // RUNNING, COMPLETING, SUSPENDED, STOPPED, SIGNALING, STAGE_OUT, RESIZING, UPDATE_DB, EXPEDITING, REVOKED, and those to come.
            _ => TaskState::Running,
        }
    }

    pub fn cancel(&self, jobs: &[JobId]) -> Result<()> {
        for jobs in jobs.chunks(JOBS_PER_CALL) {
            let ids: Vec<&str> = jobs.iter().map(|job| job.0.as_str()).collect();
            let program = changing("scancel");
            let answer = program.run(&ids)?;
            let ended = |line: &str| {
                let line = line.to_lowercase();
                line.contains("invalid job id specified") || line.contains("already completing or completed")
            };
            let all_ended = !answer.errors.trim().is_empty() && answer.errors.lines().all(ended);
            if !answer.success && !all_ended {
                return Err(program.failed(&answer));
            }
        }
        Ok(())
    }

    /// The index is that of the task's file, or that in its array as the task itself knows it: the smallest offset of an array is above
    /// all indices in it, so they cannot be mistaken.
    pub fn requeue(&self, task: &TaskId) -> Result<()> {
        // An answer that does not come leaves the index as it is, which is right for the first array, and names no task of another.
        let offsets = match offsets_of(std::slice::from_ref(&task.job)) {
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
            answer => answer.unwrap_or_default(),
        };
        let program = changing("scontrol");
        let answer = program.run(&["requeue", &in_queue(task, &offsets)])?;
        // It is where it should be.
        let is_there = words(&answer.errors).contains("Job is pending execution");
        if answer.success || is_there { Ok(()) } else { Err(program.failed(&answer)) }
    }

    /// The indices are those of the tasks' files.
    pub fn release(&self, tasks: &[TaskId]) -> Result<()> {
        for tasks in tasks.chunks(JOBS_PER_CALL) {
            let jobs: BTreeSet<JobId> = tasks.iter().map(|task| task.job.clone()).collect();
            let offsets = offsets_of(&jobs.into_iter().collect::<Vec<_>>())?;
            let names: Vec<String> = tasks.iter().map(|task| in_queue(task, &offsets)).collect();
            let program = changing("scontrol");
            let answer = program.run(&["release", &names.join(",")])?;
            if !answer.success {
                return Err(program.failed(&answer));
            }
        }
        Ok(())
    }

    /// By scontrol, and where jobs are accounted by sacct. A job whose tasks have all ended is forgotten too, as far as sacct knows them.
    pub fn has_forgotten(&self, job: &JobId) -> Result<bool> {
        let program = asking("scontrol");
        let answer = program.run(&["-o", "show", "job", &job.0])?;
        if answer.success {
            return Ok(!answer
                .output
                .split_whitespace()
                .any(|word| word.strip_prefix("JobState=").is_some_and(|word| is_live(self.state(word)))));
        }
        if !words(&answer.errors).contains("Invalid job id specified") {
            return Err(program.no_answer(&answer));
        }
        let accounted = asking("sacct").run(&["-n", "-X", "-P", "-o", "State", "-j", &job.0]);
        match accounted {
            Err(error) if error.kind == ErrorKind::Interrupted => Err(error),
            // Many sites have none.
            Err(_) | Ok(Answer { success: false, .. }) => Ok(true),
            Ok(answer) => {
                let mut states = answer.output.lines().map(str::trim).filter(|line| !line.is_empty());
                Ok(!states.any(|word| is_live(self.state(word))))
            }
        }
    }

    pub fn facts(&self) -> Result<Vec<(String, String)>> {
        let config = config()?;
        let keys = [
            "SLURM_VERSION",
            "ClusterName",
            "SLURM_CONF",
            "MaxArraySize",
            "MaxJobCount",
            "KillWait",
            "JobRequeue",
            "PreemptMode",
            "OverTimeLimit",
            "MinJobAge",
        ];
        let mut facts: Vec<(String, String)> = keys
            .iter()
            .filter_map(|key| Some((key.to_string(), setting(&config, key)?.to_string())))
            .map(|(key, value)| (if key == "SLURM_VERSION" { "version".to_string() } else { key }, value))
            .collect();
        let program = asking("sinfo");
        let answer = program.run(&["-h", "-o", "%P|%a|%l|%D|%c|%m|%G"])?;
        if !answer.success {
            return Err(program.no_answer(&answer));
        }
        facts.extend(answer.output.lines().filter_map(partition));
        Ok(facts)
    }
}

fn is_live(state: TaskState) -> bool {
    matches!(state, TaskState::Queued | TaskState::Running)
}

fn asking(name: &str) -> Program<'_> {
    Program { queue: "Slurm", name, changes: false }
}

fn changing(name: &str) -> Program<'_> {
    Program { queue: "Slurm", name, changes: true }
}

/// What squeue says of all tasks of these jobs, in a format. It fails when it knows none of them: then there are no lines.
fn lines_of(jobs: &[JobId], format: &[&str], limit: Duration) -> Result<String> {
    let ids: Vec<&str> = jobs.iter().map(|job| job.0.as_str()).collect();
    let ids = ids.join(",");
    let program = asking("squeue");
    let arguments = [&["-h", "-r", "-t", "all"], format, &["-j", &ids]].concat();
    let answer = program.run_within(limit, &arguments)?;
    match answer {
        Answer { success: true, output, .. } => Ok(output),
        answer if words(&answer.errors).contains("Invalid job id specified") => Ok(String::new()),
        answer => Err(program.no_answer(&answer)),
    }
}

/// What the scripts of these jobs add to the indices of their arrays.
fn offsets_of(jobs: &[JobId]) -> Result<BTreeMap<JobId, usize>> {
    let text = lines_of(jobs, &["-o", FORMAT], OFFSET_LIMIT)?;
    Ok(text.lines().filter_map(line).map(|line| (line.job, line.offset)).collect())
}

/// A task as Slurm's programs take it: `4711_3`.
fn in_queue(task: &TaskId, offsets: &BTreeMap<JobId, usize>) -> String {
    let offset = offsets.get(&task.job).copied().unwrap_or(0);
    format!("{}_{}", task.job.0, task.index.checked_sub(offset).unwrap_or(task.index))
}

/// A task as squeue shows it.
struct Line {
    job: JobId,
    /// That of the array; [`ALL_OTHERS`] of tasks that were cancelled together while they waited.
    index: usize,
    /// What the script adds to it.
    offset: usize,
    word: String,
    reason: Option<String>,
    node: Option<String>,
}

/// A line in [`FORMAT`]. None for one that is not of an array. Slurm takes the indices from tasks that it cancels by a list while they
/// wait, as by `scancel 4711_[0-1]`: one line has all of them.
fn line(text: &str) -> Option<Line> {
    let mut parts = text.splitn(6, '|').map(str::trim);
    let mut next = || parts.next();
    let (job, index, word, reason, node, script) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let said = |text: &str| (!["", "None", "(null)", "N/A", "n/a"].contains(&text)).then(|| text.to_string());
    Some(Line {
        job: JobId(job.parse::<u64>().ok()?.to_string()),
        index: match index {
            "N/A" if word.starts_with("CANCELLED") => ALL_OTHERS,
            index => index.parse().ok()?,
        },
        offset: offset(script),
        word: word.to_string(),
        reason: said(reason),
        node: said(node),
    })
}

/// The argument of the script: `/runs/.work/batches/cpsd-3f29/job.sh 1000`.
fn offset(script: &str) -> usize {
    let argument = script.rsplit_once(' ').filter(|(path, _)| path.ends_with(job_script::SCRIPT));
    argument.and_then(|(_, offset)| offset.parse().ok()).unwrap_or(0)
}

/// A line in [`EXIT_FORMAT`], with the exit code as a shell has it: 128 and the signal for a process that was killed.
fn exit_line(text: &str) -> Option<((JobId, usize), i32)> {
    let mut parts = text.split_whitespace();
    let (job, index, status) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let (code, signal) = match status.split_once(':') {
        Some((code, signal)) => (code.parse().ok()?, signal.parse().ok()?),
        // As wait(2) has it.
        None => status.parse::<i32>().map(|status| (status >> 8 & 0xff, status & 0x7f)).ok()?,
    };
    Some(((JobId(job.into()), index), if signal != 0 { 128 + signal } else { code }))
}

/// The job of an answer of `sbatch --parsable`: `4711`, or `4711;cluster`. Plugins of a site may print lines before it.
fn job_of(output: &str) -> Option<JobId> {
    let line = output.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    let number = line.split(';').next()?.trim();
    number.parse::<u64>().ok().map(|_| JobId(number.into()))
}

/// Tasks by arrays: what is subtracted from their indices, and the tasks. The first offset above 0 is above all indices of arrays.
fn arrays(tasks: &[usize], most: usize) -> Vec<(usize, Vec<usize>)> {
    let most = most.clamp(1, MOST_TASKS);
    let mut all: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &task in tasks {
        all.entry(task / most * most).or_default().push(task);
    }
    all.into_iter().collect()
}

/// `0-3,7` of ascending numbers.
fn ranges(numbers: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &n in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == n => *last = n,
            _ => parts.push((n, n)),
        }
    }
    let part = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    parts.into_iter().map(part).collect::<Vec<_>>().join(",")
}

/// The bound of an array's indices, asked once per process.
///
/// Errors: a controller that does not answer; a site without arrays.
fn max_array_size() -> Result<usize> {
    static KNOWN: Mutex<Option<usize>> = Mutex::new(None);
    if let Some(known) = *KNOWN.lock() {
        return Ok(known);
    }
    let config = config()?;
    let most = setting(&config, "MaxArraySize").and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_MAX_ARRAY_SIZE);
    if most < 1 {
        return Err(Error::argument("this Slurm takes no arrays: its MaxArraySize is 0"));
    }
    *KNOWN.lock() = Some(most);
    Ok(most)
}

fn config() -> Result<String> {
    let program = asking("scontrol");
    match program.run(&["show", "config"])? {
        Answer { success: true, output, .. } => Ok(output),
        answer => Err(program.no_answer(&answer)),
    }
}

/// A value of `scontrol show config`: `MaxArraySize            = 1001`.
fn setting<'a>(config: &'a str, key: &str) -> Option<&'a str> {
    let pairs = config.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// A partition as a fact, from sinfo's `main*|up|infinite|2|2|2000|gpu:2`.
fn partition(line: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = line.split('|').map(str::trim).collect();
    let [name, available, time, nodes, cpus, memory, gres] = parts[..] else { return None };
    let (name, default) = name.strip_suffix('*').map_or((name, ""), |name| (name, "default, "));
    let down = if available == "up" { String::new() } else { format!("{available}, ") };
    let gres = if gres == "(null)" { String::new() } else { format!(", {gres}") };
    let text = format!("{default}{down}time limit {time}, {nodes} nodes of {cpus} cores and {memory} MB{gres}");
    Some((format!("partition {name}"), text))
}

/// A refusal with the way on, where it is known.
fn helped(error: Error) -> Error {
    let help = match error.message.as_str() {
        text if text.contains("nvalid partition") => "sinfo lists the partitions; the option partition names one",
        text if text.contains("nvalid account") => {
            "sacctmgr show associations user=$USER lists accounts; the option account names one"
        }
        text if text.contains("generic resource") => {
            "sinfo -o '%P %G' lists the generic resources of partitions; the option gres names them"
        }
        text if text.contains("SubmitJob") || text.contains("job submit limit") => {
            "the site bounds the tasks that are in the queue at once; the option trainings puts several into one task"
        }
        text if text.contains("unrecognized option") => "sbatch --help lists the options that sbatch takes here",
        _ => return error,
    };
    error.with_help(help)
}

#[cfg(test)]
mod tests;
