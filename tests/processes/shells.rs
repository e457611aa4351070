//! Shells: completions in bash, zsh and fish, executable scripts, manual pages, `make install`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::{CPSD, err, out, root};

/// A folder whose `bin/cpsd` is the program, with a script in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(CPSD, folder.path().join("bin/cpsd")).unwrap();
    let text = "#!/usr/bin/env cpsd\n// Adds.\nlet k = arg(\"kind\", 3, \"how many\");\nlet l = arg(\"keep\", false, \"whether\");\nprint(k);\n";
    std::fs::write(folder.path().join("adds.rhai"), text).unwrap();
    folder
}

fn is_here(program: &str) -> bool {
    let here = Command::new(program).arg("-c").arg("exit").output().is_ok();
    if !here {
        println!("skipped: {program} is absent");
    }
    here
}

/// Runs a shell's text with the program in its PATH and `runs` below the folder.
fn shell(shell: &str, folder: &Path, arguments: &[&str]) -> Output {
    shell_with(shell, folder, arguments, Some(&folder.join("runs")))
}

/// The same with another run store, or with that of the settings.
fn shell_with(shell: &str, folder: &Path, arguments: &[&str], runs: Option<&Path>) -> Output {
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(shell);
    command.args(arguments).current_dir(folder).env("PATH", path).env("HOME", folder);
    match runs {
        Some(runs) => command.env("CPSD_RUNS", runs),
        None => command.env_remove("CPSD_RUNS"),
    };
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

/// What bash offers behind a line, split into words as bash does.
fn bash(folder: &Path, words: &[&str]) -> Vec<String> {
    bash_with(folder, words, Some(&folder.join("runs")))
}

/// The same with another run store, or with that of the settings.
fn bash_with(folder: &Path, words: &[&str], runs: Option<&Path>) -> Vec<String> {
    let listed: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = *words.last().unwrap();
    // A quote that is still open is no part of the word for bash.
    let current = if last == "=" { "" } else { last.trim_start_matches('"') };
    let text = format!(
        "source <(cpsd completions bash); COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; \
         _clap_complete_cpsd cpsd '{current}' x; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        listed.join(" "),
        words.len() - 1
    );
    let done = shell_with("bash", folder, &["--norc", "-c", &text], runs);
    // `compopt` says that nothing is being completed.
    let errors = err(&done);
    assert!(errors.lines().all(|line| line.contains("compopt")), "{words:?}: {errors}");
    out(&done).lines().filter(|line| !line.is_empty()).map(str::to_string).collect()
}

#[test]
fn bash_completes_commands_words_arguments_of_scripts_and_runs() {
    let folder = folder();
    let f = folder.path();
    let has = |words: &[&str], wanted: &[&str]| {
        let found = bash(f, words);
        for name in wanted {
            assert!(found.iter().any(|one| one == name), "{words:?}: {name} in {found:?}");
        }
        found
    };
    assert_eq!(has(&["cpsd", "adds.rhai", ""], &[]), ["kind=", "keep="]);
    assert_eq!(has(&["cpsd", "adds.rhai", "-"], &[]), ["--help"]);
    assert_eq!(has(&["cpsd", "script", "--mul"], &[]), ["--multirun"]);
    let first = has(&["cpsd", ""], &["script", "doc", "runs", "completions", "adds.rhai"]);
    assert!(!first.iter().any(|name| name == "worker" || name == "man"), "{first:?}");
    assert_eq!(has(&["cpsd", "doc", "spectral_p"], &[]), ["spectral_partition"]);
    assert_eq!(has(&["cpsd", "script", "adds.rhai", "k"], &[]), ["kind=", "keep="]);
    assert_eq!(has(&["cpsd", "adds.rhai", "kin"], &[]), ["kind="]);
    assert_eq!(has(&["cpsd", "--runs", "r", "script", "adds.rhai", "kind", "=", "4", "k"], &[]), ["keep="]);
    assert_eq!(has(&["cpsd", "script", "adds.rhai", "kind", "="], &[]), ["3"]);
    assert_eq!(has(&["cpsd", "script", "adds.rhai", "keep", "=", "t"], &[]), ["true"]);
    assert_eq!(has(&["cpsd", "script", "a"], &[]), ["adds.rhai"]);
    // Examples, and the settings with their values.
    assert_eq!(has(&["cpsd", "examples", "label_g"], &[]), ["label_graph.rhai"]);
    assert!(!has(&["cpsd", "examples", ""], &["cam.rhai", "heads/csra.rhai"]).iter().any(|name| name == "adds.rhai"));
    assert_eq!(has(&["cpsd", "config", "set", "th"], &[]), ["threads"]);
    assert_eq!(has(&["cpsd", "config", "get", "we"], &[]), ["weights"]);
    has(&["cpsd", "config", "unset", ""], &["runs", "device"]);
    assert_eq!(has(&["cpsd", "config", "set", "download", "t"], &[]), ["true"]);
    has(&["cpsd", "config", "set", "device", "c"], &["cpu", "cuda"]);
    assert_eq!(has(&["cpsd", "runs", "show", ""], &[]).iter().filter(|name| !name.starts_with('-')).count(), 0);
    let made = Command::new(CPSD)
        .args(["eval", &format!("{}train_teacher(data, some, o)", crate::common::SMALL)])
        .current_dir(f)
        .env("CPSD_RUNS", f.join("runs"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", err(&made));
    let id = has(&["cpsd", "runs", "show", "train-"], &[]);
    assert!(id.len() == 1 && f.join("runs").join(&id[0]).exists(), "{id:?}");
    assert_eq!(has(&["cpsd", "runs", "diff", &id[0], "train-"], &[]), id);
    assert_eq!(has(&["cpsd", "--runs", "elsewhere", "runs", "show", "train-"], &[]), [""; 0]);
    // The store that the project's settings name.
    let below = f.join("below");
    std::fs::create_dir(&below).unwrap();
    std::os::unix::fs::symlink(f.join("bin"), below.join("bin")).unwrap();
    std::fs::write(f.join("cpsd.toml"), "runs = \"kept\"\n").unwrap();
    std::fs::rename(f.join("runs"), f.join("kept")).unwrap();
    assert_eq!(bash_with(&below, &["cpsd", "runs", "show", "train-"], None), id);
}

#[test]
fn bash_quotes_what_it_would_read_otherwise() {
    let folder = folder();
    let f = folder.path();
    std::fs::write(f.join("my adds.rhai"), "arg(\"files\", \"/*\"); arg(\"kept\", \"a b\");").unwrap();
    for (words, expected) in [
        (&["cpsd", "script", "my"][..], r"my\ adds.rhai"),
        (&["cpsd", "script", r"my\ a"], r"my\ adds.rhai"),
        (&["cpsd", "script", "\"my a"], "my adds.rhai"),
        (&["cpsd", r"my\ adds.rhai", "fi"], "files="),
        (&["cpsd", "\"my adds.rhai\"", "files", "="], r"/\*"),
        (&["cpsd", "\"my adds.rhai\"", "kept", "="], r"a\ b"),
        (&["cpsd", "\"my adds.rhai\"", "kept", "=", "\"a "], "a b"),
    ] {
        assert_eq!(bash(f, words), [expected], "{words:?}");
    }
}

#[test]
fn zsh_and_fish_complete_with_help() {
    let folder = folder();
    let f = folder.path();
    if is_here("zsh") {
        // The functions of completion work only inside the line editor: what they are given is printed.
        let text = "compdef() { }; _describe() { local -a all; all=(\"${(@P)3}\"); print -rl -- \"$2\" $all \"${@:4}\"; }\n\
            source <(cpsd completions zsh)\n\
            words=(cpsd script adds.rhai k); CURRENT=4; _clap_dynamic_completer_cpsd\n\
            words=(cpsd doc spectral_p); CURRENT=3; _clap_dynamic_completer_cpsd\n";
        let done = shell("zsh", f, &["-f", "-c", text]);
        let text = out(&done);
        assert!(
            text.contains("kind=:how many (default 3)\nkeep=:whether (default false)\n-S\n\n"),
            "{text}{}",
            err(&done)
        );
        assert!(text.contains("spectral_partition:"), "{text}{}", err(&done));
    }
    if is_here("fish") {
        let text = "cpsd completions fish | source; complete -C 'cpsd script adds.rhai k'; complete -C 'cpsd adds.rhai kind='; complete -C 'cpsd doc spectral_p'";
        let done = shell("fish", f, &["--no-config", "-c", text]);
        let text = out(&done);
        assert!(text.contains("kind=\thow many (default 3)\nkeep=\twhether (default false)\n"), "{text}{}", err(&done));
        assert!(text.contains("kind=3") && text.contains("spectral_partition\t"), "{text}");
    }
    for name in ["elvish", "powershell"] {
        let script = shell("cpsd", f, &["completions", name]);
        assert!(out(&script).contains("CPSD_COMPLETE"), "{name}: {}", out(&script));
    }
    let unknown = shell("cpsd", f, &["completions", "bsh"]);
    assert!(unknown.status.code() == Some(2) && err(&unknown).contains("bash"), "{}", err(&unknown));
}

#[test]
fn an_executable_script_is_a_program() {
    let folder = folder();
    let f = folder.path();
    let program = f.join("adds");
    std::fs::copy(f.join("adds.rhai"), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = |words: &str| shell("sh", f, &["-c", &format!("./adds {words}")]);
    assert_eq!(out(&run("kind=4")), "4\n", "{}", err(&run("kind=4")));
    let help = out(&run("--help"));
    assert!(help.starts_with("Adds.\n") && help.contains("kind=3") && !help.contains("usr/bin"), "{help}");
    // Places are those of the file.
    std::fs::write(&program, "#!/usr/bin/env cpsd\n\nnothing_here(1)\n").unwrap();
    let failed = run("");
    assert!(failed.status.code() == Some(1) && err(&failed).contains("./adds:3:1"), "{}", err(&failed));
    let checked = shell("cpsd", f, &["check", "adds", "adds.rhai"]);
    assert!(out(&checked).contains("adds:3:1") && out(&checked).contains("1 error,"), "{}", out(&checked));
}

#[test]
fn manual_pages_have_every_command_and_the_exit_codes() {
    let folder = folder();
    let f = folder.path();
    let made = shell("cpsd", f, &["man", "pages"]);
    assert!(made.status.success(), "{}", err(&made));
    let page = |name: &str| std::fs::read_to_string(f.join("pages").join(name)).unwrap();
    let main = page("cpsd.1");
    assert!(main.contains(".SH \"EXIT STATUS\"") && main.contains("75") && main.contains("cpsd\\-script(1)"), "{main}");
    assert!(page("cpsd-script.1").contains("multirun") && page("cpsd-runs-show.1").contains("beginning"));
    assert!(!f.join("pages/cpsd-worker.1").exists() && !f.join("pages/cpsd-man.1").exists());
}

#[test]
fn what_is_installed_runs_and_is_removed() {
    let folder = folder();
    let f = folder.path();
    let prefix = f.join("usr");
    let install = |what: &str, prefix: &str| {
        Command::new("sh")
            .args([root("setup/install.sh").to_str().unwrap(), what, prefix])
            .env("CPSD_PROGRAM", CPSD)
            .env_remove("LIBTORCH_COPY")
            .output()
            .unwrap()
    };
    let done = install("install", prefix.to_str().unwrap());
    assert!(done.status.success(), "{}", err(&done));
    assert!(out(&done).contains("libtorch: that of the build"), "{}", out(&done));
    let sum = Command::new(prefix.join("bin/cpsd")).args(["eval", "1 + 2"]).output().unwrap();
    assert_eq!(out(&sum), "3\n", "{}", err(&sum));
    let files =
        ["share/man/man1/cpsd-script.1", "share/bash-completion/completions/cpsd", "share/zsh/site-functions/_cpsd"];
    for file in files {
        let text = std::fs::read_to_string(prefix.join(file)).unwrap();
        assert!(text.contains("cpsd") && !text.contains(prefix.to_str().unwrap()), "{file}: {text}");
    }
    let done = install("uninstall", prefix.to_str().unwrap());
    assert!(done.status.success(), "{}", err(&done));
    let left = Command::new("find").args([prefix.to_str().unwrap(), "-type", "f"]).output().unwrap();
    assert_eq!(out(&left), "");
    let wrong = install("install", "usr");
    assert!(wrong.status.code() == Some(2) && err(&wrong).contains("an absolute PREFIX"), "{}", err(&wrong));
}
