//! From the core's errors to Rhai's, and from either to a message with its place.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, NamedSource,
    SourceCode, SourceSpan, SpanContents,
};
use rhai::{Dynamic, EvalAltResult, Position};

use super::check::{self, Finding};
use super::explain::{self, Variable};
use super::session::Sources;
use super::{show, snippet, spans, syntax};
use crate::activity::interrupt;
use crate::error::{About, Error, ErrorKind, Origin, cut_names};

/// The result of a function that Rhai calls.
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
    if let Some(About::Exit(code)) = error.about {
        return Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(i64::from(code)), Position::NONE));
    }
    let interrupted = error.kind == ErrorKind::Interrupted;
    let value = Dynamic::from(Raised(error));
    Box::new(match interrupted {
        true => EvalAltResult::ErrorTerminated(value, Position::NONE),
        false => EvalAltResult::ErrorRuntime(value, Position::NONE),
    })
}

/// `exit()` and `exit(code)` of a script: no `catch` sees it, wherever it is called. Rhai's own is an error inside a closure that a word calls,
/// and has no code.
///
/// Errors: always; another value than a code.
pub fn exit(code: Dynamic) -> Fallible<Dynamic> {
    let number = if code.is_unit() { Some(0) } else { code.as_int().ok().and_then(|code| u8::try_from(code).ok()) };
    match number {
        Some(code) => Err(raise(Error::internal("exit").about(About::Exit(code)))),
        None => {
            Err(Error::argument(format!("exit takes a code from 0 to 255. Got {} instead.", show::show(&code))).into())
        }
    }
}

/// `?` on a core result in a function that also calls closures.
impl From<Error> for Box<EvalAltResult> {
    fn from(error: Error) -> Self {
        raise(error)
    }
}

/// The name of a part of a text that begins at its line `first`: places in it are told as those of the whole.
pub fn part_from(name: &str, first: usize) -> String {
    format!("{name}{FROM_LINE}{first}")
}

const FROM_LINE: &str = ", from line ";

/// The name of the text that one of this name is a part of, and how many lines are before the part.
fn whole(name: &str) -> (&str, usize) {
    let part = name.rsplit_once(FROM_LINE);
    let part = part.and_then(|(whole, first)| Some((whole, first.parse::<usize>().ok()?.checked_sub(1)?)));
    part.unwrap_or((name, 0))
}

/// A text with its name, whose lines count those before it.
#[derive(Clone, Debug)]
struct Source(NamedSource<String>);

impl Source {
    fn new(name: impl AsRef<str>, text: String) -> Self {
        Source(NamedSource::new(name, text))
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn inner(&self) -> &String {
        self.0.inner()
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> std::result::Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.0.read_span(span, before, after)?;
        let (name, above) = whole(self.name());
        let line = read.line() + above;
        let (data, span) = (read.data(), *read.span());
        Ok(Box::new(MietteSpanContents::new_named(name.into(), data, span, line, read.column(), read.line_count())))
    }
}

/// Why a script or a line of the REPL did not finish, with its place.
#[derive(Clone, Debug)]
pub struct Failure {
    pub kind: ErrorKind,
    pub message: String,
    pub help: Option<String>,
    /// File (or line of the REPL) and its text.
    source: Option<Source>,
    /// Byte offset and length in the source text.
    span: Option<(usize, usize)>,
    /// A bracket that waits for its partner.
    open: Option<(usize, usize)>,
    /// Calls that led here, outermost first.
    chain: Vec<String>,
    /// A warning of the checker.
    warning: bool,
    /// `exit(n)` was called: not an error.
    pub exit: Option<i32>,
}

impl Failure {
    pub fn plain(error: Error) -> Self {
        Failure {
            kind: error.kind,
            message: cut_names(&error.message).into_owned(),
            help: error.help.map(|help| cut_names(&help).into_owned()),
            source: None,
            span: None,
            open: None,
            chain: vec![],
            warning: false,
            exit: None,
        }
    }

    pub fn interrupted(&self) -> bool {
        self.kind == ErrorKind::Interrupted
    }

    /// What a person is told of an interrupt, and of the interrupted work: what the error says of it, or else `kept` where the same call goes
    /// on from something, and `otherwise` where it begins anew.
    pub fn interruption(&self, kept: &str, otherwise: &str) -> String {
        let what = match self.message == Error::interrupted().message {
            false => &self.message,
            true if interrupt::keeps_work() => kept,
            true => otherwise,
        };
        if what.is_empty() { "interrupted".into() } else { format!("interrupted; {what}") }
    }

