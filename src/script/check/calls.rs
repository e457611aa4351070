//! Calls of unknown functions, with wrong numbers of arguments or unknown options.

use std::cell::Cell;

use rhai::{AST, Engine, FnCallExpr, Position};

use super::finding::{Finding, Severity};
use super::imports::{Functions, Imported, functions};
use super::natives::Natives;
use super::options;
use super::text::Text;
use crate::error::Error;
use crate::script::{explain, spans, vocabulary};

/// The functions that a text can call.
pub struct Calls<'t> {
    text: &'t Text<'t>,
    own: Functions,
    /// Those of the engine.
    pub natives: Natives,
    libraries: Imported,
    /// Keys of maps, in order: a closure in a map is called like a method.
    keys: Vec<String>,
    /// How many more suggestions are looked for: each compares with every known name.
    suggestions: Cell<usize>,
}

/// So many names that are not known are compared with those that are.
const SUGGESTIONS: usize = 100;

/// Rhai's functions that are not in its registry.
const BUILT_IN: &[&str] = &[
    "Fn",
    "call",
    "curry",
    "is_def_var",
    "is_def_fn",
    "is_shared",
    "type_of",
    "eval",
    "print",
    "debug",
    "this",
    "import",
];

/// Whether a call is of a function with a name, which is looked up when it runs. Operators are not, nor what Rhai itself does.
pub fn is_named(call: &FnCallExpr) -> bool {
    let name = call.name.as_str();
    call.op_token.is_none() && !call.is_qualified() && !BUILT_IN.contains(&name) && !name.contains('$')
}

impl<'t> Calls<'t> {
    pub fn new(engine: &Engine, ast: &AST, text: &'t Text<'t>, libraries: Imported) -> Self {
        Calls {
            text,
            own: functions(ast),
            natives: Natives::of(engine),
            libraries,
            keys: spans::keys(text.all),
            suggestions: Cell::new(SUGGESTIONS),
        }
    }

    pub fn is_function(&self, name: &str) -> bool {
        self.is_own(name) || vocabulary::find(name).is_some()
    }

    /// Whether there is a function of this name, with any number of arguments.
    pub fn has(&self, name: &str) -> bool {
        self.is_own(name) || self.natives.has(name)
    }

    /// Whether the text defines a function of this name.
    pub fn is_own(&self, name: &str) -> bool {
        self.own.contains_key(name)
    }

    /// Whether a map of the text has this key, behind which a closure may be.
    pub fn is_key(&self, name: &str) -> bool {
        self.keys.binary_search_by(|key| key.as_str().cmp(name)).is_ok()
    }

    /// Whether one more name may be compared with those that are known: not where so many were unknown that this takes long.
    pub fn may_suggest(&self) -> bool {
        let left = self.suggestions.get();
        self.suggestions.set(left.saturating_sub(1));
        left > 0
    }

    /// Checks one call; `method` if it follows a dot.
    pub fn inspect(&self, call: &FnCallExpr, pos: Position, method: bool, findings: &mut Vec<Finding>) {
        if call.is_qualified() {
            return self.of_library(call, pos, findings);
        }
        let name = call.name.as_str();
        if !is_named(call) {
            return;
        }
        let error = |message: String| Finding::at(Severity::Error, self.text, pos, message);
        // A closure in a map is called like a method.
        if method && self.is_key(name) {
            return;
        }
        let arguments = call.args.len();
        let own = |n: usize| self.own.get(name).is_some_and(|counts| counts.contains(&n));
        let native = |n: usize| self.natives.forms(name, n).next().is_some();
        if !self.has(name) {
            let known = self.own.keys().map(String::as_str).chain(self.natives.names());
            let known = known.filter(|n| n.starts_with(char::is_alphabetic) && !n.contains('$'));
            let help = if self.may_suggest() { explain::instead(name, &[], known) } else { None };
            findings.push(error(format!("there is no function {name}")).help(help));
            return;
        }
        // A native method counts its receiver; a script function has it as `this`.
        let fits = own(arguments) || if method { native(arguments + 1) } else { native(arguments) };
        if !fits {
            let signature = match vocabulary::find(name) {
                Some(word) if !self.own.contains_key(name) => Some(word.signatures.join(" or ")),
                _ => self.text.signature(name).map(str::to_string),
            };
            let finding =
                error(format!("{name} does not take {arguments} argument{}", if arguments == 1 { "" } else { "s" }));
            findings.push(finding.help(signature.map(|s| format!("it is {s}"))));
        }
        options::unknown(call, self.text, findings);
    }

    /// Checks a call of a library's function.
    fn of_library(&self, call: &FnCallExpr, pos: Position, findings: &mut Vec<Finding>) {
        let alias = call.namespace.root();
        let Some(Some(functions)) = self.libraries.get(alias) else { return };
        if call.namespace.path.len() != 1 {
            return;
        }
        let (name, arguments) = (call.name.as_str(), call.args.len());
        let takes = |signature: &str| explain::parameters(signature).len() == arguments;
        if functions.iter().any(|(known, signature)| known == name && takes(signature)) {
            return;
        }
        let error = match self.may_suggest() {
            true => explain::not_in_library(alias, name, arguments, functions),
            false => Error::argument(format!("{alias}::{name} cannot be called so")),
        };
        findings.push(Finding::at(Severity::Error, self.text, pos, error.message).help(error.help));
    }
}
