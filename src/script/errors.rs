//! From the core's errors to Rhai's, and from either to what a person reads.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use rhai::{Dynamic, EvalAltResult, Position};

use super::session::Sources;
use crate::error::{Error, ErrorKind, nearest};
use crate::primitives;

/// What a word of the language gives back to Rhai.
pub type Fallible<T> = std::result::Result<T, Box<EvalAltResult>>;

/// The value that a script's `catch (error)` receives.
#[derive(Clone, Debug)]
pub struct Raised(pub Error);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// A core error as Rhai's; Rhai itself adds the place of the call. An interruption cannot be caught by a script.
pub fn raise(error: Error) -> Box<EvalAltResult> {
    let interrupted = error.kind == ErrorKind::Interrupted;
    let value = Dynamic::from(Raised(error));
    Box::new(match interrupted {
        true => EvalAltResult::ErrorTerminated(value, Position::NONE),
        false => EvalAltResult::ErrorRuntime(value, Position::NONE),
    })
}

/// `core_call().or_raise()?` inside the glue of a word.
pub trait OrRaise<T> {
    fn or_raise(self) -> Fallible<T>;
}

impl<T> OrRaise<T> for crate::error::Result<T> {
    fn or_raise(self) -> Fallible<T> {
        self.map_err(raise)
    }
}

/// Why a script or a line of the REPL did not finish, with its place.
#[derive(Debug)]
pub struct Failure {
    pub kind: ErrorKind,
    pub message: String,
    pub help: Option<String>,
    /// File (or line of the REPL) and its text.
    source: Option<NamedSource<String>>,
    /// Byte offset and length in the source text.
    span: Option<(usize, usize)>,
    /// Calls that led here, outermost first.
    chain: Vec<String>,
    /// `exit(n)` was called: not an error.
    pub exit: Option<i32>,
}

impl Failure {
    pub fn plain(error: Error) -> Self {
        Failure { kind: error.kind, message: error.message, help: error.help, source: None, span: None, chain: vec![], exit: None }
    }

    pub fn interrupted(&self) -> bool {
        self.kind == ErrorKind::Interrupted
    }

    /// Reads Rhai's error: finds the innermost place, names types as users know them, suggests the nearest name.
    /// `variables` are the names that the script's top level knows.
    pub fn from_rhai(error: EvalAltResult, main: &str, sources: &Sources, variables: &[String]) -> Self {
        let mut source = main.to_string();
        let mut chain = Vec::new();
        let mut error = error;
        let mut in_function = false;
        loop {
            match error {
                EvalAltResult::ErrorInFunctionCall(name, from, inner, pos) => {
                    chain.push(format!("in {name}(), called at {}", place(&source, pos)));
                    if !from.is_empty() {
                        source = from;
                    }
                    // A function of an earlier line of the prompt is said to come from the latest.
                    let here = sources.text(&source).is_some_and(|text| text.contains(&format!("fn {name}(")));
                    if !here && let Some(earlier) = sources.defining(&name) {
                        source = earlier;
                    }
                    in_function = true;
                    error = *inner;
                }
                EvalAltResult::ErrorInModule(name, inner, pos) => {
                    chain.push(format!("in module {name}, imported at {}", place(&source, pos)));
                    source = name;
                    error = *inner;
                }
                _ => break,
            }
        }
        let position = error.position();
        let mut failure = Failure::plain(describe(error, variables, in_function));
        if let Some(code) = failure.message.strip_prefix(EXIT).and_then(|code| code.parse().ok()) {
            failure.exit = Some(code);
        }
        if let Some(text) = sources.text(&source) {
            failure.span = span(&text, position);
            failure.source = Some(NamedSource::new(source.clone(), text));
        }
        failure.chain = chain;
        failure
    }

    /// `file:line:column`, where there is a place.
    pub fn place(&self) -> Option<String> {
        let (source, (offset, _)) = (self.source.as_ref()?, self.span?);
        let before = source.inner().get(..offset)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some(format!("{}:{line}:{column}", source.name()))
    }

    /// The whole report: code, sentence, source line with the place underlined, calls, help.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false).with_context_lines(1);
        let mut out = String::new();
        if handler.render_report(&mut out, self).is_err() {
            out = self.to_string();
        }
        for call in &self.chain {
            out.push_str(&format!("  {call}\n"));
        }
        out
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Diagnostic for Failure {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.kind.code()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|s| s as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (offset, length) = self.span?;
        Some(Box::new(std::iter::once(LabeledSpan::new(Some("here".into()), offset, length))))
    }
}

const EXIT: &str = "\u{0}exit ";

fn place(source: &str, pos: Position) -> String {
    match (pos.line(), pos.position()) {
        (Some(line), Some(column)) => format!("{source}:{line}:{column}"),
        _ => source.to_string(),
    }
}

/// Rhai gives a point; what a person sees underlined is the word, number or string that starts there.
fn span(text: &str, pos: Position) -> Option<(usize, usize)> {
    let (line, column) = (pos.line()?, pos.position().unwrap_or(1));
    let start_of_line: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start_of_line..)?.split('\n').next()?;
    let skip: usize = rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    let token = &rest[skip..];
    let first = token.chars().next();
    let length = match first {
        None => 0,
        Some(quote @ ('"' | '`')) => token[1..].find(quote).map_or(token.len(), |end| end + 2),
        Some(c) if c.is_alphanumeric() || c == '_' => {
            token.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum()
        }
        Some(c) => c.len_utf8(),
    };
    Some((start_of_line + skip, length))
}

