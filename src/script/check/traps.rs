//! Code that runs and probably means something else: `1 / 3`, `let b = a.sort()`, `0 < x < 1`, `7 // 2`.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Dynamic, Expr, FnCallExpr, Position, Scope, Stmt};

use super::finding::{Finding, Severity};
use super::text::Text;
use crate::script::tokens::{self, Piece};
use crate::script::{copies, habits, spans, vocabulary};

/// The kinds of traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trap {
    Division,
    InPlace,
    Unused,
    Chained,
    Comment,
    Counter,
    Backticks,
    Split,
}

/// The traps of a text that was parsed without folding constants; `scope` has variables of earlier texts.
pub fn find(ast: &AST, text: &Text, scope: &Scope) -> Vec<(Trap, Finding)> {
    let mut finder = Finder { text, scope, whole: BTreeMap::new(), own: BTreeSet::new(), found: vec![] };
    finder.own.extend(ast.iter_functions().map(|f| f.name.to_string()));
    finder.own.extend(spans::keys(text.all));
    finder.declarations(ast);
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(expression)) => finder.expression(expression),
            Some(ASTNode::Stmt(statement)) => finder.statement(statement),
            _ => {}
        }
        true
    });
    unused(ast.statements(), &mut finder);
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Block(block))) = path.last() {
            unused(block.statements(), &mut finder);
        }
        true
    });
    finder.tokens();
    finder.found
}

struct Finder<'a> {
    text: &'a Text<'a>,
    scope: &'a Scope<'a>,
    /// Whether every value that the text gives to a variable is an integer.
    whole: BTreeMap<String, bool>,
    /// Functions of the text, and keys of maps that may hold closures.
    own: BTreeSet<String>,
    found: Vec<(Trap, Finding)>,
}

