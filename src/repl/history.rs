//! The history: its file, Up and Down, and the search for earlier inputs with Ctrl-R.

use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::{configuration, files};
use dialoguer::FuzzySelect;
use parking_lot::Mutex;
use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, Movement, RepeatCount};

/// Earlier inputs, oldest first, each once.
#[derive(Clone, Default)]
pub struct Inputs(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    all: Vec<String>,
    /// Where Up and Down are.
    walk: Option<At>,
    /// The walk began on an empty line: among all inputs.
    among_all: bool,
}

/// A place among the inputs that begin with what was typed.
struct At {
    /// What was typed.
    typed: String,
    /// The part of it before the cursor: such inputs begin with it.
    prefix: String,
    /// The input that is shown.
    index: usize,
}

impl Inputs {
    /// Takes the inputs of a file. Of equal ones the newest stays.
    pub fn load<'a>(&self, inputs: impl DoubleEndedIterator<Item = &'a String>) {
        let mut seen = HashSet::new();
        let mut all: Vec<String> = inputs.rev().filter(|input| seen.insert(*input)).cloned().collect();
        all.reverse();
        *self.0.lock() = Known { all, ..Known::default() };
    }

    /// Adds an input at the end; an equal earlier one is removed.
    pub fn add(&self, input: &str) {
        let mut known = self.0.lock();
        known.all.retain(|other| other != input);
        known.all.push(input.to_string());
        known.walk = None;
        known.among_all = false;
    }

    /// Whether a step from this line is one among all inputs: it is empty, or one that such a walk shows.
    fn is_among_all(&self, line: &str) -> bool {
        let mut known = self.0.lock();
        known.among_all = line.is_empty() || (known.among_all && known.all.iter().any(|input| input == line));
        known.among_all
    }

    /// Newest first.
    fn newest(&self) -> Vec<String> {
        self.0.lock().all.iter().rev().cloned().collect()
    }

    /// The next text for a line with the cursor at byte `pos`: an input that begins as the line did when the first step was taken, or
    /// after the newest what was typed then. None where there is no further one.
    fn step(&self, line: &str, pos: usize, step: Step) -> Option<String> {
        let known = &mut *self.0.lock();
        let begun = known.walk.take().filter(|at| known.all.get(at.index).is_some_and(|shown| shown == line));
        let (typed, prefix, index) = match begun {
            Some(At { typed, prefix, index }) => (typed, prefix, index),
            None => (line.to_string(), line[..pos].to_string(), known.all.len()),
        };
        let fits = |i: &usize| known.all[*i].starts_with(&prefix) && known.all[*i] != typed;
        let found = match step {
            Step::Back => (0..index).rev().find(fits),
            Step::Forward => (index + 1..known.all.len()).find(fits),
        };
        let is_walking = index < known.all.len();
        let text = found
            .map(|i| known.all[i].clone())
            .or_else(|| (step == Step::Forward && is_walking).then(|| typed.clone()));
        let index = found.or((step == Step::Back && is_walking).then_some(index));
        known.walk = index.map(|index| At { typed, prefix, index });
        text
    }
}

/// A direction in the history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Back,
    Forward,
}

/// Up and Down: between the rows of an input, and from its first and last row among earlier inputs.
pub struct Walk(pub Inputs, pub Step);

impl ConditionalEventHandler for Walk {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, event: &EventContext) -> Option<Cmd> {
        let (line, pos) = (event.line(), event.pos());
        let other_row = match self.1 {
            Step::Back => line.get(..pos)?.contains('\n'),
            Step::Forward => line.get(pos..)?.contains('\n'),
        };
        if other_row {
            return None;
        }
        if self.0.is_among_all(line) {
            // The editor's own steps leave the cursor at the end.
            return Some(match self.1 {
                Step::Back => Cmd::LineUpOrPreviousHistory(1),
                Step::Forward => Cmd::LineDownOrNextHistory(1),
            });
        }
        let Some(text) = self.0.step(line, pos, self.1) else { return Some(Cmd::Noop) };
        // What replaces text stands behind the cursor. So it stays behind what was typed, as in shells, on the way back too.
        Some(match text.strip_prefix(&line[..pos]) {
            Some(rest) => Cmd::Replace(Movement::EndOfBuffer, Some(rest.to_string())),
            None => Cmd::Replace(Movement::WholeBuffer, Some(text)),
        })
    }
}

