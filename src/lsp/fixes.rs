//! Repairs of findings: the name that was probably meant.

use lsp_types::{CodeAction, CodeActionKind, Diagnostic};
use serde_json::{Value, json};

use super::diagnostics::SOURCE;
use super::document::Document;

/// The name in "did you mean NAME?" of a line of help.
pub fn suggested(help: &str) -> Option<&str> {
    let name = help.split_once("did you mean ")?.1.split('?').next()?.trim_matches('"');
    (!name.is_empty() && name.chars().all(|c| !c.is_whitespace())).then_some(name)
}

/// The repairs of these findings of a document.
pub fn of(document: &Document, found: &[Diagnostic]) -> Vec<Value> {
    found.iter().filter_map(|finding| of_finding(document, finding)).collect()
}

fn of_finding(document: &Document, finding: &Diagnostic) -> Option<Value> {
    if finding.source.as_deref() != Some(SOURCE) {
        return None;
    }
    // An editor that keeps no data has the message.
    let data = finding.data.as_ref().and_then(|data| data["replacement"].as_str());
    let name = data.or_else(|| suggested(&finding.message))?;
    let (start, end) = (document.byte(finding.range.start), document.byte(finding.range.end));
    let written = document.text().get(start..end)?;
    // What is underlined is one word or one string, in its quotes.
    let new = match written.starts_with('"') {
        true => format!("\"{name}\""),
        false if written.chars().all(|c| c.is_alphanumeric() || c == '_') && !written.is_empty() => name.to_string(),
        false => return None,
    };
    let action = CodeAction {
        title: format!("Replace {written} by {new}"),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![finding.clone()]),
        is_preferred: Some(true),
        ..CodeAction::default()
    };
    let mut action = serde_json::to_value(action).ok()?;
    action["edit"] = json!({ "changes": { &document.uri: [{ "range": finding.range, "newText": new }] } });
    Some(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant_is_found() {
        assert_eq!(suggested("did you mean data?"), Some("data"));
        assert_eq!(suggested("did you mean \"restarts\"?"), Some("restarts"));
        assert_eq!(suggested("a new variable is made with let: let x = ...; or did you mean y?"), Some("y"));
        assert_eq!(suggested("it is f(a) or f(a, b)"), None);
        assert_eq!(suggested("did you mean to do that?"), None);
    }
}
