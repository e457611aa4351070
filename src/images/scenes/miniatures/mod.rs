//! emoji-scenes as files: a miniature of each public data set, in its exact layout.
//!
//! Miniatures have the oddities of real downloads: grey-scale and CMYK JPEGs, pictures without any label, gaps between
//! ids, and the special marks of each format (crowds, difficult objects, refuted labels).

mod coco;
mod nuswide;
mod open_images;
mod visual_genome;
mod voc;

use std::path::{Path, PathBuf};

use jpeg_encoder::{ColorType, Encoder};
use rayon::prelude::*;

use super::catalogue::LABELS;
use super::layout::{Object, Scene, scene};
use super::paint::paint;
use super::{SceneOptions, Split};
use crate::activity;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::files::{self, policy};
use crate::images::Picture;

/// A data set whose layout can be written.
pub struct Miniature {
    /// Its name in `dataset(name)`.
    pub name: &'static str,
    pub write: fn(&SceneOptions, &Path) -> Result<()>,
}

/// All miniatures.
pub const MINIATURES: &[Miniature] = &[
    Miniature { name: "coco2014", write: |options, root| coco::write(options, root, "2014", true) },
    Miniature { name: "coco2017", write: |options, root| coco::write(options, root, "2017", true) },
    Miniature { name: "voc2007", write: |options, root| voc::write(options, root, "2007") },
    Miniature { name: "voc2012", write: |options, root| voc::write(options, root, "2012") },
    Miniature { name: "nuswide", write: nuswide::write },
    Miniature { name: "openimages", write: open_images::write },
    Miniature { name: "visual-genome-500", write: visual_genome::write },
];

/// Writes the miniature of a data set under `root`: its training pictures from the train split, its test pictures from the
/// test split. Files appear whole, annotations last.
///
/// Errors: an unknown name, with the nearest; sizes out of range; the policy, before anything is painted; Io; Interrupted.
pub fn write_miniature(name: &str, options: &SceneOptions, root: &Path) -> Result<()> {
    let known = MINIATURES.iter().find(|m| m.name == name);
    let known = known.ok_or_else(|| Error::unknown("miniature", name, MINIATURES.iter().map(|m| m.name)))?;
    checked(options)?;
    policy::ask_to_fill(root)?;
    (known.write)(options, root)
}

/// Writes emoji-scenes in COCO 2014's layout without the oddities of real downloads: the pictures and labels of the
/// embedded data set, as files.
pub fn write_coco(options: &SceneOptions, root: &Path) -> Result<()> {
    checked(options)?;
    policy::ask_to_fill(root)?;
    coco::write(options, root, "2014", false)
}

/// Checks the options as `splits` does.
fn checked(options: &SceneOptions) -> Result<()> {
    super::splits(&SceneOptions { train: 1, val: 0, test: 0, test_shifted: 0, ..options.clone() }).map(|_| ())
}

/// Paints the scenes of a split into files under `root` and returns them. With `odd`, one picture in thirteen shows no
/// label, and some are grey or CMYK.
fn pictures(
    options: &SceneOptions,
    split: Split,
    root: &Path,
    odd: bool,
    path: impl Fn(usize) -> PathBuf + Sync,
) -> Result<Vec<Scene>> {
    let n = split.len(options);
    let progress = Progress::new(format!("writing {} pictures", split.name()), n as u64, "images");
    let activity = activity::current();
    (0..n)
        .into_par_iter()
        .map(|i| {
            activity.check()?;
            let mut scene = scene(options.seed, split, i, options.contexts);
            if odd && i % 13 == 5 {
                scene.objects.retain(|object| object.label.is_none());
            }
            let picture = paint(&scene, options.size);
            let bytes = match i % 11 {
                3 if odd => jpeg(&picture, ColorType::Luma)?,
                7 if odd => jpeg(&picture, ColorType::Cmyk)?,
                _ => picture.to_jpeg(92)?,
            };
            files::write(&root.join(path(i)), &bytes)?;
            progress.advance(1);
            Ok(scene)
        })
        .collect()
}

/// JPEG bytes in grey or CMYK.
fn jpeg(picture: &Picture, colours: ColorType) -> Result<Vec<u8>> {
    let pixels: Vec<u8> = match colours {
        // ITU-R 601, as in image libraries.
        ColorType::Luma => picture
            .rgb
            .chunks_exact(3)
            .map(|p| ((299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]) + 500) / 1000) as u8)
            .collect(),
        // Without black ink, so that reading it back loses nothing.
        _ => picture.rgb.chunks_exact(3).flat_map(|p| [255 - p[0], 255 - p[1], 255 - p[2], 0]).collect(),
    };
    let side =
        |n: u32| u16::try_from(n).map_err(|_| Error::argument(format!("a JPEG cannot be {n} pixels wide or high")));
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 92)
        .encode(&pixels, side(picture.width)?, side(picture.height)?, colours)
        .map_err(|cause| Error::data(format!("a JPEG cannot be written: {cause}")))?;
    Ok(bytes)
}

/// The objects of a scene that have a label: its index in the catalogue, and the box in pixels (left, top, right,
/// bottom).
fn boxes(scene: &Scene, size: u32) -> Vec<(usize, [f64; 4])> {
    let n = f64::from(size);
    let inside = |o: &Object| {
        let half = o.side * 0.5 * n;
        [(o.x * n - half).max(0.0), (o.y * n - half).max(0.0), (o.x * n + half).min(n), (o.y * n + half).min(n)]
    };
    scene.objects.iter().filter_map(|o| Some((o.label? as usize, inside(o)))).collect()
}

/// The names of the labels of a scene.
fn names(scene: &Scene) -> Vec<&'static str> {
    scene.labels().into_iter().map(|label| LABELS[label as usize].name).collect()
}

/// Ids with gaps, as in real data sets, and none shared between the splits.
fn picture_id(split: Split, i: usize) -> u64 {
    9 + i as u64 * 17 + (i as u64 % 3) * 4 + if split == Split::Train { 0 } else { 500_000 }
}

/// Writes a text file whole.
fn write_text(path: &Path, text: &str) -> Result<()> {
    files::write(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_and_cmyk_pictures_come_back() {
        let options = SceneOptions { size: 64, ..SceneOptions::default() };
        let picture = paint(&scene(0, Split::Train, 1, 1.0), options.size);
        let apart =
            |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64;
        let back = Picture::decode(&jpeg(&picture, ColorType::Cmyk).unwrap(), "cmyk").unwrap();
        assert!(apart(&back.rgb, &picture.rgb) < 6.0, "{}", apart(&back.rgb, &picture.rgb));
        let grey = Picture::decode(&jpeg(&picture, ColorType::Luma).unwrap(), "grey").unwrap();
        assert!(grey.rgb.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]));
        let light = |rgb: &[u8]| rgb.iter().map(|&v| f64::from(v)).sum::<f64>() / rgb.len() as f64;
        assert!((light(&grey.rgb) - light(&picture.rgb)).abs() < 12.0);
    }
}
