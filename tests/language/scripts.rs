//! Scripts as files: the message of every mistake in tests/errors, the checker over all that we ship, every example, the
//! tutorial.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cpsd::script::check::{self, Severity};
use cpsd::script::modules;

use crate::common::{CPSD, alone, err, out, root, session};

/// The scripts of a folder, by name.
fn scripts(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "rhai")).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has no scripts");
    files
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            let _ = std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(CPSD)
        .args(arguments)
        .current_dir(folder)
        .env("CPSD_RUNS", folder.join("runs"))
        .env_remove("COLUMNS")
        .output()
        .unwrap()
}

/// The message of each bad script is its reviewed snapshot. A message that reads badly is mended in the sources; then
/// `SNAPSHOTS=overwrite cargo test --release --test language scripts::every_mistake` writes the snapshot again.
#[test]
fn every_mistake_says_what_is_written_beside_it() {
    alone!();
    let folder = tempfile::tempdir().unwrap();
    copy(&root("tests/errors"), folder.path());
    // Places and paths in messages are relative to here.
    std::env::set_current_dir(folder.path()).unwrap();
    let snapshots = snapbox::Assert::new().action_env("SNAPSHOTS").normalize_paths(false);
    let mut failures = Vec::new();
    let all = scripts("tests/errors");
    assert!(all.len() >= 50, "{} scripts", all.len());
    for script in all {
        let name = script.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&script).unwrap();
        let said = match text.lines().next().and_then(|line| line.strip_prefix("// arguments: ")) {
            Some(arguments) => {
                let output =
                    run(folder.path(), &[&["script", name], &arguments.split(' ').collect::<Vec<_>>()[..]].concat());
                format!("{}exit code {}\n", err(&output), output.status.code().unwrap())
            }
            None => match session(&folder.path().join("runs")).run_file(Path::new(name), &[]) {
                Ok(_) => "no mistake".to_string(),
                Err(failure) => failure.render(false, 100),
            },
        };
        // Whatever it says, these never reach a user.
        for leak in [
            "no mistake",
            "Exception raised",
            "frame #",
            "torch/csrc",
            "aten/",
            "alloc::",
            "ErrorFunctionNotFound",
            "anon$",
        ] {
            assert!(!said.contains(leak), "{name} says \"{leak}\":\n{said}");
        }
        let expected = snapbox::Data::read_from(&script.with_extension("txt"), Some(snapbox::data::DataFormat::Text));
        if let Err(difference) = snapshots.try_eq(Some(&name), said.into(), expected) {
            failures.push(difference.to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Warnings of libtorch would stand in the middle of what a script prints.
#[test]
fn libtorch_writes_nothing_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let code =
        "print([ones(1).std(), zeros([0, 3]).var(1), ones([2, 1]).var(1, #{keepdim: true}), zeros(0).var()].len())";
    let output = run(folder.path(), &["eval", code]);
    assert_eq!((out(&output).trim(), err(&output).as_str()), ("4", ""));
}

/// The checker reports nothing in scripts that work.
#[test]
fn the_checker_finds_nothing_in_what_we_ship() {
    let session = cpsd::primitives::session();
    let mut texts: Vec<(String, String)> =
        modules::STDLIB.iter().map(|(name, text)| (format!("stdlib/{name}"), text.to_string())).collect();
    for folder in ["scripts", "examples", "examples/heads", "examples/libraries", "tests/libraries", "docs/results"] {
        texts.extend(scripts(folder).iter().map(|p| (p.display().to_string(), std::fs::read_to_string(p).unwrap())));
    }
    // The blocks of the tutorial are one script.
    let tutorial = std::fs::read_to_string(root("docs/tutorial.in.md")).unwrap();
    texts.push((
        "docs/tutorial.in.md".into(),
        tutorial.split("```rust\n").skip(1).map(|block| format!("{};\n", block.split("```").next().unwrap())).collect(),
    ));
    for word in cpsd::primitives::WORDS {
        texts.extend(
            word.examples.iter().map(|example| (format!("the example of {}", word.name), example.code.to_string())),
        );
    }
    for (name, text) in texts {
        let findings = check::check(&session, &text, &name).unwrap_or_else(|f| panic!("{}", f.render(false, 100)));
        let lines: Vec<String> = findings.iter().map(|f| f.line(&name)).collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}

/// Texts, and the findings in each with their places.
#[test]
fn the_checker_finds_names_that_are_missing_and_names_that_nothing_reads() {
    use Severity::{Error, Warning};
    type Finding = (Severity, (usize, usize), &'static str);
    let cases: &[(&str, &[Finding])] = &[
        (
            "let used = 1;\nprint(useed);",
            &[
                (Warning, (1, 5), "the variable \"used\" is never read"),
                (Error, (2, 7), "there is no variable \"useed\""),
            ],
        ),
        ("k = 4;", &[(Error, (1, 1), "there is no variable \"k\"")]),
        ("let a = 1;\na = 2;", &[(Warning, (1, 5), "the variable \"a\" is never read")]),
        ("let a = 1;\na += 2;\nlet _b = 3;", &[]),
        ("let a = 1; let a = a + 1; print(a);", &[]),
        ("let a = 1; if true { let a = 2; } print(a);", &[(Warning, (1, 26), "the variable \"a\" is never read")]),
        ("let a = 1; let f = |x| x + a; print(f.call(2));", &[]),
        ("let a = []; [1].for_each(|x| a.push(x)); ", &[]),
        ("let f = |x| |y| x + y + z; print(f);", &[(Error, (1, 25), "there is no variable \"z\"")]),
        ("fn f(a, b) { a }\nf(1, 2);", &[(Warning, (1, 9), "the parameter \"b\" is never read")]),
        ("fn f(a, _b) { a }\nprint([1].map(|x| 2)); f(1, 2);", &[]),
        (
            "let k = 1; fn f() { k } f(); print(k);",
            &[(Error, (1, 21), "\"k\" is a variable of the script, which a function does not see")],
        ),
        ("const K = 1; fn f() { global::K } f();", &[]),
        ("fn f() { return 1; print(2); }\nf();", &[(Warning, (1, 20), "this is never reached")]),
        ("for i in 0..3 { if i > 1 { break; } print(1); }", &[]),
        ("fn f(x) { throw x; 2 } f(1);", &[(Warning, (1, 20), "this is never reached")]),
        ("import \"method\" as m;", &[(Warning, (1, 20), "nothing of the library \"m\" is used")]),
        ("import \"method\" as m; fn f() { m::defaults() } f();", &[]),
        ("import \"method\" as m; print([1].map(|_x| m::defaults()));", &[]),
        // A closure sees the libraries that are imported where it is written.
        ("fn f() { import \"method\" as m; [1].map(|_x| m::defaults()) } f();", &[]),
        ("fn f() { import \"method\" as m; [1].map(|x| [x].map(|_y| m::defaults())) } f();", &[]),
        ("if true { import \"method\" as m; print([1].map(|_x| m::defaults())); }", &[]),
        ("for i in 0..2 { import \"method\" as m; print([i].map(|_x| m::defaults())); }", &[]),
        ("{ import \"method\" as m; let k = 1; print([1].map(|x| [x + k, m::defaults()])); }", &[]),
        ("import \"method\" as m; print([1].map(|m| [m, m::defaults()]));", &[]),
        // In front of the import too: it may be called behind it.
        ("{ let f = |_x| m::defaults(); import \"method\" as m; f.call(1); }", &[]),
        ("fn g() { let f = |_x| m::defaults(); import \"method\" as m; f.call(1) } g();", &[]),
        (
            "{ m::defaults(); import \"method\" as m; [1].map(|_x| m::defaults()); }",
            &[(Error, (1, 3), "no library is imported as m")],
        ),
        (
            "{ let f = |_x| { m::defaults(); import \"method\" as m; m::defaults() }; f.call(1); }",
            &[(Error, (1, 18), "no library is imported as m")],
        ),
        (
            "{ { import \"method\" as m; m::defaults(); } let f = |_x| m::defaults(); f.call(1); }",
            &[(Error, (1, 57), "no library is imported as m")],
        ),
        (
            "if true { import \"method\" as m; m::defaults(); } print([1].map(|_x| m::defaults()));",
            &[(Error, (1, 69), "no library is imported as m")],
        ),
        ("fn f() { let m = 1; [m].map(|_x| m::defaults()) } f();", &[(Error, (1, 34), "no library is imported as m")]),
        (
            "fn f() { import \"method\" as m; [1].map(|x| x) } f();",
            &[(Warning, (1, 29), "nothing of the library \"m\" is used")],
        ),
        ("import \"method\" as m; m::defalts();", &[(Error, (1, 26), "the library m has no function defalts")]),
        ("import \"method\" as m; m::tasks(1);", &[(Error, (1, 26), "m::tasks takes 4 arguments; got 1")]),
        ("m::tasks(1);", &[(Error, (1, 1), "no library is imported as m")]),
        ("fn f(a) { a } f(1, 2);", &[(Error, (1, 15), "f does not take 2 arguments")]),
        (
            "let p = random_partition;",
            &[
                (Warning, (1, 5), "the variable \"p\" is never read"),
                (Error, (1, 9), "\"random_partition\" is a function: call it, as in random_partition(...)"),
            ],
        ),
        ("print([1].mapp(|x| x));", &[(Error, (1, 11), "there is no function mapp")]),
        ("let o = #{ run: |x| x };\no.run(2);", &[]),
        (
            "let o = #{ seed: 1,\n  restart: 2 };\nasl(#{\n  gama: 1 });\nprint(o);",
            &[(Error, (4, 3), "asl has no option \"gama\"")],
        ),
        // What is never run.
        ("let p = #{a: 1}; if false { print(p.b); }", &[]),
        ("let p = #{a: 1}; if true { p.a } else { if 1 > 2 { p.b } else { 2 } }", &[]),
        ("let p = #{a: 1}; while false { print(p.b); }", &[]),
        ("let p = #{a: 1}; if false { 1 } else { p.b }", &[(Error, (1, 42), "there is no key \"b\" in this map")]),
        ("let p = #{a: 1}; if true { p.b } else { 1 }", &[(Error, (1, 30), "there is no key \"b\" in this map")]),
        ("try { throw 1; } catch (e) { }", &[]),
        // What may be meant to fail.
        ("try { [].foo() } catch { 1 }", &[(Warning, (1, 10), "there is no function foo")]),
        (
            "try { [1].map(|x| nothing(x)); import \"methd\" as m; m::f() } catch { other() }",
            &[
                (Warning, (1, 19), "there is no function nothing"),
                (
                    Warning,
                    (1, 39),
                    "no library \"methd\": looked in the standard library, beside the script and in CPSD_PATH",
                ),
                (Error, (1, 70), "there is no function other"),
            ],
        ),
        ("let f = |x| x + 1; print(f(1));", &[(Error, (1, 26), "\"f\" holds a closure")]),
        ("let k = 1; let f = |x| x + k; print(f(1));", &[(Error, (1, 37), "\"f\" holds a closure")]),
        ("fn apply(f) { f(1) } apply(|x| x);", &[(Error, (1, 15), "\"f\" is a variable, not a function")]),
        ("let f = 1; f = |x| x; print(f(1));", &[(Error, (1, 29), "\"f\" is a variable, not a function")]),
        ("let name = \"x\"; print(`hello ${name}`);", &[]),
        ("let v = 3; eval(\"v\");", &[]),
        ("switch 3 { 3 if nothing => 1, _ => 2 }", &[(Error, (1, 17), "there is no variable \"nothing\"")]),
    ];
    let session = cpsd::primitives::session();
    for (text, expected) in cases {
        let findings = check::check(&session, text, "case").unwrap_or_else(|f| panic!("{}", f.render(false, 100)));
        let found: Vec<(Severity, (usize, usize), &str)> =
            findings.iter().map(|f| (f.severity, f.position, f.message.as_str())).collect();
        assert_eq!(&found[..], *expected, "{text}");
        for finding in &findings {
            assert!(
                text.get(finding.span.clone()).is_some_and(|t| !t.is_empty()),
                "{text}: nothing is underlined for {finding:?}"
            );
        }
    }
    assert!(check::check(&session, "let a = (1;", "case").is_err());
}

/// Many keys that a map does not have: each is looked for among all keys, so only the first ones are named, and the rest is counted.
#[test]
fn the_checker_counts_missing_keys_where_they_are_many() {
    let keys: Vec<String> = (0..1000).map(|i| format!("k{i}: {i}")).collect();
    let reads: String = (0..2000).map(|i| format!("print(m.k{i});\n")).collect();
    let text = format!("let m = #{{{}}};\n{reads}", keys.join(", "));
    let findings = check::check(&cpsd::primitives::session(), &text, "case").unwrap();
    let first = findings.first().unwrap();
    assert_eq!((first.position, &*first.message), ((1002, 9), "there is no key \"k1000\" in this map"));
    let (last, named) = findings.split_last().unwrap();
    assert!(named.iter().all(|finding| finding.message.starts_with("there is no key")), "{named:?}");
    let rest = format!("keys are read from here on that their maps do not have: {}", 1000 - named.len());
    assert_eq!((last.position, &last.message), ((1002 + named.len(), 9), &rest));
    assert!((50..=200).contains(&named.len()), "{}", named.len());
}

/// Names that are unknown: the checker says of them what the run says, in the same place.
#[test]
fn the_checker_speaks_of_unknown_names_as_the_run_does() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("own.rhai", "fn f(a) { a }\nfn f(a, b) { a + b }\nprivate fn hidden() { f(1) }\nfn shown() { hidden() }\n");
    let path = folder.path().join("main.rhai");
    let name = path.display().to_string();
    let checked = cpsd::primitives::session();
    for (text, said, help) in [
        ("import \"methd\" as m; m::f();", "no library \"methd\": looked in", Some("did you mean \"method\"?")),
        ("import \"own\" as o; o::foo(1);", "the library o has no function foo", Some("expected one of: f, shown")),
        (
            "import \"own\" as o; o::hidden();",
            "the library o has no function hidden",
            Some("expected one of: f, shown"),
        ),
        ("import \"own\" as o; o::shwn();", "the library o has no function shwn", Some("did you mean \"shown\"?")),
        ("import \"own\" as o; o::f();", "o::f takes 1 or 2 arguments; got 0", Some("it is o::f(a) or o::f(a, b)")),
        ("let f = |x| x + 1; print(f(1));", "\"f\" holds a closure", Some("it is called as f.call(...)")),
        ("let data = 1; print(daat + data);", "there is no variable \"daat\"", Some("did you mean \"data\"?")),
        ("print(None);", "there is no variable \"None\"", Some("nothing is written ()")),
        ("fn f() { k } let k = 1; f(); print(k);", "\"k\" is a variable of the script", Some("pass it as an argument")),
        ("count = 3;", "there is no variable \"count\"", Some("a new variable is made with let")),
        ("let m = #{a: 1, bee: 2}; print(m.a + m.be);", "there is no key \"be\" in this map", Some("did you mean")),
        ("let m = #{z: 1, a: #{b: 2}}; m.c.b", "there is no key \"c\" in this map", Some("expected one of: a, z")),
        (
            "fn f() { let m = #{a: 1}; m.b } f();",
            "there is no key \"b\" in this map",
            Some("a key that may be missing"),
        ),
        ("print(random_partition);", "\"random_partition\" is a function: call it", None),
    ] {
        std::fs::write(&path, text).unwrap();
        let failure = session(&folder.path().join("runs")).run_file(&path, &[]).expect_err(text);
        let findings = check::check(&checked, text, &name).unwrap();
        let [found] = &findings[..] else { panic!("{text}: {findings:?}") };
        let place = format!("{name}:{}:{}", found.position.0, found.position.1);
        assert_eq!((&found.message, &found.help), (&failure.message, &failure.help), "{text}");
        assert_eq!(failure.place(), Some(place), "{text}");
        assert!(found.message.starts_with(said), "{text}: {}", found.message);
        assert_eq!(found.help.is_some(), help.is_some(), "{text}: {:?}", found.help);
        assert!(
            found.help.as_deref().unwrap_or_default().starts_with(help.unwrap_or_default()),
            "{text}: {:?}",
            found.help
        );
    }
    // What another language has under a name, where the run knows the kinds as well.
    let of = |text: &str| check::check(&checked, text, &name).unwrap();
    assert_eq!(of("print(\"a\".upper());")[0].help.as_deref(), Some("it is written to_upper"));
    // A library that a library imports; a path that is computed.
    write("outer.rhai", "fn f() { 1 }\nimport \"nowhere\" as n;\n");
    let found = of("import \"outer\" as o; o::f();");
    let place = folder.path().join("outer.rhai").display().to_string();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].message.starts_with(&format!("{place}:2:8: no library \"nowhere\"")), "{found:?}");
    assert!(of("let path = \"nowhere\"; import path as o; o::f();").is_empty());
}

/// A call whose mistake is certain: the checker says of it what the call says.
#[test]
fn the_checker_finds_members_arguments_and_options_that_are_certainly_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let data = "let d = dataset(\"emoji-scenes\", #{train: 24, val: 6, test: 6, test_shifted: 4, size: 32});\n";
    let model = "let m = model(\"small_cnn\", #{labels: [\"a\"], image_size: 32});\n";
    let counts = "let c = cooccurrence(d.train.labels);\n";
    let checked = cpsd::primitives::session();
    for (code, said) in [
        ("d.train.namess", "a Dataset has no \"namess\""),
        ("d[\"train\"].namess", "a Dataset has no \"namess\""),
        ("let t = d.train; [1].map(|_x| t.labels.namess)", "a LabelTable has no \"namess\""),
        ("d.train.take(2).namess", "a Dataset has no \"namess\""),
        ("m.foo", "a Model has no \"foo\""),
        ("m.foo(1)", "there is no function foo for (Model, integer)"),
        ("d.train.labels.head()", "head takes 1 argument; got 0"),
        ("d.train.labels.head(\"a\")", "head: n must be an integer; got a string"),
        ("dataset(\"emoji-scenes\", #{image_size: 32})", "dataset \"emoji-scenes\" has no option \"image_size\""),
        ("dataset(\"emoji-scenes\", #{size: \"a\"})", "option \"size\" of dataset \"emoji-scenes\" must be"),
        ("dataset(\"emoji-scens\")", "unknown data set \"emoji-scens\""),
        ("affinity(c, \"coo\")", "unknown branch \"coo\""),
        ("recipe(\"cpsd-coco-r102\")", "unknown recipe \"cpsd-coco-r102\""),
        ("model(\"small_cn\", #{labels: [\"a\"]})", "unknown backbone \"small_cn\""),
        ("model(\"small_cnn\", #{labels: [\"a\"], head: \"csraa\"})", "unknown head \"csraa\""),
        ("spectral_partition(1, 2)", "spectral_partition: affinity must be an Affinity; got an integer"),
        ("let k = \"2\"; spectral_partition(affinity(c, \"co\"), k)", "spectral_partition: k must be an integer"),
        (
            "train_teacher(d, d.train.names, #{epochs: \"a\"})",
            "option \"epochs\" of train_teacher must be a non-negative",
        ),
        ("train_teacher(d, d.train.names, #{epochs: -1})", "option \"epochs\" of train_teacher must be a non-negative"),
        ("train_teacher(d, d.train.names, #{loss: \"asll\"})", "option \"loss\" of train_teacher must be \"asl\""),
        (
            "train_teacher(d, d.train.names, #{loss: #{name: \"asl\", clap: 1}})",
            "option \"loss\" of train_teacher has no key",
        ),
        ("train_teacher(d, d.train.names, #{model: \"small_cn\"})", "unknown backbone \"small_cn\""),
        ("train_teacher(d, d.train.names, #{model: #{backbone: \"small_cn\"}})", "unknown backbone \"small_cn\""),
        ("train_teacher(d, d.train.names, #{model: #{head: \"csraa\", backbone: \"small_cnn\"}})", "unknown head"),
        (
            "train_teacher(d, d.train.names, #{model: #{image_size: \"a\"}})",
            "option \"model.image_size\" of train_teacher",
        ),
        ("train_teacher(d, d.train.names, #{augment: #{flip: \"a\"}})", "option \"augment.flip\" of train_teacher"),
        ("train_teacher(d, d.train.names, #{schedule: \"onecycl\"})", "option \"schedule\" of train_teacher must be"),
        ("slurm(#{memory: 4, time: true})", "option \"time\" of slurm must be a string; got true"),
    ] {
        let text = format!("{data}{model}{counts}print(c, m);\n{code};");
        let findings = check::check(&checked, &text, "case").unwrap();
        let found: Vec<_> = findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .map(|f| (f.message.as_str(), f.help.as_deref(), f.position.0))
            .collect();
        let failure = session(&folder.path().join("runs")).eval(&text, "case").expect_err(code);
        assert_eq!(found, [(failure.message.as_str(), failure.help.as_deref(), 5)], "{code}");
        assert!(failure.message.contains(said), "{code}: {}", failure.message);
    }
}

