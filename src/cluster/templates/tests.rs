use std::path::Path;

use super::*;
use crate::cluster::command::is_away;

const OPTIONS: fn() -> ClusterOptions = || ClusterOptions {
    cpus: Some(8),
    memory: Some("32G".into()),
    time: Some("1:30:00".into()),
    gres: Some("gpu:2".into()),
    partition: Some("it's".into()),
    ..ClusterOptions::default()
};

const SUBMIT: &str = "qsub -q {partition} -l ncpus={cpus}:mem={memory}:mb={megabytes}:gpus={gpus}:{gres} -W {minutes} -t {seconds} {time} {after} {script}";

fn pbs() -> Templates {
    Templates {
        name: "pbs".into(),
        submit: SUBMIT.into(),
        status: "qstat -x -f {jobs}".into(),
        cancel: "qdel {jobs}".into(),
        requeue: "qrerun {job}".into(),
        ..Templates::default()
    }
}

fn jobs(ids: &[&str]) -> Vec<JobId> {
    ids.iter().map(|id| JobId(id.to_string())).collect()
}

fn submission(folder: &Path, tasks: &[usize], after: &[&str]) -> Submission {
    Submission {
        name: "cpsd-0123456789ab".into(),
        folder: folder.to_path_buf(),
        tasks: tasks.to_vec(),
        after: jobs(after),
    }
}

fn read_all(output: &str, ids: &[&str], alone: bool) -> Vec<(String, TaskState, String, Option<i32>)> {
    let found = read(output, &jobs(ids), alone, &BTreeMap::new());
    found.into_iter().map(|(job, s)| (job.0, s.state, s.word, s.exit)).collect()
}

fn row(job: &str, state: TaskState, word: &str, exit: Option<i32>) -> (String, TaskState, String, Option<i32>) {
    (job.into(), state, word.into(), exit)
}

#[test]
fn values_are_quoted_for_their_place() {
    let values = |name: &str| (name == "name").then(|| "it's $HOME \"`\\".to_string());
    let line =
        pbs().fill("submit", "printf '%s\\n' {name} \"{name}\" '{name}' -{name} ${name} '{print $1}'", &values, "");
    let line = line.unwrap();
    let said = std::process::Command::new("sh").args(["-c", &line]).env("name", "shell").output().unwrap();
    let value = "it's $HOME \"`\\";
    assert_eq!(
        String::from_utf8(said.stdout).unwrap(),
        format!("{value}\n{value}\n{value}\n-{value}\nshell\n{{print $1}}\n")
    );
}

#[test]
fn names_in_braces_are_found_outside_of_the_shells_own() {
    let names = |text| -> Vec<String> {
        let names = parts(text).into_iter().filter_map(|part| match part {
            Part::Name { name, within } => Some(format!("{name} {within:?}")),
            Part::Text(_) => None,
        });
        names.collect()
    };
    assert_eq!(names("a {b} \"{c}\" '{d}' \\\"{e} ${f} {G} {} {h i} {"), ["b None", "c Double", "d Single", "e None"]);
    assert_eq!(names("é{b}ü\\é{c}"), ["b None", "c None"]);
}

#[test]
fn commands_are_checked() {
    let said = |change: &dyn Fn(&mut Templates)| {
        let mut templates = pbs();
        change(&mut templates);
        let error = templates.check(&OPTIONS()).unwrap_err();
        (error.message, error.help.unwrap_or_default())
    };
    pbs().check(&OPTIONS()).unwrap();
    let (message, help) = said(&|t| t.submit = t.submit.replace("{cpus}", "{cpu}"));
    assert_eq!(message, "the command submit of [engine.pbs] cannot have {cpu}");
    assert_eq!(help, "did you mean {cpus}?");
    let (message, help) = said(&|t| t.status = "qstat {script}".into());
    assert_eq!(
        (message.as_str(), help.as_str()),
        ("the command status of [engine.pbs] cannot have {script}", "expected: {job}, {jobs}")
    );
    assert!(said(&|t| t.submit = "qsub -t {tasks} {script}".into()).0.contains("cannot have {tasks}"));
    assert!(said(&|t| t.submit = "qsub".into()).0.contains("has no {script}"));
    assert!(said(&|t| t.requeue = "qrerun".into()).0.contains("{job} is missing"));
    let (message, _) = said(&|t| t.submit = t.submit.replace("-q {partition}", ""));
    assert_eq!(message, "option \"partition\" of [engine.pbs] has no effect: its command submit has no {partition}");
    let parallel = ClusterOptions { parallel: 3, ..OPTIONS() };
    assert_eq!(pbs().check(&parallel).unwrap_err().message, "option \"parallel\" of [engine.pbs] is for Slurm alone");
    // awk's braces are no names.
    Templates { status: "qstat {jobs} | awk '{print} {next}'".into(), ..pbs() }.check(&OPTIONS()).unwrap();
}

