//! `jobs`: the session's background jobs.

use crate::error::Result;
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, Word};
use crate::tables::Cell;

pub const WORD: Word = Word {
    name: "jobs",
    chapter: Chapter::Jobs,
    signatures: &["jobs() -> Table"],
    summary: "A Table of the session's background jobs: their states, how long each has run, how far its trainings are.",
    details: "",
    options: None,
    examples: &[Example { code: "let job = spawn(|| 1); wait(job); jobs().column(\"state\")", prints: "[\"done\"]" }],
    register: |word| {
        word.form(jobs);
    },
};

fn jobs(call: &Call) -> Result<TableValue> {
    let rows = call.host.background.all().into_iter().map(|job| {
        let seconds = (job.seconds() * 10.0).round() / 10.0;
        vec![
            Cell::Int(job.id as i64),
            Cell::Text(job.name.clone()),
            Cell::Text(job.state().name().into()),
            Cell::Float(seconds),
            Cell::Text(job.progress()),
        ]
    });
    TableValue::from_rows(&["id", "name", "state", "seconds", "progress"], rows.collect())
}
