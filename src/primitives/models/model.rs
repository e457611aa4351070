//! `model`: a model that is not trained yet.

use std::collections::BTreeMap;

use rhai::Map;
use serde_json::json;
use tch::Device;

use crate::error::{Error, Result};
use crate::models::heads::HeadValue;
use crate::models::{FrozenCompute, LabelGraph, Lora, Model, ModelSpec, Normalise};
use crate::options::Options;
use crate::primitives::models::part;
use crate::primitives::values::model::ModelValue;
use crate::script::call::{Call, Parameter};
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::Trained;

crate::options! {
    struct ModelOptions {
        /// the labels of its outputs, in order
        pub labels: Vec<String> = vec![];
        /// decides random initial weights
        pub seed: u64 = 0;
        /// "gap", "conv", "tf", "q2l", "csra" and others (`cpsd doc heads` lists them), or a closure |maps, p| of Layers p
        pub head: Option<String> = None;
        /// a published set such as "imagenet" (`cpsd doc weights`), one at a revision as in "imagenet@COMMIT", or a path
        pub weights: Option<String> = None;
        /// weights that are not on this machine may be downloaded from the Hugging Face Hub
        pub download: bool = false;
        /// side of the square input, in pixels; () is the backbone's own
        pub image_size: Option<i64> = None;
        /// use only so many of the backbone's stages
        pub stages: Option<usize> = None;
        /// keep the weights of the first so many stages as they are
        pub freeze: usize = 0;
        /// keep the weights of all stages as they are: features are computed once and kept
        pub frozen: bool = false;
        /// keep every batch norm of the backbone as it is, in trainable stages too
        pub frozen_norms: bool = false;
        /// how frozen stages compute: "exact"; "folded", with batch norms in the convolutions' weights, on a CPU 1.5 to 3 times as fast, with features that are 1e-5 of their length away at most, which a training enlarges as it does other last bits; "bfloat16", folded with numbers of 8 bits, up to 5 % away, and on CPUs that know them (avx512_bf16, amx) about as fast as "folded" or up to twice as fast
        pub frozen_compute: FrozenCompute = FrozenCompute::Exact;
        /// channels of the "conv" head
        pub head_width: Option<i64> = None;
        /// share of feature maps dropped before the head in training
        pub dropout: f64 = 0.0;
        /// pixels as the "backbone"'s weights expect them, or "none": plainly from 0 to 1
        pub normalise: Normalise = Normalise::Backbone;
        /// a map of the head's own options, as `cpsd doc heads` lists them
        pub head_options: BTreeMap<String, HeadValue> = BTreeMap::new();
        /// for heads that read words: a file in GloVe's form, or "learned"
        pub word_vectors: Option<String> = None;
        /// for heads that read a label graph: a Cooccurrence or an Affinity
        pub graph: Option<LabelGraph> = None;
        also("adapter", "for vision transformers: a closure |block, x, p| that changes the tokens x before each block, a map of class_token, registers, prompts and patches [N, n, d], and gives x; x.mask [T, T] says which token may look at which; p are Layers")
        /// for vision transformers: low-rank updates of the blocks' linear layers, as #{rank: 8, alpha: 8, on: ["qkv", "proj", "fc1", "fc2"]}
        pub lora: Option<Lora> = None;
        /// for backbone "torchscript": the file of a traced or scripted module
        pub path: Option<String> = None;
        /// for backbone "torchscript": the channels it gives; () finds them by a dry run
        pub features: Option<i64> = None;
    }
}

pub const WORD: Word = Word {
    name: "model",
    chapter: Chapter::Models,
    signatures: &["model(backbone, #{labels, options}) -> Model"],
    summary: "Makes a model with its initial weights: random ones from a seed, or pretrained.",
    details: "A script is a program; a TorchScript file is too, so it runs with --allow-code alone, or after a question at the prompt. Backbones are listed by `cpsd doc models`, heads by `cpsd doc heads`; `cpsd doc weights` says how published weights are found and downloaded.\n\n\
A head may be a closure |maps, p| of the last maps [N, C, h, w] and of Layers p, which has named parameters and knows labels, word vectors and label graph (`cpsd doc Layers`). \
It gives logits [N, m], or a map: logits; maps, class activation maps [N, m, h, w] or a closure that gives them; auxiliary_loss, a number that is added to a training's loss. \
It is called once when the model is built, with maps of ones and p.training true, and then in every pass; a name stands for the same parameters in every call. Its code, the \
functions that it calls and the values that it captures, as they are when it is given, count in a run's name. It stays in this process: no worker processes, nproc or queue, \
and load_model(path, #{head: ...}) gives it to a model from a file.",
    options: Some(OptionDocs {
        docs: || {
            let mut docs = ModelOptions::docs();
            docs.sort_by_key(|option| option.key == "graph"); // last in help
            docs
        },
        ..OptionDocs::of::<ModelOptions>()
    }),
    examples: &[
        Example {
            code: "model(\"small_cnn\", #{labels: [\"cat\", \"dog\"], image_size: 48}).labels",
            prints: "[\"cat\", \"dog\"]",
        },
        Example {
            code: "let head = |maps, p| { let f = maps.mean([2, 3]); p.linear(\"fc\", f, p.labels) };\nmodel(\"small_cnn\", #{labels: [\"cat\", \"dog\"], image_size: 48, head: head})",
            prints: "Model small_cnn + script at 48 px: 2 labels",
        },
    ],
    register: |word| {
        word.form(model);
    },
};

/// The map cannot be left out: labels have no default.
fn model(call: &Call, backbone: String, mut options: Map) -> Result<ModelValue> {
    let head_code = part::take_head(&mut options, call)?;
    let adapter = part::take_adapter(&mut options, call)?;
    let o = ModelOptions::read(options.into(), call)?;
    if o.labels.is_empty() {
        return Err(Error::argument(
            "model needs the labels of its outputs, as in model(\"small_cnn\", #{labels: [\"cat\", \"dog\"]})",
        ));
    }
    let spec = ModelSpec {
        backbone,
        head: o.head.unwrap_or_else(|| ModelSpec::default().head),
        head_code,
        weights: o.weights,
        download: o.download,
        image_size: o.image_size,
        stages: o.stages,
        freeze: o.freeze,
        frozen: o.frozen,
        frozen_norms: o.frozen_norms,
        frozen_compute: o.frozen_compute,
        head_width: o.head_width,
        head_options: o.head_options,
        word_vectors: o.word_vectors,
        graph: o.graph,
        adapter,
        lora: o.lora,
        path: o.path,
        features: o.features,
        dropout: o.dropout,
        normalise: o.normalise,
    };
    // Weights may be downloaded: other threads of the session go on meanwhile.
    let model = call.unlocked(|| Model::new(&spec, &o.labels, o.seed, Device::Cpu))?;
    let mut made_of = vec![json!(spec), json!(o.labels), json!(o.seed), json!(model.initial_fingerprint()?)];
    made_of.extend(model.words_fingerprint()?.map(|words| json!(words)));
    let id = crate::runs::id_of("initial", &json!(made_of));
    Ok(ModelValue(Trained::new(model, id, None, o.labels)))
}
