//! Backbones: pictures to feature maps, in stages. One file a family, one line a backbone.

mod efficientnet_lite;
mod resnet;
mod small_cnn;

use tch::Tensor;

use super::params::Params;
use crate::error::{Error, Result};

/// One stage of a backbone: what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageInfo {
    pub name: &'static str,
    pub channels: i64,
    /// Input pixels an output position spans in each direction.
    pub stride: i64,
}

/// A row of stages. Stage s of `1..=n` reads what stage s - 1 gave; stage 1 reads normalised pictures.
pub trait Backbone: Send {
    /// One stage, in training mode or not.
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor>;
}

/// What is known of a backbone before it is built.
pub struct BackboneKind {
    pub name: &'static str,
    pub summary: &'static str,
    /// Side of the square input that its weights were trained for.
    pub image_size: i64,
    /// Pixel values in [0, 1] are normalised as (x - mean) / std, by channel.
    pub mean: [f64; 3],
    pub std: [f64; 3],
    pub stages: fn() -> Vec<StageInfo>,
    /// Builds the first `stages` stages; those up to `freeze` are made as frozen.
    pub build: fn(p: &mut Params, stages: usize, freeze: usize) -> Result<Box<dyn Backbone>>,
    /// The name that torchvision or timm give the last linear layer.
    pub classifier: &'static str,
    /// The file of ImageNet weights and where it is had, when there is one.
    pub imagenet: Option<ImageNetWeights>,
}

/// Published weights of a backbone.
pub struct ImageNetWeights {
    pub file: &'static str,
    pub source: &'static str,
    /// The published name of a tensor as this crate's, none for what it has no use for.
    pub rename: fn(&str) -> Option<String>,
}

const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// All backbones: a line each.
pub const BACKBONES: &[BackboneKind] = &[
    small_cnn::SMALL_CNN,
    resnet::RESNET18,
    resnet::RESNET34,
    efficientnet_lite::EFFICIENTNET_LITE0,
];

/// The backbone of that name. Errors: an unknown name, with the nearest.
pub fn find(name: &str) -> Result<&'static BackboneKind> {
    BACKBONES
        .iter()
        .find(|k| k.name == name)
        .ok_or_else(|| Error::unknown("backbone", name, BACKBONES.iter().map(|k| k.name)))
}
