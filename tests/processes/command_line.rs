//! The binary as a user calls it: exit codes, arguments of scripts, output in a pipe, and the prompt in a terminal.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::{CPSD, err, out, root};

fn cpsd(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(CPSD).args(arguments).current_dir(folder).env("CPSD_HISTORY", folder.join("history")).output().unwrap()
}

/// The loader says which libraries it initialises.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn libtorch_is_loaded_for_what_computes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let initialises = |arguments: &[&str], variable: Option<(&str, &str)>| {
        let mut command = Command::new(CPSD);
        command.args(arguments).current_dir(folder.path()).env("LD_DEBUG", "files").envs(variable);
        let output = command.env("_CLAP_COMPLETE_INDEX", "2").output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{arguments:?}: {}", output.status);
        err(&output).lines().any(|line| line.contains("calling init:") && line.contains("libtorch_cpu"))
    };
    assert!(initialises(&["eval", "tensor([1.0])"], None));
    for arguments in [
        &["eval", "1 + 2"][..],
        &["eval", "synthetic_labels(#{images: 50, labels: 5}).cooccurrence()"],
        &["--help"],
        &["help", "check"],
        &["script", "--help"],
        &["doc"],
        &["doc", "distill"],
        &["completions", "zsh"],
    ] {
        assert!(!initialises(arguments, None), "{arguments:?}");
    }
    assert!(!initialises(&["--", "cpsd", "doc", "dist"], Some(("CPSD_COMPLETE", "bash"))));
    // One for GPUs says itself what it is. A folder that holds no libtorch changes nothing.
    let here = folder.path().to_str().unwrap();
    for variable in [None, Some(("LD_LIBRARY_PATH", here))] {
        assert_eq!(initialises(&["--version"], variable), cpsd::torch::cuda().is_some(), "{variable:?}");
    }
    std::fs::write(folder.path().join("libtorch_cpu.so"), "text").unwrap();
    let other = Command::new(CPSD).arg("--version").env("LD_LIBRARY_PATH", here).output().unwrap();
    assert!(err(&other).contains(here), "the loader's first libtorch was not taken: {}", err(&other));
    let unknown = cpsd(folder.path(), &["doc", "distil"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(err(&unknown).contains("distill"), "{}", err(&unknown));
}

#[test]
fn exit_codes_and_streams() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let sum = cpsd(f, &["eval", "1 + 2"]);
    assert_eq!((sum.status.code(), out(&sum).as_str(), err(&sum).as_str()), (Some(0), "3\n", ""));
    let failed = cpsd(f, &["eval", "affinity(1)"]);
    assert_eq!((failed.status.code(), out(&failed).as_str()), (Some(1), ""));
    assert!(
        err(&failed).contains("cpsd::argument") && err(&failed).contains("affinity takes 2 or 3 arguments"),
        "{}",
        err(&failed)
    );
    assert!(!err(&failed).contains('\u{1b}'), "colour in a pipe");
    assert_eq!(cpsd(f, &["nonsense"]).status.code(), Some(2));
    for (code, expected) in [
        ("exit(3)", 3),
        ("exit()", 0),
        ("exit(0); 1", 0),
        ("try { exit(4) } catch { } print(1)", 4),
        ("[1].map(|x| exit(5)); print(1)", 5),
        ("fn f() { exit(6) } f(); print(1)", 6),
        ("exit(256)", 1),
        ("exit(\"a\")", 1),
    ] {
        let left = cpsd(f, &["eval", code]);
        assert_eq!((left.status.code(), out(&left).as_str()), (Some(expected), ""), "{code}");
    }
    // A minus at the beginning is no option; options are.
    for (arguments, printed) in [
        (&["eval", "-7 / 2"][..], "-3\n"),
        (&["eval", "-(1 + 1)"], "-2\n"),
        (&["--quiet", "eval", "--quiet", "-1"], "-1\n"),
        (&["eval", "-1.5e0"], "-1.5\n"),
    ] {
        let done = cpsd(f, arguments);
        assert_eq!(out(&done), printed, "{arguments:?}: {}", err(&done));
    }
    assert_eq!(cpsd(f, &["doc", "merge"]).status.code(), Some(0));
    assert_eq!(cpsd(f, &["doc", "murge"]).status.code(), Some(1));
}

