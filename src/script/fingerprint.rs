//! The identity of a closure's code: equal code has an equal fingerprint, wherever it is in a file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rhai::{Dynamic, FnPtr, Module, NativeCallContext};

use super::host::Host;
use super::{options, vocabulary};

/// Bodies of the functions that a text can call, by name; those of imported libraries as `library::name`.
type Bodies = BTreeMap<String, String>;

/// A hash of a closure's code, of the functions of the script and of imported libraries that it calls, and of the values
/// that it captured. Comments, blank space and its place do not count.
pub fn of_closure(closure: &FnPtr, call: &NativeCallContext, host: &Host) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("cpsd closure 1");
    walk(closure, call, host, &mut |part| {
        match part {
            Part::Code(body) => hasher.update(without_places(body).as_bytes()),
            Part::Cases(text) | Part::Value(text) => hasher.update(text.as_bytes()),
        };
    });
    hasher.finalize().to_hex()[..16].to_string()
}

/// Whether a closure's code, that of the functions which it calls, or a value that it captured has this text as a literal.
pub fn has_literal(closure: &FnPtr, call: &NativeCallContext, host: &Host, literal: &str) -> bool {
    let (quoted, mut found) = (format!("\"{literal}\""), false);
    walk(closure, call, host, &mut |part| {
        let (Part::Code(text) | Part::Cases(text) | Part::Value(text)) = part;
        found |= text.contains(&quoted);
    });
    found
}

/// The numbers of parameters that a closure has, beside what it captured: one, or several of a function by its name that has as many
/// definitions. Empty for a function of Rust.
pub fn parameters(closure: &FnPtr, call: &NativeCallContext, host: &Host) -> Vec<usize> {
    let captured = closure.iter_curry().count();
    let mut found = BTreeSet::new();
    let mut add = |module: &Module| {
        let functions = module.iter_script_fn_info().filter(|(_, _, name, ..)| *name == bare(closure.fn_name()));
        found.extend(functions.filter_map(|(.., definition)| definition.params.len().checked_sub(captured)));
    };
    call.iter_namespaces().for_each(&mut add);
    call.iter_imports().for_each(|(_, module)| add(module));
    host.imports.borrow().iter().for_each(|(_, module)| add(module));
    found.into_iter().collect()
}

