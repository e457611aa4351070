//! The texts of closures, as they are written in a script.

use std::ops::Range;

use super::tokens::{Piece, pieces};

/// A closure in a text.
pub struct Written {
    /// The names of its parameters.
    pub parameters: Vec<String>,
    /// Its bytes, from the first bar to the end of its body.
    pub range: Range<usize>,
}

/// The closures of a text that parses, in the order in which they begin. Those in interpolated strings are left out.
pub fn closures(text: &str) -> Vec<Written> {
    let pieces = pieces(text);
    let of = |i: usize| pieces.get(i).map_or("", |(range, _): &(Range<usize>, Piece)| &text[range.clone()]);
    // Of each piece the closing bar, if it is the bar that opens a closure.
    let mut closing: Vec<Option<usize>> = vec![None; pieces.len()];
    let mut at = 0;
    while at < pieces.len() {
        if of(at) == "|" {
            if !(at == 0 || is_before_a_value(pieces[at - 1].1, of(at - 1))) {
                // The operators | and ||.
                let twice = of(at + 1) == "|" && pieces[at].0.end == pieces[at + 1].0.start;
                at += if twice { 2 } else { 1 };
                continue;
            }
            if let Some(close) = (at + 1..pieces.len()).find(|&i| of(i) == "|") {
                closing[at] = Some(close);
                at = close;
            }
        }
        at += 1;
    }
    let opened = closing.iter().enumerate().filter_map(|(open, close)| Some((open, (*close)?)));
    let written = opened.map(|(open, close)| {
        let (mut at, mut depth, mut last) = (close + 1, 0, close);
        let is_block = of(at) == "{";
        while at < pieces.len() {
            let sign = if pieces[at].1 == Piece::Sign { of(at) } else { "" };
            match sign {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" | "," | ";" if depth == 0 => break,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            // The parameters of a closure inside are no end.
            at = closing[at].unwrap_or(at);
            last = at;
            if is_block && depth == 0 {
                break;
            }
            at += 1;
        }
        let names = (open + 1..close).filter(|&i| pieces[i].1 == Piece::Word).map(|i| of(i).to_string());
        Written { parameters: names.collect(), range: pieces[open].0.start..pieces[last].0.end }
    });
    written.collect()
}

/// Whether a value is expected behind a piece, not an operator.
fn is_before_a_value(piece: Piece, text: &str) -> bool {
    const KEYWORDS: [&str; 9] = ["return", "throw", "in", "if", "else", "while", "until", "switch", "break"];
    match piece {
        Piece::Sign => !matches!(text, ")" | "]" | "}" | "'"),
        Piece::Word => KEYWORDS.contains(&text),
        _ => false,
    }
}

/// The innermost closure around byte `at` whose parameters are the last of `parameters`: before them are those that it captured.
pub fn around<'a>(all: &'a [Written], at: usize, parameters: &[String]) -> Option<&'a Written> {
    let begun = all.partition_point(|closure| closure.range.start <= at);
    all[..begun].iter().rev().find(|closure| closure.range.contains(&at) && parameters.ends_with(&closure.parameters))
}

/// A text on one line of at most `most` characters.
pub fn shortened(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > most {
        true => format!("{} ...", line.chars().take(most).collect::<String>().trim_end()),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        closures(text).into_iter().map(|closure| &text[closure.range]).collect()
    }

    #[test]
    fn closures_end_where_their_bodies_do() {
        assert_eq!(texts("let f = |x| x + 1; f.call(2)"), ["|x| x + 1"]);
        assert_eq!(texts("let f = |x, y| {\n  x; y\n};\nlet a = 1"), ["|x, y| {\n  x; y\n}"]);
        assert_eq!(texts("f(#{a: |x| g(x, 1), b: 2}, || 3)"), ["|x| g(x, 1)", "|| 3"]);
        assert_eq!(texts("|a| |b, c| a + b"), ["|a| |b, c| a + b", "|b, c| a + b"]);
        assert_eq!(texts("x.map(|v| if v > 0 { v } else { -v })"), ["|v| if v > 0 { v } else { -v }"]);
        assert_eq!(texts("let f = |c| c == ')' || c == '|'; 1"), ["|c| c == ')' || c == '|'"]);
        assert!(texts("a || b && (c | d) || \"|x|\" // |x| x").is_empty());
    }

    #[test]
    fn the_innermost_with_these_parameters_is_found() {
        let text = "let w = 2; |a| f(|x| x * w, 1) + a";
        let all = closures(text);
        let name = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let find = |at: &str, names: &[&str]| {
            around(&all, text.find(at).unwrap(), &name(names)).map(|c| &text[c.range.clone()])
        };
        assert_eq!(find("* w", &["w", "x"]), Some("|x| x * w"));
        assert_eq!(find("+ a", &["w", "a"]), Some("|a| f(|x| x * w, 1) + a"));
        assert_eq!(find("+ a", &["b"]), None);
    }

    #[test]
    fn long_texts_are_shortened_to_a_line() {
        assert_eq!(shortened("|x| {\n    x + 1\n}", 80), "|x| { x + 1 }");
        assert_eq!(shortened("|x| x + 1", 5), "|x| x ...");
    }
}
