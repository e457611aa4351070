//! One job in several processes of this machine, which compute it together: the ranks of a group.
//!
//! They end together. When one fails or dies, the others are ended, and the error is that of the first cause.

use std::process::ExitStatus;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::worker::{Started, WorkerCommand};
use crate::activity::message::Message;
use crate::activity::progress::Relayed;
use crate::activity::{console, interrupt};
use crate::distributed::is_lost;
use crate::error::{Error, ErrorKind, Result};

/// How long the others may take to see by themselves that one has ended, before they are killed.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long after the first one that has stopped as it was asked to: time for a step, and for rank 0's checkpoint.
const STOPPING: Duration = Duration::from_secs(20);

/// Runs a job file in one process per command and returns the value of rank 0's last message. `epoch` receives every epoch's
/// line of rank 0; its error stops all.
///
/// Errors: that of the process which failed first; Io when one died, with its rank and signal; Interrupted.
pub fn run(commands: &[WorkerCommand], epoch: &mut dyn FnMut(&Value) -> Result<()>) -> Result<Value> {
    let (send, messages) = channel();
    let mut ranks = Ranks(Vec::new());
    for (rank, command) in commands.iter().enumerate() {
        let send = send.clone();
        let started = Started::begin(command, move |message| send.send((rank, message)).is_ok())?;
        ranks.0.push(Rank { started, status: None, killed: false, failure: None, value: None });
    }
    drop(send);
    let mut shown = Relayed::default();
    let mut stopped: Option<Error> = None;
    // Since when one has failed.
    let mut failing: Option<Instant> = None;
    // Since when one has stopped as it was asked to.
    let mut stopping: Option<Instant> = None;
    loop {
        let asked = stopped.is_some() || interrupt::requested();
        if asked {
            ranks.0.iter_mut().for_each(|rank| rank.started.ask_to_stop());
        }
        let mut silent = false;
        match messages.recv_timeout(Duration::from_millis(50)) {
            // Of what is said on the way, that of rank 0 is enough: the others do the same.
            Ok((0, Message::Progress(update))) => shown.show(update),
            Ok((0, Message::Log(line))) => console::log(&line),
            Ok((0, Message::Epoch(line))) => {
                if stopped.is_none() {
                    stopped = epoch(&line).err();
                }
            }
            Ok((rank, Message::Done(value))) => ranks.0[rank].value = Some(value),
            Ok((rank, Message::Failed { kind, message, help, about })) => {
                ranks.0[rank].failure = Some(Error { kind, message, help, about });
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                silent = true;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        for rank in &mut ranks.0 {
            rank.look()?;
        }
        if silent && ranks.0.iter().all(|rank| rank.status.is_some()) {
            break;
        }
        if ranks.0.iter().any(Rank::has_failed) && failing.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            ranks.0.iter_mut().for_each(Rank::kill);
        }
        // One that hangs, or was itself stopped by a signal, hears nothing.
        if asked
            && ranks.0.iter().any(|rank| rank.status.is_some())
            && stopping.get_or_insert_with(Instant::now).elapsed() > STOPPING
        {
            ranks.0.iter_mut().for_each(Rank::kill);
        }
    }
    if let Some(error) = stopped {
        return Err(error);
    }
    let name = commands.first().map_or("", |command| command.name);
    let size = ranks.0.len();
    let causes = ranks.0.iter_mut().enumerate().filter_map(|(number, rank)| rank.cause(name, number, size));
    match causes.min_by_key(|(order, _)| *order) {
        // One that is asked to stop while it starts dies of that.
        Some(_) if interrupt::requested() => Err(Error::interrupted()),
        Some((_, error)) => Err(error),
        None => {
            ranks.0[0].value.take().ok_or_else(|| Error::internal(format!("{name}: rank 0 ended without a result")))
        }
    }
}

/// Killed on every way out.
struct Ranks(Vec<Rank>);

impl Drop for Ranks {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Rank::kill);
    }
}

struct Rank {
    started: Started,
    status: Option<ExitStatus>,
    /// From here.
    killed: bool,
    failure: Option<Error>,
    value: Option<Value>,
}

impl Rank {
    /// Sees whether it has ended.
    fn look(&mut self) -> Result<()> {
        if self.status.is_none() {
            self.status = self.started.poll()?;
        }
        Ok(())
    }

    fn has_failed(&self) -> bool {
        self.failure.as_ref().is_some_and(|error| error.kind != ErrorKind::Interrupted)
            || self.status.is_some_and(|status| !status.success()) && self.failure.is_none()
    }

    fn kill(&mut self) {
        if self.status.is_none() {
            self.killed = true;
            self.status = self.started.kill();
        }
    }

    /// Why it failed, unless it was killed from here, and how near to the first cause that is: a death before an error, an
    /// error before that of one which lost the others.
    fn cause(&mut self, name: &str, number: usize, size: usize) -> Option<(u8, Error)> {
        if let Some(error) = self.failure.take() {
            let order = match error.kind {
                ErrorKind::Interrupted => 3,
                _ if is_lost(&error) => 2,
                _ => 1,
            };
            return Some((order, error));
        }
        let status = self.status.filter(|status| !status.success() && !self.killed)?;
        let text = format!(
            "{name}: rank {number} of {size} (process {}) died ({status}), so the others were ended",
            self.started.id()
        );
        let help = "the same call goes on from the last checkpoint; a process that is killed (signal 9) has often run out of \
                    memory: a smaller batch needs less";
        Some((0, Error::new(ErrorKind::Io, text).with_help(help)))
    }
}
