//! An engine with its variables, driven by the command line and the prompt.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, EvalAltResult, Expr, LexError, OptimizationLevel, Scope, ScriptFuncDef, Stmt, Token};

use super::check::text::Text;
use super::closure_source;
use super::constants;
use super::copies;
use super::errors::{self, Failure, Raised, StopRequest};
use super::explain::{self, Variable};
use super::hashing;
use super::host::{Asking, Host};
use super::iteration;
use super::limits::{self, Bounds};
use super::lone_names;
use super::modules::{self, Library};
use super::parsing;
use super::spans::Piece;
use super::subscripts;
use super::vocabulary;
use crate::activity::console;
use crate::activity::{interrupt, panics};
use crate::files::{self, policy};

/// Operations between two checks whether another thread of the session waits for its turn.
const OPERATIONS_A_TURN: u64 = 1024;

/// The texts that errors quote from, by the name they are shown under. Cheap to clone; shared.
#[derive(Clone, Default)]
pub struct Sources {
    texts: Rc<RefCell<Vec<(String, String)>>>,
    closures: Rc<RefCell<BTreeMap<String, Closure>>>,
    libraries: Rc<RefCell<Vec<Library>>>,
}

/// A closure that a text defines.
struct Closure {
    /// The name of the text.
    text: String,
    /// It, as it is written there.
    source: Option<String>,
}

impl Sources {
    pub fn add(&self, name: &str, text: &str) {
        let mut all = self.texts.borrow_mut();
        all.retain(|(known, _)| known != name);
        all.push((name.to_string(), text.to_string()));
    }

    /// Records the text of each closure: closures run under the name of their caller.
    pub fn add_closures(&self, name: &str, ast: &AST) {
        let text = self.text(name).unwrap_or_default();
        let places = Text::new(name, &text);
        let written = std::cell::OnceCell::new();
        let closures = ast.iter_fn_def().filter(|f| f.name.starts_with("anon$")).map(|f| {
            let parameters = parameters(f, &places);
            let source = source(f, &places, written.get_or_init(|| closure_source::closures(&text)));
            explain::note_closure(&f.name, parameters);
            (f.name.to_string(), Closure { text: name.to_string(), source })
        });
        self.closures.borrow_mut().extend(closures);
    }

    /// The name of the text that a closure is written in.
    pub fn closure(&self, function: &str) -> Option<String> {
        self.closures.borrow().get(function).map(|closure| closure.text.clone())
    }

    /// A closure as it is written.
    pub fn closure_source(&self, function: &str) -> Option<String> {
        self.closures.borrow().get(function).and_then(|closure| closure.source.clone())
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.texts.borrow().iter().find(|(known, _)| known == name).map(|(_, text)| text.clone())
    }

    /// Keeps all functions and constants of a library: its module shows those that are not private.
    pub fn add_library(&self, library: Library) {
        self.libraries.borrow_mut().push(library);
    }

    /// The libraries that were loaded, also in versions that were edited since.
    pub fn libraries(&self) -> Vec<Library> {
        self.libraries.borrow().clone()
    }

    /// All names and texts, newest first.
    pub fn all(&self) -> Vec<(String, String)> {
        self.texts.borrow().iter().rev().cloned().collect()
    }

    /// The newest text that defines the function `name`.
    pub fn defining(&self, name: &str) -> Option<String> {
        let definition = format!("fn {name}(");
        let defines = |text: &str| text.contains(&definition);
        self.texts.borrow().iter().rev().find(|(_, text)| defines(text)).map(|(name, _)| name.clone())
    }
}

/// The parameters that a closure was written with. Rhai puts the captured variables before them.
fn parameters(closure: &ScriptFuncDef, text: &Text) -> explain::Parameters {
    let all: Vec<String> = closure.params.iter().map(|p| p.to_string()).collect();
    let begin = text.offset(closure.body.start_position());
    let (pieces, text) = (text.tokens(), text.all);
    // The names between the last two bars before the body.
    let before = pieces.partition_point(|(range, _)| range.start < begin);
    let is_bar = |i: &usize| &text[pieces[*i].0.clone()] == "|";
    let mut bars = (0..before).rev().filter(is_bar);
    let written = match (bars.next(), bars.next()) {
        (Some(close), Some(open)) => pieces[open..close].iter().filter(|(_, piece)| *piece == Piece::Word).count(),
        _ => 0,
    };
    let captured = all.len().saturating_sub(written);
    explain::Parameters { captured, names: all[captured..].to_vec() }
}

