//! The vision transformer itself, for every kind of the family.

use tch::{Kind, Tensor};

use super::lora::Updates;
use super::pool::LatentPool;
use crate::error::{Error, Result};
use crate::models::adapter::{Adapted, BeforeBlock, Lora, Shapes, Tokens};
use crate::models::backbones::{Backbone, StageInfo};
use crate::models::layers::{Activation, FeedForward, LayerNorm, Linear, Patches, attend, average_pool};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::{Layer, ModelSpec};
use crate::torch;

/// The differences between the kinds of the family.
pub struct Shape {
    pub name: &'static str,
    pub width: i64,
    pub heads: i64,
    /// Side of a patch in pixels.
    pub patch: i64,
    /// The stages' names; each is `blocks` transformer layers.
    pub stages: &'static [&'static str],
    pub blocks: usize,
    pub class_token: bool,
    /// Register tokens, which come after the class token (Darcet et al., ICLR 2024).
    pub registers: i64,
    /// Rows of the position embedding before those of the patches: 1 if the class token has a position too.
    pub prefix: i64,
    /// Layer norm before the first block, and patches without bias.
    pub pre_norm: bool,
    /// Initial factor of the outputs of attention and feed-forward (LayerScale, Touvron et al., ICCV 2021).
    pub layer_scale: Option<f64>,
    pub activation: Activation,
    pub eps: f64,
    /// Pooling by attention of one learned query, instead of the class token.
    pub attention_pool: bool,
    pub names: &'static Names,
}

/// The names of the parameters.
pub struct Names {
    pub class_token: &'static str,
    pub registers: &'static str,
    pub positions: &'static str,
    pub patches: &'static str,
    pub pre_norm: &'static str,
    /// A block's number follows.
    pub block: &'static str,
    /// Of a block: the norms before attention and feed-forward, the output projection, the feed-forward layers.
    pub norms: [&'static str; 2],
    pub out: &'static str,
    pub feed: [&'static str; 2],
    /// The projection of queries, keys and values; none where attention has PyTorch's packed one.
    pub qkv: Option<&'static str>,
    pub norm: &'static str,
}

/// torchvision's.
pub const TORCHVISION: Names = Names {
    class_token: "class_token",
    registers: "register_tokens",
    positions: "encoder.pos_embedding",
    patches: "conv_proj",
    pre_norm: "encoder.ln_pre",
    block: "encoder.layers.encoder_layer_",
    norms: ["ln_1", "ln_2"],
    out: "self_attention.out_proj",
    feed: ["mlp.0", "mlp.3"],
    qkv: None,
    norm: "encoder.ln",
};

/// timm's.
pub const TIMM: Names = Names {
    class_token: "cls_token",
    registers: "reg_token",
    positions: "pos_embed",
    patches: "patch_embed.proj",
    pre_norm: "norm_pre",
    block: "blocks.",
    norms: ["norm1", "norm2"],
    out: "attn.proj",
    feed: ["mlp.fc1", "mlp.fc2"],
    qkv: Some("attn.qkv"),
    norm: "norm",
};

/// Standard deviation of the initial tokens and positions.
const DEVIATION: f64 = 0.02;

/// The stages for `BackboneKind`.
pub fn stages(shape: &Shape) -> Vec<StageInfo> {
    shape.stages.iter().map(|name| StageInfo { name, channels: shape.width, stride: shape.patch }).collect()
}

/// Stage 1 includes the embedding of patches and all tokens, the last stage the last norm.
pub struct Vit {
    shape: &'static Shape,
    patches: Patches,
    class_token: Option<Tensor>,
    registers: Option<Tensor>,
    positions: Tensor,
    pre_norm: Option<LayerNorm>,
    stages: Vec<Vec<Block>>,
    /// Only where all stages are used.
    norm: Option<LayerNorm>,
    /// Only where all stages are used and the head reads pooled features.
    pool: Option<LatentPool>,
    before_block: Option<BeforeBlock>,
    /// The number of tokens that it puts before the last block.
    prompts: i64,
}

/// A pre-norm transformer layer.
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    scale1: Option<Tensor>,
    norm2: LayerNorm,
    feed: FeedForward,
    scale2: Option<Tensor>,
    heads: i64,
    updates: Updates,
}

impl Vit {
    pub fn build(p: &Scope, shape: &'static Shape, spec: &ModelSpec) -> Result<Box<dyn Backbone>> {
        let (all, names, width) = (shape.stages.len(), shape.names, shape.width);
        let used = spec.stages.unwrap_or(all);
        let patches_per_side = patches_per_side(shape, spec.image_size.unwrap_or(shape.patch))?;
        let stage = |s: usize| p.frozen_if(s < spec.freeze);
        let first = stage(0);
        let tokens = |name, count| first.normal(name, &[1, count, width], DEVIATION);
        let class_token = if shape.class_token { Some(tokens(names.class_token, 1)?) } else { None };
        let registers = if shape.registers > 0 { Some(tokens(names.registers, shape.registers)?) } else { None };
        let patches = match shape.pre_norm {
            true => Patches::without_bias(&first.at(names.patches), width, shape.patch)?,
            false => Patches::new(&first.at(names.patches), width, shape.patch)?,
        };
        let positions = tokens(names.positions, patches_per_side.pow(2) + shape.prefix)?;
        let layer_norm = |s: usize, name| LayerNorm::new(&stage(s).at(name), width, shape.eps);
        let pre_norm = if shape.pre_norm { Some(layer_norm(0, names.pre_norm)?) } else { None };
        let mut stages = Vec::new();
        for s in 0..used {
            let block = |i| Block::new(&stage(s).at(format!("{}{i}", names.block)), shape);
            stages.push((s * shape.blocks..(s + 1) * shape.blocks).map(block).collect::<Result<_>>()?);
        }
        let whole = used == all;
        let norm = if whole { Some(layer_norm(used - 1, names.norm)?) } else { None };
        // Weights that nothing reads would have no gradient.
        let pool = match whole && shape.attention_pool && spec.head == "gap" {
            true => Some(LatentPool::new(&stage(used - 1).at("attn_pool"), shape)?),
            false => None,
        };
        let vit = Vit {
            shape,
            patches,
            class_token,
            registers,
            positions,
            pre_norm,
            stages,
            norm,
            pool,
            before_block: None,
            prompts: 0,
        };
        Ok(Box::new(vit))
    }

