//! COCO instances JSON.
//!
//! Of an annotation only its two ids are kept and polygons are skipped. A text of up to [`WHOLE_UP_TO`] bytes is held while it is
//! parsed, where it takes no more than a quarter of the memory that is left; a larger one is streamed, more slowly, and memory
//! is bounded by the lists of images and of distinct image-category pairs.
//!
//! Rules for files as tools write them:
//! - An id is a whole number or a text. `17`, `17.0` and `"17"` are the same id; `"017"` is another one.
//! - `file_name` and `name` are texts, trimmed; a whole number stands for its digits. A backslash in `file_name` is `/`.
//! - Categories of one name stay labels of their own, called `name (id 7)`. Two images of one `file_name` are refused.
//! - Annotations without `category_id` (captions in the same file) are passed over and counted; if all are, it is an error.
//! - `NaN` and `Infinity` may stand in fields that are not read.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::de::Read as JsonRead;

use super::coco_fields::{Came, Id, Ids, name};
use super::{LoadOptions, Probe, Reader};
use crate::activity::progress::Progress;
use crate::activity::{console, interrupt};
use crate::error::{Error, Result};
use crate::files;
use crate::json::{self, Lenient};
use crate::labels::LabelTable;
use crate::memory;

pub const READER: Reader = Reader {
    name: "coco",
    summary: "COCO instances JSON (images, annotations, categories); labels are the category names in alphabetical order",
    lists_labels: true,
    has_splits: false,
    options: &[],
    detect: |probe, _| !probe.is_folder && looks_like_json(&probe.head),
    read,
};

/// Whether a text begins with an object, or a list of objects: the results of a detector, which have their own error.
fn looks_like_json(head: &[u8]) -> bool {
    // In UTF-16 every second byte of the first signs is 0.
    let utf16: Vec<u8>;
    let start = match head {
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, ..] => {
            utf16 = head.iter().copied().filter(|b| !matches!(b, 0 | 0xfe | 0xff)).take(64).collect();
            &utf16
        }
        _ => head,
    };
    match start.trim_ascii_start() {
        [b'{', ..] => true,
        [b'[', rest @ ..] => rest.trim_ascii_start().first() == Some(&b'{'),
        _ => false,
    }
}

struct Image {
    id: Id,
    file_name: String,
}

struct Annotation {
    image: Id,
    category: Id,
}

struct Category {
    id: Id,
    name: String,
}

/// The lists read so far, and the place of the record being read.
#[derive(Default)]
struct Content {
    images: Option<Vec<Image>>,
    categories: Option<Vec<Category>>,
    /// Distinct (image id, category id), with the number of the first annotation of each.
    pairs: Option<Vec<(Id, Id, u64)>>,
    annotations: u64,
    bare: Bare,
    /// Whether a category lists the names of keypoints.
    keypoints: bool,
    ids: Ids,
    place: Place,
    /// The sentence of the error that stopped the parser, and its help.
    failure: Option<(String, Option<&'static str>)>,
}

/// Annotations without `category_id`.
#[derive(Default)]
struct Bare {
    count: u64,
    first: u64,
    /// The field that tells what the first of them is.
    kind: Option<&'static str>,
}

#[derive(Default)]
struct Place {
    list: &'static str,
    /// None before its first record.
    record: Option<u64>,
}

/// Bytes. The instances of COCO's training pictures have 450 million.
const WHOLE_UP_TO: u64 = 1 << 30;

const EXPECTED: &str = "a COCO instances file is an object with the lists images, annotations and categories";

fn read(probe: &Probe, _: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    if let Some(encoding) = json::other_encoding(&probe.head) {
        return Err(Error::in_file(path, format!("the text is {encoding}; JSON must be UTF-8"))
            .with_help(format!("iconv -f {encoding} -t UTF-8 converts it")));
    }
    let file = files::open(path)?;
    let size = file.metadata().map_err(|e| Error::io(path, e))?.len();
    let mut source = Lenient::new(Source::new(file, size, path));
    let content = RefCell::new(Content::default());
    let mut text = Vec::new();
    let held = size <= WHOLE_UP_TO.min(memory::left() / 4) && text.try_reserve_exact(size as usize + 1).is_ok();
    let parsed = if held {
        if let Err(error) = source.read_to_end(&mut text) {
            interrupt::check()?;
            return Err(Error::io(path, error));
        }
        parse(serde_json::Deserializer::from_slice(&text), &content)
    } else {
        let source = BufReader::with_capacity(1 << 18, source);
        parse(serde_json::Deserializer::from_reader(source), &content)
    };
    let content = content.into_inner();
    if let Err(error) = parsed {
        // Ctrl-C reaches the parser as a read that failed.
        interrupt::check()?;
        return Err(broken(path, content, &error));
    }
    content.into_table(path)
}

fn parse<'de>(mut json: serde_json::Deserializer<impl JsonRead<'de>>, content: Shared) -> serde_json::Result<()> {
    Whole(content).deserialize(&mut json).and_then(|()| json.end())
}

