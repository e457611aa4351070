//! Calls whose arguments have names, as Python has them, and how such a call is written here.

use std::collections::BTreeSet;
use std::ops::Range;

use super::explain::parameters;
use super::tokens::{self, Piece};
use super::{spans, vocabulary};

/// Names of parameters in PyTorch and NumPy, and those of the same parameters here.
const ALSO: &[(&str, &str)] = &[
    ("axis", "dim"),
    ("axis", "dims"),
    ("dims", "dim"),
    ("dim", "dims"),
    ("keepdims", "keepdim"),
    ("min", "low"),
    ("max", "high"),
    ("ord", "p"),
    ("exponent", "p"),
    ("input", "t"),
    ("size", "shape"),
    ("repeats", "n"),
    ("repeats", "times"),
    ("shifts", "n"),
    ("chunks", "n"),
    ("num_classes", "n"),
    ("split_size", "size"),
    ("split_size_or_sections", "size"),
    ("dim0", "a"),
    ("dim1", "b"),
    ("start_dim", "start"),
    ("end_dim", "end"),
    ("value", "number"),
    ("fill_value", "number"),
    ("negative_slope", "slope"),
];

/// A call: what a method is called on, the function, and the arguments with their names.
struct Written<'a> {
    receiver: Option<&'a str>,
    name: &'a str,
    arguments: Vec<(Option<&'a str>, String)>,
}

/// How the call is written whose bracket is token `open` of a text, where an argument has the name `key`.
pub fn instead(text: &str, all: &[(Range<usize>, Piece)], open: usize, key: &str) -> String {
    let word = |i: usize| all.get(i).map_or("", |(range, _)| &text[range.clone()]);
    let back = |n: usize| open.checked_sub(n).map_or("", word);
    let is_name = |n: usize| open.checked_sub(n).is_some_and(|i| all[i].1 == Piece::Word);
    let method = back(2) == ".";
    let name = if is_name(1) { back(1) } else { "f" };
    let receiver = (method && is_name(3) && ![".", ":"].contains(&back(4))).then(|| back(3));
    let usages = usages(text, name, method);
    let written = arguments(text, all, open).map(|arguments| Written { receiver, name, arguments });
    if let Some(call) = written.as_ref().and_then(|call| usages.iter().find_map(|usage| call.by(usage))) {
        return call;
    }
    let has_key = |usage: &String| parameters(usage).iter().any(|parameter| keys(parameter).contains(&key));
    let takes_any = |usage: &String| parameters(usage).iter().any(|parameter| parameter == "#{options}");
    if usages.is_empty() || usages.iter().any(takes_any) {
        let before = if open + 1 < all.len() && word(open + 1) != key { "..., " } else { "" };
        let value = written.and_then(|w| w.arguments.into_iter().find(|(name, _)| *name == Some(key)).map(|(_, v)| v));
        let value = value.unwrap_or_else(|| "...".into());
        return format!("options are a map: {name}({before}#{{{key}: {value}}})");
    }
    let mut shown: Vec<&String> = usages.iter().filter(|usage| has_key(usage)).collect();
    if shown.is_empty() {
        shown = usages.iter().collect();
    }
    let dot = if method { "." } else { "" };
    let shown: Vec<String> = shown.into_iter().take(3).map(|usage| format!("{dot}{usage}")).collect();
    format!("arguments have no names here: it is {}", shown.join(" or "))
}

/// The names in a parameter: its own, or the keys of `#{keepdim, correction}`.
fn keys(parameter: &str) -> Vec<&str> {
    let inside = parameter.trim_start_matches("#{").trim_end_matches('}');
    inside.split(',').map(|key| key.trim().trim_end_matches(": ...")).collect()
}

/// The forms of a function or method, without their results.
fn usages(text: &str, name: &str, method: bool) -> Vec<String> {
    let of_kinds = || {
        let members = vocabulary::kinds().iter().flat_map(|kind| kind.members);
        members.map(|member| member.usage).filter(|usage| usage.split('(').next() == Some(name) && usage.contains('('))
    };
    let mut found: Vec<String> = match method {
        true => of_kinds().map(str::to_string).collect(),
        false => match spans::functions(text).into_iter().find(|(function, _)| function == name) {
            Some((_, signature)) => vec![signature],
            None => match vocabulary::find(name) {
                Some(word) => {
                    word.signatures.iter().map(|usage| usage.split(" -> ").next().unwrap_or(usage).into()).collect()
                }
                // A method is a function too.
                None => of_kinds().map(|usage| usage.replacen('(', "(t, ", 1).replace(", )", ")")).collect(),
            },
        },
    };
    // Kinds have methods of one name.
    let mut seen = BTreeSet::new();
    found.retain(|usage| seen.insert(usage.clone()));
    found
}

