//! Tables and what has tables as HTML. A click on a header sorts them.

use maud::{Markup, PreEscaped, html};

use crate::error::Result;
use crate::labels::{LabelTable, Statistics};
use crate::metrics::Evaluation;
use crate::primitives::values::evaluation::per_label;
use crate::tables::{Cell, Table, printed};

/// So many rows and columns are shown.
const ROWS: usize = 500;
const COLUMNS: usize = 40;

/// The first rows and columns, and a line that says what is left out.
pub fn table(table: &Table) -> Markup {
    let (height, names) = (table.height(), table.columns());
    let mut columns = printed(table, ROWS);
    columns.truncate(COLUMNS);
    let rows = columns.first().map_or(0, |(_, cells, _)| cells.len());
    html! {
        div {
            (grid(&columns))
            @if names.is_empty() { p { "a table of no columns" } }
            @if rows < height || height == 0 {
                p {
                    @if rows < height { "the first " (grouped(rows)) " of " }
                    (grouped(height)) " rows"
                    @if rows < height { "; t.sort(column), t.filter(condition) and t.tail(n) show others" }
                }
            }
            @if columns.len() < names.len() {
                p { (names.len() - columns.len()) " more columns: " (some(&names[columns.len()..])) }
            }
        }
    }
}

/// Columns, each with its name, its cells and whether they are numbers.
fn grid(columns: &[(String, Vec<String>, bool)]) -> Markup {
    let rows = columns.first().map_or(0, |(_, cells, _)| cells.len());
    let side = |number: bool| if number { "text-align: right" } else { "text-align: left" };
    html! {
        table.dataframe.cpsd {
            thead { tr {
                @for (name, _, number) in columns {
                    th style=(side(*number)) data-number[*number] { (name) }
                }
            } }
            tbody {
                @for row in 0..rows {
                    tr { @for (_, cells, number) in columns { td style=(side(*number)) { (cells[row]) } } }
                }
            }
        }
        @if rows > 1 { script { (PreEscaped(SORT)) } }
    }
}

/// The numbers of an evaluation as its text has them, and those of its labels, which a click opens.
///
/// Errors: none that is known: a table of its labels can be made.
pub fn evaluation(evaluation: &Evaluation) -> Result<Markup> {
    let (lines, labels) = (evaluation.lines(), per_label(evaluation)?);
    let names = lines.iter().map(|line| line.name.clone()).collect();
    let mut columns = vec![(String::new(), names, false)];
    for (i, name) in evaluation.columns().into_iter().enumerate() {
        let cells = lines.iter().map(|line| line.numbers()[i].map_or(String::new(), |x| format!("{x:.1}")));
        columns.push((name.to_string(), cells.collect(), true));
    }
    Ok(html! {
        div {
            p { (evaluation.heading()) }
            (grid(&columns))
            @for remark in evaluation.remarks().lines() { div { (remark) } }
            @if !evaluation.per_label.is_empty() {
                details { summary { "by label" } (table(&labels.0)) }
            }
        }
    })
}

/// The numbers of a label table, and its labels with the images that each has, the most frequent first.
///
/// Errors: none that is known: a table of its labels can be made.
pub fn labels(labels: &LabelTable) -> Result<Markup> {
    let s = Statistics::of(labels);
    let mut order: Vec<usize> = (0..s.labels).collect();
    order.sort_by(|&a, &b| s.counts[b].cmp(&s.counts[a]).then_with(|| labels.labels()[a].cmp(&labels.labels()[b])));
    let row = |&label: &usize| {
        let share = s.counts[label] as f64 / s.images.max(1) as f64;
        vec![labels.labels()[label].as_str().into(), Cell::Int(s.counts[label] as i64), Cell::Float(100.0 * share)]
    };
    let names = ["label", "images", "share in %"].map(String::from);
    let counts = Table::from_rows(&names, order.iter().map(row).collect())?;
    Ok(html! {
        div {
            p {
                strong { "LabelTable" } ": " (grouped(s.images)) " images, " (grouped(s.labels)) " labels, "
                (format!("{:.2}", s.cardinality)) " labels per image (density " (format!("{:.2}", 100.0 * s.density)) " %)"
                @if s.unlabelled > 0 { ", " (grouped(s.unlabelled)) " images without a label" }
                @if s.unknown > 0 { ", " (grouped(s.unknown as usize)) " entries unknown" }
            }
            (table(&counts))
        }
    })
}

