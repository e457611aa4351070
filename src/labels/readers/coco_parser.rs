//! Parses the JSON of COCO's instances into lists, record by record.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::de::Read;

use super::coco_fields::{Came, Id, Ids, name};
use crate::activity::interrupt;

pub(super) const EXPECTED: &str =
    "a COCO instances file is an object with the lists images, annotations and categories";

pub(super) struct Image {
    pub id: Id,
    pub file_name: String,
}

struct Annotation {
    image: Id,
    category: Id,
}

pub(super) struct Category {
    pub id: Id,
    pub name: String,
}

/// The lists read so far, and the place of the record being read.
#[derive(Default)]
pub(super) struct Content {
    pub images: Option<Vec<Image>>,
    pub categories: Option<Vec<Category>>,
    /// Distinct (image id, category id), with the number of the first annotation of each.
    pub pairs: Option<Vec<(Id, Id, u64)>>,
    pub annotations: u64,
    pub bare: Bare,
    /// Whether a category lists the names of keypoints.
    pub keypoints: bool,
    pub ids: Ids,
    pub place: Place,
    /// The sentence of the error that stopped the parser, and its help.
    pub failure: Option<(String, Option<&'static str>)>,
}

/// Annotations without `category_id`.
#[derive(Default)]
pub(super) struct Bare {
    pub count: u64,
    pub first: u64,
    /// The field that tells what the first of them is.
    pub kind: Option<&'static str>,
}

#[derive(Default)]
pub(super) struct Place {
    pub list: &'static str,
    /// None before its first record.
    pub record: Option<u64>,
}

/// What stands in a text. An error leaves what was read before it, the place among it.
pub(super) fn parse<'de>(mut json: serde_json::Deserializer<impl Read<'de>>) -> (Content, serde_json::Result<()>) {
    let content = RefCell::new(Content::default());
    let parsed = Whole(&content).deserialize(&mut json).and_then(|()| json.end());
    (content.into_inner(), parsed)
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
