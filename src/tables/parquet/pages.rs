//! The pages of a column's part of a row group, checked and decompressed.
//!
//! polars gets what [`checked`] writes: pages without compression, with new headers, whose numbers agree with their bytes.

use std::ops::Range;

use polars_parquet::parquet::compression::{Compression, DecompressionContext, decompress};
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet::parquet::schema::types::PhysicalType;

use super::budget::Budget;
use super::encodings;
use super::page_header::{DATA_V2, DICTIONARY, Header, encoding};
use super::thrift::Checked;

/// The pages of a column in a row group.
pub(super) struct Pages {
    pub bytes: Vec<u8>,
    /// Values, missing ones included.
    pub values: i64,
    /// Rows left out before the first page.
    pub before: usize,
    /// Bytes of memory that are free again when the pages are.
    pub taken: u64,
}

/// The rows that are wanted of a row group.
pub(super) struct Rows {
    pub wanted: Range<usize>,
    pub all: usize,
    /// Whether pages without a wanted row may be left out. Not if several columns are read together.
    pub skip: bool,
}

/// Checks the pages in `chunk`. Errors: numbers that disagree with the bytes or with the footer; too little memory.
pub(super) fn checked(chunk: &[u8], column: &ColumnChunkMetadata, rows: &Rows, budget: &Budget) -> Checked<Pages> {
    let descriptor = &column.descriptor().descriptor;
    let levels = Levels { repetition: descriptor.max_rep_level, definition: descriptor.max_def_level };
    let mut check = Check {
        levels,
        physical: descriptor.primitive_type.physical_type,
        compression: column.compression(),
        context: DecompressionContext::Unset,
        dictionary: None,
        budget,
        pages: Pages { bytes: Vec::new(), values: 0, before: 0, taken: 0 },
    };
    let (mut at, mut values, mut seen) = (0, 0, 0);
    while values < column.num_values() {
        let (header, length) = Header::read(&chunk[at..]).map_err(|why| format!("the header of a page: {why}"))?;
        at += length;
        let body = chunk.get(at..at + header.compressed).ok_or("a page is longer than its column")?;
        at += header.compressed;
        if header.kind == DICTIONARY {
            if values > 0 || check.dictionary.is_some() {
                return Err("a dictionary is not at its place".to_string());
            }
            check.dictionary(&header, body)?;
            continue;
        }
        values += header.values as i64;
        let flat = levels.repetition == 0;
        let skipped = flat && (seen + header.values <= rows.wanted.start || seen >= rows.wanted.end);
        if rows.skip && skipped {
            check.pages.before += if seen < rows.wanted.start { header.values } else { 0 };
            seen += header.values;
            continue;
        }
        seen += check.data(&header, body)?;
        check.pages.values += header.values as i64;
    }
    if values != column.num_values() || seen != rows.all {
        return Err(format!("its pages hold {seen} rows; {} were expected", rows.all));
    }
    Ok(check.pages)
}

/// The largest levels of a column.
#[derive(Clone, Copy)]
struct Levels {
    repetition: i16,
    definition: i16,
}

struct Check<'a> {
    levels: Levels,
    physical: PhysicalType,
    compression: Compression,
    context: DecompressionContext,
    /// The lengths of the dictionary's texts, or the width of its numbers for each.
    dictionary: Option<Vec<u32>>,
    budget: &'a Budget,
    pages: Pages,
}

