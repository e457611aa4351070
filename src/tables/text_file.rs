//! `TextFile`: a text file in memory, whose errors name the line.

use std::path::{Path, PathBuf};

use encoding_rs::{DecoderResult, Encoding, UTF_8};

use crate::error::{Error, Result};
use crate::files;

/// A text file, read whole.
#[derive(Debug)]
pub struct TextFile {
    pub path: PathBuf,
    pub(super) text: String,
}

/// Encodings that errors suggest; every label of the Encoding Standard is known.
const ENCODINGS: &[&str] = &[
    "utf-8",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "latin1",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "windows-874",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-5",
    "iso-8859-7",
    "iso-8859-9",
    "iso-8859-15",
    "macintosh",
    "ibm866",
    "koi8-r",
    "koi8-u",
    "shift_jis",
    "euc-jp",
    "iso-2022-jp",
    "euc-kr",
    "big5",
    "gbk",
    "gb18030",
];

/// Python's names of encodings that the Encoding Standard does not have.
const PYTHON: &[(&str, &str)] = &[
    ("utf-8-sig", "utf-8"),
    ("utf-16-le", "utf-16le"),
    ("utf-16-be", "utf-16be"),
    ("latin-1", "latin1"),
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("cp949", "euc-kr"),
    ("cp950", "big5"),
    ("mac-roman", "macintosh"),
];

impl TextFile {
    /// Reads a file of UTF-8, or of UTF-16 with a byte-order mark.
    ///
    /// Errors: Io; text in another encoding (with its line).
    pub fn read(path: &Path) -> Result<TextFile> {
        let bytes = files::read(path)?;
        Self::decoded(path, bytes, None).map_err(|error| match error.help {
            // The caller has no option for it.
            Some(_) => Error { help: Some("save it as UTF-8".into()), ..error },
            None => error,
        })
    }

    /// Reads a file in the named encoding, such as "latin1", "windows-1252", "utf-16le", "shift_jis" or "gbk"; under
    /// `None` as [`TextFile::read`] does. A byte-order mark wins over the name. For callers with an option `encoding`,
    /// which errors name. As on the web, "latin1" is windows-1252, which has all of its characters.
    ///
    /// Errors: Io; an unknown encoding, with the nearest; text in another encoding (with its line).
    pub fn read_as(path: &Path, encoding: Option<&str>) -> Result<TextFile> {
        // A wrong name is an error whatever the file holds.
        encoding.map(named).transpose()?;
        let bytes = files::read(path)?;
        Self::decoded(path, bytes, encoding)
    }

    /// The text of a file's bytes, as [`TextFile::read_as`] has it.
    pub fn decoded(path: &Path, bytes: Vec<u8>, encoding: Option<&str>) -> Result<TextFile> {
        let named = encoding.map(named).transpose()?;
        let marked = Encoding::for_bom(&bytes);
        if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
            return Err(at(path, 1, "UTF-32 text is not read").with_help("save it as UTF-8"));
        }
        let (encoding, start) = match (marked, named) {
            (Some((mark, length)), _) => (mark, length),
            (None, Some(named)) => (named, 0),
            (None, None) => (UTF_8, 0),
        };
        if encoding == UTF_8 {
            if let (None, None, Some(likely)) = (marked, named, without_mark(&bytes)) {
                return Err(at(path, 1, "not UTF-8 text; it looks like UTF-16 without a byte-order mark")
                    .with_help(format!("the option encoding: \"{likely}\" reads it")));
            }
            let text = String::from_utf8(bytes).map_err(|e| {
                let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
                at(path, last_line(before), "not UTF-8 text").with_help(
                    "the option encoding names another, as encoding: \"windows-1252\" (Western Europe; \"latin1\" is \
                     read the same), \"shift_jis\" or \"gbk\"",
                )
            })?;
            return Ok(TextFile { path: path.to_path_buf(), text });
        }
        let mut decoder = encoding.new_decoder_without_bom_handling();
        let mut text = String::new();
        let mut rest = &bytes[start..];
        loop {
            // In parts, since the bound on the length is up to three times the text's.
            let part = rest.len().min(1 << 20);
            let last = part == rest.len();
            text.reserve(decoder.max_utf8_buffer_length_without_replacement(part).unwrap_or(part));
            let (result, read) = decoder.decode_to_string_without_replacement(&rest[..part], &mut text, last);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty if last => break,
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    let what = format!("not {} text", encoding.name());
                    return Err(at(path, last_line(text.as_bytes()), what)
                        .with_help("the option encoding names another; without it, UTF-8 is read"));
                }
            }
        }
        text.shrink_to_fit();
        Ok(TextFile { path: path.to_path_buf(), text })
    }

    /// The text without the byte-order mark that some programs write first.
    pub fn content(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(&self.text)
    }

    /// The lines that are not blank, trimmed, with their numbers from 1. A line ends with a line feed, a carriage
    /// return or both.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut number = 0;
        let lines = self.content().split('\n').flat_map(|line| {
            let line = line.strip_suffix('\r').unwrap_or(line);
            line.split('\r')
        });
        lines
            .map(move |line| {
                number += 1;
                (number, line.trim())
            })
            .filter(|(_, line)| !line.is_empty())
    }

    /// Whether carriage returns alone end the lines, as on old Macs.
    pub fn ends_lines_with_carriage_returns(&self) -> bool {
        let content = self.content();
        content.contains('\r') && !content.contains('\n')
    }

    /// An error at a line of this file.
    pub fn at(&self, line: usize, what: impl std::fmt::Display) -> Error {
        at(&self.path, line, what)
    }
}