impl Finder<'_> {
    fn warn(&mut self, trap: Trap, pos: Position, message: String, help: String) {
        let finding = Finding::at(Severity::Warning, self.text, pos, message).help(Some(help));
        self.found.push((trap, finding));
    }

    fn warn_at(&mut self, trap: Trap, at: usize, message: String, help: String) {
        let finding = Finding::at_byte(Severity::Warning, self.text, at, message).help(Some(help));
        self.found.push((trap, finding));
    }

    /// Finds the variables that hold nothing but integers. Two passes: a variable may follow from one that comes later.
    fn declarations(&mut self, ast: &AST) {
        for _ in 0..2 {
            let mut whole: BTreeMap<String, bool> = BTreeMap::new();
            let mut given = |name: &str, is_whole: bool| {
                let known = whole.entry(name.to_string()).or_insert(true);
                *known &= is_whole;
            };
            ast.walk(&mut |path| {
                match path.last() {
                    Some(ASTNode::Stmt(Stmt::Var(variable, _, _))) => {
                        given(&variable.0.name, self.is_whole(&variable.1));
                    }
                    Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                        if let Expr::Variable(variable, _, _) = &assignment.1.lhs {
                            given(&variable.1, self.is_whole(&assignment.1.rhs));
                        }
                    }
                    Some(ASTNode::Stmt(Stmt::For(inner, _))) => {
                        let range = matches!(&inner.2.expr, Expr::FnCall(call, _) if call.name.starts_with(".."));
                        given(&inner.0.name, range);
                    }
                    _ => {}
                }
                true
            });
            // The parameters of functions hold anything.
            for function in ast.iter_functions() {
                whole.extend(function.params.iter().map(|name| (name.to_string(), false)));
            }
            self.whole = whole;
        }
    }

    /// Whether an expression is certainly an integer.
    fn is_whole(&self, expression: &Expr) -> bool {
        match expression {
            Expr::IntegerConstant(..) => true,
            Expr::Variable(variable, _, _) if variable.2.is_empty() => match self.whole.get(variable.1.as_str()) {
                Some(whole) => *whole,
                None => self.scope.get(&variable.1).is_some_and(Dynamic::is_int),
            },
            Expr::FnCall(call, _) if call.op_token.is_some() && call.args.len() == 2 => {
                ["+", "-", "*", "/", "%"].contains(&call.name.as_str()) && call.args.iter().all(|a| self.is_whole(a))
            }
            Expr::FnCall(call, _) => call.name == "len" && call.args.len() == 1 && !self.own.contains("len"),
            Expr::Dot(..) => {
                last_call(expression).is_some_and(|(call, _)| call.name == "len" && call.args.is_empty())
                    && !self.own.contains("len")
            }
            _ => false,
        }
    }

    fn value(&self, expression: &Expr) -> Option<i64> {
        match expression {
            Expr::IntegerConstant(n, _) => Some(*n),
            Expr::Variable(variable, _, _) if !self.whole.contains_key(variable.1.as_str()) => {
                self.scope.get(&variable.1)?.as_int().ok()
            }
            _ => None,
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::FnCall(call, pos) if call.op_token.is_some() && call.args.len() == 2 => self.operator(call, *pos),
            Expr::FnCall(call, _) | Expr::MethodCall(call, _) => call.args.iter().for_each(|a| self.result(a)),
            Expr::Array(items, _) | Expr::InterpolatedString(items, _) => {
                items.iter().for_each(|item| self.result(item))
            }
            Expr::Map(map, _) => map.0.iter().for_each(|(_, value)| self.result(value)),
            Expr::Dot(sides, _, _) => {
                // `a.sort().len()`: the call is not the last of the chain.
                let mut part = &sides.rhs;
                while let Expr::Dot(sides, _, _) = part {
                    if let Expr::MethodCall(call, pos) = &sides.lhs {
                        self.in_place(call, *pos);
                    }
                    part = &sides.rhs;
                }
                let mut part = &sides.rhs;
                loop {
                    let head = if let Expr::Dot(sides, _, _) = part { &sides.lhs } else { part };
                    if let Expr::Property(property, pos) = head {
                        self.split(&property.2, *pos);
                    }
                    match part {
                        Expr::Dot(sides, _, _) => part = &sides.rhs,
                        _ => break,
                    }
                }
            }
            _ => {}
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Var(variable, _, _) => self.result(&variable.1),
            Stmt::Assignment(assignment) => self.result(&assignment.1.rhs),
            Stmt::Return(Some(value), _, _) => self.result(value),
            Stmt::FnCall(call, _) => call.args.iter().for_each(|a| self.result(a)),
            Stmt::For(inner, _) => self.result(&inner.2.expr),
            _ => {}
        }
    }

    fn operator(&mut self, call: &FnCallExpr, pos: Position) {
        let (a, b) = (&call.args[0], &call.args[1]);
        self.result(a);
        self.result(b);
        match call.name.as_str() {
            "/" if self.is_whole(a) && self.is_whole(b) => {
                let help = "1.0 / 3 keeps the fraction, as a.to_float() / b does; div(a, b) says that it is dropped"
                    .to_string();
                match (self.value(a), self.value(b)) {
                    (Some(x), Some(y)) if y != 0 && x.wrapping_rem(y) != 0 => {
                        let message =
                            format!("{x} / {y} of integers is {}: the fraction is dropped", x.wrapping_div(y));
                        self.warn(Trap::Division, pos, message, help);
                    }
                    (Some(_), Some(_)) => {}
                    // `n / 2` is mostly meant.
                    (None, Some(_)) if matches!(b, Expr::IntegerConstant(..)) => {}
                    _ => self.warn(Trap::Division, pos, "/ of two integers drops the fraction".into(), help),
                }
            }
            "<" | "<=" | ">" | ">=" => {
                let is_comparison = |name: &str| ["<", "<=", ">", ">="].contains(&name);
                if matches!(a, Expr::FnCall(inner, _) if inner.op_token.is_some() && is_comparison(&inner.name)) {
                    let message = "a comparison of a comparison is always false".to_string();
                    self.warn(Trap::Chained, pos, message, "write a < b && b < c".into());
                }
            }
            _ => {}
        }
    }

    /// The expression's value is used.
    fn result(&mut self, expression: &Expr) {
        if let Some((call, pos)) = last_call(expression) {
            self.in_place(call, pos);
        }
    }

    /// A method that changes its receiver and gives nothing, whose result is used.
    fn in_place(&mut self, call: &FnCallExpr, pos: Position) {
        const NOTHING: &[(&str, &str)] = &[
            ("sort", "a sorted copy is a.order()"),
            ("sort_by", "a sorted copy is a.order_by(|x, y| ...)"),
            ("sort_desc", "a sorted copy is a.order_desc()"),
            ("reverse", "let b = a; b.reverse();"),
            ("trim", "let b = a; b.trim();"),
            ("replace", "a changed copy is replace_all(text, pattern, with)"),
            ("push", "let b = a; b.push(x); or a + [x]"),
            ("append", "let b = a; b.append(c); or a + c"),
            ("insert", "let b = a; b.insert(0, x);"),
            ("dedup", "let b = a; b.dedup();"),
            ("clear", "let b = []; makes an empty array"),
            ("make_upper", "a changed copy is text.to_upper()"),
            ("make_lower", "a changed copy is text.to_lower()"),
            ("pad", "let b = a; b.pad(n, x);"),
            ("truncate", "the first n items are a.extract(0, n)"),
            ("for_each", "an array of results is a.map(|x| ...)"),
        ];
        let name = call.name.as_str();
        let Some((_, help)) = NOTHING.iter().find(|(known, _)| *known == name) else { return };
        let arguments = call.args.len();
        let of_kind = vocabulary::kinds().iter().flat_map(|kind| kind.members).any(|member| {
            let inside = member.usage.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
            let required = inside.split(", ").filter(|p| !p.is_empty() && !p.starts_with("#{")).count();
            member.name() == name && arguments >= required
        });
        if of_kind || self.own.contains(name) {
            return;
        }
        let message = format!("{name} changes the value itself and gives nothing");
        self.warn(Trap::InPlace, pos, message, help.to_string());
    }

    /// A misspelt split.
    fn split(&mut self, name: &str, pos: Position) {
        let known = || vocabulary::kinds().iter().flat_map(|kind| kind.members).any(|member| member.name() == name);
        let letters = |text: &str| {
            let mut all: Vec<char> = text.chars().collect();
            all.sort_unstable();
            all
        };
        let near = ["train", "val", "test"].into_iter().find(|split| {
            *split != name && letters(split) == letters(name) && strsim::damerau_levenshtein(split, name) == 1
        });
        if let Some(split) = near
            && !self.own.contains(name)
            && !known()
        {
            self.warn(Trap::Split, pos, format!("there is no split \"{name}\""), format!("did you mean {split}?"));
        }
    }

    fn tokens(&mut self) {
        let all: Vec<_> = tokens::with_comments(self.text.all).collect();
        let word = |i: usize| all.get(i).map_or("", |(range, _)| &self.text.all[range.clone()]);
        let mut found = vec![];
        for (i, (range, piece)) in all.iter().enumerate() {
            let written = word(i);
            match piece {
                Piece::Comment if written.starts_with("//") && i > 0 => {
                    let (before, of) = &all[i - 1];
                    let same_line = !self.text.all[before.end..range.start].contains('\n');
                    let value = *of == Piece::Word || [")", "]"].contains(&word(i - 1));
                    let operand = written.trim_start_matches('/').trim();
                    if same_line && value && written.as_bytes().get(2) != Some(&b'/') && habits::is_operand(operand) {
                        found.push((
                            Trap::Comment,
                            range.start,
                            "// begins a comment".to_string(),
                            format!(
                                "the whole part of a division is div({}, {})",
                                word(i - 1),
                                operand.trim_end_matches(';')
                            ),
                        ));
                    }
                }
                Piece::Text if written.starts_with('"') && written.contains("${") => found.push((
                    Trap::Backticks,
                    range.start,
                    "in double quotes ${...} stays as it is written".to_string(),
                    "values are put into a string in backticks: `${x}`".to_string(),
                )),
                Piece::Word if written == "for" && word(i + 1) == "(" && word(i + 3) == "," => {
                    let is_counter = |name: &str| ["i", "j", "idx", "index", "nr", "step"].contains(&name);
                    let (first, second) = (word(i + 2), word(i + 4));
                    if is_counter(first) && !is_counter(second) && second != "_" {
                        found.push((
                            Trap::Counter,
                            range.start,
                            format!("\"{first}\" is the item here, and \"{second}\" its index"),
                            format!("the counter comes second: for ({second}, {first}) in array"),
                        ));
                    }
                }
                _ => {}
            }
        }
        found.into_iter().for_each(|(trap, at, message, help)| self.warn_at(trap, at, message, help));
    }
}