/// A closure as it is written in the text that defines it.
fn source(closure: &ScriptFuncDef, text: &Text, written: &[closure_source::Written]) -> Option<String> {
    let all: Vec<String> = closure.params.iter().map(|p| p.to_string()).collect();
    closure_source::around(written, text.offset(closure.body.start_position()), &all)
        .map(|found| text.all[found.range.clone()].to_string())
}

/// One user's language state: engine, variables, functions and imports that live from one line to the next.
pub struct Session {
    pub engine: Engine,
    pub scope: Scope<'static>,
    pub host: Rc<Host>,
    pub sources: Sources,
    functions: AST,
    /// Whether the last text ended with `exit()`.
    pub has_exited: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

/// An engine with the language in it: one per session and one per background call.
pub fn engine(host: &Rc<Host>) -> Engine {
    hashing::fix();
    let mut engine = Engine::new();
    // Full optimisation would call words with constant arguments while compiling.
    engine.set_optimization_level(OptimizationLevel::Simple);
    // The defaults differ between debug and release builds.
    engine.set_max_call_levels(96);
    engine.set_max_expr_depths(128, 64);
    limits::install(&mut engine, host.limits());
    // Of 256 strings that Rhai would share it seeks the rarest for each new one: half of the time of a loop that makes strings.
    engine.set_max_strings_interned(0);
    engine.set_fail_on_invalid_map_property(true);
    // `spawn` is reserved by Rhai, and so is `var`, which is a method of Tensors. (The call is not deprecated but volatile, as rhai says.)
    #[allow(deprecated)]
    engine.on_parse_token({
        let behind_dot = Cell::new(false);
        move |token, place, _| {
            let method = behind_dot.replace(matches!(token, Token::Period | Token::Elvis));
            match token {
                // Rhai looks through all names in scope at each variable: a long text takes long.
                _ if interrupt::requested() => Token::LexError(Box::new(LexError::Runtime("interrupted".into()))),
                Token::Reserved(name) if name.as_str() == "spawn" || (method && name.as_str() == "var") => {
                    Token::Identifier(name)
                }
                token => copies::token(subscripts::token(token, place), place),
            }
        }
    });
    engine.register_fn("exit", || errors::exit(Dynamic::UNIT));
    engine.register_fn("exit", errors::exit);
    copies::install(&mut engine);
    subscripts::install(&mut engine);
    iteration::install(&mut engine, host.limits());
    let (weak, bounded) = (Rc::downgrade(host), host.bounds.get().is_some());
    engine.on_progress(move |operations| {
        if operations.is_multiple_of(OPERATIONS_A_TURN)
            && let Some(host) = weak.upgrade()
        {
            host.background.lock.pass();
        }
        if bounded
            && let Some(host) = weak.upgrade()
            && let Err(error) = host.count_operation()
        {
            // No `catch` of the script sees it.
            return Some(Dynamic::from(Raised(error)));
        }
        interrupt::requested().then(|| Dynamic::from(StopRequest))
    });
    engine.on_print(console::print);
    engine.on_debug(|text, _, pos| console::debug(&format!("{pos} {text}")));
    modules::install(&mut engine, host.sources.clone());
    constants::install(&mut engine, host.constants.clone());
    vocabulary::register(&mut engine, host);
    for (name, module) in host.imports.borrow().iter() {
        engine.register_static_module(name.as_str(), module.clone());
    }
    engine
}

impl Session {
    pub fn new() -> Self {
        let host = Rc::new(Host::new());
        if policy::current().untrusted {
            host.bounds.set(Some(Bounds::UNTRUSTED));
        }
        let (engine, sources) = (engine(&host), host.sources.clone());
        Session { engine, scope: Scope::new(), host, sources, functions: AST::empty(), has_exited: false }
    }