/// A part of what decides a closure's results.
enum Part<'a> {
    /// The syntax tree of a function.
    Code(&'a str),
    /// The text of a function that has cases, without blanks and comments.
    Cases(&'a str),
    /// A captured value.
    Value(&'a str),
}

/// Visits a closure's code, that of the functions which it calls, and the values that it captured, always in the same order.
fn walk(closure: &FnPtr, call: &NativeCallContext, host: &Host, visit: &mut dyn FnMut(Part)) {
    let mut bodies = Bodies::new();
    for module in call.iter_namespaces() {
        add(&mut bodies, "", module);
    }
    for (name, module) in call.iter_imports() {
        add(&mut bodies, name, module);
    }
    for (name, module) in host.imports.borrow().iter() {
        add(&mut bodies, name, module);
    }
    // A library's function calls its own by their bare names.
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for full in bodies.keys() {
        by_name.entry(bare(full)).or_default().push(full);
    }
    let mut seen = BTreeSet::new();
    let mut code = |visit: &mut dyn FnMut(Part), name: &str| {
        let mut waiting = vec![name.to_string()];
        while let Some(name) = waiting.pop() {
            for full in by_name.get(bare(&name)).into_iter().flatten() {
                if !seen.insert(full.to_string()) {
                    continue;
                }
                let body = &bodies[*full];
                visit(Part::Code(body));
                // Of the cases of a switch the tree keeps hashes of the process alone.
                if body.contains("Switch(")
                    && let Some(written) = host.sources.written(bare(full))
                {
                    visit(Part::Cases(&written));
                }
                waiting.extend(quoted(body).filter(|word| by_name.contains_key(word)).map(str::to_string));
            }
        }
    };
    code(visit, closure.fn_name());
    // A closure that it captured counts by its own code and by what that captured; one that captured itself, once.
    let mut waiting: VecDeque<Dynamic> = closure.iter_curry().cloned().collect();
    let mut passed = 0;
    while let Some(value) = waiting.pop_front() {
        match value.read_lock::<FnPtr>() {
            Some(captured) if passed < CLOSURES => {
                passed += 1;
                visit(Part::Value("closure"));
                code(visit, captured.fn_name());
                waiting.extend(captured.iter_curry().cloned());
            }
            Some(_) => {}
            None => match identity(&value) {
                Some(known) => visit(Part::Value(&known)),
                // Its parts count, each by its own identity: a text for people would leave digits and items out.
                None => {
                    if let Ok(array) = value.as_array_ref() {
                        visit(Part::Value(&format!("array {}", array.len())));
                        waiting.extend(array.iter().cloned());
                    } else if let Ok(map) = value.as_map_ref() {
                        visit(Part::Value(&format!("map {:?}", map.keys().collect::<Vec<_>>())));
                        waiting.extend(map.values().cloned());
                    } else {
                        visit(Part::Value(&super::show::plain(&value)));
                    }
                }
            },
        }
    }
}

/// So many captured closures are followed.
const CLOSURES: usize = 1000;

/// The name of a function without that of its library.
fn bare(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

fn add(bodies: &mut Bodies, library: &str, module: &Module) {
    for (_, _, name, _, definition) in module.iter_script_fn_info() {
        let name = if library.is_empty() { name.to_string() } else { format!("{library}::{name}") };
        bodies.insert(name, format!("{:?} {:?}", definition.params, definition.body));
    }
}

/// The identity of a captured value: its contents, whatever made it. None for an array or map with parts that are no JSON,
/// and for a value of a kind without an identity.
fn identity(value: &Dynamic) -> Option<String> {
    let of_kind = vocabulary::kind_of(value).and_then(|kind| (kind.fingerprint)(value));
    of_kind.or_else(|| {
        let json = options::to_json(value).ok()?.to_string();
        // What is not finite is nothing in JSON.
        Some(if options::not_finite(value).is_some() { format!("{json} {}", all_shown(value)) } else { json })
    })
}

/// The numbers in a value, in their order.
fn all_shown(value: &Dynamic) -> String {
    let all = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(" ");
    match (value.as_array_ref(), value.as_map_ref()) {
        (Ok(array), _) => all(&mut array.iter().map(all_shown)),
        (_, Ok(map)) => all(&mut map.values().map(all_shown)),
        _ => value.as_float().map_or(String::new(), |x| x.to_string()),
    }
}

/// The quoted words of a syntax tree's text.
fn quoted(tree: &str) -> impl Iterator<Item = &str> {
    tree.split('"').skip(1).step_by(2)
}

/// A syntax tree's text without positions, without hashes that follow from names, and without the names of closures,
/// which follow from their positions.
fn without_places(tree: &str) -> String {
    let mut kept = String::with_capacity(tree.len());
    for (i, part) in tree.split('"').enumerate() {
        if i % 2 == 1 {
            kept.push_str(if part.starts_with("anon$") { "closure" } else { part });
            kept.push('"');
            continue;
        }
        let mut rest = part;
        while let Some(c) = rest.chars().next() {
            // Of a switch: hashes of the process, in an order of the process.
            if let Some(after) = rest.strip_prefix("cases: {") {
                rest = after.find('}').map_or("", |at| &after[at..]);
                continue;
            }
            if let Some(after) = rest.strip_prefix("hash: ") {
                rest = after.find("name").map_or("", |at| &after[at..]);
                continue;
            }
            // Of `x += 1`; the operator's name follows.
            if let Some(after) = ["hash_op_assign: ", "hash_op: "].iter().find_map(|hash| rest.strip_prefix(hash)) {
                rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
                continue;
            }
            if c.is_ascii_digit() {
                let end = rest.find(|c: char| !(c.is_ascii_digit() || ":.-".contains(c))).unwrap_or(rest.len());
                // Line and column; a number has no colon.
                if !rest[..end].contains(':') {
                    kept.push_str(&rest[..end]);
                }
                rest = &rest[end..];
                continue;
            }
            if !c.is_whitespace() {
                kept.push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    kept
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

    /// Rhai's hashes follow from a seed of the process.
    #[test]
    fn assignments_have_no_hash_of_the_process() {
        let session = crate::primitives::session();
        let ast = session.engine.compile("let f = |a| { a += 1; a -= 2; a };").unwrap();
        let tree = format!("{:?}", ast.iter_fn_def().next().unwrap().body);
        assert!(tree.contains("hash_op_assign: ") && tree.contains("hash_op: "), "{tree}");
        let text = super::without_places(&tree);
        let long = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
        assert!(long < Some(8), "{text}");
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
