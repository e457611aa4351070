//! `Table`: a polars frame, made from cells and read as cells.

use polars::prelude::*;

use super::cell::{Cell, cells_of, column_of};
use super::polars_error::polars_error;
use crate::error::{Error, Result, counted};

/// A table of named columns.
#[derive(Clone, Debug)]
pub struct Table {
    pub frame: DataFrame,
    /// The columns that are shown before others where not all fit, in this order, and the least width to which each may be cut.
    pub shown_first: &'static [(&'static str, usize)],
}

impl Table {
    /// A table of a frame of polars.
    pub fn of(frame: DataFrame) -> Table {
        Table { frame, shown_first: &[] }
    }

    /// A table that was made from this one.
    pub(super) fn with_frame(&self, frame: DataFrame) -> Table {
        Table { frame, ..*self }
    }

    /// From named columns of cells, all of one length. Each column has the narrowest type that holds its cells: true
    /// and false, integers, numbers, text. An empty one is text.
    ///
    /// Errors: two columns of one name, columns of unequal length (both named).
    pub fn from_columns(columns: Vec<(String, Vec<Cell>)>) -> Result<Table> {
        let height = columns.first().map_or(0, |c| c.1.len());
        let mut made: Vec<Column> = Vec::with_capacity(columns.len());
        for (name, cells) in columns {
            if cells.len() != height {
                return Err(Error::argument(format!(
                    "column \"{name}\" has {}, but column \"{}\" has {height}",
                    counted(cells.len(), "row"),
                    made.first().map_or("", |c| c.name().as_str())
                ))
                .about_name(name));
            }
            if made.iter().any(|c| c.name().as_str() == name) {
                return Err(
                    Error::argument(format!("a table cannot have two columns named \"{name}\"")).about_name(name)
                );
            }
            made.push(column_of(&name, cells));
        }
        let frame = DataFrame::new(height, made).map_err(|e| polars_error("a table cannot be made", e))?;
        Ok(Table::of(frame))
    }

    /// From rows of cells, one cell per column. Errors: two columns of one name, a row of another length (named).
    pub fn from_rows(columns: &[String], rows: Vec<Vec<Cell>>) -> Result<Table> {
        let mut cells: Vec<Vec<Cell>> = columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for (i, row) in rows.into_iter().enumerate() {
            if row.len() != columns.len() {
                return Err(Error::argument(format!(
                    "row {i} (counted from 0) has {}; expected {}, one per column",
                    counted(row.len(), "cell"),
                    columns.len()
                )));
            }
            cells.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
        }
        Table::from_columns(columns.iter().cloned().zip(cells).collect())
    }

    /// The column names, in order.
    pub fn columns(&self) -> Vec<String> {
        self.frame.get_column_names().iter().map(|n| n.to_string()).collect()
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// All rows. A value without a [`Cell`] type of its own (a date, a list) becomes text.
    pub fn rows(&self) -> Vec<Vec<Cell>> {
        let mut rows: Vec<Vec<Cell>> =
            (0..self.frame.height()).map(|_| Vec::with_capacity(self.frame.width())).collect();
        for column in self.frame.columns() {
            rows.iter_mut().zip(cells_of(column)).for_each(|(row, cell)| row.push(cell));
        }
        rows
    }

    /// One column. Errors: no column of that name, with the nearest.
    pub fn column(&self, name: &str) -> Result<Vec<Cell>> {
        let names = || self.frame.get_column_names().into_iter().map(|n| n.as_str());
        self.frame.column(name).map(cells_of).map_err(|_| Error::unknown("column", name, names()))
    }

    /// The first `n` rows.
    pub fn head(&self, n: usize) -> Table {
        self.with_frame(self.frame.head(Some(n)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = ["name", "n", "share", "yes", "empty"].map(String::from);
        let row =
            |name: &str, n: i64, share: Cell, yes: bool| vec![name.into(), n.into(), share, yes.into(), Cell::Null];
        Table::from_rows(
            &columns,
            vec![
                row("cat", 3, 0.5.into(), true),
                row("dog, big", 1, Cell::Null, false),
                row("owl", 2, Cell::Int(2), true),
            ],
        )
        .unwrap()
    }

    #[test]
    fn cells_come_back_with_their_kinds() {
        let rows = table().rows();
        assert_eq!(rows[1], vec!["dog, big".into(), Cell::Int(1), Cell::Null, Cell::Bool(false), Cell::Null]);
        assert_eq!(rows[2][2], Cell::Float(2.0));
        assert_eq!(table().column("n").unwrap(), vec![Cell::Int(3), Cell::Int(1), Cell::Int(2)]);
        let mixed = Table::from_columns(vec![("x".into(), vec![1_i64.into(), "a".into(), true.into()])]).unwrap();
        assert_eq!(mixed.column("x").unwrap(), vec!["1".into(), "a".into(), "true".into()]);
    }

    #[test]
    fn sorting_and_heads() {
        assert_eq!(
            table().sort_by(&["n".into()], &[true]).unwrap().head(2).column("n").unwrap(),
            vec![Cell::Int(3), Cell::Int(2)]
        );
        assert_eq!(table().sort_by(&["share".into()], &[false]).unwrap().column("share").unwrap()[2], Cell::Null);
        assert_eq!(table().column("nam").unwrap_err().help.as_deref(), Some("did you mean \"name\"?"));
    }

    #[test]
    fn mistakes_are_named() {
        let two = [String::from("a"), String::from("a")];
        assert!(Table::from_rows(&two, vec![]).unwrap_err().message.contains("two columns named \"a\""));
        assert!(
            Table::from_rows(&two[..1], vec![vec![]])
                .unwrap_err()
                .message
                .contains("row 0 (counted from 0) has 0 cells")
        );
    }
}
