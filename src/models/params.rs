//! The named tensors of a model, and the scopes in which its layers make them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;

use tch::{Device, Kind, Tensor};

use super::draws::{Draw, Kind as DrawKind, drawn};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::memory;
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
    /// Values of constants that are not read from files of their own again.
    fixed: HashMap<String, Tensor>,
    /// Name and shape of the tensors that take memory; absent, all do. The others have a shape alone: a file that is read cannot
    /// make a model larger than itself.
    only: Option<HashMap<String, Vec<i64>>>,
    /// How many frozen batch norms stand behind a convolution, into which they can be folded.
    pub foldable: usize,
    /// Bytes of the tensors so far, and the most that they may take.
    taken: u64,
    most: Option<u64>,
}

impl Params {
    /// No tensors yet.
    pub fn new(first: FirstValues) -> Params {
        let most = if first == FirstValues::None { None } else { Some(memory::left()) };
        Params { first, most, ..Params::default() }
    }

    /// No tensors yet; those of these names and shapes will all be replaced, the others take no memory.
    pub fn of_file(shapes: HashMap<String, Vec<i64>>) -> Params {
        Params { only: Some(shapes), ..Params::new(FirstValues::Zeros) }
    }

    /// Constants of these names have these values; the others are ignored.
    pub fn with_fixed(self, values: impl IntoIterator<Item = (String, Tensor)>) -> Params {
        Params { fixed: values.into_iter().collect(), ..self }
    }

    /// Bytes of the tensors, those without memory included.
    pub fn bytes(&self) -> u64 {
        self.taken
    }
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

/// A scope that has the tensors of its model itself.
pub struct Lent {
    params: RefCell<Params>,
    device: Device,
    seed: u64,
    path: String,
    prefix: &'static str,
    frozen: bool,
    frozen_norms: bool,
}

impl Lent {
    pub fn device(&self) -> Device {
        self.device
    }

    pub fn scope(&self) -> Scope<'_> {
        Scope {
            params: &self.params,
            device: self.device,
            seed: self.seed,
            path: self.path.clone(),
            prefix: self.prefix,
            frozen: self.frozen,
            frozen_norms: self.frozen_norms,
        }
    }
}

