//! From the point that Rhai gives to the underlined part of a text.

use std::ops::Range;

use rhai::Position;

pub use super::tokens::{Piece, pieces};
use super::tokens::{is_word, quoted};
use crate::error::About;

/// The byte offset of a position.
pub fn offset(text: &str, pos: Position) -> Option<usize> {
    let (line, column) = (pos.line()?, pos.position().unwrap_or(1));
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..)?.split('\n').next()?;
    Some(start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>())
}

/// The word, number or string that starts there, or the one sign.
pub fn token(text: &str, at: usize) -> Range<usize> {
    let rest = text.get(at..).unwrap_or_default();
    let length = match rest.chars().next() {
        None | Some('\n') => 0,
        Some(quote @ ('"' | '`')) => quoted(rest, quote).0,
        Some(c) if is_word(c) => rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()),
        Some(c) => c.len_utf8(),
    };
    at..at + length
}

/// The name in the call `arg("name", ...)` with which a script asks for an argument of the command line.
pub fn asked(text: &str, argument: &str) -> Option<Range<usize>> {
    let all = pieces(text);
    let name = format!("\"{argument}\"");
    let call = [("arg", Piece::Word), ("(", Piece::Sign), (name.as_str(), Piece::Text)];
    let is_call = |window: &[(Range<usize>, Piece)]| {
        window.iter().zip(call).all(|((range, piece), (written, of))| *piece == of && &text[range.clone()] == written)
    };
    all.windows(call.len()).find(|window| is_call(window)).map(|window| window[2].0.clone())
}

/// The part of the call whose name starts at `at` that an error is about. `None` when it is not written there.
pub fn about(text: &str, at: usize, about: &About) -> Option<Range<usize>> {
    let call = Call::at(text, at)?;
    match about {
        // Of a method the receiver is not between the brackets, nor are curried arguments of a pointer.
        About::Argument(_) if call.name() == "call" => None,
        About::Argument(i) if call.is_method() => i.checked_sub(1).and_then(|i| call.argument(i)),
        About::Argument(i) => call.argument(*i),
        About::Option { key, value } => {
            // Of a part of a map, as `augment.flip`, only the part is a key of its own.
            let part = key.rsplit('.').next().unwrap_or(key);
            value.as_deref().and_then(|value| call.string(|s| s == value)).or_else(|| call.key(part))
        }
        // As a string, or as the key of a map.
        About::Name(name) => call.find(|i| call.is_key(i, name) || (!name.is_empty() && call.text_of(i) == Some(name))),
        // A longer path was made of the one that was written.
        About::File(path) => {
            let path = path.display().to_string();
            call.string(|s| s == path).or_else(|| call.string(|s| s.len() > 1 && path.starts_with(s)))
        }
        About::Exit(_) | About::Within(_) => None,
    }
}

/// The tokens between the brackets of one call.
struct Call<'a> {
    text: &'a str,
    all: Vec<(Range<usize>, Piece)>,
    inside: Range<usize>,
}

impl<'a> Call<'a> {
    /// The call whose name starts at byte `at`.
    fn at(text: &'a str, at: usize) -> Option<Self> {
        let all = pieces(text);
        let name = all.iter().position(|(range, piece)| range.start == at && *piece == Piece::Word)?;
        let mut call = Call { text, all, inside: name + 2..name + 2 };
        if !call.is_sign(name + 1, "(") {
            return None;
        }
        let mut depth = 1;
        while call.inside.end < call.all.len() {
            depth += call.depth(call.inside.end);
            if depth == 0 {
                break;
            }
            call.inside.end += 1;
        }
        Some(call)
    }

    fn name(&self) -> &str {
        &self.text[self.all[self.inside.start - 2].0.clone()]
    }

    /// Whether a dot precedes the name.
    fn is_method(&self) -> bool {
        self.inside.start >= 3 && self.is_sign(self.inside.start - 3, ".")
    }

    fn is_sign(&self, i: usize, sign: &str) -> bool {
        self.all.get(i).is_some_and(|(range, piece)| *piece == Piece::Sign && &self.text[range.clone()] == sign)
    }

    /// 1 for an opening bracket, -1 for a closing one.
    fn depth(&self, i: usize) -> i64 {
        let any = |signs: [&str; 3]| i64::from(signs.iter().any(|sign| self.is_sign(i, sign)));
        any(["(", "[", "{"]) - any([")", "]", "}"])
    }

    /// The contents of the string that token `i` is.
    fn text_of(&self, i: usize) -> Option<&str> {
        match &self.all[i] {
            (range, Piece::Text) => Some(self.text[range.clone()].trim_matches(['"', '`'])),
            _ => None,
        }
    }

    fn is_key(&self, i: usize, key: &str) -> bool {
        let (range, piece) = &self.all[i];
        *piece == Piece::Word && &self.text[range.clone()] == key && self.is_sign(i + 1, ":")
    }

    fn find(&self, which: impl Fn(usize) -> bool) -> Option<Range<usize>> {
        self.inside.clone().find(|&i| which(i)).map(|i| self.all[i].0.clone())
    }

    fn string(&self, which: impl Fn(&str) -> bool) -> Option<Range<usize>> {
        self.find(|i| self.text_of(i).is_some_and(&which))
    }

    fn key(&self, key: &str) -> Option<Range<usize>> {
        self.find(|i| self.is_key(i, key))
    }

