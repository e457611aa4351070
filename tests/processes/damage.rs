//! The run store after damage: flipped bits, exchanged and cut files, folders that were never finished, left-overs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use cpsd::error::Error;
use cpsd::files::own;
use cpsd::runs::{Run, RunStore};
use cpsd::training::verify::{State, verify};

use crate::common::{CPSD, ON_THE_CPU, err, eval, out, session};

const DATA: &str =
    "let data = dataset(\"emoji-scenes\", #{train: 48, val: 16, test: 4, test_shifted: 1, size: 32, cache: 32});
let o = #{model: #{backbone: \"small_cnn\", image_size: 32, freeze: 1}, epochs: 2, batch: 16, threads: 1, views: 1};
let some = [\"person\", \"dog\", \"car\"];
";

/// A call of cpsd on a store `runs` in `folder`.
fn call(folder: &Path, code: &str) -> Command {
    let mut command = Command::new(CPSD);
    command.args(["eval", &format!("{DATA}{code}")]);
    quiet(&mut command, folder);
    command
}

fn quiet(command: &mut Command, folder: &Path) {
    // A folder without a summary is believed after a sixth of the beat.
    command.env("CPSD_RUNS", "runs").env("CPSD_CLAIM_BEAT", "0.3").envs(ON_THE_CPU).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

fn runs(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(CPSD);
    command.arg("runs").args(arguments);
    quiet(&mut command, folder);
    command.output().unwrap()
}

fn succeeds(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    output
}

fn wait_for(what: &str, child: &mut Child, mut found: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !found() {
        assert!(begun.elapsed() < Duration::from_secs(100), "waited too long for {what}");
        assert!(child.try_wait().unwrap().is_none(), "the process ended before {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// What is wrong with a run, if anything is.
fn problem(store: &RunStore, id: &str) -> Option<Error> {
    match verify(store, &[id.to_string()]).unwrap().remove(0).state {
        State::Damaged(error) => Some(error),
        _ => None,
    }
}

fn of_kind(store: &RunStore, kind: &str) -> Run {
    store.list().into_iter().find(|run| run.id.starts_with(kind)).unwrap()
}

/// A folder of `.work` of a training that is running.
fn work(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder.join("runs/.work")).ok()?;
    entries.flatten().map(|e| e.path()).find(|p| {
        p.is_dir() && p.file_name().unwrap().to_string_lossy().starts_with("train-") && p.join("metrics.jsonl").exists()
    })
}

/// When the checkpoint of the training that is running was written.
fn written(folder: &Path) -> Option<SystemTime> {
    own::modified(&work(folder)?.join("checkpoint.safetensors"))
}

#[test]
fn one_flipped_bit_is_found_in_every_file_of_every_kind_of_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let mut session = session(folder.path());
    let train = "let t = train_teacher(data, data.train.names, o); distill(data, merge([t]), o)";
    let _ = eval(&mut session, &format!("{DATA}{train}"));
    let all: Vec<Run> = store.list();
    let kinds: std::collections::BTreeSet<&str> = all.iter().map(|run| run.id.split('-').next().unwrap()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["features", "outputs", "pictures", "train"]);
    let mut flipped = 0;
    for run in &all {
        assert!(problem(&store, &run.id).is_none());
        for entry in std::fs::read_dir(&run.dir).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            let before = std::fs::read(&path).unwrap();
            flip(&path);
            let error = problem(&store, &run.id).unwrap_or_else(|| panic!("{} is not missed", path.display()));
            assert!(error.message.contains(&run.id) && error.message.contains(&name), "{}", error.message);
            assert!(error.help.is_some_and(|help| help.contains("verify") || help.contains("aside")));
            std::fs::write(&path, &before[..before.len() - 2]).unwrap();
            assert!(problem(&store, &run.id).is_some(), "{name} is two bytes shorter");
            std::fs::remove_file(&path).unwrap();
            assert_eq!(problem(&store, &run.id).is_none(), name == "digests.json", "{name} is not there");
            std::fs::write(&path, before).unwrap();
            flipped += 1;
        }
        assert!(problem(&store, &run.id).is_none());
    }
    assert!(flipped > 4 * 4, "{flipped}");
    assert_eq!(
        eval(&mut session, "runs().verify().filter(col(\"state\") == \"good\").len() == runs().len()").to_string(),
        "true"
    );

    // What needs a damaged file says so, and nothing is computed from it.
    let again = "train_teacher(data, some, o + #{epochs: 3})";
    let cases = [
        ("train", "model.safetensors", train),
        ("train", "metrics.jsonl", "run(runs().filter(col(\"name\") == \"baseline\").column(\"id\")[0]).metrics"),
        ("features", "data.f16", again),
        ("features", "summary.json", again),
        ("pictures", "data.u8", again),
    ];
    for (kind, name, code) in cases {
        let run = match kind {
            "train" => all.iter().find(|run| run.summary().is_ok_and(|s| s["name"] == "baseline")).cloned().unwrap(),
            kind => of_kind(&store, kind),
        };
        let path = run.path(name);
        let before = std::fs::read(&path).unwrap();
        // In a number, so that it is still JSON.
        match name {
            "summary.json" => {
                let text = String::from_utf8(before.clone()).unwrap();
                std::fs::write(&path, text.replace("\"rows\": ", "\"rows\": 1")).unwrap()
            }
            _ => flip(&path),
        }
        let failure = session.eval(&format!("{DATA}{code}"), "test").unwrap_err();
        assert!(failure.message.contains(&run.id) && failure.message.contains(name), "{}", failure.message);
        std::fs::write(&path, before).unwrap();
    }
    let _ = eval(&mut session, &format!("{DATA}{again}"));
}

#[test]
fn the_files_of_another_run_are_not_taken_for_those_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let mut session = session(folder.path());
    drop(eval(
        &mut session,
        &format!("{DATA}train_teacher(data, some, o); train_teacher(data, [\"cup\", \"dog\", \"car\"], o);"),
    ));
    let trainings: Vec<Run> = store.list().into_iter().filter(|run| run.id.starts_with("train")).collect();
    let [a, b] = &trainings[..] else { panic!("{} trainings", trainings.len()) };
    let exchange = |name: &str| {
        let (from, to) = (a.path(name), b.path(name));
        let other = folder.path().join("other");
        std::fs::rename(&from, &other).unwrap();
        std::fs::rename(&to, &from).unwrap();
        std::fs::rename(&other, &to).unwrap();
    };
    let load = |run: &Run| cpsd::training::run::load(run.clone()).map(drop);
    exchange("model.safetensors");
    assert!(load(a).unwrap_err().message.contains("model.safetensors"));
    exchange("digests.json");
    let error = load(a).unwrap_err();
    assert!(error.message.contains(&format!("it belongs to the run {}", b.id)), "{}", error.message);
    exchange("summary.json");
    exchange("spec.json");
    assert!(load(a).is_err() && load(b).is_err());
    // Without digests, as in runs of before, the model's own note and the specification tell.
    for run in [a, b] {
        std::fs::remove_file(run.path("digests.json")).unwrap();
    }
    let error = load(a).unwrap_err();
    assert!(error.message.contains(&format!("it is the specification of {}", b.id)), "{}", error.message);
    exchange("spec.json");
    let error = load(a).unwrap_err();
    assert!(error.message.contains(&format!("it is the model of {}", b.id)), "{}", error.message);
    exchange("model.safetensors");
    load(a).unwrap();
    load(b).unwrap();
}

#[test]
fn features_that_are_cut_while_a_training_reads_them_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let mut child = call(f, "train_teacher(data, some, o + #{epochs: 20000})").spawn().unwrap();
    wait_for("an epoch", &mut child, || work(f).is_some_and(|w| w.join("metrics.jsonl").metadata().unwrap().len() > 0));
    let store = RunStore::new(f.join("runs"));
    for run in store.list().iter().filter(|run| run.id.starts_with("features")) {
        std::fs::File::options().write(true).open(run.path("data.f16")).unwrap().set_len(1000).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{:?} {}", output.status, err(&output));
    assert!(flat(&output).contains("cut short: 1000 bytes"), "{}", err(&output));
    // The training goes on from its checkpoint once the features are there again.
    let again = call(f, "train_teacher(data, some, o + #{epochs: 20000})").output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(flat(&again).contains("data.f16") && flat(&again).contains("cpsd runs verify"), "{}", err(&again));
}

/// What a process said, without the folds of its lines.
fn flat(output: &std::process::Output) -> String {
    err(output).replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn metrics_that_a_crash_cut_are_written_again_from_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code = "let t = train_teacher(data, some, o + #{epochs: 60}); t.save(\"NAME.safetensors\");";
    let whole = |name: &str| call(f, &code.replace("NAME", name));
    succeeds(whole("whole"));
    let epochs = |run: &Run| -> Vec<String> {
        run.metrics().unwrap().iter().map(|l| format!("{} {} {}", l["epoch"], l["loss"], l["val_mAP"])).collect()
    };
    let store = RunStore::new(f.join("runs"));
    let expected = epochs(&of_kind(&store, "train"));
    assert_eq!(expected.len(), 60);
    std::fs::remove_dir_all(f.join("runs")).unwrap();
    let damages: [fn(&Path); 3] = [
        |path| std::fs::File::options().write(true).open(path).unwrap().set_len(7).unwrap(),
        |path| std::fs::write(path, vec![0; 5000]).unwrap(),
        |path| std::fs::remove_file(path).unwrap(),
    ];
    let mut damaged = 0;
    for damage in damages {
        let mut child = whole("pieces").spawn().unwrap();
        let before = written(f);
        while child.try_wait().unwrap().is_none() && written(f) == before {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        child.wait().unwrap();
        if let Some(work) = work(f) {
            damage(&work.join("metrics.jsonl"));
            damaged += 1;
        }
    }
    assert!(damaged > 0, "it was never killed in time");
    succeeds(whole("pieces"));
    assert_eq!(epochs(&of_kind(&store, "train")), expected);
    let read = |name: &str| std::fs::read(f.join(name)).unwrap();
    assert!(read("whole.safetensors") == read("pieces.safetensors"));
}

#[test]
fn a_folder_without_a_summary_is_moved_aside_before_training_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code = "print(train_teacher(data, some, o).id)";
    let id = out(&succeeds(call(f, code))).trim().to_string();
    let summary = f.join("runs").join(&id).join("summary.json");
    let damages: [fn(&Path); 3] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| std::fs::write(path, "").unwrap(),
        |path| std::fs::write(path, [0; 100]).unwrap(),
    ];
    for (i, damage) in damages.into_iter().enumerate() {
        damage(&summary);
        // The other runs are listed, and this one with its id.
        let listed = succeeds({
            let mut command = Command::new(CPSD);
            command.arg("runs");
            quiet(&mut command, f);
            command
        });
        assert!(out(&listed).contains("(damaged)") && out(&listed).contains("features-"), "{}", out(&listed));
        assert_eq!(err(&listed).matches("is damaged").count(), 1, "{}", err(&listed));
        let verified = runs(f, &["verify"]);
        assert_eq!(verified.status.code(), Some(1));
        assert!(out(&verified).contains(&id) && out(&verified).contains("1 damaged"), "{}", out(&verified));

        let again = succeeds(call(f, code));
        assert_eq!(out(&again).trim(), id);
        assert!(err(&again).contains(&format!("broken-{id}-")), "{i}: {}", err(&again));
        assert_eq!(runs(f, &["verify"]).status.code(), Some(0));
    }
    let dry = runs(f, &["prune"]);
    assert!(out(&dry).matches("damaged run").count() == 3 && out(&dry).contains("--yes"), "{}", out(&dry));
    let aside = || {
        own::entries(&f.join("runs/.work")).filter(|e| e.file_name().to_string_lossy().starts_with("broken-")).count()
    };
    assert_eq!(aside(), 3);
    assert!(runs(f, &["prune", "--yes"]).status.success());
    assert_eq!(aside(), 0);
    assert!(out(&runs(f, &["prune"])).contains("nothing to remove"));
    assert_eq!(runs(f, &["verify"]).status.code(), Some(0));
}

