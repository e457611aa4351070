//! Scripts that try to end, block or silence the process: each is an error with its place, or runs.

use std::path::Path;
use std::process::{Command, Output};

use cpsd::error::ErrorKind;
use cpsd::script::check;
use cpsd::script::limits::Bounds;

use crate::common::{CPSD, err, eval, out, session};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(CPSD).args(arguments).current_dir(folder).env("CPSD_RUNS", "runs").output().unwrap()
}

/// The messages of scripts, each run in a process of its own; an empty one for a script that runs.
fn told(folder: &Path, script: &str) -> String {
    let output = run(folder, &["eval", script]);
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(1), "{script}: {:?}\n{}", output.status, err(&output));
    if code == Some(0) { String::new() } else { err(&output).replace("\n  │", "") }
}

#[test]
fn libraries_in_a_circle_are_an_error_with_the_circle() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.rhai", "import \"b\" as b;\nfn one() { 1 }\nfn test_one() { one() }\n");
    write("b.rhai", "import \"a\" as a;\nfn two() { a::one() }\n");
    write("own.rhai", "import \"own\" as own;\n");
    write("main.rhai", "print(1);\nimport \"own\" as o;\n");
    let circle = "these import each other in a circle: a.rhai → b.rhai → a.rhai";
    for arguments in [["script", "a.rhai"], ["test", "a.rhai"]] {
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        assert!(err(&output).contains(circle) && err(&output).contains("b.rhai:1:"), "{}", err(&output));
    }
    let checked = run(folder.path(), &["check", "a.rhai"]);
    assert!(out(&checked).starts_with(&format!("a.rhai:1:8: error: {circle}")), "{}", out(&checked));
    for file in ["own.rhai", "main.rhai"] {
        assert!(err(&run(folder.path(), &["script", file])).contains("own.rhai imports itself"), "{file}");
        assert!(out(&run(folder.path(), &["check", file])).contains("own.rhai imports itself"), "{file}");
    }
    // A diamond is no circle.
    write("top.rhai", "import \"left\" as l; import \"right\" as r; print(l::f() + r::f());");
    write("left.rhai", "import \"bottom\" as b; fn f() { b::f() }");
    write("right.rhai", "import \"bottom\" as b; fn f() { b::f() }");
    write("bottom.rhai", "fn f() { 21 }");
    assert_eq!(out(&run(folder.path(), &["script", "top.rhai"])), "42\n");
    assert!(run(folder.path(), &["check", "top.rhai"]).status.success());
}

#[test]
fn a_thousand_libraries_behind_each_other_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..1000 {
        let text = format!("import \"l{}\" as next;\nfn f() {{ 1 }}\n", i + 1);
        std::fs::write(folder.path().join(format!("l{i}.rhai")), text).unwrap();
    }
    std::fs::write(folder.path().join("l1000.rhai"), "fn f() { 1 }").unwrap();
    let output = run(folder.path(), &["script", "l0.rhai"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("more than 100 deep"), "{}", err(&output));
    assert!(out(&run(folder.path(), &["check", "l0.rhai"])).contains("more than 100 deep"));
    assert!(run(folder.path(), &["script", "l920.rhai"]).status.success());
    assert!(run(folder.path(), &["check", "l920.rhai"]).status.success());
}

#[test]
fn a_comment_that_nothing_closes_is_an_error_at_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    for (text, place) in [
        ("let a = 1;\n  /* print(2);\n", "t:2:3"),
        ("/* /* a */ print(1)", "t:1:1"),
        ("\"/*\"; // /*\n/* x */ `/* ${1 /* */}`; 2 /*", "t:2:28"),
    ] {
        let failure = s.eval(text, "t").unwrap_err();
        assert_eq!(failure.message, "the comment that begins here is not closed", "{text}");
        assert_eq!(failure.place().as_deref(), Some(place), "{text}");
        assert_eq!(check::check(&s, text, "t").unwrap_err().place().as_deref(), Some(place), "{text}");
    }
    for closed in ["/* /* */ */ 7", "`/*`; 7", "\"/*\"; 7", "7 // /*", "`${ /* ` */ 7}`.parse_int()"] {
        assert_eq!(eval(&mut s, closed).as_int(), Ok(7), "{closed}");
    }
    // In a library.
    std::fs::write(folder.path().join("lib.rhai"), "fn f() { 1 }\n/* fn g() { 2 }\n").unwrap();
    let main = folder.path().join("main.rhai");
    std::fs::write(&main, "import \"lib\" as lib;\nlib::f()").unwrap();
    let failure = s.run_file(&main, &[]).unwrap_err();
    assert!(failure.place().unwrap().ends_with("lib.rhai:2:1"), "{}", failure.render(false, 200));
    let text = std::fs::read_to_string(&main).unwrap();
    let findings = check::check(&s, &text, &main.display().to_string()).unwrap();
    assert!(findings[0].message.ends_with("lib.rhai:2:1: the comment that begins here is not closed"), "{findings:?}");
}

