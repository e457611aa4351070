//! The identity of a closure: its code, wherever it is in a file, and all that it reads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rhai::{Dynamic, FnPtr, Module, NativeCallContext, ScriptFuncDef, Shared};

use super::code::{self, Read};
use super::constants::Constants;
use super::host::Host;
use super::modules::{self, Library};
use super::tokens::{Piece, pieces};
use super::vocabulary;
use crate::activity::console;

/// A hash of a closure's code, of the functions of the script and of imported libraries that it may call, of the constants that these
/// read, and of the values that it captured. Comments, blank space and its place do not count.
pub fn of_closure(closure: &FnPtr, call: &NativeCallContext, host: &Host) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("cpsd closure 2");
    walk(closure, call, host, &mut |part| {
        let (kind, bytes) = match &part {
            Part::Code(code) => ("code", &code.bytes[..]),
            Part::Value(text) => ("value", text.as_bytes()),
        };
        let _ = hasher.update(kind.as_bytes()).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    });
    hasher.finalize().to_hex()[..16].to_string()
}

/// Whether a closure's code, that of the functions which it may call, or a value that it captured has this text as a literal.
pub fn has_literal(closure: &FnPtr, call: &NativeCallContext, host: &Host, literal: &str) -> bool {
    let (quoted, mut found) = (format!("\"{literal}\""), false);
    walk(closure, call, host, &mut |part| {
        found |= match part {
            Part::Code(code) => code.literals.contains(literal),
            Part::Value(text) => text.contains(&quoted),
        };
    });
    found
}

