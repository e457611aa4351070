//! The kernel of notebooks, with clients that others wrote: jupyter_client, nbclient and jupyter_kernel_test. setup/jupyter.sh
//! brings them.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

#[path = "../common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{CPSD, err, out, root};

/// The Python that has the clients.
fn python() -> Option<PathBuf> {
    let folder = root("target/jupyter");
    if !folder.join("ready").exists() {
        eprintln!("skipped: target/jupyter is absent (setup/jupyter.sh makes it)");
        return None;
    }
    Some(folder.join("bin/python"))
}

fn cpsd(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(CPSD)
        .args(arguments)
        .current_dir(folder)
        .env("JUPYTER_DATA_DIR", folder.join("data"))
        .output()
        .unwrap()
}

/// Runs a script of this folder in a new working folder, with the kernel installed. Returns what it printed; None without clients.
fn client(script: &str, arguments: &[&str]) -> Option<String> {
    let python = python()?;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let installed = cpsd(at, &["kernel", "install", "--prefix", "here"]);
    assert!(installed.status.success(), "{}", err(&installed));
    let done = Command::new(python)
        .arg(root("tests/kernel").join(script))
        .args(arguments)
        .current_dir(at)
        .env("JUPYTER_PATH", at.join("here/share/jupyter"))
        .env("JUPYTER_RUNTIME_DIR", at.join("runtime"))
        .env("CPSD_STARTUP", at.join("startup.rhai"))
        .env("CPSD_HISTORY", at.join("history"))
        .env("CPSD_WEIGHTS", root("weights"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}\n{}", out(&done), err(&done));
    Some(out(&done))
}

#[test]
fn messages_are_as_jupyter_specifies_them() {
    let Some(said) = client("conformance.py", &[]) else { return };
    let summary: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(summary["run"].as_u64().unwrap() >= 12, "{summary}");
    // There is no pager and no word that clears outputs.
    assert_eq!(summary["skipped"], serde_json::json!(["test_clear_output", "test_pager"]));
}

#[test]
fn a_notebook_runs_from_cell_to_cell() {
    client("notebook.py", &[]);
}

/// One test per case of messages.py.
macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                client("messages.py", &[stringify!($name)]);
            }
        )+
    };
}

cases![
    interrupted_training,
    one_display,
    interrupts,
    answers_meanwhile,
    background_job,
    questions,
    commands,
    errors,
    help_and_completion,
    restart_and_shutdown,
    report_page,
    bad_messages,
    ends_with_its_parent,
];

/// The code of a notebook's cells.
fn cells(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let notebook: serde_json::Value = serde_json::from_str(&text).unwrap();
    notebook["cells"].as_array().unwrap().iter().map(|cell| cell["source"].clone()).collect()
}

#[test]
fn the_tutorial_is_a_notebook_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("tutorial.ipynb");
    let source = root("docs/tutorial.in.md");
    let done = cpsd(folder.path(), &["doc", "--weave", source.to_str().unwrap(), "--into", made.to_str().unwrap()]);
    assert!(done.status.success(), "{}", err(&done));
    assert!(
        cells(&made) == cells(&root("docs/tutorial.ipynb")),
        "docs/tutorial.ipynb is stale: make tutorial writes it again"
    );
    // A notebook is copied elsewhere, where no file of the source is.
    let text = std::fs::read_to_string(&made).unwrap();
    let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let dead: Vec<&str> = links.filter(|link| !link.starts_with("https://")).collect();
    assert!(dead.is_empty() && !text.contains("target/release"), "{dead:?}");
    if !root("weights/efficientnet_lite0.pth").exists() {
        return eprintln!("skipped: the tutorial needs weights/efficientnet_lite0.pth (make weights)");
    }
    client("tutorial.py", &[made.to_str().unwrap(), folder.path().join("run.ipynb").to_str().unwrap()]);
}

#[test]
fn the_kernel_is_installed_and_removed_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let done = cpsd(at, &["kernel", "install", "--user"]);
    assert!(done.status.success() && out(&done).contains("data/kernels/cpsd"), "{}", err(&done));
    let text = std::fs::read_to_string(at.join("data/kernels/cpsd/kernel.json")).unwrap();
    let specification: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(specification["argv"][0].as_str().unwrap(), std::fs::canonicalize(CPSD).unwrap().to_str().unwrap());
    // The person's place is the one that is meant without a word.
    assert!(cpsd(at, &["kernel", "uninstall"]).status.success());
    assert!(!at.join("data/kernels/cpsd").exists());
    let again = cpsd(at, &["kernel", "uninstall"]);
    assert!(!again.status.success() && err(&again).contains("no kernel cpsd"), "{}", err(&again));
}

#[test]
fn what_is_no_connection_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("a.json"), "{\"shell_port\": 1}").unwrap();
    for (arguments, says) in [
        (vec!["kernel", "run", "a.json"], "not a connection file"),
        (vec!["kernel", "run", "absent.json"], "no such file"),
        (vec!["--untrusted", "kernel", "run", "a.json"], "--untrusted forbids"),
        (vec!["kernel", "install", "--user", "--prefix", "x"], "cannot be used with"),
    ] {
        let done = cpsd(at, &arguments);
        assert!(!done.status.success() && err(&done).contains(says), "{arguments:?}: {}", err(&done));
    }
}
