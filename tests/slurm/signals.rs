//! Time limits and preemption: a checkpoint, back into the queue, and the same bits.
//!
//! Workers are paused while Slurm makes up its mind, so that no training need be long.

use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Layout, has_pending, signal};
use crate::common::process::wait_for;
use crate::script::{ONE, Script, TERM, USR1, logged, paused, resume, unfinished};

#[test]
fn a_time_limit_shorter_than_the_training_is_met_by_several_starts() {
    let Some(cluster) = Cluster::with(Layout { nodes: 1, ..Layout::default() }) else { return };
    // A minute, and the signal comes in its first half.
    let script = Script::new("time: \"1\", signal_before: 50", ONE);
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 1);
    // Slurm may wake it itself, and on a slow machine the signal may have come before the first epoch.
    let since = Instant::now();
    let gone = || !cluster.workers().contains(&workers[0]) || since.elapsed() > Duration::from_secs(40);
    wait_for("the signal before the time limit", || has_pending(workers[0].pid, USR1) || gone());
    resume(&workers);
    let logs = logged(parent, &cluster);
    assert!(logs.contains("resumed at epoch"), "{logs}");
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 1);
    let details = cluster.ask("scontrol", &["show", "job", &cluster.jobs()[0]]);
    assert!(details.contains("Restarts=1"), "{details}");
}

fn preempted(layout: Layout, expected: u32) {
    let Some(cluster) = Cluster::with(Layout { nodes: 1, ..layout }) else { return };
    let script = Script::new("", ONE);
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 1);
    cluster.sbatch(&["--partition=urgent", "--exclusive"], "sleep 1");
    // Slurm may wake it itself.
    let gone = || !cluster.workers().contains(&workers[0]);
    wait_for("a preemption", || has_pending(workers[0].pid, expected) || gone());
    resume(&workers);
    let logs = logged(parent, &cluster);
    assert!(logs.contains("resumed at epoch"), "{logs}");
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 2, "{:?}", cluster.tasks());
}

#[test]
fn a_preempted_task_goes_on_later() {
    preempted(Layout::default(), TERM);
}

#[test]
fn a_preempted_task_goes_on_later_where_preemption_sends_the_users_signal() {
    preempted(Layout { user_signal: true, ..Layout::default() }, USR1);
}

/// The batch process is a shell then, and cpsd is not there yet.
#[test]
fn a_warning_while_the_lines_of_setup_run_puts_the_task_back() {
    let Some(cluster) = Cluster::with(Layout { nodes: 1, ..Layout::default() }) else { return };
    let options = format!("setup: [\"touch {}; sleep 4\"]", cluster.at("work/begun").display());
    let script = Script::new(&options, ONE);
    let parent = script.queued(&cluster);
    wait_for("the lines of setup", || cluster.at("work/begun").exists());
    cluster.ask("scancel", &["--signal=USR1", "--batch", &cluster.jobs()[0]]);
    parent.ends_with(0);
    script.check(&cluster);
    let details = cluster.ask("scontrol", &["show", "job", &cluster.jobs()[0]]);
    assert!(details.contains("Restarts=1"), "{details}");
}

#[test]
fn a_task_is_put_back_only_so_often() {
    let Some(cluster) = Cluster::with(Layout { nodes: 1, ..Layout::default() }) else { return };
    let script = Script::new("requeues: 1", ONE);
    let parent = script.queued(&cluster);
    let mut first = 0;
    for _ in 0..2 {
        let mut workers = Vec::new();
        wait_for("another start", || {
            workers = cluster.workers();
            workers.len() == 1 && workers[0].pid != first
        });
        let workers = paused(&cluster, 1);
        first = workers[0].pid;
        cluster.ask("scancel", &["--signal=USR1", "--batch", &workers[0].task]);
        wait_for("a signal", || has_pending(first, USR1));
        resume(&workers);
    }
    let said = parent.ends_with(1);
    assert!(said.contains("requeues"), "{said}");
    assert_eq!(cluster.jobs().len(), 1);
    // What was trained is kept for the same call with more of them.
    assert!(unfinished(&cluster.at("runs")).iter().any(|name| name.starts_with("train-")));
    let script = Script::new("requeues: 2", ONE);
    script.is_done(&cluster);
    script.check(&cluster);
}

#[test]
fn a_cancelled_task_stays_cancelled() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new("", ONE);
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 1);
    cluster.ask("scancel", &[&workers[0].task]);
    signal(workers[0].pid, "-CONT");
    let said = parent.ends_with(1);
    assert!(said.contains("cancelled"), "{said}");
    assert_eq!(cluster.jobs().len(), 1);
    assert!(cluster.tasks().iter().all(|task| task.state == "CANCELLED"), "{:?}", cluster.tasks());
    // Whoever calls again means it.
    script.is_done(&cluster);
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 2);
}
