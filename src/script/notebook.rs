//! `cpsd doc --weave` into a notebook: the text and its code blocks as cells, which Jupyter runs.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::files;

/// Writes `into`, a notebook without outputs, from the Markdown text `source`. Each ```` ```rust ```` block is a cell. A figure that a block
/// saves, `figure.save("a.png");` on lines of its own, is shown: it ends its cell.
///
/// Errors: Io.
pub fn write(source: &Path, into: &Path) -> Result<()> {
    let text = files::read_text(source)?;
    let notebook = serde_json::to_string_pretty(&notebook(&text)).map_err(|e| Error::internal(e.to_string()))?;
    files::write(into, format!("{notebook}\n").as_bytes())
}

/// The notebook of a text.
pub fn notebook(text: &str) -> Value {
    let (mut cells, mut prose, mut code) = (Vec::new(), Vec::new(), None);
    for line in text.lines() {
        match &mut code {
            None if line.trim_end() == "```rust" => {
                cells.extend(cell(cells.len(), "markdown", &std::mem::take(&mut prose)));
                code = Some(Vec::new());
            }
            None => prose.push(line.to_string()),
            Some(block) if line.trim_end() == "```" => {
                for part in parts(&std::mem::take(block)) {
                    cells.extend(cell(cells.len(), "code", &part));
                }
                code = None;
            }
            Some(block) => block.push(line.to_string()),
        }
    }
    cells.extend(cell(cells.len(), "markdown", &prose));
    json!({
        "cells": cells,
        "metadata": {
            "kernelspec": { "name": "cpsd", "display_name": "cpsd", "language": "rhai" },
            "language_info": { "name": "rhai", "file_extension": ".rhai", "mimetype": "text/x-rustsrc" },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    })
}

/// The cells of a block: each ends with a figure that is shown, or with the block.
fn parts(block: &[String]) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new()];
    for line in block {
        let figure = [".png\");", ".svg\");"].iter().any(|ending| line.trim_end().ends_with(ending));
        let shown = line.rfind(".save(\"").filter(|_| figure).map(|at| line[..at].to_string());
        let ends = shown.is_some();
        if let Some(part) = parts.last_mut() {
            part.push(shown.unwrap_or_else(|| line.clone()));
        }
        if ends {
            parts.push(Vec::new());
        }
    }
    parts
}

/// A cell of these lines, without empty ones around; None if there are no others.
fn cell(number: usize, kind: &str, lines: &[String]) -> Option<Value> {
    let text = lines.join("\n");
    let text = text.trim_matches('\n');
    if text.trim().is_empty() {
        return None;
    }
    let source: Vec<&str> = text.split_inclusive('\n').collect();
    let mut cell = json!({ "cell_type": kind, "id": format!("cell-{number}"), "metadata": {}, "source": source });
    if kind == "code" {
        cell["execution_count"] = Value::Null;
        cell["outputs"] = json!([]);
    }
    Some(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cells_and_saved_figures_are_shown() {
        let text = "# Title\n\nProse.\n\n```rust\nlet a = 1;\nplot(#{a: [1.0]},\n    #{title: \"x\"}).save(\"a.png\");\n\nmodel.save(\"m.safetensors\");\n```\n\n```rust\na\n```\n\n```text\nkept\n```\n";
        let notebook = notebook(text);
        let cells: Vec<(String, String)> = notebook["cells"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cell| {
                let lines = cell["source"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
                (cell["cell_type"].as_str().unwrap().to_string(), lines.collect())
            })
            .collect();
        let expected = [
            ("markdown", "# Title\n\nProse."),
            ("code", "let a = 1;\nplot(#{a: [1.0]},\n    #{title: \"x\"})"),
            ("code", "model.save(\"m.safetensors\");"),
            ("code", "a"),
            ("markdown", "```text\nkept\n```"),
        ];
        assert_eq!(cells, expected.map(|(kind, text)| (kind.to_string(), text.to_string())));
    }
}
