//! Calls of unknown functions, with wrong numbers of arguments or unknown options.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, Engine, Expr, FnCallExpr, Position, Stmt};

use super::finding::{Finding, Severity};
use crate::error::nearest;
use crate::script::vocabulary;
use crate::script::{modules, options, spans};

/// The functions that a text can call.
pub struct Calls<'t> {
    text: &'t str,
    /// Name and number of parameters of the functions that the text defines.
    own: BTreeSet<(String, usize)>,
    native: BTreeSet<(String, usize)>,
    /// The functions of the libraries that the text imports by name, as `("name", parameters)`; `None` for one that is
    /// not found or cannot be read.
    libraries: BTreeMap<String, Option<BTreeSet<(String, usize)>>>,
    /// Keys of maps: a closure in a map is called like a method.
    keys: Vec<String>,
}

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
    pub fn new(engine: &Engine, ast: &AST, text: &'t str, name: &str) -> Self {
        let mut libraries = BTreeMap::new();
        let mut add = |statement: &Stmt| {
            if let Stmt::Import(import, _) = statement
                && let Expr::StringConstant(path, _) = &import.0
            {
                let functions = modules::find(path, Some(name))
                    .and_then(|(_, text)| engine.compile(text).ok())
                    .map(|ast| functions(&ast));
                libraries.insert(import.1.name.to_string(), functions);
            }
        };
        ast.walk(&mut |path| {
            if let Some(rhai::ASTNode::Stmt(statement)) = path.last() {
                add(statement);
            }
            true
        });
        Calls { text, own: functions(ast), native: native_functions(engine), libraries, keys: spans::keys(text) }
    }

    /// The functions that the text defines, for suggestions.
    pub fn own_names(&self) -> impl Iterator<Item = &str> {
        self.own.iter().map(|(name, _)| name.as_str())
    }

    pub fn is_function(&self, name: &str) -> bool {
        self.own.iter().any(|(n, _)| n == name) || vocabulary::find(name).is_some()
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
        if method && self.keys.iter().any(|key| key == name) {
            return;
        }
        let arguments = call.args.len();
        let own = |n: usize| self.own.contains(&(name.to_string(), n));
        let native = |n: usize| self.native.contains(&(name.to_string(), n));
        if !self.own.iter().chain(&self.native).any(|(n, _)| n == name) {
            let near = nearest(
                name,
                self.own
                    .iter()
                    .chain(&self.native)
                    .map(|(n, _)| n.as_str())
                    .filter(|n| n.starts_with(char::is_alphabetic) && !n.contains('$')),
            );
            findings.push(
                error(format!("there is no function {name}")).help(near.map(|near| format!("did you mean {near}?"))),
            );
            return;
        }
        // A native method counts its receiver; a script function has it as `this`.
        let fits = own(arguments) || if method { native(arguments + 1) } else { native(arguments) };
        if !fits {
            let signature = match vocabulary::find(name) {
                Some(word) if !self.own_names().any(|n| n == name) => Some(word.signatures.join(" or ")),
                _ => spans::functions(self.text).into_iter().find(|(n, _)| n == name).map(|(_, signature)| signature),
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
            findings.push(Finding::at(Severity::Error, self.text, key.pos, error.message).help(error.help));
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
        if !functions.iter().any(|(n, _)| n == name) {
            let near = nearest(name, functions.iter().map(|(n, _)| n.as_str()));
            findings.push(
                error(format!("library {alias} has no function {name}"))
                    .help(near.map(|near| format!("did you mean {near}?"))),
            );
        } else if !functions.contains(&(name.to_string(), arguments)) {
            let takes: Vec<String> = functions.iter().filter(|(n, _)| n == name).map(|(_, n)| n.to_string()).collect();
            findings.push(error(format!("{alias}::{name} takes {} arguments; got {arguments}", takes.join(" or "))));
        }
    }
}

/// Words whose only argument may be their options.
fn takes_only_options(name: &str) -> bool {
    vocabulary::find(name).is_some_and(|w| w.signatures.iter().any(|s| s.starts_with(&format!("{name}(#{{options}})"))))
}

/// Name and number of parameters of the functions that a text defines, closures left out.
fn functions(ast: &AST) -> BTreeSet<(String, usize)> {
    ast.iter_functions().filter(|f| !f.name.contains('$')).map(|f| (f.name.to_string(), f.params.len())).collect()
}

/// Name and number of parameters of every native function.
fn native_functions(engine: &Engine) -> BTreeSet<(String, usize)> {
    let json = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    let mut all = BTreeSet::new();
    for function in value["functions"].as_array().into_iter().flatten() {
        if let Some(name) = function["baseName"].as_str().or(function["name"].as_str()) {
            all.insert((name.to_string(), function["numParams"].as_u64().unwrap_or(0) as usize));
        }
    }
    all
}
