//! The names of splits, and the splits that a file or folder has itself.

use std::path::Path;

use super::{LoadOptions, opened};
use crate::activity::console;
use crate::error::{About, Result};

/// The splits of a data set, each with the other names that it has.
const NAMES: &[(&str, &[&str])] = &[("train", &[]), ("val", &["valid", "validation", "dev"]), ("test", &[])];

/// `train`, `val` or `test` for one of the names that these splits have, in letters of either case.
pub fn known_split(name: &str) -> Option<&'static str> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    NAMES.iter().find(|(split, others)| is(split) || others.iter().any(|other| is(other))).map(|(split, _)| *split)
}

/// One name for all names of a split. A name that is not known stays.
pub fn usual_split(name: &str) -> &str {
    known_split(name).unwrap_or(name)
}

/// The images of `train`, `val` and `test`, as far as the file or folder has these splits itself; nothing for a format
/// without splits.
///
/// Errors: those of [`load`](super::load), except for a split that is not there.
pub fn own_splits(path: &Path, options: &LoadOptions) -> Result<Vec<(&'static str, Vec<String>)>> {
    let mut found = Vec::new();
    // Its choices were said when all of it was read.
    console::muted(|| {
        let (probe, reader) = opened(path, &LoadOptions { split: None, ..options.clone() })?;
        if !reader.has_splits {
            return Ok(found);
        }
        for &(split, others) in NAMES {
            for name in std::iter::once(&split).chain(others) {
                let options = LoadOptions { split: Some(name.to_string()), ..options.clone() };
                match (reader.read)(&probe, &options) {
                    Ok(table) => {
                        found.push((split, table.images().to_vec()));
                        break;
                    }
                    Err(e) if matches!(&e.about, Some(About::Name(about)) if known_split(about) == Some(split)) => {}
                    Err(e) => return Err(e.about_file(path)),
                }
            }
        }
        Ok(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_splits() {
        assert_eq!(
            ["valid", "validation", "dev", "Val", "test"].map(usual_split),
            ["val", "val", "val", "val", "test"]
        );
        assert_eq!((usual_split("trainval"), known_split("trainval")), ("trainval", None));
    }
}
