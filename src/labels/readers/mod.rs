//! Readers of label tables: one file per format, detected from the content of the file.
//!
//! Memory in addition to the resulting table (about 4 bytes per label of an image, and the image names): COCO JSON
//! is held while it is parsed, up to 1 GiB or a quarter of the memory that is left, and streamed beyond, and its pairs
//! have 40 bytes each until they are sorted; Parquet is read in parts of 2 million rows; text formats hold the file and
//! 12 bytes per pair; VOC and NUS-WIDE one file per thread.
//!
//! To add a format, add a file with a [`Reader`] and a line in [`READERS`], before any format that would also accept
//! its files.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::label_table::LabelTable;
use super::names;
use super::records::columns::quoted;
use super::records::{FrameSource, Layout};
use crate::activity::console;
use crate::error::{Error, ErrorKind, Result, counted, misspelt};
use crate::files;
use crate::tables::{CsvFile, TextFile, start_of_text};

mod arff;
mod coco;
mod coco_fields;
mod coco_parser;
mod csv_long;
mod csv_wide;
mod huggingface;
mod json_lines;
mod list;
mod mulan;
mod nuswide;
mod parquet_long;
mod parquet_wide;
mod splits;
mod voc;
mod voc_lists;
mod xml;
mod yaml;
mod yolo;

pub use splits::{columns_of, divided_split, load_with_splits, own_splits, read_splits};
use splits::{known_split, usual_split};

/// Every format; the first whose `detect` is true reads the file.
pub const READERS: &[Reader] = &[
    huggingface::READER,
    coco::READER,
    parquet_long::READER,
    parquet_wide::READER,
    nuswide::READER,
    voc::READER,
    voc_lists::READER,
    yolo::READER,
    mulan::READER,
    list::READER,
    csv_long::READER,
    csv_wide::READER,
];

/// The endings of label files, without the dot.
const ENDINGS: &[&str] = &["csv", "tsv", "parquet", "json", "jsonl", "ndjson", "arff"];

/// A format of label files.
pub struct Reader {
    /// Its name in the option `format`.
    pub name: &'static str,
    pub summary: &'static str,
    /// Whether the file itself lists its labels, including those of no image.
    pub lists_labels: bool,
    /// Whether it holds several splits, of which the option `split` takes one.
    pub has_splits: bool,
    /// The options that `read` takes, besides format, labels and unlabelled, and split where there are several.
    pub options: &'static [&'static str],
    /// Whether a file or folder looks like this format.
    pub detect: fn(&Probe, &LoadOptions) -> bool,
    /// Reads all of it. The caller applies the options `labels` and `unlabelled` to the result.
    pub read: fn(&Probe, &LoadOptions) -> Result<LabelTable>,
}

crate::options! {
    /// Options of [`load`]. The format may be `csv` or `parquet` for either of its forms.
    pub struct LoadOptions {
        /// the format's name; () tells it from the content
        pub format: Option<String> = None;
        /// the labels to keep, in this order, or the names of flags; () keeps all that the file lists, or that occur
        pub labels: Option<Vec<String>> = None;
        /// the column of image names; () finds it by its name or content
        pub image: Option<String> = None;
        /// the column of labels: one per row, or several in a cell; () finds it by its name or content
        pub label: Option<String> = None;
        /// the text between two labels of a cell, for example "|"; "[]" says that cells are lists, "" that a cell is one label;
        /// () finds it from the content
        pub separator: Option<String> = None;
        /// what an entry of unknown truth counts as (-1, as in CheXpert, ? in ARFF, and empty cells of a wide table):
        /// "negative", "positive", "masked" (left out of losses and metrics) or "error"; () is "error", but "masked" in a column
        /// `value`, as cpsd writes it
        pub unknown: Option<Unknown> = None;
        /// the same for empty cells alone; () takes unknown, but never "positive"
        pub empty: Option<Unknown> = None;
        /// the text between two cells of a CSV file, for example ";"; () finds it from the content
        pub delimiter: Option<String> = None;
        /// whether the first row of a CSV file names its columns
        pub header: bool = true;
        /// a text file's encoding, for example "latin1"; () takes UTF-8, or UTF-16 with a byte-order mark
        pub encoding: Option<String> = None;
        /// "keep" or "drop" images without any label
        pub unlabelled: Choice = Choice::Keep;
        /// for formats that hold several splits: which one; () takes all
        pub split: Option<String> = None;
        /// objects that VOC marks as difficult: "keep", "drop", or "mask" where a label has no other object (left out of
        /// losses and metrics)
        pub difficult: Difficult = Difficult::Keep;
    }
}

