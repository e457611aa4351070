//! Background jobs and sweeps as a script sees them.

use cpsd::script::session::Session;

use crate::common::{self, alone, eval, files};

/// The value of a line, as `print` shows it.
fn value(session: &mut Session, line: &str) -> String {
    cpsd::script::show::plain(&eval(session, line))
}

fn session(folder: &std::path::Path) -> Session {
    let mut session = common::session(folder);
    let _ = value(
        &mut session,
        "let data = dataset(\"emoji-scenes\", #{train: 64, val: 16, test: 16, test_shifted: 8, size: 48}); let o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 2, batch: 16};",
    );
    session
}

#[test]
fn a_training_in_the_background_is_the_training_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = value(&mut s, "let job = spawn(|| train_teacher(data, [\"dog\", \"person\"], o));");
    // The session goes on meanwhile, also with trainings of its own.
    assert_eq!(value(&mut s, "let x = 0; for i in 0..200000 { x += i; } x"), "19999900000");
    let _ = value(&mut s, "let other = train_teacher(data, [\"cat\"], o);");
    let first = value(&mut s, "let model = wait(job); model.id");
    // The same call again is answered by the store.
    assert_eq!(value(&mut s, "train_teacher(data, [\"dog\", \"person\"], o).id"), first);
    assert_eq!(value(&mut s, "runs().rows.len()"), "2");
    assert_eq!(value(&mut s, "jobs().column(\"state\")"), "[\"done\"]");
}

#[test]
fn a_plan_is_of_the_task_that_asked_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    // The job trains while the closure of plan waits for it.
    let _ = value(&mut s, "let job = spawn(|| { sleep(0.3); train_teacher(data, [\"dog\"], o) });");
    let _ = value(&mut s, "let p = plan(|| { wait(job); train_teacher(data, [\"cat\"], o) }, #{timing: false});");
    assert_eq!(value(&mut s, "[p.table.len(), wait(job).run == (), runs().len()]"), "[1, false, 1]");
    let told =
        s.eval("plan(|| wait(spawn(|| train_teacher(data, [\"cat\"], o))), #{timing: false})", "test").unwrap_err();
    assert!(told.message.contains("spawn would train inside plan"), "{told}");
    // A sweep is planned whole, several points at a time or not; a job may plan.
    let sweep =
        "sweep(#{label: [\"cat\", \"dog\", \"person\"]}, |at| { train_teacher(data, [at.label], o); 1 }, #{jobs: 2})";
    assert_eq!(
        value(&mut s, &format!("plan(|| {sweep}, #{{timing: false}}).table.column(\"state\")")),
        "[\"to do\", \"stored\", \"to do\"]"
    );
    assert_eq!(
        value(&mut s, "wait(spawn(|| plan(|| train_teacher(data, [\"cat\"], o), #{timing: false}).table.len()))"),
        "1"
    );
    assert_eq!(value(&mut s, "runs().len()"), "1");
}

#[test]
fn jobs_take_turns_on_copies_of_variables() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let lines = [
        "let seen = []; let all = [];",
        "for i in 0..6 { all.push(spawn(|| { for n in 0..5000 { } seen.push(i); [i * i, seen.len()] })); }",
        "[wait(all), seen]",
    ];
    let _ = value(&mut s, lines[0]);
    let _ = value(&mut s, lines[1]);
    assert_eq!(value(&mut s, lines[2]), "[[[0, 1], [1, 1], [4, 1], [9, 1], [16, 1], [25, 1]], []]");
    // A job may begin jobs, and train with closures of its own.
    assert_eq!(value(&mut s, "wait(spawn(|| wait(spawn(|| 3)) + 1))"), "4");
    let told = "wait(spawn(|| { let told = 0; train_teacher(data, [\"cat\"], o + #{on_epoch: |line| { told += 1; }}); told }))";
    assert_eq!(value(&mut s, told), "2");
}

#[test]
fn a_failure_is_thrown_where_it_is_waited_for_at_its_own_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = s.eval("let bad = spawn(|| {\n    let a = [1];\n    a[7]\n});", "line 1").unwrap();
    let failure = s.eval("wait(bad)", "line 2").unwrap_err();
    assert_eq!(failure.place().as_deref(), Some("line 1:3:7"), "{}", failure.render(false, 100));
    assert!(failure.render(false, 100).contains("job 1"), "{}", failure.render(false, 100));
    assert_eq!(value(&mut s, "bad.state"), "failed");
    assert_eq!(value(&mut s, "let said = 0; try { wait(bad) } catch (e) { said = \"caught\" } said"), "caught");
    let misuse = s.eval("wait([1])", "line 3").unwrap_err();
    assert!(misuse.message.contains("must be a Job"), "{}", misuse.message);
    // A script of a larger machine.
    assert_eq!(value(&mut s, "wait(spawn(|| 1, #{cores: 100000}))"), "1");
    assert_eq!(value(&mut s, "sweep(#{k: [1, 2]}, |p| p.k, #{jobs: 100000}).column(\"value\")"), "[1, 2]");
    let none = s.eval("spawn(|| 1, #{cores: 0})", "line 4").unwrap_err();
    assert!(none.message.contains("must be a whole number from 1; got 0"), "{}", none.message);
}

