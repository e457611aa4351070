//! Operations of polars on a [`Table`], under polars' names, with errors that name the nearest column.

use polars::prelude::*;

use super::polars_error::polars_error;
use super::table::Table;
use crate::error::{Error, Result, counted};
use crate::memory;
use crate::random;

/// The values of `how` in [`Table::join`].
const JOINS: &[&str] = &["inner", "left", "right", "full", "semi", "anti", "cross"];

/// So many pieces of memory a column of tables put together has at most.
const PIECES: usize = 64;

/// Errors: so many rows are more than a table can have, or need more memory than is left.
fn room_for_rows(word: &str, rows: f64, columns: f64) -> Result<()> {
    if rows >= f64::from(u32::MAX) {
        return Err(Error::argument(format!("{word} would give {rows:.0} rows; a table has at most {}", u32::MAX - 1)));
    }
    // The indices of both sides, and twice the cells.
    memory::check(word, (rows * (8.0 + 16.0 * columns)) as u64)
}

impl Table {
    /// The rows where an expression is true.
    pub fn filter(&self, predicate: Expr) -> Result<Table> {
        let expressions = [predicate];
        self.lazily("filter", &expressions, |frame| frame.filter(expressions[0].clone()))
    }

    /// The rows whose entry is true. Errors: another number of entries than of rows.
    pub fn keep(&self, rows: Vec<bool>) -> Result<Table> {
        let mask = BooleanChunked::from_iter_values("keep".into(), rows.into_iter());
        Ok(self.with_frame(self.frame.filter(&mask).map_err(|e| polars_error("filter", e))?))
    }

    /// Only these expressions as columns.
    pub fn select(&self, columns: Vec<Expr>) -> Result<Table> {
        self.lazily("select", &columns.clone(), |frame| frame.select(columns))
    }

    /// Adds these expressions as columns; one replaces the column of its name.
    pub fn with_columns(&self, columns: Vec<Expr>) -> Result<Table> {
        self.lazily("with_columns", &columns.clone(), |frame| frame.with_columns(columns))
    }

    /// One row per group of equal `keys`, in order of first appearance, with these aggregations.
    pub fn group_by_agg(&self, keys: Vec<Expr>, aggregations: Vec<Expr>) -> Result<Table> {
        let all: Vec<Expr> = keys.iter().chain(&aggregations).cloned().collect();
        self.lazily("group_by", &all, |frame| frame.group_by_stable(keys).agg(aggregations))
    }

    /// Rows of both tables whose columns `on` are equal. Of another column that both have, the second gets the suffix
    /// `_right`.
    ///
    /// Errors: an unknown `how`, a column that one of them lacks.
    pub fn join(&self, other: &Table, on: &[String], how: &str) -> Result<Table> {
        let kind = match how {
            "inner" => JoinType::Inner,
            "left" => JoinType::Left,
            "right" => JoinType::Right,
            "full" => JoinType::Full,
            "semi" => JoinType::Semi,
            "anti" => JoinType::Anti,
            "cross" => JoinType::Cross,
            other => return Err(Error::unknown("join", other, JOINS.iter().copied())),
        };
        if on.is_empty() != (how == "cross") {
            return Err(Error::argument("join needs columns to join on, and a \"cross\" join none").about_name("cross"));
        }
        let keys: Vec<Expr> = on.iter().map(|name| col(name.as_str())).collect();
        self.check("join", &keys)?;
        other.check("join", &keys)?;
        self.room_for_joined(other, &keys, how)?;
        let mut arguments = JoinArgs::new(kind).with_suffix(Some("_right".into()));
        arguments.maintain_order = MaintainOrderJoin::LeftRight;
        if how == "full" {
            arguments = arguments.with_coalesce(JoinCoalesce::CoalesceColumns);
        }
        let joined = self.frame.clone().lazy().join(other.frame.clone().lazy(), keys.clone(), keys, arguments);
        collected("join", joined)
    }

