//! `recipe`: how a row of the paper is trained, as a map.

use rhai::{Dynamic, Engine, Map};
use serde::{Deserialize, Serialize};

use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::recipes::{self, Reading};

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    reading: String,
}

impl Default for Options {
    fn default() -> Self {
        Options { reading: Reading::default().name().into() }
    }
}

pub const WORD: Word = Word {
    name: "recipe",
    chapter: Chapter::Training,
    signatures: &["recipe(name) -> map", "recipe(name, #{reading}) -> map"],
    summary: "How a row of the paper is trained: a map of the options of every word involved, to print, change and pass on.",
    details: "Keys: data, k, branches, affinity (by branch), partition, teacher, student, evaluate; recipe.teacher is what train_teachers takes, \
recipe.student what distill takes. Where paper and code differ a recipe follows one reading: \"paper\", \"as-released\" (the authors' code as it runs) \
or \"fixed\" (as released, its faults put right). cpsd doc recipes lists the names, cpsd doc readings the differences.",
    options: Some(OptionDocs {
        defaults: options::defaults::<Options>,
        docs: || crate::options::list(&[("reading", "\"paper\", \"as-released\" or \"fixed\"")]),
    }),
    examples: &[Example {
        code: "let r = recipe(\"cpsd-coco-r101\");\nr.teacher.epochs = 1;\n[r.teacher.lr, r.student.lr, r.teacher.model.image_size]",
        prints: "[0.0001, 1.00000e-5, 448]",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("recipe", |name: &str| recipe(name, Map::new()));
    engine.register_fn("recipe", recipe);
}

fn recipe(name: &str, map: Map) -> Fallible<Dynamic> {
    let options: Options = options::parse("recipe", &map).or_raise()?;
    let reading = Reading::named(&options.reading).or_raise()?;
    recipes::recipe(name, reading).map(|value| options::from_json(&value)).or_raise()
}
