//! A bound on the schema of Arrow in a footer, a flatbuffer.
//!
//! Tables of a flatbuffer may share parts. A few hundred bytes can thus stand for a tree of 2^40 fields, which polars would
//! build. So the fields are counted first.

use super::thrift::Checked;

/// Fields in fields.
const MOST_DEPTH: usize = 32;

/// Bytes of names and metadata per byte of the schema.
const SHARING: usize = 8;

/// Places of a table's fields in its list of offsets.
mod slot {
    pub const MESSAGE_HEADER: usize = 2;
    pub const SCHEMA_FIELDS: usize = 1;
    pub const SCHEMA_METADATA: usize = 2;
    pub const FIELD_NAME: usize = 0;
    pub const FIELD_CHILDREN: usize = 5;
    pub const FIELD_METADATA: usize = 6;
    pub const KEY: usize = 0;
    pub const VALUE: usize = 1;
}

/// Counts the fields of a message with a schema. `elements` is the number of elements of the file's own schema.
pub(super) fn check(message: &[u8], elements: usize) -> Checked<()> {
    if message.len() < 8 {
        return Err("the types in its footer are cut short".to_string());
    }
    // A mark and a length stand before the message; old writers have none.
    let bytes = if message[..4] == [0xff; 4] { &message[8..] } else { message };
    // A list or map of Arrow is two or three elements in Parquet, never fewer than one field.
    let mut left = Left { fields: 2 * elements + 16, bytes: SHARING * bytes.len() };
    let buffer = Buffer(bytes);
    let root = buffer.follow(0)?;
    let Some(schema) = buffer.table(root, slot::MESSAGE_HEADER)? else {
        return Err("the types in its footer are missing".to_string());
    };
    left.pairs(buffer, schema, slot::SCHEMA_METADATA)?;
    left.walk(buffer, schema, slot::SCHEMA_FIELDS, 0)
}

/// What may still come.
struct Left {
    fields: usize,
    bytes: usize,
}

impl Left {
    fn walk(&mut self, buffer: Buffer, table: usize, slot: usize, depth: usize) -> Checked<()> {
        if depth > MOST_DEPTH {
            return Err(format!("the types in its footer are nested more than {MOST_DEPTH} times"));
        }
        for field in buffer.tables(table, slot)? {
            let field = field?;
            self.fields = self.fields.checked_sub(1).ok_or("its footer has more types than columns")?;
            self.text(buffer, field, slot::FIELD_NAME)?;
            self.pairs(buffer, field, slot::FIELD_METADATA)?;
            self.walk(buffer, field, slot::FIELD_CHILDREN, depth + 1)?;
        }
        Ok(())
    }

    fn pairs(&mut self, buffer: Buffer, table: usize, slot: usize) -> Checked<()> {
        for pair in buffer.tables(table, slot)? {
            let pair = pair?;
            // Fields may share one list of empty pairs.
            self.bytes = self.bytes.checked_sub(8).ok_or("its footer has more texts than bytes")?;
            self.text(buffer, pair, slot::KEY)?;
            self.text(buffer, pair, slot::VALUE)?;
        }
        Ok(())
    }

    fn text(&mut self, buffer: Buffer, table: usize, slot: usize) -> Checked<()> {
        let Some(text) = buffer.table(table, slot)? else { return Ok(()) };
        self.bytes = self.bytes.checked_sub(buffer.u32(text)? + 8).ok_or("its footer has more texts than bytes")?;
        Ok(())
    }
}

/// Tables, lists and texts, each with its place.
#[derive(Clone, Copy)]
struct Buffer<'a>(&'a [u8]);

impl<'a> Buffer<'a> {
    fn u32(self, at: usize) -> Checked<usize> {
        let bytes = at.checked_add(4).and_then(|end| self.0.get(at..end)).ok_or_else(outside)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    fn u16(self, at: usize) -> Checked<usize> {
        let bytes = at.checked_add(2).and_then(|end| self.0.get(at..end)).ok_or_else(outside)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]) as usize)
    }

    /// The place that the offset at `at` leads to.
    fn follow(self, at: usize) -> Checked<usize> {
        Ok(at + self.u32(at)?)
    }

    /// The place of a part of a table, if it has that part.
    fn table(self, table: usize, slot: usize) -> Checked<Option<usize>> {
        let back = self.u32(table)? as u32 as i32;
        let offsets = (table as i64 - i64::from(back)).try_into().map_err(|_| outside())?;
        let entry = 4 + 2 * slot;
        if entry + 2 > self.u16(offsets)? {
            return Ok(None);
        }
        match self.u16(offsets + entry)? {
            0 => Ok(None),
            offset => self.follow(table + offset).map(Some),
        }
    }

    /// The places of the tables in a list; none if the table has no such list.
    fn tables(self, table: usize, slot: usize) -> Checked<impl Iterator<Item = Checked<usize>> + use<'a>> {
        let list = self.table(table, slot)?;
        let (start, length) = match list {
            Some(list) => (list + 4, self.u32(list)?),
            None => (0, 0),
        };
        if length.saturating_mul(4).saturating_add(start) > self.0.len() {
            return Err(outside());
        }
        Ok((0..length).map(move |i| self.follow(start + 4 * i)))
    }
}

fn outside() -> String {
    "the types in its footer lie outside of them".to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message whose fields are a chain of tables, each with a list of two children, both of them the next table.
    fn shared(depth: u32) -> Vec<u8> {
        let mut bytes = 36u32.to_le_bytes().to_vec();
        // Where the parts of a table are: fields of a schema and children of a field; then the header of the message.
        bytes.extend([18, 8, 0, 4, 0, 0, 0, 4, 0, 0].iter().flat_map(|x: &u16| x.to_le_bytes()));
        bytes.extend([10, 8, 0, 0, 4, 0].iter().flat_map(|x: &u16| x.to_le_bytes()));
        bytes.extend([12, 4].iter().flat_map(|x: &u32| x.to_le_bytes()));
        for i in 0..depth {
            bytes.extend([40 + 20 * i, 4, 2, 8, 4].iter().flat_map(|x| x.to_le_bytes()));
        }
        // One without children.
        bytes.extend([20 + 20 * depth, 0].iter().flat_map(|x| x.to_le_bytes()));
        bytes
    }

    #[test]
    fn shared_fields_are_counted() {
        assert_eq!(check(&shared(2), 1000), Ok(()));
        assert!(check(&shared(24), 1000).unwrap_err().contains("more types than columns"));
        assert!(check(&shared(40), 1000).unwrap_err().contains("nested more than 32"));
        assert!(check(&[0; 4], 1).is_err());
        assert!(check(&[0xff; 64], 1).is_err());
    }
}
