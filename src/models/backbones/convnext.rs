//! ConvNeXt-T and -B under timm's names. Source: Liu et al., "A ConvNet for the 2020s", CVPR 2022. Without stochastic
//! depth, which trainings of the authors have.
//!
//! The last layer norm belongs to the pooling, as in timm: `gap` reads the normalised mean, other heads the maps as they
//! are. Rows and columns of pixels that do not fill a position are not read.

use tch::Tensor;

use super::super::layers::{Activation, FeedForward, LayerNorm, Linear, average_pool};
use super::super::params::Scope;
use super::super::products::{self, Window};
use super::{Backbone, BackboneKind, COMMON, PublishedWeights, StageInfo, WeightSet};
use crate::error::{Error, Result};
use crate::models::ModelSpec;

pub const CONVNEXT_TINY: BackboneKind = BackboneKind {
    name: TINY.name,
    summary: "ConvNeXt-T as in timm, without stochastic depth; gap normalises the pooled features",
    stages: || stages(&TINY),
    build: |p, spec| ConvNext::build(p, &TINY, spec),
    timm: Some(TINY.name),
    parameters: 27_820_128,
    gflops: 4.456,
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &[
                    "convnext_tiny_1k_224_ema.pth",
                    "convnext_tiny.fb_in1k.safetensors",
                    "convnext_tiny.safetensors",
                    "convnext_tiny.pth",
                    "convnext_tiny-983f1562.pth",
                ],
                source: "https://dl.fbaipublicfiles.com/convnext/convnext_tiny_1k_224_ema.pth",
                hub: Some("timm/convnext_tiny.fb_in1k"),
            },
            WeightSet {
                name: "in22k",
                files: &["convnext_tiny_22k_224.pth", "convnext_tiny.fb_in22k.safetensors"],
                source: "https://dl.fbaipublicfiles.com/convnext/convnext_tiny_22k_224.pth",
                hub: Some("timm/convnext_tiny.fb_in22k"),
            },
            WeightSet {
                name: "in22k_ft_in1k",
                files: &["convnext_tiny_22k_1k_224.pth", "convnext_tiny.fb_in22k_ft_in1k.safetensors"],
                source: "https://dl.fbaipublicfiles.com/convnext/convnext_tiny_22k_1k_224.pth",
                hub: Some("timm/convnext_tiny.fb_in22k_ft_in1k"),
            },
        ],
        ..WEIGHTS
    },
    ..CONVNEXT
};

pub const CONVNEXT_BASE: BackboneKind = BackboneKind {
    name: BASE.name,
    summary: "ConvNeXt-B as in timm, without stochastic depth; gap normalises the pooled features",
    stages: || stages(&BASE),
    build: |p, spec| ConvNext::build(p, &BASE, spec),
    timm: Some(BASE.name),
    parameters: 87_566_464,
    gflops: 15.355,
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &[
                    "convnext_base_1k_224_ema.pth",
                    "convnext_base.fb_in1k.safetensors",
                    "convnext_base.safetensors",
                    "convnext_base.pth",
                    "convnext_base-6075fbad.pth",
                ],
                source: "https://dl.fbaipublicfiles.com/convnext/convnext_base_1k_224_ema.pth",
                hub: Some("timm/convnext_base.fb_in1k"),
            },
            WeightSet {
                name: "in22k",
                files: &["convnext_base_22k_224.pth", "convnext_base.fb_in22k.safetensors"],
                source: "https://dl.fbaipublicfiles.com/convnext/convnext_base_22k_224.pth",
                hub: Some("timm/convnext_base.fb_in22k"),
            },
            WeightSet {
                name: "in22k_ft_in1k",
                files: &["convnext_base_22k_1k_224.pth", "convnext_base.fb_in22k_ft_in1k.safetensors"],
                source: "https://dl.fbaipublicfiles.com/convnext/convnext_base_22k_1k_224.pth",
                hub: Some("timm/convnext_base.fb_in22k_ft_in1k"),
            },
        ],
        ..WEIGHTS
    },
    ..CONVNEXT
};

/// Common to the family.
const CONVNEXT: BackboneKind = BackboneKind {
    interpolation: "bicubic",
    classifier: "head.fc",
    first_conv: "stem.0",
    pool: Some("head.norm."),
    paper: "Liu et al., A ConvNet for the 2020s, CVPR 2022",
    ..COMMON
};

const WEIGHTS: PublishedWeights = PublishedWeights {
    note: "timm's of the same name, the authors' and torchvision's; timm's clip_* expect pixels normalised by CLIP's mean, which this is not",
    rename: |name, _| rename(name),
    convert: |_, to, tensor, _| match to.ends_with(".gamma") && tensor.dim() == 3 {
        // torchvision's factors are [C, 1, 1].
        true => Ok(tensor.f_flatten(0, 2)?),
        false => Ok(tensor),
    },
    ..PublishedWeights::NONE
};

