//! `read_text` and `write_text`: files as texts.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::files;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, Word};

pub const READ: Word = Word {
    name: "read_text",
    chapter: Chapter::Files,
    signatures: &["read_text(path) -> string"],
    summary: "The content of a text file.",
    details: "UTF-8; a byte-order mark is no part of it. Lines are text.split(\"\\n\").",
    options: None,
    examples: &[Example {
        code: r#"let path = temporary_folder() + "/notes.txt"; write_text(path, "one\ntwo\n"); read_text(path).split("\n")"#,
        prints: "[\"one\", \"two\", \"\"]",
    }],
    register: |word| {
        word.form(|call: &Call, path: PathBuf| {
            let text = files::read_text(&path)?;
            let most = call.host.limits().text;
            match text.len() <= most {
                true => Ok(text),
                false => {
                    Err(Error::data(format!("{}: a string may have {} MiB", path.display(), most >> 20))
                        .about_file(&path))
                }
            }
        });
    },
};

pub const WRITE: Word = Word {
    name: "write_text",
    chapter: Chapter::Files,
    signatures: &["write_text(path, text)"],
    summary: "Writes a text file, whole or not at all.",
    details: "In UTF-8. An old file is replaced, and folders above it are made. Scripts write in the working folder and where the command \
              line or :allow write lets them.",
    options: None,
    examples: &[Example { code: r#"write_text(temporary_folder() + "/a.txt", "kept"); "written""#, prints: "written" }],
    register: |word| {
        word.form(|path: PathBuf, text: String| -> Result<()> { files::write(&path, text.as_bytes()) });
    },
};
