//! How closures are written, and those that are called with too few or too many arguments.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rhai::FnPtr;

use crate::error::{Error, counted};

/// The parameters of a closure.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Variables that it captured, which come before its parameters.
    pub captured: usize,
    pub names: Vec<String>,
}

/// The parameters of the closures of this process by the names that Rhai gives them, which follow from their code.
static CLOSURES: Mutex<BTreeMap<String, Parameters>> = Mutex::new(BTreeMap::new());

/// Notes how a closure is written: an error that a script caught is explained where no session is at hand.
pub fn note_closure(name: &str, parameters: Parameters) {
    CLOSURES.lock().insert(name.to_string(), parameters);
}

/// A closure by the parameters that it still takes: `|a, b| ...`; None for a function with a name.
pub fn written_closure(closure: &FnPtr) -> Option<String> {
    let name = closure.fn_name();
    let known = CLOSURES.lock().get(name).cloned();
    match known {
        Some(Parameters { captured, names }) => {
            let given = closure.curry().len().saturating_sub(captured);
            Some(format!("|{}| ...", names.get(given..).unwrap_or_default().join(", ")))
        }
        None => name.starts_with("anon$").then(|| "|...| ...".to_string()),
    }
}

/// A closure that is called with too few or too many arguments.
pub fn wrong_closure(name: &str, types: &[String]) -> Error {
    let Some(parameters) = CLOSURES.lock().get(name).cloned() else {
        let came = counted(types.len(), "argument");
        return Error::argument(format!("this closure is called with {came} and takes another number"));
    };
    let came = types.get(parameters.captured..).unwrap_or_default();
    let kinds = match came {
        [] => String::new(),
        came => format!(" ({})", came.join(", ")),
    };
    let takes = counted(parameters.names.len(), "argument");
    let written = format!("|{}|", parameters.names.join(", "));
    Error::argument(format!("the closure {written} takes {takes}; it is called with {}{kinds}", came.len()))
}
