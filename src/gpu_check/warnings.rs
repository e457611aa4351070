//! Whether a training is silent: what libtorch writes to standard error would go through the progress line.

use super::data::{Store, job, scenes, spec};
use super::stderr::captured;
use super::{Check, Outcome, WHOLE};
use crate::devices;
use crate::error::Result;
use crate::models::heads;
use crate::training::{Predictor, predict, run};

pub const CHECK: Check = Check {
    name: "warnings",
    question: "Does a quiet training write nothing to standard error?",
    limit: 300,
    parts: WHOLE,
    run: warnings,
};

fn warnings(_part: &str) -> Result<Outcome> {
    let data = scenes(32, 16, 64)?;
    let model = spec("resnet18", heads::find("csra")?, 64, data.0.labels.labels());
    let store = Store::new()?;
    // Says now why no GPU is used, where it has to; that line is not the training's.
    devices::first();
    let (result, written) = captured(|| {
        let trained = run(&store.store, &job("warnings", &data, model, 2, 8))?;
        predict(&store.store, &Predictor::Model(trained), &data.1)
    });
    let mut outcome = Outcome::new(&[]);
    if let Err(error) = result {
        outcome.fail(error.to_string());
    }
    outcome.note(format!("two epochs of resnet18 and csra and a prediction wrote {} lines", written.lines().count()));
    outcome.expect(written.is_empty(), || {
        format!("the first lines: {}", written.lines().take(5).collect::<Vec<_>>().join(" / "))
    });
    Ok(outcome)
}
