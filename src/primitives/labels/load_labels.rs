//! `load_labels`: a label table from a file or folder.

use rhai::{Engine, Map};

use crate::labels::{LabelTable, LoadOptions, load};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "load_labels",
    chapter: Chapter::Labels,
    signatures: &["load_labels(path) -> LabelTable", "load_labels(path, #{options}) -> LabelTable"],
    summary: "Reads which image has which labels from a file or folder.",
    details: "Formats: CSV and Parquet, long (columns image,label; one row a pair) or wide (one 0/1 column a label), COCO \
instances JSON, NUS-WIDE lists, VOC XML. The format is told from the content unless it is given. Errors name the file, the \
line or record, and what was expected.",
    options: Some(OptionDocs {
        defaults: options::defaults::<LoadOptions>,
        docs: || {
            crate::options::list(&[
                ("format", "the format's name; () tells it from the content"),
                ("labels", "the labels to keep, in this order; () keeps all that occur"),
                ("unlabelled", "\"keep\" or \"drop\" images without any label"),
                ("split", "for formats that hold several splits: which one; () takes all"),
                ("difficult", "\"keep\" or \"drop\" objects that VOC marks as difficult"),
            ])
        },
    }),
    examples: &[Example {
        code: "table([#{image: \"1.jpg\", label: \"cat\"}, #{image: \"1.jpg\", label: \"sofa\"}, #{image: \"2.jpg\", label: \"cat\"}]).write_csv(\"out/example/labels.csv\");\nlet labels = load_labels(\"out/example/labels.csv\");\nlabels.labels",
        prints: "\"cat\", \"sofa\"",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("load_labels", |path: &str| load_labels(path, Map::new()));
    engine.register_fn("load_labels", load_labels);
}

fn load_labels(path: &str, map: Map) -> Fallible<LabelTable> {
    let options: LoadOptions = options::parse("load_labels", &map).or_raise()?;
    load(std::path::Path::new(path), &options).or_raise()
}
