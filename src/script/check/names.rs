//! Unknown names, unused names, and unreachable code.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rhai::{AST, ASTFlags, ASTNode, Dynamic, Expr, FnPtr, Ident, Module, Position, ScriptFuncDef, Shared, Stmt};

use super::calls::{Calls, is_named};
use super::finding::{Finding, Severity};
use super::text::Text;
use crate::error::Error;
use crate::script::explain::{self, Place, Variable};
use crate::script::spans;

/// How a name is introduced.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    Variable,
    Constant,
    Parameter,
    Import,
    /// Loop variables, closures' parameters, caught errors: the author may have to name them, so they may be unused.
    Given,
}

struct Name {
    name: String,
    origin: Origin,
    /// The byte of the text where it is introduced.
    at: usize,
    read: bool,
    /// It holds a closure, and nothing else.
    closure: bool,
}

/// All findings of a text.
pub fn walk(ast: &AST, text: &Text, calls: &Calls) -> Vec<Finding> {
    let (closures, functions): (Vec<_>, Vec<_>) = ast.iter_fn_def().partition(|f| f.name.contains('$'));
    let mut walker = Walker {
        text,
        calls,
        names: Names::default(),
        around: vec![],
        imports: BTreeSet::new(),
        coming: vec![],
        awaited: BTreeSet::new(),
        findings: vec![],
        closures: closures.into_iter().map(|f| (f.name.to_string(), f.clone())).collect(),
        top: BTreeSet::new(),
        assigned: assigned(ast),
        constants: BTreeSet::new(),
        function: None,
    };
    // A text that uses reflection may read any name.
    let reflects = text.tokens().iter().any(|(range, _)| ["eval", "is_def_var"].contains(&&text.all[range.clone()]));
    for statement in ast.statements() {
        match statement {
            Stmt::Var(variable, _, _) => drop(walker.top.insert(variable.0.name.to_string())),
            Stmt::Import(import, _) => drop(walker.imports.insert(import.1.name.to_string())),
            _ => {}
        }
    }
    // Functions first: their reads through global:: count for the top level.
    for function in functions {
        walker.function(function, 0, Origin::Parameter);
    }
    walker.block(ast.statements(), false);
    let Walker { names, constants, .. } = &mut walker;
    names.all.iter_mut().for_each(|name| name.read |= constants.contains(&name.name));
    walker.leave(0);
    if reflects {
        walker.findings.retain(|f| f.severity == Severity::Error && !f.message.contains("variable"));
    }
    walker.findings
}

/// The variables that are given another value than the one that they are made with.
fn assigned(ast: &AST) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Assignment(assignment))) = path.last()
            && let Expr::Variable(variable, _, _) = &assignment.1.lhs
        {
            found.insert(variable.1.to_string());
        }
        true
    });
    found
}

/// Names in scope, innermost last.
#[derive(Default)]
struct Names {
    all: Vec<Name>,
    /// The places of each name, innermost last.
    places: HashMap<String, Vec<usize>>,
}

impl Names {
    fn push(&mut self, name: Name) {
        self.places.entry(name.name.clone()).or_default().push(self.all.len());
        self.all.push(name);
    }

    /// The innermost of this name of which `which` is true.
    fn find(&mut self, name: &str, which: impl Fn(&Name) -> bool) -> Option<&mut Name> {
        let at = *self.places.get(name)?.iter().rev().find(|at| which(&self.all[**at]))?;
        self.all.get_mut(at)
    }

    /// Those from `depth` on, which are taken away.
    fn leave(&mut self, depth: usize) -> Vec<Name> {
        let left = self.all.split_off(depth);
        for name in left.iter().rev() {
            if let Some(places) = self.places.get_mut(&name.name) {
                let _ = places.pop();
                if places.is_empty() {
                    let _ = self.places.remove(&name.name);
                }
            }
        }
        left
    }
}