    /// The whole argument `n`, or its first token when it goes over several lines.
    fn argument(&self, n: usize) -> Option<Range<usize>> {
        let (mut depth, mut commas) = (0, 0);
        let mut tokens = self.inside.clone().filter(|&i| {
            let comma = depth == 0 && self.is_sign(i, ",");
            commas += usize::from(comma);
            depth += self.depth(i);
            commas == n && !comma
        });
        let first = self.all[tokens.next()?].0.clone();
        let last = tokens.last().map_or(first.end, |i| self.all[i].0.end);
        if self.text[first.start..last].contains('\n') { Some(first) } else { Some(first.start..last) }
    }
}

/// The innermost bracket before `at` that is still open there.
pub fn open_bracket(text: &str, at: usize) -> Option<Range<usize>> {
    let mut open: Vec<Range<usize>> = Vec::new();
    for (range, piece) in pieces(text).into_iter().take_while(|(range, _)| range.start < at) {
        match (&text[range.clone()], piece) {
            ("(" | "[" | "{", Piece::Sign) => open.push(range),
            (")" | "]" | "}", Piece::Sign) => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

/// The last token before `at`.
pub fn before(text: &str, at: usize) -> Option<Range<usize>> {
    pieces(text).into_iter().map(|(range, _)| range).take_while(|range| range.end <= at).last()
}

/// Name and parameters of every function that a text defines: `("mean", "mean(a, b)")`.
pub fn functions(text: &str) -> Vec<(String, String)> {
    defined(text, |_| true)
}

/// The same without those that are private: what the texts see that import it.
pub fn public_functions(text: &str) -> Vec<(String, String)> {
    defined(text, |before| before != "private")
}

/// Name and parameters of the functions of a text, by the word in front of `fn`.
fn defined(text: &str, is_meant: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let all = pieces(text);
    let mut found = Vec::new();
    for (i, (range, piece)) in all.iter().enumerate() {
        if *piece != Piece::Word || &text[range.clone()] != "fn" {
            continue;
        }
        if !is_meant(i.checked_sub(1).map_or("", |before| &text[all[before].0.clone()])) {
            continue;
        }
        let (Some((name, Piece::Word)), Some(close)) =
            (all.get(i + 1), all[i..].iter().find(|(r, _)| &text[r.clone()] == ")"))
        else {
            continue;
        };
        found.push((text[name.clone()].to_string(), text[name.start..close.0.end].to_string()));
    }
    found
}

/// The names that a text gives to keys of maps: `key: value` and `map.key = value`.
pub fn keys(text: &str) -> Vec<String> {
    let all = pieces(text);
    let sign = |i: usize, sign: &str| all.get(i).is_some_and(|(range, _)| &text[range.clone()] == sign);
    let mut found: Vec<String> = (0..all.len())
        .filter(|&i| all[i].1 == Piece::Word)
        .filter(|&i| {
            (sign(i + 1, ":") && !sign(i + 2, ":"))
                || (i > 0 && sign(i - 1, ".") && sign(i + 1, "=") && !sign(i + 2, "="))
        })
        .map(|i| text[all[i].0.clone()].to_string())
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_where_a_script_asks_for_an_argument_is_found() {
        let text = "// arg(\"k\", 3)\nlet text = \"arg(\"; my_arg(\"k\"); let ks = [arg(\"kk\", 1), arg( \"k\", 3)];";
        assert_eq!(asked(text, "k").map(|range| range.start), text.rfind("\"k\""));
        assert_eq!(asked(text, "s"), None);
    }

    #[test]
    fn the_part_that_an_error_is_about_is_found() {
        let text = "let p = f(g(\"x\"), [3, 4], #{ // \"odd\"\n  odd: 1, title: \"odd\", kind: \"y\" });";
        let at = text.find("f(").unwrap();
        let part = |about_: About| about(text, at, &about_).map(|range| &text[range]);
        let option =
            |key: &str, value: Option<&str>| About::Option { key: key.into(), value: value.map(str::to_string) };
        assert_eq!(part(About::Name("odd".into())), Some("odd"));
        assert_eq!(part(About::Name("x".into())), Some("\"x\""));
        assert_eq!(part(About::Name("y".into())), Some("\"y\""));
        assert_eq!(part(About::Name("z".into())), None);
        assert_eq!(part(option("kind", Some("y"))), Some("\"y\""));
        assert_eq!(part(option("title", Some("even"))), Some("title"));
        assert_eq!(part(About::File("x/y.csv".into())), None);
        assert_eq!(part(About::Argument(0)), Some("g(\"x\")"));
        assert_eq!(part(About::Argument(1)), Some("[3, 4]"));
        assert_eq!(part(About::Argument(3)), None);
        let text = "t?.head(-1); head(t, -1); f.call([1])";
        let at = |call: &str, i: usize| about(text, text.find(call).unwrap(), &About::Argument(i)).map(|r| &text[r]);
        assert_eq!(at("head(-1)", 1), Some("-1"));
        assert_eq!(at("head(-1)", 0), None);
        assert_eq!(at("head(t", 1), Some("-1"));
        assert_eq!(at("call([1])", 0), None);
    }

    #[test]
    fn brackets_functions_and_keys() {
        let text = "fn mean(a, b) { a.c = #{ d: 1 }; \"(\" ";
        assert_eq!(open_bracket(text, text.len()).unwrap().start, text.find('{').unwrap());
        assert_eq!(functions(text), [("mean".to_string(), "mean(a, b)".to_string())]);
        assert_eq!(keys(text), ["c", "d"]);
        let text = "fn a() { 1 } private fn b() { 2 } fn c(x) { x }";
        assert_eq!(public_functions(text), [("a".into(), "a()".into()), ("c".into(), "c(x)".to_string())]);
    }
}