fn broken(path: &Path, content: Content, error: &serde_json::Error) -> Error {
    if error.is_io() {
        return Error::io(path, error);
    }
    let record = match content.place {
        Place { list: "", .. } => String::new(),
        Place { list, record: None } => format!(", list \"{list}\""),
        Place { list, record: Some(record) } => format!(", record {record} of \"{list}\" (counted from 0)"),
    };
    let (said, help) = content.failure.unwrap_or_else(|| (json::fault(error), None));
    let broken = Error::data(format!("{}{record}: {said}", path.display()));
    match help {
        Some(help) => broken.with_help(help),
        None => broken,
    }
}

impl Content {
    fn into_table(self, path: &Path) -> Result<LabelTable> {
        self.check_kind(path)?;
        let path = path.display();
        let missing = |list: &str| Error::data(format!("{path} has no list \"{list}\"; {EXPECTED}"));
        let images = self.images.ok_or_else(|| missing("images"))?;
        let categories = self.categories.ok_or_else(|| missing("categories"))?;
        let pairs = self.pairs.ok_or_else(|| missing("annotations"))?;
        if images.is_empty() {
            return Err(Error::data(format!("{path} has no images")));
        }
        let ids = &self.ids;
        let mut category_of: HashMap<Id, usize> = HashMap::with_capacity(categories.len());
        for (record, category) in categories.iter().enumerate() {
            if category_of.insert(category.id, record).is_some() {
                return Err(Error::data(format!("{path}: category id {} appears twice", ids.show(category.id))));
            }
        }
        let names = label_names(&path, &categories, ids)?;
        let mut order: Vec<usize> = (0..categories.len()).collect();
        order.sort_by(|&a, &b| names[a].cmp(&names[b]));
        let mut label_of = vec![0_u32; order.len()];
        order.iter().enumerate().for_each(|(label, &record)| label_of[record] = label as u32);

        let mut row_of = HashMap::with_capacity(images.len());
        let mut named: HashMap<&str, usize> = HashMap::with_capacity(images.len());
        for (row, image) in images.iter().enumerate() {
            if let Some(first) = row_of.insert(image.id, row) {
                return Err(Error::data(format!(
                    "{path}, record {row} of \"images\": image id {} appears twice, first in record {first}",
                    ids.show(image.id)
                )));
            }
            if let Some(first) = named.insert(&image.file_name, row) {
                let [one, other] = [first, row].map(|row| ids.show(images[row].id));
                return Err(Error::data(format!(
                    "{path}, record {row} of \"images\": file_name \"{}\" appears twice, first in record {first} (ids {one} and {other})",
                    image.file_name
                ))
                .about_name(image.file_name.clone())
                .with_help("a picture has one record: give the annotations of both ids to one of them"));
            }
        }
        drop(named);
        let mut lists = vec![Vec::new(); images.len()];
        for (image, category, record) in pairs {
            let unknown = |what: &str, id: Id, list: &str| {
                let error = Error::data(format!(
                    "{path}, record {record} of \"annotations\": {what} {} is not in \"{list}\"",
                    ids.show(id)
                ));
                match ids.padded(id) {
                    Some(text) => error.with_help(format!("the text \"{text}\" is another id than the number {id}")),
                    None => error,
                }
            };
            let row = *row_of.get(&image).ok_or_else(|| unknown("image_id", image, "images"))?;
            let label = *category_of.get(&category).ok_or_else(|| unknown("category_id", category, "categories"))?;
            lists[row].push(label_of[label]);
        }
        if self.bare.count > 0 {
            let (bare, all, first) = (self.bare.count, self.annotations, self.bare.first);
            console::log(&format!(
                "{path}: {bare} of {all} annotations have no category_id and were passed over, the first is record {first}"
            ));
        }
        if self.keypoints {
            let first: Vec<&str> = names.iter().take(6).map(String::as_str).collect();
            console::log(&format!(
                "note: {path} is a keypoints file, whose labels are the categories with keypoints alone: {}",
                first.join(", ")
            ));
        }
        let names = order.iter().map(|&record| names[record].clone()).collect();
        let images = images.into_iter().map(|i| i.file_name).collect();
        LabelTable::from_lists(names, images, &lists).map_err(|e| Error { message: format!("{path}: {e}"), ..e })
    }

