//! Keys that a map cannot have: `let m = #{a: 1}; m.b`.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTFlags, ASTNode, EvalAltResult, Expr, FnCallExpr, Position, Stmt, StmtBlock};

use super::calls::Calls;
use super::finding::{Finding, Severity};
use super::is_tried;
use super::text::Text;
use crate::script::explain::{self, Place, Variable};

/// Calls that neither change a map nor ask which keys it has.
const SHOWING: &[&str] = &["print", "debug", "type_of", "len", "is_empty", "to_json"];

/// The maps of a text, and how they are used.
struct Maps<'a> {
    calls: &'a Calls<'a>,
    /// The keys of the literal that a variable is made with; None for one that may hold another value.
    made: BTreeMap<String, Option<BTreeSet<String>>>,
    /// How often each variable is written in the text, and how often so that its keys stay those of the literal.
    written: BTreeMap<String, (usize, usize)>,
    /// Variable, key, and the place of the key.
    read: Vec<(String, String, Position)>,
}

/// All findings of a text. A map counts whose variable is made once, by a literal, and of which nothing but keys is read.
pub fn find(ast: &AST, text: &Text, calls: &Calls) -> Vec<Finding> {
    // A text that is evaluated may change any variable.
    if text.tokens().iter().any(|(range, _)| &text.all[range.clone()] == "eval") {
        return vec![];
    }
    let mut maps = Maps { calls, made: BTreeMap::new(), written: BTreeMap::new(), read: vec![] };
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Stmt(statement)) => maps.statement(statement),
            Some(ASTNode::Expr(expression)) => maps.expression(expression, path),
            _ => {}
        }
        true
    });
    // The parameters of a closure begin with what it captured.
    for parameter in ast.iter_fn_def().flat_map(|function| function.params.iter()) {
        maps.made.insert(parameter.to_string(), None);
    }
    let of_top = |statement: &Stmt| match statement {
        Stmt::Var(variable, _, _) => Some(variable.0.name.to_string()),
        _ => None,
    };
    let top: BTreeSet<String> = ast.statements().iter().filter_map(of_top).collect();
    let is_missing = |(variable, key, _): &&(String, String, Position)| {
        let keys = maps.made.get(variable).and_then(Option::as_ref);
        let is_certain = maps.written.get(variable).is_some_and(|(all, harmless)| all == harmless);
        is_certain && keys.is_some_and(|keys| !keys.contains(key))
    };
    let mut missing: Vec<_> = maps.read.iter().filter(is_missing).collect();
    missing.sort_by_key(|(_, _, pos)| *pos);
    let mut known: BTreeMap<&str, Variable> = BTreeMap::new();
    let mut findings = vec![];
    for (i, (variable, key, pos)) in missing.iter().enumerate() {
        // Each looks through all keys for the nearest.
        if !calls.may_suggest() {
            let said = format!("keys are read from here on that their maps do not have: {}", missing.len() - i);
            findings.push(Finding::at(Severity::Error, text, *pos, said));
            break;
        }
        let known = known.entry(variable).or_insert_with(|| {
            let keys = maps.made.get(variable).and_then(Option::as_ref);
            let keys = keys.map_or(vec![], |keys| keys.iter().cloned().collect());
            Variable { name: variable.clone(), kind: "map".to_string(), keys }
        });
        // As the run says it.
        let error = explain::explain(
            EvalAltResult::ErrorPropertyNotFound(key.clone(), Position::NONE),
            &Place {
                variables: std::slice::from_ref(known),
                name: text.name,
                text: text.all,
                functions: text.functions(),
                at: Some(text.offset(*pos)),
                in_function: !top.contains(variable),
            },
        );
        findings.push(Finding::at(Severity::Error, text, *pos, error.message).help(error.help));
    }
    findings
}

