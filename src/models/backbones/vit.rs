//! ViT-B/16 under torchvision's names. Source: Dosovitskiy et al., "An Image is Worth 16×16 Words", ICLR 2021.
//!
//! Tokens go from stage to stage as `[N, C, T, 1]`, the class token first; heads read those of the patches as maps
//! `[N, C, h, w]`, and `gap` reads the class token's vector instead of an average, as the published weights expect.

use tch::Tensor;

use super::super::layers::{FeedForward, LayerNorm, Linear, Patches, attend};
use super::super::params::Scope;
use super::{Backbone, BackboneKind, COMMON, PublishedWeights, StageInfo, WeightSet};
use crate::error::{Error, Result};
use crate::models::ModelSpec;

/// Stage 1 includes the patch embedding, stage 4 the last norm.
pub const VIT_B_16: BackboneKind = BackboneKind {
    name: "vit_b_16",
    summary: "ViT-B/16 as in torchvision; its stages are three blocks each",
    stages: || NAMES.iter().map(|name| StageInfo { name, channels: WIDTH, stride: PATCH }).collect(),
    build: |p, spec| Vit::build(p, spec),
    classifier: "heads.head",
    first_conv: "conv_proj",
    parameters: 85_798_656,
    gflops: 17.564,
    paper: "Dosovitskiy et al., An Image is Worth 16×16 Words, ICLR 2021",
    weights: PublishedWeights {
        sets: &[
            WeightSet {
                name: "imagenet",
                files: &["vit_b_16.pth", "vit_b_16.safetensors", "vit_b_16-c867db91.pth"],
                source: "https://download.pytorch.org/models/vit_b_16-c867db91.pth (torchvision)",
                hub: None,
            },
            WeightSet {
                name: "swag",
                files: &["vit_b_16_swag-9ac1b537.pth", "vit_b_16_swag.safetensors"],
                source: "https://download.pytorch.org/models/vit_b_16_swag-9ac1b537.pth (torchvision; for image_size 384)",
                hub: None,
            },
            WeightSet {
                name: "swag_linear",
                files: &["vit_b_16_lc_swag-4e70ced5.pth", "vit_b_16_lc_swag.safetensors"],
                source: "https://download.pytorch.org/models/vit_b_16_lc_swag-4e70ced5.pth (torchvision; only the classifier was trained on ImageNet)",
                hub: None,
            },
            WeightSet {
                name: "deit",
                files: &[
                    "deit_base_patch16_224-b5f2ef4d.pth",
                    "deit_base_patch16_224.pth",
                    "deit_base_patch16_224.safetensors",
                ],
                source: "https://dl.fbaipublicfiles.com/deit/deit_base_patch16_224-b5f2ef4d.pth",
                hub: Some("timm/deit_base_patch16_224.fb_in1k"),
            },
        ],
        note: "torchvision; timm's vit_base_patch16_* and deit_base_patch16_* (positions are interpolated to another image_size)",
        rename: |name, _| rename(name),
        convert: positions,
    },
    ..COMMON
};

const NAMES: [&str; 4] = ["blocks 0 to 2", "blocks 3 to 5", "blocks 6 to 8", "blocks 9 to 11"];
const WIDTH: i64 = 768;
const HIDDEN: i64 = 3072;
const HEADS: i64 = 12;
const PATCH: i64 = 16;
const DEPTH: usize = 3;
const EPS: f64 = 1e-6;
/// Standard deviation of the initial tokens and positions.
const DEVIATION: f64 = 0.02;

struct Vit {
    patches: Patches,
    class_token: Tensor,
    positions: Tensor,
    stages: Vec<Vec<Block>>,
    /// Only where all stages are used.
    norm: Option<LayerNorm>,
}

/// A pre-norm transformer layer.
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    feed: FeedForward,
}