    /// Pictures `[N, 3, H, W]` → tokens `[N, T, C]`: the class token, registers, patches row by row.
    fn embed(&self, x: &Tensor) -> Result<Tensor> {
        let mut patches = self.patches.forward(x)?.f_flatten(2, 3)?.f_transpose(1, 2)?;
        let (came, expected) = (patches.size()[1], self.positions.size()[1] - self.shape.prefix);
        if came != expected {
            return Err(Error::argument(format!(
                "{} was made for {expected} patches per picture. Got {came} instead.",
                self.shape.name
            )));
        }
        if self.shape.prefix == 0 {
            patches = patches.f_add(&self.positions)?;
        }
        let mut tokens = Vec::new();
        for prefix in [&self.class_token, &self.registers].into_iter().flatten() {
            tokens.push(prefix.f_expand([patches.size()[0], prefix.size()[1], self.shape.width], false)?);
        }
        tokens.push(patches);
        let mut tokens = Tensor::f_cat(&tokens, 1)?;
        if self.shape.prefix > 0 {
            tokens = tokens.f_add(&self.positions)?;
        }
        match &self.pre_norm {
            Some(norm) => norm.forward(&tokens),
            None => Ok(tokens),
        }
    }

    /// The number of patches of a picture.
    fn num_patches(&self) -> i64 {
        self.positions.size()[1] - self.shape.prefix
    }

    /// The groups of tokens `[N, T, C]`.
    fn groups(&self, x: &Tensor) -> Result<Tokens> {
        Tokens::of(x, self.shape.class_token, self.shape.registers, self.num_patches())
    }

