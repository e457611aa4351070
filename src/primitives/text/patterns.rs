//! Regular expressions: `matches`, `find_all`, `replace_all`, `split_by`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regex::{Captures, Regex};
use rhai::Dynamic;

use super::joining::too_long;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, Word};

/// What all four say of a pattern.
const PATTERN: &str = "The pattern is a regular expression as of Rust's crate regex: Python's, without references to groups and looking around. \
                       In `backticks` its backslashes are written once: `\\d+`.";

pub const MATCHES: Word = Word {
    name: "matches",
    chapter: Chapter::Text,
    signatures: &["matches(text, pattern) -> boolean"],
    summary: "Whether a regular expression matches somewhere in a text.",
    details: PATTERN,
    options: None,
    examples: &[Example { code: "matches(\"epoch 12\", `\\d+$`)", prints: "true" }],
    register: |word| {
        word.form(|call: &Call, text: String, pattern: String| with(call, &pattern, |regex| Ok(regex.is_match(&text))));
    },
};

pub const FIND_ALL: Word = Word {
    name: "find_all",
    chapter: Chapter::Text,
    signatures: &["find_all(text, pattern) -> array"],
    summary: "What a regular expression matches in a text, in order and without overlap.",
    details: "As Python's re.findall: strings of the whole matches, of the group if the pattern has one, and an array of strings per \
              match if it has several. A group that takes no part is an empty string. Patterns: see ?matches.",
    options: None,
    examples: &[
        Example { code: "find_all(\"loss 0.5, mAP 71.2\", `\\d+\\.\\d+`)", prints: "[\"0.5\", \"71.2\"]" },
        Example { code: "find_all(\"a=1 b=2\", `(\\w)=(\\d)`)", prints: "[[\"a\", \"1\"], [\"b\", \"2\"]]" },
    ],
    register: |word| {
        word.form(|call: &Call, text: String, pattern: String| {
            let mut found: Vec<Dynamic> = vec![];
            with(call, &pattern, |regex| {
                for captures in regex.captures_iter(&text) {
                    interrupt::check()?;
                    let group = |i: usize| Dynamic::from(captures.get(i).map_or("", |m| m.as_str()).to_string());
                    found.push(match captures.len() {
                        1 => group(0),
                        2 => group(1),
                        n => (1..n).map(group).collect::<rhai::Array>().into(),
                    });
                }
                Ok(())
            })?;
            Ok::<_, Error>(Dynamic::from(found))
        });
    },
};

pub const REPLACE_ALL: Word = Word {
    name: "replace_all",
    chapter: Chapter::Text,
    signatures: &["replace_all(text, pattern, with) -> string"],
    summary: "The text with something else in place of everything that a regular expression matches.",
    details: "In `with`, $1 and ${1} are the first group, $name a named one, $$ a dollar sign. The text itself stays as it is (text.replace, \
              Rhai's own, changes it, and takes no patterns). Patterns: see ?matches.",
    options: None,
    examples: &[Example { code: "replace_all(\"cat_17.jpg\", `_(\\d+)`, \"-$1\")", prints: "cat-17.jpg" }],
    register: |word| {
        word.form(replace_all);
    },
};

fn replace_all(call: &Call, text: String, pattern: String, with_: String) -> Result<String> {
    if (1..10).any(|group| with_.contains(&format!("\\{group}"))) {
        return Err(Error::argument("replace_all: a group in the replacement is written $1, not \\1"));
    }
    let most = call.host.limits().text;
    with(call, &pattern, |regex| {
        // (A name of no group would be an empty text.)
        let named = |name: &str| regex.capture_names().flatten().any(|known| known == name);
        if let Some(unknown) = groups(&with_).into_iter().find(|group| match group.parse::<usize>() {
            Ok(n) => n >= regex.captures_len(),
            Err(_) => !named(group),
        }) {
            let help = format!("a group with letters behind it is written ${{1}}, a dollar sign $$; got ${unknown}");
            return Err(Error::argument(format!("replace_all: the pattern has no group \"{unknown}\"")).with_help(help));
        }
        let (mut replaced, mut end) = (String::new(), 0);
        for captures in regex.captures_iter(&text) {
            interrupt::check()?;
            let whole = whole(&captures);
            replaced.push_str(&text[end..whole.start]);
            captures.expand(&with_, &mut replaced);
            too_long(call, replaced.len(), most)?;
            end = whole.end;
        }
        replaced.push_str(&text[end..]);
        Ok(replaced)
    })
}

fn whole(captures: &Captures) -> std::ops::Range<usize> {
    captures.get(0).map_or(0..0, |m| m.range())
}

/// The groups that a replacement names.
fn groups(with: &str) -> Vec<&str> {
    let mut found = vec![];
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            found.extend(inside.split_once('}').map(|(name, _)| name));
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            found.extend((end > 0).then(|| &rest[..end]));
        }
    }
    found
}

pub const SPLIT_BY: Word = Word {
    name: "split_by",
    chapter: Chapter::Text,
    signatures: &["split_by(text, pattern) -> array"],
    summary: "The parts of a text between what a regular expression matches.",
    details: "text.split(\", \"), Rhai's own, splits at a plain text. Patterns: see ?matches.",
    options: None,
    examples: &[Example { code: "split_by(\"a, b;c\", `[,;] *`)", prints: "[\"a\", \"b\", \"c\"]" }],
    register: |word| {
        word.form(|call: &Call, text: String, pattern: String| {
            with(call, &pattern, |regex| Ok(regex.split(&text).map(str::to_string).collect::<Vec<String>>()))
        });
    },
};

/// Calls `work` with a pattern, which is read once per thread. Errors: it is none; those of `work`.
fn with<R>(call: &Call, pattern: &str, work: impl FnOnce(&Regex) -> Result<R>) -> Result<R> {
    const KEPT: usize = 64;
    thread_local!(static READ: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) });
    let known = READ.with_borrow(|read| read.get(pattern).cloned());
    let regex = match known {
        Some(regex) => regex,
        None => {
            let regex = Regex::new(pattern).map_err(|error| wrong(call, pattern, &error))?;
            READ.with_borrow_mut(|read| {
                if read.len() >= KEPT {
                    read.clear();
                }
                let _ = read.insert(pattern.to_string(), regex.clone());
            });
            regex
        }
    };
    work(&regex)
}

fn wrong(call: &Call, pattern: &str, error: &regex::Error) -> Error {
    let said = match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_string(),
        // Its last line is the reason, below a drawing of the place.
        error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_string(),
    };
    Error::argument(format!("{}: the pattern \"{pattern}\" cannot be read: {said}", call.name))
}
