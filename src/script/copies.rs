//! Method calls whose closure reads the variable that they are called on: `counts.labels.filter(|l| counts.count(l) > 5)`.
//!
//! Rhai locks a variable that a closure captured while a method works on it, and the closure could not read it then. Where the
//! method only reads, it is called on a copy of the variable: the text is parsed a second time, with a token of its own in place
//! of the variable. A method that changes its receiver is left as it is, and `check` finds it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rhai::{AST, ASTNode, Dynamic, Engine, EvalAltResult, EvalContext, Expr, FnPtr, Position, Scope, Stmt, Token};

use super::errors::raise;
use super::vocabulary;
use crate::error::Error;

/// Rhai's methods of arrays, maps and strings that change nothing.
const READERS: &[&str] = &[
    "all",
    "any",
    "chars",
    "contains",
    "enumerate",
    "extract",
    "filter",
    "find",
    "find_map",
    "get",
    "index_of",
    "keys",
    "len",
    "map",
    "order",
    "order_by",
    "reduce",
    "reduce_rev",
    "some",
    "split",
    "sub_string",
    "to_array",
    "values",
    "zip",
];

/// The token that stands for a copy of a variable. No text can contain it.
const COPY: &str = "a copy of the variable";

thread_local! {
    /// The places whose variables are copied in the text that is being parsed, and the names that the parser has passed there.
    static PARSED: RefCell<(BTreeSet<(usize, usize)>, VecDeque<String>)> = RefCell::default();
}

/// A method call whose closure captured the variable that it is called on.
pub struct OnItself {
    pub variable: String,
    pub method: String,
    /// Of the variable.
    pub place: Position,
    /// The method only reads.
    pub reads: bool,
}

/// Gives `engine` the syntax of copies.
pub fn install(engine: &mut Engine) {
    engine.register_custom_syntax_with_state_raw(
        COPY,
        |_, _, state| {
            let name = PARSED.with_borrow_mut(|(_, names)| names.pop_front()).unwrap_or_default();
            *state = name.into();
            Ok(None)
        },
        false,
        |context, _, state| copy(context, &state.clone().into_immutable_string().unwrap_or_default()),
    );
}

/// The token that the parser gets: another one for a variable that is copied.
pub fn token(token: Token, place: Position) -> Token {
    let Token::Identifier(name) = &token else { return token };
    let copied = PARSED.with_borrow_mut(|(places, names)| {
        let copied = !places.is_empty() && at(place).is_some_and(|at| places.contains(&at));
        if copied {
            names.push_back(name.to_string());
        }
        copied
    });
    if copied { Token::Custom(Box::new(COPY.into())) } else { token }
}

/// Parses with `again` once more if variables must be copied.
pub fn parse<E>(ast: AST, scope: &Scope, again: impl FnOnce() -> Result<AST, E>) -> Result<AST, E> {
    let places: BTreeSet<(usize, usize)> =
        find(&ast, scope).into_iter().filter(|call| call.reads).filter_map(|call| at(call.place)).collect();
    if places.is_empty() {
        return Ok(ast);
    }
    PARSED.set((places, VecDeque::new()));
    let ast = again();
    PARSED.take();
    ast
}

fn at(place: Position) -> Option<(usize, usize)> {
    Some((place.line()?, place.position()?))
}

fn copy(context: &EvalContext, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
    let value = context
        .scope()
        .get(name)
        .ok_or_else(|| Box::new(EvalAltResult::ErrorVariableNotFound(name.to_string(), Position::NONE)))?;
    match value.read_lock::<Dynamic>() {
        Some(inner) if value.is_shared() => Ok(inner.clone()),
        Some(_) => Ok(value.clone()),
        None if value.is_shared() => Err(raise(in_use(name, "a method"))),
        None => Ok(value.clone()),
    }
}

/// The error of a closure that reads a variable while `method` changes it.
pub fn in_use(variable: &str, method: &str) -> Error {
    Error::argument(format!("\"{variable}\" is read by a closure while {method} works on it"))
        .with_help(format!("read a copy in the closure: let copy = {variable};"))
}

