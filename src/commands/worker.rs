//! `cpsd worker`: the other end of `executors::worker`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cpsd::activity::message::Message;
use cpsd::activity::{console, panics};
use cpsd::cluster::task::TaskProcess;
use cpsd::error::ErrorKind;
use cpsd::executors::worker::watch_lifeline;
use cpsd::runs::node_copy;
use cpsd::training::job_file;

use super::exit;

/// Do one training that another cpsd process described, and say in JSON lines how it goes; or one task of a cluster's queue
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Args {
    job: PathBuf,
    /// Stop when standard input ends
    #[arg(long)]
    supervised: bool,
    /// A task of a queue, with the batch's record beside its job: say in dated lines how it goes, and write at the end how it ended
    #[arg(long, conflicts_with = "supervised")]
    queued: bool,
}

impl Args {
    /// Whether it is a task of a queue.
    pub fn is_queued(&self) -> bool {
        self.queued
    }
}

pub fn run(args: Args) -> u8 {
    if args.queued {
        return queued(&args.job);
    }
    if args.supervised {
        watch_lifeline();
    }
    console::relay();
    // A task of a queue gives its workers the folder for copies.
    if let Some(folder) = std::env::var_os(node_copy::VARIABLE)
        && let Err(error) = node_copy::keep_in(Path::new(&folder))
    {
        console::log(&format!("kept features are read from the store: {error}"));
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| job_file::work(&args.job)));
    node_copy::leave();
    match outcome.unwrap_or_else(|panic| Err(panics::fault(&*panic))) {
        Ok(run) => {
            Message::Done(run.into()).send();
            exit::DONE
        }
        Err(error) => {
            let code = if error.kind == ErrorKind::Interrupted { exit::INTERRUPTED } else { exit::FAILED };
            Message::Failed { kind: error.kind, message: error.message, help: error.help, about: error.about }.send();
            code
        }
    }
}

/// A task of a queue. Exit codes: [`End`](cpsd::cluster::task::End).
fn queued(job: &Path) -> u8 {
    console::date_lines();
    // It enters the folder of the call before it is done.
    let job = std::path::absolute(job).unwrap_or_else(|_| job.to_path_buf());
    let process = match TaskProcess::begin(&job) {
        Ok(process) => process,
        Err(error) => {
            console::warn(&format!("failed: {}: {}", error.kind.code(), error.message));
            return exit::FAILED;
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| job_file::queue::work(&job)));
    process.conclude(outcome.unwrap_or_else(|panic| Err(panics::fault(&*panic))))
}