/// A syntax error, and what is certain of the statements in front of it.
#[test]
fn a_syntax_error_does_not_hide_what_is_in_front_of_it() {
    use Severity::{Error, Warning};
    let session = cpsd::primitives::session();
    let no = |name: &str| format!("there is no variable \"{name}\"");
    let unread = |name: &str| format!("the variable \"{name}\" is never read");
    for (text, expected) in [
        // Its statement is not looked at. In those behind it, names are unknown that stand nowhere else.
        (
            "print(nothing);\nlet b = (2 +;\nprint(none);\nprint(b);\nlet c = 1;\nnever(c, 1 / 3, [\n  none\n]);",
            vec![
                (Error, 1, no("nothing")),
                (Error, 2, String::new()),
                (Error, 3, no("none")),
                (Error, 6, "there is no function never".into()),
                (Error, 7, no("none")),
            ],
        ),
        ("fn f(a) {\nlet b = (;\na.len();\nfor i in a {\nprint(i);\n}\n}", vec![(Error, 2, String::new())]),
        ("let b = (;\nlet c = eval(\"1\")\nprint(none);", vec![(Error, 1, String::new())]),
        ("print(nothing);\nlet b = [1,\n\nlet c = 2;", vec![(Error, 1, no("nothing")), (Error, 4, String::new())]),
        ("fn f() { nothing }\nfn g( { 1 }", vec![(Error, 1, no("nothing")), (Error, 2, String::new())]),
        ("let a = (1 +\n", vec![(Error, 0, String::new())]),
        ("let a = nothing)", vec![(Error, 1, String::new())]),
        (
            "let d = dataset(\"emoji-scens\");\nd.",
            vec![(Error, 1, "unknown data set \"emoji-scens\"".into()), (Error, 0, String::new())],
        ),
        // What comes later may use, and make, what is in front.
        ("let a = 1;\nlet b = 2;\nprint(a +", vec![(Warning, 2, unread("b")), (Error, 0, String::new())]),
        ("let a = 1;\nprint(`${a}` +", vec![(Error, 0, String::new())]),
        (
            "later(1);\nnever(1);\nfn later(a) { a }\nprint(",
            vec![(Error, 2, "there is no function never".into()), (Error, 0, String::new())],
        ),
        ("fn f(o) { o.run(1) }\nf(#{run: |x| x}", vec![(Error, 0, String::new())]),
        // Functions behind it are: those at the left margin, each alone.
        (
            "let a = (1 +;\nfn f() { nothing + k }\nfn g() { let b = ; }\nlet k = 1;\nfn h(x) { x * f() * never() }",
            vec![
                (Error, 1, String::new()),
                (Error, 2, no("nothing")),
                (Error, 3, String::new()),
                (Error, 5, "there is no function never".into()),
            ],
        ),
        (
            "fn f(a) { if a { 1 }\nfn g(b) { b + c }\nfn h() { print(\"a\" \"b\") }\n",
            vec![(Error, 2, String::new()), (Error, 2, no("c")), (Error, 3, String::new())],
        ),
        (
            "print(1 / 3);\nprint(4 / (",
            vec![(Warning, 1, "1 / 3 of integers is 0: the fraction is dropped".into()), (Error, 0, String::new())],
        ),
    ] {
        let findings = check::check_all(&session, text, "case", &|_| None).unwrap();
        let found: Vec<_> = findings.iter().map(|f| (f.severity, f.position.0, f.message.clone())).collect();
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        for (found, expected) in found.iter().zip(&expected) {
            // (Of the syntax error itself Rhai decides place and sentence.)
            assert_eq!(found.0, expected.0, "{text}");
            assert!(expected.1 == 0 || found.1 == expected.1, "{text}: {found:?}");
            assert!(expected.2.is_empty() || found.2 == expected.2, "{text}: {found:?}");
        }
        assert!(findings.iter().all(|finding| text.get(finding.span.clone()).is_some()), "{text}: {findings:?}");
    }
}

