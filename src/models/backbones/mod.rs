//! Backbones: pictures to feature maps, in stages. One file per family, one line in the list per backbone.

mod convnext;
mod efficientnet_lite;
mod resnet;
mod small_cnn;
mod swin;
pub(super) mod torchscript;
mod tresnet;
mod vit;

use tch::Tensor;

use super::ModelSpec;
use super::adapter::{Adapted, BeforeBlock, Lora, Tokens};
use super::layers::average_pool;
use super::params::Scope;
use super::pass::Pass;
use crate::error::{Error, Result};

/// The output of one stage of a backbone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageInfo {
    pub name: &'static str,
    /// 0 if only the built backbone knows ([`Backbone::channels`]).
    pub channels: i64,
    /// Input pixels per output position in each direction; 0 if it depends on a file.
    pub stride: i64,
}

/// A sequence of stages. Stage s of `1..=n` reads the output of stage s - 1; stage 1 reads normalised pictures.
pub trait Backbone: Send {
    /// Runs one stage, in training mode or not. The output is `[N, C, h, w]`, for tokens `[N, C, T, 1]`.
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor>;

    /// The same within a pass, which the function of [`adapt`](Self::adapt) sees; `train` is that of batch norms.
    fn stage_in(&self, stage: usize, x: &Tensor, train: bool, _pass: Pass) -> Result<Tensor> {
        self.stage(stage, x, train)
    }

    /// The feature maps `[N, C, h, w]` in the output of a stage: all of it, unless it has other tokens too.
    fn maps(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.shallow_clone())
    }

    /// The pooled features `[N, C]` of a stage's output, for heads that pool: the average over positions, unless the
    /// architecture has its own, such as a class token.
    fn pooled(&self, x: &Tensor) -> Result<Tensor> {
        average_pool(x)
    }

    /// Whether [`pooled`](Self::pooled) is not the average over positions.
    fn pools_itself(&self) -> bool {
        false
    }

    /// timm's name of [`pooled`](Self::pooled): `"avg"`, `"token"` or `"map"`.
    fn pooling(&self) -> &'static str {
        "avg"
    }

    /// The tokens in the output of a stage, of a vision transformer.
    fn tokens(&self, _x: &Tensor) -> Result<Option<Tokens>> {
        Ok(None)
    }

    /// Adds low-rank updates to its linear layers, with parameters under "lora".
    ///
    /// Errors: a backbone that is no vision transformer.
    fn low_rank(&mut self, _p: &Scope, _lora: &Lora) -> Result<()> {
        Err(no_blocks("lora"))
    }

    /// Calls `before` once per block, in order, with tokens of ones of `pictures` pictures, as a pass would, and checks its answers.
    ///
    /// Errors: those of `before`; a backbone that is no vision transformer.
    fn rehearse(&mut self, _pictures: i64, _before: &mut dyn FnMut(usize, Tokens) -> Result<Adapted>) -> Result<()> {
        Err(no_blocks("adapter"))
    }

    /// Lets a function change the tokens before each of its blocks, after [`rehearse`](Self::rehearse).
    fn adapt(&mut self, _before: BeforeBlock) {}

    /// The sizes of the groups of tokens in the output of the last used stage, of a vision transformer: `[1, n, C]` each.
    fn token_shapes(&self) -> Option<Vec<(&'static str, [i64; 3])>> {
        None
    }

    /// Channels of the last used stage, if [`StageInfo`] does not have them.
    fn channels(&self) -> Option<i64> {
        None
    }

    /// A hash of the code of a module from a file, which determines the function as name and weights do.
    fn fingerprint(&self) -> Option<String> {
        None
    }
}

fn no_blocks(option: &str) -> Error {
    let names = BACKBONES.iter().map(|kind| kind.name).filter(|name| name.starts_with("vit_")).collect::<Vec<_>>();
    Error::argument(format!("option \"{option}\" is for a vision transformer"))
        .about_option(option)
        .with_help(format!("such backbones are {}", names.join(", ")))
}

/// A backbone before it is built.
pub struct BackboneKind {
    pub name: &'static str,
    pub summary: &'static str,
    /// Side of the square input for which its weights were trained.
    pub image_size: i64,
    /// Pixel values in [0, 1] are normalised as (x - mean) / std, per channel.
    pub mean: [f64; 3],
    pub std: [f64; 3],
    /// How the reference resizes pictures for evaluation: timm's name of the filter, and the share of the side to keep.
    pub interpolation: &'static str,
    pub crop_pct: f64,
    pub stages: fn() -> Vec<StageInfo>,
    /// Builds the first `spec.stages` stages, those up to `spec.freeze` frozen. The specification must be resolved.
    pub build: fn(p: &Scope, spec: &ModelSpec) -> Result<Box<dyn Backbone>>,
    /// Whether it is read from the file `spec.path`.
    pub from_file: bool,
    /// The names of the last linear layer and the first convolution in torchvision or timm.
    pub classifier: &'static str,
    pub first_conv: &'static str,
    /// The beginning of the names of weights that only its own pooling has; none if it has no such weights. They are
    /// built for heads that pool.
    pub pool: Option<&'static str>,
    /// Its name in timm; none if timm has no model with these parameter names.
    pub timm: Option<&'static str>,
    /// Parameters of all stages, without a head; 0 if it depends on a file.
    pub parameters: i64,
    /// Billions of multiply-adds of all convolutions and matrix products for one picture at `image_size`.
    pub gflops: f64,
    pub paper: &'static str,
    pub weights: PublishedWeights,
}

