//! `spectral_partition`: k tasks from the label graph.

use rhai::{Engine, Map};

use crate::graph::{self, Affinity, Partition, PartitionOptions};
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "spectral_partition",
    chapter: Chapter::Graph,
    signatures: &[
        "spectral_partition(affinity, k) -> Partition",
        "spectral_partition(affinity, k, #{options}) -> Partition",
    ],
    summary: "Divides the labels into k tasks by normalised-Laplacian spectral clustering.",
    details: "The k smallest eigenvectors of L_sym = I - D^-1/2 P D^-1/2, k-means++ with restarts, the best kept (von Luxburg \
2007; CPSD, IJCAI 2022). k is from 1 to the number of labels; no task is empty. The seed decides every random choice. \
print(partition) shows the normalised cut, and on \"dis\", where raw cuts hardly differ, its z score against random \
partitions of the same sizes.",
    options: Some(OptionDocs {
        defaults: options::defaults::<PartitionOptions>,
        docs: || {
            crate::options::list(&[
                ("seed", "decides the starts of k-means"),
                ("restarts", "how many starts; the one with the least inertia is kept"),
                (
                    "embedding",
                    "\"auto\": \"rw\" on \"co\", \"njw\" on \"dis\"; \"rw\": eigenvectors over √degree; \"njw\": rows of unit length; \"sym\": as they are",
                ),
                ("refine", "move single labels afterwards while the normalised cut falls"),
                ("preset", "\"authors\": \"rw\", the best of 4 runs of 20 starts by Calinski-Harabasz score"),
                (
                    "assign",
                    "\"kmeans\", \"discretize\" (Yu and Shi 2003) or \"cluster_qr\" (Damle, Minden and Ying 2019)",
                ),
                (
                    "balance",
                    "no task holds more than this times the even share of labels; at least 1, () sets no bound",
                ),
            ])
        },
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 300, val: 1, test: 1, test_shifted: 1});\nlet p = spectral_partition(affinity(cooccurrence(data.train), \"co\"), 3, #{seed: 0});\np.k",
        prints: "3",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("spectral_partition", |affinity: Affinity, k: i64| partition(affinity, k, Map::new()));
    engine.register_fn("spectral_partition", partition);
}

fn partition(affinity: Affinity, k: i64, map: Map) -> Fallible<Partition> {
    let options: PartitionOptions = options::parse("spectral_partition", &map).or_raise()?;
    let k = glue::task_count("spectral_partition", k, affinity.len()).or_raise()?;
    let partition = graph::spectral_partition(&affinity, k, &options).or_raise()?;
    for warning in partition.warnings() {
        crate::activity::console::log(&format!("warning: {warning}"));
    }
    Ok(partition)
}
