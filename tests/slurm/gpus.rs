//! One worker per GPU of an allocation. Slurm hands out device files that are no GPUs, and libtorch sees pretended ones.

use crate::cluster::{Cluster, Layout};
use crate::common::pretended_gpu;
use crate::common::process::wait_for;
use crate::script::{Script, logs};

/// Fused updates, which GPUs have and CPUs do not, round otherwise.
const SEPARATE: &str = "\"export CPSD_FUSED=0\"";

#[test]
fn a_task_with_two_gpus_trains_one_model_on_each() {
    let Some(cluster) = Cluster::with(Layout { nodes: 1, cpus: 2, gpus: 2, ..Layout::default() }) else { return };
    let Some(library) = pretended_gpu::library() else { return };
    let options = format!("gres: \"gpu:2\", cpus: 2, setup: [\"export LD_PRELOAD={}\", {SEPARATE}]", library.display());
    let script = Script::new(&options, "train_teachers(data, random_partition(some, 2), q);");
    let parent = script.queued(&cluster);
    // The task's own process sees both, and each of those that it starts sees one.
    let mut seen = std::collections::BTreeSet::new();
    wait_for("a process for each GPU", || {
        seen.extend(cluster.values_of("CUDA_VISIBLE_DEVICES"));
        ["0,1", "0", "1"].iter().all(|gpus| seen.contains(*gpus))
    });
    assert!(logs(&cluster).contains("CUDA_VISIBLE_DEVICES 0,1"), "{}", logs(&cluster));
    parent.ends_with(0);
    // One task has made both.
    assert_eq!(cluster.tasks().len(), 1, "{:?}", cluster.tasks());
    // Their kernels are those of the CPU, so even the bits are.
    script.check(&cluster);
    let store = cpsd::runs::RunStore::new(cluster.at("runs"));
    for run in store.list().into_iter().filter(|run| run.id.starts_with("train-")) {
        let device = run.summary().unwrap()["device"].clone();
        assert!(device.as_str().is_some_and(|device| device.starts_with("Cuda")), "{device}");
    }
}

#[test]
fn more_trainings_than_gpus_take_turns() {
    let Some(cluster) = Cluster::with(Layout { nodes: 1, cpus: 2, gpus: 2, ..Layout::default() }) else { return };
    let Some(library) = pretended_gpu::library() else { return };
    let options =
        format!("gres: \"gpu:2\", trainings: 3, setup: [\"export LD_PRELOAD={}\", {SEPARATE}]", library.display());
    let script = Script::new(&options, "train_teachers(data, random_partition(some, 3), q + #{epochs: 1, views: 0});");
    script.is_done(&cluster);
    assert_eq!(cluster.tasks().len(), 1, "{:?}", cluster.tasks());
    script.check(&cluster);
}
