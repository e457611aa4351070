//! The names of splits, and the splits that a file or folder has itself.

use std::path::Path;

use super::{
    LoadOptions, Probe, Reader, check_ending, csv_long, finish, json_lines, opened, opened_with, parquet_long,
};
use crate::activity::console;
use crate::error::{About, Error, Result};
use crate::labels::LabelTable;
use crate::labels::records::division::{self, Division};
use crate::labels::records::{CsvSource, Form, JsonSource, Layout, Source};

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

/// The split that a table of splits or a folder means by a name: train, val, test, or a further test set under its own
/// name in small letters (test2, test_shifted).
///
/// Errors: another name, with the nearest.
pub fn divided_split(name: &str) -> Result<String> {
    let small = name.to_lowercase();
    let is_test = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit() || "_- ".contains(c));
    // It becomes a key of a script's map and stands in lines for people.
    let is_name = |name: &str| name.len() <= 40 && name.chars().all(|c| c.is_alphanumeric() || "_- ".contains(c));
    match small.as_str() {
        "training" => Ok("train".into()),
        "testing" => Ok("test".into()),
        _ if small.strip_prefix("test").is_some_and(is_test) && is_name(&small) => Ok(small),
        _ => known_split(name).map(String::from).ok_or_else(|| {
            let mut error = Error::unknown("split", name, ["train", "val", "test", "training", "validation"]);
            error.message = format!(
                "unknown split {:?}; expected train, val or test, another usual name of these, or a further test set \
                 whose name begins with test_",
                name.chars().take(60).collect::<String>()
            );
            error
        }),
    }
}

/// Reads a table of images and their splits: CSV, Parquet or JSON lines, whose columns are found by their names.
///
/// Errors name the file and the line or row: no column that fits, an unknown split, an image in two splits.
pub fn read_splits(path: &Path) -> Result<Division> {
    let help = |error: Error| error.with_help("a table of splits begins with the names of its columns: image,split");
    let options = LoadOptions::default();
    let probe = Probe::new(path)?;
    let read = || {
        if probe.head.is_empty() {
            return Err(Error::in_file(path, "the file is empty"));
        }
        check_ending(&probe)?;
        if parquet_long::is_parquet(&probe) {
            return division::read_table(probe.parquet()?);
        }
        let text = probe.text(&options)?;
        match json_lines::has_extension(path) || probe.start(&options).is_some_and(|s| s.trim_start().starts_with('{'))
        {
            true => division::read_table(&JsonSource::new(text)?),
            false => division::read_table(&CsvSource::new(text, &options).map_err(help)?),
        }
    };
    read().map_err(|error| error.about_file(path))
}

/// The names of the columns of a label file; `None` for a format without columns.
///
/// Errors: those of [`load`](super::load) that tell the format.
pub fn columns_of(path: &Path, options: &LoadOptions) -> Result<Option<Vec<String>>> {
    console::muted(|| {
        let (probe, reader) = match opened(path, options) {
            Ok(opened) => opened,
            // A column of splits may be what keeps the file from being read.
            Err(error) if path.is_dir() => return Err(error),
            Err(_) => return names_of(&Probe::new(path)?, options),
        };
        if is_table(&probe, reader) { names_of(&probe, options) } else { Ok(None) }
    })
}

fn is_table(probe: &Probe, reader: &Reader) -> bool {
    !probe.is_folder
        && (reader.name.starts_with("csv") || reader.name.starts_with("parquet") || reader.name == "huggingface")
}

fn names_of(probe: &Probe, options: &LoadOptions) -> Result<Option<Vec<String>>> {
    if parquet_long::is_parquet(probe) {
        return Ok(Some(probe.parquet()?.names().to_vec()));
    }
    if csv_long::is_csv(probe, options) {
        return Ok(Some(csv_long::source(probe, options)?.names().to_vec()));
    }
    Ok(Some(JsonSource::new(probe.text(options)?)?.names().to_vec()))
}

/// A label table, and the splits of its images by a column of the same file, which is no label.
///
/// Errors: those of [`load`](super::load); no such column, or a format without columns; an unknown split, an image in two.
pub fn load_with_splits(path: &Path, options: &LoadOptions, column: &str) -> Result<(LabelTable, Division)> {
    let read = || {
        let (probe, reader) = opened_with(path, options, Some(column))?;
        if !is_table(&probe, reader) {
            let (path, name) = (path.display(), reader.name);
            return Err(Error::argument(format!("{path}: {name} files have no columns, so none of splits")));
        }
        let table = finish(&path.display().to_string(), (reader.read)(&probe, options)?, options, reader.lists_labels)?;
        let division = if parquet_long::is_parquet(&probe) {
            divided(probe.parquet()?, options, column)?
        } else if reader.name == "huggingface" {
            divided(&JsonSource::new(probe.text(options)?)?.passing_over(Some(column)), options, column)?
        } else {
            divided(&csv_long::source(&probe, options)?, options, column)?
        };
        Ok((table, division))
    };
    read().map_err(|error| error.about_file(path))
}

/// The splits by `column`, whose images are those of the label table.
fn divided(source: &impl Source, options: &LoadOptions, column: &str) -> Result<Division> {
    let split = source.passed_over().ok_or_else(|| {
        Error::unknown("column", column, source.names().iter().map(String::as_str)).about_option("splits")
    })?;
    // Its choices were said when the labels were read.
    let layout = console::muted(|| Layout::find(source, options, Form::asked(options)))?;
    division::read(source, layout.image, split)
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
