//! Tables as text for papers, READMEs and other programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::memory;
use crate::tables::{Cell, Table};

crate::options! {
    /// The number formats of an exported table, and its LaTeX environment.
    pub struct ExportOptions {
        /// decimals of numbers that are not integers: one number, or a map of them by column
        pub decimals: Decimals = Decimals::default();
        /// columns whose numbers have a sign, such as differences
        pub signed: Vec<String> = Vec::new();
        /// columns whose greatest number is bold
        pub bold: Vec<String> = Vec::new();
        /// above the table, in LaTeX; the table is then in a `table` environment
        pub caption: String = String::new();
        /// for `\ref`, in LaTeX; the table is then in a `table` environment
        pub label: String = String::new();
    }
}

/// Decimals of all columns, or of each column by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "an integer from 0 to 17, or a map of them by column")]
pub enum Decimals {
    All(u8),
    Each(BTreeMap<String, u8>),
}

/// The decimals of a column that is not named.
const USUAL: u8 = 2;
/// More decimals carry no information about a 64-bit number.
const MOST: u8 = 17;

impl Default for Decimals {
    fn default() -> Self {
        Decimals::All(USUAL)
    }
}

impl Decimals {
    fn of(&self, column: &str) -> usize {
        usize::from(match self {
            Decimals::All(n) => *n,
            Decimals::Each(map) => map.get(column).copied().unwrap_or(USUAL),
        })
    }

    fn greatest(&self) -> u8 {
        match self {
            Decimals::All(n) => *n,
            Decimals::Each(map) => map.values().copied().max().unwrap_or(0),
        }
    }
}

/// The cells of a table as they are shown.
pub(super) struct Shown {
    pub names: Vec<String>,
    /// Whether a column holds numbers, which are right-aligned.
    pub numbers: Vec<bool>,
    pub rows: Vec<Vec<ShownCell>>,
}

pub(super) struct ShownCell {
    /// Empty without a value; a minus sign is `-`.
    pub text: String,
    /// The sort key.
    pub value: Option<f64>,
    pub bold: bool,
}

impl Shown {
    /// Errors: options that name an unknown column, too many decimals.
    pub fn new(table: &Table, options: &ExportOptions) -> Result<Shown> {
        let names = table.columns();
        options.check_columns(&names)?;
        // A cell, its text as it is shown and as it is escaped, and those of a row.
        let bytes = (table.height() as u64).saturating_mul(100 + 220 * names.len() as u64);
        memory::check(&format!("{} rows as text", table.height()), bytes)?;
        let cells = table.rows();
        let numbers: Vec<bool> = (0..names.len())
            .map(|j| {
                let number = |row: &Vec<Cell>| matches!(row[j], Cell::Int(_) | Cell::Float(_));
                cells.iter().any(number) && cells.iter().all(|row| number(row) || row[j] == Cell::Null)
            })
            .collect();
        let columns: Vec<Column> =
            names.iter().enumerate().map(|(j, name)| Column::new(name, j, &cells, options)).collect();
        let rows = cells
            .iter()
            .map(|row| row.iter().zip(&columns).map(|(cell, column)| column.show(cell)).collect())
            .collect();
        Ok(Shown { names, numbers, rows })
    }
}

impl ExportOptions {
    fn check_columns(&self, names: &[String]) -> Result<()> {
        let decimals: Vec<&String> = match &self.decimals {
            Decimals::Each(map) => map.keys().collect(),
            Decimals::All(_) => vec![],
        };
        for name in decimals.into_iter().chain(&self.signed).chain(&self.bold) {
            if !names.contains(name) {
                return Err(Error::unknown("column", name, names.iter().map(String::as_str)));
            }
        }
        match self.decimals.greatest() {
            n if n > MOST => Err(Error::argument(format!("a number is shown with at most {MOST} decimals; got {n}"))),
            _ => Ok(()),
        }
    }
}

/// How the cells of one column are shown.
struct Column {
    decimals: usize,
    signed: bool,
    /// The greatest number as shown, if it is bold; all numbers that look equal to it are bold.
    best: Option<String>,
}

impl Column {
    fn new(name: &String, at: usize, rows: &[Vec<Cell>], options: &ExportOptions) -> Column {
        let column = Column { decimals: options.decimals.of(name), signed: options.signed.contains(name), best: None };
        if !options.bold.contains(name) {
            return column;
        }
        let greatest =
            rows.iter().map(|row| &row[at]).filter_map(|c| Some((value(c)?, c))).max_by(|a, b| a.0.total_cmp(&b.0));
        Column { best: greatest.map(|(_, cell)| column.text(cell)), ..column }
    }

    fn show(&self, cell: &Cell) -> ShownCell {
        let (text, value) = (self.text(cell), value(cell));
        ShownCell { bold: value.is_some() && self.best.as_ref() == Some(&text), text, value }
    }

