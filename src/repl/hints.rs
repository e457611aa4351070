//! The signature of the call being typed, in grey behind the cursor.

use rustyline::hint::Hint;
use textwrap::core::display_width;

use super::PROMPT;
use super::input::{last_word, signs};
use crate::script::vocabulary;

/// The text behind the cursor. No key takes it into the line.
pub struct Signature(String);

impl Hint for Signature {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

/// Fewer columns of a hint say nothing.
const FEWEST: usize = 12;

impl Signature {
    /// The hint cut to what is left of the last row of a line, in a terminal of so many columns. None where that is too little.
    pub fn fitted(self, line: &str, columns: usize) -> Option<Signature> {
        let taken = (PROMPT.len() + display_width(line)) % columns;
        // In the last column the cursor would go on to the next row.
        let room = columns.saturating_sub(taken + 1);
        (room >= FEWEST).then(|| Signature(console::truncate_str(&self.0, room, "…").into_owned()))
    }
}

/// What is typed at the end of a text.
pub enum Typed {
    /// The value of an option: what the option is, with its default.
    Option(String),
    /// An argument of a call, at this position from 0: all ways of calling it, and the first of them that has this argument.
    Argument { signatures: Vec<String>, fitting: usize, argument: usize },
}

/// The hint for a line with the cursor at its end; `functions` are the user's own signatures.
pub fn hint(line: &str, functions: &[String]) -> Option<Signature> {
    let (signature, argument) = match typed(line, functions)? {
        Typed::Option(text) => return Some(Signature(format!("   {text}"))),
        Typed::Argument { mut signatures, fitting, argument } => (signatures.swap_remove(fitting), argument),
    };
    let marked: Vec<String> = parameters(&signature)
        .into_iter()
        .enumerate()
        .map(|(i, parameter)| if i == argument { format!("▸{parameter}") } else { parameter })
        .collect();
    let gives = signature.split(" -> ").nth(1).map_or(String::new(), |kind| format!(" -> {kind}"));
    let name = signature.split('(').next().unwrap_or_default();
    Some(Signature(format!("   {name}({}){gives}", marked.join(", "))))
}

/// The parameters of a signature, as they are written.
pub fn parameters(signature: &str) -> Vec<String> {
    let inside = signature.split_once('(').map_or("", |(_, rest)| rest.split(')').next().unwrap_or(rest));
    inside.split(", ").filter(|p| !p.is_empty()).map(str::to_string).collect()
}

/// What is typed at the end of a text; `functions` are signatures of the user's own, those of libraries as `library::name(...)`.
pub fn typed(line: &str, functions: &[String]) -> Option<Typed> {
    let call = innermost(line)?;
    if let Some(key) = &call.option {
        let options = vocabulary::find(call.name)?.options.as_ref()?;
        let doc = (options.docs)().into_iter().find(|doc| doc.key == key)?.text;
        let default = (options.defaults)()
            .get(key.as_str())
            .map_or(String::new(), |value| format!(" (default {})", crate::script::options::literal(value)));
        return Some(Typed::Option(format!("{doc}{default}")));
    }
    if call.in_options {
        return None;
    }
    let own: Vec<&str> =
        functions.iter().map(String::as_str).filter(|f| f.split('(').next() == Some(call.name)).collect();
    let signatures: Vec<&str> = vocabulary::find(call.name).map_or(own, |word| word.signatures.to_vec());
    let last = signatures.len().checked_sub(1)?;
    let fitting = signatures.iter().position(|s| parameters(s).len() > call.argument).unwrap_or(last);
    let signatures = signatures.into_iter().map(str::to_string).collect();
    Some(Typed::Argument { signatures, fitting, argument: call.argument })
}

/// The call around the end of a line.
struct Call<'l> {
    /// With its library: `m::f`.
    name: &'l str,
    /// The index of the argument being typed.
    argument: usize,
    /// Whether the cursor is inside its `#{...}`.
    in_options: bool,
    /// The option whose value is being typed.
    option: Option<String>,
}

