//! rustyline's helper: completion, hints, highlighting, and when an input is complete.

use std::borrow::Cow;

use colored::Colorize;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, ConditionalEventHandler, Context, Event, EventContext, Helper as RustylineHelper, RepeatCount};

use super::scan::{code_of, in_string, last_word, open_brackets};
use super::{commands, hints, receivers};
use crate::script::session::Session;
use crate::script::vocabulary;
use crate::script::{docs, show};

/// What completion knows of the session, taken anew before each line.
pub struct Helper {
    /// The kind of each variable, of each field of a map (`data.train`) and of an array's first element (`models[]`).
    variables: Vec<(String, String)>,
    functions: Vec<String>,
    files: FilenameCompleter,
}

const KEYWORDS: &[&str] = &[
    "let", "const", "fn", "if", "else", "for", "in", "while", "loop", "break", "continue", "return", "import", "as",
    "true", "false", "try", "catch", "throw", "switch", "print",
];

impl Helper {
    pub fn new() -> Self {
        Helper { variables: vec![], functions: vec![], files: FilenameCompleter::new() }
    }

    pub fn refresh(&mut self, session: &Session) {
        self.variables.clear();
        for name in session.variable_names() {
            if let Some(value) = session.scope.get(&name) {
                known(&mut self.variables, name, value, 2);
            }
        }
        self.functions = session.function_signatures();
    }

    /// After `p.`: the members of p's kind, the fields of a map, or the members of all kinds when its kind is not known.
    fn members(&self, receiver: &str) -> Vec<&str> {
        let kind = receivers::kind(receiver, &self.variables);
        if let Some(kind) = kind.as_deref().and_then(vocabulary::find_kind) {
            return kind.members.iter().map(|m| m.name()).collect();
        }
        let name = last_word(receiver);
        let fields = self
            .variables
            .iter()
            .filter_map(|(path, _)| path.strip_prefix(name)?.strip_prefix('.'))
            .filter(|field| !field.contains(['.', '[']));
        let fields: Vec<&str> = fields.collect();
        if !fields.is_empty() {
            return fields;
        }
        vocabulary::kinds().iter().flat_map(|k| k.members).map(|m| m.name()).collect()
    }
}

/// Takes note of a value's kind, and down to `depth` of what it holds.
fn known(all: &mut Vec<(String, String)>, path: String, value: &rhai::Dynamic, depth: usize) {
    if depth > 0
        && let Ok(map) = value.as_map_ref()
    {
        map.iter().take(50).for_each(|(key, value)| known(all, format!("{path}.{key}"), value, depth - 1));
    }
    if depth > 0
        && let Ok(array) = value.as_array_ref()
        && let Some(first) = array.first()
    {
        known(all, format!("{path}[]"), first, depth - 1);
    }
    all.push((path, show::type_name(value)));
}

/// The names that a string may hold, by what stands before its quote: `dataset("`, `backbone: "`, `import "`.
fn names_inside(before: &str) -> Vec<&'static str> {
    let head = before.trim_end_matches('"').trim_end();
    let word = last_word(head.trim_end_matches(['(', ':', ' ']));
    let call = head.ends_with('(');
    match (word, call) {
        ("dataset", true) => crate::images::DATASETS.iter().map(|d| d.name).collect(),
        ("recipe", true) => crate::training::recipes::RECIPES.iter().map(|r| r.name).collect(),
        ("model", true) | ("backbone" | "model", false) => {
            crate::models::backbones::BACKBONES.iter().map(|b| b.name).collect()
        }
        ("head", false) => crate::models::heads::HEADS.iter().map(|h| h.name).collect(),
        ("loss" | "distillation", false) => crate::losses::LOSSES.iter().map(|l| l.0).collect(),
        ("reading", false) => crate::training::recipes::Reading::ALL.iter().map(|r| r.name()).collect(),
        ("import", false) => crate::script::modules::embedded_names().collect(),
        _ => vec![],
    }
}

