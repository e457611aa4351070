//! Swin-T under torchvision's names. Source: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using
//! Shifted Windows", ICCV 2021. Without stochastic depth, which torchvision has in training.

use tch::{Kind, Tensor};

use super::super::layers::{Activation, FeedForward, LayerNorm, Linear, Patches, attend};
use super::super::params::Scope;
use super::super::products;
use super::{Backbone, BackboneKind, COMMON, PublishedWeights, StageInfo, WeightSet};
use crate::error::Result;
use crate::models::ModelSpec;
use crate::torch::Constants;

/// Stage 1 includes the patch embedding, each later stage the merging of patches before it, the last one the last norm.
pub const SWIN_T: BackboneKind = BackboneKind {
    name: "swin_t",
    summary: "Swin-T as in torchvision, without stochastic depth",
    interpolation: "bicubic",
    crop_pct: 0.9655,
    stages: || (0..4).map(|i| StageInfo { name: NAMES[i], channels: WIDTH << i, stride: 4 << i }).collect(),
    build: |p, spec| Swin::build(p, spec),
    classifier: "head",
    first_conv: "features.0.0",
    parameters: 27_519_354,
    gflops: 4.49,
    paper: "Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, ICCV 2021",
    weights: PublishedWeights {
        sets: &[WeightSet {
            name: "imagenet",
            files: &["swin_t.pth", "swin_t.safetensors", "swin_t-704ceda3.pth", "swin_tiny_patch4_window7_224.pth"],
            source: "https://download.pytorch.org/models/swin_t-704ceda3.pth (torchvision)",
            hub: Some("timm/swin_tiny_patch4_window7_224.ms_in1k"),
        }],
        note: "torchvision; timm's and the authors' swin_tiny_patch4_window7_224",
        rename,
        ..PublishedWeights::NONE
    },
    ..COMMON
};

const NAMES: [&str; 4] = ["features.1", "features.3", "features.5", "features.7"];
const WIDTH: i64 = 96;
const BLOCKS: [usize; 4] = [2, 2, 6, 2];
const HEADS: [i64; 4] = [3, 6, 12, 24];
const WINDOW: i64 = 7;
const EPS: f64 = 1e-5;
/// Standard deviation of the initial position biases.
const DEVIATION: f64 = 0.02;
/// Added to the scores of tokens that only the shift has made neighbours, so that they ignore each other.
const FAR: f64 = -100.0;

/// [`relative_positions`], and [`shift_mask`] by its arguments: the same for all blocks and models.
static INDEX: Constants<()> = Constants::new();
static MASKS: Constants<[i64; 4]> = Constants::new();

struct Swin {
    patches: Patches,
    embed_norm: LayerNorm,
    stages: Vec<Stage>,
    /// Only where all stages are used.
    norm: Option<LayerNorm>,
}

struct Stage {
    merge: Option<Merge>,
    blocks: Vec<Block>,
}

/// Merges four neighbours to one position of twice the channels.
struct Merge {
    norm: LayerNorm,
    reduction: Tensor,
}

/// A pre-norm transformer layer whose attention is within windows, shifted by half a window in every second layer.
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    /// One bias per relative position and head: `[(2·7 - 1)², heads]`.
    table: Tensor,
    norm2: LayerNorm,
    feed: FeedForward,
    heads: i64,
    shift: i64,
}

impl Swin {
    fn build(p: &Scope, spec: &ModelSpec) -> Result<Box<dyn Backbone>> {
        let used = spec.stages.unwrap_or(NAMES.len());
        let stage = |s: usize| p.frozen_if(s < spec.freeze);
        let patches = Patches::new(&stage(0).at("features.0.0"), WIDTH, 4)?;
        let embed_norm = LayerNorm::new(&stage(0).at("features.0.2"), WIDTH, EPS)?;
        let mut stages = Vec::new();
        for s in 0..used {
            let p = stage(s);
            let width = WIDTH << s;
            let merge = match s {
                0 => None,
                _ => {
                    let p = p.at("features").at(2 * s);
                    let reduction = p.at("reduction").normal("weight", &[width, 2 * width], DEVIATION)?;
                    Some(Merge { norm: LayerNorm::new(&p.at("norm"), 2 * width, EPS)?, reduction })
                }
            };
            let p = p.at(NAMES[s]);
            let block = |b| Block::new(&p.at(b), width, HEADS[s], if b % 2 == 0 { 0 } else { WINDOW / 2 });
            stages.push(Stage { merge, blocks: (0..BLOCKS[s]).map(block).collect::<Result<_>>()? });
        }
        let norm = match used == NAMES.len() {
            true => Some(LayerNorm::new(&stage(used - 1).at("norm"), WIDTH << (used - 1), EPS)?),
            false => None,
        };
        Ok(Box::new(Swin { patches, embed_norm, stages, norm }))
    }
}

