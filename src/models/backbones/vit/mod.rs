//! Vision transformers: ViT-B/16 under torchvision's names, DINOv2's, CLIP's and SigLIP's under timm's.
//!
//! Tokens go from stage to stage as `[N, C, T, 1]`, class and register tokens first; heads read those of the patches as
//! maps `[N, C, h, w]`, and `gap` reads the architecture's own pooled vector instead of an average, as the published
//! weights expect: the class token's, or SigLIP's attention pooling.
//!
//! A picture must be a whole number of patches. Positions of weights for another size are interpolated when they are
//! loaded, as torchvision and timm do. SigLIP has exact GELU, as in timm; its authors' JAX code approximates it. All
//! kinds start from the same distributions, those of ViT-B/16; timm's differ.

mod lora; // low-rank updates of a block
mod names; // the names and forms of published weights
mod network;
mod pool;
mod positions; // of weights for another size

use network::{Shape, TIMM, TORCHVISION, Vit, stages};
use positions::{Method, resample};

use super::{BackboneKind, CLIP_MEAN, CLIP_STD, COMMON, PublishedWeights, WeightSet};
use crate::models::layers::Activation;

const B_16: Shape = Shape {
    name: "vit_b_16",
    width: 768,
    heads: 12,
    patch: 16,
    stages: &["blocks 0 to 2", "blocks 3 to 5", "blocks 6 to 8", "blocks 9 to 11"],
    blocks: 3,
    class_token: true,
    registers: 0,
    prefix: 1,
    pre_norm: false,
    layer_scale: None,
    activation: Activation::Gelu,
    eps: 1e-6,
    attention_pool: false,
    names: &TORCHVISION,
};

pub const VIT_B_16: BackboneKind = BackboneKind {
    name: B_16.name,
    summary: "ViT-B/16 as in torchvision; its stages are three blocks each",
    stages: || stages(&B_16),
    build: |p, spec| Vit::build(p, &B_16, spec),
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
        rename: |name, _| names::to_torchvision(name),
        convert: |_, to, tensor, wanted| match to {
            "encoder.pos_embedding" => resample(tensor, wanted, 1, Method::CornersAligned),
            _ => Ok(tensor),
        },
        ..PublishedWeights::NONE
    },
    ..COMMON
};

/// The stages of the kinds below are single blocks.
const BLOCKS: [&str; 24] = [
    "block 0", "block 1", "block 2", "block 3", "block 4", "block 5", "block 6", "block 7", "block 8", "block 9",
    "block 10", "block 11", "block 12", "block 13", "block 14", "block 15", "block 16", "block 17", "block 18",
    "block 19", "block 20", "block 21", "block 22", "block 23",
];

/// ViT-B/16 under timm's names.
const BASE: Shape = Shape { name: "vit_base_patch16", stages: BLOCKS.split_at(12).0, blocks: 1, names: &TIMM, ..B_16 };

/// A kind under timm's names.
macro_rules! kind {
    ($shape:ident, arrange: $arrange:expr, common: $common:ident, summary: $summary:literal,
     parameters: $parameters:literal, gflops: $gflops:literal, sets: $sets:expr, note: $note:expr) => {
        BackboneKind {
            name: $shape.name,
            summary: $summary,
            stages: || stages(&$shape),
            build: |p, spec| Vit::build(p, &$shape, spec),
            timm: Some($shape.name),
            parameters: $parameters,
            gflops: $gflops,
            weights: PublishedWeights {
                sets: $sets,
                note: $note,
                rename: |name, _| names::to_timm(name),
                convert: |_, to, tensor, wanted| names::in_timms_form(to, tensor, wanted, $shape.prefix),
                arrange: $arrange,
            },
            ..$common
        }
    };
}

/// Common to the kinds under timm's names.
const IN_TIMM: BackboneKind =
    BackboneKind { interpolation: "bicubic", classifier: "head", first_conv: "patch_embed.proj", ..COMMON };

// DINOv2.

const REGISTERS: i64 = 4;