#[test]
fn scripts_take_arguments_and_list_them() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let text = "// Adds numbers.\nlet k = arg(\"k\", 3, \"how many\");\nlet list = arg(\"list\", [1, 2], \"which\");\nprint(k + list[0]);";
    std::fs::write(f.join("s.rhai"), text).unwrap();
    assert_eq!(out(&cpsd(f, &["script", "s.rhai"])), "4\n");
    assert_eq!(out(&cpsd(f, &["script", "s.rhai", "k=10", "list=5,6"])), "15\n");
    std::fs::write(f.join("any.rhai"), "print(arg(\"any\", [], \"of any kind\"))").unwrap();
    assert_eq!(out(&cpsd(f, &["script", "any.rhai", "any=2,0.5,x"])), "[2, 0.5, \"x\"]\n");
    assert_eq!(out(&cpsd(f, &["script", "any.rhai", "any=[2]"])), "[2]\n");
    assert_eq!(out(&cpsd(f, &["script", "s.rhai", "list=[5, 6]"])), "8\n");
    let twice = cpsd(f, &["s.rhai", "k=5", "k=6"]);
    let sentence = "cpsd: argument \"k\" is given twice: k=5 and k=6; a list is k=5,6\n";
    assert_eq!((twice.status.code(), err(&twice).as_str()), (Some(2), sentence));
    let alone = cpsd(f, &["k=9"]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(err(&alone).contains("cpsd - k=9"), "{}", err(&alone));
    let help = out(&cpsd(f, &["script", "s.rhai", "--help"]));
    assert!(
        help.contains("Adds numbers.")
            && help.contains("k=3")
            && help.contains("how many")
            && help.contains("list=1,2"),
        "{help}"
    );
    // Without a file it is that of the subcommand.
    for arguments in [&["script", "--help"][..], &["script", "-h"], &["script", "--multirun", "--help"]] {
        let help = cpsd(f, arguments);
        assert!(help.status.success() && out(&help).contains("--multirun"), "{arguments:?}: {}", err(&help));
    }
    // The word alone does not make it one.
    let other = cpsd(f, &["--runs", "script", "doc", "script", "--help"]);
    assert!(other.status.success() && !out(&other).contains("--multirun"), "{}", out(&other));
    let behind = cpsd(f, &["--runs", "doc", "-q", "script", "--help"]);
    assert!(behind.status.success() && out(&behind).contains("--multirun"), "{}", err(&behind));
    let unknown = cpsd(f, &["script", "s.rhai", "kk=1"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(err(&unknown).contains("has no argument \"kk\""), "{}", err(&unknown));
    // A name that the script computes is known when it runs.
    std::fs::write(f.join("computes.rhai"), "arg(\"a\", 1); for n in 1..3 { print(arg(`k${n}`, 0)); }").unwrap();
    let computed = cpsd(f, &["script", "computes.rhai", "k2=5", "a=2", "kk=1"]);
    assert_eq!((computed.status.code(), out(&computed).as_str()), (Some(0), "0\n5\n"));
    assert_eq!(err(&computed), "cpsd: computes.rhai never asked for the argument \"kk\"\n");
    let wrong = cpsd(f, &["script", "s.rhai", "k=many"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).contains("argument \"k\" must be an integer"), "{}", err(&wrong));
    std::fs::write(f.join("other.rhai"), "").unwrap();
    let missing =
        [&["script", "othr.rhai"][..], &["othr.rhai"], &["othr.rhai", "--help"], &["check", "s.rhai", "othr.rhai"]];
    for arguments in missing {
        let missing = cpsd(f, arguments);
        let sentence = "cpsd: there is no file \"othr.rhai\"; did you mean \"other.rhai\"?\n";
        assert_eq!((missing.status.code(), err(&missing).as_str()), (Some(2), sentence), "{arguments:?}");
    }
    assert_eq!(cpsd(f, &["check", "s.rhai"]).status.code(), Some(0));
    let checked = piped(f, &["check", "-"], "let a = 1;\nprnt(a)");
    assert!(out(&checked).starts_with("standard input:2:1: error: "), "{}{}", out(&checked), err(&checked));
    assert!(checked.status.code() == Some(1) && out(&checked).ends_with("\n1 error, 0 warnings in 1 file\n"));
}

#[test]
fn a_folder_is_checked_with_all_its_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::create_dir_all(f.join("lib/.hidden")).unwrap();
    std::fs::write(f.join("b.rhai"), "print(1)").unwrap();
    std::fs::write(f.join("lib/a.rhai"), "fn f() { never_made() }").unwrap();
    std::fs::write(f.join("lib/.hidden/c.rhai"), "let").unwrap();
    std::fs::write(f.join("lib/notes.txt"), "let").unwrap();
    for arguments in [&["check"][..], &["check", "."]] {
        let checked = cpsd(f, arguments);
        let lines: Vec<String> = out(&checked).lines().map(str::to_string).collect();
        assert_eq!((checked.status.code(), lines.len()), (Some(1), 2), "{}{}", out(&checked), err(&checked));
        assert!(lines[0].starts_with("lib/a.rhai:1:"), "{}", lines[0]);
        assert_eq!(lines[1], "1 error, 0 warnings in 2 files");
    }
    let none = cpsd(f, &["check", "nowhere"]);
    assert_eq!(none.status.code(), Some(2), "{}", err(&none));
    std::fs::create_dir(f.join("empty")).unwrap();
    let none = cpsd(f, &["check", "empty"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(err(&none).contains("there is no .rhai file"), "{}", err(&none));
}

#[test]
fn links_to_folders_are_not_followed_and_a_file_counts_once() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::create_dir_all(f.join("g/s")).unwrap();
    std::fs::write(f.join("g/z.rhai"), "fn test_one() { assert(true) }").unwrap();
    // Two links up are endless for whoever follows them.
    symlink("..", f.join("g/s/up")).unwrap();
    symlink("..", f.join("g/s/up.rhai")).unwrap();
    symlink("g", f.join("link")).unwrap();
    for given in ["g", "link", "link/z.rhai"] {
        let tested = cpsd(f, &["test", given]);
        assert!(out(&tested).ends_with("\n1 passed, 0 failed\n"), "{given}: {}{}", out(&tested), err(&tested));
        assert_eq!(out(&cpsd(f, &["check", given])), "1 file without a mistake\n", "{given}");
    }
    for given in [&["check", "g/z.rhai", "g/z.rhai"][..], &["check", "g", "link"], &["check", "link", "g/s/../z.rhai"]]
    {
        assert_eq!(out(&cpsd(f, given)), "1 file without a mistake\n", "{given:?}");
    }
    // A link to a file is read, once, and the file has its own name.
    std::fs::write(f.join("g/z.rhai"), "never_made()").unwrap();
    symlink("z.rhai", f.join("g/a.rhai")).unwrap();
    let checked = out(&cpsd(f, &["check", "g"]));
    assert!(
        checked.starts_with("g/z.rhai:1:1: ") && checked.ends_with("\n1 error, 0 warnings in 1 file\n"),
        "{checked}"
    );
    assert!(out(&cpsd(f, &["check", "g/a.rhai"])).starts_with("g/a.rhai:1:1: "));
    std::fs::create_dir(f.join("other")).unwrap();
    symlink("../g/z.rhai", f.join("other/b.rhai")).unwrap();
    assert!(out(&cpsd(f, &["check", "other"])).starts_with("other/b.rhai:1:1: "));
}

#[test]
fn what_cannot_be_read_is_a_finding_and_the_others_are_checked() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    symlink("nothing.rhai", f.join("a.rhai")).unwrap();
    symlink("b.rhai", f.join("b.rhai")).unwrap();
    assert!(Command::new("mkfifo").arg(f.join("c.rhai")).status().unwrap().success());
    symlink("/dev/zero", f.join("d.rhai")).unwrap();
    std::fs::write(f.join("e.rhai"), b"print(1);\n\xff").unwrap();
    std::fs::write(f.join("f\n\u{1b}[31m.rhai"), "never_made()").unwrap();
    std::fs::write(f.join("g.rhai"), "print(1)").unwrap();
    let checked = cpsd(f, &["check"]);
    let said = out(&checked);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((checked.status.code(), lines.len()), (Some(1), 7), "{said}{}", err(&checked));
    let expected = [
        "a.rhai:1:1: error: this link leads to \"nothing.rhai\", which is not there",
        "b.rhai:1:1: error: links lead in a circle",
        "c.rhai:1:1: error: this is not a regular file",
        "d.rhai:1:1: error: this is not a regular file",
        "e.rhai:2:1: error: not UTF-8 text",
    ];
    assert_eq!(lines[..5], expected);
    assert!(lines[5].starts_with("f\\n\\u{1b}[31m.rhai:1:1: error: "), "{}", lines[5]);
    assert_eq!(lines[6], "6 errors, 0 warnings in 7 files");

    // Nothing is closed to root.
    let closed = f.join("closed");
    std::fs::create_dir(&closed).unwrap();
    for mode in [0o000, 0o400] {
        std::fs::write(closed.join("x.txt"), "").unwrap();
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(mode)).unwrap();
        let is_closed = std::fs::metadata(closed.join("x.txt")).is_err();
        let checked = cpsd(f, &["check"]);
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
        if is_closed {
            let said = out(&checked);
            assert!(said.starts_with("closed:1:1: error: permission denied\na.rhai:"), "{said}");
            assert!(said.ends_with("\n7 errors, 0 warnings in 7 files\n"), "{said}");
        }
    }
}

