//! The documentation of one option by its name: every word and head that has it, with its text and default.

use colored::Colorize;

use super::docs::{short_default, wrap};
use super::head_docs::text_of;
use super::vocabulary;
use crate::models::heads::HEADS;

/// Column at which the text about an option begins.
const TEXT: usize = 4;

/// Options of one default and text, and who has them.
struct Entry {
    of: Vec<&'static str>,
    default: String,
    text: String,
}

/// The text for an option, or none if nothing has one of that name.
pub fn option_text(name: &str) -> Option<String> {
    let mut words: Vec<Entry> = Vec::new();
    for word in vocabulary::words() {
        let Some(options) = &word.options else { continue };
        for doc in (options.docs)().iter().filter(|doc| doc.key == name) {
            let default = (options.defaults)().get(name).map_or(String::new(), short_default);
            add(&mut words, word.name, default, doc.text.to_string());
        }
    }
    let mut heads: Vec<Entry> = Vec::new();
    for head in HEADS {
        for option in head.options.iter().filter(|option| option.name == name) {
            add(&mut heads, head.name, option.default().to_string(), text_of(option));
        }
    }
    if words.is_empty() && heads.is_empty() {
        return None;
    }
    let mut out = format!("{}\n", name.green().bold());
    for (what, entries) in [("an option of", words), ("one of the head_options of", heads)] {
        for Entry { of, default, text } in entries {
            let default = if default.is_empty() { default } else { format!(", {} by default", default.dimmed()) };
            out.push_str(&format!("\n{what} {}{default}\n", wrap(&of.join(", "), 0).cyan()));
            out.push_str(&format!("{:TEXT$}{}\n", "", wrap(&text, TEXT)));
        }
    }
    Some(out)
}

/// The name of every option, once.
pub fn option_names() -> impl Iterator<Item = &'static str> {
    let of_words = vocabulary::words().iter().filter_map(|word| word.options.as_ref()).flat_map(|o| (o.docs)());
    let of_heads = HEADS.iter().flat_map(|head| head.options).map(|option| option.name);
    let all: std::collections::BTreeSet<&str> = of_words.map(|doc| doc.key).chain(of_heads).collect();
    all.into_iter()
}

fn add(entries: &mut Vec<Entry>, of: &'static str, default: String, text: String) {
    match entries.iter_mut().find(|entry| entry.default == default && entry.text == text) {
        Some(entry) => entry.of.push(of),
        None => entries.push(Entry { of: vec![of], default, text }),
    }
}
