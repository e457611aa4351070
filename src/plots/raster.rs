//! Raster pictures inside figures: RGB bytes, heat laid over them, and PNG encoding.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Rgb, RgbImage};

use super::colours::{Colour, Ramp};
use super::figure::encode_png;
use crate::error::{Error, Result};

/// A picture: `width` × `height` pixels of 3 bytes, row by row from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    image: RgbImage,
}

/// The most pixels of a picture in a figure.
const MOST_PIXELS: u64 = 100_000_000;

impl Picture {
    /// Errors: Argument if the bytes are not width × height × 3, or there are no pixels.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > MOST_PIXELS {
            let what = format!("a picture has from 1 to {MOST_PIXELS} pixels; got {width} × {height}");
            return Err(Error::argument(what));
        }
        let came = rgb.len();
        let image =
            ImageBuffer::from_raw(width, height, rgb).filter(|_| came as u64 == pixels * 3).ok_or_else(|| {
                let needs = pixels * 3;
                Error::argument(format!("a picture of {width} × {height} pixels needs {needs} bytes (RGB); got {came}"))
            })?;
        Ok(Picture { image })
    }

    pub fn width(&self) -> u32 {
        self.image.width()
    }

    pub fn height(&self) -> u32 {
        self.image.height()
    }

    /// The largest size with the picture's proportions within `width` × `height` px.
    pub(super) fn fit(&self, width: f64, height: f64) -> (f64, f64) {
        let (w, h) = (f64::from(self.width()), f64::from(self.height()));
        let scale = (width / w).min(height / h);
        // A very narrow picture is still visible.
        ((w * scale).max(1.0), (h * scale).max(1.0))
    }

    /// A PNG of at most `pixels` (width, height) with `heat` laid over it.
    pub(super) fn png(&self, pixels: (f64, f64), heat: Option<(&Heat, Paint)>) -> Result<Vec<u8>> {
        let (w, h) = (pixels.0.round().max(1.0) as u32, pixels.1.round().max(1.0) as u32);
        let smaller = w < self.width() || h < self.height();
        let mut image = match (smaller, heat) {
            (true, _) => imageops::resize(&self.image, w, h, FilterType::Triangle),
            // Enlarged, so that the heat is as smooth as the figure even over few pixels.
            (false, Some(_)) => imageops::resize(&self.image, w, h, FilterType::CatmullRom),
            (false, None) => self.image.clone(),
        };
        if let Some((heat, paint)) = heat {
            heat.lay_over(&mut image, paint);
        }
        encode_png(image.as_raw(), image.width(), image.height())
    }
}

impl From<RgbImage> for Picture {
    /// An empty image becomes one white pixel.
    fn from(image: RgbImage) -> Self {
        let empty = image.width() == 0 || image.height() == 0;
        Picture { image: if empty { RgbImage::from_pixel(1, 1, Rgb([255; 3])) } else { image } }
    }
}

/// A map of heat, such as a class activation map: `height` × `width` numbers, 0 (cold) to 1 (hot), row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

/// How heat is painted: its colours, and the opacity of the highest heat (0 to 1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub ramp: Ramp,
    pub opacity: f64,
}

impl Paint {
    /// The colour and opacity at `value`: lower values are more transparent.
    pub fn at(&self, value: f64) -> (Colour, f64) {
        let cold = 1.0 - value.clamp(0.0, 1.0);
        (self.ramp.at(value), self.opacity * (1.0 - cold * cold))
    }
}

impl Heat {
    /// Values below 0 count as 0, above 1 as 1.
    ///
    /// Errors: Argument if there are not height × width values, if there are none, or if one is NaN.
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Result<Self> {
        if height == 0 || width == 0 || Some(values.len()) != height.checked_mul(width) {
            let came = values.len();
            return Err(Error::argument(format!("a heat map of {height} × {width} needs as many values; got {came}")));
        }
        if let Some(i) = values.iter().position(|v| v.is_nan()) {
            let (row, column) = (i / width, i % width);
            return Err(Error::argument(format!(
                "a heat map holds NaN, in row {row}, column {column} (counted from 0)"
            )));
        }
        Ok(Heat { width, height, values: values.into_iter().map(|v| v.clamp(0.0, 1.0)).collect() })
    }

