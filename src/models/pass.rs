//! One forward pass: training or evaluation, dropout key, precision.

use tch::{Device, Kind, Tensor};

use super::precision::Precision;
use crate::error::Result;
use crate::random::mixed;

/// One forward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Whether batch statistics and dropout are on.
    pub train: bool,
    /// Determines the dropout masks: equal keys give equal masks, on any device.
    pub key: u64,
    /// The precision of backbone and head.
    pub precision: Precision,
    /// Where the images stand in a batch that several processes share: masks follow from the position there. None if all are here.
    pub slice: Option<Slice>,
}

/// Consecutive images of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// The position of the first.
    pub first: i64,
    /// Their number.
    pub images: i64,
}

impl Pass {
    /// Deterministic: running statistics, no dropout.
    pub const EVAL: Pass = Pass { train: false, key: 0, precision: Precision::Float32, slice: None };

    /// The pass of one training step.
    pub fn step(seed: u64, epoch: u64, step: u64) -> Pass {
        Pass { train: true, key: mixed(mixed(mixed(seed) ^ epoch) ^ step), ..Pass::EVAL }
    }

    /// The same pass in another precision.
    pub fn within(self, precision: Precision) -> Pass {
        Pass { precision, ..self }
    }

    /// The same pass over a part of its images.
    pub fn at(self, slice: Option<Slice>) -> Pass {
        Pass { slice, ..self }
    }

    /// Drops single numbers with probability `p` and scales the others by 1 / (1 - p), in training only. `layer`
    /// distinguishes the dropouts of a model.
    pub fn dropout(self, x: &Tensor, p: f64, layer: u64) -> Result<Tensor> {
        self.drop(x, &x.size(), p, layer)
    }

    /// The same for whole feature maps of `[N, C, h, w]`.
    pub fn dropout_maps(self, x: &Tensor, p: f64, layer: u64) -> Result<Tensor> {
        let mut shape = x.size();
        shape.iter_mut().skip(2).for_each(|n| *n = 1);
        self.drop(x, &shape, p, layer)
    }

    /// Numbers in [0, 1) that follow from the key, `layer` and the position. The first dimension is that of the images, or of several
    /// rows of each.
    pub fn uniform(self, shape: &[i64], layer: u64, device: Device) -> Result<Tensor> {
        uniform(shape, self.key_of(layer, shape), device)
    }

    /// The key of a layer's numbers, which are those of its part of the whole batch.
    fn key_of(self, layer: u64, shape: &[i64]) -> u64 {
        let first = match self.slice {
            Some(Slice { first, images }) if images > 0 => shape.iter().product::<i64>() / images * first,
            _ => 0,
        };
        mixed(self.key ^ mixed(layer)).wrapping_add(first as u64)
    }

    fn drop(self, x: &Tensor, shape: &[i64], p: f64, layer: u64) -> Result<Tensor> {
        if !self.train || p <= 0.0 {
            return Ok(x.shallow_clone());
        }
        let kept = kept(shape, self.key_of(layer, shape), p, x.device())?;
        let scale = 1.0 / (1.0 - p);
        match x.kind() {
            // Mask and factor in one kernel, of which one byte per number is kept for the gradient.
            Kind::Float => Ok(Tensor::f_native_dropout_backward(x, &kept.f_expand_as(x)?, scale)?),
            // That kernel's gradient would round the factor to the lower type.
            kind => Ok(x.f_mul(&kept.f_to_kind(kind)?)?.f_mul_scalar(scale)?),
        }
    }
}

impl From<bool> for Pass {
    /// Training with key 0, or evaluation.
    fn from(train: bool) -> Pass {
        Pass { train, ..Pass::EVAL }
    }
}

/// Numbers in [0, 1) that depend on (key, position) only.
fn uniform(shape: &[i64], key: u64, device: Device) -> Result<Tensor> {
    let bits = hashed(0, shape.iter().product(), key, device)?;
    Ok(bits.f_to_kind(Kind::Float)?.f_mul_scalar(1.0 / RANGE)?.f_view(shape)?)
}

/// Numbers that are hashed at once: 32 MB, of which a second copy is needed for a moment.
const HASHED: i64 = 1 << 22;

/// Boolean, of that shape: where [`uniform`] is at least `p`.
fn kept(shape: &[i64], key: u64, p: f64, device: Device) -> Result<Tensor> {
    // The numbers are whole ones over 2²⁴, so this is `uniform(..) >= p` in f32.
    let least = (f64::from(p as f32) * RANGE).ceil() as i64;
    let n: i64 = shape.iter().product();
    if n <= HASHED {
        return Ok(hashed(0, n, key, device)?.f_ge(least)?.f_view(shape)?);
    }
    let parts = (0..n)
        .step_by(HASHED as usize)
        .map(|from| -> Result<Tensor> { Ok(hashed(from, (from + HASHED).min(n), key, device)?.f_ge(least)?) });
    Ok(Tensor::f_cat(&parts.collect::<Result<Vec<_>>>()?, 0)?.f_view(shape)?)
}

/// The number of different values of [`hashed`].
const RANGE: f64 = 16_777_216.0;

