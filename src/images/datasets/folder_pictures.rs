//! Where the pictures of a folder are: in it or below it, their names with or without an ending.

use std::path::{Path, PathBuf};

use super::folder::FolderOptions;
use super::missing::twice;
use crate::activity::{console, interrupt};
use crate::error::{Error, Result};
use crate::files;
use crate::files::{PICTURES, is_picture};

/// Names that are looked for in every folder.
const TRIED: usize = 24;
/// Folders below the root that are searched, and how deep they are.
const FOLDERS: usize = 500;
const DEPTH: usize = 3;
/// Entries of a folder that are looked at.
const ENTRIES: usize = 200_000;

/// A folder, relative to the root, and the ending of names that have none.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    folder: PathBuf,
    ending: String,
}

impl Place {
    /// The picture's path relative to the root.
    fn path(&self, root: &Path, name: &str) -> PathBuf {
        let name = if is_picture(name) { name.to_string() } else { format!("{name}{}", self.ending) };
        let path = self.folder.join(&name);
        // Windows wrote some tables.
        if name.contains('\\') && !root.join(&path).is_file() {
            self.folder.join(name.replace('\\', "/"))
        } else {
            path
        }
    }
}

/// The paths of the pictures, relative to `root`. `shown` is the label file's name for people.
///
/// Where options do not say it, the folder and the ending under which the pictures are found are logged. Errors: they
/// are found in several; two names for one picture. A missing picture is none.
pub fn locate(
    root: &Path,
    file: &Path,
    shown: &str,
    names: &[String],
    options: &FolderOptions,
) -> Result<Vec<PathBuf>> {
    let ending = options.extension.as_deref().map(|e| format!(".{}", e.trim_start_matches('.')));
    let given = Place {
        folder: options.folder.as_deref().unwrap_or_default().into(),
        ending: ending.clone().unwrap_or_default(),
    };
    if !root.join(&given.folder).is_dir() {
        let path = root.join(&given.folder);
        let there = subfolders(root).iter().map(|f| format!("\"{}\"", f.display())).take(8).collect::<Vec<_>>();
        let error =
            Error::argument(format!("option \"folder\" of dataset \"folder\": there is no folder {}", path.display()))
                .about_option("folder");
        return Err(if there.is_empty() { error } else { error.with_help(format!("there: {}", there.join(", "))) });
    }
    let step = names.len().div_ceil(TRIED).max(1);
    let tried: Vec<&String> = names.iter().step_by(step).collect();
    let found = |place: &Place| tried.iter().filter(|name| root.join(place.path(root, name)).is_file()).count();
    let here = found(&given);
    let mut place = given.clone();
    if here < tried.len() && (options.folder.is_none() || ending.is_none()) {
        let mut folders = vec![given.folder.clone()];
        if options.folder.is_none() {
            folders.extend(file.parent().and_then(|p| p.strip_prefix(root).ok()).map(Path::to_path_buf));
            folders.extend(subfolders(root));
        }
        let mut endings = vec![given.ending.clone()];
        if ending.is_none() && tried.iter().any(|name| !is_picture(name)) {
            endings.extend(PICTURES.iter().flat_map(|e| [format!(".{e}"), format!(".{}", e.to_uppercase())]));
        }
        let mut best: Vec<(usize, Place)> = Vec::new();
        for folder in &folders {
            interrupt::check()?;
            for ending in &endings {
                let place = Place { folder: folder.clone(), ending: ending.clone() };
                let n = found(&place);
                // On some systems .jpg and .JPG are one file.
                let same =
                    |other: &Place| other.folder == place.folder && other.ending.eq_ignore_ascii_case(&place.ending);
                if n > here && !best.iter().any(|(_, other)| same(other)) {
                    best.push((n, place));
                }
            }
        }
        let most = best.iter().map(|(n, _)| *n).max().unwrap_or(0);
        best.retain(|(n, _)| *n == most);
        match &best[..] {
            [] => {}
            [(_, only)] => {
                place = only.clone();
                console::log(&format!(
                    "dataset \"folder\": the pictures that {shown} names are {}",
                    said(only, &given)
                ));
            }
            several => {
                let places: Vec<String> = several.iter().take(4).map(|(_, place)| options_of(place, &given)).collect();
                return Err(Error::data(format!(
                    "dataset \"folder\": pictures of the names in {shown} are in {} places; these options take one: {}",
                    several.len(),
                    places.join(" or ")
                ))
                .about_name("folder"));
            }
        }
    }
    let paths: Vec<PathBuf> = names.iter().map(|name| place.path(root, name)).collect();
    if place != (Place { folder: PathBuf::new(), ending: String::new() })
        && let Some((first, second)) = twice(&paths)
    {
        return Err(Error::data(format!(
            "dataset \"folder\": {shown} names the picture {} as \"{}\" and as \"{}\"",
            paths[first].display(),
            names[first],
            names[second]
        ))
        .about_name("folder"));
    }
    Ok(paths)
}

/// `in train-jpg/, with the ending .jpg (...)`.
fn said(place: &Place, given: &Place) -> String {
    let folder = if place.folder == given.folder { "there".into() } else { format!("in {}/", place.folder.display()) };
    let ending =
        if place.ending == given.ending { String::new() } else { format!(" with the ending {}", place.ending) };
    format!("{folder}{ending}; {} says the same", options_of(place, given))
}

/// The options that name a place: `folder: "train-jpg", extension: ".jpg"`.
fn options_of(place: &Place, given: &Place) -> String {
    let folder = (place.folder != given.folder).then(|| format!("folder: \"{}\"", place.folder.display()));
    let ending = (place.ending != given.ending).then(|| format!("extension: \"{}\"", place.ending));
    let both: Vec<String> = [folder, ending].into_iter().flatten().collect();
    if both.is_empty() { "folder: \".\"".into() } else { both.join(", ") }
}

/// Folders below `root`, relative to it, in order, nearer ones first.
fn subfolders(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut level = vec![PathBuf::new()];
    for _ in 0..DEPTH {
        let mut below: Vec<PathBuf> = Vec::new();
        for folder in &level {
            let entries = files::entries(&root.join(folder)).into_iter().flatten().take(ENTRIES);
            let names = entries.filter_map(|entry| {
                let name = entry.file_name();
                let hidden = name.to_string_lossy().starts_with('.');
                // A link to a folder is followed once.
                (!hidden && !is_picture(&name) && entry.path().is_dir()).then(|| folder.join(name))
            });
            below.extend(names);
            if found.len() + below.len() > FOLDERS {
                break;
            }
        }
        below.sort();
        found.extend(below.iter().cloned());
        level = below;
    }
    found.truncate(FOLDERS);
    found
}

/// The names of the folders directly in `root` that hold pictures themselves.
pub fn subfolders_with_pictures(root: &Path) -> Vec<String> {
    let direct = subfolders(root).into_iter().filter(|folder| folder.components().count() == 1);
    let holds = |folder: &PathBuf| {
        let entries = files::entries(&root.join(folder)).into_iter().flatten().take(100);
        entries.into_iter().any(|entry| is_picture(entry.file_name()))
    };
    direct.filter(holds).map(|folder| folder.display().to_string()).collect()
}
