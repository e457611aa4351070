//! Low-rank updates of a block's linear layers.

use tch::Tensor;

use crate::error::Result;
use crate::models::adapter::{Layer, Lora, LowRank};
use crate::models::params::Scope;

/// The updates of one block, by layer; none of a layer that keeps its output.
#[derive(Default)]
pub struct Updates(Vec<(Layer, LowRank)>);

impl Updates {
    /// `size` gives a layer's input and output channels.
    pub fn new(p: &Scope, lora: &Lora, size: impl Fn(Layer) -> (i64, i64)) -> Result<Updates> {
        let update = |&layer: &Layer| {
            let (inputs, outputs) = size(layer);
            Ok((layer, LowRank::new(&p.at(layer.name()), lora, inputs, outputs)?))
        };
        Ok(Updates(lora.on.iter().map(update).collect::<Result<_>>()?))
    }

    /// The layer's output `y` for `x`, with its update.
    pub fn added(&self, layer: Layer, x: &Tensor, y: Tensor) -> Result<Tensor> {
        match self.0.iter().find(|(of, _)| *of == layer) {
            Some((_, update)) => update.added(x, y),
            None => Ok(y),
        }
    }
}
