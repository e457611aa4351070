//! The binary as a user calls it: exit codes, arguments of scripts, output in a pipe, and the prompt in a terminal.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::common::{CPSD, err, out, root};

fn cpsd(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(CPSD).args(arguments).current_dir(folder).env("CPSD_HISTORY", folder.join("history")).output().unwrap()
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
    let wrong = cpsd(f, &["script", "s.rhai", "k=many"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).contains("argument \"k\" must be an integer"), "{}", err(&wrong));
    assert_eq!(cpsd(f, &["script", "missing.rhai"]).status.code(), Some(1));
    assert_eq!(cpsd(f, &["check", "s.rhai"]).status.code(), Some(0));
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
