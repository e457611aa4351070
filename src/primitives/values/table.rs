//! `Table` in scripts.

use std::fmt;
use std::path::Path;

use rhai::{Array, Dynamic, Engine, Map};
use serde_json::Value;

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use super::label_table::strings;
use crate::error::{Error, Result};
use crate::labels::tables::{Cell, Table};
use crate::script::errors::{Fallible, OrRaise};

/// A polars table as scripts hold it.
#[derive(Clone)]
pub struct TableValue(pub Table);

pub const KIND: Kind = Kind {
    name: "Table",
    summary: "A table of named columns (polars).",
    members: &[
        Member::new("columns", "the column names"),
        Member::new("len()", "number of rows"),
        Member::new("rows", "an array of maps"),
        Member::new("column(name)", "one column as an array"),
        Member::new("sort(column)", "rows in ascending order of a column"),
        Member::new("sort(column, descending)", "rows in the order of a column"),
        Member::new("head(n)", "the first n rows"),
        Member::new("write_csv(path)", "write as CSV"),
        Member::new("write_parquet(path)", "write as Parquet"),
    ],
    is: kind_of!(TableValue).0,
    show: kind_of!(TableValue).1,
    rust_name: kind_of!(TableValue).2,
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    glue::register_display::<TableValue>(engine, "Table");
    engine
        .register_get("columns", |t: &mut TableValue| strings(&t.0.columns()))
        .register_get("rows", |t: &mut TableValue| -> Array { t.maps() })
        .register_fn("len", |t: &mut TableValue| t.0.frame.height() as i64)
        .register_fn("column", |t: &mut TableValue, name: &str| -> Fallible<Array> { t.column(name).or_raise() })
        .register_fn("sort", |t: &mut TableValue, column: &str| -> Fallible<TableValue> { t.0.sort(column, false).map(TableValue).or_raise() })
        .register_fn("sort", |t: &mut TableValue, column: &str, descending: bool| -> Fallible<TableValue> {
            t.0.sort(column, descending).map(TableValue).or_raise()
        })
        .register_fn("head", |t: &mut TableValue, n: i64| TableValue(t.0.head(n.max(0) as usize)))
        .register_fn("write_csv", |t: &mut TableValue, path: &str| -> Fallible<()> { t.0.write_csv(path).or_raise() })
        .register_fn("write_parquet", |t: &mut TableValue, path: &str| -> Fallible<()> { t.0.write_parquet(path).or_raise() });
}

impl TableValue {
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
        let rows = lines.iter().map(|line| columns.iter().map(|c| json_cell(line.get(c).unwrap_or(&Value::Null))).collect()).collect();
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
        Ok(self.column(name)?.iter().map(|v| v.as_float().or_else(|_| v.as_int().map(|i| i as f64)).unwrap_or(f64::NAN)).collect())
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
        let at = columns.iter().position(|c| c == name).ok_or_else(|| Error::unknown("column", name, columns.iter().map(String::as_str)))?;
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
