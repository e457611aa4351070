//! Tables read from and written to CSV and Parquet.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use polars::prelude::*;

use super::cell::rounding;
use super::csv_file::CsvFile;
use super::csv_types::ColumnTypes;
use super::parquet::ParquetFile;
use super::polars_error::{polars_error, said};
use super::table::Table;
use super::text_file::{TextFile, trimmed};
use crate::activity::{console, interrupt};
use crate::error::{Error, Result};
use crate::files::{self, Stoppable};
use crate::memory;

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
            interrupt::check()?;
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
        Ok(Table::of(DataFrame::new(self.height(), columns).map_err(failed)?))
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
        // So many rows are written at a time that a stop is heard soon, however wide they are.
        let rows = NonZeroUsize::new((CELLS / self.frame.width().max(1)).clamp(1, ROWS)).unwrap_or(NonZeroUsize::MIN);
        CsvWriter::new(out)
            .with_quote_style(if blanks { QuoteStyle::NonNumeric } else { QuoteStyle::Necessary })
            .with_batch_size(rows)
    }

    /// The text that [`Table::write_csv`] writes. Errors: more memory than is left; Interrupted.
    pub fn to_csv(&self) -> Result<String> {
        let mut text = Text::default();
        let written = self.csv_writer(Stoppable::new(&mut text)).finish(&mut self.frame.clone());
        if let Err(e) = written {
            interrupt::check()?;
            return Err(text.full.unwrap_or_else(|| polars_error("a table cannot be written as CSV", e)));
        }
        String::from_utf8(text.bytes).map_err(|_| Error::internal("a table's CSV is not UTF-8"))
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
    /// An integer that a column of numbers with a decimal point rounds is said.
    ///
    /// Errors name the file and, where there is one, the line: not UTF-8, an open quote, a row of another length, an integer of
    /// more than 64 bits in a column of integers, a number beyond the largest.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let text = TextFile::read(path)?;
        // polars' errors name no line, so quotes and lengths of rows are checked first.
        let csv = CsvFile::new(&text, None)?;
        let mut records = csv.records();
        let (header, _) = records.header("a line of column names")?;
        let mut types = ColumnTypes::new(header.len());
        // Where parts end: polars cannot be stopped while it reads one.
        let (mut ends, mut begin, mut rows) = (Vec::new(), 0, 0u64);
        loop {
            let end = records.end();
            // Blank lines between records stay inside a part.
            if end - begin >= PART && !csv.text()[end..].starts_with(['\r', '\n']) {
                ends.push(end);
                begin = end;
            }
            let Some(line) = records.next()? else { break };
            records.expect_fields(header.len(), line)?;
            (0..header.len()).for_each(|i| types.see(i, records.field(i), records.is_quoted(i), line));
            rows += 1;
        }
        let mut seen = HashSet::new();
        if let Some(twice) = header.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(Error::in_file(path, format!("column \"{twice}\" appears twice")));
        }
        if let Some(beyond) = types.beyond() {
            let (side, largest) = if beyond.text.starts_with('-') {
                ("below the least", f64::MIN)
            } else {
                ("above the largest", f64::MAX)
            };
            let (name, text) = (&header[beyond.column], &beyond.text);
            let what = format!("column \"{name}\" holds {text}, which is {side} number, {largest:e}");
            return Err(records
                .at(beyond.line, what)
                .with_help("inf and -inf are infinite; a letter in one of its cells makes the column text"));
        }
        for note in &csv.notes {
            console::log(&format!("{}: {note}", path.display()));
        }
        for (first, times) in types.rounded() {
            let note = rounding(&header[first.column], &first.text, times);
            console::log(&format!("{}, line {}: {note}", path.display(), first.line));
        }
        let schema = Arc::new(types.schema(&header));
        let bytes = rows.saturating_mul(header.len() as u64).saturating_mul(16).saturating_add(csv.text().len() as u64);
        memory::check(&format!("the table in {}", path.display()), bytes).map_err(|e| e.about_file(path))?;
        let mut frame = DataFrame::empty_with_schema(&schema);
        if rows == 0 {
            return Ok(Table::of(frame));
        }
        let failed = |e| match too_large(&csv, &schema) {
            Ok(None) => polars_error(path.display(), e).about_file(path),
            Ok(Some(error)) | Err(error) => error,
        };
        let mut begin = 0;
        for end in ends.into_iter().chain([csv.text().len()]) {
            interrupt::check()?;
            if begin == end {
                break;
            }
            let part = CsvReadOptions::default()
                .with_has_header(begin == 0)
                .with_infer_schema_length(Some(0))
                .with_schema(Some(schema.clone()))
                .map_parse_options(|o| o.with_separator(csv.delimiter()))
                .into_reader_with_file_handle(std::io::Cursor::new(&csv.text()[begin..end]))
                .finish();
            frame.vstack_mut(part.map_err(failed)?.rechunk_mut()).map_err(failed)?;
            begin = end;
        }
        Ok(Table::of(frame))
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
        Ok(Table::of(file.read(&read, 0, file.height())?))
    }
}

