//! `format`: values put into a text, in Python's format language.

use rhai::Dynamic;

use super::joining::too_long;
use super::python_format::{Spec, Value};
use crate::error::{Error, Result};
use crate::script::call::{Call, MOST_VALUES};
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "format",
    chapter: Chapter::Text,
    signatures: &["format(template, values...) -> string"],
    summary: "A text with values in place of {}, in Python's format language; also template.format(values...).",
    details: "{} is the next value, {0} the first, {{ and }} are braces. Behind a colon stands the format, which means what it means in \
              Python: [[fill]align][sign][#][0][width][, or _][.digits][type]. Types of numbers: f and F (digits behind the point, 6 \
              without a number), e and E, g and G (significant digits), %, d, b, o, x, X, c; of strings: s. Without a type, .2 means \
              two significant digits, so two decimals are {:.2f} (in Rust {:.2}). Align: < left, > right, ^ middle, = behind the sign. \
              {} without a format shows a value as print does. Up to nine values. An error: too few values, values that no {} takes, a \
              format that does not suit its value.",
    options: None,
    examples: &[
        Example { code: "format(\"mAP {:.2f} ({:+.1%})\", 71.256, 0.0345)", prints: "mAP 71.26 (+3.5%)" },
        Example {
            code: "format(\"{:>8}|{:<6}|{:^5}|{:,}\", \"cat\", 3, true, 1234567)",
            prints: "     cat|3     |true |1,234,567",
        },
        Example { code: "format(\"{0:.3g} {0:08.3f} {1:#x}\", 3.14159, 255)", prints: "3.14 0003.142 0xff" },
    ],
    register: |word| {
        word.values(format);
    },
};

fn format(call: &Call, template: String, values: Vec<Dynamic>) -> Result<String> {
    let most = call.host.limits().text;
    let wrong = |message: String| Error::argument(format!("format: {message}"));
    let (mut text, mut rest) = (String::new(), template.as_str());
    let (mut next, mut numbered, mut used) = (0, false, vec![false; values.len()]);
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(wrong("a \"}\" closes nothing".into()).with_help("a brace itself is written }}"));
        }
        let Some((field, after)) = rest.split_once('}') else {
            return Err(wrong("a \"{\" is not closed".into()).with_help("a brace itself is written {{"));
        };
        rest = after;
        let (name, spec) = field.split_once(':').unwrap_or((field, ""));
        let i = match name {
            "" if numbered => return Err(wrong("{} and {0} cannot stand in one template".into())),
            "" => {
                next += 1;
                next - 1
            }
            name => match name.parse::<usize>() {
                Ok(_) if next > 0 => return Err(wrong("{} and {0} cannot stand in one template".into())),
                Ok(i) => {
                    numbered = true;
                    i
                }
                Err(_) => {
                    return Err(wrong(format!("{{{field}}} is no place for a value"))
                        .with_help("a place is {}, {0} or {:.2f}; names stand in backticks: `${name}`"));
                }
            },
        };
        let Some(value) = values.get(i) else {
            let has = match values.len() {
                1 => "there is 1 value".to_string(),
                n => format!("there are {n} values"),
            };
            return Err(wrong(format!("{{{field}}} is value {}, and {has}", i + 1))
                .with_help(format!("up to {MOST_VALUES} values follow the template")));
        };
        used[i] = true;
        let spec = Spec::read(spec).map_err(|why| wrong(format!("{{{field}}}: {why}")))?;
        // Checked before as many bytes are made.
        too_long(call, text.len().saturating_add(spec.width()).saturating_add(spec.digits()), most)?;
        text.push_str(&shown(value, &spec).map_err(|why| wrong(format!("{{{field}}}: {why}")))?);
    }
    text.push_str(rest);
    match used.iter().position(|used| !used) {
        Some(unused) => {
            Err(wrong(format!("no {{}} takes value {} ({})", unused + 1, show::short(&values[unused], 40))))
        }
        None => Ok(text),
    }
}

fn shown(value: &Dynamic, spec: &Spec) -> std::result::Result<String, String> {
    if let Ok(n) = value.as_int() {
        return spec.show(&Value::Integer(n));
    }
    if let Ok(x) = value.as_float() {
        // As print does; a width alone does not change the digits.
        return match spec.is_plain() {
            true => Ok(spec.padded(&show::number(x), true)),
            false => spec.show(&Value::Number(x)),
        };
    }
    match value.as_immutable_string_ref() {
        Ok(text) => spec.show(&Value::Text(&text)),
        Err(_) => spec.show(&Value::Text(&show::plain(value))).map_err(|why| match spec.is_of_numbers() {
            true => format!("this is the format of a number; got {}", show::a_type(value)),
            false => why,
        }),
    }
}
