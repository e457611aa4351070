//! `runs` and `run`: the contents of the run store.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::activity::console;
use crate::error::{Error, Result};
use crate::primitives::values::run::RunValue;
use crate::primitives::values::table::TableValue;
use crate::runs::{Run, RunStore};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::tables::Cell;
use crate::training::overview::{Listed, Overview, RunFilter, overview};

pub const WORD: Word = Word {
    name: "runs",
    chapter: Chapter::Runs,
    signatures: &["runs() -> Table", "runs(#{tag, name, data, model, since}) -> Table"],
    summary: "A Table of the finished runs in the store, oldest first: trainings, kept features and teacher outputs.",
    details: "Columns: id; name, the newest that the options name gave it; tags; data, the data set; model, backbone and head; k, of a teacher the \
size of the partition that it is of; seed; val_mAP, which selected its epoch; test_mAP, where evaluate has seen the test split of its data set (of several on the \
most pictures, then the newest; run.scores has all); labels; epochs; seconds; date, by the clock of this place. Further questions: \
runs().filter(|r| r.k == 4 && r.test_mAP > 80). The store is the folder `runs/`, or the one that --runs, CPSD_RUNS or cpsd.toml names. Names, tags and scores that came after a run was made, \
and the text that asked for it first, are notes in the folder .notes beside the runs. A run whose summary is damaged has the name \
(damaged). runs().verify() reads every file, compares it with the digest that was kept when it was written, loads the models, and gives a Table \
with the columns id, state (good, damaged, or not checked for a run made before digests were kept), bytes and problem; `cpsd runs verify` does so \
on the command line, and `cpsd runs prune` lists what nothing needs any more.",
    options: Some(OptionDocs::of::<RunFilter>()),
    examples: &[
        Example { code: "runs().columns", prints: "\"id\"" },
        Example { code: "runs(#{tag: \"ablation\", since: \"7d\"}).len()", prints: "0" },
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
    summary: "One finished run by its id, as runs() lists it; the beginning of an id, or a name, is enough when it is the only one.",
    details: "",
    options: None,
    examples: &[],
    register: |word| {
        word.form(run);
    },
};

/// The name of a run whose summary cannot be read.
const DAMAGED: &str = "(damaged)";

/// Says what is wrong with a run, once per process.
fn say_once(error: &Error) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().insert(error.message.clone()) {
        console::log(&error.message);
    }
}

/// The columns of the Table of runs.
const COLUMNS: [&str; 13] =
    ["id", "name", "tags", "data", "model", "k", "seed", "val_mAP", "test_mAP", "labels", "epochs", "seconds", "date"];

/// Those that a narrow terminal shows, and the least width to which each is cut: the beginning of an id is enough for run(id).
const SHOWN_FIRST: &[(&str, usize)] =
    &[("name", 12), ("date", 19), ("val_mAP", 7), ("test_mAP", 8), ("model", 12), ("id", 12)];

fn runs(call: &Call, filter: RunFilter) -> Result<TableValue> {
    let store = call.store();
    call.unlocked(|| table(&store, &filter))
}

/// The Table of the runs that a filter keeps.
///
/// Errors: a date that cannot be read; Interrupted.
pub fn table(store: &RunStore, filter: &RunFilter) -> Result<TableValue> {
    let rows = overview(store, filter, say_once)?.into_iter().map(|run| match run {
        Listed::Good(run) => row(*run),
        Listed::Damaged(id, error) => {
            say_once(&error);
            let mut row = vec![Cell::Text(id), Cell::Text(DAMAGED.into())];
            row.resize(COLUMNS.len(), Cell::Null);
            row
        }
    });
    let mut table = TableValue::from_rows(&COLUMNS, rows.collect())?;
    table.0.shown_first = SHOWN_FIRST;
    Ok(table)
}

fn row(run: Overview) -> Vec<Cell> {
    let text = |text: Option<String>| text.map_or(Cell::Null, Cell::Text);
    let date = run.local_date();
    vec![
        Cell::Text(run.id),
        Cell::Text(run.name),
        text((!run.tags.is_empty()).then(|| run.tags.join(", "))),
        text(run.data),
        text(run.model),
        run.k.into(),
        run.seed.into(),
        run.val_map.into(),
        run.test_map.into(),
        run.labels.into(),
        run.epochs.into(),
        run.seconds.into(),
        Cell::Text(date),
    ]
}

fn run(call: &Call, id: String) -> Result<RunValue> {
    one(&call.store(), &id).map(RunValue)
}

/// The run of the store whose id begins so; else the one that has this name.
///
/// Errors: none, or several; a damaged one; Interrupted.
pub fn one(store: &RunStore, id: &str) -> Result<Run> {
    let listing = store.listing();
    let ids = listing.ids();
    let open = |known: &str| match listing.look(known) {
        Some(Ok(run)) => Ok(run),
        Some(Err(damaged)) => Err(damaged.error().about_name(id)),
        None => Err(Error::data(format!("run {known} cannot be opened")).about_name(id)),
    };
    let mut found = ids.iter().filter(|known| known.starts_with(id));
    match (found.next(), found.next()) {
        (Some(known), None) => open(known),
        (Some(a), Some(b)) => {
            Err(Error::argument(format!("\"{id}\" begins several ids: {a}, {b}, ...")).about_name(id))
        }
        _ if ids.is_empty() => Err(Error::argument(format!("unknown run \"{id}\": the run store is empty"))
            .about_name(id)
            .with_help("the store is the folder runs/, or the one that --runs, CPSD_RUNS or cpsd.toml names")),
        _ => match &named(store, id)?[..] {
            [known] => open(known),
            [] => {
                let help = "runs() lists the ids and names";
                Err(Error::argument(format!("unknown run \"{id}\"")).about_name(id).with_help(help))
            }
            several => {
                let (first, more) = several.split_at(several.len().min(LISTED));
                let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
                let message = format!("{} runs have the name \"{id}\": {}{more}", several.len(), first.join(", "));
                Err(Error::argument(message).about_name(id).with_help("give the id of one"))
            }
        },
    }
}

/// So many ids of runs with one name are listed.
const LISTED: usize = 8;

/// The ids of the runs whose newest name is this one, oldest first.
fn named(store: &RunStore, name: &str) -> Result<Vec<String>> {
    let filter = RunFilter { name: Some(name.to_string()), ..RunFilter::default() };
    let found = overview(store, &filter, say_once)?.into_iter().filter_map(|run| match run {
        Listed::Good(run) if run.name == name => Some(run.id),
        _ => None,
    });
    Ok(found.collect())
}
