//! YOLO folders: one text file of boxes or polygons per image, and a list of class names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use super::yaml::{self, Node, Value};
use super::{LoadOptions, Probe, Reader, known_split, list, usual_split};
use crate::activity::progress::Progress;
use crate::activity::{self, console, interrupt};
use crate::error::{Error, Result, counted};
use crate::files;
use crate::files::is_picture;
use crate::labels::LabelTable;
use crate::labels::names::trimmed;
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "yolo",
    summary: "YOLO folder: labels/**/*.txt with lines `class x y w h` or `class x y x y ...`, images/** beside them, names in \
              data.yaml, classes.txt or obj.names; or its data.yaml",
    lists_labels: true,
    has_splits: true,
    options: &["encoding"],
    detect,
    read,
};

/// Files of class names, one per line.
const NAMES: &[&str] = &["classes.txt", "obj.names", "classes.names", "names.txt"];
/// Folders that may hold them.
const PLACES: &[&str] = &["", "labels", "data"];
const SPLITS: &[&str] = &["train", "val", "test"];

fn detect(probe: &Probe, options: &LoadOptions) -> bool {
    if !probe.is_folder {
        return has_extension(&probe.path, &["yaml", "yml"])
            && probe.start(options).is_some_and(|text| has_key(&text, &["names:", "nc:"]));
    }
    let labels = ["labels", "train/labels", "val/labels", "valid/labels", "test/labels"];
    let folders = labels.iter().any(|folder| has_texts(&probe.path.join(folder)));
    if folders && (probe.path.join("images").is_dir() || !probe.path.join("labels").is_dir()) {
        return true;
    }
    let described = yaml_files(&probe.path, options);
    described.iter().any(|(_, has_splits)| folders || *has_splits)
        || (names_file(&probe.path).is_some() && (folders || has_boxes_beside(&probe.path)))
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|e| extensions.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Whether one of the first files of a folder, or of the folders in it, is a text file.
fn has_texts(folder: &Path) -> bool {
    const TRIED: usize = 64;
    let entries = |folder: &Path| files::entries(folder).into_iter().flatten().map(|entry| entry.path()).take(TRIED);
    let is_text = |path: &Path| has_extension(path, &["txt"]);
    entries(folder).any(|path| is_text(&path) || (path.is_dir() && entries(&path).any(|inner| is_text(&inner))))
}

/// Whether a line of YAML begins with one of these.
fn has_key(text: &str, keys: &[&str]) -> bool {
    text.split(['\n', '\r']).any(|line| keys.iter().any(|key| line.starts_with(key)))
}

/// The YAML files of a folder that name classes, and whether each has paths of splits. `data.yaml` and `dataset.yaml`
/// come alone.
fn yaml_files(folder: &Path, options: &LoadOptions) -> Vec<(PathBuf, bool)> {
    let Ok(entries) = files::entries(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<(PathBuf, bool)> = paths
        .filter(|path| has_extension(path, &["yaml", "yml"]))
        .filter_map(|path| {
            let text = Probe::new(&path).ok()?.start(options)?;
            has_key(&text, &["names:", "nc:"]).then(|| (path, has_key(&text, &["train:", "val:"])))
        })
        .collect();
    files.sort();
    let usual = |stem: &str| files.iter().position(|(path, _)| path.file_stem().is_some_and(|s| s == stem));
    match usual("data").or_else(|| usual("dataset")) {
        Some(at) => vec![files.swap_remove(at)],
        None => files,
    }
}

fn names_file(folder: &Path) -> Option<PathBuf> {
    let files = PLACES.iter().flat_map(|place| NAMES.iter().map(move |name| folder.join(place).join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// Whether one of the first images of a folder has a text file beside it.
fn has_boxes_beside(folder: &Path) -> bool {
    const TRIED: usize = 64;
    let Ok(entries) = files::entries(folder) else { return false };
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| is_picture(path)).take(TRIED).any(|image| image.with_extension("txt").is_file())
}

/// The class names by number, and the file that has them.
struct Classes {
    file: PathBuf,
    names: BTreeMap<u64, String>,
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let folder = match probe.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        _ if probe.is_folder => probe.path.as_path(),
        Some(parent) => parent,
        None => Path::new("."),
    };
    let described = match probe.is_folder {
        false => vec![(probe.path.clone(), true)],
        true => yaml_files(folder, options),
    };
    if let [(one, _), (other, _), ..] = &described[..] {
        let message = format!("{} and {} both name classes", one.display(), other.display());
        return Err(Error::in_file(folder, message).with_help("give the path of one of them instead of the folder's"));
    }
    let encoding = options.encoding.as_deref();
    let yaml = match described.first() {
        Some((file, _)) => Some((file, yaml::read(file, encoding)?)),
        None => None,
    };
    let classes = match &yaml {
        Some((file, yaml)) => classes_of_yaml(file, yaml, encoding)?,
        None => classes_of_list(folder, encoding)?,
    };
    let images = match &yaml {
        Some((file, yaml)) => described_images(folder, file, yaml, options)?,
        None => None,
    };
    let images = match images {
        Some(images) => images,
        None => images_of_folder(folder, options)?,
    };
    // Image names are relative to the folder, or to the one that the description names.
    let mut roots = vec![folder.to_path_buf(), without_dots(folder)];
    roots.extend(yaml.and_then(|(file, yaml)| named_folder(file, &yaml)).map(|root| without_dots(&root)));
    table(folder, &roots, &classes, images, encoding)
}

fn classes_of_list(folder: &Path, encoding: Option<&str>) -> Result<Classes> {
    let file = names_file(folder).ok_or_else(|| {
        Error::in_file(folder, "this YOLO folder has no names for its class numbers")
            .with_help("they come from names in data.yaml, or from classes.txt or obj.names with one name per line")
    })?;
    listed_classes(file, encoding)
}

fn listed_classes(file: PathBuf, encoding: Option<&str>) -> Result<Classes> {
    let names = (0..).zip(list::numbered_names(&TextFile::read_as(&file, encoding)?)?).collect();
    Classes { file, names }.checked()
}

fn classes_of_yaml(file: &Path, yaml: &Node, encoding: Option<&str>) -> Result<Classes> {
    let at = |line: usize, what: String| Error::data(format!("{}, line {line}: {what}", file.display()));
    let number = |line: usize, key: &str| {
        key.parse::<u64>().map_err(|_| at(line, format!("a class number must be a whole number; got \"{key}\"")))
    };
    let name = |node: &Node| match &node.value {
        Value::Text(text) if !trimmed(text).is_empty() => Ok(trimmed(text).to_string()),
        _ => Err(at(node.line, "a class name must be a text".into())),
    };
    let count = match yaml.get("nc").and_then(|node| Some((node.line, node.text()?))) {
        Some((line, text)) => {
            let wrong = || at(line, format!("nc must be a number of classes from 1 to 1000000; got \"{text}\""));
            Some((line, text.parse::<u64>().ok().filter(|n| (1..=1_000_000).contains(n)).ok_or_else(wrong)?))
        }
        None => None,
    };
    let names = match yaml.get("names") {
        Some(Node { value: Value::List(list), .. }) => {
            (0..).zip(list).map(|(i, node)| Ok((i, name(node)?))).collect::<Result<BTreeMap<_, _>>>()?
        }
        Some(Node { value: Value::Map(map), .. }) => {
            let entries = map.iter().map(|(key, node)| Ok((number(node.line, key)?, name(node)?)));
            let names = entries.collect::<Result<BTreeMap<_, _>>>()?;
            if names.len() != map.len() {
                return Err(Error::in_file(file, "names has a class number twice"));
            }
            names
        }
        Some(node) if node.text().is_some_and(|text| has_extension(Path::new(text), &["txt", "names"])) => {
            let folder = file.parent().unwrap_or(Path::new(""));
            return listed_classes(folder.join(node.text().unwrap_or_default()), encoding);
        }
        Some(node) => return Err(at(node.line, "names must be a list of names or a map of numbers to names".into())),
        None => {
            let Some((_, n)) = count else {
                return Err(
                    Error::in_file(file, "the class names are missing").with_help("names: [cat, dog] holds them")
                );
            };
            console::log(&format!("{}: no names, so labels are the class numbers", file.display()));
            (0..n).map(|i| (i, i.to_string())).collect()
        }
    };
    if let Some((line, n)) = count
        && n != names.len() as u64
    {
        return Err(at(line, format!("nc is {n}, and the list has {}", counted(names.len(), "name"))));
    }
    Classes { file: file.to_path_buf(), names }.checked()
}

impl Classes {
    /// Errors: no name, one name for two numbers.
    fn checked(self) -> Result<Classes> {
        if self.names.is_empty() {
            return Err(Error::in_file(&self.file, "there are no class names"));
        }
        let mut seen: HashMap<&str, u64> = HashMap::new();
        for (number, name) in &self.names {
            if let Some(first) = seen.insert(name, *number) {
                return Err(Error::in_file(
                    &self.file,
                    format!("classes {first} and {number} are both called \"{name}\""),
                )
                .with_help("labels are told apart by their names: rename one"));
            }
        }
        Ok(self)
    }
}

/// Images of a data set, each with its path as it was found.
struct Images {
    paths: Vec<PathBuf>,
    /// Whether they are the files of folders, so that label files of no image are a surprise.
    of_folders: bool,
    /// Whether there are no images, so that the label files name them: their ending is not known.
    only_labels: bool,
}

/// The folder that a description calls its `path`, if it is there.
fn named_folder(file: &Path, yaml: &Node) -> Option<PathBuf> {
    let path = file.parent()?.join(yaml.get("path")?.text()?);
    path.is_dir().then_some(path)
}

/// The images that the description's paths lead to, or `None` if it has no paths that exist.
fn described_images(folder: &Path, file: &Path, yaml: &Node, options: &LoadOptions) -> Result<Option<Images>> {
    let mut bases: Vec<PathBuf> = named_folder(file, yaml).into_iter().collect();
    bases.push(folder.to_path_buf());
    let mut splits: Vec<(&str, Vec<PathBuf>)> = Vec::new();
    let mut missing: Vec<(&str, &str)> = Vec::new();
    for &split in SPLITS {
        let node = yaml.get(split).or_else(|| if split == "val" { yaml.get("valid") } else { None });
        let entries: Vec<&str> = match node {
            Some(Node { value: Value::List(list), .. }) => list.iter().filter_map(Node::text).collect(),
            Some(node) => node.text().into_iter().collect(),
            None => continue,
        };
        let mut found = Vec::new();
        for entry in entries {
            match resolved(&bases, entry) {
                Some(path) => found.push(path),
                None => missing.push((split, entry)),
            }
        }
        if !found.is_empty() {
            splits.push((split, found));
        }
    }
    let wanted = options.split.as_deref().map(usual_split);
    if splits.is_empty() {
        if let Some((split, entry)) = missing.first() {
            let (file, folder) = (file.display(), folder.display());
            console::log(&format!(
                "{file}: the path of {split}, \"{entry}\", is not there; images are searched in {folder}"
            ));
        }
        return Ok(None);
    }
    if let Some(wanted) = wanted
        && let Some((split, entry)) = missing.iter().find(|(split, _)| *split == wanted)
    {
        let message = format!("{}: the path of {split}, \"{entry}\", is not there", file.display());
        return Err(Error::data(message).about_name(*split));
    }
    if let (Some((split, entry)), None) = (missing.first(), wanted) {
        console::log(&format!("{}: the path of {split}, \"{entry}\", is not there; left out", file.display()));
    }
    if let (Some(wanted), Some(given)) = (wanted, &options.split) {
        if !splits.iter().any(|(split, _)| *split == wanted) {
            return Err(Error::unknown("split", given, splits.iter().map(|(split, _)| *split)));
        }
        splits.retain(|(split, _)| *split == wanted);
    }
    let (mut paths, mut seen, mut of_folders) = (Vec::new(), HashSet::new(), true);
    for path in splits.into_iter().flat_map(|(_, paths)| paths) {
        let images = if path.is_dir() {
            let mut files = walk(&path)?;
            files.retain(|file| is_picture(file));
            files
        } else {
            of_folders = false;
            listed_images(&path, &bases, options)?
        };
        paths.extend(images.into_iter().filter(|image| seen.insert(image.clone())));
    }
    Ok(Some(Images { paths, of_folders, only_labels: false }))
}

/// The first place where a path of a description is. Exports of Roboflow begin with a `../` too much.
fn resolved(bases: &[PathBuf], entry: &str) -> Option<PathBuf> {
    let entry = entry.replace('\\', "/");
    let places = bases.iter().map(|base| base.join(&entry));
    let inside = entry.trim_start_matches("../");
    let found = places.chain(bases.iter().map(|base| base.join(inside))).find(|place| place.exists())?;
    Some(without_dots(&found))
}

/// The path without `.`, and without `..` where a name is before it.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// The images that a text file lists, one per line. Paths are relative to it or to the data set's folder.
fn listed_images(list: &Path, bases: &[PathBuf], options: &LoadOptions) -> Result<Vec<PathBuf>> {
    let text = TextFile::read_as(list, options.encoding.as_deref())?;
    let beside = list.parent().unwrap_or(Path::new(""));
    let mut images = Vec::new();
    for (i, (line, content)) in text.lines().enumerate() {
        if i % 1024 == 0 {
            interrupt::check()?;
        }
        let entry = trimmed(content).replace('\\', "/");
        if !is_picture(&entry) {
            return Err(text.at(line, format!("expected the path of an image; got \"{content}\"")));
        }
        let mut places =
            std::iter::once(beside).chain(bases.iter().map(PathBuf::as_path)).map(|base| base.join(&entry));
        let first = bases.first().map_or(beside, PathBuf::as_path).join(&entry);
        images.push(without_dots(&places.find(|place| place.is_file()).unwrap_or(first)));
    }
    Ok(images)
}

/// All images in a folder, or those of a split, which a folder on the way to them names.
fn images_of_folder(folder: &Path, options: &LoadOptions) -> Result<Images> {
    let files = walk(folder)?;
    let mut paths: Vec<PathBuf> = files.iter().filter(|file| is_picture(file)).cloned().collect();
    let only_labels = paths.is_empty();
    if only_labels {
        let labels = files.iter().filter(|file| has_extension(file, &["txt"]) && is_inside(file, folder, "labels"));
        paths = labels
            .filter(|file| !is_names_file(file))
            .filter_map(|file| with_last_folder(file, "labels", "images"))
            .collect();
        if !paths.is_empty() {
            let folder = folder.display();
            console::log(&format!("{folder}: there are no images; the label files name them, without an ending"));
        }
    }
    if let Some(given) = &options.split {
        let wanted = usual_split(given);
        let split_of = |path: &PathBuf| path.strip_prefix(folder).ok().and_then(split_of);
        let there: BTreeSet<&str> = paths.iter().filter_map(split_of).collect();
        if !there.contains(wanted) {
            return Err(Error::unknown("split", given, there.iter().copied()));
        }
        paths.retain(|path| split_of(path) == Some(wanted));
    }
    Ok(Images { paths, of_folders: true, only_labels })
}

fn is_names_file(file: &Path) -> bool {
    file.file_name().is_some_and(|name| NAMES.iter().any(|known| name == *known))
}

fn is_inside(file: &Path, folder: &Path, name: &str) -> bool {
    let inside = file.strip_prefix(folder).unwrap_or(file).parent();
    inside.is_some_and(|path| path.components().any(|part| part.as_os_str() == name))
}

/// The path with its last folder of one name replaced by another.
fn with_last_folder(path: &Path, old: &str, new: &str) -> Option<PathBuf> {
    let parts: Vec<Component> = path.components().collect();
    let folders = &parts[..parts.len().saturating_sub(1)];
    let at = folders.iter().rposition(|part| part.as_os_str() == old)?;
    Some(parts.iter().enumerate().map(|(i, part)| if i == at { OsStr::new(new) } else { part.as_os_str() }).collect())
}

/// The split that a folder of a path is named after, as `train` or `val2017`.
fn split_of(path: &Path) -> Option<&'static str> {
    let mut parts = path.parent()?.components().filter_map(|part| part.as_os_str().to_str());
    parts.find_map(|part| known_split(part.trim_end_matches(|c: char| c.is_ascii_digit())))
}

/// All files in a folder and its folders, in the order of their paths. Links are followed, each folder once.
fn walk(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut seen, mut open) = (Vec::new(), HashSet::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        let real = std::fs::canonicalize(&folder).map_err(|e| Error::io(&folder, e))?;
        if !seen.insert(real) {
            continue;
        }
        for path in files::list(&folder)? {
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// The places where an image's labels may be: `labels` in place of the last `images`, beside it, or in a folder beside.
fn label_files(image: &Path) -> Vec<PathBuf> {
    let beside = image.with_extension("txt");
    let parallel = with_last_folder(&beside, "images", "labels");
    let folder = beside.parent().zip(beside.file_name()).map(|(folder, name)| folder.join("labels").join(name));
    parallel.into_iter().chain([beside]).chain(folder).collect()
}

fn table(
    folder: &Path,
    roots: &[PathBuf],
    classes: &Classes,
    images: Images,
    encoding: Option<&str>,
) -> Result<LabelTable> {
    if images.paths.is_empty() {
        return Err(Error::in_file(folder, "this YOLO folder has no images"));
    }
    let label_of: HashMap<u64, u32> = classes.names.keys().zip(0..).map(|(number, label)| (*number, label)).collect();
    let progress = Progress::new("reading labels", images.paths.len() as u64, "files");
    let activity = activity::current();
    let rows = images
        .paths
        .par_iter()
        .map(|image| {
            activity.check()?;
            progress.advance(1);
            let file = label_files(image).into_iter().find(|file| file.is_file());
            let row = file.as_deref().map_or(Ok(Vec::new()), |file| boxes(file, classes, &label_of, encoding))?;
            Ok((file, row))
        })
        .collect::<Result<Vec<_>>>()?;
    progress.finish();
    if rows.iter().all(|(file, _)| file.is_none()) {
        let (image, label) = (&images.paths[0], &label_files(&images.paths[0])[0]);
        return Err(Error::in_file(folder, "no image has a label file").with_help(format!(
            "{} would be that of {}",
            label.display(),
            image.display()
        )));
    }
    let (files, lists): (Vec<Option<PathBuf>>, Vec<Vec<u32>>) = rows.into_iter().unzip();
    if images.of_folders {
        report_orphans(folder, files.into_iter().flatten().collect())?;
    }
    let names = images.paths.iter().map(|path| {
        let plain = if images.only_labels { path.with_extension("") } else { path.clone() };
        let inside = roots.iter().find_map(|root| plain.strip_prefix(root).ok()).unwrap_or(&plain);
        inside.to_string_lossy().into_owned()
    });
    LabelTable::from_lists(classes.names.values().cloned().collect(), names.collect(), &lists)
}

/// The labels of an image. Errors: a line that is no box or polygon, a class without a name.
fn boxes(file: &Path, classes: &Classes, label_of: &HashMap<u64, u32>, encoding: Option<&str>) -> Result<Vec<u32>> {
    let text = TextFile::read_as(file, encoding)?;
    let mut labels = Vec::new();
    for (line, content) in text.lines() {
        let mut words = content.split_whitespace();
        let class = words.next().and_then(class_number);
        let mut numbers = 0;
        let only_numbers = words.all(|word| {
            numbers += 1;
            word.parse::<f64>().is_ok()
        });
        let (Some(class), true, true) = (class, only_numbers, numbers >= 4) else {
            let came: String = content.chars().take(60).collect();
            return Err(
                text.at(line, format!("expected a class number, and a box or polygon of numbers; got \"{came}\""))
            );
        };
        let label = label_of.get(&class).ok_or_else(|| {
            let (n, file) = (counted(classes.names.len(), "name"), classes.file.display());
            let last = classes.names.keys().next_back().copied().unwrap_or(0);
            text.at(line, format!("class {class} has no name; {file} has {n}, for classes up to {last}"))
        })?;
        labels.push(*label);
    }
    labels.sort_unstable();
    labels.dedup();
    Ok(labels)
}

/// A class number, which some programs write as `3.0`.
fn class_number(word: &str) -> Option<u64> {
    word.parse().ok().or_else(|| {
        let number: f64 = word.parse().ok()?;
        (number >= 0.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0).then_some(number as u64)
    })
}

/// Says how many label files in the folders `labels` belong to no image.
fn report_orphans(folder: &Path, used: HashSet<PathBuf>) -> Result<()> {
    let folders: BTreeSet<&Path> = used
        .iter()
        .filter_map(|file| file.parent())
        .filter(|f| f.components().any(|c| c.as_os_str() == "labels"))
        .collect();
    let mut orphans = Vec::new();
    for labels in folders {
        let files = files::entries(labels)?.map(|entry| entry.path());
        orphans.extend(files.filter(|f| has_extension(f, &["txt"]) && !is_names_file(f) && !used.contains(f)));
    }
    if let Some(first) = orphans.iter().min() {
        let (folder, n, first) = (folder.display(), orphans.len(), first.display());
        console::log(&format!("{folder}: {n} label files belong to no image and are left out, for example {first}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_labels_and_splits() {
        let first = |image: &str| label_files(Path::new(image))[0].display().to_string();
        assert_eq!(first("x/images/train/a.b.jpg"), "x/labels/train/a.b.txt");
        assert_eq!(first("images/x/images/a.jpg"), "images/x/labels/a.txt");
        assert_eq!(first("train/a.jpg"), "train/a.txt");
        assert_eq!(first("/d/images.jpg"), "/d/images.txt");
        assert_eq!(split_of(Path::new("images/train2017/a.jpg")), Some("train"));
        assert_eq!(split_of(Path::new("valid/images/a.jpg")), Some("val"));
        assert_eq!(split_of(Path::new("images/training/test.jpg")), None);
        assert_eq!(without_dots(Path::new("a/./b/../c/../../..")), Path::new(".."));
    }

    #[test]
    fn class_numbers() {
        assert_eq!(
            ["0", "12", "3.0", "-1", "1.5", "cat", "nan", "1e3"].map(class_number),
            [Some(0), Some(12), Some(3), None, None, None, None, Some(1000)]
        );
    }
}
