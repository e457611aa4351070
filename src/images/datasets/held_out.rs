//! Shares of pictures that are held out, with errors that name the option.

use crate::error::{Error, Result};
use crate::images::Dataset;

/// A share that an option asked for.
pub struct Share<'a> {
    /// The option's name.
    pub option: &'a str,
    /// The user's number, a share of all pictures.
    pub given: f64,
    /// The data set's name.
    pub of: &'a str,
}

impl Share<'_> {
    /// (the rest, the held out). Nothing is held out at a share of 0; the second has no pictures then. `fraction` is the share
    /// of `data`, where other pictures were held out before.
    ///
    /// Errors: one of the two would have no pictures, though the share is not 0.
    pub fn hold_out(&self, data: &Dataset, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        if self.given == 0.0 {
            return Ok((data.clone(), data.take(Vec::new())?));
        }
        data.split(fraction, seed).map_err(|error| {
            let (option, given, of, n) = (self.option, self.given, self.of, data.len());
            let whole = format!("{n} picture{}", if n == 1 { "" } else { "s" });
            let left = match (n as f64 * fraction).round() as usize {
                0 => "none is held out",
                _ => "none is left to train on",
            };
            let help = format!("{option}: 0 holds none out");
            Error {
                message: format!("option \"{option}\" of dataset \"{of}\" is {given}: of {whole}, {left}"),
                ..error
            }
            .about_option(option)
            .with_help(help)
        })
    }
}
