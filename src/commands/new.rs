//! `cpsd new`: a project to begin with.

use std::path::PathBuf;

use cpsd::activity::console::print_line;
use cpsd::script::errors::Failure;

use super::examples::{in_shell, write_new};
use super::exit;

/// Make a project: a label file, a script, a library and cpsd.toml
#[derive(clap::Args)]
pub struct Args {
    /// Its folder; it is made, or must be empty
    dir: PathBuf,
}

/// The files of a project.
const FILES: &[(&str, &str)] = &[
    ("cpsd.toml", include_str!("new/cpsd.toml")),
    ("labels.csv", include_str!("new/labels.csv")),
    ("library.rhai", include_str!("new/library.rhai")),
    ("train.rhai", include_str!("new/train.rhai")),
];

pub fn run(args: Args) -> Result<u8, Failure> {
    write_new(&args.dir, FILES.iter().copied()).map_err(Failure::plain)?;
    let dir = args.dir.display();
    let folder = in_shell(&args.dir);
    let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
    print_line(&format!("{} in {dir}; to begin: cd {folder} && cpsd script train.rhai", names.join(", ")));
    Ok(exit::DONE)
}