/// Whether something stays in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    Keep,
    Drop,
}

/// What VOC's mark "difficult" does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Difficult {
    /// It counts as any other.
    Keep,
    /// It does not count.
    Drop,
    /// Its label is of unknown truth, unless the image has another object of it.
    Mask,
}

/// What an entry of unknown truth counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    Negative,
    Positive,
    /// Left out of losses and metrics.
    Masked,
    /// Refused, with its place.
    Error,
}

/// A file or folder whose format is to be told: its path, and a file's first bytes. The whole text is read once, for
/// detection and reading.
pub struct Probe {
    pub path: PathBuf,
    pub is_folder: bool,
    /// The first bytes of a file.
    pub head: Vec<u8>,
    text: OnceCell<Result<TextFile>>,
    layout: OnceCell<Result<Layout>>,
    parquet: OnceCell<Result<FrameSource>>,
    /// A column of the file that holds splits, and so no labels.
    splits: Option<String>,
}

impl Probe {
    const HEAD: u64 = 1 << 16;

    fn new(path: &Path) -> Result<Probe> {
        files::policy::check_read(path)?;
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(Error::in_file(path, "this is neither a file nor a folder"));
        }
        let mut head = Vec::new();
        if !metadata.is_dir() {
            let file = files::open(path)?;
            file.take(Self::HEAD).read_to_end(&mut head).map_err(|e| Error::io(path, e))?;
        }
        Ok(Probe {
            path: path.to_path_buf(),
            is_folder: metadata.is_dir(),
            head,
            text: OnceCell::new(),
            layout: OnceCell::new(),
            parquet: OnceCell::new(),
            splits: None,
        })
    }

    /// The whole file as text. Errors: Io; text in another encoding than `options.encoding`.
    pub fn text(&self, options: &LoadOptions) -> Result<&TextFile> {
        let read = || TextFile::read_as(&self.path, options.encoding.as_deref());
        self.text.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// A Parquet file, opened once for detection and reading.
    fn parquet(&self) -> Result<&FrameSource> {
        let open = || Ok(FrameSource::of_parquet(&self.path)?.sharing().passing_over(self.splits()));
        self.parquet.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    /// The column of splits, if the file has one that was asked for.
    fn splits(&self) -> Option<&str> {
        self.splits.as_deref()
    }

    /// The layout of a table, told once for detection and reading.
    fn layout(&self, find: impl FnOnce() -> Result<Layout>) -> Result<&Layout> {
        self.layout.get_or_init(find).as_ref().map_err(Clone::clone)
    }

    /// The first bytes of a file as text, for detection; the last line may be cut. `None` for a folder or another kind
    /// of file.
    pub fn start(&self, options: &LoadOptions) -> Option<String> {
        if self.is_folder { None } else { start_of_text(&self.head, options.encoding.as_deref()) }
    }
}

/// The name of the format whose layout a folder has.
pub fn layout_of(folder: &Path, options: &LoadOptions) -> Option<&'static str> {
    let probe = Probe::new(folder).ok().filter(|probe| probe.is_folder)?;
    READERS.iter().find(|reader| (reader.detect)(&probe, options)).map(|reader| reader.name)
}

/// Reads a label table from a file or folder.
///
/// Errors name the file and the line or record, and what was expected: a missing path, a format that is unknown or
/// cannot be detected, a malformed file, an unknown label in `labels`, a split that the format does not hold, no image
/// left.
pub fn load(path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    // Errors about something else than the file keep that.
    load_from(path, options).map_err(|error| error.about_file(path))
}

/// As [`load`], for a caller that decides about images without a label and says so: they are in the table, and nothing is said of them.
pub fn load_with_unlabelled(path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    let read = || {
        let (table, reader) = read_from(path, options)?;
        with_labels(&path.display().to_string(), table, options, reader.lists_labels)
    };
    read().map_err(|error: Error| error.about_file(path))
}