    /// Errors: a file none of whose annotations has a category.
    fn check_kind(&self, path: &Path) -> Result<()> {
        if self.annotations == 0 || self.bare.count < self.annotations {
            return Ok(());
        }
        let kind = match self.bare.kind {
            Some("segments_info") => {
                "this is a COCO panoptic file: its annotations hold segments_info and no category_id"
            }
            Some(_) => "this is a COCO captions file: its annotations hold captions and no category_id",
            None => "none of the annotations has a category_id",
        };
        Err(Error::in_file(path, format!("{kind}; {EXPECTED}"))
            .with_help("COCO's instances_*.json have the same pictures with their categories"))
    }
}

/// The labels of the categories: their names, with the id behind it where two categories have one name.
fn label_names(path: &impl fmt::Display, categories: &[Category], ids: &Ids) -> Result<Vec<String>> {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (record, category) in categories.iter().enumerate() {
        by_name.entry(&category.name).or_default().push(record);
    }
    let mut names: Vec<String> = categories.iter().map(|c| c.name.clone()).collect();
    let shared: Vec<(&str, &Vec<usize>)> = by_name.iter().filter(|(_, r)| r.len() > 1).map(|(n, r)| (*n, r)).collect();
    for &(name, records) in &shared {
        for &record in records {
            let id = ids.show(categories[record].id);
            let told = format!("{name} (id {id})");
            if by_name.contains_key(told.as_str()) {
                return Err(Error::data(format!(
                    "{path}: category id {id} shares the name \"{name}\" with another, and \"{told}\" is a category too"
                ))
                .with_help("rename one of them"));
            }
            names[record] = told;
        }
    }
    if let Some((name, records)) = shared.first() {
        let told: Vec<String> = records.iter().map(|&r| format!("\"{}\"", names[r])).collect();
        let more = match shared.len() - 1 {
            0 => String::new(),
            n => format!("; so are {n} more names"),
        };
        console::log(&format!(
            "{path}: {} categories are called \"{name}\"; told apart by id, their labels are {}{more}",
            records.len(),
            told.join(", ")
        ));
    }
    Ok(names)
}

type Shared<'a> = &'a RefCell<Content>;

/// Keeps a sentence for the user; the parser is stopped by the error that is returned.
fn fail<E: serde::de::Error>(content: Shared, what: impl Into<String>, help: Option<&'static str>) -> E {
    content.borrow_mut().failure.get_or_insert((what.into(), help));
    E::custom("stopped")
}

