//! Names that exist inside of an unfinished input alone: the parameters of the closures that are open, and its own variables.

use super::context::context;
use super::infer::{self, Scope};
use super::input::last_word;
use crate::script::closure_parameters::{Given, of_argument, of_names, of_option};
use crate::script::closure_source::closures;
use crate::script::tokens::{Piece, pieces};

/// The kinds of the names that the end of `text` sees: its own before those of `scope`, which they hide.
pub fn scope_at(text: &str, scope: &Scope) -> Vec<(String, String)> {
    let mut all = scope.to_vec();
    parameters(text, &mut all);
    variables(text, &mut all);
    all
}

/// Gives a name a kind, or takes the one away that it had.
fn hide(all: &mut Vec<(String, String)>, name: &str, kind: Option<String>) {
    // One that it had before has its fields, too.
    if kind.as_ref().is_some_and(|kind| all.iter().any(|(path, known)| path == name && known == kind)) {
        return;
    }
    all.retain(|(path, _)| path != name && !path.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '['])));
    all.extend(kind.map(|kind| (name.to_string(), kind)));
}

/// Adds the parameters of the closures that are open at the end.
fn parameters(text: &str, all: &mut Vec<(String, String)>) {
    let end = pieces(text).last().map_or(0, |(range, _)| range.end);
    for closure in closures(text).iter().filter(|closure| closure.range.end == end) {
        let given = given(&text[..closure.range.start], closure.parameters.len());
        // One that is made elsewhere is known by names that only such closures have.
        let given = given.or_else(|| of_names(&closure.parameters)).unwrap_or(&[]);
        for (i, name) in closure.parameters.iter().enumerate() {
            let given = given.get(i);
            hide(all, name, given.map(|given| given.kind.to_string()));
            let keys = given.map_or(&[][..], |given| given.keys);
            all.extend(keys.iter().map(|(key, kind)| (format!("{name}.{key}"), kind.to_string())));
        }
    }
}

/// What a closure is given that begins behind `before`: by the option or the argument that it is the value of. One that becomes a variable
/// is taken for the value of the option of that name, as in `let head = |maps, p| ...`.
fn given(before: &str, parameters: usize) -> Option<&'static [Given]> {
    let before = before.trim_end();
    if let Some(left) = before.strip_suffix('=') {
        return of_option(last_word(left.trim_end()), parameters);
    }
    let at = context(before);
    match (at.in_map, at.key, at.call) {
        (true, Some(key), _) => of_option(key, parameters),
        (false, _, Some(call)) => of_argument(call, at.argument, parameters),
        _ => None,
    }
}

/// Adds the variables that the text makes, `let x = data.train;`.
fn variables(text: &str, all: &mut Vec<(String, String)>) {
    let pieces = pieces(text);
    let of = |i: usize| pieces.get(i).map_or("", |(range, _)| &text[range.clone()]);
    for at in (0..pieces.len()).filter(|&at| matches!(of(at), "let" | "const") && of(at + 2) == "=") {
        let mut depth = 0;
        let end = (at + 3..pieces.len()).find(|&i| {
            match of(i) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            depth < 0 || (depth == 0 && of(i) == ";")
        });
        // The value of one that is still being typed is not known, nor is the name in scope.
        let Some(end) = end.filter(|end| *end > at + 3 && pieces[at + 1].1 == Piece::Word) else { continue };
        let value = &text[pieces[at + 3].0.start..pieces[end - 1].0.end];
        let kind = infer::kind(value, all).filter(|_| is_one_value(value));
        hide(all, of(at + 1), kind);
    }
}

/// Whether an expression has no operator outside its brackets: of `a.b + c` the last part says nothing of the whole.
fn is_one_value(text: &str) -> bool {
    let mut depth = 0;
    let mut before_word = false;
    pieces(text).iter().all(|(range, piece)| {
        let token = &text[range.clone()];
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        let is_word = *piece == Piece::Word;
        let follows = is_word && before_word;
        before_word = is_word;
        !follows
            && (depth > 0 || is_word || *piece != Piece::Sign || matches!(token, "." | ":" | ")" | "]" | "}" | "#"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<String> {
        crate::primitives::install();
        let scope: Vec<(String, String)> = [("data", "map"), ("data.train", "Dataset"), ("p", "Partition")]
            .map(|(name, kind)| (name.into(), kind.into()))
            .into();
        infer::kind(text, &scope_at(text, &scope))
    }

    #[test]
    fn parameters_of_closures_have_the_kinds_of_what_they_are_given() {
        for (text, known) in [
            ("train_teacher(data, l, #{model: #{backbone: \"vit\", head: |maps, p| p", "Layers"),
            ("train_teacher(data, l, #{model: #{head: |maps, p| { let f = maps.mean([2, 3]); p", "Layers"),
            ("model(\"small_cnn\", #{labels: l, head: |m, p| p.linear(\"fc\", m", "Tensor"),
            ("let head = |maps, p| p", "Layers"),
            ("load_model(\"m\", #{adapter: |block, x, p| x.patches", "Tensor"),
            ("train_teacher(data, l, #{augment: |picture, random| random", "Random"),
            ("let o = #{on_epoch: |line| line.loss", "number"),
            ("distill(data, e, #{distillation: |a, b, features| features.student.stage4", "Tensor"),
            ("distill(data, e, #{distillation: |a, b, features| features.teachers[0].stage4", "Tensor"),
            ("grad(|w| w", "Tensor"),
            ("m.gradients(data.train, |logits, targets| targets", "Tensor"),
            // Outside, and behind a closure that has ended.
            ("train_teacher(data, l, #{model: #{head: |maps, p| p.linear(\"a\", maps, 2)}}); p", "Partition"),
            ("[1].map(|x| p", "Partition"),
            // The innermost counts.
            ("train_teacher(data, l, #{head: |maps, p| { let p = data.train; p", "Dataset"),
        ] {
            assert_eq!(kind(text).as_deref(), Some(known), "{text}");
        }
        // A parameter hides a variable, and a closure of other parameters is not what the option takes.
        assert_eq!(kind("let h = |maps, p| { p").as_deref(), Some("Layers"));
        assert_eq!(kind("[1].map(|p| p"), None);
        assert_eq!(kind("train_teacher(data, l, #{head: |p| p"), None);
        assert_eq!(kind("train_teacher(data, l, #{head: |maps, p| { let g = |a, b| b"), None);
    }

    #[test]
    fn variables_of_an_input_have_the_kinds_of_their_values() {
        assert_eq!(kind("let t = data.train; t").as_deref(), Some("Dataset"));
        assert_eq!(kind("let t = data.train;\nlet l = t.labels; l").as_deref(), Some("LabelTable"));
        assert_eq!(kind("let head = |maps, p| { let f = maps.mean([2, 3]); f").as_deref(), Some("Tensor"));
        assert_eq!(kind("let p = 3 + data.train; p"), None);
        assert_eq!(kind("let p = if a { p } else { data.train }; p"), None);
        assert_eq!(kind("let q = p; let p = 1; q").as_deref(), Some("Partition"));
    }
}
