//! `model`: a model that is not trained yet.

use std::collections::BTreeMap;

use rhai::{Engine, Map};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::models::{LabelGraph, Model, ModelSpec, Normalise};
use crate::primitives::values::model::ModelValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::Trained;

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    labels: Vec<String>,
    seed: u64,
    head: Option<String>,
    weights: Option<String>,
    image_size: Option<i64>,
    stages: Option<usize>,
    freeze: usize,
    frozen: bool,
    frozen_norms: bool,
    head_width: Option<i64>,
    dropout: f64,
    normalise: Normalise,
    head_options: BTreeMap<String, f64>,
    word_vectors: Option<String>,
    graph: Option<LabelGraph>,
    path: Option<String>,
    features: Option<i64>,
}

pub const WORD: Word = Word {
    name: "model",
    chapter: Chapter::Models,
    signatures: &["model(backbone, #{labels, options}) -> Model"],
    summary: "Makes a model with its initial weights: random ones from a seed, or pretrained.",
    details: "Backbones and heads are listed by `cpsd doc models`.",
    options: Some(OptionDocs {
        defaults: options::defaults::<Options>,
        docs: || {
            crate::options::list(&[
                ("labels", "the labels of its outputs, in order"),
                ("seed", "decides random initial weights"),
                ("head", "\"gap\", \"conv\", \"tf\", \"q2l\", \"csra\" and others: `cpsd doc heads` lists them"),
                ("weights", "\"imagenet\", or a path to weights"),
                ("image_size", "side of the square input, in pixels; () is the backbone's own"),
                ("stages", "use only so many of the backbone's stages"),
                ("freeze", "keep the weights of the first so many stages as they are"),
                ("frozen", "keep the weights of all stages as they are: features are computed once and kept"),
                ("frozen_norms", "keep every batch norm of the backbone as it is, in trainable stages too"),
                ("head_width", "channels of the \"conv\" head"),
                ("dropout", "share of feature maps dropped before the head in training"),
                ("normalise", "pixels as the \"backbone\"'s weights expect them, or \"none\": plainly from 0 to 1"),
                ("head_options", "a map of numbers for the head, as `cpsd doc heads` lists them"),
                ("word_vectors", "for heads that read words: a file in GloVe's form, or \"learned\""),
                ("path", "for backbone \"torchscript\": the file of a traced or scripted module"),
                ("features", "for backbone \"torchscript\": the channels it gives; () finds them by a dry run"),
                ("graph", "for heads that read a label graph: a Cooccurrence or an Affinity"),
            ])
        },
    }),
    examples: &[Example {
        code: "model(\"small_cnn\", #{labels: [\"cat\", \"dog\"], image_size: 48}).labels",
        prints: "[\"cat\", \"dog\"]",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("model", |backbone: &str, map: Map| -> Fallible<ModelValue> { make(backbone, &map).or_raise() });
}

fn make(backbone: &str, map: &Map) -> Result<ModelValue> {
    let o: Options = options::parse("model", map)?;
    if o.labels.is_empty() {
        return Err(Error::argument(
            "model needs the labels of its outputs, as in model(\"small_cnn\", #{labels: [\"cat\", \"dog\"]})",
        ));
    }
    let spec = ModelSpec {
        backbone: backbone.to_string(),
        head: o.head.unwrap_or_else(|| ModelSpec::default().head),
        weights: o.weights,
        image_size: o.image_size,
        stages: o.stages,
        freeze: o.freeze,
        frozen: o.frozen,
        frozen_norms: o.frozen_norms,
        head_width: o.head_width,
        head_options: o.head_options,
        word_vectors: o.word_vectors,
        graph: o.graph,
        path: o.path,
        features: o.features,
        dropout: o.dropout,
        normalise: o.normalise,
    };
    let model = Model::new(&spec, &o.labels, o.seed, crate::devices::first())?;
    let id = crate::runs::id_of("initial", &serde_json::json!([spec, o.labels, o.seed, model.initial_fingerprint()?]));
    Ok(ModelValue(Trained::new(model, id, None, o.labels)))
}
