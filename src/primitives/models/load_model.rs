//! `load_model`: a model from its file.

use std::path::{Path, PathBuf};

use rhai::{FnPtr, Map};

use crate::error::{Error, Result};
use crate::models::Beside;
use crate::options::{OptionDoc, Options};
use crate::primitives::models::part;
use crate::primitives::values::model::ModelValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::script::{options, show};
use crate::training::Trained;

pub const WORD: Word = Word {
    name: "load_model",
    chapter: Chapter::Models,
    signatures: &["load_model(path) -> Model", "load_model(path, #{path, word_vectors, head, adapter}) -> Model"],
    summary: "Reads a file that model.save(path) wrote, or a run's model.safetensors.",
    details: "The file alone is enough: architecture and labels are in its metadata. No path in it is followed. A model on a TorchScript module needs the module's file too, which \
is a program, as a script is one: it is loaded if path names it, or if the same script has made a model on it, and it runs with --allow-code alone. \
A file of an earlier version does not hold the word vectors of its labels; then word_vectors names their file. A head or adapter that is a closure is in no file: \
give the closure with which the model was trained, unless this script has used it before.",
    options: Some(OptionDocs {
        docs: || {
            let head = OptionDoc { key: "head", text: "for a model whose head is a closure: that closure" };
            let adapter = OptionDoc { key: "adapter", text: "for a model whose adapter is a closure: that closure" };
            LoadModelOptions::docs().into_iter().chain([head, adapter]).collect()
        },
        ..OptionDocs::of::<LoadModelOptions>()
    }),
    examples: &[Example {
        code: "let m = model(\"small_cnn\", #{labels: [\"cat\", \"dog\"], image_size: 48});\nm.save(\"out/example/model.safetensors\");\nload_model(\"out/example/model.safetensors\").labels",
        prints: "[\"cat\", \"dog\"]",
    }],
    register: |word| {
        word.form(load_model);
    },
};

crate::options! {
    struct LoadModelOptions {
        /// for a model on backbone "torchscript": the file of its module
        pub path: Option<String> = None;
        /// for a model with word vectors from a file: that file, in place of the vectors in the model's own
        pub word_vectors: Option<String> = None;
    }
}

fn load_model(call: &Call, path: PathBuf, given: Option<Map>) -> Result<ModelValue> {
    let mut given = given.unwrap_or_default();
    let head =
        match given.remove("head") {
            None => None,
            Some(value) => Some(value.clone().try_cast::<FnPtr>().ok_or_else(|| {
                Error::option("head", call.name, "a closure, as |maps, p| ...", show::a_type(&value))
            })?),
        };
    let head = head.map(|closure| part::known(closure, "head", call)).transpose()?;
    let adapter = part::take_adapter(&mut given, call)?;
    let options: LoadModelOptions = options::parse(call.name, &given)?;
    let beside = Beside {
        module: options.path.as_deref().map(Path::new),
        word_vectors: options.word_vectors.as_deref().map(Path::new),
        head: head.as_ref(),
        adapter: adapter.as_ref(),
    };
    call.unlocked(|| Trained::load_on(&path, beside)).map(ModelValue)
}
