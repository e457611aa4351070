//! TResNet-M, -L and -XL, and -L of the second version, under timm's names. Source: Ridnik et al., "TResNet: High Performance
//! GPU-Dedicated Architecture",
//! WACV 2021. Batch norm and leaky ReLU replace the original's in-place ABN, which is the same function with weight
//! |w| + eps.

use tch::Tensor;

use super::super::layers::{ConvConfig, ConvNorm, Linear, leaky_relu, relu};
use super::super::params::Scope;
use super::super::products::{self, Window};
use super::{Backbone, BackboneKind, COMMON, PublishedWeights, StageInfo, WeightSet};
use crate::error::{Error, Result};
use crate::models::ModelSpec;
use crate::torch::Constants;

pub const TRESNET_M: BackboneKind = BackboneKind {
    name: "tresnet_m",
    summary: "TResNet-M with plain batch norm, as in timm",
    image_size: 224,
    stages: || stages(&M),
    build: |p, spec| TResNet::build(p, &M, spec),
    timm: Some("tresnet_m"),
    parameters: 29_340_032,
    gflops: 5.735,
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &["tresnet_m.pth", "tresnet_m.safetensors", "tresnet_m_448.pth"],
                source: "tresnet_m.pth of the model zoo of https://github.com/Alibaba-MIIL/TResNet",
                hub: Some("timm/tresnet_m.miil_in1k_448"),
            },
            WeightSet {
                name: "in21k",
                files: &["tresnet_m_miil_in21k.pth", "tresnet_m_miil_in21k.safetensors"],
                source: "tresnet_m_miil_in21k.pth of the model zoo of https://github.com/Alibaba-MIIL/ImageNet21K",
                hub: Some("timm/tresnet_m.miil_in21k"),
            },
            WeightSet {
                name: "in21k_ft_in1k",
                files: &["tresnet_m_1k_miil_83_1.pth", "tresnet_m_1k_miil_83_1.safetensors"],
                source: "tresnet_m_1k_miil_83_1.pth of the model zoo of https://github.com/Alibaba-MIIL/ImageNet21K",
                hub: Some("timm/tresnet_m.miil_in21k_ft_in1k"),
            },
        ],
        ..WEIGHTS
    },
    ..TRESNET
};

pub const TRESNET_L: BackboneKind = BackboneKind {
    name: "tresnet_l",
    summary: "TResNet-L (first version: layers 4-5-18-3, width 76) with plain batch norm, as in timm",
    image_size: 448,
    stages: || stages(&L),
    build: |p, spec| TResNet::build(p, &L, spec),
    timm: Some("tresnet_l"),
    parameters: 53_556_256,
    gflops: 43.495,
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &["tresnet_l.pth", "tresnet_l.safetensors", "tresnet_l_448.pth"],
                source: "tresnet_l_448.pth of the model zoo of https://github.com/Alibaba-MIIL/TResNet",
                hub: Some("timm/tresnet_l.miil_in1k_448"),
            },
            WeightSet {
                name: "coco",
                // The authors' file is spelled so.
                files: &["MS_COCO_TRresNet_L_448_86.6.pth", "MS_COCO_TResNet_L_448_86.6.pth"],
                source: "the model zoo of https://github.com/Alibaba-MIIL/ASL (trained on the pictures of COCO: not for experiments on COCO)",
                hub: None,
            },
        ],
        ..WEIGHTS
    },
    ..TRESNET
};

pub const TRESNET_XL: BackboneKind = BackboneKind {
    name: "tresnet_xl",
    summary: "TResNet-XL (layers 4-5-24-3, width 83) with plain batch norm, as in timm",
    image_size: 448,
    stages: || stages(&XL),
    build: |p, spec| TResNet::build(p, &XL, spec),
    timm: Some("tresnet_xl"),
    parameters: 75_779_244,
    gflops: 60.652,
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &["tresnet_xl.pth", "tresnet_xl.safetensors", "tresnet_xl_448.pth"],
                source: "https://huggingface.co/timm/tresnet_xl.miil_in1k_448 (model.safetensors, to be named tresnet_xl.safetensors), or tresnet_xl_448.pth of the model zoo of https://github.com/Alibaba-MIIL/TResNet",
                hub: Some("timm/tresnet_xl.miil_in1k_448"),
            },
            WeightSet {
                name: "coco",
                files: &["MS_COCO_TResNet_xl_640_88.4.pth"],
                source: "the model zoo of https://github.com/Alibaba-MIIL/ASL, that is https://miil-public-eu.oss-eu-central-1.aliyuncs.com/model-zoo/ASL/MS_COCO_TResNet_xl_640_88.4.pth (for image_size 640; trained on the pictures of COCO: not for experiments on COCO)",
                hub: None,
            },
            WeightSet {
                name: "voc",
                files: &["PASCAL_VOC_TResNet_xl_448_96.0.pth"],
                source: "the model zoo of https://github.com/Alibaba-MIIL/ASL, that is https://miil-public-eu.oss-eu-central-1.aliyuncs.com/model-zoo/ASL/PASCAL_VOC_TResNet_xl_448_96.0.pth (trained on the pictures of Pascal VOC: not for experiments on it)",
                hub: None,
            },
        ],
        ..WEIGHTS
    },
    ..TRESNET
};

