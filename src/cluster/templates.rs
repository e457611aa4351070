//! A queue by four commands, as a site writes them in `cpsd.toml`.
//!
//! | command | in braces | answer |
//! |---|---|---|
//! | `submit`, for each task | [`OF_SUBMIT`] | in its last line the job's id: the first word with a digit |
//! | `status` | `{jobs}`, or `{job}` for a call per job, or none of them | a line for each job that it knows: the id, somewhere behind it the state, and behind that perhaps the exit code; or PBS's `Job Id: ID` with lines `job_state = R`, `exit_status = 0` and `exec_host = n1/0` below |
//! | `cancel` | `{jobs}`, or `{job}` for a call per job | |
//! | `requeue` | `{job}` | |
//!
//! Values are quoted for the place where they stand, inside or outside of quotes. A shell runs the commands.

mod answers;
mod placeholders;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::answers::{is_all_unknown, job_of, read};
use self::placeholders::{Part, mentions, parts};
use super::batch;
use super::command::{Answer, Program, words};
use super::engine::{JobId, Submission, TaskId, TaskState, TaskStatus, gpus_of};
use super::job_script::{self, Index, quote};
use super::options::{ClusterOptions, megabytes, seconds};
use crate::activity::{Activity, console};
use crate::error::{Error, Result, misspelt};

/// `[engine.NAME]` of `cpsd.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Templates {
    pub name: String,
    pub submit: String,
    pub status: String,
    pub cancel: String,
    pub requeue: String,
    /// What `{after}` is in `submit` for a task that must begin after others: `{jobs}` in it are these, with colons between;
    /// `{jobs,}` with commas. Without it they begin side by side, and each makes what it does not find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What words of `status` mean, beside those of PBS, Grid Engine, LSF and OAR.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<String, TaskState>,
}

/// What may stand in braces in `submit`, and the option that it is made of.
const OF_SUBMIT: &[(&str, Option<&str>)] = &[
    ("name", None),
    ("folder", None),
    ("script", None),
    ("task", None),
    ("log", None),
    ("after", None),
    ("partition", Some("partition")),
    ("account", Some("account")),
    ("qos", Some("qos")),
    ("gres", Some("gres")),
    ("gpus", Some("gres")),
    ("constraint", Some("constraint")),
    ("exclude", Some("exclude")),
    ("nodelist", Some("nodelist")),
    ("cpus", Some("cpus")),
    ("memory", Some("memory")),
    ("megabytes", Some("memory")),
    ("time", Some("time")),
    ("minutes", Some("time")),
    ("seconds", Some("time")),
];

/// Options of Slurm alone.
const SLURMS: &[&str] = &["parallel", "sbatch"];

/// So many jobs are named in one call.
const JOBS_PER_CALL: usize = 200;
/// A command is no longer than the kernel lets an argument be (128 KiB), with room for what the shell adds.
const LONGEST: usize = 120_000;
/// Exit codes of PBS for a job that is unknown, and for one that is finished.
const UNKNOWN_CODES: [i32; 2] = [153, 35];

