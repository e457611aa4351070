//! The header of a page: read from a file, and written anew for polars.

use super::thrift::{Checked, Thrift, kind, write_i32};

/// Kinds of pages.
pub(super) const DATA: i32 = 0;
pub(super) const DICTIONARY: i32 = 2;
pub(super) const DATA_V2: i32 = 3;

/// Encodings of values and levels.
pub(super) mod encoding {
    pub const PLAIN: i32 = 0;
    pub const PLAIN_DICTIONARY: i32 = 2;
    pub const RLE: i32 = 3;
    pub const DIFFERENCES: i32 = 5;
    pub const TEXTS_BEHIND_LENGTHS: i32 = 6;
    pub const TEXTS_BEHIND_PREFIXES: i32 = 7;
    pub const RLE_DICTIONARY: i32 = 8;
    pub const SPLIT_BYTES: i32 = 9;
}

/// The header of a page.
#[derive(Default)]
pub(super) struct Header {
    pub kind: i32,
    pub uncompressed: usize,
    pub compressed: usize,
    pub values: usize,
    pub encoding: i32,
    /// Of the second form of pages: missing values, rows, bytes of levels.
    pub nulls: usize,
    pub rows: Option<usize>,
    pub definition_bytes: usize,
    pub repetition_bytes: usize,
    /// Whether the page is compressed if its column is.
    pub packed: bool,
}

impl Header {
    /// Reads a header and returns its length too.
    pub fn read(bytes: &[u8]) -> Checked<(Header, usize)> {
        let mut thrift = Thrift::new(bytes);
        let (mut kind, mut sizes, mut parts) = (None, [None; 2], None);
        let mut last = 0;
        while let Some((number, type_)) = thrift.field(&mut last)? {
            match (number, type_) {
                (1, kind::I32) => kind = Some(thrift.i32()?),
                (2 | 3, kind::I32) => sizes[number as usize - 2] = Some(thrift.i32()?),
                (5 | 7 | 8, kind::STRUCT) => parts = Some((number, Parts::read(&mut thrift)?)),
                (1..=3 | 5 | 7 | 8, _) => return Err(format!("field {number} has type {type_}")),
                _ => thrift.skip(type_, 0)?,
            }
        }
        let ([Some(uncompressed), Some(compressed)], Some(kind), Some((number, parts))) = (sizes, kind, parts) else {
            return Err("its size or its kind is missing".to_string());
        };
        let mut header = Header {
            kind,
            uncompressed: size(uncompressed)?,
            compressed: size(compressed)?,
            packed: true,
            ..Header::default()
        };
        match (kind, number) {
            (DATA, 5) => {
                header.values = parts.size(1)?;
                header.encoding = parts.number(2)?;
                // The oldest form of levels is not read; columns without levels name it too.
                if parts.numbers[3].is_none() || parts.numbers[4].is_none() {
                    return Err("its encodings are missing".to_string());
                }
            }
            (DICTIONARY, 7) => {
                header.values = parts.size(1)?;
                header.encoding = parts.number(2)?;
            }
            (DATA_V2, 8) => {
                header.values = parts.size(1)?;
                header.nulls = parts.size(2)?;
                header.rows = Some(parts.size(3)?);
                header.encoding = parts.number(4)?;
                header.definition_bytes = parts.size(5)?;
                header.repetition_bytes = parts.size(6)?;
                header.packed = parts.packed.unwrap_or(true);
            }
            _ => return Err(format!("its kind is {kind}")),
        }
        Ok((header, thrift.position()))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let size = self.uncompressed as i32;
        write_i32(out, 1, self.kind);
        write_i32(out, 1, size);
        write_i32(out, 1, size);
        let numbers = [self.values, self.nulls, self.rows.unwrap_or(0)].map(|number| number as i32);
        match self.kind {
            DATA => {
                out.push(2 << 4 | kind::STRUCT);
                for number in [numbers[0], self.encoding, encoding::RLE, encoding::RLE] {
                    write_i32(out, 1, number);
                }
            }
            DICTIONARY => {
                out.push(4 << 4 | kind::STRUCT);
                write_i32(out, 1, numbers[0]);
                write_i32(out, 1, self.encoding);
            }
            _ => {
                out.push(5 << 4 | kind::STRUCT);
                let levels = [self.definition_bytes, self.repetition_bytes].map(|bytes| bytes as i32);
                for number in [numbers[0], numbers[1], numbers[2], self.encoding, levels[0], levels[1]] {
                    write_i32(out, 1, number);
                }
                out.push(1 << 4 | kind::FALSE);
            }
        }
        out.extend([0, 0]);
    }
}

fn size(number: i32) -> Checked<usize> {
    usize::try_from(number).map_err(|_| format!("{number} is no size"))
}

/// The numbers in the part of a header that its kind of page has.
struct Parts {
    numbers: [Option<i32>; 7],
    packed: Option<bool>,
}

impl Parts {
    fn read(thrift: &mut Thrift) -> Checked<Parts> {
        let (mut parts, mut last) = (Parts { numbers: [None; 7], packed: None }, 0);
        while let Some((number, type_)) = thrift.field(&mut last)? {
            match (number, type_) {
                (1..=6, kind::I32) => parts.numbers[number as usize] = Some(thrift.i32()?),
                (7, kind::TRUE | kind::FALSE) => parts.packed = Some(type_ == kind::TRUE),
                _ => thrift.skip(type_, 0)?,
            }
        }
        Ok(parts)
    }

    fn number(&self, number: usize) -> Checked<i32> {
        self.numbers[number].ok_or_else(|| format!("its field {number} is missing"))
    }

    fn size(&self, number: usize) -> Checked<usize> {
        size(self.number(number)?)
    }
}
