//! `save_tensors`: tensors to a file.

use std::path::PathBuf;

use rhai::{Dynamic, Map};
use tch::Tensor;

use crate::error::{Error, Result};
use crate::models::weights;
use crate::primitives::parameters::expect;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::{Call, Parameter};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "save_tensors",
    chapter: Chapter::Tensors,
    signatures: &["save_tensors(map, path)", "save_tensors(tensor, path)"],
    summary: "Writes a map of Tensors as .safetensors or .npz, or one Tensor as .npy.",
    details: "The file appears whole or not at all. NumPy, PyTorch and load_tensors read it: numpy.load, safetensors.torch.load_file. \
              NumPy has no bfloat16. A .npz file is not packed and has less than 4.3 GB.",
    options: None,
    examples: &[
        Example {
            code: "save_tensors(tensor([[1.0], [2.0]]), \"out/example/a.npy\");\nload_tensors(\"out/example/a.npy\").array.shape",
            prints: "[2, 1]",
        },
        Example {
            code: "save_tensors(#{w: ones(2), b: zeros(1)}, \"out/example/a.npz\");\nload_tensors(\"out/example/a.npz\").keys()",
            prints: "[\"b\", \"w\"]",
        },
    ],
    register: |word| {
        word.form(save_tensors).form(|tensor: TensorValue, path: PathBuf| {
            if path.extension().is_some_and(|e| e == "npy") {
                return weights::write_npy(&path, &tensor.0);
            }
            let message = format!("save_tensors writes one Tensor as .npy; got \"{}\"", path.display());
            Err(Error::argument(message).with_help("a map gives it a name, as #{scores: t}").about_file(path))
        });
    },
};

/// A map of tensors, in the order of its keys.
struct Tensors(Vec<(String, Tensor)>);

impl Parameter for Tensors {
    type Value = Map;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let named = |(name, value): (&rhai::Identifier, &Dynamic)| {
            let tensor: TensorValue =
                expect(value, call, &format!("\"{name}\""), "a Tensor").map_err(|e| e.about_name(name.as_str()))?;
            Ok((name.to_string(), tensor.0.shallow_clone()))
        };
        value.cast::<Map>().iter().map(named).collect::<Result<_>>().map(Tensors)
    }
}

fn save_tensors(Tensors(tensors): Tensors, path: PathBuf) -> Result<()> {
    match (path.extension().and_then(|e| e.to_str()), tensors.as_slice()) {
        (Some("safetensors"), tensors) => weights::write_safetensors(&path, tensors, &[]),
        (Some("npz"), tensors) => weights::write_npz(&path, tensors),
        (Some("npy"), [(_, tensor)]) => weights::write_npy(&path, tensor),
        (Some("npy"), tensors) => Err(Error::argument(format!("a .npy file holds one tensor; got {}", tensors.len()))),
        _ => {
            let message = format!("save_tensors writes .safetensors, .npz and .npy; got \"{}\"", path.display());
            Err(Error::argument(message).about_file(path))
        }
    }
}
