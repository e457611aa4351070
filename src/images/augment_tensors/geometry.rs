//! Steps that take each pixel from another place, and those that cover places, on u8 pictures `[n, height, width, 3]`.

use tch::{Kind, Tensor};

use crate::error::Result;
use crate::images::randaugment_uda::OUTSIDE;

/// Coordinates `[n, height, width]` or of a shape that expands to it, whole numbers of any type.
struct Places {
    x: Tensor,
    y: Tensor,
}

/// The pixel at each place, `outside` for places that are not in the picture.
fn taken(pictures: &Tensor, places: &Places, outside: i64) -> Result<Tensor> {
    let size = pictures.size();
    let (n, height, width) = (size[0], size[1], size[2]);
    let inside = within(&places.x, width)?.f_logical_and(&within(&places.y, height)?)?;
    let column = places.x.f_clamp(0, width - 1)?.f_to_kind(Kind::Int64)?;
    let row = places.y.f_clamp(0, height - 1)?.f_to_kind(Kind::Int64)?;
    let index = row.f_mul_scalar(width)?.f_add(&column)?.f_reshape([n, height * width, 1])?;
    let flat = pictures.f_reshape([n, height * width, 3])?;
    let taken = flat.f_gather(1, &index.f_expand([n, height * width, 3], false)?, false)?.f_view(size.as_slice())?;
    Ok(taken.f_masked_fill(&inside.f_logical_not()?.f_unsqueeze(-1)?, outside)?)
}

/// Whether 0 ≤ x < size.
fn within(x: &Tensor, size: i64) -> Result<Tensor> {
    Ok(x.f_ge(0)?.f_logical_and(&x.f_lt(size)?)?)
}

/// Number i of each picture, `[n, 1, 1]`.
fn number(numbers: &Tensor, i: i64, kind: Kind) -> Result<Tensor> {
    Ok(numbers.f_select(1, i)?.f_to_kind(kind)?.f_view([-1, 1, 1])?)
}

/// Columns `[1, 1, width]` and rows `[1, height, 1]`.
fn axes(pictures: &Tensor, kind: Kind) -> Result<(Tensor, Tensor)> {
    let options = (kind, pictures.device());
    let columns = Tensor::f_arange(pictures.size()[2], options)?.f_view([1, 1, -1])?;
    let rows = Tensor::f_arange(pictures.size()[1], options)?.f_view([1, -1, 1])?;
    Ok((columns, rows))
}

/// a · x + b · y + c, `[n, height, width]`, with numbers i, i + 1 and i + 2.
fn linear(numbers: &Tensor, i: i64, x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let of = |i: i64| number(numbers, i, x.f_kind()?);
    Ok(of(i)?.f_mul(x)?.f_add(&of(i + 1)?.f_mul(y)?)?.f_add(&of(i + 2)?)?)
}

/// Torchvision's shears, translations and rotations: nearest pixel, black outside. `numbers` `[n, 6]` is the matrix.
pub(super) fn warped(pictures: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    let (width, height) = (pictures.size()[2], pictures.size()[1]);
    let (columns, rows) = axes(pictures, Kind::Float)?;
    let x = columns.f_add_scalar(0.5)?.f_sub_scalar(0.5 * width as f64)?;
    let y = rows.f_add_scalar(0.5)?.f_sub_scalar(0.5 * height as f64)?;
    let nearest = |i: i64, size: i64| -> Result<Tensor> {
        let from = linear(numbers, i, &x, &y)?.f_add_scalar(1.0)?.f_mul_scalar(size as f64)?;
        Ok(from.f_sub_scalar(1.0)?.f_mul_scalar(0.5)?.f_round()?)
    };
    taken(pictures, &Places { x: nearest(0, width)?, y: nearest(3, height)? }, 0)
}