fn grouped(n: usize) -> String {
    crate::labels::grouped(n as u64)
}

/// A list that does not fill the page.
fn some(names: &[String]) -> String {
    let shown = names[..names.len().min(COLUMNS)].join(", ");
    if names.len() > COLUMNS { format!("{shown}, …") } else { shown }
}

/// A click on a header sorts the rows shown, another one turns them around.
const SORT: &str = r#"(() => {
  const table = document.currentScript && document.currentScript.previousElementSibling;
  if (!table || !table.tBodies) return;
  const body = table.tBodies[0], rows = [...body.rows];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const number = head.hasAttribute("data-number");
    let turn = number ? -1 : 1;
    head.style.cursor = "pointer";
    head.title = "sort";
    const key = (row) => number ? parseFloat(row.cells[column].textContent) : row.cells[column].textContent;
    head.addEventListener("click", () => {
      const sorted = rows.map((row) => [key(row), row]).sort(([a], [b]) => {
        if (number && (isNaN(a) || isNaN(b))) return isNaN(a) - isNaN(b);
        return turn * (number ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      });
      body.append(...sorted.map(([, row]) => row));
      turn = -turn;
    });
  });
})()"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: usize, columns: usize) -> String {
        let columns = (0..columns).map(|c| (format!("c<{c}>"), (0..rows as i64).map(Cell::from).collect())).collect();
        table(&Table::from_columns(columns).unwrap()).into_string()
    }

    #[test]
    fn texts_are_escaped_and_numbers_are_as_they_are_printed() {
        let columns = vec![
            ("<script>x</script>".to_string(), vec!["<b>&\"".into(), Cell::Null]),
            ("n".to_string(), vec![Cell::Float(0.5), Cell::Float(12.25)]),
        ];
        let page = table(&Table::from_columns(columns).unwrap()).into_string();
        assert!(page.contains("&lt;script&gt;x&lt;/script&gt;") && page.contains("&lt;b&gt;&amp;&quot;"), "{page}");
        assert!(page.contains(">0.50<") && page.contains(">12.25<") && !page.contains("<script>x"), "{page}");
    }

    #[test]
    fn long_tables_are_cut_say_so_and_are_sorted_by_a_click() {
        let page = of(1234, 50);
        assert_eq!(page.matches("<tr>").count(), 1 + ROWS);
        assert!(
            page.contains("the first 500 of 1,234 rows") && page.contains("10 more columns: c&lt;40&gt;"),
            "{page}"
        );
        assert!(page.contains("<script>"));
        let short = of(2, 2);
        assert!(short.contains("<script>") && !short.contains("rows</p>"), "{short}");
        assert!(!of(1, 2).contains("<script>") && of(0, 1).contains("0 rows"));
    }

    #[test]
    fn evaluations_have_the_lines_of_their_text_and_their_labels() {
        let mut session = crate::primitives::session();
        let code =
            "metrics(tensor([[0.9, 0.2], [0.4, 0.7], [0.8, 0.6]]), tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))";
        let value = session.eval(code, "test").unwrap();
        let found = value.read_lock::<Evaluation>().unwrap();
        let page = evaluation(&found).unwrap().into_string();
        let text = found.to_string();
        for line in found.lines() {
            assert!(page.contains(&format!(">{}</td>", line.name)) && text.contains(&line.name), "{page}");
        }
        assert!(page.contains(&format!("<p>{}</p>", found.heading())) && text.starts_with(&found.heading()), "{page}");
        assert!(page.contains(">mAP</th>") && page.contains(&format!(">{:.1}</td>", found.map)), "{page}");
        assert!(page.contains("<summary>by label</summary>") && page.matches("<table").count() == 2, "{page}");
    }
}
