//! What scripts may read and write, as a user meets it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::{CPSD, err, out};

/// A working folder, a home and another folder, with a script that writes a table to the path that it is given.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "home", "other"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let place = Place { folder };
        place.script("put.rhai", "table([#{a: 1}]).write_csv(arg(\"out\", \"x.csv\", \"\"));");
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn script(&self, name: &str, text: &str) {
        std::fs::write(self.at("work").join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CPSD);
        command.args(arguments).current_dir(self.at("work")).env("HOME", self.at("home")).env_remove("CPSD_RUNS");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a script of this text.
    fn runs(&self, text: &str, options: &[&str]) -> Output {
        self.script("s.rhai", text);
        self.run(&[options, &["script", "s.rhai"]].concat())
    }
}

/// Folders of pictures are refused as a whole and before the first of them is made.
#[test]
fn a_folder_is_asked_for_before_it_is_written() {
    let place = Place::new();
    let folder = place.at("other/scenes");
    let call = |word: &str| format!("{word}environment(\"AT\"), #{{train: 4000, test: 4000, size: 64}});");
    for word in ["write_scenes(", "write_miniature(\"voc2007\", "] {
        place.script("s.rhai", &call(word));
        let run = |options: &[&str]| {
            place.command(&[options, &["script", "s.rhai"]].concat()).env("AT", &folder).output().unwrap()
        };
        let output = run(&[]);
        refused(&output, "s.rhai may not write");
        let said: String = err(&output).split_whitespace().collect();
        assert!(said.contains("--allow-write=") && said.contains("other/scenesallowsit"), "{}", err(&output));
        assert!(!err(&output).contains("writing train pictures") && !folder.exists(), "{}", err(&output));
    }
}