impl Templates {
    /// Checks the commands, and that what `options` has is used by them.
    ///
    /// Errors: names what stands in braces and cannot, and the option that the commands do not mention.
    pub(super) fn check(&self, options: &ClusterOptions) -> Result<()> {
        let word = self.word();
        options.check_further(&word)?;
        let submit: Vec<&str> = OF_SUBMIT.iter().map(|(name, _)| *name).collect();
        self.check_names("submit", &self.submit, &submit)?;
        self.check_names("status", &self.status, &["job", "jobs"])?;
        self.check_names("cancel", &self.cancel, &["job", "jobs"])?;
        self.check_names("requeue", &self.requeue, &["job"])?;
        self.check_names("after", self.after.as_deref().unwrap_or_default(), &["jobs"])?;
        if !mentions(&self.submit, "script") {
            return Err(Error::argument(format!(
                "the command submit of {word} has no {{script}}, which is what the queue runs"
            )));
        }
        for (key, command) in [("cancel", &self.cancel), ("requeue", &self.requeue)] {
            if !mentions(command, "job") && !mentions(command, "jobs") {
                return Err(Error::argument(format!("the command {key} of {word} names no job: {{job}} is missing")));
            }
        }
        if self.after.is_some() && !mentions(&self.submit, "after") {
            return Err(Error::argument(format!("{word} has after, and its command submit has no {{after}}")));
        }
        // An option that no command mentions would be without effect.
        for (key, is_set) in set_options(options) {
            let by: Vec<&str> = OF_SUBMIT.iter().filter(|(_, of)| *of == Some(key)).map(|(name, _)| *name).collect();
            if !is_set || by.iter().any(|name| mentions(&self.submit, name)) {
                continue;
            }
            let error = Error::argument(match SLURMS.contains(&key) {
                true => format!("option \"{key}\" of {word} is for Slurm alone"),
                false => format!("option \"{key}\" of {word} has no effect: its command submit has no {{{key}}}"),
            });
            return Err(error.about_option(key));
        }
        Ok(())
    }

    /// Errors: what stands in braces and is nearly a name that is known, or is known elsewhere.
    fn check_names(&self, key: &str, template: &str, known: &[&str]) -> Result<()> {
        let elsewhere = OF_SUBMIT.iter().map(|(name, _)| *name).chain(["job", "jobs", "tasks"]);
        let all: Vec<&str> = elsewhere.collect();
        for part in parts(template) {
            let Part::Name { name, .. } = part else { continue };
            if known.contains(&name) {
                continue;
            }
            // Others are a shell's or awk's.
            let Some(near) = misspelt(name, all.iter().copied()) else { continue };
            let error = Error::argument(format!("the command {key} of {} cannot have {{{name}}}", self.word()));
            return Err(match known.contains(&near) {
                true => error.with_help(format!("did you mean {{{near}}}?")),
                false => error.with_help(format!(
                    "expected: {}",
                    known.iter().map(|n| format!("{{{n}}}")).collect::<Vec<_>>().join(", ")
                )),
            });
        }
        Ok(())
    }

    pub(super) fn submit(&self, options: &ClusterOptions, submission: &Submission) -> Result<Vec<(JobId, Vec<usize>)>> {
        self.check(options)?;
        if submission.tasks.is_empty() {
            return Ok(vec![]);
        }
        job_script::write(&submission.folder, options, Index::Argument)?;
        let after = self.after(&submission.after)?;
        let mut made = Vec::new();
        for &task in &submission.tasks {
            match self.submit_one(options, submission, task, &after) {
                Ok(job) => made.push((job, vec![task])),
                Err(error) => return Err(self.withdrawn(made, error)),
            }
        }
        Ok(made)
    }

    /// `after` is [`Self::after`]'s.
    fn submit_one(&self, options: &ClusterOptions, submission: &Submission, task: usize, after: &str) -> Result<JobId> {
        let script = job_script::write_one(&submission.folder, task)?;
        let limit = options.time.as_deref().and_then(seconds).flatten();
        let values = |name: &str| match name {
            "name" => Some(submission.name.clone()),
            "folder" => Some(submission.folder.display().to_string()),
            "script" => Some(script.display().to_string()),
            "log" => Some(batch::log(&submission.folder, task).display().to_string()),
            "task" => Some(task.to_string()),
            "partition" => options.partition.clone(),
            "account" => options.account.clone(),
            "qos" => options.qos.clone(),
            "gres" => options.gres.clone(),
            "gpus" => options.gres.as_deref().map(|gres| gpus_of(gres).to_string()),
            "constraint" => options.constraint.clone(),
            "exclude" => options.exclude.clone(),
            "nodelist" => options.nodelist.clone(),
            "cpus" => options.cpus.map(|cpus| cpus.to_string()),
            "memory" => options.memory.clone(),
            "megabytes" => options.memory.as_deref().and_then(megabytes).map(|n| n.to_string()),
            "time" => options.time.clone(),
            "minutes" => limit.map(|limit| limit.div_ceil(60).to_string()),
            "seconds" => limit.map(|limit| limit.to_string()),
            _ => None,
        };
        let line = self.fill("submit", &self.submit, &values, after)?;
        let (name, program) = (self.word(), "submit");
        let program = Program { queue: &name, name: program, changes: true };
        let answer = program.shell(&line)?;
        if !answer.success {
            return Err(program.failed(&answer));
        }
        job_of(&answer.output).ok_or_else(|| {
            let said = [words(&answer.output), words(&answer.errors)].join(" ");
            Error::data(format!("the command submit of {name} has not printed a job's id: \"{}\"", said.trim()))
        })
    }

