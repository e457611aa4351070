//! The ground of the language: numbers, formats, text, files, and code that probably means something else.

use std::path::Path;
use std::process::Command;

use cpsd::script::check::{self, Severity, Trap};
use cpsd::script::show;

use crate::common::{CPSD, err, out};

fn eval(text: &str) -> String {
    let value =
        cpsd::primitives::session().eval(text, "test").unwrap_or_else(|f| panic!("{text}\n{}", f.render(false, 100)));
    show::plain(&value)
}

fn refused(text: &str) -> String {
    match cpsd::primitives::session().eval(text, "test") {
        Ok(value) => panic!("{text} is {}", show::plain(&value)),
        Err(failure) => failure.message,
    }
}

/// Values of NumPy (std of PyTorch) and of Python's math and round.
#[test]
fn numbers_are_those_of_numpy_and_python() {
    for (text, expected) in [
        ("[1, 2, 3].sum()", "6"),
        ("[0.1, 0.2, 0.3].sum() == 0.6", "true"),
        ("[].sum()", "0"),
        ("[1, 2].mean()", "1.5"),
        ("[true, false, true, true].mean()", "0.75"),
        ("[3, 1.5].max()", "3"),
        ("[3, 1, 2].min()", "1"),
        ("max(2, 3)", "3"),
        ("[2, 4, 4, 4, 5, 5, 7, 9].std(0)", "2.0"),
        ("[1, 2, 3, 4].std()", "1.29099"),
        ("[5, 1].median()", "3.0"),
        ("[1.0, 0.0 / 0.0].max().is_nan() && [1.0, 0.0 / 0.0].median().is_nan()", "true"),
        ("sqrt(2)", "1.41421"),
        ("log(10)", "2.30259"),
        ("10.0.log()", "2.30259"),
        ("log10(1000)", "3.0"),
        ("log(1000, 10)", "3.0"),
        ("log(8.0, 2.0)", "3.0"),
        ("tensor([10.0]).log().item() - log(10.0) < 1e-6", "true"),
        ("[round(0.5), round(1.5), round(-2.5)]", "[0.0, 2.0, -2.0]"),
        ("round(2.675, 2)", "2.67"),
        ("[floor(3), floor(-0.5), ceil(0.5)]", "[3, -1.0, 1.0]"),
        ("[pow(2, 3), pow(2, -1), pow(2.0, 3)]", "[8, 0.5, 8.0]"),
        ("div(-7, 2)", "-3"),
        ("[tanh(0), sin(0), cos(0), exp(0), abs(-2)]", "[0.0, 0.0, 1.0, 1.0, 2]"),
    ] {
        assert_eq!(eval(text), expected, "{text}");
    }
    for (text, said) in [
        ("[].mean()", "mean: the array is empty"),
        ("[].max()", "max: the array is empty"),
        ("[1].std()", "std: the array must have 2 items or more; it has 1"),
        ("[1, \"a\"].sum()", "sum: the items must be numbers; item 1 is a string"),
        ("[9223372036854775807, 1].sum()", "sum: the sum is no integer of 64 bits"),
        ("sqrt(-1)", "sqrt: x must be 0 or more; got -1.0"),
        ("log(-1.0)", "log: x must be 0 or more; got -1.0"),
        ("log(2, 1)", "log: base must be above 0 and not 1; got 1"),
        ("pow(10, 30)", "pow: 10 to the power of 30 is no integer of 64 bits"),
        ("div(1, 0)", "div: 1 cannot be divided by 0"),
    ] {
        assert_eq!(refused(text), said, "{text}");
    }
}

/// The first numbers of ChaCha8 with this seed, as they were when the word was made; they never change.
#[test]
fn random_numbers_follow_from_the_seed_alone() {
    let drawn = "let r = random(42); [r.integer(0, 1000), r.integer(0, 1000), r.integer(0, 1000)] + r.permutation(5)";
    assert_eq!(eval(drawn), eval(drawn));
    assert_eq!(eval("let r = random(1); let s = r; r.uniform() == s.uniform()"), "false");
    assert_eq!(eval("random(1).uniform() == random(1).uniform()"), "true");
    assert_eq!(eval("let a = random(3).shuffle([1, 2, 3, 4]); a.sort(); a"), "[1, 2, 3, 4]");
    assert_eq!(eval("let r = random(0); (0..200).map(|_i| r.uniform(2, 3)).all(|x| x >= 2.0 && x < 3.0)"), "true");
    assert_eq!(eval("let r = random(0); (0..200).map(|_i| r.integer(-2, 1)).min()"), "-2");
    assert_eq!(refused("random(0).choice([])"), "choice: the array is empty");
    assert_eq!(refused("random(0).uniform(1, 1)"), "uniform: low must be below high; got 1 and 1");
}

