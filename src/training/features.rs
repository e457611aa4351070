//! What the frozen stages of a backbone give for a fixed set of views, computed once and kept in the run store.

use std::io::Write;
use std::sync::Arc;

use memmap2::Mmap;
use serde_json::json;
use tch::{Kind, Tensor};

use super::inputs::Views;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::files;
use crate::images::{Batches, Dataset};
use crate::models::Model;
use crate::runs::{Begun, Run, RunStore, id_of};

/// Measured fastest on a CPU, where a larger batch leaves the caches (benches/frozen_features).
const BATCH: usize = 16;

/// A matrix of half-precision rows on disk, row `view * images + image`, mapped and never read whole.
#[derive(Clone)]
pub struct Rows {
    map: Arc<Mmap>,
    pub rows: i64,
    /// Shape of one row; for features height, width, channels.
    pub shape: Vec<i64>,
}

impl Rows {
    /// Opens `data.f16` of a finished run whose summary holds `rows` and `shape`.
    pub fn open(run: &Run) -> Result<Rows> {
        let path = run.path("data.f16");
        let summary = run.summary()?;
        let bad = |what: &str| {
            Error::data(format!("{}: {what}", path.display()))
                .with_help(format!("remove the folder {} to have it made again", run.dir.display()))
        };
        let rows = summary["rows"].as_i64().ok_or_else(|| bad("its summary has no rows"))?;
        let shape: Vec<i64> =
            serde_json::from_value(summary["shape"].clone()).map_err(|_| bad("its summary has no shape"))?;
        let file = std::fs::File::open(&path).map_err(|e| Error::io(&path, e))?;
        // SAFETY: files of a finished run are never changed, so the mapping cannot shrink or move under us.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(&path, e))?;
        let expected = rows * shape.iter().product::<i64>() * 2;
        if map.len() as i64 != expected {
            return Err(bad(&format!("cut short: {} bytes instead of {expected}", map.len())));
        }
        Ok(Rows { map: Arc::new(map), rows, shape })
    }

    /// The whole matrix `[rows, shape...]` as half precision, without a copy; it must not outlive `self`.
    fn tensor(&self) -> Result<Tensor> {
        let mut size = vec![self.rows];
        size.extend(&self.shape);
        let mut strides = vec![1; size.len()];
        for d in (0..size.len() - 1).rev() {
            strides[d] = strides[d + 1] * size[d + 1];
        }
        // SAFETY: the mapping holds exactly `size` halves (checked on opening) and lives as long as `self`;
        // nothing writes through the tensor.
        unsafe { Ok(Tensor::f_from_blob(self.map.as_ptr(), &size, &strides, Kind::Half, tch::Device::Cpu)?) }
    }

    /// Rows `which` as f32 `[n, shape...]`.
    pub fn take(&self, which: &[i64]) -> Result<Tensor> {
        let index = Tensor::f_from_slice(which)?;
        Ok(self.tensor()?.f_index_select(0, &index)?.f_to_kind(Kind::Float)?)
    }

    /// Rows `which` of features as f32 `[n, channels, height, width]`, channels last in memory.
    pub fn take_maps(&self, which: &[i64]) -> Result<Tensor> {
        Ok(self.take(which)?.f_permute([0, 3, 1, 2])?)
    }
}

/// Appends batches of f32 rows to a file as half precision.
pub fn append_half(out: &mut dyn Write, rows: &Tensor) -> Result<()> {
    let half = rows.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Half)?.f_contiguous()?;
    let count = half.numel();
    let mut bytes = vec![0u8; count * 2];
    half.f_copy_data_u8(&mut bytes, count)?;
    out.write_all(&bytes).map_err(|e| Error::new(crate::error::ErrorKind::Io, format!("writing rows: {e}")))
}

/// The frozen features of every view of every image of `dataset`, from the store or computed now.
///
/// Errors: a picture that cannot be read (named), Io, Interrupted (what was computed is dropped).
pub fn features(store: &RunStore, model: &Model, dataset: &Dataset, views: &Views) -> Result<Rows> {
    let spec = json!({
        "format": 1,
        "frozen": model.frozen_fingerprint()?,
        "data": dataset.source.fingerprint(),
        "views": views.fingerprint(),
    });
    let work = match store.begin(&id_of("features", &spec), &spec)? {
        Begun::Finished(run) => return Rows::open(&run),
        Begun::Work(work) => work,
    };
    let order = views.all(dataset.len());
    let total = order.len();
    let progress = Progress::new(format!("features of {}", dataset.split), total as u64, "images");
    let batches =
        Batches::new(dataset.clone(), model.image_size() as u32, views.augment.clone(), order, BATCH, views.seed)?;
    let started = std::time::Instant::now();
    let mut shape: Vec<i64> = vec![];
    files::write_whole(&work.path("data.f16"), |out| {
        for batch in batches {
            interrupt::check()?;
            let batch = batch?;
            let n = batch.rows.len();
            let pixels =
                Tensor::f_from_slice(&batch.pixels)?.f_view([n as i64, model.image_size(), model.image_size(), 3])?;
            let maps = model.frozen_features(&model.normalise(&pixels)?)?.f_permute([0, 2, 3, 1])?;
            shape = maps.size()[1..].to_vec();
            append_half(out, &maps)?;
            progress.advance(n as u64);
        }
        Ok(())
    })?;
    progress.finish();
    let summary = json!({ "rows": total, "shape": shape, "seconds": started.elapsed().as_secs_f64() });
    Rows::open(&work.finish(&summary)?)
}