/// Ridnik et al. use it for ML-Decoder, under the name TResNet-L.
pub const TRESNET_V2_L: BackboneKind = BackboneKind {
    name: "tresnet_v2_l",
    summary: "TResNet-L of the second version (bottlenecks everywhere, layers 3-4-23-3, width 64) with plain batch norm, as in timm; \
              ML-Decoder's TResNet-L",
    image_size: 448,
    stages: || stages(&V2_L),
    build: |p, spec| TResNet::build(p, &V2_L, spec),
    timm: Some("tresnet_v2_l"),
    parameters: 44_125_824,
    gflops: 35.242,
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "in21k",
                files: &["tresnet_v2_l_in21k.pth", "tresnet_v2_l.miil_in21k.safetensors"],
                source: "https://huggingface.co/timm/tresnet_v2_l.miil_in21k (model.safetensors, to be named tresnet_v2_l.miil_in21k.safetensors)",
                hub: Some("timm/tresnet_v2_l.miil_in21k"),
            },
            WeightSet {
                name: "in21k_ft_in1k",
                files: &["tresnet_v2_l.pth", "tresnet_v2_l.safetensors"],
                source: "https://huggingface.co/timm/tresnet_v2_l.miil_in21k_ft_in1k (model.safetensors, to be named tresnet_v2_l.safetensors)",
                hub: Some("timm/tresnet_v2_l.miil_in21k_ft_in1k"),
            },
        ],
        ..WEIGHTS
    },
    ..TRESNET
};

/// Common to the whole family: its weights expect pixels in [0, 1] as they are.
const TRESNET: BackboneKind = BackboneKind {
    mean: [0.0; 3],
    std: [1.0; 3],
    classifier: "head.fc",
    first_conv: "body.conv1.conv",
    paper: "Ridnik et al., TResNet: High Performance GPU-Dedicated Architecture, WACV 2021",
    ..COMMON
};

const WEIGHTS: PublishedWeights = PublishedWeights {
    note: "the authors' (in-place ABN; ASL's and CPSD's checkpoints too) and timm's",
    rename: |name, _| rename(name),
    convert: |from, to, tensor, _| {
        // In-place ABN multiplies by |w| + eps.
        match from != to && to.ends_with(".bn.weight") {
            true => Ok(tensor.f_abs()?.f_add_scalar(EPS)?),
            false => Ok(tensor),
        }
    },
    ..PublishedWeights::NONE
};

struct Shape {
    blocks: [usize; 4],
    width: i64,
    /// The first stages, which consist of basic blocks; the others consist of bottlenecks, which are four times as wide.
    basic: usize,
}

const M: Shape = Shape { blocks: [3, 4, 11, 3], width: 64, basic: 2 };
const L: Shape = Shape { blocks: [4, 5, 18, 3], width: 76, basic: 2 };
const XL: Shape = Shape { blocks: [4, 5, 24, 3], width: 83, basic: 2 };
const V2_L: Shape = Shape { blocks: [3, 4, 23, 3], width: 64, basic: 0 };
const NAMES: [&str; 4] = ["layer1", "layer2", "layer3", "layer4"];
/// Names of a convolution and its norm.
const NORMED: [&str; 2] = ["conv", "bn"];
const EPS: f64 = 1e-5;
/// Slope of the leaky ReLU within blocks, and in the stem, where the reference uses PyTorch's default.
const SLOPE: f64 = 1e-3;
const STEM_SLOPE: f64 = 1e-2;

