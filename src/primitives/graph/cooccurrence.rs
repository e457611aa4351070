//! `cooccurrence`: how often labels appear together.

use std::path::PathBuf;

use crate::cluster::{Executor, counting};
use crate::error::Result;
use crate::graph::Cooccurrence;
use crate::images::Dataset;
use crate::labels::shards::Shards;
use crate::labels::{LabelTable, count_files};
use crate::options;
use crate::options::Range;
use crate::primitives::parameters::Paths;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "cooccurrence",
    chapter: Chapter::Graph,
    signatures: &[
        "cooccurrence(labels) -> Cooccurrence",
        "cooccurrence(dataset) -> Cooccurrence",
        "cooccurrence(path) -> Cooccurrence",
        "cooccurrence(paths) -> Cooccurrence",
        "cooccurrence(path, #{options}) -> Cooccurrence",
        "cooccurrence(paths, #{options}) -> Cooccurrence",
    ],
    summary: "Counts how many images have each label (n_i) and each pair of labels (e_ij).",
    details: "Counts of shards add up: cooccurrence(a) + cooccurrence(b) is the count of both tables together; a label \
that only one of them has counts 0 in the other. Entries of unknown truth count as absent. A path is a long Parquet file (columns image,label) or a folder of them, which \
is read in parts, so that a table larger than the memory can be counted; anything else goes through load_labels. With shards above 1 the files are dealt to so many parts of about equal size, in their order; \
each is counted by itself, here one after the other or as tasks of a queue, and kept in the run store until a file changes. \
The sum is the same Cooccurrence, labels' order included. An image must be in one shard alone; one in two is an error that names it.",
    options: Some(OptionDocs::of::<CountOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet c = cooccurrence(data.train);\nc.count(\"person\") >= c.pair(\"person\", \"dog\")",
        prints: "true",
    }],
    register: |word| {
        word.form(|labels: LabelTable| count(&labels))
            .form(|dataset: Dataset| count(&dataset.labels))
            .form(|call: &Call, path: PathBuf, options: CountOptions| {
                of_files(call, std::slice::from_ref(&path), &options).map_err(|error| error.about_file(&path))
            })
            .form(|call: &Call, paths: Paths, options: CountOptions| {
                of_files(call, &paths.0.into_iter().map(PathBuf::from).collect::<Vec<_>>(), &options)
            });
    },
};

options! {
    /// The options of `cooccurrence` of files.
    struct CountOptions {
        /// parts that are counted by themselves; 1 counts all files as one table, and here keeps nothing in the run store
        pub shards: usize = 1, in Range::FromTo(1.0, 100_000.0);
        /// where shards are counted: "here", or in the queue of a cluster, as for trainings
        pub executor: Executor = Executor::Here;
    }
}

fn of_files(call: &Call, paths: &[PathBuf], options: &CountOptions) -> Result<Cooccurrence> {
    let store = call.store();
    call.unlocked(|| match options.executor.cluster()? {
        Some(cluster) => counting::count_files(&store, &cluster, paths, options.shards),
        None if options.shards == 1 => count_files(paths),
        None => {
            let shards = Shards::deal(paths, options.shards)?;
            shards.count_here(&store)?;
            shards.sum(&store)
        }
    })
}

fn count(labels: &LabelTable) -> Result<Cooccurrence> {
    let (offsets, indices) = labels.csr();
    Cooccurrence::count(labels.labels(), offsets, indices)
}