/// Reads the object at the top of the file.
struct Whole<'a>(Shared<'a>);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with the lists images, annotations and categories")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let content = self.0;
            let list = match key.as_str() {
                "images" => "images",
                "annotations" => "annotations",
                "categories" => "categories",
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            content.borrow_mut().place = Place { list, record: None };
            let again = match list {
                "images" => {
                    let images = map.next_value_seed(List { content, keep: Vec::push, into: Vec::new() })?;
                    content.borrow_mut().images.replace(images).is_some()
                }
                "categories" => {
                    let categories = map.next_value_seed(List { content, keep: Vec::push, into: Vec::new() })?;
                    content.borrow_mut().categories.replace(categories).is_some()
                }
                _ => {
                    let pairs = map.next_value_seed(List { content, keep: Pairs::keep, into: Pairs::default() })?;
                    let mut content = content.borrow_mut();
                    content.annotations = pairs.count;
                    content.pairs.replace(pairs.list).is_some()
                }
            };
            content.borrow_mut().place = Place::default();
            if again {
                return Err(fail(content, format!("the list \"{list}\" comes twice"), None));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let keys = seq.next_element_seed(Keys)?.unwrap_or_default();
        let has = |key: &str| keys.iter().any(|k| k == key);
        if has("image_id") {
            let what = format!("this is a results file, a list of records with {}; {EXPECTED}", keys.join(", "));
            let help =
                "load the instances file that the results belong to: it has the names of pictures and categories";
            return Err(fail(self.0, what, Some(help)));
        }
        let what = match keys.is_empty() {
            true => format!("this is a list; {EXPECTED}"),
            false => format!("this is a list of records with {}; {EXPECTED}", keys.join(", ")),
        };
        Err(fail(self.0, what, Some("a table of images and labels is read from CSV or Parquet")))
    }
}

/// The first keys of a record.
struct Keys;

impl<'de> DeserializeSeed<'de> for Keys {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if keys.len() < 6 {
                keys.push(key.chars().take(40).collect());
            }
        }
        Ok(keys)
    }
}

#[derive(Default)]
struct Pairs {
    list: Vec<(Id, Id, u64)>,
    seen: HashSet<(Id, Id)>,
    count: u64,
}

impl Pairs {
    /// Keeps an annotation, unless it repeats a pair: a picture often has several objects of one kind.
    fn keep(&mut self, a: Option<Annotation>) {
        if let Some(a) = a
            && self.seen.insert((a.image, a.category))
        {
            self.list.push((a.image, a.category, self.count));
        }
        self.count += 1;
    }
}

/// The fields that are read.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Id,
    FileName,
    Name,
    ImageId,
    CategoryId,
    Caption,
    SegmentsInfo,
    Keypoints,
    #[serde(other)]
    Other,
}

/// A record of one of the lists.
trait Record: Sized {
    fn read<'de, A: MapAccess<'de>>(map: A, content: Shared) -> Result<Self, A::Error>;
}

