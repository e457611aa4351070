//! The history: its file, and the search for earlier inputs with Ctrl-R.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::{configuration, files};
use dialoguer::FuzzySelect;
use parking_lot::Mutex;
use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, Movement, RepeatCount};

/// Earlier inputs, oldest first, each once.
#[derive(Clone, Default)]
pub struct Inputs(Arc<Mutex<Vec<String>>>);

impl Inputs {
    /// Adds an input at the end; an equal earlier one is removed.
    pub fn add(&self, input: &str) {
        let mut all = self.0.lock();
        all.retain(|known| known != input);
        all.push(input.to_string());
    }

    /// Newest first.
    fn newest(&self) -> Vec<String> {
        self.0.lock().iter().rev().cloned().collect()
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
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))?;
    let folder = data.join("cpsd");
    files::own::create_folders(&folder).ok()?;
    Some(folder.join("history"))
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
