//! Names of labels and images: the blanks around them, and names that a reader may take for one.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use crate::activity::console;
use crate::tables::is_blank;
pub(crate) use crate::tables::trimmed;

/// How many pairs of names a line shows.
const SHOWN: usize = 3;

/// Says on the console which labels differ in their Unicode form, blanks or letter case only. All of them stay: a name
/// may be a file's or another program's.
pub(crate) fn report_similar(source: &str, labels: &[String]) {
    if let Some(line) = sentence(source, labels) {
        console::log(&line);
    }
}

fn sentence(source: &str, labels: &[String]) -> Option<String> {
    let pairs = similar(labels);
    let shown: Vec<String> = pairs
        .iter()
        .take(SHOWN)
        .map(|&(a, b)| {
            let (a, b) = (&labels[a], &labels[b]);
            let forms = one_word(a, b);
            format!("{} and {} ({})", quoted(a, forms), quoted(b, forms), difference(a, b))
        })
        .collect();
    let (first, second) = pairs.first().map(|&(a, b)| (&labels[a], &labels[b]))?;
    let forms = one_word(first, second);
    let (first, second) = (quoted(first, forms), quoted(second, forms));
    let more = if pairs.len() > SHOWN { ", ..." } else { "" };
    Some(format!(
        "{source}: {} of {} labels may be spelling variants: {}{more}; labels.merge(#{{{first}: [{first}, \
         {second}]}}) makes one label of two",
        pairs.len(),
        labels.len(),
        shown.join(", "),
    ))
}

/// Pairs of positions: each label that looks like an earlier one, behind the first such.
fn similar(labels: &[String]) -> Vec<(usize, usize)> {
    let mut first: HashMap<String, usize> = HashMap::with_capacity(labels.len());
    let mut pairs = Vec::new();
    for (i, label) in labels.iter().enumerate() {
        match first.entry(without_form(label)) {
            std::collections::hash_map::Entry::Occupied(before) => pairs.push((*before.get(), i)),
            std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(i)),
        }
    }
    pairs
}

/// The characters of a name without blanks, in lower case and composed.
fn without_form(name: &str) -> String {
    if name.is_ascii() {
        return name.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
    }
    name.nfd().filter(|&c| !is_blank(c)).flat_map(char::to_lowercase).nfc().collect()
}

/// In which way two names differ.
fn difference(a: &str, b: &str) -> &'static str {
    let blanks = |name: &str| name.chars().filter(|&c| !is_blank(c)).collect::<String>();
    if one_word(a, b) {
        "one word in two Unicode forms"
    } else if blanks(a) == blanks(b) {
        "blanks"
    } else if a.to_lowercase() == b.to_lowercase() {
        "letter case"
    } else {
        "letter case, blanks or Unicode form"
    }
}

fn one_word(a: &str, b: &str) -> bool {
    a.nfc().eq(b.nfc())
}

/// A name as a script writes it: blanks that nobody would see are escaped, and under `all` whatever is not ASCII.
fn quoted(name: &str, all: bool) -> String {
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ if !all && !is_blank(c) && !c.is_control() => text.push(c),
            _ if c <= '\u{ffff}' => text += &format!("\\u{:04x}", c as u32),
            _ => text += &format!("\\U{:08x}", c as u32),
        }
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(labels: &[&str]) -> Option<String> {
        sentence("x.csv", &labels.iter().map(|l| l.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn blanks_around_names() {
        assert_eq!(trimmed("\u{feff} \u{a0}sea lion\u{3000}\t\u{200b}"), "sea lion");
        assert_eq!(trimmed("\u{a0}"), "");
        // A joiner inside an emoji stays.
        assert_eq!(trimmed("👩\u{200d}🚒 "), "👩\u{200d}🚒");
    }

    #[test]
    fn names_that_look_like_one_are_reported() {
        assert_eq!(line(&["cat", "dog", "café", "cats"]), None);
        assert_eq!(line(&[]), None);
        // Python: unicodedata.normalize("NFD", "café").
        let forms = line(&["café", "cat", "cafe\u{301}"]).unwrap();
        assert!(forms.starts_with("x.csv: 1 of 3 labels may be spelling variants"), "{forms}");
        assert!(forms.contains("\"caf\\u00e9\" and \"cafe\\u0301\" (one word in two Unicode forms)"), "{forms}");
        let merge = "; labels.merge(#{\"caf\\u00e9\": [\"caf\\u00e9\", \"cafe\\u0301\"]}) makes one label of two";
        assert!(forms.ends_with(merge), "{forms}");
        let blanks = line(&["sea lion", "sea\u{a0}lion", "sea  lion"]).unwrap();
        assert!(blanks.contains("2 of 3") && blanks.contains("\"sea\\u00a0lion\" (blanks)"), "{blanks}");
        let case = line(&["Dog", "dog", "ÄRA", "a\u{308}ra", "b", "B", "c", "C"]).unwrap();
        assert!(case.contains("4 of 8") && case.contains("\"Dog\" and \"dog\" (letter case)"), "{case}");
        assert!(case.contains("letter case, blanks or Unicode form") && case.contains(", ...;"), "{case}");
        assert!(!case.contains("\"C\""), "{case}");
    }
}
