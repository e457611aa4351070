//! The types of a CSV file's columns by all of its fields, by polars' own rules: its scan of a file cannot be stopped.

use polars::prelude::{DataType, Field, PlIndexSet, Schema};
use polars_io::csv::read::schema_inference::{finish_infer_field_schema, infer_field_schema};

/// The types of the fields of one column so far.
#[derive(Clone, Default)]
struct Found {
    types: PlIndexSet<DataType>,
    /// It is text whatever comes.
    text: bool,
    /// The first integer that a number with a decimal point rounds, and how many there are.
    rounded: Option<Written>,
    times: usize,
    /// The first number that is beyond all of them.
    beyond: Option<Written>,
}

impl Found {
    fn kind(&self) -> DataType {
        if self.text { DataType::String } else { finish_infer_field_schema(&self.types) }
    }
}

/// A field of a column: the column's position, the line and the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    pub column: usize,
    pub line: usize,
    pub text: String,
}

/// The types of all columns, as their fields come.
pub(super) struct ColumnTypes(Vec<Found>);

impl ColumnTypes {
    pub fn new(columns: usize) -> Self {
        ColumnTypes(vec![Found::default(); columns])
    }

    /// Notes a field, unquoted, of the record on this line. An empty one that was not quoted says nothing.
    pub fn see(&mut self, column: usize, field: &str, quoted: bool, line: usize) {
        let Some(found) = self.0.get_mut(column).filter(|found| !found.text) else { return };
        if field.is_empty() && !quoted {
            return;
        }
        let kind = match () {
            () if is_code(field) => DataType::String,
            // Most numbers, without a look at polars' patterns.
            () if field.len() < 19 && field.bytes().all(|b| b.is_ascii_digit()) && !field.is_empty() => DataType::Int64,
            () => infer_field_schema(field, false, false),
        };
        // Whether the column holds numbers with a decimal point is known at the end.
        if matches!(kind, DataType::Int64 | DataType::Float64) {
            let written = || Written { column, line, text: field.into() };
            match as_number(field, kind == DataType::Int64) {
                Held::Whole => {}
                Held::Rounded => {
                    found.times += 1;
                    found.rounded.get_or_insert_with(written);
                }
                Held::Not => {
                    found.beyond.get_or_insert_with(written);
                }
            }
        }
        found.text = kind == DataType::String;
        found.types.insert(kind);
    }

    /// The types of the columns of these names.
    pub fn schema(&self, names: &[String]) -> Schema {
        names.iter().zip(&self.0).map(|(name, found)| Field::new(name.as_str().into(), found.kind())).collect()
    }

    /// The first integer of each column of numbers with a decimal point that these round, and how many of it they do.
    pub fn rounded(&self) -> impl Iterator<Item = (&Written, usize)> {
        self.of_numbers().filter_map(|found| Some((found.rounded.as_ref()?, found.times)))
    }

    /// The first number of a column of numbers with a decimal point that is beyond all of them.
    pub fn beyond(&self) -> Option<&Written> {
        self.of_numbers().filter_map(|found| found.beyond.as_ref()).min_by_key(|written| written.line)
    }

    fn of_numbers(&self) -> impl Iterator<Item = &Found> {
        self.0.iter().filter(|found| found.kind() == DataType::Float64)
    }
}

/// How a number with a decimal point holds what is written: digits are all there, some are lost, or it is infinite.
enum Held {
    Whole,
    Rounded,
    Not,
}

/// How a number with a decimal point holds a number as it is written. Rounding is the rule for one that has a decimal point itself.
fn as_number(text: &str, is_integer: bool) -> Held {
    // Up to 15 digits are held; a number of less than 300 characters needs an exponent to be beyond.
    if text.len() <= 15 && is_integer || !is_integer && text.len() < 300 && !text.contains(['e', 'E']) {
        return Held::Whole;
    }
    if is_integer && let Ok(integer) = text.parse::<i128>() {
        return if (integer as f64) as i128 == integer { Held::Whole } else { Held::Rounded };
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_infinite() => Held::Not,
        Ok(number) if is_integer && text.trim_start_matches(['+', '-', '0']) != format!("{:.0}", number.abs()) => {
            Held::Rounded
        }
        _ => Held::Whole,
    }
}