#[test]
fn print_takes_several_values_and_an_error_is_its_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("a.rhai");
    std::fs::write(
        &script,
        "print(1, \"two\", [0.1 + 0.2]);\ntry { [1][5] } catch (e) { print(e); print(`said: ${e}`); print([e]); }\n\
         try { let x = nowhere; } catch (e) { print(e); }",
    )
    .unwrap();
    let said = out(&run(folder.path(), &["script", "a.rhai"]));
    assert_eq!(
        said,
        "1 two [0.3]\nindex 5 is out of bounds of an array of 1 element\nsaid: index 5 is out of bounds of an array of 1 element\n\
         [index 5 is out of bounds of an array of 1 element]\nthere is no variable \"nowhere\"\n"
    );
}

fn run(folder: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(CPSD)
        .args(arguments)
        .current_dir(folder)
        .env("CPSD_RUNS", folder.join("runs"))
        .env("CPSD_GROUND", "set")
        .output()
        .unwrap()
}

#[test]
fn files_and_the_environment_follow_the_permissions_of_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.txt"), "secret").unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let secret = outside.path().join("secret.txt");
    write("environment.rhai", "print(environment(\"CPSD_GROUND\"));");
    write("read.rhai", &format!("print(read_text(\"{}\"));", secret.display()));
    write("list.rhai", &format!("print(list_files(\"{}\").len());", outside.path().display()));
    write("write.rhai", &format!("write_text(\"{}/new.txt\", \"x\");", outside.path().display()));
    let said = |arguments: &[&str]| {
        let output = run(folder.path(), arguments);
        (output.status.success(), if output.status.success() { out(&output) } else { err(&output) })
    };
    assert_eq!(said(&["script", "environment.rhai"]), (true, "set\n".into()));
    assert_eq!(said(&["script", "read.rhai"]), (true, "secret\n".into()));
    assert_eq!(said(&["script", "list.rhai"]), (true, "1\n".into()));
    assert!(!said(&["script", "write.rhai"]).0 && !outside.path().join("new.txt").exists());
    for script in ["read.rhai", "list.rhai", "write.rhai"] {
        let (worked, message) = said(&["--untrusted", "script", script]);
        assert!(!worked && message.contains("may not"), "{script}: {message}");
    }
    let (worked, message) = said(&["--untrusted", "script", "environment.rhai"]);
    assert!(!worked && message.contains("--allow-env=CPSD_GROUND allows it"), "{message}");
    let (worked, message) = said(&["--untrusted", "--allow-env=CPSD_GROUND", "script", "environment.rhai"]);
    assert!(worked && message.contains("set"), "{message}");
}

#[test]
fn json_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let value = "#{a: [1, 2.5, true, ()], b: #{c: \"ü\\n\"}}";
    assert_eq!(eval(&format!("write_json(\"{0}\", {value}); read_json(\"{0}\") == {value}", at("a.json"))), "true");
    std::fs::write(at("python.json"), "[NaN, -Infinity, 1]").unwrap();
    assert_eq!(eval(&format!("read_json(\"{}\")", at("python.json"))), "[NaN, -inf, 1]");
    for number in ["18446744073709551615", "123456789012345678901", "-9223372036854775809"] {
        std::fs::write(at("large.json"), format!("{{\"1e20 \\\" {number}\": [1e20, {number}]}}")).unwrap();
        let message = refused(&format!("read_json(\"{}\")", at("large.json")));
        assert!(message.ends_with(&format!("{number} is no integer of 64 bits")), "{message}");
    }
    std::fs::write(at("largest.json"), "[9223372036854775807, -9223372036854775808, \"99999999999999999999\", 1e20]")
        .unwrap();
    assert_eq!(
        eval(&format!("read_json(\"{}\")", at("largest.json"))),
        "[9223372036854775807, -9223372036854775808, \"99999999999999999999\", 1.00000e20]"
    );
    std::fs::write(at("cut.json"), "[1, ").unwrap();
    assert!(refused(&format!("read_json(\"{}\")", at("cut.json"))).contains("the JSON ends in the middle"));
    assert!(refused(&format!("write_json(\"{}\", [|x| x])", at("b.json"))).contains("has no form in JSON"));
}

