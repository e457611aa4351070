//! The documentation of keywords, of Rhai's own kinds of values, and of members, as text.

use colored::Colorize;

use super::docs::wrap;
use super::keywords::Keyword;
use super::kind::{Kind, Member};
use super::own_types::{OWN_TYPES, OwnType};
use super::vocabulary;

/// Column at which the text about a member begins.
const TEXT: usize = 33;

/// A kind of value that is Rhai's own: summary and members, each with an example.
pub fn own_type_text(own: &OwnType) -> String {
    let mut out = format!("{}\n\n{}\n\n", own.name.cyan().bold(), wrap(own.summary, 0));
    for member in own.members {
        let usage = shown(member.usage);
        out.push_str(&line(&usage, member.doc));
        out.push_str(&format!("{:TEXT$}{}\n", "", wrap(&gives(member.example), TEXT).dimmed()));
    }
    let words: Vec<&str> = words_for(own.name);
    if !words.is_empty() {
        out.push_str(&format!("\n{}\n  {}\n", "Words".bold(), wrap(&words.join(", "), 2)));
    }
    out
}

/// The words of the language that are mostly for such values.
fn words_for(own: &str) -> Vec<&'static str> {
    use super::word::Chapter;
    let chapter = match own {
        "string" => Chapter::Text,
        "integer" | "number" => Chapter::Numbers,
        _ => return vec![],
    };
    vocabulary::words().iter().filter(|word| word.chapter == chapter).map(|word| word.name).collect()
}

/// A keyword or function of Rhai's own: forms, text, example.
pub fn keyword_text(keyword: &Keyword) -> String {
    let mut out = String::new();
    for form in keyword.usage.lines() {
        out.push_str(&format!("{}\n", form.cyan().bold()));
    }
    out.push_str(&format!("\n{}\n\n{}\n  {}\n", wrap(keyword.text, 0), "Example".bold(), gives(keyword.example)));
    out
}

/// `CODE  →  VALUE`.
fn gives((code, prints): (&str, &str)) -> String {
    if prints.is_empty() { code.to_string() } else { format!("{code}  →  {prints}") }
}

/// The members of that name of every kind: `save`, or of one: `Model.save`, `string.split`.
pub fn member_text(name: &str) -> Option<String> {
    let (of, member) = name.rsplit_once('.').map_or((None, name), |(of, member)| (Some(of), member));
    let member = member.trim_end_matches("()");
    let is_of = |kind: &str| of.is_none_or(|of| of.eq_ignore_ascii_case(kind));
    let mut out = String::new();
    for kind in vocabulary::kinds().iter().filter(|kind| is_of(kind.name)) {
        let found: Vec<&Member> = kind.members.iter().filter(|m| m.name() == member).collect();
        found.iter().for_each(|m| out.push_str(&line(&format!("{}.{}", kind.name, m.usage), m.doc)));
    }
    for own in OWN_TYPES.iter().filter(|own| is_of(own.name) || of.is_some_and(|of| own.also.contains(&of))) {
        let named = |usage: &str| usage.split(", ").any(|one| one.split('(').next() == Some(member));
        for m in own.members.iter().filter(|m| named(m.usage)) {
            out.push_str(&line(&format!("{}.{}", own.name, m.usage), m.doc));
            out.push_str(&format!("{:TEXT$}{}\n", "", wrap(&gives(m.example), TEXT).dimmed()));
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Fields and methods of a kind of value.
pub fn members_text(kind: &Kind) -> String {
    kind.members.iter().map(|member| line(&shown(member.usage), member.doc)).collect()
}

/// With a dot before names.
fn shown(usage: &str) -> String {
    let is_name = usage.starts_with(|c: char| c.is_ascii_alphabetic())
        && !usage.split('(').next().unwrap_or("").contains([' ', '.', ',']);
    if is_name { format!(".{usage}") } else { usage.to_string() }
}

fn line(usage: &str, doc: &str) -> String {
    // A long usage has a line of its own.
    match usage.chars().count() > TEXT - 4 {
        true => format!("  {}\n{:TEXT$}{}\n", usage.green(), "", wrap(doc, TEXT)),
        false => format!("  {:<30} {}\n", usage.green(), wrap(doc, TEXT)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keywords::KEYWORDS;
    use super::*;

    #[test]
    fn every_example_gives_what_it_says() {
        let mut session = crate::primitives::session();
        crate::activity::console::set_quiet(true);
        let of_types = OWN_TYPES.iter().flat_map(|own| own.members).map(|m| m.example);
        for (code, prints) in of_types.chain(KEYWORDS.iter().map(|k| k.example)) {
            session.reset();
            let value = session.eval(code, "test").unwrap_or_else(|failure| panic!("{code}: {failure}"));
            let shown = if value.is_unit() { String::new() } else { super::super::show::plain(&value) };
            assert_eq!(shown, prints, "{code}");
        }
    }

    #[test]
    fn keywords_and_kinds_are_found_by_the_names_of_other_languages() {
        crate::primitives::install();
        // Without the breaks of lines.
        let doc = |name: &str| {
            let text = super::super::docs::doc(Some(name)).unwrap();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for (name, says) in [
            ("string", "letters"),
            ("array", "reduce"),
            ("dict", "keys()"),
            ("print", "standard output"),
            ("def", "fn f(x, y)"),
            ("except", "catch"),
            ("null", "a ?? b"),
            ("for", "counts from 0"),
            ("lambda", "|a, b|"),
        ] {
            assert!(doc(name).contains(says), "{name}: {}", doc(name));
        }
        // Members, of one kind and of all.
        assert!(doc("array.sort").contains("in place") && !doc("array.sort").contains("Table.sort"));
        assert!(doc("sort").contains("Table.sort") && doc("sort").contains("array.sort"));
        assert!(doc("Model.save").contains("safetensors"));
    }
}
