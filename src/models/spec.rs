//! The specification of a model's architecture and initial weights, which is part of a run's hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::adapter::Lora;
use super::frozen_compute::FrozenCompute;
use super::functions::Code;
use super::graph_option::LabelGraph;
use super::heads::HeadValue;

/// The value of [`ModelSpec::word_vectors`] that is no file.
pub const LEARNED: &str = "learned";

/// Architecture and initial weights of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSpec {
    /// A name in [`BACKBONES`](super::backbones::BACKBONES).
    pub backbone: String,
    /// A name in [`HEADS`](super::heads::HEADS).
    pub head: String,
    /// For head "script": the closure, by a hash of its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_code: Option<Code>,
    /// The initial weights: a set of the backbone's published ones (`"imagenet"`), one with a revision
    /// (`"imagenet@COMMIT"`), a path to a `.safetensors` or `.pth` file, or none (random).
    pub weights: Option<String>,
    /// Whether weights that are not on this machine may be downloaded. No part of the model, so it is never written.
    #[serde(skip_serializing)]
    pub download: bool,
    /// Pixels of the square input; the backbone's own default when absent.
    pub image_size: Option<i64>,
    /// Number of the backbone's stages that are used; all when absent.
    pub stages: Option<usize>,
    /// Stages `1..=freeze` keep their weights and batch statistics; 0 trains everything.
    pub freeze: usize,
    /// The whole backbone keeps its weights: `freeze` at all of its stages.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Every batch norm of the backbone keeps its weights and statistics, in trainable stages too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frozen_norms: bool,
    /// How the frozen stages compute.
    #[serde(skip_serializing_if = "FrozenCompute::is_exact")]
    pub frozen_compute: FrozenCompute,
    /// Width of the `"conv"` head; 192 when absent.
    pub head_width: Option<i64>,
    /// Probability of dropping a feature map before the head, in training only.
    pub dropout: f64,
    /// Normalisation of pixels: as the backbone's weights expect, or [0, 1].
    #[serde(skip_serializing_if = "Normalise::is_backbone")]
    pub normalise: Normalise,
    /// Values of the head's [`HeadOption`](super::heads::HeadOption)s by name; absent ones take their defaults.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub head_options: BTreeMap<String, HeadValue>,
    /// For heads that read word vectors: a file in GloVe format, or `"learned"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_vectors: Option<String>,
    /// For heads that read a label graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<LabelGraph>,
    /// The function of a script that changes a vision transformer's tokens before each block, by the hash of its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Code>,
    /// Low-rank updates of a vision transformer's linear layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<Lora>,
    /// The file of a backbone that is read from one (`"torchscript"`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Output channels of this backbone; found by a dry run when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<i64>,
}

/// Normalisation of pixel values of 0 to 255 for the first layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// (x / 255 - mean) / std with the backbone's mean and standard deviation.
    #[default]
    Backbone,
    /// x / 255, as in the published code of CPSD.
    None,
}

impl Normalise {
    fn is_backbone(&self) -> bool {
        *self == Normalise::Backbone
    }
}

impl ModelSpec {
    /// The number of first stages whose output for a picture never changes, so that it can be computed once: the frozen ones,
    /// unless something in them is trained.
    pub fn fixed_stages(&self) -> usize {
        if self.adapter.is_some() || self.lora.is_some() { 0 } else { self.freeze }
    }

    /// The parts that are functions of this process, and so cannot be built in another, each with its option.
    pub fn functions(&self) -> impl Iterator<Item = (&'static str, &Code)> {
        [("head", &self.head_code), ("adapter", &self.adapter)]
            .into_iter()
            .filter_map(|(key, code)| Some((key, code.as_ref()?)))
    }

    /// The files beside a model's own that it needs: a module, word vectors.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let words = self.word_vectors.as_deref().filter(|words| *words != LEARNED);
        self.path.as_deref().into_iter().chain(words)
    }
}

impl Default for ModelSpec {
    fn default() -> Self {
        ModelSpec {
            backbone: "small_cnn".into(),
            head: "gap".into(),
            head_code: None,
            weights: None,
            download: false,
            image_size: None,
            stages: None,
            freeze: 0,
            frozen: false,
            frozen_norms: false,
            frozen_compute: FrozenCompute::Exact,
            head_width: None,
            dropout: 0.0,
            normalise: Normalise::Backbone,
            head_options: BTreeMap::new(),
            word_vectors: None,
            graph: None,
            adapter: None,
            lora: None,
            path: None,
            features: None,
        }
    }
}
