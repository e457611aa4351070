//! `spectral_partition`: k tasks from the label graph.

use crate::error::Result;
use crate::graph::{self, Affinity, Partition, PartitionOptions};
use crate::primitives::parameters::TaskCount;
use crate::script::call::Call;
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
    options: Some(OptionDocs::of::<PartitionOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 300, val: 1, test: 1, test_shifted: 1});\nlet p = spectral_partition(affinity(cooccurrence(data.train), \"co\"), 3, #{seed: 0});\np.k",
        prints: "3",
    }],
    register: |word| {
        word.form(spectral_partition);
    },
};

fn spectral_partition(call: &Call, affinity: Affinity, k: TaskCount, options: PartitionOptions) -> Result<Partition> {
    let partition = graph::spectral_partition(&affinity, k.of(affinity.len(), call)?, &options)?;
    for warning in partition.warnings() {
        let of = partition.branch().map_or(String::new(), |branch| format!("partition on \"{}\": ", branch.name()));
        call.host.asking().log_once(&format!("warning: {of}{warning}"));
    }
    Ok(partition)
}
