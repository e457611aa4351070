//! What environment variables say. An empty one counts as unset. One that makes no sense is said once in a process and counts as unset
//! too.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use parking_lot::Mutex;

use crate::activity::console;

/// The text in a variable, without spaces around it. Bytes that are no Unicode become signs that no name has.
pub fn text(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().trim().to_string();
    (!value.is_empty()).then_some(value)
}

/// The path in a variable.
pub fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}

/// The number in a variable, if it is in `range`.
pub fn number(name: &str, range: RangeInclusive<f64>) -> Option<f64> {
    said(name, parsed_number(&text(name)?, &range))
}

/// The whole number in a variable, from 1 to `most`.
pub fn count(name: &str, most: usize) -> Option<usize> {
    said(name, parsed_count(&text(name)?, most))
}

/// Whether a variable says yes (1, true, yes, on) or no (0, false, no, off).
pub fn flag(name: &str) -> Option<bool> {
    said(name, parsed_flag(&text(name)?))
}

fn parsed_number(text: &str, range: &RangeInclusive<f64>) -> Result<f64, String> {
    let (least, most) = (range.start(), range.end());
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("a number from {least} to {most}; got \"{text}\""))
}

fn parsed_count(text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("a whole number from 1 to {most}; got \"{text}\""))
}

fn parsed_flag(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("1 or 0; got \"{text}\"")),
    }
}

/// The value; one that makes no sense is said. A worker process is silent: its parent has the same variables.
fn said<T>(name: &str, value: Result<T, String>) -> Option<T> {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    match value {
        Ok(value) => Some(value),
        Err(expected) => {
            if !console::is_relaying() && SAID.lock().insert(name.to_string()) {
                console::warn(&format!(
                    "warning: the environment variable {name} must be {expected}; it is taken as unset"
                ));
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_their_range_and_flags_are_yes_or_no() {
        let number = |text: &str| parsed_number(text, &(0.01..=1e6));
        assert_eq!((number("0.25"), number("1000000")), (Ok(0.25), Ok(1e6)));
        assert_eq!(number("0"), Err("a number from 0.01 to 1000000; got \"0\"".into()));
        for text in ["soon", "NaN", "inf", "-1", "1e7", "30s"] {
            assert!(number(text).is_err(), "{text}");
        }
        let count = |text: &str| parsed_count(text, 9);
        assert_eq!(
            (count("3"), count("1.5").is_err(), count("0").is_err(), count("10").is_err()),
            (Ok(3), true, true, true)
        );
        assert_eq!((parsed_flag("1"), parsed_flag("Yes"), parsed_flag("off")), (Ok(true), Ok(true), Ok(false)));
        assert_eq!(parsed_flag("maybe"), Err("1 or 0; got \"maybe\"".into()));
    }

    #[test]
    fn a_variable_that_is_not_set_says_nothing() {
        let name = "CPSD_OF_NO_MEANING";
        assert_eq!((text(name), path(name), number(name, 0.0..=1.0), flag(name)), (None, None, None, None));
    }
}
