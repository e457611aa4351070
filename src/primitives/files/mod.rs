//! Words for files of any content, folders, the environment and the time.

pub mod environment;
pub mod json;
pub mod list_files;
pub mod now;
pub mod text;
