//! What certainly fails by the kinds of values: members that a kind does not have, arguments of another kind than a word takes, names and
//! options that it does not know. The sentences are those of the errors that the calls would raise.

use rhai::{AST, ASTFlags, ASTNode, BinaryExpr, EvalAltResult, Expr, FnCallExpr, Position, Stmt};

use super::calls::{Calls, is_named};
use super::finding::{Finding, Severity};
use super::is_tried;
use super::kinds::{self, Kinds};
use super::options;
use super::text::Text;
use crate::error::Error;
use crate::script::{explain, option_parts, vocabulary};

/// All findings of a text. The body of a `try` may be meant to fail.
pub fn find(ast: &AST, text: &Text, calls: &Calls) -> Vec<Finding> {
    let kinds = Kinds::of(ast, text, calls);
    let mut finder = Finder { text, calls, kinds: &kinds, findings: vec![] };
    ast.walk(&mut |path| {
        match path.last() {
            _ if is_tried(path) => {}
            Some(ASTNode::Expr(expression @ Expr::Dot(sides, _, _)))
                if is_read(expression, path) && !matches!(sides.lhs, Expr::Property(..) | Expr::MethodCall(..)) =>
            {
                let receiver = finder.kinds.kind(&sides.lhs);
                finder.behind_dot(receiver, &sides.rhs);
            }
            Some(ASTNode::Expr(expression @ Expr::Index(sides, flags, _)))
                if is_read(expression, path) && !matches!(sides.lhs, Expr::Property(..) | Expr::MethodCall(..)) =>
            {
                let receiver = finder.kinds.kind(&sides.lhs);
                finder.element(receiver, sides, *flags);
            }
            Some(ASTNode::Expr(Expr::FnCall(call, pos)) | ASTNode::Stmt(Stmt::FnCall(call, pos))) => {
                finder.call(call, *pos);
            }
            _ => {}
        }
        true
    });
    finder.findings
}

/// Whether a chain is the whole of one that is read: no rest behind a bracket, as `0.b` of `a[0].b` is, and nothing that is assigned to.
fn is_read(expression: &Expr, path: &[ASTNode]) -> bool {
    let same = |other: &Expr| std::ptr::eq(other, expression);
    match path.iter().rev().nth(1) {
        Some(ASTNode::Expr(Expr::Index(sides, flags, _))) => flags.contains(ASTFlags::BREAK) || !same(&sides.rhs),
        Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => !same(&assignment.1.lhs),
        _ => true,
    }
}

struct Finder<'a> {
    text: &'a Text<'a>,
    calls: &'a Calls<'a>,
    kinds: &'a Kinds<'a>,
    findings: Vec<Finding>,
}

impl Finder<'_> {
    fn found(&mut self, error: Error, pos: Position) {
        self.findings.push(Finding::at(Severity::Error, self.text, pos, error.message).help(error.help));
    }

    /// Follows a chain of members from a receiver on, and gives the kind of its end.
    fn behind_dot(&mut self, receiver: Option<String>, part: &Expr) -> Option<String> {
        let receiver = receiver?;
        match part {
            Expr::Property(property, pos) => {
                let name = property.2.as_str();
                if vocabulary::find_kind(&receiver).is_some() && !self.kinds.has_property(&receiver, name) {
                    // As Rhai says it.
                    let said = format!("Unknown property '{name}' - a getter is not registered for type '{receiver}'");
                    self.found(explain::alone(EvalAltResult::ErrorDotExpr(said, Position::NONE)), *pos);
                    return None;
                }
                self.kinds.of_property(&receiver, name)
            }
            Expr::MethodCall(call, pos) => {
                self.method(&receiver, call, *pos);
                self.kinds.of_call(Some(&receiver), call)
            }
            Expr::Dot(sides, _, _) => {
                let kind = self.behind_dot(Some(receiver), &sides.lhs);
                self.behind_dot(kind, &sides.rhs)
            }
            Expr::Index(sides, flags, _) => {
                let kind = self.behind_dot(Some(receiver), &sides.lhs);
                self.element(kind, sides, *flags)
            }
            _ => None,
        }
    }

    /// Follows an element, and what is behind it.
    fn element(&mut self, receiver: Option<String>, sides: &BinaryExpr, flags: ASTFlags) -> Option<String> {
        let (at, rest) = kinds::element(sides, flags)?;
        let kind = self.kinds.element(&receiver?, at);
        rest.map_or(kind.clone(), |rest| self.behind_dot(kind, rest))
    }

    /// A method of a value of one of our kinds.
    fn method(&mut self, receiver: &str, call: &FnCallExpr, pos: Position) {
        let name = call.name.as_str();
        let ours = vocabulary::find_kind(receiver).is_some();
        if !ours || !is_named(call) || self.calls.is_own(name) {
            return;
        }
        let came = self.kinds.arguments(Some(receiver), call);
        let forms: Vec<_> = self.calls.natives.forms(name, came.len()).filter(|f| f.takes(&came[..1])).collect();
        if forms.iter().any(|form| form.takes(&came)) {
            return;
        }
        let nearest = forms.into_iter().min_by_key(|form| form.wrong(&came).count());
        let wrong = nearest.and_then(|form| form.wrong(&came).next());
        let at = wrong.and_then(|wrong| call.args.get(wrong.checked_sub(1)?)).map_or(pos, Expr::position);
        let takes = nearest.map(|form| form.parameters.as_slice());
        self.found(not_called(name, &came, takes), at);
    }

    /// A call of a word.
    fn call(&mut self, call: &FnCallExpr, pos: Position) {
        let name = call.name.as_str();
        if !is_named(call) || self.calls.is_own(name) || vocabulary::find(name).is_none() {
            return;
        }
        let came = self.kinds.arguments(None, call);
        let forms: Vec<_> = self.calls.natives.forms(name, came.len()).collect();
        // (Of another number of arguments is said elsewhere.)
        if let Some(nearest) = forms.iter().min_by_key(|form| form.wrong(&came).count())
            && let Some(wrong) = nearest.wrong(&came).next()
        {
            let at = call.args.get(wrong).map_or(pos, Expr::position);
            return self.found(not_called(name, &came, Some(&nearest.parameters)), at);
        }
        for (i, argument) in call.args.iter().enumerate() {
            if let Expr::StringConstant(written, pos) = argument
                && let Some((what, names)) = option_parts::names(name, i)
                && !names.contains(&written.as_str())
            {
                self.found(Error::unknown(what, written, names), *pos);
            }
        }
        options::refused(call, self.text, &mut self.findings);
    }
}

/// The error of a call with arguments of these kinds. One that is not known is as the nearest form takes it.
fn not_called(name: &str, came: &[Option<String>], takes: Option<&[Option<String>]>) -> Error {
    let kind = |i: usize| came[i].as_deref().or(takes.and_then(|takes| takes.get(i)?.as_deref())).unwrap_or("...");
    let kinds: Vec<&str> = (0..came.len()).map(kind).collect();
    explain::alone(EvalAltResult::ErrorFunctionNotFound(format!("{name} ({})", kinds.join(", ")), Position::NONE))
}
