//! `Table` in scripts.

use std::fmt;
use std::path::{Path, PathBuf};

use rhai::{Dynamic, FnPtr, Map};
use serde_json::Value;

use super::expr::{ExprValue, Expressions, several};
use super::group_by::GroupBy;
use crate::error::{Error, Result};
use crate::files;
use crate::memory;
use crate::primitives::parameters::{OnlySeed, Renames, strings};
use crate::primitives::runs::verify::verify;
use crate::reports::export::{ExportOptions, latex, markdown};
use crate::script::call::{Call, IntoValue, MemberRegistrar, Parameter};
use crate::script::errors::Fallible;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::show;
use crate::tables::{Cell, Table};

/// Rows that `head` and `tail` show by default.
const SHOWN: usize = 5;

crate::options! {
    /// How a CSV file is written.
    pub struct CsvOptions {
        /// an apostrophe before texts that a spreadsheet would take for formulas
        pub spreadsheet: bool = false;
    }
}

impl CsvOptions {
    /// The table as it is written.
    pub fn of(&self, table: &Table) -> Result<Table> {
        if self.spreadsheet { table.guarded() } else { Ok(table.clone()) }
    }
}

/// What the option `spreadsheet` does.
pub const SPREADSHEET: &str = "write as CSV for spreadsheets: texts and column names that begin with = + - @, a tab or an end of a \
                               line get an apostrophe before them, so that none is taken for a formula; reading the file \
                               again gives the apostrophes too";

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
        Member::same("filter(closure)", "the rows of which, as maps, it is true: t.filter(|row| row.mAP > 80); slower"),
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
        Member::new("verify()", "for the Table of runs(): whether the files of each run are what was written"),
        Member::new("write_csv(path)", "write as CSV"),
        Member::new("write_csv(path, #{spreadsheet: true})", SPREADSHEET),
        Member::new("write_parquet(path)", "write as Parquet"),
        Member::new("to_csv()", "the text that write_csv writes"),
        Member::new("to_csv(#{spreadsheet: true})", "the same, guarded"),
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
        Member::new("write_latex(path)", "write the text of to_latex"),
        Member::new("write_latex(path, #{options})", "the same with its options"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("columns", |t: &Self| t.0.columns())
            .get("rows", |t: &Self| t.maps())
            .method("len", |t: &Self| t.0.height())
            .method("column", |t: &Self, name: String| t.0.column(&name))
            .method("filter", |t: &Self, condition: ExprValue| t.0.filter(condition.0))
            .method("filter", filter_rows)
            .method("select", |t: &Self, columns: Expressions| t.0.select(columns.0))
            .method("with_columns", |t: &Self, columns: Expressions| t.0.with_columns(columns.0))
            .method("with_columns", |t: &Self, one: ExprValue| t.0.with_columns(vec![one.0]))
            .method("group_by", group_by)
            .method("join", |t: &Self, other: Self, on: ColumnNames, how: Option<String>| {
                t.0.join(&other.0, &on.0, how.as_deref().unwrap_or("inner"))
            })
            .method("sort", sort)
            .method("head", |t: &Self, n: Option<usize>| t.0.head(n.unwrap_or(SHOWN)))
            .method("tail", |t: &Self, n: Option<usize>| t.0.tail(n.unwrap_or(SHOWN)))
            .method("slice", |t: &Self, offset: i64, n: usize| t.0.slice(offset, n))
            .method("sample", |t: &Self, n: usize, options: OnlySeed| t.0.sample(n, options.seed))
            .method("rename", |t: &Self, names: Renames| t.0.rename(&names.0))
            .method("drop", |t: &Self, columns: ColumnNames| t.0.drop_columns(&columns.0))
            .method("unique", |t: &Self, columns: Option<ColumnNames>| t.0.unique(columns.as_ref().map(|c| &c.0[..])))
            .method("drop_nulls", |t: &Self| t.0.drop_nulls())
            .method("with_row_index", |t: &Self, name: String| t.0.with_row_index(&name))
            .method("vstack", |t: &Self, other: Self| t.0.vstack(&other.0))
            .method("describe", |t: &Self| t.0.describe())
            .method("verify", verify)
            .method("write_csv", |t: &Self, path: PathBuf, options: CsvOptions| options.of(&t.0)?.write_csv(path))
            .method("write_parquet", |t: &Self, path: PathBuf| t.0.write_parquet(path))
            .method("to_csv", |t: &Self, options: CsvOptions| options.of(&t.0)?.to_csv())
            .method("to_markdown", |t: &Self, options: ExportOptions| markdown(&t.0, &options))
            .method("to_latex", |t: &Self, options: ExportOptions| latex(&t.0, &options))
            .method("write_latex", |t: &Self, path: PathBuf, options: ExportOptions| {
                files::write(&path, latex(&t.0, &options)?.as_bytes())
            });
    }

    /// Types and all cells.
    fn fingerprint(&self) -> Option<String> {
        Some(format!("{:?} {}", self.0.frame.dtypes(), self.0.to_csv().ok()?))
    }
}

