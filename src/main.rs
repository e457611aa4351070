//! The command line.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use colored::Colorize;
use cpsd::activity::console::print_line;
use cpsd::activity::interrupt;
use cpsd::repl;
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;
use cpsd::script::{check, docs, library_tests, reference, show};

/// Complementary parallel self-distillation for multi-label images: a REPL and a script runner.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The folder of the run store (also CPSD_RUNS)
    #[arg(long, global = true, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// No progress and no logs
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run a script; `cpsd script FILE --help` lists its arguments
    #[command(disable_help_flag = true)]
    Script {
        /// Once for every combination of arguments that are lists: k=2,3 seed=0,1 makes four
        #[arg(long)]
        multirun: bool,
        file: PathBuf,
        /// key=value arguments of the script, or --help
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Evaluate an expression and print its value
    Eval { expression: String },
    /// Print the documentation of a word, a kind of value, a library or a topic
    Doc {
        word: Option<String>,
        /// Write the whole reference as Markdown into a folder
        #[arg(long, value_name = "DIR")]
        reference: Option<PathBuf>,
        /// Write .d.rhai definitions for editors into a folder
        #[arg(long, value_name = "DIR")]
        definitions: Option<PathBuf>,
        /// Run the code blocks of a Markdown file in one session, and write it with their output and figures
        #[arg(long, value_name = "SOURCE.md", requires = "into")]
        weave: Option<PathBuf>,
        #[arg(long, value_name = "OUT.md", requires = "weave")]
        into: Option<PathBuf>,
    },
    /// Look for mistakes in a script without running it
    Check {
        files: Vec<PathBuf>,
        /// Warnings fail too
        #[arg(long)]
        strict: bool,
    },
    /// Run the test_... functions of the scripts in a folder, or of one file
    Test { path: PathBuf },
    /// List the finished runs
    Runs,
    /// Do one training that another cpsd process described, and say in JSON lines how it goes
    #[command(hide = true)]
    Worker {
        job: PathBuf,
        /// Stop when standard input ends
        #[arg(long)]
        supervised: bool,
    },
}

const FAILED: u8 = 1;
const BAD_COMMAND_LINE: u8 = 2;
const INTERRUPTED: u8 = 130;

fn main() {
    let code = start(Cli::parse());
    let _ = std::io::Write::flush(&mut std::io::stdout());
    // SAFETY: nothing of ours is left to do. What libtorch's destructors would do takes longer than its loading.
    unsafe { libc::_exit(i32::from(code)) }
}

fn start(cli: Cli) -> u8 {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGUSR1] {
        let _ = signal_hook::flag::register(signal, interrupt::flag());
    }
    cpsd::activity::console::set_quiet(cli.quiet);
    // Deep scripts need a deep stack, and libtorch's tensors stay in one thread.
    let worker = std::thread::Builder::new().name("cpsd".into()).stack_size(256 << 20).spawn(move || run(cli));
    match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        _ => FAILED,
    }
}

