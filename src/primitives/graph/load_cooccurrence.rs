//! `load_cooccurrence`: published counts from a square CSV.

use std::path::Path;

use rhai::{Engine, Map};
use serde::{Deserialize, Serialize};

use crate::graph::Cooccurrence;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    nums: Option<String>,
}

pub const WORD: Word = Word {
    name: "load_cooccurrence",
    chapter: Chapter::Graph,
    signatures: &["load_cooccurrence(csv) -> Cooccurrence", "load_cooccurrence(csv, #{nums}) -> Cooccurrence"],
    summary: "Reads counts e_ij from a square CSV with the label names as its header.",
    details: "The counts n_i come from a file beside it (`x_nums.csv` for `x_cooccurrence.csv`), from the option `nums`, or from \
the diagonal. e_ij > min(n_i, n_j) is an error that names both labels: a published NUS-WIDE file has every count doubled.",
    options: Some(OptionDocs {
        defaults: options::defaults::<Options>,
        docs: || crate::options::list(&[("nums", "path of a CSV with columns index,label,n_i")]),
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 100, val: 1, test: 1, test_shifted: 1});\ncooccurrence(data.train).save(\"out/example/counts.csv\");\nload_cooccurrence(\"out/example/counts.csv\").labels == data.train.names",
        prints: "true",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("load_cooccurrence", |path: &str| load(path, Map::new()));
    engine.register_fn("load_cooccurrence", load);
}

fn load(path: &str, map: Map) -> Fallible<Cooccurrence> {
    let options: Options = options::parse("load_cooccurrence", &map).or_raise()?;
    Cooccurrence::load_csv(path, options.nums.as_deref().map(Path::new)).or_raise()
}