/// Texts that run, and the traps in them.
#[test]
fn what_probably_means_something_else_is_found() {
    let cases: &[(&str, &[(Trap, (usize, usize))])] = &[
        ("1 / 3", &[(Trap::Division, (1, 3))]),
        ("6 / 3", &[]),
        ("1.0 / 3", &[]),
        ("2.0 * 1 / 3", &[]),
        ("let hits = 0; hits += 1; hits / [1, 2].len()", &[(Trap::Division, (1, 31))]),
        ("let hits = 0; hits += 0.5; hits / [1, 2].len()", &[]),
        ("let n = [1, 2].len(); n / 2", &[]),
        ("fn f(hits, n) { hits / n } let hits = 3; let n = 2; f(hits, n)", &[]),
        ("div(1, 3)", &[]),
        ("let a = [2, 1]; let b = a.sort(); b", &[(Trap::InPlace, (1, 27))]),
        ("let a = [2, 1]; a.sort(); a", &[]),
        ("let s = \" x\"; print(s.trim());", &[(Trap::InPlace, (1, 23))]),
        ("let a = [2, 1]; let b = a.reverse().len(); b", &[(Trap::InPlace, (1, 27))]),
        ("let t = table([#{a: 2}]); let u = t.sort(\"a\"); u", &[]),
        ("let x = 0.5; 0 < x < 1", &[(Trap::Chained, (1, 20))]),
        ("let x = 0.5; 0 < x && x < 1", &[]),
        ("let n = 7 // 2;\n; n", &[(Trap::Comment, (1, 11))]),
        ("let n = 7; // 2 is the default\nn", &[]),
        ("let n = 7 // the number\n; n", &[]),
        ("for (i, x) in [3, 4] { print(i, x); }", &[(Trap::Counter, (1, 1))]),
        ("for (x, i) in [3, 4] { print(i, x); }", &[]),
        ("let x = 1; print(\"x is ${x}\", x);", &[(Trap::Backticks, (1, 18))]),
        ("let d = dataset(\"emoji-scenes\"); d.trian", &[(Trap::Split, (1, 36))]),
        ("let d = #{trian: 1}; d.trian", &[]),
        ("let r = random(0); let a = [1, 2]; r.shuffle(a); a", &[(Trap::Unused, (1, 38))]),
        ("let r = random(0); let a = [1, 2]; a = r.shuffle(a); a", &[]),
    ];
    let mut session = cpsd::primitives::session();
    for (text, expected) in cases {
        let found: Vec<(Trap, (usize, usize))> =
            check::traps(&mut session, text, "case").into_iter().map(|(trap, f)| (trap, f.position)).collect();
        assert_eq!(&found[..], *expected, "{text}");
    }
    // Variables of earlier lines of the prompt.
    let _ = session.eval("let seven = 7; let two = 2; let half = 3.5;", "line 1").unwrap();
    let said = |session: &mut _, text: &str| {
        check::traps(session, text, "line 2").into_iter().map(|(_, f)| f.message).collect::<Vec<_>>()
    };
    assert_eq!(said(&mut session, "seven / two"), ["7 / 2 of integers is 3: the fraction is dropped"]);
    assert!(said(&mut session, "half / two").is_empty());
}

#[test]
fn the_checker_finds_closures_that_read_what_their_method_changes() {
    let session = cpsd::primitives::session();
    let text = "let a = [1, 2];\na.retain(|x| x < a.len());\nprint(a.filter(|x| x < a.len()));";
    let findings = check::check(&session, text, "case").unwrap();
    let found: Vec<_> = findings.iter().map(|f| (f.severity, f.position, f.message.as_str())).collect();
    assert_eq!(found, [(Severity::Error, (2, 1), "\"a\" is read by a closure while retain works on it")]);
}
