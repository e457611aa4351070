//! `paper_table`: the paper's own numbers.

use crate::error::Result;
use crate::paper;
use crate::primitives::values::table::TableValue;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "paper_table",
    chapter: Chapter::Evaluation,
    signatures: &["paper_table(name) -> Table"],
    summary: "A table of the paper (CPSD, IJCAI 2022) as it is printed: \"coco\" or \"nuswide\", in percent.",
    details: "One row per method: kind is \"published\" (taken from another paper), \"baseline\" or \"ours\"; recipe names the recipe that trains it. Numbers are \
kept as printed; column disagrees names an F1 that does not follow from the printed precision and recall. \"components\" and \"k\" (the two ablations) are \
known by name, and the error explains why they hold no rows. Sources are in datasets/paper.",
    options: None,
    examples: &[Example {
        code: "paper_table(\"coco\").filter(col(\"kind\") == \"ours\").column(\"mAP\")",
        prints: "[83.1, 85.2, 84.9, 86.7, 87.3, 87.7]",
    }],
    register: |word| {
        word.form(paper_table);
    },
};

fn paper_table(name: String) -> Result<TableValue> {
    paper::published(&name)?.table().map(TableValue)
}
