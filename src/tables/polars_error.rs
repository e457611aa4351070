//! Errors of polars as errors of this program.

use std::fmt;

use polars::error::PolarsError;

use crate::error::Error;

/// An error about `what`, in a sentence of this program for the errors that data can cause, else the first of polars.
pub(crate) fn polars_error(what: impl fmt::Display, error: PolarsError) -> Error {
    Error::data(format!("{what}: {}", said(error)))
}

/// The sentence for an error of polars.
pub(super) fn said(error: PolarsError) -> String {
    let mut error = &error;
    while let PolarsError::Context { error: inner, .. } | PolarsError::ExprContext { error: inner, .. } = error {
        error = inner;
    }
    let text = error.to_string();
    let first = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("no reason given");
    translated(first).unwrap_or_else(|| first.trim_end_matches('.').to_string())
}

fn translated(text: &str) -> Option<String> {
    let has = |part: &str| text.contains(part);
    // Types and names stand between backticks.
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let behind = |mark: &str| text.split_once(mark).map(|(_, rest)| rest.trim_end_matches('.'));
    Some(match &*quoted {
        _ if has("file must end with PAR1") || has("at least 12 bytes") => {
            "the file is cut short, or it is no Parquet".into()
        }
        [name, ..] if text.starts_with("duplicate: ") => {
            format!("column \"{}\" appears twice", name.trim_matches('\''))
        }
        _ if text.starts_with("duplicate: ") => "a column name appears twice".into(),
        _ if text.starts_with("parquet: ")
            || has("File out of specification")
            || has("ARROW:schema")
            || has("source_location") =>
        {
            "the file is damaged, or its form of Parquet is not supported".into()
        }
        _ if has("cannot cast List type") || has("cannot cast list") => {
            "a column holds lists; expected one number or one text in each cell".into()
        }
        // conversion from `str` to `f64` failed in column 'x' for 1 out of 2 values: ["a"]
        [from, to, ..] if text.starts_with("conversion from ") => {
            let column = text.split_once("in column '").and_then(|(_, rest)| rest.split_once('\''));
            let place = column.map_or(String::new(), |(name, _)| format!(" of column \"{name}\""));
            let values = behind("values: ").map_or(String::new(), |values| format!(", as {values}"));
            format!("{}{place} cannot become {}{values}", kinds(from), kinds(to))
        }
        // could not parse `9e` as dtype `i64` at column 'b' (column number 2)
        [value, kind, ..] if text.starts_with("could not parse ") => {
            let column = text.split_once("at column '").and_then(|(_, rest)| rest.rsplit_once("' (column number"));
            let place = column.map_or(String::new(), |(name, _)| format!("column \"{name}\": "));
            format!("{place}\"{value}\" cannot become {}", kinds(kind))
        }
        _ if text.starts_with("casting from ") => {
            let (from, to) = text.strip_prefix("casting from ")?.strip_suffix(" not supported")?.split_once(" to ")?;
            format!("{} cannot become {}", kinds(from), kinds(to))
        }
        _ if has("cannot compare string with numeric type") => {
            "text cannot be compared with numbers; cast one of them".into()
        }
        _ if has("arithmetic on string and numeric not allowed") => {
            "text and numbers cannot be calculated with each other; cast one of them".into()
        }
        [operation, kind, ..] if has("operation not supported for dtype") => {
            format!("{operation} does not take {}", kinds(kind))
        }
        [_, kind, ..] if text.starts_with("filter predicate must be") => {
            format!("a condition must give true or false for each row; got {}", kinds(kind))
        }
        [left, right, ..] if has("datatypes of join keys don't match") => {
            format!(
                "the columns \"{left}\" and \"{right}\" hold different kinds of values: {} and {}",
                behind("`: ").and_then(|rest| rest.split_once(" on left")).map(|(kind, _)| kinds(kind))?,
                behind(" does not match ")
                    .and_then(|rest| rest.split_once("`: ")?.1.split_once(" on right"))
                    .map(|(kind, _)| kinds(kind))?
            )
        }
        _ if text.starts_with("failed to determine supertype of ") => {
            let (one, other) = behind("supertype of ")?.split_once(" and ")?;
            format!("{} and {} have no common type", kinds(one), kinds(other))
        }
        _ if has("does not support nested data") => "a column holds lists, which CSV has no form for".into(),
        _ if has("unable to add a column of length") => {
            "a column does not have as many cells as the table has rows".into()
        }
        _ => return None,
    })
}

/// The values of a type that polars names.
fn kinds(name: &str) -> String {
    match name.trim().trim_matches(['"', '\'']) {
        "str" | "String" | "dyn str" => "text".into(),
        "bool" | "Boolean" => "true and false".into(),
        "null" | "Null" => "empty cells".into(),
        "dyn int" => "whole numbers".into(),
        "dyn float" => "numbers".into(),
        "date" | "Date" => "dates".into(),
        name if name.starts_with("list") || name.starts_with("List") => "lists".into(),
        name if name.starts_with("datetime") || name.starts_with("Datetime") => "dates with a time".into(),
        name if name.starts_with(['i', 'u', 'I', 'U']) && name.ends_with(|c: char| c.is_ascii_digit()) => {
            "whole numbers".into()
        }
        name if name.starts_with(['f', 'F']) && name.ends_with(|c: char| c.is_ascii_digit()) => "numbers".into(),
        name => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    #[test]
    fn what_data_can_cause_is_said_in_words_of_ours() {
        // As polars 0.55 words them.
        for (text, expected) in [
            (
                "conversion from `str` to `i64` failed in column 'n' for 1 out of 2 values: [\"a\"]",
                "text of column \"n\" cannot become whole numbers, as [\"a\"]",
            ),
            (
                "could not parse `9e` as dtype `i64` at column 'b' (column number 2)",
                "column \"b\": \"9e\" cannot become whole numbers",
            ),
            ("cannot compare string with numeric type (i64)", "text cannot be compared with numbers; cast one of them"),
            ("`sum` operation not supported for dtype `str`", "sum does not take text"),
            (
                "filter predicate must be of type `Boolean`, got `i64`",
                "a condition must give true or false for each row; got whole numbers",
            ),
            (
                "cannot cast List type (inner: 'String', to: 'String')",
                "a column holds lists; expected one number or one text in each cell",
            ),
            (
                "datatypes of join keys don't match - `a`: i64 on left does not match `b`: str on right",
                "the columns \"a\" and \"b\" hold different kinds of values: whole numbers and text",
            ),
            ("failed to determine supertype of list[str] and f64", "lists and numbers have no common type"),
            (
                "parquet: File out of specification: The file must end with PAR1",
                "the file is cut short, or it is no Parquet",
            ),
        ] {
            assert_eq!(translated(text).as_deref(), Some(expected));
        }
        assert_eq!(translated("something new"), None);
    }

    #[test]
    fn an_error_of_polars_itself() {
        let parquet = ParquetReader::new(std::io::Cursor::new(b"PAR1 and no more".to_vec())).finish().unwrap_err();
        assert_eq!(polars_error("x", parquet).message, "x: the file is cut short, or it is no Parquet");
    }
}
