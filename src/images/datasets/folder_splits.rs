//! The fixed division of a folder's pictures into splits, which the option `splits` names.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::folder::FolderOptions;
use super::missing::some;
use crate::activity::console;
use crate::error::{Error, Result, nearest};
use crate::files;
use crate::labels::{
    Division, LabelTable, columns_of, divided_split, label_files, load, load_with_splits, read_splits,
};

/// Names that are shown.
const FEW: usize = 3;

/// What `splits` names.
pub enum Named {
    /// A table of images and splits, and its name for people.
    File(PathBuf, String),
    /// A column of the label file.
    Column(String),
    /// Folders called train, val and test.
    Folders,
}

/// The image names of each split.
pub type Splits = Vec<(String, Vec<String>)>;

impl Named {
    /// The file of that name, or else folders or the column of the label file. `None` without the option.
    ///
    /// Errors: none of these, with the nearest name; the option `split` beside it.
    pub fn find(root: &Path, file: &Path, options: &FolderOptions) -> Result<Option<Named>> {
        let Some(name) = &options.splits else { return Ok(None) };
        if options.labels.split.is_some() {
            let message = "option \"splits\" of dataset \"folder\" divides all pictures, and option \"split\" takes those of one \
                           split of the label file: give one of the two";
            return Err(Error::argument(message).about_option("splits"));
        }
        if let Some(path) = splits_file(root, options) {
            return Ok(Some(Named::File(path, name.clone())));
        }
        if name == "folders" {
            return Ok(Some(Named::Folders));
        }
        let columns = columns_of(file, &options.labels)?.unwrap_or_default();
        if columns.contains(name) {
            return Ok(Some(Named::Column(name.clone())));
        }
        let mut there: Vec<String> = label_files(root).iter().filter_map(|path| name_of(path)).collect();
        there.extend(columns);
        there.push("folders".into());
        let near = nearest(name, there.iter().map(String::as_str)).map(|near| format!("; did you mean \"{near}\"?"));
        let label_file = name_of(file).unwrap_or_default();
        Err(Error::argument(format!(
            "option \"splits\" of dataset \"folder\": \"{name}\" is neither a file in {} nor a column of {label_file}{}",
            root.display(),
            near.unwrap_or_default()
        ))
        .about_option("splits")
        .with_help(
            "splits: \"split.csv\" is a table with the columns image and split, splits: \"split\" a column of the label file, \
             splits: \"folders\" takes the folders train, val and test",
        ))
    }

    /// The labels, and the split of each image as far as a table says it.
    pub fn load(&self, file: &Path, options: &FolderOptions) -> Result<(LabelTable, Option<Division>)> {
        match self {
            Named::Column(column) => {
                let (labels, division) = load_with_splits(file, &options.labels, column)?;
                Ok((labels, Some(division)))
            }
            Named::File(path, _) => Ok((load(file, &options.labels)?, Some(read_splits(path)?))),
            Named::Folders => Ok((load(file, &options.labels)?, None)),
        }
    }

    /// What divides the pictures, for people. `file` is the label file's name.
    pub fn shown(&self, file: &str) -> String {
        match self {
            Named::File(_, name) => name.clone(),
            Named::Column(column) => format!("column \"{column}\" of {file}"),
            Named::Folders => "each picture's folder".into(),
        }
    }

    /// The image names of each split; train, val and test come first. `paths` are those of the pictures, relative to the root.
    ///
    /// Errors: no picture in a split; a picture in two.
    pub fn split(
        &self,
        division: Option<Division>,
        images: &[String],
        paths: &[PathBuf],
        file: &str,
    ) -> Result<Splits> {
        let by_image: Vec<Option<String>> = match division {
            Some(division) => matched(&division, images, paths, &self.shown(file))?,
            None => paths.iter().map(|path| folder_split(path)).collect(),
        };
        if by_image.iter().all(Option::is_none) {
            return Err(Error::data(
                "option \"splits\" of dataset \"folder\": no picture lies in a folder train, val or test".to_string(),
            )
            .about_option("splits")
            .with_help(match paths.first() {
                Some(path) => format!("the first picture is {}", path.display()),
                None => "there are no pictures".into(),
            }));
        }
        let mut splits: Splits = ["train", "val", "test"].map(|split| (split.to_string(), Vec::new())).into();
        for (image, split) in images.iter().zip(by_image) {
            let Some(split) = split else { continue };
            match splits.iter_mut().find(|(name, _)| *name == split) {
                Some((_, of)) => of.push(image.clone()),
                None => splits.push((split, vec![image.clone()])),
            }
        }
        splits.retain(|(_, of)| !of.is_empty());
        // Further test sets in the order of their names, whichever picture comes first.
        let known = splits.iter().take_while(|(name, _)| ["train", "val", "test"].contains(&name.as_str())).count();
        splits[known..].sort();
        Ok(splits)
    }
}

/// The file that `splits` names, if there is one.
pub fn splits_file(root: &Path, options: &FolderOptions) -> Option<PathBuf> {
    let path = root.join(options.splits.as_ref()?);
    path.is_file().then_some(path)
}