impl<'a> Scope<'a> {
    /// The scope without a prefix, where everything is trained.
    pub fn root(params: &'a RefCell<Params>, seed: u64, device: Device) -> Scope<'a> {
        Scope { params, device, seed, path: String::new(), prefix: "", frozen: false, frozen_norms: false }
    }

    /// Runs `work` with this scope in a form that borrows nothing. Meanwhile this one makes no tensors.
    pub fn lend<R>(&self, work: impl FnOnce(Lent) -> (Option<Lent>, Result<R>)) -> Result<R> {
        let lent = Lent {
            params: RefCell::new(self.params.take()),
            device: self.device,
            seed: self.seed,
            path: self.path.clone(),
            prefix: self.prefix,
            frozen: self.frozen,
            frozen_norms: self.frozen_norms,
        };
        let (lent, result) = work(lent);
        let lent = lent.ok_or_else(|| Error::internal("the tensors of a model were not given back"))?;
        self.params.replace(lent.params.into_inner());
        result
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

    /// Notes a batch norm behind a convolution, if both are frozen.
    pub fn count_foldable(&self) {
        self.params.borrow_mut().foldable += usize::from(self.frozen);
    }

    fn push(&self, leaf: &str, role: Role, tensor: Tensor) {
        let name = format!("{}{}", self.prefix, self.path_of(leaf));
        self.params.borrow_mut().list.push(Param { name, role, tensor, frozen: self.frozen });
    }

    /// Makes the value of a tensor, unless only its shape matters or it would take more memory than there is.
    fn made(&self, leaf: &str, shape: &[i64], make: impl FnOnce(FirstValues) -> Result<Tensor>) -> Result<Tensor> {
        interrupt::check()?;
        let name = format!("{}{}", self.prefix, self.path_of(leaf));
        let refused = |what: String| {
            Err(Error::argument(format!("tensor \"{name}\" of the model would be {shape:?}{what}"))
                .with_help("smaller head_options, head_width or image_size, or fewer labels, make it smaller"))
        };
        let unknown =
            self.params.borrow().only.as_ref().is_some_and(|only| only.get(&name).is_none_or(|known| known != shape));
        let most = if unknown { i64::MAX / 16 } else { MOST_NUMBERS };
        let numbers = shape.iter().try_fold(1i64, |n, side| n.checked_mul(*side)).filter(|n| *n >= 0);
        let Some(numbers) = numbers.filter(|n| *n <= most) else {
            return refused(format!("; at most {MOST_NUMBERS} numbers are allowed"));
        };
        if unknown {
            return nothing(shape, self.device);
        }
        let first = {
            let mut params = self.params.borrow_mut();
            let bytes = 4 * numbers as u64;
            params.taken = params.taken.saturating_add(bytes);
            // A number is drawn into a vector before it is one of the tensor.
            let most = params.most.filter(|most| params.taken.saturating_add(bytes) > *most);
            if let Some(most) = most {
                return refused(format!(
                    ", and the model so far takes {} of memory; {} are free",
                    memory::said(params.taken),
                    memory::said(most)
                ));
            }
            params.first
        };
        match first {
            FirstValues::None => nothing(shape, self.device),
            first => make(first),
        }
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
        let filled = |leaf, role, value| p.add(leaf, role, p.made(leaf, &[channels], |_| full(&[channels], value))?);
        Ok([
            filled("weight", Role::Weight, weight)?,
            filled("bias", Role::Weight, 0.0)?,
            filled("running_mean", Role::Statistic, 0.0)?,
            filled("running_var", Role::Statistic, 1.0)?,
        ])
    }

    /// A layer norm's weight and bias `[width]`.
    pub fn layer_norm(&self, width: i64) -> Result<(Tensor, Tensor)> {
        Ok((self.filled("weight", &[width], 1.0)?, self.filled("bias", &[width], 0.0)?))
    }

    /// A weight of independent normal numbers.
    pub fn normal(&self, leaf: &str, shape: &[i64], deviation: f64) -> Result<Tensor> {
        self.random(leaf, shape, |name| {
            drawn(self.draw(name, shape, DrawKind::Normal, deviation), || {
                torch::normal(self.seed, name, shape, deviation)
            })
        })
    }

    fn draw(&self, name: &str, shape: &[i64], kind: DrawKind, scale: f64) -> Draw {
        Draw { seed: self.seed, name: name.to_string(), shape: shape.to_vec(), kind, scale: scale.to_bits() }
    }

    fn random(&self, leaf: &str, shape: &[i64], draw: impl FnOnce(&str) -> Result<Tensor>) -> Result<Tensor> {
        let value = self.made(leaf, shape, |first| match first {
            FirstValues::Drawn => draw(&self.path_of(leaf)),
            FirstValues::Zeros | FirstValues::None => full(shape, 0.0),
        })?;
        self.add(leaf, Role::Weight, value)
    }

    /// A weight of independent numbers, uniform in ±`bound`.
    pub fn uniform(&self, leaf: &str, shape: &[i64], bound: f64) -> Result<Tensor> {
        self.random(leaf, shape, |name| {
            drawn(self.draw(name, shape, DrawKind::Uniform, bound), || torch::uniform(self.seed, name, shape, bound))
        })
    }

    /// A weight `[out, in]`, uniform in ±√(6 / (in + out)) (Glorot and Bengio 2010, as `xavier_uniform_` with gain 1).
    pub fn xavier(&self, leaf: &str, shape: [i64; 2]) -> Result<Tensor> {
        self.uniform(leaf, &shape, (6.0 / (shape[0] + shape[1]) as f64).sqrt())
    }

    /// A weight of that shape that starts from a value that the layer computes. It is not asked for where first values do not matter.
    pub fn computed(&self, leaf: &str, shape: &[i64], value: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        self.random(leaf, shape, |_| value())
    }

    /// A weight that starts from one number everywhere.
    pub fn filled(&self, leaf: &str, shape: &[i64], value: f64) -> Result<Tensor> {
        self.add(leaf, Role::Weight, self.made(leaf, shape, |_| full(shape, value))?)
    }

    /// A tensor that the architecture fixes.
    pub fn constant(&self, leaf: &str, value: Tensor) {
        let name = format!("{}{}", self.prefix, self.path_of(leaf));
        self.params.borrow_mut().constants.push((name, value));
    }

    /// A constant `[rows, any]` of finite f32 that a file of its own holds: the value that is known already ([`Params::with_fixed`]), or
    /// that which `read` brings.
    ///
    /// Errors: those of `read`; a known value of another kind or shape.
    pub fn fixed(&self, leaf: &str, rows: i64, read: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        let name = format!("{}{}", self.prefix, self.path_of(leaf));
        let known = self.params.borrow().fixed.get(&name).map(Tensor::shallow_clone);
        let value = match known {
            None => read()?,
            Some(known) => {
                let size = known.size();
                let fits = known.kind() == Kind::Float && size.len() == 2 && size[0] == rows && size[1] > 0;
                // A sum is finite only if all of it is; numbers whose sum overflows are none of use either.
                if !fits || !f64::try_from(known.f_abs()?.f_sum(Kind::Double)?)?.is_finite() {
                    return Err(Error::data(format!(
                        "tensor \"{name}\" must be [{rows}, any] of finite float numbers; got {size:?} of {:?}",
                        known.kind()
                    )));
                }
                known
            }
        };
        let value = value.f_to_device(self.device)?;
        self.constant(leaf, value.shallow_clone());
        Ok(value)
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

fn full(shape: &[i64], value: f64) -> Result<Tensor> {
    Ok(Tensor::f_full(shape, value, (Kind::Float, Device::Cpu))?)
}

/// Zeros that take no memory. They are made on their device, since a move would write them out.
fn nothing(shape: &[i64], device: Device) -> Result<Tensor> {
    // A single number expands to every shape, also to that of none.
    Ok(Tensor::f_zeros([0i64; 0], (Kind::Float, device))?.f_expand(shape, false)?)
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
        assert!(root.generator("fc.weight") == random::named(1, "fc.weight"));
        let list = params.into_inner().list;
        let frozen: Vec<(&str, bool)> = list.iter().step_by(4).map(|p| (p.name.as_str(), p.frozen)).collect();
        assert_eq!(frozen, [("layers.3.norm.weight", true), ("fc.weight", false), ("bn.running_mean", true)]);
        assert_eq!(list[5].name, "second.fc.weight");
        let params = RefCell::new(Params::new(FirstValues::Zeros));
        let blank = Scope::root(&params, 1, Device::Cpu).at("fc");
        let weight = blank.normal("weight", &[4], 1.0).unwrap();
        assert!(f64::try_from(weight.abs().sum(Kind::Double)).unwrap() == 0.0);
    }

    #[test]
    fn tensors_of_other_names_and_shapes_than_those_of_a_file_take_no_memory() {
        let shapes = HashMap::from([("a.weight".to_string(), vec![2]), ("b.weight".to_string(), vec![2])]);
        let params = RefCell::new(Params::of_file(shapes));
        let root = Scope::root(&params, 1, Device::Cpu);
        let stored = |name: &str, shape: &[i64]| {
            let weight = root.at(name).normal("weight", shape, 1.0).unwrap();
            (weight.size() == shape, weight.is_contiguous())
        };
        assert_eq!(
            [stored("a", &[2]), stored("b", &[3]), stored("c", &[2])],
            [(true, true), (true, false), (true, false)]
        );
        // 8 GiB each: none of them is there.
        assert!((0..64).all(|i| stored(&format!("x{i}"), &[1 << 15, 1 << 16]) == (true, false)));
        let too_many = root.at("d").filled("weight", &[i64::MAX, 2], 0.0).unwrap_err().message;
        assert!(too_many.contains("\"d.weight\"") && too_many.contains("at most 2147483648 numbers"), "{too_many}");
    }

    #[test]
    fn a_model_that_is_larger_than_the_memory_is_refused() {
        let params = RefCell::new(Params { most: Some(1000), ..Params::new(FirstValues::Drawn) });
        let root = Scope::root(&params, 1, Device::Cpu);
        let _ = root.at("a").normal("weight", &[100], 1.0).unwrap();
        let error = root.at("b").batch_norm(100, 1.0).unwrap_err().message;
        assert_eq!(
            error,
            "tensor \"b.weight\" of the model would be [100], and the model so far takes 800 bytes of memory; 1000 bytes are free"
        );
    }
}
