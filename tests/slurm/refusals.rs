//! What Slurm refuses, and what fails before a worker can say anything.

use std::time::Duration;

use crate::cluster::{Cluster, newer_than};
use crate::common::process::{wait_for, wait_for_so_long};
use crate::script::Script;

const SHORT: &str = "train_teacher(data, some, q + #{epochs: 1});";

#[test]
fn a_refusal_is_told_in_slurms_words() {
    let Some(cluster) = Cluster::start() else { return };
    let refused = [
        ("partition: \"nowhere\"", "invalid partition specified: nowhere"),
        ("gres: \"gpu:1\"", "Invalid generic resource (gres) specification"),
        ("constraint: \"fast\"", "Invalid feature specification"),
        ("cpus: 64", "Requested node configuration is not available"),
        ("sbatch: #{\"no-such-option\": \"1\"}", "no-such-option"),
    ];
    for (options, words) in refused {
        // Some versions accept what no node has.
        if options.starts_with("cpus") && !newer_than((23, 0)) {
            continue;
        }
        let said = Script::new(options, SHORT).queued(&cluster).ends_with(1);
        assert!(said.contains(words), "{options}: {said}");
    }
    assert!(cluster.jobs().is_empty());
    // Nothing of a refused one is taken for a live batch.
    let script = Script::new("", SHORT);
    script.is_done(&cluster);
    script.check(&cluster);
}

#[test]
fn a_log_that_cannot_be_written_is_said() {
    let Some(cluster) = Cluster::start() else { return };
    let parent = Script::new("sbatch: #{hold: ()}", SHORT).queued(&cluster);
    wait_for("a held task", || cluster.tasks_in("PENDING").len() == 1);
    let batches = std::fs::read_dir(cluster.at("runs/.work/batches")).unwrap().flatten();
    for batch in batches.map(|e| e.path().join("logs")) {
        std::fs::remove_dir_all(&batch).unwrap();
        std::fs::write(&batch, "").unwrap();
    }
    cluster.ask("scontrol", &["release", &cluster.jobs()[0]]);
    let said = parent.ends_with(1);
    assert!(said.contains("logs"), "{said}");
}

#[test]
fn a_setup_line_that_fails_is_said_with_its_words() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new("setup: [\"echo no such module as cuda/99 >&2\", \"exit 3\"]", SHORT);
    let said = script.queued(&cluster).ends_with(1);
    assert!(said.contains("no such module as cuda/99"), "{said}");
}

#[test]
fn an_error_of_the_training_is_the_error_of_the_call() {
    let Some(cluster) = Cluster::start() else { return };
    // Every step multiplies the weights by 90: soon they are no numbers.
    let code = "train_teacher(data, some, q + #{optimiser: \"sgd\", lr: 100.0, weight_decay: 0.9, epochs: 16});";
    let here = Script {
        runs: "work/here",
        ..Script::new(
            "",
            "train_teacher(data, some, o + #{optimiser: \"sgd\", lr: 100.0, weight_decay: 0.9, epochs: 16});",
        )
    };
    let expected = here.queued(&cluster).ends_with(1);
    let said = Script::new("", code).queued(&cluster).ends_with(1);
    let sentence = |text: &str| {
        text.lines().find(|line| line.contains("finite") || line.contains("no longer a number")).map(str::to_string)
    };
    assert!(sentence(&expected).is_some(), "{expected}");
    assert!(said.contains(sentence(&expected).unwrap().trim()), "{expected}\n{said}");
    wait_for_so_long(Duration::from_secs(20), "the end of the task", || cluster.tasks_in("FAILED").len() == 1);
}