#[test]
fn an_example_is_printed_and_a_misspelt_one_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let printed = cpsd(f, &["examples", "own_loss"]);
    assert_eq!(out(&printed), out(&cpsd(f, &["examples", "own_loss.rhai"])));
    assert!(printed.status.success() && out(&printed).starts_with("//"), "{}", out(&printed));
    let misspelt = cpsd(f, &["examples", "own_los"]);
    assert_eq!(misspelt.status.code(), Some(1));
    assert!(err(&misspelt).contains("own_loss.rhai"), "{}", err(&misspelt));
    assert!(!f.join("own_loss").exists() && !f.join("own_los").exists());
    let copied = cpsd(f, &["examples", "learn/"]);
    assert!(out(&copied).ends_with("cpsd script learn/label_graph.rhai\n"), "{}{}", out(&copied), err(&copied));
    assert!(f.join("learn/own_loss.rhai").is_file());
    // The hints can be pasted into a shell.
    let copied = cpsd(f, &["examples", "to learn/"]);
    assert!(out(&copied).ends_with("cpsd script 'to learn/label_graph.rhai'\n"), "{}", out(&copied));
    let made = cpsd(f, &["new", "with space"]);
    assert!(out(&made).ends_with("cd 'with space' && cpsd script train.rhai\n"), "{}{}", out(&made), err(&made));
}

