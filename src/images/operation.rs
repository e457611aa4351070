//! `Operation`: one step of augmentation after crop and flip, drawn before it is applied, so that it can be applied elsewhere.

use rand::RngExt;

use super::augment_options::{AugmentOptions, Policy};
use super::fill::Fill;
use super::randaugment::{self, Pixels};
use super::randaugment_uda;

/// One step on a picture of bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// Keeps the places of the steps behind it.
    Nothing,
    /// With torchvision's arithmetic.
    Torchvision(randaugment::Op),
    /// With Pillow's arithmetic.
    Pillow(randaugment_uda::Op),
    Fill(Fill),
}

impl Operation {
    /// Changes the picture.
    pub fn apply(self, picture: &mut Pixels) {
        match self {
            Operation::Nothing => {}
            Operation::Torchvision(op) => randaugment::apply(picture, op),
            Operation::Pillow(op) => randaugment_uda::apply(picture, op),
            Operation::Fill(fill) => fill.apply(picture),
        }
    }
}

/// Draws the steps for a picture of `size` × `size` pixels: colour jitter, Cutout, RandAugment. Their number depends on the
/// options alone.
pub(super) fn drawn(size: usize, options: &AugmentOptions, rng: &mut impl rand::Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    if options.color_jitter > 0.0 {
        jitter(options.color_jitter, rng, &mut operations);
    }
    let cut = rng.random::<f64>() < options.cutout;
    if cut {
        operations.push(Operation::Fill(cutout(size, options, rng)));
    } else if options.cutout > 0.0 {
        operations.push(Operation::Nothing);
    }
    match options.randaugment_policy {
        Policy::Torchvision => {
            let drawn = randaugment::drawn(options.randaugment, options.randaugment_level, size, size, rng);
            operations.extend(drawn.into_iter().map(Operation::Torchvision));
        }
        Policy::Uda => {
            let drawn = randaugment_uda::drawn(options.randaugment, size, size, rng);
            operations.extend(drawn.into_iter().map(|op| op.map_or(Operation::Nothing, Operation::Pillow)));
        }
    }
    operations
}

/// Factors on brightness, contrast and saturation in random order, with Pillow's arithmetic.
fn jitter(range: f64, rng: &mut impl rand::Rng, operations: &mut Vec<Operation>) {
    let mut factor = || 1.0 - range + 2.0 * range * rng.random::<f64>();
    let mut left = vec![
        randaugment_uda::Op::Brightness(factor()),
        randaugment_uda::Op::Contrast(factor()),
        randaugment_uda::Op::Color(factor()),
    ];
    while !left.is_empty() {
        operations.push(Operation::Pillow(left.swap_remove(rng.random_range(0..left.len()))));
    }
}

fn cutout(size: usize, options: &AugmentOptions, rng: &mut impl rand::Rng) -> Fill {
    // As `int(factor * size + 0.5)` and Pillow's rectangle, whose last row and column are inside.
    let (rounding, more) = if options.cutout_inclusive { (0.5, 1) } else { (0.0, 0) };
    let side = (size as f64 * options.cutout_factor + rounding) as usize;
    let (y, x) = (rng.random_range(0..size), rng.random_range(0..size));
    let colour: [u8; 3] = [rng.random(), rng.random(), rng.random()];
    Fill::around((x, y), side / 2, more, size, size, colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::numbered;

    /// Rows and columns of a black picture that Cutout coloured, by centre.
    fn cut(options: &AugmentOptions, size: usize) -> std::collections::BTreeSet<(usize, usize)> {
        let mut rng = numbered("test", &[3]);
        (0..400)
            .map(|_| {
                let mut rgb = vec![0; size * size * 3];
                let fill = cutout(size, options, &mut rng);
                fill.apply(&mut Pixels { rgb: &mut rgb, width: size, height: size });
                let coloured = |pixel: &[u8]| pixel != [0; 3];
                let rows = rgb.chunks_exact(size * 3).filter(|row| row.chunks_exact(3).any(coloured)).count();
                let columns = rgb.chunks_exact(3).filter(|pixel| coloured(pixel)).count() / rows.max(1);
                (rows, columns)
            })
            .collect()
    }

    #[test]
    fn cutout_is_the_authors_square_where_asked_for() {
        let half = AugmentOptions { cutout_factor: 0.5, cutout_inclusive: true, ..AugmentOptions::default() };
        // At 21 pixels the side is int(0.5 · 21 + 0.5) = 11: centre ± 5, both ends inside, and cut off at the border.
        let sides = cut(&half, 21);
        assert_eq!(sides.iter().map(|s| s.0).max(), Some(11));
        assert_eq!(sides.iter().map(|s| s.1).min(), Some(6));
        let plain = AugmentOptions { cutout_inclusive: false, ..half };
        assert_eq!(cut(&plain, 21).iter().map(|s| s.0).max(), Some(10));
    }

    #[test]
    fn the_number_of_steps_depends_on_the_options_alone() {
        for policy in [Policy::Torchvision, Policy::Uda] {
            let options = AugmentOptions {
                color_jitter: 0.3,
                randaugment: 2,
                randaugment_policy: policy,
                ..AugmentOptions::default()
            };
            let lengths = (0..50).map(|i| drawn(20, &options, &mut numbered("test", &[i])).len());
            assert!(lengths.clone().all(|length| length == 6), "{:?}", lengths.collect::<Vec<_>>());
        }
    }
}