/// The innermost call around the cursor whose options map is open: `word(..., #{ here`.
fn open_options(before: &str) -> Option<&'static crate::script::word::Word> {
    let map = before.rfind("#{")?;
    if before[map..].contains('}') {
        return None;
    }
    let (mut depth, head) = (0, &before[..map]);
    for (i, c) in head.char_indices().rev() {
        match c {
            ')' | ']' | '}' => depth += 1,
            '(' if depth == 0 => {
                return vocabulary::find(last_word(&head[..i]));
            }
            '(' | '[' | '{' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn pairs<'a>(names: impl IntoIterator<Item = &'a str>, prefix: &str) -> Vec<Pair> {
    let mut all: Vec<&str> = names.into_iter().filter(|n| n.starts_with(prefix)).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|n| Pair { display: n.to_string(), replacement: n.to_string() }).collect()
}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, ctx: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..pos];
        if let Some(rest) = before.strip_prefix('?') {
            return Ok((1, pairs(docs::names(), rest)));
        }
        if before.starts_with(':') && !before.contains(' ') {
            return Ok((0, pairs(commands::names(), before)));
        }
        if in_string(before) {
            let start = before.rfind('"').map_or(0, |quote| quote + 1);
            let named = pairs(names_inside(&before[..start]), &before[start..]);
            return if named.is_empty() { self.files.complete(line, pos, ctx) } else { Ok((start, named)) };
        }
        let word = last_word(before);
        let start = pos - word.len();
        if before[..start].ends_with('.') {
            return Ok((start, pairs(self.members(&before[..start - 1]), word)));
        }
        if let Some(options) = open_options(before).and_then(|w| w.options.as_ref())
            && before[..start].trim_end().ends_with(['{', ','])
        {
            let mut found = pairs((options.docs)().into_iter().map(|doc| doc.key), word);
            found.iter_mut().for_each(|p| p.replacement.push_str(": "));
            return Ok((start, found));
        }
        let names = vocabulary::words()
            .iter()
            .map(|w| w.name)
            .chain(KEYWORDS.iter().copied())
            .chain(
                self.variables.iter().map(|(n, _)| n.as_str()).filter(|n| !n.contains(['.', '[']) && !is_numbered(n)),
            )
            .chain(self.functions.iter().map(|f| f.split('(').next().unwrap_or(f)));
        Ok((start, pairs(names, word)))
    }
}

impl Hinter for Helper {
    type Hint = hints::Signature;

    /// The signature of the call that is being typed.
    fn hint(&self, line: &str, pos: usize, _ctx: &Context<'_>) -> Option<hints::Signature> {
        let typed = pos == line.len() && !line.contains('\n') && !commands::is_command(line);
        if typed && !in_string(line) { hints::hint(line, &self.functions) } else { None }
    }
}

impl Highlighter for Helper {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        Cow::Owned(highlight_pair(line, matching(line, pos)))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(hint.dimmed().to_string())
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        Cow::Owned(prompt.green().bold().to_string())
    }

    fn highlight_char(&self, line: &str, pos: usize, kind: CmdKind) -> bool {
        // On leaving a bracket too: its mark must go.
        kind != CmdKind::MoveCursor || matching(line, pos).is_some() || line.contains(['(', '[', '{'])
    }
}

/// Colours strings, numbers, comments, keywords and the language's words.
pub fn highlight(line: &str) -> String {
    highlight_pair(line, None)
}

/// The bracket under the cursor, or else before it, and its partner: their places in the line.
fn matching(line: &str, pos: usize) -> Option<(usize, usize)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (at, c) in code_of(line) {
        match c {
            '(' | '[' | '{' => open.push((at, c)),
            ')' | ']' | '}' => {
                let partner = open.pop()?;
                if matches!((partner.1, c), ('(', ')') | ('[', ']') | ('{', '}')) {
                    pairs.push((partner.0, at));
                }
            }
            _ => {}
        }
    }
    let around = |at: usize| pairs.iter().copied().find(|&(a, b)| a == at || b == at);
    around(pos).or_else(|| pos.checked_sub(1).and_then(around))
}

fn highlight_pair(line: &str, pair: Option<(usize, usize)>) -> String {
    let mut out = String::new();
    let marked = |rest: &str| {
        let at = line.len() - rest.len();
        pair.is_some_and(|(a, b)| at == a || at == b)
    };
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let token = match c {
            '"' => {
                let mut end = rest.len();
                let mut escaped = false;
                for (i, c) in rest.char_indices().skip(1) {
                    match c {
                        '\\' => escaped = !escaped,
                        '"' if !escaped => {
                            end = i + 1;
                            break;
                        }
                        _ => escaped = false,
                    }
                }
                &rest[..end]
            }
            '/' if rest.starts_with("//") => rest.find('\n').map_or(rest, |i| &rest[..i]),
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                &rest[..end]
            }
            c => &rest[..c.len_utf8()],
        };
        let shown = match c {
            _ if marked(rest) => token.bold().underline().to_string(),
            '"' => token.yellow().to_string(),
            '/' if token.len() > 1 => token.dimmed().to_string(),
            c if c.is_ascii_digit() => token.magenta().to_string(),
            _ if KEYWORDS.contains(&token) => token.blue().bold().to_string(),
            _ if vocabulary::find(token).is_some() => token.cyan().to_string(),
            _ => token.to_string(),
        };
        out.push_str(&shown);
        rest = &rest[token.len()..];
    }
    out
}

