//! MixUp and CutMix: the pictures of a batch mixed in pairs, and their targets with them.

use rand::{Rng, RngExt};
use tch::Tensor;

use super::options::{TeacherMode, TrainOptions};
use crate::error::{Error, Result};
use crate::losses::LossSpec;
use crate::random::numbered;

/// How the batches of a training are mixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixing {
    mixup: f64,
    cutmix: f64,
    seed: u64,
}

/// The mixture of one step: picture i with the picture before it, the first with the last. (A batch is shuffled, so these are random
/// pairs.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mixture {
    /// `share · picture + (1 - share) · partner` (Zhang et al., ICLR 2018).
    Mixup { share: f64 },
    /// The partner inside the rectangle (Yun et al., ICCV 2019); ranges of rows and of columns.
    Cutmix { share: f64, rows: (i64, i64), columns: (i64, i64) },
}

impl Mixing {
    /// None where the options mix nothing.
    pub fn of(options: &TrainOptions) -> Option<Mixing> {
        let TrainOptions { mixup, cutmix, seed, .. } = *options;
        (mixup > 0.0 || cutmix > 0.0).then_some(Mixing { mixup, cutmix, seed })
    }

    /// The mixture of a step, for pictures of `height` × `width` pixels: it follows from (seed, epoch, step) alone. One of the two is drawn
    /// where both are on, with equal probability.
    pub fn step(&self, epoch: u64, step: u64, (height, width): (i64, i64)) -> Mixture {
        let mut rng = numbered("mixing", &[self.seed, epoch, step]);
        let cuts = match (self.mixup > 0.0, self.cutmix > 0.0) {
            (true, true) => rng.random::<bool>(),
            (_, cuts) => cuts,
        };
        if !cuts {
            return Mixture::Mixup { share: beta(self.mixup, &mut rng) };
        }
        let share = beta(self.cutmix, &mut rng);
        let (x, y) = (rng.random_range(0..width.max(1)), rng.random_range(0..height.max(1)));
        Mixture::cut(share, (x, y), (height, width))
    }
}

impl Mixture {
    /// The rectangle around (x, y) that takes 1 - `share` of a picture, cut off at its border, as torchvision's. The share becomes that of
    /// the pixels outside.
    pub fn cut(share: f64, (x, y): (i64, i64), (height, width): (i64, i64)) -> Mixture {
        let half = 0.5 * (1.0 - share).sqrt();
        let range = |centre: i64, size: i64| {
            let half = (half * size as f64) as i64;
            ((centre - half).max(0), (centre + half).min(size))
        };
        let (rows, columns) = (range(y, height), range(x, width));
        let inside = (rows.1 - rows.0) * (columns.1 - columns.0);
        Mixture::Cutmix { share: 1.0 - inside as f64 / (height * width).max(1) as f64, rows, columns }
    }

    /// The share of the picture itself.
    pub fn share(&self) -> f64 {
        match self {
            Mixture::Mixup { share } | Mixture::Cutmix { share, .. } => *share,
        }
    }

    /// Pictures `[n, 3, h, w]` mixed with their partners.
    pub fn pictures(&self, own: &Tensor, partners: &Tensor) -> Result<Tensor> {
        match *self {
            Mixture::Mixup { .. } => self.targets(own, partners),
            Mixture::Cutmix { rows, columns, .. } => {
                let inside = |t: &Tensor| -> Result<Tensor> {
                    Ok(t.f_narrow(2, rows.0, rows.1 - rows.0)?.f_narrow(3, columns.0, columns.1 - columns.0)?)
                };
                let mixed = own.f_mul_scalar(1.0)?;
                inside(&mixed)?.f_copy_(&inside(partners)?)?;
                Ok(mixed)
            }
        }
    }

    /// Targets `[n, m]` mixed with those of the partners, by the share.
    pub fn targets(&self, own: &Tensor, partners: &Tensor) -> Result<Tensor> {
        // In torchvision's order.
        Ok(partners.f_mul_scalar(1.0 - self.share())?.f_add(&own.f_mul_scalar(self.share())?)?)
    }
}

/// Rows of a batch and those of their partners. A process with a part of the batch has the first one's partner in front; one with the whole
/// of it has none there.
pub fn with_partners(rows: &Tensor, in_front: bool) -> Result<(Tensor, Tensor)> {
    match in_front {
        true => {
            let n = rows.size().first().copied().unwrap_or(0) - 1;
            Ok((rows.f_narrow(0, 1, n)?, rows.f_narrow(0, 0, n)?))
        }
        false => Ok((rows.shallow_clone(), rows.f_roll(1, 0)?)),
    }
}

/// The same for positions.
pub fn positions_with_partners(positions: &[i64], in_front: bool) -> (Vec<i64>, Vec<i64>) {
    if in_front {
        return (positions[1.min(positions.len())..].to_vec(), positions[..positions.len().saturating_sub(1)].to_vec());
    }
    let mut partners = positions.to_vec();
    partners.rotate_right(1.min(positions.len()));
    (positions.to_vec(), partners)
}

/// A number of the beta distribution with both parameters `alpha`, above 0: the share of one of two gamma variables in their sum.
fn beta(alpha: f64, rng: &mut impl Rng) -> f64 {
    // As logarithms, since the variables themselves underflow for a small alpha.
    let (a, b) = (log_gamma_variable(alpha, rng), log_gamma_variable(alpha, rng));
    1.0 / (1.0 + libm::exp(b - a))
}

