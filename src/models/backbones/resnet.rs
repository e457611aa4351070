//! ResNet with basic blocks, under torchvision's names. Source: He et al., "Deep Residual Learning", CVPR 2016.

use tch::Tensor;

use super::super::layers::{BatchNorm, Conv, Padding};
use super::super::params::Params;
use super::{Backbone, BackboneKind, IMAGENET_MEAN, IMAGENET_STD, ImageNetWeights, StageInfo};
use crate::error::Result;

pub const RESNET18: BackboneKind = BackboneKind {
    name: "resnet18",
    summary: "ResNet-18 as in torchvision",
    build: |p, stages, freeze| ResNet::build(p, [2, 2, 2, 2], stages, freeze),
    imagenet: Some(ImageNetWeights { file: "resnet18.pth", source: "torchvision's resnet18-f37072fd.pth", rename: same }),
    ..BASIC
};

pub const RESNET34: BackboneKind = BackboneKind {
    name: "resnet34",
    summary: "ResNet-34 as in torchvision",
    build: |p, stages, freeze| ResNet::build(p, [3, 4, 6, 3], stages, freeze),
    imagenet: Some(ImageNetWeights { file: "resnet34.pth", source: "torchvision's resnet34-b627a593.pth", rename: same }),
    ..BASIC
};

/// What the networks of basic blocks share.
const BASIC: BackboneKind = BackboneKind {
    name: "",
    summary: "",
    image_size: 224,
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
    stages: || (0..4).map(|i| StageInfo { name: NAMES[i], channels: WIDTHS[i], stride: 4 << i }).collect(),
    build: |p, stages, freeze| ResNet::build(p, [2, 2, 2, 2], stages, freeze),
    classifier: "fc",
    imagenet: None,
};

const NAMES: [&str; 4] = ["layer1", "layer2", "layer3", "layer4"];
const WIDTHS: [i64; 4] = [64, 128, 256, 512];
const EPS: f64 = 1e-5;

fn same(name: &str) -> Option<String> {
    Some(name.to_string())
}

struct ResNet {
    stem: (Conv, BatchNorm),
    layers: Vec<Vec<Block>>,
    freeze: usize,
}

struct Block {
    first: (Conv, BatchNorm),
    second: (Conv, BatchNorm),
    shortcut: Option<(Conv, BatchNorm)>,
}

impl ResNet {
    fn build(p: &mut Params, blocks: [usize; 4], stages: usize, freeze: usize) -> Result<Box<dyn Backbone>> {
        p.freezing = freeze > 0;
        let stem = (
            Conv::new(p, "conv1", (3, 64), 7, 2, 1, Padding::Half)?,
            BatchNorm::new(p, "bn1", 64, EPS)?,
        );
        let mut layers = Vec::new();
        let mut inputs = 64;
        for i in 0..stages {
            p.freezing = i < freeze;
            let mut layer = Vec::new();
            for b in 0..blocks[i] {
                let stride = if b == 0 && i > 0 { 2 } else { 1 };
                layer.push(Block::new(p, &format!("{}.{b}", NAMES[i]), (inputs, WIDTHS[i]), stride)?);
                inputs = WIDTHS[i];
            }
            layers.push(layer);
        }
        p.freezing = false;
        Ok(Box::new(ResNet { stem, layers, freeze }))
    }
}

impl Block {
    fn new(p: &mut Params, name: &str, channels: (i64, i64), stride: i64) -> Result<Block> {
        let (inputs, width) = channels;
        let first = (
            Conv::new(p, &format!("{name}.conv1"), (inputs, width), 3, stride, 1, Padding::Half)?,
            BatchNorm::new(p, &format!("{name}.bn1"), width, EPS)?,
        );
        let second = (
            Conv::new(p, &format!("{name}.conv2"), (width, width), 3, 1, 1, Padding::Half)?,
            BatchNorm::new(p, &format!("{name}.bn2"), width, EPS)?,
        );
        let shortcut = match stride != 1 || inputs != width {
            false => None,
            true => Some((
                Conv::new(p, &format!("{name}.downsample.0"), (inputs, width), 1, stride, 1, Padding::Half)?,
                BatchNorm::new(p, &format!("{name}.downsample.1"), width, EPS)?,
            )),
        };
        Ok(Block { first, second, shortcut })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.first.1.forward(&self.first.0.forward(x)?, train)?.f_relu()?;
        let y = self.second.1.forward(&self.second.0.forward(&y)?, train)?;
        let shortcut = match &self.shortcut {
            Some((conv, norm)) => norm.forward(&conv.forward(x)?, train)?,
            None => x.shallow_clone(),
        };
        Ok(y.f_add(&shortcut)?.f_relu()?)
    }
}

impl Backbone for ResNet {
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor> {
        let train = train && stage > self.freeze;
        let mut x = x.shallow_clone();
        if stage == 1 {
            x = self.stem.1.forward(&self.stem.0.forward(&x)?, train)?.f_relu()?;
            x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        }
        for block in &self.layers[stage - 1] {
            x = block.forward(&x, train)?;
        }
        Ok(x)
    }
}
