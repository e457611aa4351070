//! The first signal asks to stop, a second one ends the process at once, whatever it does.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rexpect::session::spawn_command;

use crate::common::{CPSD, err, root};

/// A function in TorchScript that never ends, which nothing of ours can ask to stop.
fn endless() -> String {
    let file = root("tests/goldens/models/endless.pt");
    format!(
        "print(\"begun\"); model(\"torchscript\", #{{labels: [\"a\"], path: \"{}\", image_size: 32}})",
        file.display()
    )
}

fn wait_for(what: &str, mut found: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !found() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// A process that has printed its first line.
fn begun(folder: &Path, arguments: &[&str]) -> Child {
    let mut child = Command::new(CPSD)
        .args(arguments)
        .current_dir(folder)
        .env("CPSD_RUNS", "runs")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    // From here on it computes in libtorch.
    std::thread::sleep(Duration::from_millis(300));
    child
}

#[test]
fn a_second_signal_within_two_seconds_ends_what_cannot_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let script = format!("fn test_it() {{ {} }}\n{}", endless(), endless());
    std::fs::write(f.join("s.rhai"), script).unwrap();
    let code = endless();
    let calls: [&[&str]; 3] =
        [&["--allow-code", "eval", &code], &["--allow-code", "script", "s.rhai"], &["--allow-code", "test", "s.rhai"]];
    for (arguments, first, second) in
        [(calls[0], "-INT", "-INT"), (calls[1], "-TERM", "-INT"), (calls[2], "-INT", "-TERM")]
    {
        let mut child = begun(f, arguments);
        // The same request twice, as `timeout` signals a process and then its group.
        let twice = format!("kill {first} {0}; kill {first} {0}", child.id());
        assert!(Command::new("sh").args(["-c", &twice]).status().unwrap().success());
        std::thread::sleep(Duration::from_millis(400));
        assert!(child.try_wait().unwrap().is_none(), "{arguments:?}: ended by the first");
        signal(&child, second);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn the_user_is_told_how_to_end_what_takes_long_and_may_take_as_long_to_do_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = begun(folder.path(), &["--allow-code", "eval", &endless()]);
    signal(&child, "-INT");
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("Ctrl-C once more ends the process at once"), "{line}");
    std::thread::sleep(Duration::from_millis(2500));
    assert!(child.try_wait().unwrap().is_none());
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // USR1 only asks.
    let mut child = begun(folder.path(), &["--allow-code", "eval", &endless()]);
    for _ in 0..3 {
        signal(&child, "-USR1");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    let _ = child.wait();
}

#[test]
fn the_first_signal_ends_every_wait() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for code in [
        "print(\"begun\"); sleep(1000)",
        "print(\"begun\"); let j = spawn(|| sleep(1000)); wait(j)",
        "print(\"begun\"); let j = spawn(|| sleep(1000)); j.value",
        "print(\"begun\"); let j = spawn(|| { sleep(1000) }); let k = spawn(|| wait(j)); wait([j, k])",
        "print(\"begun\"); loop { }",
        "print(\"begun\"); loop { try { sleep(1000) } catch { } }",
    ] {
        let child = begun(f, &["eval", code]);
        signal(&child, "-INT");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{code}: {}", err(&output));
    }
    // A script that nobody finishes writing.
    let mut child = Command::new(CPSD)
        .current_dir(f)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Held to the end: `wait` would close it.
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"print(1);").unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(input);
}

#[cfg(target_os = "linux")]
#[test]
fn workers_do_not_outlive_a_parent_that_went_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code = "print(\"begun\"); let data = dataset(\"emoji-scenes\", #{train: 96, val: 24, test: 1, test_shifted: 1, size: 32}); \
        let o = #{model: #{backbone: \"small_cnn\", image_size: 32}, epochs: 100000, batch: 16, threads: 1, workers: \"processes\"}; \
        train_teachers(data, random_partition([\"person\", \"car\"], 2), o)";
    let mut child = begun(f, &["eval", code]);
    let parent = child.id();
    let workers = || -> Vec<u32> {
        let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
        let of = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        all.filter(|pid: &u32| of(pid).contains(&format!("PPid:\t{parent}\n"))).collect()
    };
    let mut found = vec![];
    wait_for("workers", || {
        found = workers();
        found.len() == 2
    });
    child.kill().unwrap();
    let _ = child.wait();
    wait_for("the workers' end", || found.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
}

#[test]
fn at_the_prompt_a_second_key_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &format!("trap : INT; stty rows 24 cols 100; {CPSD} --allow-code; echo code $?; stty -a; echo over"),
        ])
        .current_dir(folder.path())
        .env("CPSD_HISTORY", folder.path().join("history"))
        .env("CPSD_STARTUP", folder.path().join("startup.rhai"))
        .env("TERM", "xterm-256color")
        .env("NO_COLOR", "1");
    let mut p = spawn_command(command, Some(60_000)).unwrap();
    p.exp_string("cpsd> ").unwrap();
    // A request that was obeyed is no first one: the next line's first is.
    for _ in 0..2 {
        p.send_line("let n = 0; print(\"be\" + \"gun\"); loop { n += 1; }").unwrap();
        p.exp_string("begun").unwrap();
        std::thread::sleep(Duration::from_millis(150));
        p.send_control('c').unwrap();
        // Nothing was kept from which a call could go on.
        let said = p.exp_string("interrupted; variables are kept").and_then(|_| p.read_line()).unwrap();
        assert!(!said.contains("goes on from there"), "{said}");
        p.exp_string("cpsd> ").unwrap();
    }
    // A comment that is open goes on in the next line.
    p.send_line("6 /* and").unwrap();
    p.send_line("so on */ * 7").unwrap();
    p.exp_string("42").unwrap();
    p.exp_string("cpsd> ").unwrap();
    p.send_line(&endless().replace("\"begun\"", "\"be\" + \"gun\"")).unwrap();
    p.exp_string("begun").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    p.send_control('c').unwrap();
    std::thread::sleep(Duration::from_millis(500));
    p.send_control('c').unwrap();
    p.exp_string("\x1b[?25h").unwrap();
    p.exp_string("code 130").unwrap();
    let settings = p.exp_string("over").unwrap();
    assert!(
        ["icanon", "isig", "icrnl"].iter().all(|name| settings.split_whitespace().any(|word| word == *name)),
        "{settings}"
    );
}
