//! The kinds of values, where a text leaves no doubt: those of literals, of what words and members give, and of variables that hold nothing
//! else.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTFlags, ASTNode, BinaryExpr, Expr, FnCallExpr, FnPtr, Stmt};

use super::calls::{Calls, is_named};
use super::text::Text;
use crate::script::vocabulary;

/// Calls that leave an array or a map as it is.
const READING: &[&str] = &["len", "is_empty", "keys", "values", "contains", "get", "print", "debug", "type_of"];

/// So often doubts are followed. A text in which more follow from each other has no kinds.
const ROUNDS: usize = 10;

/// The kinds of a text's variables: `integer`, `Model`, `map of Dataset`, `array of Model`.
pub struct Kinds<'c> {
    calls: &'c Calls<'c>,
    variables: BTreeMap<String, String>,
}

impl<'c> Kinds<'c> {
    pub fn of(ast: &AST, text: &Text, calls: &'c Calls<'c>) -> Self {
        let mut kinds = Kinds { calls, variables: BTreeMap::new() };
        // A text that is evaluated may give any variable another value.
        if text.tokens().iter().any(|(range, _)| &text.all[range.clone()] == "eval") {
            return kinds;
        }
        let Some(mut unsure) = unsure(ast, calls) else { return kinds };
        // Two variables of one name may be of different kinds; what followed from the first is then not sure either.
        for _ in 0..ROUNDS {
            let known = unsure.any.len();
            kinds.variables.clear();
            ast.walk(&mut |path| {
                if let Some(ASTNode::Stmt(Stmt::Var(variable, _, _))) = path.last()
                    && !unsure.any.contains(variable.0.name.as_str())
                {
                    let name = variable.0.name.to_string();
                    let is_sure = |kind: &String| !kind.contains(" of ") || !unsure.inside.contains(&name);
                    let kind = kinds.kind(&variable.1).filter(is_sure);
                    match (kind, kinds.variables.get(&name)) {
                        (Some(kind), None) => drop(kinds.variables.insert(name, kind)),
                        (Some(kind), Some(other)) if *other == kind => {}
                        _ => drop(unsure.any.insert(name)),
                    }
                }
                true
            });
            if unsure.any.len() == known {
                return kinds;
            }
        }
        kinds.variables.clear();
        kinds
    }

    /// The kind of an expression, if it is certain.
    pub fn kind(&self, expression: &Expr) -> Option<String> {
        let own = |kind: &str| Some(kind.to_string());
        match expression {
            Expr::IntegerConstant(..) => own("integer"),
            Expr::FloatConstant(..) => own("number"),
            Expr::BoolConstant(..) => own("boolean"),
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => own("string"),
            Expr::CharConstant(..) => own("character"),
            Expr::Array(..) => own("array"),
            Expr::Map(..) => own("map"),
            Expr::Unit(_) => own("nothing"),
            Expr::DynamicConstant(value, _) if value.is::<FnPtr>() => own("function"),
            Expr::Variable(variable, _, _) if variable.2.is_empty() => self.variables.get(variable.1.as_str()).cloned(),
            Expr::FnCall(call, _) => self.of_call(None, call),
            Expr::Dot(sides, _, _) => self.behind_dot(&self.kind(&sides.lhs)?, &sides.rhs),
            Expr::Index(sides, flags, _) => {
                let (at, rest) = element(sides, *flags)?;
                let kind = self.element(&self.kind(&sides.lhs)?, at)?;
                rest.map_or(Some(kind.clone()), |rest| self.behind_dot(&kind, rest))
            }
            _ => None,
        }
    }

    /// The kind of `receiver.part`.
    fn behind_dot(&self, receiver: &str, part: &Expr) -> Option<String> {
        match part {
            Expr::Property(property, _) => self.of_property(receiver, &property.2),
            Expr::MethodCall(call, _) => self.of_call(Some(receiver), call),
            Expr::Dot(sides, _, _) => self.behind_dot(&self.behind_dot(receiver, &sides.lhs)?, &sides.rhs),
            Expr::Index(sides, flags, _) => {
                let (at, rest) = element(sides, *flags)?;
                let kind = self.element(&self.behind_dot(receiver, &sides.lhs)?, at)?;
                rest.map_or(Some(kind.clone()), |rest| self.behind_dot(&kind, rest))
            }
            _ => None,
        }
    }

    /// The kind of `receiver.name`.
    pub fn of_property(&self, receiver: &str, name: &str) -> Option<String> {
        if let Some(of) = receiver.strip_prefix("map of ") {
            return Some(of.to_string());
        }
        let getter = format!("get${name}");
        let mut getters = self.calls.natives.forms(&getter, 1);
        getters.find(|form| form.parameters[0].as_deref() == Some(receiver))?.answer.clone()
    }

    /// Whether values of a kind may have a property: it is registered, or documented.
    pub fn has_property(&self, kind: &str, name: &str) -> bool {
        let members = vocabulary::find_kind(kind).map_or(&[][..], |kind| kind.members);
        let (getter, kind) = (format!("get${name}"), Some(kind.to_string()));
        self.calls.natives.forms(&getter, 1).any(|form| form.takes(std::slice::from_ref(&kind)))
            || members.iter().any(|member| member.usage == name)
    }

    /// The kind of `array[at]` and `map["key"]`.
    pub fn element(&self, receiver: &str, at: &Expr) -> Option<String> {
        let containers = match self.kind(at)?.as_str() {
            "integer" => "array of ",
            "string" => "map of ",
            _ => return None,
        };
        receiver.strip_prefix(containers).map(str::to_string)
    }