/// One set of published weights of a backbone, which `weights: "NAME"` takes.
#[derive(Clone, Copy, Debug)]
pub struct WeightSet {
    /// How they were trained: `"imagenet"`, `"swsl"`, `"dinov2"`. Unique within a backbone.
    pub name: &'static str,
    /// The names of files with these weights, any of which is accepted; not empty.
    pub files: &'static [&'static str],
    /// Where to get the first of them.
    pub source: &'static str,
    /// The repository of the Hugging Face Hub whose `model.safetensors` holds them.
    pub hub: Option<&'static str>,
}

/// Published weights of a backbone.
pub struct PublishedWeights {
    /// The sets that have a name, the usual one first; empty if there are none.
    pub sets: &'static [WeightSet],
    /// The checkpoints that fit, in one line.
    pub note: &'static str,
    /// This crate's name for a published tensor of that name and shape; none for tensors without use.
    pub rename: fn(name: &str, shape: &[i64]) -> Option<String>,
    /// Converts a published tensor to this crate's form: `(published name, own name, tensor, shape wanted)`.
    pub convert: fn(from: &str, to: &str, tensor: Tensor, shape: &[i64]) -> Result<Tensor>,
    /// Conversions that need several tensors of a file, before the others; names may have any common prefix.
    pub arrange: fn(tensors: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>>,
}

impl PublishedWeights {
    /// The set of that name.
    pub fn set(&self, name: &str) -> Option<&'static WeightSet> {
        self.sets.iter().find(|set| set.name == name)
    }

    /// No published weights; files use this crate's names.
    const NONE: PublishedWeights = PublishedWeights { sets: &[], note: "", rename: same, convert: as_is, arrange: Ok };
}

fn same(name: &str, _shape: &[i64]) -> Option<String> {
    Some(name.to_string())
}

fn as_is(_from: &str, _to: &str, tensor: Tensor, _shape: &[i64]) -> Result<Tensor> {
    Ok(tensor)
}

const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];
/// Of OpenAI's CLIP and its successors.
const CLIP_MEAN: [f64; 3] = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD: [f64; 3] = [0.26862954, 0.26130258, 0.27577711];

/// Common to most kinds.
const COMMON: BackboneKind = BackboneKind {
    name: "",
    summary: "",
    image_size: 224,
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
    interpolation: "bilinear",
    crop_pct: 0.875,
    stages: Vec::new,
    build: |_, spec| Err(Error::internal(format!("backbone \"{}\" cannot be built", spec.backbone))),
    from_file: false,
    classifier: "fc",
    first_conv: "conv1",
    pool: None,
    timm: None,
    parameters: 0,
    gflops: 0.0,
    paper: "",
    weights: PublishedWeights::NONE,
};

/// All backbones.
pub const BACKBONES: &[BackboneKind] = &[
    small_cnn::SMALL_CNN,
    resnet::RESNET18,
    resnet::RESNET34,
    resnet::RESNET50,
    resnet::RESNET101,
    resnet::RESNEXT50_32X4D,
    tresnet::TRESNET_M,
    tresnet::TRESNET_L,
    tresnet::TRESNET_XL,
    tresnet::TRESNET_V2_L,
    efficientnet_lite::EFFICIENTNET_LITE0,
    efficientnet_lite::EFFICIENTNET_LITE1,
    efficientnet_lite::EFFICIENTNET_LITE2,
    convnext::CONVNEXT_TINY,
    convnext::CONVNEXT_BASE,
    vit::VIT_B_16,
    vit::VIT_SMALL_PATCH14_REG4_DINOV2,
    vit::VIT_BASE_PATCH14_REG4_DINOV2,
    vit::VIT_LARGE_PATCH14_REG4_DINOV2,
    vit::VIT_SMALL_PATCH14_DINOV2,
    vit::VIT_BASE_PATCH14_DINOV2,
    vit::VIT_LARGE_PATCH14_DINOV2,
    vit::VIT_BASE_PATCH16_CLIP_224,
    vit::VIT_BASE_PATCH16_CLIP_QUICKGELU_224,
    vit::VIT_BASE_PATCH16_SIGLIP_224,
    swin::SWIN_T,
    torchscript::TORCHSCRIPT,
];

/// The backbone of that name. Errors: an unknown name, with the nearest.
pub fn find(name: &str) -> Result<&'static BackboneKind> {
    BACKBONES
        .iter()
        .find(|k| k.name == name)
        .ok_or_else(|| Error::unknown("backbone", name, BACKBONES.iter().map(|k| k.name)))
}