    /// Reads Rhai's error: finds the innermost place, names types as users know them, suggests the nearest name.
    /// `variables` are those of the script's top level.
    pub fn from_rhai(error: EvalAltResult, main: &str, sources: &Sources, variables: &[Variable]) -> Self {
        let mut source = main.to_string();
        let mut chain = Vec::new();
        let mut error = error;
        let mut in_function = false;
        let mut caller: Option<(String, String)> = None;
        let called = error.position();
        loop {
            match error {
                EvalAltResult::ErrorInFunctionCall(name, from, inner, pos) => {
                    let closure = sources.closure(&name);
                    let at = place(&source, pos);
                    match (closure.is_some(), &caller) {
                        // A word that calls a closure calls it where it is called itself.
                        (true, Some((word, from))) if *from == at => {
                            chain.pop();
                            chain.push(format!("in the closure of {word}(), called at {at}"));
                        }
                        (true, _) => chain.push(format!("in a closure, called at {at}")),
                        (false, _) => chain.push(format!("in {name}(), called at {at}")),
                    }
                    caller = Some((name.clone(), at));
                    if !from.is_empty() {
                        source = from;
                    }
                    // Rhai attributes a function of an earlier line of the prompt to the latest line, and a closure to
                    // the library that calls it.
                    let here = sources.text(&source).is_some_and(|text| text.contains(&format!("fn {name}(")));
                    if let Some(written) = closure {
                        source = written;
                    } else if !here && let Some(earlier) = sources.defining(&name) {
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
        if let Some(within) = Failure::within(&error, &chain, sources) {
            return within;
        }
        if let Some((name, error)) = explain::of_argument(&error) {
            return Failure::of_argument(&name, error, main, called, sources);
        }
        let text = sources.text(&source);
        let mut failure = Failure::at(error, &source, text.as_deref(), variables, in_function);
        failure.source = text.map(|text| Source::new(source, text));
        failure.chain = chain;
        failure
    }

    /// An error of a closure that the library called: shown there. `calls` led to the library.
    fn within(error: &EvalAltResult, calls: &[String], sources: &Sources) -> Option<Self> {
        let EvalAltResult::ErrorRuntime(value, _) = error else { return None };
        let raised = value.read_lock::<Raised>()?;
        let Some(About::Within(origin)) = &raised.0.about else { return None };
        Some(Failure {
            source: sources.text(&origin.text).map(|text| Source::new(&origin.text, text)),
            span: origin.span,
            chain: calls.iter().chain(&origin.calls).cloned().collect(),
            ..Failure::plain(raised.0.clone())
        })
    }

    /// What is said of the script's argument `name`: shown where the script asks for it, as a mistake that `arg` finds. A text that does not ask, as a line
    /// of the prompt, has it where it calls what says so.
    fn of_argument(name: &str, error: Error, main: &str, called: Position, sources: &Sources) -> Self {
        let text = sources.text(main);
        let span = text.as_deref().and_then(|text| {
            let call = || spans::offset(text, called).map(|at| spans::token(text, at));
            spans::asked(text, name).or_else(call)
        });
        Failure {
            source: text.map(|text| Source::new(main, text)),
            span: span.map(|s| (s.start, s.len())),
            ..Failure::plain(error)
        }
    }

    /// The same with `text` for the text of that name, the byte in it for each byte of the other, and sentences anew.
    pub fn of_text(
        mut self,
        name: &str,
        text: &str,
        at: impl Fn(usize) -> usize,
        sentence: impl Fn(&str) -> String,
    ) -> Self {
        if self.source.as_ref().is_some_and(|source| source.name() == name) {
            self.source = Some(Source::new(name, text.to_string()));
            let moved = |(begin, length): (usize, usize)| (at(begin), at(begin + length) - at(begin));
            self.span = self.span.map(moved);
            self.open = self.open.map(moved);
        }
        self.message = sentence(&self.message);
        self.help = self.help.map(|help| sentence(&help));
        self
    }

    /// The same as an error of the library, which keeps its place.
    pub fn into_error(self) -> Error {
        let about = match (self.exit, &self.source) {
            (Some(code), _) => Some(About::Exit(u8::try_from(code).unwrap_or(1))),
            (None, Some(source)) if self.span.is_some() => Some(About::Within(Box::new(Origin {
                text: source.name().to_string(),
                span: self.span,
                calls: self.chain,
            }))),
            (None, _) => None,
        };
        let kind = if self.exit.is_some() { ErrorKind::Interrupted } else { self.kind };
        Error { kind, message: self.message, help: self.help, about }
    }

    /// The sentence and the underlined part of `text`, which is called `name`.
    fn at(error: EvalAltResult, name: &str, text: Option<&str>, variables: &[Variable], in_function: bool) -> Self {
        let known = text.unwrap_or_default();
        let position = match &error {
            // An error that a script caught and throws again is shown at its first place.
            EvalAltResult::ErrorRuntime(value, pos) => {
                let first = value.as_map_ref().ok().and_then(|map| explain::caught(&map)).map(|(_, pos)| pos);
                first.filter(|pos| !pos.is_none()).unwrap_or(*pos)
            }
            other => other.position(),
        };
        if let EvalAltResult::ErrorParsing(kind, _) = &error {
            let unreadable = syntax::explain(kind, position, known);
            let span = unreadable.span.map(|s| (s.start, s.len()));
            return Failure {
                span,
                open: unreadable.open.map(|s| (s.start, s.len())),
                ..Failure::plain(unreadable.error)
            };
        }
        let ours = matches!(&error, EvalAltResult::ErrorRuntime(value, _) if value.is::<Raised>());
        let at = match &error {
            // Rhai does not say where.
            EvalAltResult::ErrorDataRace(message, pos) if pos.is_none() => {
                message.split('\'').nth(1).and_then(|method| explain::receiver(known, method)).map(|range| range.start)
            }
            _ => spans::offset(known, position),
        };
        let functions = spans::functions(known);
        let place = explain::Place { variables, name, text: known, functions: &functions, at, in_function };
        let mut failure = explain::explain(error, &place);
        let about = failure.about.take();
        let span = at.map(|at| {
            let part = about.as_ref().filter(|_| ours).and_then(|about| spans::about(known, at, about));
            part.unwrap_or_else(|| spans::token(known, at))
        });
        let exit = match about {
            Some(About::Exit(code)) => Some(code.into()),
            _ => None,
        };
        Failure { span: span.map(|s| (s.start, s.len())), exit, ..Failure::plain(failure) }
    }

    /// A finding of the checker, to be shown like an error.
    pub fn found(finding: &Finding, name: &str, text: &str) -> Self {
        Failure {
            source: Some(Source::new(name, text.to_string())),
            span: Some((finding.span.start, finding.span.len())),
            open: finding.open.as_ref().map(|open| (open.start, open.len())),
            warning: finding.severity == check::Severity::Warning,
            ..Failure::plain(finding.to_error())
        }
    }

    /// `file:line:column`, where there is a place.
    pub fn place(&self) -> Option<String> {
        let (source, (offset, _)) = (self.source.as_ref()?, self.span?);
        let before = source.inner().get(..offset)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let (name, before) = whole(source.name());
        Some(format!("{name}:{}:{column}", before + line))
    }

    /// The bytes of the text that are underlined, where there is a place.
    pub fn span(&self) -> Option<std::ops::Range<usize>> {
        self.span.map(|(start, length)| start..start + length)
    }

    /// The bytes of a bracket that waits for its partner.
    pub fn open(&self) -> Option<std::ops::Range<usize>> {
        self.open.map(|(start, length)| start..start + length)
    }

    /// The whole message: code, sentence, source line with the place underlined, calls, help.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false).with_context_lines(1);
        let mut out = String::new();
        let shown = self.narrowed();
        if handler.render_report(&mut out, &shown).is_err() {
            out = self.to_string();
        }
        for call in &shown.chain {
            out.push_str(&format!("  {}\n", cut_names(call)));
        }
        out
    }

    /// The same with the long lines of its source cut; without the source and with its place, where that is too far in one.
    fn narrowed(&self) -> Failure {
        let (Some(source), Some(span)) = (&self.source, self.span) else { return self.clone() };
        let parts: Vec<snippet::Part> = std::iter::once(span).chain(self.open).collect();
        match snippet::narrowed(source.inner(), &parts) {
            Some((text, parts)) => Failure {
                source: Some(Source::new(source.name(), text)),
                span: parts.first().copied(),
                open: parts.get(1).copied(),
                ..self.clone()
            },
            None => {
                let place = self.place().map(|place| format!("at {place}"));
                let chain = self.chain.iter().cloned().chain(place).collect();
                Failure { source: None, span: None, open: None, chain, ..self.clone() }
            }
        }
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
        (!self.warning).then(|| Box::new(self.kind.code()) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.warning.then_some(miette::Severity::Warning)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|s| s as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (offset, length) = self.span?;
        let open = self.open.map(|(offset, length)| LabeledSpan::new(Some("opened here".into()), offset, length));
        Some(Box::new(open.into_iter().chain([LabeledSpan::new(None, offset, length)])))
    }
}

fn place(source: &str, pos: Position) -> String {
    let (source, before) = whole(source);
    match (pos.line(), pos.position()) {
        (Some(line), Some(column)) => format!("{source}:{}:{column}", before + line),
        _ => source.to_string(),
    }
}

/// The value of a termination by the interrupt flag, which tells it from `exit()`.
#[derive(Clone, Debug)]
pub struct StopRequest;
