//! Steps that change values and move nothing, on u8 pictures `[n, height, width, 3]`.
//!
//! Products and sums are separate operations, so that no device makes one rounding of two.

use tch::{Kind, Tensor};

use crate::error::Result;

/// The other picture of a blend, from f32 pictures: `[n, height or 1, width or 1, 3 or 1]`.
type Other = fn(&Tensor) -> Result<Tensor>;

/// f64 tables `[n, 256]` of bytes.
pub(super) fn by_table(pictures: &Tensor, tables: &Tensor) -> Result<Tensor> {
    looked_up(pictures, &pictures.f_to_kind(Kind::Int64)?, &tables.f_to_kind(Kind::Uint8)?)
}

/// Entry `index` `[n, height, width, 3]` of `tables` `[n, k]`.
fn looked_up(pictures: &Tensor, index: &Tensor, tables: &Tensor) -> Result<Tensor> {
    let n = pictures.size()[0];
    Ok(tables.f_gather(1, &index.f_reshape([n, -1])?, false)?.f_view_as(pictures)?)
}

/// Torchvision's autocontrast.
pub(super) fn stretched(pictures: &Tensor) -> Result<Tensor> {
    let x = pictures.f_to_kind(Kind::Float)?;
    let (low, high) = (x.f_amin([1, 2], true)?, x.f_amax([1, 2], true)?);
    let flat = high.f_eq_tensor(&low)?;
    let scale = high.f_sub(&low)?.f_reciprocal()?.f_mul_scalar(255.0)?;
    let moved = x.f_sub(&low)?.f_mul(&scale)?.f_clamp(0.0, 255.0)?;
    Ok(x.f_where_self(&flat, &moved)?.f_to_kind(Kind::Uint8)?)
}

/// Pillow's autocontrast.
pub(super) fn stretched_by_pillow(pictures: &Tensor) -> Result<Tensor> {
    let x = pictures.f_to_kind(Kind::Double)?;
    let (low, high) = (x.f_amin([1, 2], true)?, x.f_amax([1, 2], true)?);
    let flat = high.f_eq_tensor(&low)?;
    // By a tensor: division by a number multiplies by its reciprocal on some devices.
    let scale = low.f_full_like(255.0)?.f_div(&high.f_sub(&low)?)?;
    let offset = low.f_neg()?.f_mul(&scale)?;
    let moved = x.f_mul(&scale)?.f_add(&offset)?.f_clamp(0.0, 255.0)?;
    Ok(x.f_where_self(&flat, &moved)?.f_to_kind(Kind::Uint8)?)
}

/// Equalises the histogram of each channel, with tables that are made on the device.
pub(super) fn equalised(pictures: &Tensor) -> Result<Tensor> {
    let (n, device) = (pictures.size()[0], pictures.device());
    let channel = Tensor::f_arange(3, (Kind::Int64, device))?.f_mul_scalar(256)?;
    let index = pictures.f_to_kind(Kind::Int64)?.f_add(&channel)?;
    let flat = index.f_reshape([n, -1])?;
    let ones = Tensor::f_ones([1, 1], (Kind::Int, device))?.f_expand(flat.size(), false)?;
    let counts = Tensor::f_zeros([n, 3 * 256], (Kind::Int, device))?.f_scatter_add(1, &flat, &ones)?;
    let counts = counts.f_to_kind(Kind::Int64)?.f_view([n, 3, 256])?;
    let last = pictures.f_amax([1, 2], false)?.f_to_kind(Kind::Int64)?.f_unsqueeze(-1)?;
    let pixels = pictures.size()[1] * pictures.size()[2];
    let before_last = counts.f_gather(2, &last, false)?.f_neg()?.f_add_scalar(pixels)?;
    let step = before_last.f_div_scalar_mode(255, "floor")?;
    let below = counts.f_cumsum(2, Kind::Int64)?.f_sub(&counts)?.f_add(&step.f_div_scalar_mode(2, "floor")?)?;
    let values = below.f_div_tensor_mode(&step.f_clamp_min(1)?, "floor")?.f_clamp_max(255)?;
    let same = Tensor::f_arange(256, (Kind::Int64, device))?.f_expand_as(&values)?;
    let tables = same.f_where_self(&step.f_eq(0)?, &values)?.f_to_kind(Kind::Uint8)?;
    looked_up(pictures, &index, &tables.f_view([n, 3 * 256])?)
}

