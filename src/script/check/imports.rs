//! The libraries that a text imports, as far as their texts tell.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Engine, Expr, Position, Scope, Stmt};

use super::is_tried;

use super::finding::{Finding, Severity};
use super::text::Text;
use crate::script::errors::Failure;
use crate::script::modules::{self, DEEPEST, Unsaved};
use crate::script::session::Sources;
use crate::script::{explain, parsing, spans};

/// Name and number of parameters of functions.
pub type Functions = BTreeMap<String, BTreeSet<usize>>;

/// Name and signature of the functions of each library that the text imports, by the name that it gives to the library; `None` for one
/// that is not found or cannot be read.
pub type Imported = BTreeMap<String, Option<Vec<(String, String)>>>;

/// Reads the libraries that a text imports, and those that they import. Findings: libraries that are not found or cannot be parsed, that
/// import each other in a circle, or too deeply. A path that the text computes is not known before it runs.
pub fn read(
    engine: &Engine,
    sources: &Sources,
    unsaved: &Unsaved,
    ast: &AST,
    text: &Text,
    findings: &mut Vec<Finding>,
) -> Imported {
    let mut reader = Reader { engine, sources, unsaved, known: BTreeMap::new() };
    let mut imported = Imported::new();
    let mut add = |path: &str, alias: &str, pos: Position, severity: Severity| {
        let name = reader.find(path, text.name);
        let library = name.as_ref().and_then(|name| reader.known.get(name));
        let functions = library.and_then(|library| library.functions.as_ref().ok());
        imported.insert(alias.to_string(), functions.cloned());
        let found = |message| Finding::at(severity, text, pos, message);
        match name {
            None => {
                let error = explain::unknown_library(path, text.name);
                findings.push(found(error.message).help(error.help));
            }
            Some(name) => findings.extend(reader.mistake(&name, text.name).map(found)),
        }
    };
    ast.walk(&mut |path_to| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, pos))) = path_to.last()
            && let Expr::StringConstant(path, at) = &import.0
        {
            let severity = if is_tried(path_to) { Severity::Warning } else { Severity::Error };
            add(path, &import.1.name, if at.is_none() { *pos } else { *at }, severity);
        }
        true
    });
    imported
}

struct Library {
    /// Name and signature of those that others see. Or the sentence for the mistake in its text.
    functions: Result<Vec<(String, String)>, String>,
    /// The libraries that it imports when it is loaded, as it names them, and where.
    imports: Vec<(String, Position)>,
    /// The mistake that loading it meets, once it was looked for.
    mistake: OnceCell<Option<String>>,
}

struct Reader<'a> {
    engine: &'a Engine,
    sources: &'a Sources,
    unsaved: &'a Unsaved<'a>,
    /// By displayed name.
    known: BTreeMap<String, Library>,
}

impl Reader<'_> {
    /// The displayed name of the library that `importer` imports as `path`, which is read.
    fn find(&mut self, path: &str, importer: &str) -> Option<String> {
        let (name, text) = match modules::find_with(path, Some(importer), self.unsaved) {
            Ok(found) => found?,
            Err(error) => {
                let library = Library { functions: Err(error.message), imports: vec![], mistake: OnceCell::new() };
                let _ = self.known.insert(path.to_string(), library);
                return Some(path.to_string());
            }
        };
        if !self.known.contains_key(&name) {
            let library = match parsing::parse(self.engine, &Scope::new(), &text) {
                Ok(ast) => {
                    let functions = Ok(spans::public_functions(&text));
                    Library { functions, imports: imports(&ast), mistake: OnceCell::new() }
                }
                Err(error) => {
                    self.sources.add(&name, &text);
                    let failure = Failure::from_rhai(*error, &name, self.sources, &[]);
                    let place = failure.place().unwrap_or_else(|| name.clone());
                    let mistake = format!("{place}: {}", failure.message);
                    Library { functions: Err(mistake), imports: vec![], mistake: OnceCell::new() }
                }
            };
            self.known.insert(name.clone(), library);
        }
        Some(name)
    }

    /// The first mistake that is met when `start` is loaded for the text `main`.
    fn mistake(&mut self, start: &str, main: &str) -> Option<String> {
        // The libraries that are being loaded, outermost first, each with how many of its imports are done.
        let mut path: Vec<(String, usize)> = vec![(main.to_string(), 0)];
        let mut next = Some(start.to_string());
        loop {
            if let Some(name) = next.take() {
                if let Some(found) = self.known.get(&name).and_then(|library| library.mistake.get()) {
                    if found.is_some() {
                        return found.clone();
                    }
                } else {
                    let circle = path.iter().position(|(other, _)| modules::is_same(other, &name));
                    let mistake = match circle {
                        Some(from) => {
                            let names = path[from..].iter().map(|(name, _)| name.as_str());
                            Some(modules::circle(names.chain([name.as_str()])).message)
                        }
                        None if path.len() > DEEPEST => Some(modules::too_deep().message),
                        None => self.known.get(&name).and_then(|library| library.functions.as_ref().err().cloned()),
                    };
                    if mistake.is_some() {
                        return mistake;
                    }
                    path.push((name, 0));
                }
            }
            // (The first entry is the text itself, of which only `start` is looked at.)
            if path.len() == 1 {
                return None;
            }
            let (name, done) = path.last_mut()?;
            let (name, at) = (name.clone(), *done);
            *done += 1;
            match self.known.get(&name).and_then(|library| library.imports.get(at)).cloned() {
                Some((import, pos)) => match self.find(&import, &name) {
                    Some(found) => next = Some(found),
                    None => {
                        let (line, column) = (pos.line().unwrap_or(1), pos.position().unwrap_or(1));
                        let message = explain::unknown_library(&import, &name).message;
                        return Some(format!("{name}:{line}:{column}: {message}"));
                    }
                },
                None => {
                    // Loaded without a mistake.
                    if let Some(library) = self.known.get(&name) {
                        let _ = library.mistake.set(None);
                    }
                    let _ = path.pop();
                }
            }
        }
    }
}

/// The libraries that a text imports when it is loaded.
fn imports(ast: &AST) -> Vec<(String, Position)> {
    let path = |statement: &Stmt| match statement {
        Stmt::Import(import, _) => match &import.0 {
            Expr::StringConstant(path, pos) => Some((path.to_string(), *pos)),
            _ => None,
        },
        _ => None,
    };
    ast.statements().iter().filter_map(path).collect()
}

/// The functions that a text defines, closures left out.
pub fn functions(ast: &AST) -> Functions {
    let mut all = Functions::new();
    for function in ast.iter_functions().filter(|f| !f.name.contains('$')) {
        all.entry(function.name.to_string()).or_default().insert(function.params.len());
    }
    all
}