struct Shape {
    name: &'static str,
    blocks: [usize; 4],
    width: i64,
}

const TINY: Shape = Shape { name: "convnext_tiny", blocks: [3, 3, 9, 3], width: 96 };
const BASE: Shape = Shape { name: "convnext_base", blocks: [3, 3, 27, 3], width: 128 };
const NAMES: [&str; 4] = ["stages.0", "stages.1", "stages.2", "stages.3"];
const EPS: f64 = 1e-6;
/// Standard deviation of the initial weights. The authors cut the normal distribution off at 2, a hundred deviations away.
const DEVIATION: f64 = 0.02;
/// Initial factor of a block's output (LayerScale, Touvron et al., ICCV 2021).
const LAYER_SCALE: f64 = 1e-6;

fn stages(shape: &Shape) -> Vec<StageInfo> {
    (0..4).map(|i| StageInfo { name: NAMES[i], channels: shape.width << i, stride: 4 << i }).collect()
}

/// Stage 1 includes the stem, each later stage the halving of positions before it, the last one the norm after pooling.
struct ConvNext {
    stages: Vec<Stage>,
    /// Only where all stages are used and the head reads pooled features.
    norm: Option<LayerNorm>,
}

struct Stage {
    /// The stem, or the halving of positions.
    down: Conv,
    /// Of the stem's output, or of the input of the halving.
    norm: LayerNorm,
    blocks: Vec<Block>,
}

/// A 7×7 convolution in each channel, norm, feed-forward, factors, residual.
struct Block {
    conv: Conv,
    norm: LayerNorm,
    feed: FeedForward,
    gamma: Tensor,
}

/// A convolution with bias.
struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
    groups: i64,
}

impl Conv {
    /// Patches of `side` pixels that do not overlap.
    fn patches(p: &Scope, inputs: i64, outputs: i64, side: i64) -> Result<Conv> {
        let weight = p.normal("weight", &[outputs, inputs, side, side], DEVIATION)?;
        Ok(Conv { weight, bias: p.filled("bias", &[outputs], 0.0)?, stride: side, padding: 0, groups: 1 })
    }

    fn depthwise(p: &Scope, channels: i64) -> Result<Conv> {
        let weight = p.normal("weight", &[channels, 1, 7, 7], DEVIATION)?;
        Ok(Conv { weight, bias: p.filled("bias", &[channels], 0.0)?, stride: 1, padding: 3, groups: channels })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Conv { stride, padding, groups, .. } = *self;
        products::conv2d(x, &self.weight, Some(&self.bias), Window { stride, padding, groups })
    }
}

/// A layer norm over the channels of maps `[N, C, h, w]`.
fn norm_maps(norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
    Ok(norm.forward(&x.f_permute([0, 2, 3, 1])?)?.f_permute([0, 3, 1, 2])?)
}

impl ConvNext {
    fn build(p: &Scope, shape: &Shape, spec: &ModelSpec) -> Result<Box<dyn Backbone>> {
        let used = spec.stages.unwrap_or(NAMES.len());
        let (side, least) = (spec.image_size.unwrap_or(224), 4i64 << (used - 1));
        if side < least {
            return Err(Error::argument(format!(
                "image_size of {} with {used} stages must be at least {least}. Got {side} instead.",
                shape.name
            )));
        }
        let stage = |s: usize| p.frozen_if(s < spec.freeze);
        let mut stages = Vec::new();
        for (s, name) in NAMES.iter().enumerate().take(used) {
            let p = stage(s);
            let width = shape.width << s;
            let (down, norm) = match s {
                0 => (Conv::patches(&p.at("stem.0"), 3, width, 4)?, LayerNorm::new(&p.at("stem.1"), width, EPS)?),
                _ => {
                    let p = p.at(name).at("downsample");
                    let norm = LayerNorm::new(&p.at(0), width / 2, EPS)?;
                    (Conv::patches(&p.at(1), width / 2, width, 2)?, norm)
                }
            };
            let p = p.at(name).at("blocks");
            let blocks = (0..shape.blocks[s]).map(|b| Block::new(&p.at(b), width)).collect::<Result<_>>()?;
            stages.push(Stage { down, norm, blocks });
        }
        // Weights that nothing reads would have no gradient.
        let norm = match used == NAMES.len() && spec.head == "gap" {
            true => Some(LayerNorm::new(&stage(used - 1).at("head.norm"), shape.width << (used - 1), EPS)?),
            false => None,
        };
        Ok(Box::new(ConvNext { stages, norm }))
    }
}

