//! `Table`: a polars frame with reading, writing and printing.

use std::fmt;
use std::fs::File;
use std::path::Path;

use polars::prelude::*;

use super::grid;
use super::readers::text::{Records, Text};
use crate::error::{Error, Result};
use crate::files;

/// A table of named columns.
#[derive(Clone, Debug)]
pub struct Table {
    pub frame: DataFrame,
}

/// One value of a table, of the kinds that a person writes down.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl From<&str> for Cell {
    fn from(x: &str) -> Cell {
        Cell::Text(x.into())
    }
}

impl From<String> for Cell {
    fn from(x: String) -> Cell {
        Cell::Text(x)
    }
}

impl From<i64> for Cell {
    fn from(x: i64) -> Cell {
        Cell::Int(x)
    }
}

impl From<usize> for Cell {
    fn from(x: usize) -> Cell {
        i64::try_from(x).map_or(Cell::Float(x as f64), Cell::Int)
    }
}

impl From<f64> for Cell {
    fn from(x: f64) -> Cell {
        Cell::Float(x)
    }
}

impl From<bool> for Cell {
    fn from(x: bool) -> Cell {
        Cell::Bool(x)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(x: Option<T>) -> Cell {
        x.map_or(Cell::Null, Into::into)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => Ok(()),
            Cell::Bool(x) => x.fmt(f),
            Cell::Int(x) => x.fmt(f),
            Cell::Float(x) => x.fmt(f),
            Cell::Text(x) => x.fmt(f),
        }
    }
}

impl Table {
    /// From named columns of cells, all of one length; each column takes the narrowest kind that holds its cells
    /// (true/false, integers, numbers, text), and an empty one is text.
    ///
    /// Errors: two columns of one name, columns of unequal length (both named).
    pub fn from_columns(columns: Vec<(String, Vec<Cell>)>) -> Result<Table> {
        let height = columns.first().map_or(0, |c| c.1.len());
        let mut made: Vec<Column> = Vec::with_capacity(columns.len());
        for (name, cells) in columns {
            if cells.len() != height {
                return Err(Error::argument(format!(
                    "column \"{name}\" has {} rows, but column \"{}\" has {height}",
                    cells.len(),
                    made.first().map_or("", |c| c.name().as_str())
                )));
            }
            if made.iter().any(|c| c.name().as_str() == name) {
                return Err(Error::argument(format!("a table cannot have two columns named \"{name}\"")));
            }
            made.push(column(&name, cells));
        }
        let frame = DataFrame::new(height, made).map_err(|e| problem("a table cannot be made", e))?;
        Ok(Table { frame })
    }

    /// From rows of cells, one cell a column. Errors: two columns of one name, a row of another length (named).
    pub fn from_rows(columns: &[String], rows: Vec<Vec<Cell>>) -> Result<Table> {
        let mut cells: Vec<Vec<Cell>> = columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for (i, row) in rows.into_iter().enumerate() {
            if row.len() != columns.len() {
                return Err(Error::argument(format!(
                    "row {i} has {} cells, but there are {} columns",
                    row.len(),
                    columns.len()
                )));
            }
            cells.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
        }
        Table::from_columns(columns.iter().cloned().zip(cells).collect())
    }

    /// The column names, in order.
    pub fn columns(&self) -> Vec<String> {
        self.frame.get_column_names().iter().map(|n| n.to_string()).collect()
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// All rows. What has no [`Cell`] of its own (dates, lists) becomes text.
    pub fn rows(&self) -> Vec<Vec<Cell>> {
        let mut rows: Vec<Vec<Cell>> =
            (0..self.frame.height()).map(|_| Vec::with_capacity(self.frame.width())).collect();
        for column in self.frame.columns() {
            for (row, value) in rows.iter_mut().zip(column.as_materialized_series().rechunk().iter()) {
                row.push(cell(value));
            }
        }
        rows
    }

    /// One column. Errors: no column of that name, with the nearest.
    pub fn column(&self, name: &str) -> Result<Vec<Cell>> {
        self.known(name)?;
        let column = self.frame.column(name).map_err(|e| problem("a column cannot be read", e))?;
        Ok(column.as_materialized_series().rechunk().iter().map(cell).collect())
    }

    /// Rows in the order of one column, empty cells last; equal ones keep their order.
    pub fn sort(&self, column: &str, descending: bool) -> Result<Table> {
        self.known(column)?;
        let order = SortMultipleOptions::default()
            .with_order_descending(descending)
            .with_nulls_last(true)
            .with_maintain_order(true);
        let frame = self.frame.sort([column], order).map_err(|e| problem("a table cannot be sorted", e))?;
        Ok(Table { frame })
    }

    /// The first `n` rows.
    pub fn head(&self, n: usize) -> Table {
        Table { frame: self.frame.head(Some(n)) }
    }

    /// Writes CSV with a header, whole or not at all.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut frame = self.frame.clone();
        files::write_with(path.as_ref(), |out| CsvWriter::new(out).finish(&mut frame).map_err(std::io::Error::other))
    }

