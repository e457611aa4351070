//! `load_table`: a table from a CSV or Parquet file.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::script::word::{Chapter, Example, Word};
use crate::tables::Table;

pub const WORD: Word = Word {
    name: "load_table",
    chapter: Chapter::Labels,
    signatures: &["load_table(path) -> Table"],
    summary: "Reads a Table from a .csv or .parquet file.",
    details: "CSV has a header; the kinds of its columns are told from all rows. Errors name the file and the line.",
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
    match path.extension().and_then(|e| e.to_str()) {
        Some("parquet") => Table::read_parquet(&path),
        Some("csv" | "tsv" | "txt") => Table::read_csv(&path),
        _ => {
            let message = format!("load_table reads .csv and .parquet files; got \"{}\"", path.display());
            Err(Error::argument(message).about_file(&path))
        }
    }
}
