//! `load_model`: a model from its file.

use std::path::Path;

use rhai::Engine;

use crate::primitives::values::model::ModelValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::word::{Chapter, Example, Word};
use crate::training::Trained;

pub const WORD: Word = Word {
    name: "load_model",
    chapter: Chapter::Models,
    signatures: &["load_model(path) -> Model"],
    summary: "Reads what model.save(path) wrote, or a run's model.safetensors.",
    details: "The file alone is enough: architecture and labels are in its metadata.",
    options: None,
    examples: &[Example {
        code: "let m = model(\"small_cnn\", #{labels: [\"cat\", \"dog\"], image_size: 48});\nm.save(\"out/example/model.safetensors\");\nload_model(\"out/example/model.safetensors\").labels",
        prints: "[\"cat\", \"dog\"]",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("load_model", |path: &str| -> Fallible<ModelValue> {
        Trained::load(Path::new(path), None).map(ModelValue).or_raise()
    });
}
