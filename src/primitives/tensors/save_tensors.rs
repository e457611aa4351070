//! `save_tensors`: tensors to a file.

use std::path::Path;

use rhai::{Engine, Map};
use tch::Tensor;

use crate::error::{Error, Result};
use crate::files;
use crate::models::weights;
use crate::primitives::glue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "save_tensors",
    chapter: Chapter::Tensors,
    signatures: &["save_tensors(map, path)"],
    summary: "Writes a map of Tensors as .safetensors, or a map of one as .npy.",
    details: "The file appears whole or not at all.",
    options: None,
    examples: &[Example {
        code: "save_tensors(#{array: tensor([[1.0], [2.0]])}, \"out/example/a.npy\");\nload_tensors(\"out/example/a.npy\").array.shape",
        prints: "[2, 1]",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine
        .register_fn("save_tensors", |map: Map, path: &str| -> Fallible<()> { save(&map, Path::new(path)).or_raise() });
}

fn save(map: &Map, path: &Path) -> Result<()> {
    let tensors = map
        .iter()
        .map(|(name, value)| {
            let tensor: TensorValue = glue::expect("save_tensors", &format!("\"{name}\""), "a Tensor", value)?;
            Ok((name.to_string(), tensor.0.shallow_clone()))
        })
        .collect::<Result<Vec<(String, Tensor)>>>()?;
    match (path.extension().and_then(|e| e.to_str()), tensors.as_slice()) {
        (Some("safetensors"), tensors) => weights::write_safetensors(path, tensors, &[]),
        (Some("npy"), [(_, tensor)]) => {
            // libtorch's writer takes a path: write beside, then move the bytes through the one atomic way.
            let beside = tempfile::NamedTempFile::new().map_err(|e| Error::io(path, e))?;
            tensor.write_npy(beside.path()).map_err(|e| Error::io(path, e))?;
            files::write(path, &std::fs::read(beside.path()).map_err(|e| Error::io(path, e))?)
        }
        (Some("npy"), tensors) => Err(Error::argument(format!("a .npy file holds one tensor; got {}", tensors.len()))),
        _ => Err(Error::argument(format!("save_tensors writes .safetensors and .npy; got \"{}\"", path.display()))),
    }
}