impl Maps<'_> {
    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Var(variable, _, _) => {
                let keys = match &variable.1 {
                    Expr::Map(map, _) => Some(map.0.iter().map(|(key, _)| key.name.to_string()).collect()),
                    _ => None,
                };
                // Of two of one name neither is certain.
                let name = variable.0.name.to_string();
                let keys = keys.filter(|_| !self.made.contains_key(&name));
                self.made.insert(name, keys);
            }
            Stmt::For(inner, _) => {
                let names = std::iter::once(&inner.0).chain(inner.1.iter());
                self.made.extend(names.map(|name| (name.name.to_string(), None)));
            }
            Stmt::TryCatch(flow, _) => {
                if let Expr::Variable(variable, _, _) = &flow.expr {
                    self.made.insert(variable.1.to_string(), None);
                }
            }
            Stmt::Share(shared) => self.made.extend(shared.iter().map(|(name, _)| (name.name.to_string(), None))),
            Stmt::FnCall(call, _) => self.call(call),
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr, path: &[ASTNode]) {
        let is_target = match path.iter().rev().nth(1) {
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => std::ptr::eq(&assignment.1.lhs, expression),
            _ => false,
        };
        match expression {
            Expr::Variable(variable, _, _) if variable.2.is_empty() => {
                self.written.entry(variable.1.to_string()).or_default().0 += 1;
            }
            Expr::FnCall(call, _) => self.call(call),
            Expr::Dot(sides, flags, _) if !is_target => {
                let Expr::Variable(variable, _, _) = &sides.lhs else { return };
                let first = match &sides.rhs {
                    Expr::Dot(rest, _, _) | Expr::Index(rest, _, _) => &rest.lhs,
                    whole => whole,
                };
                match first {
                    Expr::Property(property, pos) => {
                        self.harmless(&variable.1);
                        // What is asked with ?. or has a default may be missing.
                        let may_be_missing = flags.contains(ASTFlags::NEGATED)
                            || path.iter().any(|node| matches!(node, ASTNode::Expr(Expr::Coalesce(..))));
                        if !may_be_missing && !is_tried(path) && !is_never_run(path) {
                            self.read.push((variable.1.to_string(), property.2.to_string(), *pos));
                        }
                    }
                    Expr::MethodCall(call, _) if self.shows(call) => self.harmless(&variable.1),
                    _ => {}
                }
            }
            Expr::Index(sides, _, _) if !is_target => {
                if let Expr::Variable(variable, _, _) = &sides.lhs {
                    self.harmless(&variable.1);
                }
            }
            _ => {}
        }
    }

    fn shows(&self, call: &FnCallExpr) -> bool {
        !call.is_qualified() && SHOWING.contains(&call.name.as_str()) && !self.calls.is_own(&call.name)
    }

    fn call(&mut self, call: &FnCallExpr) {
        if !self.shows(call) {
            return;
        }
        for argument in call.args.iter() {
            if let Expr::Variable(variable, _, _) = argument {
                self.harmless(&variable.1);
            }
        }
    }

    fn harmless(&mut self, name: &str) {
        self.written.entry(name.to_string()).or_default().1 += 1;
    }
}

/// Whether a node is in a branch whose condition is the literal `false`, or in the `else` of the literal `true`.
fn is_never_run(path: &[ASTNode]) -> bool {
    let holds =
        |block: &StmtBlock, inside: &Stmt| block.statements().as_ptr_range().contains(&std::ptr::from_ref(inside));
    path.windows(2).any(|pair| match pair {
        [ASTNode::Stmt(Stmt::If(flow, _)), ASTNode::Stmt(inside)] => match flow.expr {
            Expr::BoolConstant(false, _) => holds(&flow.body, inside),
            Expr::BoolConstant(true, _) => holds(&flow.branch, inside),
            _ => false,
        },
        [ASTNode::Stmt(Stmt::While(flow, _)), ASTNode::Stmt(inside)] => {
            matches!(flow.expr, Expr::BoolConstant(false, _)) && holds(&flow.body, inside)
        }
        _ => false,
    })
}
