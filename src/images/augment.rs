//! Views of a picture for training. A view depends on (seed, view, image) alone, so it can be made again at any time.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::fixed_crops;
use super::picture::{Crop, Picture};
use super::randaugment::{self, Pixels};
use super::randaugment_uda;
use crate::error::Result;
use crate::random::numbered;

crate::options! {
    /// Options of training views. `TrainOptions` checks their ranges, since errors name them as keys of `augment`.
    ///
    /// The options that came later are left out of JSON at their defaults, since the ids of earlier runs do not contain them.
    pub struct AugmentOptions {
        /// which part of the picture is taken: "resized", "multi_scale" or "squares"
        #[serde(skip_serializing_if = "CropName::is_resized")]
        pub crop: CropName = CropName::Resized;
        /// side in pixels of a square to which the picture is resized before the crop; 0 crops the picture as it is
        #[serde(skip_serializing_if = "is_zero")]
        pub resize_first: u32 = 0;
        /// range of the share of the picture's area that a random resized crop keeps; (1, 1) keeps all
        pub resized_crop_scale: (f64, f64) = (0.6, 1.0);
        /// range of the crop's width over height
        pub resized_crop_ratio: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);
        /// probability of a left-right flip
        pub flip: f64 = 0.5;
        /// brightness, contrast and saturation are each multiplied by a factor from 1 - color_jitter to 1 + color_jitter, in
        /// random order, as by torchvision's ColorJitter; 0 turns it off
        #[serde(skip_serializing_if = "is_zero")]
        pub color_jitter: f64 = 0.0;
        /// probability of Cutout: one square set to a random colour (DeVries and Taylor 2017)
        pub cutout: f64 = 0.5;
        /// side of that square as a share of the picture's
        pub cutout_factor: f64 = 0.3;
        /// the square as in the authors' code of ASL, ML-Decoder and CPSD: its side is rounded, not truncated, and Pillow draws one
        /// more row and column
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub cutout_inclusive: bool = false;
        /// operations of RandAugment per view; 0 turns it off
        pub randaugment: usize = 0;
        /// strength of these operations, from 0 to 30; policy "uda" draws it
        pub randaugment_level: usize = 9;
        /// whose operations: "torchvision" or "uda"
        #[serde(skip_serializing_if = "Policy::is_torchvision")]
        pub randaugment_policy: Policy = Policy::Torchvision;
    }
}

/// Which part of a picture a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CropName {
    /// Area and ratio from the ranges `resized_crop_scale` and `resized_crop_ratio`, as torchvision's RandomResizedCrop.
    Resized,
    /// [`fixed_crops::multi_scale`].
    MultiScale,
    /// [`fixed_crops::squares`].
    Squares,
}

impl CropName {
    fn is_resized(&self) -> bool {
        *self == CropName::Resized
    }
}

/// Whose RandAugment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Torchvision's: 14 operations, all at one strength, black outside, nearest pixels.
    Torchvision,
    /// That of UDA, from the package randaugment 1.0.2: 15 operations, each applied with probability ½ at a random strength, grey
    /// outside, bicubic shears.
    Uda,
}

impl Policy {
    fn is_torchvision(&self) -> bool {
        *self == Policy::Torchvision
    }
}

