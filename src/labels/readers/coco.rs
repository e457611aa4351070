//! COCO instances JSON.
//!
//! The file is streamed. Of an annotation only its two ids are kept and polygons are skipped, so memory is bounded by
//! the lists of images and of distinct image-category pairs.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{LoadOptions, Probe, Reader};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::labels::LabelTable;

pub const READER: Reader = Reader {
    name: "coco",
    summary: "COCO instances JSON (images, annotations, categories); labels are the category names in alphabetical order",
    lists_labels: true,
    has_splits: false,
    detect: |probe, _| {
        let start = probe.head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&probe.head).trim_ascii_start();
        start.first() == Some(&b'{')
    },
    read,
};

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    category_id: i64,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

/// The lists read so far, and the place of the record being read.
#[derive(Default)]
struct Content {
    images: Option<Vec<Image>>,
    categories: Option<Vec<Category>>,
    /// Distinct (image id, category id), with the number of the first annotation of each.
    pairs: Option<Vec<(i64, i64, u64)>>,
    place: Place,
}

#[derive(Default)]
struct Place {
    list: &'static str,
    record: u64,
}

fn read(probe: &Probe, _: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let source = Source::new(file, path)?;
    let content = RefCell::new(Content::default());
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 18, source));
    let parsed = Whole(&content).deserialize(&mut json).and_then(|()| json.end());
    let content = content.into_inner();
    if let Err(error) = parsed {
        // Ctrl-C reaches the parser as a read that failed.
        interrupt::check()?;
        return Err(broken(path, &content.place, &error));
    }
    content.into_table(path)
}

fn broken(path: &Path, place: &Place, error: &serde_json::Error) -> Error {
    let record = match place.list {
        "" => String::new(),
        list => format!(", record {} of \"{list}\" (counted from 0)", place.record),
    };
    if error.is_io() {
        return Error::io(path, error);
    }
    if error.is_eof() {
        return Error::data(format!(
            "{}{record}: the JSON ends in the middle, at line {} column {}",
            path.display(),
            error.line(),
            error.column()
        ));
    }
    Error::data(format!("{}{record}: {error}", path.display()))
}

impl Content {
    fn into_table(self, path: &Path) -> Result<LabelTable> {
        let path = path.display();
        let missing = |list: &str| {
            Error::data(format!(
                "{path} has no list \"{list}\"; a COCO instances file has images, annotations and categories"
            ))
        };
        let images = self.images.ok_or_else(|| missing("images"))?;
        let categories = self.categories.ok_or_else(|| missing("categories"))?;
        let pairs = self.pairs.ok_or_else(|| missing("annotations"))?;
        if images.is_empty() {
            return Err(Error::data(format!("{path} has no images")));
        }

        let mut order: Vec<usize> = (0..categories.len()).collect();
        order.sort_by(|&a, &b| categories[a].name.cmp(&categories[b].name));
        let mut label_of = HashMap::with_capacity(categories.len());
        for (label, &c) in order.iter().enumerate() {
            if label_of.insert(categories[c].id, label as u32).is_some() {
                return Err(Error::data(format!("{path}: category id {} appears twice", categories[c].id)));
            }
        }
        let mut row_of = HashMap::with_capacity(images.len());
        for (row, image) in images.iter().enumerate() {
            if let Some(first) = row_of.insert(image.id, row) {
                return Err(Error::data(format!(
                    "{path}, record {row} of \"images\": image id {} appears twice, first in record {first}",
                    image.id
                )));
            }
        }
        let mut lists = vec![Vec::new(); images.len()];
        for (image, category, record) in pairs {
            let unknown = |what: &str, id: i64, list: &str| {
                Error::data(format!("{path}, record {record} of \"annotations\": {what} {id} is not in \"{list}\""))
            };
            let row = *row_of.get(&image).ok_or_else(|| unknown("image_id", image, "images"))?;
            let label = *label_of.get(&category).ok_or_else(|| unknown("category_id", category, "categories"))?;
            lists[row].push(label);
        }
        let names = order.iter().map(|&c| categories[c].name.clone()).collect();
        let images = images.into_iter().map(|i| i.file_name).collect();
        LabelTable::from_lists(names, images, &lists).map_err(|e| Error::data(format!("{path}: {e}")))
    }
}

/// Reads the object at the top of the file.
struct Whole<'a>(&'a RefCell<Content>);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with images, annotations and categories")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let list = match key.as_str() {
                "images" => "images",
                "annotations" => "annotations",
                "categories" => "categories",
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            self.0.borrow_mut().place = Place { list, record: 0 };
            match list {
                "images" => {
                    let images = map.next_value_seed(List { content: self.0, keep: Vec::push, into: Vec::new() })?;
                    self.once(list, |c| c.images.replace(images).is_some())?;
                }
                "categories" => {
                    let categories =
                        map.next_value_seed(List { content: self.0, keep: Vec::push, into: Vec::new() })?;
                    self.once(list, |c| c.categories.replace(categories).is_some())?;
                }
                _ => {
                    let pairs =
                        map.next_value_seed(List { content: self.0, keep: Pairs::keep, into: Pairs::default() })?;
                    self.once(list, |c| c.pairs.replace(pairs.list).is_some())?;
                }
            }
            self.0.borrow_mut().place = Place::default();
        }
        Ok(())
    }
}

impl Whole<'_> {
    fn once<E: serde::de::Error>(&self, list: &str, put: impl FnOnce(&mut Content) -> bool) -> Result<(), E> {
        if put(&mut self.0.borrow_mut()) { Err(E::custom(format!("\"{list}\" appears twice"))) } else { Ok(()) }
    }
}

#[derive(Default)]
struct Pairs {
    list: Vec<(i64, i64, u64)>,
    seen: HashSet<(i64, i64)>,
    count: u64,
}

impl Pairs {
    /// Keeps an annotation, unless it repeats a pair: a picture often has several objects of one kind.
    fn keep(&mut self, a: Annotation) {
        if self.seen.insert((a.image_id, a.category_id)) {
            self.list.push((a.image_id, a.category_id, self.count));
        }
        self.count += 1;
    }
}

/// Reads a list, record by record, into `into`.
struct List<'a, T, C> {
    content: &'a RefCell<Content>,
    keep: fn(&mut C, T),
    into: C,
}

impl<'de, T: Deserialize<'de>, C> DeserializeSeed<'de> for List<'_, T, C> {
    type Value = C;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<C, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, C> Visitor<'de> for List<'_, T, C> {
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<C, A::Error> {
        while let Some(record) = seq.next_element::<T>()? {
            (self.keep)(&mut self.into, record);
            let record = {
                let place = &mut self.content.borrow_mut().place;
                place.record += 1;
                place.record
            };
            if record.is_multiple_of(1 << 12) && interrupt::requested() {
                return Err(A::Error::custom("interrupted"));
            }
        }
        Ok(self.into)
    }
}

/// The file, with a progress line if it is large.
struct Source {
    file: File,
    progress: Option<Progress>,
}

impl Source {
    const LARGE: u64 = 64 << 20;

    fn new(file: File, path: &Path) -> Result<Source> {
        let size = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let progress = (size > Self::LARGE).then(|| Progress::new(format!("reading {name}"), size, "bytes"));
        Ok(Source { file, progress })
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        if let Some(progress) = &self.progress {
            progress.advance(n as u64);
        }
        Ok(n)
    }
}
