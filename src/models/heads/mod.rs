//! Heads: the last feature maps to one logit per label. One file and one line in the list per head.
//!
//! A head is as its authors' code has it: structure, first weights, losses of its own, and which weights are trained.

mod add_gcn;
mod answer; // input and output of a head
mod c_tran;
mod cadm;
mod conv;
mod cpcl;
mod csra;
mod dsdl;
mod gap;
mod graph_convolution; // graph convolutions of word vectors, shared by heads
mod known; // which entries of the targets are known
mod kssnet;
mod label_embeddings; // vectors whose cosines are co-occurrences
mod mcar;
mod mgtn;
mod ml_decoder;
mod ml_gcn;
mod ms_cma;
mod option; // options of heads: names, ranges, defaults
mod published; // the systems behind heads
mod q2l;
mod script; // a closure of a script
mod srn;
mod ssgrl;
mod tf;
pub(super) mod transformer; // attention and other layers shared by heads

use std::path::Path;

use tch::Tensor;

pub use answer::{Answer, LabelLoss, OwnLoss, Seen, Truth};
pub use known::Known;
pub use mgtn::SECOND;
pub use option::{HeadOption, HeadValue, Takes, resolved_options};
pub use published::{Layout, Published};

use super::params::Scope;
use super::pass::Pass;
use super::{LEARNED, ModelSpec, backbones, word_vectors};
use crate::error::{Error, Result};
use crate::losses::Reduction;

/// A function from features `[N, C, h, w]` to logits.
pub trait Head: Send {
    /// `[N, m]`, from the last stage's maps alone.
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor>;

