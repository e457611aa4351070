use std::path::PathBuf;

use super::*;

fn status(text: &str) -> (String, TaskState, Option<String>, Option<String>) {
    let line = line(text).unwrap();
    let state = Slurm(&ClusterOptions::default()).state(&line.word);
    (format!("{}_{}", line.job.0, line.index + line.offset), state, line.reason, line.node)
}

/// Recorded from Slurm 22.05.
#[test]
fn lines_of_squeue_are_read() {
    let some = |text: &str| Some(text.to_string());
    let script = "/runs/it's | a/job.sh";
    assert_eq!(
        status(&format!("1|7|COMPLETED|None|n1|{script}")),
        ("1_7".into(), TaskState::Completed, None, some("n1"))
    );
    assert_eq!(
        status(&format!("1|3|FAILED|JobLaunchFailure|n2|{script}")),
        ("1_3".into(), TaskState::Failed, some("JobLaunchFailure"), some("n2"))
    );
    assert_eq!(
        status(&format!("6|0|PENDING|BeginTime||{script} 1000")),
        ("6_1000".into(), TaskState::Queued, some("BeginTime"), None)
    );
    assert_eq!(status("4|2|RUNNING|None|n[1-2]|(null)"), ("4_2".into(), TaskState::Running, None, some("n[1-2]")));
    // A job without an array, a line of a site's wrapper, a pending array that is not taken apart.
    // Two tasks that waited, after `scancel 4_[0-1]`.
    let cancelled = line("4|N/A|CANCELLED|JobHeldUser||/a/job.sh 1000").unwrap();
    assert_eq!((cancelled.job.0.as_str(), cancelled.index), ("4", ALL_OTHERS));
    for text in ["9|N/A|PENDING|Priority||/a.sh", "CLUSTER: one", "", "5|[0-3]|PENDING|None||/a/job.sh"] {
        assert!(line(text).is_none(), "{text}");
    }
}

/// Those of squeue's manual up to 25.05, and words to come.
#[test]
fn no_word_but_an_end_is_an_end() {
    let options = ClusterOptions::default();
    let state = |word: &str| Slurm(&options).state(word);
    for word in ["PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"] {
        assert_eq!(state(word), TaskState::Queued, "{word}");
    }
    for word in ["NODE_FAIL", "PREEMPTED", "LAUNCH_FAILED", "RECONFIG_FAIL", "POWER_UP_NODE"] {
        assert_eq!(state(word), TaskState::Queued, "{word}");
    }
    for word in ["RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING", "UPDATE_DB"] {
        assert_eq!(state(word), TaskState::Running, "{word}");
    }
    for word in ["EXPEDITING", "REVOKED", "A_WORD_TO_COME", ""] {
        assert_eq!(state(word), TaskState::Running, "{word}");
    }
    for word in ["FAILED", "TIMEOUT", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"] {
        assert_eq!(state(word), TaskState::Failed, "{word}");
    }
    assert_eq!([state("CANCELLED"), state("CANCELLED by 1000")], [TaskState::Cancelled; 2]);
    // A task that may not be put back stays away.
    let once = ClusterOptions { requeues: 0, ..ClusterOptions::default() };
    assert_eq!([Slurm(&once).state("NODE_FAIL"), Slurm(&once).state("PREEMPTED")], [TaskState::Failed; 2]);
}

/// Recorded from Slurm 22.05, whose codes are those of wait(2), and as sacct has them.
#[test]
fn exit_codes_are_a_shells() {
    let exit = |text: &str| exit_line(text).map(|((job, index), exit)| (job.0, index, exit));
    assert_eq!(exit("1                   2                   768                 "), Some(("1".into(), 2, 3)));
    assert_eq!(exit("1                   3                   9                   "), Some(("1".into(), 3, 137)));
    assert_eq!(exit("1 3 33280"), Some(("1".into(), 3, 130)));
    assert_eq!([exit("1 3 0:9"), exit("1 3 2:0")], [Some(("1".into(), 3, 137)), Some(("1".into(), 3, 2))]);
    assert_eq!([exit("1_3 RUNNING"), exit("1 N/A 0"), exit("")], [None, None, None]);
}

#[test]
fn the_job_is_the_last_line_of_sbatch() {
    assert_eq!(job_of("4711\n"), Some(JobId("4711".into())));
    assert_eq!(job_of("charged to vision\n4711;cluster2\n"), Some(JobId("4711".into())));
    assert_eq!([job_of(""), job_of("Submitted batch job 4711\n")], [None, None]);
}

