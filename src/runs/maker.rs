//! Who makes a run: a process of a host, told from every other one that had its number.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::environment;
use crate::files::own;

/// A process that makes runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Maker {
    pub host: String,
    /// The installation of the operating system. Empty where there is none to read.
    machine: String,
    /// This start of the system. Empty if processes of this maker's host cannot be looked up.
    boot: String,
    /// The set of processes among which the number counts: a container has its own.
    namespace: String,
    pub process: u32,
    /// When the process began, in the system's own unit. A later process of the same number has another.
    start: String,
    /// Its job in a cluster's queue.
    job: Option<String>,
    /// How often the queue had started that job before.
    #[serde(default, skip_serializing_if = "is_first")]
    restarts: u32,
}

fn is_first(restarts: &u32) -> bool {
    *restarts == 0
}

/// Jobs that a queue says have ended.
static ENDED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes jobs of a cluster's queue that have ended, as the queue says: `4711_3`. Claims of theirs are not waited for.
pub fn jobs_have_ended(jobs: impl IntoIterator<Item = String>) {
    ENDED.lock().extend(jobs);
}

/// The set of processes that Linux starts with, outside all containers.
const OUTSIDE: &str = "pid:[4026531836]";

/// What is known of a maker's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Runs,
    Gone,
    /// It is on another host.
    Unknown,
}

impl Maker {
    /// This process. `CPSD_CLAIM_HOST` gives its host another name, from which no process can be looked up: two processes of
    /// one machine then behave as on two.
    pub fn this() -> &'static Maker {
        static THIS: LazyLock<Maker> = LazyLock::new(|| {
            let process = std::process::id();
            let start = stat(process).map_or(String::new(), |(_, start)| start);
            let job = cluster_job(|name| std::env::var(name).ok());
            let restarts = environment::text("SLURM_RESTART_COUNT").and_then(|n| n.trim().parse().ok()).unwrap_or(0);
            match environment::text("CPSD_CLAIM_HOST") {
                Some(host) => Maker { host, process, start, job, restarts, ..Maker::default() },
                None => {
                    let host = line("/proc/sys/kernel/hostname").unwrap_or_else(|| own::host().to_string());
                    let boot = match cfg!(target_os = "linux") {
                        true => line("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
                        false => host.clone(),
                    };
                    let namespace = own::link_target(Path::new("/proc/self/ns/pid"));
                    let namespace = namespace.map_or(String::new(), |path| path.display().to_string());
                    let machine = line("/etc/machine-id").unwrap_or_default();
                    Maker { host, machine, boot, namespace, process, start, job, restarts }
                }
            }
        });
        &THIS
    }

    /// Whether it is on this system, so that locks of the system hold between the two.
    pub fn shares_system_with(&self, other: &Maker) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }

    /// Whether its processes can be looked up at all.
    pub fn is_known_to_the_system(&self) -> bool {
        !self.boot.is_empty()
    }

    /// Whether its queue says that it has ended: by an earlier start of `here`'s own job, or by a list of jobs. Where the queue has lost a
    /// node, its process may run on there.
    pub fn has_ended_by_the_queue(&self, here: &Maker) -> bool {
        let Some(job) = &self.job else { return false };
        here.job.as_ref() == Some(job) && self.restarts < here.restarts || ENDED.lock().contains(job)
    }

    /// What `here` can tell of it.
    pub fn seen_from(&self, here: &Maker) -> State {
        if self.boot.is_empty() || here.boot.is_empty() {
            return State::Unknown;
        }
        if self.boot == here.boot {
            return match self.namespace == here.namespace {
                true if runs(self.process, &self.start) => State::Runs,
                true => State::Gone,
                false => State::Unknown,
            };
        }
        // The same machine was started anew since. In a container its id and name may be those of an image, on many hosts.
        let same = !self.machine.is_empty() && self.machine == here.machine && self.host == here.host;
        match same && self.namespace == here.namespace && here.namespace == OUTSIDE {
            true => State::Gone,
            false => State::Unknown,
        }
    }

    #[cfg(test)]
    pub fn on_host(host: &str) -> Maker {
        Maker { host: host.into(), process: 4711, ..Maker::default() }
    }

    #[cfg(test)]
    pub fn in_job(self, job: &str, restarts: u32) -> Maker {
        Maker { job: Some(job.into()), restarts, ..self }
    }

    #[cfg(test)]
    pub fn in_a_container(self) -> Maker {
        Maker { namespace: "another".into(), ..self }
    }

    #[cfg(test)]
    pub fn with_process(self, process: u32, start: &str) -> Maker {
        Maker { process, start: start.into(), ..self }
    }
}