#[test]
fn output_that_is_lost_is_a_failure_and_a_reader_that_left_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("s.rhai"), "print(1); print(2)").unwrap();
    let shell = |text: &str| {
        Command::new("bash").args(["-c", text]).current_dir(f).env("CPSD", CPSD).env("NO_COLOR", "1").output().unwrap()
    };
    for command in ["eval 1", "doc merge", "--help", "eval --help", "--version", "s.rhai", "config", "completions bash"]
    {
        let full = shell(&format!("$CPSD {command} > /dev/full"));
        assert_eq!(full.status.code(), Some(1), "{command}: {}", err(&full));
        let said = err(&full);
        assert_eq!(
            said.matches("cpsd: standard output cannot be written: No space left").count(),
            1,
            "{command}: {said}"
        );
        let left = shell(&format!("$CPSD {command} | true; exit ${{PIPESTATUS[0]}}"));
        assert_eq!((left.status.code(), err(&left).as_str()), (Some(0), ""), "{command}");
    }
    // The script's own code stays.
    let own = shell("$CPSD eval 'print(1); exit(3)' > /dev/full");
    assert_eq!(own.status.code(), Some(3), "{}", err(&own));
}

#[test]
fn a_working_folder_that_is_gone_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    for command in ["--help", "eval 1", "--version"] {
        std::fs::create_dir(&gone).unwrap();
        let text = format!("rmdir ../gone; {CPSD} {command}");
        let done = Command::new("sh").args(["-c", &text]).current_dir(&gone).output().unwrap();
        let sentence = "cpsd: the working folder was deleted; go to another one first\n";
        assert_eq!(
            (done.status.code(), out(&done).as_str(), err(&done).as_str()),
            (Some(1), "", sentence),
            "{command}"
        );
    }
}

#[test]
fn threads_that_wait_sleep_soon_unless_somebody_has_chosen() {
    // libgomp prints what it was told when it is loaded.
    let told = |line: &str, variables: &[(&str, &str)]| {
        let mut command = Command::new(CPSD);
        command.args(["eval", line]).env("OMP_DISPLAY_ENV", "verbose");
        command.env_remove("GOMP_SPINCOUNT").env_remove("OMP_WAIT_POLICY").envs(variables.iter().copied());
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", err(&done));
        let said = err(&done).lines().find(|line| line.contains("GOMP_SPINCOUNT")).map(String::from);
        said.map(|line| line.chars().filter(char::is_ascii_digit).collect::<String>())
    };
    let made = "tensor([1.0])";
    assert_eq!(told(made, &[]).as_deref(), Some("10000"));
    assert_eq!(told(made, &[("GOMP_SPINCOUNT", "7")]).as_deref(), Some("7"));
    // Its own number, which is far above.
    let own = told(made, &[("OMP_WAIT_POLICY", "ACTIVE")]).unwrap();
    assert!(own.len() > 5, "{own}");
    // Where nothing computes, it is not loaded.
    assert_eq!(told("1 + 1", &[]), None);
}