    /// The text that [`Table::write_csv`] writes.
    pub fn to_csv(&self) -> Result<String> {
        let mut bytes = Vec::new();
        CsvWriter::new(&mut bytes)
            .finish(&mut self.frame.clone())
            .map_err(|e| problem("a table cannot be written as CSV", e))?;
        String::from_utf8(bytes).map_err(|_| Error::internal("a table's CSV is not UTF-8"))
    }

    /// Writes Parquet, whole or not at all.
    pub fn write_parquet(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut frame = self.frame.clone();
        files::write_with(path.as_ref(), |out| {
            ParquetWriter::new(out).finish(&mut frame).map(|_| ()).map_err(std::io::Error::other)
        })
    }

    /// Reads CSV with a header; the kinds of the columns are told from all rows.
    ///
    /// Errors name the file and, where there is one, the line: not UTF-8, an open quote, a row of another length.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let text = Text::read(path)?;
        // polars names no line, so the shape is checked first.
        let mut records = Records::new(&text)?;
        let (header, _) = records.header("a line of column names")?;
        while let Some(line) = records.next()? {
            records.expect_fields(header.len(), line)?;
        }
        if let Some(twice) = header.iter().enumerate().find(|(i, name)| header[..*i].contains(name)) {
            return Err(Error::data(format!("{}: column \"{}\" stands twice", path.display(), twice.1)));
        }
        let separator = records.separator();
        let frame = CsvReadOptions::default()
            .with_infer_schema_length(None)
            .map_parse_options(|o| o.with_separator(separator))
            .into_reader_with_file_handle(std::io::Cursor::new(text.without_mark()))
            .finish()
            .map_err(|e| problem(path.display(), e))?;
        Ok(Table { frame })
    }

    /// Reads Parquet. Errors name the file.
    pub fn read_parquet(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let frame = ParquetReader::new(file).finish().map_err(|e| problem(path.display(), e))?;
        Ok(Table { frame })
    }

    fn known(&self, name: &str) -> Result<()> {
        match self.frame.get_column_index(name) {
            Some(_) => Ok(()),
            None => Err(Error::unknown("column", name, self.frame.get_column_names().iter().map(|n| n.as_str()))),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        grid::write(f, self)
    }
}

/// What polars says, cut to its first sentence, after what it is about.
pub(super) fn problem(what: impl fmt::Display, error: PolarsError) -> Error {
    let text = error.to_string();
    let first = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("no reason given");
    Error::data(format!("{what}: {}", first.trim_end_matches('.')))
}

fn column(name: &str, cells: Vec<Cell>) -> Column {
    let has = |kind: fn(&Cell) -> bool| cells.iter().any(kind);
    let text = has(|c| matches!(c, Cell::Text(_)));
    let number = has(|c| matches!(c, Cell::Int(_) | Cell::Float(_)));
    let boolean = has(|c| matches!(c, Cell::Bool(_)));
    let name = PlSmallStr::from_str(name);
    if text || boolean == number {
        let cells = cells.into_iter().map(|c| match c {
            Cell::Null => None,
            other => Some(other.to_string()),
        });
        return StringChunked::from_iter_options(name, cells).into_column();
    }
    if boolean {
        let cells = cells.into_iter().map(|c| if let Cell::Bool(x) = c { Some(x) } else { None });
        return BooleanChunked::from_iter_options(name, cells).into_column();
    }
    if has(|c| matches!(c, Cell::Float(_))) {
        let cells = cells.into_iter().map(|c| match c {
            Cell::Float(x) => Some(x),
            Cell::Int(x) => Some(x as f64),
            _ => None,
        });
        return Float64Chunked::from_iter_options(name, cells).into_column();
    }
    let cells = cells.into_iter().map(|c| if let Cell::Int(x) = c { Some(x) } else { None });
    Int64Chunked::from_iter_options(name, cells).into_column()
}

