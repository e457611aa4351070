//! The truth of an entry: 0 and 1 as people's tools write them, -1, and empty cells.

use super::{Field, Source};
use crate::activity::console;
use crate::error::Error;
use crate::labels::pairs::Entry;
use crate::labels::readers::{LoadOptions, Unknown};

/// Whether an image has a label, as a cell says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    Absent,
    Present,
    /// -1, as in CheXpert.
    Unknown,
    /// An empty cell, or a missing value.
    Empty,
}

/// Texts that tools write for a missing value.
const MISSING: &[&str] = &["nan", "na", "n/a", "null", "none", "<na>", "?"];

/// Whether a text is one that tools write for a missing value.
pub fn is_missing(text: &str) -> bool {
    MISSING.iter().any(|word| text.eq_ignore_ascii_case(word))
}

impl Truth {
    /// Numbers equal to 0, 1 and -1 in any form (`1.0`, `1e0`, `+1`), true and false in any case, nothing, `NaN`.
    ///
    /// Errors: another value, as it is shown in messages.
    #[inline]
    pub fn of(field: &Field<'_>) -> Result<Truth, String> {
        let number = |value: f64| match value {
            0.0 => Some(Truth::Absent),
            1.0 => Some(Truth::Present),
            -1.0 => Some(Truth::Unknown),
            value if value.is_nan() => Some(Truth::Empty),
            _ => None,
        };
        match field {
            Field::Null => Ok(Truth::Empty),
            Field::Bool(value) => Ok(if *value { Truth::Present } else { Truth::Absent }),
            Field::Int(value) => number(*value as f64).ok_or_else(|| value.to_string()),
            Field::Float(value) => number(*value).ok_or_else(|| value.to_string()),
            Field::List(_) => Err("a list".into()),
            Field::Other(kind) => Err((*kind).into()),
            Field::Text("0") => Ok(Truth::Absent),
            Field::Text("1") => Ok(Truth::Present),
            Field::Text(text) => {
                let text = text.trim();
                let is = |word: &str| text.eq_ignore_ascii_case(word);
                if text.is_empty() || is_missing(text) {
                    Ok(Truth::Empty)
                } else if is("true") {
                    Ok(Truth::Present)
                } else if is("false") {
                    Ok(Truth::Absent)
                } else {
                    text.parse().ok().and_then(number).ok_or_else(|| format!("\"{text}\""))
                }
            }
        }
    }
}

