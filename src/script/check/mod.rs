//! `cpsd check`: finds mistakes without running a script.
//!
//! - `finding`: a mistake
//! - `text`: the text with its lines and tokens
//! - `imports`: libraries that cannot be read or import each other in a circle
//! - `calls`: unknown functions, wrong numbers of arguments, unknown options
//! - `traps`: code that runs and probably means something else
//! - `names`: unknown variables; unused variables, parameters and imports; unreachable code

mod calls;
mod finding;
mod imports;
mod names;
pub(super) mod text;
mod traps;

use rhai::{Engine, OptimizationLevel, Scope};

use super::errors::Failure;
use super::parsing;
use super::session::{self, Session};
pub use finding::{Finding, Severity};
pub use traps::Trap;

/// Compiles the text and looks for mistakes. Errors: unknown functions, variables and options, wrong numbers of
/// arguments, libraries that cannot be read or import each other in a circle. Warnings: unused variables, parameters and imports, unreachable code,
/// and what probably means something else (`traps`).
///
/// Names that begin with `_` may be unused. Nothing is run. Errors: a text with a syntax error.
pub fn check(session: &Session, text: &str, name: &str) -> Result<Vec<Finding>, Failure> {
    session.sources.add(name, text);
    let engine = reader(session);
    let ast = parsing::parse(&engine, &Scope::new(), text)
        .map_err(|e| Failure::from_rhai(*e, name, &session.sources, &[]))?;
    let text = &text::Text::new(name, text);
    let mut findings = vec![];
    let imported = imports::read(&engine, &session.sources, &ast, text, &mut findings);
    let calls = calls::Calls::new(&engine, &ast, text, imported);
    findings.extend(names::walk(&ast, text, &calls));
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

/// An engine that parses as the session's does, without folding constants.
fn reader(session: &Session) -> Engine {
    let mut engine = session::engine(&session.host);
    engine.set_optimization_level(OptimizationLevel::None);
    engine
}