/// What may be right is not found: values that could be of another kind, and names that could mean something else.
#[test]
fn the_checker_finds_no_mistake_where_there_may_be_none() {
    let session = cpsd::primitives::session();
    for text in [
        "let d = dataset(\"emoji-scenes\"); d.more = #{namess: 1}; print(d.more.namess);",
        "let d = dataset(\"emoji-scenes\"); d.set(\"more\", #{namess: 1}); print(d.more.namess);",
        "let d = dataset(\"emoji-scenes\"); d = #{train: #{namess: 1}}; print(d.train.namess);",
        "fn f(d) { d.train.namess } let d = dataset(\"emoji-scenes\"); f(d.keys());",
        "let t = dataset(\"emoji-scenes\").train; for t in [#{namess: 1}] { print(t.namess); } print(t);",
        "let t = dataset(\"emoji-scenes\").train; if true { let t = #{namess: 1}; print(t.namess); } print(t);",
        "let t = dataset(\"emoji-scenes\").train; print([#{namess: 1}].map(|t| t.namess)); print(t);",
        "let t = dataset(\"emoji-scenes\").train; let f = || t = #{namess: 1}; f.call(); print(t.namess);",
        "let t = dataset(\"emoji-scenes\").train; eval(\"t = #{namess: 1}\"); print(t.namess);",
        "let t = dataset(\"emoji-scenes\").train; try { print(t.namess); } catch (e) { print(e); }",
        "fn change() { this = #{namess: 1}; } let t = dataset(\"emoji-scenes\").train; t.change(); print(t.namess);",
        "fn spectral_partition(a, b) { a + b } print(spectral_partition(1, 2));",
        "fn foo(n) { this.labels.len() + n } let m = model(\"small_cnn\", #{labels: [\"a\"]}); print(m.foo(1));",
        "let k = 3; k = affinity(cooccurrence(synthetic_labels(#{images: 9, labels: 3})), \"co\"); print(spectral_partition(k, 2));",
        "let name = \"coo\"; print(affinity(cooccurrence(synthetic_labels(#{images: 9, labels: 3})), name));",
        "let a = [[1, 2], [3]]; print(a[0][1].to_float(), a[0].len(), a[1].first());",
        "let d = dataset(\"emoji-scenes\"); let a = [d]; print(a[0].train.names, a[0][\"train\"].names, [d.train][0].labels.names);",
        "let o = #{tags: \"one\", epochs: 1}; print(o); print(train_teacher(dataset(\"emoji-scenes\"), [\"dog\"], #{tags: \"one\", model: \"small_cnn\", loss: \"asl\", schedule: |now| 1.0}));",
        "let d = dataset(\"folder\", #{root: \"a\", cache: 32, on_bad_image: \"skip\", val: 0.1}); print(d.train);",
        "slurm(#{memory: 4, time: 30});",
        "let t = tensor([[1.0, 2.0]]); print(t[0, 1], t[0].sum(), t.shape[0], (t * 2.0).mean(), 2.0 * t);",
        // A function of the text is a value.
        "fn twice(a) { 2 * a } let g = twice; print([1].map(twice), g.call(2));",
        // Maps that may have other keys than their literal, or are asked for keys that may be missing.
        "let m = #{a: 1}; m.b = 2; print(m.b);",
        "let m = #{a: 1}; m[\"b\"] = 2; print(m.b);",
        "let m = #{a: 1}; m.set(\"b\", 2); print(m.b);",
        "let m = #{a: 1}; m += #{b: 2}; print(m.b);",
        "let m = #{a: 1}; m = #{b: 2}; print(m.b);",
        "let m = #{a: 1}; let m = #{b: 2}; print(m.b);",
        "let m = #{a: 1}; let f = || m.b = 2; f.call(); print(m.b);",
        "let m = #{a: 1}; eval(\"m.b = 2\"); print(m.b);",
        "fn more() { this.b = 2; } let m = #{a: 1}; m.more(); print(m.b);",
        "let m = #{a: 1, run: || this.b = 2}; m.run(); print(m.b);",
        "let m = #{a: 1}; for m in [#{b: 2}] { print(m.b); } print(m);",
        "let m = #{a: 1}; print(m?.b, m?.b ?? 7, m.b ?? 7, #{b: ()}?.c ?? 7);",
        "let m = #{a: 1}; if \"b\" in m { print(m.b); }",
        "let m = #{a: 1}; try { print(m.b); } catch { print(m.a); }",
        "let m = #{a: [1]}; m.a.push(2); print(m.a, m.len(), m[\"a\"]);",
    ] {
        let findings = check::check(&session, text, "case").unwrap_or_else(|f| panic!("{}", f.render(false, 100)));
        let errors: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
    }
}

