//! The command line: global options and the list of subcommands, each a file in `commands`.

mod commands;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use cpsd::activity::{console, panics, signals};
use cpsd::error::{Error, Result};
use cpsd::executors::{deep, pool};
use cpsd::files::{own, policy};
use cpsd::script::errors::Failure;
use cpsd::script::host::Host;
use cpsd::{configuration, primitives, repl, torch};

use commands::permissions::{Permissions, Typed};
use commands::{
    check, completions, config, doc, eval, examples, exit, gpu_check, kernel, lsp, man, new, quickstart, runs, script,
    test, version, words, worker,
};

/// Complementary parallel self-distillation for multi-label images: a REPL and a script runner.
#[derive(Parser)]
#[command(name = "cpsd", version, disable_version_flag = true, after_help = exit::help())]
#[command(
    override_usage = "cpsd [OPTIONS] [COMMAND]\n       cpsd [OPTIONS] FILE.rhai [key=value ...]\n       cpsd [OPTIONS] - [key=value ...]"
)]
struct Cli {
    /// Print version, libtorch, GPUs, device and threads
    #[arg(long, short = 'V')]
    version: bool,
    /// The folder of the run store (also the setting runs and CPSD_RUNS: `cpsd config`)
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
    Config(config::Args),
    Test(test::Args),
    Runs(runs::Args),
    GpuCheck(gpu_check::Args),
    Kernel(kernel::Args),
    Lsp(lsp::Args),
    Completions(completions::Args),
    Man(man::Args),
    Quickstart(quickstart::Args),
    New(new::Args),
    Examples(examples::Args),
    Worker(worker::Args),
}

fn main() {
    if std::env::current_dir().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        cpsd::say_error!("cpsd: the working folder was deleted; go to another one first");
        leave(exit::FAILED);
    }
    // SAFETY: no other thread runs yet but that of the allocator, which does not read the environment.
    unsafe {
        torch::flags::set_environment();
        torch::library::set_environment();
    }
    let given: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = completions::answer(&given, Cli::command) {
        leave(code);
    }
    // A queue may signal its task at any time.
    if ["worker", "--queued"].iter().all(|word| given.iter().any(|given| given == word)) {
        signals::install_in_task();
    }
    let words = words::with_script(&Cli::command(), permissions_first(given.into_iter())).map(help_of_script);
    leave(match words {
        Ok(words) => match Cli::try_parse_from(words) {
            Ok(cli) => start(cli),
            // Help is one too.
            Err(told) => {
                console::note_output(&told.print());
                u8::try_from(told.exit_code()).unwrap_or(exit::BAD_COMMAND_LINE)
            }
        },
        Err(sentence) => {
            cpsd::say_error!("cpsd: {sentence}");
            exit::BAD_COMMAND_LINE
        }
    })
}