/// The logarithm of a gamma variable (Marsaglia and Tsang, ACM TOMS 2000). libm is the same on every machine.
fn log_gamma_variable(alpha: f64, rng: &mut impl Rng) -> f64 {
    if alpha < 1.0 {
        let u = 1.0 - rng.random::<f64>();
        return log_gamma_variable(alpha + 1.0, rng) + libm::log(u) / alpha;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let (u, v) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
        let x = (-2.0 * libm::log(u)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * v);
        let cubed = (1.0 + c * x).powi(3);
        let u = 1.0 - rng.random::<f64>();
        if cubed > 0.0 && libm::log(u) < 0.5 * x * x + d - d * cubed + d * libm::log(cubed) {
            return libm::log(d * cubed);
        }
    }
}

impl TrainOptions {
    /// The first of the options that mix pictures.
    pub fn mixes(&self) -> Option<&'static str> {
        [("mixup", self.mixup), ("cutmix", self.cutmix)]
            .into_iter()
            .find(|(_, alpha)| *alpha > 0.0)
            .map(|found| found.0)
    }

    /// Errors: a loss that takes no mixed targets; a model that reads kept features in place of pictures.
    pub(super) fn check_mixing(&self, word: &str) -> Result<()> {
        let Some(key) = self.mixes() else { return Ok(()) };
        let wrong = |message: String, help: &str| Err(Error::argument(message).about_option(key).with_help(help));
        if let LossSpec::Mse(_) | LossSpec::Kl(_) = self.loss {
            return wrong(
                format!(
                    "option \"{key}\" of {word} mixes targets to numbers between 0 and 1, and loss \"{}\" takes logits as targets",
                    self.loss.name()
                ),
                "bce, asl, focal and closures take mixed targets",
            );
        }
        if self.views > 0 && self.model.resolved()?.freeze > 0 {
            return wrong(
                format!("option \"{key}\" of {word} mixes pictures, and a model with kept frozen features reads none"),
                "views: 0 makes new views each epoch, which pass through the frozen stages; or leave out the model's freeze",
            );
        }
        Ok(())
    }

    /// Errors: teachers whose outputs are kept for views that are not mixed.
    pub fn check_mixed_teachers(&self, mode: TeacherMode) -> Result<()> {
        match self.mixes() {
            Some(key) if self.views > 0 && mode == TeacherMode::Eval => Err(Error::argument(format!(
                "option \"{key}\" mixes the student's pictures, and the outputs of its teachers are kept for views that are not mixed"
            ))
            .about_option(key)
            .with_help("views: 0 lets the teachers see the mixed pictures at every step")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::seeded;

    #[test]
    fn shares_have_the_beta_distribution() {
        let n = 20_000;
        for alpha in [0.05, 0.2, 0.5, 1.0, 4.0, 100.0] {
            let mut rng = seeded(1);
            let mut drawn: Vec<f64> = (0..n).map(|_| beta(alpha, &mut rng)).collect();
            assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)), "{alpha}");
            let mean = drawn.iter().sum::<f64>() / n as f64;
            let variance = drawn.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / n as f64;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 4.0 * (expected / n as f64).sqrt(), "{alpha}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.05, "{alpha}: {variance} instead of {expected}");
            // Kolmogorov and Smirnov: 1.95/√n is passed once in a thousand times. The arcsine and the uniform law.
            let cdf: Option<fn(f64) -> f64> = match alpha {
                0.5 => Some(|x| 2.0 / std::f64::consts::PI * x.sqrt().asin()),
                1.0 => Some(|x| x),
                _ => None,
            };
            if let Some(cdf) = cdf {
                drawn.sort_by(f64::total_cmp);
                let worst = (0..n).map(|i| (cdf(drawn[i]) - i as f64 / n as f64).abs()).fold(0.0, f64::max);
                assert!(worst < 1.95 / (n as f64).sqrt(), "{alpha}: {worst}");
            }
        }
    }

    #[test]
    fn a_step_decides_its_mixture_and_both_kinds_come() {
        let both = Mixing { mixup: 0.2, cutmix: 1.0, seed: 3 };
        assert_eq!(both.step(1, 2, (30, 40)), both.step(1, 2, (30, 40)));
        assert_ne!(both.step(1, 2, (30, 40)), both.step(1, 3, (30, 40)));
        let cuts = (0..400).filter(|step| matches!(both.step(0, *step, (30, 40)), Mixture::Cutmix { .. })).count();
        assert!((140..260).contains(&cuts), "{cuts}");
        for step in 0..200 {
            let Mixture::Cutmix { share, rows, columns } = (Mixing { mixup: 0.0, ..both }).step(0, step, (30, 40))
            else {
                panic!("no cutmix");
            };
            assert!(0 <= rows.0 && rows.0 <= rows.1 && rows.1 <= 30 && 0 <= columns.0 && columns.1 <= 40);
            let inside = (rows.1 - rows.0) * (columns.1 - columns.0);
            assert!((share - (1.0 - inside as f64 / 1200.0)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_part_of_a_batch_has_the_pairs_of_the_whole() {
        let x = Tensor::arange(12, (tch::Kind::Float, tch::Device::Cpu)).view([6, 2]);
        let (own, partners) = with_partners(&x, false).unwrap();
        assert_eq!((own, partners.get(0), partners.get(3)), (x.shallow_clone(), x.get(5), x.get(2)));
        let part = Tensor::cat(&[x.narrow(0, 5, 1), x.narrow(0, 0, 3)], 0);
        let (own, of_part) = with_partners(&part, true).unwrap();
        assert_eq!((own, of_part), (x.narrow(0, 0, 3), partners.narrow(0, 0, 3)));
        assert_eq!(positions_with_partners(&[7, 8, 9], false), (vec![7, 8, 9], vec![9, 7, 8]));
        assert_eq!(positions_with_partners(&[9, 7, 8], true), (vec![7, 8], vec![9, 7]));
    }
}
