//! The two tasks of a check, which meet in a folder of the run store.
//!
//! | in the folder | by | |
//! |---|---|---|
//! | `lock` | first | held from its start to its end |
//! | `first.here` | first | [`Node`]; the second one waits for it |
//! | `second.waits` | second | it has tried the lock, and asked for `ping`, which is not there |
//! | `ping` | first | renamed to this name once the second one waits |
//! | `pong` | second | the same, once `ping` is in the listing |
//! | `first.json`, `second.json` | each | [`First`], [`Second`]: what it saw |
//!
//! No clock of one node is compared with that of another: the first task measures from its rename to the answer, the second one from
//! the listing to the opening.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::executors::pool;
use crate::files::own;
use crate::{devices, json};

pub const LOCK: &str = "lock";
pub const HERE: &str = "first.here";
pub const FIRST: &str = "first.json";
pub const SECOND: &str = "second.json";
const WAITS: &str = "second.waits";
const PING: &str = "ping";
const PONG: &str = "pong";
/// A rename that is not seen by then counts as never seen. The store waits as long for a run that was said to be finished.
pub const BOUND: Duration = Duration::from_secs(90);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The content of a task's file.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckTask {
    pub role: Role,
    /// The folder where the two meet, absolute.
    pub meeting: PathBuf,
    /// Seconds that each waits for the other.
    pub patience: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    First,
    Second,
}

/// A node as a task sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name in the queue, or else in the network.
    pub name: String,
    /// As `cpsd --version` says it.
    pub libtorch: String,
    pub device: String,
    pub cores: usize,
}

