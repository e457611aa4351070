//! `cpsd worker`: the other end of `executors::worker`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use cpsd::activity::message::Message;
use cpsd::activity::{console, panics};
use cpsd::error::ErrorKind;
use cpsd::executors::worker::watch_lifeline;
use cpsd::training::job_file;

use super::exit;

/// Do one training that another cpsd process described, and say in JSON lines how it goes
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Args {
    job: PathBuf,
    /// Stop when standard input ends
    #[arg(long)]
    supervised: bool,
}

pub fn run(args: Args) -> u8 {
    if args.supervised {
        watch_lifeline();
    }
    console::relay();
    let outcome = catch_unwind(AssertUnwindSafe(|| job_file::work(&args.job)));
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