/// The table as its file has it, and the reader that read it.
fn read_from(path: &Path, options: &LoadOptions) -> Result<(LabelTable, &'static Reader)> {
    let (probe, reader) = opened(path, options)?;
    let table = (reader.read)(&probe, options).map_err(|error| of_folder(error, path, &probe.path))?;
    Ok((table, reader))
}

/// The file or folder that is read, and its reader. Errors: none, or an option that it does not take.
fn opened(path: &Path, options: &LoadOptions) -> Result<(Probe, &'static Reader)> {
    opened_with(path, options, None)
}

/// The same for a file of which one column holds splits.
fn opened_with(path: &Path, options: &LoadOptions, splits: Option<&str>) -> Result<(Probe, &'static Reader)> {
    let probe = Probe { splits: splits.map(String::from), ..Probe::new(path)? };
    if !probe.is_folder && probe.head.is_empty() {
        return Err(Error::in_file(path, "the file is empty"));
    }
    if let Some(inside) = only_label_file(&probe, options) {
        return opened_with(&inside, options, splits).map_err(|error| of_folder(error, path, &inside));
    }
    let reader = choose(&probe, options)?;
    if let (Some(split), false) = (&options.split, reader.has_splits) {
        return Err(Error::argument(format!(
            "{}: split \"{split}\" was asked for, but {} files hold no splits",
            path.display(),
            reader.name
        ))
        .about_name(split));
    }
    check_options(path, reader, options)?;
    Ok((probe, reader))
}

/// An error about `file`, with the reason that it was read where only `folder` was named.
fn of_folder(error: Error, folder: &Path, file: &Path) -> Error {
    if folder == file || error.help.is_some() || error.kind != ErrorKind::Data {
        return error;
    }
    let (folder, file) = (folder.display(), file.display());
    error.with_help(format!(
        "the folder {folder} has no known layout, so its label file {file} was read; the path of another file reads that"
    ))
}

/// Errors: an option that the reader does not take, with another value than its default.
fn check_options(path: &Path, reader: &Reader, options: &LoadOptions) -> Result<()> {
    const OF_ALL: &[&str] = &["format", "labels", "unlabelled", "split"];
    let values = |options: &LoadOptions| {
        serde_json::to_value(options).map_err(|e| Error::internal(format!("options that are no JSON: {e}")))
    };
    let (given, default) = (values(options)?, values(&LoadOptions::default())?);
    let keys = given.as_object().into_iter().flat_map(|map| map.keys());
    let mut other = keys.filter(|key| !OF_ALL.contains(&key.as_str()) && !reader.options.contains(&key.as_str()));
    let Some(key) = other.find(|key| given[key.as_str()] != default[key.as_str()]) else { return Ok(()) };
    let split = if reader.has_splits { &["split"][..] } else { &[] };
    let taken = [reader.options, &["labels", "unlabelled"], split].concat().join(", ");
    let (path, name) = (path.display(), reader.name);
    let message = format!("{path}: option {key} is not taken by the format {name}, whose options are {taken}");
    Err(Error::argument(message).about_option(key).with_help("option format names another format"))
}

fn load_from(path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    let (table, reader) = read_from(path, options)?;
    finish(&path.display().to_string(), table, options, reader.lists_labels)
}

/// Applies the option `labels`. Names that look like one are said.
fn with_labels(source: &str, table: LabelTable, options: &LoadOptions, lists_labels: bool) -> Result<LabelTable> {
    names::report_similar(source, table.labels());
    match &options.labels {
        Some(labels) => take_labels(&table, labels, lists_labels),
        None => Ok(table),
    }
}

/// Applies the options `labels` and `unlabelled` to a table that was read from `source`. Names that look like one are
/// said.
pub(super) fn finish(
    source: &str,
    mut table: LabelTable,
    options: &LoadOptions,
    lists_labels: bool,
) -> Result<LabelTable> {
    table = with_labels(source, table, options, lists_labels)?;
    let unlabelled = table.num_unlabelled();
    if unlabelled > 0 {
        let what =
            if options.unlabelled == Choice::Drop { "dropped" } else { "kept (unlabelled: \"drop\" leaves them out)" };
        let all = table.num_images();
        console::log(&format!("{source}: {unlabelled} of {all} images have no label; {what}"));
    }
    if options.unlabelled == Choice::Drop && unlabelled > 0 {
        table = table.drop_unlabelled()?;
        if table.num_images() == 0 {
            let message = format!("{source}: no image has a label, so none is left without the unlabelled ones");
            return Err(Error::data(message));
        }
    }
    Ok(table)
}