impl Merge {
    /// `[N, H, W, C]` → `[N, ⌈H/2⌉, ⌈W/2⌉, 2C]`: the neighbours below, to the right and both, in this order.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let size = x.size();
        let (h, w) = (size[1] + size[1] % 2, size[2] + size[2] % 2);
        let x = pad(x, h, w)?;
        let x = x.f_reshape([size[0], h / 2, 2, w / 2, 2, size[3]])?.f_permute([0, 1, 3, 4, 2, 5])?;
        let x = x.f_reshape([size[0], h / 2, w / 2, 4 * size[3]])?;
        products::linear(&self.norm.forward(&x)?, &self.reduction, None)
    }
}

/// Zeros below and to the right of `[N, H, W, C]`.
fn pad(x: &Tensor, h: i64, w: i64) -> Result<Tensor> {
    let size = x.size();
    if (size[1], size[2]) == (h, w) {
        return Ok(x.shallow_clone());
    }
    Ok(x.f_constant_pad_nd([0, 0, 0, w - size[2], 0, h - size[1]])?)
}

impl Block {
    fn new(p: &Scope, width: i64, heads: i64, shift: i64) -> Result<Block> {
        let (attention, mlp) = (p.at("attn"), p.at("mlp"));
        let table = attention.normal("relative_position_bias_table", &[(2 * WINDOW - 1).pow(2), heads], DEVIATION)?;
        attention.constant("relative_position_index", relative_positions()?);
        Ok(Block {
            norm1: LayerNorm::new(&p.at("norm1"), width, EPS)?,
            qkv: Linear::new(&attention.at("qkv"), width, 3 * width)?,
            out: Linear::new(&attention.at("proj"), width, width)?,
            table,
            norm2: LayerNorm::new(&p.at("norm2"), width, EPS)?,
            feed: FeedForward::new([&mlp.at(0), &mlp.at(3)], width, Activation::Gelu)?,
            heads,
            shift,
        })
    }

    /// `[N, H, W, C]` → the same.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.f_add(&self.attention(&self.norm1.forward(x)?)?)?;
        Ok(x.f_add(&self.feed.forward(&self.norm2.forward(&x)?)?)?)
    }

    fn attention(&self, x: &Tensor) -> Result<Tensor> {
        let size = x.size();
        let (n, c) = (size[0], size[3]);
        let up = |side: i64| (side + WINDOW - 1) / WINDOW * WINDOW;
        let (h, w) = (up(size[1]), up(size[2]));
        // One window that holds the whole side needs no shift.
        let (down, right) = (if h > WINDOW { self.shift } else { 0 }, if w > WINDOW { self.shift } else { 0 });
        let mut x = pad(x, h, w)?;
        if down + right > 0 {
            x = x.f_roll([-down, -right], [1, 2])?;
        }
        let windows = (h / WINDOW) * (w / WINDOW);
        let area = WINDOW * WINDOW;
        let x = x.f_reshape([n, h / WINDOW, WINDOW, w / WINDOW, WINDOW, c])?.f_permute([0, 1, 3, 2, 4, 5])?;
        let x = x.f_reshape([n, windows, area, c])?;
        let index = INDEX.get((), x.device(), Kind::Int64, relative_positions)?;
        // [heads, area, area]: except for the mask, the same for all windows.
        let mut bias = self.table.f_index_select(0, &index)?.f_view([area, area, self.heads])?.f_permute([2, 0, 1])?;
        if down + right > 0 {
            let make = || shift_mask(h, w, down, right);
            bias = bias.f_add(&MASKS.get([h, w, down, right], x.device(), Kind::Float, make)?.f_unsqueeze(1)?)?;
        }
        let mixed = attend(&self.qkv.forward(&x)?, self.heads, Some(&bias))?;
        let x = self.out.forward(&mixed)?;
        let x = x.f_reshape([n, h / WINDOW, w / WINDOW, WINDOW, WINDOW, c])?.f_permute([0, 1, 3, 2, 4, 5])?;
        let mut x = x.f_reshape([n, h, w, c])?;
        if down + right > 0 {
            x = x.f_roll([down, right], [1, 2])?;
        }
        Ok(x.f_narrow(1, 0, size[1])?.f_narrow(2, 0, size[2])?)
    }
}