impl Vit {
    fn build(p: &Scope, spec: &ModelSpec) -> Result<Box<dyn Backbone>> {
        let (used, side) = (spec.stages.unwrap_or(NAMES.len()), spec.image_size.unwrap_or(VIT_B_16.image_size));
        if side % PATCH != 0 {
            return Err(Error::argument(format!(
                "image_size of vit_b_16 must be a multiple of {PATCH}. Got {side} instead."
            )));
        }
        let stage = |s: usize| p.frozen_if(s < spec.freeze);
        let first = stage(0);
        let class_token = first.normal("class_token", &[1, 1, WIDTH], DEVIATION)?;
        let patches = Patches::new(&first.at("conv_proj"), WIDTH, PATCH)?;
        let shape = [1, (side / PATCH).pow(2) + 1, WIDTH];
        let positions = first.at("encoder").normal("pos_embedding", &shape, DEVIATION)?;
        let mut stages = Vec::new();
        for s in 0..used {
            let layers = stage(s).at("encoder.layers");
            stages.push(
                (s * DEPTH..(s + 1) * DEPTH)
                    .map(|i| Block::new(&layers.at(format!("encoder_layer_{i}"))))
                    .collect::<Result<_>>()?,
            );
        }
        let norm = match used == NAMES.len() {
            true => Some(LayerNorm::new(&stage(used - 1).at("encoder.ln"), WIDTH, EPS)?),
            false => None,
        };
        Ok(Box::new(Vit { patches, class_token, positions, stages, norm }))
    }

    fn embed(&self, x: &Tensor) -> Result<Tensor> {
        let patches = self.patches.forward(x)?.f_flatten(2, 3)?.f_transpose(1, 2)?;
        let class = self.class_token.f_expand([patches.size()[0], 1, WIDTH], false)?;
        let tokens = Tensor::f_cat(&[class, patches], 1)?;
        if tokens.size()[1] != self.positions.size()[1] {
            return Err(Error::argument(format!(
                "vit_b_16 was made for {} patches per picture. Got {} instead.",
                self.positions.size()[1] - 1,
                tokens.size()[1] - 1
            )));
        }
        Ok(tokens.f_add(&self.positions)?)
    }
}

impl Block {
    fn new(p: &Scope) -> Result<Block> {
        let (attention, mlp) = (p.at("self_attention"), p.at("mlp"));
        Ok(Block {
            norm1: LayerNorm::new(&p.at("ln_1"), WIDTH, EPS)?,
            qkv: Linear::packed(&attention, WIDTH)?,
            out: Linear::new(&attention.at("out_proj"), WIDTH, WIDTH)?,
            norm2: LayerNorm::new(&p.at("ln_2"), WIDTH, EPS)?,
            feed: FeedForward(Linear::new(&mlp.at(0), WIDTH, HIDDEN)?, Linear::new(&mlp.at(3), HIDDEN, WIDTH)?),
        })
    }

    /// `[N, T, C]` → the same.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mixed = attend(&self.qkv.forward(&self.norm1.forward(x)?)?, HEADS, None)?;
        let x = x.f_add(&self.out.forward(&mixed)?)?;
        Ok(x.f_add(&self.feed.forward(&self.norm2.forward(&x)?)?)?)
    }
}

impl Backbone for Vit {
    fn stage(&self, stage: usize, x: &Tensor, _train: bool) -> Result<Tensor> {
        let mut x = match stage {
            1 => self.embed(x)?,
            _ => x.f_squeeze_dim(3)?.f_transpose(1, 2)?,
        };
        for block in &self.stages[stage - 1] {
            x = block.forward(&x)?;
        }
        if let (Some(norm), true) = (&self.norm, stage == self.stages.len()) {
            x = norm.forward(&x)?;
        }
        Ok(x.f_transpose(1, 2)?.f_unsqueeze(3)?)
    }

    fn maps(&self, x: &Tensor) -> Result<Tensor> {
        let size = x.size();
        let patches = size[2] - 1;
        let side = (patches as f64).sqrt().round() as i64;
        Ok(x.f_narrow(2, 1, patches)?.f_reshape([size[0], size[1], side, side])?)
    }

