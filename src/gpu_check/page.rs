//! The outcomes as one page of Markdown.

use super::{Check, Outcome};

/// The page of these checks, each with its outcome and seconds. `under_way`: the check that follows, at which the page of a process that
/// goes no further was stopped.
pub fn page(done: &[(&Check, Outcome, f64)], under_way: Option<&Check>) -> String {
    let mut page = String::from("# GPU check of cpsd\n\n");
    if let Some(check) = under_way {
        page.push_str(&format!("**Not complete: stopped during {}.**\n\n", check.name));
    }
    page.push_str(&table(
        &["check", "verdict", "seconds"].map(String::from),
        &done
            .iter()
            .map(|(check, outcome, seconds)| {
                vec![check.name.to_string(), outcome.verdict.name().to_string(), format!("{seconds:.0}")]
            })
            .collect::<Vec<_>>(),
    ));
    for (check, outcome, _) in done {
        page.push_str(&format!("\n## {}: {}\n\n{}\n", check.name, outcome.verdict.name(), check.question));
        if !outcome.rows.is_empty() {
            page.push('\n');
            page.push_str(&table(&outcome.columns, &outcome.rows));
        }
        if !outcome.notes.is_empty() {
            page.push('\n');
            outcome.notes.iter().for_each(|note| page.push_str(&format!("- {}\n", cell(note))));
        }
    }
    page
}

fn table(columns: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(|c| cell(c)).collect::<Vec<_>>().join(" | "));
    let rule = format!("|{}\n", "---|".repeat(columns.len()));
    [line(columns), rule].into_iter().chain(rows.iter().map(|row| line(row))).collect()
}

/// Text without what would end a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::{CHECKS, Outcome};
    use super::*;

    #[test]
    fn a_page_has_every_check_with_its_table_and_notes() {
        let mut outcome = Outcome::new(&["what", "is"]);
        outcome.row(["a|b".into(), "two\nlines".into()]);
        outcome.fail("it broke");
        let done = [(&CHECKS[0], outcome, 1.4), (&CHECKS[1], Outcome::skipped("no GPU"), 0.0)];
        assert!(super::page(&done, Some(&CHECKS[2])).contains("Not complete: stopped during heads."));
        let page = page(&done, None);
        assert!(!page.contains("stopped"), "{page}");
        assert!(page.contains("| environment | FAILED | 1 |\n| warnings | skipped | 0 |\n"), "{page}");
        assert!(page.contains("| what | is |\n|---|---|\n| a\\|b | two lines |\n\n- it broke\n"), "{page}");
        assert!(page.contains("## warnings: skipped") && page.contains("- no GPU"), "{page}");
    }
}
