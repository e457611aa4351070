//! `spawn`: a closure in the background.

use rhai::FnPtr;

use crate::activity::console;
use crate::error::{Error, Result};
use crate::executors::pool;
use crate::options;
use crate::primitives::values::background_call::BackgroundCallValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "spawn",
    chapter: Chapter::Jobs,
    signatures: &["spawn(closure) -> Job", "spawn(closure, #{options}) -> Job"],
    summary: "Begins a closure in the background, so that the prompt or the script goes on while it trains.",
    details: "The closure takes no arguments and works on copies of the variables that it names, as they are when it begins; only its result comes back. Its trainings run beside everything else that runs; \
the code between them takes turns with the session's. Its lines are printed above the prompt, after its number. wait(job) gives the closure's \
result, jobs() lists them (100 may run at once), stop(job) ends one at a safe point; Ctrl-C never stops one. A script ends when its jobs have, and fails with \
the first that failed and was not waited for.",
    options: Some(OptionDocs::of::<SpawnOptions>()),
    examples: &[
        Example { code: "let x = 20; let job = spawn(|| x * 2 + 2); wait(job)", prints: "42" },
        Example {
            code: "let job = spawn(|| throw \"no\", #{name: \"a test\"}); let said = (); try { wait(job) } catch (e) { said = `${job.name} ${job.state}: ${e}`; } said",
            prints: "a test failed: no",
        },
    ],
    register: |word| {
        word.form(spawn);
    },
};

options! {
    /// The options of `spawn`.
    struct SpawnOptions {
        /// its name in jobs() and in its lines; () for its number
        pub name: Option<String> = None;
        /// how many cores its trainings may use, at most as many as there are; () for all
        pub cores: Option<usize> = None;
    }
}

fn spawn(call: &Call, closure: FnPtr, options: SpawnOptions) -> Result<BackgroundCallValue> {
    if call.host.plan().is_some() {
        return Err(Error::argument("spawn would train inside plan(...), which only lists what would be trained")
            .with_help("call the closure itself there, or plan inside the job"));
    }
    let cores = options.cores.map(|asked| at_most_cores(call, "cores", asked)).transpose()?;
    call.host.background.spawn(call.host, call.native, closure, options.name, cores).map(BackgroundCallValue)
}

/// The number that an option asks for, or all cores where it is more, which is said: a script runs on machines with fewer too.
///
/// Errors: 0.
pub fn at_most_cores(call: &Call, option: &str, asked: usize) -> Result<usize> {
    let all = pool::cores();
    if asked == 0 {
        return Err(Error::option(option, call.name, "a whole number from 1", asked));
    }
    if asked > all {
        console::log(&format!("{}: {option} is {asked}; {all} taken, as many as there are cores here", call.name));
    }
    Ok(asked.min(all))
}
