//! The named tensors of a model: made in order, found by name, some trained and some not.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::torch;

/// What a tensor is for.
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

/// All tensors of one model in the order of their making. Layers hold shallow clones, which share storage.
pub struct Params {
    pub list: Vec<Param>,
    pub device: Device,
    seed: u64,
    /// Whether what is made now is part of the frozen stages.
    pub freezing: bool,
    /// Whether batch norms made now are frozen in any case.
    pub freezing_norms: bool,
    /// Put before the names of what is made now.
    prefix: &'static str,
    /// Tensors that the architecture fixes but PyTorch's state dicts hold: written to files, of no use in them.
    pub constants: Vec<(String, Tensor)>,
}

impl Params {
    pub fn new(seed: u64, device: Device) -> Self {
        Params {
            list: Vec::new(),
            device,
            seed,
            freezing: false,
            freezing_norms: false,
            prefix: "",
            constants: Vec::new(),
        }
    }

    /// Makes tensors whose names begin with `prefix`; what they start from follows from the names without it.
    pub fn prefixed<T>(&mut self, prefix: &'static str, make: impl FnOnce(&mut Params) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.prefix, prefix);
        let made = make(self);
        self.prefix = before;
        made
    }

    fn add(&mut self, name: String, role: Role, value: Tensor) -> Result<Tensor> {
        let mut tensor = value.f_to_device(self.device)?.f_to_kind(Kind::Float)?;
        if role == Role::Weight && !self.freezing {
            tensor = tensor.f_set_requires_grad(true)?;
        }
        let handle = tensor.shallow_clone();
        self.list.push(Param { name: format!("{}{name}", self.prefix), role, tensor, frozen: self.freezing });
        Ok(handle)
    }

    /// A convolution's weight `[out, in/groups, k, k]`: normal with variance 2 / fan_out (He et al. 2015), as
    /// torchvision and timm initialise theirs.
    pub fn conv(&mut self, name: &str, shape: [i64; 4], groups: i64) -> Result<Tensor> {
        let fan_out = (shape[0] * shape[2] * shape[3] / groups) as f64;
        let name = format!("{name}.weight");
        let value = torch::normal(self.seed, &name, &shape, (2.0 / fan_out).sqrt())?;
        self.add(name, Role::Weight, value)
    }

    /// A linear layer's weight `[out, in]` and bias `[out]`, uniform in ±1/√in as PyTorch's default; further dimensions
    /// of size 1 make it a 1×1 convolution.
    pub fn linear(&mut self, name: &str, shape: &[i64]) -> Result<(Tensor, Tensor)> {
        let bound = 1.0 / (shape[1] as f64).sqrt();
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let w = torch::uniform(self.seed, &weight, shape, bound)?;
        let b = torch::uniform(self.seed, &bias, &shape[..1], bound)?;
        Ok((self.add(weight, Role::Weight, w)?, self.add(bias, Role::Weight, b)?))
    }

    /// A batch norm's weight, bias, running mean and running variance, each `[channels]`.
    pub fn batch_norm(&mut self, name: &str, channels: i64) -> Result<[Tensor; 4]> {
        let options = (Kind::Float, Device::Cpu);
        let before = self.freezing;
        self.freezing |= self.freezing_norms;
        let made = Ok([
            self.add(format!("{name}.weight"), Role::Weight, Tensor::f_ones([channels], options)?)?,
            self.add(format!("{name}.bias"), Role::Weight, Tensor::f_zeros([channels], options)?)?,
            self.add(format!("{name}.running_mean"), Role::Statistic, Tensor::f_zeros([channels], options)?)?,
            self.add(format!("{name}.running_var"), Role::Statistic, Tensor::f_ones([channels], options)?)?,
        ]);
        self.freezing = before;
        made
    }

    /// A layer norm's weight and bias `[width]`.
    pub fn layer_norm(&mut self, name: &str, width: i64) -> Result<(Tensor, Tensor)> {
        let weight = self.filled(&format!("{name}.weight"), &[width], 1.0)?;
        Ok((weight, self.filled(&format!("{name}.bias"), &[width], 0.0)?))
    }

    /// A weight of independent normal numbers; `name` is the whole name.
    pub fn normal(&mut self, name: &str, shape: &[i64], deviation: f64) -> Result<Tensor> {
        let value = torch::normal(self.seed, name, shape, deviation)?;
        self.add(name.to_string(), Role::Weight, value)
    }

    /// A weight that starts from one number everywhere; `name` is the whole name.
    pub fn filled(&mut self, name: &str, shape: &[i64], value: f64) -> Result<Tensor> {
        let value = Tensor::f_full(shape, value, (Kind::Float, Device::Cpu))?;
        self.add(name.to_string(), Role::Weight, value)
    }

    /// A tensor that the architecture fixes.
    pub fn constant(&mut self, name: &str, value: Tensor) {
        self.constants.push((format!("{}{name}", self.prefix), value));
    }

    /// A weight that is there already, f32 and on the device: it is trained in place.
    pub fn adopt(&mut self, name: &str, value: Tensor) -> Result<()> {
        if value.kind() != Kind::Float || value.device() != self.device {
            let came = format!("{:?} on {:?}", value.kind(), value.device());
            return Err(Error::data(format!(
                "tensor \"{name}\" must be Float on {:?}. Got {came} instead.",
                self.device
            )));
        }
        let value = value.f_set_requires_grad(!self.freezing)?;
        self.list.push(Param {
            name: format!("{}{name}", self.prefix),
            role: Role::Weight,
            tensor: value,
            frozen: self.freezing,
        });
        Ok(())
    }
}
