//! Ctrl-R: earlier inputs found by parts of them, in any order.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};

use dialoguer::FuzzySelect;
use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, Movement, RepeatCount};

/// Earlier inputs, oldest first, each once.
#[derive(Clone, Default)]
pub struct Inputs(Arc<Mutex<Vec<String>>>);

impl Inputs {
    /// Takes note of an input; one that was there before moves to the end.
    pub fn add(&self, input: &str) {
        let mut all = self.0.lock().unwrap_or_else(|e| e.into_inner());
        all.retain(|known| known != input);
        all.push(input.to_string());
    }

    /// Newest first.
    fn newest(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).iter().rev().cloned().collect()
    }
}

/// The search, bound to a key.
pub struct Search(pub Inputs);

impl ConditionalEventHandler for Search {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, event: &EventContext) -> Option<Cmd> {
        let inputs = self.0.newest();
        if inputs.is_empty() || !std::io::stderr().is_terminal() {
            return None;
        }
        let mut screen = std::io::stderr();
        // Below the line that is being typed, which is drawn again afterwards.
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

/// An input of several lines on one.
fn one_line(input: &str) -> String {
    input.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_kept_once_and_the_newest_comes_first() {
        let inputs = Inputs::default();
        ["a", "b", "a"].iter().for_each(|i| inputs.add(i));
        assert_eq!(inputs.newest(), ["a", "b"]);
        assert_eq!(one_line("fn f(x) {\n    x\n}"), "fn f(x) { x }");
    }
}
