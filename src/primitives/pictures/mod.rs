//! Words that change a picture, a Tensor `[3, height, width]` of uint8: the operations of augmentation, with torchvision's names.
//!
//! On the CPU they are the built-in augmentation's own operations, so their bytes are equal.

pub mod colours;
pub mod geometry;
pub mod views;

use crate::error::{Error, Result};
use crate::images::Picture;
use crate::images::randaugment::Pixels;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::Call;

/// The picture in a tensor. Errors name the word.
fn picture(call: &Call, tensor: &TensorValue) -> Result<Picture> {
    Picture::of_tensor(&tensor.0).map_err(|e| Error { message: format!("{}: {}", call.name, e.message), ..e })
}

/// A tensor of the picture, where `like` is.
fn tensor(picture: &Picture, like: &TensorValue) -> Result<TensorValue> {
    Ok(TensorValue::from(picture.to_tensor()?.f_to_device(like.0.device())?))
}

/// The picture after an operation on its bytes.
fn changed(call: &Call, of: &TensorValue, operation: impl FnOnce(&mut Pixels)) -> Result<TensorValue> {
    let Picture { width, height, mut rgb } = picture(call, of)?;
    operation(&mut Pixels { rgb: &mut rgb, width: width as usize, height: height as usize });
    tensor(&Picture::new(width, height, rgb)?, of)
}

/// Errors: a number that is infinite or none.
fn finite(call: &Call, what: &str, x: f64) -> Result<f64> {
    match x.is_finite() {
        true => Ok(x),
        false => Err(Error::argument(format!("{}: {what} must be a finite number; got {x}", call.name))),
    }
}

/// The longest side of a picture that a word makes.
const LONGEST: i64 = 16_384;

/// A side in pixels. Errors: it is below 1 or above [`LONGEST`].
fn side(call: &Call, what: &str, n: i64) -> Result<u32> {
    match (1..=LONGEST).contains(&n) {
        true => Ok(n as u32),
        false => Err(Error::argument(format!("{}: {what} must be from 1 to {LONGEST} pixels; got {n}", call.name))),
    }
}
