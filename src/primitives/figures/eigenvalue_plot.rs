//! `eigenvalue_plot`: how many tasks the graph itself suggests.

use rhai::{Engine, Map};

use crate::error::Result;
use crate::graph::Affinity;
use crate::plots::{self, EigenvaluesOptions, Figure};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "eigenvalue_plot",
    chapter: Chapter::Figures,
    signatures: &["eigenvalue_plot(affinity, k) -> Figure", "eigenvalue_plot(affinity, k, #{options}) -> Figure"],
    summary: "The smallest eigenvalues of the normalised Laplacian, with the gap after the k-th marked.",
    details: "A large gap after the k-th speaks for k tasks (von Luxburg 2007).",
    options: Some(OptionDocs {
        defaults: options::defaults::<EigenvaluesOptions>,
        docs: || {
            crate::options::list(&[
                ("title", "above the figure"),
                ("subtitle", "below the title"),
                ("width", "pixels"),
                ("height", "pixels"),
                ("show", "so many eigenvalues; () chooses"),
            ])
        },
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\neigenvalue_plot(affinity(cooccurrence(data.train), \"co\"), 3)",
        prints: "Figure",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine
        .register_fn("eigenvalue_plot", |a: Affinity, k: i64| -> Fallible<Figure> {
            draw(&a, k, &Map::new()).or_raise()
        })
        .register_fn("eigenvalue_plot", |a: Affinity, k: i64, map: Map| -> Fallible<Figure> {
            draw(&a, k, &map).or_raise()
        });
}

fn draw(a: &Affinity, k: i64, map: &Map) -> Result<Figure> {
    let options: EigenvaluesOptions = options::parse("eigenvalue_plot", map)?;
    let k = crate::primitives::glue::task_count("eigenvalue_plot", k, a.len())?;
    // The whole spectrum of a large graph is out of reach, and too long to look at.
    let shown = if a.len() <= 1000 { a.len() } else { (4 * k).max(24).min(a.len()) };
    plots::eigenvalues(&a.smallest(shown)?.values, Some(k), &options)
}