const BASE_REG4: Shape = Shape {
    name: "vit_base_patch14_reg4_dinov2",
    patch: 14,
    registers: REGISTERS,
    prefix: 0,
    layer_scale: Some(1e-5),
    ..BASE
};
const SMALL_REG4: Shape = Shape { name: "vit_small_patch14_reg4_dinov2", width: 384, heads: 6, ..BASE_REG4 };
const LARGE_REG4: Shape =
    Shape { name: "vit_large_patch14_reg4_dinov2", width: 1024, heads: 16, stages: &BLOCKS, ..BASE_REG4 };
const SMALL_DINOV2: Shape = Shape { name: "vit_small_patch14_dinov2", registers: 0, prefix: 1, ..SMALL_REG4 };
const BASE_DINOV2: Shape = Shape { name: "vit_base_patch14_dinov2", registers: 0, prefix: 1, ..BASE_REG4 };
const LARGE_DINOV2: Shape = Shape { name: "vit_large_patch14_dinov2", registers: 0, prefix: 1, ..LARGE_REG4 };

const DINOV2: BackboneKind = BackboneKind {
    image_size: 518,
    crop_pct: 1.0,
    paper: "Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, TMLR 2024",
    ..IN_TIMM
};
const DINOV2_REG4: BackboneKind = BackboneKind {
    paper: "Darcet et al., Vision Transformers Need Registers, ICLR 2024; Oquab et al., DINOv2, TMLR 2024",
    ..DINOV2
};

const DINOV2_NOTE: &str =
    "timm's of the same name and the authors' (positions are interpolated to another image_size, as in timm)";

pub const VIT_SMALL_PATCH14_REG4_DINOV2: BackboneKind = kind!(
    SMALL_REG4,
    arrange: names::of_dinov2,
    common: DINOV2_REG4,
    summary: "DINOv2's ViT-S/14 with 4 registers, as in timm; its stages are its 12 blocks",
    parameters: 22_057_344,
    gflops: 46.883,
    sets: &[WeightSet {
        name: "dinov2",
        files: &["dinov2_vits14_reg4_pretrain.pth", "vit_small_patch14_reg4_dinov2.safetensors"],
        source: "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_reg4_pretrain.pth",
        hub: Some("timm/vit_small_patch14_reg4_dinov2.lvd142m"),
    }],
    note: DINOV2_NOTE
);

pub const VIT_BASE_PATCH14_REG4_DINOV2: BackboneKind = kind!(
    BASE_REG4,
    arrange: names::of_dinov2,
    common: DINOV2_REG4,
    summary: "DINOv2's ViT-B/14 with 4 registers, as in timm; its stages are its 12 blocks",
    parameters: 86_582_016,
    gflops: 152.117,
    sets: &[WeightSet {
        name: "dinov2",
        files: &["dinov2_vitb14_reg4_pretrain.pth", "vit_base_patch14_reg4_dinov2.safetensors"],
        source: "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_reg4_pretrain.pth",
        hub: Some("timm/vit_base_patch14_reg4_dinov2.lvd142m"),
    }],
    note: DINOV2_NOTE
);

pub const VIT_LARGE_PATCH14_REG4_DINOV2: BackboneKind = kind!(
    LARGE_REG4,
    arrange: names::of_dinov2,
    common: DINOV2_REG4,
    summary: "DINOv2's ViT-L/14 with 4 registers, as in timm; its stages are its 24 blocks",
    parameters: 304_370_688,
    gflops: 508.552,
    sets: &[WeightSet {
        name: "dinov2",
        files: &["dinov2_vitl14_reg4_pretrain.pth", "vit_large_patch14_reg4_dinov2.safetensors"],
        source: "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_reg4_pretrain.pth",
        hub: Some("timm/vit_large_patch14_reg4_dinov2.lvd142m"),
    }],
    note: DINOV2_NOTE
);

