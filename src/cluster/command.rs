//! The programs of a queue: found, run with a clean environment and a time limit, stopped by Ctrl-C.

use std::ffi::OsStr;
use std::io::{ErrorKind as IoKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::activity::interrupt;
use crate::activity::visible::visible;
use crate::error::{Error, ErrorKind, Result};

/// A program that has not ended by then gets no answer any more. Slurm's own give up earlier, unless the controller asks them to wait.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// What changes the queue may end for so long after Ctrl-C, so that it is known what it did.
const GRACE: Duration = Duration::from_secs(3);
/// After the program has ended, its output is whole within this time, unless something that it left behind holds it open.
const DRAIN: Duration = Duration::from_secs(2);
/// Characters of a line that errors quote.
pub(super) const LONGEST_LINE: usize = 400;
/// So many bytes of output are read.
const MOST: u64 = 256 << 20;
/// Variables of an allocation or a user's habits that change what the programs do: SQUEUE_STATES hides jobs, SLURM_MEM_PER_CPU becomes part
/// of a submission.
const SCRUBBED: [&str; 7] = ["SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_", "SINFO_", "SALLOC_", "SRUN_"];
/// These say where the controller is and who asks.
const KEPT: [&str; 4] = ["SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT"];

/// What programs say when the queue's daemons do not answer, in lower case: Slurm, Munge, then PBS, Grid Engine, LSF.
const SILENCE: &[&str] = &[
    "unable to contact slurm controller",
    "timed out",
    "zero bytes were transmitted",
    "communication connection failure",
    "communications connection failure",
    "communication shutdown failure",
    "communications shutdown failure",
    "send failure",
    "receive failure",
    "insane message length",
    // scontrol requeue without a controller.
    "unexpected message received",
    "connection refused",
    "connection reset",
    "broken pipe",
    "transport endpoint is not connected",
    "no route to host",
    "network is unreachable",
    "standby mode",
    "temporarily unable",
    "temporarily unavailable",
    "temporary failure in name resolution",
    "unable to resolve",
    "unable to establish control machine",
    "unable to establish controller",
    "configuration source",
    "failed to fetch config",
    "authentication error",
    "authentication credential",
    "munge encode failed",
    "if munged is up",
    "cannot connect to server",
    "cannot connect to default server",
    "pbs_iff",
    "unable to contact qmaster",
    "can't connect to qmaster",
    "commlib error",
    "lsf is down",
    "lim is down",
    "daemon not responding",
    "daemon internal error",
];

/// A program, or a command for the shell.
pub(super) struct Program<'a> {
    /// Whose it is, in errors: `Slurm`, `engine pbs`.
    pub queue: &'a str,
    /// `sbatch`, or `submit` for a command.
    pub name: &'a str,
    /// It changes the queue. After Ctrl-C it may end within a few seconds, so that it is known what it did.
    pub changes: bool,
}

