//! `cpsd gpu-check` on a CPU: the page, and checks that end badly.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{CPSD, alone};

/// Runs it with these arguments and returns exit code, standard output and the page.
fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    on_device("cpu", arguments)
}

fn command(folder: &Path, page: &Path) -> Command {
    let mut command = Command::new(CPSD);
    command.args(["--quiet", "gpu-check", "--page"]).arg(page).env("CPSD_DEVICE", "cpu").current_dir(folder);
    command
}

fn on_device(device: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    let output = command(folder.path(), &page).args(arguments).env("CPSD_DEVICE", device).output().unwrap();
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

#[test]
fn a_device_that_is_not_there_is_a_finding_on_the_page() {
    let (code, said, page) = on_device("cuda:999", &["environment", "speed"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(page.contains("| environment | FAILED |") && page.contains("| speed | FAILED |"), "{page}");
    assert_eq!(page.matches("there is no device \"cuda:999\"").count(), 2, "{page}");
    assert!(page.contains("| cores |") && !page.contains("Not complete"), "{page}");
}

#[test]
fn a_page_that_cannot_be_written_is_an_error_before_the_first_check() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let output = command(folder.path(), Path::new("file/page.md")).arg("environment").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty() && said.contains("file"), "{said}");
}

#[test]
fn nothing_is_left_of_a_check_whose_process_is_killed() {
    alone!();
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let is_empty = || std::fs::read_dir(&temporary).unwrap().next().is_none();
    let page = folder.path().join("page.md");
    let mut child = command(folder.path(), &page)
        .arg("resume")
        .env("TMPDIR", &temporary)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("its temporary files", || !is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("their removal", is_empty);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("Not complete: stopped during resume."), "{page}");
    // Every process of it had this folder in its environment.
    let named = temporary.display().to_string();
    let lives = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let environment = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("environ")).unwrap_or_default();
        processes.map(environment).any(|bytes| String::from_utf8_lossy(&bytes).contains(&named))
    };
    wait_for("the end of its processes", || !lives());
}

fn wait_for(what: &str, mut found: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !found() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
