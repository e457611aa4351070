//! Heads: the last feature maps to one logit a label. One file a head, one line in the list.

mod conv;
mod gap;

use tch::Tensor;

use super::ModelSpec;
use super::params::Params;
use crate::error::{Error, Result};

/// What turns features `[N, C, h, w]` into logits.
pub trait Head: Send {
    /// `[N, m]`.
    fn logits(&self, features: &Tensor, train: bool) -> Result<Tensor>;

    /// Class activation maps before pooling `[N, m, h, w]`, where the head has such (Zhou et al. 2016).
    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>>;
}

/// What is known of a head before it is built.
pub struct HeadKind {
    pub name: &'static str,
    pub summary: &'static str,
    /// Width of its hidden layers, when it has any.
    pub default_width: Option<i64>,
    /// Builds it for `inputs` channels and `labels` outputs; `classifier` names its last layer.
    pub build: fn(p: &mut Params, spec: &ModelSpec, inputs: i64, labels: i64, classifier: &str) -> Result<Box<dyn Head>>,
}

/// All heads: a line each.
pub const HEADS: &[HeadKind] = &[gap::GAP, conv::CONV];

/// The head of that name. Errors: an unknown name, with the nearest.
pub fn find(name: &str) -> Result<&'static HeadKind> {
    HEADS.iter().find(|k| k.name == name).ok_or_else(|| Error::unknown("head", name, HEADS.iter().map(|k| k.name)))
}

/// The names of the heads that have a width.
pub fn with_width() -> Vec<&'static str> {
    HEADS.iter().filter(|k| k.default_width.is_some()).map(|k| k.name).collect()
}
