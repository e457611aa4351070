//! `bar`: bars of any numbers.

use rhai::{Array, Dynamic, Map};

use super::given::{ColumnList, Given, column, missing, named, numbers, shown, texts};
use crate::error::{Error, Result};
use crate::plots::{self, BarSeries, BarsOptions, Figure};
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "bar",
    chapter: Chapter::Figures,
    signatures: &[
        "bar(names, values) -> Figure",
        "bar(names, series, #{options}) -> Figure",
        "bar(#{name: value}, #{options}) -> Figure",
        "bar(table, names, columns, #{options}) -> Figure",
    ],
    summary: "Bars side by side, in groups or stacked, with error bars.",
    details: "names are an array, values an array or a Tensor of as many numbers. Several series are an array of maps #{name, values, errors}, or \
several columns of a Table: bar(e.per_label, \"label\", [\"precision\", \"recall\"]). errors are half the lengths of the error bars. The bars of a map are in the \
order of their names. A value of () or NaN has no bar, and a note below the figure says so.",
    options: Some(OptionDocs::of::<BarOptions>()),
    examples: &[Example {
        code: "bar([\"baseline\", \"ours\"], [81.2, 83.9], #{errors: [0.4, 0.3], y_label: \"mAP (%)\", y_min: 75})",
        prints: "Figure",
    }],
    register: |word| {
        word.form(of_values)
            .form(|call: &Call, values: Map, options: BarOptions| of_map(call, values, options))
            .form(of_table);
    },
};

crate::options! {
    /// The options of `bar`.
    struct BarOptions extends look: BarsOptions {
        /// half the length of each error bar: an array, or of a Table the name of a column, or of one column per series
        pub errors: Given = Given::Nothing;
    }
}

fn of_values(call: &Call, names: Array, values: Dynamic, options: BarOptions) -> Result<Figure> {
    let several = values.as_array_ref().ok().is_some_and(|a| a.first().is_some_and(Dynamic::is_map));
    let series = if several {
        if options.errors != Given::Nothing {
            let error = "bar: several series have their errors beside their values: #{name, values, errors}";
            return Err(Error::argument(error).about_option("errors"));
        }
        let array = values.cast::<Array>();
        array.iter().map(|item| one(item, call)).collect::<Result<_>>()?
    } else {
        let values = numbers(&values, call, "the values")?;
        vec![BarSeries { name: String::new(), values, errors: options.errors.numbers(None, call, "errors")? }]
    };
    plots::bars(&shown(&names), &series, &options.look)
}

fn one(item: &Dynamic, call: &Call) -> Result<BarSeries> {
    let (name, [values, errors]) = named(item, call, ["values", "errors"])?;
    let values = values.ok_or_else(|| missing(call, "values"))?;
    let errors = errors.map(|e| numbers(&e, call, &format!("the errors of \"{name}\""))).transpose()?;
    Ok(BarSeries { values: numbers(&values, call, &format!("the values of \"{name}\""))?, errors, name })
}

fn of_map(call: &Call, map: Map, options: BarOptions) -> Result<Figure> {
    let names: Vec<String> = map.keys().map(|k| k.to_string()).collect();
    let values: Dynamic = map.into_values().collect::<Array>().into();
    let values = numbers(&values, call, "the values of the map")?;
    let series = BarSeries { name: String::new(), values, errors: options.errors.numbers(None, call, "errors")? };
    plots::bars(&names, &[series], &options.look)
}

fn of_table(call: &Call, table: TableValue, names: String, columns: ColumnList, options: BarOptions) -> Result<Figure> {
    let errors: Vec<Option<Vec<f64>>> = match &options.errors {
        Given::Texts(of) if of.len() == columns.0.len() => {
            of.iter().map(|name| column(&table, name, call).map(Some)).collect::<Result<_>>()?
        }
        errors if columns.0.len() == 1 => vec![errors.numbers(Some(&table), call, "errors")?],
        Given::Nothing => vec![None; columns.0.len()],
        _ => {
            let error = format!("bar: option \"errors\" must name a column for each of {} series", columns.0.len());
            return Err(Error::argument(error).about_option("errors"));
        }
    };
    let series = columns
        .0
        .iter()
        .zip(errors)
        .map(|(name, errors)| Ok(BarSeries { name: name.clone(), values: column(&table, name, call)?, errors }));
    plots::bars(&texts(&table, &names)?, &series.collect::<Result<Vec<_>>>()?, &options.look)
}
