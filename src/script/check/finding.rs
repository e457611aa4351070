//! A mistake that the checker found.

use std::ops::Range;

use rhai::Position;

use super::text::Text;
use crate::error::Error;
use crate::script::spans;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The code fails when it is reached.
    Error,
    /// The code runs, but is probably a mistake.
    Warning,
}

/// One mistake: its place as (line, column) and as bytes of the text, a sentence, and possibly a line of help.
#[derive(Clone, Debug)]
pub struct Finding {
    pub severity: Severity,
    pub position: (usize, usize),
    pub span: Range<usize>,
    /// Of a syntax error: a bracket that waits for its partner.
    pub open: Option<Range<usize>>,
    pub message: String,
    pub help: Option<String>,
}

impl Finding {
    pub fn at(severity: Severity, text: &Text, pos: Position, message: String) -> Self {
        let span = spans::token(text.all, text.offset(pos));
        let position = (pos.line().unwrap_or(0), pos.position().unwrap_or(0));
        Finding { severity, position, span, open: None, message, help: None }
    }

    /// A finding at a byte of the text.
    pub fn at_byte(severity: Severity, text: &Text, at: usize, message: String) -> Self {
        let (position, span) = (text.position(at), spans::token(text.all, at));
        Finding { severity, position, span, open: None, message, help: None }
    }

    pub fn help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(Into::into);
        self
    }

    /// The finding as an error, without its place.
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
        let help = self.help.as_ref().map_or(String::new(), |h| format!(" ({})", h.replace('\n', "; ")));
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
