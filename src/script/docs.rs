//! The documentation of words, kinds and libraries as text, for `cpsd doc` and `?word`.

use colored::Colorize;

use super::head_docs::head_text;
use super::keywords::{self, KEYWORDS};
use super::kind::Kind;
use super::library_docs::{first_line, library_text};
use super::modules::STDLIB;
use super::option_docs::{option_names, option_text};
use super::own_docs::{keyword_text, member_text, members_text, own_type_text};
use super::own_types::{self, OWN_TYPES};
use super::topics::{TOPICS, backbone_text, system_text};
use super::word::{Chapter, Word};
use super::{options, vocabulary};
use crate::activity::width;
use crate::error::{Error, nearest};
use crate::models::backbones::BACKBONES;
use crate::models::heads::HEADS;
use crate::options::OptionDoc;
use crate::training::recipes::{self, SYSTEMS};

/// The text for one name: a word, a kind, a keyword, a library, a topic, a head, a backbone, a recipe, an option or a member. A name with a `*` is a pattern
/// ([`search`](super::search::search)). Without a name, all words by chapter.
///
/// Errors: an unknown name, with those that may be meant; a pattern that nothing fits.
pub fn doc(name: Option<&str>) -> Result<String, Error> {
    let Some(name) = name else { return Ok(overview()) };
    if name.len() > 1 && name.contains('*') && !["**", "/*", "*/"].contains(&name) {
        let found = super::search::search(name);
        let nothing = || Error::argument(format!("nothing fits the pattern \"{name}\"")).about_name(name);
        return if found.is_empty() {
            Err(nothing().with_help("?*part* looks into names and lines, ?part* at the beginning of names"))
        } else {
            Ok(found)
        };
    }
    if let Some(topic) = TOPICS.iter().find(|t| t.0 == name) {
        return Ok((topic.2)());
    }
    if let Some(word) = vocabulary::find(name) {
        let mut text = word_text(word);
        if let Some(kind) = vocabulary::kinds().iter().find(|k| k.name.eq_ignore_ascii_case(name)) {
            text.push('\n');
            text.push_str(&kind_text(kind));
        }
        return Ok(text);
    }
    if let Some(kind) = vocabulary::kinds().iter().find(|k| k.name.eq_ignore_ascii_case(name)) {
        return Ok(kind_text(kind));
    }
    if let Some(text) = own_text(name) {
        return Ok(text);
    }
    let (library, function) = name.split_once("::").unwrap_or((name, ""));
    if let Some((_, source)) = STDLIB.iter().find(|(n, _)| *n == library) {
        return library_text(library, source, function);
    }
    if let Some(head) = HEADS.iter().find(|head| head.name == name) {
        return Ok(head_text(head));
    }
    if let Some(kind) = BACKBONES.iter().find(|kind| kind.name == name) {
        return Ok(backbone_text(kind));
    }
    if let Some(system) = SYSTEMS.iter().find(|system| system.name == name) {
        return Ok(system_text(system));
    }
    if let Some((name, data, summary)) = recipes::table().into_iter().find(|row| row.0 == name) {
        return Ok(format!("{}\n  {summary}, on {data}: recipe(\"{name}\")\n", name.cyan().bold()));
    }
    if let Some(text) = option_text(name).or_else(|| member_text(name)) {
        return Ok(text);
    }
    Err(unknown(name))
}

/// So many names in whose lines a text is are named.
const SAID: usize = 4;

/// The error of a name that is not known. Its help has the names that are parts of it (`batch` of `batch_size`), the nearest one, and those in whose lines it is.
fn unknown(name: &str) -> Error {
    let error = Error::argument(format!("unknown word or option \"{name}\"")).about_name(name);
    let parts = name.split(['_', '-', '.', ' ']).filter(|part| part.len() > 2);
    let mut near: Vec<&str> = parts.filter_map(|part| names().find(|known| *known == part)).collect();
    if let Some(nearest) = nearest(name, names())
        && !near.contains(&nearest)
    {
        near.push(nearest);
    }
    let quoted: Vec<String> = near.iter().map(|near| format!("\"{near}\"")).collect();
    let meant = (!quoted.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")));
    // What begins a name is not asked for as a part of lines.
    let is_begun = near.iter().any(|near| near.contains(name)) || name.len() < 3;
    // A name's words are words of sentences in the lines.
    let said = [name.to_string(), name.replace(['_', '-'], " ")].into_iter().find_map(|text| {
        let found = if is_begun { vec![] } else { super::search::mentioning(&text) };
        let more = found.len().saturating_sub(SAID);
        let dots = if more > 0 { format!(" and {more} more") } else { String::new() };
        let few = found.iter().take(SAID).map(String::as_str).collect::<Vec<_>>().join(", ");
        (!found.is_empty()).then(|| format!("\"{text}\" is in the lines of {few}{dots}: *{text}* shows them"))
    });
    let help = [meant, said].into_iter().flatten().collect::<Vec<_>>().join(" ");
    match help.is_empty() {
        true => error.with_help("*part* shows all names and lines with a part, as in cpsd doc '*learn*'"),
        false => error.with_help(help),
    }
}

/// A kind of value or a keyword of Rhai's own; below it the option of that name, if there is one.
fn own_text(name: &str) -> Option<String> {
    let own = own_types::find(name).map(own_type_text).or_else(|| keywords::find(name).map(keyword_text))?;
    let option = option_text(name).map_or(String::new(), |text| format!("\n{text}"));
    Some(format!("{own}{option}"))
}

/// Every name that `doc` knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    vocabulary::words()
        .iter()
        .map(|w| w.name)
        .chain(vocabulary::kinds().iter().map(|k| k.name))
        .chain(STDLIB.iter().map(|(n, _)| *n))
        .chain(TOPICS.iter().map(|t| t.0))
        .chain(HEADS.iter().map(|h| h.name))
        .chain(BACKBONES.iter().map(|b| b.name))
        .chain(recipes::table().into_iter().map(|r| r.0))
        .chain(SYSTEMS.iter().map(|s| s.name))
        .chain(OWN_TYPES.iter().flat_map(|own| std::iter::once(own.name).chain(own.also.iter().copied())))
        .chain(KEYWORDS.iter().flat_map(|keyword| std::iter::once(keyword.name).chain(keyword.also.iter().copied())))
        .chain(option_names())
}

