//! Why a task of a queue has no result, in words.

use super::batch::Batch;
use super::command::LONGEST_LINE;
use super::engine::{Engine, TaskId, TaskStatus};
use super::task::End;
use crate::error::{Error, ErrorKind};

/// Lines of a log that an error quotes.
const LINES: usize = 10;

/// Slurm's own `0:53` as a shell's exit code: a signal that nobody sends.
const SLURM_NO_LOG: i32 = 128 + 53;

/// A task that has ended, for the sentences about it.
pub(super) struct Ended<'a> {
    /// `Slurm`.
    pub queue: &'a str,
    pub batch: &'a Batch,
    pub task: usize,
    /// As the queue calls it, where the queue knows it.
    pub id: Option<&'a TaskId>,
}

impl Ended<'_> {
    /// The worker's own error.
    pub fn of_worker(&self, end: &End) -> Error {
        let Some(failed) = &end.error else {
            return self.with_log(format!("{} failed on {}", self.called(), end.node));
        };
        let log = format!("its log: {}; the same call tries it again", self.log());
        let help = failed.help.as_ref().map_or(log.clone(), |help| format!("{help}; {log}"));
        Error { kind: failed.kind, message: failed.message.clone(), help: Some(help), about: failed.about.clone() }
    }

    /// A task that the queue calls failed, of which no error of the worker is known.
    pub fn failed(&self, status: &TaskStatus) -> Error {
        self.without_word(status, None)
    }

    /// The same of one that was stopped from outside, with more about that: `twice`, or why it is not put back.
    pub fn stopped(&self, status: &TaskStatus, more: &str) -> Error {
        self.without_word(status, Some(more))
    }

    fn without_word(&self, status: &TaskStatus, stopped: Option<&str>) -> Error {
        let options = &self.batch.record.cluster.options;
        let on = status.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
        let (task, word, log) = (self.called(), status.word.as_str(), self.log());
        match word {
            "OUT_OF_MEMORY" => {
                let limit =
                    options.memory.as_ref().map_or("than the queue's default".into(), |m| format!("memory than {m}"));
                let error = self.with_log(format!("{task}{on} needed more {limit} (OUT_OF_MEMORY)"));
                Error { kind: ErrorKind::Memory, ..error }.with_help(format!(
                    "the option memory of the cluster asks for more, and a smaller batch needs less; its log: {log}"
                ))
            }
            "TIMEOUT" | "DEADLINE" => {
                let limit = options.time.as_ref().map_or(String::new(), |time| format!(" of {time}"));
                self.with_log(format!("{task}{on} reached its time limit{limit} and was not put back ({word})")).with_help(format!(
                    "the option time of the cluster asks for more, signal_before ({} s) leaves more for the last checkpoint, requeues ({}) puts it back \
                     more often; the same call goes on from its checkpoint; its log: {log}",
                    options.signal_before, options.requeues
                ))
            }
            "NODE_FAIL" | "BOOT_FAIL" | "PREEMPTED" | "REVOKED" => self
                .with_log(format!("{task}{on} was taken from its node ({word}), and the queue does not put it back"))
                .with_help(format!("the same call goes on from its checkpoint; its log: {log}")),
            _ => {
                let no_log = self.batch.record.cluster.engine == Engine::Slurm && status.exit == Some(SLURM_NO_LOG);
                let how = match (stopped, status.exit) {
                    _ if no_log => {
                        "could not begin: its log cannot be opened there, says Slurm's exit code 0:53".into()
                    }
                    (Some(more), _) => format!("was stopped from outside {more}"),
                    (None, Some(code)) if code > 128 => format!("was ended by signal {}", code - 128),
                    (None, Some(0) | None) => "failed before it could say why".to_string(),
                    (None, Some(code)) => format!("failed with exit code {code}"),
                };
                let help = match self.batch.last_lines(self.task, 1).is_empty() {
                    _ if no_log => format!(
                        "the node must see the folder of {log} and write there; cluster.check() looks; the same call tries it again"
                    ),
                    true => format!(
                        "it wrote no log, {log}: the node may not see this folder, or the setup lines failed; cluster.check() looks"
                    ),
                    false => format!("its log: {log}; the same call tries it again"),
                };
                self.with_log(format!("{task}{on} {how} ({word})")).with_help(help)
            }
        }
    }

    /// Somebody took it out of the queue.
    pub fn cancelled(&self) -> Error {
        Error::new(ErrorKind::Cluster, format!("{} was cancelled", self.called()))
            .with_help(format!("the same call puts it into the queue again; its log: {}", self.log()))
    }

    /// It ended well and its run is not there.
    pub fn missing(&self, seconds: u64) -> Error {
        let runs = self.batch.record.tasks.get(self.task).map_or(String::new(), |task| task.runs.join(", "));
        self.with_log(format!(
            "{} has ended well, and {seconds} s later its run {runs} is not in the store",
            self.called()
        ))
        .with_help(format!(
            "the nodes may see another folder than this host; cluster.check() looks; its log: {}",
            self.log()
        ))
    }

    /// The queue has forgotten it, and it said nothing, or that it was stopped.
    pub fn forgotten(&self, end: Option<&End>) -> Error {
        let how = match end {
            Some(end) => format!("was stopped on {} with exit code {}", end.node, end.exit),
            // Slurm forgets one that is cancelled alone at once.
            None if self.batch.last_lines(self.task, 1).is_empty() => {
                "left no word and no log, as one that was cancelled while it waited".to_string()
            }
            None => "left no word".to_string(),
        };
        self.with_log(format!("{} is not in the queue any more and {how}", self.called()))
            .with_help(format!("the same call goes on from its checkpoint, if it has one; its log: {}", self.log()))
    }

    /// `teacher 2/3 (Slurm task 4711_1)`.
    pub fn called(&self) -> String {
        let name = self.batch.record.tasks.get(self.task).map_or("a task", |task| &task.name);
        match self.id {
            Some(id) => format!("{name} ({} task {id})", self.queue),
            None => format!("{name} ({} batch {})", self.queue, self.batch.record.name),
        }
    }

    fn log(&self) -> String {
        self.batch.log(self.task).display().to_string()
    }

    /// The sentence, and behind it the last lines of the log.
    fn with_log(&self, sentence: String) -> Error {
        let lines = self.batch.last_lines(self.task, LINES);
        let quoted = lines.iter().map(|line| format!("\n  | {}", cut(line))).collect::<String>();
        let until = if quoted.is_empty() { "" } else { "; the end of its log:" };
        Error::new(ErrorKind::Cluster, format!("{sentence}{until}{quoted}"))
    }
}

