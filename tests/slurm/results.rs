//! The same runs as on this machine, whatever way they take through the queue.

use crate::cluster::{Cluster, Layout};
use crate::script::Script;

const METHOD: &str = r#"
    let teachers = train_teachers(data, random_partition(some, 2), q);
    let a = merge(teachers);
    let b = merge([train_teacher(data, some, q)]);
    for student in distill_all(data, [a, [a, b]], q) { print(evaluate(student, data.test).mAP) }
"#;

#[test]
fn teachers_and_students_have_the_bits_of_threads() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new("", METHOD);
    script.is_done(&cluster);
    script.check(&cluster);
    let printed = |n: usize| std::fs::read_to_string(cluster.at(&format!("work/{n}.out"))).unwrap();
    assert_eq!(printed(0).lines().count(), 2);
    assert_eq!(printed(0), printed(2));
    // All of them are there now.
    let jobs = cluster.jobs();
    script.is_done(&cluster);
    assert_eq!(cluster.jobs(), jobs);
    let ended = cluster.tasks().iter().all(|task| task.state == "COMPLETED");
    assert!(ended, "{:?}", cluster.tasks());
}

#[test]
fn nodes_that_see_each_others_files_late_make_the_same() {
    let Some(cluster) = Cluster::with(Layout { mounts: true, ..Layout::default() }) else { return };
    let script = Script::new("", METHOD);
    script.is_done(&cluster);
    script.check(&cluster);
}

#[test]
fn features_that_trainings_share_are_made_once() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new(
        "",
        "o.model += #{head: \"gap\", stages: 2, freeze: 1}; train_teachers(data, random_partition(some, 3), o + e);",
    );
    script.is_done(&cluster);
    script.check(&cluster);
    // One task for them and three trainings.
    assert_eq!(cluster.tasks().len(), 4, "{:?}", cluster.tasks());
}

#[test]
fn more_tasks_than_an_array_may_have_go_in_several() {
    let Some(cluster) = Cluster::with(Layout { max_array: 4, ..Layout::default() }) else { return };
    let script = Script::new("", "train_teachers(data, random_partition(some, 6), q + #{epochs: 1, views: 0});");
    script.is_done(&cluster);
    script.check(&cluster);
    assert_eq!(cluster.tasks().len(), 6);
    assert_eq!(cluster.jobs().len(), 2);
}

#[test]
fn a_sweep_goes_in_rounds() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new(
        "",
        r#"
        let rows = sweep(#{seed: [0, 1]}, |p| {
            let teacher = train_teacher(data, some, o + #{seed: p.seed, epochs: 1});
            let student = distill(data, merge([teacher]), o + #{seed: p.seed, epochs: 1});
            #{mAP: evaluate(student, data.test).mAP}
        }, e);
        print(rows.column("mAP"));
        "#,
    );
    script.is_done(&cluster);
    script.check(&cluster);
    let printed = |n: usize| std::fs::read_to_string(cluster.at(&format!("work/{n}.out"))).unwrap();
    assert_eq!(printed(0), printed(2));
    // Two teachers at once, then two students.
    assert!(cluster.jobs().len() >= 2, "{:?}", cluster.tasks());
}

#[test]
fn options_of_whoever_calls_do_not_reach_the_queue() {
    let Some(cluster) = Cluster::start() else { return };
    let leaking = [
        ("SQUEUE_STATES", "PD"),
        ("SQUEUE_FORMAT", "%N"),
        ("SBATCH_PARTITION", "nowhere"),
        ("SBATCH_HOLD", "1"),
        ("SLURM_MEM_PER_CPU", "999999"),
        ("SLURM_JOB_ID", "99"),
        ("SLURM_ARRAY_TASK_ID", "7"),
        ("SLURM_RESTART_COUNT", "7"),
    ];
    let environment = leaking.map(|(name, value)| (name, value.to_string()));
    let script =
        Script { environment: &environment, ..Script::new("", "train_teacher(data, some, q + #{epochs: 1});") };
    script.is_done(&cluster);
    script.check(&cluster);
}

/// Also those that follow a choice on val, whose trainings can be named only when others are there.
#[test]
fn the_controls_of_an_ablation_are_made_in_a_queue() {
    let Some(cluster) = Cluster::start() else { return };
    let script = Script::new(
        "",
        r#"
        import "controls" as controls;
        import "experiment" as experiment;
        let trained = |seed| {
            let options = o + #{seed: seed, epochs: 2};
            let teaching = options + #{epochs: 1};
            let baseline = train_teacher(data, some, options);
            let partitions = [0, 1].map(|branch| random_partition(some, 2, #{seed: branch}));
            controls::rows(data, baseline, partitions, options, teaching, options, 0)
        };
        experiment::ahead([0, 1], trained, e.get("executor") ?? "here");
        for seed in [0, 1] {
            for row in trained.call(seed) { print(row.method + " " + evaluate(row.model, data.test).mAP); }
        }
        "#,
    );
    script.is_done(&cluster);
    // All was made in the queue: nothing is left for this process, and the next call asks the queue for nothing.
    let jobs = cluster.jobs();
    script.is_done(&cluster);
    assert_eq!(cluster.jobs(), jobs);
    script.check(&cluster);
    let printed = |n: usize| std::fs::read_to_string(cluster.at(&format!("work/{n}.out"))).unwrap();
    let (queued, here) = (printed(0), printed(2));
    assert_eq!(queued.lines().count(), 2 * 5, "{queued}");
    assert_eq!(queued, here);
}
