//! `cpsd gpu-check` on a CPU: the page, and checks that end badly.

use crate::common::{CPSD, alone};

/// Runs it with these arguments and returns exit code, standard output and the page.
fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    let output = std::process::Command::new(CPSD)
        .args(["--quiet", "gpu-check", "--page"])
        .arg(&page)
        .args(arguments)
        .env("CPSD_DEVICE", "cpu")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text, std::fs::read_to_string(&page).unwrap_or_default())
}

#[test]
fn a_page_says_what_is_on_the_machine_and_what_was_checked() {
    alone!();
    let (code, said, page) = check(&["environment", "warnings", "memory", "process-groups"]);
    assert_eq!(code, Some(0), "{said}\n{page}");
    assert!(said.contains("environment: passed") && said.contains("memory: skipped"), "{said}");
    assert!(page.contains("| devices | cpu |") && page.contains("| memory | skipped |"), "{page}");
    assert!(page.contains("wrote 0 lines") && page.contains("gloo with one process"), "{page}");
}

#[test]
fn an_unknown_check_is_an_error_that_names_the_nearest() {
    let (code, said, page) = check(&["warning"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("warnings") && page.is_empty(), "{said}");
}
