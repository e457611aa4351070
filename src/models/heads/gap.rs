//! Global average pooling and a linear layer.

use tch::Tensor;

use super::{COMMON, Head, HeadKind};
use crate::error::Result;
use crate::models::layers::{Linear, average_pool};
use crate::models::pass::Pass;

pub const GAP: HeadKind = HeadKind {
    name: "gap",
    summary: "global average pooling and one linear layer",
    build: |p, setup| Ok(Box::new(Gap(Linear::new(&p.at(setup.classifier), setup.inputs, setup.num_labels())?))),
    ..COMMON
};

struct Gap(Linear);

impl Head for Gap {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        self.0.forward(&average_pool(features)?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.on_maps(features)?))
    }
}