struct Walker<'a> {
    text: &'a Text<'a>,
    calls: &'a Calls<'a>,
    names: Names,
    /// The names around each closure being walked, innermost last: it sees their imports.
    around: Vec<Names>,
    /// The libraries of the top level, which functions see.
    imports: BTreeSet<String>,
    /// The libraries that the blocks being walked import, innermost last, each with the number of functions around its block. A closure that
    /// is written in front of the import may be called behind it.
    coming: Vec<(String, usize)>,
    /// Those that a closure uses in front of their import.
    awaited: BTreeSet<String>,
    findings: Vec<Finding>,
    /// The closures that are still to be walked.
    closures: BTreeMap<String, Shared<ScriptFuncDef>>,
    /// Variables of the top level, which functions do not see.
    top: BTreeSet<String>,
    /// Variables that are given other values.
    assigned: BTreeSet<String>,
    /// Names that functions read as `global::NAME`, or read without seeing them: not reported as unused again.
    constants: BTreeSet<String>,
    /// The function being walked.
    function: Option<String>,
}

impl Walker<'_> {
    fn offset(&self, pos: Position) -> usize {
        self.text.offset(pos)
    }

    fn warn(&mut self, at: usize, message: String, help: Option<&str>) {
        let finding = Finding::at_byte(Severity::Warning, self.text, at, message).help(help);
        self.findings.push(finding);
    }

    fn enter(&mut self, name: &str, origin: Origin, at: usize) {
        self.names.push(Name { name: name.to_string(), origin, at, read: false, closure: false });
    }

    /// Leaves a scope and warns of its unused names.
    fn leave(&mut self, depth: usize) {
        for name in self.names.leave(depth) {
            if name.read || name.name.starts_with('_') || name.name.is_empty() {
                continue;
            }
            let (said, help) = match name.origin {
                Origin::Variable => {
                    (format!("the variable \"{}\" is never read", name.name), "a name that begins with _ need not be")
                }
                Origin::Constant => {
                    (format!("the constant \"{}\" is never read", name.name), "functions read it as global::NAME")
                }
                Origin::Parameter => {
                    (format!("the parameter \"{}\" is never read", name.name), "a name that begins with _ need not be")
                }
                Origin::Import => (format!("nothing of the library \"{}\" is used", name.name), "the import can go"),
                Origin::Given => continue,
            };
            self.warn(name.at, said, Some(help));
        }
    }

    /// Walks the body of a function or closure, which sees only its parameters, imports and captured variables.
    fn function(&mut self, definition: &Shared<ScriptFuncDef>, captured: usize, origin: Origin) {
        let (function, parameters) = (definition.name.as_str(), definition.params.as_slice());
        self.around.push(std::mem::take(&mut self.names));
        let places = self.parameters(function, parameters);
        for (i, parameter) in parameters.iter().enumerate() {
            let origin = if i < captured { Origin::Given } else { origin };
            self.enter(parameter, origin, places.get(i).copied().unwrap_or(0));
        }
        let name = if origin == Origin::Parameter { function.to_string() } else { "a closure".to_string() };
        let outside = self.function.replace(name);
        let mut alone = Module::new();
        let _ = alone.set_script_fn(definition.clone());
        let body = AST::new([], alone);
        let (mut ended, coming) = (false, self.coming.len());
        body.walk(&mut |path| {
            if let [ASTNode::Stmt(statement)] = path {
                self.comes(statement);
            }
            true
        });
        body.walk(&mut |path| {
            if let [ASTNode::Stmt(statement)] = path {
                self.reached(statement, &mut ended);
                self.statement(statement);
            }
            true
        });
        self.coming.truncate(coming);
        self.leave(0);
        self.function = outside;
        self.names = self.around.pop().unwrap_or_default();
    }

    /// The bytes of the text where a function's parameters are written.
    fn parameters(&self, function: &str, parameters: &[rhai::ImmutableString]) -> Vec<usize> {
        for &name in self.text.defined(function) {
            let found: Vec<usize> = (name + 1..self.text.tokens().len())
                .take_while(|&j| self.text.token(j) != Some(")"))
                .filter(|&j| self.text.tokens()[j].1 == spans::Piece::Word)
                .collect();
            let written = found.iter().map(|&j| self.text.token(j).unwrap_or_default());
            if written.eq(parameters.iter().map(|p| p.as_str())) {
                return found.iter().map(|&j| self.text.tokens()[j].0.start).collect();
            }
        }
        vec![]
    }

    /// Walks a sequence of statements; with `scope`, their names end with it.
    fn block(&mut self, statements: &[Stmt], scope: bool) {
        let (depth, coming) = (self.names.all.len(), self.coming.len());
        let mut ended = false;
        statements.iter().for_each(|statement| self.comes(statement));
        for statement in statements {
            self.reached(statement, &mut ended);
            self.statement(statement);
        }
        self.coming.truncate(coming);
        if scope {
            self.leave(depth);
        }
    }

    /// Notes what a statement of a block imports, before the block is walked.
    fn comes(&mut self, statement: &Stmt) {
        if let Stmt::Import(import, _) = statement {
            self.coming.push((import.1.name.to_string(), self.around.len()));
        }
    }

    /// Warns of the first statement after one that ends the block.
    fn reached(&mut self, statement: &Stmt, ended: &mut bool) {
        if *ended && !matches!(statement, Stmt::Noop(_)) {
            let at = self.offset(statement.position());
            self.warn(at, "this is never reached".into(), Some("the statement before it ends the block"));
            *ended = false;
        } else {
            *ended |= matches!(statement, Stmt::Return(..) | Stmt::BreakLoop(..));
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Noop(_) => {}
            Stmt::If(flow, _) => {
                self.expression(&flow.expr);
                self.block(flow.body.statements(), true);
                self.block(flow.branch.statements(), true);
            }
            Stmt::While(flow, _) | Stmt::Do(flow, _, _) => {
                self.expression(&flow.expr);
                self.block(flow.body.statements(), true);
            }
            Stmt::For(inner, _) => {
                let (variable, counter, flow) = &**inner;
                self.expression(&flow.expr);
                let depth = self.names.all.len();
                let at = self.offset(variable.pos);
                self.enter(&variable.name, Origin::Given, at);
                if let Some(counter) = counter {
                    self.enter(&counter.name, Origin::Given, at);
                }
                self.block(flow.body.statements(), false);
                self.leave(depth);
            }
            Stmt::Switch(inner, _) => {
                let (value, cases) = &**inner;
                self.expression(value);
                for case in &cases.expressions {
                    self.expression(&case.lhs);
                    self.expression(&case.rhs);
                }
            }
            Stmt::Var(inner, flags, _) => {
                let (ident, value, _) = &**inner;
                self.expression(value);
                let exported = flags.intersects(ASTFlags::EXPORTED);
                let origin = match (exported, flags.intersects(ASTFlags::CONSTANT)) {
                    (true, _) => Origin::Given,
                    (_, true) => Origin::Constant,
                    _ => Origin::Variable,
                };
                let at = self.offset(ident.pos);
                self.enter(&ident.name, origin, at);
                if let Some(name) = self.names.all.last_mut() {
                    name.closure = is_closure(value) && !self.assigned.contains(&name.name);
                }
            }
            Stmt::Assignment(inner) => {
                let (operation, sides) = &**inner;
                self.expression(&sides.rhs);
                match &sides.lhs {
                    // An assignment does not read the variable.
                    Expr::Variable(variable, _, pos) if !operation.is_op_assignment() && variable.2.is_empty() => {
                        self.written(&variable.1, *pos);
                    }
                    other => self.expression(other),
                }
            }
            Stmt::FnCall(call, pos) => self.call(call, *pos, false),
            Stmt::Block(block) => self.block(block.statements(), true),
            Stmt::TryCatch(flow, _) => {
                self.tried(|walker| walker.block(flow.body.statements(), true));
                let depth = self.names.all.len();
                if let Expr::Variable(variable, _, pos) = &flow.expr {
                    let at = self.offset(*pos);
                    self.enter(&variable.1, Origin::Given, at);
                }
                self.block(flow.branch.statements(), false);
                self.leave(depth);
            }
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::BreakLoop(value, _, _) | Stmt::Return(value, _, _) => {
                if let Some(value) = value {
                    self.expression(value);
                }
            }
            Stmt::Import(import, _) => {
                let (path, alias) = &**import;
                self.expression(path);
                let at = self.offset(if alias.pos.is_none() { path.position() } else { alias.pos });
                self.enter(&alias.name, Origin::Import, at);
                if let Some(name) = self.names.all.last_mut() {
                    name.read = self.awaited.contains(&name.name);
                }
            }
            Stmt::Export(export, _) => self.read(&export.0.name, export.0.pos),
            Stmt::Share(shared) => {
                for (Ident { name, pos }, _) in shared.iter() {
                    self.read(name, *pos);
                }
            }
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::DynamicConstant(value, _) => self.closure(value, 0),
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter().for_each(|part| self.expression(part))
            }
            Expr::Map(map, _) => map.0.iter().for_each(|(_, value)| self.expression(value)),
            Expr::Variable(variable, _, pos) => match variable.2.is_empty() {
                true => self.read(&variable.1, *pos),
                false if variable.2.root() == "global" => drop(self.constants.insert(variable.1.to_string())),
                false => self.library(variable.2.root(), *pos),
            },
            Expr::Stmt(block) => match block.statements() {
                // A closure that captures: the variables are shared, then curried to it.
                [Stmt::Share(shared), Stmt::Expr(curry)] => {
                    for (Ident { name, pos }, _) in shared.iter() {
                        self.read(name, *pos);
                    }
                    if let Expr::FnCall(call, _) = &**curry
                        && let Some(Expr::DynamicConstant(value, _)) = call.args.first()
                    {
                        self.closure(value, call.args.len() - 1);
                    }
                }
                statements => self.block(statements, true),
            },
            Expr::FnCall(call, pos) => self.call(call, *pos, false),
            Expr::MethodCall(call, pos) => self.call(call, *pos, true),
            Expr::Dot(sides, _, _) => {
                self.expression(&sides.lhs);
                self.behind_dot(&sides.rhs);
            }
            Expr::Index(sides, _, _) => {
                self.expression(&sides.lhs);
                self.expression(&sides.rhs);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part))
            }
            Expr::Custom(custom, _) => custom.inputs.iter().for_each(|part| self.expression(part)),
            _ => {}
        }
    }

    /// Walks the part after a dot: `x.a.b(c)` is `x` and `a.b(c)`.
    fn behind_dot(&mut self, expression: &Expr) {
        match expression {
            Expr::Dot(sides, _, _) => {
                self.behind_dot(&sides.lhs);
                self.behind_dot(&sides.rhs);
            }
            Expr::Index(sides, _, _) => {
                self.behind_dot(&sides.lhs);
                self.expression(&sides.rhs);
            }
            Expr::FnCall(call, pos) => self.call(call, *pos, true),
            other => self.expression(other),
        }
    }

    fn call(&mut self, call: &rhai::FnCallExpr, pos: Position, method: bool) {
        if call.is_qualified() {
            self.library(call.namespace.root(), call.namespace.position());
        }
        match self.names.find(&call.name, |name| name.origin != Origin::Import) {
            Some(found) if !method && is_named(call) && !self.calls.has(&call.name) => {
                found.read = true;
                let error = explain::called_variable(&call.name, found.closure.then_some("function"));
                self.findings.push(Finding::at(Severity::Error, self.text, pos, error.message).help(error.help));
            }
            _ => self.calls.inspect(call, pos, method, &mut self.findings),
        }
        call.args.iter().for_each(|argument| self.expression(argument));
    }

    /// Walks the body of a closure, which is a constant of the syntax tree, where it is written: it sees the imports there. How deep
    /// closures are nested is limited by the parser.
    fn closure(&mut self, value: &Dynamic, captured: usize) {
        if let Some(closure) = value.clone().try_cast::<FnPtr>()
            && let Some(function) = self.closures.remove(closure.fn_name())
        {
            self.function(&function, captured, Origin::Given);
        }
    }

    fn read(&mut self, name: &str, pos: Position) {
        match self.names.find(name, |n| n.origin != Origin::Import) {
            Some(found) => found.read = true,
            // A function of the text is a value too: [1].map(twice).
            None if self.calls.is_own(name) => {}
            None => self.unknown(name, pos),
        }
    }

    fn written(&mut self, name: &str, pos: Position) {
        if self.names.find(name, |_| true).is_none() {
            self.unknown(name, pos);
        }
    }

    /// Walks the body of a `try`: what is unknown in it may be meant to fail.
    fn tried(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = self.findings.len();
        walk(self);
        self.findings[before..].iter_mut().for_each(|finding| finding.severity = Severity::Warning);
    }

    fn library(&mut self, alias: &str, pos: Position) {
        let is_import = |name: &Name| name.origin == Origin::Import;
        let depth = self.around.len();
        let around = self.around.iter_mut().rev();
        match std::iter::once(&mut self.names).chain(around).find_map(|names| names.find(alias, is_import)) {
            Some(found) => found.read = true,
            // Functions see the libraries of the top level. One that a function uses is used.
            None if self.function.is_some() && self.imports.contains(alias) => {
                self.constants.insert(alias.to_string());
            }
            None if alias == "global" => {}
            None if self.coming.iter().any(|(known, around)| known == alias && *around < depth) => {
                let _ = self.awaited.insert(alias.to_string());
            }
            None => {
                let finding =
                    Finding::at(Severity::Error, self.text, pos, format!("no library is imported as {alias}"));
                self.findings.push(finding.help(Some(format!("import \"{alias}\" as {alias};"))));
            }
        }
    }

    fn unknown(&mut self, name: &str, pos: Position) {
        if name == "this" {
            return;
        }
        let unseen =
            self.function.is_some() && self.top.contains(name) && self.function.as_deref() != Some("a closure");
        if unseen {
            self.constants.insert(name.to_string());
        }
        // As it is said when the text runs.
        let error = if unseen {
            explain::unseen_variable(name)
        } else if self.calls.may_suggest() {
            let is_variable = |known: &&Name| known.origin != Origin::Import;
            let of = |name: &Name| Variable { name: name.name.clone(), ..Variable::default() };
            let variables: Vec<Variable> = self.names.all.iter().filter(is_variable).map(of).collect();
            explain::unknown_variable(
                name,
                &Place {
                    variables: &variables,
                    name: self.text.name,
                    text: self.text.all,
                    functions: self.text.functions(),
                    at: Some(self.offset(pos)),
                    in_function: false,
                },
            )
        } else if self.calls.is_function(name) {
            explain::function_without_its_call(name)
        } else {
            Error::argument(format!("there is no variable \"{name}\""))
        };
        self.findings.push(Finding::at(Severity::Error, self.text, pos, error.message).help(error.help));
    }
}

/// Whether an expression is a closure. One that captures variables shares them first.
fn is_closure(expression: &Expr) -> bool {
    match expression {
        Expr::DynamicConstant(value, _) => value.is::<FnPtr>(),
        Expr::Stmt(block) => matches!(block.statements(), [Stmt::Share(_), Stmt::Expr(_)]),
        _ => false,
    }
}
