//! Matrices of half-precision rows in the run store: frozen features and teacher outputs.

use std::cell::RefCell;

use rayon::prelude::*;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::runs::{Growing, Run, StoredFile, kind_of};
use crate::torch;

/// A matrix of half-precision rows on disk, row `view * images + image`, of which rows are read when they are needed.
#[derive(Clone)]
pub struct StoredRows {
    file: StoredFile,
    pub rows: i64,
    /// Shape of one row; for features height, width, channels.
    pub shape: Vec<i64>,
    /// Bytes of one row.
    row: usize,
}

/// The kind of runs whose rows are frozen features.
pub(super) const FEATURES: &str = "features";
/// From this number of bytes on, several threads read.
const PARALLEL: usize = 1 << 20;
/// The largest buffer that a thread keeps.
const KEPT: usize = 64 << 20;
/// Bytes of one read at most, so that threads share a long run of rows.
const PART: usize = 1 << 20;
/// Bytes that are on their way to a GPU that gets all rows.
const ALL_PART: usize = 64 << 20;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl StoredRows {
    /// The name of the file in its run's folder.
    pub const FILE: &str = "data.f16";

    /// Opens the matrix of a finished run whose summary holds `rows` and `shape`. The file is compared with its digest once per
    /// process.
    ///
    /// Errors: Io; Data for a file that is damaged or does not have the size of its shape; Interrupted.
    pub fn open(run: &Run) -> Result<StoredRows> {
        run.spec()?;
        let summary = run.summary()?;
        let bad = |what: &str| run.damaged("summary.json", what);
        let rows = summary["rows"].as_u64().ok_or_else(|| bad("its rows are not a number"))?;
        let shape: Vec<u64> =
            serde_json::from_value(summary["shape"].clone()).map_err(|_| bad("its shape is not a list of sizes"))?;
        let product =
            |from: u64, sizes: &[u64]| sizes.iter().try_fold(from, |product, &size| product.checked_mul(size));
        // Half precision has two bytes.
        let row = product(2, &shape).filter(|&bytes| bytes <= isize::MAX as u64);
        let sizes = row.and_then(|row| Some((row, row.checked_mul(rows).filter(|&bytes| bytes <= i64::MAX as u64)?)));
        let (row, bytes) = sizes.ok_or_else(|| bad(&format!("{rows} rows of {shape:?} fit into no file")))?;
        // Teachers' outputs are read once, features in every epoch.
        let file = if kind_of(&run.id) == Some(FEATURES) { run.open_near(Self::FILE)? } else { run.open(Self::FILE)? };
        file.check_length(bytes)?;
        let shape = shape.into_iter().map(|size| size as i64).collect();
        Ok(StoredRows { file, rows: rows as i64, shape, row: row as usize })
    }

    /// Rows `which` as f32 `[n, shape...]`.
    ///
    /// Errors: Io; Data when the file was cut short since it was opened.
    pub fn take(&self, which: &[i64]) -> Result<Tensor> {
        self.read(which, |halves| Ok(halves.f_to_kind(Kind::Float)?))
    }

    /// Rows `which` `[n, shape...]` in host memory, for [`f32_on`] with the same device: as f32 for the CPU; for a GPU, which converts
    /// them, as halves in pinned memory. Any thread may read them. Errors: those of [`take`](Self::take).
    pub fn take_for(&self, which: &[i64], device: Device) -> Result<Tensor> {
        match device.is_cuda() {
            true => self.read(which, |halves| torch::pinned(halves, device)),
            false => self.take(which),
        }
    }

    /// Rows `which` as halves on that device, `[n, shape...]`, read in parts. Errors: those of [`take`](Self::take); Tensor, when they do not
    /// fit; Interrupted.
    pub fn those_on(&self, which: &[i64], device: Device) -> Result<Tensor> {
        let all = Tensor::f_empty(self.size_of(which.len() as i64), (Kind::Half, device))?;
        let at_once = (ALL_PART / self.row.max(1)).max(1);
        for (i, some) in which.chunks(at_once).enumerate() {
            interrupt::check()?;
            let mut part = all.f_narrow(0, (i * at_once) as i64, some.len() as i64)?;
            self.read(some, |halves| Ok(part.f_copy_(&torch::upload(halves, device)?)?))?;
        }
        Ok(all)
    }

    /// The bytes of so many rows.
    pub fn bytes_of(&self, rows: u64) -> u64 {
        rows * self.row as u64
    }

    /// The bytes of all rows.
    pub fn bytes(&self) -> u64 {
        self.bytes_of(self.rows as u64)
    }

    fn size_of(&self, rows: i64) -> Vec<i64> {
        [&[rows], self.shape.as_slice()].concat()
    }

    /// What `make` makes of rows `which`, halves `[n, shape...]` on the CPU. It must copy them.
    fn read<R>(&self, which: &[i64], make: impl FnOnce(&Tensor) -> Result<R>) -> Result<R> {
        if let Some(row) = which.iter().find(|&&row| row < 0 || row >= self.rows) {
            return Err(Error::internal(format!("row {row} of {} rows", self.rows)));
        }
        let size = self.size_of(which.len() as i64);
        let bytes = which.len() * self.row;
        // Used again and again: fresh memory costs more than reading into it.
        let mut buffer = BUFFER.take();
        if buffer.len() < bytes {
            buffer.resize(bytes, 0);
        }
        let parts = self.parts(which, &mut buffer[..bytes]);
        match bytes < PARALLEL {
            true => parts.into_iter().try_for_each(|(part, offset)| self.file.read_at(part, offset))?,
            false => parts.into_par_iter().try_for_each(|(part, offset)| self.file.read_at(part, offset))?,
        }
        let rows = of_halves(&buffer[..bytes], &size, make)?;
        if bytes <= KEPT {
            BUFFER.set(buffer);
        }
        Ok(rows)
    }

    /// The reads that bring rows `which` into `bytes`: rows that follow each other in the file are one.
    fn parts<'a>(&self, which: &[i64], mut bytes: &'a mut [u8]) -> Vec<(&'a mut [u8], u64)> {
        let at_once = (PART / self.row.max(1)).max(1);
        let mut parts = Vec::new();
        let mut begin = 0;
        while begin < which.len() && self.row > 0 {
            let mut end = begin + 1;
            while end < which.len() && end - begin < at_once && which[end] == which[end - 1] + 1 {
                end += 1;
            }
            let (part, rest) = bytes.split_at_mut((end - begin) * self.row);
            parts.push((part, which[begin] as u64 * self.row as u64));
            bytes = rest;
            begin = end;
        }
        parts
    }

    /// Rows `which` of features as f32 `[n, channels, height, width]`, channels last in memory.
    pub fn take_maps(&self, which: &[i64]) -> Result<Tensor> {
        self.maps(&self.take(which)?)
    }

    /// Rows of features `[n, height, width, channels]` as `[n, channels, height, width]`.
    pub fn maps(&self, rows: &Tensor) -> Result<Tensor> {
        match self.shape.len() {
            3 => Ok(rows.f_permute([0, 3, 1, 2])?),
            n => Err(self.file.bad(&format!("its rows have {n} dimensions; those of features have 3"))),
        }
    }
}

