//! Tables read from and written to CSV and Parquet.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use polars::prelude::*;

use super::csv_file::CsvFile;
use super::parquet::ParquetFile;
use super::polars_error::{polars_error, said};
use super::table::Table;
use super::text_file::{TextFile, trimmed};
use crate::activity::console;
use crate::error::{Error, Result};
use crate::files;

impl Table {
    /// The table with an apostrophe before each text and column name that a spreadsheet would take for a formula: those
    /// that begin with one of `= + - @`, also in their wide forms, or with a tab or an end of a line. Numbers stay. Reading
    /// the table again gives the apostrophes.
    ///
    /// This is the advice of OWASP on CSV injection. Errors: two columns that would have one name.
    pub fn guarded(&self) -> Result<Table> {
        let failed = |e| polars_error("a table cannot be guarded", e);
        let mut columns = Vec::with_capacity(self.frame.width());
        for column in self.frame.columns() {
            let column = match column.dtype() {
                DataType::Categorical(..) | DataType::Enum(..) => column.cast(&DataType::String).map_err(failed)?,
                _ => column.clone(),
            };
            let guarded = match column.str() {
                Ok(texts) => texts.apply_values(guarded).into_column(),
                Err(_) => column.clone(),
            };
            columns.push(guarded.with_name(guarded_name(column.name())));
        }
        Ok(Table { frame: DataFrame::new(self.height(), columns).map_err(failed)? })
    }

    /// Writes CSV with a header, whole or not at all.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut frame = self.frame.clone();
        files::write_with(path.as_ref(), |out| {
            self.csv_writer(out).finish(&mut frame).map_err(|e| std::io::Error::other(said(e)))
        })
    }

    /// Texts are quoted where they must be. All are if blanks at the ends of one belong to it.
    fn csv_writer<W: Write>(&self, out: W) -> CsvWriter<W> {
        let ends = |text: &str| text != trimmed(text);
        let cells = |column: &Column| column.str().is_ok_and(|texts| texts.iter().flatten().any(ends));
        let names = self.frame.get_column_names().iter().any(|name| ends(name));
        let blanks = names || self.frame.columns().iter().any(cells);
        CsvWriter::new(out).with_quote_style(if blanks { QuoteStyle::NonNumeric } else { QuoteStyle::Necessary })
    }

    /// The text that [`Table::write_csv`] writes.
    pub fn to_csv(&self) -> Result<String> {
        let mut bytes = Vec::new();
        self.csv_writer(&mut bytes)
            .finish(&mut self.frame.clone())
            .map_err(|e| polars_error("a table cannot be written as CSV", e))?;
        String::from_utf8(bytes).map_err(|_| Error::internal("a table's CSV is not UTF-8"))
    }

    /// Writes Parquet, whole or not at all.
    pub fn write_parquet(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut frame = self.frame.clone();
        files::write_with(path.as_ref(), |out| {
            ParquetWriter::new(out).finish(&mut frame).map(|_| ()).map_err(|e| std::io::Error::other(said(e)))
        })
    }

    /// Reads CSV with a header; the types of the columns are inferred from all rows. A column in which digits begin with a
    /// zero (000005) is text, so that names keep their zeros.
    ///
    /// Errors name the file and, where there is one, the line: not UTF-8, an open quote, a row of another length.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let text = TextFile::read(path)?;
        // polars' errors name no line, so quotes and lengths of rows are checked first.
        let csv = CsvFile::new(&text, None)?;
        let mut records = csv.records();
        let (header, _) = records.header("a line of column names")?;
        let mut codes = vec![false; header.len()];
        while let Some(line) = records.next()? {
            records.expect_fields(header.len(), line)?;
            codes.iter_mut().enumerate().for_each(|(i, code)| *code |= is_code(records.field(i)));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = header.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(Error::in_file(path, format!("column \"{twice}\" appears twice")));
        }
        let codes = header.iter().zip(codes).filter(|(_, code)| *code);
        let texts: Schema = codes.map(|(name, _)| Field::new(name.as_str().into(), DataType::String)).collect();
        for note in &csv.notes {
            console::log(&format!("{}: {note}", path.display()));
        }
        let mut frame = CsvReadOptions::default()
            .with_infer_schema_length(None)
            .with_schema_overwrite(Some(Arc::new(texts)))
            .map_parse_options(|o| o.with_separator(csv.delimiter()))
            .into_reader_with_file_handle(std::io::Cursor::new(csv.text()))
            .finish()
            .map_err(|e| polars_error(path.display(), e).about_file(path))?;
        // polars keeps doubled quotes in names.
        frame.set_column_names(&header).map_err(|e| polars_error(path.display(), e).about_file(path))?;
        Ok(Table { frame })
    }

    /// Reads Parquet. Columns of a type that has no form here (decimals, lists of fixed length) are left out and said.
    ///
    /// Errors name the file.
    pub fn read_parquet(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let file = ParquetFile::open(path)?;
        let (read, left): (Vec<_>, Vec<_>) = file.columns().iter().partition(|(_, dtype)| dtype.is_some());
        if !left.is_empty() {
            let columns = left.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            console::log(&format!("{}: left out, since their types are not read: {columns}", path.display()));
        }
        if !file.zoned().is_empty() {
            let columns = file.zoned().iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            console::log(&format!("{}: times with a time zone are read in UTC: {columns}", path.display()));
        }
        let read: Vec<String> = read.iter().map(|(name, _)| name.clone()).collect();
        Ok(Table { frame: file.read(&read, 0, file.height())? })
    }
}

