//! The documentation of every word as Markdown (docs/reference), and as definitions for editors.

use std::path::Path;

use super::keywords::{KEYWORDS, Keyword};
use super::kind::Kind;
use super::modules::STDLIB;
use super::own_types::{OWN_TYPES, OwnType};
use super::session::Session;
use super::vocabulary;
use super::word::{Chapter, Word};
use super::{library_docs, options};
use crate::error::{Error, Result};
use crate::files;
use crate::options::OptionDoc;

/// The pages, as file name and text: one per chapter, two for the kinds of values, one for the
/// keywords, one for the libraries, and an index.
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
    index.push_str("\n## [Values of Rhai](own-values.md)\n\n");
    let mut page = "# Values of Rhai\n\nThe kinds of values that the language has by itself.\n".to_string();
    for own in OWN_TYPES {
        index.push_str(&format!("- [`{}`](own-values.md#{}): {}\n", own.name, own.name, first_sentence(own.summary)));
        page.push_str(&of_own_type(own));
    }
    pages.push(("own-values.md".into(), page));
    index.push_str("\n## [Keywords](keywords.md)\n\n");
    let mut page = "# Keywords\n\nKeywords, operators and functions of Rhai's own.\n".to_string();
    for keyword in KEYWORDS {
        let (name, text) = (keyword.name, first_sentence(keyword.text));
        index.push_str(&format!("- [`{name}`](keywords.md#{}): {text}\n", anchor(keyword)));
        page.push_str(&of_keyword(keyword));
    }
    pages.push(("keywords.md".into(), page));
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

fn of_own_type(own: &OwnType) -> String {
    let also = if own.also.is_empty() { String::new() } else { format!("\n\nAlso found as {}.", named(own.also)) };
    let mut page =
        format!("\n## {}\n\n{}{also}\n\n| member | | example | gives |\n|---|---|---|---|\n", own.name, own.summary);
    for member in own.members {
        let (code, prints) = member.example;
        let cells = [code_cell(member.usage), cell(member.doc), code_cell(code), code_cell(prints)];
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    page
}

fn of_keyword(keyword: &Keyword) -> String {
    let (code, prints) = keyword.example;
    let gives = if prints.is_empty() { String::new() } else { format!("\ngives `{prints}`\n") };
    let also =
        if keyword.also.is_empty() { String::new() } else { format!("\nAlso found as {}.\n", named(keyword.also)) };
    // Of a name of signs alone no heading has an anchor.
    let place = if keyword.name == anchor(keyword) { "" } else { &format!("<a id=\"{}\"></a>\n\n", anchor(keyword)) };
    format!(
        "\n{place}## {}\n\n```rust\n{}\n```\n\n{}\n\n```rust\n{code}\n```\n{gives}{also}",
        cell(keyword.name),
        keyword.usage,
        keyword.text
    )
}

/// The name under which a keyword's heading is found: its own, or those of its signs.
fn anchor(keyword: &Keyword) -> String {
    match keyword.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        true => keyword.name.to_string(),
        false => {
            let sign = |c: char| match c {
                '/' => "slash".to_string(),
                '?' => "question".to_string(),
                c => format!("sign{}", u32::from(c)),
            };
            keyword.name.chars().map(sign).collect::<Vec<_>>().join("-")
        }
    }
}

fn named(names: &[&str]) -> String {
    names.iter().map(|name| code_cell(name)).collect::<Vec<_>>().join(", ")
}

fn first_sentence(text: &str) -> &str {
    // Three dots end none.
    let end = text.match_indices(". ").find(|(at, _)| !text[..*at].ends_with('.'));
    end.map_or(text, |(at, _)| &text[..at + 1])
}

/// Code in a cell of a table. Code with a backtick stands between two.
fn code_cell(code: &str) -> String {
    let code = &code.replace('\n', " ");
    match (code.is_empty(), code.contains('`')) {
        (true, _) => String::new(),
        (_, true) => format!("`` {} ``", cell(code)),
        _ => format!("`{}`", cell(code)),
    }
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
