//! Image models: backbones, heads, their weights, and specifications of them.
//!
//! A [`Model`] is built from a [`ModelSpec`] and labels. Its backbone is a sequence of stages
//! ([`backbones::BACKBONES`]); the first `freeze` stages can be frozen, so that their output is computed once and
//! kept. Its head ([`heads::HEADS`]) maps the last features to one logit per label. Parameter names are those of
//! torchvision and timm, so that weights can be exchanged in both directions.

mod adapter; // tokens before the blocks of a ViT, low-rank updates
pub mod backbones;
pub mod cam;
pub(crate) mod draws;
mod frozen_compute;
pub mod functions;
mod graph_option;
pub mod heads;
pub mod label_order;
pub mod layers;
pub mod memory_format;
mod model;
mod named;
pub mod params;
pub mod pass;
pub mod precision;
mod products; // convolutions, linear maps, matrix products, attention
mod resolve;
mod spec;
mod sync_norm;
pub mod weights;
pub mod word_vectors;

pub use adapter::{Layer, Lora, Tokens};
pub use frozen_compute::FrozenCompute;
pub use graph_option::LabelGraph;
pub use model::{LoadSummary, Model, NOT_HELD, Part, StageMaps};
pub use named::Beside;
pub use pass::{Pass, Slice};
pub use precision::Precision;
pub use spec::{LEARNED, ModelSpec, Normalise};
pub use sync_norm::SyncNorms;
