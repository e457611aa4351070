//! Models, heads, training and metrics, held to PyTorch, timm, scikit-learn and scipy; the paper's experiments.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

mod adapters;
mod checkpoints;
#[path = "../common/mod.rs"]
mod common;
mod devices;
mod formula;
mod fused;
mod head_parts;
mod head_precision;
mod heads;
mod hooks;
mod hostile_weights;
mod label_mask;
mod lost_weights;
mod memory_format;
mod metrics_behaviour;
mod metrics_golden;
mod models_parity;
mod models_weights;
mod optimisers;
mod parity;
mod partial;
mod pretended_gpu;
mod published_heads;
mod recipes;
mod reconstructed_heads;
mod reproduce;
mod runs;
mod steps;
mod teaching;
mod tensorboard;
mod transfers;
mod weights_hub;