impl Shape {
    fn expansion(&self, stage: usize) -> i64 {
        if stage < self.basic { 1 } else { 4 }
    }

    fn outputs(&self, stage: usize) -> i64 {
        (self.width << stage) * self.expansion(stage)
    }
}

fn stages(shape: &Shape) -> Vec<StageInfo> {
    (0..4).map(|i| StageInfo { name: NAMES[i], channels: shape.outputs(i), stride: 4 << i }).collect()
}

struct TResNet {
    stem: ConvNorm,
    layers: Vec<Vec<Block>>,
    freeze: usize,
}

/// Convolutions (two 3×3, or 1×1, 3×3, 1×1), squeeze-excite before the last of a bottleneck or after that of a basic
/// block, a shortcut.
struct Block {
    convs: Vec<ConvNorm>,
    /// The convolution whose output is blurred and halved in size.
    blurred: Option<usize>,
    excite: Option<(usize, SqueezeExcite)>,
    shortcut: Option<ConvNorm>,
}

impl TResNet {
    fn build(p: &Scope, shape: &Shape, spec: &ModelSpec) -> Result<Box<dyn Backbone>> {
        let stage = |i: usize| p.at("body").frozen_if(i < spec.freeze);
        let stem = conv(&stage(0).at("conv1"), 48, shape.width, 3)?;
        let mut layers = Vec::new();
        let mut inputs = shape.width;
        for (i, name) in NAMES.iter().enumerate().take(spec.stages.unwrap_or(4)) {
            let p = stage(i).at(name);
            let mut layer = Vec::new();
            for b in 0..shape.blocks[i] {
                layer.push(Block::new(&p.at(b), shape, i, inputs, b == 0 && i > 0)?);
                inputs = shape.outputs(i);
            }
            layers.push(layer);
        }
        Ok(Box::new(TResNet { stem, layers, freeze: spec.freeze }))
    }
}

/// A convolution of stride 1 and its norm.
fn conv(p: &Scope, inputs: i64, outputs: i64, kernel: i64) -> Result<ConvNorm> {
    ConvNorm::new(p, NORMED, ConvConfig { inputs, outputs, kernel, ..ConvConfig::PLAIN }, EPS)
}

impl Block {
    fn new(p: &Scope, shape: &Shape, stage: usize, inputs: i64, halve: bool) -> Result<Block> {
        let (width, outputs, expansion) = (shape.width << stage, shape.outputs(stage), shape.expansion(stage));
        let (plan, blurred, excited) = match expansion {
            1 => (vec![(inputs, width, 3), (width, width, 3)], 0, 1),
            _ => (vec![(inputs, width, 1), (width, width, 3), (width, outputs, 1)], 1, 1),
        };
        let last = plan.len();
        let convs = (1..)
            .zip(plan)
            .map(|(i, (inputs, outputs, kernel))| {
                let (p, config) =
                    (p.at(format!("conv{i}")), ConvConfig { inputs, outputs, kernel, ..ConvConfig::PLAIN });
                // As in the authors' code, a block starts as its shortcut.
                match i == last {
                    true => ConvNorm::from_zero(&p, NORMED, config, EPS),
                    false => ConvNorm::new(&p, NORMED, config, EPS),
                }
            })
            .collect::<Result<_>>()?;
        let excite = match stage {
            3 => None,
            _ => {
                let hidden = (outputs / if expansion == 1 { 4 } else { 8 }).max(64);
                Some((excited, SqueezeExcite::new(&p.at("se"), width, hidden)?))
            }
        };
        let shortcut = match (halve, inputs != outputs) {
            // Average pooling comes first and has no parameters.
            (true, _) => Some(conv(&p.at("downsample.1"), inputs, outputs, 1)?),
            (false, true) => Some(conv(&p.at("downsample.0"), inputs, outputs, 1)?),
            (false, false) => None,
        };
        Ok(Block { convs, blurred: halve.then_some(blurred), excite, shortcut })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = x.shallow_clone();
        for (i, conv) in self.convs.iter().enumerate() {
            y = conv.forward(&y, train)?;
            if i + 1 < self.convs.len() {
                y = leaky_relu(&y, SLOPE)?;
            }
            if self.blurred == Some(i) {
                y = blur(&y)?;
            }
            if let Some((at, excite)) = &self.excite
                && *at == i
            {
                y = excite.forward(&y)?;
            }
        }
        let mut shortcut = x.shallow_clone();
        if self.blurred.is_some() {
            shortcut = shortcut.f_avg_pool2d([2, 2], [2, 2], [0, 0], true, false, None)?;
        }
        if let Some(conv) = &self.shortcut {
            shortcut = conv.forward(&shortcut, train)?;
        }
        relu(y.f_add(&shortcut)?)
    }
}