fn cell(value: AnyValue<'_>) -> Cell {
    match value {
        AnyValue::Null => Cell::Null,
        AnyValue::Boolean(x) => Cell::Bool(x),
        AnyValue::String(x) => Cell::Text(x.into()),
        AnyValue::StringOwned(x) => Cell::Text(x.as_str().into()),
        AnyValue::Float32(x) => Cell::Float(f64::from(x)),
        AnyValue::Float64(x) => Cell::Float(x),
        other => match other.extract::<i64>() {
            Some(x) if other.is_integer() => Cell::Int(x),
            _ => Cell::Text(other.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = ["name", "n", "share", "yes", "empty"].map(String::from);
        let row =
            |name: &str, n: i64, share: Cell, yes: bool| vec![name.into(), n.into(), share, yes.into(), Cell::Null];
        Table::from_rows(
            &columns,
            vec![
                row("cat", 3, 0.5.into(), true),
                row("dog, big", 1, Cell::Null, false),
                row("owl", 2, 2.into_cell(), true),
            ],
        )
        .unwrap()
    }

    trait IntoCell {
        fn into_cell(self) -> Cell;
    }

    impl IntoCell for i64 {
        fn into_cell(self) -> Cell {
            Cell::Int(self)
        }
    }

    #[test]
    fn cells_come_back_with_their_kinds() {
        let rows = table().rows();
        assert_eq!(rows[1], vec!["dog, big".into(), Cell::Int(1), Cell::Null, Cell::Bool(false), Cell::Null]);
        assert_eq!(rows[2][2], Cell::Float(2.0));
        assert_eq!(table().column("n").unwrap(), vec![Cell::Int(3), Cell::Int(1), Cell::Int(2)]);
        let mixed = Table::from_columns(vec![("x".into(), vec![1_i64.into(), "a".into(), true.into()])]).unwrap();
        assert_eq!(mixed.column("x").unwrap(), vec!["1".into(), "a".into(), "true".into()]);
    }

    #[test]
    fn written_tables_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (csv, parquet) = (folder.path().join("deep/a.csv"), folder.path().join("a.parquet"));
        table().write_csv(&csv).unwrap();
        table().write_parquet(&parquet).unwrap();
        assert_eq!(Table::read_parquet(&parquet).unwrap().rows(), table().rows());
        assert_eq!(Table::read_csv(&csv).unwrap().rows(), table().rows());
        assert!(
            std::fs::read_to_string(&csv)
                .unwrap()
                .starts_with("name,n,share,yes,empty\ncat,3,0.5,true,\n\"dog, big\",1,")
        );
    }

    #[test]
    fn sorting_and_heads() {
        assert_eq!(table().sort("n", true).unwrap().head(2).column("n").unwrap(), vec![Cell::Int(3), Cell::Int(2)]);
        assert_eq!(table().sort("share", false).unwrap().column("share").unwrap()[2], Cell::Null);
        assert_eq!(table().sort("nam", false).unwrap_err().help.as_deref(), Some("did you mean \"name\"?"));
    }

    #[test]
    fn mistakes_are_named() {
        let two = [String::from("a"), String::from("a")];
        assert!(Table::from_rows(&two, vec![]).unwrap_err().message.contains("two columns named \"a\""));
        assert!(Table::from_rows(&two[..1], vec![vec![]]).unwrap_err().message.contains("row 0 has 0 cells"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Table::read_csv(&path).unwrap_err().message
        };
        assert!(error(b"a,b\n1,2\n3\n").ends_with("x.csv, line 3: expected 2 fields; got 1"));
        assert!(error(b"a,b\n1,2,3\n").ends_with("x.csv, line 2: expected 2 fields; got 3"));
        assert!(error(b"a,b\n1,\"2\n3,4\n").ends_with("x.csv, line 2: a quote is not closed"));
        assert!(error(b"a,b\n1,\xff\n").ends_with("x.csv, line 2: not UTF-8 text"));
        assert!(error(b"").contains("is empty"));
        assert!(error(b"a,a\n1,2\n").ends_with("column \"a\" stands twice"));
        std::fs::write(&path, b"PAR1 and no more").unwrap();
        assert!(Table::read_parquet(&path).unwrap_err().message.contains("x.csv: "));
    }

    #[test]
    fn an_empty_table_prints() {
        let empty = Table::from_rows(&[String::from("a")], vec![]).unwrap();
        assert!(empty.to_string().contains("0 rows"), "{empty}");
        let nothing = Table::from_rows(&[], vec![]).unwrap();
        assert!(!nothing.to_string().is_empty());
    }
}