    /// Nobody would know of the jobs that a failed submission has made: they are taken out again.
    fn withdrawn(&self, made: Vec<(JobId, Vec<usize>)>, error: Error) -> Error {
        if made.is_empty() {
            return error;
        }
        let jobs: Vec<JobId> = made.into_iter().map(|(job, _)| job).collect();
        // After a stop, too.
        match Activity::background("cancel".into(), None).enter(|| self.cancel(&jobs)) {
            Ok(()) => error,
            Err(cancelled) => {
                let ids: Vec<&str> = jobs.iter().map(|job| job.0.as_str()).collect();
                console::warn(&format!(
                    "{}: jobs {} may be in the queue still ({cancelled})",
                    self.word(),
                    ids.join(", ")
                ));
                error
            }
        }
    }

    /// What `{after}` is.
    fn after(&self, jobs: &[JobId]) -> Result<String> {
        let Some(after) = self.after.as_deref().filter(|_| !jobs.is_empty()) else { return Ok(String::new()) };
        let ids: Vec<&str> = jobs.iter().map(|job| job.0.as_str()).collect();
        let text = after.replace("{jobs,}", &ids.join(",")).replace("{jobs}", &ids.join(":"));
        if text.len() > LONGEST / 2 {
            console::log(&format!(
                "{}: {} jobs are too many to be waited for by a command, so tasks begin without waiting; each makes what it does not find",
                self.word(),
                jobs.len()
            ));
            return Ok(String::new());
        }
        Ok(text)
    }

    pub(super) fn states(&self, jobs: &[JobId]) -> Result<BTreeMap<TaskId, TaskStatus>> {
        let mut all = BTreeMap::new();
        for jobs in self.groups(&self.status, jobs) {
            let program = Program { queue: &self.word(), name: "status", changes: false };
            let line = self.of_jobs("status", &self.status, jobs)?;
            let answer = program.shell(&line)?;
            let alone = mentions(&self.status, "job");
            let found = read(&answer.output, jobs, alone, &self.states);
            // Behind a pipe the exit code is that of the last program: what was complained of decides.
            let complaint = words(&answer.errors);
            let knows_none = if complaint.is_empty() {
                answer.success || answer.code.is_some_and(|code| UNKNOWN_CODES.contains(&code))
            } else {
                is_all_unknown(&answer.errors)
            };
            if !knows_none && (!answer.success || found.is_empty()) {
                return Err(program.no_answer(&answer));
            }
            all.extend(found.into_iter().map(|(job, status)| (TaskId { job, index: 0 }, status)));
        }
        Ok(all)
    }

    pub(super) fn cancel(&self, jobs: &[JobId]) -> Result<()> {
        for jobs in self.groups(&self.cancel, jobs) {
            let program = Program { queue: &self.word(), name: "cancel", changes: true };
            let line = self.of_jobs("cancel", &self.cancel, jobs)?;
            let Answer { success, output, errors, code } = program.shell(&line)?;
            let said = [output.as_str(), errors.as_str()].join("\n");
            // One that has ended is no error; some programs say nothing about it.
            if !success && !words(&said).is_empty() && !is_all_unknown(&said) {
                return Err(program.failed(&Answer { success, output, errors, code }));
            }
        }
        Ok(())
    }