/// A text with an apostrophe where a spreadsheet would take it for a formula.
fn guarded(text: &str) -> Cow<'_, str> {
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    if text.starts_with(FORMULA) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn guarded_name(name: &str) -> PlSmallStr {
    PlSmallStr::from_str(&guarded(name))
}

/// Whether a field is digits that a number would not give back, such as 000005.
fn is_code(field: &str) -> bool {
    matches!(field.as_bytes(), [b'0', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::super::Cell;
    use super::*;

    fn table() -> Table {
        let columns = ["name", "n", "share", "yes", "empty"].map(String::from);
        let cat = vec!["cat".into(), Cell::Int(3), Cell::Float(0.5), Cell::Bool(true), Cell::Null];
        let dog = vec!["dog, big".into(), Cell::Int(1), Cell::Null, Cell::Bool(false), Cell::Null];
        Table::from_rows(&columns, vec![cat, dog]).unwrap()
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
    fn formulas_are_guarded_and_numbers_stay() {
        let columns = ["=name", "n"].map(String::from);
        let texts = ["=1+2", "+x", "-x", "@x", "\tx", "\u{ff1d}1", "a=b", "'=x", ""];
        let rows = texts.iter().enumerate().map(|(i, text)| vec![(*text).into(), Cell::Int(-(i as i64))]).collect();
        let table = Table::from_rows(&columns, rows).unwrap();
        let guarded = table.guarded().unwrap();
        assert_eq!(guarded.columns(), ["'=name", "n"]);
        let expected = ["'=1+2", "'+x", "'-x", "'@x", "'\tx", "'\u{ff1d}1", "a=b", "'=x", ""].map(Cell::from);
        assert_eq!(guarded.column("'=name").unwrap(), expected);
        assert_eq!(guarded.column("n").unwrap(), table.column("n").unwrap());
        // The apostrophe is part of what is read back.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        guarded.write_csv(&path).unwrap();
        assert_eq!(Table::read_csv(&path).unwrap().column("'=name").unwrap()[..5], expected[..5]);
    }

    #[test]
    fn digits_keep_their_zeros_and_names_their_blanks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "id,n,zero\n000005,5,0\n12,7,0\n").unwrap();
        let table = Table::read_csv(&path).unwrap();
        assert_eq!(table.column("id").unwrap(), ["000005".into(), Cell::from("12")]);
        assert_eq!(table.column("n").unwrap(), [Cell::Int(5), Cell::Int(7)]);
        assert_eq!(table.column("zero").unwrap(), [Cell::Int(0), Cell::Int(0)]);
        let blanks = Table::from_rows(&["a".to_string()], vec![vec![" x ".into()], vec!["y".into()]]).unwrap();
        blanks.write_csv(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\"a\"\n\" x \"\n\"y\"\n");
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
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
        assert!(error(b"a,a\n1,2\n").ends_with("column \"a\" appears twice"));
        std::fs::write(&path, b"PAR1 and no more").unwrap();
        assert!(Table::read_parquet(&path).unwrap_err().message.contains("x.csv is not a complete Parquet file: "));
    }
}
