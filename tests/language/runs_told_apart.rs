//! Names, tags, scores and texts of runs, filters, differences, and word vectors by their content.

use crate::common::{CPSD, SMALL, eval, out, session};

fn text(session: &mut cpsd::script::session::Session, code: &str) -> String {
    cpsd::script::show::plain(&eval(session, code))
}

#[test]
fn names_and_tags_are_no_part_of_the_id_and_come_beside_a_stored_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = eval(&mut s, SMALL);
    let _ = eval(&mut s, "let a = train_teacher(data, some, o + #{name: \"first\", tags: \"x\"});");
    let before = cpsd::runs::RunStore::new(folder.path()).list();
    let kept = std::fs::read(before[0].path("summary.json")).unwrap();
    assert_eq!(text(&mut s, "[a.run.name, a.run.tags, a.run.summary.name]"), "[\"first\", [\"x\"], \"first\"]");
    // The same run under another name, with more tags; then without a name, which changes nothing.
    let _ = eval(&mut s, "let b = train_teacher(data, some, o + #{name: \"second\", tags: [\"y\", \"x\"]});");
    let _ = eval(&mut s, "let c = train_teacher(data, some, o);");
    assert_eq!(text(&mut s, "[a.id == b.id, b.id == c.id]"), "[true, true]");
    assert_eq!(text(&mut s, "[c.run.name, c.run.tags]"), "[\"second\", [\"x\", \"y\"]]");
    assert_eq!(std::fs::read(before[0].path("summary.json")).unwrap(), kept);
    assert!(text(&mut s, "print(c.run); `${c.run}`").contains("second [x, y]"));
    // The text that asked first.
    assert!(text(&mut s, "a.run.script").contains("name: \"first\"") && text(&mut s, "a.run.script_name") == "test");
    for bad in ["name: \"a\\nb\"", "tags: [\"\"]", "tags: [1]"] {
        assert!(s.eval(&format!("train_teacher(data, some, o + #{{{bad}}})"), "test").is_err(), "{bad}");
    }
}

#[test]
fn runs_are_listed_with_what_tells_them_apart_and_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = eval(&mut s, SMALL);
    let _ = eval(
        &mut s,
        "let p = random_partition(data.train.names, 2);
         let teachers = train_teachers(data, p, o + #{name: \"study\", tags: [\"k\"]});
         let points = sweep(#{seed: [1, 2]}, |q| evaluate(train_teacher(data, some, o + #{seed: q.seed}), data.test), #{name: \"sw\", tags: \"t\"});",
    );
    let column = |s: &mut _, code: &str, name: &str| text(s, &format!("{code}.column(\"{name}\")"));
    assert_eq!(
        column(&mut s, "runs(#{tag: \"k\"}).sort(\"name\")", "name"),
        "[\"study, teacher 1/2\", \"study, teacher 2/2\"]"
    );
    assert_eq!(column(&mut s, "runs(#{tag: \"k\"})", "k"), "[2, 2]");
    assert_eq!(column(&mut s, "runs(#{name: \"SW, \"}).sort(\"seed\")", "seed"), "[1, 2]");
    assert_eq!(column(&mut s, "runs(#{tag: \"t\"})", "data"), "[\"emoji-scenes\", \"emoji-scenes\"]");
    assert_eq!(column(&mut s, "runs(#{tag: \"t\"})", "model"), "[\"small_cnn + gap\", \"small_cnn + gap\"]");
    // The scores of the sweep were seen by evaluate, those of the teachers by nobody.
    assert_eq!(
        column(&mut s, "runs(#{tag: \"t\"}).sort(\"seed\")", "test_mAP"),
        text(&mut s, "points.sort(\"seed\").column(\"mAP\")")
    );
    assert_eq!(column(&mut s, "runs(#{tag: \"k\"})", "test_mAP"), "[(), ()]");
    assert_eq!(text(&mut s, "runs().filter(|r| r.k == 2).len()"), "2");
    assert_eq!(
        text(&mut s, "[runs(#{since: \"1h\"}).len(), runs(#{since: \"0m\"}).len(), runs(#{model: \"resnet\"}).len()]"),
        "[4, 0, 0]"
    );
    let failure = s.eval("runs(#{since: \"yesterday\"})", "test").unwrap_err();
    assert!(failure.message.contains("\"since\" must be a date"), "{failure}");
    // A part of the split, or another convention, does not take the place of the whole.
    let _ = eval(&mut s, "let m = run(runs(#{tag: \"t\"}).column(\"id\")[0]).model; evaluate(m, data.test.take(4));");
    assert_eq!(
        column(&mut s, "runs(#{tag: \"t\"}).sort(\"seed\")", "test_mAP"),
        text(&mut s, "points.sort(\"seed\").column(\"mAP\")")
    );
    assert_eq!(text(&mut s, "m.run.scores.column(\"images\").len()"), "2");
}

#[test]
fn the_settings_in_which_runs_differ_are_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = eval(&mut s, SMALL);
    let _ = eval(
        &mut s,
        "let a = train_teacher(data, some, o).run; \
         let b = train_teacher(data, some, o + #{seed: 4, schedule: \"cosine\", model: o.model + #{dropout: 0.5}}).run;",
    );
    let rows = text(&mut s, "a.diff(b).rows.map(|r| `${r.setting}: ${r.own} -> ${r.other}`)");
    for row in ["seed: 0 -> 4", "schedule: onecycle -> cosine", "model.dropout: 0.0 -> 0.5"] {
        assert!(rows.contains(row), "{rows}");
    }
    assert!(!rows.contains("epochs"), "{rows}");
    assert_eq!(text(&mut s, "a.diff(a).len()"), "0");
    assert_eq!(text(&mut s, "a.diff(b.id).len() == a.diff(b).len()"), "true");
    assert!(s.eval("a.diff(\"train-nothing\")", "test").unwrap_err().message.contains("unknown run"));
}

