//! VOC: a folder with one XML file per picture.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Difficult, LoadOptions, Probe, Reader, xml};
use crate::activity::progress::Progress;
use crate::activity::{self, console};
use crate::error::{Error, Result};
use crate::files;
use crate::labels::LabelTable;
use crate::labels::names::trimmed;
use crate::labels::pairs::{Entry, PairBuilder, Repeats};
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "voc",
    summary: "VOC folder: Annotations/*.xml, and ImageSets/Main/<split>.txt for the option split",
    lists_labels: false,
    has_splits: true,
    options: &["difficult", "encoding"],
    detect: |probe, _| probe.is_folder && annotations(&probe.path).is_some(),
    read,
};

/// The folder of XML files: the path itself, `Annotations` in it, or that of the one `VOC…` folder in it.
pub(super) fn annotations(path: &Path) -> Option<PathBuf> {
    let inside = path.join("Annotations");
    if inside.is_dir() {
        return Some(inside);
    }
    let entries: Vec<PathBuf> = files::entries(path).ok()?.map(|entry| entry.path()).collect();
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
        Some(split) => listed(&folder, split, options)?,
        None => {
            let mut files = files::list(&folder)?;
            files.retain(|p| is_xml(p));
            files
        }
    };
    if files.is_empty() {
        return Err(Error::data(format!("{} holds no XML files", folder.display())));
    }
    let progress = Progress::new("reading annotations", files.len() as u64, "files");
    let activity = activity::current();
    let read = |file: &PathBuf| {
        activity.check()?;
        let picture = picture(file, options);
        progress.advance(1);
        picture
    };
    let pictures = files.par_iter().map(read).collect::<Result<Vec<_>>>()?;
    progress.finish();
    table(&folder, &files, pictures, options.difficult)
}

/// What an XML file says of its picture.
struct Picture {
    name: String,
    /// What <filename> holds, if it is a path.
    path: Option<String>,
    /// Labels of objects, with repeats, and whether the object is difficult.
    objects: Vec<(String, bool)>,
}

fn table(folder: &Path, files: &[PathBuf], pictures: Vec<Picture>, difficult: Difficult) -> Result<LabelTable> {
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(pictures.len());
    for (i, picture) in pictures.iter().enumerate() {
        if let Some(first) = first.insert(&picture.name, i) {
            return Err(Error::data(format!(
                "{} and {} are both about picture \"{}\"",
                files[first].display(),
                files[i].display(),
                picture.name
            )));
        }
    }
    drop(first);
    let mut builder = PairBuilder::new();
    for (i, picture) in pictures.iter().enumerate() {
        let image = builder.image(&picture.name)?;
        for (label, hard) in &picture.objects {
            let entry = match (hard, difficult) {
                (true, Difficult::Drop) => continue,
                (true, Difficult::Mask) => Entry::Unknown,
                _ => Entry::Present,
            };
            builder.entry(image, label, entry, i)?;
        }
    }
    report_paths(folder, &pictures);
    builder.finish(&folder.display().to_string(), "file", Repeats::Expected)
}

fn report_paths(folder: &Path, pictures: &[Picture]) {
    let mut paths = pictures.iter().filter_map(|p| Some((p.path.as_ref()?, &p.name)));
    if let Some((path, name)) = paths.next() {
        let n = 1 + paths.count();
        let folder = folder.display();
        console::log(&format!(
            "{folder}: {n} <filename> are paths; their last part is taken, for example \"{name}\" of \"{path}\""
        ));
    }
}

/// The picture's name in a `<filename>`, which some programs write as a path of their own machine. A path relative to
/// the pictures' folder stays.
fn picture_name(filename: &str) -> String {
    let parts: Vec<&str> = filename.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let elsewhere = filename.contains('\\') || filename.starts_with('/') || parts.contains(&"..");
    match (parts.iter().rposition(|part| *part == "JPEGImages"), parts.last()) {
        (Some(at), _) if at + 1 < parts.len() => parts[at + 1..].join("/"),
        (_, Some(last)) if elsewhere => last.to_string(),
        _ => filename.to_string(),
    }
}

/// The XML files of a split, in the order of its list.
fn listed(folder: &Path, split: &str, options: &LoadOptions) -> Result<Vec<PathBuf>> {
    let lists = folder.parent().unwrap_or(folder).join("ImageSets").join("Main");
    let file = lists.join(format!("{split}.txt"));
    if !file.is_file() {
        // Main also holds one list per class ("cat_train.txt"), which is no split.
        let mut there: Vec<String> = files::entries(&lists)
            .map(|entries| entries.filter_map(|e| Some(e.path().file_stem()?.to_string_lossy().into_owned())).collect())
            .unwrap_or_default();
        there.retain(|name| !name.contains('_'));
        there.sort();
        let mut error = Error::unknown("split", split, there.iter().map(String::as_str));
        error.message = format!("{} is not there, so split \"{split}\" cannot be read", file.display());
        return Err(error);
    }
    let text = TextFile::read_as(&file, options.encoding.as_deref())?;
    text.lines()
        .map(|(line, content)| {
            let id = content.split_whitespace().next().unwrap_or(content);
            let xml = folder.join(format!("{id}.xml"));
            if xml.is_file() { Ok(xml) } else { Err(text.at(line, format!("{} is not there", xml.display()))) }
        })
        .collect()
}

fn picture(file: &Path, options: &LoadOptions) -> Result<Picture> {
    let text = xml::read(file, options.encoding.as_deref())?;
    let document = xml::parse(text.content()).map_err(|(line, what)| text.at(line, what))?;
    let root = document.root_element();
    if !root.has_tag_name("annotation") {
        return Err(text.at(xml::line(root), format!("expected <annotation>; got <{}>", root.tag_name().name())));
    }
    let text_of = |element, name: &str| -> Result<Option<String>> {
        let child = xml::child(element, name).map_err(|(line, what)| text.at(line, what))?;
        Ok(child.map(|child| trimmed(&xml::text(child)).to_string()).filter(|text| !text.is_empty()))
    };
    let stem = || file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let filename = text_of(root, "filename")?.unwrap_or_else(stem);
    let name = picture_name(&filename);
    let path = (name != filename).then_some(filename);
    let mut objects = Vec::new();
    for object in root.children().filter(|c| c.has_tag_name("object")) {
        let label = text_of(object, "name")?.ok_or_else(|| text.at(xml::line(object), "an object has no <name>"))?;
        let hard = match text_of(object, "difficult")?.as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => {
                return Err(text.at(xml::line(object), format!("<difficult> must be 0 or 1; got \"{other}\"")));
            }
        };
        objects.push((label, hard));
    }
    Ok(Picture { name, path, objects })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_other_machines_end_in_the_name() {
        for (filename, name) in [
            ("000001.jpg", "000001.jpg"),
            ("C:\\data\\000001.jpg", "000001.jpg"),
            ("..\\JPEGImages\\x.jpg", "x.jpg"),
            ("../JPEGImages/x.jpg", "x.jpg"),
            ("JPEGImages/x.jpg", "x.jpg"),
            ("..\\JPEGImages\\day\\x.jpg", "day/x.jpg"),
            ("/home/me/x.jpg", "x.jpg"),
            ("C:\\data/x y.jpg", "x y.jpg"),
            ("n01/n01_1", "n01/n01_1"),
            ("\\", "\\"),
        ] {
            assert_eq!(picture_name(filename), name);
        }
    }
}