impl Validator for Helper {
    /// An input goes on over several lines while a bracket or a string is open; an empty line ends it all the same.
    fn validate(&self, ctx: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let input = ctx.input();
        if commands::is_command(input.trim()) || gives_up(input) {
            return Ok(ValidationResult::Valid(None));
        }
        Ok(if open_brackets(input) > 0 { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// Two empty lines at the end: the input is taken as it is, whatever is still open.
fn gives_up(input: &str) -> bool {
    let mut lines = input.rsplit('\n');
    input.matches('\n').count() >= 2
        && lines.next().is_some_and(|l| l.trim().is_empty())
        && lines.next().is_some_and(|l| l.trim().is_empty())
}

/// Enter inside an open bracket begins a line that is indented as deep as brackets are open.
pub struct Indent;

impl ConditionalEventHandler for Indent {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        let (line, pos) = (ctx.line(), ctx.pos());
        let open = open_brackets(line.get(..pos)?);
        if pos < line.len() || open <= 0 || commands::is_command(line.trim()) || gives_up(&format!("{line}\n")) {
            return None;
        }
        Some(Cmd::Insert(1, format!("\n{}", "    ".repeat(open as usize))))
    }
}

/// Whether a variable is one of the numbered values.
pub fn is_numbered(name: &str) -> bool {
    name.strip_prefix("ans_").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// `_`, the last value, and `_3`, the third, in the names that the language has for them; `_ =>` of a switch stays.
pub fn with_ans(text: &str) -> String {
    let code = code_of(text);
    let mut out = text.to_string();
    let word = |c: Option<&(usize, char)>| c.is_some_and(|(_, c)| c.is_alphanumeric() || *c == '_');
    for (i, &(at, c)) in code.iter().enumerate().rev() {
        let begins = c == '_' && !word(i.checked_sub(1).and_then(|p| code.get(p)).filter(|(p, _)| *p + 1 == at));
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let ends = !text[at + 1 + digits..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if begins && ends && digits > 0 {
            out.insert_str(at, "ans");
        } else if begins && ends && !text[at + 1..].trim_start().starts_with("=>") {
            out.replace_range(at..=at, "ans");
        }
    }
    out
}

impl RustylineHelper for Helper {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_has_a_short_name() {
        assert_eq!(with_ans("_ + 1"), "ans + 1");
        assert_eq!(with_ans("f(_, a_b, \"_\", _x) // _"), "f(ans, a_b, \"_\", _x) // _");
        assert_eq!(with_ans("_1 + _12.k + a_1 + _1a"), "ans_1 + ans_12.k + a_1 + _1a");
        assert_eq!(with_ans("switch x { 1 => 2, _ => _ }"), "switch x { 1 => 2, _ => ans }");
    }

    #[test]
    fn brackets_find_their_partners_and_inputs_their_end() {
        assert_eq!(matching("f(a[1], \")\")", 1), Some((1, 11)));
        assert_eq!(matching("f(a[1])", 6), Some((1, 6)));
        assert_eq!(matching("f(a]", 1), None);
        assert!(gives_up("f(\n    \n  ") && !gives_up("f(\n    ") && !gives_up("f("));
        assert_eq!(open_brackets("let s = `a ${"), 1);
    }

    #[test]
    fn strings_complete_to_the_names_that_fit() {
        assert!(names_inside("let d = dataset(\"").contains(&"coco2014"));
        assert!(names_inside("#{model: #{backbone: \"").contains(&"resnet18"));
        assert!(names_inside("import \"").contains(&"method"));
        assert!(names_inside("print(\"").is_empty());
    }

    #[test]
    fn option_keys_are_known_inside_an_open_map() {
        assert_eq!(open_options("spectral_partition(a, f(2), #{se").map(|w| w.name), Some("spectral_partition"));
        assert!(open_options("spectral_partition(a, 2, #{seed: 1})").is_none());
    }
}
