//! The named tensors of a model, and the scopes in which its layers make them.

use std::cell::RefCell;
use std::fmt::Display;

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::random::{self, Generator};
use crate::torch;

/// The purpose of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A weight or bias: trained unless frozen.
    Weight,
    /// A running batch-norm statistic.
    Statistic,
}

/// One named tensor.
pub struct Param {
    pub name: String,
    pub role: Role,
    pub tensor: Tensor,
    pub frozen: bool,
}

/// All tensors of one model, in the order in which they were made. Layers hold shallow clones, which share storage.
#[derive(Default)]
pub struct Params {
    pub list: Vec<Param>,
    /// Tensors that the architecture fixes but PyTorch's state dicts hold: written to files, ignored when read.
    pub constants: Vec<(String, Tensor)>,
    pub first: FirstValues,
}

/// The first values of random tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstValues {
    /// From seed and name.
    #[default]
    Drawn,
    /// Zeros, for a model whose tensors are then all replaced.
    Zeros,
    /// Only names and shapes matter: tensors without memory.
    None,
}

/// Numbers of one tensor of a model at most: 8 GiB. Drawing more would end the process where memory ends.
const MOST_NUMBERS: i64 = 1 << 31;

/// A prefix of parameter names, with the properties of the tensors that layers make under it.
///
/// [`at`](Self::at) gives a child, which inherits everything. First values follow from (seed, name) alone.
#[derive(Clone)]
pub struct Scope<'a> {
    params: &'a RefCell<Params>,
    pub device: Device,
    seed: u64,
    /// Ends with a dot, unless this is the root.
    path: String,
    /// Put before names, without effect on first values.
    prefix: &'static str,
    frozen: bool,
    frozen_norms: bool,
}

impl<'a> Scope<'a> {
    /// The scope without a prefix, where everything is trained.
    pub fn root(params: &'a RefCell<Params>, seed: u64, device: Device) -> Scope<'a> {
        Scope { params, device, seed, path: String::new(), prefix: "", frozen: false, frozen_norms: false }
    }

    /// The scope of names that go on with `name` and a dot.
    pub fn at(&self, name: impl Display) -> Scope<'a> {
        Scope { path: format!("{}{name}.", self.path), ..self.clone() }
    }

