//! The code of a function as bytes that do not depend on its place, on blank space and comments, or on the process.

use std::collections::BTreeSet;

use rhai::{
    AST, ASTNode, BinaryExpr, Dynamic, Expr, FnCallExpr, Module, Namespace, ScriptFuncDef, Shared, Stmt, StmtBlock,
};

/// The names of closures follow from their positions.
const CLOSURE: &str = "anon$";

/// What a function says, and what it reads beside its arguments.
#[derive(Default)]
pub struct Code {
    /// Equal for two functions that say the same, but for `reads`.
    pub bytes: Vec<u8>,
    /// In the order in which they first appear.
    pub reads: Vec<Read>,
    /// Its string literals.
    pub literals: BTreeSet<String>,
    /// It runs code by a name or a text that is made while it runs.
    pub calls_anything: bool,
    named: BTreeSet<String>,
}

/// Something outside a function that it may read.
pub enum Read {
    /// The function of that name, if there is one.
    Function(String),
    /// `library::NAME`, or `global::NAME`.
    Constant { path: Vec<String>, name: String },
    /// A value that the parser made of a literal, or a closure.
    Value(Dynamic),
    /// The library that it imports by this path.
    Library(String),
}

/// The code of a function.
pub fn of(function: &Shared<ScriptFuncDef>) -> Code {
    let mut code = Code::default();
    code.number(function.params.len());
    function.params.iter().for_each(|name| code.text(name));
    code.text(function.this_type.as_deref().unwrap_or_default());
    // The type of a body has no name outside Rhai: a tree of this function alone leads to its statements.
    let mut module = Module::new();
    let _ = module.set_script_fn(function.clone());
    let _ = AST::new([], module).walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            code.statement(statement);
        }
        true
    });
    code
}