/// Every method call whose closure captured the variable that it is called on.
pub fn find(ast: &AST, scope: &Scope) -> Vec<OnItself> {
    let mut closures: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut defined: BTreeSet<String> = BTreeSet::new();
    defined.extend(ast.iter_functions().map(|f| f.name.to_string()));
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Var(variable, _, _))) = path.last()
            && let Expr::Stmt(_) = &variable.1
        {
            closures.entry(variable.0.name.to_string()).or_default().extend(captured(&variable.1));
        }
        true
    });
    let mut found = vec![];
    ast.walk(&mut |path| {
        let Some(ASTNode::Expr(expression)) = path.last() else { return true };
        let (Expr::Dot(sides, ..) | Expr::Index(sides, ..)) = expression else { return true };
        let Expr::Variable(variable, _, place) = &sides.lhs else { return true };
        if !variable.2.is_empty() {
            return true;
        }
        let name = variable.1.as_str();
        let (mut first, mut captures, mut behind) = (None, None, Some(&sides.rhs));
        while let Some(part) = behind {
            let (head, rest) = match part {
                Expr::Dot(sides, ..) | Expr::Index(sides, ..) => (&sides.lhs, Some(&sides.rhs)),
                other => (other, None),
            };
            if let Expr::MethodCall(call, _) = head {
                let _ = first.get_or_insert(call.name.as_str());
                let of_variable = |argument: &Expr| match argument {
                    Expr::Variable(closure, _, _) => {
                        let closure = closure.1.as_str();
                        closures.get(closure).is_some_and(|captured| captured.contains(name))
                            || (!closures.contains_key(closure) && shared_closure(scope, closure, name))
                    }
                    other => captured(other).contains(name),
                };
                if captures.is_none() && call.args.iter().any(of_variable) {
                    captures = Some(call.name.as_str());
                }
            }
            behind = rest;
        }
        if let (Some(first), Some(method)) = (first, captures) {
            let member = || vocabulary::kinds().iter().flat_map(|kind| kind.members).any(|m| m.name() == first);
            let changes = IN_PLACE.contains(&first) || defined.contains(first);
            let reads = !changes && (READERS.contains(&first) || member()) || first == "for_each" && !uses_this(ast);
            found.push(OnItself { variable: name.into(), method: method.into(), place: *place, reads });
        }
        true
    });
    found
}

/// Methods of arrays, strings and maps that change their receiver.
pub const IN_PLACE: &[&str] = &[
    "append",
    "chop",
    "clear",
    "crop",
    "dedup",
    "drain",
    "fill_with",
    "insert",
    "make_lower",
    "make_upper",
    "mixin",
    "pad",
    "pop",
    "push",
    "remove",
    "replace",
    "retain",
    "reverse",
    "set",
    "shift",
    "sort",
    "sort_by",
    "sort_desc",
    "splice",
    "trim",
    "truncate",
];

/// The names that the closures in an expression captured.
fn captured(expression: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut path = vec![];
    let _ = expression.walk(&mut path, &mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Share(shared))) = path.last() {
            names.extend(shared.iter().map(|(ident, _)| ident.name.to_string()));
        }
        true
    });
    names
}

/// Whether a variable of an earlier text holds a closure that may have captured `name`.
fn shared_closure(scope: &Scope, closure: &str, name: &str) -> bool {
    let captures = |value: &Dynamic| value.read_lock::<FnPtr>().is_some_and(|f| f.iter_curry().next().is_some());
    scope.get(closure).is_some_and(captures) && scope.get(name).is_some_and(Dynamic::is_shared)
}

/// Whether a function or closure of the text changes what `for_each` gives it.
fn uses_this(ast: &AST) -> bool {
    let mut used = false;
    ast.walk(&mut |path| {
        used |= matches!(path.last(), Some(ASTNode::Expr(Expr::ThisPtr(_))));
        !used
    });
    used
}

#[cfg(test)]
mod tests {
    fn of(text: &str) -> Result<String, String> {
        let mut session = crate::primitives::session();
        session.eval(text, "test").map(|value| crate::script::show::plain(&value)).map_err(|f| f.message)
    }

    #[test]
    fn a_closure_reads_the_variable_that_its_method_is_called_on() {
        for (text, expected) in [
            ("let m = #{a: [1, 2, 3], n: 2}; m.a.filter(|x| x < m.n)", "[1]"),
            ("let a = [1, 2]; a.map(|x| x + a.len())", "[3, 4]"),
            ("let a = [1, 2]; let f = |x| x * a.len(); a.map(f)", "[2, 4]"),
            ("let a = [1, 2]; let b = a.map(|x| a.filter(|y| y >= x).len() + a.len()); b", "[4, 3]"),
            ("let a = [1, 2]; let s = 0; a.for_each(|x| s += x * a.len()); s", "6"),
            ("let m = #{}; m.a = [3]; m[\"a\"].some(|x| m.a.len() < x)", "true"),
            ("fn f(a) { a.reduce(|s, x| s + x * a.len(), 0) } f([1, 2])", "6"),
            ("let t = synthetic_labels(#{images: 9, labels: 6}); t.labels.filter(|l| t.labels.contains(l)).len()", "6"),
            ("let a = [1]; let g = || a.map(|x| x + a.len()); g.call()", "[2]"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_method_that_changes_its_variable_is_not_called_on_a_copy() {
        let changed = "let a = [3, 1]; a.sort(); let b = a.pop(); [a, b]";
        assert_eq!(of(changed).as_deref(), Ok("[[1], 3]"));
        let said = of("let a = [1, 2]; a.retain(|x| x < a.len());").unwrap_err();
        assert_eq!(said, "\"a\" is read by a closure while retain works on it");
    }

    #[test]
    fn a_closure_of_an_earlier_line_may_have_captured_it() {
        let mut session = crate::primitives::session();
        let _ = session.eval("let a = [1, 2]; let f = |x| x * a.len();", "line 1").unwrap();
        let value = session.eval("a.map(f)", "line 2").unwrap();
        assert_eq!(crate::script::show::plain(&value), "[2, 4]");
    }
}
