//! `Picture`: an RGB picture in memory, from and to JPEG and PNG.

use std::cell::RefCell;
use std::io::Cursor;
use std::path::Path;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat};

use crate::error::{Error, Result};

/// Height × width × 3 bytes of red, green, blue, row by row from the top left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
}

/// A part of a picture in pixels; edges may lie between pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Picture {
    /// Errors: a side of 0, `rgb` of another length than width × height × 3.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self> {
        if width == 0 || height == 0 || rgb.len() != width as usize * height as usize * 3 {
            return Err(Error::data(format!(
                "a picture of {width}×{height} pixels needs sides of at least 1 and 3 bytes per pixel; got {} bytes",
                rgb.len()
            )));
        }
        Ok(Picture { width, height, rgb })
    }

    /// Reads a JPEG or PNG file; the format is detected from the content. Errors name the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|cause| Error::io(path, cause))?;
        Self::decode(&bytes, path)
    }

    /// Decodes JPEG or PNG bytes; `path` is only for error messages.
    ///
    /// Grey and CMYK become RGB, 16 bits become 8, transparent parts are laid over white. An orientation in the
    /// EXIF data is not applied, as in torchvision's loaders. A file that ends too early is an error, not a picture
    /// with a grey rest.
    pub fn decode(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self> {
        let corrupt = |cause: String| Error::in_file(&path, format!("not a readable picture: {cause}"));
        let format = match image::guess_format(bytes) {
            Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => format,
            Ok(other) => return Err(corrupt(format!("expected JPEG or PNG, found {other:?}"))),
            Err(_) if bytes.is_empty() => return Err(corrupt("the file is empty".into())),
            Err(_) => return Err(corrupt("expected JPEG or PNG, found neither".into())),
        };
        if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
            return Err(corrupt("the JPEG is cut short".into()));
        }
        let decoded = image::load_from_memory_with_format(bytes, format).map_err(|cause| corrupt(cause.to_string()))?;
        let (width, height) = (decoded.width(), decoded.height());
        let rgb = if decoded.color().has_alpha() { over_white(&decoded) } else { decoded.into_rgb8().into_raw() };
        Self::new(width, height, rgb).map_err(|cause| corrupt(cause.message))
    }

    /// The whole picture at another size, the aspect not kept: bilinear, antialiased when it shrinks, as in Pillow.
    pub fn resize(&self, width: u32, height: u32) -> Result<Self> {
        if (width, height) == (self.width, self.height) {
            return Ok(self.clone());
        }
        let whole = Crop { left: 0.0, top: 0.0, width: self.width.into(), height: self.height.into() };
        Self::new(width, height, self.crop_resize(whole, width, height)?)
    }

    /// One part of the picture at another size, in one pass, as height × width × 3 bytes.
    pub fn crop_resize(&self, crop: Crop, width: u32, height: u32) -> Result<Vec<u8>> {
        // The resizer keeps its buffers between calls.
        thread_local!(static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new()));
        let failed = |cause: String| Error::argument(format!("cannot resize {crop:?} to {width}×{height}: {cause}"));
        let source = ImageRef::new(self.width, self.height, &self.rgb, PixelType::U8x3)
            .map_err(|cause| failed(cause.to_string()))?;
        let mut target = Image::new(width, height, PixelType::U8x3);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(
            crop.left,
            crop.top,
            crop.width,
            crop.height,
        );
        RESIZER
            .with_borrow_mut(|resizer| resizer.resize(&source, &mut target, &options))
            .map_err(|cause| failed(cause.to_string()))?;
        Ok(target.into_vec())
    }

    /// JPEG bytes; quality from 1 to 100.
    pub fn to_jpeg(&self, quality: u8) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(Cursor::new(&mut bytes), quality.clamp(1, 100))
            .write_image(&self.rgb, self.width, self.height, ExtendedColorType::Rgb8)
            .map_err(|cause| {
                Error::data(format!("a {}×{} JPEG cannot be written: {cause}", self.width, self.height))
            })?;
        Ok(bytes)
    }

    /// PNG bytes, without loss.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        PngEncoder::new(Cursor::new(&mut bytes))
            .write_image(&self.rgb, self.width, self.height, ExtendedColorType::Rgb8)
            .map_err(|cause| Error::data(format!("a {}×{} PNG cannot be written: {cause}", self.width, self.height)))?;
        Ok(bytes)
    }
}