#[test]
fn each_task_is_submitted_by_its_own_script() {
    let root = tempfile::Builder::new().prefix("a b").tempdir().unwrap();
    let shim = "echo \"$@\" >> calls; n=$(wc -l < calls); echo \"charged to x\"; echo \"$n.server\"";
    let templates = Templates {
        submit: SUBMIT
            .replace("qsub", &format!("f() {{ cd {}; {shim}; }}; f", quote(root.path().to_str().unwrap()).unwrap())),
        after: Some("-W depend=afterany:{jobs}".into()),
        ..pbs()
    };
    // What it is, without writing job.sh: this is not cpsd.
    let one = |task, after: &[&str]| {
        let submission = submission(root.path(), &[task], after);
        let after = templates.after(&submission.after).unwrap();
        templates.submit_one(&OPTIONS(), &submission, task, &after).unwrap()
    };
    assert_eq!(one(3, &[]), JobId("1.server".into()));
    assert_eq!(one(11, &["7.server", "8.server"]), JobId("2.server".into()));
    let calls =
        std::fs::read_to_string(root.path().join("calls")).unwrap().replace(root.path().to_str().unwrap(), "FOLDER");
    assert_eq!(
        calls,
        "-q it's -l ncpus=8:mem=32G:mb=32768:gpus=2:gpu:2 -W 90 -t 5400 1:30:00 FOLDER/3.sh
-q it's -l ncpus=8:mem=32G:mb=32768:gpus=2:gpu:2 -W 90 -t 5400 1:30:00 -W depend=afterany:7.server:8.server FOLDER/11.sh\n"
    );
    let without = ClusterOptions { memory: None, ..OPTIONS() };
    let error = templates.submit_one(&without, &submission(root.path(), &[3], &[]), 3, "").unwrap_err();
    assert_eq!(error.message, "the command submit of [engine.pbs] needs {memory}, and the option memory has no value");
    let silent = Templates { submit: "true {script}".into(), ..pbs() };
    let error = silent.submit_one(&OPTIONS(), &submission(root.path(), &[3], &[]), 3, "").unwrap_err();
    assert!(error.message.starts_with("the command submit of [engine.pbs] has not printed a job's id"), "{error}");
}

#[test]
fn jobs_are_read_from_what_each_system_prints() {
    let all = [
        ("4711\n", "4711"),
        ("4711.pbs01.site.edu\n", "4711.pbs01.site.edu"),
        ("12[].server\n", "12[].server"),
        ("Job <123> is submitted to queue <normal>.\n", "123"),
        ("Your job 3071 (\"cpsd\") has been submitted\n", "3071"),
        ("[ADMISSION RULE] Modify resource\nOAR_JOB_ID=99\n", "99"),
    ];
    for (output, id) in all {
        assert_eq!(job_of(output), Some(JobId(id.into())), "{output}");
    }
    assert_eq!([job_of(""), job_of("refused\n")], [None, None]);
}

/// Recorded from Slurm 22.05's qstat; the exit codes of PBS are those of its manual.
#[test]
fn records_of_pbs_are_read() {
    let text = "Job Id:	38\n	Job_Name = xx\n	job_state = C\n	exec_host = n1/1\n	Resource_List.ncpus = 1\n\n\
                Job Id: 39.pbs01\n    Job_Name = R\n    job_state = F\n    Exit_status = 1\n\n\
                Job Id: 40.pbs01.site.edu\n    job_state = F\n    Exit_status = 271\n\
                Job Id: 41\n    job_state = F\n    Exit_status = 265\n\
                Job Id: 42\n    job_state = Q\nJob Id: 99\n    job_state = R\nJob Id: 43\n    job_state = ?\n";
    let found = read_all(text, &["38", "39", "40.pbs01", "41", "42", "43", "44"], false);
    let expected = [
        row("38", TaskState::Completed, "C", None),
        row("39", TaskState::Failed, "F", Some(1)),
        row("40.pbs01", TaskState::Cancelled, "F", Some(271)),
        row("41", TaskState::Failed, "F", Some(137)),
        row("42", TaskState::Queued, "Q", None),
        row("43", TaskState::Running, "?", None),
    ];
    assert_eq!(found, expected);
    assert_eq!(read(text, &jobs(&["38"]), false, &BTreeMap::new())[&JobId("38".into())].node.as_deref(), Some("n1"));
}

