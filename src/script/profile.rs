//! Measures the time per line of a text, through functions and libraries.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::Dynamic;
use rhai::debugger::DebuggerCommand;

use super::errors::Failure;
use super::session::{self, Session};

/// The time of one line.
pub struct Line {
    /// The text's name and the line's number in it.
    pub place: (String, usize),
    pub code: String,
    /// How often it was entered.
    pub hits: u64,
    /// Its own time, without that of script functions it called.
    pub spent: Duration,
}

#[derive(Default)]
struct Clock {
    spent: BTreeMap<(String, usize), (u64, Duration)>,
    /// The line being run, and since when.
    now: Option<((String, usize), Instant)>,
}

impl Clock {
    fn at(&mut self, place: Option<(String, usize)>) {
        let now = Instant::now();
        let moved = self.now.as_ref().map(|(last, _)| Some(last) != place.as_ref());
        if let Some((last, since)) = self.now.take() {
            self.spent.entry(last).or_default().1 += now - since;
        }
        if let Some(place) = place {
            if moved != Some(false) {
                self.spent.entry(place.clone()).or_default().0 += 1;
            }
            self.now = Some((place, now));
        }
    }
}

/// Evaluates a text as [`Session::eval`] does, and returns the time of each line, longest first.
pub fn profile(session: &mut Session, text: &str, name: &str) -> (Result<Dynamic, Failure>, Vec<Line>) {
    let clock = Rc::new(RefCell::new(Clock::default()));
    let mut engine = session::engine(&session.host);
    let (seen, main) = (clock.clone(), name.to_string());
    // Rhai marks unstable interfaces as deprecated.
    #[allow(deprecated)]
    engine.register_debugger(
        |_, debugger| debugger,
        move |_, _, _, source, position| {
            if let Some(line) = position.line() {
                seen.borrow_mut().at(Some((source.unwrap_or(&main).to_string(), line)));
            }
            Ok(DebuggerCommand::StepInto)
        },
    );
    std::mem::swap(&mut session.engine, &mut engine);
    let outcome = session.eval(text, name);
    std::mem::swap(&mut session.engine, &mut engine);
    // Imports of the text stay for the next one.
    for (name, module) in session.host.imports.borrow().iter() {
        session.engine.register_static_module(name.as_str(), module.clone());
    }
    clock.borrow_mut().at(None);
    let spent = std::mem::take(&mut clock.borrow_mut().spent);
    let code = |(source, line): &(String, usize)| {
        session
            .sources
            .text(source)
            .and_then(|text| text.lines().nth(line - 1).map(|l| l.trim().to_string()))
            .unwrap_or_default()
    };
    let mut lines: Vec<Line> =
        spent.into_iter().map(|(place, (hits, spent))| Line { code: code(&place), place, hits, spent }).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.spent));
    (outcome, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_line_comes_first_with_its_own_time() {
        let mut session = crate::primitives::session();
        let text = "let total = 0;\nfn slow(n) {\n    let s = 0;\n    for i in 0..n { s += i; }\n    s\n}\ntotal = slow(20000);\ntotal";
        let (outcome, lines) = profile(&mut session, text, "line 1");
        assert_eq!(outcome.unwrap().as_int(), Ok(199990000));
        assert_eq!((lines[0].place.clone(), lines[0].code.starts_with("for i in")), (("line 1".to_string(), 4), true));
        // The call's own line has only its own time.
        let call = lines.iter().find(|l| l.place.1 == 7).unwrap();
        assert!(call.spent < lines[0].spent && call.hits >= 1);
        // Nothing is lost, and imports stay.
        let (outcome, _) = profile(&mut session, "import \"method\" as m;", "line 2");
        let _ = outcome.unwrap();
        assert!(session.eval("m::defaults()", "line 3").unwrap().is_map());
        assert_eq!(session.eval("total", "line 4").unwrap().as_int(), Ok(199990000));
        let (outcome, lines) = profile(&mut session, "no_such_thing", "line 5");
        assert!(outcome.is_err() && !lines.is_empty());
    }
}
