//! Pictures that a table names and that are not there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::activity;
use crate::activity::console;
use crate::error::{Error, Result, nearest};
use crate::files;

/// So many are named.
const FEW: usize = 3;
/// Entries of a folder that are compared with a missing name.
const COMPARED: usize = 20_000;

/// The pictures out of a list that are not there.
pub struct Missing<'a> {
    folder: &'a Path,
    paths: &'a [PathBuf],
    /// Their positions, ascending.
    pub at: Vec<usize>,
}

impl<'a> Missing<'a> {
    /// Errors: Interrupted.
    pub fn find(folder: &'a Path, paths: &'a [PathBuf]) -> Result<Self> {
        let activity = activity::current();
        let missing = |(i, path): (usize, &PathBuf)| -> Result<Option<usize>> {
            activity.check()?;
            Ok((!folder.join(path).is_file()).then_some(i))
        };
        let at = paths.par_iter().enumerate().map(missing).collect::<Result<Vec<_>>>()?;
        Ok(Missing { folder, paths, at: at.into_iter().flatten().collect() })
    }

    /// The error if a picture is missing, with the first and the file nearest to it. `what` is whose pictures these are.
    pub fn error(&self, what: &str) -> Option<Error> {
        let path = self.folder.join(&self.paths[*self.at.first()?]);
        let of = match (self.at.len(), self.paths.len()) {
            (1, all) => format!("one of the {all} pictures of {what} is missing"),
            (n, all) if n == all => format!("all {all} pictures of {what} are missing"),
            (n, all) => format!("{n} of the {all} pictures of {what} are missing"),
        };
        let shown = path.display();
        // The name is there, and is not that of a file.
        let first = match path.metadata() {
            Ok(found) if found.is_dir() => format!("{shown} is a folder, not a file"),
            Ok(_) => format!("{shown} is not a regular file"),
            Err(_) => {
                let near = nearest_file(&path).map(|near| format!("; the nearest there is \"{near}\""));
                format!("there is no {shown}{}", near.unwrap_or_default())
            }
        };
        Some(Error::data(format!("{of}: {first}")))
    }

    /// The positions of the pictures that are there. Logs how many of `what` are left out, and the first few.
    pub fn leave_out(&self, what: &str) -> Vec<usize> {
        if !self.at.is_empty() {
            let few: Vec<String> = self.at.iter().take(FEW).map(|&i| self.paths[i].display().to_string()).collect();
            let (n, all) = (self.at.len(), self.paths.len());
            console::log(&format!("{what}: {n} of {all} pictures are missing and left out: {}", some(&few, n)));
        }
        let mut gone = self.at.iter().peekable();
        (0..self.paths.len()).filter(|i| gone.next_if_eq(&i).is_none()).collect()
    }
}

/// `a, b, c, ...` of `n`.
pub fn some(few: &[String], n: usize) -> String {
    format!("{}{}", few.join(", "), if n > few.len() { ", ..." } else { "" })
}

/// The file in the same folder with the most similar name.
fn nearest_file(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let entries = files::entries(path.parent()?).ok()?;
    let names: Vec<String> = entries.take(COMPARED).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    // Another ending is nearer than another name.
    let stem = |name: &str| Path::new(name).file_stem().map(|stem| stem.to_string_lossy().to_lowercase());
    let same = names.iter().find(|name| stem(name) == stem(&wanted));
    same.map(String::as_str).or_else(|| nearest(&wanted, names.iter().map(String::as_str))).map(str::to_string)
}

/// Names that occur twice would give one picture two rows: the first such pair of positions.
pub fn twice(paths: &[PathBuf]) -> Option<(usize, usize)> {
    let mut seen: HashMap<&Path, usize> = HashMap::with_capacity(paths.len());
    paths.iter().enumerate().find_map(|(i, path)| match seen.entry(path) {
        Entry::Occupied(first) => Some((*first.get(), i)),
        Entry::Vacant(place) => {
            place.insert(i);
            None
        }
    })
}