/// The 3×3 binomial filter of [`blur`] by the number of channels.
static FILTERS: Constants<i64> = Constants::new();

/// Zhang 2019: a 3×3 binomial filter at every second position, edges mirrored.
fn blur(x: &Tensor) -> Result<Tensor> {
    let channels = x.size()[1];
    let filter = FILTERS.get(channels, x.device(), x.kind(), || {
        let filter: [f32; 9] = [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0].map(|v| v / 16.0);
        Ok(Tensor::f_from_slice(&filter)?.f_view([1, 1, 3, 3])?.f_repeat([channels, 1, 1, 1])?)
    })?;
    products::conv2d(&mirrored(x)?, &filter, None, Window { stride: 2, padding: 0, groups: channels })
}

/// One row and one column more on each side, mirrored without the edge itself: `reflection_pad2d` by 1, whose result on a GPU is
/// not channels-last.
fn mirrored(x: &Tensor) -> Result<Tensor> {
    let mut x = x.shallow_clone();
    for along in [2, 3] {
        let side = x.size()[along as usize];
        if side < 2 {
            return Err(Error::argument(format!(
                "the picture is too small for a TResNet: {} position is left before it is blurred",
                side
            ))
            .with_help("image_size 64 is large enough for all stages"));
        }
        x = Tensor::f_cat(&[x.f_narrow(along, 1, 1)?, x.shallow_clone(), x.f_narrow(along, side - 2, 1)?], along)?;
    }
    Ok(x)
}

/// Moves 4×4 pixels to one position of 48 channels, ordered by row, column and colour, the colour fastest. The result is
/// channels-last.
fn space_to_depth(x: &Tensor) -> Result<Tensor> {
    let size = x.size();
    let (n, c, h, w) = (size[0], size[1], size[2], size[3]);
    if h % 4 != 0 || w % 4 != 0 {
        return Err(Error::argument(format!(
            "image_size of a TResNet must be a multiple of 4. Got {h} × {w} instead."
        )));
    }
    let x = x.f_permute([0, 2, 3, 1])?.f_reshape([n, h / 4, 4, w / 4, 4, c])?.f_permute([0, 1, 3, 2, 4, 5])?;
    Ok(x.f_reshape([n, h / 4, w / 4, c * 16])?.f_permute([0, 3, 1, 2])?)
}

/// Weights each channel by a function of the means of all channels (Hu et al. 2018).
struct SqueezeExcite(Linear, Linear);

