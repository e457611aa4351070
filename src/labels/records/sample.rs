//! `Sample`: what the columns of a source hold, from its first records.

use std::borrow::Cow;
use std::collections::HashMap;

use polars::prelude::PlHashSet;

use super::cells::Flags;
use super::columns::{self, quoted};
use super::truth::Truth;
use super::{Field, Records, Source};
use crate::error::{Error, Result, nearest};

/// Fields of a sample, and the fewest and most records.
const SAMPLE_FIELDS: usize = 100_000;
const SAMPLE_LEAST: usize = 20;
pub const SAMPLE_MOST: usize = 2_000;

/// What the sample of a column holds.
#[derive(Default)]
pub struct Content {
    /// Records without a value.
    pub empty: usize,
    /// Distinct values: 0, 1, -1, true, false; others.
    pub flags: usize,
    pub other: usize,
    /// The first of these, with its place.
    pub first_other: Option<(usize, String)>,
    /// Records with a list.
    pub lists: usize,
    pub flag_lists: Flags,
    pub distinct: PlHashSet<String>,
    /// Whether the values are consecutive integers, and whether all are whole numbers.
    pub counting: bool,
    pub whole: bool,
    /// Whether all values are numbers, and one is none from 0 to 1.
    pub numbers: bool,
    pub beyond_one: bool,
    first: Option<u64>,
}

impl Content {
    /// Whether the column may be one of a wide table.
    pub fn is_flags(&self) -> bool {
        self.other == 0 && self.flags > 0
    }

    pub fn is_empty(&self) -> bool {
        self.other == 0 && self.flags == 0
    }

    /// Adds the field of record `row` of the sample, which is at `place` of the file.
    fn add(&mut self, field: &Field<'_>, row: usize, place: usize) {
        let text = match field {
            Field::Text(text) => Cow::Borrowed(*text),
            Field::Int(value) => Cow::Owned(value.to_string()),
            Field::Float(value) => Cow::Owned(value.to_string()),
            Field::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Field::Null => Cow::Borrowed(""),
            Field::Other(kind) => {
                self.other += 1;
                self.first_other.get_or_insert_with(|| (place, (*kind).into()));
                return;
            }
            Field::List(items) => {
                self.lists += 1;
                self.flag_lists.add(items);
                return;
            }
        };
        let number = |text: &str| text.parse::<u64>().ok();
        if row == 0 {
            self.first = number(&text);
            self.counting = self.first.is_some_and(|first| first <= 1);
        } else if self.counting {
            self.counting = number(&text).is_some_and(|now| self.first == Some(now.wrapping_sub(row as u64)));
        }
        if text.is_empty() {
            self.empty += 1;
        } else if !self.distinct.contains(&*text) {
            match Truth::of(field) {
                Ok(Truth::Empty) => {}
                Ok(_) => self.flags += 1,
                Err(came) => {
                    self.other += 1;
                    self.first_other.get_or_insert((place, came));
                }
            }
            let value = text.parse::<f64>().ok().filter(|x| x.is_finite());
            self.numbers &= value.is_some();
            self.whole &= value.is_some_and(|x| x.fract() == 0.0);
            self.beyond_one |= value.is_some_and(|x| !(0.0..=1.0).contains(&x));
            self.distinct.insert(text.into_owned());
        }
    }
}

/// The first records of a source, column by column.
pub struct Sample<'a, S> {
    pub source: &'a S,
    pub columns: Vec<Content>,
    /// How many records there are, up to the sample's size.
    pub records: usize,
}

impl<'a, S: Source> Sample<'a, S> {
    /// Reads the first records of a source.
    pub fn of(source: &'a S) -> Result<Self> {
        let width = source.names().len();
        let most = (SAMPLE_FIELDS / width.max(1)).clamp(SAMPLE_LEAST, SAMPLE_MOST);
        let all: Vec<usize> = (0..width).collect();
        let mut records = source.records(&all, most)?;
        let mut columns: Vec<Content> =
            (0..width).map(|_| Content { counting: true, whole: true, numbers: true, ..Content::default() }).collect();
        let mut count = 0;
        while let Some(place) = records.next()? {
            for (i, content) in columns.iter_mut().enumerate() {
                content.add(&records.field(i)?, count, place);
            }
            count += 1;
        }
        Ok(Sample { source, columns, records: count })
    }

    pub fn names(&self) -> &'a [String] {
        self.source.names()
    }

    pub fn error(&self, message: String) -> Error {
        self.source.error(None, message)
    }

    /// A column that an option names. Errors: there is none, or there are two.
    pub fn named(&self, option: &str, name: &str) -> Result<usize> {
        let mut found = self.names().iter().enumerate().filter(|(_, column)| *column == name).map(|(i, _)| i);
        match (found.next(), found.next()) {
            (Some(column), None) => Ok(column),
            (Some(_), Some(_)) => Err(self.error(format!("column \"{name}\" appears twice")).about_name(name)),
            (None, _) => {
                let message = format!(
                    "option {option} names column \"{name}\", which is not there; the columns are {}",
                    quoted(self.names())
                );
                let error = self.error(message).about_name(name);
                Err(match nearest(name, self.names().iter().map(String::as_str)) {
                    Some(near) => error.with_help(format!("did you mean \"{near}\"?")),
                    None => error,
                })
            }
        }
    }

    /// Whether an image has several records.
    pub fn repeats(&self, image: usize) -> bool {
        self.columns[image].distinct.len() + self.columns[image].empty < self.records
    }

    /// Whether an image has records with different cells in a column.
    pub fn differs(&self, image: usize, column: usize) -> Result<bool> {
        if !self.repeats(image) {
            return Ok(false);
        }
        let mut records = self.source.records(&[image, column], self.records)?;
        let mut first: HashMap<String, String> = HashMap::new();
        let text = |field: Field<'_>| match field {
            Field::Text(text) => text.to_string(),
            other => format!("{other:?}"),
        };
        while records.next()?.is_some() {
            let (image, cell) = (text(records.field(0)?), text(records.field(1)?));
            if cell.is_empty() {
                continue;
            }
            match first.get(&image) {
                Some(before) if *before != cell => return Ok(true),
                Some(_) => {}
                None => drop(first.insert(image, cell)),
            }
        }
        Ok(false)
    }

    pub fn is_unnamed(&self, column: usize) -> bool {
        columns::is_unnamed(&self.names()[column])
    }
}