    /// Errors: the rows of a join are more than a table can have, or need more memory than is left. Equal keys on both sides
    /// multiply.
    fn room_for_joined(&self, other: &Table, keys: &[Expr], how: &str) -> Result<()> {
        /// Products of so many rows are not counted.
        const FEW: f64 = 1e6;
        let (ours, theirs) = (self.height() as f64, other.height() as f64);
        let rows = match how {
            "semi" | "anti" => return Ok(()),
            _ if ours * theirs < FEW => return Ok(()),
            "cross" => ours * theirs,
            _ => {
                let counted = |table: &Table, name: &str| {
                    table.frame.clone().lazy().group_by(keys).agg([len().cast(DataType::Float64).alias(name)])
                };
                // Names that no column has.
                let (a, b) = ("\u{1}a", "\u{1}b");
                let both = counted(self, a)
                    .join(counted(other, b), keys.to_vec(), keys.to_vec(), JoinArgs::new(JoinType::Inner))
                    .select([(col(a) * col(b)).sum()])
                    .collect();
                // A join that polars refuses is refused below.
                let Ok(both) = both else { return Ok(()) };
                let matched = both.columns().first().and_then(|c| c.get(0).ok()).and_then(|v| v.extract::<f64>());
                matched.unwrap_or(0.0) + if how == "inner" { 0.0 } else { ours + theirs }
            }
        };
        let columns = (self.columns().len() + other.columns().len()) as f64;
        room_for_rows("join", rows, columns)
    }

    /// Sorts by several columns, each ascending or descending. Empty cells come last; equal rows keep their order.
    pub fn sort_by(&self, columns: &[String], descending: &[bool]) -> Result<Table> {
        let keys: Vec<Expr> = columns.iter().map(|name| col(name.as_str())).collect();
        self.check("sort", &keys)?;
        let order = SortMultipleOptions::default()
            .with_order_descending_multi(descending.iter().copied())
            .with_nulls_last(true)
            .with_maintain_order(true);
        let frame = self.frame.sort(columns.iter().map(String::as_str), order).map_err(|e| polars_error("sort", e))?;
        Ok(self.with_frame(frame))
    }

    /// The last `n` rows.
    pub fn tail(&self, n: usize) -> Table {
        self.with_frame(self.frame.tail(Some(n)))
    }

    /// `n` rows from row `offset` on; a negative offset counts from the end.
    pub fn slice(&self, offset: i64, n: usize) -> Table {
        self.with_frame(self.frame.slice(offset, n))
    }

    /// `n` random rows, in table order. Errors: more than there are.
    pub fn sample(&self, n: usize, seed: u64) -> Result<Table> {
        let height = self.height();
        if n > height {
            return Err(Error::argument(format!("{} cannot be drawn out of {height}", counted(n, "row"))));
        }
        let rows = random::sample(height, n, &mut random::seeded(seed));
        let rows = IdxCa::from_vec("rows".into(), rows.into_iter().map(|row| row as IdxSize).collect());
        Ok(self.with_frame(self.frame.take(&rows).map_err(|e| polars_error("sample", e))?))
    }

    /// New names for some columns. Errors: an unknown column, a name that two columns would have.
    pub fn rename(&self, names: &[(String, String)]) -> Result<Table> {
        let mut frame = self.frame.clone();
        for (old, new) in names {
            self.check("rename", &[col(old.as_str())])?;
            frame.rename(old, new.as_str().into()).map_err(|e| polars_error("rename", e))?;
        }
        Ok(self.with_frame(frame))
    }

    /// Without the named columns. Errors: an unknown one.
    pub fn drop_columns(&self, names: &[String]) -> Result<Table> {
        self.check("drop", &names.iter().map(|name| col(name.as_str())).collect::<Vec<_>>())?;
        Ok(self.with_frame(self.frame.drop_many(names.iter().map(String::as_str))))
    }

