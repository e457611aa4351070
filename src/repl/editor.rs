//! The line editor: rustyline's helper, when an input is complete, and indentation.

use std::borrow::Cow;

use colored::Colorize;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, Completer, ConditionalEventHandler, Context, Event, EventContext, RepeatCount};

use super::completion::Names;
use super::highlighting::{highlight_pair, matching};
use super::input::{in_string, open_brackets};
use super::{commands, hints};
use crate::activity::width;
use crate::script::session::Session;

#[derive(Completer, rustyline::Helper, Default)]
pub struct Helper {
    #[rustyline(Completer)]
    names: Names,
}

impl Helper {
    /// Takes the names of the session anew.
    pub fn refresh(&mut self, session: &Session) {
        self.names.refresh(session);
    }

    fn is_command(&self, line: &str) -> bool {
        commands::is_command(line) || commands::of_shell(line, |word| self.names.is_variable(word)).is_some()
    }
}

impl Hinter for Helper {
    type Hint = hints::Signature;

    /// The signature of the call that is being typed.
    fn hint(&self, line: &str, pos: usize, _ctx: &Context<'_>) -> Option<hints::Signature> {
        let typed = pos == line.len() && !line.contains('\n') && !self.is_command(line);
        let hint = if typed && !in_string(line) { hints::hint(line, self.names.functions()) } else { None };
        hint?.fitted(line, width::of_output()?)
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

impl Validator for Helper {
    /// An input continues on the next line while a bracket or a string in backticks is open. Two empty lines end it.
    fn validate(&self, ctx: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let input = ctx.input();
        if self.is_command(input.trim()) || gives_up(input) {
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

/// Enter inside an open bracket begins a new line, indented by the number of open brackets.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_empty_lines_end_an_input() {
        assert!(gives_up("f(\n    \n  ") && !gives_up("f(\n    ") && !gives_up("f("));
    }
}
