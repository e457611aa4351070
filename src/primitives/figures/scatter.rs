//! `scatter`: points of any numbers.

use rhai::Dynamic;

use super::given::{Given, column, numbers};
use crate::error::Result;
use crate::plots::{self, Figure, PointData, ScatterOptions};
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "scatter",
    chapter: Chapter::Figures,
    signatures: &[
        "scatter(x, y) -> Figure",
        "scatter(x, y, #{options}) -> Figure",
        "scatter(table, x, y, #{options}) -> Figure",
    ],
    summary: "Points, with names, colours and sizes.",
    details: "x and y are arrays or Tensors of one length, or two columns of a Table. The options labels, groups and sizes have an item per point, or name a \
column of the Table. Points of more than 300 are translucent, and more than 20,000 are drawn as one picture. Points without a place (NaN, 0 or less on a \
logarithmic axis, beyond a limit) are left out, and a note below the figure counts them.",
    options: Some(OptionDocs::of::<PointOptions>()),
    examples: &[Example {
        code: "scatter([1, 2, 3], [2.0, 3.5, 3.0], #{labels: [\"dog\", \"cat\", \"car\"], groups: [\"animal\", \"animal\", \"thing\"]})",
        prints: "Figure",
    }],
    register: |word| {
        word.form(of_numbers).form(of_table);
    },
};

crate::options! {
    /// The options of `scatter`.
    struct PointOptions extends look: ScatterOptions {
        /// written beside the points where there is room: an array, or a column of the Table
        pub labels: Given = Given::Nothing;
        /// colours: an array of names or numbers of groups, or a column of the Table
        pub groups: Given = Given::Nothing;
        /// areas of the points in relation to each other: an array of numbers, or a column of the Table
        pub sizes: Given = Given::Nothing;
    }
}

fn of_numbers(call: &Call, x: Dynamic, y: Dynamic, options: PointOptions) -> Result<Figure> {
    draw(call, None, (&numbers(&x, call, "x")?, &numbers(&y, call, "y")?), options)
}

fn of_table(call: &Call, table: TableValue, x: String, y: String, mut options: PointOptions) -> Result<Figure> {
    let (across, up) = (column(&table, &x, call)?, column(&table, &y, call)?);
    if options.look.x_label.is_empty() {
        options.look.x_label = x;
    }
    if options.look.y_label.is_empty() {
        options.look.y_label = y;
    }
    draw(call, Some(&table), (&across, &up), options)
}

fn draw(call: &Call, table: Option<&TableValue>, (x, y): (&[f64], &[f64]), options: PointOptions) -> Result<Figure> {
    let mut look = options.look;
    let names = options.labels.texts(table, call, "labels")?;
    let sizes = options.sizes.numbers(table, call, "sizes")?;
    let groups = options.groups.texts(table, call, "groups")?.map(|groups| {
        // Groups are in the order of their first points, so that colours follow the data.
        let mut known: Vec<String> = Vec::new();
        let mut of = std::collections::HashMap::new();
        let ids: Vec<usize> = groups
            .into_iter()
            .map(|group| {
                *of.entry(group.clone()).or_insert_with(|| {
                    known.push(group);
                    known.len() - 1
                })
            })
            .collect();
        (ids, known)
    });
    if let Some((_, known)) = &groups
        && look.group_names.is_empty()
    {
        look.group_names = known.clone();
    }
    let data = PointData {
        names: names.as_deref(),
        groups: groups.as_ref().map(|(ids, _)| &ids[..]),
        sizes: sizes.as_deref(),
    };
    plots::scatter(x, y, data, &look)
}
