//! MCAR: multi-class attentional regions.

use tch::{Kind, Tensor};

use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Seen};
use crate::error::{Error, Result};
use crate::models::layers::{Linear, average_pool};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Gao and Zhou, "Learning to discover multi-class attentional regions for multi-label image recognition", TIP 2021.
///
/// A 1×1 convolution makes class maps, whose means are the global logits. Each map of the `regions` best labels, scaled
/// to 0..1, gives a box: from the first to the last row, and column, whose maximum reaches `threshold`. The crops go
/// through the same network; the local logits are their maximum. The loss is the sum of the losses of global and local
/// logits; the answer is the larger of both. The paper does not specify how crops are resized: here bilinearly to the
/// size of the input, so that backbones of a fixed size work. With frozen stages, crops are cut out of their output.
pub const MCAR: HeadKind = HeadKind {
    name: "mcar",
    summary: "class maps choose regions, which the same network looks at again",
    paper: "Gao and Zhou, TIP 2021",
    options: &[
        HeadOption::whole("regions", 4.0, 1.0, 64.0, "regions per image, at most one per label"),
        HeadOption::real("threshold", 0.5, 0.0, 1.0, "share of the greatest activation that still belongs to a region"),
    ],
    build: |p, setup| Ok(Box::new(Mcar::new(p, setup)?)),
    ..COMMON
};

struct Mcar {
    last: Linear,
    regions: i64,
    threshold: f64,
}

impl Mcar {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Mcar> {
        let last = Linear::pointwise(&p.at(setup.classifier), setup.inputs, setup.num_labels())?;
        Ok(Mcar {
            last,
            regions: setup.integer("regions").min(setup.num_labels()),
            threshold: setup.number("threshold"),
        })
    }

    /// `input` `[N, ., H, W]` cut to the regions of class maps `[N, m, h, w]`: `[N · regions, ., H, W]`, with the crops
    /// of one image in sequence.
    fn crops(&self, input: &Tensor, maps: &Tensor) -> Result<Tensor> {
        let (_, best) = average_pool(maps)?.f_topk(self.regions, 1, true, true)?;
        let size = maps.size();
        let (n, h, w) = (size[0], size[2], size[3]);
        let index = best.f_view([n, self.regions, 1, 1])?.f_expand([n, self.regions, h, w], false)?;
        let maps = maps.f_gather(1, &index, false)?.f_reshape([n * self.regions, h, w])?;
        let (least, most) = (maps.f_amin([1i64, 2], true)?, maps.f_amax([1i64, 2], true)?);
        let maps = maps.f_sub(&least)?.f_div(&most.f_sub(&least)?.f_clamp_min(1e-12)?)?;
        let (y_scale, y_shift) = self.span(&maps.f_amax([2i64], false)?)?;
        let (x_scale, x_shift) = self.span(&maps.f_amax([1i64], false)?)?;
        let zero = x_scale.f_zeros_like()?;
        let rows =
            [Tensor::f_stack(&[&x_scale, &zero, &x_shift], 1)?, Tensor::f_stack(&[&zero, &y_scale, &y_shift], 1)?];
        let boxes = Tensor::f_stack(&rows, 1)?.f_to_kind(input.kind())?;
        let repeated = input.f_repeat_interleave_self_int(self.regions, 0, n * self.regions)?;
        let grid = Tensor::f_affine_grid_generator(&boxes, repeated.size(), false)?;
        // Bilinear, edges repeated.
        Ok(repeated.f_grid_sampler(&grid, 0, 1, false)?)
    }

    /// The span of profiles `[R, n]` from the first to the last position that reaches the threshold: scale and shift on
    /// an axis from -1 to 1, `[R]` each.
    fn span(&self, profile: &Tensor) -> Result<(Tensor, Tensor)> {
        let n = profile.size()[1];
        // The maximum is 1, but rounding must not leave a box empty.
        let inside = profile.f_ge(self.threshold.min(1.0 - 1e-6))?;
        let place = Tensor::f_arange(n, (Kind::Float, profile.device()))?.f_expand_as(profile)?;
        let outside = inside.f_logical_not()?;
        let first = place.f_masked_fill(&outside, n as f64 - 1.0)?.f_amin([1i64], false)?;
        let last = place.f_masked_fill(&outside, 0.0)?.f_amax([1i64], false)?.f_add_scalar(1.0)?;
        // A map without any contrast is 0 everywhere: the whole axis.
        let flat = profile.f_amax([1i64], false)?.f_le(0.0)?;
        let (first, last) = (first.f_masked_fill(&flat, 0.0)?, last.f_masked_fill(&flat, n as f64)?);
        let scale = last.f_sub(&first)?.f_mul_scalar(1.0 / n as f64)?;
        let shift = last.f_add(&first)?.f_mul_scalar(1.0 / n as f64)?.f_add_scalar(-1.0)?;
        Ok((scale, shift))
    }
}

impl Head for Mcar {
    /// The global logits alone.
    fn logits(&self, maps: &Tensor, _: Pass) -> Result<Tensor> {
        average_pool(&self.last.on_maps(maps)?)
    }

    fn answer(&self, seen: &Seen, _: Pass) -> Result<Answer> {
        let size = seen.input.size();
        if size[3] == 1 && size[2] > 1 {
            return Err(Error::argument("head \"mcar\" cuts regions out of pictures or feature maps; the frozen stages of this backbone give tokens")
                .about_name("mcar")
                .with_help("leave out freeze"));
        }
        let maps = self.last.on_maps(seen.maps)?;
        let global = average_pool(&maps)?;
        let crops = tch::no_grad(|| self.crops(seen.input, &maps))?;
        let local = average_pool(&self.last.on_maps(&(seen.rest)(&crops)?)?)?;
        let local = local.f_view([size[0], self.regions, -1])?.f_amax([1i64], false)?;
        let logits = global.f_maximum(&local)?;
        Ok(Answer {
            logits,
            own_loss: Some(Box::new(move |loss, targets| {
                Ok(loss.compute(&global, targets)?.f_add(&loss.compute(&local, targets)?)?)
            })),
        })
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.last.on_maps(features)?))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tch::Device;

    use super::*;

    #[test]
    fn regions_are_where_the_maps_are_bright() {
        let params = RefCell::default();
        let last = Linear::pointwise(&Scope::root(&params, 0, Device::Cpu).at("fc"), 1, 2).unwrap();
        let head = Mcar { last, regions: 1, threshold: 0.5 };
        // Label 0 is bright in rows 2..4 and columns 4..8 of 8 × 8; the picture numbers its 8 × 8 positions.
        let maps = Tensor::zeros([1, 2, 8, 8], (Kind::Float, Device::Cpu));
        let _ = maps.select(1, 0).narrow(1, 2, 2).narrow(2, 4, 4).fill_(1.0);
        let picture = Tensor::arange(64, (Kind::Float, Device::Cpu)).view([1, 1, 8, 8]);
        let crop = head.crops(&picture, &maps).unwrap();
        assert_eq!(crop.size(), [1, 1, 8, 8]);
        // Bilinear interpolation of a linear picture: the mean of the crop is that of the box.
        let mean = f64::try_from(crop.mean(Kind::Double)).unwrap();
        let cut = picture.narrow(2, 2, 2).narrow(3, 4, 4).mean(Kind::Double);
        assert!((mean - f64::try_from(cut).unwrap()).abs() < 0.51, "{mean}");
        // No contrast: the whole picture.
        let whole = head.crops(&picture, &maps.zeros_like()).unwrap();
        assert!(f64::try_from((&whole - &picture).abs().max()).unwrap() < 1e-4);
    }
}
