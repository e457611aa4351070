//! The HTML of tables, figures and the whole document.

use maud::{Markup, PreEscaped, html};

use super::export::{Shown, latex, markdown};
use super::sheets::Sheet;
use crate::error::Result;
use crate::plots::{Figure, qualitative};

/// The colour of a subject, the same in all figures and tables.
fn dot(subject: Option<usize>) -> Markup {
    html! { @if let Some(i) = subject { span.dot style={ "background:" (qualitative(i).hex()) } {} } }
}

/// A table that is sorted by its headers, with its text for papers; its CSV guarded as [`Table::guarded`](crate::tables::Table::guarded) does, if `spreadsheet`.
pub fn sheet(sheet: &Sheet, spreadsheet: bool) -> Result<Markup> {
    let shown = Shown::new(&sheet.table, &sheet.options)?;
    Ok(html! {
        div.sheet.wrapped[sheet.wrapped] id=(sheet.id) {
            div.bar {
                h3 id={ (sheet.id) "-title" } { (sheet.title) }
                (exports(sheet, spreadsheet)?)
            }
            div.scroll tabindex="0" role="region" aria-labelledby={ (sheet.id) "-title" } {
                table.sortable aria-labelledby={ (sheet.id) "-title" } {
                    thead { tr {
                        @for (name, number) in shown.names.iter().zip(&shown.numbers) {
                            th.num[*number] scope="col" aria-sort="none" {
                                button type="button" { (name) span.arrow aria-hidden="true" {} }
                            }
                        }
                    } }
                    tbody {
                        @for (row, subject) in shown.rows.iter().zip(&sheet.subjects) {
                            tr {
                                @for (j, (cell, number)) in row.iter().zip(&shown.numbers).enumerate() {
                                    @let value = cell.value.map(|v| v.to_string());
                                    @if j == 0 {
                                        th.num[*number] scope="row" data-value=[value] { (dot(*subject)) (cell.text) }
                                    } @else if cell.text.is_empty() {
                                        td.none.num[*number] { "–" }
                                    } @else {
                                        td.num[*number] data-value=[value] {
                                            @if cell.bold { strong { (minus(&cell.text)) } } @else if *number { (minus(&cell.text)) } @else { (cell.text) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if !sheet.note.is_empty() { p.note { (sheet.note) } }
        }
    })
}

/// A number with a real minus sign.
fn minus(number: &str) -> String {
    number.replace('-', "−")
}

fn exports(sheet: &Sheet, spreadsheet: bool) -> Result<Markup> {
    let csv = if spreadsheet { sheet.table.guarded()?.to_csv()? } else { sheet.table.to_csv()? };
    let forms = [
        ("LaTeX", latex(&sheet.table, &sheet.options)?),
        ("Markdown", markdown(&sheet.table, &sheet.options)?),
        ("CSV", csv),
    ];
    Ok(html! {
        details.export {
            summary { "Copy as" span.sr { " text: " (sheet.title) } }
            div.menu {
                @for (name, text) in &forms {
                    div.form data-form=(name.to_lowercase()) {
                        div.bar {
                            strong { (name) @if *name == "LaTeX" { small { " booktabs" } } }
                            button.copy type="button" aria-label={ "Copy " (name) } { "Copy" }
                        }
                        // Browsers drop a line break directly after the tag.
                        pre tabindex="0" { "\n" (text) }
                    }
                }
            }
        }
    })
}

/// A figure on a card. `pictures`: the figure contains pictures, whose colours a dark page does not change.
pub fn figure(figure: &Figure, pictures: bool, caption: &str) -> Markup {
    html! {
        figure class={ "card " @if pictures { "pictures" } @else { "drawn" } } {
            div.scroll tabindex="0" role="img" aria-label=(figure.title()) style={ "--natural:" (figure.width()) "px" } { (PreEscaped(figure.svg())) }
            figcaption {
                @if !caption.is_empty() { span { (caption) } }
                button.save type="button" data-name=(file_name(figure.title())) { "Save SVG" }
            }
        }
    }
}

fn file_name(title: &str) -> String {
    let plain: String =
        title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    format!("{}.svg", if words.is_empty() { "figure".into() } else { words.join("-") })
}

/// A section of a page.
pub struct Section {
    pub id: &'static str,
    pub title: &'static str,
    pub body: Markup,
}

/// The whole document. It fetches nothing, which its content policy enforces.
pub fn document(title: &str, head: &Markup, sections: &[Section]) -> String {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
    html! {
        (maud::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "cpsd " (env!("CARGO_PKG_VERSION")) };
                title { (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                a.skip href="#main" { "To the results" }
                nav aria-label="Sections" {
                    div {
                        ul { @for s in sections { li { a href={ "#" (s.id) } { (s.title) } } } }
                        button #theme type="button" { "Dark" }
                    }
                }
                header { h1 { (title) } (head) }
                main #main {
                    @for s in sections {
                        section id=(s.id) aria-labelledby={ (s.id) "-title" } {
                            h2 id={ (s.id) "-title" } { (s.title) }
                            (s.body)
                        }
                    }
                }
                footer { p { "Made by cpsd " (env!("CARGO_PKG_VERSION")) ". This page is one file: it loads nothing." } }
                p.sr #said role="status" {}
                script { (PreEscaped(include_str!("page.js"))) }
            }
        }
    }
    .into_string()
}