/// The program with a text at its standard input.
fn piped(folder: &Path, arguments: &[&str], text: &str) -> Output {
    let mut child = Command::new(CPSD)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads none of it may have ended.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn files_and_standard_input_are_run_without_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let text = "// Adds.\nlet k = arg(\"k\", 3, \"how many\");\nprint(f(k));\nfn f(k) { k + 1 }\n";
    std::fs::write(f.join("s.rhai"), text).unwrap();
    std::fs::write(f.join("plain"), text).unwrap();
    std::fs::write(f.join("doc"), text).unwrap();
    for (arguments, printed) in [
        (&["s.rhai"][..], "4\n"),
        (&["s.rhai", "k=5"], "6\n"),
        (&["-q", "--runs", "r", "s.rhai", "k=5"], "6\n"),
        (&["plain", "k=6"], "7\n"),
        (&["./doc", "k=7"], "8\n"),
    ] {
        let done = cpsd(f, arguments);
        assert_eq!((out(&done).as_str(), done.status.code()), (printed, Some(0)), "{arguments:?}: {}", err(&done));
    }
    assert!(out(&cpsd(f, &["s.rhai", "--help"])).contains("how many"));
    // The command, not the file.
    assert!(out(&cpsd(f, &["doc", "merge"])).contains("merge("));
    for arguments in [&["-", "k=5"][..], &["script", "-", "k=5"], &["--untrusted", "-", "k=5"]] {
        let done = piped(f, arguments, text);
        assert_eq!(out(&done), "6\n", "{arguments:?}: {}", err(&done));
    }
    assert!(out(&piped(f, &["-", "--help"], text)).contains("how many"));
    // What is no file can be read once.
    for line in [
        "$CPSD <(cat s.rhai) k=5",
        "$CPSD script <(cat s.rhai) k=5",
        "$CPSD /dev/stdin k=5 < s.rhai",
        "cat s.rhai | $CPSD /dev/stdin k=5",
    ] {
        let done = Command::new("bash").args(["-c", line]).current_dir(f).env("CPSD", CPSD).output().unwrap();
        assert_eq!(out(&done), "6\n", "{line}: {}", err(&done));
    }
    assert_eq!(cpsd(f, &["/dev/null"]).status.code(), Some(0));
    assert_eq!(out(&piped(f, &["script", "--multirun", "-", "k=1,2"], text)), "== 1/2 k=1\n2\n== 2/2 k=2\n3\n");
    let wrong = piped(f, &["-"], "\nnothing_here(1)");
    assert!(wrong.status.code() == Some(1) && err(&wrong).contains("standard input:2:1"), "{}", err(&wrong));
    let wrong = piped(f, &["-", "kk=1"], text);
    assert!(wrong.status.code() == Some(2) && err(&wrong).contains("standard input has no argument \"kk\""));
    // One sentence, with the nearest command.
    for (word, said) in [
        ("scrpt", "cpsd: there is no command or file \"scrpt\"; did you mean \"script\"?\n"),
        ("nonsense", "cpsd: there is no command or file \"nonsense\"; cpsd --help lists the commands\n"),
        (".", "cpsd: there is no command or file \".\"; cpsd --help lists the commands\n"),
    ] {
        let done = cpsd(f, &[word, "k=1"]);
        assert_eq!((done.status.code(), err(&done).as_str()), (Some(2), said));
    }
    for (option, words) in [
        ("-e", &["-e", "1 + 1"][..]),
        ("-e", &["-e", "-q", "1 + 1"]),
        ("-e", &["-q", "-e", "1 + 1"]),
        ("-e", &["-qe", "1 + 1"]),
        ("-e", &["-e1+1"]),
        ("-e", &["-e"]),
        ("-c", &["--runs", "r", "-c", "1 + 1"]),
        ("--eval", &["--eval=1 + 1"]),
        ("--command", &["--command", "1 + 1", "script"]),
    ] {
        let line = cpsd(f, words);
        let said = format!("cpsd: there is no option {option}; cpsd eval CODE evaluates a line of code\n");
        assert_eq!((line.status.code(), err(&line)), (Some(2), said), "{words:?}");
    }
    // What stands behind a command is the command's.
    let line = cpsd(f, &["eval", "-1 + 1"]);
    assert_eq!((line.status.code(), out(&line).as_str()), (Some(0), "0\n"));
    let missing = cpsd(f, &["missing.rhai"]);
    assert!(missing.status.code() == Some(2) && err(&missing).contains("missing.rhai"), "{}", err(&missing));
}