kind_value!(TableValue);

impl IntoValue for Table {
    fn into_value(self) -> Dynamic {
        Dynamic::from(TableValue(self))
    }
}

impl IntoValue for Cell {
    fn into_value(self) -> Dynamic {
        match self {
            Cell::Null => Dynamic::UNIT,
            Cell::Bool(b) => b.into(),
            Cell::Int(i) => i.into(),
            Cell::Float(x) => x.into(),
            Cell::Text(s) => s.into(),
        }
    }
}

/// The name of a column, or an array of names.
struct ColumnNames(Vec<String>);

impl Parameter for ColumnNames {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        if let Ok(name) = value.as_immutable_string_ref() {
            return Ok(ColumnNames(vec![name.to_string()]));
        }
        match value.as_array_ref() {
            Ok(array) => strings(&array, call, "the columns").map(ColumnNames),
            Err(_) => Err(Error::argument(format!(
                "{} takes the name of a column or an array of names; got {}",
                call.name,
                show::a_type(&value)
            ))),
        }
    }
}

fn group_by(call: &Call, t: &TableValue, keys: Dynamic) -> Result<GroupBy> {
    Ok(GroupBy { table: t.0.clone(), keys: several(&keys, call)? })
}

fn sort(call: &Call, t: &TableValue, columns: ColumnNames, descending: Option<Dynamic>) -> Result<Table> {
    let names = columns.0;
    let one = |value: &Dynamic| {
        value.as_bool().map_err(|_| {
            let came = show::a_type(value);
            Error::argument(format!("{}: descending must be true or false; got {came}", call.name))
        })
    };
    let descending = descending.unwrap_or(false.into());
    let descending = match descending.as_array_ref() {
        Ok(array) => array.iter().map(one).collect::<Result<Vec<_>>>()?,
        Err(_) => vec![one(&descending)?; names.len()],
    };
    if descending.len() != names.len() {
        return Err(Error::argument(format!(
            "{}: {} columns need as many values of descending; got {}",
            call.name,
            names.len(),
            descending.len()
        )));
    }
    t.0.sort_by(&names, &descending)
}

impl TableValue {
    /// A table from named columns and rows of cells.
    pub fn from_rows(columns: &[&str], rows: Vec<Vec<Cell>>) -> Result<TableValue> {
        let columns: Vec<String> = columns.iter().map(|c| c.to_string()).collect();
        Ok(TableValue(Table::from_rows(&columns, rows)?))
    }

    /// A table from JSON objects; a key that a row lacks is empty there. Columns are in order of first appearance.
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
            _ => {
                let message = format!("a table is saved as .csv or .parquet; got \"{}\"", path.display());
                Err(Error::argument(message).about_file(path))
            }
        }
    }

    /// A column as numbers; NaN for a cell that is none. Errors: no column of that name.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let number = |cell| match cell {
            Cell::Int(i) => i as f64,
            Cell::Float(x) => x,
            _ => f64::NAN,
        };
        Ok(self.0.column(name)?.into_iter().map(number).collect())
    }

    /// One map per row.
    /// Errors: more memory than is left.
    fn maps(&self) -> Result<Vec<Map>> {
        let columns = self.0.columns();
        // A map and its entries take about so much, and the cells before.
        memory::check("rows", (self.0.height() as u64).saturating_mul(600 + 160 * columns.len() as u64))?;
        let map = |row: Vec<Cell>| {
            columns.iter().zip(row).map(|(name, cell)| (name.as_str().into(), cell.into_value())).collect()
        };
        Ok(self.0.rows().into_iter().map(map).collect())
    }
}

/// The rows for which a closure of a map is true.
fn filter_rows(call: &Call, table: &TableValue, closure: FnPtr) -> Fallible<TableValue> {
    let mut kept = Vec::with_capacity(table.0.height());
    for row in table.maps()? {
        let value = call.closure(&closure, (row,))?;
        kept.push(value.as_bool().map_err(|_| {
            Error::argument(format!("filter: the closure must give true or false; it gave {}", show::a_type(&value)))
        })?);
    }
    Ok(TableValue(table.0.keep(kept)?))
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
        Err(_) => Cell::Text(show::plain(value)),
    }
}

impl fmt::Display for TableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
