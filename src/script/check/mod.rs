//! `cpsd check`: mistakes that can be found without running a script.
//!
//! - `calls`: functions that are not there, wrong numbers of arguments, unknown options
//! - `names`: variables that are not there or never read, imports that nothing uses, code that is never reached

mod calls;
mod names;

use std::ops::Range;

use rhai::{Engine, OptimizationLevel, Position};

use super::errors::Failure;
use super::session::{self, Session};
use super::spans;
use crate::error::Error;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It fails when it is reached.
    Error,
    /// It runs, and is most likely not what was meant.
    Warning,
}

/// One mistake: its place as (line, column) and as bytes of the text, a sentence, and perhaps help.
#[derive(Clone, Debug)]
pub struct Finding {
    pub severity: Severity,
    pub position: (usize, usize),
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// Compiles the text and looks for what cannot go well: unknown functions, variables, options and libraries' functions, wrong
/// numbers of arguments (errors); variables, parameters and imports that nothing reads, unreachable code (warnings).
///
/// Names that begin with `_` are not expected to be read. Nothing is run. Errors: the text cannot be read at all.
pub fn check(session: &Session, text: &str, name: &str) -> Result<Vec<Finding>, Failure> {
    session.sources.add(name, text);
    let engine = reader(session);
    let ast = engine
        .compile(text)
        .map_err(|e| Failure::from_rhai(*Box::<rhai::EvalAltResult>::from(e), name, &session.sources, &[]))?;
    let calls = calls::Calls::new(&engine, &ast, text, name);
    let mut findings = names::walk(&ast, text, &calls);
    findings.sort_by_key(|f| (f.position, f.message.clone()));
    findings.dedup_by(|a, b| a.position == b.position && a.message == b.message);
    Ok(findings)
}

/// An engine that reads as the session's does, and folds nothing away.
fn reader(session: &Session) -> Engine {
    let mut engine = session::engine(&session.host);
    engine.set_optimization_level(OptimizationLevel::None);
    engine
}

impl Finding {
    fn at(severity: Severity, text: &str, pos: Position, message: String) -> Self {
        let at = spans::offset(text, pos).unwrap_or(0);
        Finding {
            severity,
            position: (pos.line().unwrap_or(0), pos.position().unwrap_or(0)),
            span: spans::token(text, at),
            message,
            help: None,
        }
    }

    /// A finding at a byte of the text.
    fn at_byte(severity: Severity, text: &str, at: usize, message: String) -> Self {
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Finding { severity, position: (line, column), span: spans::token(text, at), message, help: None }
    }

    fn help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(Into::into);
        self
    }

    /// As an error to print, without its place.
    pub fn to_error(&self) -> Error {
        let error = Error::argument(self.message.clone());
        match &self.help {
            Some(help) => error.with_help(help.clone()),
            None => error,
        }
    }

    /// `file:line:column: error: sentence (help)`.
    pub fn line(&self, name: &str) -> String {
        let (line, column) = self.position;
        let help = self.help.as_ref().map_or(String::new(), |h| format!(" ({h})"));
        format!("{name}:{line}:{column}: {}: {}{help}", self.severity.name(), self.message)
    }
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}
