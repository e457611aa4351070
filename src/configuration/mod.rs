//! Settings: which there are, the files that say them, and the order in which these count.
//!
//! - `settings`: the list of settings, and how a value is read
//! - `file`: the one reader of `cpsd.toml`, tables of clusters included
//! - `places`: where such files are: of the project, of the user, of the program
//! - `sources`: the values of this process, each with where it came from
//! - `edit`: a setting is written into a file, whose comments stay
//!
//! A Rust program that uses this library has the environment and the defaults; the program `cpsd` reads the files too
//! ([`start`]).

mod edit;
mod file;
mod places;
mod settings;
mod sources;

pub use edit::{set, unset};
pub use file::{File, read};
pub use places::{FILE, Place, Whose, default_path, project_above, shown, user_file};
pub use settings::{Kind, SETTINGS, Setting, Value, find};
pub use sources::{
    Found, Listed, OF_PROJECT, Source, Start, count, flag, folders, folders_of_person, for_worker, kept, list, path,
    places, restore, set_for_session, standard_folders, start, started, text, value,
};
