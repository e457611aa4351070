//! `cpsd check`: finds mistakes without running a script.
//!
//! - `finding`: a mistake
//! - `calls`: unknown functions, wrong numbers of arguments, unknown options
//! - `names`: unknown variables; unused variables, parameters and imports; unreachable code

mod calls;
mod finding;
mod names;

use rhai::{Engine, OptimizationLevel};

use super::errors::Failure;
use super::session::{self, Session};
pub use finding::{Finding, Severity};

/// Compiles the text and looks for mistakes. Errors: unknown functions, variables and options, wrong numbers of
/// arguments. Warnings: unused variables, parameters and imports, unreachable code.
///
/// Names that begin with `_` may be unused. Nothing is run. Errors: a text with a syntax error.
pub fn check(session: &Session, text: &str, name: &str) -> Result<Vec<Finding>, Failure> {
    session.sources.add(name, text);
    let engine = reader(session);
    let ast = engine
        .compile(text)
        .map_err(|e| Failure::from_rhai(*Box::<rhai::EvalAltResult>::from(e), name, &session.sources, &[]))?;
    let calls = calls::Calls::new(&engine, &ast, text, name);
    let mut findings = names::walk(&ast, text, &calls);
    findings.sort_by_key(|f| (f.position, f.message.clone()));
    findings.dedup_by(|a, b| a.position == b.position && a.message == b.message);
    Ok(findings)
}

/// An engine that parses as the session's does, without folding constants.
fn reader(session: &Session) -> Engine {
    let mut engine = session::engine(&session.host);
    engine.set_optimization_level(OptimizationLevel::None);
    engine
}
