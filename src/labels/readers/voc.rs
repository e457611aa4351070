//! VOC: a folder with one XML file per picture.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Choice, LoadOptions, Probe, Reader, xml};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::labels::LabelTable;
use crate::labels::pairs::{PairBuilder, Repeats};
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "voc",
    summary: "VOC folder: Annotations/*.xml, and ImageSets/Main/<split>.txt for the option split",
    lists_labels: false,
    has_splits: true,
    detect: |probe, _| probe.is_folder && annotations(&probe.path).is_some(),
    read,
};

/// The folder of XML files: the path itself, `Annotations` in it, or that of the one `VOC…` folder in it.
fn annotations(path: &Path) -> Option<PathBuf> {
    let inside = path.join("Annotations");
    if inside.is_dir() {
        return Some(inside);
    }
    let entries: Vec<PathBuf> = std::fs::read_dir(path).ok()?.filter_map(|e| Some(e.ok()?.path())).collect();
    if entries.iter().any(|p| is_xml(p)) {
        return Some(path.to_path_buf());
    }
    let mut years = entries.into_iter().map(|p| p.join("Annotations")).filter(|p| p.is_dir());
    let first = years.next()?;
    years.next().is_none().then_some(first)
}

fn is_xml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml"))
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let folder = annotations(path).ok_or_else(|| {
        Error::data(format!("{} is no VOC folder: it has no folder \"Annotations\" and no XML files", path.display()))
    })?;
    let files = match &options.split {
        Some(split) => listed(&folder, split)?,
        None => {
            let entries = std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, e))?;
            let mut files = entries
                .map(|e| e.map(|e| e.path()))
                .collect::<std::io::Result<Vec<_>>>()
                .map_err(|e| Error::io(&folder, e))?;
            files.retain(|p| is_xml(p));
            files.sort();
            files
        }
    };
    if files.is_empty() {
        return Err(Error::data(format!("{} holds no XML files", folder.display())));
    }
    let progress = Progress::new("reading annotations", files.len() as u64, "files");
    let read = |file: &PathBuf| {
        let picture = picture(file, options.difficult);
        progress.advance(1);
        picture
    };
    let pictures = files.par_iter().map(read).collect::<Result<Vec<_>>>()?;
    progress.finish();
    let mut builder = PairBuilder::new();
    let mut names: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for (i, (name, labels)) in pictures.iter().enumerate() {
        if let Some(first) = names.insert(name.clone(), i) {
            return Err(Error::data(format!(
                "{} and {} are both about picture \"{name}\"",
                files[first].display(),
                files[i].display()
            )));
        }
        builder.image(name)?;
        labels.iter().try_for_each(|label| builder.pair(name, label, i))?;
    }
    builder.finish(&folder.display().to_string(), "file", Repeats::Expected)
}

/// The XML files of a split, in the order of its list.
fn listed(folder: &Path, split: &str) -> Result<Vec<PathBuf>> {
    let lists = folder.parent().unwrap_or(folder).join("ImageSets").join("Main");
    let file = lists.join(format!("{split}.txt"));
    if !file.is_file() {
        // Main also holds one list per class ("cat_train.txt"), which is no split.
        let mut there: Vec<String> = std::fs::read_dir(&lists)
            .map(|entries| {
                entries.filter_map(|e| Some(e.ok()?.path().file_stem()?.to_string_lossy().into_owned())).collect()
            })
            .unwrap_or_default();
        there.retain(|name| !name.contains('_'));
        there.sort();
        let mut error = Error::unknown("split", split, there.iter().map(String::as_str));
        error.message = format!("{} is not there, so split \"{split}\" cannot be read", file.display());
        return Err(error);
    }
    let text = TextFile::read(&file)?;
    text.lines()
        .map(|(line, content)| {
            let id = content.split_whitespace().next().unwrap_or(content);
            let xml = folder.join(format!("{id}.xml"));
            if xml.is_file() { Ok(xml) } else { Err(text.at(line, format!("{} is not there", xml.display()))) }
        })
        .collect()
}

/// The picture's name and its objects' labels, with repeats.
fn picture(file: &Path, difficult: Choice) -> Result<(String, Vec<String>)> {
    interrupt::check()?;
    let text = TextFile::read(file)?;
    let document = xml::parse(text.content()).map_err(|(line, what)| text.at(line, what))?;
    let root = document.root_element();
    if !root.has_tag_name("annotation") {
        return Err(text.at(xml::line(root), format!("expected <annotation>; got <{}>", root.tag_name().name())));
    }
    let text_of = |element, name| xml::child(element, name).map(xml::text).filter(|text| !text.is_empty());
    let stem = || file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = text_of(root, "filename").unwrap_or_else(stem);
    let mut labels = Vec::new();
    for object in root.children().filter(|c| c.has_tag_name("object")) {
        let label = text_of(object, "name").ok_or_else(|| text.at(xml::line(object), "an object has no <name>"))?;
        let hard = match text_of(object, "difficult").as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => {
                return Err(text.at(xml::line(object), format!("<difficult> must be 0 or 1; got \"{other}\"")));
            }
        };
        if !(hard && difficult == Choice::Drop) {
            labels.push(label);
        }
    }
    Ok((name, labels))
}
