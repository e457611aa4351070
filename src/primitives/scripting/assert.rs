//! `assert`: stops a script unless a condition is true.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "assert",
    chapter: Chapter::Scripting,
    signatures: &["assert(condition)", "assert(condition, message)"],
    summary: "Stops with an error unless the condition is true.",
    details: "In libraries, functions named test_... are tests: `cpsd test DIR` runs them all.",
    options: None,
    examples: &[Example { code: "assert(1 + 1 == 2, \"arithmetic\"); \"held\"", prints: "held" }],
    register: |word| {
        word.form(assert);
    },
};

fn assert(condition: bool, message: Option<Dynamic>) -> Result<()> {
    if condition {
        return Ok(());
    }
    let message = message.map_or(String::new(), |message| format!(": {}", show::plain(&message)));
    Err(Error::argument(format!("an assertion does not hold{message}")))
}
