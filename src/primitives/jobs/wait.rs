//! `wait`: what background jobs gave.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine};

use crate::primitives::glue;
use crate::primitives::values::background_call::BackgroundCallValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "wait",
    chapter: Chapter::Jobs,
    signatures: &["wait(job) -> value", "wait(jobs) -> array"],
    summary: "Waits until a background job, or each of an array of them, has ended, and gives what its closure gave.",
    details: "Progress is shown meanwhile. An error of the closure is thrown here. Ctrl-C ends the waiting, not the job.",
    options: None,
    examples: &[Example { code: "wait([spawn(|| 1), spawn(|| 2)])", prints: "[1, 2]" }],
    register: |r| register(r.engine, r.host),
};

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("wait", move |job: BackgroundCallValue| -> Fallible<Dynamic> { a.background.wait(&job.0) })
        .register_fn("wait", move |jobs: Array| -> Fallible<Array> {
            let jobs: Vec<BackgroundCallValue> = jobs
                .iter()
                .map(|job| glue::expect("wait", "every job", "a Job, as spawn(...) gives", job))
                .collect::<Result<_, _>>()
                .or_raise()?;
            let all: Vec<_> = jobs.iter().map(|job| &*job.0).collect();
            b.background.until_ended(&all).or_raise()?;
            all.into_iter().map(|job| b.background.wait(job)).collect()
        });
}