/// The row of the table for each pair of positions of a window: i64 `[7⁴]`.
fn relative_positions() -> Result<Tensor> {
    let area = WINDOW * WINDOW;
    let row = |a: i64, b: i64| {
        let (dy, dx) = (a / WINDOW - b / WINDOW + WINDOW - 1, a % WINDOW - b % WINDOW + WINDOW - 1);
        dy * (2 * WINDOW - 1) + dx
    };
    let all: Vec<i64> = (0..area).flat_map(|a| (0..area).map(move |b| row(a, b))).collect();
    Ok(Tensor::f_from_slice(&all)?)
}

/// `[windows, 49, 49]`: 0 for pairs that were neighbours before the shift, -100 for the others. A shifted side has
/// three regions: all windows but the last, and in the last its own part and the part that came round.
fn shift_mask(h: i64, w: i64, down: i64, right: i64) -> Result<Tensor> {
    let region = |at: i64, side: i64, shift: i64| match at {
        _ if at < side - WINDOW => 0,
        _ if shift == 0 || at < side - shift => 1,
        _ => 2,
    };
    let mut mask = Vec::with_capacity((h * w * WINDOW * WINDOW) as usize);
    for top in (0..h).step_by(WINDOW as usize) {
        for left in (0..w).step_by(WINDOW as usize) {
            let regions: Vec<i64> = (0..WINDOW * WINDOW)
                .map(|i| region(top + i / WINDOW, h, down) * 3 + region(left + i % WINDOW, w, right))
                .collect();
            mask.extend(
                regions.iter().flat_map(|a| regions.iter().map(move |b| if a == b { 0.0 } else { FAR as f32 })),
            );
        }
    }
    let area = WINDOW * WINDOW;
    Ok(Tensor::f_from_slice(&mask)?.f_view([-1, area, area])?)
}

impl Backbone for Swin {
    fn stage(&self, stage: usize, x: &Tensor, _train: bool) -> Result<Tensor> {
        let mut x = match stage {
            1 => self.embed_norm.forward(&self.patches.forward(x)?.f_permute([0, 2, 3, 1])?)?,
            _ => x.f_permute([0, 2, 3, 1])?,
        };
        let Stage { merge, blocks } = &self.stages[stage - 1];
        if let Some(merge) = merge {
            x = merge.forward(&x)?;
        }
        for block in blocks {
            x = block.forward(&x)?;
        }
        if let (Some(norm), true) = (&self.norm, stage == self.stages.len()) {
            x = norm.forward(&x)?;
        }
        Ok(x.f_permute([0, 3, 1, 2])?)
    }
}

/// The names of timm and of the authors. They differ in whether the merging of patches belongs to the stage before or
/// after it; its shape decides.
fn rename(name: &str, shape: &[i64]) -> Option<String> {
    if let Some(leaf) = name.strip_prefix("patch_embed.proj.") {
        return Some(format!("features.0.0.{leaf}"));
    }
    if let Some(leaf) = name.strip_prefix("patch_embed.norm.") {
        return Some(format!("features.0.2.{leaf}"));
    }
    if let Some(leaf) = name.strip_prefix("head.fc.") {
        return Some(format!("head.{leaf}"));
    }
    let Some(rest) = name.strip_prefix("layers.") else { return Some(name.to_string()) };
    let (layer, rest) = rest.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    if let Some(part) = rest.strip_prefix("downsample.") {
        // The last dimension is four times the width of the stage before.
        let stage = (1..4).find(|s| shape.last() == Some(&(4 * (WIDTH << (s - 1)))))?;
        return (layer == stage || layer + 1 == stage).then(|| format!("features.{}.{part}", 2 * stage));
    }
    let rest = rest.strip_prefix("blocks.")?.replace("mlp.fc1.", "mlp.0.").replace("mlp.fc2.", "mlp.3.");
    if rest.ends_with("relative_position_index") || rest.ends_with("attn_mask") {
        return None;
    }
    Some(format!("features.{}.{rest}", 2 * layer + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timms_and_the_authors_names_become_torchvisions() {
        let pairs = [
            ("layers.1.downsample.reduction.weight", vec![192, 384], "features.2.reduction.weight"),
            ("layers.0.downsample.reduction.weight", vec![192, 384], "features.2.reduction.weight"),
            ("layers.1.downsample.norm.bias", vec![768], "features.4.norm.bias"),
            ("layers.2.blocks.5.mlp.fc1.weight", vec![1536, 384], "features.5.5.mlp.0.weight"),
            ("head.fc.weight", vec![10, 768], "head.weight"),
            ("norm.bias", vec![768], "norm.bias"),
        ];
        for (theirs, shape, ours) in pairs {
            assert_eq!(rename(theirs, &shape).as_deref(), Some(ours));
        }
    }
}