/// A lock of the system that one task holds, as a task sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lock {
    Free,
    Busy,
    /// There is none; the system's words.
    None(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct First {
    pub node: Node,
    /// Whether it could take the lock.
    pub lock: Lock,
    /// Seconds from its rename to the second task's answer in the listing; None if none came in [`BOUND`].
    pub round_trip: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Second {
    pub node: Node,
    /// What it finds while the first one holds the lock.
    pub lock: Lock,
    /// Whether the listing had the renamed file in [`BOUND`].
    pub listed: bool,
    /// Seconds from the listing to the first time that the file could be opened; None if it could not in [`BOUND`].
    pub opened: Option<f64>,
}

/// Does one of the two tasks of [`run`](super::run). Errors: a file that no check wrote; the other task does not come; Io; Interrupted.
pub fn work(file: &Value) -> Result<String> {
    let task: CheckTask = serde_json::from_value(file.clone())
        .map_err(|e| Error::data(format!("this is no task of a check that cpsd wrote: {e}")))?;
    let meeting =
        Meeting { folder: task.meeting, patience: Duration::from_secs_f64(task.patience.clamp(0.0, 86_400.0)) };
    match task.role {
        Role::First => meeting.first(Node::here())?,
        Role::Second => meeting.second(Node::here())?,
    }
    Ok(String::new())
}

impl Node {
    fn here() -> Node {
        let name = ["SLURMD_NODENAME"].iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
        Node {
            name: name.unwrap_or_else(|| own::host().to_string()),
            libtorch: devices::libtorch_in_words(),
            device: devices::in_words().unwrap_or_else(|error| format!("none: {}", error.message)),
            cores: pool::cores(),
        }
    }
}

struct Meeting {
    folder: PathBuf,
    patience: Duration,
}

impl Meeting {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn first(&self, node: Node) -> Result<()> {
        // Held until this function ends.
        let (lock, _held) = try_lock(&self.path(LOCK));
        write(&self.path(HERE), &node)?;
        self.wait_for(WAITS)?;
        own::write(&self.path("ping.new"), b"")?;
        let renamed = Instant::now();
        own::rename(&self.path("ping.new"), &self.path(PING)).map_err(|e| Error::io(self.path(PING), e))?;
        let round_trip = until(BOUND, || is_listed(&self.folder, PONG))?.then(|| renamed.elapsed().as_secs_f64());
        write(&self.path(FIRST), &First { node, lock, round_trip })?;
        // The second one may not have found the file yet, and nothing is removed before.
        until(2 * BOUND, || is_listed(&self.folder, SECOND)).map(drop)
    }

    fn second(&self, node: Node) -> Result<()> {
        self.wait_for(HERE)?;
        let (lock, _) = try_lock(&self.path(LOCK));
        // A shared file system may remember for a while that it was not there.
        let ping = self.path(PING);
        let _ = own::open(&ping).is_ok();
        own::write(&self.path(WAITS), b"")?;
        let (mut listed, mut opened): (Option<Instant>, Option<f64>) = (None, None);
        until(BOUND, || {
            if listed.is_none() && is_listed(&self.folder, PING) {
                listed = Some(Instant::now());
                // Its answer is not late because the file cannot be opened.
                let _ = own::write(&self.path(PONG), b"");
            }
            if own::open(&ping).is_ok() {
                opened = Some(listed.map_or(0.0, |listed| listed.elapsed().as_secs_f64()));
            }
            listed.is_some() && opened.is_some()
        })?;
        write(&self.path(SECOND), &Second { node, lock, listed: listed.is_some(), opened })
    }

    /// Errors: the other task does not come.
    fn wait_for(&self, name: &str) -> Result<()> {
        match until(self.patience, || is_listed(&self.folder, name))? {
            true => Ok(()),
            false => Err(Error::data(format!(
                "the other task of the check did not come in {:.0} s",
                self.patience.as_secs_f64()
            ))),
        }
    }
}

/// The state of the lock, which is held as long as the file is there.
fn try_lock(path: &Path) -> (Lock, Option<File>) {
    match own::open_or_create(path) {
        Err(error) => (Lock::None(error.message), None),
        Ok(file) => match file.try_lock() {
            Ok(()) => (Lock::Free, Some(file)),
            Err(TryLockError::WouldBlock) => (Lock::Busy, None),
            Err(TryLockError::Error(error)) => (Lock::None(error.to_string()), None),
        },
    }
}

fn is_listed(folder: &Path, name: &str) -> bool {
    own::entries(folder).any(|entry| entry.file_name() == name)
}

/// Waits until `seen` says yes. Returns false if it has not within `bound`. Errors: Interrupted.
pub fn until(bound: Duration, mut seen: impl FnMut() -> bool) -> Result<bool> {
    let started = Instant::now();
    loop {
        interrupt::check()?;
        if seen() {
            return Ok(true);
        }
        if started.elapsed() >= bound {
            return Ok(false);
        }
        std::thread::sleep(LOOK);
    }
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let bytes = serde_json::to_vec(value).map_err(|e| Error::internal(format!("a check as JSON: {e}")))?;
    own::write(path, &bytes)
}

/// What a task has written under this name, once it is listed.
pub fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Option<T> {
    is_listed(folder, name).then(|| json::parse(&own::read(&folder.join(name)).ok()?).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str) -> Node {
        Node { name: name.into(), libtorch: String::new(), device: "cpu".into(), cores: 1 }
    }

    #[test]
    fn two_tasks_meet_and_see_locks_and_renames() {
        let folder = tempfile::tempdir().unwrap();
        let meeting = || Meeting { folder: folder.path().to_path_buf(), patience: Duration::from_secs(20) };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| meeting().first(node("a")));
            meeting().second(node("b")).unwrap();
            first.join().unwrap().unwrap();
        });
        let first: First = read(folder.path(), FIRST).unwrap();
        let second: Second = read(folder.path(), SECOND).unwrap();
        assert_eq!((first.node.name.as_str(), second.node.name.as_str()), ("a", "b"));
        assert_eq!((first.lock, second.lock), (Lock::Free, Lock::Busy));
        assert!(first.round_trip.is_some() && second.listed && second.opened.is_some());
    }

    #[test]
    fn one_that_is_alone_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let task = |role: &str| json!({"task": "check", "role": role, "meeting": folder.path(), "patience": 0.05});
        for role in ["second", "first"] {
            assert!(work(&task(role)).unwrap_err().message.starts_with("the other task of the check did not come"));
        }
        assert!(work(&task("third")).unwrap_err().message.starts_with("this is no task of a check"));
    }
}
