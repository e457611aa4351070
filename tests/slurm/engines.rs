//! A queue by four commands of cpsd.toml: Torque's qsub, qstat and qdel, which Slurm's package imitates.

use crate::cluster::Cluster;
use crate::common::process::wait_for;
use crate::script::{Script, TWO, paused, resume};

/// As docs/cluster.md has it for PBS, with the words of this machine.
const TORQUE: &str = include_str!("torque.toml");

fn torque() -> Option<Cluster> {
    let cluster = Cluster::start()?;
    if !std::path::Path::new("/usr/bin/qsub").exists() {
        eprintln!("skipped: a queue by commands (qsub is absent: the package slurm-wlm-torque has it)");
        return None;
    }
    std::fs::write(cluster.at("work/cpsd.toml"), TORQUE).unwrap();
    Some(cluster)
}

#[test]
fn a_queue_by_commands_makes_the_same_bits() {
    let Some(cluster) = torque() else { return };
    let script = Script::new("", "distill(data, merge(train_teachers(data, random_partition(some, 2), q)), q);");
    script.queued_by(&cluster, "torque").ends_with(0);
    script.check(&cluster);
    let jobs = cluster.jobs();
    script.queued_by(&cluster, "torque").ends_with(0);
    assert_eq!(cluster.jobs(), jobs);
}

#[test]
fn after_a_kill_the_same_call_waits_for_the_same_jobs() {
    let Some(cluster) = torque() else { return };
    let script = Script::new("", TWO);
    let parent = script.queued_by(&cluster, "torque");
    let workers = paused(&cluster, 2);
    let jobs = cluster.jobs();
    parent.kill();
    let mut again = script.queued_by(&cluster, "torque");
    again.says("since an earlier call");
    resume(&workers);
    again.ends_with(0);
    script.check(&cluster);
    assert_eq!(cluster.jobs(), jobs);
}

#[test]
fn a_failed_job_is_told_of() {
    let Some(cluster) = torque() else { return };
    let script = Script::new("", TWO);
    let parent = script.queued_by(&cluster, "torque");
    let workers = paused(&cluster, 2);
    crate::cluster::signal(workers[0].pid, "-KILL");
    resume(&workers[1..]);
    let said = parent.ends_with(1);
    assert!(said.contains(&workers[0].task), "{said}");
    wait_for("the other one", || cluster.tasks_in("COMPLETED").len() == 1);
}
