//! The steps of augmentation on a whole batch in tensor operations, on whatever device the batch is.
//!
//! On every device the arithmetic is that of the form for bytes, operation by operation and in the same precision, so a view is the
//! same to the last bit, but for a device whose division or square is not rounded as IEEE 754 says. Pictures with the same kind of
//! step share its kernels, and nothing is read back: all numbers of all steps go up in one copy.

mod colours;
mod forms;
mod geometry;

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use self::forms::{Form, form};
use super::operation::Operation;
use crate::error::{Error, Result};
use crate::torch::upload;

/// Whether the steps for a model on this device are applied there, not by the threads that decode. On a CPU they would only take turns.
pub fn are_applied_on(device: Device) -> bool {
    device.is_cuda()
}

/// Applies the steps `operations[i]`, one after another, to picture i of `pixels`, u8 `[n, height, width, 3]`, which is changed in
/// place.
///
/// Errors: pixels of another type or shape, another number of pictures than of lists.
pub fn apply(mut pixels: Tensor, operations: &[Vec<Operation>]) -> Result<Tensor> {
    let size = pixels.size();
    let &[n, height, width, 3] = size.as_slice() else {
        return Err(Error::internal(format!("pictures to augment are [n, height, width, 3]; got {size:?}")));
    };
    if pixels.f_kind()? != Kind::Uint8 || n as usize != operations.len() {
        let kind = pixels.f_kind()?;
        return Err(Error::internal(format!(
            "{n} pictures of bytes to augment with {} lists: {kind:?}",
            operations.len()
        )));
    }
    let mut numbers: Vec<f64> = Vec::new();
    let groups = groups(operations, width as usize, height as usize, &mut numbers);
    if groups.is_empty() {
        return Ok(pixels);
    }
    let numbers = upload(&Tensor::f_from_slice(&numbers)?, pixels.device())?;
    for Group { form, start, pictures, each } in groups {
        let rows = numbers.f_narrow(0, start, pictures * each)?.f_view([pictures, each])?;
        let which = rows.f_select(1, 0)?.f_to_kind(Kind::Int64)?;
        let changed = form.apply(&pixels.f_index_select(0, &which)?, &rows.f_narrow(1, 1, each - 1)?)?;
        let _ = pixels.f_index_copy_(0, &which, &changed)?;
    }
    Ok(pixels)
}

/// Pictures that take the same kind of step together. Their numbers are `pictures` rows of `each` from `start` on: the picture's
/// position, then what [`form`] says.
struct Group {
    form: Form,
    start: i64,
    pictures: i64,
    each: i64,
}

/// The first steps of all pictures, then the second ones, and so on. The groups' numbers are appended to `numbers`.
fn groups(operations: &[Vec<Operation>], width: usize, height: usize, numbers: &mut Vec<f64>) -> Vec<Group> {
    let rounds = operations.iter().map(Vec::len).max().unwrap_or(0);
    let mut groups = Vec::new();
    for round in 0..rounds {
        let mut by_form: BTreeMap<Form, Vec<(usize, Vec<f64>)>> = BTreeMap::new();
        for (picture, operations) in operations.iter().enumerate() {
            if let Some((form, values)) = operations.get(round).and_then(|&operation| form(operation, width, height)) {
                by_form.entry(form).or_default().push((picture, values));
            }
        }
        for (form, pictures) in by_form {
            let at_once = form.pixels_at_once() / (width * height).max(1);
            for part in pictures.chunks(at_once.max(1)) {
                let start = numbers.len();
                for (picture, values) in part {
                    numbers.push(*picture as f64);
                    numbers.extend(values);
                }
                let each = (numbers.len() - start) / part.len();
                groups.push(Group { form, start: start as i64, pictures: part.len() as i64, each: each as i64 });
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::fill::Fill;
    use super::super::{randaugment, randaugment_uda};
    use super::*;

    #[test]
    fn equal_steps_share_a_group_and_a_group_is_bounded() {
        let brighter = Operation::Torchvision(randaugment::Op::Brightness(0.5));
        let fewer_bits = Operation::Torchvision(randaugment::Op::Posterize(4));
        let turned = Operation::Pillow(randaugment_uda::Op::Rotate(30.0));
        let filled = Operation::Fill(Fill { top: 0, bottom: 2, left: 1, right: 3, colour: [1, 2, 3] });
        let operations =
            vec![vec![brighter, turned], vec![Operation::Nothing, filled], vec![fewer_bits, turned], vec![]];
        let mut numbers = Vec::new();
        let small = groups(&operations, 10, 8, &mut numbers);
        let sizes: Vec<(i64, i64)> = small.iter().map(|group| (group.pictures, group.each)).collect();
        // Brightness and Posterize are both tables of 256; then Rotate, then Fill.
        assert_eq!(sizes, [(2, 257), (2, 7), (1, 8)]);
        assert_eq!(numbers.len(), 2 * 257 + 2 * 7 + 8);
        assert_eq!(groups(&operations, 4096, 1024, &mut vec![]).len(), 5);
    }

    #[test]
    fn pictures_without_steps_stay_and_wrong_shapes_are_errors() {
        let pixels = Tensor::f_from_slice(&[7_u8; 2 * 4 * 5 * 3]).unwrap().f_view([2, 4, 5, 3]).unwrap();
        let same = apply(pixels.f_mul_scalar(1), &[vec![], vec![Operation::Nothing]]).unwrap();
        assert_eq!(same, pixels);
        assert!(apply(pixels.shallow_clone(), &[vec![]]).is_err());
        assert!(apply(pixels.f_permute([0, 3, 1, 2]).unwrap(), &[vec![], vec![]]).is_err());
    }
}