impl Block {
    fn new(p: &Scope, width: i64) -> Result<Block> {
        Ok(Block {
            conv: Conv::depthwise(&p.at("conv_dw"), width)?,
            norm: LayerNorm::new(&p.at("norm"), width, EPS)?,
            feed: FeedForward {
                first: Linear::normal(&p.at("mlp.fc1"), width, 4 * width, DEVIATION)?,
                second: Linear::normal(&p.at("mlp.fc2"), 4 * width, width, DEVIATION)?,
                activation: Activation::Gelu,
            },
            gamma: p.filled("gamma", &[width], LAYER_SCALE)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.norm.forward(&self.conv.forward(x)?.f_permute([0, 2, 3, 1])?)?;
        // In mixed precision the product is f32, as the factors are.
        let y = self.feed.forward(&y)?.f_mul(&self.gamma)?;
        Ok(x.f_add(&y.f_permute([0, 3, 1, 2])?)?)
    }
}

impl Backbone for ConvNext {
    fn stage(&self, stage: usize, x: &Tensor, _train: bool) -> Result<Tensor> {
        let Stage { down, norm, blocks } = &self.stages[stage - 1];
        let mut x = match stage {
            1 => norm_maps(norm, &down.forward(x)?)?,
            _ => down.forward(&norm_maps(norm, x)?)?,
        };
        for block in blocks {
            x = block.forward(&x)?;
        }
        Ok(x)
    }

    fn pooled(&self, x: &Tensor) -> Result<Tensor> {
        let mean = average_pool(x)?;
        match &self.norm {
            Some(norm) => norm.forward(&mean),
            None => Ok(mean),
        }
    }

    fn pools_itself(&self) -> bool {
        self.norm.is_some()
    }
}

/// timm's name for the authors' and for torchvision's.
fn rename(name: &str) -> Option<String> {
    let (module, leaf) = name.rsplit_once('.').unwrap_or(("", name));
    let parts: Vec<&str> = module.split('.').collect();
    let module = match parts.as_slice() {
        // The authors': layers 0 and 1 of the stem, or of the halving before a stage.
        ["downsample_layers", "0", layer] => format!("stem.{layer}"),
        ["downsample_layers", stage, layer] => format!("stages.{stage}.downsample.{layer}"),
        ["stages", stage, block] => format!("stages.{stage}.blocks.{block}"),
        ["stages", stage, block, layer] => {
            let layer = match *layer {
                "dwconv" => "conv_dw",
                "norm" => "norm",
                "pwconv1" => "mlp.fc1",
                "pwconv2" => "mlp.fc2",
                // timm's own.
                _ => return Some(name.to_string()),
            };
            format!("stages.{stage}.blocks.{block}.{layer}")
        }
        ["norm"] => "head.norm".to_string(),
        ["head"] => "head.fc".to_string(),
        // torchvision's: the stem is 0, stages are odd, the halvings between them even.
        ["features", "0", layer] => format!("stem.{layer}"),
        ["features", at, rest @ ..] => {
            let at: usize = at.parse().ok()?;
            match (at % 2, rest) {
                (0, [layer]) => format!("stages.{}.downsample.{layer}", at / 2),
                (1, [block]) if leaf == "layer_scale" => {
                    return Some(format!("stages.{}.blocks.{block}.gamma", at / 2));
                }
                (1, [block, "block", layer]) => {
                    let layer = match *layer {
                        "0" => "conv_dw",
                        "2" => "norm",
                        "3" => "mlp.fc1",
                        "5" => "mlp.fc2",
                        _ => return None,
                    };
                    format!("stages.{}.blocks.{block}.{layer}", at / 2)
                }
                _ => return None,
            }
        }
        ["classifier", "0"] => "head.norm".to_string(),
        ["classifier", "2"] => "head.fc".to_string(),
        _ => return Some(name.to_string()),
    };
    Some(format!("{module}.{leaf}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_and_torchvisions_names_become_timms() {
        let pairs = [
            ("downsample_layers.0.1.bias", "stem.1.bias"),
            ("downsample_layers.3.1.weight", "stages.3.downsample.1.weight"),
            ("stages.2.8.dwconv.weight", "stages.2.blocks.8.conv_dw.weight"),
            ("stages.2.8.pwconv2.bias", "stages.2.blocks.8.mlp.fc2.bias"),
            ("stages.2.8.gamma", "stages.2.blocks.8.gamma"),
            ("norm.weight", "head.norm.weight"),
            ("head.weight", "head.fc.weight"),
            ("features.0.0.weight", "stem.0.weight"),
            ("features.6.1.bias", "stages.3.downsample.1.bias"),
            ("features.5.8.block.0.weight", "stages.2.blocks.8.conv_dw.weight"),
            ("features.1.0.block.5.bias", "stages.0.blocks.0.mlp.fc2.bias"),
            ("features.7.2.layer_scale", "stages.3.blocks.2.gamma"),
            ("classifier.2.bias", "head.fc.bias"),
            ("stages.1.downsample.0.weight", "stages.1.downsample.0.weight"),
            ("stages.1.blocks.0.norm.weight", "stages.1.blocks.0.norm.weight"),
            ("head.fc.weight", "head.fc.weight"),
        ];
        for (theirs, ours) in pairs {
            assert_eq!(rename(theirs).as_deref(), Some(ours));
        }
    }
}
