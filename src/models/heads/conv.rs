//! Three convolutions to class maps, whose averages are the logits.

use tch::Tensor;

use super::{COMMON, Head, HeadKind};
use crate::error::Result;
use crate::models::layers::{ConvConfig, ConvNorm, Linear, average_pool};
use crate::models::pass::Pass;
use crate::models::products::linear;

/// 1×1, depthwise 3×3, 1×1, each with batch norm and ReLU, then a 1×1 convolution to m class maps. Small enough to train
/// in seconds on kept features, and its class maps are exact: their averages are the logits.
pub const CONV: HeadKind = HeadKind {
    name: "conv",
    summary: "1×1, depthwise 3×3 and 1×1 convolutions, then class maps whose averages are the logits",
    default_width: Some(192),
    build: |p, setup| {
        let (inputs, width) = (setup.inputs, setup.spec.head_width.unwrap_or(192));
        let plain = ConvConfig { inputs: width, outputs: width, ..ConvConfig::PLAIN };
        let layer = |name: &str, config| ConvNorm::new(&p.at("head").at(name), ["conv", "bn"], config, 1e-5);
        Ok(Box::new(ConvHead {
            layers: [
                layer("reduce", ConvConfig { inputs, ..plain })?,
                layer("spread", ConvConfig { kernel: 3, groups: width, ..plain })?,
                layer("mix", plain)?,
            ],
            classes: Linear::pointwise(&p.at(setup.classifier), width, setup.num_labels())?,
        }))
    },
    ..COMMON
};

struct ConvHead {
    layers: [ConvNorm; 3],
    classes: Linear,
}

impl ConvHead {
    fn hidden(&self, features: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = features.shallow_clone();
        for layer in &self.layers {
            x = layer.forward(&x, train)?.f_relu()?;
        }
        Ok(x)
    }
}

impl Head for ConvHead {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        // The average of a linear map is the map of the average: pooling first saves its work at every position.
        let pooled = average_pool(&self.hidden(features, pass.train)?)?;
        let size = self.classes.weight.size();
        linear(&pooled, &self.classes.weight.f_reshape([size[0], size[1]])?, Some(&self.classes.bias))
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.classes.on_maps(&self.hidden(features, false)?)?))
    }
}
