//! A small residual network for pictures of 48 to 96 pixels, trained from scratch.

use tch::Tensor;

use super::super::layers::{ConvConfig, ConvNorm, added, relu};
use super::super::params::Scope;
use super::{Backbone, BackboneKind, COMMON, StageInfo};
use crate::error::Result;

pub const SMALL_CNN: BackboneKind = BackboneKind {
    name: "small_cnn",
    summary: "a small residual network for 48 to 96 pixels, from scratch",
    image_size: 64,
    mean: [0.5; 3],
    std: [0.5; 3],
    stages: || {
        WIDTHS.iter().enumerate().map(|(i, &channels)| StageInfo { name: NAMES[i], channels, stride: 2 << i }).collect()
    },
    build: |p, spec| {
        let (stages, freeze) = (spec.stages.unwrap_or(WIDTHS.len()), spec.freeze);
        let mut built = Vec::new();
        let mut inputs = 3;
        for (i, &width) in WIDTHS.iter().enumerate().take(stages) {
            built.push(Stage::new(&p.frozen_if(i < freeze).at(NAMES[i]), inputs, width)?);
            inputs = width;
        }
        Ok(Box::new(SmallCnn { stages: built, freeze }))
    },
    first_conv: "stage1.down.conv",
    crop_pct: 1.0,
    parameters: 1_367_328,
    gflops: 0.081,
    paper: "made for this program; residual blocks as in He et al., CVPR 2016",
    ..COMMON
};

const WIDTHS: [i64; 4] = [32, 64, 128, 192];
const NAMES: [&str; 4] = ["stage1", "stage2", "stage3", "stage4"];
const EPS: f64 = 1e-5;

struct SmallCnn {
    stages: Vec<Stage>,
    freeze: usize,
}

/// A strided convolution, then a residual pair at the new scale.
struct Stage {
    down: ConvNorm,
    first: ConvNorm,
    second: ConvNorm,
}

impl Stage {
    fn new(p: &Scope, inputs: i64, outputs: i64) -> Result<Stage> {
        let layer = |name: &str, inputs, stride| {
            let config = ConvConfig { inputs, outputs, kernel: 3, stride, ..ConvConfig::PLAIN };
            ConvNorm::new(&p.at(name), ["conv", "bn"], config, EPS)
        };
        Ok(Stage {
            down: layer("down", inputs, 2)?,
            first: layer("first", outputs, 1)?,
            second: layer("second", outputs, 1)?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let x = relu(self.down.forward(x, train)?)?;
        let y = relu(self.first.forward(&x, train)?)?;
        let y = self.second.forward(&y, train)?;
        relu(added(y, &x)?)
    }
}

impl Backbone for SmallCnn {
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor> {
        self.stages[stage - 1].forward(x, train && stage > self.freeze)
    }
}