impl Code {
    /// A text, apart from what is beside it.
    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend(text.as_bytes());
    }

    fn number(&mut self, number: usize) {
        self.bytes.extend((number as u64).to_le_bytes());
    }

    /// A name that a function may have.
    fn name(&mut self, name: &str) {
        self.text(if name.starts_with(CLOSURE) { "closure" } else { name });
        if self.named.insert(name.to_string()) {
            self.reads.push(Read::Function(name.to_string()));
        }
    }

    fn value(&mut self, value: &Dynamic) {
        self.text("value");
        self.reads.push(Read::Value(value.clone()));
    }

    fn block(&mut self, block: &StmtBlock) {
        self.number(block.len());
        block.iter().for_each(|statement| self.statement(statement));
    }

    fn expressions<'e>(&mut self, expressions: impl ExactSizeIterator<Item = &'e Expr>) {
        self.number(expressions.len());
        expressions.for_each(|expression| self.expression(expression));
    }

    fn both(&mut self, sides: &BinaryExpr) {
        self.expression(&sides.lhs);
        self.expression(&sides.rhs);
    }

    fn path(&mut self, namespace: &Namespace) -> Vec<String> {
        let path: Vec<String> = namespace.path.iter().map(|part| part.name.to_string()).collect();
        self.number(path.len());
        path.iter().for_each(|part| self.text(part));
        path
    }

    fn call(&mut self, call: &FnCallExpr) {
        let _ = self.path(&call.namespace);
        self.name(&call.name);
        self.text(if call.capture_parent_scope { "!" } else { "" });
        self.expressions(call.args.iter());
        let first = call.args.first();
        self.calls_anything |= match call.name.as_str() {
            "eval" => true,
            "Fn" => !matches!(first, Some(Expr::StringConstant(..))),
            _ => false,
        };
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Noop(_) => self.text("noop"),
            Stmt::If(parts, _) => {
                self.text("if");
                self.expression(&parts.expr);
                self.block(&parts.body);
                self.block(&parts.branch);
            }
            Stmt::Switch(parts, _) => {
                self.text("switch");
                self.expression(&parts.0);
                let cases = &parts.1;
                self.number(cases.expressions.len());
                cases.expressions.iter().for_each(|case| self.both(case));
                // Rhai keeps hashes of the values alone. They are the same in each process: see `hashing`.
                let mut hashes: Vec<_> = cases.cases.iter().map(|(hash, list)| (*hash, &list.blocks)).collect();
                hashes.sort_by_key(|(hash, _)| *hash);
                self.text(&format!("{hashes:?} {:?} {:?}", cases.ranges, cases.def_case));
            }
            Stmt::While(parts, _) => {
                self.text("while");
                self.expression(&parts.expr);
                self.block(&parts.body);
            }
            Stmt::Do(parts, flags, _) => {
                self.text(&format!("do {flags:?}"));
                self.expression(&parts.expr);
                self.block(&parts.body);
            }
            Stmt::For(parts, _) => {
                self.text("for");
                self.text(&parts.0.name);
                self.text(parts.1.as_ref().map_or("", |counter| counter.name.as_str()));
                self.expression(&parts.2.expr);
                self.block(&parts.2.body);
            }
            Stmt::Var(parts, flags, _) => {
                self.text(&format!("let {flags:?}"));
                self.text(&parts.0.name);
                self.expression(&parts.1);
            }
            Stmt::Assignment(parts) => {
                self.text("assign");
                let operator = parts.0.get_op_assignment_info();
                self.text(operator.map_or("=", |(_, _, _, syntax, ..)| syntax));
                self.both(&parts.1);
            }
            Stmt::FnCall(call, _) => {
                self.text("call");
                self.call(call);
            }
            Stmt::Block(block) => {
                self.text("block");
                self.block(block);
            }
            Stmt::TryCatch(parts, _) => {
                self.text("try");
                self.block(&parts.body);
                self.expression(&parts.expr);
                self.block(&parts.branch);
            }
            Stmt::Expr(expression) => {
                self.text("expression");
                self.expression(expression);
            }
            Stmt::BreakLoop(value, flags, _) => {
                self.text(&format!("break {flags:?}"));
                self.expressions(value.iter().map(|value| &**value));
            }
            Stmt::Return(value, flags, _) => {
                self.text(&format!("return {flags:?}"));
                self.expressions(value.iter().map(|value| &**value));
            }
            Stmt::Import(parts, _) => {
                self.text("import");
                self.expression(&parts.0);
                self.text(&parts.1.name);
                match &parts.0 {
                    Expr::StringConstant(path, _) => self.reads.push(Read::Library(path.to_string())),
                    _ => self.calls_anything = true,
                }
            }
            Stmt::Export(parts, _) => {
                self.text("export");
                self.text(&parts.0.name);
                self.text(&parts.1.name);
            }
            // Follows from the closure behind it.
            Stmt::Share(_) => self.text("share"),
            // A kind of a newer Rhai: with its places, so that nothing of it is left out.
            other => self.text(&format!("{other:?}")),
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::DynamicConstant(value, _) => self.value(value),
            Expr::BoolConstant(value, _) => self.text(&format!("bool {value}")),
            Expr::IntegerConstant(value, _) => self.text(&format!("integer {value}")),
            Expr::FloatConstant(value, _) => self.text(&format!("float {:x}", value.to_bits())),
            Expr::CharConstant(value, _) => self.text(&format!("char {value}")),
            Expr::StringConstant(value, _) => {
                self.text("string");
                // A function may be called by it.
                self.name(value);
                let _ = self.literals.insert(value.to_string());
            }
            Expr::InterpolatedString(parts, _) => {
                self.text("interpolated");
                self.expressions(parts.iter());
            }
            Expr::Array(items, _) => {
                self.text("array");
                self.expressions(items.iter());
            }
            Expr::Map(entries, _) => {
                self.text("map");
                self.number(entries.0.len());
                for (key, value) in &entries.0 {
                    self.text(&key.name);
                    self.expression(value);
                }
            }
            Expr::Unit(_) => self.text("unit"),
            Expr::Variable(variable, _, _) => {
                self.text("variable");
                let path = self.path(&variable.2);
                if path.is_empty() {
                    self.name(&variable.1);
                } else {
                    self.text(&variable.1);
                    self.reads.push(Read::Constant { path, name: variable.1.to_string() });
                }
            }
            Expr::ThisPtr(_) => self.text("this"),
            Expr::Property(property, _) => {
                self.text("property");
                self.text(&property.2);
            }
            Expr::MethodCall(call, _) => {
                self.text("method");
                self.call(call);
            }
            Expr::Stmt(block) => {
                self.text("block");
                self.block(block);
            }
            Expr::FnCall(call, _) => {
                self.text("call");
                self.call(call);
            }
            Expr::Dot(sides, flags, _) => {
                self.text(&format!("dot {flags:?}"));
                self.both(sides);
            }
            Expr::Index(sides, flags, _) => {
                self.text(&format!("index {flags:?}"));
                self.both(sides);
            }
            Expr::And(sides, _) => {
                self.text("and");
                self.expressions(sides.iter());
            }
            Expr::Or(sides, _) => {
                self.text("or");
                self.expressions(sides.iter());
            }
            Expr::Coalesce(sides, _) => {
                self.text("coalesce");
                self.expressions(sides.iter());
            }
            Expr::Custom(custom, _) => {
                self.text("custom");
                self.number(custom.tokens.len());
                custom.tokens.iter().for_each(|token| self.text(token));
                self.expressions(custom.inputs.iter());
                self.value(&custom.state);
            }
            other => self.text(&format!("{other:?}")),
        }
    }
}
