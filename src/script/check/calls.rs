//! Calls of unknown functions, with wrong numbers of arguments or unknown options.

use std::cell::Cell;

use rhai::{AST, Engine, Expr, FnCallExpr, Position};

use super::finding::{Finding, Severity};
use super::imports::{Functions, Imported, functions};
use super::text::Text;
use crate::error::nearest;
use crate::script::vocabulary;
use crate::script::{option_parts, options, spans};

/// The functions that a text can call.
pub struct Calls<'t> {
    text: &'t Text<'t>,
    own: Functions,
    native: Functions,
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

impl<'t> Calls<'t> {
    pub fn new(engine: &Engine, ast: &AST, text: &'t Text<'t>, libraries: Imported) -> Self {
        Calls {
            text,
            own: functions(ast),
            native: native_functions(engine),
            libraries,
            keys: spans::keys(text.all),
            suggestions: Cell::new(SUGGESTIONS),
        }
    }

    /// The functions that the text defines, for suggestions.
    pub fn own_names(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str)
    }

    pub fn is_function(&self, name: &str) -> bool {
        self.own.contains_key(name) || vocabulary::find(name).is_some()
    }

    /// The nearest of these names, unless so many names were unknown that this takes long.
    pub fn nearest<'a>(&self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        self.suggestions.set(self.suggestions.get().checked_sub(1)?);
        nearest(name, known)
    }

    /// Checks one call; `method` if it follows a dot.
    pub fn inspect(&self, call: &FnCallExpr, pos: Position, method: bool, findings: &mut Vec<Finding>) {
        if call.is_qualified() {
            return self.of_library(call, pos, findings);
        }
        // Operators are resolved at run time.
        let name = call.name.as_str();
        if call.op_token.is_some() || BUILT_IN.contains(&name) || name.contains('$') {
            return;
        }
        let error = |message: String| Finding::at(Severity::Error, self.text, pos, message);
        // A closure in a map is called like a method.
        if method && self.keys.binary_search_by(|key| key.as_str().cmp(name)).is_ok() {
            return;
        }
        let arguments = call.args.len();
        let own = |n: usize| self.own.get(name).is_some_and(|counts| counts.contains(&n));
        let native = |n: usize| self.native.get(name).is_some_and(|counts| counts.contains(&n));
        if !self.own.contains_key(name) && !self.native.contains_key(name) {
            let known = self.own.keys().chain(self.native.keys()).map(String::as_str);
            let near = self.nearest(name, known.filter(|n| n.starts_with(char::is_alphabetic) && !n.contains('$')));
            findings.push(
                error(format!("there is no function {name}")).help(near.map(|near| format!("did you mean {near}?"))),
            );
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
        self.options(call, findings);
    }

    /// Finds options that a word does not have.
    fn options(&self, call: &FnCallExpr, findings: &mut Vec<Finding>) {
        let name = call.name.as_str();
        // The options of dataset are those of the data set; cam's and predict's first argument may be a map of models.
        let Some(docs) = vocabulary::find(name)
            .and_then(|w| w.options.as_ref())
            .filter(|_| name != "dataset" && call.args.len() > 1 || takes_only_options(name))
        else {
            return;
        };
        let Some(Expr::Map(map, _)) = call.args.last() else { return };
        let known = || (docs.docs)().into_iter().map(|doc| doc.key);
        for (key, _) in map.0.iter().filter(|(key, _)| known().all(|k| k != key.name)) {
            let error = options::unknown_option(name, &key.name, known());
            let error = options::belonging(error, &key.name, (docs.part_of)(&key.name).as_deref());
            findings.push(Finding::at(Severity::Error, self.text, key.pos, error.message).help(error.help));
        }
        // Maps of options that have keys of their own. Which keys head_options has depends on the head.
        for (part, value) in map.0.iter().filter(|(part, _)| known().any(|k| k == part.name)) {
            let Expr::Map(inner, _) = value else { continue };
            let parts = if part.name == "head_options" { vec![] } else { option_parts::parts(&[&part.name]) };
            let has = |name: &str| parts.is_empty() || parts.iter().any(|part| part.key == name);
            for (key, _) in inner.0.iter().filter(|(key, _)| !has(&key.name)) {
                let error = options::unknown_key(name, &part.name, &key.name, parts.iter().map(|part| part.key));
                let error = options::beside(error, name, &part.name, &key.name, known().any(|k| k == key.name));
                findings.push(Finding::at(Severity::Error, self.text, key.pos, error.message).help(error.help));
            }
        }
    }

    /// Checks a call of a library's function.
    fn of_library(&self, call: &FnCallExpr, pos: Position, findings: &mut Vec<Finding>) {
        let alias = call.namespace.root();
        let Some(Some(functions)) = self.libraries.get(alias) else { return };
        if call.namespace.path.len() != 1 {
            return;
        }
        let (name, arguments) = (call.name.as_str(), call.args.len());
        let error = |message: String| Finding::at(Severity::Error, self.text, pos, message);
        match functions.get(name) {
            None => {
                let near = self.nearest(name, functions.keys().map(String::as_str));
                findings.push(
                    error(format!("library {alias} has no function {name}"))
                        .help(near.map(|near| format!("did you mean {near}?"))),
                );
            }
            Some(counts) if !counts.contains(&arguments) => {
                let takes: Vec<String> = counts.iter().map(usize::to_string).collect();
                findings
                    .push(error(format!("{alias}::{name} takes {} arguments; got {arguments}", takes.join(" or "))));
            }
            Some(_) => {}
        }
    }
}

/// Words whose only argument may be their options.
fn takes_only_options(name: &str) -> bool {
    vocabulary::find(name).is_some_and(|w| w.signatures.iter().any(|s| s.starts_with(&format!("{name}(#{{options}})"))))
}

/// Name and number of parameters of every native function.
fn native_functions(engine: &Engine) -> Functions {
    let json = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    let mut all = Functions::new();
    for function in value["functions"].as_array().into_iter().flatten() {
        if let Some(name) = function["baseName"].as_str().or(function["name"].as_str()) {
            let parameters = function["numParams"].as_u64().unwrap_or(0) as usize;
            all.entry(name.to_string()).or_default().insert(parameters);
        }
    }
    all
}