    fn pooled(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_select(2, 0)?.f_squeeze_dim(2)?)
    }

    fn pools_itself(&self) -> bool {
        true
    }
}

/// The names of timm, and of torchvision before its feed-forward layers were numbered.
fn rename(name: &str) -> Option<String> {
    let fixed = match name {
        "cls_token" => "class_token",
        "pos_embed" => "encoder.pos_embedding",
        "patch_embed.proj.weight" => "conv_proj.weight",
        "patch_embed.proj.bias" => "conv_proj.bias",
        "norm.weight" => "encoder.ln.weight",
        "norm.bias" => "encoder.ln.bias",
        "head.weight" => "heads.head.weight",
        "head.bias" => "heads.head.bias",
        _ => "",
    };
    if !fixed.is_empty() {
        return Some(fixed.to_string());
    }
    if let Some(rest) = name.strip_prefix("blocks.") {
        let (block, part) = rest.split_once('.')?;
        let (part, leaf) = part.rsplit_once('.')?;
        let part = match part {
            "norm1" => "ln_1.",
            "norm2" => "ln_2.",
            "attn.qkv" => "self_attention.in_proj_",
            "attn.proj" => "self_attention.out_proj.",
            "mlp.fc1" => "mlp.0.",
            "mlp.fc2" => "mlp.3.",
            _ => return None,
        };
        return Some(format!("encoder.layers.encoder_layer_{block}.{part}{leaf}"));
    }
    Some(name.replace("mlp.linear_1.", "mlp.0.").replace("mlp.linear_2.", "mlp.3."))
}

/// Interpolates positions of another number of patches (bicubic, corners aligned, as in torchvision).
fn positions(_from: &str, to: &str, tensor: Tensor, wanted: &[i64]) -> Result<Tensor> {
    let size = tensor.size();
    let fits = size.len() == 3 && wanted.len() == 3 && size[2] == wanted[2] && size[1] > 1 && size[1] != wanted[1];
    if to != "encoder.pos_embedding" || !fits {
        return Ok(tensor);
    }
    let root = |tokens: i64| ((tokens - 1) as f64).sqrt().round() as i64;
    let (old, new) = (root(size[1]), root(wanted[1]));
    if old * old != size[1] - 1 {
        return Ok(tensor);
    }
    let class = tensor.f_narrow(1, 0, 1)?;
    let grid = tensor.f_narrow(1, 1, old * old)?.f_transpose(1, 2)?.f_reshape([1, size[2], old, old])?;
    let grid = grid.f_upsample_bicubic2d([new, new], true, None, None)?;
    let grid = grid.f_reshape([1, size[2], new * new])?.f_transpose(1, 2)?;
    Ok(Tensor::f_cat(&[class, grid], 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timms_names_become_torchvisions() {
        let pairs = [
            ("cls_token", "class_token"),
            ("blocks.3.attn.qkv.bias", "encoder.layers.encoder_layer_3.self_attention.in_proj_bias"),
            ("blocks.11.mlp.fc2.weight", "encoder.layers.encoder_layer_11.mlp.3.weight"),
            ("encoder.layers.encoder_layer_0.mlp.linear_2.bias", "encoder.layers.encoder_layer_0.mlp.3.bias"),
        ];
        for (theirs, ours) in pairs {
            assert_eq!(rename(theirs).as_deref(), Some(ours));
        }
    }

    #[test]
    fn positions_keep_the_class_token_and_the_corners() {
        let x = crate::torch::normal(1, "positions", &[1, 17, 4], 1.0).unwrap();
        let y = positions("", "encoder.pos_embedding", x.shallow_clone(), &[1, 50, 4]).unwrap();
        assert_eq!(y.size(), [1, 50, 4]);
        for (new, old) in [(0, 0), (1, 1), (7, 4), (43, 13), (49, 16)] {
            let gap = f64::try_from((y.select(1, new) - x.select(1, old)).abs().max()).unwrap();
            assert!(gap < 1e-6, "{new}");
        }
    }
}
