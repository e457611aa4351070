//! The documentation of libraries, from their comments.

use colored::Colorize;

use crate::activity::width::{folded, of_text};
use crate::error::Error;

/// A library's functions with their `///` comments; only those named `function` if it is not empty.
pub(super) fn library_text(library: &str, source: &str, function: &str) -> Result<String, Error> {
    let functions = library_functions(source);
    let mut out = String::new();
    if function.is_empty() {
        out.push_str(&format!("{}\n\n", folded(first_line(source), of_text(), 0)));
    }
    let mut any = false;
    for (signature, comment) in &functions {
        let name = signature.split('(').next().unwrap_or_default();
        if function.is_empty() || name == function {
            any = true;
            out.push_str(&format!("{}\n", format!("{library}::{signature}").cyan().bold()));
            let comment = format!("    {}", comment.replace('\n', "\n    "));
            out.push_str(&format!("{}\n\n", folded(&comment, of_text(), 0)));
        }
    }
    if any {
        return Ok(out);
    }
    let names: Vec<&str> = functions.iter().map(|(s, _)| s.split('(').next().unwrap_or_default()).collect();
    Err(Error::unknown(&format!("function of {library}"), function, names))
}

/// Each public function of a library: its signature and its `///` comment.
pub fn library_functions(source: &str) -> Vec<(String, String)> {
    let (mut functions, mut comment) = (Vec::new(), Vec::new());
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            comment.push(text.trim().to_string());
        } else if let Some(rest) = line.strip_prefix("fn ") {
            if let Some((signature, _)) = rest.split_once('{') {
                functions.push((signature.trim().to_string(), comment.join("\n")));
            }
            comment.clear();
        } else {
            comment.clear();
        }
    }
    functions
}

/// A library's summary: its first line, without the slashes.
pub fn first_line(source: &str) -> &str {
    source.lines().next().unwrap_or_default().trim_start_matches('/').trim_start_matches('!').trim()
}

/// The text of the function `name` in `source`, its comment included: from its `fn` to the bracket that closes it.
pub fn function_source(source: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let starts = |line: &str| {
        let rest = line.trim_start().trim_start_matches("private ").strip_prefix("fn ")?;
        Some(rest.split(['(', ' ']).next().unwrap_or_default() == name)
    };
    let at = lines.iter().position(|line| starts(line) == Some(true))?;
    let comment = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with("///")).count();
    let mut open = 0;
    let mut body = false;
    for (i, line) in lines.iter().enumerate().skip(at) {
        let code = line.split("//").next().unwrap_or_default();
        open += code.matches('{').count() as i64 - code.matches('}').count() as i64;
        body |= code.contains('{');
        if body && open <= 0 {
            return Some(lines[at - comment..=i].join("\n"));
        }
    }
    None
}
