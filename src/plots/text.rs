//! Text widths in the embedded font, and lines wrapped or cut to a width.

use std::collections::HashMap;
use std::sync::LazyLock;

use parking_lot::Mutex;

/// The width of `text` at `size` px, without kerning.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let font = if bold { &*BOLD } else { &*REGULAR };
    text.chars().map(|c| font.advance(c)).sum::<f64>() * size
}

/// The width of the widest of `texts`.
pub fn widest<S: AsRef<str>>(texts: &[S], size: f64) -> f64 {
    texts.iter().map(|t| width(t.as_ref(), size, false)).fold(0.0, f64::max)
}

/// `text` as lines of at most `limit` px, broken at spaces; longer words are cut.
pub fn wrap(text: &str, size: f64, bold: bool, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(last) = lines.last_mut()
            && width(last, size, bold) + width(" ", size, bold) + width(word, size, bold) <= limit
        {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(fit(word, size, bold, limit));
        }
    }
    lines
}

/// `text`, with its end replaced by "…" if it is wider than `limit` px.
pub fn fit(text: &str, size: f64, bold: bool, limit: f64) -> String {
    if width(text, size, bold) <= limit {
        return text.to_string();
    }
    let mut kept = String::new();
    let mut wide = width("…", size, bold);
    for c in text.chars() {
        wide += width(c.encode_utf8(&mut [0; 4]), size, bold);
        if wide > limit {
            break;
        }
        kept.push(c);
    }
    format!("{}…", kept.trim_end())
}

static REGULAR: LazyLock<Font> = LazyLock::new(|| Font::new(dejavu::sans::regular()));
static BOLD: LazyLock<Font> = LazyLock::new(|| Font::new(dejavu::sans::bold()));

/// The advance widths of a TrueType font (tables `head`, `hhea`, `hmtx`, `cmap` format 12 or 4 of OpenType 1.9).
struct Font {
    data: &'static [u8],
    units: f64,
    metrics: usize,
    hmtx: usize,
    cmap: Option<usize>,
    known: Mutex<HashMap<char, f64>>,
}

/// The assumed width of a glyph that the font lacks, in em.
const USUAL: f64 = 0.6;

impl Font {
    fn new(data: &'static [u8]) -> Self {
        let tables: HashMap<&[u8], usize> = (0..u16_at(data, 4).unwrap_or(0) as usize)
            .filter_map(|i| {
                let record = 12 + 16 * i;
                Some((data.get(record..record + 4)?, u32_at(data, record + 8)? as usize))
            })
            .collect();
        let table = |tag: &[u8]| tables.get(tag).copied();
        let units = table(b"head").and_then(|at| u16_at(data, at + 18)).unwrap_or(0);
        let metrics = table(b"hhea").and_then(|at| u16_at(data, at + 34)).unwrap_or(0);
        let cmap = table(b"cmap").and_then(|cmap| {
            let subtables = (0..u16_at(data, cmap + 2)? as usize)
                .filter_map(|i| Some(cmap + u32_at(data, cmap + 4 + 8 * i + 4)? as usize));
            // Format 12 covers all planes, format 4 the first.
            subtables.filter(|&at| matches!(u16_at(data, at), Some(4 | 12))).max_by_key(|&at| u16_at(data, at))
        });
        Font {
            data,
            units: f64::from(units),
            metrics: metrics as usize,
            hmtx: table(b"hmtx").unwrap_or(usize::MAX / 2),
            cmap,
            known: Mutex::new(HashMap::new()),
        }
    }

    /// In em.
    fn advance(&self, c: char) -> f64 {
        let mut known = self.known.lock();
        *known.entry(c).or_insert_with(|| self.look_up(c).unwrap_or(USUAL))
    }

    fn look_up(&self, c: char) -> Option<f64> {
        let glyph = self.glyph(c as u32).filter(|&g| g != 0)?;
        let at = self.hmtx + 4 * glyph.min(self.metrics.checked_sub(1)?);
        Some(f64::from(u16_at(self.data, at)?) / self.units).filter(|w| w.is_finite())
    }

    fn glyph(&self, c: u32) -> Option<usize> {
        let (data, at) = (self.data, self.cmap?);
        if u16_at(data, at)? == 12 {
            let groups = u32_at(data, at + 12)? as usize;
            let mut starts = (0..groups).map(|i| at + 16 + 12 * i);
            let group = starts.find(|&g| u32_at(data, g + 4).is_some_and(|end| end >= c))?;
            let start = u32_at(data, group)?;
            return Some((u32_at(data, group + 8)? + c.checked_sub(start)?) as usize);
        }
        let c = u16::try_from(c).ok()?;
        let segments = u16_at(data, at + 6)? as usize / 2;
        let (ends, starts) = (at + 14, at + 16 + 2 * segments);
        let (deltas, offsets) = (starts + 2 * segments, starts + 4 * segments);
        let s = (0..segments).find(|s| u16_at(data, ends + 2 * s).is_some_and(|end| end >= c))?;
        let from_start = c.checked_sub(u16_at(data, starts + 2 * s)?)? as usize;
        let delta = u16_at(data, deltas + 2 * s)?;
        match u16_at(data, offsets + 2 * s)? as usize {
            0 => Some(c.wrapping_add(delta) as usize),
            offset => match u16_at(data, offsets + 2 * s + offset + 2 * from_start)? {
                0 => None,
                glyph => Some(glyph.wrapping_add(delta) as usize),
            },
        }
    }
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(data.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    // fontTools: TTFont("DejaVuSans.ttf")["hmtx"][cmap[ord(c)]][0], of 2048 units.
    #[test]
    fn widths_are_the_fonts() {
        for (c, units) in [("A", 1401), ("i", 569), ("m", 1995), ("0", 1303), ("1", 1303), ("…", 2048), ("λ", 1212)]
        {
            assert_eq!((width(c, 2048.0, false)).round() as i32, units, "{c}");
        }
        assert_eq!(width("A", 2048.0, true).round() as i32, 1585);
        assert_eq!(width("\u{4e00}", 10.0, false), 10.0 * USUAL, "not in the font");
    }

    #[test]
    fn long_lines_are_broken_and_long_words_cut() {
        let lines = wrap("one two three  four", 10.0, false, width("one two", 10.0, false) + 0.1);
        assert_eq!(lines, ["one two", "three", "four"]);
        let cut = fit("refrigerator", 10.0, false, 40.0);
        assert!(cut.ends_with('…') && width(&cut, 10.0, false) <= 40.0, "{cut}");
        assert!(wrap("  ", 10.0, false, 50.0).is_empty());
    }
}
