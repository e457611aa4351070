//! `histogram`: how any numbers are distributed.

use super::given::{ColumnList, Samples, column};
use crate::error::Result;
use crate::plots::{self, Figure, HistogramOptions, Sample};
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "histogram",
    chapter: Chapter::Figures,
    signatures: &[
        "histogram(values) -> Figure",
        "histogram(values, #{options}) -> Figure",
        "histogram(table, columns, #{options}) -> Figure",
    ],
    summary: "How many numbers lie in each of some bins, for one series or several.",
    details: "values are an array or a Tensor of any shape; for several series a map of names to these, an array of maps #{name, values}, or several columns \
of a Table. All series share bins, which numpy's \"auto\" chooses, and are drawn over each other. Numbers that are not finite, or outside the \
bins, are left out, and a note below the figure counts them. figure.table has series, from, to and count.",
    options: Some(OptionDocs::of::<HistogramOptions>()),
    examples: &[Example {
        code: "histogram([1, 2, 2, 3, 9], #{bins: 4}).table.column(\"count\")",
        prints: "[3, 1, 0, 1]",
    }],
    register: |word| {
        word.form(|values: Samples, options: HistogramOptions| plots::histogram(&values.0, &options)).form(of_table);
    },
};

fn of_table(call: &Call, table: TableValue, columns: ColumnList, mut options: HistogramOptions) -> Result<Figure> {
    let sample = |name: &String| Ok(Sample { name: name.clone(), values: column(&table, name, call)? });
    let samples = columns.0.iter().map(sample).collect::<Result<Vec<_>>>()?;
    if let ([one], true) = (&columns.0[..], options.x_label.is_empty()) {
        options.x_label = one.clone();
    }
    plots::histogram(&samples, &options)
}