impl Record for Image {
    fn read<'de, A: MapAccess<'de>>(mut map: A, content: Shared) -> Result<Self, A::Error> {
        let (mut id, mut file_name) = (None, None);
        while let Some(key) = map.next_key()? {
            match key {
                Key::Id => field(&mut map, content, "id", id_of, &mut id)?,
                Key::FileName => field(&mut map, content, "file_name", |_, came| name(came), &mut file_name)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let (id, file_name) = (needed(content, "id", id)?, needed(content, "file_name", file_name)?);
        // Windows writes its paths with backslashes.
        Ok(Image { id, file_name: if file_name.contains('\\') { file_name.replace('\\', "/") } else { file_name } })
    }
}

impl Record for Category {
    fn read<'de, A: MapAccess<'de>>(mut map: A, content: Shared) -> Result<Self, A::Error> {
        let (mut id, mut called) = (None, None);
        while let Some(key) = map.next_key()? {
            match key {
                Key::Id => field(&mut map, content, "id", id_of, &mut id)?,
                Key::Name => field(&mut map, content, "name", |_, came| name(came), &mut called)?,
                Key::Keypoints => {
                    content.borrow_mut().keypoints = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Category { id: needed(content, "id", id)?, name: needed(content, "name", called)? })
    }
}

impl Record for Option<Annotation> {
    fn read<'de, A: MapAccess<'de>>(mut map: A, content: Shared) -> Result<Self, A::Error> {
        let (mut image, mut category, mut kind) = (None, None, None);
        while let Some(key) = map.next_key()? {
            match key {
                Key::ImageId => field(&mut map, content, "image_id", id_of, &mut image)?,
                Key::CategoryId => field(&mut map, content, "category_id", id_of, &mut category)?,
                other => {
                    match other {
                        Key::Caption => kind = Some("caption"),
                        Key::SegmentsInfo => kind = Some("segments_info"),
                        _ => {}
                    }
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Some(category) = category else {
            let content = &mut *content.borrow_mut();
            if content.bare.count == 0 {
                content.bare = Bare { count: 0, first: content.place.record.unwrap_or(0), kind };
            }
            content.bare.count += 1;
            return Ok(None);
        };
        Ok(Some(Annotation { image: needed(content, "image_id", image)?, category }))
    }
}

fn id_of(content: Shared, came: &Came) -> Result<Id, String> {
    content.borrow_mut().ids.of(came)
}

/// Reads a field into `place`. Errors: a value that `take` refuses, a field that comes twice.
fn field<'de, A: MapAccess<'de>, T>(
    map: &mut A,
    content: Shared,
    name: &'static str,
    take: impl FnOnce(Shared, &Came) -> Result<T, String>,
    place: &mut Option<T>,
) -> Result<(), A::Error> {
    let value = map.next_value_seed(Field { content, name, take })?;
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(fail(content, format!("field \"{name}\" comes twice"), None)),
    }
}

fn needed<T, E: serde::de::Error>(content: Shared, name: &str, value: Option<T>) -> Result<T, E> {
    value.ok_or_else(|| fail(content, format!("field \"{name}\" is missing"), None))
}

/// Reads the value of a field of any type through `take`.
struct Field<'a, F> {
    content: Shared<'a>,
    name: &'static str,
    take: F,
}

impl<F> Field<'_, F> {
    fn took<T, E: serde::de::Error>(self, came: Came) -> Result<T, E>
    where
        F: FnOnce(Shared, &Came) -> Result<T, String>,
    {
        (self.take)(self.content, &came)
            .map_err(|what| fail(self.content, format!("field \"{}\": {what}", self.name), None))
    }
}

impl<'de, T, F: FnOnce(Shared, &Came) -> Result<T, String>> DeserializeSeed<'de> for Field<'_, F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: FnOnce(Shared, &Came) -> Result<T, String>> Visitor<'de> for Field<'_, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a value of \"{}\"", self.name)
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<T, E> {
        self.took(Came::Int(n))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<T, E> {
        self.took(i64::try_from(n).map_or(Came::Large(n), Came::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, x: f64) -> Result<T, E> {
        self.took(Came::Float(x))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        self.took(Came::Text(text))
    }

    fn visit_bool<E: serde::de::Error>(self, b: bool) -> Result<T, E> {
        self.took(Came::Bool(b))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        self.took(Came::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        self.took(Came::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        self.took(Came::Object)
    }
}

/// Reads one record.
struct OneRecord<'a, T> {
    content: Shared<'a>,
    made: std::marker::PhantomData<T>,
}

impl<'de, T: Record> DeserializeSeed<'de> for OneRecord<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Record> Visitor<'de> for OneRecord<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a record, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::read(map, self.content)
    }
}

/// Reads a list, record by record, into `into`.
struct List<'a, T, C> {
    content: Shared<'a>,
    keep: fn(&mut C, T),
    into: C,
}

impl<'de, T: Record, C> DeserializeSeed<'de> for List<'_, T, C> {
    type Value = C;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<C, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Record, C> Visitor<'de> for List<'_, T, C> {
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<C, A::Error> {
        let mut record = 0;
        loop {
            self.content.borrow_mut().place.record = Some(record);
            let one = OneRecord { content: self.content, made: std::marker::PhantomData };
            let Some(made) = seq.next_element_seed(one)? else { return Ok(self.into) };
            (self.keep)(&mut self.into, made);
            record += 1;
            if record.is_multiple_of(1 << 12) && interrupt::requested() {
                return Err(A::Error::custom("interrupted"));
            }
        }
    }
}

/// The file, with a progress line if it is large.
struct Source {
    file: File,
    progress: Option<Progress>,
}

impl Source {
    const LARGE: u64 = 64 << 20;

    fn new(file: File, size: u64, path: &Path) -> Source {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let progress = (size > Self::LARGE).then(|| Progress::new(format!("reading {name}"), size, "bytes"));
        Source { file, progress }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // A skipped field can be as long as the file.
        if interrupt::requested() {
            return Err(std::io::Error::other("interrupted"));
        }
        let n = self.file.read(buffer)?;
        if let Some(progress) = &self.progress {
            progress.advance(n as u64);
        }
        Ok(n)
    }
}
