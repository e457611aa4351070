//! Records of a polars frame, or of a Parquet file that is read in parts.

use std::cell::OnceCell;
use std::path::Path;

use polars::prelude::*;

use super::cells::MOST_ITEMS;
use super::{Field, Records, Source, Truth, parquet};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::tables::{ParquetFile, polars_error};

/// Columns of a Parquet file whose first part is kept.
const FEW: usize = 4;

/// A frame in memory or a Parquet file.
pub struct FrameSource {
    origin: Origin,
    names: Vec<String>,
    /// None for a type that is never read.
    types: Vec<Option<DataType>>,
    height: usize,
    /// Whether the sample and the reading share the first part of a file of few columns, and that part.
    shares: bool,
    first: OnceCell<DataFrame>,
    passed_over: Option<usize>,
}

enum Origin {
    /// With its name for messages.
    Frame(DataFrame, String),
    Parquet(Box<ParquetFile>),
}

impl FrameSource {
    /// `name` is for messages.
    pub fn of_frame(frame: &DataFrame, name: &str) -> FrameSource {
        let names = frame.get_column_names().iter().map(|n| n.to_string()).collect();
        let types = frame.dtypes().into_iter().map(Some).collect();
        let (height, first) = (frame.height(), OnceCell::new());
        let origin = Origin::Frame(frame.clone(), name.into());
        FrameSource { origin, names, types, height, shares: false, first, passed_over: None }
    }

    /// Errors: no whole Parquet file.
    pub fn of_parquet(path: &Path) -> Result<FrameSource> {
        let file = ParquetFile::open(path)?;
        let (names, types) = file.columns().iter().cloned().unzip();
        let height = file.height();
        let (origin, first) = (Origin::Parquet(Box::new(file)), OnceCell::new());
        Ok(FrameSource { origin, names, types, height, shares: false, first, passed_over: None })
    }
}

impl FrameSource {
    /// Reads the first part of a file of few columns whole, for the sample and the reading after it.
    pub fn sharing(self) -> FrameSource {
        FrameSource { shares: true, ..self }
    }

    /// The same with a column that is no label.
    pub fn passing_over(self, column: Option<&str>) -> FrameSource {
        let passed_over = self.names.iter().position(|name| Some(name.as_str()) == column);
        FrameSource { passed_over, ..self }
    }

    /// The first rows of all columns, if these are few and of types that are small. Read once.
    fn first(&self, file: &ParquetFile) -> Result<Option<&DataFrame>> {
        let small = |dtype: &Option<DataType>| dtype.as_ref().is_some_and(|dtype| unread(dtype).is_none());
        if !self.shares || self.names.len() > FEW || !self.types.iter().all(small) {
            return Ok(None);
        }
        if self.first.get().is_none() {
            let _ = self.first.set(file.read(&self.names, 0, parquet::ROWS.min(self.height))?);
        }
        Ok(self.first.get())
    }

    /// Whether a column holds texts or whole numbers.
    pub fn holds_names(&self, column: usize) -> bool {
        self.types[column].as_ref().is_some_and(|dtype| dtype.is_string() || dtype.is_integer())
    }
}

impl Source for FrameSource {
    type Records<'a> = FrameFields<'a>;

    fn names(&self) -> &[String] {
        &self.names
    }

    fn records(&self, columns: &[usize], most: usize) -> Result<FrameFields<'_>> {
        let height = self.height.min(most);
        let large = matches!(self.origin, Origin::Parquet(_)) && height > parquet::ROWS;
        let progress = large.then(|| Progress::new("reading Parquet", height as u64, "rows"));
        // A sample leaves pictures out, which may be gigabytes.
        let sampled = most < usize::MAX;
        let kind = |column: usize| match &self.types[column] {
            None => Some("values of a type that is not read"),
            Some(dtype) => unread(dtype).filter(|_| sampled && columns.len() > 2),
        };
        let columns = columns.iter().map(|&column| (self.names[column].clone(), kind(column))).collect();
        Ok(FrameFields { source: self, columns, height, part: Vec::new(), start: 0, rows: 0, row: 0, progress })
    }

    fn name(&self) -> String {
        match &self.origin {
            Origin::Frame(_, name) => name.clone(),
            Origin::Parquet(file) => file.path().display().to_string(),
        }
    }

    fn unit(&self) -> &'static str {
        "row"
    }

    fn error(&self, place: Option<usize>, message: String) -> Error {
        let place = place.map_or(String::new(), |row| format!(", row {row} (counted from 0)"));
        let error = Error::data(format!("{}{place}: {message}", self.name()));
        match &self.origin {
            Origin::Frame(..) => error,
            Origin::Parquet(file) => error.about_file(file.path()),
        }
    }

    fn passed_over(&self) -> Option<usize> {
        self.passed_over
    }
}