    /// The input `[N, T, C]` of a block after `before`, and its mask.
    fn adapted(&self, x: &Tensor, before: impl FnOnce(Tokens) -> Result<Adapted>) -> Result<(Tensor, Option<Tensor>)> {
        let tokens = self.groups(x)?;
        let shapes = Shapes::of(&tokens);
        before(tokens)?.checked(&shapes)
    }
}

/// Errors: a picture that is no whole number of patches, with the nearest sizes that are.
fn patches_per_side(shape: &Shape, side: i64) -> Result<i64> {
    let (patch, below) = (shape.patch, side / shape.patch * shape.patch);
    if side == below {
        return Ok(side / patch);
    }
    let nearest = match below >= 16 {
        true => format!("the nearest are {below} and {}", below + patch),
        false => format!("the least is {}", below + patch),
    };
    Err(Error::argument(format!("image_size of {} must be a multiple of {patch}. Got {side} instead.", shape.name))
        .with_help(nearest))
}

impl Block {
    fn new(p: &Scope, shape: &Shape) -> Result<Block> {
        let (names, width) = (shape.names, shape.width);
        let scale = |name| match shape.layer_scale {
            Some(value) => p.at(name).filled("gamma", &[width], value).map(Some),
            None => Ok(None),
        };
        let [fc1, fc2] = names.feed;
        Ok(Block {
            norm1: LayerNorm::new(&p.at(names.norms[0]), width, shape.eps)?,
            qkv: match names.qkv {
                Some(name) => Linear::new(&p.at(name), width, 3 * width)?,
                None => Linear::packed(&p.at("self_attention"), width)?,
            },
            out: Linear::new(&p.at(names.out), width, width)?,
            scale1: scale("ls1")?,
            norm2: LayerNorm::new(&p.at(names.norms[1]), width, shape.eps)?,
            feed: FeedForward::new([&p.at(fc1), &p.at(fc2)], width, shape.activation)?,
            scale2: scale("ls2")?,
            heads: shape.heads,
            updates: Updates::default(),
        })
    }

    /// `[N, T, C]` → the same; `mask` `[T, T]` is added to the scores of the attention.
    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let linear = |layer: Layer, of: &Linear, x: &Tensor| self.updates.added(layer, x, of.forward(x)?);
        let qkv = linear(Layer::Qkv, &self.qkv, &self.norm1.forward(x)?)?;
        let mixed = attend(&qkv, self.heads, mask)?;
        let x = x.f_add(&scaled(linear(Layer::Proj, &self.out, &mixed)?, &self.scale1)?)?;
        let FeedForward { first, second, activation } = &self.feed;
        let inner = activation.forward(&linear(Layer::Fc1, first, &self.norm2.forward(&x)?)?)?;
        Ok(x.f_add(&scaled(linear(Layer::Fc2, second, &inner)?, &self.scale2)?)?)
    }

    /// The layer's input and output channels.
    fn size_of(&self, layer: Layer) -> (i64, i64) {
        let weight = match layer {
            Layer::Qkv => &self.qkv.weight,
            Layer::Proj => &self.out.weight,
            Layer::Fc1 => &self.feed.first.weight,
            Layer::Fc2 => &self.feed.second.weight,
        };
        let size = weight.size();
        (size[1], size[0])
    }
}

/// Errors: numbers that cannot be added to scores, or were meant as true and false; a token that may look at none, whose output would
/// be no number.
fn check_mask(block: usize, mask: Option<&Tensor>) -> Result<()> {
    let Some(mask) = mask else { return Ok(()) };
    let wrong = |what: String, help: &str| {
        let message = format!("option \"adapter\": the mask before block {block} {what}");
        Err(Error::argument(message).about_option("adapter").with_help(help))
    };
    let numbers = torch::to_vec_f32(mask)?;
    let columns = mask.size().last().copied().unwrap_or(1).max(1) as usize;
    if let Some(at) = numbers.iter().position(|number| number.is_nan() || *number == f32::INFINITY) {
        let (row, column) = (at / columns, at % columns);
        return wrong(
            format!("must have numbers that can be added to the scores; it has {} at [{row}, {column}]", numbers[at]),
            "-infinity keeps a token from being looked at, 0 lets it be",
        );
    }
    // A mask that a training learns may begin with any numbers.
    let has = |number: f32| numbers.contains(&number);
    if !mask.requires_grad() && has(0.0) && has(1.0) && numbers.iter().all(|number| [0.0, 1.0].contains(number)) {
        return wrong(
            "has only 0.0 and 1.0, which would be added to the scores and hide no token".into(),
            "mask > 0 is true and false: which token may look at which",
        );
    }
    match numbers.chunks(columns).position(|row| row.iter().all(|number| *number == f32::NEG_INFINITY)) {
        Some(token) => wrong(
            format!("lets token {token} look at no token"),
            "each row needs one true, or one number that is not -infinity, such as its own",
        ),
        None => Ok(()),
    }
}

