//! `spawn`: a closure in the background.

use std::rc::Rc;

use rhai::{Engine, FnPtr, Map, NativeCallContext};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::executors::pool;
use crate::primitives::values::background_call::BackgroundCallValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "spawn",
    chapter: Chapter::Jobs,
    signatures: &["spawn(closure) -> Job", "spawn(closure, #{options}) -> Job"],
    summary: "Begins a closure in the background, so that the prompt or the script goes on while it trains.",
    details: "The closure takes no arguments and works on copies of the variables that it names, as they are when it begins; what it finds out it gives back. Its trainings run beside whatever else runs; \
the code between them takes turns with the session's. Its lines are printed above the prompt, after its number. wait(job) gives what the \
closure gave, jobs() lists them, stop(job) ends one at a safe point; Ctrl-C never stops one. A script ends when its jobs have, and fails with \
the first that failed and was not waited for.",
    options: Some(OptionDocs { defaults: options::defaults::<SpawnOptions>, docs: || crate::options::list(DOCS) }),
    examples: &[
        Example { code: "let x = 20; let job = spawn(|| x * 2 + 2); wait(job)", prints: "42" },
        Example {
            code: "let job = spawn(|| throw \"no\", #{name: \"a test\"}); let said = (); try { wait(job) } catch (e) { said = `${job.name} ${job.state}: ${e}`; } said",
            prints: "a test failed: no",
        },
    ],
    register: |r| register(r.engine, r.host),
};

const DOCS: &[(&str, &str)] = &[
    ("name", "what jobs() and its lines call it; () for its number"),
    ("cores", "how many cores its trainings may use; () for all"),
];

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SpawnOptions {
    name: Option<String>,
    cores: Option<usize>,
}

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("spawn", move |call: NativeCallContext, closure: FnPtr| spawn(&a, &call, closure, &Map::new()))
        .register_fn("spawn", move |call: NativeCallContext, closure: FnPtr, map: Map| spawn(&b, &call, closure, &map));
}

fn spawn(host: &Rc<Host>, call: &NativeCallContext, closure: FnPtr, map: &Map) -> Fallible<BackgroundCallValue> {
    let options: SpawnOptions = options::parse("spawn", map).or_raise()?;
    if host.plan().is_some() {
        return Err(Error::argument("spawn would train inside plan(...), which only lists what would be trained")
            .with_help("call the closure itself there, or plan inside the job"))
        .or_raise();
    }
    let cores = cores("spawn", "cores", options.cores).or_raise()?;
    host.background.spawn(host, call, closure, options.name, cores).map(BackgroundCallValue).or_raise()
}

/// A number of cores that there are.
pub fn cores(word: &str, option: &str, asked: Option<usize>) -> Result<Option<usize>> {
    let all = pool::cores();
    match asked {
        Some(n) if n == 0 || n > all => Err(Error::argument(format!(
            "option \"{option}\" of {word} must be an integer from 1 to {all}, the cores here; got {n}"
        ))),
        asked => Ok(asked),
    }
}
