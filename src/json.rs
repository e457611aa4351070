//! JSON as people's tools write it: byte-order marks, NaN and Infinity, and errors in sentences of this program.

use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::files;

/// Reads a JSON file; a byte-order mark is no part of it.
///
/// Errors: Io; Data with the place and what was expected: another encoding than UTF-8, no JSON, another content than `T`.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = files::read(path)?;
    parse(&bytes).map_err(|what| Error::in_file(path, what))
}

/// Parses JSON; a byte-order mark is no part of it. `Err` is a sentence without the file's name.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if let Some(encoding) = other_encoding(bytes) {
        return Err(format!("the text is {encoding}; JSON must be UTF-8"));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(text).map_err(|e| match text.trim_ascii().is_empty() {
        true => "the text is empty; JSON has one value".into(),
        false => fault(&e),
    })
}

/// Parses JSON as Python's json writes it: NaN, Infinity and -Infinity become null.
pub fn parse_lenient(bytes: &[u8]) -> Result<serde_json::Value, String> {
    fn finite(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) if not_finite(text).is_some() => *value = serde_json::Value::Null,
            serde_json::Value::Array(list) => list.iter_mut().for_each(finite),
            serde_json::Value::Object(object) => object.values_mut().for_each(finite),
            _ => {}
        }
    }
    let mut value: serde_json::Value =
        match ["NaN", "Infinity"].iter().any(|n| memchr::memmem::find(bytes, n.as_bytes()).is_some()) {
            true => serde_json::from_reader(Lenient::new(bytes)).map_err(|e| fault(&e))?,
            false => return parse(bytes),
        };
    finite(&mut value);
    Ok(value)
}

/// The first integer in a JSON text that is none of 64 bits, signed or not: serde_json reads it as a number with a decimal point, which
/// has not all of its digits. The text is valid JSON.
pub fn large_integer(text: &[u8]) -> Option<&str> {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let begin = at;
        match byte {
            b'"' => {
                at += 1;
                while text.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                at += text[at..]
                    .iter()
                    .take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
                    .count();
                let number = std::str::from_utf8(&text[begin..at]).ok()?;
                let is_integer = number.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
                // Up to 18 digits are held without a look.
                if at - begin > 18 && is_integer && number.parse::<i64>().is_err() && number.parse::<u64>().is_err() {
                    return Some(number);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// The encoding of a JSON text, told from its first bytes, if it is not UTF-8. The first character is ASCII.
pub fn other_encoding(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, ..] => Some("UTF-16"),
        _ => None,
    }
}

/// The sentence for an error of serde_json, with the line and column where it has them.
pub fn fault(error: &serde_json::Error) -> String {
    let said = if error.is_eof() {
        "the JSON ends in the middle".to_string()
    } else if error.is_syntax() {
        syntax(&without_place(error)).to_string()
    } else {
        content(&without_place(error))
    };
    match (error.line(), error.column()) {
        (0, _) => said,
        (1, 0) => format!("{said}, at line 1 column 1"),
        // The line end before it was taken.
        (line, 0) => format!("{said}, at the end of line {}", line - 1),
        (line, column) => format!("{said}, at line {line} column {column}"),
    }
}

/// What serde_json expected where a value had another type, as a user reads it.
pub fn expected(error: &serde_json::Error) -> Option<String> {
    let text = without_place(error);
    let (came, expected) = text.split_once(", expected ")?;
    (came.starts_with("invalid type: ") || came.starts_with("invalid value: ")).then(|| of_type(expected))
}

/// The text of an error without " at line 1 column 2".
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map(str::to_string).unwrap_or(text)
}

fn syntax(text: &str) -> &'static str {
    match text {
        "expected `:`" => "expected a colon behind the key",
        "expected `,` or `]`" => "expected a comma or the end of the list, ]",
        "expected `,` or `}`" => "expected a comma or the end of the object, }",
        "key must be a string" => "expected a key in double quotes",
        "expected ident" | "expected value" => {
            "expected a value: text in double quotes, a number, true, false, null, a list or an object"
        }
        "invalid escape" => {
            "a backslash in a text is not followed by a known escape; a backslash itself is written \\\\"
        }
        "invalid number" => "a number is not written as JSON has it",
        "number out of range" => "a number is too large",
        "invalid unicode code point" => "a text is not UTF-8",
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "an escape \\u in a text is incomplete"
        }
        "trailing comma" => "there is a comma behind the last item",
        "trailing characters" => "there is more behind the end of the JSON",
        "recursion limit exceeded" => "lists and objects are nested more than 128 deep",
        text if text.starts_with("control character") => {
            "a text holds a line end or control character; it must be escaped"
        }
        _ => "this is not JSON",
    }
}

