//! ResNet and ResNeXt under torchvision's names. Sources: He et al., "Deep Residual Learning", CVPR 2016; Xie et al.,
//! "Aggregated Residual Transformations", CVPR 2017. Bottlenecks stride in their 3×3 convolution, as in torchvision.

use tch::Tensor;

use super::super::layers::{ConvConfig, ConvNorm, added, relu};
use super::super::params::Scope;
use super::{Backbone, BackboneKind, COMMON, PublishedWeights, StageInfo, WeightSet};
use crate::error::Result;
use crate::models::ModelSpec;

const HE: &str = "He et al., Deep Residual Learning for Image Recognition, CVPR 2016";
const NOTE: &str = "torchvision and timm, same names";

pub const RESNET18: BackboneKind = BackboneKind {
    name: "resnet18",
    timm: Some("resnet18"),
    summary: "ResNet-18 as in torchvision",
    stages: || stages(&BASIC),
    build: |p, spec| ResNet::build(p, &Shape { blocks: [2, 2, 2, 2], ..BASIC }, spec),
    parameters: 11_176_512,
    gflops: 1.814,
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &["resnet18.pth", "resnet18.safetensors", "resnet18-f37072fd.pth", "resnet18-5c106cde.pth"],
                source: "https://download.pytorch.org/models/resnet18-f37072fd.pth (torchvision)",
                hub: Some("timm/resnet18.tv_in1k"),
            },
            WeightSet {
                name: "swsl",
                files: &[
                    "semi_weakly_supervised_resnet18-118f1556.pth",
                    "resnet18_swsl.pth",
                    "resnet18_swsl.safetensors",
                ],
                source: "https://dl.fbaipublicfiles.com/semiweaksupervision/model_files/semi_weakly_supervised_resnet18-118f1556.pth",
                hub: Some("timm/resnet18.fb_swsl_ig1b_ft_in1k"),
            },
            WeightSet {
                name: "ssl",
                files: &["semi_supervised_resnet18-d92f0530.pth", "resnet18_ssl.pth", "resnet18_ssl.safetensors"],
                source: "https://dl.fbaipublicfiles.com/semiweaksupervision/model_files/semi_supervised_resnet18-d92f0530.pth",
                hub: Some("timm/resnet18.fb_ssl_yfcc100m_ft_in1k"),
            },
        ],
        note: NOTE,
        ..PublishedWeights::NONE
    },
    ..RESNET
};

pub const RESNET34: BackboneKind = BackboneKind {
    name: "resnet34",
    timm: Some("resnet34"),
    summary: "ResNet-34 as in torchvision",
    stages: || stages(&BASIC),
    build: |p, spec| ResNet::build(p, &Shape { blocks: [3, 4, 6, 3], ..BASIC }, spec),
    parameters: 21_284_672,
    gflops: 3.663,
    weights: PublishedWeights {
        sets: &[WeightSet {
            name: "imagenet",
            files: &["resnet34.pth", "resnet34.safetensors", "resnet34-b627a593.pth", "resnet34-333f7ec4.pth"],
            source: "https://download.pytorch.org/models/resnet34-b627a593.pth (torchvision)",
            hub: Some("timm/resnet34.tv_in1k"),
        }],
        note: NOTE,
        ..PublishedWeights::NONE
    },
    ..RESNET
};

pub const RESNET50: BackboneKind = BackboneKind {
    name: "resnet50",
    timm: Some("resnet50"),
    summary: "ResNet-50 as in torchvision",
    build: |p, spec| ResNet::build(p, &BOTTLENECK, spec),
    parameters: 23_508_032,
    gflops: 4.087,
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &[
                    "resnet50.pth",
                    "resnet50.safetensors",
                    "resnet50-0676ba61.pth",
                    "resnet50-11ad3fa6.pth",
                    "resnet50-19c8e357.pth",
                ],
                source: "https://download.pytorch.org/models/resnet50-0676ba61.pth (torchvision)",
                hub: Some("timm/resnet50.tv_in1k"),
            },
            WeightSet {
                name: "swsl",
                files: &[
                    "semi_weakly_supervised_resnet50-16a12f1b.pth",
                    "resnet50_swsl.pth",
                    "resnet50_swsl.safetensors",
                ],
                source: "https://dl.fbaipublicfiles.com/semiweaksupervision/model_files/semi_weakly_supervised_resnet50-16a12f1b.pth",
                hub: Some("timm/resnet50.fb_swsl_ig1b_ft_in1k"),
            },
            WeightSet {
                name: "ssl",
                files: &["semi_supervised_resnet50-08389792.pth", "resnet50_ssl.pth", "resnet50_ssl.safetensors"],
                source: "https://dl.fbaipublicfiles.com/semiweaksupervision/model_files/semi_supervised_resnet50-08389792.pth",
                hub: Some("timm/resnet50.fb_ssl_yfcc100m_ft_in1k"),
            },
        ],
        note: NOTE,
        ..PublishedWeights::NONE
    },
    ..RESNET
};