#[test]
fn piped_input_runs_input_by_input() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("lib.rhai"), "fn g() { 6 }\ng() * 7\n").unwrap();
    for (text, printed) in [
        ("1 + 2", "3\n"),
        ("fn f(x) {\n  2 * x\n}\nf(2)\n", "4\n"),
        ("/// Twice.\nfn f(x)\n{ 2 * x }\nf(2)\n_ + 1\n_1 * 10\n", "4\n5\n40\n"),
        ("#!/usr/bin/env cpsd\nlet x = 2;\nif x == 1 { 10 }\nelse { 20 }\n", "20\n"),
        ("let x = [1, 2]\nx\n  .len()\n\"text\"", "2\n\"text\"\n"),
        ("\u{feff}1;\n2", "2\n"),
        (":load lib.rhai\n:type 1.5\n", "42\nnumber\n"),
        ("1\nexit\n2", "1\n"),
        ("1\nif true { exit() }\n2", "1\n"),
        ("let done = false;\n!done", "true\n"),
        ("let f = |x| x;\nfn g() { 1 }\n:vars", "  f                function     |x| x\n  g()              function\n"),
        ("let job = spawn(|| { sleep(0.3); print(\"late\") });\n", "late\n"),
        ("", ""),
    ] {
        let done = piped(f, &[], text);
        assert_eq!((out(&done).as_str(), done.status.code()), (printed, Some(0)), "{text}: {}", err(&done));
        assert!(!out(&done).contains("cpsd>"));
    }
    for (text, code, printed, said) in [
        ("1\nfn f(x) {\n  x +\n}", 1, "1\n", "[standard input:4:1]"),
        ("1\n\nlet y = 2;\nnothing_here(1)\n3", 1, "1\n", "standard input:4:1"),
        ("1\nexit(7)\n2", 7, "1\n", ""),
        ("f(\n1", 1, "", "opened here"),
        ("1\n:load missing.rhai\n2", 1, "1\n", "missing.rhai"),
        ("1\n?murge\n2", 1, "1\n", "merge"),
        ("?train_tea\n", 1, "", "train_teacher\""),
        ("ls\n", 1, "", "!ls"),
        ("help\n", 1, "", ":help"),
        ("%time 1\n", 1, "", ":time 1"),
        (":time\n", 1, "", ":time needs an expression"),
        ("1\n:lod lib.rhai\n2", 1, "1\n", ":load"),
        // What only a person may ask for.
        ("!touch made", 1, "", "!COMMAND works at the prompt"),
        (":sh touch made", 1, "", ":sh works at the prompt"),
        (":allow code", 1, "", ":allow works at the prompt"),
        (":set runs /tmp", 1, "", ":set runs works at the prompt"),
    ] {
        let done = piped(f, &[], text);
        assert_eq!((done.status.code(), out(&done).as_str()), (Some(code), printed), "{text}: {}", err(&done));
        assert!(err(&done).contains(said), "{text}: {}", err(&done));
    }
    assert!(!f.join("made").exists());
    // Many lines in one input take no time for each.
    let long = format!("let a = [\n{}];\na.len()", "1, // one\n".repeat(50_000));
    assert_eq!(out(&piped(f, &[], &long)), "50000\n");
}

#[test]
fn exit_codes_are_those_that_the_page_and_the_help_list() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let help = out(&cpsd(f, &["--help"]));
    let listed = help.split("Exit codes:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let listed: Vec<(u8, &str)> = listed
        .lines()
        .map(|line| line.trim().split_once("  ").unwrap())
        .map(|(code, meaning)| (code.parse().unwrap(), meaning))
        .collect();
    let page = std::fs::read_to_string(root("docs/command-line.md")).unwrap();
    let section = page.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<(u8, &str)> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .filter_map(|(code, meaning)| Some((code.parse().ok()?, meaning)))
        .collect();
    assert_eq!(rows, listed);
    // The other two have tests of their own, with a queue and with a signal.
    let codes: Vec<u8> = listed.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [0, 1, 2, 75, 130]);
    for (arguments, code) in
        [(&["eval", "1"][..], 0), (&["eval", "nothing"], 1), (&["evl"], 2), (&["eval", "exit(9)"], 9)]
    {
        assert_eq!(cpsd(f, arguments).status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn errors_in_libraries_show_the_chain_of_calls() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("lib.rhai"), "fn broken(x) {\n    affinity(x)\n}\n").unwrap();
    std::fs::write(f.join("s.rhai"), "import \"lib\" as lib;\nlib::broken(1);\n").unwrap();
    let failed = cpsd(f, &["script", "s.rhai"]);
    let text = err(&failed);
    assert!(text.contains("lib.rhai:2:5") && text.contains("in broken(), called at s.rhai:2"), "{text}");
}

