//! The documentation of every word as Markdown (docs/reference), and as definitions for editors.

use std::path::Path;

use super::kind::Kind;
use super::modules::STDLIB;
use super::session::Session;
use super::vocabulary;
use super::word::{Chapter, Word};
use super::{library_docs, options};
use crate::error::{Error, Result};
use crate::files;
use crate::options::OptionDoc;

/// The pages, as file name and text: one per chapter, one for the kinds of values, one for the libraries, and an index.
pub fn pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut index =
        "# Reference\n\nMade by `cpsd doc --reference docs/reference` from the output of `cpsd doc` and `?word`.\n"
            .to_string();
    for chapter in Chapter::ALL {
        let words: Vec<&&Word> = vocabulary::words().iter().filter(|w| w.chapter == chapter).collect();
        if words.is_empty() {
            continue;
        }
        let file = format!("{}.md", chapter.title().to_lowercase().replace(' ', "-"));
        index.push_str(&format!("\n## [{}]({file})\n\n", chapter.title()));
        let mut page = format!("# {}\n", chapter.title());
        for word in words {
            index.push_str(&format!("- [`{}`]({file}#{}): {}\n", word.name, word.name, word.summary));
            page.push_str(&of_word(word));
        }
        pages.push((file, page));
    }
    index.push_str("\n## [Kinds of values](values.md)\n\n");
    let mut page = "# Kinds of values\n".to_string();
    for kind in vocabulary::kinds() {
        index.push_str(&format!("- [`{}`](values.md#{}): {}\n", kind.name, kind.name.to_lowercase(), kind.summary));
        page.push_str(&of_kind(kind));
    }
    pages.push(("values.md".into(), page));
    index.push_str("\n## [Libraries](libraries.md)\n\n");
    let mut page = "# Libraries\n".to_string();
    for (name, source) in STDLIB {
        let first = library_docs::first_line(source);
        index.push_str(&format!("- [`{name}`](libraries.md#{name}): {first}\n"));
        page.push_str(&format!("\n## {name}\n\n{first}\n\n`import \"{name}\" as {name};`\n"));
        for (signature, comment) in library_docs::library_functions(source) {
            page.push_str(&format!("\n### `{name}::{signature}`\n\n{}\n", comment.replace('\n', " ")));
        }
    }
    pages.push(("libraries.md".into(), page));
    pages.push(("README.md".into(), index));
    pages
}

fn of_word(word: &Word) -> String {
    format!("\n## {}\n\n{}", word.name, word_text(word))
}

/// Signatures, text, options and examples of a word as Markdown.
pub fn word_text(word: &Word) -> String {
    let mut page = format!("```rust\n{}\n```\n\n{}\n", word.signatures.join("\n"), word.summary);
    if !word.details.is_empty() {
        page.push_str(&format!("\n{}\n", word.details));
    }
    if let Some(options) = &word.options {
        let defaults = (options.defaults)();
        page.push_str("\n| option | default | |\n|---|---|---|\n");
        for OptionDoc { key, text } in (options.docs)() {
            let default =
                defaults.get(key).map_or(String::new(), |value| format!("`{}`", cell(&options::literal(value))));
            page.push_str(&format!("| `{key}` | {default} | {} |\n", cell(text)));
        }
    }
    for example in word.examples {
        page.push_str(&format!("\n```rust\n{}\n```\n", example.code));
        if !example.prints.is_empty() {
            page.push_str(&format!("\ngives (in part) `{}`\n", example.prints));
        }
    }
    page
}

fn of_kind(kind: &Kind) -> String {
    let mut page = format!("\n## {}\n\n{}\n\n| member | |\n|---|---|\n", kind.name, kind.summary);
    for member in kind.members {
        page.push_str(&format!("| `.{}` | {} |\n", cell(member.usage), cell(member.doc)));
    }
    page
}

/// Escapes bars, which would end a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Writes the pages into a folder, and returns their number. Errors: Io.
pub fn write(folder: &Path) -> Result<usize> {
    let pages = pages();
    for (name, text) in &pages {
        files::write(&folder.join(name), text.as_bytes())?;
    }
    Ok(pages.len())
}

/// Writes `.d.rhai` files, from which Rhai's language server completes. Errors: Io.
pub fn write_definitions(session: &Session, folder: &Path) -> Result<()> {
    files::create_folders(folder)?;
    session.engine.definitions().with_headers(true).write_to_dir(folder).map_err(|e| Error::io(folder, e))
}