    /// Bounds all that the session runs from now on, its background jobs too.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.host.bounds.set(Some(bounds));
        self.engine = engine(&self.host);
    }

    /// Runs a script file from an empty scope, to the end of its background jobs; `arguments` are its `key=value` words.
    pub fn run_file(&mut self, path: &Path, arguments: &[(String, String)]) -> Result<Dynamic, Failure> {
        let text = files::read_text(path).map_err(Failure::plain)?;
        policy::set_subject(&path.file_name().unwrap_or_default().to_string_lossy());
        self.run_text(&text, &path.display().to_string(), arguments)
    }

    /// [`Session::run_file`] of a text that is no file.
    pub fn run_text(&mut self, text: &str, name: &str, arguments: &[(String, String)]) -> Result<Dynamic, Failure> {
        *self.host.arguments.borrow_mut() = arguments.iter().cloned().collect();
        self.host.asked.borrow_mut().clear();
        let value = self.eval(text, name);
        if value.is_err() {
            self.host.background.stop_all();
            return value;
        }
        self.finish(name)?;
        value
    }

    /// Waits for the background jobs of a text, as a script does at its end.
    ///
    /// Errors: the first failure of a job that nobody waited for; the others are stopped.
    pub fn finish(&self, name: &str) -> Result<(), Failure> {
        self.host.background.finish().map_err(|error| {
            self.host.background.stop_all();
            Failure::from_rhai(*error, name, &self.sources, &self.variables())
        })
    }

