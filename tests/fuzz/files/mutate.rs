//! Changes of a file: bits, runs, cuts, splices and numbers anywhere; tokens of texts; lengths, values and names where the
//! format is known (`structure`).

use super::structure;
use crate::draw::Source;

/// Numbers at which readers tend to fail.
pub const NUMBERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    32_767,
    65_535,
    65_536,
    1_000_000,
    i32::MAX as i64,
    i32::MIN as i64,
    u32::MAX as i64,
    1 << 32,
    1 << 40,
    i64::MAX / 8,
    i64::MAX - 1,
    i64::MAX,
    i64::MIN,
];

/// Texts at which readers of texts tend to fail.
const TOKENS: &[&str] = &[
    "",
    " ",
    "\0",
    "\"",
    "'",
    "\"\"\"",
    ",",
    ";",
    "\t",
    "\n",
    "\r",
    "\r\n\r\n",
    "\u{feff}",
    "\u{202e}",
    "\u{1F600}",
    "e\u{301}\u{301}",
    "\x1b[31m",
    "..",
    "../../x",
    ".",
    "nul",
    "NaN",
    "inf",
    "-inf",
    "-0",
    "1e999",
    "1e-999",
    "0x10",
    "00000000000000000000001",
    "99999999999999999999999999",
    "-1",
    "1.5",
    "true",
    "null",
    "None",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    "['a', ['b']]",
    "<",
    ">",
    "&#0;",
    "&#x110000;",
    "&x;",
    "<!DOCTYPE a [<!ENTITY x \"&y;&y;\"><!ENTITY y \"&x;\">]>",
    "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>&c;",
    "<![CDATA[",
    "<!--",
    "&a [*a, *a]",
    "*a",
    "<<: *a",
    "- - - - -",
    "!!python/object:os.system x",
    "|",
    ">-",
    "%",
    "@data",
    "@attribute x {",
    "@relation 'x: -C 99999999999'",
    "{0 1",
    "/*",
    "//",
    "fn f(x) { f(x) }",
    "import \"lib\" as l;",
    "#{",
    "${",
    "`",
    "|x|",
    "loop {}",
    "99999999",
    "4294967296",
    "-9223372036854775808",
];

/// Changes a file once, seldom up to four times: after many changes the first thing that is read is wrong. `other` is a second valid file, for splices. Returns what was done.
pub fn change(s: &mut Source, path: &str, bytes: &mut Vec<u8>, other: &[u8]) -> String {
    let mut done = Vec::new();
    for _ in 0..if s.chance(30) { 2 + s.below(3) } else { 1 } {
        done.push(once(s, path, bytes, other));
        if bytes.is_empty() {
            break;
        }
    }
    done.join(", ")
}

fn once(s: &mut Source, path: &str, bytes: &mut Vec<u8>, other: &[u8]) -> &'static str {
    if s.chance(45)
        && let Some(what) = structure::change(s, path, bytes)
    {
        return what;
    }
    if is_text(bytes) && s.chance(65) { text(s, bytes) } else { raw(s, bytes, other) }
}

pub fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'))
}

/// A change that knows nothing of the format.
pub fn raw(s: &mut Source, bytes: &mut Vec<u8>, other: &[u8]) -> &'static str {
    let n = bytes.len();
    let at = s.below(n + 1);
    match s.below(11) {
        0..=2 if n > 0 => {
            for _ in 0..1 + s.below(8) {
                let at = s.below(n);
                bytes[at] ^= 1 << s.below(8);
            }
            "bits"
        }
        3 if n > 0 => {
            let at = s.below(n);
            let (length, value) = (1 + s.below(16), s.below(256) as u8);
            let value = if s.chance(50) { *[0, 255].get(s.below(2)).unwrap() } else { value };
            bytes.iter_mut().skip(at).take(length).for_each(|b| *b = value);
            "a run"
        }
        4 => {
            bytes.truncate(at);
            "cut"
        }
        5 if n > 0 => {
            let (from, length) = (s.below(n), 1 + s.below(64));
            bytes.drain(from..(from + length).min(n));
            "removed"
        }
        6 if n > 0 => {
            let (from, length) = (s.below(n), 1 + s.below(200));
            let copy = bytes[from..(from + length).min(n)].to_vec();
            bytes.splice(at..at, copy);
            "doubled"
        }
        7 => {
            let from = s.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend(&other[from..]);
            "spliced"
        }
        8 if n > 0 => {
            let (from, length) = (s.below(n), 1 + s.below(40));
            repeat(s, bytes, from, (from + length).min(n));
            "repeated"
        }
        _ if n > 0 => {
            number(s, bytes, at.min(n - 1));
            "a number"
        }
        _ => {
            bytes.extend(s.of(TOKENS).bytes());
            "appended"
        }
    }
}