/// What [`StoredRows::take_for`] gave, as f32 on that device.
pub fn f32_on(rows: &Tensor, device: Device) -> Result<Tensor> {
    Ok(torch::upload_pinned(rows, device)?.f_to_kind(Kind::Float)?)
}

/// What `make` makes of half-precision numbers as a tensor, which it must copy.
fn of_halves<R>(bytes: &[u8], size: &[i64], make: impl FnOnce(&Tensor) -> Result<R>) -> Result<R> {
    if size.iter().product::<i64>() as usize * 2 != bytes.len() {
        return Err(Error::internal(format!("{} bytes of {size:?} halves", bytes.len())));
    }
    let mut strides = vec![1; size.len()];
    for d in (0..size.len().saturating_sub(1)).rev() {
        strides[d] = strides[d + 1] * size[d + 1];
    }
    // SAFETY: the bytes are those of `size` halves, outlive the tensor and are read only; `make` copies them.
    let halves = unsafe { Tensor::f_from_blob(bytes.as_ptr(), size, &strides, Kind::Half, Device::Cpu)? };
    make(&halves)
}

/// What decides the bits of computed rows beside what they are of, for [`Work::grow`](crate::runs::Work::grow): the kind of device, and
/// the rows that are computed at once.
pub fn made_by(device: Device, batch: usize) -> Value {
    json!({ "device": if device.is_cuda() { "cuda" } else { "cpu" }, "batch": batch })
}

