//! Others' programs: a client from PyPI, and the extension for VS Code built, packed and tested by npm.

use std::path::Path;
use std::process::{Command, Output};

use crate::client::{CPSD, root};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_client_of_pygls_talks_to_it() {
    let python = root("target/lsp-client/bin/python");
    if !root("target/lsp-client/ready").exists() {
        println!("skipped: target/lsp-client is absent (setup/editors.sh)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(python)
        .arg(root("tests/lsp/pygls_client.py"))
        .arg(CPSD)
        .current_dir(folder.path())
        .env("XDG_CACHE_HOME", folder.path().join("caches"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("all of it"), "{}", said(&output));
}

#[test]
fn the_extension_for_vs_code_is_built_packed_and_tested() {
    let folder = root("editors/vscode");
    if !folder.join("node_modules/.package-lock.json").exists() {
        println!("skipped: editors/vscode/node_modules is absent (setup/editors.sh)");
        return;
    }
    let npm = |arguments: &[&str]| {
        let output = Command::new("npm").args(arguments).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "npm {}: {}", arguments.join(" "), said(&output));
        said(&output)
    };
    npm(&["run", "compile"]);
    npm(&["run", "package"]);
    assert!(Path::new(&folder).join("cpsd.vsix").exists());
    let tested = npm(&["test"]);
    assert!(tested.contains("# fail 0") && !tested.contains("# skipped 1"), "{tested}");
}