/// The error for the first integer of a column of integers that 64 bits do not hold, which polars names without its line. Errors: those
/// of reading the records.
fn too_large(csv: &CsvFile<'_>, schema: &Schema) -> Result<Option<Error>> {
    let columns: Vec<(usize, &str)> = (schema.iter().enumerate())
        .filter(|(_, (_, kind))| **kind == DataType::Int64)
        .map(|(column, (name, _))| (column, name.as_str()))
        .collect();
    let mut records = csv.records();
    records.header("a line of column names")?;
    while let Some(line) = records.next()? {
        for (column, name) in &columns {
            let field = records.field(*column).trim();
            let digits = field.strip_prefix(['-', '+']).unwrap_or(field);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || field.parse::<i64>().is_ok() {
                continue;
            }
            let (beyond, limit) =
                if field.starts_with('-') { ("below the least", i64::MIN) } else { ("above the largest", i64::MAX) };
            let what = format!("column \"{name}\" holds {field}, which is {beyond} integer, {limit}");
            return Ok(Some(records.at(line, what).with_help(
                "a decimal point in one of its cells makes the column numbers with one, a letter makes it text",
            )));
        }
    }
    Ok(None)
}

/// A text as [`Table::guarded`] has it: with an apostrophe where a spreadsheet would take it for a formula.
pub fn guarded(text: &str) -> Cow<'_, str> {
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    if text.starts_with(FORMULA) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn guarded_name(name: &str) -> PlSmallStr {
    PlSmallStr::from_str(&guarded(name))
}

/// Cells and rows that are written at a time, at most.
const CELLS: usize = 1 << 20;
const ROWS: usize = 1024;
/// Bytes of CSV that polars reads at a time, at least.
const PART: usize = 32 << 20;

/// A text that grows as long as there is memory.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    /// Why it grew no further.
    full: Option<Error>,
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            let room = needed.max(2 * self.bytes.capacity());
            if let Err(error) = memory::check("the text", room as u64) {
                self.full = Some(error);
                return Err(std::io::Error::other("no memory"));
            }
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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
        assert!(
            error(b"a,b\n1,2\n\n3,99999999999999999999\n")
                .ends_with("x.csv, line 4: column \"b\" holds 99999999999999999999, which is above the largest integer, 9223372036854775807")
        );
        assert!(
            error(b"a;b\n-9223372036854775809;2\n")
                .contains("x.csv, line 2: column \"a\" holds -9223372036854775809, which is below")
        );
        assert!(error(b"a,b\n0.5,1\n1e400,2\n").ends_with(
            "x.csv, line 3: column \"a\" holds 1e400, which is above the largest number, 1.7976931348623157e308"
        ));
        assert!(
            error(b"a\n-1e400\n")
                .contains("x.csv, line 2: column \"a\" holds -1e400, which is below the least number, -1.7")
        );
        assert!(error(b"").contains("is empty"));
        assert!(error(b"a,a\n1,2\n").ends_with("column \"a\" appears twice"));
        std::fs::write(&path, b"PAR1 and no more").unwrap();
        assert!(Table::read_parquet(&path).unwrap_err().message.contains("x.csv is not a complete Parquet file: "));
    }

    #[test]
    fn a_large_file_is_read_in_parts_with_the_types_of_all_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let filler = "x".repeat(1 << 20);
        let mut text = String::from("n,text,half\n");
        let mut rows = Vec::new();
        for i in 0..100 {
            // A quoted text over several lines, in which no part may end.
            text += &format!("{i},\"{filler}\n\"\"{i}\"\"\",{}\n", if i == 99 { "0.5" } else { "1" });
            rows.push(i as i64);
        }
        assert!(text.len() > 3 * PART);
        std::fs::write(&path, text).unwrap();
        let table = Table::read_csv(&path).unwrap();
        assert_eq!(table.column("n").unwrap(), rows.into_iter().map(Cell::Int).collect::<Vec<_>>());
        let texts = table.column("text").unwrap();
        assert!((0..100).all(|i| texts[i] == Cell::from(format!("{filler}\n\"{i}\"").as_str())));
        assert_eq!(table.column("half").unwrap()[98..], [Cell::Float(1.0), Cell::Float(0.5)]);
    }

    #[test]
    fn reading_and_writing_hear_a_stop() {
        use crate::activity::Activity;
        use crate::error::ErrorKind;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        table().write_csv(&path).unwrap();
        let activity = Activity::background("test".into(), None);
        activity.stop();
        activity.enter(|| {
            let failures = [
                table().to_csv().map(|_| ()),
                table().write_csv(folder.path().join("y.csv")),
                table().write_parquet(folder.path().join("y.parquet")),
                Table::read_csv(&path).map(|_| ()),
            ];
            failures.into_iter().for_each(|failed| assert_eq!(failed.unwrap_err().kind, ErrorKind::Interrupted));
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
