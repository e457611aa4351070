//! Errors of polars as errors of this program.

use std::fmt;

use polars::error::PolarsError;

use crate::error::Error;

/// An error about `what`, with the first sentence of polars.
pub(crate) fn polars_error(what: impl fmt::Display, error: PolarsError) -> Error {
    let text = error.to_string();
    let first = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("no reason given");
    Error::data(format!("{what}: {}", first.trim_end_matches('.')))
}