/// A name without the white space around it. No-break spaces and characters of no width count as white space.
pub(crate) fn trimmed(name: &str) -> &str {
    match name.as_bytes() {
        // The common case, without a look at characters.
        [only] if only.is_ascii_graphic() => name,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => name,
        _ => name.trim_matches(is_blank),
    }
}

pub(crate) fn is_blank(c: char) -> bool {
    // Zero-width space, word joiner and the byte-order mark.
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// The first bytes of a text file as text, for detection: characters that are cut or malformed become U+FFFD. `None` if
/// these bytes are no text.
pub(crate) fn start_of_text(bytes: &[u8], encoding: Option<&str>) -> Option<String> {
    let named = encoding.and_then(|name| named(name).ok());
    let (encoding, start) = Encoding::for_bom(bytes).unwrap_or((named.unwrap_or(UTF_8), 0));
    let (text, _) = encoding.decode_without_bom_handling(&bytes[start..]);
    (!text.contains('\0')).then(|| text.into_owned())
}

/// Errors: an unknown name, with the nearest.
fn named(name: &str) -> Result<&'static Encoding> {
    let lower = name.trim().to_ascii_lowercase().replace('_', "-");
    let label = PYTHON.iter().find(|(python, _)| *python == lower).map_or(name, |(_, label)| label);
    let forms = [label.to_string(), label.replace('_', "-"), label.replace('-', "_")];
    let found = forms.iter().find_map(|form| Encoding::for_label_no_replacement(form.as_bytes()));
    found.ok_or_else(|| Error::unknown("encoding", name, ENCODINGS.iter().copied()))
}

/// The kind of UTF-16 that bytes without a byte-order mark look like: zeros in every second place.
fn without_mark(bytes: &[u8]) -> Option<&'static str> {
    let sample = &bytes[..bytes.len().min(1 << 12) & !1];
    let zeros = |first: usize| sample.iter().skip(first).step_by(2).filter(|&&b| b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    match sample.len() / 2 {
        0 | 1 => None,
        pairs if odd * 2 > pairs && even * 8 < pairs => Some("utf-16le"),
        pairs if even * 2 > pairs && odd * 8 < pairs => Some("utf-16be"),
        _ => None,
    }
}

/// The number of the line that begins or goes on behind `before`.
fn last_line(before: &[u8]) -> usize {
    let mut ends = before.iter().filter(|&&b| b == b'\n').count();
    if ends == 0 {
        ends = before.iter().filter(|&&b| b == b'\r').count();
    }
    1 + ends
}

