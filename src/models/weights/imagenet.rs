//! Finds published ImageNet weights on disk.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::models::backbones::BackboneKind;

/// The weights file of a backbone, under any of its published names: in `$CPSD_WEIGHTS`, in `weights/` of the working
/// folder, or of a folder above it.
///
/// Errors: no such file; the help names the file to get and where to put it.
pub fn find_imagenet(kind: &BackboneKind) -> Result<PathBuf> {
    let weights = &kind.weights;
    let Some(first) = weights.files.first() else {
        return Err(Error::argument(format!("backbone \"{}\" has no ImageNet weights", kind.name))
            .about_name(kind.name)
            .with_help("leave \"weights\" out to start from random ones, or name a file"));
    };
    let mut folders: Vec<PathBuf> = std::env::var_os("CPSD_WEIGHTS").map(PathBuf::from).into_iter().collect();
    if let Ok(here) = std::env::current_dir() {
        folders.extend(here.ancestors().take(4).map(|f| f.join("weights")));
    }
    let candidates = folders.iter().flat_map(|folder| weights.files.iter().map(move |file| folder.join(file)));
    candidates.into_iter().find(|path| path.exists()).ok_or_else(|| {
        Error::new(
            ErrorKind::Io,
            format!("the ImageNet weights of {} are not here: no file weights/{first}", kind.name),
        )
        .with_help(format!(
            "get it from {}, and put it there or into the folder that CPSD_WEIGHTS names; its names there may be {}",
            weights.source,
            weights.files.join(", ")
        ))
    })
}
