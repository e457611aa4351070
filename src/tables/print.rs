//! How a `Table` prints: the rows and columns that fit the terminal.

use std::fmt::{self, Write as _};

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::cell::Cell;
use super::table::Table;
use crate::error::counted;

/// Rows shown of a long table, half from its start and half from its end.
const ROWS: usize = 40;
/// The width of the output where there is no terminal.
const WIDTH: usize = 120;
/// A longer text is cut.
const WIDEST: usize = 48;
/// Blanks between two columns.
const GAP: usize = 2;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self)
    }
}

/// Writes all columns that fit, up to [`ROWS`] rows, and a last line that names the rest.
fn write(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    let height = table.height();
    let names = table.columns();
    if names.is_empty() {
        return writeln!(f, "a table of no columns");
    }
    let cut = height > ROWS;
    let mut columns: Vec<Shown> = names
        .iter()
        .zip(table.frame.columns())
        .map(|(name, column)| {
            let part = |from: usize, len: usize| {
                let part = Table::of(column.slice(from as i64, len).into_frame());
                part.rows().into_iter().flatten().collect::<Vec<_>>()
            };
            let mut cells = if cut { part(0, ROWS / 2) } else { part(0, height) };
            if cut {
                cells.extend(part(height - ROWS / 2, ROWS / 2));
            }
            Shown::new(name, &cells)
        })
        .collect();

    let mut out = comfy_table::Table::new();
    out.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let room = out.width().map_or(WIDTH, usize::from).max(20);
    let fitting = fitting(&mut columns, table.shown_first, room);
    let (mut position, mut more) = (0, Vec::new());
    columns.retain(|column| {
        let shown = fitting.contains(&position);
        if !shown {
            more.push(column.name.clone());
        }
        position += 1;
        shown
    });

    out.set_header(columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>());
    let shown = columns.first().map_or(0, |c| c.cells.len());
    for row in 0..shown {
        if cut && row == ROWS / 2 {
            out.add_row(columns.iter().map(|_| "…".to_string()).collect::<Vec<_>>());
        }
        out.add_row(columns.iter().map(|c| c.cells[row].clone()).collect::<Vec<_>>());
    }
    for (i, column) in columns.iter().enumerate() {
        if let Some(target) = out.column_mut(i) {
            target.set_padding((0, GAP as u16));
            target.set_cell_alignment(if column.right { CellAlignment::Right } else { CellAlignment::Left });
        }
    }
    for line in out.lines() {
        writeln!(f, "{}", line.trim_end())?;
    }
    let mut tail = String::new();
    if cut || height == 0 {
        write!(tail, "{}", counted(height, "row"))?;
    }
    if !more.is_empty() {
        let columns = if more.len() == 1 { "column" } else { "columns" };
        write!(tail, "{}{} more {columns}: ", if tail.is_empty() { "" } else { ", " }, more.len())?;
        let mut left = room.saturating_sub(tail.chars().count() + 3 + HOW.chars().count());
        let named: Vec<&str> = more
            .iter()
            .map(|name| name.as_str())
            .take_while(|name| {
                let needed = name.chars().count() + 2;
                let fits = needed <= left;
                left = left.saturating_sub(needed);
                fits
            })
            .collect();
        let dots = if named.len() < more.len() { ["…"].as_slice() } else { &[] };
        tail.push_str(&[&named, dots].concat().join(", "));
        tail.push_str(HOW);
    }
    if tail.is_empty() { Ok(()) } else { writeln!(f, "{tail}") }
}

/// How the columns that are not shown are seen.
const HOW: &str = " (see .columns, .select)";

/// The positions of the columns that are shown. Where not all fit, they are those of `first` that do, whose texts are cut for it, and of
/// the others as many as still fit; without a `first` the leftmost.
fn fitting(columns: &mut [Shown], first: &[(&str, usize)], room: usize) -> Vec<usize> {
    // No gap follows the last column.
    let mut left = room + GAP;
    if columns.iter().map(|column| column.width + GAP).sum::<usize>() <= left {
        return (0..columns.len()).collect();
    }
    let mut cut = Vec::new();
    for (name, least) in first {
        let Some(at) = columns.iter().position(|column| column.name == *name) else { continue };
        let column = &columns[at];
        let width =
            if column.right { column.width } else { column.width.min(*least.max(&column.name.chars().count())) };
        if width + GAP <= left {
            left -= width + GAP;
            cut.push((at, width));
        }
    }
    let mut shown = Vec::new();
    for (at, width) in cut {
        let wider = (columns[at].width - width).min(left);
        left -= wider;
        columns[at].cut(width + wider);
        shown.push(at);
    }
    let others: Vec<usize> = (0..columns.len()).filter(|at| !shown.contains(at)).collect();
    for at in others {
        let column = &columns[at];
        match left.checked_sub(column.width + GAP) {
            Some(rest) => {
                left = rest;
                shown.push(at);
            }
            None if first.is_empty() => break,
            None => {}
        }
    }
    if shown.is_empty() {
        shown.push(0);
    }
    shown
}

/// One column as text.
struct Shown {
    name: String,
    cells: Vec<String>,
    right: bool,
    width: usize,
}

impl Shown {
    fn new(name: &str, cells: &[Cell]) -> Shown {
        let decimals = decimals(cells);
        let texts: Vec<String> = cells
            .iter()
            .map(|cell| match cell {
                Cell::Float(x) => number(*x, decimals),
                other => one_line(&other.to_string(), WIDEST),
            })
            .collect();
        let right = cells.iter().any(|c| matches!(c, Cell::Int(_) | Cell::Float(_)));
        let name = one_line(name, WIDEST);
        let width = texts.iter().chain([&name]).map(|t| t.chars().count()).max().unwrap_or(0);
        Shown { name, cells: texts, right, width }
    }

