//! A clamp in place that has a gradient.

use tch::{Device, Kind, Tensor};

use crate::error::Result;

/// `x` between `least` and `most`, with the bits of libtorch's clamp and of its gradient, which passes where the value was inside, limits
/// included. `x` may be overwritten: no gradient of what made it may need it, as is so for convolutions and norms.
///
/// On a CPU it is computed in place, and the backward pass needs a byte per value and reads it once, where libtorch's keeps the value and
/// makes four tensors of it. Without a gradient it is libtorch's own, in place.
pub fn clamped(mut x: Tensor, least: f64, most: f64) -> Result<Tensor> {
    if !x.requires_grad() {
        return Ok(x.f_clamp_(least, most)?);
    }
    match native::AVAILABLE && x.device() == Device::Cpu && x.kind() == Kind::Float {
        true => native::in_place(&x, least, most),
        false => Ok(x.f_clamp(least, most)?),
    }
}

#[cfg(clamp_in_place)]
mod native {
    use std::ffi::{c_char, c_void};

    use tch::Tensor;

    use super::super::{answered, pointer};
    use crate::error::Result;

    pub const AVAILABLE: bool = true;

    /// An `at::Tensor`.
    type Handle = *mut c_void;

    unsafe extern "C" {
        fn cpsd_clamp_in_place(x: Handle, least: f64, most: f64, clamped: *mut Handle) -> *mut c_char;
    }

    pub fn in_place(x: &Tensor, least: f64, most: f64) -> Result<Tensor> {
        let mut clamped: Handle = std::ptr::null_mut();
        // SAFETY: both pointers live through the call.
        answered(unsafe { cpsd_clamp_in_place(pointer(x), least, most, &mut clamped) })?;
        // SAFETY: a tensor that was made for this call, and belongs to it.
        Ok(unsafe { Tensor::from_ptr(clamped.cast()) })
    }
}

/// A build without the headers of libtorch.
#[cfg(not(clamp_in_place))]
mod native {
    use tch::Tensor;

    use crate::error::{Error, Result};

    pub const AVAILABLE: bool = false;

    pub fn in_place(_: &Tensor, _: f64, _: f64) -> Result<Tensor> {
        Err(Error::internal("this build has no clamp in place"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both results as bits: the values, and the gradient at `leaf` of their sum weighted by `weights`.
    fn through(leaf: &Tensor, weights: &Tensor, clamp: impl FnOnce(Tensor) -> Tensor) -> [Tensor; 2] {
        let leaf = leaf.detach().set_requires_grad(true);
        // What a norm gives: no leaf, and nobody needs it.
        let y = clamp(&leaf * 1.0);
        let gradient = Tensor::run_backward(&[(&y * weights).sum(Kind::Float)], &[&leaf], false, false).remove(0);
        [y.detach(), gradient].map(|t| t.contiguous().view_dtype(Kind::Int))
    }

    #[test]
    fn values_and_gradients_have_the_bits_of_libtorchs_clamp() {
        let options = (Kind::Float, Device::Cpu);
        let special = [0.0, -0.0, 6.0, 6.000_000_5, -1e-45, 1e-45, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let n = 3 * 5 * 37 * 41;
        let values: Vec<f32> =
            (0..n).map(|i| if i % 7 == 0 { special[i / 7 % special.len()] } else { (i as f32).sin() * 9.0 }).collect();
        let x = Tensor::from_slice(&values).view([3, 5, 37, 41]);
        let weights = Tensor::arange(n as i64, options).cos().view([3, 5, 37, 41]);
        let last = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        for x in [x.shallow_clone(), last.shallow_clone(), x.slice(3, 0, 41, 2), x.narrow(0, 0, 0)] {
            let weights =
                weights.narrow(0, 0, x.size()[0]).slice(3, 0, 41, (40 + x.size()[3]) / x.size()[3]).contiguous();
            let ours = through(&x, &weights, |x| clamped(x, 0.0, 6.0).unwrap());
            let theirs = through(&x, &weights, |x| x.clamp(0.0, 6.0));
            assert!(ours.iter().zip(&theirs).all(|(a, b)| a.equal(b)), "{:?} {:?}", x.size(), x.stride());
        }
        // The order in memory of a gradient decides in which order a norm before the clamp adds: that of a mean over positions has none of
        // its own.
        let last = last.nan_to_num(0.5, 7.0, -7.0);
        let pooled = weights.mean_dim(Some(&[2i64, 3][..]), true, Kind::Float);
        let of_norm = |clamp: fn(Tensor) -> Tensor| {
            let [weight, bias] = [1.0, 2.0].map(|value| Tensor::full([5], value, options).set_requires_grad(true));
            let none = None::<&Tensor>;
            let y = last.batch_norm(Some(&weight), Some(&bias), none, none, true, 0.1, 1e-5, true);
            let mean = clamp(y).mean_dim(Some(&[2i64, 3][..]), true, Kind::Float);
            let all = Tensor::run_backward(&[(mean * &pooled).sum(Kind::Float)], &[&weight, &bias], false, false);
            all.into_iter().map(|t| t.view_dtype(Kind::Int)).collect::<Vec<_>>()
        };
        let (ours, theirs) = (of_norm(|x| clamped(x, 0.0, 6.0).unwrap()), of_norm(|x| x.clamp(0.0, 6.0)));
        assert!(ours.iter().zip(&theirs).all(|(a, b)| a.equal(b)));
    }

    #[test]
    fn it_is_in_place_where_that_may_be_and_has_gradients_of_gradients() {
        let leaf = Tensor::from_slice(&[-1.0f32, 2.0, 7.0]).set_requires_grad(true);
        let y = &leaf * &leaf;
        let again = clamped(y.shallow_clone(), 0.0, 6.0).unwrap();
        assert_eq!(again.data_ptr() == y.data_ptr(), native::AVAILABLE);
        let first = Tensor::run_backward(&[(&again * &again).sum(Kind::Float)], &[&leaf], true, true).remove(0);
        let second = Tensor::run_backward(&[first.sum(Kind::Float)], &[&leaf], false, false).remove(0);
        // Of x⁴, where it is inside.
        assert_eq!(Vec::<f32>::try_from(&first).unwrap(), [-4.0, 32.0, 0.0]);
        assert_eq!(Vec::<f32>::try_from(&second).unwrap(), [12.0, 48.0, 0.0]);
        let plain = Tensor::from_slice(&[-1.0f32, 7.0]);
        let address = plain.data_ptr();
        let plain = clamped(plain, 0.0, 6.0).unwrap();
        assert_eq!((plain.data_ptr(), Vec::<f32>::try_from(&plain).unwrap()), (address, vec![0.0, 6.0]));
        // What a gradient needs unchanged is refused, not wrong.
        let root = leaf.exp();
        let result = clamped(root.shallow_clone(), 0.0, 6.0).unwrap().sum(Kind::Float).f_backward();
        assert_eq!(result.is_err(), native::AVAILABLE);
    }
}
