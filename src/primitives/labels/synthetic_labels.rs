//! `synthetic_labels`: a label table of any size, made up.

use std::path::Path;

use rhai::Map;

use crate::error::{Error, Result};
use crate::labels::LabelTable;
use crate::labels::synthetic::{Synthetic, SyntheticOptions};
use crate::script::call::{Call, Parameter};
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "synthetic_labels",
    chapter: Chapter::Labels,
    signatures: &["synthetic_labels(#{options}) -> LabelTable", "synthetic_labels(path, #{options})"],
    summary: "A made-up label table with a long tail and groups of labels, in memory or as a Parquet file of any size.",
    details: "Frequencies follow Zipf's law; label i is in group i mod groups, and most labels of an image come from one group. With a \
path a long Parquet file is written part by part: Open Images' size is #{images: 9000000, labels: 20000, groups: 50, per_image: 11}.",
    options: Some(OptionDocs::of::<SyntheticOptions>()),
    examples: &[Example { code: "synthetic_labels(#{images: 50, labels: 10}).len()", prints: "50" }],
    register: |word| {
        word.form(in_memory).form(in_file);
    },
};

fn in_memory(call: &Call, options: Map) -> Result<LabelTable> {
    synthetic(call, options)?.table()
}

fn in_file(call: &Call, path: String, options: Map) -> Result<()> {
    if !path.ends_with(".parquet") {
        return Err(Error::argument(format!("{} writes .parquet; got \"{path}\"", call.name)).about_file(&path));
    }
    synthetic(call, options)?.write_parquet(Path::new(&path))
}

/// The options of this word may not be left out.
fn synthetic(call: &Call, options: Map) -> Result<Synthetic> {
    Synthetic::new(&SyntheticOptions::read(options.into(), call)?)
}