    /// Cuts its texts to so many letters.
    fn cut(&mut self, width: usize) {
        if width < self.width {
            self.width = width;
            self.cells.iter_mut().for_each(|cell| *cell = one_line(cell, width));
        }
    }
}

/// The first `rows` rows as they are printed: of each column its name, its texts, and whether they are numbers.
pub fn printed(table: &Table, rows: usize) -> Vec<(String, Vec<String>, bool)> {
    let part = table.head(rows);
    let columns = part.columns().into_iter().map(|name| {
        let shown = Shown::new(&name, &part.column(&name).unwrap_or_default());
        (shown.name, shown.cells, shown.right)
    });
    columns.collect()
}

/// The decimals that the column needs, four at most.
fn decimals(cells: &[Cell]) -> usize {
    let needed = |x: f64| {
        let text = format!("{x:.4}");
        text.trim_end_matches('0').rsplit('.').next().map_or(0, str::len)
    };
    let floats = cells.iter().filter_map(|c| if let Cell::Float(x) = c { Some(*x) } else { None });
    floats.filter(|x| x.is_finite() && plain(*x)).map(needed).max().unwrap_or(1).max(1)
}

/// Whether a number is easier to read without an exponent.
fn plain(x: f64) -> bool {
    x == 0.0 || (1e-3..1e9).contains(&x.abs())
}

fn number(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return x.to_string();
    }
    if plain(x) { format!("{x:.decimals$}") } else { format!("{x:.3e}") }
}

/// A text on one line of at most so many letters.
fn one_line(text: &str, widest: usize) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ");
    if text.chars().count() <= widest {
        return text;
    }
    text.chars().take(widest - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_column_share_their_decimals() {
        let columns = vec![
            ("label".to_string(), vec!["cat".into(), "hair drier".into()]),
            ("AP".to_string(), vec![82.25.into(), 7.0.into()]),
            ("n".to_string(), vec![12_i64.into(), Cell::Null]),
        ];
        let printed = Table::from_columns(columns).unwrap().to_string();
        assert_eq!(printed, "label          AP   n\ncat         82.25  12\nhair drier   7.00\n");
    }

    #[test]
    fn long_and_wide_tables_say_what_they_leave_out() {
        let columns = (0..60).map(|c| (format!("column {c}"), (0..100_i64).map(Cell::from).collect())).collect();
        let printed = Table::from_columns(columns).unwrap().to_string();
        assert!(printed.lines().all(|l| l.chars().count() <= WIDTH), "{printed}");
        assert_eq!(printed.lines().count(), 1 + ROWS + 1 + 1);
        let last = printed.lines().last().unwrap();
        assert!(last.starts_with("100 rows, ") && last.contains("more columns: column "), "{last}");
    }

    #[test]
    fn columns_that_matter_stay_where_not_all_fit() {
        let column = |name: &str, width: usize| (name.to_string(), vec![Cell::Text("x".repeat(width))]);
        let columns = vec![
            column("id", 18),
            column("name", 30),
            column("tags", 20),
            ("mAP".to_string(), vec![82.25.into()]),
            ("k".to_string(), vec![4_i64.into()]),
            column("date", 19),
        ];
        let mut table = Table::from_columns(columns).unwrap();
        table.shown_first = &[("name", 12), ("date", 19), ("mAP", 5), ("id", 12)];
        let shown = |room: usize| {
            let mut columns: Vec<Shown> = table
                .columns()
                .iter()
                .zip(table.frame.columns())
                .map(|(name, column)| {
                    let cells = Table::of(column.clone().into_frame()).rows().concat();
                    Shown::new(name, &cells)
                })
                .collect();
            let shown = fitting(&mut columns, table.shown_first, room);
            let taken = shown.iter().map(|&at| columns[at].width + GAP).sum::<usize>();
            assert!(taken <= room + GAP, "{taken} of {room}");
            let mut named: Vec<String> =
                shown.into_iter().map(|at| format!("{} {}", columns[at].name, columns[at].width)).collect();
            named.sort();
            named.join(", ")
        };
        assert_eq!(shown(200), "date 19, id 18, k 1, mAP 5, name 30, tags 20");
        // Texts are cut, what matters more last; then what is left goes to others.
        assert_eq!(shown(80), "date 19, id 18, mAP 5, name 30");
        assert_eq!(shown(54), "date 19, id 12, mAP 5, name 12");
        // What matters least goes first.
        assert_eq!(shown(53), "date 19, mAP 5, name 25");
        assert_eq!(shown(31), "mAP 5, name 24");
        assert_eq!(shown(12), "name 12");
        let printed = table.head(1).to_string();
        assert!(printed.starts_with("id  "), "the order stays: {printed}");
    }

    #[test]
    fn tiny_numbers_keep_their_digits() {
        assert_eq!(number(1.5e-6, 1), "1.500e-6");
        assert_eq!(number(0.0, 1), "0.0");
        assert_eq!(number(f64::NAN, 1), "NaN");
    }
    #[test]
    fn an_empty_table_prints() {
        let empty = Table::from_rows(&[String::from("a")], vec![]).unwrap();
        assert!(empty.to_string().contains("0 rows"), "{empty}");
        let nothing = Table::from_rows(&[], vec![]).unwrap();
        assert!(!nothing.to_string().is_empty());
    }
}