    /// Bilinear interpolation between cell centres at (`x`, `y`), each 0 to 1 across the map.
    fn at(&self, x: f64, y: f64) -> f64 {
        let place = |t: f64, n: usize| {
            let p = (t * n as f64 - 0.5).clamp(0.0, (n - 1) as f64);
            let before = p as usize;
            (before, (before + 1).min(n - 1), p - before as f64)
        };
        let ((x0, x1, fx), (y0, y1, fy)) = (place(x, self.width), place(y, self.height));
        let v = |x: usize, y: usize| f64::from(self.values[y * self.width + x]);
        let (above, below) = (v(x0, y0) * (1.0 - fx) + v(x1, y0) * fx, v(x0, y1) * (1.0 - fx) + v(x1, y1) * fx);
        above * (1.0 - fy) + below * fy
    }

    fn lay_over(&self, image: &mut RgbImage, paint: Paint) {
        // Fine enough that no steps are visible.
        let table: Vec<(Colour, f64)> = (0..=2000).map(|i| paint.at(f64::from(i) / 2000.0)).collect();
        let (w, h) = (f64::from(image.width()), f64::from(image.height()));
        for (x, y, Rgb(pixel)) in image.enumerate_pixels_mut() {
            let value = self.at((f64::from(x) + 0.5) / w, (f64::from(y) + 0.5) / h);
            let (colour, alpha) = table[(value * 2000.0).round() as usize];
            for (channel, over) in pixel.iter_mut().zip([colour.0, colour.1, colour.2]) {
                *channel = (f64::from(*channel) * (1.0 - alpha) + f64::from(over) * alpha).round() as u8;
            }
        }
    }
}

/// Pixels per px for `count` pictures in one figure: sharp if they are few, a file of moderate size if they are many.
pub(super) fn density(count: usize) -> f64 {
    match count {
        0..=30 => 2.0,
        31..=80 => 1.5,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // torch.nn.functional.interpolate([[0, 1], [0.5, 0.25]], size 4, mode "bilinear", align_corners False)
    #[test]
    fn heat_is_bilinear_about_cell_centres() {
        let heat = Heat::new(2, 2, vec![0.0, 1.0, 0.5, 0.25]).unwrap();
        let row =
            |y: usize| (0..4).map(|x| heat.at((x as f64 + 0.5) / 4.0, (y as f64 + 0.5) / 4.0)).collect::<Vec<_>>();
        assert_eq!(row(0), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(row(1), [0.125, 0.296875, 0.640625, 0.8125]);
        assert_eq!(row(3), [0.5, 0.4375, 0.3125, 0.25]);
    }

    #[test]
    fn cold_leaves_the_picture_and_hot_covers_it() {
        let mut image = RgbImage::from_pixel(8, 4, Rgb([10, 20, 30]));
        let heat = Heat::new(1, 2, vec![0.0, 1.0]).unwrap();
        heat.lay_over(&mut image, Paint { ramp: Ramp::Jet, opacity: 1.0 });
        assert_eq!(image.get_pixel(0, 0).0, [10, 20, 30]);
        let hot = Ramp::Jet.at(1.0);
        assert_eq!(image.get_pixel(7, 3).0, [hot.0, hot.1, hot.2]);
    }

    #[test]
    fn bad_pictures_are_named() {
        assert!(Picture::new(2, 2, vec![0; 11]).unwrap_err().message.contains("needs 12 bytes"));
        assert!(Picture::new(0, 2, vec![]).is_err());
        assert!(Heat::new(2, 2, vec![0.0; 3]).is_err());
        assert!(Heat::new(usize::MAX, 2, vec![0.0; 3]).is_err());
        assert!(Heat::new(1, 2, vec![0.0, f32::NAN]).unwrap_err().message.contains("row 0, column 1 (counted from 0)"));
    }
}
