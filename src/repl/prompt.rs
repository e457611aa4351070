//! The state of the prompt: evaluates inputs, shows and numbers their values, keeps those that worked.

use std::borrow::Cow;
use std::collections::BTreeSet;

use colored::Colorize;
use rhai::Dynamic;

use super::terminal::{rendered, width};
use super::{figures, last_values, pager, piped, variable_docs};
use crate::files::policy;
use crate::plots::Figure;
use crate::script::check::{self, Trap};
use crate::script::errors::Failure;
use crate::script::session::Session;
use crate::script::tokens::pieces;
use crate::{say, say_error};

/// An input that worked.
pub struct Entry {
    pub code: String,
    /// The number that its value was shown under, if it was: it became `ans`, and `ans_3`.
    pub shown: Option<usize>,
}

/// What is kept of an interrupted input with a training or another long work, and of any other.
pub const KEPT: &str = "variables are kept, and the same call goes on from there";
pub const VARIABLES_KEPT: &str = "variables are kept";

pub struct Prompt<'s> {
    pub session: &'s mut Session,
    /// Inputs that worked, in order.
    pub kept: Vec<Entry>,
    /// The text of the user's startup file.
    pub startup: String,
    /// The last failure, rendered.
    pub failure: Option<String>,
    pub figures: figures::Mode,
    /// Who shows values in place of the terminal: by their text, and the value.
    pub shows: Option<Box<dyn FnMut(&str, &Dynamic)>>,
    /// Whether inputs come from a file or another program: values have no marks, and what only a person may ask for is refused.
    pub piped: bool,
    /// Where inputs are piped, whether a command failed and what exit code that means.
    pub code: Option<u8>,
    /// The last input that was typed, whether it worked or not.
    pub last: String,
    /// A text of an editor that was run, for the history.
    pub edited: Option<String>,
    /// How many values were shown.
    numbered: usize,
    /// Of which the user was warned: the input, the byte in it and the trap.
    warned: BTreeSet<(String, usize, Trap)>,
}

/// The byte at which the last statement of an input begins.
fn last_statement(code: &str) -> usize {
    // Those that end with a block, without a semicolon.
    const BLOCKS: [&str; 6] = ["fn", "private", "for", "while", "loop", "import"];
    let pieces = pieces(code);
    let of = |i: usize| pieces.get(i).map_or("", |(range, _)| &code[range.clone()]);
    let (mut first, mut depth) = (0, 0);
    for i in 0..pieces.len().saturating_sub(1) {
        match of(i) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (of(i) == ";" || (of(i) == "}" && BLOCKS.contains(&of(first)))) {
            first = i + 1;
        }
    }
    pieces.get(first).map_or(0, |(range, _)| range.start)
}

impl<'s> Prompt<'s> {
    pub fn new(session: &'s mut Session) -> Self {
        Prompt {
            session,
            kept: vec![],
            startup: String::new(),
            failure: None,
            figures: figures::Mode::Auto,
            shows: None,
            piped: false,
            code: None,
            last: String::new(),
            edited: None,
            numbered: 0,
            warned: BTreeSet::new(),
        }
    }

    /// Evaluates one input and shows its value, which `ans` (also written `_`) and `ans_3` (`_3`) then hold. A `;` at
    /// the end silences it.
    pub fn evaluate(&mut self, line: &str, name: &str) {
        if let Err(failure) = self.run(line, name) {
            self.report(&failure);
        }
    }

    /// The same for who reports failures himself. Errors: the input's.
    pub fn run(&mut self, typed: &str, name: &str) -> Result<(), Failure> {
        policy::set_subject(name);
        let ended = piped::with_ends(self.session, typed);
        if matches!(ended, Cow::Owned(_)) {
            piped::warn_of_ends(typed);
        }
        let line = last_values::with_ans(&ended);
        self.warn(&line, name);
        let outcome = self.session.eval(&line, name);
        if matches!(ended, Cow::Owned(_)) {
            // What is added ends a line but for a comment, so that every line and column stays.
            self.session.sources.add(name, &last_values::with_ans(typed));
        }
        let value = outcome.map_err(|failure| {
            piped::without_ends(last_values::as_typed(failure, name, &ended), name, typed, &ended)
        })?;
        if self.session.has_exited && !self.piped {
            say!("exit(0) ended {name}; the session goes on");
            return Ok(());
        }
        self.keep(line, value);
        Ok(())
    }

    /// The next value that is shown gets this number.
    pub fn number(&mut self, next: usize) {
        self.numbered = next.saturating_sub(1);
    }

    /// Forgets variables, functions and imports, and what was warned of.
    pub fn reset(&mut self) {
        self.session.reset();
        self.warned.clear();
    }

    /// Warns of what probably means something else, once of each place: an input that is given again is known.
    fn warn(&mut self, line: &str, name: &str) {
        for (trap, finding) in check::traps(self.session, line, name) {
            if self.warned.insert((line.to_string(), finding.span.start, trap)) {
                let help = finding.help.map_or(String::new(), |help| format!(" ({help})"));
                say_error!("{}", format!("warning: {}{help}", finding.message).yellow());
            }
        }
    }

