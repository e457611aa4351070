//! `heatmap`: a matrix as colours.

use rhai::{Array, Engine, Map};

use crate::error::{Error, Result};
use crate::graph::{Affinity, Cooccurrence, Partition};
use crate::plots::{self, Figure, HeatmapOptions};
use crate::primitives::glue;
use crate::primitives::values::tensor::TensorValue;
use crate::reports::graph_figures;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "heatmap",
    chapter: Chapter::Figures,
    signatures: &[
        "heatmap(affinity) -> Figure",
        "heatmap(cooccurrence) -> Figure",
        "heatmap(affinity, partition, #{options}) -> Figure",
        "heatmap(tensor, #{options}) -> Figure",
        "heatmap(tensor, row_names, column_names, #{options}) -> Figure",
    ],
    summary: "A matrix as colours; with a partition, labels stand in its order and its tasks are outlined.",
    details: "Co-occurrences are shown as conditional probabilities e_ij / n_i.",
    options: Some(OptionDocs {
        defaults: options::defaults::<HeatmapOptions>,
        docs: || crate::options::list(HEATMAP_DOCS),
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet a = affinity(cooccurrence(data.train), \"co\");\nlet figure = heatmap(a, spectral_partition(a, 3), #{title: \"co-occurrence\"});\nfigure.save(\"out/example/heatmap.svg\");\nfigure",
        prints: "Figure",
    }],
    register: |r| register(r.engine),
};

/// A line for every key of `HeatmapOptions`.
const HEATMAP_DOCS: &[(&str, &str)] = &[
    ("title", "above the figure"),
    ("subtitle", "below the title"),
    ("width", "pixels; () fits the content"),
    ("height", "pixels; () fits the content"),
    ("log", "colours by logarithm"),
    ("vmin", "value of the first colour; () is the least"),
    ("vmax", "value of the last colour; () is the greatest"),
    ("colours", "the ramp's name; () chooses one"),
    ("unit", "beside the colour bar"),
    ("cell_text", "write values into cells; () does where they fit"),
    ("hide_diagonal", "leave the diagonal out of the colours"),
    ("strongest_first", "labels of one task in order of their weight"),
    ("group_names", "names of the tasks"),
];

fn register(engine: &mut Engine) {
    engine
        .register_fn("heatmap", |a: Affinity| of_affinity(&a, None, Map::new()))
        .register_fn("heatmap", |a: Affinity, map: Map| of_affinity(&a, None, map))
        .register_fn("heatmap", |a: Affinity, p: Partition| of_affinity(&a, Some(p), Map::new()))
        .register_fn("heatmap", |a: Affinity, p: Partition, map: Map| of_affinity(&a, Some(p), map))
        .register_fn("heatmap", |c: Cooccurrence| of_counts(&c, None, Map::new()))
        .register_fn("heatmap", |c: Cooccurrence, map: Map| of_counts(&c, None, map))
        .register_fn("heatmap", |c: Cooccurrence, p: Partition| of_counts(&c, Some(p), Map::new()))
        .register_fn("heatmap", |c: Cooccurrence, p: Partition, map: Map| of_counts(&c, Some(p), map))
        .register_fn("heatmap", |t: TensorValue| of_tensor(&t, None, Map::new()))
        .register_fn("heatmap", |t: TensorValue, map: Map| of_tensor(&t, None, map))
        .register_fn("heatmap", |t: TensorValue, rows: Array, columns: Array| {
            of_tensor(&t, Some((rows, columns)), Map::new())
        })
        .register_fn("heatmap", |t: TensorValue, rows: Array, columns: Array, map: Map| {
            of_tensor(&t, Some((rows, columns)), map)
        });
}

fn of_affinity(a: &Affinity, partition: Option<Partition>, map: Map) -> Fallible<Figure> {
    options::parse("heatmap", &map)
        .and_then(|options| graph_figures::affinity_heatmap(a, partition.as_ref(), options))
        .or_raise()
}

fn of_counts(c: &Cooccurrence, partition: Option<Partition>, map: Map) -> Fallible<Figure> {
    options::parse("heatmap", &map)
        .and_then(|options| graph_figures::conditional_heatmap(c, partition.as_ref(), options))
        .or_raise()
}

fn of_tensor(t: &TensorValue, names: Option<(Array, Array)>, map: Map) -> Fallible<Figure> {
    tensor_figure(t, names, map).or_raise()
}

fn tensor_figure(t: &TensorValue, names: Option<(Array, Array)>, map: Map) -> Result<Figure> {
    let options: HeatmapOptions = options::parse("heatmap", &map)?;
    let [rows, columns] = t.0.size()[..] else {
        return Err(Error::argument(format!("heatmap takes a tensor of two dimensions; got shape {:?}", t.0.size())));
    };
    let values: Vec<f64> = crate::torch::to_vec_f32(&t.0)?.into_iter().map(f64::from).collect();
    let (rows, columns) = match names {
        Some((r, c)) => (glue::names("heatmap", "the row names", &r)?, glue::names("heatmap", "the column names", &c)?),
        None => ((0..rows).map(|i| i.to_string()).collect(), (0..columns).map(|i| i.to_string()).collect()),
    };
    plots::heatmap(&values, &rows, &columns, None, &options)
}