pub const RESNET101: BackboneKind = BackboneKind {
    name: "resnet101",
    timm: Some("resnet101"),
    summary: "ResNet-101 as in torchvision",
    build: |p, spec| ResNet::build(p, &Shape { blocks: [3, 4, 23, 3], ..BOTTLENECK }, spec),
    parameters: 42_500_160,
    gflops: 7.799,
    weights: PublishedWeights {
        sets: &[WeightSet {
            name: "imagenet",
            files: &[
                "resnet101.pth",
                "resnet101.safetensors",
                "resnet101-63fe2227.pth",
                "resnet101-cd907fc2.pth",
                "resnet101-5d3b4d8f.pth",
            ],
            source: "https://download.pytorch.org/models/resnet101-63fe2227.pth (torchvision)",
            hub: Some("timm/resnet101.tv_in1k"),
        }],
        note: "torchvision and timm, same names; the CPSD, ASL and Query2Label authors' checkpoints",
        ..PublishedWeights::NONE
    },
    ..RESNET
};

pub const RESNEXT50_32X4D: BackboneKind = BackboneKind {
    name: "resnext50_32x4d",
    timm: Some("resnext50_32x4d"),
    summary: "ResNeXt-50 32×4d as in torchvision; the semi-weakly supervised (SWSL) weights have the same names",
    build: |p, spec| ResNet::build(p, &Shape { groups: 32, base_width: 4, ..BOTTLENECK }, spec),
    parameters: 22_979_904,
    gflops: 4.228,
    paper: "Xie et al., Aggregated Residual Transformations, CVPR 2017; Yalniz et al., arXiv:1905.00546 (SWSL)",
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &[
                    "resnext50_32x4d.pth",
                    "resnext50_32x4d.safetensors",
                    "resnext50_32x4d-7cdf4587.pth",
                    "resnext50_32x4d-1a0047aa.pth",
                ],
                source: "https://download.pytorch.org/models/resnext50_32x4d-7cdf4587.pth (torchvision)",
                hub: Some("timm/resnext50_32x4d.tv_in1k"),
            },
            WeightSet {
                name: "swsl",
                files: &[
                    "semi_weakly_supervised_resnext50_32x4-72679e44.pth",
                    "resnext50_32x4d_swsl.pth",
                    "resnext50_32x4d_swsl.safetensors",
                ],
                source: "https://dl.fbaipublicfiles.com/semiweaksupervision/model_files/semi_weakly_supervised_resnext50_32x4-72679e44.pth",
                hub: Some("timm/resnext50_32x4d.fb_swsl_ig1b_ft_in1k"),
            },
            WeightSet {
                name: "ssl",
                files: &[
                    "semi_supervised_resnext50_32x4-ddb3e555.pth",
                    "resnext50_32x4d_ssl.pth",
                    "resnext50_32x4d_ssl.safetensors",
                ],
                source: "https://dl.fbaipublicfiles.com/semiweaksupervision/model_files/semi_supervised_resnext50_32x4-ddb3e555.pth",
                hub: Some("timm/resnext50_32x4d.fb_ssl_yfcc100m_ft_in1k"),
            },
        ],
        note: "SWSL, torchvision and timm, same names",
        ..PublishedWeights::NONE
    },
    ..RESNET
};

/// Common to the whole family.
const RESNET: BackboneKind = BackboneKind { stages: || stages(&BOTTLENECK), paper: HE, ..COMMON };

/// The differences between networks of the family.
struct Shape {
    blocks: [usize; 4],
    /// Width of a block's output, in nominal widths of its stage; 1 for basic blocks.
    expansion: i64,
    groups: i64,
    base_width: i64,
}

