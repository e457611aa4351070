//! Hugging Face image folders: `metadata.jsonl` or `metadata.csv` beside the images, in one folder or in one per split;
//! and files of such JSON lines.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::{LoadOptions, Probe, Reader, csv_long, json_lines, known_split, usual_split};
use crate::activity::console;
use crate::error::{Error, Result, counted};
use crate::files;
use crate::labels::LabelTable;
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "huggingface",
    summary: "folder with metadata.jsonl or metadata.csv (also in train, validation, test), or a file of JSON lines: file_name, \
              and labels as a text, number or list, or in objects.categories",
    lists_labels: false,
    has_splits: true,
    options: csv_long::OPTIONS,
    detect,
    read,
};

/// A file of metadata: the folder of its images, relative to the data set's, and the split that this folder is.
struct Metadata {
    folder: String,
    split: Option<String>,
    path: PathBuf,
}

fn detect(probe: &Probe, options: &LoadOptions) -> bool {
    if probe.is_folder {
        let files = metadata(&probe.path);
        // A table of labels at the top is about all folders.
        let top = || super::main_label_file(&probe.path).is_some_and(|file| super::is_called_labels(&file));
        return !files.is_empty() && (files.iter().any(|file| file.folder.is_empty()) || !top());
    }
    let Some(start) = probe.start(options) else { return false };
    let Some(line) = start.split(['\n', '\r']).map(str::trim).find(|line| !line.is_empty()) else { return false };
    line.starts_with('{') && (json_lines::has_extension(&probe.path) || json_lines::is_record(line, options))
}

/// The files of metadata in a folder, in the folders in it, and in those of `data`.
fn metadata(root: &Path) -> Vec<Metadata> {
    let folders = |folder: &Path| -> Vec<String> {
        let entries = files::entries(folder).into_iter().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    };
    let mut found = Vec::new();
    let mut try_folder = |folder: String, split: Option<String>| {
        let at = |name: &str| Some(root.join(&folder).join(name)).filter(|path| path.is_file());
        if let Some(path) = at("metadata.jsonl").or_else(|| at("metadata.csv")) {
            found.push(Metadata { folder, split, path });
        }
    };
    try_folder(String::new(), None);
    for name in folders(root) {
        try_folder(name.clone(), Some(name.clone()));
        if name == "data" {
            folders(&root.join("data")).into_iter().for_each(|name| try_folder(format!("data/{name}"), Some(name)));
        }
    }
    found
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let mut parts: Vec<(&Metadata, LabelTable)> = Vec::new();
    let mut there: BTreeSet<String> = BTreeSet::new();
    let files = match probe.is_folder {
        true => metadata(path),
        false => vec![Metadata { folder: String::new(), split: None, path: path.clone() }],
    };
    if files.is_empty() {
        return Err(Error::in_file(path, "this folder has no metadata.jsonl and no metadata.csv"));
    }
    if probe.is_folder
        && files.iter().all(|file| !file.folder.is_empty())
        && let Some(other) = super::label_files(path).first()
    {
        console::log(&format!("{}: the metadata in its folders is read, not {}", path.display(), other.display()));
    }
    let wanted = options.split.as_deref().map(usual_split);
    let mut all_json = true;
    for file in &files {
        if let (Some(split), Some(wanted)) = (&file.split, wanted) {
            there.insert(split.clone());
            if usual_split(split) != wanted {
                continue;
            }
        }
        let is_json = file.path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("csv"));
        all_json &= is_json;
        let mut table = if !is_json {
            csv(&file.path, options)?
        } else if probe.is_folder {
            let text = TextFile::read_as(&file.path, options.encoding.as_deref())?;
            json_lines::read(&text, options, None)?
        } else {
            json_lines::read(probe.text(options)?, options, probe.splits())?
        };
        if is_json && file.path.with_extension("csv").is_file() && probe.is_folder {
            console::log(&format!("{}: read instead of metadata.csv beside it", file.path.display()));
        }
        if let (None, Some(wanted)) = (&file.split, wanted) {
            // One file for folders of splits.
            there.extend(table.images().iter().filter_map(|image| split_of(image)).map(String::from));
            let of_split = |image: &str| split_of(image).is_some_and(|split| usual_split(split) == wanted);
            let rows: Vec<usize> = (0..table.num_images()).filter(|&i| of_split(&table.images()[i])).collect();
            if rows.is_empty() {
                continue;
            }
            table = table.take_images(&rows)?;
        }
        parts.push((file, table));
    }
    if let (Some(split), true) = (&options.split, parts.is_empty()) {
        return Err(Error::unknown("split", split, there.iter().map(String::as_str)));
    }
    let table = joined(parts)?;
    if table.num_labels() == 0 {
        let message = format!("{} has {}, but none has a label", path.display(), counted(table.num_images(), "image"));
        return Err(Error::data(message)
            .with_help("the option label names the key of labels, for example label: \"objects.categories\""));
    }
    if !all_json {
        return Ok(table);
    }
    let mut labels = table.labels().to_vec();
    labels.sort();
    table.take_labels(&labels)
}

/// The split that a folder of an image is named after: one with a known name, or else the first.
fn split_of(image: &str) -> Option<&str> {
    let (folders, _) = image.rsplit_once('/')?;
    let known = folders.split('/').find(|folder| known_split(folder).is_some());
    known.or_else(|| folders.split('/').find(|folder| !matches!(*folder, "data" | ".")))
}

/// The table of a metadata.csv, by the reader that its content asks for.
fn csv(path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    let options = LoadOptions { format: None, split: None, ..options.clone() };
    Ok(super::read_from(path, &options)?.0)
}

/// One table of all parts, whose images get their folder before their names. Labels are matched by name.
///
/// Errors: an image in two parts.
fn joined(parts: Vec<(&Metadata, LabelTable)>) -> Result<LabelTable> {
    let mut labels: Vec<String> = Vec::new();
    let mut place_of: HashMap<String, u32> = HashMap::new();
    let (mut images, mut present, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen: HashMap<String, &Path> = HashMap::new();
    for (Metadata { folder, path, .. }, table) in &parts {
        let place: Vec<u32> = table
            .labels()
            .iter()
            .map(|label| {
                *place_of.entry(label.clone()).or_insert_with(|| {
                    labels.push(label.clone());
                    labels.len() as u32 - 1
                })
            })
            .collect();
        let moved = |row: &[u32]| row.iter().map(|&label| place[label as usize]).collect::<Vec<u32>>();
        for (i, image) in table.images().iter().enumerate() {
            let image = image.replace('\\', "/");
            let image = image.strip_prefix("./").unwrap_or(&image);
            let image = if folder.is_empty() { image.to_string() } else { format!("{folder}/{image}") };
            if let Some(first) = seen.insert(image.clone(), path) {
                let (first, second) = (first.display(), path.display());
                return Err(Error::data(format!("image \"{image}\" is in {first} and in {second}")));
            }
            images.push(image);
            present.push(moved(table.row(i)));
            unknown.push(moved(table.unknown_row(i)));
        }
    }
    let table = LabelTable::from_lists(labels, images, &present)?;
    if parts.iter().any(|(_, table)| table.num_unknown() > 0) { table.with_unknown(&unknown) } else { Ok(table) }
}