fn at(path: &Path, line: usize, what: impl std::fmt::Display) -> Error {
    Error::data(format!("{}, line {line}: {what}", path.display())).about_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], encoding: Option<&str>) -> Result<String> {
        TextFile::decoded(Path::new("x.txt"), bytes.to_vec(), encoding).map(|file| file.content().to_string())
    }

    /// Bytes from Python's `str.encode`.
    #[test]
    fn encodings_by_mark_and_by_name() {
        assert_eq!(decoded(b"B\xc3\xa4r\n", None).unwrap(), "Bär\n");
        assert_eq!(decoded(b"\xef\xbb\xbfB\xc3\xa4r", None).unwrap(), "Bär");
        assert_eq!(decoded(b"\xff\xfeB\0\xe4\0r\0", None).unwrap(), "Bär");
        assert_eq!(decoded(b"\xfe\xff\0B\0\xe4\0r", None).unwrap(), "Bär");
        assert_eq!(decoded(b"\xfe\xff\xd8\x3d\xdc\x08", None).unwrap(), "🐈");
        for name in ["latin1", "latin-1", "Latin_1", "windows-1252", "cp1252", "iso-8859-1", "ISO8859-1"] {
            assert_eq!(decoded(b"B\xe4r", Some(name)).unwrap(), "Bär", "{name}");
        }
        assert_eq!(decoded(b"\x80", Some("windows-1252")).unwrap(), "€");
        assert_eq!(decoded(b"B\0\xe4\0r\0", Some("utf-16le")).unwrap(), "Bär");
        assert_eq!(decoded(b"\0B\0\xe4\0r", Some("utf_16_be")).unwrap(), "Bär");
        assert_eq!(decoded(b"\x94\x4c", Some("shift_jis")).unwrap(), "猫");
        assert_eq!(decoded(b"\x94\x4c", Some("cp932")).unwrap(), "猫");
        assert_eq!(decoded(b"\xc3\xa8", Some("gbk")).unwrap(), "猫");
        assert_eq!(decoded(b"\xef\xbb\xbfB\xc3\xa4r", Some("utf-8-sig")).unwrap(), "Bär");
        // A mark wins.
        assert_eq!(decoded(b"\xef\xbb\xbfB\xc3\xa4r", Some("latin1")).unwrap(), "Bär");
        assert_eq!(decoded(b"", None).unwrap(), "");
    }

    #[test]
    fn long_texts_in_parts() {
        let text = "größer 猫 🐈\n".repeat(200_000);
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(decoded(&bytes, Some("utf-16le")).unwrap() == text);
    }

    #[test]
    fn other_encodings_are_refused_with_the_line_and_the_option() {
        let error = decoded(b"one\ntwo\nd\xe9j\xe0\n", None).unwrap_err();
        assert_eq!(error.message, "x.txt, line 3: not UTF-8 text");
        assert!(error.help.unwrap().contains("encoding: \"windows-1252\""));
        let error = decoded(b"one\rd\xe9j\xe0\r", None).unwrap_err();
        assert_eq!(error.message, "x.txt, line 2: not UTF-8 text");
        let error = decoded(b"\xff\xfea\0\n\0\0\xd8\n\0", None).unwrap_err();
        assert_eq!(error.message, "x.txt, line 2: not UTF-16LE text");
        let error = decoded(b"a\n\x81", Some("shift_jis")).unwrap_err();
        assert_eq!(error.message, "x.txt, line 2: not Shift_JIS text");
        let error = decoded(b"a\0,\0b\0\n\0", None).unwrap_err();
        assert_eq!(error.message, "x.txt, line 1: not UTF-8 text; it looks like UTF-16 without a byte-order mark");
        assert!(error.help.unwrap().contains("\"utf-16le\""));
        assert!(decoded(b"\xff\xfe\0\0a\0\0\0", None).unwrap_err().message.contains("UTF-32"));
        let error = decoded(b"a", Some("windws-1252")).unwrap_err();
        assert_eq!(error.message, "unknown encoding \"windws-1252\"");
        assert_eq!(error.help.as_deref(), Some("did you mean \"windows-1252\"?"));
        // Without the option nothing names it.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.txt");
        std::fs::write(&path, b"\xe9").unwrap();
        assert_eq!(TextFile::read(&path).unwrap_err().help.as_deref(), Some("save it as UTF-8"));
        assert!(TextFile::read_as(&path, None).unwrap_err().help.unwrap().contains("encoding"));
    }

    #[test]
    fn every_kind_of_line_end() {
        let lines = |text: &str| {
            let file = TextFile { path: "x".into(), text: text.into() };
            file.lines().map(|(n, line)| (n, line.to_string())).collect::<Vec<_>>()
        };
        let expected = [(1_usize, "a b".to_string()), (3, "c".to_string())];
        for text in ["a b\n\nc\n", "a b\r\n\r\n c", "\u{feff}a b\r\rc\r", "a b\r\n\rc", "a b\n\rc\r\n"] {
            assert_eq!(lines(text), expected, "{text:?}");
        }
        assert!(lines("").is_empty());
        let old = |text: &str| TextFile { path: "x".into(), text: text.into() }.ends_lines_with_carriage_returns();
        assert!(old("a\rb") && !old("a\r\nb") && !old("a"));
    }
}
