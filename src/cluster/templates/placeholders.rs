//! What stands in braces in a command, and the quotes around it.

use super::quote;
use crate::error::Result;

/// A part of a command.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    /// `{name}`: small letters alone.
    Name {
        name: &'a str,
        within: Within,
    },
}

/// The quotes around a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Within {
    None,
    Single,
    Double,
}

impl Within {
    /// A value for this place. Errors: a zero byte.
    pub(super) fn quoted(self, value: &str) -> Result<String> {
        let plain = quote(value)?;
        Ok(match self {
            Within::None => plain,
            Within::Single => value.replace('\'', r"'\''"),
            Within::Double => value.chars().fold(String::new(), |mut text, c| {
                if "\\\"$`".contains(c) {
                    text.push('\\');
                }
                text.push(c);
                text
            }),
        })
    }
}

/// The parts of a command. `${name}` is the shell's.
pub(super) fn parts(template: &str) -> Vec<Part<'_>> {
    let (mut parts, mut within, mut begin, mut skip) = (Vec::new(), Within::None, 0, 0);
    let bytes = template.as_bytes();
    for (i, c) in template.char_indices() {
        if i < skip {
            continue;
        }
        match (c, within) {
            ('\\', Within::None | Within::Double) => {
                skip = i + 1 + template[i + 1..].chars().next().map_or(0, char::len_utf8);
            }
            ('\'', Within::None) => within = Within::Single,
            ('"', Within::None) => within = Within::Double,
            ('\'', Within::Single) | ('"', Within::Double) => within = Within::None,
            ('{', _) if i == 0 || bytes[i - 1] != b'$' => {
                let rest = &template[i + 1..];
                let name = rest.split_once('}').map(|(name, _)| name);
                let Some(name) = name.filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_lowercase())) else {
                    continue;
                };
                parts.push(Part::Text(&template[begin..i]));
                parts.push(Part::Name { name, within });
                begin = i + name.len() + 2;
                skip = begin;
            }
            _ => {}
        }
    }
    parts.push(Part::Text(&template[begin..]));
    parts.retain(|part| *part != Part::Text(""));
    parts
}

pub(super) fn mentions(template: &str, name: &str) -> bool {
    parts(template).iter().any(|part| matches!(part, Part::Name { name: found, .. } if *found == name))
}
