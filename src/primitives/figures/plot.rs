//! `plot`: curves.

use rhai::{Array, Dynamic};

use super::given::{self, ColumnList};
use crate::error::{Error, Result};
use crate::plots::{self, Figure, LinesOptions, Series};
use crate::primitives::values::table::TableValue;
use crate::script::call::{Call, Number};
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::script::{options, show, vocabulary};

pub const WORD: Word = Word {
    name: "plot",
    chapter: Chapter::Figures,
    signatures: &[
        "plot(y) -> Figure",
        "plot(x, y, #{options}) -> Figure",
        "plot(series, #{options}) -> Figure",
        "plot(table, x, columns, #{options}) -> Figure",
    ],
    summary: "Curves with their names at their ends.",
    details: "x and y are arrays or Tensors; without x it counts from 0. Several curves are columns of a Table such as a run's metrics, or an array of \
maps: #{name, x: [..], y: [..]}, or #{name, table, x: \"column\", y: \"column\"}; low and high, of the same form as y, draw a band. Rows without a value are left out.",
    options: Some(OptionDocs::of::<LinesOptions>()),
    examples: &[
        Example { code: "plot([1, 4, 9, 16])", prints: "Figure" },
        Example {
            code: "plot([#{name: \"squares\", x: [1, 2, 3], y: [1, 4, 9]}], #{title: \"a curve\"})",
            prints: "Figure",
        },
    ],
    register: |word| {
        word.form(plot).form(of_two).form(of_table);
    },
};

fn plot(call: &Call, series: Dynamic, options: LinesOptions) -> Result<Figure> {
    // An empty array is no series; anything else that is not an array of maps or the like is y.
    let several =
        series.as_array_ref().ok().is_some_and(|a| a.iter().any(|item| Number::of(item).is_none() && !item.is_unit()));
    if several || series.as_array_ref().ok().is_some_and(|a| a.is_empty()) {
        let array = series.cast::<Array>();
        let series = array.iter().map(|series| one(series, call)).collect::<Result<Vec<_>>>()?;
        return plots::lines(&series, &options);
    }
    let y = given::numbers(&series, call, "y")?;
    plots::lines(&[curve("", (0..y.len()).map(|i| i as f64).collect(), y)], &options)
}

fn of_two(call: &Call, x: Dynamic, y: Dynamic, options: LinesOptions) -> Result<Figure> {
    let (x, y) = (given::numbers(&x, call, "x")?, given::numbers(&y, call, "y")?);
    if x.len() != y.len() {
        return Err(Error::argument(format!(
            "plot: x and y must have the same length; got {} and {}",
            x.len(),
            y.len()
        )));
    }
    plots::lines(&[curve("", x, y)], &options)
}

fn of_table(
    call: &Call,
    table: TableValue,
    x: String,
    columns: ColumnList,
    mut options: LinesOptions,
) -> Result<Figure> {
    let across = given::column(&table, &x, call)?;
    let one = |name: &String| Ok(curve(name, across.clone(), given::column(&table, name, call)?));
    let series = columns.0.iter().map(one).collect::<Result<Vec<_>>>()?;
    if options.x_label.is_empty() {
        options.x_label = x;
    }
    plots::lines(&series, &options)
}

/// The points that have a value.
fn curve(name: &str, x: Vec<f64>, y: Vec<f64>) -> Series {
    let (x, y) = x.into_iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan()).unzip();
    Series { name: name.into(), x, y, band: None }
}

fn one(value: &Dynamic, call: &Call) -> Result<Series> {
    let map = value.as_map_ref().map_err(|came| {
        Error::argument(format!(
            "plot takes an array of maps #{{name, x, y}}; got {} in it",
            vocabulary::a_user_name(came)
        ))
    })?;
    let known = ["name", "table", "x", "y", "low", "high"];
    if let Some(bad) = map.keys().find(|k| !known.contains(&k.as_str())) {
        return Err(options::unknown_option("a series of plot", bad, known));
    }
    let column = |key: &str| -> Result<Option<Vec<f64>>> {
        let Some(value) = map.get(key) else { return Ok(None) };
        if !value.is_string() {
            return given::numbers(value, call, &format!("{key} of a series")).map(Some);
        }
        let table = map.get("table").and_then(|t| t.clone().try_cast::<TableValue>());
        match (table, value.as_immutable_string_ref()) {
            (Some(table), Ok(name)) => table.numbers(&name).map(Some),
            _ => Err(Error::argument(format!(
                "plot: {key} of a series must be an array of numbers, or a column's name beside a table; got {}",
                show::a_type(value)
            ))),
        }
    };
    let missing = |key: &str| Error::argument(format!("plot: a series has no \"{key}\""));
    let (x, y) = (column("x")?.ok_or_else(|| missing("x"))?, column("y")?.ok_or_else(|| missing("y"))?);
    if x.len() != y.len() {
        return Err(Error::argument(format!(
            "plot: x and y of a series must have the same length; got {} and {}",
            x.len(),
            y.len()
        )));
    }
    let band = column("low")?.zip(column("high")?);
    let kept: Vec<usize> = (0..x.len()).filter(|&i| !x[i].is_nan() && !y[i].is_nan()).collect();
    let take = |v: &[f64]| kept.iter().map(|&i| v.get(i).copied().unwrap_or(f64::NAN)).collect::<Vec<_>>();
    Ok(Series {
        name: map.get("name").map_or(String::new(), show::plain),
        x: take(&x),
        y: take(&y),
        band: band.map(|(low, high)| (take(&low), take(&high))),
    })
}
