//! Where in an unfinished line the cursor is: in which call, argument, map and array.

use crate::script::tokens::{Piece, pieces};

/// The place behind the end of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context<'l> {
    /// The innermost call, if one is open; of a method the name alone.
    pub call: Option<&'l str>,
    /// Whether that is a method: `x.call(`.
    pub is_method: bool,
    /// The position of the argument that is being typed, from 0.
    pub argument: usize,
    /// The keys that lead to the map that is being typed: `["model"]` of `f(#{model: #{`.
    pub path: Vec<&'l str>,
    /// Whether a map is the innermost thing that is open.
    pub in_map: bool,
    /// The key whose value is being typed, in the innermost map that is open since the call.
    pub key: Option<&'l str>,
    /// Whether an array is the innermost thing that is open.
    pub in_array: bool,
    /// What stands before the bracket of an index, `data` of `data["`, if that is the innermost thing that is open.
    pub indexed: Option<&'l str>,
}

/// Something that is open.
enum Open<'l> {
    Call { name: &'l str, is_method: bool, commas: usize },
    Map { key: Option<&'l str> },
    Array,
    Index { receiver: &'l str },
    Other,
}

/// The context behind `text`, which ends before the word or the string that is being typed.
pub fn context(text: &str) -> Context<'_> {
    let mut open: Vec<Open> = Vec::new();
    // The last word or text, with its end.
    let mut last: Option<(&str, usize, usize)> = None;
    let mut before = ' ';
    for (range, piece) in pieces(text) {
        let token = &text[range.clone()];
        match piece {
            Piece::Word => last = Some((token, range.start, range.end)),
            Piece::Text => last = Some((token.trim_matches('"'), range.start, range.end)),
            _ => {}
        }
        if piece != Piece::Sign {
            before = ' ';
            continue;
        }
        let sign = token.chars().next().unwrap_or(' ');
        let adjacent = last.filter(|(.., end)| *end == range.start);
        match sign {
            '(' => open.push(match adjacent {
                Some((name, start, _)) if !text[start..].starts_with('"') => {
                    Open::Call { name, is_method: text[..start].ends_with('.'), commas: 0 }
                }
                _ => Open::Other,
            }),
            '{' if before == '#' => open.push(Open::Map { key: None }),
            '{' => open.push(Open::Other),
            '[' => {
                let follows = text[..range.start].ends_with(|c: char| c.is_alphanumeric() || "_)]".contains(c));
                open.push(if follows { Open::Index { receiver: &text[..range.start] } } else { Open::Array });
            }
            ')' | ']' | '}' => drop(open.pop()),
            // Only a block holds statements: what else is open before is not closed yet, or never.
            ';' => {
                while matches!(
                    open.last(),
                    Some(Open::Call { .. } | Open::Map { .. } | Open::Array | Open::Index { .. })
                ) {
                    let _ = open.pop();
                }
            }
            ',' => match open.last_mut() {
                Some(Open::Call { commas, .. }) => *commas += 1,
                Some(Open::Map { key }) => *key = None,
                _ => {}
            },
            ':' => {
                if let (Some(Open::Map { key: key @ None }), Some((name, ..))) = (open.last_mut(), last) {
                    *key = Some(name);
                }
            }
            _ => {}
        }
        before = sign;
    }
    of(&open)
}

fn of<'l>(open: &[Open<'l>]) -> Context<'l> {
    let call = open.iter().rposition(|one| matches!(one, Open::Call { .. }));
    let inside = &open[call.map_or(0, |at| at + 1)..];
    let mut context = Context {
        in_map: matches!(open.last(), Some(Open::Map { .. })),
        in_array: matches!(open.last(), Some(Open::Array)),
        ..Context::default()
    };
    if let Some(Open::Call { name, is_method, commas }) = call.map(|at| &open[at]) {
        (context.call, context.is_method, context.argument) = (Some(*name), *is_method, *commas);
    }
    if let Some(Open::Index { receiver }) = open.last() {
        context.indexed = Some(receiver);
    }
    let keys: Vec<Option<&str>> = inside
        .iter()
        .filter_map(|one| match one {
            Open::Map { key } => Some(*key),
            _ => None,
        })
        .collect();
    if let Some((innermost, outer)) = keys.split_last() {
        context.key = *innermost;
        context.path = outer.iter().copied().flatten().collect();
    }
    context
}

impl<'l> Context<'l> {
    /// The keys that lead to the value that is being typed.
    pub fn path_of_value(&self) -> Vec<&'l str> {
        self.path.iter().copied().chain(self.key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_maps_and_arrays_are_told_apart() {
        let at = context("let m = train_teacher(data, f(2), #{model: #{");
        assert_eq!((at.call, at.argument, at.path.clone()), (Some("train_teacher"), 2, vec!["model"]));
        assert!(at.in_map && at.key.is_none());
        let at = context("train_teacher(data, [\"dog\"], #{epochs: 3, augment: #{crop: ");
        assert_eq!(at.path_of_value(), ["augment", "crop"]);
        let at = context("train_teacher(data, [\"dog\", ");
        assert!(at.in_array && at.argument == 1 && at.call == Some("train_teacher"));
        let at = context("distill(data, e, #{weights: [1.0], schedule: ");
        assert_eq!(at.path_of_value(), ["schedule"]);
        let at = context("f(#{labels: [");
        assert!(at.in_array && at.key == Some("labels"));
        let at = context("let o = #{model: #{head: \"q2l\", head_options: #{");
        assert_eq!((at.call, at.path.clone()), (None, vec!["model", "head_options"]));
        let at = context("counts.count(");
        assert!(at.is_method && at.call == Some("count"));
        assert_eq!(context("data[").indexed, Some("data"));
        assert_eq!(context("f(m.inner[").indexed, Some("f(m.inner"));
        // What is closed, or in a text or a comment, is not open.
        assert_eq!(
            context("f(#{a: 1}); g(\"(#{b: \" /* h(#{ */, "),
            Context { argument: 1, call: Some("g"), ..Context::default() }
        );
        assert_eq!(context(")]}"), Context::default());
        assert_eq!(context("if a { f("), Context { call: Some("f"), ..Context::default() });
        assert_eq!(context("m::f(1, ").call, Some("f"));
        assert_eq!(context("f(#{a: [; g(1, ").call, Some("g"));
        assert_eq!(context("f(#{a: [; "), Context::default());
        assert_eq!(context("f(|x| { g(1; h(").call, Some("h"));
    }
}