    /// The same names; if `frozen`, tensors made in the new scope are not trained.
    pub fn frozen_if(&self, frozen: bool) -> Scope<'a> {
        Scope { frozen: self.frozen || frozen, ..self.clone() }
    }

    /// The same names; if `frozen`, batch norms made in the new scope are not trained.
    pub fn frozen_norms_if(&self, frozen: bool) -> Scope<'a> {
        Scope { frozen_norms: self.frozen_norms || frozen, ..self.clone() }
    }

    /// Whether first values matter; if not, a layer need not compute one.
    pub fn draws(&self) -> bool {
        self.params.borrow().first == FirstValues::Drawn
    }

    /// The generator of the first values of that name, for a tensor that a layer computes.
    pub fn generator(&self, leaf: &str) -> Generator {
        random::named(self.seed, &self.path_of(leaf))
    }

    /// A scope for a copy: names begin with `prefix`, first values are those of the names without it.
    pub fn copy_under(&self, prefix: &'static str) -> Scope<'a> {
        Scope { prefix, ..self.clone() }
    }

    fn path_of(&self, leaf: &str) -> String {
        format!("{}{leaf}", self.path)
    }

    fn push(&self, leaf: &str, role: Role, tensor: Tensor) {
        let name = format!("{}{}", self.prefix, self.path_of(leaf));
        self.params.borrow_mut().list.push(Param { name, role, tensor, frozen: self.frozen });
    }

    fn add(&self, leaf: &str, role: Role, value: Tensor) -> Result<Tensor> {
        let mut tensor = value.f_to_device(self.device)?.f_to_kind(Kind::Float)?;
        if role == Role::Weight && !self.frozen {
            tensor = tensor.f_set_requires_grad(true)?;
        }
        self.push(leaf, role, tensor.shallow_clone());
        Ok(tensor)
    }

    /// A convolution's weight `[out, in/groups, k, k]`: normal with variance 2 / fan_out (He et al. 2015), as
    /// torchvision and timm initialise theirs.
    pub fn conv(&self, shape: [i64; 4], groups: i64) -> Result<Tensor> {
        let fan_out = (shape[0] * shape[2] * shape[3] / groups) as f64;
        self.normal("weight", &shape, (2.0 / fan_out).sqrt())
    }

    /// A linear layer's weight `[out, in]` and bias `[out]`, uniform in ±1/√in as PyTorch's default; further dimensions
    /// of size 1 make it a 1×1 convolution.
    pub fn linear(&self, shape: &[i64]) -> Result<(Tensor, Tensor)> {
        let bound = 1.0 / (shape[1] as f64).sqrt();
        Ok((self.uniform("weight", shape, bound)?, self.uniform("bias", &shape[..1], bound)?))
    }

    /// A batch norm's weight, which starts from `weight` everywhere, bias, running mean and running variance, each `[channels]`.
    pub fn batch_norm(&self, channels: i64, weight: f64) -> Result<[Tensor; 4]> {
        let p = self.frozen_if(self.frozen_norms);
        let options = (Kind::Float, Device::Cpu);
        Ok([
            p.add("weight", Role::Weight, Tensor::f_full([channels], weight, options)?)?,
            p.add("bias", Role::Weight, Tensor::f_zeros([channels], options)?)?,
            p.add("running_mean", Role::Statistic, Tensor::f_zeros([channels], options)?)?,
            p.add("running_var", Role::Statistic, Tensor::f_ones([channels], options)?)?,
        ])
    }

    /// A layer norm's weight and bias `[width]`.
    pub fn layer_norm(&self, width: i64) -> Result<(Tensor, Tensor)> {
        Ok((self.filled("weight", &[width], 1.0)?, self.filled("bias", &[width], 0.0)?))
    }

    /// A weight of independent normal numbers.
    pub fn normal(&self, leaf: &str, shape: &[i64], deviation: f64) -> Result<Tensor> {
        self.random(leaf, shape, |name| torch::normal(self.seed, name, shape, deviation))
    }

    fn random(&self, leaf: &str, shape: &[i64], draw: impl FnOnce(&str) -> Result<Tensor>) -> Result<Tensor> {
        let numbers = shape.iter().try_fold(1i64, |n, side| n.checked_mul(*side));
        if numbers.is_none_or(|n| n > MOST_NUMBERS) {
            return Err(Error::argument(format!(
                "tensor \"{}\" of the model would be {shape:?}; at most {MOST_NUMBERS} numbers are allowed",
                self.path_of(leaf)
            ))
            .with_help("smaller head_options or head_width make it smaller"));
        }
        let first = self.params.borrow().first;
        let value = match first {
            FirstValues::Drawn => draw(&self.path_of(leaf))?,
            FirstValues::Zeros => Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))?,
            FirstValues::None => nothing(shape)?,
        };
        self.add(leaf, Role::Weight, value)
    }

    /// A weight of independent numbers, uniform in ±`bound`.
    pub fn uniform(&self, leaf: &str, shape: &[i64], bound: f64) -> Result<Tensor> {
        self.random(leaf, shape, |name| torch::uniform(self.seed, name, shape, bound))
    }

    /// A weight `[out, in]`, uniform in ±√(6 / (in + out)) (Glorot and Bengio 2010, as `xavier_uniform_` with gain 1).
    pub fn xavier(&self, leaf: &str, shape: [i64; 2]) -> Result<Tensor> {
        self.uniform(leaf, &shape, (6.0 / (shape[0] + shape[1]) as f64).sqrt())
    }

    /// A weight that starts from this value.
    pub fn given(&self, leaf: &str, value: Tensor) -> Result<Tensor> {
        self.add(leaf, Role::Weight, value)
    }

    /// A weight that starts from one number everywhere.
    pub fn filled(&self, leaf: &str, shape: &[i64], value: f64) -> Result<Tensor> {
        self.add(leaf, Role::Weight, Tensor::f_full(shape, value, (Kind::Float, Device::Cpu))?)
    }

    /// A tensor that the architecture fixes.
    pub fn constant(&self, leaf: &str, value: Tensor) {
        let name = format!("{}{}", self.prefix, self.path_of(leaf));
        self.params.borrow_mut().constants.push((name, value));
    }

    /// An existing weight, f32 and on the device: it is trained in place.
    pub fn adopt(&self, leaf: &str, value: Tensor) -> Result<()> {
        if value.kind() != Kind::Float || value.device() != self.device {
            let came = format!("{:?} on {:?}", value.kind(), value.device());
            return Err(Error::data(format!(
                "tensor \"{leaf}\" must be Float on {:?}. Got {came} instead.",
                self.device
            )));
        }
        self.push(leaf, Role::Weight, value.f_set_requires_grad(!self.frozen)?);
        Ok(())
    }
}

/// Zeros that take no memory.
fn nothing(shape: &[i64]) -> Result<Tensor> {
    Ok(Tensor::f_zeros([1], (Kind::Float, Device::Cpu))?.f_expand(shape, false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_name_freeze_and_copy() {
        let params = RefCell::new(Params::default());
        let root = Scope::root(&params, 1, Device::Cpu);
        let layer = root.at("layers").at(3).frozen_if(true);
        let _ = layer.at("norm").frozen_if(false).batch_norm(2, 1.0).unwrap();
        let weight = root.at("fc").normal("weight", &[4], 1.0).unwrap();
        let copy = root.copy_under("second.").at("fc").normal("weight", &[4], 1.0).unwrap();
        let _ = root.frozen_norms_if(true).at("bn").batch_norm(2, 1.0).unwrap();
        assert_eq!(weight, copy);
        assert!(root.generator("fc.weight") == random::named(1, "fc.weight") && root.draws());
        let list = params.into_inner().list;
        let frozen: Vec<(&str, bool)> = list.iter().step_by(4).map(|p| (p.name.as_str(), p.frozen)).collect();
        assert_eq!(frozen, [("layers.3.norm.weight", true), ("fc.weight", false), ("bn.running_mean", true)]);
        assert_eq!(list[5].name, "second.fc.weight");
        let params = RefCell::new(Params { first: FirstValues::Zeros, ..Params::default() });
        let blank = Scope::root(&params, 1, Device::Cpu).at("fc");
        let weight = blank.normal("weight", &[4], 1.0).unwrap();
        assert!(!blank.draws() && f64::try_from(weight.abs().sum(Kind::Double)).unwrap() == 0.0);
    }
}
