//! `load_table`: a table from a CSV or Parquet file.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::activity::console;
use crate::error::{Error, Result};
use crate::files;
use crate::script::word::{Chapter, Example, Word};
use crate::tables::Table;

pub const WORD: Word = Word {
    name: "load_table",
    chapter: Chapter::Labels,
    signatures: &["load_table(path) -> Table"],
    summary: "Reads a Table from a .csv or .parquet file.",
    details: "CSV has a header; the kinds of its columns are told from all rows. Where numbers with a decimal point stand beside integers of 16 digits or more, a line says which are rounded; a number beyond the largest (1e400) is an error, and inf is infinite. A file of Parquet is read as that whatever its name. Errors name the file and the line.",
    options: None,
    examples: &[Example {
        code: "table([#{k: 2, mAP: 80.5}]).write_csv(\"out/example/table.csv\");\nload_table(\"out/example/table.csv\").columns",
        prints: "k",
    }],
    register: |word| {
        word.form(load_table);
    },
};

fn load_table(path: PathBuf) -> Result<Table> {
    let head = head(&path);
    match path.extension().and_then(|e| e.to_str()) {
        // A pointer of Git LFS or a page of a website would be a table too, so that text is not read under this name.
        Some("parquet") if is_text(&head) => {
            let message = format!("{} is no Parquet file: it is a text", path.display());
            Err(Error::data(message).about_file(&path).with_help("if it is CSV, give it a name that ends in .csv"))
        }
        Some("parquet") => Table::read_parquet(&path),
        _ if head.starts_with(b"PAR1") => {
            console::log(&format!("{} is Parquet by its content, and read as that", path.display()));
            Table::read_parquet(&path)
        }
        Some("csv" | "tsv" | "txt") => Table::read_csv(&path),
        _ => {
            let message = format!("load_table reads .csv and .parquet files; got \"{}\"", path.display());
            Err(Error::argument(message).about_file(&path))
        }
    }
}

/// The first bytes of a file; none of one that cannot be read, of which its reader says why.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    let read = files::open(path).map(|file| file.take(64).read_to_end(&mut head));
    if matches!(read, Ok(Ok(_))) { head } else { vec![] }
}

/// Whether bytes begin a text. One of no bytes may be anything.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A letter that goes on behind the last byte.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default(),
        Err(_) => "",
    };
    let is_binary = |c: char| c.is_control() && !c.is_whitespace();
    !text.is_empty() && !text.starts_with("PAR1") && !text.contains(is_binary)
}
