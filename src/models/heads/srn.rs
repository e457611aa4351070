//! SRN: spatial regularisation.

use tch::Tensor;

use super::{COMMON, Context, Head, HeadKind, HeadOption};
use crate::error::Result;
use crate::models::layers::{Linear, average_pool};
use crate::models::params::Params;
use crate::models::pass::Pass;

/// Zhu et al., "Learning spatial regularization with image-level supervisions for multi-label image classification",
/// CVPR 2017.
///
/// An attention map a label (softmax over positions), weighed by sigmoid confidence maps, goes through two 1×1 maps with
/// ReLU and a spatial filter a channel; a linear map gives logits, whose mean with those of global average pooling is the
/// output. Departures: it reads the last stage (the paper: 14 × 14 × 1024 of the last but one), and the spatial filter,
/// in the paper of the map's full size, is a 3 × 3 depthwise one with average pooling, so that any input size works.
pub const SRN: HeadKind = HeadKind {
    name: "srn",
    summary: "attention maps a label, weighed by confidence and read as a picture, beside average pooling",
    paper: "Zhu et al., CVPR 2017",
    options: &[HeadOption::whole("width", 512.0, 1.0, 65536.0, "channels of the maps between")],
    build: |p, c| Ok(Box::new(Srn::new(p, c)?)),
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
    fn new(p: &mut Params, c: &Context) -> Result<Srn> {
        let (m, width) = (c.num_labels(), c.integer("width"));
        Ok(Srn {
            attention: [
                Linear::pointwise(p, "head.attention.0", c.inputs, width)?,
                Linear::pointwise(p, "head.attention.1", width, m)?,
            ],
            confidence: Linear::pointwise(p, "head.confidence", c.inputs, m)?,
            mix: [Linear::pointwise(p, "head.mix.0", m, width)?, Linear::pointwise(p, "head.mix.1", width, width)?],
            spatial: p.normal("head.spatial.weight", &[width, 1, 3, 3], (2.0_f64 / 9.0).sqrt())?,
            regularised: Linear::new(p, "head.regularised", width, m)?,
            direct: Linear::new(p, c.classifier, c.inputs, m)?,
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