impl SqueezeExcite {
    fn new(p: &Scope, channels: i64, hidden: i64) -> Result<SqueezeExcite> {
        // 1×1 convolutions, so their weights start as those of the others, with PyTorch's bias.
        let layer = |name: &str, inputs: i64, outputs: i64| -> Result<Linear> {
            let p = p.at(name);
            let weight = p.conv([outputs, inputs, 1, 1], 1)?;
            Ok(Linear { weight, bias: p.uniform("bias", &[outputs], 1.0 / (inputs as f64).sqrt())? })
        };
        Ok(SqueezeExcite(layer("fc1", channels, hidden)?, layer("fc2", hidden, channels)?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mean = x.f_mean_dim(Some(&[2i64, 3][..]), true, None)?;
        let hidden = self.0.on_maps(&mean)?.f_relu()?;
        Ok(x.f_mul(&self.1.on_maps(&hidden)?.f_sigmoid()?)?)
    }
}

impl Backbone for TResNet {
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor> {
        let train = train && stage > self.freeze;
        let mut x = x.shallow_clone();
        if stage == 1 {
            x = leaky_relu(&self.stem.forward(&space_to_depth(&x)?, train)?, STEM_SLOPE)?;
        }
        for block in &self.layers[stage - 1] {
            x = block.forward(&x, train)?;
        }
        Ok(x)
    }
}

/// The authors' names: a convolution and its in-place ABN are `.0` and `.1` of a pair, which is wrapped once more where
/// the anti-aliasing filter follows. `body.layer1.0.conv1.0.weight` → `body.layer1.0.conv1.conv.weight`; `body.` may be
/// missing.
fn rename(name: &str) -> Option<String> {
    if name.ends_with("num_batches_tracked") {
        return None;
    }
    if let Some(leaf) = name.strip_prefix("fc.").or_else(|| name.strip_prefix("head.fc.")) {
        return Some(format!("head.fc.{leaf}"));
    }
    let path = name.strip_prefix("body.").unwrap_or(name);
    let mut parts: Vec<&str> = path.split('.').collect();
    let leaf = parts.pop()?;
    // The numbers within a pair begin after `conv1`, or after the index in `downsample`.
    let pair = parts.iter().position(|p| p.starts_with("conv") || *p == "downsample");
    if let Some(at) = pair {
        let keep = at + if parts[at] == "downsample" { 2 } else { 1 };
        let tail: Vec<&str> = parts.get(keep..)?.to_vec();
        let part = match tail.as_slice() {
            ["0"] | ["0", "0"] | ["conv"] => "conv",
            ["1"] | ["0", "1"] | ["bn"] => "bn",
            _ => return None,
        };
        parts.truncate(keep);
        parts.push(part);
    }
    parts.push(leaf);
    Some(format!("body.{}", parts.join(".")))
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::models::memory_format::is_channels_last;

    #[test]
    fn the_authors_names_become_timms() {
        let pairs = [
            ("body.conv1.0.weight", "body.conv1.conv.weight"),
            ("conv1.1.running_mean", "body.conv1.bn.running_mean"),
            ("body.layer2.0.conv1.0.0.weight", "body.layer2.0.conv1.conv.weight"),
            ("body.layer2.0.conv1.0.1.weight", "body.layer2.0.conv1.bn.weight"),
            ("layer3.4.conv3.1.bias", "body.layer3.4.conv3.bn.bias"),
            ("body.layer2.0.downsample.1.0.weight", "body.layer2.0.downsample.1.conv.weight"),
            ("body.layer3.1.se.fc2.bias", "body.layer3.1.se.fc2.bias"),
            ("head.fc.weight", "head.fc.weight"),
            ("fc.bias", "head.fc.bias"),
        ];
        for (theirs, ours) in pairs {
            assert_eq!(rename(theirs).as_deref(), Some(ours));
        }
        assert_eq!(rename("body.conv1.1.num_batches_tracked"), None);
    }

    /// Maps whose numbers are all different, in the order of a picture that was read.
    fn maps(size: [i64; 4]) -> Tensor {
        let [n, c, h, w] = size;
        crate::torch::normal(1, "maps", &[n, h, w, c], 1.0).unwrap().permute([0, 3, 1, 2])
    }

    #[test]
    fn moves_and_mirrors_are_those_of_libtorch_and_stay_channels_last() {
        let x = maps([2, 3, 8, 12]);
        let y = space_to_depth(&x).unwrap();
        let expected = x.reshape([2, 3, 2, 4, 3, 4]).permute([0, 3, 5, 1, 2, 4]).reshape([2, 48, 2, 3]);
        assert!(is_channels_last(&y) && y == expected);
        for size in [[2, 5, 7, 4], [1, 3, 2, 2]] {
            let (x, theirs) = (maps(size).set_requires_grad(true), maps(size).set_requires_grad(true));
            let (y, expected) = (mirrored(&x).unwrap(), theirs.reflection_pad2d([1, 1, 1, 1]));
            assert!(is_channels_last(&y) && y == expected, "{size:?}");
            (&y * &y).sum(Kind::Float).backward();
            (&expected * &expected).sum(Kind::Float).backward();
            assert!(x.grad().allclose(&theirs.grad(), 0.0, 1e-5, false), "{size:?}");
        }
        let error = mirrored(&maps([1, 3, 1, 4])).unwrap_err().message;
        assert!(error.contains("too small for a TResNet"), "{error}");
    }

    #[test]
    fn pixels_go_to_channels_row_by_row() {
        let x = Tensor::arange(4 * 4 * 3, (tch::Kind::Float, tch::Device::Cpu)).view([1, 3, 4, 4]);
        let y = crate::torch::to_vec_f32(&space_to_depth(&x).unwrap()).unwrap();
        assert_eq!(&y[..6], [0.0, 16.0, 32.0, 1.0, 17.0, 33.0]);
    }
}
