//! Ranges of the losses' options.

use std::ops::RangeInclusive;

use crate::error::{Error, Result};

/// Errors: the option is outside of its range, or not a number.
pub fn check(loss: &str, option: &str, value: f64, range: RangeInclusive<f64>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::argument(format!(
        "option \"{option}\" of {loss} must be from {} to {}; got {value}",
        range.start(),
        range.end()
    )))
}
