//! One job in a process of its own, which is started once more if it dies or loses its GPU.
//!
//! The job is a file of JSON. `cpsd worker JOB.json` runs it and writes messages to its standard output, one line of
//! JSON each. It stops when its standard input ends, and ends at once a few seconds after its parent is gone,
//! so no worker outlives its parent.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::activity::message::Message;
use crate::activity::progress::Relayed;
use crate::activity::{console, interrupt};
use crate::configuration;
use crate::distributed::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{own, policy};
use crate::runs::node_copy;

/// How to start a worker process.
pub struct WorkerCommand<'a> {
    /// The name in messages.
    pub name: &'a str,
    pub file: &'a Path,
    pub environment: &'a [(&'static str, String)],
}

/// Runs a job file in a process of its own and returns the value of its last message. `epoch` receives every epoch's
/// line; its error stops the worker.
///
/// Errors: the worker's own, unchanged; Internal when it died twice; Device when it lost its GPU twice; Interrupted.
pub fn run(command: &WorkerCommand, epoch: &mut dyn FnMut(&Value) -> Result<()>) -> Result<Value> {
    tried_twice(command.name, || attend(command, epoch))
}

/// The value of a worker that was done, at its first or second attempt.
fn tried_twice(name: &str, mut attend: impl FnMut() -> Result<Ended>) -> Result<Value> {
    for attempt in 1..=2 {
        match attend()? {
            Ended::Done(value) => return Ok(value),
            Ended::Died(status) if attempt == 1 => {
                interrupt::check()?;
                console::log(&format!("{}: its worker process died ({status}); it is tried once more", name));
            }
            // A new process has a context of CUDA of its own.
            Ended::LostDevice(error) if attempt == 1 => {
                interrupt::check()?;
                console::log(&format!("{}: {error}; it is tried once more in a new process", name));
            }
            Ended::LostDevice(error) => {
                let message = format!("{}: in two processes one after the other: {error}", name);
                return Err(Error { message, ..error }
                    .with_help("CUDA_LAUNCH_BLOCKING=1 finds the operation; nvidia-smi -q and the system's log say whether a card is damaged"));
            }
            Ended::Died(status) => {
                return Err(Error::internal(format!("{}: its worker process died twice ({status})", name)).with_help(
                    "a process that is killed (signal 9) has often run out of memory: a smaller batch needs less",
                ));
            }
        }
    }
    Err(Error::internal("a worker was neither done nor dead"))
}

enum Ended {
    Done(Value),
    Died(ExitStatus),
    /// CUDA failed in it for good.
    LostDevice(Error),
}

fn attend(command: &WorkerCommand, epoch: &mut dyn FnMut(&Value) -> Result<()>) -> Result<Ended> {
    let (send, messages) = channel();
    let mut started = Started::begin(command, move |message| send.send(message).is_ok())?;
    let mut shown = Relayed::default();
    let mut last: Option<Result<Value>> = None;
    let mut stopped: Option<Error> = None;
    loop {
        if interrupt::requested() {
            started.ask_to_stop();
        }
        match messages.recv_timeout(Duration::from_millis(100)) {
            Ok(Message::Progress(update)) => shown.show(update),
            Ok(Message::Log(line)) => console::log(&line),
            Ok(Message::Epoch(line)) => {
                if stopped.is_none()
                    && let Err(error) = epoch(&line)
                {
                    stopped = Some(error);
                    started.ask_to_stop();
                }
            }
            Ok(Message::Done(value)) => last = Some(Ok(value)),
            Ok(Message::Failed { kind, message, help, about }) => {
                last = Some(Err(Error { kind, message, help, about }))
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = started.wait()?;
    match (stopped, last) {
        (Some(error), _) => Err(error),
        (None, Some(Ok(value))) => Ok(Ended::Done(value)),
        (None, Some(Err(error))) if error.kind == ErrorKind::Device => Ok(Ended::LostDevice(error)),
        (None, Some(Err(error))) => Err(error),
        (None, None) => Ok(Ended::Died(status)),
    }
}

/// A worker process that was started.
pub(super) struct Started {
    child: Child,
    /// Dropping it makes the worker stop.
    lifeline: Option<ChildStdin>,
    reader: Option<JoinHandle<()>>,
}

impl Started {
    /// Starts it. `on_message` is called on a thread of its own with every message, until it returns false.
    pub(super) fn begin(
        command: &WorkerCommand,
        mut on_message: impl FnMut(Message) -> bool + Send + 'static,
    ) -> Result<Started> {
        let program = program()?;
        let mut process = Command::new(&program);
        process.args(["worker", "--supervised"]).arg(command.file);
        // Its place among others is what this call says.
        for name in Place::VARIABLES.into_iter().chain([node_copy::VARIABLE]) {
            process.env_remove(name);
        }
        let mut child = process
            .envs(configuration::for_worker())
            .envs(command.environment.iter().map(|(k, v)| (k, v)))
            .env(policy::VARIABLE, policy::for_worker())
            .envs(node_copy::for_worker())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Error::io(&program, format!("a worker process cannot be begun: {e}")))?;
        let lifeline = child.stdin.take();
        let reader = child.stdout.take().map(|out| {
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
                    // Other lines were printed by a library.
                    if let Ok(message) = serde_json::from_str::<Message>(&line)
                        && !on_message(message)
                    {
                        return;
                    }
                }
            })
        });
        Ok(Started { child, lifeline, reader })
    }

    /// Asks it to stop at its next safe point.
    pub(super) fn ask_to_stop(&mut self) {
        self.lifeline = None;
    }

    /// The number of its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has.
    pub(super) fn poll(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(unwaited)
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) -> Option<ExitStatus> {
        // One that has ended is no failure.
        let _ = self.child.kill();
        self.child.wait().ok()
    }

    /// Waits for its end.
    pub(super) fn wait(mut self) -> Result<ExitStatus> {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.child.wait().map_err(unwaited)
    }
}

