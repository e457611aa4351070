//! `cpsd gpu-check`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use cpsd::activity::console::{log, print_line};
use cpsd::executors::worker::watch_lifeline;
use cpsd::files::own;
use cpsd::gpu_check::{CHECKS, Check, Outcome, Verdict, find, page, run as run_check};
use cpsd::script::errors::Failure;

use super::exit;

/// Check that this machine's GPU does what the documentation says, and write a page for a report (half an hour)
#[derive(clap::Args)]
pub struct Args {
    /// These checks only
    names: Vec<String>,
    /// The page, in Markdown
    #[arg(long, value_name = "FILE.md", default_value = "gpu-check.md")]
    page: PathBuf,
    /// Run one check in this process and print its outcome as JSON
    #[arg(long, hide = true, value_name = "NAME")]
    here: Option<String>,
    #[arg(long, hide = true, default_value = "")]
    part: String,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    supervised: bool,
}

pub fn run(args: Args) -> Result<u8, Failure> {
    if args.supervised {
        watch_lifeline();
    }
    if let Some(name) = &args.here {
        let outcome = find(name).map_err(Failure::plain)?.here(&args.part);
        print_line(&serde_json::json!(outcome).to_string());
        return Ok(exit::DONE);
    }
    let checks: Vec<&Check> = match args.names.is_empty() {
        true => CHECKS.iter().collect(),
        false => args.names.iter().map(|name| find(name)).collect::<Result<_, _>>().map_err(Failure::plain)?,
    };
    let mut done = Vec::new();
    for check in checks {
        // Before each, so that a page is there and true when this process is stopped or killed, and one that cannot be written is known
        // at the start.
        write(&args.page, &done, Some(check))?;
        log(&format!("{}: {}", check.name, check.question));
        let started = Instant::now();
        let outcome = run_check(check).map_err(Failure::plain)?;
        let seconds = started.elapsed().as_secs_f64();
        print_line(&format!("{}: {} ({seconds:.0} s)", check.name, outcome.verdict.name()));
        done.push((check, outcome, seconds));
    }
    write(&args.page, &done, None)?;
    print_line(&format!("the page is {}", args.page.display()));
    // A check without an answer is no good news either.
    let bad = |outcome: &Outcome| matches!(outcome.verdict, Verdict::Failed | Verdict::Late);
    Ok(if done.iter().any(|(_, outcome, _)| bad(outcome)) { exit::FAILED } else { exit::DONE })
}

fn write(path: &Path, done: &[(&Check, Outcome, f64)], under_way: Option<&Check>) -> Result<(), Failure> {
    own::write(path, page(done, under_way).as_bytes()).map_err(Failure::plain)
}
