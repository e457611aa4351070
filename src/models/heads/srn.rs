//! SRN: spatial regularisation.

use tch::Tensor;

use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::layers::{Linear, average_pool};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Zhu et al., "Learning spatial regularization with image-level supervisions for multi-label image classification",
/// CVPR 2017.
///
/// One attention map per label (softmax over positions), weighted by sigmoid confidence maps, goes through two 1×1 maps
/// with ReLU and one spatial filter per channel; a linear map gives logits, whose mean with those of global average
/// pooling is the output. Differences from the paper: the head reads the last stage (the paper: 14 × 14 × 1024 of the
/// last but one), and the spatial filter is a depthwise 3 × 3 convolution with average pooling (the paper: of the map's
/// full size), so that any input size works.
pub const SRN: HeadKind = HeadKind {
    name: "srn",
    summary: "attention maps per label, weighed by confidence and read as a picture, beside average pooling",
    paper: "Zhu et al., CVPR 2017",
    options: &[HeadOption::whole("width", 512.0, 1.0, 65536.0, "channels of the maps between")],
    build: |p, setup| Ok(Box::new(Srn::new(p, setup)?)),
    ..COMMON
};

struct Srn {
    attention: [Linear; 2],
    confidence: Linear,
    mix: [Linear; 2],
    /// [width, 1, 3, 3]
    spatial: Tensor,
    regularised: Linear,
    direct: Linear,
}

impl Srn {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Srn> {
        let head = p.at("head");
        let (m, width) = (setup.num_labels(), setup.integer("width"));
        Ok(Srn {
            attention: [
                Linear::pointwise(&head.at("attention.0"), setup.inputs, width)?,
                Linear::pointwise(&head.at("attention.1"), width, m)?,
            ],
            confidence: Linear::pointwise(&head.at("confidence"), setup.inputs, m)?,
            mix: [Linear::pointwise(&head.at("mix.0"), m, width)?, Linear::pointwise(&head.at("mix.1"), width, width)?],
            spatial: head.normal("spatial.weight", &[width, 1, 3, 3], (2.0_f64 / 9.0).sqrt())?,
            regularised: Linear::new(&head.at("regularised"), width, m)?,
            direct: Linear::new(&p.at(setup.classifier), setup.inputs, m)?,
        })
    }

    fn looks(&self, features: &Tensor) -> Result<Tensor> {
        let [first, second] = &self.attention;
        let scores = second.on_maps(&first.on_maps(features)?.f_relu()?)?;
        let size = scores.size();
        Ok(scores.f_flatten(2, 3)?.f_softmax(2, None::<tch::Kind>)?.f_reshape(size)?)
    }
}

impl Head for Srn {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        let weighed = self.looks(features)?.f_mul(&self.confidence.on_maps(features)?.f_sigmoid()?)?;
        let [first, second] = &self.mix;
        let x = second.on_maps(&first.on_maps(&weighed)?.f_relu()?)?.f_relu()?;
        let width = x.size()[1];
        let x = x.f_conv2d(&self.spatial, None::<&Tensor>, [1, 1], [1, 1], [1, 1], width)?.f_relu()?;
        let regularised = self.regularised.forward(&average_pool(&x)?)?;
        let direct = self.direct.forward(&average_pool(features)?)?;
        Ok(direct.f_add(&regularised)?.f_mul_scalar(0.5)?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.direct.on_maps(features)?))
    }
}
