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
    /// The precision of the backbone.
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
        let first = match self.slice {
            Some(Slice { first, images }) if images > 0 => shape.iter().product::<i64>() / images * first,
            _ => 0,
        };
        uniform(shape, mixed(self.key ^ mixed(layer)).wrapping_add(first as u64), device)
    }

    fn drop(self, x: &Tensor, shape: &[i64], p: f64, layer: u64) -> Result<Tensor> {
        if !self.train || p <= 0.0 {
            return Ok(x.shallow_clone());
        }
        let kept = self.uniform(shape, layer, x.device())?.f_ge(p)?;
        Ok(x.f_mul(&kept.f_to_kind(x.kind())?)?.f_mul_scalar(1.0 / (1.0 - p))?)
    }
}

impl From<bool> for Pass {
    /// Training with key 0, or evaluation.
    fn from(train: bool) -> Pass {
        Pass { train, ..Pass::EVAL }
    }
}

/// Numbers in [0, 1) that depend on (key, position) only: an integer hash, computed on the device.
fn uniform(shape: &[i64], key: u64, device: Device) -> Result<Tensor> {
    let n: i64 = shape.iter().product();
    let mut x = Tensor::f_arange(n, (Kind::Int64, device))?.f_add_scalar(key as i64)?;
    for (shift, by) in [(32, 0x4cf5_ad43_2745_937f_i64), (29, 0x52dc_e729_da3e_d767_i64)] {
        x = x.f_mul_scalar(by)?;
        x = x.f_bitwise_xor_tensor(&x.f_bitwise_right_shift_tensor_scalar(shift)?)?;
    }
    let bits = x.f_bitwise_right_shift_tensor_scalar(16)?.f_bitwise_and(0xff_ffff)?;
    Ok(bits.f_to_kind(Kind::Float)?.f_mul_scalar(1.0 / 16_777_216.0)?.f_view(shape)?)
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
}