    /// The first row of each set of rows that are equal in the named columns, or in all.
    pub fn unique(&self, columns: Option<&[String]>) -> Result<Table> {
        if let Some(names) = columns {
            self.check("unique", &names.iter().map(|name| col(name.as_str())).collect::<Vec<_>>())?;
        }
        let frame = self.frame.unique_stable(columns, UniqueKeepStrategy::First, None);
        Ok(self.with_frame(frame.map_err(|e| polars_error("unique", e))?))
    }

    /// The rows without any empty cell.
    pub fn drop_nulls(&self) -> Result<Table> {
        let frame = self.frame.drop_nulls::<String>(None).map_err(|e| polars_error("drop_nulls", e))?;
        Ok(self.with_frame(frame))
    }

    /// Adds a first column of row numbers from 0. Errors: a column of that name.
    pub fn with_row_index(&self, name: &str) -> Result<Table> {
        let frame = self.frame.with_row_index(name.into(), None).map_err(|e| polars_error("with_row_index", e))?;
        Ok(self.with_frame(frame))
    }

    /// Appends the rows of `other`; both must have the same columns.
    pub fn vstack(&self, other: &Table) -> Result<Table> {
        let (ours, theirs) = (self.columns(), other.columns());
        if let Some(odd) =
            ours.iter().find(|c| !theirs.contains(c)).or_else(|| theirs.iter().find(|c| !ours.contains(c)))
        {
            return Err(Error::argument(format!(
                "tables that are put together must have the same columns; only one has \"{odd}\""
            ))
            .about_name(odd));
        }
        room_for_rows("vstack", self.height() as f64 + other.height() as f64, ours.len() as f64)?;
        let tables =
            [self.frame.clone().lazy(), other.select(ours.iter().map(|c| col(c.as_str())).collect())?.frame.lazy()];
        // Each piece has an overhead: rows put together one by one would be mostly that.
        let rechunk = self.frame.first_col_n_chunks() + other.frame.first_col_n_chunks() > PIECES;
        let arguments = UnionArgs { to_supertypes: true, rechunk, ..Default::default() };
        collected("vstack", concat(tables, arguments).map_err(|e| polars_error("vstack", e))?)
    }

    /// One row per numeric column: count, empty cells, mean, standard deviation, minimum, median and maximum.
    pub fn describe(&self) -> Result<Table> {
        let numeric: Vec<PlSmallStr> = (self.frame.columns().iter())
            .filter(|c| c.dtype().is_primitive_numeric() || c.dtype().is_bool())
            .map(|c| c.name().clone())
            .collect();
        if numeric.is_empty() {
            return Err(Error::argument("describe needs a column of numbers; the table has none".to_string()));
        }
        let one = |name: &PlSmallStr| {
            let x = || col(name.clone()).cast(DataType::Float64);
            let row = self.frame.clone().lazy().select([
                lit(name.to_string()).alias("column"),
                x().count().cast(DataType::Int64).alias("count"),
                x().null_count().cast(DataType::Int64).alias("empty"),
                x().mean().alias("mean"),
                x().std(1).alias("std"),
                x().min().alias("min"),
                x().median().alias("median"),
                x().max().alias("max"),
            ]);
            collected("describe", row)
        };
        let mut rows = numeric.iter().map(one);
        let first = rows.next().unwrap_or_else(|| Err(Error::internal("describe lost its columns")))?;
        rows.try_fold(first, |all, row| all.vstack(&row?))
    }

    /// Runs a lazy query over this table whose expressions name only its columns.
    fn lazily(&self, word: &str, expressions: &[Expr], query: impl FnOnce(LazyFrame) -> LazyFrame) -> Result<Table> {
        self.check(word, expressions)?;
        collected(word, query(self.frame.clone().lazy())).map(|table| self.with_frame(table.frame))
    }

