//! `stability`: does the same partition come out under other seeds?

use rhai::{Engine, Map};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::{self, Affinity, PartitionOptions};
use crate::primitives::glue;
use crate::primitives::values::table::TableValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

/// How many seeds, and the options of the partitions but for the seed.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    seeds: u64,
    partition: PartitionOptions,
}

impl Default for Options {
    fn default() -> Self {
        Options { seeds: 20, partition: PartitionOptions::default() }
    }
}

pub const WORD: Word = Word {
    name: "stability",
    chapter: Chapter::Graph,
    signatures: &["stability(affinity, k) -> Table", "stability(affinity, k, #{options}) -> Table"],
    summary: "Partitions the graph under many seeds: how alike the results are, and how many different ones there are.",
    details: "One row: k, seeds, distinct partitions, the mean adjusted Rand index over all pairs (1: always the same tasks), and \
the least and greatest normalised cut.",
    options: Some(OptionDocs {
        defaults: options::defaults::<Options>,
        docs: || {
            crate::options::list(&[
                ("seeds", "seeds 0, 1, ... so many of them"),
                ("partition", "a map of options of spectral_partition"),
            ])
        },
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 300, val: 1, test: 1, test_shifted: 1});\nstability(affinity(cooccurrence(data.train), \"co\"), 3, #{seeds: 4}).column(\"seeds\")",
        prints: "[4]",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine
        .register_fn("stability", |a: Affinity, k: i64| -> Fallible<TableValue> {
            stability(&a, k, &Map::new()).or_raise()
        })
        .register_fn("stability", |a: Affinity, k: i64, map: Map| -> Fallible<TableValue> {
            stability(&a, k, &map).or_raise()
        });
}

/// All pairs of their partitions are compared.
const MOST_SEEDS: u64 = 10_000;

fn stability(a: &Affinity, k: i64, map: &Map) -> Result<TableValue> {
    let options: Options = options::parse("stability", map)?;
    let k = glue::task_count("stability", k, a.len())?;
    if !(2..=MOST_SEEDS).contains(&options.seeds) {
        return Err(Error::argument(format!(
            "option \"seeds\" of stability must be an integer from 2 to {MOST_SEEDS}; got {}",
            options.seeds
        )));
    }
    let seeds: Vec<u64> = (0..options.seeds).collect();
    let s = graph::stability(a, k, &options.partition, &seeds)?;
    let row = vec![k.into(), s.seeds.into(), s.distinct.into(), s.mean_ari.into(), s.ncut.0.into(), s.ncut.1.into()];
    TableValue::from_rows(&["k", "seeds", "distinct", "mean_ari", "ncut_min", "ncut_max"], vec![row])
}
