//! `assert`: what must be true.

use rhai::{Dynamic, Engine};

use crate::error::Error;
use crate::script::errors::{Fallible, raise};
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "assert",
    chapter: Chapter::Scripting,
    signatures: &["assert(condition)", "assert(condition, message)"],
    summary: "Stops with an error unless the condition is true.",
    details: "In libraries, functions named test_... hold what is promised against what is: `cpsd test DIR` runs them all.",
    options: None,
    examples: &[Example { code: "assert(1 + 1 == 2, \"arithmetic\"); \"held\"", prints: "held" }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine
        .register_fn("assert", |condition: bool| -> Fallible<()> { held(condition, None) })
        .register_fn("assert", |condition: bool, message: Dynamic| -> Fallible<()> {
            held(condition, Some(show::plain(&message)))
        });
}

fn held(condition: bool, message: Option<String>) -> Fallible<()> {
    match condition {
        true => Ok(()),
        false => Err(raise(Error::argument(
            message.map_or("an assertion does not hold".into(), |m| format!("an assertion does not hold: {m}")),
        ))),
    }
}