#[test]
fn an_interrupted_training_leaves_130_and_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let text = "let data = dataset(\"emoji-scenes\", #{train: 400, val: 20, test: 4, test_shifted: 4, size: 48});\n\
        let m = train_teacher(data, [\"dog\", \"person\"], #{model: #{backbone: \"small_cnn\", image_size: 48}, epochs: 400, batch: 32});";
    std::fs::write(f.join("s.rhai"), text).unwrap();
    let mut child = Command::new(CPSD)
        .args(["script", "s.rhai"])
        .current_dir(f)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let work = f.join("runs/.work");
    let started = Instant::now();
    // Training is under way once the first epoch's line is written.
    let begun =
        || std::fs::read_dir(&work).into_iter().flatten().flatten().any(|e| e.path().join("metrics.jsonl").exists());
    while !begun() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(begun(), "the training never began");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kept = std::fs::read_dir(&work).unwrap().flatten().any(|e| e.path().join("checkpoint.safetensors").exists());
    assert!(kept, "no checkpoint was kept");
}

#[test]
fn the_prompt_in_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(CPSD);
    command
        .current_dir(folder.path())
        .env("CPSD_HISTORY", folder.path().join("history"))
        .env("NO_COLOR", "1")
        .env("TERM", "dumb");
    let mut p = rexpect::session::spawn_command(command, Some(20_000)).unwrap();
    p.exp_string("cpsd> ").unwrap();
    p.send_line("let labels = [\"a\", \"b\", \"c\"];").unwrap();
    p.exp_string("cpsd> ").unwrap();
    p.send_line("random_partition(labels, 2).sizes").unwrap();
    p.exp_string("[2, 1]").unwrap();
    p.send_line("ans").unwrap();
    p.exp_string("[2, 1]").unwrap();
    // A mistake keeps the session and its variables.
    p.send_line("random_partition(labels, 9)").unwrap();
    // A pseudo-terminal without a size wraps the sentence: look for a part of it.
    p.exp_string("Got 9").unwrap();
    p.send_line("?merge").unwrap();
    p.exp_string("label order").unwrap();
    p.send_line("fn twice(x) {").unwrap();
    p.send_line("x * 2 }").unwrap();
    p.send_line("twice(labels.len())").unwrap();
    p.exp_string("6").unwrap();
    // Ctrl-C stops an endless loop, and nothing is lost.
    p.send_line("loop {}").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    p.send_control('c').unwrap();
    p.exp_string("interrupted").unwrap();
    p.send_line("labels.len() + 39").unwrap();
    p.exp_string("42").unwrap();
    // The last value, the last error, sources, a search, and the whole as a script.
    p.send_line("_ * 10 + 1").unwrap();
    p.exp_string("421").unwrap();
    p.send_line(":why").unwrap();
    p.exp_string("cpsd::argument").unwrap();
    p.exp_string("Got 9").unwrap();
    p.send_line("??twice").unwrap();
    p.exp_string("x * 2 }").unwrap();
    p.send_line("??method::baseline").unwrap();
    p.exp_string("train_teacher").unwrap();
    p.send_line("?*parti*").unwrap();
    p.exp_string("spectral_partition").unwrap();
    p.send_line(":sh echo $((50 + 5))ish").unwrap();
    p.exp_string("55ish").unwrap();
    p.send_line(":save session.rhai").unwrap();
    p.exp_string("inputs in session.rhai").unwrap();
    p.send_line(":reset").unwrap();
    p.send_line(":load session.rhai").unwrap();
    p.exp_string("421").unwrap();
    p.send_line(":quit").unwrap();
    p.exp_eof().unwrap();
    let again = cpsd(folder.path(), &["script", "session.rhai"]);
    assert_eq!(out(&again), "[2, 1]\n[2, 1]\n6\n42\n421\n", "{}", err(&again));
    assert!(std::fs::read_to_string(folder.path().join("history")).unwrap().contains("random_partition"));
}

