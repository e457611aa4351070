//! Queues as scripts see them: values, options, errors; and sweep, plan, cooccurrence and the experiments end to end with a queue that is
//! this machine (`queue.sh`).

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::{CPSD, ON_THE_CPU, SMALL, err, eval, files, out, root, session};

/// A working folder with a queue.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let (bin, state) = (folder.path().join("bin"), folder.path().join("state"));
        [&bin, &state].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        for program in ["sbatch", "squeue", "scancel", "scontrol", "sinfo"] {
            std::os::unix::fs::symlink(root("tests/language/queue.sh"), bin.join(program)).unwrap();
        }
        Place { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, runs: &str) -> Command {
        let mut command = Command::new(CPSD);
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        command
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("FAKE_STATE", self.path("state"))
            .envs(ON_THE_CPU);
        command
            .env("CPSD_RUNS", self.path(runs))
            .env("RAYON_NUM_THREADS", "1")
            .env("OMP_NUM_THREADS", "1")
            .env("XDG_CONFIG_HOME", self.path("config"));
        command
    }

    /// Runs a script with a store.
    fn run(&self, runs: &str, code: &str) -> Output {
        std::fs::write(self.path("script.rhai"), code).unwrap();
        self.command(runs).args(["script", "script.rhai"]).output().unwrap()
    }

    /// What a script prints that must not fail.
    fn prints(&self, runs: &str, code: &str) -> String {
        let output = self.run(runs, code);
        assert!(output.status.success(), "{code}\n{}{}{}", out(&output), err(&output), self.logs(runs));
        out(&output)
    }

    /// The logs of all tasks, for a test that failed.
    fn logs(&self, runs: &str) -> String {
        let batches = self.path(runs).join(".work/batches");
        if !batches.is_dir() {
            return String::new();
        }
        let logs = files(&batches).into_iter().filter(|path| path.extension().is_some_and(|e| e == "log"));
        logs.map(|log| format!("{}:\n{}", log.display(), std::fs::read_to_string(&log).unwrap_or_default())).collect()
    }

    /// The arrays that were submitted: the number of tasks of each.
    fn arrays(&self) -> Vec<usize> {
        let mut jobs: Vec<String> = std::fs::read_dir(self.path("state/jobs"))
            .map_or(vec![], |entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect());
        jobs.sort();
        let tasks: Vec<String> = std::fs::read_dir(self.path("state/tasks"))
            .map_or(vec![], |entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect());
        jobs.iter().map(|job| tasks.iter().filter(|task| task.starts_with(&format!("{job}_"))).count()).collect()
    }
}

/// The runs of a store: ids, and the bytes of models and counts.
fn kept(store: &Path) -> Vec<(String, Vec<u8>)> {
    let names = ["model.safetensors", "pairs.u32", "labels.json", "images.u64"];
    let mut kept: Vec<(String, Vec<u8>)> = files(store)
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| names.iter().any(|known| name == *known)))
        .map(|path| (path.strip_prefix(store).unwrap().display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    kept.sort();
    kept
}

#[test]
fn a_queue_shows_itself_and_its_options() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&folder.path().join("runs"));
    let shown = |session: &mut _, code: &str| eval(session, &format!("({code}).to_string()")).into_string().unwrap();
    let gpu = "slurm(#{partition: \"gpu\", gres: \"gpu:1\", cpus: 8, memory: \"32G\", time: \"8:00:00\"})";
    assert_eq!(shown(&mut session, gpu), "Slurm (partition gpu, gpu:1, 8 cores, 32G, 8:00:00)");
    assert_eq!(shown(&mut session, "slurm()"), "Slurm");
    assert_eq!(
        shown(&mut session, "slurm(#{cpus: 1, parallel: 4, account: \"lab\"})"),
        "Slurm (account lab, 1 core, 4 at once)"
    );
    assert_eq!(shown(&mut session, &format!("{gpu}.options.partition")), "gpu");
    assert_eq!(shown(&mut session, "slurm().options.requeues"), "5");
    assert_eq!(shown(&mut session, "cluster(\"slurm\", #{qos: \"long\"}).name"), "Slurm");
    // Nothing was submitted.
    assert_eq!(shown(&mut session, "type_of(slurm())"), "Cluster");
}

