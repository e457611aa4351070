//! `join` and `repeat`: texts of several.

use rhai::{Array, Dynamic, ImmutableString};

use crate::error::{Error, Result};
use crate::script::call::Call;
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};

pub const JOIN: Word = Word {
    name: "join",
    chapter: Chapter::Text,
    signatures: &["join(array, separator) -> string"],
    summary: "The items of an array as one text, with a separator between them; also array.join(\", \").",
    details: "Items that are no strings are written as print shows them.",
    options: None,
    examples: &[Example { code: "[\"cat\", \"dog\", 3].join(\", \")", prints: "cat, dog, 3" }],
    register: |word| {
        // Python's order, too.
        word.form(join).form(|call: &Call, separator: ImmutableString, array: Array| join(call, array, separator));
    },
};

fn join(call: &Call, array: Array, separator: ImmutableString) -> Result<String> {
    let most = call.host.limits().text;
    let mut text = String::new();
    for (i, item) in array.iter().enumerate() {
        if i > 0 {
            text.push_str(&separator);
        }
        text.push_str(&show::plain(item));
        too_long(call, text.len(), most)?;
    }
    Ok(text)
}

pub const REPEAT: Word = Word {
    name: "repeat",
    chapter: Chapter::Text,
    signatures: &["repeat(text, n) -> string"],
    summary: "A text n times in a row.",
    details: "",
    options: None,
    examples: &[Example { code: "repeat(\"-\", 5)", prints: "-----" }],
    register: |word| {
        word.form(|call: &Call, text: String, n: usize| {
            too_long(call, text.len().saturating_mul(n), call.host.limits().text)?;
            Ok::<_, Error>(Dynamic::from(text.repeat(n)))
        });
    },
};

/// Errors: a text of so many bytes is larger than a string may be.
pub fn too_long(call: &Call, bytes: usize, most: usize) -> Result<()> {
    match bytes > most {
        true => Err(Error::argument(format!("{}: the text would have more than {} MiB", call.name, most >> 20))),
        false => Ok(()),
    }
}