    /// Shows the outcome of an input. Errors: the input's.
    pub fn take(&mut self, line: String, outcome: Result<Dynamic, Failure>) -> Result<(), Failure> {
        self.keep(line, outcome?);
        Ok(())
    }

    /// Keeps an input that worked, and shows its value.
    fn keep(&mut self, line: String, value: Dynamic) {
        let silent = value.is_unit() || line.trim_end().ends_with(';');
        let shown = (!silent).then(|| self.show(value));
        self.kept.push(Entry { code: line, shown });
        self.note_inputs();
    }

    /// Gives the session its inputs so far, which are noted beside the runs that later ones ask for.
    pub fn note_inputs(&self) {
        let text = format!("{}{}", self.startup, self.text());
        *self.session.host.earlier.borrow_mut() = text.into();
    }

    /// The inputs that worked, in order, as a script that runs. Values that were shown are printed, and become `ans` and `ans_3`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for entry in &self.kept {
            let code = entry.code.trim().trim_end_matches(';');
            match entry.shown {
                Some(n) => {
                    let (before, value) = code.split_at(last_statement(code));
                    let before = before.trim_end();
                    text.push_str(&format!(
                        "{before}{}let ans = {value};\nprint(ans);\n",
                        if before.is_empty() { "" } else { "\n" }
                    ));
                    let numbered = format!("ans_{n}");
                    if self.kept.iter().any(|later| later.code.contains(&numbered)) {
                        text.push_str(&format!("let {numbered} = ans;\n"));
                    }
                }
                None => text.push_str(&format!(
                    "{code}{}\n",
                    if code.ends_with('}') && !code.starts_with("let ") { "" } else { ";" }
                )),
            }
        }
        text
    }

    /// Shows a value under the next number.
    fn show(&mut self, value: Dynamic) -> usize {
        self.numbered += 1;
        let mut mark = format!("_{}", self.numbered);
        let text = variable_docs::whole(self.session, &value);
        // Several lines without quotes are told from other values.
        if value.is_string() && text.contains('\n') {
            mark.push_str(&format!("  string of {} lines", text.lines().count()));
        }
        let mark = mark.dimmed();
        match text.contains('\n') {
            _ if self.shows.is_some() => {}
            _ if self.piped => say!("{text}"),
            false => pager::print(&format!("{mark} {text}")),
            true => pager::print(&format!("{mark}\n{text}")),
        }
        if let Some(shows) = &mut self.shows {
            shows(&text, &value);
        } else if let Some(figure) = value.read_lock::<Figure>() {
            match figures::show(&figure, self.figures, width()) {
                Ok(line) => say!("{}", line.dimmed()),
                Err(error) => say_error!("{error}"),
            }
        }
        self.session.scope.set_or_push(format!("ans_{}", self.numbered), value.clone());
        self.session.scope.set_or_push("ans", value);
        self.numbered
    }

    /// Prints a failure and keeps it for `:why`, unless it is a stop.
    pub fn report(&mut self, failure: &Failure) {
        if !failure.interrupted() && failure.exit.is_none() {
            self.failure = Some(rendered(failure));
        }
        self.code = Some(if failure.interrupted() { 130 } else { failure.exit.map_or(1, |code| code as u8) });
        report(failure);
    }
}

/// Prints a failure on standard error.
pub fn report(failure: &Failure) {
    if failure.interrupted() {
        say_error!("{}", failure.interruption(KEPT, VARIABLES_KEPT).yellow());
    } else if let Some(code) = failure.exit {
        say_error!("exit({code}) ends a script; Ctrl-D leaves the prompt");
    } else {
        say_error!("{}", rendered(failure).trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::{Prompt, last_statement};

    #[test]
    fn errors_quote_what_was_typed_without_added_ends() {
        let mut session = crate::primitives::session();
        let mut prompt = Prompt::new(&mut session);
        let cell = "let a = 1 // ä\nlet y = 2\nlet z = a.foo\ny";
        let failure = prompt.run(cell, "cell 1").unwrap_err();
        assert_eq!(&cell[failure.span().unwrap()], "foo");
        let shown = failure.render(false, 80);
        assert!(shown.contains("cell 1:3:") && shown.contains("let y = 2\n") && !shown.contains(';'), "{shown}");
        // Also later, when a function of the cell fails.
        prompt.run("let a = 1\nfn f(x) {\n  x.foo\n}\nlet b = 2\na", "cell 2").unwrap();
        let shown = prompt.run("f(1)", "cell 3").unwrap_err().render(false, 80);
        assert!(shown.contains("cell 2:3:") && !shown.contains(';'), "{shown}");
    }

    #[test]
    fn the_value_of_an_input_is_that_of_its_last_statement() {
        let last = |code: &str| code[last_statement(code)..].to_string();
        assert_eq!(last("let p = f(1); p"), "p");
        assert_eq!(last("fn f(x) { x; 1 } f(2)"), "f(2)");
        assert_eq!(last("f(|x| { x; 1 })"), "f(|x| { x; 1 })");
        assert_eq!(last("if a { 1 } else { 2 }"), "if a { 1 } else { 2 }");
        assert_eq!(last(""), "");
    }
}
