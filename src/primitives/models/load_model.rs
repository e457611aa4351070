//! `load_model`: a model from its file.

use std::path::PathBuf;

use crate::error::Result;
use crate::primitives::values::model::ModelValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, Word};
use crate::training::Trained;

pub const WORD: Word = Word {
    name: "load_model",
    chapter: Chapter::Models,
    signatures: &["load_model(path) -> Model"],
    summary: "Reads a file that model.save(path) wrote, or a run's model.safetensors.",
    details: "The file alone is enough: architecture and labels are in its metadata.",
    options: None,
    examples: &[Example {
        code: "let m = model(\"small_cnn\", #{labels: [\"cat\", \"dog\"], image_size: 48});\nm.save(\"out/example/model.safetensors\");\nload_model(\"out/example/model.safetensors\").labels",
        prints: "[\"cat\", \"dog\"]",
    }],
    register: |word| {
        word.form(load_model);
    },
};

fn load_model(call: &Call, path: PathBuf) -> Result<ModelValue> {
    call.unlocked(|| Trained::load(&path, None)).map(ModelValue)
}
