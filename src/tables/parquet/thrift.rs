//! Thrift's compact protocol, in which Parquet writes its footer and the headers of its pages.
//!
//! A [`Thrift`] reads no length without comparing it with the bytes that are left, so a list or text is never longer than
//! what the file holds. A [`Shape`] says which fields a structure has: polars reads each field as the type that it
//! expects, whatever type the file gives it.

/// Levels of structures in structures.
const MOST_DEPTH: usize = 16;

/// What is wrong, as the end of a sentence about a file.
pub(super) type Checked<T> = Result<T, String>;

/// The types of the protocol, as they are written.
pub(super) mod kind {
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const MAP: u8 = 11;
    pub const STRUCT: u8 = 12;
}

/// The form that a value must have.
pub(super) enum Shape {
    Bool,
    Number(u8),
    Binary,
    List(&'static Shape),
    Struct(&'static Fields),
    /// A structure with whatever fields.
    AnyStruct,
}

/// The known fields of a structure by number, and those that it must have.
pub(super) struct Fields {
    pub known: &'static [(i16, Shape)],
    pub required: &'static [i16],
}

/// A reader of a text of bytes.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn cut() -> String {
    "it ends in the middle of a value".to_string()
}

impl<'a> Thrift<'a> {
    pub fn new(bytes: &'a [u8]) -> Thrift<'a> {
        Thrift { bytes, at: 0 }
    }

    /// The bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn byte(&mut self) -> Checked<u8> {
        let byte = *self.bytes.get(self.at).ok_or_else(cut)?;
        self.at += 1;
        Ok(byte)
    }

    fn jump(&mut self, n: usize) -> Checked<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len()).ok_or_else(cut)?;
        let passed = &self.bytes[self.at..end];
        self.at = end;
        Ok(passed)
    }

    fn unsigned(&mut self) -> Checked<u64> {
        let (value, length) = varint(&self.bytes[self.at..])?;
        self.at += length;
        Ok(value)
    }

    pub fn integer(&mut self) -> Checked<i64> {
        self.unsigned().map(unzigzag)
    }

    pub fn i32(&mut self) -> Checked<i32> {
        self.integer()?.try_into().map_err(|_| "a number has more than 32 bits".to_string())
    }

    pub fn binary(&mut self) -> Checked<&'a [u8]> {
        let length = self.unsigned()?;
        self.jump(usize::try_from(length).map_err(|_| cut())?)
    }

    /// The number and type of the next field of a structure; `None` at its end.
    pub fn field(&mut self, last: &mut i16) -> Checked<Option<(i16, u8)>> {
        let head = self.byte()?;
        let kind = head & 0xf;
        if kind == 0 {
            return Ok(None);
        }
        *last = match head >> 4 {
            0 => self.integer()?.try_into().ok(),
            step => last.checked_add(i16::from(step)),
        }
        .ok_or("a field has no valid number")?;
        Ok(Some((*last, kind)))
    }

    /// The type of a list's items and their number, which is at most the number of bytes left.
    pub fn list(&mut self) -> Checked<(u8, usize)> {
        let head = self.byte()?;
        let length = match head >> 4 {
            15 => self.unsigned()?,
            few => u64::from(few),
        };
        match usize::try_from(length).ok().filter(|&length| length <= self.left()) {
            Some(length) => Ok((head & 0xf, length)),
            None => Err(format!("a list of {length} items is longer than the bytes that follow")),
        }
    }

    /// Passes a value of any type.
    pub fn skip(&mut self, kind: u8, depth: usize) -> Checked<()> {
        if depth > MOST_DEPTH {
            return Err("structures are nested too deeply".to_string());
        }
        match kind {
            kind::TRUE | kind::FALSE => {}
            kind::BYTE => drop(self.byte()?),
            kind::I16 | kind::I32 | kind::I64 => drop(self.unsigned()?),
            kind::DOUBLE => drop(self.jump(8)?),
            kind::BINARY => drop(self.binary()?),
            kind::LIST | kind::SET => {
                let (item, length) = self.list()?;
                for _ in 0..length {
                    self.skip_item(item, depth)?;
                }
            }
            kind::MAP => {
                let length = self.unsigned()?;
                if length > self.left() as u64 {
                    return Err(cut());
                }
                let kinds = if length > 0 { self.byte()? } else { 0 };
                for _ in 0..length {
                    self.skip_item(kinds >> 4, depth)?;
                    self.skip_item(kinds & 0xf, depth)?;
                }
            }
            kind::STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth + 1)?;
                }
            }
            other => return Err(format!("{other} is no type of a value")),
        }
        Ok(())
    }

    /// In a list, true and false are bytes.
    fn skip_item(&mut self, kind: u8, depth: usize) -> Checked<()> {
        match kind {
            kind::TRUE | kind::FALSE => self.byte().map(drop),
            kind => self.skip(kind, depth + 1),
        }
    }

    /// Passes a value that must have a form. `kind` is the type that the file gives it.
    pub fn check(&mut self, shape: &Shape, kind: u8) -> Checked<()> {
        let wrong = || Err(format!("a field has type {kind}, which is not its own"));
        match (shape, kind) {
            (Shape::Bool, kind::TRUE | kind::FALSE) => Ok(()),
            (Shape::Number(own), _) if *own == kind => self.skip(kind, 0),
            (Shape::Binary, kind::BINARY) => self.skip(kind, 0),
            (Shape::AnyStruct, kind::STRUCT) => self.skip(kind, 0),
            (Shape::List(item), kind::LIST) => {
                let (kind, length) = self.list()?;
                for _ in 0..length {
                    match item {
                        Shape::Bool => drop(self.byte()?),
                        item => self.check(item, kind)?,
                    }
                }
                Ok(())
            }
            (Shape::Struct(fields), kind::STRUCT) => self.check_fields(fields, |_, _, _| Ok(false)),
            _ => wrong(),
        }
    }

    /// Passes the fields of a structure. `read` may take a field for itself: then it reads it and answers true.
    pub fn check_fields(
        &mut self,
        fields: &Fields,
        mut read: impl FnMut(i16, u8, &mut Self) -> Checked<bool>,
    ) -> Checked<()> {
        let (mut last, mut seen) = (0, 0u64);
        while let Some((number, kind)) = self.field(&mut last)? {
            if (0..64).contains(&number) {
                seen |= 1 << number;
            }
            let known = fields.known.iter().find(|(known, _)| *known == number);
            match known {
                // A wrong type is refused before `read` sees the value.
                Some((_, shape @ (Shape::Number(_) | Shape::Binary))) if !shape.is(kind) => self.check(shape, kind)?,
                _ if read(number, kind, self)? => {}
                Some((_, shape)) => self.check(shape, kind)?,
                None => self.skip(kind, 0)?,
            }
        }
        match fields.required.iter().find(|&&number| seen & (1 << number) == 0) {
            Some(number) => Err(format!("a structure lacks its field {number}")),
            None => Ok(()),
        }
    }
}

