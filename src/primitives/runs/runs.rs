//! `runs` and `run`: the contents of the run store.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::activity::console;
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
    details: "The store is the folder `runs/`, or the one that CPSD_RUNS or --runs names. A run whose summary is damaged has the name \
(damaged). runs().verify() reads every file, compares it with the digest that was kept when it was written, loads the models, and gives a Table \
with the columns id, state (good, damaged, or not checked for a run made before digests were kept), bytes and problem; `cpsd runs verify` does so \
on the command line, and `cpsd runs prune` lists what nothing needs any more.",
    options: None,
    examples: &[
        Example { code: "runs().columns", prints: "\"id\"" },
        Example { code: "runs().verify().filter(col(\"state\") == \"damaged\").len()", prints: "0" },
    ],
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

/// The name of a run whose summary cannot be read.
const DAMAGED: &str = "(damaged)";

/// Says what is wrong with a run, once per process. Returns its id.
fn say_once(id: String, error: &Error) -> String {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().insert(error.message.clone()) {
        console::log(&error.message);
    }
    id
}

fn runs(call: &Call) -> Result<TableValue> {
    let mut rows = Vec::new();
    let store = call.store();
    let mut damaged: Vec<String> =
        store.damaged().into_iter().map(|run| say_once(run.id.clone(), &run.error())).collect();
    for run in store.list() {
        let summary = match run.summary() {
            Ok(summary) => summary,
            Err(error) => {
                damaged.push(say_once(run.id, &error));
                continue;
            }
        };
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
    damaged.sort();
    rows.extend(damaged.into_iter().map(|id| {
        let mut row = vec![Cell::Text(id), Cell::Text(DAMAGED.into())];
        row.resize(6, Cell::Null);
        row
    }));
    TableValue::from_rows(&["id", "name", "labels", "epochs", "val_mAP", "seconds"], rows)
}

fn run(call: &Call, id: String) -> Result<RunValue> {
    let store = call.store();
    let runs = store.list();
    let mut found = runs.iter().filter(|r| r.id.starts_with(&id));
    match (found.next(), found.next()) {
        (Some(run), None) => Ok(RunValue(run.clone())),
        (Some(a), Some(b)) => {
            Err(Error::argument(format!("\"{id}\" begins several ids: {}, {}, ...", a.id, b.id)).about_name(id))
        }
        _ if let Some(damaged) = store.damaged().iter().find(|run| run.id == id) => Err(damaged.error().about_name(id)),
        _ if runs.is_empty() => Err(Error::argument(format!("unknown run \"{id}\": the run store is empty"))
            .about_name(id)
            .with_help("the store is the folder runs/, or the one that CPSD_RUNS or --runs names")),
        _ => Err(Error::argument(format!("unknown run \"{id}\"")).about_name(id).with_help("runs() lists the ids")),
    }
}