#[test]
fn values_inside_each_other_without_end_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for script in [
        "let f = || 0; for i in 0..3000000 { let g = f; f = || g.call() }",
        "let m = #{}; for i in 0..3000000 { let g = m; m = #{f: || g}; }",
        "let a = [0]; for i in 0..3000000 { let g = a; a = [|| g]; }",
        "let big = []; big.pad(2000000, 1); let f = || 0; for i in 0..3000000 { let g = f; f = || g.call() }",
        "let a = [0]; for i in 0..3000000 { a = [[[[[[[[a.pop()]]]]]]]]; }",
        "let a = [0]; for i in 0..3000000 { a = [[a.drain(0..1)]]; }",
        "let m = #{a: 0}; for i in 0..3000000 { m = #{a: #{a: m.remove(\"a\")}}; }",
        "let k = spawn(|| { let f = || 0; loop { let g = f; f = || g.call() } }); wait(k)",
    ] {
        let told = told(folder.path(), script);
        assert!(told.contains("nested 1000 deep at most"), "{script}\n{told}");
    }
    // As many as may; closures that share a variable, or contain themselves.
    for script in [
        "let f = || 0; for i in 0..900 { let g = f; f = || g.call(); } 1",
        "let f = || 1; for i in 0..60 { let a = f; let b = f; f = || a.call() + b.call(); } let n = 0; for i in 0..99999 { n += i; } 1",
        "let f = (); f = || f.call(); let n = 0; for i in 0..99999 { n += i; } print([f]); debug(f); 1",
    ] {
        assert_eq!(told(folder.path(), script), "", "{script}");
    }
    assert!(
        told(folder.path(), "let f = (); f = || f.call(); #{f: f}.to_json()").contains("cannot be written as JSON")
    );
    assert!(
        told(folder.path(), "let e = col(\"a\"); for i in 0..3000000 { e = e + 1; }").contains("5000 parts at most")
    );
    assert!(told(folder.path(), "let e = col(\"a\"); loop { e = e * e; }").contains("5000 parts at most"));
}

#[test]
fn tensors_without_elements_are_shown_whatever_their_shape() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    for shape in ["[1000000000000, 0]", "[0, 1000000000000]", "[1000000, 1000000, 0]", "[2, 0, 1000000000000]"] {
        let made = format!("let t = tensor([[]]).reshape({shape});");
        let shown = eval(&mut s, &format!("{made} t.to_string()")).into_string().unwrap();
        assert!(shown.starts_with(&format!("Tensor {shape}")), "{shown}");
        assert_eq!(eval(&mut s, "t.shape.to_string()").into_string().unwrap(), shape);
        let whole = s.eval("t.to_array()", "test");
        if shape.starts_with("[0") || shape.starts_with("[2") {
            let rows = if shape.starts_with("[0") { 0 } else { 2 };
            assert_eq!(whole.unwrap().as_array_ref().unwrap().len(), rows);
        } else {
            assert!(whole.unwrap_err().message.contains("values and arrays; at most 10000000"));
        }
    }
    let dimensions = s.eval("let o = []; o.pad(5000, 1); tensor([1]).reshape(o).to_array()", "test").unwrap_err();
    assert!(dimensions.message.contains("5000 dimensions"), "{dimensions}");
    assert_eq!(eval(&mut s, "tensor(7).index(0, [0]).item()").as_float(), Ok(7.0));
}