/// Appends f32 rows `[n, shape...]` to a file as half precision. Errors: Io; another maker has taken the run over.
pub fn append_half(out: &mut Growing, rows: &Tensor) -> Result<()> {
    // Converted where they are: half as many bytes to copy.
    let half = torch::read_back(&rows.f_to_kind(Kind::Half)?)?.f_contiguous()?;
    let count = half.numel();
    let mut bytes = vec![0u8; count * 2];
    half.f_copy_data_u8(&mut bytes, count)?;
    let size: Vec<u64> = rows.size().into_iter().map(|size| size as u64).collect();
    let (n, shape) = size.split_first().ok_or_else(|| Error::internal("rows without a dimension"))?;
    out.append(*n, shape, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::RunStore;

    fn stored(store: &RunStore, n: i64, shape: &[i64], summary: serde_json::Value) -> Run {
        let spec = json!({ "n": n, "shape": shape, "summary": summary });
        let made = store.find_or_make("features", &spec, |work| {
            let mut size = vec![n];
            size.extend(shape);
            let count: i64 = size.iter().product();
            let rows = Tensor::arange(count, (Kind::Float, Device::Cpu)).remainder(2000.0).reshape(&size);
            let mut out = work.grow(StoredRows::FILE, n as u64, made_by(Device::Cpu, 16))?;
            append_half(&mut out, &rows)?;
            out.finish()?;
            Ok(summary.clone())
        });
        made.unwrap()
    }

    #[test]
    fn rows_come_in_any_order_and_number() {
        let folder = tempfile::tempdir().unwrap();
        let store = RunStore::new(folder.path());
        // The larger one is read by several threads, in parts of a long run of rows.
        for (n, shape) in [(7, vec![2, 3]), (700, vec![8, 16, 32])] {
            let run = stored(&store, n, &shape, json!({ "rows": n, "shape": shape }));
            let rows = StoredRows::open(&run).unwrap();
            let mut size = vec![n];
            size.extend(&shape);
            let all = Tensor::arange(size.iter().product::<i64>(), (Kind::Float, Device::Cpu));
            let all = all.remainder(2000.0).reshape(&size);
            let orders = [(0..n).collect(), (0..n).rev().collect(), vec![n - 1, 0, 1, 2, 2, 5], vec![]];
            for which in orders as [Vec<i64>; 4] {
                let expected = all.index_select(0, &Tensor::from_slice(&which));
                assert!(rows.take(&which).unwrap().equal(&expected));
                for device in std::iter::once(Device::Cpu).chain(tch::Cuda::is_available().then_some(Device::Cuda(0))) {
                    let came = f32_on(&rows.take_for(&which, device).unwrap(), device).unwrap();
                    assert!(came.to_device(Device::Cpu).equal(&expected));
                    let kept = rows.those_on(&which, device).unwrap();
                    assert_eq!((kept.kind(), kept.size()), (Kind::Half, expected.size()));
                    assert!(kept.to_kind(Kind::Float).to_device(Device::Cpu).equal(&expected));
                }
            }
            assert!(rows.take(&[n]).is_err() && rows.take(&[-1]).is_err());
        }
    }

    #[test]
    fn sizes_that_fit_into_no_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = RunStore::new(folder.path());
        let half = 1u64 << 32;
        for (summary, what) in [
            (json!({ "rows": 1u64 << 63, "shape": [2, 3] }), "fit into no file"),
            (json!({ "rows": 2, "shape": [half, half, half] }), "fit into no file"),
            (json!({ "rows": -2, "shape": [2, 3] }), "its rows are not a number"),
            (json!({ "rows": 2, "shape": [-1, 3] }), "its shape is not a list of sizes"),
            (json!({ "shape": [1, 3] }), "its rows are not a number"),
            (json!({ "rows": 2 }), "its shape is not a list of sizes"),
            (json!({ "rows": 3, "shape": [2, 3] }), "cut short: 24 bytes instead of 36"),
            (json!({ "rows": 1, "shape": [2, 3] }), "too long: 24 bytes instead of 12"),
        ] {
            let error = StoredRows::open(&stored(&store, 2, &[2, 3], summary)).err().unwrap();
            assert!(error.message.contains(what), "{}", error.message);
        }
    }

    #[test]
    fn a_file_that_is_cut_while_it_is_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let run = stored(&RunStore::new(folder.path()), 100, &[50], json!({ "rows": 100, "shape": [50] }));
        let rows = StoredRows::open(&run).unwrap();
        std::fs::File::options().write(true).open(run.path(StoredRows::FILE)).unwrap().set_len(5000).unwrap();
        assert!(rows.take(&[49]).is_ok());
        let error = rows.take(&[1, 50]).err().unwrap();
        assert!(error.message.contains("cut short: 5000 bytes instead of 10000"), "{}", error.message);
        assert!(error.message.contains(&run.id) && error.help.unwrap().contains("verify"));
    }
}
