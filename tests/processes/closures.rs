//! The ids of runs whose options are closures, from one process to the next.

use std::path::Path;
use std::process::Command;

use crate::common::{SMALL, err, out};

/// The id that a process of its own gives a training with a schedule.
fn id(folder: &Path, before: &str, schedule: &str) -> String {
    let script = folder.join("script.rhai");
    let text = format!(
        "{before}\n{SMALL}\nprint(train_teacher(data, some, o + #{{epochs: 1, optimiser: \"sgd\", schedule: {schedule}}}).id);"
    );
    std::fs::write(&script, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpsd"));
    let output = command.arg("script").arg(&script).current_dir(folder).env("CPSD_RUNS", "runs").output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    out(&output).trim().to_string()
}

#[test]
fn another_process_finds_the_runs_of_closures_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let library = |rate: &str| {
        let text = format!(
            "const RATE = {rate};\nprivate fn cases(step) {{ switch step {{ 0 => global::RATE, 1 => 0.01, _ => 0.001 }} }}\n\
             fn rate(step) {{ cases(step) }}\nfn rate(step, total) {{ rate(step) / total }}\nfn made() {{ |step, total| rate(step, total) }}"
        );
        std::fs::write(folder.join("rates.rhai"), text).unwrap();
    };
    library("0.1");
    let before = "import \"rates\" as rates; const SAID = \"a \\\" b 12:30\"; fn said() { global::SAID }";
    let schedule =
        "|step, total| { let x = 0.0; x += rates::rate(step, total); if said() == \"\\\"\" { x *= 2.0; } x }";
    let first = id(folder, before, schedule);
    assert_eq!(id(folder, &format!("// moved\n\n{before}"), schedule), first);
    assert_eq!(id(folder, before, schedule), first);
    // Every part that decides the rate counts.
    let other = [
        (before.replace("12:30", "12:31"), schedule.to_string()),
        (before.to_string(), schedule.replace("*= 2.0", "*= 3.0")),
    ];
    for (before, schedule) in other {
        assert_ne!(id(folder, &before, &schedule), first, "{before} {schedule}");
    }
    // A closure that a library made, which works as one of the script does.
    let made = id(folder, before, "rates::made()");
    assert_eq!(id(folder, before, "rates::made()"), made);
    library("0.2");
    assert_ne!(id(folder, before, schedule), first);
    assert_ne!(id(folder, before, "rates::made()"), made);
}