/// The rows of a frame as fields.
pub struct FrameFields<'a> {
    source: &'a FrameSource,
    /// Names; and for a column that is not read, its kind.
    columns: Vec<(String, Option<&'static str>)>,
    height: usize,
    part: Vec<Values>,
    /// The first row of the part, its number of rows, and the rows taken of it.
    start: usize,
    rows: usize,
    row: usize,
    progress: Option<Progress>,
}

/// A column in one of the forms that a field can have.
enum Values {
    /// Numbers or true and false, all of them 0 or 1.
    Flags(Vec<u8>),
    Text(StringChunked),
    Bool(BooleanChunked),
    Int(Int64Chunked),
    Float(Float64Chunked),
    Lists(ListChunked),
    Missing,
    /// A type that holds no names, or a column that is not read.
    Other(&'static str),
}

impl Values {
    /// Errors: a column that polars cannot convert.
    fn of(column: &Column) -> Result<Values, DataType> {
        let series = column.as_materialized_series().rechunk();
        let dtype = series.dtype().clone();
        let cast = |to: &DataType| series.cast(to).map_err(|_| dtype.clone());
        let text = || -> Result<Values, DataType> {
            Ok(Values::Text(cast(&DataType::String)?.str().map_err(|_| dtype.clone())?.clone()))
        };
        if let Some(flags) = flags(&series) {
            return Ok(Values::Flags(flags));
        }
        Ok(match &dtype {
            DataType::Null => Values::Missing,
            DataType::Boolean => Values::Bool(series.bool().map_err(|_| dtype.clone())?.clone()),
            DataType::Float32 | DataType::Float64 => {
                Values::Float(cast(&DataType::Float64)?.f64().map_err(|_| dtype.clone())?.clone())
            }
            // Not all of these fit a signed number.
            DataType::UInt64 => text()?,
            integer if integer.is_integer() => {
                Values::Int(cast(&DataType::Int64)?.i64().map_err(|_| dtype.clone())?.clone())
            }
            DataType::List(inner)
                if inner.is_primitive_numeric() || inner.is_bool() || inner.is_string() || inner.is_null() =>
            {
                Values::Lists(series.list().map_err(|_| dtype.clone())?.clone())
            }
            // Hugging Face's pictures: bytes and path.
            DataType::Struct(fields) if fields.iter().any(|f| f.name() == "path") => {
                let path = series.struct_().and_then(|s| s.field_by_name("path")).map_err(|_| dtype.clone())?;
                Values::Text(path.str().map_err(|_| dtype.clone())?.clone())
            }
            other if unread(other).is_some() => Values::Other(unread(other).unwrap_or_default()),
            _ => text()?,
        })
    }

    /// The columns have one chunk each.
    #[inline]
    fn field(&self, row: usize) -> Result<Field<'_>> {
        Ok(match self {
            Values::Flags(values) => Field::Int(i64::from(values[row])),
            Values::Missing => Field::Null,
            Values::Other(kind) => Field::Other(kind),
            Values::Text(values) => values.downcast_as_array().get(row).map_or(Field::Null, Field::Text),
            Values::Bool(values) => values.downcast_as_array().get(row).map_or(Field::Null, Field::Bool),
            Values::Int(values) => values.downcast_as_array().get(row).map_or(Field::Null, Field::Int),
            Values::Float(values) => values.downcast_as_array().get(row).map_or(Field::Null, Field::Float),
            Values::Lists(values) => match values.get_as_series(row) {
                Some(items) => Field::List(texts(&items)?),
                None => Field::Null,
            },
        })
    }
}