#[test]
fn more_jobs_than_may_run_at_once_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let failure = s.eval("let all = []; for i in 0..3000 { all.push(spawn(|| sleep(1000))); }", "test").unwrap_err();
    assert!(failure.message.starts_with("100 jobs run already"), "{failure}");
    assert!(failure.help.unwrap().contains("wait(jobs)"));
    assert_eq!(eval(&mut s, "all.len()").as_int(), Ok(100));
    // One that is stopped while it sleeps makes room.
    let code = "stop(all[0]); try { wait(all[0]) } catch {} all[0] = spawn(|| 5); wait(all[0])";
    assert_eq!(eval(&mut s, code).as_int(), Ok(5));
    drop(s);
    // One after the other, each with the one before in it.
    let mut s = session(folder.path());
    let chain = "let j = spawn(|| 0); for i in 0..40 { let before = j; j = spawn(|| before); wait(j); } jobs().len()";
    assert_eq!(eval(&mut s, chain).as_int(), Ok(41));
    s.set_bounds(Bounds { jobs: 10, ..Bounds::UNTRUSTED });
    let deep = s.eval("fn f(n) { wait(spawn(|| f(n + 1))) } f(0)", "test").unwrap_err();
    assert!(deep.message.contains("jobs run already"), "{deep}");
}

#[test]
fn a_sleeping_job_lets_the_others_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    // Were the turn kept, this would take a thousand seconds.
    let code = "let j = spawn(|| sleep(1000)); let n = 0; for i in 0..50000 { n += 1; } n";
    assert_eq!(eval(&mut s, code).as_int(), Ok(50_000));
    let order = "let said = spawn(|| sleep(1000)); let other = spawn(|| 2); [wait(other), said.state]";
    assert_eq!(eval(&mut s, order).into_array().unwrap()[1].to_string(), "running");
    assert!(s.eval("stop(j); wait(j)", "test").unwrap_err().message.contains("was stopped"));
}

#[cfg(target_os = "linux")]
#[test]
fn where_memory_is_short_a_script_is_stopped_before_it_runs_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = |limit: usize, script: &str| {
        let limited = format!("ulimit -v {limit}; exec \"$@\"");
        let command = ["-c", &limited, "sh", CPSD, "eval", script];
        Command::new("sh").args(command).current_dir(folder.path()).output().unwrap()
    };
    // So much as the program itself needs with libtorch, and half a gigabyte.
    let needs = |script: &str| (1..40).map(|n| n * 250_000).find(|limit| run(*limit, script).status.success()).unwrap();
    let least = needs("tensor([1.0])") + 500_000;
    for script in [
        "let s = \"x\"; loop { s += s; }",
        "let a = [1]; loop { a += a; }",
        "let all = []; loop { let a = []; a.pad(1000000, 1); all.push(a); }",
        "let a = []; a.pad(19000000, 1); let b = a; let c = b; let d = c; let e = d;",
        "let b = blob(19000000); let all = []; loop { all.push(b); }",
        "let s = \"\"; s.pad(200000000, 'x'); let t = s + s; let u = t + t;",
        "let s = \"\"; s.pad(9000000, 'x'); s.split(\"\")",
        "let t = tensor([1.0]); for i in 0..40 { t = t.cat(t, 0); }",
        "let t = tensor([[1.0]]); for i in 0..17 { t = t.cat(t, 0); } t * t.transpose(0, 1)",
    ] {
        let output = run(least, script);
        assert_eq!(output.status.code(), Some(1), "{script}: {:?}\n{}", output.status, err(&output));
        let said = err(&output);
        assert!(said.contains("memory") || said.contains("at most"), "{script}: {said}");
    }
    // A picture of which nothing is wrong. It needs no libtorch.
    image::GrayImage::new(13_000, 13_000).save(folder.path().join("large.png")).unwrap();
    std::fs::write(folder.path().join("labels.csv"), "image,label\nlarge.png,a\n").unwrap();
    let code = "pictures(dataset(\"folder\", #{root: \".\", val: 0, test: 0}).train)";
    let said = err(&run(needs("1") + 250_000, code));
    assert!(said.contains("cpsd::memory") && said.contains("the decoded picture would take"), "{said}");
}

