//! `jobs`: the session's background jobs.

use crate::labels::tables::Cell;
use crate::primitives::values::table::TableValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "jobs",
    chapter: Chapter::Jobs,
    signatures: &["jobs() -> Table"],
    summary: "A Table of the session's background jobs: how each stands, how long it has run, how far its trainings are.",
    details: "",
    options: None,
    examples: &[Example { code: "let job = spawn(|| 1); wait(job); jobs().column(\"state\")", prints: "[\"done\"]" }],
    register: |r| {
        let (engine, host) = (&mut *r.engine, r.host);
        let host = host.clone();
        engine.register_fn("jobs", move || list(&host));
    },
};

fn list(host: &Host) -> Fallible<TableValue> {
    let rows = host.background.all().into_iter().map(|job| {
        let seconds = (job.seconds() * 10.0).round() / 10.0;
        vec![
            Cell::Int(job.id as i64),
            Cell::Text(job.name.clone()),
            Cell::Text(job.state().name().into()),
            Cell::Float(seconds),
            Cell::Text(job.progress()),
        ]
    });
    TableValue::from_rows(&["id", "name", "state", "seconds", "progress"], rows.collect()).or_raise()
}