impl Check<'_> {
    fn dictionary(&mut self, header: &Header, body: &[u8]) -> Checked<()> {
        if !matches!(header.encoding, encoding::PLAIN | encoding::PLAIN_DICTIONARY) {
            return Err("a dictionary is encoded in an unknown way".to_string());
        }
        let start = self.write(header, body, 0)?;
        let bytes = &self.pages.bytes[start..];
        let n = header.values;
        let mut lengths = Vec::new();
        match width(self.physical) {
            // Each has at least the bytes of its length.
            None if n <= bytes.len() / 4 => encodings::texts(bytes, n, |length| lengths.push(length as u32))?,
            Some(width) if width > 0 && Some(bytes.len()) == n.checked_mul(width) => lengths.resize(n, width as u32),
            _ => return Err(format!("a dictionary of {n} entries has {} bytes", bytes.len())),
        }
        self.take(n as u64 * 16 + bytes.len() as u64)?;
        self.dictionary = Some(lengths);
        Ok(())
    }

    /// Checks a page of values and returns its number of rows.
    fn data(&mut self, header: &Header, body: &[u8]) -> Checked<usize> {
        let plain = header.definition_bytes + header.repetition_bytes;
        let start = self.write(header, body, plain)?;
        // Levels are unpacked into four bytes each; a value of a column has 16 at most, but for fixed bytes.
        let wide = width(self.physical).unwrap_or(16).max(16) as u64;
        let levels = if self.levels.repetition > 0 { 24 } else { 1 };
        self.take(header.values as u64 * (wide + levels))?;
        let bytes = &self.pages.bytes[start..];
        let n = header.values;
        let (repetition, definition, values) = if header.kind == DATA_V2 {
            let (repetition, rest) = bytes.split_at_checked(header.repetition_bytes).ok_or_else(levels_cut)?;
            let (definition, values) = rest.split_at_checked(header.definition_bytes).ok_or_else(levels_cut)?;
            (repetition, definition, values)
        } else {
            let (repetition, rest) = level_bytes(bytes, self.levels.repetition)?;
            let (definition, values) = level_bytes(rest, self.levels.definition)?;
            (repetition, definition, values)
        };
        let rows = counted(repetition, self.levels.repetition, 0, n)?;
        let present = counted(definition, self.levels.definition, self.levels.definition, n)?;
        // Writers count an empty list as missing or not.
        let nulls = header.nulls != n - present && self.levels.repetition == 0;
        if header.kind == DATA_V2 && (nulls || header.rows != Some(rows)) {
            return Err("the header of a page counts other rows than the page has".to_string());
        }
        let text = self.values(header.encoding, values, present)?;
        self.take(text)?;
        Ok(rows)
    }

    /// Checks the values of a page. Returns the bytes of its texts, as far as the page does not hold them itself.
    fn values(&self, encoded: i32, bytes: &[u8], n: usize) -> Checked<u64> {
        let (physical, mut text) = (self.physical, 0u64);
        let bits = if physical == PhysicalType::Int32 { 32 } else { 64 };
        let unknown = || Err(format!("a page has encoding {encoded}, which is not one of its type"));
        match (encoded, physical) {
            (encoding::PLAIN, PhysicalType::Boolean) if bytes.len() < n.div_ceil(8) => return Err(too_few(n)),
            (encoding::PLAIN, PhysicalType::Boolean) => {}
            (encoding::PLAIN, PhysicalType::ByteArray) => encodings::texts(bytes, n, |_| ())?,
            (encoding::PLAIN | encoding::SPLIT_BYTES, _) => {
                let width = width(physical).ok_or("texts cannot be split into bytes")?;
                let whole = n.checked_mul(width);
                let fits = |whole| if encoded == encoding::PLAIN { whole <= bytes.len() } else { whole == bytes.len() };
                if physical == PhysicalType::Boolean || !whole.is_some_and(fits) {
                    return Err(too_few(n));
                }
            }
            (encoding::PLAIN_DICTIONARY | encoding::RLE_DICTIONARY, _) => {
                let dictionary = self.dictionary.as_deref().ok_or("a page refers to a dictionary that is missing")?;
                if n == 0 {
                    return Ok(0);
                }
                let (&width, bytes) = bytes.split_first().ok_or_else(|| too_few(n))?;
                if width > 32 {
                    return Err(format!("a page has numbers of {width} bits"));
                }
                encodings::runs(bytes, u32::from(width), n, |value, times| {
                    let length = dictionary.get(value as usize).ok_or("a page refers to no entry of its dictionary")?;
                    text = text.saturating_add(u64::from(*length).saturating_mul(times as u64));
                    Ok(())
                })?;
            }
            (encoding::RLE, PhysicalType::Boolean) => {
                let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| too_few(n))?;
                let runs = rest.get(..u32::from_le_bytes(*length) as usize).ok_or_else(|| too_few(n))?;
                encodings::runs(runs, 1, n, |value, _| one_of(value, 1))?;
            }
            (encoding::DIFFERENCES, PhysicalType::Int32 | PhysicalType::Int64) => {
                encodings::differences(bytes, bits, n, |_| Ok(()))?;
            }
            (encoding::TEXTS_BEHIND_LENGTHS, PhysicalType::ByteArray) => {
                encodings::texts_behind_lengths(bytes, n, |_| ())?;
            }
            (encoding::TEXTS_BEHIND_PREFIXES, PhysicalType::ByteArray | PhysicalType::FixedLenByteArray(_)) => {
                let fixed = width(physical);
                encodings::texts_behind_prefixes(bytes, n, |length| {
                    if fixed.is_some_and(|fixed| fixed != length) {
                        return Err("a value of fixed bytes has another length".to_string());
                    }
                    text = text.saturating_add(length as u64);
                    Ok(())
                })?;
            }
            _ => return unknown(),
        }
        Ok(text)
    }

    /// Writes a header and the page without compression. `plain` bytes at its beginning are not compressed. Returns where
    /// the page begins.
    fn write(&mut self, header: &Header, body: &[u8], plain: usize) -> Checked<usize> {
        let size = header.uncompressed;
        let packed = header.packed && self.compression != Compression::Uncompressed;
        if plain > body.len() || plain > size || !packed && size != body.len() || size - plain > self.most(body.len()) {
            return Err(format!("a page of {} bytes says that it holds {size}", body.len()));
        }
        self.take(size as u64)?;
        let out = &mut self.pages.bytes;
        out.try_reserve(size + 64).map_err(|_| "its pages are too large for the memory")?;
        header.write(out);
        let start = out.len();
        out.resize(start + size, 0);
        let into = &mut out[start..];
        if !packed {
            into.copy_from_slice(body);
            return Ok(start);
        }
        into[..plain].copy_from_slice(&body[..plain]);
        // A page of missing values alone has nothing to decompress.
        if body.len() > plain && size > plain {
            decompress(self.compression, &body[plain..], &mut into[plain..], &mut self.context)
                .map_err(|_| "a page cannot be decompressed")?;
        }
        Ok(start)
    }

    /// The most bytes that compressed ones can stand for.
    fn most(&self, bytes: usize) -> usize {
        let times = match self.compression {
            Compression::Uncompressed => 1,
            Compression::Snappy => 32,
            Compression::Lz4 | Compression::Lz4Raw => 256,
            Compression::Gzip => 1100,
            Compression::Zstd => 1 << 16,
            _ => 1 << 22,
        };
        bytes.saturating_mul(times)
    }

    fn take(&mut self, bytes: u64) -> Checked<()> {
        self.budget.take(bytes)?;
        self.pages.taken += bytes;
        Ok(())
    }
}

