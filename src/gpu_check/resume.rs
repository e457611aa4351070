//! A training that is stopped and one that is killed: whether they go on and end where an undisturbed one does.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::child::end_it;
use super::{Check, Outcome, WHOLE};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files::own;
use crate::runs::RunStore;

pub const CHECK: Check = Check {
    name: "resume",
    question: "Does a training that is stopped, or killed, end where an undisturbed one does?",
    limit: 600,
    parts: WHOLE,
    run: resume,
};

const CODE: &str = "let data = dataset(\"emoji-scenes\", #{train: 512, val: 32, test: 1, test_shifted: 1, size: 64}); \
     let model = train_teacher(data, data.train.names, #{epochs: 12, batch: 16, views: 0, eval_every: 12, lr: 0.0001, deterministic: true, \
     model: #{backbone: \"resnet18\", head: \"gap\", image_size: 64}}); print(model.run.summary.loss);";

fn resume(_part: &str) -> Result<Outcome> {
    let mut outcome = Outcome::new(&["training", "last loss", "the same bits"]);
    let folder = own::temporary_folder(&own::session_folder()?, "gpu-check-")?;
    let undisturbed = finish(start(&folder.path().join("one"))?)?;
    outcome.row(["undisturbed".into(), undisturbed.clone(), "".into()]);
    let again = finish(start(&folder.path().join("two"))?)?;
    outcome.note("with deterministic: true");
    outcome.row(["once more, undisturbed".into(), again.clone(), (again == undisturbed).to_string()]);
    for (name, signal) in [("stopped by SIGINT", libc::SIGINT), ("killed by SIGKILL", libc::SIGKILL)] {
        let store = folder.path().join(name.replace(' ', "-"));
        let mut training = start(&store)?;
        let child = &mut training.0;
        let came = wait_for_checkpoint(&store, child, 120)?;
        outcome.expect(came, || format!("{name}: there was no checkpoint before it ended, or within 120 s"));
        let running = matches!(child.try_wait(), Ok(None));
        outcome.expect(running, || format!("{name}: the training ended before the signal"));
        if running {
            // SAFETY: a signal to a child that is not yet waited for.
            unsafe { libc::kill(child.id() as i32, signal) };
        }
        let _ = child.wait();
        let came = finish(start(&store)?)?;
        outcome.expect(came == undisturbed, || format!("{name}: a last loss of {came} instead of {undisturbed}"));
        outcome.row([name.into(), came.clone(), (came == undisturbed).to_string()]);
    }
    Ok(outcome)
}

/// A training in a process of its own, which is ended when this is dropped, and ends with this process.
struct Training(Child);

impl Drop for Training {
    fn drop(&mut self) {
        end_it(&mut self.0, GRACE);
    }
}

/// How long it may take to stop: less than this process may take itself.
const GRACE: Duration = Duration::from_secs(3);

fn start(store: &Path) -> Result<Training> {
    let program = std::env::current_exe().map_err(|e| Error::internal(format!("this program cannot be found: {e}")))?;
    let child = Command::new(&program)
        .env("CPSD_CHECKPOINT_EVERY", "0.2")
        .arg("--quiet")
        .arg("--runs")
        .arg(store)
        .args(["eval", "--supervised", CODE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Error::io(&program, e))?;
    Ok(Training(child))
}

/// What a process prints: a number, or an error, which fit into a pipe. Errors: it fails; Interrupted.
fn finish(mut training: Training) -> Result<String> {
    let child = &mut training.0;
    let status = loop {
        match child.try_wait().map_err(|e| Error::internal(e.to_string()))? {
            Some(status) => break status,
            None => interrupt::check()?,
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    match status.success() {
        true => Ok(printed(child.stdout.take())),
        false => Err(Error::internal(format!("a training failed ({status}): {}", printed(child.stderr.take())))),
    }
}

/// What is in the pipe of a process that has ended.
fn printed(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).trim().to_string()
}

/// Waits until the training has written a checkpoint. Whether it did so before it ended and in time.
fn wait_for_checkpoint(store: &Path, child: &mut Child, seconds: u64) -> Result<bool> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let store = RunStore::new(store);
    while !store.has_checkpoints() {
        interrupt::check()?;
        if Instant::now() > end || !matches!(child.try_wait(), Ok(None)) {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}