pub const VIT_SMALL_PATCH14_DINOV2: BackboneKind = kind!(
    SMALL_DINOV2,
    arrange: names::of_dinov2,
    common: DINOV2,
    summary: "DINOv2's ViT-S/14 without registers, as in timm; its stages are its 12 blocks",
    parameters: 22_056_192,
    gflops: 46.697,
    sets: &[WeightSet {
        name: "dinov2",
        files: &["dinov2_vits14_pretrain.pth", "vit_small_patch14_dinov2.safetensors"],
        source: "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
        hub: Some("timm/vit_small_patch14_dinov2.lvd142m"),
    }],
    note: DINOV2_NOTE
);

pub const VIT_BASE_PATCH14_DINOV2: BackboneKind = kind!(
    BASE_DINOV2,
    arrange: names::of_dinov2,
    common: DINOV2,
    summary: "DINOv2's ViT-B/14 without registers, as in timm; its stages are its 12 blocks",
    parameters: 86_579_712,
    gflops: 151.574,
    sets: &[WeightSet {
        name: "dinov2",
        files: &["dinov2_vitb14_pretrain.pth", "vit_base_patch14_dinov2.safetensors"],
        source: "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth",
        hub: Some("timm/vit_base_patch14_dinov2.lvd142m"),
    }],
    note: DINOV2_NOTE
);

pub const VIT_LARGE_PATCH14_DINOV2: BackboneKind = kind!(
    LARGE_DINOV2,
    arrange: names::of_dinov2,
    common: DINOV2,
    summary: "DINOv2's ViT-L/14 without registers, as in timm; its stages are its 24 blocks",
    parameters: 304_367_616,
    gflops: 506.805,
    sets: &[WeightSet {
        name: "dinov2",
        files: &["dinov2_vitl14_pretrain.pth", "vit_large_patch14_dinov2.safetensors"],
        source: "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
        hub: Some("timm/vit_large_patch14_dinov2.lvd142m"),
    }],
    note: DINOV2_NOTE
);

// CLIP.

const BASE_CLIP: Shape = Shape { name: "vit_base_patch16_clip_224", pre_norm: true, eps: 1e-5, ..BASE };
const BASE_QUICK_CLIP: Shape =
    Shape { name: "vit_base_patch16_clip_quickgelu_224", activation: Activation::QuickGelu, ..BASE_CLIP };

const CLIP: BackboneKind = BackboneKind {
    mean: CLIP_MEAN,
    std: CLIP_STD,
    paper: "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
    ..IN_TIMM
};
const OPEN_CLIP: BackboneKind = BackboneKind {
    crop_pct: 1.0,
    paper: "Cherti et al., Reproducible Scaling Laws for Contrastive Language-Image Learning, CVPR 2023",
    ..CLIP
};
const OPENAI_CLIP: BackboneKind = BackboneKind { crop_pct: 0.9, ..CLIP };

pub const VIT_BASE_PATCH16_CLIP_224: BackboneKind = kind!(
    BASE_CLIP,
    arrange: names::of_clip,
    common: OPEN_CLIP,
    summary: "CLIP's image tower ViT-B/16 with exact GELU, as in timm; its stages are its 12 blocks",
    parameters: 85_799_424,
    gflops: 17.564,
    sets: &[
        WeightSet {
            name: "laion2b",
            files: &["vit_base_patch16_clip_224.laion2b.safetensors"],
            source: "https://huggingface.co/timm/vit_base_patch16_clip_224.laion2b (model.safetensors, to be named vit_base_patch16_clip_224.laion2b.safetensors)",
            hub: Some("timm/vit_base_patch16_clip_224.laion2b"),
        },
        WeightSet {
            name: "datacompxl",
            files: &["vit_base_patch16_clip_224.datacompxl.safetensors"],
            source: "https://huggingface.co/timm/vit_base_patch16_clip_224.datacompxl (model.safetensors, to be named vit_base_patch16_clip_224.datacompxl.safetensors)",
            hub: Some("timm/vit_base_patch16_clip_224.datacompxl"),
        },
        WeightSet {
            name: "imagenet",
            files: &["vit_base_patch16_clip_224.laion2b_ft_in12k_in1k.safetensors"],
            source: "https://huggingface.co/timm/vit_base_patch16_clip_224.laion2b_ft_in12k_in1k (laion2b, then ImageNet-12k and ImageNet; model.safetensors, to be named vit_base_patch16_clip_224.laion2b_ft_in12k_in1k.safetensors)",
            hub: Some("timm/vit_base_patch16_clip_224.laion2b_ft_in12k_in1k"),
        },
    ],
    note: "timm's of the same name, open_clip's ViT-B-16; OpenAI's are for vit_base_patch16_clip_quickgelu_224"
);