impl std::fmt::Display for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "process {} on {}", self.process, self.host)?;
        match &self.job {
            Some(job) => write!(f, " (job {job})"),
            None => Ok(()),
        }
    }
}

/// The id of a job of Slurm: an array's last task has the array's own id in SLURM_JOB_ID.
fn cluster_job(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    match (variable("SLURM_ARRAY_JOB_ID"), variable("SLURM_ARRAY_TASK_ID")) {
        (Some(array), Some(task)) => Some(format!("{array}_{task}")),
        _ => variable("SLURM_JOB_ID"),
    }
}

/// The first line of a file of the system.
fn line(path: &str) -> Option<String> {
    let text = own::of_system(Path::new(path))?;
    text.lines().next().map(|line| line.trim().to_string()).filter(|line| !line.is_empty())
}

/// Whether a process that began at `start` still runs.
fn runs(process: u32, start: &str) -> bool {
    if !i32::try_from(process).is_ok_and(|process| process > 0 && own::process_runs(process)) {
        return false;
    }
    match stat(process) {
        // Killed, though its parent has not asked for its end yet.
        Some(('Z' | 'X', _)) => false,
        Some((_, since)) => start.is_empty() || since == start,
        // Its files are hidden from this user, or the system has none.
        None => true,
    }
}

/// The state of a process, and when it began.
fn stat(process: u32) -> Option<(char, String)> {
    let text = own::of_system(Path::new(&format!("/proc/{process}/stat")))?;
    // The program's name is in brackets and may hold anything.
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number_and_its_start() {
        let this = Maker::this();
        assert_eq!(this.seen_from(this), State::Runs);
        if cfg!(target_os = "linux") {
            assert_eq!(this.clone().with_process(this.process, "1").seen_from(this), State::Gone);
        }
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let number = child.id();
        // Ended, and not waited for: on Linux it is a zombie.
        while cfg!(target_os = "linux") && stat(number).is_none_or(|(state, _)| state != 'Z') {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        if cfg!(target_os = "linux") {
            assert_eq!(this.clone().with_process(number, "").seen_from(this), State::Gone);
        }
        child.wait().unwrap();
        assert_eq!(this.clone().with_process(number, "").seen_from(this), State::Gone);
    }

    #[test]
    fn processes_elsewhere_are_unknown_until_the_machine_was_started_anew() {
        let this = Maker { machine: "m".into(), namespace: OUTSIDE.into(), ..Maker::this().clone() };
        let gone = |maker: Maker| maker.seen_from(&this);
        assert_eq!(gone(Maker::on_host("another")), State::Unknown);
        assert_eq!(gone(Maker { namespace: "a container".into(), ..this.clone() }), State::Unknown);
        assert_eq!(gone(Maker { boot: "before".into(), ..this.clone() }), State::Gone);
        let inside = Maker { namespace: "a container".into(), ..this.clone() };
        assert_eq!(Maker { boot: "before".into(), ..inside.clone() }.seen_from(&inside), State::Unknown);
        assert_eq!(gone(Maker { boot: "x".into(), host: "another".into(), ..this.clone() }), State::Unknown);
        assert_eq!(gone(Maker { boot: "x".into(), machine: String::new(), ..this.clone() }), State::Unknown);
    }

    #[test]
    fn an_earlier_start_of_a_job_has_ended_and_so_has_one_that_the_queue_names() {
        let of = |job: &str, restarts| Maker::on_host("n1").in_job(job, restarts);
        let here = Maker::on_host("n2").in_job("4711_3", 1);
        assert!(of("4711_3", 0).has_ended_by_the_queue(&here));
        // One of the same start is another process of this job, perhaps on another node.
        assert!(!of("4711_3", 1).has_ended_by_the_queue(&here));
        assert!(!of("4711_2", 0).has_ended_by_the_queue(&here) && !Maker::on_host("n1").has_ended_by_the_queue(&here));
        jobs_have_ended(["4709_0".to_string()]);
        assert!(of("4709_0", 7).has_ended_by_the_queue(&here));
        // Claims of versions that did not count.
        assert_eq!(serde_json::to_value(of("1_0", 0)).unwrap().get("restarts"), None);
    }

    #[test]
    fn a_job_of_an_array_is_named_by_array_and_task() {
        let of = |pairs: &[(&str, &str)]| {
            cluster_job(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string()))
        };
        let task = [("SLURM_JOB_ID", "9"), ("SLURM_ARRAY_JOB_ID", "7"), ("SLURM_ARRAY_TASK_ID", "3")];
        assert_eq!(of(&task).as_deref(), Some("7_3"));
        assert_eq!(of(&task[..1]).as_deref(), Some("9"));
        assert_eq!(of(&[]), None);
    }
}
