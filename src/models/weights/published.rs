//! Finds published weights on disk.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::models::backbones::BackboneKind;

/// The file of a backbone's set of published weights, under any of its names: in `$CPSD_WEIGHTS`, in `weights/` of the
/// working folder, or of a folder above it.
///
/// Errors: no such set; no such file, and the help names the file to get and where to put it.
pub fn find_published(kind: &BackboneKind, set: &str) -> Result<PathBuf> {
    let weights = &kind.weights;
    let Some(set) = weights.set(set) else {
        if weights.sets.is_empty() {
            return Err(Error::argument(format!("backbone \"{}\" has no published weights", kind.name))
                .about_name(kind.name)
                .with_help("leave \"weights\" out to start from random ones, or name a file"));
        }
        return Err(Error::unknown("set of weights", set, weights.sets.iter().map(|set| set.name)));
    };
    let mut folders: Vec<PathBuf> = std::env::var_os("CPSD_WEIGHTS").map(PathBuf::from).into_iter().collect();
    if let Ok(here) = std::env::current_dir() {
        folders.extend(here.ancestors().take(4).map(|f| f.join("weights")));
    }
    let candidates = folders.iter().flat_map(|folder| set.files.iter().map(move |file| folder.join(file)));
    candidates.into_iter().find(|path| path.exists()).ok_or_else(|| {
        Error::new(
            ErrorKind::Io,
            format!("the weights \"{}\" of {} are not here: no file weights/{}", set.name, kind.name, set.files[0]),
        )
        .with_help(format!(
            "get it from {}, and put it there or into the folder that CPSD_WEIGHTS names; its names there may be {}",
            set.source,
            set.files.join(", ")
        ))
    })
}