/// An extreme number of two, four or eight bytes in either order.
pub fn number(s: &mut Source, bytes: &mut [u8], at: usize) {
    let value = NUMBERS[s.below(NUMBERS.len())].wrapping_add(s.below(3) as i64 - 1);
    let width = [2, 4, 8][s.below(3)];
    let coded =
        if s.chance(50) { value.to_le_bytes()[..width].to_vec() } else { value.to_be_bytes()[8 - width..].to_vec() };
    bytes.iter_mut().skip(at).zip(coded).for_each(|(b, v)| *b = v);
}

/// No repetition makes a larger file, also on top of others.
const LARGEST: usize = 8 << 20;

/// Repeats a part: a few times, or seldom until the file has megabytes, where quadratic work shows.
pub fn repeat(s: &mut Source, bytes: &mut Vec<u8>, from: usize, to: usize) {
    let part = bytes[from..to].to_vec();
    if part.is_empty() {
        return;
    }
    let size = if s.chance(12) { [100_000, 500_000, 2_000_000][s.below(3)] } else { part.len() * (1 + s.below(40)) };
    let room = LARGEST.saturating_sub(bytes.len());
    let copies = part.repeat((size / part.len()).clamp(1, 400_000).min(room / part.len()));
    bytes.splice(to..to, copies);
}

/// Where the words, numbers and signs of a text are.
fn tokens(bytes: &[u8]) -> Vec<(usize, usize)> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.' || b == b'-' || b >= 128;
    let mut all = Vec::new();
    let mut at = 0;
    while at < bytes.len() && all.len() < 100_000 {
        let start = at;
        while at < bytes.len() && word(bytes[at]) {
            at += 1;
        }
        if at == start {
            at += 1;
        }
        all.push((start, at));
    }
    all
}

fn lines(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut start = 0;
    let mut all: Vec<(usize, usize)> = Vec::new();
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        all.push((start, start + line.len()));
        start += line.len();
    }
    all
}

/// A change of a text by its tokens and lines.
fn text(s: &mut Source, bytes: &mut Vec<u8>) -> &'static str {
    let (tokens, lines) = (tokens(bytes), lines(bytes));
    if tokens.is_empty() {
        bytes.extend(s.of(TOKENS).bytes());
        return "appended";
    }
    let (from, to) = tokens[s.below(tokens.len())];
    let line = lines[s.below(lines.len())];
    match s.below(12) {
        0..=3 => {
            let new = if s.chance(30) {
                NUMBERS[s.below(NUMBERS.len())].to_string()
            } else if s.chance(3) {
                s.of(&["a", "-", "1", "é", "["]).repeat(60_000)
            } else {
                s.of(TOKENS).to_string()
            };
            bytes.splice(from..to, new.bytes());
            "a token replaced"
        }
        4 => {
            let new = s.of(TOKENS).to_string();
            bytes.splice(from..from, new.bytes());
            "a token inserted"
        }
        5 => {
            let other = tokens[s.below(tokens.len())];
            let copy = bytes[other.0..other.1].to_vec();
            bytes.splice(from..to, copy);
            "a token copied"
        }
        6 => {
            bytes.drain(from..to);
            "a token removed"
        }
        7 => {
            repeat(s, bytes, from, to);
            "a token repeated"
        }
        8 => {
            // From one place of a line to another: a field, an element.
            let end = tokens[s.below(tokens.len())].1;
            let (from, to) = (from.min(end), to.max(end));
            if to - from < 4000 {
                repeat(s, bytes, from, to);
            }
            "a part repeated"
        }
        9 => {
            repeat(s, bytes, line.0, line.1);
            "a line repeated"
        }
        10 => {
            bytes.drain(line.0..line.1);
            "a line removed"
        }
        _ => {
            let other = lines[s.below(lines.len())];
            let copy = bytes[other.0..other.1].to_vec();
            bytes.splice(line.0..line.0, copy);
            "a line moved"
        }
    }
}