/// A text of serde about a value that is JSON, but not of the type that is read.
fn content(text: &str) -> String {
    let quoted = |part: &str| part.split('`').nth(1).unwrap_or(part).to_string();
    let kind = ["invalid type: ", "invalid value: ", "invalid length "].iter().find_map(|k| text.strip_prefix(k));
    if let Some((came, expected)) = kind.and_then(|rest| rest.split_once(", expected ")) {
        return format!("expected {}; got {}", of_type(expected), of_value(came));
    }
    if text.starts_with("missing field ") {
        return format!("the key \"{}\" is missing", quoted(text));
    }
    if text.starts_with("duplicate field ") {
        return format!("the key \"{}\" comes twice", quoted(text));
    }
    if text.starts_with("unknown field ") {
        return format!("there is an unknown key \"{}\"", quoted(text));
    }
    if text.starts_with("unknown variant ") {
        let known: Vec<&str> = text.split('`').skip(3).step_by(2).collect();
        return format!("expected one of {}; got \"{}\"", known.join(", "), quoted(text));
    }
    text.to_string()
}

/// A type as serde names it.
fn of_type(name: &str) -> String {
    match name {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more".into(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a string" | "string" | "a borrowed string" => "text".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "an object".into(),
        "unit" => "null".into(),
        name if name.starts_with("struct ") || name.starts_with("enum ") => "an object".into(),
        name => name.into(),
    }
}

/// A value as serde names it: ``integer `3` ``, `string "x"`, `map`.
fn of_value(name: &str) -> String {
    match name {
        "map" => "an object".into(),
        "sequence" => "a list".into(),
        name => match name.split_once(' ') {
            Some(("integer" | "boolean", value)) => value.trim_matches('`').into(),
            Some(("string" | "character", value)) => value.into(),
            _ => name.strip_prefix("floating point ").map_or(name, |value| value.trim_matches('`')).into(),
        },
    }
}

/// The three numbers that Python's json writes and that are not JSON.
const NOT_FINITE: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// Passes JSON on without a byte-order mark and with a text in place of each bare NaN, Infinity and -Infinity.
///
/// The text has the length of the number, so that places in errors stay right; [`not_finite`] recognises it. Texts of
/// the file are not touched. Blocks without the letters N and I cost two passes of simple comparisons.
pub struct Lenient<R> {
    inner: R,
    /// `at..ready` can be passed on; `ready..filled` may be the first half of such a number.
    block: Vec<u8>,
    at: usize,
    ready: usize,
    filled: usize,
    /// Whether the byte at `ready` is inside a text, and behind a backslash there.
    in_text: bool,
    escaped: bool,
    begun: bool,
    ended: bool,
}

/// Stands for the number at the beginning of its text. No tool writes this character into a name.
const MARK: u8 = 0x7f;

/// The number that [`Lenient`] has put a text for.
pub fn not_finite(text: &str) -> Option<&'static str> {
    let blanks = text.strip_prefix(char::from(MARK))?;
    NOT_FINITE.into_iter().find(|n| n.len() == blanks.len() + 3 && blanks.bytes().all(|b| b == b' '))
}

impl<R: Read> Lenient<R> {
    const BLOCK: usize = 1 << 18;

    pub fn new(inner: R) -> Lenient<R> {
        Lenient::with_block(inner, Self::BLOCK)
    }

    /// `block` must be longer than the longest number, of 9 bytes.
    fn with_block(inner: R, block: usize) -> Lenient<R> {
        let block = vec![0; block];
        Lenient { inner, block, at: 0, ready: 0, filled: 0, in_text: false, escaped: false, begun: false, ended: false }
    }

    /// Reads more, behind what was held back.
    fn refill(&mut self) -> std::io::Result<()> {
        self.block.copy_within(self.ready..self.filled, 0);
        self.filled -= self.ready;
        (self.at, self.ready) = (0, 0);
        let read = self.inner.read(&mut self.block[self.filled..])?;
        self.filled += read;
        self.ended = read == 0;
        if !self.begun && self.filled < 3 && !self.ended {
            return Ok(());
        }
        self.ready = if self.ended { self.filled } else { self.filled - self.unfinished() };
        if !self.begun && self.block[..self.filled].starts_with(b"\xef\xbb\xbf") {
            self.at = 3;
        }
        self.begun = true;
        self.mend();
        Ok(())
    }

    /// How many of the last bytes may be the beginning of a number that is not finite.
    fn unfinished(&self) -> usize {
        // Its last letter is its first one too.
        if self.block[..self.filled].ends_with(b"NaN") {
            return 0;
        }
        let half = |n: &usize| {
            let tail = &self.block[self.filled - n..self.filled];
            NOT_FINITE.iter().any(|number| number.len() > tail.len() && number.as_bytes().starts_with(tail))
        };
        (1..9.min(self.filled + 1)).rev().find(half).unwrap_or(0)
    }

