//! `cpsd check`: finds mistakes without running a script.
//!
//! - `finding`: a mistake
//! - `text`: the text with its lines and tokens
//! - `imports`: libraries that cannot be read or import each other in a circle
//! - `calls`: unknown functions, wrong numbers of arguments; `natives`: the functions of the engine
//! - `options`: unknown options, and literal values that they refuse
//! - `kinds`: the kinds of values, where they are certain; `values`: members and arguments that these refuse
//! - `maps`: keys that a map cannot have
//! - `traps`: code that runs and probably means something else
//! - `unfinished`: texts with a syntax error
//! - `names`: unknown variables; unused variables, parameters and imports; unreachable code

mod calls;
mod finding;
mod imports;
mod kinds;
mod maps;
mod names;
mod natives;
mod options;
pub(super) mod text;
mod traps;
mod unfinished;
mod values;

use std::cell::LazyCell;
use std::collections::BTreeSet;

use rhai::{ASTNode, Engine, OptimizationLevel, Scope, Stmt};

use super::errors::Failure;
use super::modules::Unsaved;
use super::parsing;
use super::session::{self, Session};
pub use finding::{Finding, Severity};
pub use traps::Trap;

/// Compiles the text and looks for mistakes. Errors: unknown functions, variables, members, names and options, wrong numbers and kinds of
/// arguments, where the text leaves no doubt of them; libraries that cannot be read or import each other in a circle. Warnings: unused variables, parameters and imports, unreachable code,
/// and what probably means something else (`traps`).
///
/// Names that begin with `_` may be unused. What is unknown in the body of a `try` is a warning: it may be meant to fail. Nothing is run.
/// Errors: a text with a syntax error.
pub fn check(session: &Session, text: &str, name: &str) -> Result<Vec<Finding>, Failure> {
    session.sources.add(name, text);
    of_text(session, text, name, &|_| None)
}

/// As [`check`], where a syntax error is a finding too, and what is in front of its statement, and the functions behind it, are checked all
/// the same. Libraries are read as an editor has them.
///
/// Errors: the check was interrupted.
pub fn check_all(session: &Session, text: &str, name: &str, unsaved: &Unsaved) -> Result<Vec<Finding>, Failure> {
    session.sources.add(name, text);
    match of_text(session, text, name, unsaved) {
        Err(failure) if !failure.interrupted() => {
            let engine = LazyCell::new(|| reader(session));
            let parse = |part: &str| {
                let outcome = parsing::parse(&engine, &Scope::new(), part);
                outcome.map(drop).map_err(|e| Failure::from_rhai(*e, name, &session.sources, &[]))
            };
            Ok(unfinished::findings(text, name, &failure, parse, |part| of_text(session, part, name, unsaved)))
        }
        outcome => outcome,
    }
}

fn of_text(session: &Session, text: &str, name: &str, unsaved: &Unsaved) -> Result<Vec<Finding>, Failure> {
    let engine = reader(session);
    let ast = parsing::parse(&engine, &Scope::new(), text)
        .map_err(|e| Failure::from_rhai(*e, name, &session.sources, &[]))?;
    let text = &text::Text::new(name, text);
    let mut findings = vec![];
    let imported = imports::read(&engine, &session.sources, unsaved, &ast, text, &mut findings);
    let calls = calls::Calls::new(&engine, &ast, text, imported);
    // What a call of known kinds says is more than what the same call says without them.
    let certain = values::find(&ast, text, &calls);
    let places: BTreeSet<(usize, usize)> = certain.iter().map(|finding| finding.position).collect();
    let is_said = |finding: &Finding| finding.severity == Severity::Error && places.contains(&finding.position);
    findings.extend(names::walk(&ast, text, &calls).into_iter().filter(|finding| !is_said(finding)));
    findings.extend(certain);
    findings.extend(maps::find(&ast, text, &calls));
    findings.extend(traps::on_themselves(&ast, text));
    findings.extend(traps::find(&ast, text, &Scope::new()).into_iter().map(|(_, finding)| finding));
    findings.sort_by_key(|f| (f.position, f.message.clone()));
    findings.dedup_by(|a, b| a.position == b.position && a.message == b.message);
    Ok(findings)
}

/// What in a text that can be parsed probably means something else, where the text sees the session's variables.
pub fn traps(session: &mut Session, text: &str, name: &str) -> Vec<(Trap, Finding)> {
    session.engine.set_optimization_level(OptimizationLevel::None);
    let ast = parsing::parse(&session.engine, &session.scope, text);
    session.engine.set_optimization_level(OptimizationLevel::Simple);
    ast.map_or(vec![], |ast| traps::find(&ast, &text::Text::new(name, text), &session.scope))
}

/// Whether a node is in the body of a `try`, which may be meant to fail.
fn is_tried(path: &[ASTNode]) -> bool {
    path.windows(2).any(|pair| match pair {
        [ASTNode::Stmt(Stmt::TryCatch(flow, _)), ASTNode::Stmt(inside)] => {
            flow.body.statements().iter().any(|statement| std::ptr::eq(statement, *inside))
        }
        _ => false,
    })
}

/// An engine that parses as the session's does, without folding constants.
fn reader(session: &Session) -> Engine {
    let mut engine = session::engine(&session.host);
    engine.set_optimization_level(OptimizationLevel::None);
    engine
}