#[test]
fn mistakes_in_queues_are_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("slurm(#{partiton: \"gpu\"})", "slurm has no option \"partiton\"", "did you mean \"partition\"?"),
        ("slurm(#{cpus: 0})", "option \"cpus\" of slurm must be from 1 to 4096; got 0", ""),
        ("slurm(#{gres: 1})", "option \"gres\" of slurm must be", ""),
        (
            "slurm(#{on_interrupt: \"leaf\"})",
            "option \"on_interrupt\" of slurm must be \"leave\" or \"cancel\"",
            "leave",
        ),
        ("slurm(#{time: \"8 hours\"})", "option \"time\" of slurm must be", ""),
        ("cluster(\"slrum\")", "slrum", "slurm"),
        (
            "train_teacher(data, some, o + #{executor: 3})",
            "option \"executor\" of train_teacher must be \"here\", \"slurm\"",
            "",
        ),
        ("train_teacher(data, some, o + #{executor: \"slrum\"})", "slrum", "slurm"),
        (
            "train_teacher(data, some, o + #{loss: 3})",
            "option \"loss\" of train_teacher must be a name, or a map of its name and its options",
            "",
        ),
        ("sweep(#{k: [1]}, |p| 1, #{executor: slurm(), jobs: 2})", "with executor it must be 1, got 2", "parallel"),
        (
            "cooccurrence(\"nowhere\", #{shards: 0})",
            "option \"shards\" of cooccurrence must be from 1 to 100000; got 0",
            "",
        ),
        (
            "sweep(#{k: [1]}, |p| train_teacher(data, some, o + #{loss: |l, t| (l - t).sum()}), #{executor: slurm()})",
            "a loss of the script's own cannot leave this process",
            "executor: \"here\"",
        ),
        (
            "train_teacher(data, some, o + #{loss: |l, t| (l - t).sum(), executor: slurm()})",
            "a loss of the script's own cannot leave this process",
            "executor: \"here\"",
        ),
    ];
    for (code, message, help) in cases {
        let mut session = session(&folder.path().join("runs"));
        let _ = eval(&mut session, SMALL);
        let failure = session.eval(code, "case").expect_err(code);
        assert!(failure.message.contains(message), "{code}\n  says {}\n  not  {message}", failure.message);
        assert!(!failure.message.contains('\n'), "{code}: {}", failure.message);
        assert!(failure.help.as_deref().unwrap_or_default().contains(help), "{code}\n  helps {:?}", failure.help);
    }
}

#[test]
fn cpsd_toml_gives_what_a_call_leaves_out() {
    let place = Place::new();
    let toml = "[slurm]\npartition = \"long\"\naccount = \"lab\"\n\n[engine.pbs]\nsubmit = \"qsub -l ncpus={cpus} -o {log} {script}\"\nstatus = \"qstat {jobs}\"\ncancel = \"qdel {jobs}\"\nrequeue = \"qrerun {job}\"\n";
    std::fs::write(place.path("cpsd.toml"), toml).unwrap();
    let code = "print(slurm()); print(slurm(#{partition: \"gpu\"})); print(cluster(\"pbs\", #{cpus: 2})); print(slurm(#{account: ()}))";
    let printed = place.prints("runs", code);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[..2], ["Slurm (partition long, account lab)", "Slurm (partition gpu, account lab)"]);
    assert_eq!(lines[2..], ["pbs (2 cores)", "Slurm (partition long)"]);
}

#[test]
fn shell_of_a_script_or_of_the_working_folder_runs_only_where_it_may() {
    let place = Place::new();
    let code = |options: &str| {
        format!("{SMALL}train_teacher(data, some, o + #{{epochs: 1, executor: slurm(#{{{options}}})}});")
    };
    let setup = code("setup: [\"touch ran\"]");
    let refused = |output: &Output, shell: &str| {
        let text = err(output).split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(
            !output.status.success()
                && text.contains("has Slurm run shell that is not your own")
                && text.contains(shell),
            "{text}"
        );
        assert!(text.contains("--allow-code lets it run"), "{text}");
        assert_eq!(place.arrays(), [0; 0]);
    };
    refused(&place.run("runs", &setup), "setup `touch ran`");
    refused(&place.run("runs", &code("sbatch: #{\"export\": \"ALL\", hold: ()}")), "sbatch `ALL`");
    std::fs::write(place.path("cpsd.toml"), "[slurm]\nsetup = [\"touch ran\", \"touch more\"]\n").unwrap();
    refused(&place.run("runs", &code("")), "setup `touch ran` and 1 more");
    // What is no shell needs nothing, nor does a question to the queue.
    place.prints("runs", "print(slurm().jobs);");
    // That of the user's own file.
    std::fs::create_dir_all(place.path("config/cpsd")).unwrap();
    std::fs::rename(place.path("cpsd.toml"), place.path("config/cpsd/cpsd.toml")).unwrap();
    place.prints("own", &code(""));
    assert!(place.path("ran").exists());
    // A text that was typed, and all of a script that may run code.
    std::fs::remove_file(place.path("config/cpsd/cpsd.toml")).unwrap();
    let typed = place.command("typed").args(["eval", &setup]).output().unwrap();
    assert!(typed.status.success(), "{}", err(&typed));
    std::fs::write(place.path("script.rhai"), &setup).unwrap();
    let allowed = place.command("allowed").args(["script", "--allow-code", "script.rhai"]).output().unwrap();
    assert!(allowed.status.success(), "{}", err(&allowed));
    assert_eq!(place.arrays(), [1, 1, 1]);
}

