//! `synthetic_labels`: a label table of any size, made up.

use rhai::{Engine, Map};

use crate::error::{Error, Result};
use crate::labels::LabelTable;
use crate::labels::synthetic::{Synthetic, SyntheticOptions};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "synthetic_labels",
    chapter: Chapter::Labels,
    signatures: &["synthetic_labels(#{options}) -> LabelTable", "synthetic_labels(path, #{options})"],
    summary: "A made-up label table with a long tail and groups of labels, in memory or as a Parquet file of any size.",
    details: "Frequencies follow Zipf's law; label i is in group i mod groups, and most labels of an image come from one group. With a \
path a long Parquet file is written part by part: Open Images' size is #{images: 9000000, labels: 20000, groups: 50, per_image: 11}.",
    options: Some(OptionDocs {
        defaults: options::defaults::<SyntheticOptions>,
        docs: || {
            crate::options::list(&[
                ("images", "how many images"),
                ("labels", "how many labels"),
                ("groups", "how many groups of labels"),
                ("per_image", "labels drawn for an image, on average; doubles fall together"),
                ("within", "part of them that come from the image's own group"),
                ("seed", "decides everything"),
            ])
        },
    }),
    examples: &[Example { code: "synthetic_labels(#{images: 50, labels: 10}).len()", prints: "50" }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine
        .register_fn("synthetic_labels", |map: Map| -> Fallible<LabelTable> {
            made(&map).and_then(|s| s.table()).or_raise()
        })
        .register_fn("synthetic_labels", |path: &str, map: Map| -> Fallible<()> { write(path, &map).or_raise() });
}

fn made(map: &Map) -> Result<Synthetic> {
    let options: SyntheticOptions = options::parse("synthetic_labels", map)?;
    Synthetic::new(&options)
}

fn write(path: &str, map: &Map) -> Result<()> {
    if !path.ends_with(".parquet") {
        return Err(Error::argument(format!("synthetic_labels writes .parquet; got \"{path}\"")));
    }
    made(map)?.write_parquet(std::path::Path::new(path))
}
