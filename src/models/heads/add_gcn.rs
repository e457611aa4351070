//! ADD-GCN: attention-driven dynamic graph convolution.

use tch::Tensor;

use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::layers::{BatchNorm, Linear, leaky_relu};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Ye et al., "Attention-driven dynamic graph convolutional network for multi-label image recognition", ECCV 2020.
///
/// The sigmoid of class maps (1×1, no bias) weights the d transformed channels to one feature per label `[N, d, m]`. A
/// static graph convolution over the labels is added; a dynamic one follows, whose adjacency is a sigmoid of a linear
/// map of [global feature; V]. Logits: the mean of the class maps' maxima and of the diagonal of a last map d → m.
pub const ADD_GCN: HeadKind = HeadKind {
    name: "add_gcn",
    summary: "one feature per label from class maps, then a static and a dynamic graph convolution",
    paper: "Ye et al., ECCV 2020",
    options: &[HeadOption::whole("width", 1024.0, 1.0, 65536.0, "channels of the labels' features")],
    build: |p, setup| Ok(Box::new(AddGcn::new(p, setup)?)),
    ..COMMON
};

struct AddGcn {
    class_maps: Tensor,
    transform: Linear,
    static_adjacency: Tensor,
    static_weight: Linear,
    global: Linear,
    global_norm: BatchNorm,
    dynamic_adjacency: Linear,
    dynamic_weight: Linear,
    last: Linear,
}

impl AddGcn {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<AddGcn> {
        let head = p.at("head");
        let (m, d) = (setup.num_labels(), setup.integer("width"));
        Ok(AddGcn {
            class_maps: head.normal(
                "class_maps.weight",
                &[m, setup.inputs, 1, 1],
                (1.0 / (3 * setup.inputs) as f64).sqrt(),
            )?,
            transform: Linear::pointwise(&head.at("conv_transform"), setup.inputs, d)?,
            static_adjacency: head.normal("static_adj.weight", &[m, m], (1.0 / (3 * m) as f64).sqrt())?,
            static_weight: Linear::new(&head.at("static_weight"), d, d)?,
            global: Linear::new(&head.at("conv_global"), d, d)?,
            global_norm: BatchNorm::new(&head.at("bn_global"), d, 1e-5)?,
            dynamic_adjacency: Linear::new(&head.at("conv_create_co_mat"), 2 * d, m)?,
            dynamic_weight: Linear::new(&head.at("dynamic_weight"), d, d)?,
            last: Linear::new(&p.at(setup.classifier), d, m)?,
        })
    }

    fn scores(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.f_conv2d(&self.class_maps, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1)?)
    }
}

impl Head for AddGcn {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        let scores = self.scores(features)?.f_flatten(2, 3)?;
        let direct = scores.f_amax([2i64], false)?;
        // One row per label from here on: [N, m, d].
        let transformed = self.transform.on_maps(features)?.f_flatten(2, 3)?.f_transpose(1, 2)?;
        let v = scores.f_sigmoid()?.f_matmul(&transformed)?;
        let fixed = leaky_relu(&self.static_adjacency.f_matmul(&v)?, 0.2)?;
        let v = v.f_add(&leaky_relu(&self.static_weight.forward(&fixed)?, 0.2)?)?;
        let global = self.global.forward(&v.f_mean_dim(Some(&[1i64][..]), false, None)?)?;
        let global = leaky_relu(&self.global_norm.forward(&global, pass.train)?, 0.2)?;
        let both = Tensor::f_cat(&[global.f_unsqueeze(1)?.f_expand_as(&v)?, v.shallow_clone()], 2)?;
        // Column j of the adjacency is made from label j: [N, m, m], transposed to act on rows.
        let adjacency = self.dynamic_adjacency.forward(&both)?.f_sigmoid()?;
        let moved = leaky_relu(&adjacency.f_matmul(&v)?, 0.2)?;
        let z = v.f_add(&leaky_relu(&self.dynamic_weight.forward(&moved)?, 0.2)?)?;
        let from_graph = self.last.forward(&z)?.f_diagonal(0, 1, 2)?;
        Ok(direct.f_add(&from_graph)?.f_mul_scalar(0.5)?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.scores(features)?))
    }
}