#[test]
fn a_training_in_a_sweep_may_stay_here() {
    let place = Place::new();
    let code = format!(
        "{SMALL}let t = sweep(#{{seed: [0]}}, |p| {{
            let there = train_teacher(data, some, o + #{{epochs: 1}});
            let here = train_teacher(data, some, o + #{{epochs: 1, seed: 1, executor: \"here\"}});
            #{{ run: here.id }}
        }}, #{{executor: slurm()}});
        print(t.len());"
    );
    assert_eq!(place.prints("runs", &code).trim(), "1");
    assert_eq!(place.arrays(), [1]);
}

#[test]
fn the_topic_names_the_words_that_have_it() {
    cpsd::primitives::install();
    let text = cpsd::script::docs::doc(Some("executor")).unwrap();
    let named: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for word in cpsd::primitives::WORDS {
        let has = word.options.as_ref().is_some_and(|options| (options.docs)().iter().any(|doc| doc.key == "executor"));
        assert!(!has || named.contains(&word.name), "{} is not in cpsd doc executor", word.name);
    }
    assert!(cpsd::script::docs::doc(Some("cluster")).unwrap().contains("check()"));
}

/// Two seeds; teachers, an ensemble, a student; both points share nothing.
const CLOSURE: &str = "let at = |p| {
    print(`at seed ${p.seed}`);
    let p2 = random_partition(some, 2, #{seed: 1});
    let o = o + #{seed: p.seed, views: 1};
    let split = #{train: data.train.take_labels(some), val: data.val.take_labels(some), test: data.test.take_labels(some)};
    let teachers = merge(train_teachers(split, p2, o));
    let student = distill(split, teachers, o);
    evaluate(student, split.test)
};
";

#[test]
fn a_sweep_in_a_queue_goes_in_rounds_and_gives_what_threads_give() {
    let place = Place::new();
    let sweep =
        |options: &str| format!("{SMALL}{CLOSURE}print(sweep(#{{seed: [0, 1]}}, at, #{{{options}}}).to_csv());");
    let here = place.prints("here", &sweep(""));
    assert_eq!(place.arrays(), [0; 0]);
    let queued = place.prints("queued", &sweep("executor: slurm(#{partition: \"gpu\"})"));
    // Prints of planning are left out.
    assert_eq!(queued, here);
    assert_eq!(kept(&place.path("queued")), kept(&place.path("here")));
    // Four teachers at once, then two students; features and teachers' outputs before them where they are kept.
    let arrays = place.arrays();
    assert!(arrays.contains(&4) && arrays.contains(&2), "{arrays:?}");
    // All of it is there.
    assert_eq!(place.prints("queued", &sweep("executor: slurm()")), here);
    assert_eq!(place.arrays(), arrays);
}

