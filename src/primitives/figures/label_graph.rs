//! `label_graph`: labels as discs, co-occurrences as lines.

use crate::error::Result;
use crate::graph::{Cooccurrence, Partition};
use crate::plots::{Figure, LabelGraphOptions};
use crate::reports::graph_figures;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "label_graph",
    chapter: Chapter::Figures,
    signatures: &[
        "label_graph(cooccurrence, partition) -> Figure",
        "label_graph(cooccurrence, partition, #{options}) -> Figure",
    ],
    summary: "The label graph: discs as large as a label is frequent, lines as thick as two appear together, tasks in colours.",
    details: "Line weights are P+ at p = 1/2, (√S + √Sᵀ)/2; each label keeps its strongest ones.",
    options: Some(OptionDocs::of::<LabelGraphOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet c = cooccurrence(data.train);\nlabel_graph(c, spectral_partition(affinity(c, \"co\"), 3)).save(\"out/example/label_graph.svg\")",
        prints: "",
    }],
    register: |word| {
        word.form(label_graph);
    },
};

fn label_graph(counts: Cooccurrence, partition: Partition, options: LabelGraphOptions) -> Result<Figure> {
    graph_figures::label_graph(&counts, Some(&partition), options)
}
