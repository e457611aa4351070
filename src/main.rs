//! The command line: global options and the list of subcommands, each a file in `commands`.

mod commands;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use cpsd::activity::{console, panics, signals};
use cpsd::error::{Error, Result};
use cpsd::executors::deep;
use cpsd::files::{own, policy};
use cpsd::script::errors::Failure;
use cpsd::script::host::Host;
use cpsd::{environment, primitives, repl};

use commands::permissions::{Permissions, Typed};
use commands::{check, doc, eval, examples, exit, gpu_check, new, quickstart, runs, script, test, version, worker};

/// Complementary parallel self-distillation for multi-label images: a REPL and a script runner.
#[derive(Parser)]
#[command(version, disable_version_flag = true)]
struct Cli {
    /// Print version, libtorch, GPUs, device and threads
    #[arg(long, short = 'V')]
    version: bool,
    /// The folder of the run store (also CPSD_RUNS)
    #[arg(long, global = true, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// No progress and no logs
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(flatten)]
    permissions: Permissions,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Script(script::Args),
    Eval(eval::Args),
    Doc(doc::Args),
    Check(check::Args),
    Test(test::Args),
    Runs(runs::Args),
    GpuCheck(gpu_check::Args),
    Quickstart(quickstart::Args),
    New(new::Args),
    Examples(examples::Args),
    Worker(worker::Args),
}

fn main() {
    // SAFETY: no other thread runs yet.
    unsafe { cpsd::torch::flags::set_environment() };
    cpsd::cuda::load();
    // A queue may signal its task at any time.
    let given: Vec<OsString> = std::env::args_os().collect();
    if ["worker", "--queued"].iter().all(|word| given.iter().any(|given| given == word)) {
        signals::install_in_task();
    }
    let words = help_of_script(permissions_first(given.into_iter()));
    let code = start(Cli::parse_from(words));
    let _ = std::io::Write::flush(&mut std::io::stdout());
    // SAFETY: nothing of ours is left to do. What libtorch's destructors would do takes longer than its loading.
    unsafe { libc::_exit(i32::from(code)) }
}

/// The command line with the permissions before the subcommand: behind a script's file they would be its arguments.
fn permissions_first(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    let mut words = words.peekable();
    first.extend(words.next());
    while let Some(word) = words.next() {
        let text = word.to_string_lossy().into_owned();
        let (name, value) = text.split_once('=').map_or((text.as_str(), None), |(name, value)| (name, Some(value)));
        match name {
            "--allow-code" | "--untrusted" if value.is_none() => first.push(word),
            // Without its value it stays where it is, for the error.
            "--allow-write" | "--allow-read" if value.is_some() || words.peek().is_some() => {
                let next = value.is_none().then(|| words.next()).flatten();
                first.push(word);
                first.extend(next);
            }
            "--" => {
                rest.push(word);
                rest.extend(words.by_ref());
            }
            _ => rest.push(word),
        }
    }
    first.extend(rest);
    first
}

/// `script --help` asks for that of the subcommand. Behind a script's file it asks for the script's own, so the subcommand itself has
/// no such flag.
fn help_of_script(words: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    // The subcommand is the first word that is neither an option nor the value of one.
    while let Some(word) = words.get(at).filter(|word| word.to_string_lossy().starts_with('-')) {
        at += if ["--runs", "--allow-write", "--allow-read"].iter().any(|name| word == name) { 2 } else { 1 };
    }
    if words.get(at).is_none_or(|word| word != "script") {
        return words;
    }
    let behind: Vec<_> = words[at + 1..].iter().map(|word| word.to_string_lossy()).collect();
    let asked = behind.iter().any(|word| word == "--help" || word == "-h");
    match asked && behind.iter().all(|word| word.starts_with('-')) {
        true => words.into_iter().take(1).chain(["help".into(), "script".into()]).collect(),
        false => words,
    }
}

impl Cli {
    /// The folder of the run store.
    fn store(&self) -> PathBuf {
        self.runs.clone().unwrap_or_else(Host::store_of_environment)
    }

    /// Sets what scripts may do in this process. A worker has its parent's policy.
    fn set_policy(&self) -> Result<()> {
        let store = self.store();
        let typed = match &self.command {
            Some(Command::Worker(_)) => {
                return policy::take_over(std::env::var(policy::VARIABLE).ok().as_deref(), &[&store]);
            }
            Some(Command::Script(args)) => args.typed(),
            Some(Command::Eval(args)) => args.typed(),
            Some(Command::Test(args)) => args.typed(),
            Some(Command::Quickstart(args)) => args.typed(),
            _ => Typed::default(),
        };
        self.permissions.set(&store, &typed)
    }
}

fn start(cli: Cli) -> u8 {
    // A panic is caught where the session can go on; the error made there is the report.
    panics::install();
    console::set_quiet(cli.quiet);
    if let Err(error) = cli.set_policy() {
        return exit::fail(&Failure::plain(error));
    }
    signals::install();
    // Deep scripts need a deep stack, and libtorch's tensors stay in one thread.
    let session = deep::spawn("cpsd", move || exit::code(run(cli)));
    let code = match session.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code.unwrap_or(exit::FAILED),
        Ok(Err(panic)) => exit::fail(&Failure::plain(panics::fault(&*panic))),
        Err(error) => exit::fail(&Failure::plain(Error::internal(format!("a thread cannot be made: {error}")))),
    };
    cpsd::training::leave();
    own::remove_session_folder();
    code
}

fn run(cli: Cli) -> Result<u8, Failure> {
    if cli.version {
        return Ok(version::run());
    }
    // Without the variable, the GPUs' driver is not loaded before it is needed.
    // A check of the GPUs has a device that is not there on its page.
    let is_check = matches!(cli.command, Some(Command::GpuCheck(_)));
    if !is_check && environment::text("CPSD_DEVICE").is_some() {
        cpsd::devices::from_environment().map_err(Failure::plain)?;
    }
    let mut session = primitives::session();
    *session.host.runs.borrow_mut() = cli.store();
    match cli.command {
        None => Ok(repl::run(&mut session)),
        Some(Command::Script(args)) => script::run(args, &mut session),
        Some(Command::Eval(args)) => eval::run(args, &mut session),
        Some(Command::Doc(args)) => doc::run(args, &mut session),
        Some(Command::Check(args)) => check::run(args, &mut session),
        Some(Command::Test(args)) => test::run(args),
        Some(Command::Runs(args)) => runs::run(args, &mut session),
        Some(Command::GpuCheck(args)) => gpu_check::run(args),
        Some(Command::Quickstart(args)) => quickstart::run(args, &mut session),
        Some(Command::New(args)) => new::run(args),
        Some(Command::Examples(args)) => examples::run(args),
        Some(Command::Worker(args)) => Ok(worker::run(args)),
    }
}