/// A line as errors quote it.
fn cut(line: &str) -> String {
    let shown: String = line.chars().take(LONGEST_LINE).collect();
    if shown.len() < line.len() { format!("{shown}[... {} bytes ...]", line.len() - shown.len()) } else { shown }
}

/// What a queue waits for, from its own word, in words that fit behind "waiting for".
pub(super) fn reason(word: &str) -> String {
    let text = match word {
        "Resources" => "resources",
        "Priority" => "jobs of higher priority",
        "Dependency" => "an earlier stage",
        "BeginTime" => "its time to begin, after it was put back",
        "JobArrayTaskLimit" => "its own tasks: parallel is the limit",
        word if word.starts_with("ReqNodeNotAvail") || no_node(word).is_some() => {
            "nodes that are down, drained or reserved now"
        }
        "ReservedForMaintenance" | "NodeDown" => "nodes that are not available now",
        "PartitionDown" | "PartitionInactive" => "its partition, which takes no jobs now",
        word if hopeless(word).is_some() => return format!("what may never come ({word})"),
        word if held(word) == Some(Held::Unstarted) => "a release: the queue could not start it and holds it",
        word if held(word).is_some() => "a release: the job is held",
        "Reservation" => "its reservation",
        "Licenses" => "licences",
        "Cleaning" => "the end of its last start",
        word if word.starts_with("QOSGrp") || word.starts_with("AssocGrp") => {
            return format!("a limit of the account for all its jobs together ({word})");
        }
        word if word.starts_with("QOS") || word.starts_with("Assoc") => {
            return format!("a limit of the account ({word})");
        }
        word if word.is_empty() || word == "None" => "its turn",
        word => return word.to_string(),
    };
    text.to_string()
}