#[test]
fn runs_without_digests_are_read_and_that_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code = "print(train_teacher(data, some, o).id)";
    let id = out(&succeeds(call(f, code))).trim().to_string();
    let store = RunStore::new(f.join("runs"));
    for run in store.list() {
        std::fs::remove_file(run.path("digests.json")).unwrap();
    }
    let again = succeeds(call(f, &format!("{code}; train_teacher(data, some, o + #{{epochs: 1}}); runs()")));
    assert!(out(&again).contains(&id));
    assert_eq!(err(&again).matches("made before digests were kept").count(), 1, "{}", err(&again));
    let verified = runs(f, &["verify", &id]);
    assert_eq!(verified.status.code(), Some(0));
    assert!(out(&verified).contains("not checked"), "{}", out(&verified));
    assert!(out(&verified).contains("0 verified, 1 without digests, 0 damaged"), "{}", out(&verified));
    // What can be told is told.
    flip(&f.join("runs").join(&id).join("spec.json"));
    assert_eq!(runs(f, &["verify", &id]).status.code(), Some(1));
}

#[test]
fn paths_are_no_ids() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::create_dir_all(f.join("x")).unwrap();
    std::fs::create_dir_all(f.join("runs")).unwrap();
    std::fs::write(f.join("x/summary.json"), "{}").unwrap();
    let store = RunStore::new(f.join("runs"));
    for id in ["../x", "..", "", ".", "../runs/../x", "train-0123456789ab/../../x"] {
        assert!(store.find(id).is_none(), "{id}");
    }
    assert!(Run::in_folder(&f.join("x")).is_err() && Run::in_folder(Path::new("/")).is_err());
    let verified = runs(f, &["verify", "../x"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(err(&verified).contains("is not the id of a run"), "{}", err(&verified));
    let unknown = runs(f, &["verify", "train-0123456789ab"]);
    assert!(err(&unknown).contains("unknown run"), "{}", err(&unknown));
    let mut session = session(&f.join("runs"));
    assert!(session.eval("run(\"../x\")", "test").unwrap_err().message.contains("unknown run"));
}

#[test]
fn left_overs_are_listed_and_removed_and_nothing_of_a_run_in_the_making_is() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let work = f.join("runs/.work");
    std::fs::create_dir_all(&work).unwrap();
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let job = |process: u32| work.join(format!("job-{}-{process}-aaaaaa.json", own::host()));
    std::fs::write(job(ended.id()), "{}").unwrap();
    std::fs::write(job(std::process::id()), "{}").unwrap();
    std::fs::write(work.join("job-aaaaaa.json"), "{}").unwrap();
    let id = |n: u32| format!("train-{n:012x}");
    let unfinished = |name: &str, days: u64| {
        let at = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        let (dir, file) = (work.join(name), work.join(name).join("checkpoint.safetensors"));
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(&file, "x").unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(at).unwrap();
        std::fs::File::open(&dir).unwrap().set_modified(at).unwrap();
    };
    unfinished(&id(1), 31);
    unfinished(&id(2), 29);
    unfinished(&id(3), 31);
    unfinished(&id(4), 31);
    unfinished(&format!("{}.abcdef", id(5)), 31);
    // 3 is locked, 4 is claimed by another host.
    let lock = std::fs::File::create(work.join(format!("{}.lock", id(3)))).unwrap();
    lock.lock().unwrap();
    std::fs::write(work.join(format!("{}.claim", id(4))), "{}").unwrap();
    let expected = [format!("job-{}-{}-aaaaaa.json", own::host(), ended.id()), id(1), format!("{}.abcdef", id(5))];
    let dry = out(&runs(f, &["prune"]));
    for name in &expected {
        assert!(dry.contains(name) && work.join(name).exists(), "{name} in {dry}");
    }
    assert!(dry.contains("removes these 3"), "{dry}");
    let done = runs(f, &["prune", "--yes"]);
    assert!(out(&done).contains("removed 3 of 3"), "{}", out(&done));
    for name in &expected {
        assert!(!work.join(name).exists(), "{name}");
    }
    for name in [id(2), id(3), id(4)] {
        assert!(work.join(&name).join("checkpoint.safetensors").exists(), "{name}");
    }
    assert!(job(std::process::id()).exists() && work.join("job-aaaaaa.json").exists());
}
