//! `Cell`: one value of a table, and columns of polars from and to cells.

use std::fmt;

use polars::prelude::*;

use crate::activity::console;

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl From<&str> for Cell {
    fn from(x: &str) -> Cell {
        Cell::Text(x.into())
    }
}

impl From<String> for Cell {
    fn from(x: String) -> Cell {
        Cell::Text(x)
    }
}

impl From<i64> for Cell {
    fn from(x: i64) -> Cell {
        Cell::Int(x)
    }
}

impl From<usize> for Cell {
    fn from(x: usize) -> Cell {
        i64::try_from(x).map_or(Cell::Float(x as f64), Cell::Int)
    }
}

impl From<f64> for Cell {
    fn from(x: f64) -> Cell {
        Cell::Float(x)
    }
}

impl From<bool> for Cell {
    fn from(x: bool) -> Cell {
        Cell::Bool(x)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(x: Option<T>) -> Cell {
        x.map_or(Cell::Null, Into::into)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => Ok(()),
            Cell::Bool(x) => x.fmt(f),
            Cell::Int(x) => x.fmt(f),
            Cell::Float(x) => x.fmt(f),
            Cell::Text(x) => x.fmt(f),
        }
    }
}

/// A column of the narrowest type that holds all cells: true and false, integers, numbers, text. An empty one is text.
pub(super) fn column_of(name: &str, cells: Vec<Cell>) -> Column {
    let has = |kind: fn(&Cell) -> bool| cells.iter().any(kind);
    let text = has(|c| matches!(c, Cell::Text(_)));
    let number = has(|c| matches!(c, Cell::Int(_) | Cell::Float(_)));
    let boolean = has(|c| matches!(c, Cell::Bool(_)));
    let name = PlSmallStr::from_str(name);
    if text || boolean == number {
        let cells = cells.into_iter().map(|c| match c {
            Cell::Null => None,
            other => Some(other.to_string()),
        });
        return StringChunked::from_iter_options(name, cells).into_column();
    }
    if boolean {
        let cells = cells.into_iter().map(|c| if let Cell::Bool(x) = c { Some(x) } else { None });
        return BooleanChunked::from_iter_options(name, cells).into_column();
    }
    if has(|c| matches!(c, Cell::Float(_))) {
        let mut rounded = cells.iter().filter_map(|c| match c {
            Cell::Int(x) if (*x as f64) as i128 != i128::from(*x) => Some(x.to_string()),
            _ => None,
        });
        if let Some(first) = rounded.next() {
            console::log(&rounding(&name, &first, 1 + rounded.count()));
        }
        let cells = cells.into_iter().map(|c| match c {
            Cell::Float(x) => Some(x),
            Cell::Int(x) => Some(x as f64),
            _ => None,
        });
        return Float64Chunked::from_iter_options(name, cells).into_column();
    }
    let cells = cells.into_iter().map(|c| if let Cell::Int(x) = c { Some(x) } else { None });
    Int64Chunked::from_iter_options(name, cells).into_column()
}

/// Says that a column of numbers with a decimal point rounds `times` integers, of which this is the first.
pub(super) fn rounding(column: &str, first: &str, times: usize) -> String {
    let held = first.parse::<f64>().unwrap_or(f64::NAN);
    let all = if times > 1 { format!(" ({times} of its integers are rounded)") } else { String::new() };
    format!("column \"{column}\" holds numbers with a decimal point, so {first} is read as {held:.0}{all}")
}

/// A value of polars as a cell. A value without a type of its own here (a date, a list) becomes text.
fn cell(value: AnyValue<'_>) -> Cell {
    match value {
        AnyValue::Null => Cell::Null,
        AnyValue::Boolean(x) => Cell::Bool(x),
        AnyValue::String(x) => Cell::Text(x.into()),
        AnyValue::StringOwned(x) => Cell::Text(x.as_str().into()),
        AnyValue::Float32(x) => Cell::Float(f64::from(x)),
        AnyValue::Float64(x) => Cell::Float(x),
        AnyValue::Categorical(..) | AnyValue::CategoricalOwned(..) | AnyValue::Enum(..) | AnyValue::EnumOwned(..) => {
            value.get_str().map_or(Cell::Null, |text| Cell::Text(text.into()))
        }
        other => match other.extract::<i64>() {
            Some(x) if other.is_integer() => Cell::Int(x),
            _ => Cell::Text(other.to_string()),
        },
    }
}

/// All cells of a column.
pub(super) fn cells_of(column: &Column) -> Vec<Cell> {
    column.as_materialized_series().rechunk().iter().map(cell).collect()
}