/// A sentence about what would divide the pictures if the option `splits` named it: a table called split beside the labels, or folders called as splits. Of a
/// column the reader of the labels says so.
pub fn unused(root: &Path, file: &Path, paths: &[PathBuf]) -> Option<String> {
    let is_division = |path: &PathBuf| {
        let named = |stem: &OsStr| ["split", "splits"].iter().any(|name| stem.eq_ignore_ascii_case(name));
        path != file && path.file_stem().is_some_and(named)
    };
    let table = label_files(root).into_iter().find(is_division).and_then(|path| name_of(&path));
    let folders: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    let splits: BTreeSet<String> = folders.iter().filter_map(|folder| folder_split(&folder.join("picture"))).collect();
    let (what, name) = match table {
        Some(table) => (format!("{table}, beside the labels, divides"), table),
        None if splits.len() > 1 => {
            let splits: Vec<String> = splits.into_iter().collect();
            (
                format!("the pictures' folders {} divide", some(&splits[..splits.len().min(FEW)], splits.len())),
                "folders".into(),
            )
        }
        None => return None,
    };
    Some(format!(
        "dataset \"folder\": val and test are shares of all pictures; {what} them where that is asked for: splits: \"{name}\", of an experiment split={name}"
    ))
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// The split by the first of a picture's folders that is called as one.
fn folder_split(path: &Path) -> Option<String> {
    let folders = path.parent()?.components().map(|folder| folder.as_os_str().to_string_lossy().into_owned());
    folders.into_iter().find_map(|folder| divided_split(&folder).ok())
}

/// A name with `/` between folders and no `./` in front.
fn plain(name: &str) -> String {
    let name = name.replace('\\', "/");
    name.trim_start_matches("./").to_string()
}

/// A name without folders and without the ending of a picture.
fn stem(name: &str) -> String {
    let name = plain(name);
    let name = name.rsplit('/').next().unwrap_or_default();
    match (files::is_picture(name), name.rsplit_once('.')) {
        (true, Some((stem, _))) => stem.to_string(),
        _ => name.to_string(),
    }
}

/// The split of each picture by a table whose names are those of the label table, or the pictures' paths, or these without
/// folders and endings, whichever fit most pictures; the last way is said.
///
/// Errors: no name fits; a name without folder that fits two pictures; two names of one picture with different splits.
fn matched(division: &Division, images: &[String], paths: &[PathBuf], shown: &str) -> Result<Vec<Option<String>>> {
    let named = |name: &String| plain(name);
    let lying = |path: &PathBuf| plain(&path.to_string_lossy());
    type Key = fn(&str) -> String;
    let ways: [(Vec<String>, Key); 3] = [
        (images.iter().map(named).collect(), plain),
        (paths.iter().map(lying).collect(), plain),
        (paths.iter().map(|path| stem(&path.to_string_lossy())).collect(), stem),
    ];
    let mut best: Option<(usize, usize, HashMap<&str, usize>, Key)> = None;
    let mut fits_two = None;
    for (way, (keys, key)) in ways.iter().enumerate() {
        let mut place: HashMap<&str, usize> = HashMap::with_capacity(keys.len());
        let mut twice: HashMap<&str, (usize, usize)> = HashMap::new();
        for (i, key) in keys.iter().enumerate() {
            if let Some(first) = place.insert(key, i) {
                twice.entry(key).or_insert((first, i));
            }
        }
        let mut of_two = division.rows.iter().filter_map(|(name, _)| Some((name, *twice.get(key(name).as_str())?)));
        let of_two = of_two.next();
        let found = division.rows.iter().filter(|(name, _)| place.contains_key(key(name).as_str())).count();
        // Whole names may stand for several pictures no more than they do in the label table.
        if found > best.as_ref().map_or(0, |best| best.0) && (of_two.is_none() || way == 0) {
            best = Some((found, way, place, *key));
        } else if best.is_none() {
            fits_two = fits_two.or(of_two);
        }
    }
    let some_of = |names: &[&String]| {
        let few: Vec<String> = names.iter().take(FEW).map(|name| name.to_string()).collect();
        some(&few, names.len())
    };
    if let (None, Some((name, (one, other)))) = (&best, fits_two) {
        let (one, other) = (paths[one].display(), paths[other].display());
        let message =
            format!("dataset \"folder\": the name \"{name}\" of {shown} fits two pictures, {one} and {other}");
        let help = format!("with their folders, as {one}, names tell pictures apart");
        return Err(Error::data(message).about_option("splits").with_help(help));
    }
    let Some((_, way, place, key)) = best else {
        let names: Vec<&String> = division.rows.iter().map(|(name, _)| name).collect();
        let message = match names.len() {
            0 => format!("{shown} gives no picture a split"),
            n => format!(
                "none of the {n} names that {shown} divides is that of a picture: {}; the pictures are {}",
                some_of(&names),
                some_of(&images.iter().collect::<Vec<_>>())
            ),
        };
        return Err(Error::data(format!("dataset \"folder\": {message}")).about_option("splits"));
    };
    if way == 2 {
        console::log(&format!("dataset \"folder\": names of {shown} are matched without folders and endings"));
    }
    let mut split_of: HashMap<usize, (&String, &String)> = HashMap::with_capacity(division.rows.len());
    let mut strangers = Vec::new();
    for (name, split) in &division.rows {
        let Some(&picture) = place.get(key(name).as_str()) else {
            strangers.push(name);
            continue;
        };
        match split_of.entry(picture) {
            Entry::Vacant(free) => {
                free.insert((split, name));
            }
            Entry::Occupied(other) if other.get().0 != split => {
                let (before, first) = other.get();
                let picture = paths[picture].display();
                return Err(Error::data(format!(
                    "dataset \"folder\": {shown} has the picture {picture} in two splits: as \"{first}\" in \"{before}\", as \
                     \"{name}\" in \"{split}\""
                ))
                .about_option("splits"));
            }
            Entry::Occupied(_) => {}
        }
    }
    if !strangers.is_empty() {
        console::log(&format!(
            "dataset \"folder\": {} of the {} names that {shown} divides match no picture: {}",
            strangers.len(),
            division.rows.len(),
            some_of(&strangers)
        ));
    }
    Ok((0..images.len()).map(|i| split_of.get(&i).map(|(split, _)| split.to_string())).collect())
}
