//! Global average pooling and a linear layer.

use tch::Tensor;

use super::{Head, HeadKind};
use crate::error::Result;
use crate::models::layers::{Linear, average_pool};

pub const GAP: HeadKind = HeadKind {
    name: "gap",
    summary: "global average pooling and one linear layer",
    default_width: None,
    build: |p, _, inputs, labels, classifier| Ok(Box::new(Gap(Linear::new(p, classifier, inputs, labels)?))),
};

struct Gap(Linear);

impl Head for Gap {
    fn logits(&self, features: &Tensor, _train: bool) -> Result<Tensor> {
        self.0.forward(&average_pool(features)?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.on_maps(features)?))
    }
}