/// 24 bits for each of the positions `from..to`, i64: a hash of (key, position), computed on the device. Integers wrap alike
/// everywhere, so every device has the same ones.
fn hashed(from: i64, to: i64, key: u64, device: Device) -> Result<Tensor> {
    let mut x = Tensor::f_arange_start(from, to, (Kind::Int64, device))?.f_add_scalar_(key as i64)?;
    for (shift, by) in [(32, 0x4cf5_ad43_2745_937f_i64), (29, 0x52dc_e729_da3e_d767_i64)] {
        x = x.f_mul_scalar_(by)?;
        x = x.f_bitwise_xor_tensor_(&x.f_bitwise_right_shift_tensor_scalar(shift)?)?;
    }
    Ok(x.f_bitwise_right_shift_tensor_scalar_(16)?.f_bitwise_and_(0xff_ffff)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_batch_have_the_masks_of_the_whole() {
        let x = Tensor::ones([5, 7, 3], (Kind::Float, Device::Cpu));
        let pass = Pass::step(1, 2, 3);
        let whole = pass.dropout(&x, 0.4, 2).unwrap();
        for (first, images) in [(0, 3), (3, 2)] {
            let part = x.narrow(0, first, images);
            let own = pass.at(Some(Slice { first, images })).dropout(&part, 0.4, 2).unwrap();
            assert_eq!(own, whole.narrow(0, first, images));
        }
    }

    #[test]
    fn masks_follow_from_the_key_and_drop_their_share() {
        let x = Tensor::ones([200, 300], (Kind::Float, Device::Cpu));
        let pass = Pass::step(1, 2, 3);
        let y = pass.dropout(&x, 0.3, 0).unwrap();
        assert_eq!(y, pass.dropout(&x, 0.3, 0).unwrap());
        assert_ne!(y, pass.dropout(&x, 0.3, 1).unwrap());
        assert_ne!(y, Pass::step(1, 2, 4).dropout(&x, 0.3, 0).unwrap());
        assert_eq!(x, Pass::EVAL.dropout(&x, 0.3, 0).unwrap());
        // 60,000 draws: the standard error of the share is 0.0019.
        let dropped = f64::try_from(y.eq(0.0).to_kind(Kind::Double).mean(Kind::Double)).unwrap();
        assert!((dropped - 0.3).abs() < 0.01, "{dropped}");
        // Neighbours in rows and columns are dropped independently.
        let zero = y.eq(0.0).to_kind(Kind::Double);
        for (a, b) in
            [(zero.narrow(0, 0, 199), zero.narrow(0, 1, 199)), (zero.narrow(1, 0, 299), zero.narrow(1, 1, 299))]
        {
            let both = f64::try_from((a * b).mean(Kind::Double)).unwrap();
            assert!((both - 0.09).abs() < 0.006, "{both}");
        }
        let maps = pass.dropout_maps(&Tensor::ones([4, 50, 3, 3], (Kind::Float, Device::Cpu)), 0.5, 0).unwrap();
        let sums = maps.sum_dim_intlist(&[2i64, 3][..], false, Kind::Float);
        assert!(Vec::<f32>::try_from(sums.flatten(0, -1)).unwrap().iter().all(|s| *s == 0.0 || *s == 18.0));
    }

    #[test]
    fn masks_are_where_the_uniform_numbers_reach_p_however_many_there_are() {
        let n = HASHED + 3;
        let whole = uniform(&[n], 7, Device::Cpu).unwrap();
        for p in [1e-9, 0.1, 0.3, 0.5, 0.9] {
            assert_eq!(kept(&[n], 7, p, Device::Cpu).unwrap(), whole.ge(p), "{p}");
            assert_eq!(kept(&[5], 7, p, Device::Cpu).unwrap(), whole.narrow(0, 0, 5).ge(p), "{p}");
        }
        // The first numbers for key 7, from the formula in Python.
        let first = crate::torch::to_vec_f32(&whole.narrow(0, 0, 3).f_mul_scalar(RANGE).unwrap()).unwrap();
        assert_eq!(first, [7651019.0, 13199178.0, 14856332.0]);
    }

    #[test]
    fn dropout_multiplies_by_mask_and_factor() {
        for kind in [Kind::Float, Kind::BFloat16] {
            let x = crate::torch::normal(1, "x", &[3, 4, 5, 2], 1.0).unwrap().to_kind(kind).set_requires_grad(true);
            let pass = Pass::step(1, 2, 3);
            for y in [pass.dropout(&x, 0.1, 5).unwrap(), pass.dropout_maps(&x, 0.1, 5).unwrap()] {
                let (same, zero) = (y.eq_tensor(&x.f_mul_scalar(1.0 / 0.9).unwrap()), y.eq(0.0));
                assert!(bool::try_from(same.logical_or(&zero).all()).unwrap() && y.kind() == kind, "{kind:?}");
                let mut leaf = x.shallow_clone();
                leaf.zero_grad();
                y.sum(Kind::Float).backward();
                assert_eq!(leaf.grad().eq(0.0), zero, "{kind:?}");
            }
        }
    }
}