    /// The kinds of the arguments of a call, the receiver of a method first.
    pub fn arguments(&self, receiver: Option<&str>, call: &FnCallExpr) -> Vec<Option<String>> {
        // An array of models is an array.
        let whole = |kind: String| kind.split(" of ").next().map(str::to_string);
        let receiver = receiver.map(|kind| whole(kind.to_string()));
        receiver.into_iter().chain(call.args.iter().map(|argument| self.kind(argument).and_then(whole))).collect()
    }

    /// The kind that a call gives.
    pub fn of_call(&self, receiver: Option<&str>, call: &FnCallExpr) -> Option<String> {
        let name = call.name.as_str();
        if !is_named(call) || self.calls.is_own(name) {
            return None;
        }
        // What values of maps are called with is what their keys hold.
        if receiver.is_some_and(|kind| vocabulary::find_kind(kind).is_none()) {
            return None;
        }
        let came = self.arguments(receiver, call);
        let mut forms = self.calls.natives.forms(name, came.len()).filter(|form| form.takes(&came));
        let answer = forms.next()?.answer.clone()?;
        if forms.any(|form| form.answer.as_ref() != Some(&answer)) {
            return None;
        }
        match answer.as_str() {
            "array" | "map" if receiver.is_none() => Some(of_word(name, &answer).unwrap_or(answer)),
            _ => Some(answer),
        }
    }
}

/// The position in `array[at]`, and what follows behind a dot: Rhai reads `a[0].b` as `a` and then `0.b`. None for `a[0][1].b`.
pub fn element(sides: &BinaryExpr, flags: ASTFlags) -> Option<(&Expr, Option<&Expr>)> {
    match &sides.rhs {
        at if flags.contains(ASTFlags::BREAK) => Some((at, None)),
        Expr::Dot(rest, _, _) => Some((&rest.lhs, Some(&rest.rhs))),
        _ => None,
    }
}

/// `map of Dataset` of a word whose signatures all say so.
fn of_word(name: &str, answer: &str) -> Option<String> {
    let mut said = vocabulary::find(name)?.signatures.iter().map(|signature| signature.split("-> ").nth(1));
    let first = said.next()??;
    if said.any(|other| other != Some(first)) {
        return None;
    }
    let of = first.trim().strip_prefix(answer)?.strip_prefix(" of ")?;
    let kind = vocabulary::find_kind(of).or_else(|| vocabulary::find_kind(of.strip_suffix('s')?))?;
    Some(format!("{answer} of {}", kind.name))
}

/// Names of variables whose values change.
#[derive(Default)]
struct Unsure {
    /// Which may come to hold any kind of value.
    any: BTreeSet<String>,
    /// Arrays and maps into which something is put.
    inside: BTreeSet<String>,
}

/// None where a method of the text may change any variable that it is called on.
fn unsure(ast: &AST, calls: &Calls) -> Option<Unsure> {
    let mut found = Unsure::default();
    let mut this_changes = false;
    // A captured variable is the same one under the same name.
    let mut captured: BTreeMap<String, usize> = BTreeMap::new();
    let mut curried = |call: &FnCallExpr| {
        if call.name == "curry"
            && let Some(Expr::DynamicConstant(value, _)) = call.args.first()
            && let Some(closure) = value.clone().try_cast::<FnPtr>()
        {
            captured.insert(closure.fn_name().to_string(), call.args.len() - 1);
        }
    };
    let reads = |name: &str| READING.contains(&name) || calls.is_own(name) || vocabulary::find(name).is_some();
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => match root(&assignment.1.lhs) {
                (Expr::ThisPtr(_), _) => this_changes = true,
                (Expr::Variable(variable, _, _), true) => drop(found.any.insert(variable.1.to_string())),
                (Expr::Variable(variable, _, _), false) => drop(found.inside.insert(variable.1.to_string())),
                _ => {}
            },
            Some(ASTNode::Stmt(Stmt::For(inner, _))) => {
                found.any.insert(inner.0.name.to_string());
                found.any.extend(inner.1.iter().map(|counter| counter.name.to_string()));
            }
            Some(ASTNode::Stmt(Stmt::TryCatch(flow, _))) => {
                if let Expr::Variable(variable, _, _) = &flow.expr {
                    found.any.insert(variable.1.to_string());
                }
            }
            Some(ASTNode::Expr(Expr::Dot(sides, _, _))) => {
                let first = if let Expr::Dot(rest, _, _) = &sides.rhs { &rest.lhs } else { &sides.rhs };
                if let (Expr::Variable(variable, _, _), Expr::MethodCall(call, _)) = (&sides.lhs, first)
                    && (!READING.contains(&call.name.as_str()) || calls.is_own(&call.name))
                {
                    found.inside.insert(variable.1.to_string());
                }
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                curried(call);
                // The first argument of a function of the engine may be changed by it, as the receiver of a method.
                if let Some(Expr::Variable(variable, _, _)) = call.args.first()
                    && call.op_token.is_none()
                    && !reads(&call.name)
                {
                    found.inside.insert(variable.1.to_string());
                }
            }
            _ => {}
        }
        true
    });
    for function in ast.iter_fn_def() {
        let own = captured.get(function.name.as_str()).copied().unwrap_or(0);
        found.any.extend(function.params.iter().skip(own).map(|name| name.to_string()));
    }
    (!this_changes).then_some(found)
}

/// What an assignment is to: the first of a chain, and whether it is the whole of it.
fn root(target: &Expr) -> (&Expr, bool) {
    let (mut first, mut whole) = (target, true);
    while let Expr::Dot(sides, _, _) | Expr::Index(sides, _, _) = first {
        (first, whole) = (&sides.lhs, false);
    }
    (first, whole)
}
