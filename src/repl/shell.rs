//! Commands of the shell: with the terminal, or without one below a notebook's cell.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::activity::{interrupt, signals, sink};
use crate::error::{Error, ErrorKind, Result};

/// What does not end when it is interrupted is killed after so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Runs a command. What it began in the background ends with it where it was interrupted, and goes on otherwise.
///
/// Errors: the command fails; Interrupted, where it was stopped without a terminal.
pub fn run(command: &str) -> Result<()> {
    let run = || if sink::is_set() { without_terminal(command) } else { with_terminal(command) };
    match signals::lend_terminal(run) {
        Ok(status) if status.success() => Ok(()),
        Ok(_) if sink::is_set() && interrupt::requested() => {
            Err(Error::new(ErrorKind::Interrupted, "the command was stopped"))
        }
        Ok(status) => Err(Error::argument(status.to_string())),
        Err(cause) => Err(Error::argument(format!("sh cannot be run: {cause}"))),
    }
}

/// Nothing else stops the command, and nobody types into it.
fn without_terminal(command: &str) -> io::Result<ExitStatus> {
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()?;
    let group = child.id() as i32;
    let mut stopped: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            if stopped.is_some() {
                end(group);
            }
            return Ok(status);
        }
        match stopped {
            None if interrupt::requested() => {
                stopped = Some(Instant::now());
                let _ = signal(group, libc::SIGINT);
            }
            Some(at) if at.elapsed() > PATIENCE => {
                let _ = signal(group, libc::SIGKILL);
            }
            _ => {}
        }
        std::thread::sleep(LOOK);
    }
}

/// The command has the terminal, in a process group of its own: by this it can be ended with all that it began.
fn with_terminal(command: &str) -> io::Result<ExitStatus> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    // SAFETY: both only ask the system.
    let (own, foreground) = unsafe { (libc::getpgrp(), libc::tcgetpgrp(libc::STDIN_FILENO)) };
    if own != foreground {
        return shell.status();
    }
    shell.process_group(0);
    // SAFETY: what runs between fork and exec only asks the system.
    unsafe {
        shell.pre_exec(|| {
            give_terminal(libc::getpid());
            Ok(())
        })
    };
    let status = shell.spawn().and_then(|child| wait(child.id() as i32, own));
    give_terminal(own);
    status
}

/// Waits for a shell that leads its group. Ctrl-Z, which stops it, stops this process too, as if both were of one group.
fn wait(group: i32, own: i32) -> io::Result<ExitStatus> {
    loop {
        let mut status = 0;
        // SAFETY: the status is written to a number that lives.
        if unsafe { libc::waitpid(group, &mut status, libc::WUNTRACED) } < 0 {
            match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => continue,
                error => return Err(error),
            }
        }
        if !libc::WIFSTOPPED(status) {
            let status = ExitStatus::from_raw(status);
            // A shell says 128 + 2 of a command that was interrupted.
            if status.signal() == Some(libc::SIGINT) || status.code() == Some(128 + libc::SIGINT) {
                end(group);
            }
            return Ok(status);
        }
        give_terminal(own);
        // SAFETY: signals to this process and those that were started with it; the second is obeyed before the call returns.
        unsafe {
            libc::kill(0, libc::SIGTSTP);
            libc::raise(libc::SIGTSTP);
        }
        // It goes on, with the terminal or behind another program.
        // SAFETY: it only asks the system.
        if unsafe { libc::tcgetpgrp(libc::STDIN_FILENO) } == own {
            give_terminal(group);
        }
        let _ = signal(group, libc::SIGCONT);
    }
}

/// Makes a process group the one that has the terminal.
fn give_terminal(group: i32) {
    // SAFETY: the sets live through the calls, which may also be made between fork and exec.
    unsafe {
        let (mut blocked, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&mut blocked);
        libc::sigaddset(&mut blocked, libc::SIGTTOU);
        // Who has not the terminal is stopped when he gives it away, unless he does not hear the signal.
        libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, &mut before);
        libc::tcsetpgrp(libc::STDIN_FILENO, group);
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
    }
}

/// Sends a signal to a group. Returns whether it has a process.
fn signal(group: i32, signal: i32) -> bool {
    // SAFETY: the number is that of a group that a child of ours leads or led, which no other has while one of its processes is there.
    unsafe { libc::kill(-group, signal) == 0 }
}

/// Ends what is left of a group after an interrupt, which a shell's background does not hear.
fn end(group: i32) {
    let begun = Instant::now();
    let mut there = signal(group, libc::SIGTERM) && signal(group, libc::SIGCONT);
    while there && begun.elapsed() < PATIENCE {
        std::thread::sleep(LOOK);
        there = signal(group, 0);
    }
    if there {
        let _ = signal(group, libc::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_ended_with_what_does_not_hear_an_interrupt() {
        let mut child =
            Command::new("sh").args(["-c", "sleep 60 & echo; exec sleep 60"]).process_group(0).spawn().unwrap();
        let group = child.id() as i32;
        let begun = Instant::now();
        // The leader is waited for, as it is before.
        std::thread::sleep(Duration::from_millis(100));
        child.kill().unwrap();
        let _ = child.wait();
        assert!(signal(group, 0), "the one in the background goes on");
        end(group);
        assert!(begun.elapsed() < Duration::from_secs(20));
        let left = || std::fs::read_dir("/proc").unwrap().flatten().any(|entry| is_alive_in(group, &entry.path()));
        assert!(!left());
    }

    /// Whether a process of that group has not ended.
    fn is_alive_in(group: i32, process: &std::path::Path) -> bool {
        let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let fields: Vec<&str> = behind.split_whitespace().collect();
        fields.get(2) == Some(&group.to_string().as_str()) && fields.first() != Some(&"Z")
    }
}