/// The values of a column that holds 0 and 1 alone.
fn flags(series: &Series) -> Option<Vec<u8>> {
    if series.null_count() > 0 {
        return None;
    }
    macro_rules! of_numbers {
        ($values:expr, $zero:literal, $one:literal) => {{
            let values = $values.ok()?.cont_slice().ok()?;
            values
                .iter()
                .all(|x| *x == $zero || *x == $one)
                .then(|| values.iter().map(|x| u8::from(*x == $one)).collect())
        }};
    }
    match series.dtype() {
        DataType::UInt8 => of_numbers!(series.u8(), 0, 1),
        DataType::Int8 => of_numbers!(series.i8(), 0, 1),
        DataType::Int32 => of_numbers!(series.i32(), 0, 1),
        DataType::Int64 => of_numbers!(series.i64(), 0, 1),
        DataType::Float32 => of_numbers!(series.f32(), 0.0, 1.0),
        DataType::Float64 => of_numbers!(series.f64(), 0.0, 1.0),
        _ => None,
    }
}

/// A type that holds no names and may be large, as messages call it.
fn unread(dtype: &DataType) -> Option<&'static str> {
    match dtype {
        DataType::Binary => Some("bytes"),
        DataType::Struct(_) => Some("a structure"),
        DataType::List(inner) if inner.is_nested() || inner.is_binary() => Some("a list of lists or structures"),
        _ => None,
    }
}

/// The items of a list as names; a missing one is empty. Errors: more items than an image can have labels.
fn texts(items: &Series) -> Result<Vec<String>> {
    if items.len() > MOST_ITEMS {
        return Err(Error::data(format!("a list holds {} items; at most {MOST_ITEMS} can be labels", items.len())));
    }
    if items.dtype().is_float() {
        let items = items.cast(&DataType::Float64).map_err(|e| polars_error("a list of numbers", e))?;
        let items = items.f64().map_err(|e| polars_error("a list of numbers", e))?;
        let text = |x: Option<f64>| x.filter(|x| !x.is_nan()).map_or(String::new(), |x| x.to_string());
        return Ok(items.iter().map(text).collect());
    }
    let items = items.cast(&DataType::String).map_err(|e| polars_error("a list of labels", e))?;
    let items = items.str().map_err(|e| polars_error("a list of labels", e))?;
    Ok(items.iter().map(|item| item.unwrap_or_default().to_string()).collect())
}

impl FrameFields<'_> {
    /// Reads the part that begins at `self.start`.
    fn load(&mut self) -> Result<()> {
        interrupt::check()?;
        let rows = (parquet::FIELDS / self.columns.len().max(1)).clamp(1, parquet::ROWS).min(self.height - self.start);
        let shared = match &self.source.origin {
            Origin::Parquet(file) if self.start == 0 => self.source.first(file)?,
            _ => None,
        };
        let rows = shared.map_or(rows, |first| rows.min(first.height()));
        let frame = match (&self.source.origin, shared) {
            (_, Some(first)) => first.slice(0, rows),
            (Origin::Frame(frame, _), None) => frame.slice(self.start as i64, rows),
            (Origin::Parquet(file), None) => {
                let read: Vec<String> =
                    self.columns.iter().filter(|(_, kind)| kind.is_none()).map(|(name, _)| name.clone()).collect();
                file.read(&read, self.start, rows)?
            }
        };
        self.part = (self.columns.iter())
            .map(|(name, kind)| match kind {
                Some(kind) => Ok(Values::Other(kind)),
                None => {
                    let column = frame.column(name).map_err(|e| polars_error(self.source.name(), e))?;
                    Values::of(column).map_err(|dtype| {
                        let message = format!("column \"{name}\" must hold texts or numbers; it holds {dtype}");
                        self.source.error(None, message)
                    })
                }
            })
            .collect::<Result<_>>()?;
        (self.rows, self.row) = (rows, 0);
        if let Some(progress) = &self.progress {
            progress.advance(rows as u64);
        }
        Ok(())
    }
}

impl Records for FrameFields<'_> {
    fn next(&mut self) -> Result<Option<usize>> {
        self.row += 1;
        if self.row > self.rows {
            self.start += self.rows;
            if self.start >= self.height {
                return Ok(None);
            }
            self.load()?;
            self.row = 1;
        }
        Ok(Some(self.start + self.row - 1))
    }

    #[inline]
    fn field(&self, column: usize) -> Result<Field<'_>> {
        self.part[column].field(self.row - 1)
    }

    #[inline]
    fn truth(&self, column: usize) -> Result<Result<Truth, String>> {
        match &self.part[column] {
            Values::Flags(values) => Ok(Ok(if values[self.row - 1] == 1 { Truth::Present } else { Truth::Absent })),
            other => Ok(Truth::of(&other.field(self.row - 1)?)),
        }
    }
}