    pub(super) fn requeue(&self, task: &TaskId) -> Result<()> {
        let program = Program { queue: &self.word(), name: "requeue", changes: true };
        let line = self.of_jobs("requeue", &self.requeue, std::slice::from_ref(&task.job))?;
        let answer = program.shell(&line)?;
        if answer.success { Ok(()) } else { Err(program.failed(&answer)) }
    }

    /// Jobs by calls of a command.
    fn groups<'a>(&self, template: &str, jobs: &'a [JobId]) -> Vec<&'a [JobId]> {
        let at_once = match (mentions(template, "job"), mentions(template, "jobs")) {
            (true, _) => 1,
            (false, true) => JOBS_PER_CALL,
            (false, false) => jobs.len().max(1),
        };
        jobs.chunks(at_once).collect()
    }

    /// A command about jobs.
    fn of_jobs(&self, key: &str, template: &str, jobs: &[JobId]) -> Result<String> {
        let values = |name: &str| (name == "job").then(|| jobs.first().map(|job| job.0.clone())).flatten();
        // Words of their own each.
        let all: Vec<String> = jobs.iter().map(|job| quote(&job.0)).collect::<Result<_>>()?;
        self.fill(key, template, &values, &all.join(" "))
    }

    /// A command with its values. `plain` takes the place of `{after}` and `{jobs}` as it is.
    fn fill(&self, key: &str, template: &str, values: &dyn Fn(&str) -> Option<String>, plain: &str) -> Result<String> {
        let known = |name: &str| match key {
            "submit" => OF_SUBMIT.iter().any(|(known, _)| *known == name),
            _ => name == "job" || name == "jobs",
        };
        let mut line = String::new();
        for part in parts(template) {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Name { name: "after", .. } if key == "submit" => line.push_str(plain),
                Part::Name { name: "jobs", .. } if key != "submit" => line.push_str(plain),
                Part::Name { name, within } if known(name) => {
                    let value = values(name).ok_or_else(|| {
                        let option = OF_SUBMIT.iter().find(|(known, _)| *known == name).and_then(|(_, option)| *option);
                        let option = option.unwrap_or(name);
                        let text = format!(
                            "the command {key} of {} needs {{{name}}}, and the option {option} has no value",
                            self.word()
                        );
                        Error::argument(text).about_option(option)
                    })?;
                    line.push_str(&within.quoted(&value)?);
                }
                Part::Name { name, .. } => line.push_str(&format!("{{{name}}}")),
            }
        }
        if line.len() > LONGEST {
            return Err(Error::argument(format!(
                "the command {key} of {} is too long: {} bytes",
                self.word(),
                line.len()
            )));
        }
        Ok(line)
    }

    /// The table, as errors name it.
    fn word(&self) -> String {
        format!("[engine.{}]", self.name)
    }
}

/// Options that say something to a queue, and whether they are set.
fn set_options(o: &ClusterOptions) -> [(&'static str, bool); 12] {
    [
        ("partition", o.partition.is_some()),
        ("account", o.account.is_some()),
        ("qos", o.qos.is_some()),
        ("gres", o.gres.is_some()),
        ("constraint", o.constraint.is_some()),
        ("exclude", o.exclude.is_some()),
        ("nodelist", o.nodelist.is_some()),
        ("cpus", o.cpus.is_some()),
        ("memory", o.memory.is_some()),
        ("time", o.time.is_some()),
        ("parallel", o.parallel > 0),
        ("sbatch", !o.sbatch.is_empty()),
    ]
}

#[cfg(test)]
mod tests;
