//! Picture files of every format against Pillow's reading of them (pictures_pil.py), and files that are refused.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cpsd::images::Picture;
use image::{DynamicImage, ImageFormat};
use serde_json::Value;

fn cases() -> Vec<(Value, Vec<u8>)> {
    let cases: Vec<Value> = serde_json::from_str(include_str!("pictures_pil.json")).unwrap();
    cases.into_iter().map(|case| (case.clone(), STANDARD.decode(case["file"].as_str().unwrap()).unwrap())).collect()
}

/// The same few pixels in a format, as the image crate writes it.
fn written(format: ImageFormat) -> Vec<u8> {
    let rgb = (0..40 * 30 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let mut bytes = Vec::new();
    let picture = DynamicImage::from(image::RgbImage::from_raw(40, 30, rgb).unwrap());
    picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

#[test]
fn every_format_is_read_as_pillow_reads_it() {
    let cases = cases();
    assert!(cases.len() > 50);
    for (case, file) in &cases {
        let name = case["name"].as_str().unwrap();
        let picture = Picture::decode(file, name).unwrap_or_else(|e| panic!("{name}: {}", e.message));
        assert_eq!(
            [picture.width, picture.height],
            [&case["width"], &case["height"]].map(|n| n.as_u64().unwrap() as u32)
        );
        let (step, tolerance) = (case["step"].as_u64().unwrap() as usize, case["tolerance"].as_u64().unwrap() as u8);
        let [width, height] = [picture.width as usize, picture.height as usize];
        let places =
            (step / 2..height).step_by(step).flat_map(|y| (step / 2..width).step_by(step).map(move |x| (y, x)));
        let ours: Vec<u8> = places.flat_map(|(y, x)| [0, 1, 2].map(|c| picture.rgb[(y * width + x) * 3 + c])).collect();
        let theirs: Vec<u8> = case["rgb"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect();
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let worst = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= tolerance, "{name}: {worst}\n{ours:?}\n{theirs:?}");
    }
}

#[test]
fn a_file_that_ends_early_is_no_picture() {
    for format in
        [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff]
    {
        let whole = written(format);
        assert_eq!(Picture::decode(&whole, "whole").unwrap().width, 40, "{format:?}");
        for share in [0.1, 0.3, 0.5, 0.8] {
            let cut = &whole[..(whole.len() as f64 * share) as usize];
            let error = Picture::decode(cut, "folder/cut").map(|_| ()).unwrap_err();
            assert!(error.message.starts_with("folder/cut: not a readable picture"), "{format:?}: {}", error.message);
        }
    }
}

#[test]
fn malformed_files_are_errors() {
    // Any byte may be wrong: never a panic, and whatever is read has its size.
    for (case, file) in cases().iter().step_by(3) {
        for at in (0..file.len()).step_by(3) {
            let mut bent = file.clone();
            bent[at] ^= 0x55;
            if let Ok(picture) = Picture::decode(&bent, case["name"].as_str().unwrap()) {
                assert_eq!(picture.rgb.len(), picture.width as usize * picture.height as usize * 3);
            }
        }
    }
}

#[test]
fn what_decoders_say_has_no_names_of_types() {
    let said = |bytes: &[u8]| Picture::decode(bytes, "a").map(|_| ()).unwrap_err().message;
    // The checksum of IHDR.
    let mut png = written(ImageFormat::Png);
    png[29] ^= 0x55;
    let message = said(&png);
    assert!(message.starts_with("a: not a readable picture: the PNG is broken: CRC error"), "{message}");
    assert!(message.ends_with("while decoding IHDR chunk"), "{message}");
    for at in 8..png.len() {
        let mut bent = written(ImageFormat::Png);
        bent[at] ^= 0x55;
        let message = Picture::decode(&bent, "a").map_or_else(|error| error.message, |_| String::new());
        assert!(!message.contains("ChunkType") && !message.contains("Format error"), "{message}");
    }
    // An unknown compression of a BMP file.
    let mut bmp = written(ImageFormat::Bmp);
    bmp[30] = 99;
    assert!(said(&bmp).starts_with("a: not a readable picture: the BMP is broken: unknown"), "{}", said(&bmp));
}

#[test]
fn a_header_that_claims_a_huge_picture_is_refused() {
    // 60,000 × 60,000 pixels: the header of a BMP file.
    let mut bmp = written(ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    // 100,000 × 100,000 in PNG, whose headers have a checksum (zlib.crc32 of b"IHDR" and the 13 bytes).
    let mut png = written(ImageFormat::Png);
    png[16..29].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0, 8, 2, 0, 0, 0]);
    png[29..33].copy_from_slice(&0x27309c9f_u32.to_be_bytes());
    // 65,535 × 65,535, the most that GIF can claim.
    let mut gif = written(ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xff; 4]);
    for (bytes, claimed) in [(bmp, "60000×60000"), (png, "100000×100000"), (gif, "65535×65535")] {
        let error = Picture::decode(&bytes, "bomb").unwrap_err();
        assert!(error.message.contains(claimed) || error.message.contains("512 MiB"), "{}", error.message);
    }
}

#[test]
fn formats_that_are_not_read_are_named_with_a_way_on() {
    let refused = |bytes: &[u8]| {
        let error = Picture::decode(bytes, "a.jpg").unwrap_err();
        (error.message, error.help.unwrap_or_default())
    };
    for (bytes, name, help) in [
        (&b"\0\0\0\x20ftypavif\0\0\0\0"[..], "AVIF", "magick"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC", "magick"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG", "-density"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page", "error page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS", "git lfs pull"),
        (b"P6\n2 2\n255\n............", "PNM", "magick"),
        (b"%PDF-1.7", "a PDF file", "magick"),
    ] {
        let (message, said) = refused(bytes);
        assert!(message.contains(&format!("found {name}")), "{message}");
        assert!(said.contains(help), "{name}: {said}");
    }
    assert!(refused(b"plain text").0.ends_with("found none of them"));
    // White is not defined in floating-point samples.
    let float = DynamicImage::from(image::Rgb32FImage::from_raw(1, 1, vec![0.5, 0.5, 0.5]).unwrap());
    let mut bytes = Vec::new();
    float.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Tiff).unwrap();
    assert!(refused(&bytes).0.contains("floating-point"));
}