fn run(cli: Cli) -> u8 {
    // A panic is caught where the session can go on; its own report says what a user needs.
    std::panic::set_hook(Box::new(|_| {}));
    // Without it nothing is asked of the GPUs' driver before it is needed.
    if std::env::var_os("CPSD_DEVICE").is_some()
        && let Err(error) = cpsd::devices::from_environment()
    {
        return fail(&Failure::plain(error));
    }
    let mut session = cpsd::primitives::session();
    if let Some(runs) = &cli.runs {
        *session.host.runs.borrow_mut() = runs.clone();
    }
    match cli.command {
        None => repl::run(&mut session),
        Some(Command::Script { multirun: false, file, arguments }) => script(&mut session, &file, &arguments),
        Some(Command::Script { multirun: true, file, arguments }) => multirun(&mut session, &file, &arguments),
        Some(Command::Eval { expression }) => match session.eval(&expression, "eval") {
            Ok(value) => {
                if !value.is_unit() {
                    print_line(&show::plain(&value));
                }
                0
            }
            Err(failure) => fail(&failure),
        },
        Some(Command::Doc { reference: Some(folder), .. }) => match reference::write(&folder) {
            Ok(pages) => {
                print_line(&format!("{pages} pages in {}", folder.display()));
                0
            }
            Err(error) => fail(&Failure::plain(error)),
        },
        Some(Command::Doc { definitions: Some(folder), .. }) => match reference::write_definitions(&session, &folder) {
            Ok(()) => {
                print_line(&format!("definitions in {}", folder.display()));
                0
            }
            Err(error) => fail(&Failure::plain(error)),
        },
        Some(Command::Doc { weave: Some(source), into: Some(into), .. }) => {
            match cpsd::script::weave::weave(&source, &into) {
                Ok(()) => {
                    print_line(&format!("{} from {}", into.display(), source.display()));
                    0
                }
                Err(failure) => fail(&failure),
            }
        }
        Some(Command::Doc { word, .. }) => match docs::doc(word.as_deref()) {
            Ok(text) => {
                print_line(text.trim_end());
                0
            }
            Err(error) => fail(&Failure::plain(error)),
        },
        Some(Command::Test { path }) => test(&path),
        Some(Command::Check { files, strict }) => check_files(&session, &files, strict),
        Some(Command::Worker { job, supervised }) => worker(&job, supervised),
        Some(Command::Runs) => match session.eval("runs()", "runs") {
            Ok(value) => {
                print_line(&show::plain(&value));
                0
            }
            Err(failure) => fail(&failure),
        },
    }
}

fn worker(job: &Path, supervised: bool) -> u8 {
    use cpsd::activity::message::Message;
    use cpsd::executors::worker::watch_lifeline;
    if supervised {
        watch_lifeline();
    }
    cpsd::activity::console::relay();
    match cpsd::training::job_file::work(job) {
        Ok(run) => {
            Message::Done(run.into()).send();
            0
        }
        Err(error) => {
            let code = if error.kind == cpsd::error::ErrorKind::Interrupted { INTERRUPTED } else { FAILED };
            Message::Failed { kind: error.kind, message: error.message, help: error.help }.send();
            code
        }
    }
}

fn script(session: &mut Session, file: &Path, words: &[String]) -> u8 {
    if words.iter().any(|w| w == "--help" || w == "-h") {
        return script_help(session, file);
    }
    let mut arguments = Vec::new();
    for word in words {
        match word.split_once('=') {
            Some((key, value)) => arguments.push((key.trim_start_matches('-').to_string(), value.to_string())),
            None => {
                eprintln!("cpsd: arguments of a script are key=value; got \"{word}\"");
                return BAD_COMMAND_LINE;
            }
        }
    }
    // What the script asks for is found by reading it, so that a misspelt argument stops it before it works.
    if let Some(unknown) = unknown_argument(session, file, &arguments) {
        eprintln!("cpsd: {unknown}");
        return BAD_COMMAND_LINE;
    }
    match session.run_file(file, &arguments) {
        Ok(_) => 0,
        Err(failure) => fail(&failure),
    }
}

/// The script once for every combination of the arguments' values, the last argument changing fastest. What fails is said,
/// and the others go on; an interrupt stops all.
fn multirun(session: &mut Session, file: &Path, words: &[String]) -> u8 {
    let mut combinations: Vec<Vec<String>> = vec![vec![]];
    for word in words {
        let (key, values) = word.split_once('=').unwrap_or((word, ""));
        let choices: Vec<String> = if word.contains('=') {
            values.split(',').map(|v| format!("{key}={v}")).collect()
        } else {
            vec![word.clone()]
        };
        combinations = combinations
            .iter()
            .flat_map(|c| choices.iter().map(|w| [c.as_slice(), std::slice::from_ref(w)].concat()))
            .collect();
    }
    let mut failed = 0;
    for (i, combination) in combinations.iter().enumerate() {
        print_line(&format!("{}", format!("== {}/{} {}", i + 1, combinations.len(), combination.join(" ")).bold()));
        session.reset();
        match script(session, file, combination) {
            0 => {}
            code @ (INTERRUPTED | BAD_COMMAND_LINE) => return code,
            _ => failed += 1,
        }
    }
    if failed > 0 {
        eprintln!("cpsd: {failed} of {} runs failed", combinations.len());
        return FAILED;
    }
    0
}

