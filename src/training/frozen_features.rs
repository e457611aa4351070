//! The output of a backbone's frozen stages for a fixed set of views, computed once and kept in the run store.

use serde_json::{Value, json};

use super::fitting::Fitting;
use super::model_inputs::pictures;
use super::stored_rows::{FEATURES, StoredRows, append_half, made_by};
use super::views::Views;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::Result;
use crate::images::Dataset;
use crate::models::Model;
use crate::runs::{RunStore, id_of};

/// Pictures at once. Measured fastest on a CPU, where a larger batch leaves the caches (benches/frozen_features).
const BATCH: usize = 16;

fn spec(model: &Model, dataset: &Dataset, views: &Views) -> Result<Value> {
    let mut spec = json!({
        "format": 1,
        "frozen": model.frozen_fingerprint()?,
        "data": dataset.source.fingerprint(),
        "views": views.fingerprint(),
    });
    views.name_tf32(&mut spec);
    Ok(spec)
}

const KIND: &str = FEATURES;

/// The run of the frozen features of every view of every image of `dataset`.
pub fn run_of(model: &Model, dataset: &Dataset, views: &Views) -> Result<String> {
    Ok(id_of(KIND, &spec(model, dataset, views)?))
}

/// Whether the store has the frozen features of every view of every image of `dataset`.
pub fn is_stored(store: &RunStore, model: &Model, dataset: &Dataset, views: &Views) -> Result<bool> {
    Ok(store.find(&run_of(model, dataset, views)?).is_some())
}

/// The frozen features of every view of every image of `dataset`, from the store or computed now on the model's device.
///
/// Errors: a picture that cannot be read (named), Io, Interrupted (the rows computed so far are kept, and the next
/// call goes on behind them).
pub fn frozen_features(store: &RunStore, model: &Model, dataset: &Dataset, views: &Views) -> Result<StoredRows> {
    let run = store.find_or_make(KIND, &spec(model, dataset, views)?, |work| {
        let mut order = views.all(dataset.len());
        let total = order.len();
        let side = model.image_size();
        let progress = Progress::new(format!("features of {}", dataset.split), total as u64, "images");
        Fitting::over("features of frozen stages", model, BATCH, |fitting| {
            let batch = fitting.batch();
            let mut out = work.grow(StoredRows::FILE, total as u64, made_by(model.device, batch))?;
            progress.set(out.rows());
            // They end with a batch, so the others are those of a maker who was never stopped.
            order.drain(..out.rows() as usize);
            let batches = pictures(dataset, views, side as u32, order, batch, model.device, None)?;
            for batch in batches {
                interrupt::check()?;
                let batch = batch?;
                let n = batch.rows.len();
                let pixels = batch.tensor(model.device)?;
                let maps = fitting.run(&pixels, |pixels| model.frozen_features(&model.normalise(pixels)?))?;
                append_half(&mut out, &maps.f_permute([0, 2, 3, 1])?)?;
                progress.advance(n as u64);
            }
            let summary = json!({ "rows": total, "shape": out.shape(), "seconds": out.seconds() });
            out.finish()?;
            Ok(summary)
        })
    })?;
    StoredRows::open(&run)
}