/// What a program said.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub success: bool,
    /// None of a program that a signal ended.
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl Program<'_> {
    /// Runs it with arguments.
    ///
    /// Errors: Argument, if it is not on this machine; Io, if it does not end in time; Interrupted. A failure is an answer.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Answer> {
        self.run_within(LIMIT, arguments)
    }

    /// The same within another time.
    pub fn run_within<S: AsRef<OsStr>>(&self, limit: Duration, arguments: &[S]) -> Result<Answer> {
        let mut command = Command::new(self.name);
        command.args(arguments);
        self.answer(command, limit)
    }

    /// Runs a line of shell. Errors: as [`run`](Self::run).
    pub fn shell(&self, line: &str) -> Result<Answer> {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        self.answer(command, LIMIT)
    }

    fn answer(&self, mut command: Command, limit: Duration) -> Result<Answer> {
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_scrubbed) {
                command.env_remove(name);
            }
        }
        // In a group of its own: Ctrl-C on the terminal is this process's to hear, and what the program begins can be ended with it.
        let spawned =
            command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|e| self.not_begun(&e))?;
        let (output, errors) = (read(child.stdout.take()), read(child.stderr.take()));
        let ended = self.wait(&mut child, limit);
        if !matches!(ended, Ok(Some(_))) {
            end(&mut child);
        }
        match ended? {
            Some(status) => {
                let (success, code) = (status.success(), status.code());
                Ok(Answer { success, code, output: whole(&output), errors: whole(&errors) })
            }
            None => {
                let said = words(&whole(&errors));
                let said = if said.is_empty() { said } else { format!(": {said}") };
                let seconds = limit.as_secs();
                Err(silence(format!("{} of {} has not ended within {seconds} s{said}", self.name, self.queue)))
            }
        }
    }

    /// How it ended; None if it has not within the limit. Errors: Interrupted.
    fn wait(&self, child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
        let begun = Instant::now();
        let mut asked = None;
        let mut pause = Duration::from_millis(1);
        loop {
            let ended = child
                .try_wait()
                .map_err(|e| Error::internal(format!("{} of {} cannot be waited for: {e}", self.name, self.queue)))?;
            if let Some(status) = ended {
                return Ok(Some(status));
            }
            if interrupt::requested() {
                let since = asked.get_or_insert_with(Instant::now);
                if !self.changes || since.elapsed() > GRACE {
                    return Err(Error::interrupted());
                }
            }
            if begun.elapsed() > limit {
                return Ok(None);
            }
            thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(50));
        }
    }

    fn not_begun(&self, cause: &std::io::Error) -> Error {
        match cause.kind() {
            IoKind::NotFound => {
                let text = format!("{} is not on this machine (looked for in PATH)", self.name);
                Error::argument(text).with_help(format!(
                    "cpsd must run where {} takes jobs, mostly a login node; on some a module brings its programs",
                    self.queue
                ))
            }
            // The machine has no more processes or memory just now.
            IoKind::WouldBlock | IoKind::OutOfMemory => silence(format!("{} cannot be begun: {cause}", self.name)),
            _ => Error::argument(format!("{} cannot be begun: {cause}", self.name)),
        }
    }

    /// The error of a program that failed at a change: a queue that did not answer, or else its refusal.
    pub fn failed(&self, answer: &Answer) -> Error {
        let said = words(&answer.errors);
        let said = if said.is_empty() { words(&answer.output) } else { said };
        let said = if said.is_empty() { "it failed without a word".to_string() } else { said };
        match is_silence(&said) {
            true => silence(format!("{}: {said}", self.name)),
            false => Error::argument(format!("{} refuses, by {}: {said}", self.queue, self.name)),
        }
    }

    /// The error of a program that failed at a question. What is not a wrong call is no answer: a failed question says nothing about jobs.
    pub fn no_answer(&self, answer: &Answer) -> Error {
        let error = self.failed(answer);
        let text = error.message.to_lowercase();
        let wrong = ["unrecognized option", "invalid option", "usage:", "not found", "permission denied"];
        match is_away(&error) || wrong.iter().any(|words| text.contains(words)) {
            true => error,
            false => silence(error.message),
        }
    }
}

/// Whether an error of a queue says that it did not answer: nothing is known of jobs then, and it may be asked again. All others are
/// final.
pub fn is_away(error: &Error) -> bool {
    error.kind == ErrorKind::Io
}

fn silence(message: String) -> Error {
    Error::new(ErrorKind::Io, message)
}

fn is_silence(said: &str) -> bool {
    let said = said.to_lowercase();
    SILENCE.iter().any(|known| said.contains(known))
}

fn is_scrubbed(name: &str) -> bool {
    SCRUBBED.iter().any(|prefix| name.starts_with(prefix)) && !KEPT.contains(&name)
}

/// What a program complained of, as one line without its prefixes: `sbatch: error: `, `slurm_load_jobs error: `. Long lines are cut, and
/// control characters are escapes.
pub(super) fn words(text: &str) -> String {
    let line = |line: &str| {
        let mut rest = line.trim();
        for sign in ["error: ", "fatal: "] {
            if let Some((prefix, behind)) = rest.split_once(sign)
                && prefix.split_whitespace().count() <= 1
                && (prefix.is_empty() || prefix.ends_with(' '))
            {
                rest = behind;
            }
        }
        // A program may print anything, and no error is longer.
        let rest = rest.trim();
        let mut shown: String = rest.chars().take(LONGEST_LINE).collect();
        if shown.len() < rest.len() {
            shown.push_str(&format!("[... {} bytes ...]", rest.len() - shown.len()));
        }
        visible(&shown).into_owned()
    };
    let mut lines: Vec<String> = text.lines().map(line).filter(|line| !line.is_empty()).collect();
    lines.retain(|line| !line.starts_with("Try \"") && !line.starts_with("Try '"));
    lines.dedup();
    // Enough to understand it by.
    if lines.len() > 8 {
        lines.drain(4..lines.len() - 4);
        lines.insert(4, "...".into());
    }
    lines.join("; ")
}