/// The label file of a folder in no known layout, if there is exactly one: a folder of pictures with a CSV file.
fn only_label_file(probe: &Probe, options: &LoadOptions) -> Option<PathBuf> {
    let asked = |reader: &&Reader| {
        let format = options.format.as_deref();
        format.is_none_or(|format| reader.name == format || reader.name.split('-').next() == Some(format))
    };
    let detected = |probe: &Probe| READERS.iter().filter(asked).any(|reader| (reader.detect)(probe, options));
    if !probe.is_folder || detected(probe) {
        return None;
    }
    let only = main_label_file(&probe.path)?;
    // Another format may have been asked for than that of the file.
    (options.format.is_none() || Probe::new(&only).is_ok_and(|inside| detected(&inside))).then_some(only)
}

/// Files directly in a folder that may name labels, in the order of their names.
pub fn label_files(folder: &Path) -> Vec<PathBuf> {
    let entries = files::entries(folder).into_iter().flatten();
    let is_table = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let ending = path.extension().and_then(|e| e.to_str());
        !hidden && ending.is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known))) && path.is_file()
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_table).collect();
    files.sort();
    files
}

/// The only label file of a folder, or the only one that is called labels.
fn main_label_file(folder: &Path) -> Option<PathBuf> {
    let files = label_files(folder);
    if let [only] = &files[..] {
        return Some(only.clone());
    }
    let mut called = files.into_iter().filter(|file| is_called_labels(file));
    let first = called.next()?;
    called.next().is_none().then_some(first)
}

fn is_called_labels(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("labels"))
}

fn choose(probe: &Probe, options: &LoadOptions) -> Result<&'static Reader> {
    if let Some(name) = options.format.as_deref() {
        if let Some(reader) = READERS.iter().find(|r| r.name == name) {
            return Ok(reader);
        }
        let family: Vec<&Reader> = READERS.iter().filter(|r| r.name.split('-').next() == Some(name)).collect();
        return match (family.iter().find(|r| (r.detect)(probe, options)), family.last()) {
            (Some(reader), _) | (None, Some(reader)) => Ok(reader),
            (None, None) => Err(Error::unknown("format", name, READERS.iter().map(|r| r.name))),
        };
    }
    check_ending(probe)?;
    if let Some(reader) = READERS.iter().find(|r| (r.detect)(probe, options)) {
        return Ok(reader);
    }
    if !probe.is_folder && (options.encoding.is_some() || options.delimiter.is_some()) {
        // A wrong value of these hides what the file is.
        CsvFile::new(probe.text(options)?, options.delimiter.as_deref())?;
    }
    if probe.is_folder {
        return Err(no_layout(&probe.path));
    }
    let help = match probe.head.starts_with(b"\x1f\x8b") {
        true => "it is compressed by gzip: unpack it first".to_string(),
        false => {
            let formats: Vec<&str> = READERS.iter().map(|r| r.name).collect();
            let formats = formats.join(", ");
            format!("option format names one of {formats}; option delimiter the text between two cells of a CSV file")
        }
    };
    Err(Error::in_file(&probe.path, "this file looks like no known format").with_help(help))
}

