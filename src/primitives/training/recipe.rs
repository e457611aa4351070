//! `recipe`: how a row of the paper is trained, as a map.

use serde_json::Value;

use crate::error::Result;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::recipes::{self, Reading};

crate::options! {
    struct RecipeOptions {
        /// "paper", "as-released" or "fixed"
        pub reading: String = Reading::default().name().into();
    }
}

pub const WORD: Word = Word {
    name: "recipe",
    chapter: Chapter::Training,
    signatures: &["recipe(name) -> map", "recipe(name, #{reading}) -> map"],
    summary: "How a row of the paper's tables is trained: a map of the options of every word involved, to print, change and pass on.",
    details: "Keys of a row of CPSD: data, dataset (options of dataset), k, branches, affinity (by branch), partition, partition_files (names of the \
authors' files, for load_partition), teacher, student, evaluate; recipe.teacher holds the options of train_teachers, recipe.student those of distill. \
Where paper and code differ such a recipe follows one reading: \"paper\", \"as-released\" (the authors' code as it runs) \
or \"fixed\" (as released, its faults put right). Keys of a compared system, as \"ml-gcn-coco\": data, dataset, train (the options of train_teacher), \
graph (\"cooccurrence\" where model.graph must be given: train.model.graph = cooccurrence(data.train)), evaluate, and in words source, differs (what is not as its authors \
have it) and status; the readings do not concern it. cpsd doc recipes lists the names, cpsd doc readings the differences.",
    options: Some(OptionDocs::of::<RecipeOptions>()),
    examples: &[Example {
        code: "let r = recipe(\"cpsd-coco-r101\");\nr.teacher.epochs = 1;\n[r.teacher.lr, r.student.lr, r.teacher.model.image_size]",
        prints: "[0.0001, 1.00000e-5, 448]",
    }],
    register: |word| {
        word.form(recipe);
    },
};

fn recipe(name: String, options: RecipeOptions) -> Result<Value> {
    recipes::recipe(&name, Reading::named(&options.reading)?)
}
