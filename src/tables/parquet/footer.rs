//! The footer of a Parquet file: checked as bytes, read by polars, and compared with the file.

use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine as _;
use polars_parquet::read::{FileMetadata, read_metadata};

use super::arrow_schema;
use super::thrift::{Checked, Fields, Shape, Thrift, kind};

/// Groups in groups of a schema.
const MOST_DEPTH: usize = 32;

/// The name under which writers keep the types of Arrow.
const ARROW_SCHEMA: &str = "ARROW:schema";

const I32: Shape = Shape::Number(kind::I32);
const I64: Shape = Shape::Number(kind::I64);

static ELEMENT: Fields = Fields {
    known: &[
        (1, I32),
        (2, I32),
        (3, I32),
        (4, Shape::Binary),
        (5, I32),
        (6, I32),
        (7, I32),
        (8, I32),
        (9, I32),
        (10, Shape::AnyStruct),
    ],
    required: &[4],
};

static STATISTICS: Fields = Fields {
    known: &[
        (1, Shape::Binary),
        (2, Shape::Binary),
        (3, I64),
        (4, I64),
        (5, Shape::Binary),
        (6, Shape::Binary),
        (7, Shape::Bool),
        (8, Shape::Bool),
    ],
    required: &[],
};

static COLUMN: Fields = Fields {
    known: &[
        (1, I32),
        (2, Shape::List(&I32)),
        (3, Shape::List(&Shape::Binary)),
        (4, I32),
        (5, I64),
        (6, I64),
        (7, I64),
        (9, I64),
        (10, I64),
        (11, I64),
        (12, Shape::Struct(&STATISTICS)),
        (14, I64),
        (15, I32),
    ],
    required: &[4, 5, 6, 7, 9],
};

static CHUNK: Fields = Fields {
    known: &[(1, Shape::Binary), (2, I64), (3, Shape::Struct(&COLUMN)), (4, I64), (5, I32), (6, I64), (7, I32)],
    required: &[3],
};

static SORTING: Fields = Fields { known: &[(1, I32), (2, Shape::Bool), (3, Shape::Bool)], required: &[1, 2, 3] };

static ROW_GROUP: Fields = Fields {
    known: &[
        (1, Shape::List(&Shape::Struct(&CHUNK))),
        (2, I64),
        (3, I64),
        (4, Shape::List(&Shape::Struct(&SORTING))),
        (5, I64),
        (6, I64),
        (7, Shape::Number(kind::I16)),
    ],
    required: &[1, 2, 3],
};

static KEY_VALUE: Fields = Fields { known: &[(1, Shape::Binary), (2, Shape::Binary)], required: &[1] };

static FILE: Fields = Fields {
    known: &[
        (1, I32),
        (2, Shape::List(&Shape::Struct(&ELEMENT))),
        (3, I64),
        (4, Shape::List(&Shape::Struct(&ROW_GROUP))),
        (5, Shape::List(&Shape::Struct(&KEY_VALUE))),
        (6, Shape::Binary),
        (7, Shape::List(&Shape::AnyStruct)),
    ],
    required: &[1, 2, 3, 4],
};

/// Reads the end of a file: the footer, its length and PAR1. `length` is the file's.
pub(super) fn read(end: &[u8], length: u64) -> Checked<FileMetadata> {
    let elements = check(end)?;
    // polars panics on numbers without a meaning. It looks for the footer from the end on.
    let file = [b"PAR1", end].concat();
    let parsed = catch_unwind(AssertUnwindSafe(|| read_metadata(&mut std::io::Cursor::new(file))));
    let metadata = match parsed {
        Ok(Ok(metadata)) => metadata,
        Ok(Err(_)) | Err(_) => return Err("its footer has no meaning".to_string()),
    };
    check_groups(&metadata, length - end.len() as u64)?;
    for pair in metadata.key_value_metadata().iter().flatten().filter(|pair| pair.key == ARROW_SCHEMA) {
        let text = pair.value.as_deref().unwrap_or_default();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text);
        arrow_schema::check(&bytes.map_err(|_| "the types in its footer are not in base 64")?, elements)?;
    }
    Ok(metadata)
}

/// Passes over the footer. Returns the number of elements of its schema.
fn check(end: &[u8]) -> Checked<usize> {
    let mut thrift = Thrift::new(&end[..end.len() - 8]);
    let mut children = Vec::new();
    thrift
        .check_fields(&FILE, |number, kind, thrift| {
            if (number, kind) != (2, kind::LIST) {
                return Ok(false);
            }
            let (_, length) = thrift.list()?;
            children.clear();
            for _ in 0..length {
                let mut own = 0;
                thrift.check_fields(&ELEMENT, |number, _, thrift| {
                    if number == 5 {
                        own = thrift.i32()?;
                    }
                    Ok(number == 5)
                })?;
                children.push(own);
            }
            Ok(true)
        })
        .map_err(|why| format!("its footer cannot be read: {why}"))?;
    check_tree(&children)?;
    Ok(children.len())
}

/// The schema is a tree whose elements give their numbers of children.
fn check_tree(children: &[i32]) -> Checked<()> {
    // Children still to come, per open group.
    let mut open: Vec<i32> = Vec::new();
    for (i, &own) in children.iter().enumerate() {
        if own < 0 || i > 0 && open.is_empty() {
            return Err("its schema is no tree".to_string());
        }
        if let Some(rest) = open.last_mut() {
            *rest -= 1;
        }
        if own > 0 {
            open.push(own);
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > MOST_DEPTH {
            return Err(format!("its schema is nested more than {MOST_DEPTH} times"));
        }
    }
    if open.is_empty() { Ok(()) } else { Err("its schema ends within a group".to_string()) }
}

/// Numbers of rows and places of columns. `end` is where the footer begins.
fn check_groups(metadata: &FileMetadata, end: u64) -> Checked<()> {
    let mut rows = 0usize;
    for group in &metadata.row_groups {
        // polars counts rows in 32 bits.
        rows = rows
            .checked_add(group.num_rows())
            .filter(|&rows| rows < u32::MAX as usize)
            .ok_or("it has too many rows")?;
        for column in group.parquet_columns() {
            let (start, size) = (column.byte_range().start, column.compressed_size());
            let inside = u64::try_from(size).ok().and_then(|size| start.checked_add(size)).is_some_and(|to| to <= end);
            if !inside || start < 4 {
                return Err("a column lies outside of it".to_string());
            }
            let values = column.num_values();
            let flat = column.descriptor().descriptor.max_rep_level == 0;
            if values < 0 || flat && values as u64 != group.num_rows() as u64 {
                let (values, rows) = (values, group.num_rows());
                return Err(format!("a column has {values} values in {rows} rows"));
            }
        }
    }
    if rows != metadata.num_rows {
        return Err(format!("its parts have {rows} rows together; {} were expected", metadata.num_rows));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_a_tree() {
        assert_eq!(check_tree(&[2, 0, 1, 0]), Ok(()));
        assert!(check_tree(&[2, 0]).is_err());
        assert!(check_tree(&[1, 0, 0]).is_err());
        assert!(check_tree(&[-1]).is_err());
        assert!(check_tree(&[1, i32::MAX, 0]).is_err());
        let deep: Vec<i32> = std::iter::repeat_n(1, 100_000).chain([0]).collect();
        assert!(check_tree(&deep).unwrap_err().contains("nested more than 32"));
    }
}
