//! Whether the runs of a store are what was written, and can be read.

use serde_json::Value;

use super::stored_rows::StoredRows;
use super::trained_model::{MODEL, Trained};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::files::own;
use crate::images::ResizedCache;
use crate::models::{LEARNED, weights};
use crate::runs::{Run, RunStore, kind_of};

/// The outcome for one run.
pub struct Verdict {
    pub id: String,
    pub bytes: u64,
    pub state: State,
}

/// What is known of a run.
pub enum State {
    /// Every file is what was written.
    Good,
    /// It can be read, and was made before digests were kept: damage cannot be told.
    Unchecked,
    /// Something is wrong. The error names the run, the file and what to do.
    Damaged(Error),
}

impl State {
    pub fn name(&self) -> &'static str {
        match self {
            State::Good => "good",
            State::Unchecked => "not checked",
            State::Damaged(_) => "damaged",
        }
    }
}

/// Checks these runs, in their order: digests of all files, the specification against the id, the sizes of stored rows; models are
/// loaded, and the notes beside the run are read. All bytes are read.
///
/// Errors: Interrupted; Argument for an id that is not in the store.
pub fn verify(store: &RunStore, ids: &[String]) -> Result<Vec<Verdict>> {
    // Listed once: to find each run by itself would take a time that grows with the square of their number.
    let (listing, notes) = (store.listing(), store.notes());
    let progress = Progress::new("verifying", ids.len() as u64, "runs");
    let mut verdicts = Vec::new();
    for id in ids {
        interrupt::check()?;
        progress.note(id.clone());
        let bytes = own::size(&store.root().join(id));
        let state = match listing.look(id) {
            Some(Ok(run)) => match check(&run).and_then(|compared| notes.check(id).map(|()| compared)) {
                Ok(true) => State::Good,
                Ok(false) => State::Unchecked,
                Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                Err(error) => State::Damaged(error),
            },
            Some(Err(run)) => State::Damaged(run.error()),
            None => return Err(Error::argument(format!("unknown run \"{id}\"")).about_name(id)),
        };
        verdicts.push(Verdict { id: id.clone(), bytes, state });
        progress.advance(1);
    }
    progress.finish();
    Ok(verdicts)
}

/// Whether there were digests to compare with.
fn check(run: &Run) -> Result<bool> {
    let compared = run.verify()?;
    match kind_of(&run.id) {
        // A TorchScript module, a file of word vectors and a closure are there only where their caller gives them.
        Some("train") if has_files_beside(&run.spec()?["options"]["model"]) => {
            drop(weights::parse_safetensors(&run.path(MODEL), &run.read(MODEL)?)?);
        }
        Some("train") => drop(Trained::of_run(run.clone())?),
        Some("features" | "outputs") => drop(StoredRows::open(run)?),
        Some("pictures") => ResizedCache::check(run)?,
        _ => {}
    }
    Ok(compared)
}

/// Whether a model's specification says files beside the model's own.
fn has_files_beside(spec: &Value) -> bool {
    spec["path"].is_string()
        || spec["head_code"].is_string()
        || spec["adapter"].is_string()
        || spec["word_vectors"].as_str().is_some_and(|words| words != LEARNED)
}