/// Whether a field is digits that a number would not give back, such as 000005.
fn is_code(field: &str) -> bool {
    matches!(field.as_bytes(), [b'0', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    /// Against polars' own scan.
    #[test]
    fn types_are_those_that_polars_infers() {
        let columns: &[&[&str]] = &[
            &["1", "-2", ""],
            &["1", "2.5", "-3"],
            &["true", "FALSE", "false"],
            &["true", "1", "0"],
            &["", "", ""],
            &["1e5", "inf", "NaN"],
            &["+1", "2", "3"],
            &["9223372036854775807", "1", "2"],
            &["\"1\"", "2", "\"3\""],
            &["\"\"", "2", "3"],
            &["\"\"\"\"", "\"a, b\"", "\"\"\"x\"\"\""],
            &[" 1", "2", "3"],
            &["1.", ".5", "-0.5e-3"],
            &["2024-01-02", "2024-01-03", "2024-01-04"],
        ];
        let mut text: String = (0..columns.len()).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",") + "\r\n";
        for row in 0..3 {
            text += &(columns.iter().map(|column| column[row]).collect::<Vec<_>>().join(",") + "\r\n");
        }
        let polars = CsvReadOptions::default()
            .with_infer_schema_length(None)
            .into_reader_with_file_handle(std::io::Cursor::new(text.as_str()))
            .finish()
            .unwrap();
        let file = super::super::TextFile { path: "x.csv".into(), text };
        let csv = super::super::CsvFile::new(&file, None).unwrap();
        let mut records = csv.records();
        let (names, _) = records.header("names").unwrap();
        let mut types = ColumnTypes::new(names.len());
        while records.next().unwrap().is_some() {
            (0..names.len()).for_each(|i| types.see(i, records.field(i), records.is_quoted(i), 1));
        }
        assert_eq!(types.schema(&names), **polars.schema());
    }

    #[test]
    fn digits_with_a_zero_before_them_are_text() {
        let mut types = ColumnTypes::new(2);
        ["1", "007", "2"].into_iter().for_each(|field| types.see(0, field, false, 1));
        ["0", "10", "0.5"].into_iter().for_each(|field| types.see(1, field, false, 1));
        let schema = types.schema(&["a".to_string(), "b".to_string()]);
        assert_eq!(schema.iter_values().cloned().collect::<Vec<_>>(), [DataType::String, DataType::Float64]);
    }

    #[test]
    fn what_a_number_with_a_decimal_point_loses_is_found() {
        let columns: [&[&str]; 6] = [
            &["9007199254740993", "0.5", "-9007199254740993"],
            // All integers, and a text.
            &["9007199254740993", "1", "2"],
            &["9007199254740993", "0.5", "x"],
            &["0.5", "1e400", "-1e400"],
            // What is held: a power of two, a power of ten, infinity itself, no number.
            &["9007199254740994", "100000000000000000000", "inf"],
            &["123456789012345678901234567890123456789012", "NaN", "0.1234567890123456789"],
        ];
        let mut types = ColumnTypes::new(columns.len());
        for (column, fields) in columns.iter().enumerate() {
            fields.iter().enumerate().for_each(|(row, field)| types.see(column, field, false, row + 2));
        }
        let written = |column: usize, line: usize, text: &str| Written { column, line, text: text.into() };
        let large = written(5, 2, "123456789012345678901234567890123456789012");
        let first = written(0, 2, "9007199254740993");
        assert_eq!(types.rounded().collect::<Vec<_>>(), [(&first, 2), (&large, 1)]);
        assert_eq!(types.beyond(), Some(&written(3, 3, "1e400")));
        // Digits alone can be beyond too.
        let mut types = ColumnTypes::new(1);
        types.see(0, &"9".repeat(400), false, 2);
        assert_eq!(types.beyond(), None);
        types.see(0, "0.5", false, 3);
        assert_eq!(types.beyond().map(|written| written.line), Some(2));
    }
}