/// A name is short for a map in the options of every training, and a word that reads them says so to the checker.
#[test]
fn no_word_of_a_training_refuses_what_is_short_for_something() {
    let mut seen = 0;
    for word in cpsd::primitives::WORDS {
        let Some(options) = &word.options else { continue };
        let usual = (options.defaults)();
        for (key, value) in [("model", "small_cnn"), ("loss", "asl"), ("distillation", "mse")] {
            if usual[key].is_object() {
                let refused = (options.refused)(word.name, key, &value.into());
                assert!(refused.is_none(), "{}: {refused:?}", word.name);
                seen += 1;
            }
        }
        // What an option is by itself is never refused.
        for (key, value) in usual.as_object().unwrap().iter().filter(|(_, value)| !value.is_null()) {
            let refused = (options.refused)(word.name, key, value);
            assert!(refused.is_none(), "{}: {key}: {refused:?}", word.name);
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn warnings_fail_only_when_they_are_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("warning.rhai"), "let unread = 1;").unwrap();
    std::fs::write(folder.path().join("error.rhai"), "nothing(1);").unwrap();
    let code = |arguments: &[&str]| run(folder.path(), arguments).status.code();
    assert_eq!(code(&["check", "warning.rhai"]), Some(0));
    assert_eq!(code(&["check", "--strict", "warning.rhai"]), Some(1));
    assert_eq!(code(&["check", "error.rhai", "warning.rhai"]), Some(1));
    let said = out(&run(folder.path(), &["check", "warning.rhai", "error.rhai"]));
    assert_eq!(
        said,
        "warning.rhai:1:5: warning: the variable \"unread\" is never read (a name that begins with _ need not be)\n\
         error.rhai:1:1: error: there is no function nothing\n1 error, 1 warning in 2 files\n"
    );
    // A syntax error is a line as any other.
    std::fs::write(folder.path().join("syntax.rhai"), "nothing(1);\nlet b = (2 +;\n").unwrap();
    let checked = run(folder.path(), &["check", "syntax.rhai", "error.rhai"]);
    assert_eq!((checked.status.code(), err(&checked).as_str()), (Some(1), ""));
    assert_eq!(
        out(&checked),
        "syntax.rhai:1:1: error: there is no function nothing\nsyntax.rhai:2:13: error: \";\" is not allowed here\n\
         error.rhai:1:1: error: there is no function nothing\n3 errors, 0 warnings in 2 files\n"
    );
}

/// Arguments that make an example a toy, where its defaults are not.
const TOYS: &[(&str, &[&str])] = &[
    ("adapters", &["epochs=1", "train=32"]),
    ("ml_vpt", &["epochs=1", "before=1", "train=48", "held=24", "blocks=1", "side=28"]),
    ("fine_tuning", &["epochs=1", "scratch=1", "train=48", "held=24"]),
    ("own_loss", &["epochs=1", "train=64"]),
];

#[test]
fn every_example_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    for example in scripts("examples") {
        let name = example.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&example).unwrap();
        assert!(text.starts_with("// "), "{name} does not begin with what it shows");
        if text.contains("\"imagenet\"") && !root("weights/efficientnet_lite0.pth").exists() {
            println!("skipped: {name} needs weights/efficientnet_lite0.pth (make weights)");
            continue;
        }
        let arguments = TOYS.iter().find(|(toy, _)| *toy == name).map_or(&[][..], |(_, arguments)| arguments);
        let output = Command::new(CPSD)
            .arg("script")
            .arg(&example)
            .args(arguments)
            .current_dir(folder.path())
            .env("CPSD_RUNS", folder.path().join("runs"))
            .env("CPSD_WEIGHTS", root("weights"))
            .output()
            .unwrap();
        if output.status.code() != Some(0) || output.stdout.is_empty() {
            failures.push(format!("{name}: {}\n{}", output.status, err(&output)));
        }
    }
    let tests = run(folder.path(), &["test", root("examples/libraries").to_str().unwrap()]);
    assert!(tests.status.success(), "{}", out(&tests));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The blocks of the tutorial run, and its page follows from its source: prose, code and names of figures agree. The
