//! First values of parameters, by PyTorch's names.

use tch::{Kind, Tensor};

use crate::error::{Error, Result};
use crate::models::params::Scope;

/// The first values of a weight.
#[derive(Debug)]
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

    /// The same, for a later [`goes_with`](Self::goes_with).
    pub(super) fn kept(&self) -> Init {
        match self {
            Init::Default => Init::Default,
            Init::Filled(value) => Init::Filled(*value),
            Init::Normal(deviation) => Init::Normal(*deviation),
            Init::Uniform(bound) => Init::Uniform(*bound),
            Init::XavierUniform => Init::XavierUniform,
            Init::XavierNormal => Init::XavierNormal,
            Init::KaimingUniform => Init::KaimingUniform,
            Init::KaimingNormal => Init::KaimingNormal,
            Init::Values(values) => Init::Values(values.shallow_clone()),
        }
    }

    /// Whether a layer that began with `first` can be asked for with this: the same, or none at all.
    pub(super) fn goes_with(&self, first: &Init) -> Result<bool> {
        Ok(match (self, first) {
            (Init::Default, _) => true,
            (Init::Filled(a), Init::Filled(b))
            | (Init::Normal(a), Init::Normal(b))
            | (Init::Uniform(a), Init::Uniform(b)) => a == b,
            (Init::XavierUniform, Init::XavierUniform)
            | (Init::XavierNormal, Init::XavierNormal)
            | (Init::KaimingUniform, Init::KaimingUniform)
            | (Init::KaimingNormal, Init::KaimingNormal) => true,
            (Init::Values(a), Init::Values(b)) => {
                let b = b.f_to_device(a.device())?.f_to_kind(Kind::Float)?;
                a.size() == b.size() && a.f_to_kind(Kind::Float)?.f_equal(&b)?
            }
            _ => false,
        })
    }

    /// In a sentence, as scripts write it.
    pub(super) fn said(&self) -> String {
        match self {
            Init::Default => "the layer's own init".into(),
            Init::Filled(value) => format!("init {value:?}"),
            Init::Normal(deviation) => format!("init \"normal\" with std {deviation}"),
            Init::Uniform(bound) => format!("init \"uniform\" with bound {bound}"),
            Init::XavierUniform => "init \"xavier_uniform\"".into(),
            Init::XavierNormal => "init \"xavier_normal\"".into(),
            Init::KaimingUniform => "init \"kaiming_uniform\"".into(),
            Init::KaimingNormal => "init \"kaiming_normal\"".into(),
            Init::Values(values) => format!("a Tensor {:?} as init", values.size()),
        }
    }

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
