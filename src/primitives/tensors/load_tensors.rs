//! `load_tensors`: tensors from a file.

use std::path::Path;

use rhai::{Dynamic, Engine, Map};

use crate::error::{Error, Result};
use crate::models::weights;
use crate::primitives::values::tensor::TensorValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "load_tensors",
    chapter: Chapter::Tensors,
    signatures: &["load_tensors(path) -> map of Tensor"],
    summary: "Reads a .safetensors file, or a .npy file as #{array: Tensor}.",
    details: "",
    options: None,
    examples: &[Example {
        code: "save_tensors(#{a: tensor([1.0, 2.0])}, \"out/example/a.safetensors\");\nload_tensors(\"out/example/a.safetensors\").a.sum().item()",
        prints: "3.0",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("load_tensors", |path: &str| -> Fallible<Map> { load(Path::new(path)).or_raise() });
}

fn load(path: &Path) -> Result<Map> {
    let tensors = match path.extension().and_then(|e| e.to_str()) {
        Some("safetensors") => weights::read_safetensors(path)?.0,
        Some("npy") => {
            std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
            let tensor = tch::Tensor::read_npy(path)
                .map_err(|e| Error::data(format!("{}: not an array that can be read: {e}", path.display())))?;
            vec![("array".to_string(), tensor)]
        }
        _ => {
            return Err(Error::argument(format!(
                "load_tensors reads .safetensors and .npy; got \"{}\"",
                path.display()
            )));
        }
    };
    Ok(tensors.into_iter().map(|(name, t)| (name.into(), Dynamic::from(TensorValue::from(t)))).collect())
}
