//! The trainable values of a model, their gradients and the batch statistics as three flat buffers.

use tch::{Kind, Tensor};

use crate::error::{Error, Result};
use crate::models::Model;

/// All trainable values of a model in one buffer, all gradients in another, all batch statistics in a third.
///
/// The model's tensors become views of these buffers, so updating a buffer updates the model. Each view begins at a multiple
/// of [`ALIGNMENT`]; the elements between two views are 0 and stay 0.
pub struct Flat {
    /// [n] parameters. Those with more than one dimension come first.
    pub values: Tensor,
    /// [n] gradients, accumulated in place by the backward pass.
    pub gradients: Tensor,
    /// [b] batch-norm statistics.
    pub statistics: Tensor,
    /// The number of leading values that belong to parameters with more than one dimension.
    pub(super) weights: i64,
    /// Names of the leaves, in the order of their values.
    pub(super) names: Vec<String>,
    /// Kept so that their gradients live as long as the buffers.
    pub(super) leaves: Vec<Tensor>,
}

/// Elements: 512 bytes of f32, as in PyTorch's allocator. Kernels of cuBLAS and fused attention fail on parameters that are not
/// aligned ("misaligned address").
const ALIGNMENT: i64 = 128;

/// The number of elements that a tensor takes in a flat buffer.
pub(super) fn room(tensor: &Tensor) -> i64 {
    (tensor.numel() as i64 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT
}

impl Flat {
    /// Moves the trainable leaves and float buffers of `model` into flat storage.
    pub fn new(model: &Model) -> Result<Flat> {
        Flat::with(model, vec![], vec![])
    }

    /// The same with further leaves and buffers, which are trained along and are no part of the model.
    pub fn with(model: &Model, leaves: Vec<(String, Tensor)>, buffers: Vec<Tensor>) -> Result<Flat> {
        let own = model.buffers().into_iter().map(|(_, t)| t).filter(|t| t.kind() == Kind::Float);
        Flat::of(model.trainable().into_iter().chain(leaves).collect(), own.chain(buffers).collect())
    }

    /// Moves named leaves, which require gradients, and buffers into flat storage.
    pub fn of(mut leaves: Vec<(String, Tensor)>, mut buffers: Vec<Tensor>) -> Result<Flat> {
        if leaves.is_empty() {
            return Err(Error::argument("the model has nothing to train: all of it is frozen"));
        }
        leaves.sort_by_key(|(name, tensor)| (tensor.dim() <= 1, name.clone()));
        let weights = leaves.iter().filter(|(_, t)| t.dim() > 1).map(|(_, t)| room(t)).sum();
        let (names, mut leaves): (Vec<String>, Vec<Tensor>) = leaves.into_iter().unzip();
        let values = tch::no_grad(|| join(&leaves))?;
        // The backward pass adds to an existing gradient, so make one first and turn it into a view.
        let mut nothing = values.f_zeros_like()?.f_narrow(0, 0, 1)?;
        for leaf in &leaves {
            nothing = nothing.f_add(&leaf.f_sum(leaf.kind())?.f_mul_scalar(0.0)?)?;
        }
        nothing.f_backward()?;
        let gradients = values.f_zeros_like()?;
        let mut at = 0;
        for leaf in &mut leaves {
            let size = leaf.size();
            let n = leaf.numel() as i64;
            leaf.f_grad()?.f_set_data(&gradients.f_narrow(0, at, n)?.f_view(size.as_slice())?)?;
            leaf.f_set_data(&values.f_narrow(0, at, n)?.f_view(size.as_slice())?)?;
            at += room(leaf);
        }
        let statistics = match buffers.is_empty() {
            true => values.f_zeros_like()?.f_narrow(0, 0, 0)?,
            false => join(&buffers)?,
        };
        let mut at = 0;
        for buffer in &mut buffers {
            let size = buffer.size();
            let n = buffer.numel() as i64;
            buffer.f_set_data(&statistics.f_narrow(0, at, n)?.f_view(size.as_slice())?)?;
            at += room(buffer);
        }
        Ok(Flat { values, gradients, statistics, weights, names, leaves })
    }

    /// First value and number of values of every leaf by name, in their order.
    pub fn places(&self) -> Vec<(&str, i64, i64)> {
        let mut end = 0;
        let leaves = self.names.iter().zip(&self.leaves);
        let place = leaves.map(|(name, leaf)| {
            end += room(leaf);
            (name.as_str(), end - room(leaf), room(leaf))
        });
        place.collect()
    }

    /// Scales the gradients down to the Euclidean norm `most` if they are longer, like `clip_grad_norm_`. Nothing is
    /// read back from the device.
    pub fn clip_gradients(&mut self, most: f64) -> Result<()> {
        let length = self.gradients.f_norm()?;
        let factor = length.f_add_scalar(1e-6)?.f_reciprocal()?.f_mul_scalar(most)?.f_clamp_max(1.0)?;
        let _ = self.gradients.f_mul_(&factor)?;
        Ok(())
    }

    /// Replaces all values and statistics, of the model too.
    pub fn set(&self, values: &Tensor, statistics: &Tensor) -> Result<()> {
        tch::no_grad(|| {
            self.values.shallow_clone().f_copy_(values)?;
            self.statistics.shallow_clone().f_copy_(statistics)?;
            Ok(())
        })
    }

    pub fn zero_gradients(&mut self) -> Result<()> {
        let _ = self.gradients.f_zero_()?;
        Ok(())
    }
}

/// The tensors one behind the other, each with its room.
fn join(tensors: &[Tensor]) -> Result<Tensor> {
    let padded = |t: &Tensor| -> Result<Tensor> {
        let flat = t.f_detach()?.f_contiguous()?.f_view([-1])?;
        Ok(flat.f_constant_pad_nd([0, room(t) - t.numel() as i64])?)
    };
    Ok(Tensor::f_cat(&tensors.iter().map(padded).collect::<Result<Vec<_>>>()?, 0)?)
}

/// A copy with storage of its own.
pub trait CopyOf {
    fn f_copy_of(&self) -> Result<Tensor>;
}

impl CopyOf for Tensor {
    fn f_copy_of(&self) -> Result<Tensor> {
        let mut copy = self.f_zeros_like()?;
        tch::no_grad(|| copy.f_copy_(self))?;
        Ok(copy)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::super::{Adam, BETA1, Form, Groups};
    use super::*;
    use crate::torch::fused;
    use crate::training::options::{DecayOn, Optimiser};

    #[test]
    fn views_are_aligned_and_the_room_between_them_stays_zero() {
        let sizes = [[3, 5], [1, 1], [7, 40]];
        let leaf = |(i, size): (usize, &[i64; 2])| {
            (format!("{i}"), Tensor::full(size, 1.0 + i as f64, (Kind::Float, Device::Cpu)).set_requires_grad(true))
        };
        let leaves: Vec<(String, Tensor)> = sizes.iter().enumerate().map(leaf).collect();
        let buffer = Tensor::ones([5], (Kind::Float, Device::Cpu));
        let copies = leaves.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect();
        let mut flat = Flat::of(copies, vec![buffer.shallow_clone()]).unwrap();
        let start = flat.values.data_ptr() as usize;
        for (name, leaf) in &leaves {
            assert_eq!((leaf.data_ptr() as usize - start) % 512, 0, "{name}");
            assert_eq!((leaf.grad().data_ptr() as usize - flat.gradients.data_ptr() as usize) % 512, 0, "{name}");
        }
        assert_eq!((flat.values.numel(), flat.statistics.numel()), (128 + 128 + 384, 128));
        let mut groups = Groups::new(&flat, 0.1, DecayOn::Weights);
        groups.set_factors(&flat, |name| if name == "1" { 0.5 } else { 1.0 });
        let mut adam = Adam::new(&flat, Optimiser::AdamW, groups).unwrap();
        leaves.iter().map(|(_, leaf)| leaf.square().sum(Kind::Float)).sum::<Tensor>().backward();
        for form in [Form::Separate, Form::Fused].into_iter().take(1 + usize::from(fused::AVAILABLE)) {
            adam.form = form;
            adam.update(&mut flat, 0.01, BETA1).unwrap();
        }
        let held: f64 = leaves.iter().map(|(_, leaf)| f64::try_from(leaf.detach().sum(Kind::Double)).unwrap()).sum();
        assert_eq!(f64::try_from(flat.values.sum(Kind::Double)).unwrap(), held);
        // The buffer is a view too.
        let _ = flat.statistics.f_fill_(3.0).unwrap();
        assert_eq!(f64::try_from(buffer.f_max().unwrap()).unwrap(), 3.0);
    }
}