    /// Errors: an unknown column, with the nearest; an expression of thousands of parts, on which polars' optimiser
    /// would spend minutes that nothing can interrupt.
    fn check(&self, word: &str, expressions: &[Expr]) -> Result<()> {
        for expression in expressions {
            let parts = expression.into_iter().take(MOST_PARTS + 1).count();
            if parts > MOST_PARTS {
                return Err(Error::argument(format!("{word}: an expression may have {MOST_PARTS} parts at most"))
                    .with_help("put a part of it into a column with with_columns first"));
            }
            for name in columns_of(expression) {
                if self.frame.get_column_index(&name).is_none() {
                    let mut error =
                        Error::unknown("column", &name, self.frame.get_column_names().iter().map(|n| n.as_str()));
                    error.message = format!("{word}: the table has no column \"{name}\"");
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// Most columns, constants and operations of one expression.
const MOST_PARTS: usize = 1000;

/// The names of the columns that an expression reads.
pub fn columns_of(expression: &Expr) -> Vec<PlSmallStr> {
    let mut names: Vec<PlSmallStr> = Vec::new();
    for part in expression {
        if let Expr::Column(name) = part
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names
}

fn collected(word: &str, query: LazyFrame) -> Result<Table> {
    Ok(Table::of(query.collect().map_err(|e| polars_error(word, e))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Cell;

    fn table() -> Table {
        let names = ["model", "k", "mAP"].map(String::from);
        let row = |m: &str, k: i64, x: f64| vec![m.into(), k.into(), x.into()];
        Table::from_rows(&names, vec![row("a", 2, 80.0), row("b", 2, 82.0), row("a", 3, 84.0), row("b", 3, 83.0)])
            .unwrap()
    }

    fn floats(t: &Table, column: &str) -> Vec<f64> {
        t.column(column).unwrap().into_iter().map(|c| if let Cell::Float(x) = c { x } else { f64::NAN }).collect()
    }

    #[test]
    fn verbs_do_what_polars_does() {
        let t = table();
        assert_eq!(floats(&t.filter(col("mAP").gt(lit(82.5))).unwrap(), "mAP"), [84.0, 83.0]);
        let best = t.group_by_agg(vec![col("model")], vec![col("mAP").max().alias("best")]).unwrap();
        assert_eq!(floats(&best, "best"), [84.0, 83.0]);
        let sorted = t.sort_by(&["k".into(), "mAP".into()], &[true, false]).unwrap();
        assert_eq!(floats(&sorted, "mAP"), [83.0, 84.0, 80.0, 82.0]);
        let joined = t.join(&best, &["model".into()], "left").unwrap();
        assert_eq!(floats(&joined, "best"), [84.0, 83.0, 84.0, 83.0]);
        assert_eq!(t.with_columns(vec![(col("mAP") - lit(80.0)).alias("gain")]).unwrap().columns().len(), 4);
        assert_eq!(t.unique(Some(&["k".into()])).unwrap().height(), 2);
        assert_eq!(t.vstack(&t).unwrap().height(), 8);
        assert_eq!(t.sample(2, 3).unwrap().rows(), t.sample(2, 3).unwrap().rows());
        let d = t.describe().unwrap();
        assert_eq!((d.height(), floats(&d, "median")), (2, vec![2.5, 82.5]));
        assert_eq!(t.slice(-1, 1).column("mAP").unwrap(), t.tail(1).column("mAP").unwrap());
    }

    #[test]
    fn an_unknown_column_names_the_nearest() {
        let e = table().filter(col("map").gt(lit(1))).unwrap_err();
        assert_eq!(e.message, "filter: the table has no column \"map\"");
        assert!(table().join(&table(), &["k".into()], "iner").unwrap_err().help.is_some());
        assert!(table().rename(&[("k".into(), "mAP".into())]).is_err());
        assert!(table().vstack(&table().drop_columns(&["k".into()]).unwrap()).is_err());
    }
}