/// The numbers of parameters that a closure has, beside what it captured: one, or several of a function by its name that has as many
/// definitions. Empty for a function of Rust.
pub fn parameters(closure: &FnPtr, call: &NativeCallContext, host: &Host) -> Vec<usize> {
    let captured = closure.iter_curry().count();
    let known = Known::of(call, host);
    let counts = known.functions(closure.fn_name()).filter_map(|f| f.definition.params.len().checked_sub(captured));
    counts.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A part of what decides a closure's results.
enum Part<'a> {
    /// The code of a function.
    Code(&'a code::Code),
    /// A value that is captured or read.
    Value(&'a str),
}

/// A function that a closure may call.
struct Function {
    definition: Shared<ScriptFuncDef>,
    home: Rc<Home>,
}

/// The names that a function's text sees.
struct Home {
    constants: Option<Constants>,
    /// The name of the text; None for that of the session.
    text: Option<String>,
    /// The libraries that it imported, of one name first the one that it sees.
    imports: Vec<(String, Shared<Module>)>,
}

/// The functions that a call's text and the libraries which it imported define, also those that these imported.
struct Known {
    /// By name, then by the number of parameters and the names under which their libraries were imported.
    functions: BTreeMap<String, BTreeMap<(usize, String), Vec<Function>>>,
    /// The libraries that were visited.
    modules: BTreeSet<*const Module>,
    libraries: Vec<Library>,
}

impl Known {
    fn of(call: &NativeCallContext, host: &Host) -> Self {
        let earlier = host.imports.borrow();
        let state = call.global_runtime_state();
        let imports = state.iter_imports_raw().map(|(name, module)| (name.to_string(), module.clone()));
        let imports = imports.chain(earlier.iter().map(|(name, module)| (name.clone(), module.clone())));
        let home = Rc::new(Home { constants: state.constants.clone(), text: None, imports: imports.collect() });
        let libraries = host.sources.libraries();
        let mut known = Known { functions: BTreeMap::new(), modules: BTreeSet::new(), libraries };
        call.iter_namespaces().for_each(|module| known.add(module, "", &home));
        home.imports.iter().for_each(|(name, module)| known.add_library(module, name));
        known
    }

    fn add(&mut self, module: &Module, library: &str, home: &Rc<Home>) {
        for (.., definition) in module.iter_script_fn_info() {
            let same_name = self.functions.entry(definition.name.to_string()).or_default();
            let same = same_name.entry((definition.params.len(), library.to_string())).or_default();
            same.push(Function { definition: definition.clone(), home: home.clone() });
        }
    }

    fn add_library(&mut self, module: &Shared<Module>, name: &str) {
        if !self.modules.insert(Shared::as_ptr(module)) {
            return;
        }
        let imports = module.iter_sub_modules().map(|(name, module)| (name.to_string(), module.clone()));
        let imports: Vec<_> = imports.collect();
        // What is no library of a text has no private functions and no constants of its own.
        let library = self.libraries.iter().find(|library| Shared::ptr_eq(&library.module, module));
        let constants = library.and_then(|library| library.constants.clone());
        let functions = library.map_or(module, |library| &library.functions).clone();
        let home = Rc::new(Home { constants, text: module.id().map(str::to_string), imports });
        self.add(&functions, name, &home);
        home.imports.iter().for_each(|(inner, module)| self.add_library(module, &format!("{name}::{inner}")));
    }

    /// The functions of a name, whatever their library: a library calls its own by their bare names.
    fn functions(&self, name: &str) -> impl Iterator<Item = &Function> {
        let bare = name.rsplit("::").next().unwrap_or(name);
        self.functions.get(bare).into_iter().flat_map(|same| same.values().flatten())
    }

    /// All constants that functions may read as `global::NAME`, each once.
    fn constants(&self) -> Vec<Dynamic> {
        let functions = self.functions.values().flat_map(|same| same.values().flatten());
        let mut seen = BTreeSet::new();
        let all = functions.filter_map(|f| f.home.constants.as_ref()).filter(|all| seen.insert(Shared::as_ptr(all)));
        all.flat_map(values_of).collect()
    }
}

fn values_of(constants: &Constants) -> Vec<Dynamic> {
    constants.borrow().values().cloned().collect()
}

impl Home {
    /// The value of `path::name` for a function of this text, if it has one now.
    fn constant(&self, path: &[String], name: &str) -> Option<Dynamic> {
        let (first, inner) = path.split_first()?;
        match self.imports.iter().find(|(known, _)| known == first) {
            Some((_, module)) => {
                let mut module = module;
                for name in inner {
                    module = module.iter_sub_modules().find(|(known, _)| known == name).map(|(_, module)| module)?;
                }
                module.get_var(name)
            }
            None if inner.is_empty() && first == "global" => self.constants.as_ref()?.borrow().get(name).cloned(),
            None => None,
        }
    }
}

/// Something that a closure reads and that was not visited yet.
enum Waiting {
    Function(String),
    Value(Dynamic),
}

/// Visits a closure's code, that of the functions which it may call, the constants that they read and the values that it captured,
/// always in the same order.
fn walk(closure: &FnPtr, call: &NativeCallContext, host: &Host, visit: &mut dyn FnMut(Part)) {
    let known = Known::of(call, host);
    let mut waiting = VecDeque::from([Waiting::Value(closure.clone().into())]);
    let mut seen: BTreeSet<*const ScriptFuncDef> = BTreeSet::new();
    // Closures have no names that count: each is told from others by the order in which they are met.
    let mut closures: Vec<String> = Vec::new();
    let (mut followed, mut anything, mut arguments) = (0, false, false);
    while let Some(next) = waiting.pop_front() {
        match next {
            // What a script's arguments say, once.
            Waiting::Function(name) if name == "arg" => {
                if !std::mem::replace(&mut arguments, true) {
                    visit(Part::Value(&format!("arguments {:?}", host.arguments.borrow())));
                }
            }
            Waiting::Function(name) => {
                for function in known.functions(&name) {
                    if !seen.insert(Shared::as_ptr(&function.definition)) {
                        continue;
                    }
                    let code = code::of(&function.definition);
                    visit(Part::Code(&code));
                    for read in code.reads {
                        match read {
                            Read::Function(name) => waiting.push_back(Waiting::Function(name)),
                            Read::Value(value) => waiting.push_back(Waiting::Value(value)),
                            Read::Constant { path, name } => match function.home.constant(&path, &name) {
                                Some(value) => waiting.push_back(Waiting::Value(value)),
                                None => visit(Part::Value("no constant")),
                            },
                            Read::Library(path) => {
                                let importer = function.home.text.as_deref().or(call.call_source());
                                imported(&path, importer, &mut BTreeSet::new(), visit);
                            }
                        }
                    }
                    if code.calls_anything && !anything {
                        anything = true;
                        // No text can name a closure.
                        let named = known.functions.keys().filter(|name| !name.starts_with("anon$"));
                        waiting.extend(named.cloned().map(Waiting::Function));
                        waiting.extend(known.constants().into_iter().map(Waiting::Value));
                        waiting.push_back(Waiting::Function("arg".into()));
                    }
                }
            }
            Waiting::Value(value) => {
                if let Some(captured) = value.read_lock::<FnPtr>() {
                    let (name, curried) = (captured.fn_name(), captured.iter_curry().count());
                    let said = match known.functions(name).next() {
                        Some(_) if name.starts_with("anon$") => {
                            let met = closures.iter().position(|met| met == name).unwrap_or_else(|| {
                                closures.push(name.to_string());
                                closures.len() - 1
                            });
                            format!("closure {met} {curried}")
                        }
                        // A function of Rust, one by its name, or a closure of a library that is gone.
                        _ => format!("function {name} {curried}"),
                    };
                    visit(Part::Value(&said));
                    // One that captured itself is followed so often and no more.
                    followed += 1;
                    if followed <= CLOSURES {
                        waiting.push_back(Waiting::Function(name.to_string()));
                        waiting.extend(captured.iter_curry().cloned().map(Waiting::Value));
                    }
                } else if let Some(text) = identity(&value) {
                    visit(Part::Value(&text));
                // Its parts count, each by its own identity: a text for people would leave digits and items out.
                } else if let Ok(array) = value.as_array_ref() {
                    visit(Part::Value(&format!("array {}", array.len())));
                    waiting.extend(array.iter().cloned().map(Waiting::Value));
                } else if let Ok(map) = value.as_map_ref() {
                    visit(Part::Value(&format!("map {:?}", map.keys().collect::<Vec<_>>())));
                    waiting.extend(map.values().cloned().map(Waiting::Value));
                } else {
                    visit(Part::Value(&unlike_any_other(&value)));
                }
            }
        }
    }
}

/// Visits the text of a library that a function imports while it runs, and those that this imports.
fn imported(path: &str, importer: Option<&str>, seen: &mut BTreeSet<String>, visit: &mut dyn FnMut(Part)) {
    let Some((name, text)) = modules::find(path, importer).ok().flatten() else {
        return visit(Part::Value("no library"));
    };
    if !seen.insert(name.clone()) {
        return;
    }
    visit(Part::Value(&text));
    let pieces = pieces(&text);
    for pair in pieces.windows(2) {
        let [(word, Piece::Word), (path, Piece::Text)] = pair else { continue };
        if &text[word.clone()] == "import" {
            imported(text[path.clone()].trim_matches(['"', '`']), Some(&name), seen, visit);
        }
    }
}

/// A text for a value whose contents nothing tells: no run is taken for that of another, and none is found again.
fn unlike_any_other(value: &Dynamic) -> String {
    static SAID: AtomicBool = AtomicBool::new(false);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let kind = super::show::type_name(value);
    if !SAID.swap(true, Ordering::Relaxed) {
        console::warn(&format!(
            "warning: a closure holds a {kind}, whose contents do not count in a run's id: its runs are not found again"
        ));
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{kind} {} {} {}", std::process::id(), since.as_nanos(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// So many captured closures are followed.
const CLOSURES: usize = 1000;

/// The identity of a value: its kind and its contents, whatever made it. None for an array or a map, whose parts have theirs, and for
/// a value of a kind without an identity.
fn identity(value: &Dynamic) -> Option<String> {
    if let Some(kind) = vocabulary::kind_of(value) {
        let json = || Some((kind.json)(value)?.ok()?.to_string());
        return (kind.fingerprint)(value).or_else(json).map(|known| format!("{} {known}", kind.name));
    }
    if value.is_unit() || value.is_bool() || value.is_char() || value.is_int() {
        return Some(format!("{} {value}", value.type_name()));
    }
    if let Ok(float) = value.as_float() {
        // Every bit: NaN and -0.0 too.
        return Some(format!("float {:x}", float.to_bits()));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Some(format!("\"{}\"", &**text));
    }
    value.as_blob_ref().ok().map(|bytes| format!("bytes {:?}", &*bytes))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    fn of(text: &str) -> String {
        let mut session = crate::primitives::session();
        let host: Rc<_> = session.host.clone();
        session.engine.register_fn("name_of", move |call: rhai::NativeCallContext, closure: rhai::FnPtr| {
            super::of_closure(&closure, &call, &host)
        });
        session.eval(text, "test").unwrap().into_string().unwrap()
    }

    #[test]
    fn code_counts_and_its_place_does_not() {
        let name = of("name_of(|a, b| { let d = a - b; (d * d).sum() * 0.5 })");
        assert_eq!(
            name,
            of(
                "let x = 1;\n\n  // a comment\nlet f = |a, b| {\n  let d = a - b; /* and here */\n  (d * d).sum() * 0.5\n};\nname_of(f)"
            )
        );
        assert_ne!(name, of("name_of(|a, b| { let d = a - b; (d * d).sum() * 0.25 })"));
        assert_ne!(name, of("name_of(|a, b| { let d = a + b; (d * d).sum() * 0.5 })"));
    }

    #[test]
    fn operators_of_assignments_count() {
        assert_ne!(of("name_of(|a| { a += 1; a })"), of("name_of(|a| { a -= 1; a })"));
    }

    #[test]
    fn literals_are_found_in_all_that_a_closure_reaches() {
        let has = |text: &str| {
            let mut session = crate::primitives::session();
            let host: Rc<_> = session.host.clone();
            session.engine.register_fn("says", move |call: rhai::NativeCallContext, closure: rhai::FnPtr| {
                super::has_literal(&closure, &call, &host, "stop")
            });
            session.eval(text, "test").unwrap().as_bool().unwrap()
        };
        assert!(has("says(|line| if line.epoch > 3 { \"stop\" })"));
        assert!(has("says(|line| if line.name == \"a \\\"quote\" { 'x'; \"stop\" })"));
        assert!(has("fn ends(x) { if x > 1 { return \"stop\"; } } says(|line| ends(line.epoch))"));
        assert!(has("let word = \"stop\"; says(|line| word)") && has("let f = || \"stop\"; says(|line| f.call())"));
        assert!(has("let words = [tensor([1.0]), \"stop\"]; says(|line| words[1])"));
        assert!(!has("says(|line| { print(\"stopped\"); line.stop })"));
    }

    #[test]
    fn parameters_are_those_that_a_caller_gives() {
        let count = |text: &str| {
            let mut session = crate::primitives::session();
            let host: Rc<_> = session.host.clone();
            session.engine.register_fn("count", move |call: rhai::NativeCallContext, closure: rhai::FnPtr| {
                format!("{:?}", super::parameters(&closure, &call, &host))
            });
            session.eval(text, "test").unwrap().into_string().unwrap()
        };
        assert_eq!(["count(|a| a)", "count(|a, b| a)", "count(|| 1)"].map(count), ["[1]", "[2]", "[0]"]);
        assert_eq!(count("let x = 2; let y = 3; count(|a, b| a + x + y)"), "[2]");
        assert_eq!(count("fn f(a) { a } fn f(a, b) { a } count(Fn(\"f\"))"), "[1, 2]");
        assert_eq!(count("count(Fn(\"sqrt\"))"), "[]");
    }

    #[test]
    fn cases_of_a_switch_count() {
        let switch = |first: &str| of(&format!("name_of(|a| switch a {{ {first} => 1, 2 => 3, _ => 0 }})"));
        assert_eq!(switch("7"), switch("  7 /* seven */"));
        assert_ne!(switch("7"), switch("8"));
        let called = |first: &str| of(&format!("fn f(a) {{ switch a {{ {first} => 1, _ => 0 }} }} name_of(|a| f(a))"));
        assert_eq!(called("\"x\""), called("\"x\""));
        assert_ne!(called("\"x\""), called("\"y\""));
    }

    #[test]
    fn constants_count() {
        let with = |rate: &str| of(&format!("const RATE = {rate}; fn f(x) {{ x * global::RATE }} name_of(|a| f(a))"));
        assert_eq!(with("0.5"), with("1.0 / 2.0"));
        assert_ne!(with("0.5"), with("0.25"));
        let read = |other: &str| {
            of(&format!("const RATE = 0.5; const OTHER = {other}; fn f(x) {{ x * global::RATE }} name_of(|a| f(a))"))
        };
        assert_eq!(read("1"), read("2"));
        // Those of a library, exported or not, and behind a function that it keeps to itself or imports.
        let folder = tempfile::tempdir().unwrap();
        let library = |inner: &str, text: &str, use_: &str| {
            std::fs::write(folder.path().join("inner.rhai"), inner).unwrap();
            std::fs::write(folder.path().join("outer.rhai"), text).unwrap();
            let path = folder.path().join("outer").display().to_string();
            of(&format!("import {path:?} as l; name_of(|a| {use_})"))
        };
        let exported = |rate: &str| library("", &format!("export const RATE = {rate};"), "a * l::RATE");
        assert_eq!(exported("0.5"), exported("0.5 // half"));
        assert_ne!(exported("0.5"), exported("0.25"));
        let hidden = |rate: &str| {
            library(
                "",
                &format!("const RATE = {rate}; private fn g(x) {{ x * global::RATE }} fn f(x) {{ g(x) }}"),
                "l::f(a)",
            )
        };
        assert_eq!(hidden("0.5"), hidden("0.5 /* half */"));
        assert_ne!(hidden("0.5"), hidden("0.25"));
        let code = |sign: &str| library("", &format!("private fn g(x) {{ x {sign} 2 }} fn f(x) {{ g(x) }}"), "l::f(a)");
        assert_ne!(code("+"), code("*"));
        let deep = |rate: &str| {
            library(
                &format!("const RATE = {rate}; fn h(x) {{ x * global::RATE }}"),
                "import \"inner\" as i; fn f(x) { i::h(x) }",
                "l::f(a)",
            )
        };
        assert_eq!(deep("0.5"), deep(" 0.5"));
        assert_ne!(deep("0.5"), deep("0.25"));
        let through =
            |rate: &str| library(&format!("export const RATE = {rate};"), "import \"inner\" as i;", "a * l::i::RATE");
        assert_ne!(through("0.5"), through("0.25"));
    }

    #[test]
    fn closures_inside_of_values_are_told_apart() {
        let with = |list: &str| {
            of(&format!(
                "fn f(x) {{ x }} fn f(x, y) {{ y }} let a = |x| x * 0.1; let b = |x| x * 0.2; let l = {list}; name_of(|s| l[s % 2].call(s))"
            ))
        };
        assert_eq!(with("[a, b]"), with("[ a,  b ]"));
        assert_ne!(with("[a, a, b]"), with("[a, b, b]"));
        assert_ne!(with("[Fn(\"sin\")]"), with("[Fn(\"cos\")]"));
        assert_ne!(with("[Fn(\"f\"), Fn(\"f\").curry(0.5)]"), with("[Fn(\"f\").curry(0.5), Fn(\"f\")]"));
    }

    #[test]
    fn contents_of_every_kind_count() {
        let with = |value: &str| of(&format!("let v = {value}; name_of(|s| v)"));
        for (one, other) in [
            (
                "label_table(tensor([[1, 0], [0, 1]]), [\"a\", \"b\"])",
                "label_table(tensor([[0, 1], [1, 0]]), [\"a\", \"b\"])",
            ),
            ("table([#{a: 1.00000001}])", "table([#{a: 1.00000002}])"),
            ("table([#{a: 1}])", "table([#{a: 1.0}])"),
            (
                "cooccurrence(label_table(tensor([[1, 0], [0, 1]]), [\"a\", \"b\"]))",
                "cooccurrence(label_table(tensor([[1, 0], [0, 1], [1, 0], [0, 1]]), [\"a\", \"b\"]))",
            ),
            (
                "random_partition([\"a\", \"b\", \"c\"], 2, #{seed: 0})",
                "random_partition([\"a\", \"b\", \"c\"], 3, #{seed: 0})",
            ),
            ("col(\"a\") > 1", "col(\"a\") > 2"),
        ] {
            assert_eq!(with(one), with(one), "{one}");
            assert_ne!(with(one), with(other), "{one}");
        }
        // Of a figure nothing is known: no other closure has its id.
        assert_ne!(with("plot([1.0, 2.0])"), with("plot([1.0, 2.0])"));
    }

    #[test]
    fn arguments_of_the_script_count_where_they_are_read() {
        let with = |lr: &str, code: &str| {
            let mut session = crate::primitives::session();
            let host: Rc<_> = session.host.clone();
            let _ = host.arguments.borrow_mut().insert("lr".into(), lr.into());
            session.engine.register_fn("name_of", move |call: rhai::NativeCallContext, closure: rhai::FnPtr| {
                super::of_closure(&closure, &call, &host)
            });
            session.eval(code, "test").unwrap().into_string().unwrap()
        };
        for code in [
            "name_of(|s| arg(\"lr\", 0.1))",
            "name_of(|s| eval(\"arg(\\\"lr\\\", 0.1)\"))",
            "let g = Fn(\"arg\"); name_of(|s| g.call(\"lr\", 0.1))",
        ] {
            assert_ne!(with("0.1", code), with("0.2", code), "{code}");
        }
        assert_eq!(with("0.1", "name_of(|s| s)"), with("0.2", "name_of(|s| s)"));
    }

    #[test]
    fn libraries_that_are_imported_while_it_runs_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outer").display().to_string();
        let with = |inner: &str| {
            std::fs::write(folder.path().join("inner.rhai"), inner).unwrap();
            std::fs::write(folder.path().join("outer.rhai"), "import \"inner\" as i; fn r(s) { i::r(s) }").unwrap();
            of(&format!("name_of(|s| {{ import {path:?} as l; l::r(s) }})"))
        };
        assert_eq!(with("fn r(s) { s }"), with("fn r(s) { s }"));
        assert_ne!(with("fn r(s) { s }"), with("fn r(s) { s + 1 }"));
    }

    #[test]
    fn all_functions_of_a_name_count() {
        let with = |one: &str, two: &str| {
            of(&format!("fn f(x) {{ x * {one} }} fn f(x, y) {{ x + {two} }} name_of(|a| f(a) + f(a, 1))"))
        };
        assert_eq!(with("2", "3"), with(" 2", " 3"));
        assert_ne!(with("2", "3"), with("4", "3"));
        assert_ne!(with("2", "3"), with("2", "4"));
        let cases = |one: &str, two: &str| {
            of(&format!(
                "fn f(x) {{ switch x {{ {one} => 1 }} }} fn f(x, y) {{ switch x {{ {two} => 1 }} }} name_of(|a| f(a) + f(a, 1))"
            ))
        };
        assert_ne!(cases("2", "3"), cases("4", "3"));
        assert_ne!(cases("2", "3"), cases("2", "4"));
    }

    #[test]
    fn strings_count_as_they_are() {
        let with = |text: &str| of(&format!("name_of(|a| a == {text})"));
        assert_eq!(with(r#""a \" b 12:30""#), with(r#"  "a \" b 12:30""#));
        assert_ne!(with(r#""a \" b 12:30""#), with(r#""a \" b 12:31""#));
        assert_ne!(with(r#"["a", "b"]"#), with(r#"["a\", \"b"]"#));
        assert_ne!(with("`${a}1`"), with("`${a}2`"));
    }

    #[test]
    fn code_made_while_it_runs_reads_everything() {
        let with = |rate: &str, call: &str| {
            of(&format!("const RATE = {rate}; fn f(x) {{ x * global::RATE }} name_of(|a| {call})"))
        };
        for call in ["eval(\"f(2)\")", "Fn(\"f\" + \"\").call(a)"] {
            assert_ne!(with("0.5", call), with("0.25", call), "{call}");
        }
    }

    #[test]
    fn what_it_calls_and_what_it_captured_count() {
        let with =
            |body: &str| of(&format!("fn inner(x) {{ {body} }}\nfn outer(x) {{ inner(x) }}\nname_of(|a, b| outer(a))"));
        assert_eq!(with("x * 2"), with("x  *  2"));
        assert_ne!(with("x * 2"), with("x * 3"));
        let capturing = |value: &str| of(&format!("let w = {value}; name_of(|a, b| (a - b) * w)"));
        assert_eq!(capturing("0.5"), capturing("0.5"));
        assert_ne!(capturing("0.5"), capturing("0.6"));
        let endless = ["()", "1.0 / 0.0", "-1.0 / 0.0", "0.0 / 0.0"].map(capturing);
        let inside = ["1.0", "-1.0"].map(|x| capturing(&format!("[1.0, #{{a: {x} / 0.0}}]")));
        let all: std::collections::BTreeSet<_> = endless.iter().chain(&inside).collect();
        assert_eq!(all.len(), 6);
        assert_ne!(capturing("tensor([1.0, 2.0])"), capturing("tensor([1.0, 3.0])"));
        // Arrays and maps of what is no JSON: every digit and item, whatever a text for people shows.
        let among = |value: &str| capturing(&format!("[tensor([1.0]), {value}]"));
        assert_ne!(among("0.1234567891"), among("0.1234567999"));
        assert_ne!(capturing("#{t: tensor([1.0]), a: 1}"), capturing("#{t: tensor([1.0]), b: 1}"));
        let long = |last: &str| of(&format!("let w = [|x| x]; w.pad(300, 1); w.push({last}); name_of(|a, b| w.len())"));
        assert_ne!(long("0.5"), long("0.7"));
        assert_eq!(capturing("[|x| x, 2.0]"), capturing("[  |x| x, 2.0]"));
        // Through a closure that it captured, and in a circle.
        let through =
            |body: &str, w: &str| of(&format!("let w = {w}; let g = |x| x {body} w; name_of(|a, b| g.call(a - b))"));
        assert_eq!(through("*", "0.5"), through(" * ", "0.5"));
        assert_ne!(through("*", "0.5"), through("*", "0.6"));
        assert_ne!(through("*", "0.5"), through("+", "0.5"));
        assert!(!of("let f = (); f = |a, b| if a > 1 { f.call(a, b) } else { b }; name_of(f)").is_empty());
    }
}
