//! `stability`: does the same partition come out under other seeds?

use crate::error::{Error, Result};
use crate::graph::{self, Affinity, PartitionOptions};
use crate::options;
use crate::primitives::parameters::TaskCount;
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "stability",
    chapter: Chapter::Graph,
    signatures: &["stability(affinity, k) -> Table", "stability(affinity, k, #{options}) -> Table"],
    summary: "Partitions the graph under many seeds: how alike the results are, and how many different ones there are.",
    details: "One row: k, seeds, distinct partitions, the mean adjusted Rand index over all pairs (1: always the same tasks), and \
the least and greatest normalised cut.",
    options: Some(OptionDocs::of::<StabilityOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 300, val: 1, test: 1, test_shifted: 1});\nstability(affinity(cooccurrence(data.train), \"co\"), 3, #{seeds: 4}).column(\"seeds\")",
        prints: "[4]",
    }],
    register: |word| {
        word.form(stability);
    },
};

options! {
    /// The options of `stability`.
    struct StabilityOptions {
        /// seeds 0, 1, ... so many of them
        pub seeds: u64 = 20;
        /// a map of options of spectral_partition
        pub partition: PartitionOptions = PartitionOptions::default();
    }
}

/// All pairs of their partitions are compared.
const MOST_SEEDS: u64 = 10_000;

fn stability(call: &Call, affinity: Affinity, k: TaskCount, options: StabilityOptions) -> Result<TableValue> {
    let k = k.of(affinity.len(), call)?;
    if !(2..=MOST_SEEDS).contains(&options.seeds) {
        let expected = format!("an integer from 2 to {MOST_SEEDS}");
        return Err(Error::option("seeds", call.name, expected, options.seeds));
    }
    let seeds: Vec<u64> = (0..options.seeds).collect();
    let s = graph::stability(&affinity, k, &options.partition, &seeds)?;
    let row = vec![k.into(), s.seeds.into(), s.distinct.into(), s.mean_ari.into(), s.ncut.0.into(), s.ncut.1.into()];
    TableValue::from_rows(&["k", "seeds", "distinct", "mean_ari", "ncut_min", "ncut_max"], vec![row])
}