const BASIC: Shape = Shape { blocks: [2, 2, 2, 2], expansion: 1, groups: 1, base_width: 64 };
const BOTTLENECK: Shape = Shape { blocks: [3, 4, 6, 3], expansion: 4, groups: 1, base_width: 64 };

const NAMES: [&str; 4] = ["layer1", "layer2", "layer3", "layer4"];
const WIDTHS: [i64; 4] = [64, 128, 256, 512];
const EPS: f64 = 1e-5;

fn stages(shape: &Shape) -> Vec<StageInfo> {
    (0..4).map(|i| StageInfo { name: NAMES[i], channels: WIDTHS[i] * shape.expansion, stride: 4 << i }).collect()
}

struct ResNet {
    stem: ConvNorm,
    layers: Vec<Vec<Block>>,
    freeze: usize,
}

/// Two 3×3 convolutions, or 1×1, 3×3, 1×1; and a shortcut, which is a convolution where shapes differ.
struct Block {
    convs: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
}

impl ResNet {
    fn build(p: &Scope, shape: &Shape, spec: &ModelSpec) -> Result<Box<dyn Backbone>> {
        let stage = |i: usize| p.frozen_if(i < spec.freeze);
        let stem = ConvConfig { inputs: 3, outputs: 64, kernel: 7, stride: 2, ..ConvConfig::PLAIN };
        let stem = ConvNorm::new(&stage(0), ["conv1", "bn1"], stem, EPS)?;
        let mut layers = Vec::new();
        let mut inputs = 64;
        for i in 0..spec.stages.unwrap_or(4) {
            let p = stage(i).at(NAMES[i]);
            let mut layer = Vec::new();
            for b in 0..shape.blocks[i] {
                let stride = if b == 0 && i > 0 { 2 } else { 1 };
                layer.push(Block::new(&p.at(b), shape, inputs, WIDTHS[i], stride)?);
                inputs = WIDTHS[i] * shape.expansion;
            }
            layers.push(layer);
        }
        Ok(Box::new(ResNet { stem, layers, freeze: spec.freeze }))
    }
}

impl Block {
    fn new(p: &Scope, shape: &Shape, inputs: i64, nominal: i64, stride: i64) -> Result<Block> {
        let outputs = nominal * shape.expansion;
        let width = nominal * shape.base_width / 64 * shape.groups;
        let plain = ConvConfig::PLAIN;
        let plan = match shape.expansion {
            1 => vec![
                ConvConfig { inputs, outputs, kernel: 3, stride, ..plain },
                ConvConfig { inputs: outputs, outputs, kernel: 3, ..plain },
            ],
            _ => vec![
                ConvConfig { inputs, outputs: width, ..plain },
                ConvConfig { inputs: width, outputs: width, kernel: 3, stride, groups: shape.groups, ..plain },
                ConvConfig { inputs: width, outputs, ..plain },
            ],
        };
        let convs = (1..)
            .zip(plan)
            .map(|(i, config)| ConvNorm::new(p, [format!("conv{i}"), format!("bn{i}")], config, EPS))
            .collect::<Result<_>>()?;
        let shortcut = match stride != 1 || inputs != outputs {
            false => None,
            true => {
                Some(ConvNorm::new(&p.at("downsample"), [0, 1], ConvConfig { inputs, outputs, stride, ..plain }, EPS)?)
            }
        };
        Ok(Block { convs, shortcut })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = x.shallow_clone();
        for (i, conv) in self.convs.iter().enumerate() {
            y = conv.forward(&y, train)?;
            if i + 1 < self.convs.len() {
                y = relu(y)?;
            }
        }
        let shortcut = match &self.shortcut {
            Some(conv) => conv.forward(x, train)?,
            None => x.shallow_clone(),
        };
        relu(added(y, &shortcut)?)
    }
}

impl Backbone for ResNet {
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor> {
        let train = train && stage > self.freeze;
        let mut x = x.shallow_clone();
        if stage == 1 {
            x = relu(self.stem.forward(&x, train)?)?;
            x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        }
        for block in &self.layers[stage - 1] {
            x = block.forward(&x, train)?;
        }
        Ok(x)
    }
}
