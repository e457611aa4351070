//! How a `Table` prints: the rows and columns that fit the terminal.

use std::fmt::{self, Write as _};

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::cell::Cell;
use super::table::Table;

/// Rows shown of a long table, half from its start and half from its end.
const ROWS: usize = 40;
/// The width of the output where there is no terminal.
const WIDTH: usize = 120;
/// A longer text is cut.
const WIDEST: usize = 48;

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
    let columns: Vec<Shown> = names
        .iter()
        .zip(table.frame.columns())
        .map(|(name, column)| {
            let part = |from: usize, len: usize| {
                let part = Table { frame: column.slice(from as i64, len).into_frame() };
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
    let mut taken = 0;
    let fitting = columns.iter().take_while(|c| {
        taken += c.width + 2;
        taken <= room
    });
    let fitting = fitting.count().max(1);
    let columns = &columns[..fitting];

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
            target.set_padding((0, 2));
            target.set_cell_alignment(if column.right { CellAlignment::Right } else { CellAlignment::Left });
        }
    }
    for line in out.lines() {
        writeln!(f, "{}", line.trim_end())?;
    }
    let mut tail = String::new();
    if cut || height == 0 {
        write!(tail, "{height} rows")?;
    }
    if fitting < names.len() {
        let more = &names[fitting..];
        let columns = if more.len() == 1 { "column" } else { "columns" };
        write!(tail, "{}{} more {columns}: ", if tail.is_empty() { "" } else { ", " }, more.len())?;
        let mut left = room.saturating_sub(tail.chars().count() + 3);
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
    }
    if tail.is_empty() { Ok(()) } else { writeln!(f, "{tail}") }
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
                other => one_line(&other.to_string()),
            })
            .collect();
        let right = cells.iter().any(|c| matches!(c, Cell::Int(_) | Cell::Float(_)));
        let name = one_line(name);
        let width = texts.iter().chain([&name]).map(|t| t.chars().count()).max().unwrap_or(0);
        Shown { name, cells: texts, right, width }
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

fn one_line(text: &str) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ");
    if text.chars().count() <= WIDEST {
        return text;
    }
    text.chars().take(WIDEST - 1).chain(['…']).collect()
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