    /// The output for one batch: `logits`, unless the head reads more than the last maps or has its own loss.
    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        Ok(Answer { logits: self.logits(seen.maps, pass)?, own_loss: None })
    }

    /// The number of stages before the last whose maps the head reads too ([`Seen::earlier`]).
    fn earlier(&self) -> usize {
        0
    }

    /// Whether it reads the tokens of a vision transformer ([`Seen::tokens`]).
    fn reads_tokens(&self) -> bool {
        false
    }

    /// Added to the output of a trainable stage `[N, C, h, w]` before the next stage.
    fn lateral(&self, _stage: usize, _x: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// Class activation maps before pooling `[N, m, h, w]`, if the head has such (Zhou et al. 2016); for a head with
    /// attention, the attention of each label to each position.
    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>>;

    /// Whether the loss of a batch is the sum of its images' losses, or for `Mean` the mean over the known entries, so that
    /// several processes can each compute that of some images.
    fn loss_is_by_image(&self, _reduction: Reduction) -> bool {
        true
    }

    /// Whether targets may be mixtures, anything from 0 to 1. Heads that show labels to the model or compare the labels of pictures need
    /// 0 or 1.
    fn takes_soft_targets(&self) -> bool {
        true
    }

    /// The head's own term of the loss that does not depend on the batch.
    fn auxiliary(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// A head before it is built.
pub struct HeadKind {
    pub name: &'static str,
    pub summary: &'static str,
    pub paper: &'static str,
    /// Default of `head_width`, the width of its hidden layers; none if it takes no such option.
    pub default_width: Option<i64>,
    pub options: &'static [HeadOption],
    /// Whether it reads the option `graph`.
    pub needs_graph: bool,
    /// Whether it reads the labels' shares of the training images, which a co-occurrence given as `graph` has.
    pub needs_shares: bool,
    /// Whether it reads the option `word_vectors`.
    pub needs_words: bool,
    pub published: Published,
    pub build: fn(p: &Scope, setup: &HeadSetup) -> Result<Box<dyn Head>>,
}

/// The model for which a head is built.
pub struct HeadSetup<'a> {
    /// Resolved.
    pub spec: &'a ModelSpec,
    /// Channels of the feature maps.
    pub inputs: i64,
    pub labels: &'a [String],
    /// The name of the last layer.
    pub classifier: &'a str,
    /// The groups of tokens of a vision transformer's last stage, `[1, n, C]` each.
    pub tokens: Vec<(&'static str, [i64; 3])>,
    kind: &'static HeadKind,
}

impl<'a> HeadSetup<'a> {
    pub fn new(spec: &'a ModelSpec, inputs: i64, labels: &'a [String], classifier: &'a str) -> Result<Self> {
        Ok(HeadSetup { spec, inputs, labels, classifier, tokens: vec![], kind: find(&spec.head)? })
    }

    /// The number of labels, m.
    pub fn num_labels(&self) -> i64 {
        self.labels.len() as i64
    }

    /// Channels of each used stage, the last as in the built backbone.
    fn stage_channels(&self) -> Result<Vec<i64>> {
        let kind = backbones::find(&self.spec.backbone)?;
        let stages = self.spec.stages.unwrap_or(1);
        let mut channels: Vec<i64> = (kind.stages)().iter().take(stages).map(|s| s.channels).collect();
        if let Some(last) = channels.last_mut() {
            *last = self.inputs;
        }
        Ok(channels)
    }

    fn option(&self, name: &str) -> HeadValue {
        let default = || self.kind.options.iter().find(|o| o.name == name).map(HeadOption::default);
        self.spec.head_options.get(name).cloned().or_else(default).unwrap_or(HeadValue::Number(0.0))
    }

    fn number(&self, name: &str) -> f64 {
        match self.option(name) {
            HeadValue::Number(number) => number,
            _ => 0.0,
        }
    }

    fn integer(&self, name: &str) -> i64 {
        self.number(name) as i64
    }

    fn flag(&self, name: &str) -> bool {
        self.option(name) == HeadValue::Flag(true)
    }

    /// The value of an option that takes a name.
    fn choice(&self, name: &str) -> String {
        match self.option(name) {
            HeadValue::Name(name) => name,
            other => other.to_string(),
        }
    }

    /// `[m]`: each label's share of the training images.
    fn shares(&self) -> Result<Tensor> {
        match self.spec.graph.as_ref().map(|graph| graph.shares_of(self.labels)) {
            Some(shares) => shares,
            None => Err(self.no_graph()),
        }
    }

    fn no_graph(&self) -> Error {
        Error::argument(format!("head \"{}\" needs a label graph", self.kind.name))
            .about_name(self.kind.name)
            .with_help("give it one: #{head: ..., graph: cooccurrence(data.train)}")
    }

    /// `[m, m]`: the label graph between this model's labels.
    fn graph(&self) -> Result<Tensor> {
        match &self.spec.graph {
            Some(graph) => graph.between(self.labels),
            None => Err(self.no_graph()),
        }
    }

    /// `[m, d]`: the labels' word vectors, fixed ones from a file or learned ones of 300 numbers.
    fn words(&self, p: &Scope) -> Result<Tensor> {
        words_of(&p.at("head"), self.spec.word_vectors.as_deref(), self.labels)?.ok_or_else(|| {
            Error::argument(format!("head \"{}\" needs word vectors of the labels", self.kind.name))
                .about_name(self.kind.name)
                .with_help("word_vectors: \"glove.txt\" reads them from a file in GloVe's form; word_vectors: \"learned\" learns them")
        })
    }
}

/// `[m, d]`: the word vectors of these labels that the option `word_vectors` says, if it says any; under "head.".
pub(super) fn words_of(head: &Scope, option: Option<&str>, labels: &[String]) -> Result<Option<Tensor>> {
    let m = labels.len() as i64;
    match option {
        Some(LEARNED) => head.normal("words", &[m, 300], 1.0).map(Some),
        Some(path) => head.fixed(WORDS, m, || word_vectors::read(Path::new(path), labels)).map(Some),
        None => Ok(None),
    }
}

/// The name of word vectors from a file, among the tensors under "head.": a model's file holds them, so that theirs is not read again.
const WORDS: &str = "word_vectors";

/// The whole name of [`WORDS`].
pub fn words_in_file() -> String {
    format!("head.{WORDS}")
}

/// Common to most heads.
const COMMON: HeadKind = HeadKind {
    name: "",
    summary: "",
    paper: "",
    default_width: None,
    options: &[],
    needs_graph: false,
    needs_shares: false,
    needs_words: false,
    published: Published::NONE,
    build: |_, setup| Err(Error::internal(format!("head \"{}\" cannot be built", setup.spec.head))),
};

/// The head that is a closure of a script.
pub static SCRIPT: HeadKind = script::SCRIPT;

/// All heads.
pub const HEADS: &[HeadKind] = &[
    gap::GAP,
    conv::CONV,
    tf::TF,
    q2l::Q2L,
    ml_decoder::ML_DECODER,
    csra::CSRA,
    ml_gcn::ML_GCN,
    ssgrl::SSGRL,
    add_gcn::ADD_GCN,
    c_tran::C_TRAN,
    dsdl::DSDL,
    srn::SRN,
    mcar::MCAR,
    kssnet::KSSNET,
    cpcl::CPCL,
    mgtn::MGTN,
    ms_cma::MS_CMA,
    cadm::CADM,
];

/// The head of that name. Errors: an unknown name, with the nearest.
pub fn find(name: &str) -> Result<&'static HeadKind> {
    if name == SCRIPT.name {
        return Ok(&SCRIPT);
    }
    HEADS.iter().find(|k| k.name == name).ok_or_else(|| Error::unknown("head", name, HEADS.iter().map(|k| k.name)))
}

/// The names of the heads that have a width.
pub fn with_width() -> Vec<&'static str> {
    HEADS.iter().filter(|k| k.default_width.is_some()).map(|k| k.name).collect()
}