#[test]
fn tests_of_libraries_are_run() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::create_dir(f.join("deep")).unwrap();
    std::fs::write(f.join("deep/lib.rhai"), "fn half(x) { x / 2 }\nfn test_half() { assert(half(4) == 2); }\n")
        .unwrap();
    let good = cpsd(f, &["test", "."]);
    assert_eq!((good.status.code(), out(&good).contains("1 passed, 0 failed")), (Some(0), true), "{}", out(&good));
    std::fs::write(
        f.join("odd.rhai"),
        "fn test_odd() {\n    assert(3 / 2 == 1, \"whole\");\n    assert(3 / 2 == 2, \"rounded up\");\n}\n",
    )
    .unwrap();
    let bad = cpsd(f, &["test", "."]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        out(&bad).contains("1 passed, 1 failed")
            && err(&bad).contains("rounded up")
            && err(&bad).contains("odd.rhai:3:5"),
        "{}{}",
        out(&bad),
        err(&bad)
    );
    let own = cpsd(f, &["test", root("tests/libraries").to_str().unwrap()]);
    assert_eq!(own.status.code(), Some(0), "{}{}", out(&own), err(&own));
    std::fs::create_dir(f.join("empty")).unwrap();
    assert_eq!(cpsd(f, &["test", "empty"]).status.code(), Some(1));
    let missing = cpsd(f, &["test", "emty"]);
    let sentence = "cpsd: there is no file or folder \"emty\"; did you mean \"empty\"?\n";
    assert_eq!((missing.status.code(), err(&missing).as_str()), (Some(2), sentence));
}

#[test]
fn a_script_runs_for_every_combination_of_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(
        f.join("s.rhai"),
        "let k = arg(\"k\", 3); let seed = arg(\"seed\", 0); assert(k != 9); print(`${k} ${seed}`);",
    )
    .unwrap();
    let all = cpsd(f, &["script", "--multirun", "s.rhai", "k=2,3", "seed=0,1"]);
    let printed: Vec<String> = out(&all).lines().filter(|l| !l.starts_with("==")).map(str::to_string).collect();
    assert_eq!(printed, ["2 0", "2 1", "3 0", "3 1"], "{}", err(&all));
    // A list in brackets is one value.
    std::fs::write(f.join("l.rhai"), "print(arg(\"xs\", [0])); print(arg(\"names\", [\"\"]));").unwrap();
    let lists = cpsd(f, &["script", "--multirun", "l.rhai", "xs=[1,2],[3]", "names=[\"a,b\",c]"]);
    let printed: Vec<String> = out(&lists).lines().filter(|l| !l.starts_with("==")).map(str::to_string).collect();
    let names = "[\"a,b\", \"c\"]";
    assert_eq!(printed, ["[1, 2]", names, "[3]", names], "{}", err(&lists));
    let some = cpsd(f, &["script", "--multirun", "s.rhai", "k=9,4"]);
    assert_eq!(some.status.code(), Some(1));
    assert!(out(&some).contains("4 0") && err(&some).contains("1 of 2 runs failed"), "{}", err(&some));
}

#[test]
fn the_reference_is_what_the_words_say() {
    cpsd::primitives::install();
    for (name, text) in cpsd::script::reference::pages() {
        let file = root("docs/reference").join(&name);
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == text, "docs/reference/{name} is stale: cpsd doc --reference docs/reference writes it again");
    }
    let folder = tempfile::tempdir().unwrap();
    let made = cpsd(folder.path(), &["doc", "--definitions", "definitions"]);
    assert_eq!(made.status.code(), Some(0), "{}", err(&made));
    let texts: String = std::fs::read_dir(folder.path().join("definitions"))
        .unwrap()
        .flatten()
        .map(|e| std::fs::read_to_string(e.path()).unwrap())
        .collect();
    assert!(texts.contains("fn cooccurrence") && texts.contains("fn merge"));
}

#[test]
fn devices_are_chosen_by_the_environment_or_by_a_word() {
    let with = |device: &str, code: &str| {
        let output = Command::new(CPSD).args(["eval", code]).env("CPSD_DEVICE", device).output().unwrap();
        (output.status.code(), format!("{}{}", out(&output), err(&output)))
    };
    assert_eq!(with("cpu", "devices()"), (Some(0), "[\"cpu\"]\n".into()));
    let (code, said) = with("cuda:77", "1");
    assert!(code == Some(1) && said.contains("CPSD_DEVICE: there is no device \"cuda:77\": libtorch sees"), "{said}");
    let (code, said) = with("cpu", "devices([\"gpu\"])");
    assert!(code == Some(1) && said.contains("unknown device \"gpu\""), "{said}");
}
