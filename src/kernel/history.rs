//! Earlier inputs: those of this session, and those that the prompt has noted.

use std::sync::Arc;

use glob::Pattern;
use jupyter_protocol::{HistoryEntry, HistoryRequest};
use parking_lot::Mutex;
use rustyline::history::{FileHistory, History as _};

use crate::repl::history::file;

/// The number of the session whose inputs are in the prompt's file, and that of this one.
const EARLIER: usize = 1;
const NOW: usize = 2;

/// Cheap to clone; shared.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Vec<Input>>>);

#[derive(Clone)]
struct Input {
    session: usize,
    line: usize,
    code: String,
    /// The value that was shown, as text.
    output: String,
}

impl History {
    /// With the inputs in the prompt's file.
    pub fn new() -> Self {
        let mut earlier = FileHistory::new();
        if let Some(file) = file() {
            // Without it there are none.
            let _ = earlier.load(&file);
        }
        let inputs = earlier.iter().enumerate().map(|(i, code)| Input {
            session: EARLIER,
            line: i + 1,
            code: code.clone(),
            output: String::new(),
        });
        History(Arc::new(Mutex::new(inputs.collect())))
    }

    /// Adds a cell of this session.
    pub fn add(&self, line: usize, code: &str) {
        self.0.lock().push(Input { session: NOW, line, code: code.to_string(), output: String::new() });
    }

    /// The newest cell has shown a value.
    pub fn shown(&self, text: &str) {
        if let Some(input) = self.0.lock().last_mut().filter(|input| input.session == NOW) {
            input.output = text.to_string();
        }
    }

    /// What a client asks for, oldest first.
    pub fn find(&self, asked: &HistoryRequest) -> Vec<HistoryEntry> {
        let all = self.0.lock();
        let (found, with_output) = match asked {
            HistoryRequest::Tail { n, output, .. } => (last(all.iter().collect(), *n), *output),
            HistoryRequest::Range { session, start, stop, output, .. } => {
                // 0 is this session, and negative numbers count back from it.
                let session = match session.unwrap_or(0) {
                    back if back <= 0 => NOW as i64 + i64::from(back),
                    number => i64::from(number),
                };
                let lines = i64::from(*start)..i64::from(*stop);
                let fits = |input: &&Input| input.session as i64 == session && lines.contains(&(input.line as i64));
                (all.iter().filter(fits).collect(), *output)
            }
            HistoryRequest::Search { pattern, unique, output, n, .. } => {
                let pattern = Pattern::new(pattern).unwrap_or_default();
                let mut found: Vec<&Input> = all.iter().filter(|input| pattern.matches(&input.code)).collect();
                if *unique {
                    let newest = |i: usize| !found[i + 1..].iter().any(|later| later.code == found[i].code);
                    found = (0..found.len()).filter(|&i| newest(i)).map(|i| found[i]).collect();
                }
                (last(found, *n), *output)
            }
        };
        let entry = |input: &Input| {
            let Input { session, line, code, output } = input.clone();
            match with_output {
                true => HistoryEntry::InputOutput(session, line, (code, output)),
                false => HistoryEntry::Input(session, line, code),
            }
        };
        found.into_iter().map(entry).collect()
    }
}

fn last(mut found: Vec<&Input>, n: i32) -> Vec<&Input> {
    found.split_off(found.len().saturating_sub(usize::try_from(n).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(history: &History, asked: &HistoryRequest) -> Vec<String> {
        let entries = history.find(asked).into_iter().map(|entry| match entry {
            HistoryEntry::Input(session, line, code) => format!("{session}/{line} {code}"),
            HistoryEntry::InputOutput(session, line, (code, output)) => format!("{session}/{line} {code} = {output}"),
        });
        entries.collect()
    }

    #[test]
    fn inputs_are_found_by_their_end_range_and_pattern() {
        let history = History::default();
        let old = Input { session: EARLIER, line: 1, code: "old".into(), output: String::new() };
        history.0.lock().push(old);
        for (line, code) in [(1, "1 + 1"), (2, "2"), (3, "1 + 1"), (4, "1 + 2")] {
            history.add(line, code);
        }
        history.shown("3");
        let tail = |n| HistoryRequest::Tail { n, output: true, raw: true };
        assert_eq!(texts(&history, &tail(2)), ["2/3 1 + 1 = ", "2/4 1 + 2 = 3"]);
        assert_eq!((texts(&history, &tail(100)).len(), texts(&history, &tail(-1)).len()), (5, 0));
        let range = |session| HistoryRequest::Range { session, start: 1, stop: 3, output: false, raw: true };
        assert_eq!(texts(&history, &range(Some(0))), ["2/1 1 + 1", "2/2 2"]);
        assert_eq!(texts(&history, &range(Some(-1))), ["1/1 old"]);
        assert_eq!(texts(&history, &range(Some(2))), texts(&history, &range(None)));
        let search = |pattern: &str, unique, n| HistoryRequest::Search {
            pattern: pattern.into(),
            unique,
            output: false,
            raw: true,
            n,
        };
        assert_eq!(texts(&history, &search("1 + *", false, 1000)).len(), 3);
        assert_eq!(texts(&history, &search("1 + *", true, 1000)), ["2/3 1 + 1", "2/4 1 + 2"]);
        assert_eq!(texts(&history, &search("1 + ?", false, 1)), ["2/4 1 + 2"]);
    }
}
