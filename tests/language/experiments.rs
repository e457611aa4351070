//! The experiments of `scripts/`, at toy size: each runs to its end, on emoji-scenes and on a folder, and leaves a complete table or
//! figure; the controls of the ablation are what they are said to be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cpsd::images::scenes::{SceneOptions, splits};
use serde_json::Value;

use crate::common::{CPSD, err, out, root};

/// The scripts that take any data set.
const OF_ANY_DATA: [&str; 12] = [
    "ablation_components",
    "ablation_k",
    "ablation_weight",
    "better",
    "beyond",
    "cam",
    "departures",
    "label_graph",
    "own_head_cost",
    "partition_stability",
    "quickstart",
    "regime",
];

/// What a script in `folder` does.
fn ran(folder: &Path, name: &str, arguments: &[&str]) -> Output {
    Command::new(CPSD)
        .args(["script", "-q"])
        .arg(root("scripts").join(name))
        .args(arguments)
        .current_dir(folder)
        .env("CPSD_RUNS", folder.join("runs"))
        .output()
        .unwrap()
}

/// Runs a script in `folder` and gives what it printed.
fn script(folder: &Path, name: &str, arguments: &[&str]) -> String {
    let output = ran(folder, name, arguments);
    let printed = out(&output);
    assert!(output.status.success(), "{name}: {}\n{printed}{}", output.status, err(&output));
    // Every one that writes files says which, in one way.
    let files = written(&printed);
    let makes_none =
        name == "own_head_cost.rhai" || ["--help", "plan=true"].iter().any(|word| arguments.contains(word));
    assert_eq!(files.is_empty(), makes_none, "{name}: {printed}");
    for file in files {
        assert!(folder.join(&file).is_file(), "{name} says that it wrote {file}: {printed}");
    }
    printed
}

/// The files that a script says at its end it has written.
fn written(printed: &str) -> Vec<String> {
    let Some((_, said)) = printed.rsplit_once("\nwritten to ") else { return vec![] };
    let (out, files) = said.split_once(':').unwrap();
    files.split(',').map(|file| format!("{out}/{}", file.trim())).collect()
}

/// The error of a script that must not work.
fn refused(folder: &Path, name: &str, arguments: &[&str]) -> String {
    let output = ran(folder, name, arguments);
    assert!(!output.status.success(), "{name} {arguments:?} went through");
    // Lines of a message are broken where the terminal ends.
    err(&output).replace("\n  │ ", " ")
}

/// A folder for a script, with the weights; None where there are none.
fn place() -> Option<tempfile::TempDir> {
    let weights = root("weights");
    if !weights.is_dir() {
        println!("skipped: weights/ is absent (setup/weights.sh brings it)");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&weights, folder.path().join("weights")).unwrap();
    Some(folder)
}

/// Pictures with a wide label file, and a file with the split of each: 40 train, 16 val, 16 test.
fn miniature(folder: &Path) -> PathBuf {
    let options = SceneOptions { train: 40, val: 16, test: 16, test_shifted: 1, size: 64, ..SceneOptions::default() };
    let root = folder.join("miniature");
    std::fs::create_dir_all(root.join("images")).unwrap();
    let (mut table, mut division) = (String::new(), "image,split\n".to_string());
    for (split, pictures) in splits(&options).unwrap().iter().filter(|(split, _)| split != "test_shifted") {
        if table.is_empty() {
            table = format!("image,{}\n", pictures.labels.labels().join(","));
        }
        for i in 0..pictures.len() {
            let name = format!("images/{split}_{i}.png");
            std::fs::write(root.join(&name), pictures.picture(i).unwrap().to_png().unwrap()).unwrap();
            let row = pictures.labels.row(i);
            let cells = (0..pictures.labels.num_labels() as u32).map(|l| if row.contains(&l) { "1" } else { "0" });
            table += &format!("{name},{}\n", cells.collect::<Vec<_>>().join(","));
            division += &format!("{name},{split}\n");
        }
    }
    std::fs::write(root.join("labels.csv"), table).unwrap();
    std::fs::write(root.join("split.csv"), division).unwrap();
    root
}

/// A CSV's rows as maps by its header.
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| header.iter().map(|h| h.to_string()).zip(line.split(',').map(String::from)).collect();
    lines.map(row).collect()
}

/// The rows of a CSV, without its header, and how many of their cells are empty.
fn rows(path: &Path) -> (usize, usize) {
    let text = std::fs::read_to_string(path).unwrap();
    let cells = text.lines().skip(1).flat_map(|line| line.split(','));
    (text.lines().count() - 1, cells.filter(|cell| cell.is_empty()).count())
}