fn overview() -> String {
    let mut out = String::new();
    for chapter in Chapter::ALL {
        let words: Vec<&&Word> = vocabulary::words().iter().filter(|w| w.chapter == chapter).collect();
        if words.is_empty() {
            continue;
        }
        out.push_str(&format!("{}\n", chapter.title().bold()));
        for word in words {
            out.push_str(&format!("  {:<20} {}\n", word.name.cyan(), wrap(word.summary, 23)));
        }
        out.push('\n');
    }
    let listed = |names: Vec<&str>| wrap(&names.join(", "), 2);
    out.push_str(&format!("{}\n  {}\n", "Values".bold(), listed(vocabulary::kinds().iter().map(|k| k.name).collect())));
    out.push_str(&format!("  {}\n\n", listed(OWN_TYPES.iter().map(|own| own.name).collect())));
    out.push_str(&format!("{}\n  {}\n\n", "Keywords".bold(), listed(KEYWORDS.iter().map(|k| k.name).collect())));
    out.push_str(&format!("{}\n", "Libraries (import \"name\" as n;)".bold()));
    for (name, source) in STDLIB {
        out.push_str(&format!("  {:<20} {}\n", name.cyan(), wrap(first_line(source), 23)));
    }
    out.push_str(&format!("\n{}\n", "Topics".bold()));
    for (name, line, _) in TOPICS {
        out.push_str(&format!("  {:<20} {}\n", name.cyan(), wrap(line, 23)));
    }
    out.push_str(
        "\ncpsd doc NAME shows one of them, cpsd doc '*PART*' all with a part; ?NAME and ?*PART* do at the prompt.\n",
    );
    out
}

/// Signature, summary, options with their defaults, examples.
pub fn word_text(word: &Word) -> String {
    let mut out = String::new();
    for signature in word.signatures {
        out.push_str(&format!("{}\n", signature.cyan().bold()));
    }
    out.push_str(&format!("\n{}\n", wrap(word.summary, 0)));
    if !word.details.is_empty() {
        out.push_str(&format!("\n{}\n", wrap(word.details, 0)));
    }
    if let Some(options) = &word.options {
        out.push_str(&format!("\n{}\n", "Options".bold()));
        let defaults = (options.defaults)();
        for OptionDoc { key, text } in (options.docs)() {
            let default = defaults.get(key).map_or(String::new(), short_default);
            out.push_str(&format!("  {:<16} {:<18} {}\n", key.green(), default.dimmed(), wrap(text, 38)));
        }
    }
    if !word.examples.is_empty() {
        out.push_str(&format!("\n{}\n", "Example".bold()));
        for example in word.examples {
            for line in example.code.lines() {
                out.push_str(&format!("  {line}\n"));
            }
        }
    }
    out
}

/// Summary, fields and methods of a kind of value.
pub fn kind_text(kind: &Kind) -> String {
    let mut out = format!("{}\n\n{}\n\n", kind.name.cyan().bold(), wrap(kind.summary, 0));
    out.push_str(&members_text(kind));
    out
}

/// A default for the list of options. Nested maps are cut short; their keys are documented at the option.
pub(super) fn short_default(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(map) => match map.get("name").or_else(|| map.get("backbone")) {
            Some(serde_json::Value::String(name)) => format!("{name} ..."),
            _ => "#{...}".into(),
        },
        other => options::literal(other),
    }
}

/// Breaks text at spaces into lines of [`width::of_text`]. Lines after the first begin with `indent` spaces.
pub fn wrap(text: &str, indent: usize) -> String {
    let mut lines = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // In a narrow terminal a column far to the right still has some words per line.
    textwrap::fill_inplace(&mut lines, width::of_text().saturating_sub(indent).max(16));
    lines.replace('\n', &format!("\n{:indent$}", ""))
}

#[cfg(test)]
mod tests {
    use super::super::search::search;
    use super::*;

    #[test]
    fn a_name_that_is_not_known_has_its_parts_and_lines_suggested() {
        crate::primitives::install();
        let help = |name: &str| doc(Some(name)).unwrap_err().help.unwrap();
        assert!(help("batch_size").starts_with("did you mean \"batch\" or \"size\"?"), "{}", help("batch_size"));
        assert_eq!(help("affintiy"), "did you mean \"affinity\"?");
        // The option lr is the learning rate.
        let of_lr = help("learning_rate");
        assert!(
            of_lr.contains("\"learning rate\" is in the lines of lr") && of_lr.contains("*learning rate*"),
            "{of_lr}"
        );
        assert!(search("*learning rate*").contains("lr"));
        assert!(help("qqqq").contains("*part*") && help("distil") == "did you mean \"distill\"?", "{}", help("distil"));
    }

    #[test]
    fn lines_are_broken_at_spaces_and_indented() {
        let (a, b, c) = ("a".repeat(40), "b".repeat(36), "c-c ".repeat(30).replace(' ', "-"));
        assert_eq!(wrap(&format!("{a}  {b}\n× {c}"), 23), format!("{a} {b}\n{:23}×\n{:23}{c}", "", ""));
        assert_eq!(wrap(&format!("{a} {b}b"), 23), format!("{a}\n{:23}{b}b", ""));
    }
}
