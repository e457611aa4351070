//! `temporary_folder`: a place for files that are not kept.

use crate::error::Result;
use crate::files::own;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "temporary_folder",
    chapter: Chapter::Scripting,
    signatures: &["temporary_folder()"],
    summary: "The path of a folder for files that are not kept; scripts may always write there.",
    details: "One folder per process, removed with everything in it when the process ends. Nobody else can read it.",
    options: None,
    examples: &[Example {
        code: r#"let path = temporary_folder() + "/a.csv"; table([#{a: 1}, #{a: 2}]).write_csv(path); load_table(path).column("a")"#,
        prints: "[1, 2]",
    }],
    register: |word| {
        word.form(temporary_folder);
    },
};

fn temporary_folder() -> Result<String> {
    Ok(own::session_folder()?.display().to_string())
}