    /// Evaluates a text in the session's scope. Variables that it had set before failing stay; functions and
    /// imports at its top level stay for the next text.
    pub fn eval(&mut self, text: &str, name: &str) -> Result<Dynamic, Failure> {
        self.sources.add(name, text);
        self.has_exited = false;
        interrupt::clear();
        // A panic below is a fault of ours, never the user's: it must not take the session with it.
        let host = self.host.clone();
        let earlier = host.earlier.borrow().clone();
        let asking = Asking { text: name.to_string(), earlier, ..Asking::default() };
        let outcome = catch_unwind(AssertUnwindSafe(|| host.asked(asking, || self.eval_unguarded(text, name))));
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let failure = Failure::from_rhai(*error, name, &self.sources, &self.variables());
                self.has_exited = failure.exit.is_some();
                if failure.exit == Some(0) { Ok(Dynamic::UNIT) } else { Err(failure) }
            }
            Err(panic) => Err(Failure::plain(panics::fault(&*panic))),
        }
    }

    fn eval_unguarded(&mut self, text: &str, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut ast = self.parse(text)?;
        ast.set_source(name);
        self.sources.add_closures(name, &ast);
        let whole = self.functions.merge(&ast);
        let outcome = self.engine.eval_ast_with_scope::<Dynamic>(&mut self.scope, &constants::earlier().merge(&whole));
        constants::keep(&self.scope, &self.host.constants);
        let value = outcome?;
        self.keep_imports(&ast, name)?;
        self.functions = whole.clone_functions_only();
        Ok(value)
    }

    /// The syntax tree of a text. One with a statement that is nothing but a name, which may be unknown, is left as it is written: Rhai's
    /// optimiser would drop the statement, and the error with it.
    fn parse(&mut self, text: &str) -> Result<AST, Box<EvalAltResult>> {
        if lone_names::may_be_unknown(text, |name| self.scope.contains(name)) {
            self.engine.set_optimization_level(OptimizationLevel::None);
        }
        let ast = parsing::parse(&self.engine, &self.scope, text);
        self.engine.set_optimization_level(OptimizationLevel::Simple);
        ast
    }

    /// Rhai forgets imports when a text ends; made global modules, they stay.
    fn keep_imports(&mut self, ast: &AST, name: &str) -> Result<(), Box<EvalAltResult>> {
        for statement in ast.statements() {
            if let Stmt::Import(import, pos) = statement
                && let Expr::StringConstant(path, _) = &import.0
                && !import.1.name.is_empty()
            {
                let module = self.engine.module_resolver().resolve(&self.engine, Some(name), path, *pos)?;
                self.host.imports.borrow_mut().insert(import.1.name.to_string(), module.clone());
                if let Ok(Some((text, _))) = modules::find(path, Some(name)) {
                    self.host.libraries.borrow_mut().insert(import.1.name.to_string(), text);
                }
                self.engine.register_static_module(import.1.name.as_str(), module);
            }
        }
        Ok(())
    }

    /// Names of the variables in scope, newest first, without repeats.
    pub fn variable_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (name, _, _) in self.scope.iter_raw() {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_string());
            }
        }
        names.reverse();
        names
    }

    /// The variables as errors speak of them.
    fn variables(&self) -> Vec<Variable> {
        let describe = |name: String| {
            let value = self.scope.get(&name);
            let keys = value
                .and_then(|v| v.as_map_ref().ok().map(|map| map.keys().map(|k| k.to_string()).collect()))
                .unwrap_or_default();
            Variable { kind: value.map(super::show::type_name).unwrap_or_default(), keys, name }
        };
        self.variable_names().into_iter().map(describe).collect()
    }

    /// Name and parameters of each function that the user has defined. Closures have no name.
    pub fn function_signatures(&self) -> Vec<String> {
        let functions = self.functions.iter_functions().filter(|f| !f.name.starts_with("anon$"));
        let mut all: Vec<String> = functions.map(|f| format!("{}({})", f.name, f.params.join(", "))).collect();
        all.sort();
        all
    }

    /// The libraries that were imported: the name that each was given, the name of its text, and the text.
    pub fn libraries(&self) -> Vec<(String, String, String)> {
        let known = self.host.libraries.borrow();
        let with_text =
            known.iter().filter_map(|(name, source)| Some((name.clone(), source.clone(), self.sources.text(source)?)));
        with_text.collect()
    }

    /// Forgets variables, functions and imports.
    pub fn reset(&mut self) {
        self.scope.clear();
        self.functions = AST::empty();
        self.host.imports.borrow_mut().clear();
        self.host.constants.borrow_mut().clear();
        self.host.libraries.borrow_mut().clear();
        self.engine = engine(&self.host);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.host.background.stop_all();
        self.host.background.lock.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(session: &mut Session, text: &str) -> Result<Dynamic, Failure> {
        session.eval(text, "test")
    }

    #[test]
    fn variables_functions_and_imports_survive_from_line_to_line() {
        let mut s = crate::primitives::session();
        let _ = eval(&mut s, "let x = 2; fn double(a) { a * 2 }").unwrap();
        assert_eq!(eval(&mut s, "double(x)").unwrap().as_int(), Ok(4));
        let _ = eval(&mut s, "fn double(a) { a * 3 }").unwrap();
        assert_eq!(eval(&mut s, "double(x)").unwrap().as_int(), Ok(6));
        let _ = eval(&mut s, "const K = 4;").unwrap();
        let _ = eval(&mut s, "fn times(a) { a * global::K }").unwrap();
        assert_eq!(eval(&mut s, "times(x)").unwrap().as_int(), Ok(8));
        let _ = eval(&mut s, "const K = 5;").unwrap();
        assert_eq!(eval(&mut s, "times(x)").unwrap().as_int(), Ok(10));
        let _ = eval(&mut s, r#"import "method" as m;"#).unwrap();
        assert!(eval(&mut s, "m::defaults()").unwrap().is_map());
        s.reset();
        for gone in ["x", "double(1)", "m::defaults()", "fn k() { global::K } k()"] {
            assert!(eval(&mut s, gone).is_err(), "{gone}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_script() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.rhai");
        std::fs::write(folder.path().join("lib.rhai"), "\u{feff}fn two() { 2 }").unwrap();
        std::fs::write(&path, "\u{feff}import \"lib\" as lib;\nlib::two() + 1").unwrap();
        let mut s = crate::primitives::session();
        assert_eq!(s.run_file(&path, &[]).unwrap().as_int(), Ok(3));
        std::fs::write(&path, b"// ok\n\xff").unwrap();
        assert!(s.run_file(&path, &[]).unwrap_err().message.ends_with("main.rhai, line 2: not UTF-8 text"));
    }

    #[test]
    fn a_first_line_for_the_system_is_a_comment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main");
        std::fs::write(folder.path().join("lib.rhai"), "#!/usr/bin/env cpsd\nfn two() { 2 }").unwrap();
        std::fs::write(&path, "\u{feff}#!/usr/bin/env -S cpsd \"\nimport \"lib\" as lib;\nlib::two() + 1").unwrap();
        let mut s = crate::primitives::session();
        assert_eq!(s.run_file(&path, &[]).unwrap().as_int(), Ok(3));
        let failure = eval(&mut s, "#!/usr/bin/env cpsd\n  nothing()").unwrap_err();
        assert_eq!(failure.place().as_deref(), Some("test:2:3"));
        let found = crate::script::check::check(&s, "#!/usr/bin/env cpsd\nlet a = 1;\nnothing(a)", "c").unwrap();
        assert_eq!(found.iter().map(|f| f.line("c")).filter(|line| line.contains("c:3:1")).count(), 1);
        // At the beginning alone.
        assert!(eval(&mut s, "1;\n#!/usr/bin/env cpsd").is_err());
    }

    #[test]
    fn a_failed_line_loses_nothing() {
        let mut s = crate::primitives::session();
        let _ = eval(&mut s, "let x = 2;").unwrap();
        assert!(eval(&mut s, "let y = 3; x = 5; nothing()").is_err());
        assert_eq!(eval(&mut s, "x + y").unwrap().as_int(), Ok(8));
    }

    #[test]
    fn a_statement_of_a_name_that_is_not_there_is_an_error() {
        let mut s = crate::primitives::session();
        let _ = eval(&mut s, "let total = 1;").unwrap();
        for text in [
            "totl; 3",
            "if true { totl; } 3",
            "fn f() { totl; 3 } f()",
            "[1].map(|x| { totl; x })",
            "while true { totl }",
            "fn f() { total; 3 } f()",
        ] {
            let failure = eval(&mut s, text).expect_err(text);
            assert!(failure.message.contains("variable"), "{text}: {}", failure.message);
            assert!(
                failure
                    .place()
                    .is_some_and(|place| text[place[7..].parse::<usize>().unwrap() - 1..].starts_with("tot"))
            );
        }
        // Where it is not reached, and where it is known, the text runs.
        for text in [
            "if false { totl; } 3",
            "total; 3",
            "let b = 1; b; 3",
            "fn f(a) { a; 3 } f(1)",
            "eval(\"let c = 1;\"); c; 3",
        ] {
            assert_eq!(eval(&mut s, text).unwrap().as_int(), Ok(3), "{text}");
        }
    }

    #[test]
    fn errors_say_where_and_what_was_meant() {
        let mut s = crate::primitives::session();
        let failure = eval(&mut s, "let a = 1;\nlet b = a + cooccurence(a);").unwrap_err();
        assert_eq!(failure.place().as_deref(), Some("test:2:13"));
        assert_eq!(failure.help.as_deref(), Some("did you mean \"cooccurrence\"?"));
    }

    #[test]
    fn a_function_that_reads_a_script_variable_is_told_how() {
        let mut s = crate::primitives::session();
        let failure = eval(&mut s, "let k = 3; fn f() { k + 1 } f()").unwrap_err();
        assert!(failure.help.unwrap().contains("global::k"));
    }

    #[test]
    fn an_error_in_a_function_of_an_earlier_line_is_shown_there() {
        let mut s = crate::primitives::session();
        let _ = s.eval("// a comment\nfn f(x) {\n    x + nothing\n}", "line 1").unwrap();
        assert_eq!(s.eval("f(1)", "line 2").unwrap_err().place().as_deref(), Some("line 1:3:9"));
        let _ = s.eval("fn f(x) { x * missing }", "line 3").unwrap();
        assert_eq!(s.eval("f(1)", "line 4").unwrap_err().place().as_deref(), Some("line 3:1:15"));
    }

    #[test]
    fn endless_recursion_is_an_error() {
        let mut s = crate::primitives::session();
        assert!(eval(&mut s, "fn f(n) { f(n + 1) } f(0)").unwrap_err().message.contains("deeply"));
    }
}