/// The arguments behind a bracket, up to the one that closes it.
fn arguments<'a>(text: &'a str, all: &[(Range<usize>, Piece)], open: usize) -> Option<Vec<(Option<&'a str>, String)>> {
    let word = |i: usize| all.get(i).map_or("", |(range, _)| &text[range.clone()]);
    let (mut depth, mut begin, mut found) = (0, open + 1, vec![]);
    for i in open + 1..all.len() {
        let ends = depth == 0 && [",", ")"].contains(&word(i));
        if ends && begin < i {
            let named =
                begin + 2 < i && all[begin].1 == Piece::Word && word(begin + 1) == "=" && word(begin + 2) != "=";
            let value = if named { begin + 2 } else { begin };
            let name = named.then(|| word(begin));
            found.push((name, translated(&text[all[value].0.start..all[i - 1].0.end])));
        }
        match word(i) {
            ")" if depth == 0 => return Some(found),
            "," if depth == 0 => begin = i + 1,
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A value of Python as one of this language.
fn translated(value: &str) -> String {
    let tuple = value.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).filter(|inside| inside.contains(','));
    match (value, tuple) {
        ("True", _) => "true".into(),
        ("False", _) => "false".into(),
        ("None", _) => "()".into(),
        (_, Some(inside)) => format!("[{}]", inside.trim_end_matches([',', ' '])),
        _ => match value.strip_prefix("torch.").filter(|name| name.chars().all(tokens::is_word)) {
            Some(name) => format!("\"{name}\""),
            None => value.to_string(),
        },
    }
}

impl Written<'_> {
    /// The call by one form of its function; none if an argument has no place there, or a parameter no argument.
    fn by(&self, usage: &str) -> Option<String> {
        let parameters = parameters(usage);
        let (maps, names): (Vec<&String>, Vec<&String>) = parameters.iter().partition(|p| p.starts_with("#{"));
        let (mut places, mut options) = (vec![None; names.len()], vec![]);
        let mut positions = places.iter_mut();
        for (_, value) in self.arguments.iter().take_while(|(name, _)| name.is_none()) {
            *positions.next()? = Some(value.clone());
        }
        let mut is_named = false;
        for (name, value) in self.arguments.iter().skip_while(|(name, _)| name.is_none()) {
            let ((key, value), name) = (ours((*name)?, value), (*name)?);
            let same = |parameter: &str| parameter == key || ALSO.contains(&(name, parameter));
            if let Some(at) = names.iter().position(|parameter| same(parameter)).filter(|&at| places[at].is_none()) {
                places[at] = Some(value);
                is_named = true;
            } else if let Some(key) = maps.iter().flat_map(|map| keys(map)).find(|key| same(key) || *key == "options") {
                options.push(format!("{}: {value}", if key == "options" { name } else { key }));
            } else {
                return None;
            }
        }
        let mut given = places.into_iter().collect::<Option<Vec<String>>>()?;
        if !options.is_empty() {
            given.push(format!("#{{{}}}", options.join(", ")));
        }
        let before = self.receiver.map_or(String::new(), |receiver| format!("{receiver}."));
        let said = if is_named { "arguments have no names here: it is" } else { "options are a map:" };
        Some(format!("{said} {before}{}({})", self.name, given.join(", ")))
    }
}

/// The name and value of an option here.
fn ours(key: &str, value: &str) -> (String, String) {
    match (key, value) {
        ("unbiased", "true" | "false") => ("correction".into(), i32::from(value == "true").to_string()),
        _ => (key.into(), value.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::habits;

    fn help(text: &str) -> String {
        crate::primitives::session();
        let at = text.find('=').unwrap();
        habits::at(text, at).unwrap_or_else(|| panic!("{text}")).help
    }

    #[test]
    fn the_call_is_written_as_it_works() {
        let by_position = "arguments have no names here: it is";
        for (text, instead) in [
            ("t.sum(dim=0)", format!("{by_position} t.sum(0)")),
            ("t.sum(axis=-1, keepdims=True);", format!("{by_position} t.sum(-1, #{{keepdim: true}})")),
            ("t.sum(0, keepdim=True)", "options are a map: t.sum(0, #{keepdim: true})".into()),
            ("t.mean(dim=(1, 2))", format!("{by_position} t.mean([1, 2])")),
            ("x.std(dim=0, unbiased=False)", format!("{by_position} x.std(0, #{{correction: 0}})")),
            ("x.norm(p=2, dim=1)", format!("{by_position} x.norm(2, 1)")),
            ("a.b.softmax(dim=1)", format!("{by_position} softmax(1)")),
            ("softmax(x, dim=1)", format!("{by_position} softmax(x, 1)")),
            ("t.topk(3, dim=0, largest=False)", "options are a map: t.topk(3, #{dim: 0, largest: false})".into()),
            ("t.argsort(dim=0, descending=True)", format!("{by_position} t.argsort(0, true)")),
            ("t.clamp(min=0, max=1)", format!("{by_position} t.clamp(0, 1)")),
            ("cat([a, b], dim=1)", format!("{by_position} cat([a, b], 1)")),
            ("stack((a, b), axis=f(1, [2]))", format!("{by_position} stack([a, b], f(1, [2]))")),
            ("t.unsqueeze(dim=0).sum()", format!("{by_position} t.unsqueeze(0)")),
            ("zeros(2, dtype=torch.int64)", "options are a map: zeros(2, #{dtype: \"int64\"})".into()),
            ("fn f(x, epochs) { x } f(1, epochs=2)", format!("{by_position} f(1, 2)")),
            // Nothing that would work is known.
            ("t.sum(dtype=torch.int64)", format!("{by_position} .sum() or .sum(dim, #{{keepdim}})")),
            ("t.norm(dim=1)", format!("{by_position} .norm(p, dim, #{{keepdim}})")),
            ("fn f(x, o) { x } f(1, epochs=2)", format!("{by_position} f(x, o)")),
            ("unknown(1, epochs=2)", "options are a map: unknown(..., #{epochs: 2})".into()),
        ] {
            assert_eq!(help(text), instead, "{text}");
        }
    }
}
