//! Three convolutions to class maps, whose averages are the logits.

use tch::Tensor;

use super::{COMMON, Head, HeadKind};
use crate::error::Result;
use crate::models::layers::{BatchNorm, Conv, Linear, Padding, average_pool};
use crate::models::pass::Pass;

/// 1×1, depthwise 3×3, 1×1, each with batch norm and ReLU, then a 1×1 convolution to m class maps; small enough to
/// train in seconds on kept features, and its class maps are exact: their averages are the logits.
pub const CONV: HeadKind = HeadKind {
    name: "conv",
    summary: "1×1, depthwise 3×3 and 1×1 convolutions, then class maps whose averages are the logits",
    default_width: Some(192),
    build: |p, c| {
        let (inputs, labels) = (c.inputs, c.num_labels());
        let width = c.spec.head_width.unwrap_or(192);
        let conv = |p: &mut _, name: &str, inputs, kernel, groups| -> Result<(Conv, BatchNorm)> {
            Ok((
                Conv::new(p, &format!("head.{name}.conv"), (inputs, width), kernel, 1, groups, Padding::Half)?,
                BatchNorm::new(p, &format!("head.{name}.bn"), width, 1e-5)?,
            ))
        };
        Ok(Box::new(ConvHead {
            layers: [
                conv(p, "reduce", inputs, 1, 1)?,
                conv(p, "spread", width, 3, width)?,
                conv(p, "mix", width, 1, 1)?,
            ],
            classes: Linear::pointwise(p, c.classifier, width, labels)?,
        }))
    },
    ..COMMON
};

struct ConvHead {
    layers: [(Conv, BatchNorm); 3],
    classes: Linear,
}

impl ConvHead {
    fn hidden(&self, features: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = features.shallow_clone();
        for (conv, norm) in &self.layers {
            x = norm.forward(&conv.forward(&x)?, train)?.f_relu()?;
        }
        Ok(x)
    }
}

impl Head for ConvHead {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        // The average of a linear map is the map of the average: pooling first saves its work at every position.
        let pooled = average_pool(&self.hidden(features, pass.train)?)?;
        let size = self.classes.weight.size();
        Ok(pooled.f_linear(&self.classes.weight.f_reshape([size[0], size[1]])?, Some(&self.classes.bias))?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.classes.on_maps(&self.hidden(features, false)?)?))
    }
}
