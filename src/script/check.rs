//! `cpsd check`: mistakes that can be found without running a script.

use std::collections::BTreeSet;

use rhai::{ASTNode, Engine, Expr, Position, Stmt};

use super::errors::Failure;
use super::session::Session;
use crate::error::{Error, nearest};
use crate::primitives;

/// One mistake: its place as (line, column), a sentence, and perhaps help.
#[derive(Debug)]
pub struct Finding {
    pub position: (usize, usize),
    pub message: String,
    pub help: Option<String>,
}

/// Compiles the text and looks for calls to functions that are not there, calls of words with a number of arguments
/// that none of their forms takes, and options that a word does not have.
///
/// Errors: the text cannot be read at all.
pub fn check(session: &Session, text: &str, name: &str) -> Result<Vec<Finding>, Failure> {
    session.sources.add(name, text);
    let ast = session
        .engine
        .compile(text)
        .map_err(|e| Failure::from_rhai(*Box::<rhai::EvalAltResult>::from(e), name, &session.sources, &[]))?;
    let own: BTreeSet<(String, usize)> = ast.iter_functions().map(|f| (f.name.to_string(), f.params.len())).collect();
    let known = native_functions(&session.engine);
    let mut findings = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, pos))) => Some((call, *pos)),
            Some(ASTNode::Stmt(Stmt::FnCall(call, pos))) => Some((call, *pos)),
            _ => None,
        };
        if let Some((call, pos)) = call {
            let method = matches!(path.len().checked_sub(2).map(|i| &path[i]), Some(ASTNode::Expr(Expr::Dot(..))));
            inspect(call, pos, method, &own, &known, &mut findings);
        }
        true
    });
    findings.sort_by_key(|f| f.position);
    findings.dedup_by(|a, b| a.position == b.position && a.message == b.message);
    Ok(findings)
}

fn inspect(
    call: &rhai::FnCallExpr,
    pos: Position,
    method: bool,
    own: &BTreeSet<(String, usize)>,
    known: &BTreeSet<(String, usize)>,
    findings: &mut Vec<Finding>,
) {
    let name = call.name.as_str();
    // Calls through a module or operators are resolved when they run.
    if call.is_qualified() || call.op_token.is_some() {
        return;
    }
    let arguments = call.args.len();
    let position = (pos.line().unwrap_or(0), pos.position().unwrap_or(0));
    let fits = |n: usize| own.contains(&(name.to_string(), n)) || known.contains(&(name.to_string(), n));
    let anywhere = own.iter().chain(known).any(|(n, _)| n == name);
    if !anywhere && !BUILT_IN.contains(&name) {
        let names = own.iter().chain(known).map(|(n, _)| n.as_str());
        let help = nearest(name, names).map(|near| format!("did you mean {near}?"));
        findings.push(Finding { position, message: format!("there is no function {name}"), help });
        return;
    }
    if let Some(word) = primitives::find(name)
        && !own.iter().any(|(n, _)| n == name)
        && !fits(arguments)
        && !(method && fits(arguments + 1))
    {
        let help = Some(format!("it is {}", word.signatures.join(" or ")));
        findings.push(Finding { position, message: format!("{name} does not take {arguments} arguments"), help });
    }
    if let Some(options) = primitives::find(name).and_then(|w| w.options.as_ref()) {
        let open = name == "dataset"; // its options are those of the data set
        // Options come last; constant ones have been folded into a value, which no longer knows where its keys stood.
        let given: Vec<(String, Position)> = match call.args.last() {
            Some(Expr::Map(map, _)) => map.0.iter().map(|(key, _)| (key.name.to_string(), key.pos)).collect(),
            Some(Expr::DynamicConstant(value, at)) => {
                value.as_map_ref().map(|map| map.keys().map(|k| (k.to_string(), *at)).collect()).unwrap_or_default()
            }
            _ => vec![],
        };
        let known = || options.docs.iter().map(|(key, _)| *key);
        if !open && !(name == "cam" && arguments == 1) {
            for (key, at) in given.into_iter().filter(|(key, _)| known().all(|k| k != key)) {
                let error = super::options::unknown_option(name, &key, known());
                let position = (at.line().unwrap_or(0), at.position().unwrap_or(0));
                findings.push(Finding { position, message: error.message, help: error.help });
            }
        }
    }
}

/// Rhai's own functions that are not in its registry.
const BUILT_IN: &[&str] = &["Fn", "call", "curry", "is_def_var", "is_def_fn", "is_shared", "type_of", "eval", "print", "debug", "this", "import"];

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

impl Finding {
    /// As an error to print, without its place.
    pub fn to_error(&self) -> Error {
        let error = Error::argument(self.message.clone());
        match &self.help {
            Some(help) => error.with_help(help.clone()),
            None => error,
        }
    }
}