fn leave(code: u8) -> ! {
    console::note_output(&std::io::Write::flush(&mut std::io::stdout()));
    let code = if code == exit::DONE && console::lost_output() { exit::FAILED } else { code };
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
            "--allow-write" | "--allow-read" | "--allow-env" if value.is_some() || words.peek().is_some() => {
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
    let Some(at) = words::first(&Cli::command(), &words).filter(|at| words[*at] == "script") else { return words };
    let behind: Vec<_> = words[at + 1..].iter().map(|word| word.to_string_lossy()).collect();
    let asked = behind.iter().any(|word| word == "--help" || word == "-h");
    match asked && behind.iter().all(|word| word.starts_with('-') && word != "-") {
        true => words.into_iter().take(1).chain(["help".into(), "script".into()]).collect(),
        false => words,
    }
}

impl Cli {
    /// What the person typed beside the command.
    fn typed(&self) -> Typed<'_> {
        match &self.command {
            Some(Command::Script(args)) => args.typed(),
            Some(Command::Eval(args)) => args.typed(),
            Some(Command::Test(args)) => args.typed(),
            Some(Command::Check(args)) => args.typed(),
            Some(Command::Quickstart(args)) => args.typed(),
            _ => Typed::default(),
        }
    }

    /// Reads the settings. A worker has its parent's, in its environment and its job.
    ///
    /// Errors: a file of settings with a mistake, where a script may run. Elsewhere it is said, and the answer is false.
    fn configure(&self) -> Result<bool> {
        if matches!(self.command, Some(Command::Worker(_))) {
            return Ok(true);
        }
        let outcome = self.permissions.configure(self.runs.as_deref(), &self.typed());
        match &self.command {
            None | Some(Command::Script(_) | Command::Eval(_) | Command::Test(_) | Command::Runs(_))
                if !self.version =>
            {
                outcome.map(|()| true)
            }
            _ => {
                if let Err(error) = &outcome {
                    console::warn(&format!("warning: {error}"));
                }
                Ok(outcome.is_ok())
            }
        }
    }

    /// Sets what scripts may do in this process. A worker has its parent's policy.
    fn set_policy(&self) -> Result<()> {
        let store = Host::configured_store();
        if matches!(self.command, Some(Command::Worker(_))) {
            return policy::take_over(std::env::var(policy::VARIABLE).ok().as_deref(), &[&store]);
        }
        self.permissions.set(&store, &self.typed())
    }

    /// Uses as many cores as are set. A task of a queue has those that the queue gave it.
    fn set_cores(&self) {
        let is_task = matches!(&self.command, Some(Command::Worker(args)) if args.is_queued());
        if let Some(cores) = configuration::count("threads").or_else(pool::of_openmp).filter(|_| !is_task) {
            pool::set_cores(cores);
            // A worker has its parent's number, of which the parent has spoken.
            if !matches!(self.command, Some(Command::Worker(_))) {
                pool::say_if_fewer();
            }
        }
    }
}

fn start(cli: Cli) -> u8 {
    // A panic is caught where the session can go on; the error made there is the report.
    panics::install();
    console::set_quiet(cli.quiet);
    let whole = match cli.configure().and_then(|whole| cli.set_policy().map(|()| whole)) {
        Ok(whole) => whole,
        Err(error) => {
            own::remove_session_folder();
            return exit::fail(&Failure::plain(error));
        }
    };
    // Settings that are shown without those of a file are not all of them.
    let lacking = !whole && matches!(&cli.command, Some(Command::Config(args)) if args.shows());
    cli.set_cores();
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
    if code == exit::DONE && lacking { exit::FAILED } else { code }
}

fn run(cli: Cli) -> Result<u8, Failure> {
    if cli.version {
        return Ok(version::run());
    }
    // Without the setting, the GPUs' driver is not loaded before it is needed.
    // A check of the GPUs has a device that is not there on its page.
    let is_check = matches!(cli.command, Some(Command::GpuCheck(_)));
    // And a device that is not there could not be set otherwise.
    let is_config = matches!(cli.command, Some(Command::Config(_)));
    if !is_check && !is_config && configuration::value("device").is_some() {
        cpsd::devices::configured().map_err(Failure::plain)?;
    }
    primitives::install();
    let session = || {
        let session = primitives::session();
        *session.host.runs.borrow_mut() = Host::configured_store();
        session
    };
    match cli.command {
        None => repl::run(&mut session()),
        Some(Command::Script(args)) => script::run(args, &mut session()),
        Some(Command::Eval(args)) => eval::run(args, &mut session()),
        Some(Command::Doc(args)) => doc::run(args, session),
        Some(Command::Check(args)) => check::run(args, &mut session()),
        Some(Command::Config(args)) => config::run(args),
        Some(Command::Test(args)) => test::run(args),
        Some(Command::Runs(args)) => runs::run(args, &mut session()),
        Some(Command::GpuCheck(args)) => gpu_check::run(args),
        Some(Command::Kernel(args)) => kernel::run(args, &mut session()),
        Some(Command::Lsp(args)) => Ok(lsp::run(args, &session())),
        Some(Command::Completions(args)) => completions::run(args),
        Some(Command::Man(args)) => man::run(args, Cli::command()),
        Some(Command::Quickstart(args)) => quickstart::run(args, &mut session()),
        Some(Command::New(args)) => new::run(args),
        Some(Command::Examples(args)) => examples::run(args),
        Some(Command::Worker(args)) => Ok(worker::run(args)),
    }
}
