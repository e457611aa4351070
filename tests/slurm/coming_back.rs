//! Whoever waits may go away; the same call waits again, and nothing is submitted twice.

use crate::cluster::Cluster;
use crate::common::process::wait_for;
use crate::script::{Script, TWO, paused, resume};

#[test]
fn after_a_kill_the_same_call_waits_for_the_same_tasks() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new("", TWO);
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 2);
    parent.kill();
    let mut again = script.queued(&cluster);
    again.says(&format!("2 trainings go on as Slurm job {} since an earlier call", cluster.jobs()[0]));
    assert_eq!(cluster.workers().len(), 2);
    resume(&workers);
    again.ends_with(0);
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 1);
}

#[test]
fn what_has_ended_meanwhile_is_there_at_once() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new("", TWO);
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 2);
    parent.kill();
    resume(&workers);
    wait_for("the end of the tasks", || cluster.tasks_in("COMPLETED").len() == 2);
    script.is_done(&cluster);
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 1);
}

#[test]
fn two_calls_at_once_make_each_run_once() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new("", TWO);
    let (a, b) = (script.queued(&cluster), script.queued(&cluster));
    a.ends_with(0);
    b.ends_with(0);
    // Both may have looked before either has submitted; the second array then finds its runs made.
    assert!(cluster.jobs().len() <= 2, "{:?}", cluster.tasks());
    wait_for("the end of the tasks", || cluster.tasks().iter().all(|task| task.state == "COMPLETED"));
    script.check(&cluster);
}

#[test]
fn ctrl_c_leaves_the_tasks_or_cancels_them() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new("", TWO);
    let parent = script.queued(&cluster);
    let workers = paused(&cluster, 2);
    let job = cluster.jobs()[0].clone();
    parent.signal("-INT");
    let said = parent.ends_with(130);
    assert!(said.contains(&format!("go on as Slurm job {job}")), "{said}");
    assert_eq!(cluster.workers(), workers);

    let cancelling = Script::new("on_interrupt: \"cancel\"", TWO);
    let mut again = cancelling.queued(&cluster);
    again.says(&format!("go on as Slurm job {job} since an earlier call"));
    again.signal("-INT");
    again.ends_with(130);
    resume(&workers);
    wait_for("the end of the tasks", || cluster.tasks_in("CANCELLED").len() == 2);
    script.is_done(&cluster);
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 2);
}

#[test]
fn a_call_that_does_not_wait_names_its_job_and_the_next_one_takes_the_runs() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new("wait: false", TWO);
    let said = script.queued(&cluster).ends_with(75);
    assert!(said.contains(&format!("in the queue as Slurm job {}", cluster.jobs()[0])), "{said}");
    wait_for("the end of the tasks", || cluster.tasks_in("COMPLETED").len() == 2);
    script.is_done(&cluster);
    script.check(&cluster);
    assert_eq!(cluster.jobs().len(), 1);
}

#[test]
fn the_tasks_of_a_cluster_can_be_listed_and_stopped() {
    let Some(cluster) = Cluster::start() else { return };
    let parent = Script::new("", TWO).queued(&cluster);
    let workers = paused(&cluster, 2);
    parent.kill();
    let job = cluster.jobs()[0].clone();
    Script::new("", "print(cluster.jobs); cluster.stop();").queued(&cluster).ends_with(0);
    resume(&workers);
    wait_for("the end of the tasks", || cluster.tasks_in("CANCELLED").len() == 2);
    let printed = std::fs::read_to_string(cluster.at("work/2.out")).unwrap();
    assert!(printed.contains(&job), "{printed}");
}