/// own · picture + rest · other, with `numbers` `[n, 2]`.
pub(super) fn torchvision(pictures: &Tensor, numbers: &Tensor, other: Other) -> Result<Tensor> {
    let x = pictures.f_to_kind(Kind::Float)?;
    let share = |i: i64| numbers.f_select(1, i)?.f_to_kind(Kind::Float)?.f_view([-1, 1, 1, 1]);
    bytes(&x.f_mul(&share(0)?)?.f_add(&other(&x)?.f_mul(&share(1)?)?)?)
}

/// other + factor · (picture - other), with `numbers` `[n, 1]`.
pub(super) fn pillow(pictures: &Tensor, numbers: &Tensor, other: Other) -> Result<Tensor> {
    let x = pictures.f_to_kind(Kind::Float)?;
    let factor = numbers.f_to_kind(Kind::Float)?.f_view([-1, 1, 1, 1])?;
    let other = other(&x)?;
    bytes(&x.f_sub(&other)?.f_mul(&factor)?.f_add(&other)?)
}

/// Clamped and truncated.
fn bytes(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_clamp(0.0, 255.0)?.f_to_kind(Kind::Uint8)?)
}

/// r · red + g · green + b · blue, `[n, height, width, 1]`.
fn weighted(x: &Tensor, [r, g, b]: [f64; 3]) -> Result<Tensor> {
    let part = |i: i64, weight: f64| x.f_narrow(3, i, 1)?.f_mul_scalar(weight);
    Ok(part(0, r)?.f_add(&part(1, g)?)?.f_add(&part(2, b)?)?)
}

/// Torchvision's luma.
pub(super) fn grey(x: &Tensor) -> Result<Tensor> {
    Ok(weighted(x, [0.2989, 0.587, 0.114])?.f_floor()?)
}

/// Pillow's luma. All intermediate values are integers below 2^24.
pub(super) fn grey_of_pillow(x: &Tensor) -> Result<Tensor> {
    let sum = weighted(x, [19_595.0, 38_470.0, 7_471.0])?;
    Ok(sum.f_add_scalar(32_768.0)?.f_mul_scalar(1.0 / 65_536.0)?.f_floor()?)
}

/// The mean of torchvision's luma.
pub(super) fn mean(x: &Tensor) -> Result<Tensor> {
    Ok(mean_of(&grey(x)?)?.f_to_kind(Kind::Float)?)
}

/// The mean of Pillow's luma, rounded.
pub(super) fn mean_of_pillow(x: &Tensor) -> Result<Tensor> {
    Ok(mean_of(&grey_of_pillow(x)?)?.f_add_scalar(0.5)?.f_floor()?.f_to_kind(Kind::Float)?)
}

/// In f64, where a sum of bytes is exact. `[n, 1, 1, 1]`.
fn mean_of(grey: &Tensor) -> Result<Tensor> {
    let sum = grey.f_sum_dim_intlist([1, 2].as_slice(), true, Kind::Double)?;
    Ok(sum.f_div(&sum.f_full_like(grey.size()[1] * grey.size()[2])?)?)
}

/// The pictures through the kernel 1 1 1, 1 5 1, 1 1 1 over 13, rounded; their edge as it was.
pub(super) fn blurred(x: &Tensor) -> Result<Tensor> {
    let mut blurred = x.f_zeros_like()?;
    blurred.f_copy_(x)?;
    let (height, width) = (x.size()[1], x.size()[2]);
    if height < 3 || width < 3 {
        return Ok(blurred);
    }
    let three = |x: &Tensor, dim: i64, size: i64| -> Result<Tensor> {
        let part = |start: i64| x.f_narrow(dim, start, size - 2);
        Ok(part(0)?.f_add(&part(1)?)?.f_add(&part(2)?)?)
    };
    let inside = |x: &Tensor| -> Result<Tensor> { Ok(x.f_narrow(1, 1, height - 2)?.f_narrow(2, 1, width - 2)?) };
    let sum = three(&three(x, 1, height)?, 2, width)?.f_add(&inside(x)?.f_mul_scalar(4.0)?)?;
    // (2 · sum + 13) / 26 is never nearer than 1/26 to an integer, so a rounded reciprocal does not matter.
    let rounded = sum.f_mul_scalar(2.0)?.f_add_scalar(13.0)?.f_mul_scalar(1.0 / 26.0)?.f_floor()?;
    inside(&blurred)?.f_copy_(&rounded)?;
    Ok(blurred)
}
