//! `wait`: the results of background jobs.

use rhai::{Array, Dynamic};

use crate::error::Result;
use crate::primitives::parameters::expect;
use crate::primitives::values::background_call::BackgroundCallValue;
use crate::script::call::Call;
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "wait",
    chapter: Chapter::Jobs,
    signatures: &["wait(job) -> value", "wait(jobs) -> array"],
    summary: "Waits until a background job, or each of an array of them, has ended, and gives its closure's result.",
    details: "Progress is shown meanwhile. An error of the closure is thrown here. Ctrl-C ends the waiting, not the job.",
    options: None,
    examples: &[Example { code: "wait([spawn(|| 1), spawn(|| 2)])", prints: "[1, 2]" }],
    register: |word| {
        word.form(one).form(several);
    },
};

fn one(call: &Call, job: BackgroundCallValue) -> Fallible<Dynamic> {
    call.host.background.wait(&job.0)
}

fn several(call: &Call, jobs: Array) -> Fallible<Vec<Dynamic>> {
    let jobs = jobs
        .iter()
        .map(|job| expect(job, call, "every job", "a Job, as spawn(...) gives"))
        .collect::<Result<Vec<BackgroundCallValue>>>()?;
    let all: Vec<_> = jobs.iter().map(|job| &*job.0).collect();
    call.host.background.until_ended(&all)?;
    all.into_iter().map(|job| call.host.background.wait(job)).collect()
}