/// A confidence of Open Images. Errors: no number from 0 to 1.
pub fn confidence(field: &Field<'_>) -> Result<f64, String> {
    let value = match field {
        Field::Int(value) => Some(*value as f64),
        Field::Float(value) => Some(*value),
        Field::Bool(value) => Some(f64::from(*value)),
        Field::Text(text) => text.trim().parse().ok(),
        Field::Null | Field::List(_) | Field::Other(_) => None,
    };
    let came = match field {
        Field::Text(text) => format!("\"{text}\""),
        Field::Float(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Bool(value) => value.to_string(),
        Field::Null => "nothing".into(),
        Field::List(_) => "a list".into(),
        Field::Other(kind) => (*kind).into(),
    };
    value
        .filter(|x| (0.0..=1.0).contains(x))
        .ok_or_else(|| format!("confidence must be a number from 0 to 1; got {came}"))
}

/// What -1 and empty cells count as.
pub struct Policy {
    unknown: Unknown,
    empty: Unknown,
}

/// How many entries a policy decided.
#[derive(Default)]
pub struct Taken {
    unknown: u64,
    empty: u64,
}

impl Policy {
    pub fn of(options: &LoadOptions) -> Policy {
        // Nobody leaves a cell empty to say that the label is there.
        let unknown = options.unknown.unwrap_or(Unknown::Error);
        let empty = options.empty.unwrap_or(match unknown {
            Unknown::Positive => Unknown::Negative,
            other => other,
        });
        Policy { unknown, empty }
    }

    /// The policy for a column `value` of a long table: cpsd writes -1 there for an unknown entry, so it is masked unless
    /// the options say otherwise.
    pub fn of_values(options: &LoadOptions) -> Policy {
        let policy = Policy::of(options);
        Policy { unknown: options.unknown.unwrap_or(Unknown::Masked), ..policy }
    }

    /// The entry; nothing where the policy is to refuse.
    #[inline]
    pub fn apply(&self, truth: Truth, taken: &mut Taken) -> Option<Entry> {
        let policy = match truth {
            Truth::Absent => return Some(Entry::Absent),
            Truth::Present => return Some(Entry::Present),
            Truth::Unknown => {
                taken.unknown += 1;
                self.unknown
            }
            Truth::Empty => {
                taken.empty += 1;
                self.empty
            }
        };
        match policy {
            Unknown::Negative => Some(Entry::Absent),
            Unknown::Positive => Some(Entry::Present),
            Unknown::Masked => Some(Entry::Unknown),
            Unknown::Error => None,
        }
    }
}

impl Taken {
    /// Says what entries without a plain truth counted as.
    pub fn report(&self, source: &str, policy: &Policy) {
        let word = |policy| match policy {
            Unknown::Negative => "negative",
            Unknown::Positive => "positive",
            Unknown::Masked => "masked",
            Unknown::Error => "errors",
        };
        for (count, what, policy, option) in
            [(self.unknown, "-1", policy.unknown, "unknown"), (self.empty, "empty or NaN", policy.empty, "empty")]
        {
            if count > 0 {
                let (cells, are) = if count == 1 { ("cell", "is") } else { ("cells", "are") };
                let word = word(policy);
                console::log(&format!("{source}: {count} {cells} {are} {what}, taken as {word} (option {option})"));
            }
        }
    }
}

/// The error for an entry whose truth the options leave open; `came` is its field.
pub fn undecided(source: &impl Source, place: usize, column: &str, truth: Truth, came: &Field<'_>) -> Error {
    let what = match came {
        _ if truth == Truth::Unknown => "is -1".into(),
        Field::Text(text) if !text.trim().is_empty() => format!("holds {}", text.trim()),
        Field::Float(_) => "holds NaN".into(),
        _ => "is empty".into(),
    };
    source.error(Some(place), format!("column \"{column}\" {what}, which can be read in several ways")).with_help(
        "unknown: \"masked\", \"positive\" or \"negative\" says what -1 counts as (\"negative\" where -1 means absent); \
         empty: \"negative\" takes empty cells, NaN and the like as absent, \"masked\" as unknown",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truths_as_tools_write_them() {
        for (texts, truth) in [
            (&["0", "0.0", "0.00", "-0.0", "false", "False", "FALSE", " 0 "][..], Truth::Absent),
            (&["1", "1.", "1.0", "1e0", "+1", "true", "True", "TRUE"], Truth::Present),
            (&["-1", "-1.0"], Truth::Unknown),
            (&["", " ", "NaN", "nan", "NA", "null", "None", "<NA>", "?"], Truth::Empty),
        ] {
            for text in texts {
                assert_eq!(Truth::of(&Field::Text(text)), Ok(truth), "{text}");
            }
        }
        assert_eq!(Truth::of(&Field::Text("yes")), Err("\"yes\"".into()));
        assert_eq!(Truth::of(&Field::Text("0.5")), Err("\"0.5\"".into()));
        assert_eq!(Truth::of(&Field::Float(2.0)), Err("2".into()));
        assert_eq!(Truth::of(&Field::Float(f64::NAN)), Ok(Truth::Empty));
        assert_eq!(Truth::of(&Field::Bool(true)), Ok(Truth::Present));
    }

    #[test]
    fn an_empty_cell_is_never_positive_by_itself() {
        let options = |unknown, empty| LoadOptions { unknown: Some(unknown), empty, ..LoadOptions::default() };
        let of = |options: &LoadOptions, truth| Policy::of(options).apply(truth, &mut Taken::default());
        let positive = options(Unknown::Positive, None);
        assert_eq!(of(&positive, Truth::Unknown), Some(Entry::Present));
        assert_eq!(of(&positive, Truth::Empty), Some(Entry::Absent));
        assert_eq!(of(&options(Unknown::Masked, None), Truth::Empty), Some(Entry::Unknown));
        assert_eq!(of(&options(Unknown::Error, Some(Unknown::Positive)), Truth::Empty), Some(Entry::Present));
        assert_eq!(of(&options(Unknown::Error, None), Truth::Empty), None);
    }
}
