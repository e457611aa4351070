//! A check in a process of its own.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Check, Outcome, Verdict};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files::own;

/// The lines of standard error that are kept.
const KEPT: usize = 20;
/// How long a check may take to stop, with the processes that it began.
const GRACE: Duration = Duration::from_secs(10);

/// Runs all parts of `check`, one after the other. Errors: Io; Interrupted.
pub fn run(check: &Check) -> Result<Outcome> {
    let mut outcome: Option<Outcome> = None;
    for part in check.parts {
        let of_part = run_part(check, part)?;
        match &mut outcome {
            None => outcome = Some(of_part),
            Some(outcome) => outcome.join(of_part),
        }
    }
    outcome.ok_or_else(|| Error::internal(format!("the check {} has no parts", check.name)))
}

/// Runs a part as `cpsd gpu-check --here NAME --part PART --supervised`, which prints the outcome as one line of JSON, and stops when
/// its standard input ends, as it does with this process. A process that dies, or that is not done in time, is an outcome too.
fn run_part(check: &Check, part: &str) -> Result<Outcome> {
    let program = std::env::current_exe().map_err(|e| Error::internal(format!("this program cannot be found: {e}")))?;
    let failed = |e: std::io::Error| Error::io(&program, e);
    let mut child = Command::new(&program)
        .args(["--quiet", "gpu-check", "--here", check.name, "--part", part, "--supervised"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // Both are emptied while it runs: a full pipe would stop it.
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let end = Instant::now() + Duration::from_secs(check.limit);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break Some(status);
        }
        let stop = interrupt::check();
        if stop.is_err() || Instant::now() > end {
            end_it(&mut child, GRACE);
            stop?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let text = |reader: std::thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
    };
    let (out, err) = (text(out), text(err));
    let said = out.lines().last().and_then(|line| serde_json::from_str::<Outcome>(line).ok());
    let mut outcome = match (said, status) {
        (Some(outcome), Some(_)) => outcome,
        (_, None) => Outcome::late(format!("{}not done after {} s, so it was ended", said_of(part), check.limit)),
        (None, Some(status)) => {
            Outcome::failed(format!("{}its process ended without an answer ({status})", said_of(part)))
        }
    };
    if matches!(outcome.verdict, Verdict::Failed | Verdict::Late) {
        let lines: Vec<&str> = err.lines().filter(|line| !line.trim().is_empty()).collect();
        outcome.notes.extend(lines[lines.len().saturating_sub(KEPT)..].iter().map(|line| format!("stderr: {line}")));
    }
    Ok(outcome)
}

/// Asks a process to stop, so that those that it began stop too, and kills it if it does not. Nothing of it is left.
pub(super) fn end_it(child: &mut Child, grace: Duration) {
    drop(child.stdin.take());
    let end = Instant::now() + grace;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            own::sweep_session_folders();
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The beginning of a sentence about a part.
fn said_of(part: &str) -> String {
    if part.is_empty() { String::new() } else { format!("{part}: ") }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}
