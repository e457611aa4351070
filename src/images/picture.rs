//! `Picture`: an RGB picture in memory, from picture files, to JPEG and PNG.

use std::cell::RefCell;
use std::io::{BufRead, Cursor, Seek};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader,
};

use super::decoder_error;
use super::fixed_crops::Rectangle;
use crate::activity::aside::aside;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files::{self, Stoppable};
use crate::memory;

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

    /// Reads a picture file as [`Picture::decode`] does. Errors name the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = files::read(path)?;
        Self::decode(&bytes, path)
    }

    /// Decodes the bytes of a JPEG, PNG, WebP, BMP, GIF or TIFF file, told from the content; `path` is only for error
    /// messages.
    ///
    /// The picture is turned as the orientation in its EXIF data says, so it is the one that people see. Grey, palettes
    /// and CMYK become RGB, 16 bits become 8, transparent parts are laid over white. Of an animation the first frame is
    /// read, of a TIFF file the first page.
    ///
    /// Errors: another format; more than 512 MiB once decoded, before any of it is allocated; samples that are no integers
    /// of up to 16 bits; a file that ends too early, which is never a picture with a grey rest. (A file that lacks only
    /// the part behind its first frame or page is whole.) Memory, if less is left than a large picture takes. Interrupted, also in
    /// the middle of one.
    pub fn decode(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self> {
        let corrupt = |cause: String| Error::in_file(&path, format!("not a readable picture: {cause}"));
        let Some(format) = image::guess_format(bytes).ok().filter(|format| READ.contains(format)) else {
            if bytes.is_empty() {
                return Err(corrupt("the file is empty".into()));
            }
            let Some((found, help)) = foreign(bytes) else {
                return Err(corrupt(format!("expected {EXPECTED}, found none of them")));
            };
            let error = corrupt(format!("expected {EXPECTED}, found {found}"));
            return Err(if help.is_empty() { error } else { error.with_help(help) });
        };
        if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
            return Err(corrupt("the JPEG is cut short".into()));
        }
        let at_once = upright(Cursor::new(bytes), format, LARGE);
        let decoded = match at_once {
            Ok(None) => {
                let bytes = bytes.to_vec();
                aside("decoder", move || upright(Stoppable::new(Cursor::new(bytes)), format, MOST_BYTES))?
            }
            other => other,
        };
        let decoded = match decoded {
            Ok(decoded) => decoded,
            // The file may be a good one.
            Err(Undecoded::Memory(error)) => return Err(error),
            Err(Undecoded::File(cause)) => return Err(interrupt::check().err().unwrap_or_else(|| corrupt(cause))),
        };
        let Some((width, height, rgb)) = decoded else { return Err(corrupt(too_large(MOST_BYTES))) };
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
        let failed = |cause: String| {
            let Crop { left, top, width: wide, height: high } = crop;
            let part = format!("the part of {wide}×{high} pixels from ({left}, {top})");
            Error::argument(format!("cannot resize {part} to {width}×{height}: {cause}"))
        };
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

    /// A part of the picture, pixel by pixel. Errors: a part that is empty or reaches outside.
    pub fn part(&self, part: Rectangle) -> Result<Self> {
        let Rectangle { left, top, width, height } = part;
        let reaches = |from: u32, length: u32, whole: u32| from.checked_add(length).is_none_or(|end| end > whole);
        if reaches(left, width, self.width) || reaches(top, height, self.height) {
            return Err(Error::argument(format!(
                "the part of {width}×{height} pixels from ({left}, {top}) is not inside a picture of {}×{}",
                self.width, self.height
            )));
        }
        let row = self.width as usize * 3;
        let columns = left as usize * 3..(left + width) as usize * 3;
        let rows = self.rgb.chunks_exact(row.max(1)).skip(top as usize).take(height as usize);
        let rgb = rows.flat_map(|pixels| pixels.get(columns.clone()).unwrap_or_default()).copied().collect();
        Self::new(width, height, rgb)
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

/// The formats that are read.
const READ: &[ImageFormat] =
    &[ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff];
const EXPECTED: &str = "JPEG, PNG, WebP, BMP, GIF or TIFF";

/// The bytes of a decoded picture at most: a header may claim any size.
const MOST_BYTES: u64 = 512 << 20;

/// From so many decoded bytes on, a picture is decoded on a thread of its own: it may take seconds, and some files many times that
/// (a JPEG of hundreds of scans), in which the decoder asks for nothing that could fail.
const LARGE: u64 = 32 << 20;

fn too_large(most: u64) -> String {
    format!("it needs more than {} MiB of memory", most >> 20)
}

/// Why a picture is not decoded.
enum Undecoded {
    /// What is wrong with the file.
    File(String),
    /// Less memory is left than it takes.
    Memory(Error),
}

impl From<String> for Undecoded {
    fn from(cause: String) -> Self {
        Undecoded::File(cause)
    }
}

/// Width, height and RGB of the upright picture; None if it has more than `most` bytes, of which none is decoded then. A decoder that
/// panics on a malformed file is no more than one that refuses it.
fn upright(
    reader: impl BufRead + Seek,
    format: ImageFormat,
    most: u64,
) -> Result<Option<(u32, u32, Vec<u8>)>, Undecoded> {
    let rgb = || {
        let Some(decoded) = decoded(reader, format, most)? else { return Ok(None) };
        let (width, height) = (decoded.width(), decoded.height());
        let rgb = if decoded.color().has_alpha() { over_white(&decoded) } else { decoded.into_rgb8().into_raw() };
        Ok(Some((width, height, rgb)))
    };
    std::panic::catch_unwind(AssertUnwindSafe(rgb))
        .unwrap_or_else(|_| Err(format!("the decoder of {} failed on it", decoder_error::format_name(format)).into()))
}

/// The upright picture; None if it has more than `most` bytes.
fn decoded(reader: impl BufRead + Seek, format: ImageFormat, most: u64) -> Result<Option<DynamicImage>, Undecoded> {
    let explain = |cause: ImageError| decoder_error::reason(&cause, format).unwrap_or_else(|| too_large(MOST_BYTES));
    let mut reader = ImageReader::with_format(reader, format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        return Err(format!("it claims {width}×{height} pixels, which take more than {most} MiB").into());
    }
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        // What is white in it is not said in the file.
        return Err("its samples are floating-point numbers; expected integers of 8 or 16 bits".to_string().into());
    }
    if decoder.total_bytes() > most {
        return Ok(None);
    }
    if most > LARGE {
        // The decoder's own buffers, the picture, its RGB.
        memory::check("the decoded picture", 3 * decoder.total_bytes()).map_err(Undecoded::Memory)?;
    }
    let orientation = orientation(&mut decoder, format);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(explain)?;
    decoded.apply_orientation(orientation);
    Ok(Some(decoded))
}

/// The orientation in the file's EXIF data; a file without one, or with one that makes no sense, is upright.
fn orientation(decoder: &mut impl ImageDecoder, format: ImageFormat) -> Orientation {
    // A TIFF file is EXIF data itself.
    if format == ImageFormat::Tiff {
        return decoder.orientation().unwrap_or(Orientation::NoTransforms);
    }
    let Ok(Some(exif)) = decoder.exif_metadata() else { return Orientation::NoTransforms };
    // Some programs leave JPEG's marker in front in other formats too.
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif);
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

/// A format that is known and not read, with help; the help may be empty.
fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const CONVERT: &str = "convert it to JPEG or PNG first, as with ImageMagick: magick FILE FILE.png";
    const DRAWING: &str = "draw it at a size first, as with ImageMagick: magick -density 150 FILE FILE.png";
    const PAGE: &str = "perhaps a download saved an error page in place of the picture; fetch it again";
    if let Some(brand) = bytes.get(4..12).and_then(|b| b.strip_prefix(b"ftyp")) {
        return Some(match brand {
            b"avif" | b"avis" => ("AVIF", CONVERT),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => ("HEIC", CONVERT),
            _ => ("a video (MP4 or QuickTime)", ""),
        });
    }
    let starts: [(&[u8], &str, &str); 13] = [
        (b"\xff\x0a", "JPEG XL", CONVERT),
        (b"\0\0\0\x0cJXL ", "JPEG XL", CONVERT),
        (b"\0\0\0\x0cjP  ", "JPEG 2000", CONVERT),
        (b"\xff\x4f\xff\x51", "JPEG 2000", CONVERT),
        (b"8BPS", "a Photoshop file", CONVERT),
        (b"II+\0", "a BigTIFF file", CONVERT),
        (b"MM\0+", "a BigTIFF file", CONVERT),
        (b"%PDF", "a PDF file", DRAWING),
        (b"\0\0\x01\0", "an icon (ICO)", CONVERT),
        (b"\x76\x2f\x31\x01", "OpenEXR", CONVERT),
        (b"qoif", "QOI", CONVERT),
        (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
        (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    ];
    if let Some((_, name, help)) = starts.iter().find(|(start, _, _)| bytes.starts_with(start)) {
        return Some((name, help));
    }
    if bytes.get(128..132) == Some(b"DICM") {
        return Some(("DICOM", "convert it to PNG first, with the window of grey values that you need"));
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let has = |tag: &str| head.starts_with('<') && head.contains(tag);
    match head {
        _ if has("<svg") => Some(("SVG", DRAWING)),
        _ if has("<html") || has("<!doctype html") => Some(("an HTML page", PAGE)),
        _ if head.starts_with("version https://git-lfs") => {
            Some(("a pointer of Git LFS", "git lfs pull fetches the pictures"))
        }
        _ if head.starts_with(['p']) && matches!(head.as_bytes().get(1), Some(b'1'..=b'7')) => {
            Some(("PNM (PGM, PPM)", CONVERT))
        }
        _ => None,
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
        let error = Picture::decode(b"nothing of the kind", "a.gif").unwrap_err();
        assert!(error.message.ends_with("GIF or TIFF, found none of them"), "{}", error.message);
        let error = Picture::open("/dev/null").unwrap_err();
        assert!(error.message.ends_with("this is not a regular file"), "{}", error.message);
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

    #[test]
    fn a_large_picture_is_the_same_and_its_decoding_hears_a_stop() {
        use crate::activity::Activity;
        use crate::error::ErrorKind;
        let picture = gradient(4096, 3000);
        assert!(picture.rgb.len() as u64 > LARGE);
        let png = picture.to_png().unwrap();
        assert_eq!(Picture::decode(&png, "a.png").unwrap(), picture);
        let cut = Picture::decode(&png[..png.len() / 2], "a.png").unwrap_err();
        assert!(cut.message.contains("a.png: not a readable picture"), "{}", cut.message);
        let activity = Activity::background("test".into(), None);
        activity.stop();
        let jpeg = picture.to_jpeg(80).unwrap();
        for bytes in [&png, &jpeg] {
            let stopped = activity.enter(|| Picture::decode(bytes, "a")).unwrap_err();
            assert_eq!(stopped.kind, ErrorKind::Interrupted);
        }
    }
}
