//! Names by a pattern, for `?*freeze*` and `cpsd doc '*freeze*'`.

use std::collections::BTreeSet;

use colored::Colorize;
use glob::{MatchOptions, Pattern};

use super::docs::wrap;
use super::head_docs::text_of;
use super::keywords::KEYWORDS;
use super::library_docs::{first_line, library_functions};
use super::modules::STDLIB;
use super::option_parts::{PARTS, parts};
use super::own_types::OWN_TYPES;
use super::topics::TOPICS;
use super::vocabulary;
use crate::images::DATASETS;
use crate::losses::LOSSES;
use crate::models::backbones::BACKBONES;
use crate::models::heads::HEADS;
use crate::training::recipes::{self, SYSTEMS};

/// So many places of one option are named.
const PLACES: usize = 4;

/// Everything whose name fits a pattern, where `*` stands for any letters and `?` for one, one line per entry: words, kinds, members,
/// keywords, libraries, their functions, topics, heads, backbones, losses, data sets, recipes, and options with the places that have them.
/// `*part*` also finds entries with the part in their line. Letters of either case fit.
pub fn search(pattern: &str) -> String {
    let inner = pattern.trim_matches('*').to_lowercase();
    let in_lines = pattern.starts_with('*') && pattern.ends_with('*') && !inner.contains(['*', '?']);
    let either = MatchOptions { case_sensitive: false, ..MatchOptions::default() };
    let names = Pattern::new(pattern).or_else(|_| Pattern::new(&Pattern::escape(pattern)));
    let fits = |name: &str, line: &str| {
        // Of Kind.member and library::function the last part counts too.
        let last = name.rsplit(['.', ':']).next().unwrap_or(name);
        let named = names.as_ref().is_ok_and(|p| p.matches_with(name, either) || p.matches_with(last, either));
        named || in_lines && line.to_lowercase().contains(&inner)
    };
    let found = entries().into_iter().filter(|(name, line)| fits(name, line));
    found.map(|(name, line)| shown(&name, &line)).collect()
}

/// The names of all that has a text in its name or its line, each once, those that have it in their name first. Letters of either case fit.
pub(super) fn mentioning(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let has = |part: &str| part.to_lowercase().contains(&text);
    let found = entries().into_iter().filter(|(name, line)| has(name) || has(line));
    let mut names: Vec<String> = found.map(|(name, _)| name).collect();
    names.sort_by_key(|name| !has(name));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn shown(name: &str, line: &str) -> String {
    match name.chars().count() > 28 {
        true => format!("  {}\n{:31}{}\n", name.cyan(), "", wrap(line, 31)),
        false => format!("  {:<28} {}\n", name.cyan(), wrap(line, 31)),
    }
}

/// All names with a line each.
fn entries() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |name: String, line: &str| all.push((name, line.to_string()));
    for word in vocabulary::words() {
        add(word.name.into(), word.summary);
    }
    for keyword in KEYWORDS {
        add(keyword.name.into(), keyword.text);
    }
    for kind in vocabulary::kinds() {
        add(kind.name.into(), kind.summary);
        kind.members.iter().for_each(|m| add(format!("{}.{}", kind.name, m.name()), m.doc));
    }
    for own in OWN_TYPES {
        add(own.name.into(), own.summary);
        own.members.iter().for_each(|m| add(format!("{}.{}", own.name, m.name()), m.doc));
    }
    for (library, source) in STDLIB {
        add(library.to_string(), first_line(source));
        for (signature, comment) in library_functions(source) {
            let name = signature.split('(').next().unwrap_or_default();
            add(format!("{library}::{name}"), comment.lines().next().unwrap_or_default());
        }
    }
    TOPICS.iter().for_each(|t| add(t.0.into(), t.1));
    HEADS.iter().for_each(|h| add(h.name.into(), &format!("a head: {}", h.summary)));
    BACKBONES.iter().for_each(|b| add(b.name.into(), &format!("a backbone: {}", b.summary)));
    LOSSES
        .iter()
        .filter(|l| vocabulary::find(l.0).is_none())
        .for_each(|l| add(l.0.into(), &format!("a loss: {}", l.1)));
    DATASETS.iter().for_each(|d| add(d.name.into(), &format!("a data set: {}", d.summary)));
    recipes::table().into_iter().for_each(|r| add(r.0.into(), &format!("a recipe: {}", r.2)));
    SYSTEMS.iter().for_each(|s| add(s.name.into(), &format!("a compared system: {}", s.summary)));
    all.extend(options());
    all
}

/// Every option once per meaning, with the words, maps and heads that have it.
fn options() -> Vec<(String, String)> {
    let mut meanings: Vec<(&str, String, Vec<String>)> = Vec::new();
    let mut add = |key: &'static str, text: String, place: String| match meanings
        .iter_mut()
        .find(|known| known.0 == key && known.1 == text)
    {
        Some(known) => known.2.push(place),
        None => meanings.push((key, text, vec![place])),
    };
    for word in vocabulary::words() {
        for doc in word.options.iter().flat_map(|o| (o.docs)()) {
            add(doc.key, doc.text.to_string(), word.name.to_string());
        }
    }
    for map in PARTS {
        for part in parts(&[map]) {
            add(part.key, part.text, format!("#{{{map}: #{{...}}}}"));
        }
    }
    for head in HEADS {
        head.options.iter().for_each(|o| add(o.name, text_of(o), format!("the head_options of {}", head.name)));
    }
    let entry = |(key, text, places): (&str, String, Vec<String>)| {
        let more = places.len().saturating_sub(PLACES);
        let dots = if more > 0 { format!(" and {more} more") } else { String::new() };
        let places = places.into_iter().take(PLACES).collect::<Vec<_>>().join(", ");
        (key.to_string(), format!("option of {places}{dots}: {text}"))
    };
    meanings.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<String> {
        crate::primitives::install();
        let text = console::strip_ansi_codes(&search(pattern)).to_string();
        let lines = text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        lines.map(|line| line.split_whitespace().next().unwrap().to_string()).collect()
    }

    #[test]
    fn patterns_find_words_members_and_options_with_their_places() {
        crate::primitives::install();
        let found = search("*freeze*");
        let found = console::strip_ansi_codes(&found);
        assert!(found.contains("option of model") && found.contains("#{model: #{...}}"), "{found}");
        assert!(names("train_*").contains(&"train_teacher".to_string()));
        assert!(names("train_*").iter().all(|name| name.starts_with("train_")), "{:?}", names("train_*"));
        assert!(names("*labels").iter().all(|name| name.ends_with("labels")), "{:?}", names("*labels"));
        // Of members the name after the dot counts.
        assert!(names("to_lat*").contains(&"Table.to_latex".to_string()));
        assert!(names("resnet1?1").contains(&"resnet101".to_string()));
        assert!(names("FLIP*").contains(&"flip".to_string()));
        assert!(names("*no such thing*").is_empty() && names("[*").is_empty());
    }
}
