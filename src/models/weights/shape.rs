//! Shapes as files state them: whether a tensor can have them.

use crate::error::{Error, Result};

/// The most dimensions of a tensor. Operations of libtorch keep sets of dimensions in 64 bits.
pub const DIMENSIONS: usize = 64;

/// A shape as libtorch takes it, and the number of elements.
///
/// Errors: too many dimensions; a size or a stride, which even a tensor without elements has, that no memory can have.
pub fn checked<N: Copy + TryInto<i64>>(sizes: &[N]) -> Result<(Vec<i64>, usize)> {
    let too_large = || Error::data("a shape is larger than any memory");
    if sizes.len() > DIMENSIONS {
        return Err(Error::data(format!(
            "a shape has {} dimensions; tensors of at most {DIMENSIONS} are read",
            sizes.len()
        )));
    }
    let shape: Vec<i64> =
        sizes.iter().map(|&n| n.try_into().ok().filter(|n| *n >= 0)).collect::<Option<_>>().ok_or_else(too_large)?;
    // The widest element has 8 bytes, or 16 where it is widened.
    let most = i64::MAX / 16;
    let strides = shape.iter().try_fold(1i64, |n, side| n.checked_mul((*side).max(1)).filter(|n| *n <= most));
    let strides = strides.ok_or_else(too_large)?;
    let elements = if shape.contains(&0) { 0 } else { strides as usize };
    Ok((shape, elements))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_no_tensor_can_have() {
        assert_eq!(checked(&[2usize, 3]).unwrap(), (vec![2, 3], 6));
        assert_eq!(checked::<i64>(&[]).unwrap(), (vec![], 1));
        assert_eq!(checked(&[4i64, 0]).unwrap().1, 0);
        assert!(checked(&[-1i64]).is_err() && checked(&[usize::MAX, 0]).is_err());
        assert!(checked(&[1i64 << 40, 1 << 40]).is_err() && checked(&[0i64, 1 << 40, 1 << 40]).is_err());
        assert!(checked(&[1usize; 64]).is_ok() && checked(&[1usize; 65]).is_err());
    }
}