fn innermost(line: &str) -> Option<Call<'_>> {
    let (mut depth, mut commas, mut in_options) = (0, 0, false);
    let mut option_from = None;
    for (at, c) in signs(line).rev() {
        match c {
            ')' | ']' | '}' => depth += 1,
            '{' if depth == 0 && line[..at].ends_with('#') => {
                option_from.get_or_insert(at + 1);
                in_options = true;
                commas = 0;
            }
            '(' if depth == 0 => {
                let before = &line[..at];
                let name = last_word(before);
                if name.is_empty() || before[..at - name.len()].ends_with('.') {
                    return None;
                }
                let name = match before[..at - name.len()].strip_suffix("::") {
                    Some(library) => &before[library.len() - last_word(library).len()..],
                    None => name,
                };
                let option = option_from
                    .filter(|_| in_options)
                    .and_then(|from| line[from..].split_once(':'))
                    .map(|(key, _)| key.trim().to_string());
                return Some(Call { name, argument: commas, in_options, option });
            }
            '[' | '{' | ';' if depth == 0 => return None,
            '(' | '[' | '{' => depth -= 1,
            ',' if depth == 0 => {
                option_from.get_or_insert(at + 1);
                commas += 1;
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Option<String> {
        crate::primitives::install();
        hint(line, &["double(x, y)".into(), "m::table(a)".into()]).map(|h| h.0.trim().to_string())
    }

    #[test]
    fn the_argument_that_is_being_typed_is_marked() {
        assert_eq!(
            text("let p = spectral_partition(").as_deref(),
            Some("spectral_partition(▸affinity, k) -> Partition")
        );
        assert_eq!(
            text("spectral_partition(affinity(c, \"co\"), ").as_deref(),
            Some("spectral_partition(affinity, ▸k) -> Partition")
        );
        assert_eq!(
            text("spectral_partition(a, 2, ").as_deref(),
            Some("spectral_partition(affinity, k, ▸#{options}) -> Partition")
        );
        assert_eq!(
            text("spectral_partition(affinity(").as_deref(),
            Some("affinity(▸cooccurrence, branch) -> Affinity")
        );
        assert_eq!(text("double(1, ").as_deref(), Some("double(x, ▸y)"));
        assert_eq!(text("m::table(").as_deref(), Some("m::table(▸a)"));
        assert_eq!(text("n::table("), None);
        assert_eq!(text("double(1; 2, "), None);
        assert_eq!(text("1 + 2"), None);
        assert_eq!(text("print([1, "), None);
    }

    #[test]
    fn a_long_hint_ends_with_the_row() {
        let fitted = |hint: &str, line: &str, columns: usize| Signature(hint.into()).fitted(line, columns).map(|h| h.0);
        assert_eq!(fitted("   f(▸x, y) -> Tensor", "f(", 80).as_deref(), Some("   f(▸x, y) -> Tensor"));
        let cut = fitted("   f(▸x, y) -> Tensor", "f(", 24).unwrap();
        assert_eq!((cut.as_str(), display_width(&cut)), ("   f(▸x, y) ->…", 15));
        // A line of several rows, of which the last counts; one that is full.
        assert!(fitted("   f(▸x, y) -> Tensor", &"x".repeat(24), 24).unwrap().ends_with('…'));
        assert_eq!(fitted("   f(▸x, y) -> Tensor", &"x".repeat(10), 24), None);
        // Wide letters take two columns.
        assert_eq!(fitted("   f(▸x, y) -> Tensor", &"字".repeat(5), 24), None);
    }

    #[test]
    fn an_option_says_what_it_is() {
        let seed = text("spectral_partition(a, 2, #{restarts: 3, seed: ").unwrap();
        assert!(seed.contains("default 0") && !seed.contains("restarts"), "{seed}");
        assert_eq!(text("spectral_partition(a, 2, #{se"), None);
        assert_eq!(text("spectral_partition(a, 2, #{no_such: "), None);
    }
}