pub const VIT_BASE_PATCH16_CLIP_QUICKGELU_224: BackboneKind = kind!(
    BASE_QUICK_CLIP,
    arrange: names::of_clip,
    common: OPENAI_CLIP,
    summary: "CLIP's image tower ViT-B/16 with QuickGELU, OpenAI's, as in timm; its stages are its 12 blocks",
    parameters: 85_799_424,
    gflops: 17.564,
    sets: &[
        WeightSet {
            name: "openai",
            files: &["vit_base_patch16_clip_224.openai.safetensors"],
            source: "https://huggingface.co/timm/vit_base_patch16_clip_224.openai (model.safetensors, to be named vit_base_patch16_clip_224.openai.safetensors)",
            hub: Some("timm/vit_base_patch16_clip_224.openai"),
        },
        WeightSet {
            name: "metaclip",
            files: &["vit_base_patch16_clip_224.metaclip_2pt5b.safetensors"],
            source: "https://huggingface.co/timm/vit_base_patch16_clip_224.metaclip_2pt5b (licence CC BY-NC 4.0; model.safetensors, to be named vit_base_patch16_clip_224.metaclip_2pt5b.safetensors)",
            hub: Some("timm/vit_base_patch16_clip_224.metaclip_2pt5b"),
        },
    ],
    note: "timm's vit_base_patch16_clip_224.openai and .metaclip_*, OpenAI's names in open_clip's files (ViT-B-16-quickgelu)"
);

// SigLIP.

const BASE_SIGLIP: Shape =
    Shape { name: "vit_base_patch16_siglip_224", class_token: false, prefix: 0, attention_pool: true, ..BASE };

const SIGLIP: BackboneKind = BackboneKind {
    mean: [0.5; 3],
    std: [0.5; 3],
    crop_pct: 0.9,
    pool: Some("attn_pool."),
    paper: "Zhai et al., Sigmoid Loss for Language Image Pre-Training, ICCV 2023",
    ..IN_TIMM
};

pub const VIT_BASE_PATCH16_SIGLIP_224: BackboneKind = kind!(
    BASE_SIGLIP,
    arrange: Ok,
    common: SIGLIP,
    summary: "SigLIP's image tower ViT-B/16, as in timm; gap pools by its attention; its stages are its 12 blocks",
    parameters: 92_884_224,
    gflops: 17.709,
    sets: &[
        WeightSet {
            name: "webli",
            files: &["vit_base_patch16_siglip_224.webli.safetensors"],
            source: "https://huggingface.co/timm/vit_base_patch16_siglip_224.webli (model.safetensors, to be named vit_base_patch16_siglip_224.webli.safetensors)",
            hub: Some("timm/vit_base_patch16_siglip_224.webli"),
        },
        WeightSet {
            name: "siglip2",
            files: &["vit_base_patch16_siglip_224.v2_webli.safetensors"],
            source: "https://huggingface.co/timm/vit_base_patch16_siglip_224.v2_webli (Tschannen et al., SigLIP 2, arXiv:2502.14786; model.safetensors, to be named vit_base_patch16_siglip_224.v2_webli.safetensors)",
            hub: Some("timm/vit_base_patch16_siglip_224.v2_webli"),
        },
    ],
    note: "timm's vit_base_patch16_siglip_* of any size, SigLIP 2 too (positions are interpolated to another image_size), and open_clip's files of them"
);