/// Why a task that waits for this may never begin, where no other job's end helps.
pub(super) fn hopeless(word: &str) -> Option<&'static str> {
    let of_account = word.starts_with("QOS") || word.starts_with("Assoc");
    match word {
        "PartitionTimeLimit" => Some("its time is above the partition's limit"),
        "PartitionNodeLimit" => Some("it asks for more or other nodes than the partition gives, or they are down"),
        "PartitionConfig" | "BadConstraints" => Some("no node of the partition fits what it asks for"),
        "AccountNotAllowed" | "InvalidAccount" => Some("its account may not use this partition"),
        "QOSNotAllowed" | "InvalidQOS" => Some("its qos may not be used here"),
        "DependencyNeverSatisfied" => Some("it depends on a job that did not end as it must"),
        word if of_account && word.contains("PerJob") => Some("it asks for more than one job of the account may have"),
        word if word.starts_with("QOSMin") => Some("it asks for less than its qos wants"),
        _ => None,
    }
}

/// Why no node can take a task that waits for this now, where others of its kind cannot begin either.
pub(super) fn no_node(word: &str) -> Option<&'static str> {
    let text = spaced(word);
    if text.starts_with("Nodes required for job are DOWN, DRAINED or reserved") {
        Some("the nodes that it could run on are down, drained or kept for jobs of higher priority")
    } else if text.starts_with("ReqNodeNotAvail") && text.contains("UnavailableNodes") {
        Some("the nodes that it could run on are down, drained or reserved")
    } else {
        None
    }
}

/// Why a queue holds a task until somebody releases it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// It could not be started.
    Unstarted,
    /// Its user, an administrator or a rule of the site wants it so.
    OnPurpose,
}

/// Whether a task that waits for this is held.
pub(super) fn held(word: &str) -> Option<Held> {
    match spaced(word).as_str() {
        "JobHoldMaxRequeue" => Some(Held::Unstarted),
        // What failed is before it: "launch failed", "launch failure limit exceeded", "user env retrieval failed".
        text if text.ends_with(" requeued held") => Some(Held::Unstarted),
        "JobHeldUser" | "JobHeldAdmin" => Some(Held::OnPurpose),
        // By `scontrol requeuehold`, or an exit code that the site holds: "held state", "special exit state".
        text if text.starts_with("job requeued in ") => Some(Held::OnPurpose),
        _ => None,
    }
}

