//! The one gate to files. Clippy's `disallowed-methods` keeps all other code from opening, listing, writing or removing any.
//!
//! | what | where |
//! |---|---|
//! | which files scripts may read, write and run | `policy` |
//! | files and folders that a script names: opened, read, listed | `reading` |
//! | files that a script names: written whole or not at all | `writing` |
//! | the kernel's fence around a script that is not trusted | `landlock` |
//! | readers and writers that fail once a stop was asked for | `stoppable` |
//! | temporary files and folders, and what killed processes left of them | `temporary` |
//! | the program's own files: run store, caches, history | `own` |
//!
//! Only regular files are opened, and without waiting for one: a FIFO or a device in place of a file is an error.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // this is the gate

pub mod landlock;
pub mod own;
pub mod policy;
mod reading;
mod stoppable;
mod temporary;
mod writing;

use std::path::Path;

pub use reading::{entries, list, no_file, open, read, read_text, without_mark};
pub use stoppable::Stoppable;
pub use writing::{create_folders, sync_folder, write, write_whole, write_with};

/// The endings of the picture files that can be read, without the dot.
pub const PICTURES: &[&str] = &["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "jfif"];

/// Whether a name ends like a picture file, in letters of either case.
pub fn is_picture(name: impl AsRef<Path>) -> bool {
    let ending = name.as_ref().extension().and_then(|e| e.to_str());
    ending.is_some_and(|ending| PICTURES.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}