#[test]
fn arrays_keep_their_indices_below_the_bound() {
    let all: Vec<usize> = (0..10).collect();
    assert_eq!(arrays(&all, 1001), [(0, all.clone())]);
    assert_eq!(arrays(&all, 4), [(0, vec![0, 1, 2, 3]), (4, vec![4, 5, 6, 7]), (8, vec![8, 9])]);
    assert_eq!(arrays(&[3, 9], 4), [(0, vec![3]), (8, vec![9])]);
    // The longest list of an array is an argument still.
    let many: Vec<usize> = (0..40_000).step_by(2).collect();
    let lists = arrays(&many, 4_000_001)
        .into_iter()
        .map(|(offset, tasks)| ranges(&tasks.iter().map(|task| task - offset).collect::<Vec<_>>()));
    assert!(lists.map(|list| list.len()).max().unwrap() < 100_000);
    assert_eq!([ranges(&[0, 1, 2, 3, 7]), ranges(&[5]), ranges(&[1, 3, 4])], ["0-3,7", "5", "1,3-4"]);
}

#[test]
fn the_arguments_of_sbatch_are_whole() {
    let submission = Submission {
        name: "cpsd-0123456789ab".into(),
        folder: PathBuf::from("/run s/50%"),
        tasks: vec![1003, 1004],
        after: vec![JobId("12".into()), JobId("13".into())],
    };
    let plain = ClusterOptions::default();
    assert_eq!(
        Slurm(&plain).arguments(&submission, 1000, &[1003, 1004], &submission.after).unwrap(),
        [
            "--parsable",
            "--job-name=cpsd-0123456789ab",
            "--array=3-4",
            "--output=/run s/50%%/logs/1000+%a.log",
            "--open-mode=append",
            "--requeue",
            "--signal=B:USR1@120",
            "--dependency=afterany:12:13",
            "/run s/50%/job.sh",
            "1000",
        ]
    );
    let options = ClusterOptions {
        partition: Some("gpu".into()),
        gres: Some("gpu:1".into()),
        cpus: Some(8),
        memory: Some("32GB".into()),
        time: Some("8:00:00".into()),
        parallel: 16,
        requeues: 0,
        sbatch: BTreeMap::from([
            ("comment".into(), Some("".into())),
            ("exclusive".into(), None),
            ("hold".into(), Some("".into())),
            ("mail-type".into(), Some("FAIL, END".into())),
        ]),
        ..ClusterOptions::default()
    };
    let all = Slurm(&options).arguments(&submission, 0, &[0], &[]).unwrap();
    let expected = [
        "--array=0%16",
        "--no-requeue",
        "--partition=gpu",
        "--gres=gpu:1",
        "--cpus-per-task=8",
        "--mem=32G",
        "--time=8:00:00",
        "--comment=",
        "--exclusive",
        "--hold",
        "--mail-type=FAIL, END",
    ];
    let missing: Vec<&&str> = expected.iter().filter(|argument| !all.iter().any(|a| a == **argument)).collect();
    assert!(missing.is_empty(), "{missing:?} of {all:?}");
    assert_eq!(all.last().unwrap(), "/run s/50%/job.sh");
}

#[test]
fn facts_are_read() {
    let config = "Configuration data as of 2026-11-26T20:40:00\nKillWait                = 5 sec\nMaxArraySize            = 1001\n";
    assert_eq!((setting(config, "MaxArraySize"), setting(config, "KillWait")), (Some("1001"), Some("5 sec")));
    assert_eq!(setting(config, "JobRequeue"), None);
    let (name, text) = partition("main*|up|infinite|2|2|2000|gpu:2").unwrap();
    assert_eq!(
        (name.as_str(), text.as_str()),
        ("partition main", "default, time limit infinite, 2 nodes of 2 cores and 2000 MB, gpu:2")
    );
    let (_, text) = partition("urgent|drain|2:00:00|1|64+|500000+|(null)").unwrap();
    assert_eq!(text, "drain, time limit 2:00:00, 1 nodes of 64+ cores and 500000+ MB");
}

#[test]
fn a_refusal_has_a_way_on() {
    let help = |text: &str| helped(Error::argument(text)).help.unwrap_or_default();
    assert!(help("Slurm refuses, by sbatch: invalid partition specified: nowhere").contains("sinfo"));
    assert!(help("QOSMaxSubmitJobPerUserLimit; Batch job submission failed").contains("trainings"));
    assert_eq!(help("something else"), "");
}
