//! What the decoders of pictures say, as plain sentences.

use std::error::Error as _;
use std::io::ErrorKind;

use image::error::UnsupportedErrorKind;
use image::{ExtendedColorType, ImageError, ImageFormat};

/// What a format is called.
pub fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Tiff => "TIFF",
        _ => "picture",
    }
}

/// Why a file is not decoded. None if it goes beyond a limit.
pub fn reason(error: &ImageError, format: ImageFormat) -> Option<String> {
    let name = format_name(format);
    let said = error.to_string();
    let cut = matches!(error, ImageError::IoError(cause) if cause.kind() == ErrorKind::UnexpectedEof)
        || said.to_lowercase().contains("unexpected end of file");
    Some(match error {
        ImageError::Limits(_) => return None,
        _ if cut => "the file is cut short".into(),
        ImageError::Decoding(error) => {
            let cause = error.source().map(|cause| format!(": {}", plain(&cause.to_string())));
            format!("the {name} is broken{}", cause.unwrap_or_default())
        }
        ImageError::Unsupported(error) => {
            let what = match error.kind() {
                UnsupportedErrorKind::GenericFeature(feature) => plain(&feature),
                UnsupportedErrorKind::Color(ExtendedColorType::Unknown(bits)) => format!("pixels of {bits} bits"),
                _ => plain(&said),
            };
            format!("this kind of {name} is not read: {what}")
        }
        _ => plain(&said),
    })
}

/// A decoder's sentence without the names of Rust's types in it: `ChunkType { type: IHDR, critical: true }`, `BadZlibHeader`.
fn plain(said: &str) -> String {
    let (mut text, mut rest) = (String::new(), said);
    while let Some((before, behind)) = rest.split_once("ChunkType { type: ") {
        let (name, behind) = behind.split_once(", critical: ").unwrap_or((behind, ""));
        text += before;
        text += name;
        rest = behind.split_once('}').map_or("", |(_, rest)| rest);
    }
    text += rest;
    let words: Vec<String> = text.split_whitespace().map(words_of).collect();
    let text = words.join(" ");
    let text = text.trim_matches('"').trim_end_matches('.');
    // A sentence goes on with it; abbreviations keep their letters.
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_string(),
    }
}

/// `bad zlib header` of `BadZlibHeader`. A name of one word, such as `WebP`, stays.
fn words_of(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let begins = |at: usize| {
        at > 0
            && letters[at].is_uppercase()
            && letters[at - 1].is_lowercase()
            && letters.get(at + 1).is_some_and(|next| next.is_lowercase())
    };
    let is_camel = letters.first().is_some_and(|first| first.is_uppercase())
        && letters.iter().all(|letter| letter.is_ascii_alphabetic())
        && (0..letters.len()).any(begins);
    if !is_camel {
        return word.to_string();
    }
    let mut words = String::new();
    for (at, letter) in letters.iter().enumerate() {
        if begins(at) {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_become_words() {
        let chunk = "ChunkType { type: IHDR, critical: true, private: false, reserved: false, safecopy: false }";
        assert_eq!(
            plain(&format!("CRC error: expected 0x1 have 0x2 while decoding {chunk} chunk.")),
            "CRC error: expected 0x1 have 0x2 while decoding IHDR chunk"
        );
        assert_eq!(plain(&format!("Chunk length wrong: {chunk}")), "chunk length wrong: IHDR");
        assert_eq!(plain("Corrupt deflate stream. BadZlibHeader"), "corrupt deflate stream. bad zlib header");
        assert_eq!(plain("\"Error decoding SOF Marker.\""), "error decoding SOF Marker");
        assert_eq!(plain("the WebP of an sRGB\nfile"), "the WebP of an sRGB file");
        assert_eq!((plain(""), plain("X")), (String::new(), "X".to_string()));
    }
}
