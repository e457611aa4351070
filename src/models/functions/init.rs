//! First values of parameters, by PyTorch's names.

use tch::{Kind, Tensor};

use crate::error::{Error, Result};
use crate::models::params::Scope;

/// The first values of a weight.
pub enum Init {
    /// The layer's own: PyTorch's for that kind of layer.
    Default,
    /// One number everywhere.
    Filled(f64),
    /// Independent normal numbers with this standard deviation.
    Normal(f64),
    /// Independent numbers, uniform in ± this bound.
    Uniform(f64),
    /// Uniform in ±√(6 / (in + out)) (Glorot and Bengio 2010).
    XavierUniform,
    /// Normal with variance 2 / (in + out).
    XavierNormal,
    /// Uniform in ±√(6 / in) (He et al. 2015).
    KaimingUniform,
    /// Normal with variance 2 / in.
    KaimingNormal,
    /// These.
    Values(Tensor),
}

impl Init {
    /// The names that stand for one without further numbers.
    pub const NAMED: [(&'static str, fn() -> Init); 6] = [
        ("zeros", || Init::Filled(0.0)),
        ("ones", || Init::Filled(1.0)),
        ("xavier_uniform", || Init::XavierUniform),
        ("xavier_normal", || Init::XavierNormal),
        ("kaiming_uniform", || Init::KaimingUniform),
        ("kaiming_normal", || Init::KaimingNormal),
    ];

    /// The weight `leaf` of the scope. `default` is that of the layer.
    ///
    /// Errors: values of another shape; a shape without inputs and outputs where they are needed.
    pub fn make(&self, p: &Scope, leaf: &str, shape: &[i64], default: Init) -> Result<Tensor> {
        match self {
            Init::Default if !matches!(default, Init::Default) => default.make(p, leaf, shape, Init::Default),
            Init::Default => p.normal(leaf, shape, 0.02),
            Init::Filled(value) => p.filled(leaf, shape, *value),
            Init::Normal(deviation) => p.normal(leaf, shape, *deviation),
            Init::Uniform(bound) => p.uniform(leaf, shape, *bound),
            Init::XavierUniform => fans(shape).and_then(|(i, o)| p.uniform(leaf, shape, (6.0 / (i + o)).sqrt())),
            Init::XavierNormal => fans(shape).and_then(|(i, o)| p.normal(leaf, shape, (2.0 / (i + o)).sqrt())),
            Init::KaimingUniform => fans(shape).and_then(|(i, _)| p.uniform(leaf, shape, (6.0 / i).sqrt())),
            Init::KaimingNormal => fans(shape).and_then(|(i, _)| p.normal(leaf, shape, (2.0 / i).sqrt())),
            Init::Values(values) if values.size() == shape => p.computed(leaf, shape, || {
                let mut own = values.f_zeros_like()?.f_detach()?.f_to_kind(Kind::Float)?;
                own.f_copy_(&values.f_detach()?)?;
                Ok(own)
            }),
            Init::Values(values) => Err(Error::argument(format!(
                "init must be a Tensor of the parameter's shape {shape:?}; got a Tensor {:?}",
                values.size()
            ))),
        }
    }
}

/// Inputs and outputs of a weight `[out, in, ...]`, further dimensions being those of a kernel, as PyTorch counts them.
fn fans(shape: &[i64]) -> Result<(f64, f64)> {
    let (&[outputs, inputs], kernel) = shape.split_first_chunk::<2>().ok_or_else(|| {
        Error::argument(format!(
            "init by inputs and outputs needs a shape of two dimensions or more, [out, in, ...]; got {shape:?}"
        ))
    })?;
    let field = kernel.iter().product::<i64>() as f64;
    Ok(((inputs as f64 * field).max(1.0), (outputs as f64 * field).max(1.0)))
}
