//! The folder of a data set that was named, or given as a relative path: in the working folder, else in the folders of data sets.

use std::path::{Path, PathBuf};

use super::card::card;
use crate::activity::console;
use crate::configuration::{self, shown};

/// The name of the folders of data sets that are looked through without being named.
const STANDARD: &str = "datasets";

/// The folder of data set `name`. Without a `root`, one of its name; None if that is nowhere. A root that is nowhere stays as it is: the
/// data set says what it misses there. Where several places have it, which is taken is said.
pub(super) fn root(name: &str, root: Option<&Path>) -> Option<PathBuf> {
    let wanted = match root {
        Some(root) => root,
        None if card(name).is_ok() => Path::new(name),
        None => return None,
    };
    if wanted.is_absolute() {
        return Some(wanted.to_path_buf());
    }
    match &found(wanted, &places())[..] {
        [] => root.map(Path::to_path_buf),
        [taken] => Some(taken.clone()),
        [taken, others @ ..] => {
            let others: Vec<String> = others.iter().map(|folder| shown(folder)).collect();
            let taken_in_words = shown(&std::path::absolute(taken).unwrap_or_else(|_| taken.clone()));
            console::log(&format!("dataset \"{name}\": {taken_in_words} is taken; {} is there too", others.join(", ")));
            Some(taken.clone())
        }
    }
}

/// The folders in which data sets are looked for, after the working folder: those of the setting `data`, then each `datasets/` that is there.
fn places() -> Vec<PathBuf> {
    let mut places = configuration::folders("data");
    let standard = configuration::standard_folders(STANDARD, 0).into_iter().map(|(folder, _)| folder);
    places.extend(standard.filter(|folder| folder.is_dir()));
    places
}

/// `wanted` in the working folder and in these places, in order; each folder once, however many names it has.
fn found(wanted: &Path, places: &[PathBuf]) -> Vec<PathBuf> {
    let mut there: Vec<(PathBuf, PathBuf)> = Vec::new();
    let here = std::iter::once(wanted.to_path_buf());
    for folder in here.chain(places.iter().map(|place| place.join(wanted))).filter(|folder| folder.is_dir()) {
        let real = std::fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
        if !there.iter().any(|(known, _)| *known == real) {
            there.push((real, folder));
        }
    }
    there.into_iter().map(|(_, folder)| folder).collect()
}

/// `the working folder, /data, datasets`.
pub(super) fn places_in_words() -> String {
    let places = places().into_iter().map(|place| shown(&place));
    std::iter::once("the working folder".to_string()).chain(places).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_looked_through_in_order_and_each_folder_counts_once() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for path in ["a/coco", "b/coco", "c"] {
            std::fs::create_dir_all(at(path)).unwrap();
        }
        std::os::unix::fs::symlink(at("a"), at("link")).unwrap();
        let all = [at("c"), at("a"), at("link"), at("b")];
        assert_eq!(found(Path::new("coco"), &all), [at("a/coco"), at("b/coco")]);
        assert!(found(Path::new("voc"), &all).is_empty());
    }
}
