//! `Table` in scripts.

use std::fmt;
use std::path::Path;

use rhai::{Array, Dynamic, Engine, Map};
use serde_json::Value;

use super::super::glue;
use super::expr::{ExprValue, expression, expressions};
use super::group_by::GroupBy;
use super::label_table::strings;
use crate::error::{Error, Result};
use crate::files;
use crate::reports::export::{ExportOptions, latex, markdown};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::options;
use crate::tables::{Cell, Table};

/// A polars table as scripts hold it.
#[derive(Clone)]
pub struct TableValue(pub Table);

impl KindOfValue for TableValue {
    const NAME: &'static str = "Table";
    const SUMMARY: &'static str = "A table of named columns (polars).";
    const MEMBERS: &'static [Member] = &[
        Member::new("columns", "the column names"),
        Member::new("len()", "number of rows"),
        Member::new("rows", "an array of maps"),
        Member::new("column(name)", "one column as an array"),
        Member::same("filter(expr)", "the rows where it is true: t.filter(col(\"mAP\") > 80)"),
        Member::same("select(columns)", "only these: an array of names and expressions"),
        Member::same("with_columns(columns)", "these expressions as further columns"),
        Member::new("group_by(columns)", "rows in groups; .agg([...]) makes a row of each"),
        Member::new("join(other, on)", "rows of both with equal columns `on`, a name or an array of names"),
        Member::new("join(other, on, how)", "\"inner\", \"left\", \"right\", \"full\", \"semi\" or \"anti\""),
        Member::same("sort(column)", "rows in ascending order of a column, or of an array of columns"),
        Member::same(
            "sort(column, descending)",
            "rows in the order of a column, or of an array of them with an array of true and false",
        ),
        Member::same("head(n)", "the first n rows"),
        Member::same("tail(n)", "the last n rows"),
        Member::same("slice(offset, n)", "n rows from offset on"),
        Member::same("sample(n, #{seed})", "n rows by chance"),
        Member::same("rename(#{old: new})", "columns under other names"),
        Member::same("drop(columns)", "without these columns"),
        Member::same("unique()", "the first of equal rows"),
        Member::same("unique(columns)", "the first of rows that are equal in these columns"),
        Member::same("drop_nulls()", "the rows without an empty cell"),
        Member::same("with_row_index(name)", "a first column of row numbers from 0"),
        Member::same("vstack(other)", "the rows of another table below these"),
        Member::new("describe()", "count, mean, spread and quantiles of each column of numbers"),
        Member::new("write_csv(path)", "write as CSV"),
        Member::new("write_parquet(path)", "write as Parquet"),
        Member::new("to_csv()", "the text that write_csv writes"),
        Member::new("to_markdown()", "the table as Markdown"),
        Member::new(
            "to_markdown(#{decimals, signed, bold})",
            "decimals: an integer, or a map of column: integer; signed: columns of differences; bold: columns whose greatest number is bold",
        ),
        Member::new("to_latex()", "the table as a LaTeX tabular, for the package booktabs"),
        Member::new(
            "to_latex(#{decimals, signed, bold, caption, label})",
            "the same options; a caption or label puts it into a table environment",
        ),
        Member::new("write_latex(path)", "write what to_latex gives"),
        Member::new("write_latex(path, #{options})", "the same with its options"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(TableValue);

fn register(engine: &mut Engine) {
    engine
        .register_get("columns", |t: &mut TableValue| strings(&t.0.columns()))
        .register_get("rows", |t: &mut TableValue| -> Array { t.maps() })
        .register_fn("len", |t: &mut TableValue| t.0.frame.height() as i64)
        .register_fn("column", |t: &mut TableValue, name: &str| -> Fallible<Array> { t.column(name).or_raise() })
        .register_fn("filter", |t: &mut TableValue, e: ExprValue| -> Fallible<TableValue> { made(t.0.filter(e.0)) })
        .register_fn("select", |t: &mut TableValue, columns: Array| -> Fallible<TableValue> {
            made(expressions("select", &columns).and_then(|columns| t.0.select(columns)))
        })
        .register_fn("with_columns", |t: &mut TableValue, columns: Array| -> Fallible<TableValue> {
            made(expressions("with_columns", &columns).and_then(|columns| t.0.with_columns(columns)))
        })
        .register_fn("with_columns", |t: &mut TableValue, e: ExprValue| -> Fallible<TableValue> {
            made(t.0.with_columns(vec![e.0]))
        })
        .register_fn("group_by", |t: &mut TableValue, keys: Dynamic| -> Fallible<GroupBy> {
            let keys = several("group_by", &keys).or_raise()?;
            Ok(GroupBy { table: t.0.clone(), keys })
        })
        .register_fn("join", |t: &mut TableValue, other: TableValue, on: Dynamic| -> Fallible<TableValue> {
            made(names_of("join", &on).and_then(|on| t.0.join(&other.0, &on, "inner")))
        })
        .register_fn("join", |t: &mut TableValue, other: TableValue, on: Dynamic, how: &str| -> Fallible<TableValue> {
            made(names_of("join", &on).and_then(|on| t.0.join(&other.0, &on, how)))
        })
        .register_fn("sort", |t: &mut TableValue, columns: Dynamic| -> Fallible<TableValue> {
            made(names_of("sort", &columns).and_then(|names| t.0.sort_by(&names, &vec![false; names.len()])))
        })
        .register_fn("sort", |t: &mut TableValue, columns: Dynamic, descending: Dynamic| -> Fallible<TableValue> {
            made(t.sort(&columns, &descending))
        })
        .register_fn("head", |t: &mut TableValue| TableValue(t.0.head(5)))
        .register_fn("head", |t: &mut TableValue, n: i64| -> Fallible<TableValue> {
            made(glue::count("head", "n", n).map(|n| t.0.head(n)))
        })
        .register_fn("tail", |t: &mut TableValue| TableValue(t.0.tail(5)))
        .register_fn("tail", |t: &mut TableValue, n: i64| -> Fallible<TableValue> {
            made(glue::count("tail", "n", n).map(|n| t.0.tail(n)))
        })
        .register_fn("slice", |t: &mut TableValue, offset: i64, n: i64| -> Fallible<TableValue> {
            made(glue::count("slice", "n", n).map(|n| t.0.slice(offset, n)))
        })
        .register_fn("sample", |t: &mut TableValue, n: i64| -> Fallible<TableValue> {
            made(glue::count("sample", "n", n).and_then(|n| t.0.sample(n, 0)))
        })
        .register_fn("sample", |t: &mut TableValue, n: i64, map: Map| -> Fallible<TableValue> {
            let seed = glue::only_seed("sample", &map).or_raise()?;
            made(glue::count("sample", "n", n).and_then(|n| t.0.sample(n, seed)))
        })
        .register_fn("rename", |t: &mut TableValue, map: Map| -> Fallible<TableValue> {
            made(glue::renames("rename", &map).and_then(|names| t.0.rename(&names)))
        })
        .register_fn("drop", |t: &mut TableValue, columns: Dynamic| -> Fallible<TableValue> {
            made(names_of("drop", &columns).and_then(|names| t.0.drop_columns(&names)))
        })
        .register_fn("unique", |t: &mut TableValue| -> Fallible<TableValue> { made(t.0.unique(None)) })
        .register_fn("unique", |t: &mut TableValue, columns: Dynamic| -> Fallible<TableValue> {
            made(names_of("unique", &columns).and_then(|names| t.0.unique(Some(&names))))
        })
        .register_fn("drop_nulls", |t: &mut TableValue| -> Fallible<TableValue> { made(t.0.drop_nulls()) })
        .register_fn("with_row_index", |t: &mut TableValue, name: &str| -> Fallible<TableValue> {
            made(t.0.with_row_index(name))
        })
        .register_fn("vstack", |t: &mut TableValue, other: TableValue| -> Fallible<TableValue> {
            made(t.0.vstack(&other.0))
        })
        .register_fn("describe", |t: &mut TableValue| -> Fallible<TableValue> { made(t.0.describe()) })
        .register_fn("write_csv", |t: &mut TableValue, path: &str| -> Fallible<()> { t.0.write_csv(path).or_raise() })
        .register_fn("write_parquet", |t: &mut TableValue, path: &str| -> Fallible<()> {
            t.0.write_parquet(path).or_raise()
        })
        .register_fn("to_csv", |t: &mut TableValue| -> Fallible<String> { t.0.to_csv().or_raise() })
        .register_fn("to_markdown", |t: &mut TableValue| t.text("to_markdown", markdown, &Map::new()))
        .register_fn("to_markdown", |t: &mut TableValue, map: Map| t.text("to_markdown", markdown, &map))
        .register_fn("to_latex", |t: &mut TableValue| t.text("to_latex", latex, &Map::new()))
        .register_fn("to_latex", |t: &mut TableValue, map: Map| t.text("to_latex", latex, &map))
        .register_fn("write_latex", |t: &mut TableValue, path: &str| t.write_latex(path, &Map::new()))
        .register_fn("write_latex", |t: &mut TableValue, path: &str, map: Map| t.write_latex(path, &map));
}

fn made(table: Result<Table>) -> Fallible<TableValue> {
    table.map(TableValue).or_raise()
}

/// An array of names and expressions, or one of them.
fn several(word: &str, value: &Dynamic) -> Result<Vec<polars::prelude::Expr>> {
    match value.as_array_ref() {
        Ok(array) => expressions(word, &array),
        Err(_) => Ok(vec![expression(word, value)?]),
    }
}

/// An array of names, or one.
fn names_of(word: &str, value: &Dynamic) -> Result<Vec<String>> {
    match value.as_immutable_string_ref() {
        Ok(name) => Ok(vec![name.to_string()]),
        Err(_) => match value.as_array_ref() {
            Ok(array) => glue::names(word, "the columns", &array),
            Err(_) => Err(Error::argument(format!(
                "{word} takes the name of a column or an array of names; got {}",
                crate::script::show::a_type(value)
            ))),
        },
    }
}

impl TableValue {
    /// The table in one of the forms that `reports::export` writes.
    fn text(&self, word: &str, form: fn(&Table, &ExportOptions) -> Result<String>, map: &Map) -> Fallible<String> {
        options::parse(word, map).and_then(|options| form(&self.0, &options)).or_raise()
    }

    fn write_latex(&self, path: &str, map: &Map) -> Fallible<()> {
        let text = self.text("write_latex", latex, map)?;
        files::write(Path::new(path), text.as_bytes()).or_raise()
    }

    fn sort(&self, columns: &Dynamic, descending: &Dynamic) -> Result<Table> {
        let names = names_of("sort", columns)?;
        let one = |value: &Dynamic| {
            value.as_bool().map_err(|_| {
                Error::argument(format!(
                    "sort: descending must be true or false; got {}",
                    crate::script::show::a_type(value)
                ))
            })
        };
        let descending = match descending.as_array_ref() {
            Ok(array) => array.iter().map(one).collect::<Result<Vec<_>>>()?,
            Err(_) => vec![one(descending)?; names.len()],
        };
        if descending.len() != names.len() {
            return Err(Error::argument(format!(
                "sort: {} columns need as many values of descending; got {}",
                names.len(),
                descending.len()
            )));
        }
        self.0.sort_by(&names, &descending)
    }

    /// A table from named columns and rows of cells.
    pub fn from_rows(columns: &[&str], rows: Vec<Vec<Cell>>) -> Result<TableValue> {
        let columns: Vec<String> = columns.iter().map(|c| c.to_string()).collect();
        Ok(TableValue(Table::from_rows(&columns, rows)?))
    }

    /// A table from JSON objects; a key that a row lacks is empty there. Columns stand in order of first appearance.
    pub fn from_json_rows(lines: &[Value]) -> Result<TableValue> {
        let mut columns: Vec<String> = vec![];
        for object in lines.iter().filter_map(Value::as_object) {
            for key in object.keys() {
                if !columns.contains(key) {
                    columns.push(key.clone());
                }
            }
        }
        let rows = lines
            .iter()
            .map(|line| columns.iter().map(|c| json_cell(line.get(c).unwrap_or(&Value::Null))).collect())
            .collect();
        Ok(TableValue(Table::from_rows(&columns, rows)?))
    }

    /// Writes as CSV or Parquet by the path's extension.
    pub fn save(&self, path: &Path) -> Result<()> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => self.0.write_csv(path),
            Some("parquet") => self.0.write_parquet(path),
            _ => Err(Error::argument(format!("a table is saved as .csv or .parquet; got \"{}\"", path.display()))),
        }
    }