/// Statements before the last of a block whose only effect would be their value.
fn unused(statements: &[Stmt], finder: &mut Finder) {
    const VALUES: &[&str] = &[
        "extract",
        "filter",
        "join",
        "order",
        "order_by",
        "order_desc",
        "replace_all",
        "shuffle",
        "split_by",
        "sub_string",
        "to_lower",
        "to_upper",
    ];
    let Some((_, before)) = statements.split_last() else { return };
    for statement in before {
        if let Stmt::Expr(expression) = statement
            && let Some((call, pos)) = last_call(expression)
            && VALUES.contains(&call.name.as_str())
            && !finder.own.contains(call.name.as_str())
        {
            let message = format!("the result of {} is not used, and the value itself stays as it is", call.name);
            finder.warn(Trap::Unused, pos, message, "give the result a name: let b = ...".into());
        }
    }
}

/// The last call of a chain of methods.
fn last_call(expression: &Expr) -> Option<(&FnCallExpr, Position)> {
    let mut part = match expression {
        Expr::Dot(sides, _, _) => &sides.rhs,
        _ => return None,
    };
    loop {
        match part {
            Expr::Dot(sides, _, _) => part = &sides.rhs,
            Expr::MethodCall(call, pos) => return Some((call, *pos)),
            _ => return None,
        }
    }
}

/// Methods that change the variable that their closure reads, which fail.
pub fn on_themselves(ast: &AST, text: &Text) -> Vec<Finding> {
    let of = |call: copies::OnItself| {
        let error = copies::in_use(&call.variable, &call.method);
        Finding::at(Severity::Error, text, call.place, error.message).help(error.help)
    };
    copies::find(ast, &Scope::new()).into_iter().filter(|call| !call.reads).map(of).collect()
}
