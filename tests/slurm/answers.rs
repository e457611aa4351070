//! Answers that a healthy Slurm of this machine does not give: lost ones, refused ones, states of other versions.
//!
//! A program of tests/slurm/fake stands before the real one and changes some of what it says.

use crate::cluster::{Cluster, Worker};
use crate::common::process::wait_for;
use crate::script::{Script, TWO, paused, resume, with_fake};

const SHORT: &str = "train_teachers(data, random_partition(some, 2), q + #{epochs: 1});";

/// Runs a script behind a fake; the runs must be right.
fn behind(cluster: &Cluster, fake: &str, code: &str) {
    let environment = with_fake(cluster, fake);
    let script = Script { environment: &environment, ..Script::new("", code) };
    script.is_done(cluster);
    script.check(cluster);
}

/// Runs two trainings behind a fake `squeue` and holds their tasks, which `meanwhile` resumes; the runs must be right, and submitted once.
fn held_behind(cluster: &Cluster, fake: &str, meanwhile: impl FnOnce(&[Worker])) {
    let environment = with_fake(cluster, fake);
    let script = Script { environment: &environment, ..Script::new("", TWO) };
    let parent = script.queued(cluster);
    meanwhile(&paused(cluster, 2));
    parent.ends_with(0);
    script.check(cluster);
    assert_eq!(cluster.jobs().len(), 1, "{:?}", cluster.tasks());
}

/// Waits for so many calls of the fake `squeue`.
fn wait_for_questions(cluster: &Cluster, number: usize) {
    wait_for("questions to the queue", || calls(cluster, "squeue") >= number);
}

#[test]
fn a_job_whose_number_was_lost_on_the_way_is_found_by_its_name() {
    let Some(cluster) = Cluster::start() else { return };
    behind(&cluster, "sbatch-answer-lost", SHORT);
    assert_eq!(cluster.jobs().len(), 1, "{:?}", cluster.tasks());
    assert_eq!(calls(&cluster, "sbatch"), 1);
}

#[test]
fn a_submission_that_did_not_reach_the_controller_is_made_again() {
    let Some(cluster) = Cluster::start() else { return };
    behind(&cluster, "sbatch-request-lost", SHORT);
    assert_eq!(cluster.jobs().len(), 1, "{:?}", cluster.tasks());
    assert_eq!(calls(&cluster, "sbatch"), 2);
}

#[test]
fn a_question_that_is_not_answered_says_nothing_about_the_tasks() {
    let Some(cluster) = Cluster::start() else { return };
    held_behind(&cluster, "squeue-silent", |workers| {
        wait_for_questions(&cluster, 3);
        resume(workers);
    });
}

#[test]
fn tasks_that_the_queue_has_forgotten_are_judged_by_the_store() {
    let Some(cluster) = Cluster::start() else { return };
    held_behind(&cluster, "squeue-forgetful", |workers| {
        resume(&workers[..1]);
        wait_for("the end of a task", || cluster.tasks_in("COMPLETED").len() == 1);
        // An answer that has the other task alone.
        wait_for_questions(&cluster, calls(&cluster, "squeue") + 1);
        resume(&workers[1..]);
    });
}

#[test]
fn words_of_other_versions_are_no_ends() {
    let Some(cluster) = Cluster::start() else { return };
    held_behind(&cluster, "squeue-newer", |workers| {
        wait_for_questions(&cluster, 3);
        resume(workers);
    });
}

/// How often a fake was called.
fn calls(cluster: &Cluster, program: &str) -> usize {
    let calls = std::fs::read_to_string(cluster.at("work/state").join(program)).unwrap_or_default();
    calls.lines().count()
}
