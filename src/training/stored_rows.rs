//! Matrices of half-precision rows in the run store: frozen features and teacher outputs.

use std::io::Write;
use std::sync::Arc;

use memmap2::Mmap;
use tch::{Kind, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::runs::Run;

/// A matrix of half-precision rows on disk, row `view * images + image`, mapped and never read whole.
#[derive(Clone)]
pub struct StoredRows {
    map: Arc<Mmap>,
    pub rows: i64,
    /// Shape of one row; for features height, width, channels.
    pub shape: Vec<i64>,
}

impl StoredRows {
    /// The name of the file in its run's folder.
    pub const FILE: &str = "data.f16";

    /// Opens the matrix of a finished run whose summary holds `rows` and `shape`.
    pub fn open(run: &Run) -> Result<StoredRows> {
        let path = run.path(Self::FILE);
        let summary = run.summary()?;
        let bad = |what: &str| {
            Error::in_file(&path, what)
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
        Ok(StoredRows { map: Arc::new(map), rows, shape })
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

/// Appends f32 rows to a file as half precision.
pub fn append_half(out: &mut dyn Write, rows: &Tensor) -> Result<()> {
    let half = rows.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Half)?.f_contiguous()?;
    let count = half.numel();
    let mut bytes = vec![0u8; count * 2];
    half.f_copy_data_u8(&mut bytes, count)?;
    out.write_all(&bytes).map_err(|e| Error::new(ErrorKind::Io, format!("writing rows: {e}")))
}