fn test(path: &Path) -> u8 {
    let files = match library_tests::find(path) {
        Ok(files) => files,
        Err(error) => return fail(&Failure::plain(error)),
    };
    let (mut passed, mut failed) = (0, 0);
    for file in files {
        let mut told = |outcome: &library_tests::Outcome| match &outcome.failure {
            None => {
                passed += 1;
                print_line(&format!("{} {}", "pass".green(), outcome.name));
            }
            Some(failure) => {
                failed += 1;
                print_line(&format!("{} {}", "FAIL".red().bold(), outcome.name));
                fail(failure);
            }
        };
        if let Err(error) = library_tests::run(&file, &mut told) {
            return fail(&Failure::plain(error));
        }
        if interrupt::requested() {
            return INTERRUPTED;
        }
    }
    print_line(&format!("{passed} passed, {failed} failed"));
    if failed > 0 { FAILED } else { 0 }
}

/// The `arg("name", default, "help")` calls of a script, found in its text.
fn declared(session: &Session, file: &Path) -> Result<Vec<cpsd::script::host::Declared>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|e| Failure::plain(cpsd::error::Error::io(file, e)))?;
    cpsd::script::arguments::declared(session, &text, &file.display().to_string())
}

fn unknown_argument(session: &Session, file: &Path, arguments: &[(String, String)]) -> Option<String> {
    let known = declared(session, file).ok()?;
    let (key, _) = arguments.iter().find(|(key, _)| !known.iter().any(|d| &d.name == key))?;
    let error = cpsd::error::Error::unknown("argument", key, known.iter().map(|d| d.name.as_str()));
    Some(match error.help {
        Some(help) => format!("{} has no argument \"{key}\"; {help}", file.display()),
        None => format!("{} takes no arguments; got \"{key}\"", file.display()),
    })
}

fn script_help(session: &Session, file: &Path) -> u8 {
    let known = match declared(session, file) {
        Ok(known) => known,
        Err(failure) => return fail(&failure),
    };
    let text = std::fs::read_to_string(file).unwrap_or_default();
    for line in text.lines().take_while(|l| l.starts_with("//")) {
        print_line(line.trim_start_matches('/').trim_start_matches('!').trim());
    }
    print_line(&format!("\nUsage: cpsd script {} [key=value ...]", file.display()));
    if known.is_empty() {
        print_line("It takes no arguments.");
    }
    for argument in known {
        print_line(&format!("  {:<28} {}", format!("{}={}", argument.name.cyan(), argument.default), argument.help));
    }
    0
}

/// Tells of every finding: with its line underlined on a terminal, one line each in a pipe. Errors fail, and with `strict`
/// warnings do.
fn check_files(session: &Session, files: &[PathBuf], strict: bool) -> u8 {
    let (mut errors, mut warnings, mut unread) = (0, 0, 0);
    for file in files {
        let name = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) => return fail(&Failure::plain(cpsd::error::Error::io(file, e))),
        };
        match check::check(session, &text, &name) {
            Err(failure) => {
                fail(&failure);
                unread += 1;
            }
            Ok(findings) => {
                for finding in &findings {
                    match finding.severity {
                        check::Severity::Error => errors += 1,
                        check::Severity::Warning => warnings += 1,
                    }
                    if std::io::stdout().is_terminal() {
                        let colour = std::env::var_os("NO_COLOR").is_none();
                        print_line(Failure::found(finding, &name, &text).render(colour, repl::width()).trim_end());
                    } else {
                        print_line(&finding.line(&name));
                    }
                }
            }
        }
    }
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    if errors + warnings + unread == 0 {
        print_line(&format!("{} without a mistake", counted(files.len(), "file")));
    } else {
        print_line(&format!(
            "{} in {}",
            [counted(errors + unread, "error"), counted(warnings, "warning")].join(", "),
            counted(files.len(), "file")
        ));
    }
    if errors + unread > 0 || (strict && warnings > 0) { FAILED } else { 0 }
}

/// Prints the report on standard error and says how the process ends.
fn fail(failure: &Failure) -> u8 {
    if let Some(code) = failure.exit {
        return code as u8;
    }
    if failure.interrupted() {
        eprintln!("{}", "interrupted; what was finished is kept, and the same command goes on from there".yellow());
        return INTERRUPTED;
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprint!("{}", failure.render(colour, repl::width()));
    FAILED
}