#[test]
fn bounds_hold_for_a_session_and_its_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let bounded = |operations, memory, jobs| {
        let mut s = session(folder.path());
        s.set_bounds(Bounds { operations, memory, jobs });
        s
    };
    let mut s = bounded(100_000, 8 << 20, 2);
    assert_eq!(eval(&mut s, "let n = 0; for i in 0..1000 { n += i; } n").as_int(), Ok(499_500));
    // No catch sees it, and another line does not begin anew.
    let endless = s.eval("loop { try { loop { n += 1; } } catch { n = 0; } }", "test").unwrap_err();
    assert!(endless.message.contains("may run 100000 operations"), "{endless}");
    assert!(s.eval("1 + n", "test").unwrap_err().message.contains("100000 operations"));
    let mut s = bounded(100_000, 8 << 20, 2);
    let in_a_job = s.eval("wait(spawn(|| { loop { } }))", "test").unwrap_err();
    assert!(in_a_job.message.contains("100000 operations"), "{in_a_job}");
    let mut s = bounded(u64::MAX, 8 << 20, 2);
    for script in [
        "let s = \"x\"; loop { s += s; }",
        "let a = []; loop { a.push(0); }",
        "let a = []; a.pad(1000000, 0);",
        "let all = #{}; for i in 0..1000 { let s = \"\"; s.pad(100000, 'x'); all[i.to_string()] = s; }",
        "let a = []; let b = []; for i in 0..400000 { a.push(0); b.push(0); }",
        "wait(spawn(|| { let s = \"x\"; loop { s += s; } }))",
    ] {
        let failure = s.eval(script, "test").unwrap_err();
        assert!(failure.message.contains("8 MiB") || failure.message.contains("items"), "{script}: {failure}");
        s.scope.clear();
    }
    let jobs = s.eval("for i in 0..3 { spawn(|| sleep(1000)); }", "test").unwrap_err();
    assert!(jobs.message.starts_with("2 jobs run already"), "{jobs}");
}

#[test]
fn long_texts_are_checked_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let s = session(folder.path());
    // Variables, functions, closures, unknown names: 20,000 lines of each, in quadratic time a matter of minutes.
    let n = 20_000;
    let lines = |line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<Vec<_>>().join("\n");
    let variables = lines(&|i| if i == 0 { "let v0 = 1;".into() } else { format!("let v{i} = v{} + 1;", i - 1) });
    let functions = lines(&|i| format!("fn f{i}(x) {{ f{}(x) }}", i.saturating_sub(1)));
    let closures = lines(&|i| format!("let c{i} = |x| x + {i};"));
    let unknown = lines(&|i| format!("nothing{i}(w{i});"));
    for (text, errors, warnings) in [(variables, 0, 1), (functions, 0, 0), (closures, 0, n), (unknown, 2 * n, 0)] {
        let findings = check::check(&s, &text, "long").unwrap();
        let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
        assert_eq!((count(check::Severity::Error), count(check::Severity::Warning)), (errors, warnings));
    }
}

#[test]
fn an_error_never_prints_the_whole_of_a_long_name() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(60_000);
    let mut s = session(folder.path());
    for script in [
        format!("partition([\"cat\"], [[\"{long}\"]])"),
        format!("tensor([1.0]).{long}()"),
        format!("load_table(\"{long}.csv\")"),
        format!("{long} + 1"),
        format!("let m = #{{}}; /* {long} */ m.nothing"),
        format!("throw \"{long}\""),
    ] {
        let failure = s.eval(&script, "t").unwrap_err();
        let text = failure.render(false, 100);
        assert!(!text.contains(&"x".repeat(500)) && text.len() < 4000, "{}: {text}", &script[..30]);
        assert!(text.contains("t:1:"), "{text}");
    }
}

#[test]
fn a_number_cannot_ask_for_more_memory_than_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    for script in [
        "synthetic_labels(#{images: 1000000000000})",
        "paired_bootstrap([1.0, 2.0], [1.5, 2.5], #{resamples: 1000000000000000})",
    ] {
        let failure = s.eval(script, "t").unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Memory, "{script}: {}", failure.message);
    }
}
