//! Graph convolutions of word vectors (Kipf and Welling, ICLR 2017), as ML-GCN has them and its descendants.

use tch::{Kind, Tensor};

use crate::error::Result;
use crate::models::layers::leaky_relu;
use crate::models::params::Scope;
use crate::models::products::matmul;

/// Two graph convolutions without bias, leaky ReLU 0.2 between them: Â f(Â E W₁) W₂.
pub struct GraphConvolutions {
    first: Tensor,
    second: Tensor,
}

impl GraphConvolutions {
    /// `gc1.weight` `[inputs, hidden]` and `gc2.weight` `[hidden, outputs]` of the scope.
    pub fn new(p: &Scope, inputs: i64, hidden: i64, outputs: i64) -> Result<GraphConvolutions> {
        let layer = |name: &str, inputs: i64, outputs: i64| {
            p.at(name).uniform("weight", &[inputs, outputs], 1.0 / (outputs as f64).sqrt())
        };
        Ok(GraphConvolutions { first: layer("gc1", inputs, hidden)?, second: layer("gc2", hidden, outputs)? })
    }

    /// Word vectors `[m, inputs]` → `[m, outputs]` over the normalised adjacency `[m, m]`.
    pub fn forward(&self, words: &Tensor, adjacency: &Tensor) -> Result<Tensor> {
        let hidden = leaky_relu(&matmul(adjacency, &matmul(words, &self.first)?)?, 0.2)?;
        matmul(adjacency, &matmul(&hidden, &self.second)?)
    }
}

/// The graph binarised at `threshold`, columns scaled to a sum of `neighbours`, plus the identity.
pub fn reweighted(graph: &Tensor, threshold: f64, neighbours: f64) -> Result<Tensor> {
    let joined = graph.f_ge(threshold)?.f_to_kind(Kind::Float)?;
    let sums = joined.f_sum_dim_intlist(&[0i64][..], true, None)?.f_add_scalar(1e-6)?;
    let m = joined.size()[0];
    Ok(joined.f_mul_scalar(neighbours)?.f_div(&sums)?.f_add(&Tensor::f_eye(m, (Kind::Float, graph.device()))?)?)
}

/// (A D^-1/2)ᵀ D^-1/2.
pub fn normalised(a: &Tensor) -> Result<Tensor> {
    let scale = a.f_sum_dim_intlist(&[1i64][..], false, None)?.f_pow_tensor_scalar(-0.5)?;
    Ok(a.f_mul(&scale.f_unsqueeze(0)?)?.f_transpose(0, 1)?.f_mul(&scale.f_unsqueeze(0)?)?)
}
