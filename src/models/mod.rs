//! Image models: a backbone, a head, their weights, and the specification that names them.
//!
//! A [`Model`] is built from a [`ModelSpec`] and the labels it answers for. Its backbone is a row of stages
//! ([`backbones::BACKBONES`]); the first `freeze` stages can be fixed, so that their output is computed once and
//! kept. Its head ([`heads::HEADS`]) turns the last features into one logit a label. Parameter names are those of
//! torchvision and timm, so that weights go both ways.

pub mod backbones;
pub mod cam;
pub mod heads;
pub mod label_graph;
pub mod layers;
mod model;
pub mod params;
pub mod pass;
pub mod precision;
mod spec;
pub mod weights;
pub mod word_vectors;

pub use label_graph::LabelGraph;
pub use model::{LoadReport, Model};
pub use pass::Pass;
pub use precision::Precision;
pub use spec::{ModelSpec, Normalise};
