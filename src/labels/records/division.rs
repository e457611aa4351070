//! The split of each image, from two columns of a table.

use polars::prelude::PlHashMap;

use super::columns::{self, quoted};
use super::{Records, Source, image_of, name_of};
use crate::activity::console;
use crate::error::{Error, Result};
use crate::labels::names::trimmed;
use crate::labels::readers::divided_split;

/// Which split each image is in.
#[derive(Clone, Debug, PartialEq)]
pub struct Division {
    /// Each image once, in the order of the table, with its split: train, val, test or a further test set. Images of no
    /// split are left out.
    pub rows: Vec<(String, String)>,
}

const HELP: &str = "a table of splits has a column of images and one of their splits, for example image,split";

/// Reads a table of images and splits, whose columns are found by their names. Choices that could have been others are
/// said on the console.
///
/// Errors: no column that fits, and those of [`read`].
pub fn read_table(source: &impl Source) -> Result<Division> {
    let (image, split, notes) = find(source)?;
    for note in source.notes().iter().chain(&notes) {
        console::log(&format!("{}: {note}", source.name()));
    }
    read(source, image, split)
}

/// The columns of images and of splits, and the choices that could have been others.
fn find(source: &impl Source) -> Result<(usize, usize, Vec<String>)> {
    let names = source.names();
    let mut notes = Vec::new();
    let none = |what: &str| {
        source
            .error(None, format!("no column has a usual name for {what}; the columns are {}", quoted(names)))
            .with_help(HELP)
    };
    if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        return Err(source.error(None, format!("column \"{}\" is there twice", twice.1)).with_help(HELP));
    }
    let splits = columns::splits(names);
    let called = columns::images(names).into_iter().chain(columns::maybe_image(names));
    let called: Vec<usize> = called.filter(|column| !splits.contains(column)).collect();
    let other = |of: usize| if names.len() == 2 { Some(1 - of) } else { None };
    let image = called.first().copied();
    let split = match (splits.first(), image) {
        (Some(&split), _) => split,
        (None, Some(image)) => {
            let split = other(image).ok_or_else(|| none("splits (split, subset, set)"))?;
            notes.push(format!("column \"{}\" is used as the column of splits", names[split]));
            split
        }
        (None, None) => return Err(none("images (image, file_name, path)")),
    };
    let image = match image {
        Some(image) => image,
        None => {
            let image = other(split).ok_or_else(|| none("images (image, file_name, path)"))?;
            notes.push(format!("column \"{}\" is used as the column of images", names[image]));
            image
        }
    };
    for (what, taken, passed) in [("images", image, called.get(1)), ("splits", split, splits.get(1))] {
        if let Some(&passed) = passed {
            notes.push(format!("{what} are named by column \"{}\", not \"{}\"", names[taken], names[passed]));
        }
    }
    Ok((image, split, notes))
}

/// Reads the splits from these columns. An image may have several rows of one split.
///
/// Errors name the line or row: an unknown split, with the nearest; an image in two splits.
pub fn read<S: Source>(source: &S, image: usize, split: usize) -> Result<Division> {
    if image == split {
        let name = &source.names()[image];
        return Err(source.error(None, format!("column \"{name}\" cannot hold both images and splits")));
    }
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut seen: PlHashMap<String, (usize, usize)> = PlHashMap::default();
    let mut records = source.records(&[image, split], usize::MAX)?;
    while let Some(place) = records.next()? {
        let Some(image) = image_of(source, &records, 2, place)? else { continue };
        let written = name_of(source, place, records.field(1)?)?;
        let written = trimmed(&written);
        if written.is_empty() {
            continue;
        }
        let split = divided_split(written).map_err(|Error { message, help, .. }| {
            let error = source.error(Some(place), message);
            Error { help, ..error }
        })?;
        match seen.get(&*image) {
            None => {
                seen.insert(image.to_string(), (rows.len(), place));
                rows.push((image.into_owned(), split));
            }
            Some(&(row, first)) if rows[row].1 != split => {
                let (before, unit) = (&rows[row].1, source.unit());
                let message =
                    format!("image \"{image}\" is in split \"{split}\", and in \"{before}\" by {unit} {first}");
                return Err(source.error(Some(place), message));
            }
            Some(_) => {}
        }
    }
    Ok(Division { rows })
}
