//! `heatmap`: a matrix as colours.

use rhai::Array;

use crate::error::{Error, Result};
use crate::graph::{Affinity, Cooccurrence, Partition};
use crate::plots::{self, Figure, HeatmapOptions};
use crate::primitives::parameters::strings;
use crate::primitives::values::tensor::TensorValue;
use crate::reports::graph_figures::{affinity_heatmap, conditional_heatmap};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::torch;

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
    summary: "A matrix as colours; with a partition, labels are in its order and its tasks are outlined.",
    details: "Co-occurrences are shown as conditional probabilities e_ij / n_i.",
    options: Some(OptionDocs::of::<HeatmapOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet a = affinity(cooccurrence(data.train), \"co\");\nlet figure = heatmap(a, spectral_partition(a, 3), #{title: \"co-occurrence\"});\nfigure.save(\"out/example/heatmap.svg\");\nfigure",
        prints: "Figure",
    }],
    register: |word| {
        word.form(|a: Affinity, options: HeatmapOptions| affinity_heatmap(&a, None, options))
            .form(|a: Affinity, p: Partition, options: HeatmapOptions| affinity_heatmap(&a, Some(&p), options))
            .form(|c: Cooccurrence, options: HeatmapOptions| conditional_heatmap(&c, None, options))
            .form(|c: Cooccurrence, p: Partition, options: HeatmapOptions| conditional_heatmap(&c, Some(&p), options))
            .form(of_tensor)
            .form(of_named_tensor);
    },
};

fn of_tensor(tensor: TensorValue, options: HeatmapOptions) -> Result<Figure> {
    let [rows, columns] = size(&tensor)?.map(|n| (0..n).map(|i| i.to_string()).collect::<Vec<_>>());
    draw(&tensor, &rows, &columns, &options)
}

fn of_named_tensor(
    call: &Call,
    tensor: TensorValue,
    rows: Array,
    columns: Array,
    options: HeatmapOptions,
) -> Result<Figure> {
    size(&tensor)?;
    let (rows, columns) = (strings(&rows, call, "the row names")?, strings(&columns, call, "the column names")?);
    draw(&tensor, &rows, &columns, &options)
}

fn size(tensor: &TensorValue) -> Result<[i64; 2]> {
    let size = tensor.0.size();
    <[i64; 2]>::try_from(&size[..])
        .map_err(|_| Error::argument(format!("heatmap takes a tensor of two dimensions; got shape {size:?}")))
}

fn draw(tensor: &TensorValue, rows: &[String], columns: &[String], options: &HeatmapOptions) -> Result<Figure> {
    let values: Vec<f64> = torch::to_vec_f32(&tensor.0)?.into_iter().map(f64::from).collect();
    plots::heatmap(&values, rows, columns, None, options)
}
