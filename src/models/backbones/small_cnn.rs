//! A small residual network for pictures of 48 to 96 pixels, trained from scratch.

use tch::Tensor;

use super::super::layers::{BatchNorm, Conv, Padding};
use super::super::params::Params;
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
            p.freezing = i < freeze;
            built.push(Stage::new(p, NAMES[i], inputs, width)?);
            inputs = width;
        }
        p.freezing = false;
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
    down: (Conv, BatchNorm),
    first: (Conv, BatchNorm),
    second: (Conv, BatchNorm),
}

impl Stage {
    fn new(p: &mut Params, name: &str, inputs: i64, width: i64) -> Result<Stage> {
        let mut pair = |part: &str, inputs, stride| -> Result<(Conv, BatchNorm)> {
            Ok((
                Conv::new(p, &format!("{name}.{part}.conv"), (inputs, width), 3, stride, 1, Padding::Half)?,
                BatchNorm::new(p, &format!("{name}.{part}.bn"), width, EPS)?,
            ))
        };
        Ok(Stage { down: pair("down", inputs, 2)?, first: pair("first", width, 1)?, second: pair("second", width, 1)? })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.down.1.forward(&self.down.0.forward(x)?, train)?.f_relu()?;
        let y = self.first.1.forward(&self.first.0.forward(&x)?, train)?.f_relu()?;
        let y = self.second.1.forward(&self.second.0.forward(&y)?, train)?;
        Ok(x.f_add(&y)?.f_relu()?)
    }
}

impl Backbone for SmallCnn {
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor> {
        self.stages[stage - 1].forward(x, train && stage > self.freeze)
    }
}
