//! What decides a model's architecture and first weights, as it goes into a run's hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::backbones::{self, BackboneKind};
use super::heads;
use super::label_graph::LabelGraph;
use crate::error::{Error, Result};

/// Architecture and initial weights of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSpec {
    /// A name in [`backbones::BACKBONES`].
    pub backbone: String,
    /// A name in [`heads::HEADS`].
    pub head: String,
    /// Where the first weights come from: `"imagenet"`, a path to a `.safetensors` or `.pth` file, or none (random).
    pub weights: Option<String>,
    /// Pixels of the square input; the backbone's own default when absent.
    pub image_size: Option<i64>,
    /// How many of the backbone's stages are used; all when absent.
    pub stages: Option<usize>,
    /// Stages `1..=freeze` keep their weights and batch statistics; 0 trains everything.
    pub freeze: usize,
    /// The whole backbone keeps its weights: `freeze` at all of its stages.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Every batch norm of the backbone keeps its weights and statistics, those of trainable stages too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frozen_norms: bool,
    /// Width of the `"conv"` head; 192 when absent.
    pub head_width: Option<i64>,
    /// Probability with which a feature is dropped before the last linear layer, in training only.
    pub dropout: f64,
    /// How pixels enter: as the backbone's weights expect, or plainly in [0, 1].
    #[serde(skip_serializing_if = "Normalise::is_backbone")]
    pub normalise: Normalise,
    /// Numbers for the head, by the names of its [`heads::HeadOption`]s; those left out are its defaults.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub head_options: BTreeMap<String, f64>,
    /// For heads that read word vectors: a file in GloVe's form, or `"learned"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_vectors: Option<String>,
    /// For heads that read a label graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<LabelGraph>,
    /// The file of a backbone that comes as one (`"torchscript"`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Channels that this backbone gives; found by a dry run when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<i64>,
}

/// How pixel values of 0 to 255 become what the first layer reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// (x / 255 - mean) / std with the backbone's mean and standard deviation.
    #[default]
    Backbone,
    /// x / 255, as the authors of CPSD feed theirs.
    None,
}

impl Normalise {
    fn is_backbone(&self) -> bool {
        *self == Normalise::Backbone
    }
}

impl Default for ModelSpec {
    fn default() -> Self {
        ModelSpec {
            backbone: "small_cnn".into(),
            head: "gap".into(),
            weights: None,
            image_size: None,
            stages: None,
            freeze: 0,
            frozen: false,
            frozen_norms: false,
            head_width: None,
            dropout: 0.0,
            normalise: Normalise::Backbone,
            head_options: BTreeMap::new(),
            word_vectors: None,
            graph: None,
            path: None,
            features: None,
        }
    }
}

impl ModelSpec {
    /// The same specification with every default written out, checked: two specifications that mean the same
    /// model resolve to equal values, so this form is the one to hash.
    ///
    /// # Errors
    /// An unknown backbone or head, a stage count or size out of range, a dropout outside [0, 1).
    pub fn resolved(&self) -> Result<ModelSpec> {
        let kind = self.kind()?;
        let head = heads::find(&self.head)?;
        let all = (kind.stages)().len();
        let stages = self.stages.unwrap_or(all);
        if stages == 0 || stages > all {
            return Err(Error::argument(format!(
                "stages of backbone \"{}\" must be an integer from 1 to {all}. Got {stages} instead.",
                kind.name
            )));
        }
        if self.frozen && self.freeze > 0 {
            return Err(Error::argument(format!(
                "frozen keeps all stages as they are; leave freeze out. Got {} instead.",
                self.freeze
            )));
        }
        let freeze = if self.frozen { stages } else { self.freeze };
        if self.freeze > stages {
            return Err(Error::argument(format!(
                "freeze must be an integer from 0 to {stages}, the number of stages of \"{}\" that are used. \
                 Got {} instead.",
                kind.name, self.freeze
            )));
        }
        let image_size = self.image_size.unwrap_or(kind.image_size);
        if !(16..=4096).contains(&image_size) {
            return Err(Error::argument(format!(
                "image_size must be an integer from 16 to 4096. Got {image_size} instead."
            )));
        }
        let head_width = match (head.default_width, self.head_width) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Error::argument(format!("head \"{}\" takes no head_width", head.name))
                    .with_help(format!("heads with a width: {}", heads::with_width().join(", "))));
            }
            (Some(width), given) => Some(given.unwrap_or(width)),
        };
        if let Some(width) = head_width
            && !(1..=65536).contains(&width)
        {
            return Err(Error::argument(format!(
                "head_width must be an integer from 1 to 65536. Got {width} instead."
            )));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::argument(format!(
                "dropout must be a number from 0 to below 1. Got {} instead.",
                self.dropout
            )));
        }
        let head_options = heads::resolved_options(head, &self.head_options)?;
        let needless = |option: &str| Err(Error::argument(format!("head \"{}\" takes no {option}", head.name)));
        if self.word_vectors.is_some() && !head.needs_words {
            return needless("word_vectors");
        }
        if self.graph.is_some() && !head.needs_graph {
            return needless("graph");
        }
        if kind.from_file && self.path.is_none() {
            return Err(Error::argument(format!("backbone \"{}\" needs path, the file of its module", kind.name))
                .with_help("as in model(\"torchscript\", #{path: \"net.pt\", labels: [...]})"));
        }
        if !kind.from_file && (self.path.is_some() || self.features.is_some()) {
            return Err(Error::argument(format!("backbone \"{}\" takes neither path nor features", kind.name))
                .with_help("they are those of backbone \"torchscript\"; a file of weights is given as weights"));
        }
        Ok(ModelSpec {
            head_options,
            freeze,
            frozen: false,
            image_size: Some(image_size),
            stages: Some(stages),
            head_width,
            ..self.clone()
        })
    }

    /// The registry's entry for this backbone.
    pub fn kind(&self) -> Result<&'static BackboneKind> {
        backbones::find(&self.backbone)
    }
}