impl Shape {
    fn is(&self, kind: u8) -> bool {
        match self {
            Shape::Number(own) => *own == kind,
            Shape::Binary => kind == kind::BINARY,
            _ => true,
        }
    }
}

/// A number of 7 bits per byte, lowest first, and its number of bytes, at most ten.
pub(super) fn varint(bytes: &[u8]) -> Checked<(u64, usize)> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).wrapping_shl(7 * i as u32);
        if byte & 0x80 == 0 {
            return Ok((value, i + 1));
        }
    }
    Err(if bytes.len() < 10 { cut() } else { "a number has more than 64 bits".to_string() })
}

/// Signed numbers as they are written: 0, -1, 1, -2, ...
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends a number of a structure's field, `step` fields after the one before.
pub(super) fn write_i32(out: &mut Vec<u8>, step: u8, value: i32) {
    out.push(step << 4 | kind::I32);
    let mut rest = (value << 1 ^ value >> 31) as u32;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_written() {
        for value in [0, 1, -1, 63, -64, 300, i32::MAX, i32::MIN] {
            let mut out = Vec::new();
            write_i32(&mut out, 1, value);
            out.push(0);
            let (mut thrift, mut last) = (Thrift::new(&out), 0);
            assert_eq!(thrift.field(&mut last).unwrap(), Some((1, kind::I32)));
            assert_eq!(thrift.i32().unwrap(), value);
            assert_eq!(thrift.field(&mut last).unwrap(), None);
        }
    }

    #[test]
    fn lengths_are_compared_with_what_is_there() {
        // A list of 2^31 - 1 structures in six bytes; a text of as many bytes; a number without an end.
        let long = [0xff, 0xff, 0xff, 0xff, 0x07];
        let list = [&[0xfc][..], &long].concat();
        assert!(Thrift::new(&list).list().unwrap_err().contains("2147483647 items"));
        assert!(Thrift::new(&long).binary().is_err());
        assert!(Thrift::new(&[0x80; 12]).integer().unwrap_err().contains("more than 64 bits"));
        // Structures in structures.
        assert!(Thrift::new(&[0x1c; 100]).skip(kind::STRUCT, 0).unwrap_err().contains("too deeply"));
        assert!(Thrift::new(&[0x19; 100]).skip(kind::LIST, 0).unwrap_err().contains("too deeply"));
    }

    #[test]
    fn a_field_has_its_own_type() {
        static FIELDS: Fields = Fields { known: &[(1, Shape::Number(kind::I32))], required: &[1] };
        let check = |bytes: &[u8]| Thrift::new(bytes).check(&Shape::Struct(&FIELDS), kind::STRUCT);
        assert_eq!(check(&[0x15, 2, 0]), Ok(()));
        assert!(check(&[0x19, 0x05, 0]).unwrap_err().contains("type 9"));
        assert!(check(&[0x25, 2, 0]).unwrap_err().contains("lacks its field 1"));
    }
}