    /// A column as numbers; what is none becomes NaN. Errors: a column that is not there.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        Ok(self
            .column(name)?
            .iter()
            .map(|v| v.as_float().or_else(|_| v.as_int().map(|i| i as f64)).unwrap_or(f64::NAN))
            .collect())
    }

    fn maps(&self) -> Array {
        let columns = self.0.columns();
        self.0
            .rows()
            .into_iter()
            .map(|row| {
                let map: Map = columns.iter().zip(row).map(|(c, cell)| (c.as_str().into(), dynamic(cell))).collect();
                map.into()
            })
            .collect()
    }

    fn column(&self, name: &str) -> Result<Array> {
        let columns = self.0.columns();
        let at = columns
            .iter()
            .position(|c| c == name)
            .ok_or_else(|| Error::unknown("column", name, columns.iter().map(String::as_str)))?;
        Ok(self.0.rows().into_iter().map(|mut row| dynamic(row.swap_remove(at))).collect())
    }
}

fn json_cell(value: &Value) -> Cell {
    match value {
        Value::Bool(b) => Cell::Bool(*b),
        Value::Number(n) => n.as_i64().map_or_else(|| n.as_f64().map_or(Cell::Null, Cell::Float), Cell::Int),
        Value::String(s) => Cell::Text(s.clone()),
        Value::Null => Cell::Null,
        other => Cell::Text(other.to_string()),
    }
}

/// A cell as a script value.
pub fn dynamic(cell: Cell) -> Dynamic {
    match cell {
        Cell::Null => Dynamic::UNIT,
        Cell::Bool(b) => b.into(),
        Cell::Int(i) => i.into(),
        Cell::Float(x) => x.into(),
        Cell::Text(s) => s.into(),
    }
}

/// A script value as a cell; anything but a scalar becomes its text.
pub fn cell(value: &Dynamic) -> Cell {
    if value.is_unit() {
        return Cell::Null;
    }
    if let Ok(b) = value.as_bool() {
        return Cell::Bool(b);
    }
    if let Ok(i) = value.as_int() {
        return Cell::Int(i);
    }
    match value.as_float() {
        Ok(x) => Cell::Float(x),
        Err(_) => Cell::Text(crate::script::show::plain(value)),
    }
}

impl fmt::Display for TableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