/// In mixed precision the product is f32, as the factors are.
fn scaled(x: Tensor, factors: &Option<Tensor>) -> Result<Tensor> {
    match factors {
        Some(factors) => Ok(x.f_mul(factors)?),
        None => Ok(x),
    }
}

impl Backbone for Vit {
    fn stage(&self, stage: usize, x: &Tensor, train: bool) -> Result<Tensor> {
        self.stage_in(stage, x, train, Pass::EVAL)
    }

    fn stage_in(&self, stage: usize, x: &Tensor, _train: bool, pass: Pass) -> Result<Tensor> {
        let mut x = match stage {
            1 => self.embed(x)?,
            _ => x.f_squeeze_dim(3)?.f_transpose(1, 2)?,
        };
        for (i, block) in self.stages[stage - 1].iter().enumerate() {
            x = match &self.before_block {
                None => block.forward(&x, None)?,
                Some(before) => {
                    let number = (stage - 1) * self.shape.blocks + i;
                    let (x, mask) = self.adapted(&x, |tokens| before(number, tokens, pass))?;
                    block.forward(&x, mask.as_ref())?
                }
            };
        }
        if let (Some(norm), true) = (&self.norm, stage == self.stages.len()) {
            x = norm.forward(&x)?;
        }
        Ok(x.f_transpose(1, 2)?.f_unsqueeze(3)?)
    }

    fn maps(&self, x: &Tensor) -> Result<Tensor> {
        let size = x.size();
        let patches = self.num_patches();
        let side = (patches as f64).sqrt().round() as i64;
        Ok(x.f_narrow(2, size[2] - patches, patches)?.f_reshape([size[0], size[1], side, side])?)
    }

    fn tokens(&self, x: &Tensor) -> Result<Option<Tokens>> {
        self.groups(&x.f_squeeze_dim(3)?.f_transpose(1, 2)?).map(Some)
    }

    fn low_rank(&mut self, p: &Scope, lora: &Lora) -> Result<()> {
        for (i, block) in self.stages.iter_mut().flatten().enumerate() {
            block.updates = Updates::new(&p.at("lora").at(i), lora, |layer| block.size_of(layer))?;
        }
        Ok(())
    }

    fn rehearse(&mut self, pictures: i64, before: &mut dyn FnMut(usize, Tokens) -> Result<Adapted>) -> Result<()> {
        let (width, device) = (self.shape.width, self.positions.device());
        let ones = |n: i64| Tensor::f_ones([pictures, n, width], (Kind::Float, device));
        let own = i64::from(self.shape.class_token) + self.shape.registers + self.num_patches();
        let mut x = ones(own)?;
        for block in 0..self.stages.iter().map(Vec::len).sum() {
            let (adapted, mask) = self.adapted(&x, |tokens| before(block, tokens))?;
            check_mask(block, mask.as_ref())?;
            x = ones(adapted.size()[1])?;
        }
        self.prompts = x.size()[1] - own;
        Ok(())
    }

    fn adapt(&mut self, before: BeforeBlock) {
        self.before_block = Some(before);
    }

    fn token_shapes(&self) -> Option<Vec<(&'static str, [i64; 3])>> {
        let counts = [i64::from(self.shape.class_token), self.shape.registers, self.prompts, self.num_patches()];
        let shapes = Tokens::NAMES.into_iter().zip(counts).filter(|(_, n)| *n > 0);
        Some(shapes.map(|(name, n)| (name, [1, n, self.shape.width])).collect())
    }

    fn pooled(&self, x: &Tensor) -> Result<Tensor> {
        match &self.pool {
            Some(pool) => pool.forward(&x.f_squeeze_dim(3)?.f_transpose(1, 2)?),
            None if self.shape.class_token => Ok(x.f_select(2, 0)?.f_squeeze_dim(2)?),
            None => average_pool(x),
        }
    }

    fn pooling(&self) -> &'static str {
        match &self.pool {
            Some(_) => "map",
            None if self.shape.class_token => "token",
            None => "avg",
        }
    }

    fn pools_itself(&self) -> bool {
        self.pool.is_some() || self.shape.class_token
    }
}