#[test]
fn a_closure_that_predicts_is_planned_as_far_as_it_goes() {
    let place = Place::new();
    let code = format!(
        "{SMALL}print(sweep(#{{seed: [0, 1]}}, |p| {{
            let teacher = train_teacher(data, some, o + #{{seed: p.seed}});
            let n = predict(teacher, data.val).images.len();
            train_teacher(data, [\"dog\"], o + #{{seed: p.seed + n}}).labels.len()
        }}, #{{executor: slurm()}}).to_csv());"
    );
    let output = place.run("runs", &code);
    assert!(output.status.success(), "{}{}{}", out(&output), err(&output), place.logs("runs"));
    assert!(err(&output).contains("the planning of a point ended early"), "{}", err(&output));
    // Two at once, then one after the other.
    assert_eq!(place.arrays(), [2, 1, 1]);
}

#[test]
fn a_sweep_of_a_closure_that_draws_its_trainings_ends() {
    let place = Place::new();
    // A map that counts the calls.
    let code = format!(
        "{SMALL}let calls = #{{n: 0}};
        sweep(#{{k: [1]}}, |p| {{ calls.n += 1; train_teacher(data, some, o + #{{seed: calls.n, epochs: 1}}) }}, #{{executor: slurm()}});"
    );
    let output = place.run("runs", &code);
    assert!(!output.status.success());
    assert!(err(&output).contains("asks for other trainings each time it is called"), "{}", err(&output));
}

#[test]
fn a_training_that_fails_is_an_error_or_a_row() {
    let place = Place::new();
    let sweep = |runs: &str, options: &str| {
        let code = format!(
            "{SMALL}let t = sweep(#{{seed: [0, 13]}}, |p| {{
                let split = #{{train: data.train.take_labels(some), val: data.val.take_labels(some)}};
                let o = o + #{{seed: p.seed}};
                distill(split, train_teacher(split, some, o), o).labels.len()
            }}, #{{{options}}});
            print(t.rows.map(|r| r.get(\"error\")));"
        );
        std::fs::write(place.path("script.rhai"), code).unwrap();
        place.command(runs).args(["script", "script.rhai"]).env("FAKE_FAIL", "\"seed\":13").output().unwrap()
    };
    let output = sweep("a", "executor: slurm(), on_error: \"keep\"");
    assert!(output.status.success(), "{}{}{}", out(&output), err(&output), place.logs("a"));
    assert!(
        out(&output).trim_start_matches(['[', ' ', '\n']).starts_with("(),") && out(&output).contains("no such luck"),
        "{}",
        out(&output)
    );
    // Two teachers, one student, and what failed once more for its error.
    assert_eq!(place.arrays(), [2, 1, 1]);
    let output = sweep("b", "executor: slurm()");
    assert!(!output.status.success() && err(&output).contains("no such luck"), "{}", err(&output));
    assert_eq!(place.arrays(), [2, 1, 1, 2]);
}

#[test]
fn a_queue_that_refuses_is_an_error() {
    let place = Place::new();
    for keep in ["", ", on_error: \"keep\""] {
        let code = format!(
            "{SMALL}sweep(#{{seed: [0]}}, |p| train_teacher(data, some, o + #{{seed: p.seed}}), #{{executor: slurm(#{{partition: \"nowhere\"}}){keep}}});"
        );
        let output = place.run("runs", &code);
        assert!(!output.status.success() && err(&output).contains("invalid partition"), "{}", err(&output));
    }
}

#[test]
fn a_plan_says_tasks_and_time_in_a_queue() {
    let place = Place::new();
    let plan = |options: &str| {
        format!(
            "{SMALL}{CLOSURE}let p = plan(|| at.call(#{{seed: 3}}), #{{{options}}}); print(p.tasks); print(p.queue_hours); print(p);"
        )
    };
    let printed = place.prints("runs", &plan("executor: slurm(#{partition: \"gpu\", parallel: 2}), timing: false"));
    assert!(printed.contains("[2, 1]\n"), "{printed}");
    assert!(printed.contains("in Slurm (partition gpu, 2 at once): 2 tasks, then 1, 2 at once"), "{printed}");
    let timed = place.prints("runs", &plan("executor: \"slurm\""));
    assert!(timed.contains("or more if nothing waits, at the pace measured here"), "{timed}");
    let here = place.prints("runs", &plan("timing: false"));
    assert!(here.contains("[]\n") && !here.contains("Slurm"), "{here}");
    assert_eq!(place.arrays(), [0; 0]);
}

/// A table of 66 images in six files, of which each has one without a label.
const TABLE: &str = "let rows = [];
for file in 0..6 {
    rows = [];
    for i in 0..10 {
        let image = `image ${file}-${i}`;
        for label in 0..5 { if (7 * file + 3 * i + label * label) % (label + 2) == 0 { rows.push(#{image: image, label: `label ${9 - label}`}); } }
        if i == 9 { rows.push(#{image: image + \" without\", label: ()}); }
    }
    table(rows, [\"image\", \"label\"]).write_parquet(`table/${file}.parquet`);
}
";

#[test]
fn counting_by_shards_is_counting() {
    let place = Place::new();
    // Once: the time of each file is part of its shard's name.
    place.prints("table", TABLE);
    let code = |options: &str| {
        format!("let whole = cooccurrence(\"table\");
        let parts = cooccurrence(\"table\", #{{{options}}});
        whole.save(\"whole.csv\"); parts.save(\"parts.csv\");
        print(parts); print([parts.labels == whole.labels, parts.num_images == whole.num_images, parts.num_pairs == whole.num_pairs]);")
    };
    for (runs, options) in [("here", "shards: 4"), ("queued", "shards: 4, executor: slurm()")] {
        let printed = place.prints(runs, &code(options));
        assert!(printed.contains("[true, true, true]"), "{printed}");
        assert_eq!(std::fs::read(place.path("whole.csv")).unwrap(), std::fs::read(place.path("parts.csv")).unwrap());
        assert_eq!(kept(&place.path(runs)).len(), 4 * 3);
    }
    assert_eq!(kept(&place.path("queued")), kept(&place.path("here")));
    assert_eq!(place.arrays(), [4]);
}

#[test]
fn an_image_in_two_shards_is_refused() {
    let place = Place::new();
    let code = format!(
        "{TABLE}table([#{{image: \"image 2-3\", label: \"late\"}}]).write_parquet(\"table/6.parquet\");
        print(cooccurrence(\"table\").num_images);
        cooccurrence(\"table\", #{{shards: 3}});"
    );
    let output = place.run("runs", &code);
    assert!(!output.status.success());
    let said = err(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("image \"image 2-3\" is in two shards"), "{said}");
    assert!(said.contains("sort the table by image"), "{said}");
}

#[test]
fn a_check_says_what_two_nodes_see() {
    let place = Place::new();
    std::fs::write(place.path("script.rhai"), "print(slurm(#{cpus: 1}).check().to_csv());").unwrap();
    let mut command = place.command("runs");
    let output = command.args(["script", "script.rhai"]).env("CPSD_CHECK_PATIENCE", "60").output().unwrap();
    let printed = out(&output);
    assert!(output.status.success(), "{printed}{}{}", err(&output), place.logs("runs"));
    for says in [
        "n1 and n2",
        "a lock of one node is seen on the other",
        "MaxArraySize,1001",
        "KillWait,",
        "device,cpu",
        "libtorch,",
    ] {
        assert!(printed.contains(says), "{says}\n{printed}");
    }
    assert!(err(&output).contains("KillWait of 30 or more"), "{}", err(&output));
    // Nothing is left.
    let batches = place.path("runs/.work/batches");
    assert!(!batches.is_dir() || std::fs::read_dir(batches).unwrap().count() == 0);
}

#[test]
fn an_experiment_has_its_trainings_made_ahead() {
    let place = Place::new();
    let code = format!(
        "import \"experiment\" as experiment;
        import \"method\" as method;
        {SMALL}let split = #{{train: data.train.take_labels(some), val: data.val.take_labels(some), test: data.test.take_labels(some)}};
        let trained = |seed| {{
            let o = o + #{{seed: seed, epochs: 1, views: 1}};
            let baseline = method::baseline(split, o);
            distill_all(split, [baseline, method::teachers(split, \"co\", 2, o)], o)
        }};
        let executor = arg(\"executor\", \"here\", \"\");
        experiment::ahead([0, 1], trained, executor);
        for seed in [0, 1] {{ for model in trained.call(seed) {{ print(model.id); }} }}"
    );
    let ids = |runs: &str, executor: &str| {
        std::fs::write(place.path("script.rhai"), &code).unwrap();
        let output = place.command(runs).args(["script", "script.rhai", executor]).output().unwrap();
        assert!(output.status.success(), "{}{}{}", out(&output), err(&output), place.logs(runs));
        out(&output)
    };
    let here = ids("here", "executor=here");
    assert_eq!(place.arrays(), [0; 0]);
    assert_eq!((ids("queued", "executor=slurm"), here.lines().count()), (here.clone(), 4));
    // A baseline and two teachers of each seed, then all students. What follows makes nothing.
    let arrays = place.arrays();
    assert!(arrays.contains(&6) && arrays.last() == Some(&4), "{arrays:?}");
}
