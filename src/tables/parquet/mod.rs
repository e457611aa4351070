//! Parquet files. All are read here.
//!
//! polars' decoders trust a file: numbers in it decide how much memory they take, and some of its mistakes end in a
//! panic. So nothing of a file reaches them unchecked.
//!
//! | step | file |
//! |---|---|
//! | the footer is passed over as bytes, so that no list in it is longer than the footer | `thrift`, `footer` |
//! | the types that Arrow's writers add are counted, and compared with the columns | `arrow_schema`, `schema` |
//! | columns lie inside of the file, and have as many rows as their row group | `footer` |
//! | pages are decompressed and their numbers compared with their bytes | `page_header`, `pages`, `encodings` |
//! | the memory that all of it takes is counted before it is taken | `budget` |
//! | dates and times are in the calendar | `values` |
//!
//! A panic of polars is caught and becomes an error. An allocation that fails could not be caught in this process: it aborts.
//! This is why sizes are checked first; a file that passes and still needs more memory than there is ends the
//! process. Files are read, not mapped: one that is cut meanwhile gives an error.

mod arrow_schema;
mod budget;
mod encodings;
mod footer;
mod page_header;
mod pages;
mod schema;
mod thrift;
mod values;

use std::collections::HashMap;
use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::*;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet::parquet::read::{PageMetaData, PageReader};
use polars_parquet::read::{BasicDecompressor, FileMetadata, Filter, column_iter_to_arrays};
use rayon::prelude::*;

use self::budget::Budget;
use self::pages::Rows;
use self::thrift::Checked;
use crate::activity;
use crate::error::{Error, Result};
use crate::files;

/// PAR1, and before it the length of the footer.
const END: u64 = 8;

/// A Parquet file whose footer was read and checked.
pub(crate) struct ParquetFile {
    path: PathBuf,
    file: File,
    length: u64,
    metadata: FileMetadata,
    schema: ArrowSchema,
    columns: Vec<(String, Option<DataType>)>,
    zoned: Vec<String>,
    places: HashMap<String, usize>,
}

impl ParquetFile {
    /// Opens a file and reads its footer.
    ///
    /// Errors name the file: no Parquet, a damaged footer.
    pub fn open(path: &Path) -> Result<ParquetFile> {
        let file = files::open(path)?;
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let incomplete = || {
            let why = "the file is cut short, or it is no Parquet";
            Error::data(format!("{} is not a complete Parquet file: {why}", path.display())).about_file(path)
        };
        if length == 0 {
            return Err(Error::in_file(path, "the file is empty"));
        }
        if length < 4 + END {
            return Err(incomplete());
        }
        let last = bytes(&file, path, length - END, END)?;
        let (size, mark) = last.split_at(4);
        let size = u64::from(u32::from_le_bytes([size[0], size[1], size[2], size[3]]));
        if mark != b"PAR1" || size > length - END - 4 {
            return Err(incomplete());
        }
        let damaged = |why: String| damaged(path, &why);
        let end = bytes(&file, path, length - END - size, size + END)?;
        let metadata = footer::read(&end, length).map_err(damaged)?;
        let (schema, zoned) = caught(|| schema::of(&metadata)).map_err(damaged)?;
        let columns = caught(|| Ok(schema.iter().map(|(name, field)| schema::column(name, field)).collect::<Vec<_>>()))
            .map_err(damaged)?;
        let places = columns.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        Ok(ParquetFile { path: path.to_path_buf(), file, length, metadata, schema, columns, zoned, places })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the columns and their types; no type for one that is not read.
    pub fn columns(&self) -> &[(String, Option<DataType>)] {
        &self.columns
    }

    /// The columns of times with a time zone, which are read in UTC.
    pub fn zoned(&self) -> &[String] {
        &self.zoned
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.metadata.num_rows
    }

    /// Some columns, in the order of `names`, of up to `rows` rows from row `start` on.
    ///
    /// Errors name the file and the column: damaged pages, values that need too much memory.
    pub fn read(&self, names: &[String], start: usize, rows: usize) -> Result<DataFrame> {
        let end = start.saturating_add(rows).min(self.height());
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let known = self.places.get(name).filter(|&&place| self.columns[place].1.is_some());
            let place = known.ok_or_else(|| {
                Error::in_file(&self.path, format!("column \"{name}\" is missing or of a type that is not read"))
            })?;
            columns.push(*place);
        }
        // Parts of row groups, for each column.
        let (mut groups, mut first) = (Vec::new(), 0);
        for (group, metadata) in self.metadata.row_groups.iter().enumerate() {
            let here = first..first + metadata.num_rows();
            first = here.end;
            let wanted = start.max(here.start)..end.min(here.end);
            if wanted.start < wanted.end {
                groups.push((group, wanted.start - here.start..wanted.end - here.start));
            }
        }
        let budget = Budget::of_file(self.length);
        let activity = activity::current();
        let read = |at: usize| -> Result<Series> {
            activity.check()?;
            let (column, (group, wanted)) = (columns[at / groups.len()], &groups[at % groups.len()]);
            self.part(column, *group, wanted, &budget)
        };
        let parts: Vec<Series> = (0..columns.len() * groups.len()).into_par_iter().map(read).collect::<Result<_>>()?;
        let mut parts = parts.into_iter();
        let mut all = Vec::with_capacity(columns.len());
        for &column in &columns {
            let whole = caught(|| {
                let mut whole = match parts.next().filter(|_| !groups.is_empty()) {
                    Some(part) => part,
                    None => {
                        let (name, dtype) = &self.columns[column];
                        return Ok(Series::new_empty(name.as_str().into(), dtype.as_ref().unwrap_or(&DataType::Null)));
                    }
                };
                for part in parts.by_ref().take(groups.len() - 1) {
                    whole.append_owned(part).map_err(|_| "its parts have different types")?;
                }
                Ok(whole)
            });
            all.push(whole.map_err(|why| self.in_column(column, &why))?.into_column());
        }
        let height = end.saturating_sub(start);
        DataFrame::new(height, all).map_err(|_| damaged(&self.path, "its columns differ in length"))
    }

