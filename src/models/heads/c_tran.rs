//! C-Tran: general multi-label classification with transformers.

use tch::Tensor;

use super::transformer::{ENCODER, GroupWise, PostNorm, PostNormConfig, maps, tokens};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Lanchantin et al., "General multi-label image classification with transformers", CVPR 2021.
///
/// Tokens `[N, h·w + m, C]`: the positions, and per label a learned embedding plus that of its state, through post-norm
/// encoder layers; a linear map of a label's own token gives its logit. Difference from the paper: all labels are in
/// the state "unknown", in training and evaluation; the paper also trains with some labels shown (label mask training).
pub const C_TRAN: HeadKind = HeadKind {
    name: "c_tran",
    summary: "transformer over positions and label embeddings, all labels unknown",
    paper: "Lanchantin et al., CVPR 2021",
    options: &[
        HeadOption::whole("layers", 3.0, 1.0, 24.0, "transformer layers"),
        HeadOption::whole("heads", 4.0, 1.0, 64.0, "attention heads; the backbone's channels must be a multiple of it"),
        HeadOption::whole("feed_forward", 2048.0, 1.0, 65536.0, "width between the two linear maps of a layer"),
        HeadOption::real("dropout", 0.1, 0.0, 0.9, "dropout in training"),
    ],
    build: |p, setup| Ok(Box::new(CTran::new(p, setup)?)),
    ..COMMON
};

struct CTran {
    labels: Tensor,
    unknown: Tensor,
    layers: Vec<PostNorm>,
    last: GroupWise,
}

impl CTran {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<CTran> {
        let head = p.at("head");
        let (m, d) = (setup.num_labels(), setup.inputs);
        let config = PostNormConfig::new(setup, &ENCODER, d);
        let layers = head.at("self_attn_layers");
        let layer = |i: i64| PostNorm::new(&layers.at(i), PostNormConfig { layer: i as u64, ..config });
        Ok(CTran {
            labels: head.normal("label_lt.weight", &[m, d], 0.02)?,
            unknown: head.normal("unknown", &[d], 0.02)?,
            layers: (0..setup.integer("layers")).map(layer).collect::<Result<_>>()?,
            last: GroupWise::new(&p.at(setup.classifier), m, d)?,
        })
    }

    fn run(&self, features: &Tensor, pass: Pass) -> Result<(Tensor, Tensor)> {
        let patches = tokens(features)?;
        let (size, m) = (patches.size(), self.labels.size()[0]);
        let labels = self.labels.f_add(&self.unknown)?.f_unsqueeze(0)?.f_expand([size[0], m, size[2]], false)?;
        let mut x = Tensor::f_cat(&[patches, labels], 1)?;
        let mut looked = None;
        for layer in &self.layers {
            let seen = layer.forward(&x, &x, &x, &x, pass)?;
            (x, looked) = (seen.values, Some(seen.weights));
        }
        let looked = looked.ok_or_else(|| crate::error::Error::internal("a transformer without layers"))?;
        Ok((self.last.forward(&x.f_narrow(1, size[1], m)?)?, looked.f_narrow(1, size[1], m)?.f_narrow(2, 0, size[1])?))
    }
}

impl Head for CTran {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.run(features, pass)?.0)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(maps(&self.run(features, Pass::EVAL)?.1, features)?))
    }
}