/// Reads to the end on a thread of its own, piece by piece.
fn read(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (send, receiver) = channel();
    if let Some(pipe) = pipe {
        thread::spawn(move || {
            let mut pipe = pipe.take(MOST);
            let mut piece = vec![0; 64 << 10];
            // What came until an error is what there is.
            while let Ok(n @ 1..) = pipe.read(&mut piece) {
                if send.send(piece[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// What came of the output of a program that has ended.
fn whole(pieces: &Receiver<Vec<u8>>) -> String {
    let until = Instant::now() + DRAIN;
    let next = || pieces.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
    String::from_utf8_lossy(&std::iter::from_fn(next).flatten().collect::<Vec<u8>>()).into_owned()
}

/// Ends a program and all that it began.
fn end(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // SAFETY: signals a group that was made for this child, which has not been waited for, so its number is no one else's.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Activity;

    const SUBMIT: Program = Program { queue: "Slurm", name: "submit", changes: true };
    const ASK: Program = Program { queue: "Slurm", name: "status", changes: false };

    fn failed(errors: &str) -> Answer {
        Answer { errors: errors.into(), ..Answer::default() }
    }

    #[test]
    fn output_errors_and_success_are_told() {
        let answer = SUBMIT.shell("echo out; echo err >&2; exit 3").unwrap();
        assert_eq!((answer.success, answer.output.as_str(), answer.errors.as_str()), (false, "out\n", "err\n"));
        assert!(SUBMIT.shell("true").unwrap().success);
        // Standard input is empty, and more than a pipe holds comes through.
        let answer = SUBMIT.shell("cat; head -c 3000000 /dev/zero | tr '\\0' x").unwrap();
        assert_eq!(answer.output.len(), 3_000_000);
    }

    #[test]
    fn a_program_that_is_not_there_says_where_cpsd_must_run() {
        let program = Program { queue: "Slurm", name: "no-such-sbatch", changes: true };
        let error = program.run(&["--parsable"]).unwrap_err();
        assert_eq!(error.message, "no-such-sbatch is not on this machine (looked for in PATH)");
        assert!(error.help.as_ref().unwrap().contains("login node") && !is_away(&error));
    }

    #[test]
    fn what_does_not_end_is_ended_with_all_that_it_began() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo waiting >&2; sleep 1000 & echo $!; wait"]);
        let error = ASK.answer(command, Duration::from_millis(300)).unwrap_err();
        assert!(is_away(&error), "{error}");
        assert_eq!(error.message, "status of Slurm has not ended within 0 s: waiting");
    }

    #[test]
    fn a_stop_is_heard_and_a_change_may_end_first() {
        let stopped = Activity::background("test".into(), None);
        stopped.stop();
        stopped.enter(|| {
            assert_eq!(ASK.shell("sleep 1000").unwrap_err().kind, ErrorKind::Interrupted);
            assert_eq!(SUBMIT.shell("sleep 0.2; echo 4711").unwrap().output, "4711\n");
            assert_eq!(SUBMIT.shell("sleep 1000").unwrap_err().kind, ErrorKind::Interrupted);
        });
    }

    #[test]
    fn what_is_left_behind_holds_nobody_up() {
        let begun = Instant::now();
        let answer = SUBMIT.shell("sleep 30 & echo 4711").unwrap();
        assert_eq!((answer.success, answer.output.as_str()), (true, "4711\n"));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn variables_of_an_allocation_are_taken_away() {
        let scrubbed = ["SLURM_JOB_ID", "SLURM_TIME_FORMAT", "SBATCH_PARTITION", "SQUEUE_STATES", "SCANCEL_QUIET"];
        assert!(scrubbed.into_iter().all(is_scrubbed));
        assert!(!["SLURM_CONF", "SLURM_CLUSTERS", "PATH", "CPSD_RUNS"].into_iter().any(is_scrubbed));
    }

    #[test]
    fn a_controller_that_is_away_is_told_from_a_refusal() {
        let away = [
            "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
            "squeue: error: Protocol authentication error",
            "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
            "sbatch: error: Batch job submission failed: Slurm backup controller in standby mode",
            "sbatch: error: Munge encode failed: Failed to access \"/run/munge/munge.socket.2\": No such file",
            "Unexpected message received for job 1_0",
            "qsub: cannot connect to server pbs01 (errno=111)",
            "LSF is down. Please wait ...",
        ];
        for text in away {
            assert!(is_away(&SUBMIT.failed(&failed(text))), "{text}");
        }
        let refused = SUBMIT.failed(&failed(
            "sbatch: error: invalid partition specified: nowhere\nsbatch: error: Batch job submission failed: Invalid partition name specified\n",
        ));
        assert!(!is_away(&refused));
        assert_eq!(
            refused.message,
            "Slurm refuses, by submit: invalid partition specified: nowhere; Batch job submission failed: Invalid partition name specified"
        );
        let wrong = "sbatch: unrecognized option '--nope'\nTry \"sbatch --help\" for more information\n";
        assert_eq!(
            SUBMIT.failed(&failed(wrong)).message,
            "Slurm refuses, by submit: sbatch: unrecognized option '--nope'"
        );
        // A program may print anything.
        let binary = SUBMIT.failed(&failed(&format!("\u{1b}[2J{}", "x".repeat(10_000_000)))).message;
        assert!(
            binary.starts_with("Slurm refuses, by submit: \\u{1b}[2Jxxx") && binary.len() < 1000,
            "{}",
            binary.len()
        );
        // A question can hardly be refused.
        assert!(is_away(&ASK.no_answer(&failed("slurm_load_jobs error: Something new"))));
        assert!(!is_away(&ASK.no_answer(&failed("squeue: unrecognized option '--nope'"))));
    }
}