#[test]
fn every_experiment_runs_to_its_end() {
    let Some(folder) = place() else { return };
    let f = folder.path();
    let toy = ["train=48", "epochs=1", "teacher_epochs=1"];
    let with = |more: &[&'static str]| -> Vec<&'static str> { toy.iter().chain(more).copied().collect() };

    let printed = script(f, "ablation_components.rhai", &with(&["seeds=0,1", "k=2", "controls=false"]));
    assert!(printed.contains("+ CPSD") && printed.contains("bootstrap over pictures and seeds"), "{printed}");
    assert!(!printed.contains("SD2") && !printed.contains("ensemble"), "{printed}");
    assert_eq!(rows(&f.join("out/ablation_components.csv")), (10, 0));
    // Four rows above SD and four above the baseline, on three splits.
    assert_eq!(rows(&f.join("out/ablation_differences.csv")), (2 * 4 * 3, 0));
    assert!(printed.contains("seeds needed on test"), "{printed}");
    // One row per method, seed and label of emoji-scenes.
    assert_eq!(rows(&f.join("out/context_probe.csv")).0 % 10, 0);

    // Students learn with one weight for all data, and where it is asked for as the authors' code has it.
    let distillation = |more: &[&'static str]| {
        let toy = with(&["seeds=0", "k=2", "controls=false", "probe=false"]);
        script(f, "ablation_components.rhai", &[&toy[..], more].concat());
        spec(f, &table(&f.join("out/ablation_components.csv"))[4]["run"])["distillation"].clone()
    };
    let student = distillation(&[]);
    assert_eq!((&student["targets"], &student["scale"]), (&"probabilities".into(), &"gradient".into()));
    assert_eq!((&student["loss"]["name"], &student["weights"]), (&"asl".into(), &vec![0.5, 0.5].into()));
    let student = distillation(&["distillation=mse"]);
    assert_eq!((&student["loss"]["name"], &student["weights"]), (&"mse".into(), &vec![0.01, 0.01].into()));
    assert!(student["scale"].is_null(), "{student}");

    script(f, "ablation_k.rhai", &with(&["seeds=0,1", "k=1,2"]));
    assert_eq!(rows(&f.join("out/ablation_k.csv")), (2 * 2 * 5, 0));
    // Both branches have a control of as many teachers.
    for row in table(&f.join("out/ablation_k.csv")).iter().filter(|row| row["k"] == "2") {
        let branches = if ["two random", "both"].contains(&row["strategy"].as_str()) { 2 } else { 1 };
        assert_eq!(teachers(f, &row["run"]).iter().map(Vec::len).collect::<Vec<_>>(), vec![2; branches], "{row:?}");
    }
    for split in ["test", "test_shifted"] {
        assert!(f.join(format!("out/ablation_k_{split}.png")).metadata().unwrap().len() > 5000);
    }
    let printed = script(f, "departures.rhai", &with(&["seeds=0", "k=2"]));
    // One seed has no error.
    assert!(
        printed.contains("mAP of CPSD, of one seed, so without a standard error") && !printed.contains('±'),
        "{printed}"
    );
    assert_eq!(rows(&f.join("out/departures.csv")), (11, 0));
    let printed = script(f, "ablation_weight.rhai", &with(&["seeds=0,1", "k=2", "weights=0.02,0.5"]));
    assert!(printed.contains(", mean ± standard error over 2 seeds"), "{printed}");
    assert_eq!(rows(&f.join("out/ablation_weight.csv")), (2 * 2 * 5, 0));
    assert_eq!(rows(&f.join("out/ablation_weight_epochs.csv")), (2 * 2 * 5, 0));
    for figure in ["0.02", "0.5", "test", "test_shifted"] {
        assert!(f.join(format!("out/ablation_weight_{figure}.png")).metadata().unwrap().len() > 5000);
    }
    let both =
        ["seeds=0", "k=2", "methods=SD", "losses=mse,kl", "scales=none,gradient", "weights=0.02,0.5", "relative=0.3"];
    let printed = script(f, "ablation_weight.rhai", &with(&both));
    // Two weights as they are and one that is relative, for both losses, with the baseline beside each.
    assert_eq!(rows(&f.join("out/ablation_weight.csv")), (2 * (2 + 1) * 2, 0));
    let last = printed.rsplit("The weights by val").next().unwrap();
    let of_students: Vec<&str> = last.lines().filter(|line| line.starts_with("+ SD")).collect();
    assert_eq!(of_students.len(), 2 * (2 + 1), "{printed}");
    assert_eq!(of_students.iter().filter(|line| line.trim_end().ends_with("best")).count(), 4, "{printed}");
    for (arguments, said) in [
        (&["methods=sd"][..], "SD, CGPD, DGPD and CPSD; got sd"),
        (&["scales=gradient", "weights=0.1"], "weights= is of scale none, and scales= has gradient alone"),
        (&["relative=0.1"], "relative= is of scale gradient, and scales= has none alone"),
        (&["weights=-2"], "weights= are 0 or above, or -1 alone; got -2"),
    ] {
        let error = refused(f, "ablation_weight.rhai", &with(arguments));
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    script(
        f,
        "better.rhai",
        &with(&["seeds=0", "k=2", "dropouts=0.0,0.3", "factors=1.0", "rows=baseline,+ CPSD,heads of groups"]),
    );
    // Rows without a student have no factor.
    assert_eq!(rows(&f.join("out/better.csv")), (3, 2));
    assert_eq!(rows(&f.join("out/better_search.csv")), (2 * 3, 2 * 2));
    script(f, "beyond.rhai", &with(&["seeds=0", "k=2", "share=0.5"]));
    assert_eq!(rows(&f.join("out/beyond.csv")), (12, 0));
    script(f, "cam.rhai", &with(&["k=2", "pictures=2"]));
    assert!(f.join("out/cam_methods.png").metadata().unwrap().len() > 5000);
    script(f, "partition_stability.rhai", &["k=2,3", "seeds=2", "train=200"]);
    assert_eq!(rows(&f.join("out/partition_stability.csv")), (2 * 2 * 11, 0));
}

/// How many trainings a printed plan has.
fn trainings(planned: &str) -> usize {
    let line = planned.lines().find(|line| line.contains(" trainings, 0 in the run store")).expect(planned);
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn experiments_are_planned_before_they_are_made() {
    let Some(folder) = place() else { return };
    let f = folder.path();
    let toy = ["train=48", "epochs=1", "teacher_epochs=1", "size=32", "k=2", "plan=true"];
    let of = |name: &str, more: &[&'static str]| {
        let planned = script(f, name, &[&toy[..], more].concat());
        assert!(planned.lines().next().unwrap().contains("epochs  state"), "{planned}");
        trainings(&planned)
    };
    // Twelve rows, and teachers: of both branches, two random ones, of both branches at k + 2, of few pictures and of few labels. A task may come again.
    let teachers = 4 + 2 + 8 + 4 + 4;
    let planned = of("beyond.rhai", &["seeds=0", "share=0.5"]);
    assert!((12 + teachers - 4..=12 + teachers).contains(&planned), "{planned}");
    // The same dropout in teachers and students: every setting for every seed.
    assert_eq!(of("better.rhai", &["seeds=0,1", "rows=baseline,+ CPSD", "dropouts=0.0,0.3"]), 2 * 2 * (1 + 4 + 1));
    assert_eq!(of("cam.rhai", &[]), 1 + 4 + 3);
    assert!(!f.join("out").exists() && !f.join("runs").exists());
    let error = refused(f, "partition_stability.rhai", &["plan=true"]);
    assert!(error.contains("plan= is of students=true"), "{error}");
}

/// The specification of a run.
fn spec(folder: &Path, run: &str) -> Value {
    let text = std::fs::read_to_string(folder.join("runs").join(run).join("spec.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The specifications of a student's teachers, ensemble by ensemble.
fn teachers(folder: &Path, student: &str) -> Vec<Vec<Value>> {
    let ensembles = spec(folder, student)["distillation"]["ensembles"].as_array().unwrap().clone();
    let of = |e: &Value| e.as_array().unwrap().iter().map(|id| spec(folder, id.as_str().unwrap())).collect();
    ensembles.iter().map(of).collect()
}

/// The labels of each teacher, in order of their number.
fn tasks(ensembles: &[Vec<Value>]) -> Vec<Vec<BTreeSet<String>>> {
    let names = |t: &Value| t["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap().to_string()).collect();
    let of = |e: &Vec<Value>| -> Vec<BTreeSet<String>> {
        let mut tasks: Vec<BTreeSet<String>> = e.iter().map(names).collect();
        tasks.sort_by_key(BTreeSet::len);
        tasks
    };
    ensembles.iter().map(of).collect()
}

#[test]
fn labels_without_a_training_picture_are_named() {
    let left_out = |train: usize| {
        let code = format!(
            "import \"data\" as d; d::labelled(dataset(\"emoji-scenes\", #{{train: {train}, val: 2, test: 2, test_shifted: 2, size: 32}})).train.names.len()"
        );
        let output = Command::new(CPSD).args(["eval", &code]).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        out(&output)
    };
    let few = left_out(60);
    assert!(
        few.contains("2 of 40 labels have no training picture here and are left out: horse, suitcase\n38\n"),
        "{few}"
    );
    let many = left_out(2);
    assert!(many.contains("35 of 40 labels have") && many.contains(" and 23 more\n5\n"), "{many}");
}

#[test]
fn controls_are_what_they_say_and_cost_what_they_say() {
    let Some(folder) = place() else { return };
    let f = folder.path();
    let arguments = ["train=48", "epochs=2", "teacher_epochs=1", "seeds=0,1", "k=2", "probe=false"];
    let planned = script(f, "ablation_components.rhai", &[&arguments[..], &["plan=true"]].concat());
    assert!(planned.contains("it is the most that is trained") && !f.join("out").exists(), "{planned}");
    // The longest setting of the search stands for that of the other seed.
    assert!(planned.lines().any(|line| line.starts_with("dropout 0.6, decay 0.001 ")), "{planned}");
    let planned = trainings(&planned);
    let printed = script(f, "ablation_components.rhai", &arguments);
    let made = std::fs::read_dir(f.join("runs")).unwrap().flatten();
    let made = made.filter(|run| run.file_name().to_string_lossy().starts_with("train-")).count();
    // Where val chooses the baseline's own setting, one is less.
    assert!(made == planned || made + 1 == planned, "{made} of {planned}");
    for said in ["ensemble: 5 baselines", "longer: 6 epochs", "regularised, by val: dropout", "above + SD2"] {
        assert!(printed.contains(said), "no {said:?} in\n{printed}");
    }
    assert!(printed.lines().all(|line| line.chars().count() <= 110), "{printed}");
    let all = table(&f.join("out/ablation_components.csv"));
    assert_eq!(all.len(), 20);
    for seed in ["0", "1"] {
        let row = |method: &str| all.iter().find(|r| r["method"] == method && r["seed"] == seed).unwrap();
        let costs = |method: &str| -> (u64, u64) {
            (row(method)["trainings"].parse().unwrap(), row(method)["passes"].parse().unwrap())
        };
        // 48 pictures: 2 epochs of a baseline or a student, 1 of a teacher.
        assert_eq!(costs("baseline"), (1, 96));
        assert_eq!(costs("+ SD"), (2, 2 * 96));
        assert_eq!(costs("+ SD2"), (3, 3 * 96));
        assert_eq!(costs("+ CGPD"), (3, 2 * 48 + 96));
        assert_eq!(costs("+ CPSD"), (5, 4 * 48 + 96));
        for equal in ["+ random", "ensemble", "longer"] {
            assert_eq!(costs(equal).1, costs("+ CPSD").1, "{equal}");
        }
        assert_eq!(costs("ensemble").0, costs("+ CPSD").0);
        // Dropout 0, 0.3 and 0.6, another decay, twice the epochs; on the seed of the search the chosen one is among them.
        let (trainings, passes) = costs("regularised");
        assert!((5..=6).contains(&trainings) && passes >= 6 * 96, "{trainings} {passes}");
        assert!(all.iter().all(|r| r["seconds"].parse::<f64>().unwrap() > 0.0));

        let sd = teachers(f, &row("+ SD")["run"]);
        assert_eq!((sd.len(), sd[0].len()), (1, 1));
        let sd2 = teachers(f, &row("+ SD2")["run"]);
        let mut seeds = BTreeSet::from([sd[0][0]["options"]["seed"].as_u64().unwrap()]);
        assert_eq!(sd2.len(), 2);
        for teacher in &sd2 {
            assert_eq!((teacher.len(), &teacher[0]["labels"]), (1, &sd[0][0]["labels"]));
            assert!(seeds.insert(teacher[0]["options"]["seed"].as_u64().unwrap()), "two teachers of one seed");
            assert_eq!(teacher[0]["options"]["epochs"], sd[0][0]["options"]["epochs"]);
        }

        let (real, random) = (tasks(&teachers(f, &row("+ CPSD")["run"])), tasks(&teachers(f, &row("+ random")["run"])));
        let sizes = |all: &[Vec<BTreeSet<String>>]| -> Vec<Vec<usize>> {
            all.iter().map(|tasks| tasks.iter().map(BTreeSet::len).collect()).collect()
        };
        assert_eq!(sizes(&real), sizes(&random));
        assert!(real.iter().zip(&random).all(|(a, b)| a != b), "{random:?}");
        assert!(random.iter().all(|tasks| tasks[0].is_disjoint(&tasks[1])));
    }
    // The regularised baselines of both seeds have the same settings: those that were best on val with the first seed.
    let settings: BTreeSet<String> = all
        .iter()
        .filter(|r| r["method"] == "regularised")
        .map(|r| {
            let options = spec(f, &r["run"])["options"].clone();
            format!("{} {} {}", options["model"]["dropout"], options["weight_decay"], options["epochs"])
        })
        .collect();
    assert_eq!(settings.len(), 1, "{settings:?}");
}

#[test]
fn the_regime_is_planned_and_swept() {
    let Some(folder) = place() else { return };
    let f = folder.path();
    let toy = ["train=48", "contexts=0.5,1.0", "seeds=0,1", "k=2", "weights=0.02,0.1", "epochs=1", "teacher_epochs=1"];
    let planned = ran(f, "regime.rhai", &[&toy[..], &["size=64", "plan=true"]].concat());
    assert!(planned.status.success(), "{}", err(&planned));
    // A sweep of no numbers shows none.
    assert!(!err(&planned).lines().any(|line| line.starts_with("contexts ")), "{}", err(&planned));
    let planned = out(&planned);
    // At each of four points: a baseline, 4 teachers of the branches, 4 of random partitions, 2 of all labels, 3 students of 2 weights.
    assert!(planned.contains("68 trainings, 0 in the run store, 68 to do"), "{planned}");
    // Each row says what it is of.
    for name in
        ["baseline", "SD2 teacher 1/2", "SD2, asl, weight 0.02", "random, asl, weight 0.02", "co+dis, asl, weight 0.1"]
    {
        assert!(planned.lines().any(|line| line.starts_with(name)), "no {name}: {planned}");
    }
    assert!(!planned.contains("student"), "{planned}");
    assert!(!f.join("out/regime.csv").exists());
    let printed = script(f, "regime.rhai", &[&toy[..], &["size=64"]].concat());
    for said in [
        "test_shifted: mAP, mean over 2 seeds",
        "how far co+dis is above each control",
        "above SD2",
        "above random",
        "co+dis above SD2: seeds needed on test",
    ] {
        assert!(printed.contains(said), "no {said:?} in\n{printed}");
    }
    // No factor of the method varies.
    assert!(!printed.contains("best on val"), "{printed}");
    let all = table(&f.join("out/regime.csv"));
    assert_eq!(all.len(), 2 * 2 * 5);
    for row in &all {
        if row["method"] == "teachers" {
            assert_eq!(row["run"].split(' ').count(), 4, "{row:?}");
            continue;
        }
        assert_eq!(spec(f, &row["run"])["options"]["seed"].to_string(), row["seed"], "{row:?}");
        let weights: &[&str] = if row["method"] == "baseline" { &["0.0"] } else { &["0.02", "0.1"] };
        assert!(weights.contains(&row["weight"].as_str()), "{row:?}");
    }
    // Other contexts are other pictures.
    let run = |contexts: &str| {
        all.iter().find(|r| r["contexts"] == contexts && r["method"] == "baseline").map(|r| r["run"].clone()).unwrap()
    };
    assert_ne!(run("0.5"), run("1.0"));
    // co+dis above three controls on three splits.
    assert_eq!(rows(&f.join("out/regime_differences.csv")), (2 * 3 * 3, 0));
}

#[test]
fn factors_of_the_regime_reach_the_trainings_that_they_are_of() {
    let Some(folder) = place() else { return };
    let f = folder.path();
    let printed = script(
        f,
        "regime.rhai",
        &[
            "train=48",
            "epochs=1",
            "teacher_epochs=1",
            "size=32",
            "seeds=0",
            "k=2",
            "labelled=0.5",
            "views=1",
            "losses=mse,kl",
            "scale=gradient",
            "weights=0.3",
            "student_width=16",
            "teacher_width=32",
        ],
    );
    assert!(printed.contains("each method with the setting that is best on val"), "{printed}");
    let all = table(&f.join("out/regime.csv"));
    assert_eq!(all.len(), 2 * 5);
    for row in all.iter().filter(|row| row["method"] != "teachers") {
        let student = spec(f, &row["run"]);
        let options = &student["options"];
        assert_eq!((&options["model"]["head_width"], &options["views"]), (&16.into(), &1.into()));
        assert_eq!(options["labelled"], 0.5);
        if row["method"] == "baseline" {
            continue;
        }
        assert_eq!(student["distillation"]["loss"]["name"], row["loss"].as_str(), "{}", student["distillation"]);
        assert_eq!(student["distillation"]["scale"], "gradient");
        for teacher in teachers(f, &row["run"]).concat() {
            assert_eq!(teacher["options"]["model"]["head_width"], 32);
        }
    }
    let error = refused(f, "regime.rhai", &["losses=msee"]);
    assert!(error.contains("losses= takes asl, mse, probabilities, kl and kl_softmax"), "{error}");
    for (argument, said) in [
        ("student_width=-5", "student_width= is 0 or above; got -5"),
        ("labelled=1.5", "labelled= is above 0 and at most 1; got 1.5"),
        ("frozen=-2", "frozen= is -1 or above; got -2"),
        ("weights=-1,3", "weights= are 0 or above, or -1 alone; got -1"),
        ("scale=foo", "scale= takes none and gradient; got foo"),
        ("k=3,3", "k= names 3 twice"),
        ("k=3,1", "k= is from 2 to 40, the number of labels; got 1: the nearest is 2"),
        ("views=-1", "views= is 0 or above; got -1"),
        ("seeds=", "seeds= has no value"),
        ("seeds=0,1000", "seeds= are from 0 to 999, since controls take those from 1000 on; got 1000"),
    ] {
        let error = refused(f, "regime.rhai", &[argument]);
        assert!(error.contains(said), "{argument}: {error}");
    }
    let error = refused(f, "ablation_components.rhai", &["seeds=0,1,0"]);
    assert!(error.contains("seeds= names 0 twice"), "{error}");
    let error = refused(f, "regime.rhai", &["data=folder:.", "contexts=0.5"]);
    assert!(error.contains("contexts= is of data=emoji-scenes"), "{error}");
    for name in ["ablation_components", "ablation_weight", "better", "beyond", "departures", "partition_stability"] {
        let error = refused(f, &format!("{name}.rhai"), &["train=40", "k=0"]);
        assert!(error.contains("k= is from 2 to ") && error.contains("; got 0: the nearest is 2"), "{name}: {error}");
    }
    // More tasks than labels are refused before anything is trained, with the bounds of the script.
    assert!(f.join("runs").exists());
    std::fs::remove_dir_all(f.join("runs")).unwrap();
    for name in OF_ANY_DATA.iter().filter(|name| **name != "own_head_cost") {
        let train: &[&str] = if *name == "label_graph" { &[] } else { &["train=40", "size=32"] };
        let error = refused(f, &format!("{name}.rhai"), &[train, &["k=90"]].concat());
        let least = if ["ablation_k", "cam", "label_graph", "quickstart"].contains(name) { 1 } else { 2 };
        let most = if *name == "beyond" { 38 } else { 40 };
        let said = [format!("k= is from {least} to {most}, "), format!("; got 90: the nearest is {most}")];
        assert!(said.iter().all(|said| error.contains(said)), "{name}: {error}");
    }
    let error = refused(f, "beyond.rhai", &["train=40", "k=39"]);
    assert!(error.contains("since a row has k + 2 tasks of the labels; got 39: the nearest is 38"), "{error}");
    // Few pictures: a teacher that sees those of its labels alone would have none.
    for (name, more) in [("departures", "k=3"), ("regime", "containing=true")] {
        let error = refused(f, &format!("{name}.rhai"), &["train=40", "size=32", "seeds=0", more]);
        assert!(error.contains("train=40: no training picture has a label of the task cow"), "{name}: {error}");
        assert!(error.contains(&format!("{name}.rhai:")) && error.contains("fewer tasks (k)"), "{name}: {error}");
    }
    assert!(!f.join("runs").exists());
}

#[test]
fn folders_and_splits_with_which_an_experiment_would_fail_at_its_end_are_refused_at_its_beginning() {
    let Some(folder) = place() else { return };
    let f = folder.path();
    std::fs::write(f.join("a_file"), "").unwrap();
    for name in [
        "ablation_components",
        "ablation_k",
        "ablation_weight",
        "better",
        "beyond",
        "cam",
        "departures",
        "partition_stability",
        "regime",
    ] {
        let train = if name == "departures" { "train=200" } else { "train=40" };
        let error = refused(f, &format!("{name}.rhai"), &[train, "size=32", "out=a_file/tables"]);
        assert!(error.contains("out=a_file/tables: ") && !error.contains("stdlib/"), "{name}: {error}");
        assert!(!f.join("runs").exists(), "{name} trained first");
    }
    let pictures = miniature(f);
    let labels = std::fs::read_to_string(pictures.join("labels.csv")).unwrap();
    // No picture of test has a label.
    let without: String = labels
        .lines()
        .map(|line| {
            let (name, cells) = line.split_once(',').unwrap();
            let cells = if name.starts_with("images/test_") { cells.replace('1', "0") } else { cells.to_string() };
            format!("{name},{cells}\n")
        })
        .collect();
    assert_ne!(without, labels);
    std::fs::write(pictures.join("labels.csv"), without).unwrap();
    let data = format!("data=folder:{}", pictures.display());
    let error = refused(f, "regime.rhai", &[&data, "labels=labels.csv", "split=split.csv", "size=32"]);
    assert!(error.contains("has no label in its split test"), "{error}");
}

/// A folder that `setup/results.sh` takes for this repository.
fn repository(folder: &Path) {
    for inner in ["scripts", "setup", "docs/results"] {
        std::fs::create_dir_all(folder.join(inner)).unwrap();
        for entry in std::fs::read_dir(root(inner)).unwrap().flatten().filter(|e| e.path().is_file()) {
            let _ = std::fs::copy(entry.path(), folder.join(inner).join(entry.file_name())).unwrap();
        }
    }
    let _ = std::fs::copy(root("docs/results.md"), folder.join("docs/results.md")).unwrap();
}

/// The pages that `docs/results/tables.rhai` fills, and all others beside them.
fn pages() -> Vec<String> {
    let mut pages = vec!["docs/results.md".to_string()];
    for entry in std::fs::read_dir(root("docs/results")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".md") {
            pages.push(format!("docs/results/{name}"));
        }
    }
    pages
}

#[test]
fn the_tables_of_the_results_are_those_of_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    repository(f);
    let fill = || {
        let command = ["script", "-q", "docs/results/tables.rhai"];
        let output = Command::new(CPSD).args(command).current_dir(f).output().unwrap();
        (output.status.success(), err(&output), std::fs::read_to_string(f.join("docs/results.md")).unwrap())
    };
    let (done, said, _) = fill();
    assert!(done && said.is_empty(), "{said}");
    let mut tables = 0;
    for page in pages() {
        let kept = std::fs::read_to_string(root(&page)).unwrap();
        let filled = std::fs::read_to_string(f.join(&page)).unwrap();
        assert!(filled == kept, "{page} is stale: cpsd script docs/results/tables.rhai");
        tables += kept.lines().filter(|line| *line == "<!-- end -->").count();
    }
    // Every table that has a mark in a page is one of those that are filled.
    assert!(tables >= 15, "{tables}");
    // Another number in a file is another number in the page.
    let file = f.join("docs/results/ablation_photographs_differences.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.starts_with("+ CPSD,+ SD,test,")).unwrap();
    let other: String = line.replacen(line.split(',').nth(3).unwrap(), "12.34", 1);
    std::fs::write(&file, text.replace(line, &other)).unwrap();
    assert!(fill().2.contains("+12.34 ["));
    // Where a file is not there, the table keeps its numbers.
    std::fs::remove_file(&file).unwrap();
    assert!(fill().2.contains("+12.34 ["));
    // Files that do not belong together are no table, and neither is a mark that nobody knows.
    let regime = f.join("docs/results/regime_k.csv");
    let whole = std::fs::read_to_string(&regime).unwrap();
    let row = whole.lines().find(|line| line.contains(",co+dis,")).unwrap();
    std::fs::write(&regime, whole.replace(&format!("{row}\n"), "")).unwrap();
    let (done, said, _) = fill();
    assert!(!done && said.contains("regime_k.csv has 4 rows of co+dis"), "{said}");
    std::fs::write(&regime, whole).unwrap();
    let page = f.join("docs/results.md");
    let kept = std::fs::read_to_string(&page).unwrap();
    std::fs::write(&page, format!("<!-- tables gap -->\n{kept}")).unwrap();
    let (done, said, _) = fill();
    assert!(!done && said.contains("no table is written as <!-- tables gap -->"), "{said}");
    std::fs::write(&page, kept).unwrap();
    // A table without its end is said, and nothing is written.
    let page = f.join("docs/results.md");
    let open = std::fs::read_to_string(&page).unwrap().replace("<!-- end -->", "");
    std::fs::write(&page, &open).unwrap();
    let (done, said, left) = fill();
    assert!(!done && said.contains("without its line <!-- end -->") && left == open, "{said}");
}

#[test]
fn all_results_come_from_one_command_which_stops_where_a_part_fails() {
    let Some(folder) = place() else { return };
    let f = folder.path();
    repository(f);
    let photos = miniature(f);
    for labels in ["words", "objects"] {
        let _ = std::fs::copy(photos.join("labels.csv"), photos.join(format!("labels_{labels}.csv"))).unwrap();
    }
    let results = |more: &str, photos: &Path| -> Output {
        Command::new("sh")
            .arg(f.join("setup/results.sh"))
            .envs([("CPSD", CPSD), ("SEEDS", "0"), ("MORE", more)])
            .env("ONLY", "ablation_components, partition_stability,ablation_photographs ablation_objects")
            .env("PHOTOS", photos)
            .env("CPSD_RUNS", f.join("runs"))
            .output()
            .unwrap()
    };
    // Said before anything is trained.
    for (only, more, said) in [
        ("ablation_components, ablation_kk", "", "ONLY=ablation_kk is none of the parts"),
        ("ablation_components", "plan=true", "MORE=plan=true: the pages' tables need all rows"),
    ] {
        let refused = Command::new("sh")
            .arg(f.join("setup/results.sh"))
            .envs([("CPSD", "/bin/false"), ("ONLY", only), ("MORE", more)])
            .output()
            .unwrap();
        assert!(refused.status.code() == Some(2) && err(&refused).contains(said), "{}", err(&refused));
    }
    let absent = results("", f);
    assert!(absent.status.code() == Some(2) && err(&absent).contains("has no labels_words.csv"), "{}", err(&absent));
    let failed = results("nothing=1", &photos);
    let said = format!("{}{}", out(&failed), err(&failed));
    assert!(!failed.status.success() && said.contains("== ablation_components failed"), "{said}");
    assert!(!said.contains("== partition_stability"), "{said}");

    let written = |name: &str| std::fs::read_to_string(f.join("docs/results").join(name)).unwrap();
    let before = written("ablation_components.csv");
    let done = results("train=40 epochs=1 teacher_epochs=1 size=32 stages=3", &photos);
    let said = out(&done);
    assert!(done.status.success(), "{said}{}", err(&done));
    for part in ["ablation_components", "partition_stability", "ablation_photographs", "ablation_objects"] {
        assert!(said.contains(&format!("== {part}: cpsd script scripts/")), "{part}: {said}");
        assert!(written(&format!("{part}.txt")).starts_with("cpsd script scripts/"));
    }
    assert!(!said.contains("== ablation_k"), "{said}");
    assert_ne!(written("ablation_components.csv"), before);
    assert_eq!(rows(&f.join("docs/results/ablation_objects.csv")), (10, 0));
    assert!(
        std::fs::read_to_string(f.join("docs/results.md"))
            .unwrap()
            .contains("| above SD2, test | above SD2, test_shifted |")
    );
}

#[test]
fn every_experiment_takes_a_folder() {
    let Some(folder) = place() else { return };
    let f = folder.path();
    let data = format!("data=folder:{}", miniature(f).display());
    let toy = [&data, "labels=labels.csv", "split=split.csv", "epochs=1", "teacher_epochs=1", "size=64", "k=2"];
    let with = |more: &[&'static str]| -> Vec<&str> { toy.iter().copied().chain(more.iter().copied()).collect() };

    let printed = script(f, "ablation_components.rhai", &with(&["seeds=0"]));
    assert!(printed.contains("no split with broken contexts"), "{printed}");
    for row in
        ["baseline", "ensemble", "longer", "regularised", "+ SD2", "+ random", "+ SD ", "+ CGPD", "+ DGPD", "+ CPSD"]
    {
        assert!(printed.contains(&format!("\n{row}")), "no row {row} in\n{printed}");
    }
    let all = table(&f.join("out/ablation_components.csv"));
    assert!(all.len() == 10 && all[0].contains_key("test") && !all[0].contains_key("test_shifted"));
    // The file's division.
    assert!(printed.contains("40 training pictures"), "{printed}");
    script(f, "label_graph.rhai", &[&data, "labels=labels.csv", "split=split.csv", "k=2"]);
    assert_eq!(table(&f.join("out/label_graph/statistics.csv"))[0]["value"], "40.0");
    // Photographs' own settings, but for those that the arguments replace.
    let options = spec(f, &all[0]["run"])["options"].clone();
    assert_eq!((&options["model"]["stages"], &options["model"]["freeze"]), (&7.into(), &7.into()));
    assert_eq!((&options["model"]["image_size"], &options["epochs"]), (&64.into(), &1.into()));

    script(f, "ablation_k.rhai", &with(&["seeds=0"]));
    assert_eq!(rows(&f.join("out/ablation_k.csv")), (5, 0));
    script(f, "departures.rhai", &with(&["seeds=0"]));
    assert_eq!(rows(&f.join("out/departures.csv")), (11, 0));
    let weights: Vec<&str> = with(&["seeds=0", "weights=0.1"]);
    script(f, "ablation_weight.rhai", &weights);
    assert_eq!(rows(&f.join("out/ablation_weight.csv")), (5, 0));
    script(f, "better.rhai", &with(&["seeds=0", "dropouts=0.3", "factors=1.0"]));
    assert_eq!(rows(&f.join("out/better.csv")), (13, 6));
    script(f, "beyond.rhai", &with(&["seeds=0", "share=0.5"]));
    assert_eq!(rows(&f.join("out/beyond.csv")), (12, 0));
    script(f, "cam.rhai", &with(&["pictures=2"]));
    assert!(f.join("out/cam_methods.png").metadata().unwrap().len() > 5000);
    script(f, "quickstart.rhai", &with(&[]));
    assert_eq!(rows(&f.join("out/quickstart.csv")), (5, 0));
    script(f, "regime.rhai", &with(&["seeds=0", "weights=0.1"]));
    let regime = table(&f.join("out/regime.csv"));
    assert!(regime.len() == 5 && regime[0].contains_key("test") && !regime[0].contains_key("contexts"), "{regime:?}");
    script(f, "partition_stability.rhai", &with(&["seeds=2", "students=true"]));
    assert_eq!(rows(&f.join("out/partition_variants.csv")), (22, 0));
    std::fs::remove_dir_all(f.join("out/label_graph")).unwrap();
    let printed = script(f, "label_graph.rhai", &[&data, "labels=labels.csv", "k=2"]);
    assert_eq!(rows(&f.join("out/label_graph/partitions.csv")), (2, 0));
    // And it leaves none out.
    let there = std::fs::read_dir(f.join("out/label_graph")).unwrap().count();
    assert_eq!(written(&printed).len(), there, "{printed}");
    let heads = ["labels=labels.csv", "backbone=small_cnn", "size=32", "steps=1", "repeats=1"];
    let printed = script(f, "own_head_cost.rhai", &[&[&data as &str], &heads[..]].concat());
    assert!(printed.contains("ml_gcn"), "{printed}");
}

#[test]
fn arguments_that_name_data_are_listed_and_mistakes_in_them_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for name in OF_ANY_DATA {
        let help = script(f, &format!("{name}.rhai"), &["--help"]);
        for argument in ["data=emoji-scenes", "labels=", "split="] {
            assert!(help.contains(&format!("\n  {argument}")), "{name} has no {argument}:\n{help}");
        }
        // What an empty one does.
        for argument in ["labels=", "split="] {
            let line = help.lines().find(|line| line.trim_start().starts_with(argument)).unwrap();
            assert!(line.trim_start().starts_with(&format!("{argument} ")) && line.contains("empty takes"), "{line}");
        }
    }
    let refused = |arguments: &[&str]| refused(f, "cam.rhai", arguments);
    for (arguments, said) in [
        (&["data=coco2071:x"][..], "did you mean \"coco2017\""),
        (&["data=emoji-scene"], "did you mean \"emoji-scenes\""),
        (&["data=emoji-scenes:many"], "takes the number of training pictures"),
        (&["labels=labels.csv"], "labels= is of data=folder:DIR"),
        (&["data=coco2017:x", "split=split.csv"], "split= is of data=folder:DIR"),
        (&["train=-1"], "takes a number of training pictures"),
        (&["epochs=-3"], "epochs= is above 0"),
        (&["weight=-2"], "weight= is 0 or above, or -1 for what fits; got -2"),
        (&["distillation=kl"], "distillation= takes asl or mse; got kl"),
        (&["size=3"], "size=3: image_size must be an integer from 16 to 4096"),
        (&["train=40", "stages=99"], "stages=99: stages of backbone \"efficientnet_lite0\" must be"),
        (&["train=40", "seed=-1"], "seed= is 0 or above; got -1"),
        (&["train=40", "pictures=0"], "pictures= is 1 or above; got 0"),
        (&["train=40", "executor=slurmm"], "executor=slurmm: unknown engine"),
    ] {
        let error = refused(arguments);
        assert!(error.contains(said), "{arguments:?}: {error}");
        // Where the script asks for it, without a line of a library.
        assert!(error.contains("cpsd::argument") && error.contains("cam.rhai:"), "{arguments:?}: {error}");
        assert!(error.contains("arg(\"") && !error.contains("stdlib/"), "{arguments:?}: {error}");
    }
    let refused = |name: &str, argument: &str| self::refused(f, &format!("{name}.rhai"), &[argument]);
    for (name, argument, said) in [
        ("ablation_weight", "losses=msee", "losses= takes mse, probabilities, kl and asl; got msee"),
        ("better", "dropouts=0.3,1", "dropouts= are from 0 to below 1; got 1"),
        ("better", "factors=-1", "factors= is 0 or above; got -1"),
        ("compared", "name=ml-gcn", "name=ml-gcn: unknown recipe"),
        ("departures", "kl_weight=-1", "kl_weight= is 0 or above; got -1"),
        ("label_graph", "separator=|", "separator= is of file=; data=emoji-scenes is read without it"),
        ("own_head_cost", "repeats=0", "repeats= is 1 or above; got 0"),
        ("partition_stability", "seeds=1", "seeds= is from 2 to 10000"),
        ("regime", "contexts=2", "contexts= is from 0 to 1; got 2"),
        ("reproduce_coco", "reading=papers", "reading= takes paper, as-released and fixed; got papers"),
        ("reproduce_coco", "seeds=1,1", "seeds= names 1 twice"),
        ("reproduce_nuswide", "executor=slurmm", "executor=slurmm: unknown engine"),
    ] {
        let error = refused(name, argument);
        assert!(error.contains(said) && !error.contains("stdlib/"), "{name} {argument}: {error}");
        assert!(error.contains(&format!("{name}.rhai:")), "{name} {argument}: {error}");
    }
    assert!(!f.join("runs").exists());
}