/// output of the blocks is not compared, since trained numbers depend on the processor.
#[test]
fn the_tutorial_runs_and_its_page_is_not_stale() {
    if !root("weights/efficientnet_lite0.pth").exists() {
        println!("skipped: the tutorial needs weights/efficientnet_lite0.pth (make weights)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("tutorial.md");
    let output = Command::new(CPSD)
        .args(["doc", "--weave"])
        .arg(root("docs/tutorial.in.md"))
        .arg("--into")
        .arg(&page)
        .current_dir(folder.path())
        .env("CPSD_WEIGHTS", root("weights"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", err(&output));
    let without_output = |text: &str| -> String {
        text.split("```text\n")
            .enumerate()
            .map(|(i, part)| if i == 0 { part } else { part.split_once("```\n").unwrap().1 })
            .collect()
    };
    let (made, kept) =
        (std::fs::read_to_string(&page).unwrap(), std::fs::read_to_string(root("docs/tutorial.md")).unwrap());
    assert!(without_output(&made) == without_output(&kept), "docs/tutorial.md is stale: make tutorial writes it again");
    assert_eq!(made.matches("```text\n").count(), kept.matches("```text\n").count());
    for figure in std::fs::read_dir(folder.path().join("img/tutorial")).unwrap().flatten() {
        assert!(
            root("docs/img/tutorial").join(figure.file_name()).exists(),
            "docs/img/tutorial lacks {:?}: make tutorial",
            figure.file_name()
        );
    }
    let leftover = std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .any(|e| e.file_name().to_string_lossy().starts_with(".cpsd-weave"));
    assert!(!leftover, "the working folder of the blocks stays behind");
}