/// Pillow's translation. `numbers` `[n, width + height]`: the source of each column, then of each row; -1 is outside.
pub(super) fn translated(pictures: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    let size = pictures.size();
    let (n, height, width) = (size[0], size[1], size[2]);
    let x = numbers.f_narrow(1, 0, width)?.f_reshape([n, 1, width])?;
    let y = numbers.f_narrow(1, width, height)?.f_reshape([n, height, 1])?;
    taken(pictures, &Places { x, y }, i64::from(OUTSIDE))
}

/// Pillow's rotation, in whole numbers, which f64 holds exactly. `numbers` `[n, 6]` have 16 bits of fraction.
pub(super) fn rotated(pictures: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    let (x, y) = axes(pictures, Kind::Double)?;
    let from = |i: i64| -> Result<Tensor> { Ok(linear(numbers, i, &x, &y)?.f_mul_scalar(1.0 / 65_536.0)?.f_floor()?) };
    taken(pictures, &Places { x: from(0)?, y: from(3)? }, i64::from(OUTSIDE))
}

/// Pillow's shear along rows, bicubic (a = -1). `numbers` `[n, 1]`: the tangent.
///
/// Across the rows it takes whole pixels, where the cubic is the pixel itself.
pub(super) fn sheared(pictures: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    let size = pictures.size();
    let (n, height, width) = (size[0], size[1], size[2]);
    let (columns, rows) = axes(pictures, Kind::Double)?;
    let (x, y) = (columns.f_add_scalar(0.5)?, rows.f_add_scalar(0.5)?);
    let from = number(numbers, 0, Kind::Double)?.f_mul(&y)?.f_add(&x)?;
    let outside = within(&from, width)?.f_logical_not()?.f_unsqueeze(-1)?;
    let from = from.f_sub_scalar(0.5)?;
    let left = from.f_floor()?;
    let d = from.f_sub(&left)?.f_unsqueeze(-1)?;
    let near = |i: i64| -> Result<Tensor> {
        let column = left.f_add_scalar(i - 1)?.f_clamp(0, width - 1)?.f_to_kind(Kind::Int64)?.f_unsqueeze(-1)?;
        let value = pictures.f_gather(2, &column.f_expand([n, height, width, 3], false)?, false)?;
        Ok(value.f_to_kind(Kind::Double)?)
    };
    let (v1, v2, v3, v4) = (near(0)?, near(1)?, near(2)?, near(3)?);
    let p2 = v3.f_sub(&v1)?;
    let p3 = v1.f_sub(&v2)?.f_mul_scalar(2.0)?.f_add(&v3)?.f_sub(&v4)?;
    let p4 = v2.f_sub(&v1)?.f_sub(&v3)?.f_add(&v4)?;
    let value = p4.f_mul(&d)?.f_add(&p3)?.f_mul(&d)?.f_add(&p2)?.f_mul(&d)?.f_add(&v2)?;
    let value = value.f_clamp(0.0, 255.0)?.f_to_kind(Kind::Uint8)?;
    Ok(value.f_masked_fill(&outside, i64::from(OUTSIDE))?)
}

/// Rectangles of one colour. `numbers` `[n, 7]`: top, bottom, left, right, red, green, blue.
pub(super) fn filled(pictures: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    let (x, y) = axes(pictures, Kind::Double)?;
    let between = |at: &Tensor, from: i64| -> Result<Tensor> {
        let (first, behind) = (number(numbers, from, Kind::Double)?, number(numbers, from + 1, Kind::Double)?);
        Ok(at.f_ge_tensor(&first)?.f_logical_and(&at.f_lt_tensor(&behind)?)?)
    };
    let covered = between(&y, 0)?.f_logical_and(&between(&x, 2)?)?.f_unsqueeze(-1)?;
    let colour = numbers.f_narrow(1, 4, 3)?.f_to_kind(Kind::Uint8)?.f_reshape([-1, 1, 1, 3])?;
    Ok(colour.f_where_self(&covered, pictures)?)
}
