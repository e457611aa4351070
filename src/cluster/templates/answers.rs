//! What the commands of a queue print: the job of a submission, states of jobs, complaints about jobs that are gone.

use std::collections::{BTreeMap, HashMap};

use super::{JobId, TaskState, TaskStatus};

/// Words of PBS (Q to X), Grid Engine (qw to Eqw), LSF (PEND to ZOMBI) and OAR (Waiting to Error).
const WORDS: &[(&str, TaskState)] = &[
    ("Q", TaskState::Queued),
    ("H", TaskState::Queued),
    ("W", TaskState::Queued),
    ("T", TaskState::Queued),
    ("M", TaskState::Queued),
    ("B", TaskState::Running),
    ("R", TaskState::Running),
    ("E", TaskState::Running),
    ("S", TaskState::Running),
    ("U", TaskState::Running),
    ("C", TaskState::Completed),
    ("F", TaskState::Completed),
    ("X", TaskState::Completed),
    ("qw", TaskState::Queued),
    ("hqw", TaskState::Queued),
    ("Rq", TaskState::Queued),
    ("hRwq", TaskState::Queued),
    ("r", TaskState::Running),
    ("t", TaskState::Running),
    ("Rr", TaskState::Running),
    ("Rt", TaskState::Running),
    ("hr", TaskState::Running),
    ("s", TaskState::Running),
    ("dr", TaskState::Running),
    ("Eqw", TaskState::Queued),
    ("PEND", TaskState::Queued),
    ("PSUSP", TaskState::Queued),
    ("WAIT", TaskState::Queued),
    ("PROV", TaskState::Queued),
    ("RUN", TaskState::Running),
    ("USUSP", TaskState::Running),
    ("SSUSP", TaskState::Running),
    ("DONE", TaskState::Completed),
    ("EXIT", TaskState::Failed),
    ("UNKWN", TaskState::Running),
    ("ZOMBI", TaskState::Running),
    ("Waiting", TaskState::Queued),
    ("Hold", TaskState::Queued),
    ("toLaunch", TaskState::Queued),
    ("Launching", TaskState::Running),
    ("Running", TaskState::Running),
    ("Suspended", TaskState::Running),
    ("Finishing", TaskState::Running),
    ("Terminated", TaskState::Completed),
    ("Error", TaskState::Failed),
];

/// What programs say of a job that has ended or is unknown, in lower case.
const UNKNOWN: [&str; 9] = [
    "unknown job",
    "unknown jobid",
    "invalid job id",
    "has finished",
    "is not found",
    "do not exist",
    "does not exist",
    "no matching job",
    "already finished",
];
/// PBS's exit status of a job that qdel ended: 256 and SIGTERM.
const DELETED: i32 = 271;

/// The job in what submit printed: `123`, `123.server`, `Job <123> is submitted to queue <normal>.`, `OAR_JOB_ID=123`.
pub(super) fn job_of(output: &str) -> Option<JobId> {
    let line = output.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    let word = line.split_whitespace().find(|word| word.contains(|c: char| c.is_ascii_digit()))?;
    let word = word.rsplit('=').next()?.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != ']');
    (!word.is_empty()).then(|| JobId(word.to_string()))
}

/// Whether a program complained of nothing but jobs that it does not know (any more).
pub(super) fn is_all_unknown(errors: &str) -> bool {
    let lines: Vec<String> =
        errors.lines().map(|line| line.trim().to_lowercase()).filter(|line| !line.is_empty()).collect();
    !lines.is_empty() && lines.iter().all(|line| UNKNOWN.iter().any(|known| line.contains(known)))
}

/// What a status command printed about these jobs. `alone`: it was asked for one job and need not name it.
pub(super) fn read(
    output: &str,
    jobs: &[JobId],
    alone: bool,
    states: &BTreeMap<String, TaskState>,
) -> BTreeMap<JobId, TaskStatus> {
    let state_of = |word: &str| {
        let known = WORDS.iter().find(|(known, _)| *known == word).map(|(_, state)| *state);
        states.get(word).copied().or(known)
    };
    // 12.server in one place is 12 or 12.server.site.edu in another.
    let number = |id: &str| id.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().to_string();
    let names: HashMap<&str, &JobId> = jobs.iter().map(|job| (job.0.as_str(), job)).collect();
    let numbers: HashMap<String, &JobId> = jobs.iter().map(|job| (number(&job.0), job)).collect();
    let job_of = |word: &str| {
        let word = word.trim_end_matches([':', ',']);
        let exact = names.get(word).copied();
        exact.or_else(|| numbers.get(&number(word)).copied().filter(|_| !number(word).is_empty()))
    };
    let mut found: BTreeMap<JobId, TaskStatus> = BTreeMap::new();
    let mut record: Option<&JobId> = None;
    for line in output.lines() {
        let mut line_words = line.split_whitespace();
        if let Some(rest) = line.trim().strip_prefix("Job Id:") {
            record = job_of(rest.trim());
            continue;
        }
        // A line of a record.
        if line.starts_with([' ', '\t'])
            && let Some((key, value)) = line.split_once('=')
        {
            let (key, value) = (key.trim().to_lowercase(), value.trim());
            if let Some(job) = record {
                let status = found.entry(job.clone()).or_insert_with(|| status(TaskState::Running, ""));
                match key.as_str() {
                    "job_state" => {
                        status.word = value.to_string();
                        status.state = state_of(value).unwrap_or(TaskState::Running);
                    }
                    "exit_status" => status.exit = value.parse().ok(),
                    "exec_host" => status.node = value.split(['/', '+']).next().map(str::to_string),
                    _ => {}
                }
            }
            continue;
        }
        let first = line_words.next().unwrap_or_default();
        let (job, rest): (&JobId, Vec<&str>) = match (job_of(first), jobs) {
            (Some(job), _) => (job, line_words.collect()),
            (None, [job]) if alone => (job, line.split_whitespace().collect()),
            _ => continue,
        };
        // The last word that is a state: names and times stand before and behind it.
        let Some(at) = rest.iter().rposition(|word| state_of(word).is_some()) else {
            // It is listed, so it is there.
            if let (Some(last), false) = (rest.last(), alone) {
                found.entry(job.clone()).or_insert_with(|| status(TaskState::Running, last));
            }
            continue;
        };
        let state = state_of(rest[at]).unwrap_or(TaskState::Running);
        let mut status = status(state, rest[at]);
        if matches!(state, TaskState::Completed | TaskState::Failed) {
            status.exit = rest.get(at + 1).and_then(|word| word.parse().ok());
        }
        found.insert(job.clone(), status);
    }
    found.values_mut().for_each(settle);
    found
}

fn status(state: TaskState, word: &str) -> TaskStatus {
    TaskStatus { state, word: word.to_string(), reason: None, node: None, exit: None }
}

/// A queue's word for the end is the same for every end: the exit status tells them apart.
fn settle(status: &mut TaskStatus) {
    if !matches!(status.state, TaskState::Completed | TaskState::Failed) {
        status.exit = None;
        return;
    }
    match status.exit {
        Some(0) => status.state = TaskState::Completed,
        Some(DELETED) => status.state = TaskState::Cancelled,
        Some(exit) => {
            status.state = TaskState::Failed;
            // PBS has 256 and the signal.
            status.exit = Some(if exit > 256 { exit - 128 } else { exit });
        }
        None => {}
    }
}
