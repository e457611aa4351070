//! A training that is stopped and one that is killed: whether they go on and end where an undisturbed one does.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Check, Outcome, WHOLE};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files::own;

pub const CHECK: Check = Check {
    name: "resume",
    question: "Does a training that is stopped, or killed, end where an undisturbed one does?",
    limit: 600,
    parts: WHOLE,
    run: resume,
};

const CODE: &str = "let data = dataset(\"emoji-scenes\", #{train: 512, val: 32, test: 1, test_shifted: 1, size: 64}); \
     let model = train_teacher(data, data.train.names, #{epochs: 12, batch: 16, views: 0, eval_every: 12, lr: 0.0001, \
     model: #{backbone: \"resnet18\", head: \"gap\", image_size: 64}}); print(model.run.summary.loss);";

fn resume(_part: &str) -> Result<Outcome> {
    let mut outcome = Outcome::new(&["training", "last loss", "the same bits"]);
    let folder = own::temporary_folder(&own::session_folder()?, "gpu-check-")?;
    let undisturbed = finish(start(&folder.path().join("one"))?)?;
    outcome.row(["undisturbed".into(), undisturbed.clone(), "".into()]);
    let again = finish(start(&folder.path().join("two"))?)?;
    outcome.row(["once more, undisturbed".into(), again.clone(), (again == undisturbed).to_string()]);
    for (name, signal) in [("stopped by SIGINT", libc::SIGINT), ("killed by SIGKILL", libc::SIGKILL)] {
        let store = folder.path().join(name.replace(' ', "-"));
        let child = start(&store)?;
        // Some steps in: the work folder is there, and with it the first epoch's line or a checkpoint.
        let begun = wait_for(|| store.join(".work").exists(), 120)?;
        if begun {
            std::thread::sleep(Duration::from_secs(3));
        }
        // SAFETY: a signal to a child that is not yet waited for.
        unsafe { libc::kill(child.id() as i32, signal) };
        let _ = child.wait_with_output();
        let came = finish(start(&store)?)?;
        let near = |a: &str, b: &str| {
            a.parse::<f64>().ok().zip(b.parse::<f64>().ok()).is_some_and(|(a, b)| (a - b).abs() <= 0.1 * b.abs())
        };
        outcome.expect(near(&came, &undisturbed), || format!("{name}: a last loss of {came} instead of {undisturbed}"));
        outcome.row([name.into(), came.clone(), (came == undisturbed).to_string()]);
    }
    Ok(outcome)
}

fn start(store: &Path) -> Result<Child> {
    let program = std::env::current_exe().map_err(|e| Error::internal(format!("this program cannot be found: {e}")))?;
    Command::new(&program)
        .arg("--quiet")
        .arg("--runs")
        .arg(store)
        .args(["eval", CODE])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Error::io(&program, e))
}

/// What a process prints. Errors: it fails.
fn finish(child: Child) -> Result<String> {
    let output = child.wait_with_output().map_err(|e| Error::internal(e.to_string()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_string()),
        false => Err(Error::internal(format!(
            "a training failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}

fn wait_for(there: impl Fn() -> bool, seconds: u64) -> Result<bool> {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !there() {
        interrupt::check()?;
        if Instant::now() > end {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}
