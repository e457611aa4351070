//! A training that does not fit: whether the error helps, and whether the process goes on.

use super::data::{Store, job, scenes, spec};
use super::{Check, Outcome, WHOLE};
use crate::devices;
use crate::error::Result;
use crate::models::heads;
use crate::training::run;

pub const CHECK: Check = Check {
    name: "memory",
    question: "Is a training that does not fit into the GPU's memory a clear error, after which the next one runs?",
    limit: 300,
    parts: WHOLE,
    run: out_of_memory,
};

fn out_of_memory(_part: &str) -> Result<Outcome> {
    if !devices::first().is_cuda() {
        return Ok(Outcome::skipped("only a GPU's memory is tried"));
    }
    let mut outcome = Outcome::new(&[]);
    let store = Store::new()?;
    // A batch has each picture once, so 2,048 pictures are needed; they are small and are enlarged.
    let data = scenes(2048, 8, 32)?;
    let model = spec("resnet101", heads::find("gap")?, 640, data.0.labels.labels());
    match run(&store.store, &job("too large", &data, model, 1, 2048)) {
        Ok(_) => outcome.note("2,048 pictures of 640 pixels in a batch fit: this GPU's memory was not exhausted"),
        Err(error) => {
            let help = error.help.clone().unwrap_or_default();
            outcome.note(format!("error: {}", error.message));
            outcome.note(format!("help: {help}"));
            outcome.expect(error.message.contains("memory"), || "the error does not speak of memory".into());
            outcome.expect(help.contains("batch"), || "the help does not name the batch".into());
        }
    }
    let small = spec("resnet18", heads::find("gap")?, 64, data.0.labels.labels());
    match run(&store.store, &job("small", &(data.0.take_first(64)?, data.1), small, 1, 16)) {
        Ok(_) => outcome.note("a small training in the same process ran after it"),
        Err(error) => outcome.fail(format!("a small training in the same process failed: {error}")),
    }
    Ok(outcome)
}
