//! Records of a CSV file.

use super::{Field, Records, Source, Truth, columns};
use crate::error::{Error, Result};
use crate::files::is_picture;
use crate::labels::readers::LoadOptions;
use crate::tables::{CsvFile, CsvRecords, TextFile};

/// A CSV file, with a header or without.
pub struct CsvSource<'a> {
    file: &'a TextFile,
    csv: CsvFile<'a>,
    names: Vec<String>,
    header: bool,
    passed_over: Option<usize>,
}

impl<'a> CsvSource<'a> {
    /// Errors: an empty file; a first row that is data although a header was expected.
    pub fn new(file: &'a TextFile, options: &LoadOptions) -> Result<Self> {
        let csv = CsvFile::new(file, options.delimiter.as_deref())?;
        let mut records = csv.records();
        let (names, line) = records.header("a line of column names")?;
        if names.len() > 1 && names.iter().all(|name| name.len() > 1 && name.starts_with('\'') && name.ends_with('\''))
        {
            let message = "the names of columns are in single quotes; CSV has double ones";
            return Err(file
                .at(line, message)
                .with_help("pandas: read_csv(..., quotechar=\"'\").to_csv(...) writes it again"));
        }
        let names = if options.header {
            if let Some(what) = data(&names) {
                let message = format!("the header is missing: the first row holds \"{what}\", which is data");
                return Err(file.at(line, message).with_help(
                    "header: false reads such a file: its first column is that of images; or write the columns' names above",
                ));
            }
            names
        } else {
            let given = options.labels.as_ref().filter(|labels| labels.len() + 1 == names.len());
            (0..names.len())
                .map(|column| match given {
                    Some(labels) if column > 0 && names.len() > 2 => labels[column - 1].clone(),
                    _ => unnamed(column, names.len()),
                })
                .collect()
        };
        Ok(CsvSource { file, csv, names, header: options.header, passed_over: None })
    }

    /// The same with a column that is no label.
    pub fn passing_over(self, column: Option<&str>) -> Self {
        let passed_over = self.names.iter().position(|name| Some(name.as_str()) == column);
        CsvSource { passed_over, ..self }
    }
}

/// The names of columns without a header: image and label for two, else image and numbers.
fn unnamed(column: usize, width: usize) -> String {
    match (column, width) {
        (0, _) => "image".into(),
        (1, 2) => "label".into(),
        _ => column.to_string(),
    }
}

/// A value that is data where names of columns are expected, if no name is one of columns: a picture's name; 0 and 1 alone
/// behind another value.
fn data(names: &[String]) -> Option<&str> {
    let first = names.first()?;
    if !columns::images(names).is_empty() || !columns::labels(names).is_empty() || columns::is_unnamed(first) {
        return None;
    }
    if let Some(name) = names.iter().find(|name| is_picture(name)) {
        return Some(name);
    }
    let flag = |name: &String| matches!(name.as_str(), "0" | "1" | "0.0" | "1.0" | "True" | "False" | "-1" | "-1.0");
    let named = columns::maybe_image(names).is_some();
    (names.len() > 1 && names[1..].iter().all(flag) && !named).then_some(first)
}

impl Source for CsvSource<'_> {
    type Records<'b>
        = CsvFields<'b>
    where
        Self: 'b;

    fn names(&self) -> &[String] {
        &self.names
    }

    fn records(&self, columns: &[usize], most: usize) -> Result<CsvFields<'_>> {
        let mut records = self.csv.records();
        if self.header {
            records.next()?;
        }
        Ok(CsvFields { records, columns: columns.to_vec(), width: self.names.len(), left: most })
    }

    fn name(&self) -> String {
        self.file.path.display().to_string()
    }

    fn unit(&self) -> &'static str {
        "line"
    }

    fn error(&self, place: Option<usize>, message: String) -> Error {
        match place {
            Some(line) => self.file.at(line, message),
            None => Error::in_file(&self.file.path, message),
        }
    }

    fn notes(&self) -> &[String] {
        &self.csv.notes
    }

    fn passed_over(&self) -> Option<usize> {
        self.passed_over
    }
}

/// The records of a CSV file as fields.
pub struct CsvFields<'a> {
    records: CsvRecords<'a>,
    columns: Vec<usize>,
    width: usize,
    left: usize,
}

impl Records for CsvFields<'_> {
    fn next(&mut self) -> Result<Option<usize>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let line = self.records.next()?;
        if let Some(line) = line {
            self.records.expect_fields(self.width, line).map_err(|e| {
                e.with_help(
                    "several labels of an image stand in one cell, in quotes where they are separated by the delimiter",
                )
            })?;
        }
        Ok(line)
    }

    #[inline]
    fn field(&self, column: usize) -> Result<Field<'_>> {
        Ok(Field::Text(self.records.name(self.columns[column])))
    }

    #[inline]
    fn truth(&self, column: usize) -> Result<Result<Truth, String>> {
        // Blanks are no part of a truth in any case.
        Ok(Truth::of(&Field::Text(self.records.field(self.columns[column]))))
    }
}
