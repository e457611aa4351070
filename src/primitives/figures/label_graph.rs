//! `label_graph`: labels as discs, what appears together as lines.

use rhai::{Engine, Map};

use crate::error::Result;
use crate::graph::{Cooccurrence, Partition};
use crate::plots::{Figure, LabelGraphOptions};
use crate::reports::graph_figures;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
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
    options: Some(OptionDocs {
        defaults: options::defaults::<LabelGraphOptions>,
        docs: || {
            crate::options::list(&[
                ("title", "above the figure"),
                ("subtitle", "below the title"),
                ("width", "pixels; () fits the content"),
                ("height", "pixels; () fits the content"),
                ("edges", "strongest lines that each label keeps"),
                ("min_weight", "weaker lines are left out"),
                ("seed", "decides the layout"),
                ("group_names", "names of the tasks"),
            ])
        },
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet c = cooccurrence(data.train);\nlabel_graph(c, spectral_partition(affinity(c, \"co\"), 3)).save(\"out/example/label_graph.svg\")",
        prints: "",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine
        .register_fn("label_graph", |c: Cooccurrence, p: Partition| -> Fallible<Figure> {
            draw(&c, &p, &Map::new()).or_raise()
        })
        .register_fn("label_graph", |c: Cooccurrence, p: Partition, map: Map| -> Fallible<Figure> {
            draw(&c, &p, &map).or_raise()
        });
}

fn draw(c: &Cooccurrence, p: &Partition, map: &Map) -> Result<Figure> {
    graph_figures::label_graph(c, Some(p), options::parse("label_graph", map)?)
}