#[test]
fn the_command_line_lists_shows_compares_and_prunes() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let mut s = session(&runs);
    let _ = eval(&mut s, SMALL);
    let a = text(&mut s, "train_teacher(data, some, o + #{name: \"one\", tags: \"x\"}).id");
    let b = text(&mut s, "train_teacher(data, some, o + #{name: \"two\", seed: 1}).id");
    let cpsd = |arguments: &[&str]| {
        let mut command = std::process::Command::new(CPSD);
        command.arg("runs").args(arguments).env("CPSD_RUNS", &runs).current_dir(folder.path());
        out(&command.output().unwrap())
    };
    let all = cpsd(&[]);
    assert!(all.contains(&a) && all.contains(&b) && all.contains("test_mAP"), "{all}");
    let tagged = cpsd(&["list", "--tag", "x"]);
    assert!(tagged.contains(&a) && !tagged.contains(&b), "{tagged}");
    let shown = cpsd(&["show", &a]);
    assert!(shown.contains("one [x]") && shown.contains("asked for first by test"), "{shown}");
    let differing = cpsd(&["diff", &a, &b]);
    assert!(differing.contains("seed") && !differing.contains("epochs"), "{differing}");
    // A note that is damaged is found; that of a run that is gone may be removed a day later.
    assert!(cpsd(&["verify"]).contains("2 verified, 0 damaged"));
    let note = runs.join(format!(".notes/{a}.script.json"));
    std::fs::write(&note, "{").unwrap();
    assert!(cpsd(&["verify"]).contains("1 verified, 1 damaged"));
    std::fs::remove_dir_all(runs.join(&a)).unwrap();
    assert!(cpsd(&["prune"]).contains("nothing to remove"));
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 24 * 3600);
    std::fs::File::options().write(true).open(&note).unwrap().set_modified(old).unwrap();
    assert!(cpsd(&["prune", "--yes"]).contains("note of a run that is not there") && !note.exists());
}

#[test]
fn word_vectors_count_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(&folder.path().join("runs"));
    let _ = eval(&mut s, SMALL);
    let file = folder.path().join("v.txt");
    let id = |s: &mut _| {
        let model = format!("o.model + #{{head: \"tf\", head_options: #{{}}, word_vectors: {file:?}}}");
        let code = format!(
            "plan(|| train_teacher(data, some, o + #{{model: {model}}}), #{{timing: false}}).table.column(\"run\")[0]"
        );
        text(s, &code)
    };
    let write = |person: f64, other: f64| {
        let lines = format!("person {person} 0.5 1\ndog 1 0 {person}\ncar 0 1 0.25\nsea {other} 0 0\n");
        std::fs::write(&file, lines).unwrap();
    };
    write(1.0, 0.0);
    let first = id(&mut s);
    assert_eq!(first, id(&mut s));
    // A word that is no label changes nothing; one that is a label does.
    write(1.0, 9.0);
    assert_eq!(first, id(&mut s));
    write(2.0, 0.0);
    assert_ne!(first, id(&mut s));
}

#[test]
fn a_run_is_found_by_a_name_that_it_alone_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = eval(&mut s, SMALL);
    let _ = eval(
        &mut s,
        "let a = train_teacher(data, some, o + #{name: \"brier\"}); \
         for seed in [5, 6] { train_teacher(data, some, o + #{seed: seed, name: \"twice\"}); }",
    );
    assert_eq!(text(&mut s, "run(\"brier\").id == a.id"), "true");
    let several = s.eval("run(\"twice\")", "test").unwrap_err();
    assert!(several.message.contains("2 runs have the name \"twice\": train-"), "{several}");
    // A part of a name is none.
    assert!(s.eval("run(\"brie\")", "test").unwrap_err().message.contains("unknown run"));
}

#[test]
fn the_inputs_before_a_line_of_the_prompt_are_part_of_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = eval(&mut s, SMALL);
    *s.host.earlier.borrow_mut() = "let brier = |y, t| (y - t) ** 2;\n".into();
    let _ = s.eval("let a = train_teacher(data, some, o);", "line 2").unwrap();
    let whole = "let brier = |y, t| (y - t) ** 2;\nlet a = train_teacher(data, some, o);";
    assert_eq!(text(&mut s, "a.run.script"), whole);
    assert_eq!(text(&mut s, "a.run.script_name"), "line 2");
}
