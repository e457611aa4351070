//! `stop`: ends background jobs.

use crate::primitives::values::background_call::BackgroundCallValue;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "stop",
    chapter: Chapter::Jobs,
    signatures: &["stop(job)"],
    summary: "Asks a background job to end at its next safe point: between two batches of a training, which keeps a checkpoint.",
    details: "The same closure begun again goes on where its training stopped. wait(job) reports that it was stopped.",
    options: None,
    examples: &[Example {
        code: "let job = spawn(|| { loop { } }); stop(job); let said = (); try { wait(job) } catch (e) { said = `${job.state}: ${e}`; } said",
        prints: "stopped: job 1 was stopped",
    }],
    register: |word| {
        word.form(|job: BackgroundCallValue| job.0.stop());
    },
};
