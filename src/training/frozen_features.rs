//! The output of a backbone's frozen stages for a fixed set of views, computed once and kept in the run store.

use std::time::Instant;

use serde_json::{Value, json};

use super::fitting::Fitting;
use super::stored_rows::{StoredRows, append_half};
use super::views::Views;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::Result;
use crate::images::{Batches, Dataset};
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

const KIND: &str = "features";

/// Whether the store has the frozen features of every view of every image of `dataset`.
pub fn is_stored(store: &RunStore, model: &Model, dataset: &Dataset, views: &Views) -> Result<bool> {
    Ok(store.find(&id_of(KIND, &spec(model, dataset, views)?)).is_some())
}

/// The frozen features of every view of every image of `dataset`, from the store or computed now on the model's device.
///
/// Errors: a picture that cannot be read (named), Io, Interrupted (the rows computed so far are dropped).
pub fn frozen_features(store: &RunStore, model: &Model, dataset: &Dataset, views: &Views) -> Result<StoredRows> {
    let run = store.find_or_make(KIND, &spec(model, dataset, views)?, |work| {
        let order = views.all(dataset.len());
        let total = order.len();
        let side = model.image_size();
        let progress = Progress::new(format!("features of {}", dataset.split), total as u64, "images");
        let (pictures, augment) = (dataset.clone(), views.augment.clone());
        let started = Instant::now();
        let mut shape: Vec<i64> = vec![];
        Fitting::over("features of frozen stages", model, BATCH, |fitting| {
            let batch = fitting.batch();
            let batches = Batches::new(pictures, side as u32, augment, order, batch, views.seed, model.device)?;
            work.write_whole(StoredRows::FILE, |out| {
                for batch in batches {
                    interrupt::check()?;
                    work.check()?;
                    let batch = batch?;
                    let n = batch.rows.len();
                    let pixels = batch.tensor(model.device)?;
                    let maps = fitting.run(&pixels, |pixels| model.frozen_features(&model.normalise(pixels)?))?;
                    let maps = maps.f_permute([0, 2, 3, 1])?;
                    shape = maps.size()[1..].to_vec();
                    append_half(out, &maps)?;
                    progress.advance(n as u64);
                }
                Ok(())
            })
        })?;
        Ok(json!({ "rows": total, "shape": shape, "seconds": started.elapsed().as_secs_f64() }))
    })?;
    StoredRows::open(&run)
}
