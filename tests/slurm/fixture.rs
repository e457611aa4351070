//! The cluster of these tests itself: it runs jobs, and leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::cluster::{Cluster, Layout};
use crate::common::process::wait_for;

/// Processes and the folder of a cluster.
fn left(folder: &str) -> (Vec<String>, bool) {
    let of_it = |pid: &String| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&format!("SLURM_CONF={folder}/"))
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    (pids.filter(of_it).collect(), std::path::Path::new(folder).exists())
}

#[test]
fn a_cluster_runs_jobs_and_leaves_nothing() {
    // Without mounts where there can be none.
    let layout = Layout { gpus: 2, ..Layout::default() };
    let Some(cluster) = Cluster::with(Layout { mounts: true, ..layout }).or_else(|| Cluster::with(layout)) else {
        return;
    };
    let script = format!(
        "echo $SLURMD_NODENAME >> {}/nodes; echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES > $SLURM_ARRAY_TASK_ID.txt; sleep 1000",
        cluster.store().display()
    );
    let job = cluster.sbatch(&["--array=0-2", "--gres=gpu:2", "--export=NONE"], &script);
    wait_for("three tasks", || {
        (0..3).all(|i| cluster.at(&format!("work/{i}.txt")).metadata().is_ok_and(|m| m.len() > 0))
    });
    assert_eq!(cluster.jobs(), [job]);
    let mut nodes: Vec<String> = cluster.tasks_in("RUNNING").into_iter().map(|task| task.node).collect();
    nodes.sort();
    assert_eq!(nodes, ["n1", "n2", "n3"]);
    // Through the mounts of the nodes.
    assert_eq!(std::fs::read_to_string(cluster.at("runs/nodes")).unwrap().lines().count(), 3);
    let said = |i: usize| std::fs::read_to_string(cluster.at(&format!("work/{i}.txt"))).unwrap();
    assert!((0..3).all(|i| said(i).ends_with(" 0,1\n")), "{:?}", said(0));
    let folder = cluster.at("").to_string_lossy().trim_end_matches('/').to_string();
    // Daemons, and per task slurmstepd, sh and sleep.
    assert!(left(&folder).0.len() >= 11, "{:?}", left(&folder));
    drop(cluster);
    assert_eq!(left(&folder), (vec![], false));
}

#[test]
fn a_killed_test_leaves_nothing() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fixture::is_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let folder = lines.find_map(|line| line.split_once("it is in ").map(|(_, folder)| folder.to_string()));
    child.kill().unwrap();
    child.wait().unwrap();
    let Some(folder) = folder else { return };
    wait_for("the end of a cluster", || left(&folder) == (vec![], false));
}

/// The other half of `a_killed_test_leaves_nothing`.
#[test]
#[ignore = "begun by another test"]
fn is_killed() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.sbatch(&["--array=0-2"], "touch $SLURM_ARRAY_TASK_ID.txt; sleep 1000");
    wait_for("three tasks", || (0..3).all(|i| cluster.at(&format!("work/{i}.txt")).exists()));
    println!("it is in {}", cluster.at("").display().to_string().trim_end_matches('/'));
    std::thread::sleep(std::time::Duration::from_secs(1000));
}