/// The error for a folder of which no reader knows the layout, and no file is plainly the label file.
fn no_layout(folder: &Path) -> Error {
    let tables = label_files(folder);
    let came = if tables.is_empty() {
        let (mut below, mut beside) = (0, 0);
        for entry in files::entries(folder).into_iter().flatten() {
            let count = if entry.path().is_dir() { &mut below } else { &mut beside };
            *count += 1;
        }
        match (below, beside) {
            (0, 0) => "an empty folder".to_string(),
            _ => format!("none among {} and {}", counted(beside, "file"), counted(below, "folder")),
        }
    } else {
        let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names: Vec<String> = tables.iter().map(name).collect();
        format!("{}: {}", counted(tables.len(), "label file"), quoted(&names))
    };
    let message = format!(
        "this folder looks like no known layout: expected VOC, YOLO, NUS-WIDE, Hugging Face, or one label file ({}) or one that is \
         called labels; got {came}",
        ENDINGS.join(", ")
    );
    let help = match tables.first() {
        Some(first) => format!("the path of one of them reads it: {}", first.display()),
        None => "VOC has Annotations/*.xml or ImageSets/Main/<class>_<split>.txt, YOLO data.yaml or labels/*.txt beside images, NUS-WIDE \
                 Groundtruth/TrainTestLabels, Hugging Face metadata.csv or metadata.jsonl; a label file may also be in another folder"
            .to_string(),
    };
    Error::in_file(folder, message).with_help(help)
}

/// Errors: a file whose name says Parquet and whose content does not. The other way round, it is said which was taken.
fn check_ending(probe: &Probe) -> Result<()> {
    let Some(ending) = probe.path.extension().map(|ending| ending.to_string_lossy().to_lowercase()) else {
        return Ok(());
    };
    let is_parquet = parquet_long::is_parquet(probe);
    if ending == "parquet" && !is_parquet && !probe.is_folder {
        return Err(Error::in_file(
            &probe.path,
            "its name ends in .parquet, and its content does not begin as Parquet",
        )
        .with_help("rename it after what it holds; option format names that too, as format: \"csv\""));
    }
    if is_parquet && ENDINGS.contains(&&*ending) && ending != "parquet" {
        console::log(&format!("{}: read as Parquet, which its content is", probe.path.display()));
    }
    Ok(())
}

/// The named labels in their order. A label that the table does not have is an error if the file lists its labels or
/// if the name is close to another; otherwise it is a label of no image.
fn take_labels(table: &LabelTable, names: &[String], lists_labels: bool) -> Result<LabelTable> {
    if names.is_empty() {
        return Err(Error::argument("option labels must name at least one label; got an empty array"));
    }
    let mut asked = HashSet::with_capacity(names.len());
    if let Some(twice) = names.iter().find(|name| !asked.insert(*name)) {
        return Err(Error::argument(format!("option labels names \"{twice}\" twice")).about_name(twice));
    }
    let mut place = vec![u32::MAX; table.num_labels()];
    let place_of: HashMap<&String, usize> = table.labels().iter().enumerate().map(|(i, label)| (label, i)).collect();
    for (new, name) in names.iter().enumerate() {
        match place_of.get(name) {
            Some(&old) => place[old] = new as u32,
            None => {
                let others = table.labels().iter().filter(|l| !asked.contains(l)).map(String::as_str);
                if lists_labels || misspelt(name, others).is_some() {
                    table.label_index(name)?;
                }
            }
        }
    }
    table.with_labels_at(names.to_vec(), &place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (i, reader) in READERS.iter().enumerate() {
            assert!(READERS[..i].iter().all(|r| r.name != reader.name));
            assert!(!reader.summary.is_empty());
        }
    }

    #[test]
    fn a_missing_path_and_an_unknown_format_are_errors() {
        let error = load(Path::new("no/such/file.csv"), &LoadOptions::default()).unwrap_err();
        assert!(error.message.starts_with("no/such/file.csv: "), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "image,label\n1,a\n").unwrap();
        let options = LoadOptions { format: Some("cvs-long".into()), ..Default::default() };
        assert_eq!(load(&path, &options).unwrap_err().help.as_deref(), Some("did you mean \"csv-long\"?"));
        // One label file in a folder would be read.
        std::fs::write(folder.path().join("y.csv"), "image,label\n1,a\n").unwrap();
        let error = load(folder.path(), &LoadOptions::default()).unwrap_err();
        assert!(error.message.contains("this folder looks like no known layout: expected VOC, YOLO, "), "{error}");
        assert!(error.message.ends_with("called labels; got 2 label files: \"x.csv\", \"y.csv\""), "{error}");
        assert!(error.help.unwrap().ends_with("x.csv"));
        let options = LoadOptions { split: Some("train".into()), ..Default::default() };
        assert!(load(&path, &options).unwrap_err().message.ends_with("but csv-long files hold no splits"));
    }
}