/// The sentence for each of Rhai's errors, in the words of this language.
fn describe(error: EvalAltResult, variables: &[String], in_function: bool) -> Error {
    let words = || primitives::WORDS.iter().map(|w| w.name);
    match error {
        EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) if value.is::<Raised>() => {
            value.cast::<Raised>().0
        }
        EvalAltResult::ErrorRuntime(value, _) => Error::new(ErrorKind::Argument, super::show::plain(&value)),
        EvalAltResult::ErrorTerminated(value, _) if value.is::<StopRequest>() => Error::interrupted(),
        EvalAltResult::ErrorTerminated(value, _) => {
            Error::internal(format!("{EXIT}{}", value.as_int().unwrap_or(0).clamp(0, 255)))
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            let error = Error::unknown("name", &name, variables.iter().map(String::as_str).chain(words()));
            let known = variables.contains(&name);
            match (in_function && known, words().any(|w| w == name)) {
                (true, _) => Error::argument(format!("\"{name}\" is a variable of the script, which a function does not see"))
                    .with_help(format!("pass it as an argument, or define it as `const {0}` and write `global::{0}`", name)),
                (_, true) => Error::argument(format!("\"{name}\" is a function: call it, as in {name}(...)")),
                _ if error.help.as_ref().is_some_and(|h| h.starts_with("did you")) => error,
                _ => Error::argument(format!("there is no variable \"{name}\"")),
            }
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(&signature),
        EvalAltResult::ErrorPropertyNotFound(name, _) => Error::argument(format!("there is no property \"{name}\"")),
        EvalAltResult::ErrorDotExpr(message, _) => unknown_property(&message),
        EvalAltResult::ErrorMismatchDataType(expected, came, _) => Error::argument(format!(
            "expected {}, got {}", primitives::user_name(&expected), primitives::user_name(&came)
        )),
        EvalAltResult::ErrorModuleNotFound(name, _) => {
            let error = Error::unknown("library", &name, super::modules::embedded_names());
            let message = format!(
                "no library \"{name}\": looked in the standard library, beside the script and in CPSD_PATH"
            );
            Error { message, ..error }
        }
        EvalAltResult::ErrorTooManyOperations(_) => Error::argument("the script ran too many operations"),
        EvalAltResult::ErrorStackOverflow(_) => {
            Error::argument("functions call each other too deeply").with_help("is there a recursion without an end?")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => Error::argument(format!("too large: {what}")),
        EvalAltResult::ErrorSystem(message, cause) => Error::internal(format!("{message} {cause}").trim().to_string()),
        EvalAltResult::ErrorParsing(kind, _) => Error::argument(format!("the script cannot be read: {}", lower_first(&kind.to_string()))),
        mut other => {
            other.clear_position();
            Error::argument(lower_first(&other.to_string()))
        }
    }
}

/// `affinity (Cooccurrence, i64)`: a word called with wrong arguments, a method that is not there, or an unknown name.
fn unknown_function(signature: &str) -> Error {
    let (name, arguments) = signature.split_once('(').unwrap_or((signature, ""));
    let name = name.trim();
    let types: Vec<String> = split_types(arguments.trim_end_matches(')')).iter().map(|t| primitives::user_name(t)).collect();
    let came = format!("({})", types.join(", "));
    if let Some(word) = primitives::find(name) {
        let signatures = word.signatures.join("\n");
        return Error::argument(format!("{name} cannot be called with {came}")).with_help(format!("it is {signatures}"));
    }
    if let Some(kind) = types.first().and_then(|t| primitives::find_kind(t)) {
        let members: Vec<&str> = kind.members.iter().map(|m| m.name()).collect();
        if let Some(member) = kind.members.iter().find(|m| m.name() == name) {
            return Error::argument(format!("{name} of {} cannot be called with {came}", primitives::a_user_name(kind.name)))
                .with_help(format!("it is .{}: {}", member.usage, member.doc));
        }
        let words = primitives::WORDS.iter().map(|w| w.name);
        let mut error = Error::unknown("function", name, members.iter().copied().chain(words));
        error.message = format!("there is no function {name} for {came}");
        if !error.help.as_ref().is_some_and(|h| h.starts_with("did you")) {
            error.help = Some(format!("{} has: {}", primitives::a_user_name(kind.name), members.join(", ")));
        }
        return error;
    }
    match nearest(name, primitives::WORDS.iter().map(|w| w.name)) {
        Some(near) if near != name => Error::argument(format!("there is no function {name}{came}")).with_help(format!("did you mean \"{near}\"?")),
        _ => Error::argument(format!("there is no function {name}{came}")),
    }
}

/// Rhai: `Unknown property 'x' - a getter is not registered for type 'T'`.
fn unknown_property(message: &str) -> Error {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (Some(property), Some(type_name)) = (quoted.next(), quoted.next()) else {
        return Error::argument(lower_first(message));
    };
    let user_type = primitives::user_name(type_name);
    let members: Vec<&str> = primitives::find_kind(&user_type).map(|k| k.members.iter().map(|m| m.name()).collect()).unwrap_or_default();
    let mut error = Error::unknown("property", property, members);
    error.message = if message.contains("setter") {
        format!("\"{property}\" of a {user_type} cannot be set")
    } else {
        format!("{} has no \"{property}\"", primitives::a_user_name(type_name))
    };
    error
}

/// Splits `a, b<c, d>, e` at the commas outside of brackets.
fn split_types(list: &str) -> Vec<String> {
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for c in list.chars() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    parts.into_iter().map(|p| p.trim().to_string()).filter(|p| !p.is_empty()).collect()
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !text.get(1..2).is_some_and(|second| second.chars().all(char::is_uppercase)) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_string(),
    }
}

/// What the interrupt flag puts into Rhai's termination, to tell it from `exit()`.
#[derive(Clone, Debug)]
pub struct StopRequest;