    /// A column's part of a row group.
    fn part(&self, column: usize, group: usize, wanted: &Range<usize>, budget: &Budget) -> Result<Series> {
        let name = &self.columns[column].0;
        let group = &self.metadata.row_groups[group];
        let chunks: Vec<&ColumnChunkMetadata> = group.columns_under_root_iter(name).into_iter().flatten().collect();
        let rows = Rows { wanted: wanted.clone(), all: group.num_rows(), skip: chunks.len() == 1 };
        let (mut readers, mut types, mut before, mut taken) = (Vec::new(), Vec::new(), 0, 0);
        let damaged = |why: String| match budget.exceeded() {
            true => Error::in_file(&self.path, format!("column \"{name}\": {why}")),
            false => self.in_column(column, &why),
        };
        for chunk in chunks {
            let size = chunk.compressed_size().max(0) as u64;
            budget.take(size).map_err(damaged)?;
            let compressed = bytes(&self.file, &self.path, chunk.byte_range().start, size)?;
            let pages = caught(|| pages::checked(&compressed, chunk, &rows, budget)).map_err(damaged)?;
            budget.give(size);
            (before, taken) = (pages.before, taken + pages.taken);
            let descriptor = chunk.descriptor().descriptor.clone();
            let plain = PageMetaData::new(0, pages.values, Compression::Uncompressed, descriptor);
            let reader = PageReader::new_with_page_meta(Cursor::new(pages.bytes.into()), plain, Vec::new(), usize::MAX);
            readers.push(reader);
            types.push(&chunk.descriptor().descriptor.primitive_type);
        }
        let series = caught(|| {
            let readers = readers.into_iter().map(|reader| BasicDecompressor::new(reader, Vec::new())).collect();
            let (_, field) = self.schema.get_at_index(column).ok_or("it is missing")?;
            let filter = Filter::new_ranged(wanted.start - before, wanted.end - before);
            let decoded = column_iter_to_arrays(readers, types, field.clone(), Some(filter));
            let (arrays, _) = decoded.map_err(|_| "its values cannot be decoded, or their form is not supported")?;
            let series = Series::try_from((field, arrays)).map_err(|_| "its values have another type than it")?;
            if series.len() != wanted.len() {
                return Err(format!("it has {} rows; {} were expected", series.len(), wanted.len()));
            }
            values::check(&series)?;
            Ok(series)
        })
        .map_err(damaged)?;
        // The column itself stays.
        budget.give(taken);
        budget.take(series.estimated_size() as u64).map_err(damaged)?;
        Ok(series)
    }

    fn in_column(&self, column: usize, why: &str) -> Error {
        damaged(&self.path, &format!("column \"{}\": {why}", self.columns[column].0))
    }
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::in_file(path, format!("a damaged Parquet file ({why})"))
}

/// Runs code of polars, whose panics become errors.
fn caught<T>(work: impl FnOnce() -> Checked<T>) -> Checked<T> {
    let panicked = |_| Err("a value has no meaning".to_string());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

/// Bytes of a file. Errors: the file has become shorter.
fn bytes(file: &File, path: &Path, at: u64, length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length as usize).map_err(|_| Error::io(path, "there is too little memory to read it"))?;
    bytes.resize(length as usize, 0);
    file.read_exact_at(&mut bytes, at).map_err(|e| Error::io(path, e))?;
    Ok(bytes)
}
