//! Views of a picture for training. A view depends on (seed, view, image) alone, so it can be made again at any time.

use rand::RngExt;

pub use super::augment_options::{AugmentOptions, CropName, Policy};
use super::fixed_crops;
use super::operation::{self, Operation};
use super::picture::{Crop, Picture};
use super::randaugment::Pixels;
use crate::error::Result;
use crate::random::numbered;

/// A training view: `size` × `size` × 3 bytes that depend on the key (seed, view, image) alone.
pub fn augment(
    picture: &Picture,
    size: u32,
    options: &AugmentOptions,
    seed: u64,
    view: u32,
    image: u32,
) -> Result<Vec<u8>> {
    let (mut out, operations) = cropped(picture, size, options, seed, view, image)?;
    for operation in operations {
        operation.apply(&mut Pixels { rgb: &mut out, width: size as usize, height: size as usize });
    }
    Ok(out)
}

/// The first half of [`augment`]: the part of the picture, resized and perhaps flipped, and the operations that are to follow.
///
/// Their number depends on the options alone. Parameters of crop "resized" are drawn as in torchvision's RandomResizedCrop: area
/// uniform, ratio log-uniform, ten tries, then the largest central crop within the ratios.
pub fn cropped(
    picture: &Picture,
    size: u32,
    options: &AugmentOptions,
    seed: u64,
    view: u32,
    image: u32,
) -> Result<(Vec<u8>, Vec<Operation>)> {
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
    let operations = operation::drawn(size as usize, options, &mut rng);
    Ok((out, operations))
}

/// The view of evaluation: the whole picture resized to a square, the aspect not kept.
pub fn center(picture: &Picture, size: u32) -> Result<Vec<u8>> {
    Ok(picture.resize(size, size)?.rgb)
}

/// A random part of the picture, resized to `size` × `size`, as torchvision's RandomResizedCrop with these ranges of area and ratio.
pub fn resized_crop(
    picture: &Picture,
    size: u32,
    scale: (f64, f64),
    ratio: (f64, f64),
    rng: &mut impl rand::Rng,
) -> Result<Picture> {
    let options = AugmentOptions { resized_crop_scale: scale, resized_crop_ratio: ratio, ..AugmentOptions::default() };
    let (left, top, width, height) = crop(picture, &options, rng);
    Picture::new(size, size, picture.crop_resize(Crop { left, top, width, height }, size, size)?)
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
        row.as_chunks_mut::<3>().0.reverse();
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
