//! Which entries of a step's targets are known.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::torch::{read_back, upload};

/// The known entries of targets `[N, m]`.
///
/// They are counted on the CPU, where the mask comes from. A mask on a GPU alone would have to be waited for twice a step, as nobody
/// else knows how many entries it selects.
pub struct Known {
    entries: Vec<bool>,
    labels: i64,
    /// The numbers of the known entries, row by row; i64 `[K]`, on the device.
    positions: Tensor,
}

impl Known {
    /// `entries`: whether each is known, row by row; as many as `labels` for each picture.
    pub fn new(entries: Vec<bool>, labels: usize, device: Device) -> Result<Known> {
        if labels == 0 || !entries.len().is_multiple_of(labels) {
            return Err(Error::internal(format!("{} known entries of pictures with {labels} labels", entries.len())));
        }
        let positions: Vec<i64> = (0..).zip(&entries).filter(|(_, known)| **known).map(|(i, _)| i).collect();
        Ok(Known { entries, labels: labels as i64, positions: upload(&Tensor::f_from_slice(&positions)?, device)? })
    }

    /// The rows of some pictures of `all`, which holds those of every picture.
    pub fn rows(all: &[bool], labels: usize, pictures: &[i64], device: Device) -> Result<Known> {
        let mut entries = Vec::with_capacity(pictures.len() * labels);
        for &picture in pictures {
            let from = picture as usize * labels;
            let row = all.get(from..from + labels);
            entries.extend(row.ok_or_else(|| Error::internal(format!("picture {picture} has no known labels")))?);
        }
        Known::new(entries, labels, device)
    }

    /// The entries where a boolean mask `[N, m]` is true. It is read from its device.
    pub fn of_mask(mask: &Tensor) -> Result<Known> {
        let labels = mask.size().last().copied().unwrap_or(0) as usize;
        let entries = Vec::<bool>::try_from(&read_back(mask)?.f_to_kind(Kind::Bool)?.f_reshape([-1])?)?;
        Known::new(entries, labels, mask.device())
    }

    /// Those of these entries for which `kept` is true too.
    pub fn among(&self, kept: &[bool]) -> Result<Known> {
        let entries = self.entries.iter().zip(kept).map(|(known, kept)| *known && *kept).collect();
        Known::new(entries, self.labels as usize, self.positions.device())
    }

    /// Whether each entry is known, row by row.
    pub fn entries(&self) -> &[bool] {
        &self.entries
    }

    /// The known ones of the elements `[N, m]` of a tensor on the device, `[K]`.
    pub fn of(&self, elements: &Tensor) -> Result<Tensor> {
        Ok(elements.f_reshape([-1])?.f_index_select(0, &self.positions)?)
    }

    /// Boolean `[N, m]`, on the device.
    pub fn mask(&self) -> Result<Tensor> {
        let none = Tensor::f_zeros([self.entries.len() as i64], (Kind::Bool, self.positions.device()))?;
        Ok(none.f_index_fill(0, &self.positions, 1)?.f_view([-1, self.labels])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch::to_vec_f32;

    #[test]
    fn known_entries_are_those_that_a_mask_selects() {
        let mask = Tensor::from_slice(&[true, false, false, true, true, false]).view([2, 3]);
        let known = Known::of_mask(&mask).unwrap();
        let of = |x: &Tensor| -> [Tensor; 2] {
            let x = x.detach().set_requires_grad(true);
            let y = known.of(&x).unwrap();
            (&y * &y).sum(Kind::Float).backward();
            [y.detach(), x.grad()]
        };
        let by_mask = |x: &Tensor| -> [Tensor; 2] {
            let x = x.detach().set_requires_grad(true);
            let y = x.masked_select(&mask);
            (&y * &y).sum(Kind::Float).backward();
            [y.detach(), x.grad()]
        };
        let x = crate::torch::normal(1, "x", &[2, 3], 1.0).unwrap();
        assert_eq!(of(&x), by_mask(&x));
        // Elements that do not lie row by row.
        let turned = crate::torch::normal(1, "x", &[3, 2], 1.0).unwrap().transpose(0, 1);
        assert_eq!(of(&turned), by_mask(&turned));
        assert_eq!(known.mask().unwrap(), mask);
        assert_eq!(
            known.among(&[true, true, true, false, true, true]).unwrap().entries(),
            [true, false, false, false, true, false]
        );
        let all = [false, true, true, false, false, false];
        let rows = Known::rows(&all, 2, &[1, 0, 1], Device::Cpu).unwrap();
        assert_eq!(rows.entries(), [true, false, false, true, true, false]);
        assert_eq!(to_vec_f32(&rows.positions).unwrap(), [0.0, 3.0, 4.0]);
        assert!(Known::rows(&all, 2, &[3], Device::Cpu).is_err());
        let none = Known::new(vec![false; 6], 3, Device::Cpu).unwrap();
        assert_eq!(none.of(&x).unwrap().size(), [0]);
    }
}