fn unwaited(error: std::io::Error) -> Error {
    Error::internal(format!("a worker process cannot be waited for: {error}"))
}

/// The program of worker processes, which is this one. Errors: another program that uses the library.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|e| Error::internal(format!("this program cannot be found: {e}")))?;
    match is_cpsd(&own) {
        true => Ok(own),
        false => Err(Error::argument("worker processes need the program cpsd; here the library runs in another one")
            .with_help("workers: \"threads\" trains in this process")),
    }
}

fn is_cpsd(program: &Path) -> bool {
    program.file_stem().is_some_and(|name| name == "cpsd")
}

/// Whether this program can begin worker processes of itself.
pub fn is_possible() -> bool {
    std::env::current_exe().is_ok_and(|own| is_cpsd(&own))
}

/// Stops this process when its standard input ends: at its next safe point, or soon if its parent is gone.
pub fn watch_lifeline() {
    let parent = parent();
    std::thread::spawn(move || {
        wake_when_parent_ends();
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        // A parent that waits is told of the last checkpoint, however long the step under way takes.
        loop {
            // Again and again: a script that begins now forgets an earlier request, and a parent that ended while this process began
            // is not seen to end.
            interrupt::request();
            if self::parent() != parent {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        std::thread::sleep(GRACE);
        own::remove_session_folder();
        // SAFETY: ends the process, with nobody left to tell.
        unsafe { libc::_exit(INTERRUPTED) }
    });
}

/// Has the system wake this process, if a signal has stopped it, when its parent is gone: so it sees that its standard input ended. It is
/// no signal that kills, since a worker that runs writes its checkpoint first. Only Linux offers this.
fn wake_when_parent_ends() {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a number of this thread, which lives as long as the process.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGCONT);
    }
}

/// How long a worker may go on without its parent: time for a checkpoint, not for a step that never ends.
const GRACE: Duration = Duration::from_secs(5);
/// The exit code of an interrupted process.
const INTERRUPTED: i32 = 130;

fn parent() -> i32 {
    // SAFETY: no arguments, never fails.
    unsafe { libc::getppid() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    /// The outcome of these ends one after the other, and how many of them were needed.
    fn of(ends: Vec<Result<Ended>>) -> (Result<Value>, usize) {
        console::set_quiet(true);
        let all = ends.len();
        let mut left = ends.into_iter();
        let outcome = tried_twice("teacher 1", || left.next().unwrap());
        (outcome, all - left.len())
    }

    fn lost() -> Result<Ended> {
        Ok(Ended::LostDevice(crate::torch::faults::error("CUDA error: an illegal memory access was encountered")))
    }

    #[test]
    fn a_worker_that_died_or_lost_its_gpu_is_tried_once_more() {
        let done = || Ok(Ended::Done("run".into()));
        let died = || Ok(Ended::Died(ExitStatus::from_raw(9)));
        for first in [lost(), died()] {
            let (outcome, attempts) = of(vec![first, done()]);
            assert_eq!((outcome.unwrap(), attempts), (Value::from("run"), 2));
        }
        let (outcome, attempts) = of(vec![lost(), lost(), done()]);
        let error = outcome.unwrap_err();
        assert_eq!((error.kind, attempts), (ErrorKind::Device, 2));
        assert!(error.message.starts_with("teacher 1: in two processes one after the other: CUDA failed"), "{error}");
        let (outcome, attempts) = of(vec![died(), died(), done()]);
        assert_eq!((outcome.unwrap_err().kind, attempts), (ErrorKind::Internal, 2));
        // Another error is the job's own, and would come again.
        let (outcome, attempts) = of(vec![Err(Error::data("no picture")), done()]);
        assert_eq!((outcome.unwrap_err().message.as_str(), attempts), ("no picture", 1));
    }
}