fn refused(output: &Output, what: &str) {
    let said = err(output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(output.status.code() == Some(1) && said.contains(what), "expected {what}\n{}{}", out(output), err(output));
}

fn done(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", err(output));
}

/// A call that writes a table to a path that no literal of the script contains.
fn write_to(path: &Path) -> String {
    let (first, last) = path.to_str().unwrap().rsplit_once('/').unwrap();
    format!("table([#{{a: 1}}]).write_csv(\"{first}\" + \"/\" + \"{last}\");")
}

#[test]
fn writing_is_fenced_and_a_typed_path_opens_the_fence() {
    let place = Place::new();
    let other = place.at("other/x.csv");
    done(&place.run(&["script", "put.rhai"]));
    assert!(place.at("work/x.csv").is_file());
    refused(&place.runs(&write_to(&other), &[]), "s.rhai may not write");
    let hidden = place.at("home/.bashrc");
    let output = place.runs(&write_to(&hidden), &[]);
    refused(&output, "s.rhai may not write ~/.bashrc");
    // The help works as it is typed.
    let said = err(&output).replace(['│', '\n'], " ");
    let option = said.split_whitespace().find(|word| word.starts_with("--allow-write=")).unwrap().to_string();
    done(&place.runs(&write_to(&hidden), &[&option]));
    std::fs::remove_file(&hidden).unwrap();
    refused(&place.runs("table([#{a: 1}]).write_csv(\".hidden/x.csv\");", &[]), "may not write .hidden/x.csv");
    refused(&place.runs("table([#{a: 1}]).write_csv(\"../other/x.csv\");", &[]), "may not write ../other/x.csv");
    assert!(!other.exists() && !place.at("home/.bashrc").exists());
    // Typed: as an argument's value, by the option before and behind the script, and in an expression.
    done(&place.run(&["script", "put.rhai", &format!("out={}", other.display())]));
    std::fs::remove_file(&other).unwrap();
    let allow = format!("--allow-write={}", place.at("other").display());
    done(&place.runs(&write_to(&other), &[&allow]));
    std::fs::remove_file(&other).unwrap();
    done(&place.run(&["script", "s.rhai", &allow]));
    std::fs::remove_file(&other).unwrap();
    done(&place.run(&["eval", &format!("table([#{{a: 1}}]).write_csv(\"{}\")", other.display())]));
    assert!(other.is_file());
    done(&place.runs("table([#{a: 1}]).write_csv(temporary_folder() + \"/x.csv\"); print(temporary_folder())", &[]));
}

#[test]
fn the_temporary_folder_is_removed_at_the_end() {
    let place = Place::new();
    let output = place.runs("print(temporary_folder()); sleep(0.01);", &[]);
    done(&output);
    let mode = "let path = temporary_folder(); table([#{a: 1}]).write_csv(path + \"/x.csv\"); print(path); sleep(60);";
    let mut child = place.command(&["eval", mode]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut path = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut path).unwrap();
    assert_eq!(std::fs::metadata(path.trim()).unwrap().permissions().mode() & 0o777, 0o700, "others may look into it");
    child.kill().unwrap();
    child.wait().unwrap();
    // A killed process left it; the next one that needs one removes it.
    done(&place.run(&["eval", "temporary_folder()"]));
    assert!(!Path::new(path.trim()).exists());
    assert!(out(&output).trim().starts_with('/') && !Path::new(out(&output).trim()).exists(), "{}", out(&output));
}

#[test]
fn links_lead_to_where_they_lead() {
    let place = Place::new();
    symlink(place.at("other"), place.at("work/out")).unwrap();
    symlink(place.at("home/.profile"), place.at("work/x.csv")).unwrap();
    refused(&place.runs("table([#{a: 1}]).write_csv(\"out/x.csv\");", &[]), "may not write out/x.csv");
    refused(&place.run(&["script", "put.rhai"]), "may not write x.csv");
    std::fs::write(place.at("home/.profile"), "mine").unwrap();
    refused(&place.run(&["script", "put.rhai"]), "may not write x.csv");
    assert_eq!(std::fs::read_to_string(place.at("home/.profile")).unwrap(), "mine");
    // A link inside the fence stays one, and the file behind it keeps its mode.
    std::fs::write(place.at("work/real.csv"), "old").unwrap();
    std::fs::set_permissions(place.at("work/real.csv"), PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::remove_file(place.at("work/x.csv")).unwrap();
    symlink("real.csv", place.at("work/x.csv")).unwrap();
    done(&place.run(&["script", "put.rhai"]));
    assert!(place.at("work/x.csv").is_symlink());
    assert_eq!(std::fs::read_to_string(place.at("work/real.csv")).unwrap(), "a\n1\n");
    assert_eq!(std::fs::metadata(place.at("work/real.csv")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn devices_and_fifos_are_neither_written_nor_read() {
    use std::os::unix::fs::FileTypeExt;
    let place = Place::new();
    refused(&place.run(&["script", "put.rhai", "out=/dev/null"]), "this is not a regular file");
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let fifo = place.at("work/fifo.csv");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    refused(&place.run(&["script", "put.rhai", "out=fifo.csv"]), "this is not a regular file");
    for word in ["load_labels", "load_table", "cooccurrence", "load_cooccurrence"] {
        refused(&place.runs(&format!("{word}(\"fifo.csv\")"), &[]), "this is n");
    }
}

#[test]
fn an_untrusted_script_reads_its_folder_and_little_else() {
    let place = Place::new();
    let table = "image,label\n1,cat\n";
    std::fs::write(place.at("work/labels.csv"), table).unwrap();
    std::fs::write(place.at("other/labels.csv"), table).unwrap();
    let read = |path: &Path| format!("print(load_labels(\"{}\").images)", path.display());
    let trusted = place.runs(&read(&place.at("other/labels.csv")), &[]);
    done(&trusted);
    let inside = place.runs(&read(&place.at("work/labels.csv")), &["--untrusted"]);
    done(&inside);
    let outside = place.runs(&read(&place.at("other/labels.csv")), &["--untrusted"]);
    refused(&outside, "s.rhai may not read");
    std::fs::write(place.at("other/lib.rhai"), "fn one() { 1 }").unwrap();
    refused(&place.runs("import \"../other/lib\" as lib;", &["--untrusted"]), "s.rhai may not read");
    let allow = format!("--allow-read={}", place.at("other").display());
    done(&place.runs(&read(&place.at("other/labels.csv")), &["--untrusted", &allow]));
    // Its own folder is not written; the run store is.
    refused(&place.runs("table([#{a: 1}]).write_csv(\"x.csv\");", &["--untrusted"]), "s.rhai may not write x.csv");
    done(&place.runs("table([#{a: 1}]).write_csv(temporary_folder() + \"/x.csv\");", &["--untrusted"]));
    let trained = place.runs(
        &format!("{}train_teacher(data, some, o + #{{epochs: 1}}); print(runs().len());", crate::common::SMALL),
        &["--untrusted"],
    );
    done(&trained);
    assert_eq!(out(&trained).trim(), "1");
    // A finished run never changes, and what a script uses is bounded.
    let spoil = "let id = runs().column(\"id\")[0]; table([#{a: 1}]).write_csv(\"runs/\" + id + \"/summary.csv\");";
    refused(&place.runs(spoil, &["--untrusted"]), "is a finished run, which never changes");
    refused(&place.runs(spoil, &[]), "is a finished run, which never changes");
    refused(&place.runs("for i in 0..5 { spawn(|| sleep(60)); }", &["--untrusted"]), "4 jobs run already");
    // No program of a queue runs.
    for word in ["jobs", "stop()", "check()"] {
        let text = "a script that is not trusted cannot put work into a queue";
        refused(&place.runs(&format!("slurm().{word};"), &["--untrusted"]), text);
    }
}

#[test]
fn the_kernel_fences_an_untrusted_process() {
    let place = Place::new();
    std::fs::write(place.at("other/secret"), "secret").unwrap();
    // The prompt's shell is no word of the language: only the kernel stands between it and the file.
    let mut child = rexpect::session::spawn_command(
        {
            let mut command = place.command(&["--untrusted"]);
            command.env("CPSD_HISTORY", place.at("history")).env("TERM", "xterm-256color").env("NO_COLOR", "1");
            command
        },
        Some(120_000),
    )
    .unwrap();
    let start = child.exp_string("cpsd> ").unwrap();
    if start.contains("no Landlock") {
        println!("skipped: this kernel has no Landlock");
        return;
    }
    child.send_line(&format!(":sh cat {}/se*; echo done", place.at("other").display())).unwrap();
    child.exp_string("done").unwrap();
    let said = child.exp_string("cpsd> ").unwrap();
    assert!(!said.contains("secret") && (said.contains("denied") || said.contains("No such file")), "{said}");
    child.send_line(&format!(":sh echo x > {}/new; echo ov''er", place.at("work").display())).unwrap();
    child.exp_string("over").unwrap();
    child.exp_string("cpsd> ").unwrap();
    assert!(!place.at("work/new").exists());
    child.send_line(":allow code").unwrap();
    child.exp_string("permissions are those of the command line").unwrap();
    child.send_line(":allow").unwrap();
    child.exp_string("no TorchScript file runs").unwrap();
}

#[test]
fn worker_processes_have_the_policy_of_their_parent() {
    let place = Place::new();
    // A policy that is no policy is no permission.
    let job = place.at("work/job.json");
    std::fs::write(&job, "{}").unwrap();
    let output =
        place.command(&["worker", job.to_str().unwrap()]).env("CPSD_POLICY", "{\"reads\": 3}").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("CPSD_POLICY is no policy"), "{}{}", out(&output), err(&output));
    let text = format!(
        "{}train_teachers(data, random_partition([\"person\", \"dog\", \"car\", \"cat\"], 2), o + #{{epochs: 1, workers: \"processes\"}}); print(runs().len());",
        crate::common::SMALL
    );
    let output = place.runs(&text, &["--untrusted"]);
    done(&output);
    assert_eq!(out(&output).trim(), "2");
}

#[test]
fn names_of_files_do_not_command_the_terminal() {
    let place = Place::new();
    let mut child = rexpect::session::spawn_command(
        place.command(&["eval", "print(\"\\x1b]0;title\\x07 and \\x1b[31mred\")"]),
        Some(120_000),
    )
    .unwrap();
    let said = child.exp_eof().unwrap();
    assert!(said.contains("\\u{1b}]0;title\\u{7} and \u{1b}[31mred"), "{said:?}");
    // In a pipe the bytes are the script's own.
    let piped = place.run(&["eval", "print(\"\\x1b]0;title\\x07\")"]);
    assert_eq!(out(&piped), "\u{1b}]0;title\u{7}\n");
}
