//! Weights on disk: reading and writing safetensors, reading PyTorch's pickles and NumPy's arrays, finding published
//! weights and bringing them from the Hugging Face Hub.

mod fit;
mod hub;
mod machine;
mod npy;
mod pickle;
mod published;
mod safetensors;
mod shape;
mod write_npy;
mod write_npz;
mod zip;

use std::collections::HashSet;
use std::fmt::Display;
use std::path::Path;

use tch::Tensor;

use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files;

pub use fit::{Fitted, fit};
pub use hub::{Hub, Origin, Remote, user_cache};
pub use npy::{read_npy, read_npz};
pub use pickle::read_pickle;
pub use published::{Found, Places, check_given};
pub use safetensors::{parse_safetensors, read_safetensors, to_safetensors, write_safetensors};
pub use write_npy::write_npy;
pub use write_npz::write_npz;

/// What is said of a file that has fewer bytes than its beginning asks for.
fn cut_short(expected: impl Display, came: usize) -> String {
    format!("the file is cut short: expected {expected} bytes; got {came}")
}

/// Whether a file's ending is one of those that PyTorch's checkpoints have.
pub fn is_pickle(path: &Path) -> bool {
    const ENDINGS: [&str; 6] = ["pth", "pt", "ckpt", "bin", "pkl", "tar"];
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

/// Whether [`read`] can be asked for a file, without reading it. Errors: another ending, no file.
pub fn check_file(path: &Path) -> Result<()> {
    match path.extension().is_some_and(|ending| ending == "safetensors") || is_pickle(path) {
        false => Err(not_read(path)),
        true if path.is_file() => Ok(()),
        true => Err(files::no_file(path)),
    }
}

fn not_read(path: &Path) -> Error {
    Error::argument(format!(
        "weights are read from .safetensors, .pth, .pt, .ckpt, .bin, .pkl or .pth.tar files; got \"{}\"",
        path.display()
    ))
    .about_file(path)
}

/// The named tensors of a `.safetensors`, `.pth`, `.pt`, `.ckpt`, `.pkl` or `.pth.tar` file.
///
/// Errors: Io; Data for a file that is cut short, has another format or contains anything but tensors, and for tensors
/// with NaN (by name).
pub fn read(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let tensors = match path.extension().and_then(|e| e.to_str()) {
        Some("safetensors") => read_safetensors(path)?.0,
        Some(_) if is_pickle(path) => read_pickle(path)?,
        _ => return Err(not_read(path)),
    };
    // Any number of names may share one tensor.
    let mut seen = HashSet::new();
    for (name, tensor) in &tensors {
        interrupt::check()?;
        if tensor.numel() > 0 && !seen.insert((tensor.data_ptr(), tensor.numel(), tensor.kind())) {
            continue;
        }
        if tensor.is_floating_point() && i64::try_from(&tensor.f_isfinite()?.f_all()?)? == 0 {
            return Err(Error::in_file(path, format!("tensor \"{name}\" holds NaN or infinite values"))
                .with_help("the training that wrote them diverged; take an earlier checkpoint"));
        }
    }
    Ok(tensors)
}
