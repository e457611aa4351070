//! `box_plot`: quartiles of any numbers.

use super::given::{ColumnList, Samples, column, texts};
use crate::error::Result;
use crate::plots::{self, BoxesOptions, Figure, Sample};
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "box_plot",
    chapter: Chapter::Figures,
    signatures: &[
        "box_plot(values) -> Figure",
        "box_plot(values, #{options}) -> Figure",
        "box_plot(table, columns, #{options}) -> Figure",
        "box_plot(table, column, by, #{options}) -> Figure",
    ],
    summary: "Median, quartiles, whiskers and outliers, a box per series.",
    details: "values are an array or a Tensor; for several boxes a map of names to these or an array of maps #{name, values}; of a Table several columns, or one \
column with a box per value of the column `by`. The numbers are those of matplotlib's boxplot: quartiles linear between values, whiskers to the last value within \
1.5 interquartile ranges of the box. Numbers that are not finite are left out, and a note below the figure counts them. figure.table has the numbers.",
    options: Some(OptionDocs::of::<BoxesOptions>()),
    examples: &[Example {
        code: "let f = box_plot([#{name: \"ours\", values: [1, 2, 3, 4, 20]}]);\nf.table.column(\"whisker_high\")",
        prints: "[4.0]",
    }],
    register: |word| {
        word.form(|values: Samples, options: BoxesOptions| plots::boxes(&values.0, &options))
            .form(of_columns)
            .form(of_groups);
    },
};

fn of_columns(call: &Call, table: TableValue, columns: ColumnList, options: BoxesOptions) -> Result<Figure> {
    let sample = |name: &String| Ok(Sample { name: name.clone(), values: column(&table, name, call)? });
    plots::boxes(&columns.0.iter().map(sample).collect::<Result<Vec<_>>>()?, &options)
}

fn of_groups(call: &Call, table: TableValue, values: String, by: String, mut options: BoxesOptions) -> Result<Figure> {
    // In the order of the groups' first rows.
    let mut samples: Vec<Sample> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (group, value) in texts(&table, &by)?.into_iter().zip(column(&table, &values, call)?) {
        let place = *places.entry(group.clone()).or_insert_with(|| {
            samples.push(Sample { name: group, values: Vec::new() });
            samples.len() - 1
        });
        samples[place].values.push(value);
    }
    if options.y_label.is_empty() {
        options.y_label = values;
    }
    if options.x_label.is_empty() {
        options.x_label = by;
    }
    plots::boxes(&samples, &options)
}
