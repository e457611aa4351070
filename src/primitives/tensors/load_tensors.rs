//! `load_tensors`: tensors from a file.

use std::path::PathBuf;

use rhai::{Dynamic, Map};

use crate::error::{Error, Result};
use crate::models::weights;
use crate::primitives::values::tensor::TensorValue;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "load_tensors",
    chapter: Chapter::Tensors,
    signatures: &["load_tensors(path) -> map of Tensor"],
    summary: "Reads a .safetensors or .npz file, or a .npy file as #{array: Tensor}.",
    details: "NumPy's arrays may be in Fortran order and of either byte order. uint16 becomes int32, uint32 and uint64 become int64.",
    options: None,
    examples: &[Example {
        code: "save_tensors(#{a: tensor([1.0, 2.0])}, \"out/example/a.safetensors\");\nload_tensors(\"out/example/a.safetensors\").a.sum().item()",
        prints: "3.0",
    }],
    register: |word| {
        word.form(load_tensors);
    },
};

fn load_tensors(path: PathBuf) -> Result<Map> {
    let tensors = match path.extension().and_then(|e| e.to_str()) {
        Some("safetensors") => weights::read_safetensors(&path)?.0,
        Some("npy") => {
            vec![("array".to_string(), weights::read_npy(&path)?)]
        }
        Some("npz") => weights::read_npz(&path)?,
        _ => {
            let message = format!("load_tensors reads .safetensors, .npy and .npz; got \"{}\"", path.display());
            return Err(Error::argument(message).about_file(path));
        }
    };
    Ok(tensors.into_iter().map(|(name, t)| (name.into(), Dynamic::from(TensorValue::from(t)))).collect())
}