#[test]
fn a_stopped_training_goes_on_where_it_was_and_an_interrupt_stops_no_job() {
    alone!();
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = value(&mut s, "let many = o + #{epochs: 400}; let job = spawn(|| train_teacher(data, [\"dog\"], many));");
    // Ctrl-C while the job is waited for.
    let flag = cpsd::activity::interrupt::flag();
    let waker = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(1500));
        flag.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let interrupted = s.eval("wait(job)", "test").unwrap_err();
    waker.join().unwrap();
    assert!(interrupted.interrupted());
    assert_eq!(value(&mut s, "job.state"), "running");
    let stopped = s.eval("stop(job); wait(job)", "test").unwrap_err();
    assert!(stopped.message.contains("job 1 was stopped"), "{}", stopped.message);
    assert_eq!(value(&mut s, "jobs().column(\"state\")"), "[\"stopped\"]");
    // A checkpoint is there; leaving the session stops what still runs.
    let _ = value(&mut s, "let again = spawn(|| train_teacher(data, [\"dog\"], many));");
    drop(s);
    let checkpoints = files(folder.path()).into_iter().filter(|p| p.ends_with("checkpoint.safetensors")).count();
    assert_eq!(checkpoints, 1);
}

#[test]
fn a_sweep_is_the_same_table_one_by_one_and_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let sweep = |jobs: usize| {
        format!(
            "let t = sweep(#{{seed: [0, 1], label: [\"cat\", \"dog\"]}}, |p| #{{id: train_teacher(data, [p.label], o + #{{seed: p.seed, threads: 1}}).id}}, #{{jobs: {jobs}}}); [t.columns, t.column(\"label\"), t.column(\"id\")]"
        )
    };
    let side_by_side = value(&mut s, &sweep(2));
    assert!(
        side_by_side.contains("[\"label\", \"seed\", \"id\"]")
            && side_by_side.contains("[\"cat\", \"cat\", \"dog\", \"dog\"]"),
        "{side_by_side}"
    );
    assert_eq!(value(&mut s, &sweep(1)), side_by_side);
    assert_eq!(value(&mut s, "runs().rows.len()"), "4");
    let failure = s.eval("sweep(#{k: [1, 0]}, |p| 6 / p.k, #{jobs: 2})", "line 9").unwrap_err();
    assert!(failure.render(false, 100).contains("line 9"), "{}", failure.render(false, 100));
    assert_eq!(
        value(&mut s, "sweep(#{k: [1, 0]}, |p| 6 / p.k, #{jobs: 2, on_error: \"keep\"}).column(\"value\")"),
        "[6, ()]"
    );
    for (bad, says) in [
        ("sweep(#{k: 3}, |p| 1)", "must be an array of values"),
        ("sweep(#{k: [3]}, |p| #{k: 4})", "\"k\" is a key of the grid and a column of the results"),
        ("sweep(#{value: [3]}, |p| 1, #{on_error: \"keep\"})", "\"value\" is a key of the grid"),
        ("sweep(#{error: [0]}, |p| 1 / p.error, #{on_error: \"keep\"})", "\"error\" is a key of the grid"),
        ("sweep(3, |p| 1)", "map of arrays"),
        ("sweep(#{}, |p| 1, #{jobs: 0})", "jobs"),
    ] {
        let failure = s.eval(bad, "test").unwrap_err();
        assert!(failure.message.contains(says), "{}", failure.message);
    }
}

#[test]
fn a_closure_cannot_wait_for_a_job_that_asks_for_its_own_training() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = value(&mut s, "fn again(data, o) { train_teacher(data, [\"dog\"], o) }");
    // That job itself, and one that waits for it.
    for job in ["again(data, o)", "wait(spawn(|| again(data, o)))"] {
        let code = format!("train_teacher(data, [\"dog\"], o + #{{on_epoch: |line| wait(spawn(|| {{ {job} }}))}})");
        let told = s.eval(&code, "test").unwrap_err();
        assert!(told.message.contains("is being made by the very call that waits for this job"), "{told}");
    }
    // Another training may be waited for, and a job that is not waited for gets the model.
    let code = "let other = (); let same = (); \
        let model = train_teacher(data, [\"dog\"], o + #{on_epoch: |line| { if same == () { same = spawn(|| again(data, o)); } \
        other = wait(spawn(|| train_teacher(data, [\"cat\"], o))); }}); [other.id != model.id, wait(same).id == model.id]";
    assert_eq!(value(&mut s, code), "[true, true]");
}
