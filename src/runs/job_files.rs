//! The files by which worker processes receive their jobs.

use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::Result;
use crate::files::own;

/// What the names of job files begin with.
const KIND: &str = "job";
const ENDING: &str = ".json";

/// A temporary job file in the work folder, which is removed when it is dropped. Those that killed processes of this host left
/// are removed now: a file is needed as long as its process may start its worker again.
///
/// Errors: Io.
pub(super) fn temporary(folder: &Path) -> Result<NamedTempFile> {
    own::create_folders(folder)?;
    own::entries(folder)
        .filter(|entry| is_abandoned(&entry.file_name().to_string_lossy()))
        .for_each(|entry| drop(own::remove_file(&entry.path())));
    own::named_temporary_file(folder, KIND, ENDING)
}

/// Whether this is the name of a job file.
pub(super) fn is_job(name: &str) -> bool {
    name.starts_with("job-") && name.ends_with(ENDING)
}

/// Whether it is the job file of a process of this host that has ended.
pub(super) fn is_abandoned(name: &str) -> bool {
    is_job(name) && own::owner_is_gone(name, KIND) == Some(true)
}