    fn text(&self, cell: &Cell) -> String {
        let decimals = self.decimals;
        match cell {
            Cell::Float(x) if !x.is_finite() => String::new(),
            Cell::Float(x) => {
                let text = format!("{x:.decimals$}");
                // A number that rounds to zero has no sign.
                let zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
                let text = if zero { text.trim_start_matches('-').to_string() } else { text };
                if self.signed && !zero && *x > 0.0 { format!("+{text}") } else { text }
            }
            Cell::Int(n) if self.signed && *n > 0 => format!("+{n}"),
            other => other.to_string(),
        }
    }
}

fn value(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Int(n) => Some(*n as f64),
        Cell::Float(x) => Some(*x).filter(|x| x.is_finite()),
        _ => None,
    }
}

/// GitHub's Markdown, which most other programs read: a header, a line of alignments, one line per row.
///
/// Errors: options that name an unknown column.
pub fn markdown(table: &Table, options: &ExportOptions) -> Result<String> {
    let shown = Shown::new(table, options)?;
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(shown.names.iter().map(|n| in_markdown(n)).collect());
    text += &line(shown.numbers.iter().map(|n| if *n { "---:".into() } else { ":---".into() }).collect());
    for row in &shown.rows {
        let cells = row.iter().zip(&shown.numbers).map(|(cell, number)| match (cell.bold, number) {
            (true, _) => format!("**{}**", cell.text),
            // Numbers contain no Markdown syntax.
            (false, true) => cell.text.clone(),
            (false, false) => in_markdown(&cell.text),
        });
        text += &line(cells.collect());
    }
    Ok(text)
}

/// Text escaped for Markdown.
fn in_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' | '$' => {
                escaped.extend(['\\', c])
            }
            c => escaped.push(c),
        }
    }
    escaped.trim().to_string()
}

/// A LaTeX `tabular` with the rules of the package booktabs, in a `table` if there is a caption or a label.
///
/// Errors: options that name an unknown column.
pub fn latex(table: &Table, options: &ExportOptions) -> Result<String> {
    let shown = Shown::new(table, options)?;
    let floats = !options.caption.is_empty() || !options.label.is_empty();
    let mut lines: Vec<String> = Vec::new();
    if floats {
        lines.extend(["\\begin{table}[t]".into(), "\\centering".into()]);
        if !options.caption.is_empty() {
            lines.push(format!("\\caption{{{}}}", in_latex(&options.caption)));
        }
        if !options.label.is_empty() {
            let plain = |c: char| if c.is_ascii_alphanumeric() || ":.-_".contains(c) { c } else { '-' };
            lines.push(format!("\\label{{{}}}", options.label.chars().map(plain).collect::<String>()));
        }
    }
    let columns: String = shown.numbers.iter().map(|n| if *n { 'r' } else { 'l' }).collect();
    lines.push(format!("\\begin{{tabular}}{{{columns}}}"));
    let line = |cells: Vec<String>| format!("{} \\\\", cells.join(" & "));
    lines.push("\\toprule".into());
    lines.push(line(shown.names.iter().map(|n| in_latex(n)).collect()));
    lines.push("\\midrule".into());
    for row in &shown.rows {
        let cells = row.iter().zip(&shown.numbers).map(|(cell, number)| {
            let text = match (cell.text.is_empty(), number) {
                (true, true) => "--".to_string(),
                (false, true) => cell.text.replace('-', "$-$").replace('+', "$+$"),
                _ => in_latex(&cell.text),
            };
            if cell.bold { format!("\\textbf{{{text}}}") } else { text }
        });
        lines.push(line(cells.collect()));
    }
    lines.extend(["\\bottomrule".into(), "\\end{tabular}".into()]);
    if floats {
        lines.push("\\end{table}".into());
    }
    Ok(lines.join("\n") + "\n")
}

/// Text escaped for LaTeX, with any font encoding.
fn in_latex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("$<$"),
            '>' => escaped.push_str("$>$"),
            '|' => escaped.push_str("$|$"),
            // After the end of a row these would be read as its arguments.
            '[' | ']' | '*' => escaped.extend(['{', c, '}']),
            '−' => escaped.push_str("$-$"),
            '±' => escaped.push_str("$\\pm$"),
            '×' => escaped.push_str("$\\times$"),
            '·' => escaped.push_str("$\\cdot$"),
            'Δ' => escaped.push_str("$\\Delta$"),
            '≤' => escaped.push_str("$\\le$"),
            '≥' => escaped.push_str("$\\ge$"),
            '→' => escaped.push_str("$\\to$"),
            '√' => escaped.push_str("$\\surd$"),
            '–' => escaped.push_str("--"),
            '…' => escaped.push_str("\\ldots{}"),
            '\n' | '\r' | '\t' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped.trim().to_string()
}
