//! Nodes and the controller that go away and come back.

use std::time::Duration;

use crate::cluster::{Cluster, Layout};
use crate::common::process::{wait_for, wait_for_so_long};
use crate::script::{ONE, Script, TWO, paused, resume};

/// After so long (28 s were measured) the controller gives a node up.
const LOST: Duration = Duration::from_secs(90);

/// Node of a worker by its number.
fn number(node: &str) -> usize {
    node.trim_start_matches('n').parse().unwrap()
}

/// Another host's claim counts for two seconds.
fn short_claims() -> Vec<(&'static str, String)> {
    ["CPSD_CLAIM_BEAT", "CPSD_CLAIM_LIMIT"].into_iter().zip(["0.2", "2"].map(String::from)).collect()
}

#[test]
fn what_ran_on_lost_nodes_is_made_on_another_and_one_that_runs_on_there_harms_nothing() {
    let Some(cluster) = Cluster::start() else { return };
    let environment = short_claims();
    let script = Script { environment: &environment, ..Script::new("", TWO) };
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 2);
    // One node loses power. The other is only cut off: its process is there when another begins the same training.
    cluster.kill_node(number(&workers[0].node));
    cluster.kill_slurmd(number(&workers[1].node));
    wait_for_so_long(LOST, "tasks that are put back", || {
        cluster.workers().iter().any(|worker| !workers.contains(worker)) || cluster.tasks_in("PENDING").len() == 2
    });
    let successor = |worker: &crate::cluster::Worker| worker.task == workers[1].task && worker.pid != workers[1].pid;
    wait_for_so_long(LOST, "a successor", || {
        cluster.tasks_in("COMPLETED").iter().any(|task| task.id == workers[1].task)
            || cluster.workers().iter().any(successor)
    });
    resume(&workers[1..]);
    parent.ends_with(0);
    wait_for("the end of the one that was cut off", || !cluster.workers().contains(&workers[1]));
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 1);
}

#[test]
fn a_node_that_comes_back_may_stop_the_new_process_along_with_the_old_one() {
    let Some(cluster) = Cluster::with(Layout { nodes: 1, ..Layout::default() }) else { return };
    let environment = short_claims();
    let script = Script { environment: &environment, ..Script::new("", ONE) };
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 1);
    cluster.kill_slurmd(1);
    wait_for_so_long(LOST, "a task that is put back", || cluster.tasks_in("PENDING").len() == 1);
    cluster.start_slurmd(1);
    resume(&workers);
    parent.ends_with(0);
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 1);
}

#[test]
fn a_controller_that_is_away_for_a_while_is_waited_for() {
    let Some(cluster) = Cluster::start() else { return };
    // After a kill Slurm 22.05 may start tasks again that ran, and end their old processes.
    let environment = short_claims();
    let script = Script { environment: &environment, ..Script::new("", TWO) };
    let mut parent = script.queued(&cluster);
    let workers = paused(&cluster, 2);
    cluster.kill_controller();
    parent.says("does not answer");
    resume(&workers);
    cluster.start_controller();
    let said = parent.ends_with(0);
    assert_eq!(said.matches("does not answer").count(), 1, "{said}");
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 1);
}

/// As after a controller that has come back and starts what runs: the node refuses, is drained, and the task is held.
#[test]
fn a_task_that_could_not_be_started_is_released_and_made_on_another_node() {
    let Some(cluster) = Cluster::with(Layout { fails_once: true, ..Layout::default() }) else { return };
    let script = Script::new("", "train_teachers(data, random_partition(some, 2), q + #{epochs: 1});");
    let said = script.is_done(&cluster);
    assert_eq!(said.matches("launch failed requeued held").count(), 1, "{said}");
    assert!(said.contains("could not be started") && said.contains("; released, 1 of 5 times"), "{said}");
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 1);
    assert!(cluster.ask("sinfo", &["-h", "-o", "%T"]).contains("drained"), "{}", cluster.ask("sinfo", &[]));
}

#[test]
fn what_a_held_task_and_one_without_nodes_wait_for_is_said() {
    let Some(cluster) = Cluster::with(Layout { nodes: 1, ..Layout::default() }) else { return };
    cluster.ask("scontrol", &["update", "nodename=n1", "state=drain", "reason=broken"]);
    let code = "train_teacher(data, some, q + #{epochs: 1});";
    let mut parent = Script::new("sbatch: #{hold: ()}", code).queued(&cluster);
    parent.says("is held by the job's user (JobHeldUser)");
    let release = format!("scontrol release {}", cluster.jobs()[0]);
    parent.says(&release);
    cluster.ask("scontrol", &["release", &cluster.jobs()[0]]);
    parent.says("the nodes that it could run on are down, drained");
    cluster.ask("scontrol", &["update", "nodename=n1", "state=resume"]);
    let said = parent.ends_with(0);
    assert_eq!((said.matches(&release).count(), said.matches("could run on").count()), (1, 1), "{said}");
    Script::new("", code).check(&cluster);
}

#[test]
fn a_worker_that_was_killed_is_told_of() {
    let Some(cluster) = Cluster::start() else { return };
    let environment = short_claims();
    let script = Script { environment: &environment, ..Script::new("", TWO) };
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 2);
    crate::cluster::signal(workers[0].pid, "-KILL");
    resume(&workers[1..]);
    let said = parent.ends_with(1);
    assert!(said.contains(&workers[0].task) && said.contains("signal 9"), "{said}");
    // The other one was let end.
    assert_eq!(cluster.tasks_in("COMPLETED").len(), 1, "{:?}", cluster.tasks());
    script.is_done(&cluster);
    script.check(&cluster);
}