impl AugmentOptions {
    /// The first option that differs from its default and changes nothing beside the others, and what it needs.
    pub fn without_effect(&self) -> Option<(&'static str, &'static str)> {
        let usual = AugmentOptions::default();
        let resized = self.crop == CropName::Resized;
        if !resized && self.resized_crop_scale != usual.resized_crop_scale {
            return Some(("resized_crop_scale", "crop: \"resized\""));
        }
        if !resized && self.resized_crop_ratio != usual.resized_crop_ratio {
            return Some(("resized_crop_ratio", "crop: \"resized\""));
        }
        if resized && self.resized_crop_scale.0 >= 1.0 && self.resized_crop_ratio != usual.resized_crop_ratio {
            return Some(("resized_crop_ratio", "a resized_crop_scale that begins below 1"));
        }
        if self.cutout == 0.0 && self.cutout_factor != usual.cutout_factor {
            return Some(("cutout_factor", "a cutout above 0"));
        }
        if self.cutout == 0.0 && self.cutout_inclusive {
            return Some(("cutout_inclusive", "a cutout above 0"));
        }
        if self.randaugment == 0 && self.randaugment_policy != usual.randaugment_policy {
            return Some(("randaugment_policy", "a randaugment above 0"));
        }
        if self.randaugment == 0 && self.randaugment_level != usual.randaugment_level {
            return Some(("randaugment_level", "a randaugment above 0"));
        }
        if self.randaugment_policy == Policy::Uda && self.randaugment_level != usual.randaugment_level {
            return Some(("randaugment_level", "randaugment_policy: \"torchvision\"; \"uda\" draws the strength"));
        }
        None
    }
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A training view: `size` × `size` × 3 bytes that depend on the key (seed, view, image) alone.
///
/// Parameters of crop "resized" are drawn as in torchvision's RandomResizedCrop: area uniform, ratio log-uniform, ten tries, then
/// the largest central crop within the ratios.
pub fn augment(
    picture: &Picture,
    size: u32,
    options: &AugmentOptions,
    seed: u64,
    view: u32,
    image: u32,
) -> Result<Vec<u8>> {
    let mut rng = numbered("view", &[seed, u64::from(view), u64::from(image)]);
    let resized;
    let picture = match options.resize_first {
        0 => picture,
        side => {
            resized = picture.resize(side, side)?;
            &resized
        }
    };
    let rectangle = match options.crop {
        CropName::Resized => None,
        CropName::MultiScale => Some(fixed_crops::multi_scale(picture.width, picture.height, size, &mut rng)),
        CropName::Squares => Some(fixed_crops::squares(picture.width, picture.height, &mut rng)),
    };
    let mut out = match rectangle {
        // The part is cut out before it is resized, as Pillow's `crop`: pixels beside it have no influence.
        Some(rectangle) => picture.part(rectangle)?.resize(size, size)?.rgb,
        None => {
            let (left, top, width, height) = crop(picture, options, &mut rng);
            picture.crop_resize(Crop { left, top, width, height }, size, size)?
        }
    };
    if rng.random::<f64>() < options.flip {
        flip(&mut out, size as usize);
    }
    if options.color_jitter > 0.0 {
        jitter(
            &mut Pixels { rgb: &mut out, width: size as usize, height: size as usize },
            options.color_jitter,
            &mut rng,
        );
    }
    if rng.random::<f64>() < options.cutout {
        cut_out(&mut out, size as usize, options, &mut rng);
    }
    if options.randaugment > 0 {
        let mut pixels = Pixels { rgb: &mut out, width: size as usize, height: size as usize };
        match options.randaugment_policy {
            Policy::Torchvision => {
                randaugment::randaugment(&mut pixels, options.randaugment, options.randaugment_level, &mut rng);
            }
            Policy::Uda => randaugment_uda::randaugment(&mut pixels, options.randaugment, &mut rng),
        }
    }
    Ok(out)
}

/// The view of evaluation: the whole picture resized to a square, the aspect not kept.
pub fn center(picture: &Picture, size: u32) -> Result<Vec<u8>> {
    Ok(picture.resize(size, size)?.rgb)
}

fn crop(picture: &Picture, options: &AugmentOptions, rng: &mut impl rand::Rng) -> (f64, f64, f64, f64) {
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    let ((low, high), (narrow, wide)) = (options.resized_crop_scale, options.resized_crop_ratio);
    if low >= 1.0 {
        return (0.0, 0.0, width, height);
    }
    for _ in 0..10 {
        let area = width * height * (low + (high - low) * rng.random::<f64>());
        let ratio = (narrow.ln() + (wide.ln() - narrow.ln()) * rng.random::<f64>()).exp();
        let (w, h) = ((area * ratio).sqrt().round(), (area / ratio).sqrt().round());
        if w >= 1.0 && h >= 1.0 && w <= width && h <= height {
            let left = (rng.random::<f64>() * (width - w + 1.0)).floor().min(width - w);
            let top = (rng.random::<f64>() * (height - h + 1.0)).floor().min(height - h);
            return (left, top, w, h);
        }
    }
    let ratio = (width / height).clamp(narrow, wide);
    let (w, h) = if width / height < narrow { (width, width / ratio) } else { (height * ratio, height) };
    let (w, h) = (w.min(width), h.min(height));
    ((width - w) / 2.0, (height - h) / 2.0, w, h)
}

fn flip(rgb: &mut [u8], size: usize) {
    for row in rgb.chunks_exact_mut(size * 3) {
        for x in 0..size / 2 {
            for c in 0..3 {
                row.swap(x * 3 + c, (size - 1 - x) * 3 + c);
            }
        }
    }
}

/// Factors on brightness, contrast and saturation in random order, with Pillow's arithmetic.
fn jitter(picture: &mut Pixels, range: f64, rng: &mut impl rand::Rng) {
    let mut factor = || 1.0 - range + 2.0 * range * rng.random::<f64>();
    let mut operations = vec![
        randaugment_uda::Op::Brightness(factor()),
        randaugment_uda::Op::Contrast(factor()),
        randaugment_uda::Op::Color(factor()),
    ];
    while !operations.is_empty() {
        let next = operations.swap_remove(rng.random_range(0..operations.len()));
        randaugment_uda::apply(picture, next);
    }
}

fn cut_out(rgb: &mut [u8], size: usize, options: &AugmentOptions, rng: &mut impl rand::Rng) {
    // As `int(factor * size + 0.5)` and Pillow's rectangle, whose last row and column are inside.
    let (rounding, more) = if options.cutout_inclusive { (0.5, 1) } else { (0.0, 0) };
    let side = (size as f64 * options.cutout_factor + rounding) as usize;
    let (y, x) = (rng.random_range(0..size), rng.random_range(0..size));
    let colour: [u8; 3] = [rng.random(), rng.random(), rng.random()];
    let range = |centre: usize| centre.saturating_sub(side / 2)..(centre + side / 2 + more).min(size);
    for y in range(y) {
        for x in range(x) {
            rgb[(y * size + x) * 3..][..3].copy_from_slice(&colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture { width: 40, height: 30, rgb: (0..40 * 30 * 3).map(|i| (i * 31 % 256) as u8).collect() }
    }

    #[test]
    fn a_view_depends_on_its_key_alone() {
        let (p, o) = (picture(), AugmentOptions::default());
        let view = |v, i| augment(&p, 16, &o, 7, v, i).unwrap();
        assert_eq!(view(3, 5), view(3, 5));
        assert_ne!(view(3, 5), view(4, 5));
        assert_ne!(view(3, 5), view(3, 6));
        assert_eq!(view(0, 0).len(), 16 * 16 * 3);
    }

    #[test]
    fn crops_follow_torchvisions_distribution() {
        let p = Picture { width: 400, height: 400, rgb: vec![] };
        let o = AugmentOptions { resized_crop_scale: (0.2, 0.9), ..AugmentOptions::default() };
        let mut rng = numbered("test", &[0]);
        let crops: Vec<_> = (0..4000).map(|_| crop(&p, &o, &mut rng)).collect();
        for &(x, y, w, h) in &crops {
            assert!(x >= 0.0 && y >= 0.0 && x + w <= 400.0 && y + h <= 400.0);
            let (area, ratio) = (w * h / 160_000.0, w / h);
            assert!((0.19..0.91).contains(&area) && (0.74..1.35).contains(&ratio), "{area} {ratio}");
        }
        // Area is uniform but for the largest crops, which do not always fit: its mean is just under the middle.
        let mean = crops.iter().map(|c| c.2 * c.3).sum::<f64>() / 160_000.0 / crops.len() as f64;
        assert!((0.5..0.56).contains(&mean), "{mean}");
    }

    /// Rows and columns of a black picture that Cutout coloured, by centre.
    fn cut(options: &AugmentOptions, size: usize) -> std::collections::BTreeSet<(usize, usize)> {
        let mut rng = numbered("test", &[3]);
        (0..400)
            .map(|_| {
                let mut rgb = vec![0; size * size * 3];
                cut_out(&mut rgb, size, options, &mut rng);
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
    fn options_without_effect_are_named() {
        let none = AugmentOptions::default();
        assert_eq!(none.without_effect(), None);
        let uda = Policy::Uda;
        let cases: [(&str, AugmentOptions); 8] = [
            (
                "resized_crop_scale",
                AugmentOptions { crop: CropName::Squares, resized_crop_scale: (0.5, 1.0), ..none.clone() },
            ),
            (
                "resized_crop_ratio",
                AugmentOptions { crop: CropName::Squares, resized_crop_ratio: (0.5, 1.0), ..none.clone() },
            ),
            (
                "resized_crop_ratio",
                AugmentOptions { resized_crop_scale: (1.0, 1.0), resized_crop_ratio: (0.5, 1.0), ..none.clone() },
            ),
            ("cutout_factor", AugmentOptions { cutout: 0.0, cutout_factor: 0.5, ..none.clone() }),
            ("cutout_inclusive", AugmentOptions { cutout: 0.0, cutout_inclusive: true, ..none.clone() }),
            ("randaugment_policy", AugmentOptions { randaugment_policy: uda, ..none.clone() }),
            ("randaugment_level", AugmentOptions { randaugment_level: 5, ..none.clone() }),
            (
                "randaugment_level",
                AugmentOptions { randaugment: 2, randaugment_policy: uda, randaugment_level: 5, ..none.clone() },
            ),
        ];
        for (key, options) in cases {
            assert_eq!(options.without_effect().map(|found| found.0), Some(key), "{options:?}");
        }
        let all = AugmentOptions {
            resized_crop_scale: (0.9, 1.0),
            resized_crop_ratio: (0.5, 1.0),
            cutout: 0.1,
            cutout_factor: 0.5,
            cutout_inclusive: true,
            randaugment: 1,
            randaugment_level: 5,
            ..none.clone()
        };
        assert_eq!(all.without_effect(), None);
        let turned_off = AugmentOptions { cutout: 0.0, resized_crop_scale: (1.0, 1.0), ..none };
        assert_eq!(turned_off.without_effect(), None);
    }

    #[test]
    fn later_options_are_in_the_json_of_a_run_only_where_they_are_used() {
        let json = serde_json::to_value(AugmentOptions::default()).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "resized_crop_scale",
                "resized_crop_ratio",
                "flip",
                "cutout",
                "cutout_factor",
                "randaugment",
                "randaugment_level"
            ]
        );
        let read: AugmentOptions =
            serde_json::from_str(r#"{"crop": "multi_scale", "randaugment_policy": "uda", "resize_first": 512}"#)
                .unwrap();
        let json = serde_json::to_value(&read).unwrap();
        assert_eq!((&json["crop"], &json["randaugment_policy"]), (&"multi_scale".into(), &"uda".into()));
        assert_eq!(serde_json::from_value::<AugmentOptions>(json).unwrap(), read);
    }

    #[test]
    fn every_crop_and_policy_gives_a_view_that_its_key_decides() {
        let p = picture();
        let plain = augment(&p, 16, &AugmentOptions::default(), 7, 0, 0).unwrap();
        for crop in [CropName::Resized, CropName::MultiScale, CropName::Squares] {
            let o = AugmentOptions {
                crop,
                resize_first: 24,
                color_jitter: 0.3,
                randaugment: 2,
                randaugment_policy: Policy::Uda,
                ..AugmentOptions::default()
            };
            let views: Vec<_> = (0..8).map(|view| augment(&p, 16, &o, 7, view, 0).unwrap()).collect();
            assert_eq!(views[3], augment(&p, 16, &o, 7, 3, 0).unwrap());
            assert!(views.iter().all(|view| view.len() == plain.len()));
            assert!(views.iter().skip(1).any(|view| *view != views[0]));
        }
    }

    #[test]
    fn flipping_twice_changes_nothing() {
        let mut rgb = picture().resize(16, 16).unwrap().rgb;
        let before = rgb.clone();
        flip(&mut rgb, 16);
        assert_ne!(rgb, before);
        flip(&mut rgb, 16);
        assert_eq!(rgb, before);
    }
}
