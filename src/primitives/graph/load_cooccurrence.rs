//! `load_cooccurrence`: published counts from a square CSV.

use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, Result};
use crate::graph::Cooccurrence;
use crate::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "load_cooccurrence",
    chapter: Chapter::Graph,
    signatures: &["load_cooccurrence(csv) -> Cooccurrence", "load_cooccurrence(csv, #{nums}) -> Cooccurrence"],
    summary: "Reads counts e_ij from a square CSV with the label names as its header.",
    details: "The counts n_i come from a file beside it (`x_nums.csv` for `x_cooccurrence.csv`), from the option `nums`, or from \
the diagonal. e_ij > min(n_i, n_j) is an error that names both labels: a published NUS-WIDE file has every count doubled.",
    options: Some(OptionDocs::of::<LoadCooccurrenceOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 100, val: 1, test: 1, test_shifted: 1});\ncooccurrence(data.train).save(\"out/example/counts.csv\");\nload_cooccurrence(\"out/example/counts.csv\").labels == data.train.names",
        prints: "true",
    }],
    register: |word| {
        word.form(load_cooccurrence);
    },
};

fn load_cooccurrence(path: PathBuf, options: LoadCooccurrenceOptions) -> Result<Cooccurrence> {
    Cooccurrence::load_csv(&path, options.nums.as_deref().map(Path::new)).map_err(|error| {
        let error = error.about_file(&path);
        match path.extension().and_then(|e| e.to_str()) {
            Some("npy" | "npz" | "json" | "parquet" | "safetensors") if error.kind == ErrorKind::Data => {
                error.with_help("counts are read from a square CSV with the label names in its first line")
            }
            _ => error,
        }
    })
}

options! {
    /// The options of `load_cooccurrence`.
    struct LoadCooccurrenceOptions {
        /// path of a CSV with columns index,label,n_i
        pub nums: Option<String> = None;
    }
}
