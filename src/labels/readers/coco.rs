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

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::coco_fields::{Id, Ids};
use super::coco_parser::{Category, Content, EXPECTED, Place, parse};
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

/// Bytes. The instances of COCO's training pictures have 450 million.
const WHOLE_UP_TO: u64 = 1 << 30;

fn read(probe: &Probe, _: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    if let Some(encoding) = json::other_encoding(&probe.head) {
        return Err(Error::in_file(path, format!("the text is {encoding}; JSON must be UTF-8"))
            .with_help(format!("iconv -f {encoding} -t UTF-8 converts it")));
    }
    read_holding(path, WHOLE_UP_TO.min(memory::left() / 4))
}

/// Reads a file, and holds its text meanwhile if that has at most `most` bytes.
fn read_holding(path: &Path, most: u64) -> Result<LabelTable> {
    let file = files::open(path)?;
    let size = file.metadata().map_err(|e| Error::io(path, e))?.len();
    let mut source = Lenient::new(Source::new(file, size, path));
    let mut text = Vec::new();
    let (content, parsed) = if size <= most && text.try_reserve_exact(size as usize + 1).is_ok() {
        if let Err(error) = source.read_to_end(&mut text) {
            interrupt::check()?;
            return Err(Error::io(path, error));
        }
        parse(serde_json::Deserializer::from_slice(&text))
    } else {
        parse(serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 18, source)))
    };
    if let Err(error) = parsed {
        // Ctrl-C reaches the parser as a read that failed.
        interrupt::check()?;
        return Err(broken(path, content, &error));
    }
    content.into_table(path)
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_text_that_is_held_is_read_as_one_that_is_streamed() {
        let good = "\u{feff}{\"info\": {\"x\": NaN},\n \"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}, {\"id\": 2, \"file_name\": \"b\\\\é.jpg\"}],\n \"annotations\": [{\"image_id\": 2, \"category_id\": 7, \"bbox\": [1, -Infinity]}],\n \"categories\": [{\"id\": 7, \"name\": \"dog\"}]}";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instances.json");
        let mut errors = HashSet::new();
        let mut compare = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            let [held, streamed] = [text.len() as u64, 0].map(|most| {
                // Of a character that it only looked at, serde_json's stream says the place of the next.
                let said = |error: Error| {
                    let places = [" at line ", " at the end of line "];
                    places.iter().fold(format!("{error:?}"), |text, place| {
                        text.split(place).next().unwrap_or_default().to_string()
                    })
                };
                let table = read_holding(&path, most).map_err(said)?;
                Ok::<_, String>((table.labels().to_vec(), table.images().to_vec(), format!("{:?}", table.csr())))
            });
            assert_eq!(held, streamed, "{}", String::from_utf8_lossy(text));
            match held {
                Ok(table) => Some(table),
                Err(error) => {
                    errors.insert(error);
                    None
                }
            }
        };
        let (labels, images, _) = compare(good.as_bytes()).unwrap();
        assert_eq!((labels, images), (vec!["dog".to_string()], vec!["a.jpg".to_string(), "b/é.jpg".to_string()]));
        // Cut anywhere, and with another byte anywhere.
        for at in 0..good.len() {
            assert!(compare(&good.as_bytes()[..at]).is_none());
            for byte in [b'"', b'}', b'0', b'\n', 0xff] {
                let mut text = good.as_bytes().to_vec();
                text[at] = byte;
                compare(&text);
            }
        }
        assert!(errors.len() > 100, "{}", errors.len());
    }
}
