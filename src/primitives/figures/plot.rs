//! `plot`: curves.

use rhai::{Array, Dynamic};

use crate::error::{Error, Result};
use crate::plots::{self, Figure, LinesOptions, Series};
use crate::primitives::parameters::numbers;
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::script::{options, show, vocabulary};

pub const WORD: Word = Word {
    name: "plot",
    chapter: Chapter::Figures,
    signatures: &["plot(series) -> Figure", "plot(series, #{options}) -> Figure"],
    summary: "Curves with their names at their ends.",
    details: "series is an array of maps: #{name, x: [..], y: [..]}, or #{name, table, x: \"column\", y: \"column\"} from a Table such as a \
run's metrics; low and high, of the same form as y, draw a band. Rows without a value are left out.",
    options: Some(OptionDocs::of::<LinesOptions>()),
    examples: &[Example {
        code: "plot([#{name: \"squares\", x: [1, 2, 3], y: [1, 4, 9]}], #{title: \"a curve\"})",
        prints: "Figure",
    }],
    register: |word| {
        word.form(plot);
    },
};

fn plot(call: &Call, series: Array, options: LinesOptions) -> Result<Figure> {
    let series = series.iter().map(|series| one(series, call)).collect::<Result<Vec<_>>>()?;
    plots::lines(&series, &options)
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
        if let Ok(array) = value.as_array_ref() {
            return numbers(&array, call, key).map(Some);
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
