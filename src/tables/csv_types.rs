//! The types of a CSV file's columns by all of its fields, by polars' own rules: its scan of a file cannot be stopped.

use polars::prelude::{DataType, Field, PlIndexSet, Schema};
use polars_io::csv::read::schema_inference::{finish_infer_field_schema, infer_field_schema};

/// The types of the fields of one column so far.
#[derive(Clone, Default)]
struct Found {
    types: PlIndexSet<DataType>,
    /// It is text whatever comes.
    text: bool,
}

/// The types of all columns, as their fields come.
pub(super) struct ColumnTypes(Vec<Found>);

impl ColumnTypes {
    pub fn new(columns: usize) -> Self {
        ColumnTypes(vec![Found::default(); columns])
    }

    /// Notes a field, unquoted. An empty one that was not quoted says nothing.
    pub fn see(&mut self, column: usize, field: &str, quoted: bool) {
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
        found.text = kind == DataType::String;
        found.types.insert(kind);
    }

    /// The types of the columns of these names.
    pub fn schema(&self, names: &[String]) -> Schema {
        let kind = |found: &Found| if found.text { DataType::String } else { finish_infer_field_schema(&found.types) };
        names.iter().zip(&self.0).map(|(name, found)| Field::new(name.as_str().into(), kind(found))).collect()
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
            (0..names.len()).for_each(|i| types.see(i, records.field(i), records.is_quoted(i)));
        }
        assert_eq!(types.schema(&names), **polars.schema());
    }

    #[test]
    fn digits_with_a_zero_before_them_are_text() {
        let mut types = ColumnTypes::new(2);
        ["1", "007", "2"].into_iter().for_each(|field| types.see(0, field, false));
        ["0", "10", "0.5"].into_iter().for_each(|field| types.see(1, field, false));
        let schema = types.schema(&["a".to_string(), "b".to_string()]);
        assert_eq!(schema.iter_values().cloned().collect::<Vec<_>>(), [DataType::String, DataType::Float64]);
    }
}