fn over_white(decoded: &DynamicImage) -> Vec<u8> {
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    decoded.to_rgba8().pixels().flat_map(|p| [0, 1, 2].map(|c| blend(p[c], p[3]))).collect()
}

/// Whether an end-of-image marker follows the first scan. The decoder itself fills a missing rest with grey.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[mark, kind, high, low]) = bytes.get(at..at + 4) {
        if mark != 0xFF {
            // Not a segment header: the decoder decides.
            break;
        }
        match kind {
            0xFF => at += 1,
            0xDA => return bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]),
            0x01 | 0xD0..=0xD8 => at += 2,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    bytes.len() > 4 && bytes.windows(2).rev().take(64).any(|pair| pair == [0xFF, 0xD9])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> Picture {
        let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| [(x * 3) as u8, (y * 5) as u8, 90])).collect();
        Picture::new(width, height, rgb).unwrap()
    }

    #[test]
    fn png_keeps_every_byte_and_jpeg_nearly() {
        let picture = gradient(40, 30);
        assert_eq!(Picture::decode(&picture.to_png().unwrap(), "a.png").unwrap(), picture);
        let jpeg = Picture::decode(&picture.to_jpeg(95).unwrap(), "a.jpg").unwrap();
        assert_eq!((jpeg.width, jpeg.height), (40, 30));
        let worst = jpeg.rgb.iter().zip(&picture.rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst.unwrap() < 16, "{worst:?}");
    }

    #[test]
    fn a_cut_or_foreign_file_is_one_error_with_its_path() {
        let picture = gradient(40, 30);
        for (bytes, path) in [(picture.to_jpeg(90).unwrap(), "cut.jpg"), (picture.to_png().unwrap(), "cut.png")] {
            for keep in [0, 3, 20, bytes.len() / 2] {
                let error = Picture::decode(&bytes[..keep], path).unwrap_err();
                assert_eq!(error.kind, crate::error::ErrorKind::Data);
                assert!(error.message.starts_with(path), "{}", error.message);
            }
        }
        let error = Picture::decode(b"GIF89a..........", "a.gif").unwrap_err();
        assert!(error.message.contains("expected JPEG or PNG"), "{}", error.message);
        let error = Picture::open("no/such/picture.jpg").unwrap_err();
        assert!(error.message.starts_with("no/such/picture.jpg"), "{}", error.message);
    }

    #[test]
    fn transparency_is_laid_over_white() {
        let rgba = image::RgbaImage::from_raw(3, 1, vec![10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 51]).unwrap();
        let mut bytes = Vec::new();
        rgba.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        let picture = Picture::decode(&bytes, "a.png").unwrap();
        assert_eq!(picture.rgb, vec![255, 255, 255, 10, 20, 30, 204, 204, 204]);
    }

    #[test]
    fn grey_becomes_rgb() {
        let grey = image::GrayImage::from_raw(2, 1, vec![7, 200]).unwrap();
        let mut bytes = Vec::new();
        grey.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        assert_eq!(Picture::decode(&bytes, "a.png").unwrap().rgb, vec![7, 7, 7, 200, 200, 200]);
    }

    #[test]
    fn a_crop_outside_the_picture_is_an_error() {
        let crop = Crop { left: 30.0, top: 0.0, width: 20.0, height: 10.0 };
        assert!(gradient(40, 30).crop_resize(crop, 8, 8).is_err());
        assert!(gradient(40, 30).resize(0, 8).is_err());
    }
}
