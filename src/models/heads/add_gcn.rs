//! ADD-GCN: attention-driven dynamic graph convolution.

use tch::Tensor;

use super::published::{moved, moved_one_of, resnet_children, useless};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup, Layout, Published};
use crate::error::Result;
use crate::models::label_order::LabelOrder;
use crate::models::layers::{BatchNorm, Linear, leaky_relu};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::products::{self, matmul};

/// Ye et al., "Attention-driven dynamic graph convolutional network for multi-label image recognition", ECCV 2020.
///
/// The sigmoid of class maps (1×1, no bias) weights the d transformed channels to one feature per label, V `[N, m, d]`. A
/// static graph convolution over the labels is added to it; a dynamic one follows, whose adjacency is a sigmoid of a linear
/// map of [global feature; that sum]. The output of the dynamic one plus V goes through a last map d → m. Logits: the mean
/// of the class maps' maxima and of the diagonal of that map.
pub const ADD_GCN: HeadKind = HeadKind {
    name: "add_gcn",
    summary: "one feature per label from class maps, then a static and a dynamic graph convolution",
    paper: "Ye et al., ECCV 2020",
    options: &[HeadOption::whole("width", 1024.0, 1.0, 65536.0, "channels of the labels' features")],
    published: Published {
        code: "github.com/Yejin0111/ADD-GCN b7653fe, ADD_GCN (models/add_gcn.py)",
        differs: "a training batch of one image uses the running statistics of the global feature's norm (there PyTorch refuses it)",
        layouts: &[Layout {
            system: "ADD-GCN (the authors' file for COCO)",
            rename: their_name,
            labels: LabelOrder::Alphabetical,
        }],
    },
    build: |p, setup| Ok(Box::new(AddGcn::new(p, setup)?)),
    ..COMMON
};

fn their_name(name: &str, classifier: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("features.") {
        return resnet_children(rest);
    }
    // The identity, which takes the diagonal of the last map.
    if name == "mask_mat" {
        return useless();
    }
    let head = [
        ("fc.", "head.class_maps."),
        ("conv_transform.", "head.conv_transform."),
        ("gcn.static_adj.0.", "head.static_adj."),
        ("gcn.static_weight.0.", "head.static_weight."),
        ("gcn.", "head."),
    ];
    moved_one_of(name, &head).or_else(|| moved(name, "last_linear.", &format!("{classifier}.")))
}

struct AddGcn {
    class_maps: Tensor,
    transform: Linear,
    /// [m, m, 1]
    static_adjacency: Tensor,
    static_weight: PerLabel,
    global: PerLabel,
    global_norm: BatchNorm,
    dynamic_adjacency: PerLabel,
    dynamic_weight: PerLabel,
    last: PerLabel,
}

/// A linear map of each label's features, with the weight `[out, in, 1]` of `nn.Conv1d`.
struct PerLabel {
    weight: Tensor,
    bias: Tensor,
}

impl PerLabel {
    fn new(p: &Scope, inputs: i64, outputs: i64) -> Result<PerLabel> {
        let (weight, bias) = p.linear(&[outputs, inputs, 1])?;
        Ok(PerLabel { weight, bias })
    }

    /// `[..., in]` → `[..., out]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        products::linear(x, &self.weight.f_squeeze_dim(2)?, Some(&self.bias))
    }

    /// The diagonal of [`forward`](Self::forward) for as many outputs as labels: `[N, m, in]` → `[N, m]`.
    fn diagonal(&self, x: &Tensor) -> Result<Tensor> {
        let product = x.f_mul(&self.weight.f_squeeze_dim(2)?)?;
        Ok(product.f_sum_dim_intlist(&[-1i64][..], false, None)?.f_add(&self.bias)?)
    }
}

impl AddGcn {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<AddGcn> {
        let head = p.at("head");
        let (m, d) = (setup.num_labels(), setup.integer("width"));
        // PyTorch's first weights of convolutions: uniform in ±1/√in.
        let plain = |name: &str, shape: &[i64]| head.at(name).uniform("weight", shape, 1.0 / (shape[1] as f64).sqrt());
        Ok(AddGcn {
            class_maps: plain("class_maps", &[m, setup.inputs, 1, 1])?,
            transform: Linear::pointwise(&head.at("conv_transform"), setup.inputs, d)?,
            static_adjacency: plain("static_adj", &[m, m, 1])?,
            static_weight: PerLabel::new(&head.at("static_weight"), d, d)?,
            global: PerLabel::new(&head.at("conv_global"), d, d)?,
            global_norm: BatchNorm::new(&head.at("bn_global"), d, 1e-5)?,
            dynamic_adjacency: PerLabel::new(&head.at("conv_create_co_mat"), 2 * d, m)?,
            dynamic_weight: PerLabel::new(&head.at("dynamic_weight"), d, d)?,
            last: PerLabel::new(&p.at(setup.classifier), d, m)?,
        })
    }

    fn scores(&self, features: &Tensor) -> Result<Tensor> {
        products::pointwise(features, &self.class_maps, None)
    }
}

impl Head for AddGcn {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        let scores = self.scores(features)?.f_flatten(2, 3)?;
        let direct = scores.f_amax([2i64], false)?;
        // One row per label from here on: [N, m, d].
        let transformed = self.transform.on_maps(features)?.f_flatten(2, 3)?.f_transpose(1, 2)?;
        let v = matmul(&scores.f_sigmoid()?, &transformed)?;
        let fixed = leaky_relu(&matmul(&self.static_adjacency.f_squeeze_dim(2)?, &v)?, 0.2)?;
        let x = v.f_add(&leaky_relu(&self.static_weight.forward(&fixed)?, 0.2)?)?;
        let global = self.global.forward(&x.f_mean_dim(Some(&[1i64][..]), false, None)?)?;
        // The statistics of a single row would be NaN.
        let of_batch = pass.train && global.size()[0] > 1;
        let global = leaky_relu(&self.global_norm.forward(&global, of_batch)?, 0.2)?;
        let both = Tensor::f_cat(&[global.f_unsqueeze(1)?.f_expand_as(&x)?, x.shallow_clone()], 2)?;
        // Column j of the adjacency is made from label j: [N, m, m], transposed to act on rows.
        let adjacency = self.dynamic_adjacency.forward(&both)?.f_sigmoid()?;
        let mixed = leaky_relu(&matmul(&adjacency, &x)?, 0.2)?;
        let z = v.f_add(&leaky_relu(&self.dynamic_weight.forward(&mixed)?, 0.2)?)?;
        let from_graph = self.last.diagonal(&z)?;
        Ok(direct.f_add(&from_graph)?.f_mul_scalar(0.5)?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.scores(features)?))
    }
}