    fn mend(&mut self) {
        let part = &mut self.block[..self.ready];
        if !self.escaped && memchr::memchr3(b'\\', b'N', b'I', part).is_none() {
            let quotes = memchr::memchr_iter(b'"', part).count();
            self.in_text ^= quotes % 2 == 1;
            return;
        }
        let mut i = 0;
        while i < part.len() {
            let byte = part[i];
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                i += 1;
                continue;
            }
            self.in_text = byte == b'"';
            let number = match byte {
                b'N' | b'I' | b'-' => NOT_FINITE.iter().find(|n| part[i..].starts_with(n.as_bytes())),
                _ => None,
            };
            match number {
                Some(number) => {
                    let place = &mut part[i..i + number.len()];
                    place.fill(b' ');
                    place[0] = b'"';
                    place[1] = MARK;
                    place[number.len() - 1] = b'"';
                    i += number.len();
                }
                None => i += 1,
            }
        }
    }
}

impl<R: Read> Read for Lenient<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.ready {
            if self.ended {
                return Ok(0);
            }
            self.refill()?;
        }
        let n = into.len().min(self.ready - self.at);
        into[..n].copy_from_slice(&self.block[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_become_texts_of_their_length() {
        let text = "\u{feff}{\"NaN\": NaN, \"a\\\"NaN\": [Infinity,-Infinity,-1], \"I\\\\\": NaN}";
        let mended =
            "{\"NaN\": \"\u{7f}\", \"a\\\"NaN\": [\"\u{7f}     \",\"\u{7f}      \",-1], \"I\\\\\": \"\u{7f}\"}";
        // Every size of the block cuts the numbers at another place.
        for block in 10..80 {
            let mut came = String::new();
            Lenient::with_block(text.as_bytes(), block).read_to_string(&mut came).unwrap();
            assert_eq!(came, mended, "{block}");
        }
        let values = serde_json::from_str::<serde_json::Value>(mended).unwrap();
        let said = |value: &serde_json::Value| not_finite(value.as_str().unwrap());
        assert_eq!(said(&values["NaN"]), Some("NaN"));
        assert_eq!(said(&values["a\"NaN"][0]), Some("Infinity"));
        assert_eq!(said(&values["a\"NaN"][1]), Some("-Infinity"));
        assert_eq!((not_finite("NaN"), not_finite("\u{7f}  ")), (None, None));
    }

    #[test]
    fn everything_else_passes_unchanged() {
        for text in ["", "N", "-", "\u{feff}", "\u{feff}N", "Na", "{\"a\": -1, \"b\": \"Infinity -", "Nan Inf nan -NaM"]
        {
            for block in 10..16 {
                let mut came = String::new();
                Lenient::with_block(text.as_bytes(), block).read_to_string(&mut came).unwrap();
                assert_eq!(came, text.trim_start_matches('\u{feff}'), "{block}");
            }
        }
    }

    #[test]
    fn errors_are_sentences_with_a_place() {
        let of = |text: &str| parse::<Vec<u32>>(text.as_bytes()).unwrap_err();
        assert_eq!(of("[1"), "the JSON ends in the middle, at line 1 column 2");
        assert_eq!(of("[1,\n"), "the JSON ends in the middle, at the end of line 1");
        assert_eq!(of("[1,\n2,\n"), "the JSON ends in the middle, at the end of line 2");
        assert_eq!((of(""), of(" \n")), ("the text is empty; JSON has one value".into(), of("")));
        let raw = "a text holds a line end or control character; it must be escaped, at the end of line 2";
        assert_eq!(of("[1,\n\"x\ny\"]"), raw);
        assert_eq!(of("[1,\n 2 3]"), "expected a comma or the end of the list, ], at line 2 column 4");
        assert_eq!(of("[1] x"), "there is more behind the end of the JSON, at line 1 column 5");
        assert!(of("[1, \"a\"]").starts_with("expected a whole number of 0 or more; got \"a\", at line 1"));
        assert!(of("[1, -2]").starts_with("expected a whole number of 0 or more; got -2, at line 1"));
        assert!(of("[1, 2.5]").starts_with("expected a whole number of 0 or more; got 2.5"));
        assert!(of("{}").starts_with("expected a list; got an object"));
        assert!(of("null").starts_with("expected a list; got null"));
        assert!(of("[NaN]").starts_with("expected a value"));
        assert_eq!(parse::<Vec<u32>>(b"\xff\xfe[\0]\0").unwrap_err(), "the text is UTF-16; JSON must be UTF-8");
        assert_eq!(parse::<Vec<u32>>("\u{feff}[7]".as_bytes()).unwrap(), [7]);
        let deep = "[".repeat(100_000);
        assert!(parse::<serde_json::Value>(deep.as_bytes()).unwrap_err().contains("more than 128 deep"));
    }
}