/// Bytes of a value; none for texts of any length. True and false, which are bits, count as 1.
fn width(physical: PhysicalType) -> Option<usize> {
    match physical {
        PhysicalType::Boolean => Some(1),
        PhysicalType::Int32 | PhysicalType::Float => Some(4),
        PhysicalType::Int64 | PhysicalType::Double => Some(8),
        PhysicalType::Int96 => Some(12),
        PhysicalType::FixedLenByteArray(width) => Some(width),
        PhysicalType::ByteArray => None,
    }
}

fn too_few(n: usize) -> String {
    format!("a page has too few bytes for {n} values")
}

fn levels_cut() -> String {
    "the levels of a page end behind it".to_string()
}

fn one_of(value: u32, most: u32) -> Checked<()> {
    if value <= most { Ok(()) } else { Err(format!("a page has level {value}; the largest is {most}")) }
}

/// Levels of the first form of pages: their length, then as many bytes. None are written if all are 0.
fn level_bytes(bytes: &[u8], most: i16) -> Checked<(&[u8], &[u8])> {
    if most == 0 {
        return Ok((&[], bytes));
    }
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(levels_cut)?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(levels_cut)
}

/// How many of `n` levels, all at most `most`, are `wanted`.
fn counted(bytes: &[u8], most: i16, wanted: i16, n: usize) -> Checked<usize> {
    let most = u32::from(most.max(0) as u16);
    let mut count = 0;
    encodings::runs(bytes, 32 - most.leading_zeros(), n, |level, times| {
        count += if level == wanted as u32 { times } else { 0 };
        one_of(level, most)
    })?;
    Ok(count)
}
