//! NUS-WIDE: one file of 0 and 1 per concept and split, and one list of images per split.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{LoadOptions, Probe, Reader};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result, counted};
use crate::files;
use crate::labels::LabelTable;
use crate::labels::names::trimmed;
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "nuswide",
    summary: "NUS-WIDE folder: Groundtruth/TrainTestLabels/Labels_<concept>_<Train|Test>.txt and ImageList/ImageList/<Train|Test>Imagelist.txt",
    lists_labels: true,
    has_splits: true,
    options: &["encoding"],
    detect: |probe, _| probe.is_folder && root(&probe.path).is_some(),
    read,
};

const SPLITS: &[(&str, &str)] = &[("train", "Train"), ("test", "Test")];

fn labels_of(root: &Path) -> PathBuf {
    root.join("Groundtruth").join("TrainTestLabels")
}

/// The folder that holds `Groundtruth/TrainTestLabels`: the path itself or one above it.
fn root(path: &Path) -> Option<PathBuf> {
    path.ancestors().take(3).find(|p| labels_of(p).is_dir()).map(Path::to_path_buf)
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let root = root(path).ok_or_else(|| {
        Error::data(format!("{} is no NUS-WIDE folder: {} is not there", path.display(), labels_of(path).display()))
    })?;
    let splits: Vec<&(&str, &str)> = match &options.split {
        None => SPLITS.iter().collect(),
        Some(name) => match SPLITS.iter().find(|(split, _)| split.eq_ignore_ascii_case(name)) {
            Some(split) => vec![split],
            None => return Err(Error::unknown("split", name, SPLITS.iter().map(|s| s.0))),
        },
    };
    let concepts = concepts(&labels_of(&root), &splits)?;
    let mut images = Vec::new();
    let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
    let mut lists: Vec<Vec<u32>> = Vec::new();
    for (s, (_, split)) in splits.iter().enumerate() {
        let text = image_list(&root, split, options)?;
        let first = images.len();
        for (line, name) in text.lines() {
            // The lists were written on Windows.
            let name = trimmed(name).replace('\\', "/");
            if let Some((other, before)) = seen.insert(name.clone(), (s, line)) {
                return Err(text.at(
                    line,
                    format!("image \"{name}\" appears twice, first on line {before} of the {} list", splits[other].0),
                ));
            }
            images.push(name);
        }
        let count = images.len() - first;
        lists.resize(images.len(), Vec::new());
        let progress = Progress::new(format!("reading {split} concepts"), concepts.len() as u64, "concepts");
        let read = |concept: &String| {
            let rows = positives(&labels_of(&root).join(format!("Labels_{concept}_{split}.txt")), count, options);
            progress.advance(1);
            rows
        };
        let positives = concepts.par_iter().map(read).collect::<Result<Vec<_>>>()?;
        for (label, rows) in positives.iter().enumerate() {
            rows.iter().for_each(|&row| lists[first + row].push(label as u32));
        }
    }
    if images.is_empty() {
        return Err(Error::data(format!("the image lists of {} are empty", root.display())));
    }
    LabelTable::from_lists(concepts, images, &lists)
}

/// The concepts in alphabetical order. Errors: none, or one that lacks a split's file.
fn concepts(folder: &Path, splits: &[&(&str, &str)]) -> Result<Vec<String>> {
    let entries = files::list(folder)?;
    let mut found: Vec<(String, String)> = Vec::new();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((concept, split)) =
            name.strip_prefix("Labels_").and_then(|n| n.strip_suffix(".txt")).and_then(|n| n.rsplit_once('_'))
        {
            found.push((concept.to_string(), split.to_string()));
        }
    }
    let mut concepts: Vec<String> = found.iter().map(|f| f.0.clone()).collect();
    concepts.sort();
    concepts.dedup();
    if concepts.is_empty() {
        return Err(Error::data(format!("{} holds no files Labels_<concept>_<Train|Test>.txt", folder.display())));
    }
    for concept in &concepts {
        for (_, split) in splits {
            if !found.iter().any(|(c, s)| c == concept && s == split) {
                return Err(Error::data(format!(
                    "{} is not there",
                    folder.join(format!("Labels_{concept}_{split}.txt")).display()
                )));
            }
        }
    }
    Ok(concepts)
}

fn image_list(root: &Path, split: &str, options: &LoadOptions) -> Result<TextFile> {
    let name = format!("{split}Imagelist.txt");
    let places = [root.join("ImageList").join("ImageList").join(&name), root.join("ImageList").join(&name)];
    match places.iter().find(|p| p.is_file()) {
        Some(place) => TextFile::read_as(place, options.encoding.as_deref()),
        None => Err(Error::data(format!("{} is not there", places[0].display()))),
    }
}

/// The rows with a 1. Errors: another value, another number of lines than there are images.
fn positives(file: &Path, images: usize, options: &LoadOptions) -> Result<Vec<usize>> {
    interrupt::check()?;
    let text = TextFile::read_as(file, options.encoding.as_deref())?;
    let mut rows = Vec::new();
    let mut count = 0;
    for (line, value) in text.lines() {
        match trimmed(value) {
            "0" => {}
            "1" => rows.push(count),
            other => return Err(text.at(line, format!("expected 0 or 1; got \"{other}\""))),
        }
        count += 1;
    }
    if count != images {
        return Err(Error::data(format!(
            "{} has {}, but the image list has {}",
            file.display(),
            counted(count, "line"),
            counted(images, "image")
        )));
    }
    Ok(rows)
}