/// A word of squeue, which has spaces where scontrol and some sites' squeue have underscores.
fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::batch::Task;
    use crate::cluster::engine::{JobId, TaskState};
    use crate::cluster::task::Failed;
    use crate::cluster::{Cluster, ClusterOptions};
    use crate::runs::RunStore;

    fn of(work: impl FnOnce(Ended)) {
        let root = tempfile::tempdir().unwrap();
        let options =
            ClusterOptions { memory: Some("2G".into()), time: Some("1:00".into()), ..ClusterOptions::default() };
        let task =
            Task { runs: vec!["train-000000000001".into()], name: "teacher 2/3".into(), job: serde_json::json!({}) };
        let batch =
            Batch::make(&RunStore::new(root.path()), &Cluster::slurm(options), vec![(0, task)], &[], vec![]).unwrap();
        std::fs::write(batch.log(0), "first\nlast").unwrap();
        let id = TaskId { job: JobId("4711".into()), index: 0 };
        work(Ended { queue: "Slurm", batch: &batch, task: 0, id: Some(&id) });
    }

    fn status(word: &str, exit: Option<i32>) -> TaskStatus {
        TaskStatus { state: TaskState::Failed, word: word.into(), reason: None, node: Some("n1".into()), exit }
    }

    #[test]
    fn each_end_has_its_sentence_and_its_help() {
        of(|ended| {
            let log = ended.log();
            let memory = ended.failed(&status("OUT_OF_MEMORY", None));
            assert_eq!(memory.kind, ErrorKind::Memory);
            assert_eq!(
                memory.message,
                "teacher 2/3 (Slurm task 4711_0) on n1 needed more memory than 2G (OUT_OF_MEMORY); the end of its log:\n  | first\n  | last"
            );
            assert!(memory.help.unwrap().contains(&log));
            let time = ended.failed(&status("TIMEOUT", None));
            assert!(time.message.contains("reached its time limit of 1:00 and was not put back (TIMEOUT)"), "{time}");
            assert!(time.help.unwrap().contains("signal_before (120 s)"));
            let code = ended.failed(&status("FAILED", Some(3)));
            assert!(code.message.contains("on n1 failed with exit code 3 (FAILED)"), "{code}");
            let signal = ended.failed(&status("FAILED", Some(137)));
            assert!(signal.message.contains("was ended by signal 9 (FAILED)"), "{signal}");
            let no_log = ended.failed(&status("FAILED", Some(181))).message;
            assert!(no_log.contains("on n1 could not begin: its log cannot be opened there"), "{no_log}");
            assert_eq!(ended.cancelled().message, "teacher 2/3 (Slurm task 4711_0) was cancelled");
            let missing = ended.missing(90).message;
            assert!(missing.contains("90 s later its run train-000000000001 is not in the store"), "{missing}");
            assert!(ended.forgotten(None).message.contains("is not in the queue any more and left no word"));
        });
    }

    #[test]
    fn a_workers_own_error_is_unchanged() {
        of(|ended| {
            let failed = Failed {
                kind: ErrorKind::Data,
                message: "cat.png: not a picture".into(),
                help: Some("look at it".into()),
                about: None,
            };
            let error = ended.of_worker(&End { exit: 1, error: Some(failed), node: "n1".into(), restarts: 0 });
            assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Data, "cat.png: not a picture"));
            assert!(error.help.unwrap().starts_with("look at it; its log: "));
        });
    }

    #[test]
    fn without_a_log_the_help_says_why() {
        of(|ended| {
            std::fs::remove_file(ended.batch.log(0)).unwrap();
            let error = ended.failed(&status("FAILED", None));
            assert!(error.message.ends_with("failed before it could say why (FAILED)"), "{error}");
            assert!(error.help.unwrap().starts_with("it wrote no log"));
        });
    }

    #[test]
    fn reasons_are_words() {
        let words = ["Resources", "QOSMaxJobsPerUserLimit", "None", "Odd"].map(reason);
        assert_eq!(words, ["resources", "a limit of the account (QOSMaxJobsPerUserLimit)", "its turn", "Odd"]);
        let words = ["AssocGrpCpuLimit", "ReqNodeNotAvail, UnavailableNodes:n3", "BadConstraints"].map(reason);
        assert_eq!(words[0], "a limit of the account for all its jobs together (AssocGrpCpuLimit)");
        assert_eq!(
            words[1..],
            ["nodes that are down, drained or reserved now", "what may never come (BadConstraints)"]
        );
        for word in ["PartitionConfig", "PartitionTimeLimit", "QOSMaxCpuPerJobLimit", "AssocMaxWallDurationPerJobLimit"]
        {
            assert!(hopeless(word).is_some(), "{word}");
        }
        for word in ["Resources", "AssocGrpCpuLimit", "QOSMaxJobsPerUserLimit", "ReqNodeNotAvail", "JobHeldUser"] {
            assert!(hopeless(word).is_none(), "{word}");
        }
    }

    /// From squeue of Slurm 22.05, and from its source up to 25.11.
    #[test]
    fn a_failed_start_is_told_from_a_persons_will() {
        for word in [
            "launch failed requeued held",
            "launch_failed_requeued_held",
            "launch failure limit exceeded requeued held",
            "user env retrieval failed requeued held",
            "JobHoldMaxRequeue",
        ] {
            assert_eq!(held(word), Some(Held::Unstarted), "{word}");
            assert_eq!(reason(word), "a release: the queue could not start it and holds it");
        }
        for word in [
            "JobHeldUser",
            "JobHeldAdmin",
            "job requeued in held state",
            "job requeued in special exit state",
            "job_requeued_in_held_state",
        ] {
            assert_eq!(held(word), Some(Held::OnPurpose), "{word}");
            assert_eq!(reason(word), "a release: the job is held");
        }
        for word in ["Resources", "BeginTime", "Priority", "JobLaunchFailure", "", "held"] {
            assert_eq!(held(word), None, "{word}");
        }
    }

    #[test]
    fn nodes_that_are_away_are_told_from_those_that_are_busy() {
        let all = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions";
        for word in [all, &all.replace(' ', "_"), "ReqNodeNotAvail, UnavailableNodes:n[1-3]"] {
            assert!(no_node(word).is_some(), "{word}");
            assert_eq!(reason(word), "nodes that are down, drained or reserved now");
        }
        for word in ["Resources", "ReqNodeNotAvail, May be reserved for other job", "Priority"] {
            assert!(no_node(word).is_none(), "{word}");
        }
    }
}
