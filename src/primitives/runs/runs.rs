//! `runs` and `run`: the contents of the run store.

use crate::error::{Error, Result};
use crate::primitives::values::run::RunValue;
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, Word};
use crate::tables::Cell;

pub const WORD: Word = Word {
    name: "runs",
    chapter: Chapter::Runs,
    signatures: &["runs() -> Table"],
    summary: "A Table of the finished runs in the store: trainings, kept features and teacher outputs.",
    details: "The store is the folder `runs/`, or the one that CPSD_RUNS or --runs names.",
    options: None,
    examples: &[Example { code: "runs().columns", prints: "\"id\"" }],
    register: |word| {
        word.form(runs);
    },
};

pub const RUN: Word = Word {
    name: "run",
    chapter: Chapter::Runs,
    signatures: &["run(id) -> Run"],
    summary: "One finished run by its id, as runs() lists it; the beginning of an id is enough when it is the only one.",
    details: "",
    options: None,
    examples: &[],
    register: |word| {
        word.form(run);
    },
};

fn runs(call: &Call) -> Result<TableValue> {
    let mut rows = Vec::new();
    for run in call.store().list() {
        let summary = run.summary()?;
        let text = |key: &str| summary[key].as_str().map_or(Cell::Null, |s| Cell::Text(s.to_string()));
        let number = |key: &str| summary[key].as_f64().map_or(Cell::Null, Cell::Float);
        let whole = |key: &str| summary[key].as_i64().map_or(Cell::Null, Cell::Int);
        rows.push(vec![
            Cell::Text(run.id.clone()),
            text("name"),
            whole("labels"),
            whole("epochs"),
            number("val_mAP"),
            number("seconds"),
        ]);
    }
    TableValue::from_rows(&["id", "name", "labels", "epochs", "val_mAP", "seconds"], rows)
}

fn run(call: &Call, id: String) -> Result<RunValue> {
    let runs = call.store().list();
    let mut found = runs.iter().filter(|r| r.id.starts_with(&id));
    match (found.next(), found.next()) {
        (Some(run), None) => Ok(RunValue(run.clone())),
        (Some(a), Some(b)) => {
            Err(Error::argument(format!("\"{id}\" begins several ids: {}, {}, ...", a.id, b.id)).about_name(id))
        }
        _ if runs.is_empty() => Err(Error::argument(format!("unknown run \"{id}\": the run store is empty"))
            .about_name(id)
            .with_help("the store is the folder runs/, or the one that CPSD_RUNS or --runs names")),
        _ => Err(Error::argument(format!("unknown run \"{id}\"")).about_name(id).with_help("runs() lists the ids")),
    }
}