/// The fuzzy search, bound to a key.
pub struct Search(pub Inputs);

impl ConditionalEventHandler for Search {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, event: &EventContext) -> Option<Cmd> {
        let inputs = self.0.newest();
        if inputs.is_empty() || !std::io::stderr().is_terminal() {
            return None;
        }
        let mut screen = std::io::stderr();
        // Below the line being typed, which is drawn again afterwards.
        let _ = write!(screen, "\r\n");
        let lines: Vec<String> = inputs.iter().map(|input| one_line(input)).collect();
        let chosen = FuzzySelect::new()
            .with_prompt("history")
            .with_initial_text(event.line())
            .default(0)
            .max_length(10)
            .report(false)
            .items(&lines)
            .interact_opt();
        let _ = write!(screen, "\x1b[1A").and_then(|()| screen.flush());
        match chosen {
            Ok(Some(i)) => Some(Cmd::Replace(Movement::WholeBuffer, Some(inputs[i].clone()))),
            _ => Some(Cmd::Repaint),
        }
    }
}

/// An input's lines joined into one.
fn one_line(input: &str) -> String {
    input.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// That of the setting `history`, or `cpsd/history` under the user's data folder.
pub fn file() -> Option<PathBuf> {
    if let Some(path) = configuration::path("history") {
        return Some(path);
    }
    let file = configuration::default_path("history")?;
    files::own::create_folders(file.parent()?).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_kept_once_and_the_newest_comes_first() {
        let inputs = Inputs::default();
        ["a", "b", "a"].iter().for_each(|i| inputs.add(i));
        assert_eq!(inputs.newest(), ["a", "b"]);
        inputs.load(["a", "b", "a", "c"].map(String::from).iter());
        assert_eq!(inputs.newest(), ["c", "a", "b"]);
        assert_eq!(one_line("fn f(x) {\n    x\n}"), "fn f(x) { x }");
    }

    #[test]
    fn up_and_down_walk_among_inputs_that_begin_as_the_line() {
        let inputs = Inputs::default();
        ["let a = 1", "b", "let c = 2", "let"].iter().for_each(|i| inputs.add(i));
        let step = |line: &str, step| inputs.step(line, line.len(), step);
        let up = |line: &str| step(line, Step::Back);
        let down = |line: &str| step(line, Step::Forward);
        // Nothing typed: all.
        assert_eq!(up("").as_deref(), Some("let"));
        assert_eq!(up("let").as_deref(), Some("let c = 2"));
        assert_eq!(up("let c = 2").as_deref(), Some("b"));
        assert_eq!(up("b").as_deref(), Some("let a = 1"));
        assert_eq!(up("let a = 1"), None);
        assert_eq!(down("let a = 1").as_deref(), Some("b"));
        assert_eq!(down("b").as_deref(), Some("let c = 2"));
        assert_eq!(down("let c = 2").as_deref(), Some("let"));
        assert_eq!(down("let").as_deref(), Some(""));
        assert_eq!(down(""), None);
        // Typed: those that begin so, not itself, and back to it.
        assert_eq!(up("let").as_deref(), Some("let c = 2"));
        assert_eq!(up("let c = 2").as_deref(), Some("let a = 1"));
        assert_eq!(down("let a = 1").as_deref(), Some("let c = 2"));
        assert_eq!(down("let c = 2").as_deref(), Some("let"));
        // A changed line begins anew; none begins with it.
        assert_eq!(up("let a = 1 +"), None);
        // The part before the cursor counts.
        assert_eq!(inputs.step("be", 1, Step::Back).as_deref(), Some("b"));
        assert_eq!(down("b").as_deref(), Some("be"));
        // After an input the walk begins at the newest.
        assert_eq!(up("").as_deref(), Some("let"));
        inputs.add("let");
        assert_eq!(down("let"), None);
    }
}