#[test]
fn tables_are_read() {
    // Recorded from Slurm 22.05's qstat.
    let torque = "Job id              Name             Username        Time Use S Queue
------------------- ---------------- --------------- -------- - ---------------
9                   cpsd-0123456789  root            00:00:00 Q main
38                  xx               root            00:00:00 C main
";
    let expected = [row("38", TaskState::Completed, "C", None), row("9", TaskState::Queued, "Q", None)];
    assert_eq!(read_all(torque, &["9", "38", "40"], false), expected);
    // From the manuals: qstat of Grid Engine, bjobs of LSF.
    let sge = "job-ID  prior   name       user         state submit/start at     queue                          slots ja-task-ID
-----------------------------------------------------------------------------------------------------------------
   3071 0.55500 cpsd-01234 me           r     11/26/2026 10:00:01 gpu.q@node07                       8
   3072 0.00000 cpsd-01234 me           qw    11/26/2026 10:00:02                                    8
   3073 0.00000 cpsd-01234 me           Eqw   11/26/2026 10:00:02                                    8
";
    let expected = [
        row("3071", TaskState::Running, "r", None),
        row("3072", TaskState::Queued, "qw", None),
        row("3073", TaskState::Queued, "Eqw", None),
    ];
    assert_eq!(read_all(sge, &["3071", "3072", "3073"], false), expected);
    let lsf = "123 DONE -\n124 EXIT 3\n125 PEND -\n126 NEWWORD -\n";
    let expected = [
        row("123", TaskState::Completed, "DONE", None),
        row("124", TaskState::Failed, "EXIT", Some(3)),
        row("125", TaskState::Queued, "PEND", None),
        row("126", TaskState::Running, "-", None),
    ];
    assert_eq!(read_all(lsf, &["123", "124", "125", "126"], false), expected);
    assert_eq!(read_all("R\n", &["5"], true), [row("5", TaskState::Running, "R", None)]);
    assert_eq!(read_all("R\n", &["5"], false), []);
    let states = BTreeMap::from([("R".to_string(), TaskState::Cancelled)]);
    assert_eq!(read("5 R", &jobs(&["5"]), false, &states)[&JobId("5".into())].state, TaskState::Cancelled);
}

#[test]
fn a_status_that_fails_is_told_from_jobs_that_are_gone() {
    let of = |status: &str| Templates { status: status.into(), ..pbs() }.states(&jobs(&["5", "6"]));
    let all = of("echo '5 R'; echo '6 Q'").unwrap();
    let ids: Vec<String> = all.keys().map(TaskId::to_string).collect();
    assert_eq!(ids, ["5_0", "6_0"]);
    // Gone.
    assert!(of("true {jobs}").unwrap().is_empty());
    assert!(of("exit 153").unwrap().is_empty());
    assert!(of("echo 'qstat: Unknown Job Id 5.server' >&2; exit 153").unwrap().is_empty());
    assert_eq!(of("echo 'Job <5> is not found' >&2; echo '6 DONE'; exit 255").unwrap().len(), 1);
    // Away, behind a pipe too.
    for status in [
        "echo 'qstat: cannot connect to server pbs01 (errno=111)' >&2; exit 1",
        "(echo 'Connection refused' >&2; exit 1) | awk '{print}'",
        "echo 5 R; echo 'pbs_iff: broken' >&2; exit 1",
        "exit 1",
        "kill -9 $$",
    ] {
        assert!(is_away(&of(status).unwrap_err()), "{status}");
    }
    // A call per job.
    assert_eq!(of("echo S; test {job} = 5 || echo C").unwrap().len(), 2);
}

#[test]
fn cancelling_what_has_ended_is_no_error() {
    let of = |cancel: &str| Templates { cancel: cancel.into(), ..pbs() }.cancel(&jobs(&["5", "6"]));
    of("test '{jobs}' = '5 6'").unwrap();
    of("exit 1").unwrap();
    of("echo 'qdel: Unknown Job Id 5' >&2; exit 153").unwrap();
    assert_eq!(
        of("echo 'qdel: Unauthorized Request' >&2; exit 1").unwrap_err().message,
        "[engine.pbs] refuses, by cancel: qdel: Unauthorized Request"
    );
    let error = Templates { requeue: "echo no {job} >&2; false".into(), ..pbs() };
    let error = error.requeue(&TaskId { job: JobId("5".into()), index: 0 }).unwrap_err();
    assert_eq!(error.message, "[engine.pbs] refuses, by requeue: no 5");
}

#[test]
fn a_failed_submission_leaves_no_job() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("cancelled");
    let templates = Templates { cancel: format!("echo {{jobs}} > {}", file.display()), ..pbs() };
    let made = vec![(JobId("1".into()), vec![0]), (JobId("2".into()), vec![1])];
    let error = templates.withdrawn(made, Error::argument("refused"));
    assert_eq!((error.message.as_str(), std::fs::read_to_string(&file).unwrap().as_str()), ("refused", "1 2\n"));
}
