//! The language as a user meets it: every documented example runs, every option is documented, every mistake gets one
//! clear error at its place.

use std::collections::BTreeSet;

use cpsd::primitives::{KINDS, WORDS};
use cpsd::script::{check, docs, library_docs, modules, show};

use crate::common::{root, session};

#[test]
fn every_documented_example_runs() {
    let folder = tempfile::tempdir().unwrap();
    for word in WORDS {
        for example in word.examples {
            let mut session = session(&folder.path().join("runs"));
            let code = example.code.replace("out/example", folder.path().to_str().unwrap());
            match session.eval(&code, word.name) {
                Ok(value) => {
                    let shown = show::plain(&value);
                    assert!(shown.contains(example.prints), "{}: prints {shown}, not {}", word.name, example.prints);
                }
                Err(failure) => panic!("{}", failure.render(false, 100)),
            }
        }
    }
}

#[test]
fn every_word_and_kind_is_documented() {
    cpsd::primitives::install();
    for word in WORDS {
        assert!(!word.signatures.is_empty() && !word.summary.is_empty(), "{}", word.name);
        assert!(word.signatures.iter().all(|s| s.starts_with(&format!("{}(", word.name))), "{}", word.name);
        assert!(!word.examples.is_empty() || word.name == "run", "{} has no example", word.name);
        if let Some(options) = &word.options {
            let defaults = (options.defaults)();
            let keys: BTreeSet<&str> = defaults.as_object().unwrap().keys().map(String::as_str).collect();
            let mut documented: BTreeSet<&str> = (options.docs)().iter().map(|doc| doc.key).collect();
            // Closures, which have no default.
            documented.retain(|key| keys.contains(key) || !["adapter", "head"].contains(key));
            assert_eq!(documented, keys, "{}: documented options and real ones differ", word.name);
        }
        assert!(docs::doc(Some(word.name)).unwrap().contains(word.summary.split(' ').next().unwrap()));
    }
    for kind in KINDS {
        assert!(!kind.members.is_empty() && !kind.summary.is_empty(), "{}", kind.name);
        docs::doc(Some(kind.name)).unwrap();
    }
    for topic in ["models", "weights", "heads", "losses", "datasets"] {
        assert!(docs::doc(Some(topic)).unwrap().lines().count() > 1);
    }
    for (name, says) in [
        ("csra", "Kevinz-code/CSRA"),
        ("resnet101", "He et al."),
        ("ml-gcn-coco", "Megvii-Nanjing"),
        ("cpsd-coco-q2l", "Query2Label"),
        ("nproc", "an option of train_teacher"),
        ("decoder_layers", "one of the head_options of q2l"),
    ] {
        let text = docs::doc(Some(name)).unwrap();
        assert!(text.contains(name) && text.contains(says), "{text}");
    }
    assert_eq!(docs::doc(Some("murge")).unwrap_err().help.as_deref(), Some("did you mean \"merge\"?"));
    assert_eq!(docs::doc(Some("nprocs")).unwrap_err().help.as_deref(), Some("did you mean \"nproc\"?"));
}

#[test]
fn every_mistake_gets_one_clear_error_that_a_script_can_catch() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("half.csv"), "image,label\n1.jpg\n").unwrap();
    std::fs::write(path("half.jpg"), [0xff, 0xd8, 0xff, 0xe0, 0, 16]).unwrap();
    std::fs::write(path("bad.json"), "{\"images\": [").unwrap();
    let data = "let data = dataset(\"emoji-scenes\", #{train: 40, val: 4, test: 4, test_shifted: 4, size: 32}); \
                let a = affinity(cooccurrence(data.train), \"co\"); \
                let m = |labels| model(\"small_cnn\", #{labels: labels, image_size: 32}); ";
    let cases: Vec<(String, &str, Option<&str>)> = vec![
        (
            "spectral_partition(a, 3, #{restart: 1})".into(),
            "spectral_partition has no option \"restart\"",
            Some("did you mean \"restarts\"?"),
        ),
        (
            "spectral_partition(a, 3, #{restarts: \"ten\"})".into(),
            "option \"restarts\" of spectral_partition must be a non-negative integer; got \"ten\"",
            None,
        ),
        (
            "spectral_partition(a, 0)".into(),
            "The k parameter of spectral_partition must be an integer from 1 to 40. Got 0 instead.",
            None,
        ),
        ("spectral_partition(a, 41)".into(), "from 1 to 40. Got 41 instead.", None),
        ("affinity(cooccurrence(data.train), \"coo\")".into(), "coo", Some("co")),
        ("data.train.take_labels([\"dgo\"])".into(), "unknown label \"dgo\"", Some("did you mean \"dog\"?")),
        ("train_teacher(data, [\"dgo\"])".into(), "unknown label \"dgo\"", Some("did you mean \"dog\"?")),
        (
            "train_teacher(data, [\"dog\"], #{epochs: 0})".into(),
            "option \"epochs\" of train_teacher must be from 1 to 100000; got 0",
            None,
        ),
        (
            "train_teacher(data, [\"dog\"], #{model: \"resnet81\"})".into(),
            "unknown backbone \"resnet81\"",
            Some("did you mean \"resnet18\"?"),
        ),
        ("train_teacher(#{val: data.val}, [\"dog\"])".into(), "train_teacher: the data has no split \"train\"", None),
        ("train_teacher(data, [\"dog\"], #{loss: \"bse\"})".into(), "option \"loss\" of train_teacher", None),
        (
            "merge([m.call([\"dog\", \"cat\"]), m.call([\"cat\"])], #{labels: [\"dog\", \"cat\"]})".into(),
            "label \"cat\" belongs to two teachers, number 1 and number 2",
            None,
        ),
        (
            "merge([m.call([\"dog\"])], #{labels: [\"dog\", \"cat\"]})".into(),
            "merge: no teacher answers for \"cat\"",
            None,
        ),
        ("merge([])".into(), "merge needs at least one teacher", None),
        ("distill(data, [])".into(), "distill needs at least one ensemble", None),
        ("metrics(tensor([[0.1, 0.0 / 0.0]]), tensor([[1, 0]]))".into(), "NaN", None),
        ("metrics(tensor([[0.1, 0.2]]), tensor([[1, 0, 1]]))".into(), "[1, 2] and [1, 3]", None),
        ("metrics(tensor([[0.1, 0.2]]), tensor([[1, 2]]))".into(), "2", None),
        ("tensor([[1, 2], [3]])".into(), "must have the same length", None),
        ("tensor([[1.0, 2.0]]).matmul(tensor([[1.0, 2.0]]))".into(), "[1, 2] and [1, 2]", None),
        ("dataset(\"emoji-scene\")".into(), "unknown data set \"emoji-scene\"", Some("did you mean \"emoji-scenes\"?")),
        ("dataset(\"emoji-scenes\", #{trains: 3})".into(), "has no option \"trains\"", Some("did you mean \"train\"?")),
        ("dataset(\"coco2014\")".into(), "needs its folder", Some("annotations/instances_train2014.json")),
        (
            format!("dataset(\"coco2014\", #{{root: \"{}\"}})", folder.path().display()),
            "there is no",
            Some("train2014/"),
        ),
        ("load_labels(\"no/such.csv\")".into(), "no/such.csv", None),
        (format!("load_labels(\"{}\")", path("half.csv")), "half.csv", None),
        (format!("load_labels(\"{}\")", path("bad.json")), "bad.json", None),
        (format!("predict(m.call([\"dog\"]), [\"{}\"])", path("half.jpg")), "half.jpg", None),
        ("load_model(\"nothing.safetensors\")".into(), "nothing.safetensors", None),
        ("partition([\"a\", \"b\"], [[\"a\"]])".into(), "b", None),
        ("evaluate(1, data.test)".into(), "evaluate takes a Model or an Ensemble first; got an integer", None),
        (
            "affinity(1, 2)".into(),
            "affinity: cooccurrence must be a Cooccurrence; got an integer",
            Some("affinity(cooccurrence, branch)"),
        ),
        ("a.degree".into(), "an Affinity has no \"degree\"", Some("did you mean \"degrees\"?")),
        ("cooccurence(data.train)".into(), "there is no function cooccurence", Some("did you mean \"cooccurrence\"?")),
        ("[1].find_mp(|x| x)".into(), "there is no function find_mp(array, function)", Some("\"find_map\"?")),
        ("[1, 2].medain()".into(), "there is no function medain(array)", Some("did you mean \"median\"?")),
        (
            "\"a\".crp(0, 1)".into(),
            "there is no function crp(string, integer, integer)",
            Some("did you mean \"crop\"?"),
        ),
        ("[1, 2].frst()".into(), "there is no function frst(array)", Some("the first item of an array is a[0]")),
        ("heatmap(a).save(\"x.jpeg\")".into(), ".png", None),
        ("run(\"none\")".into(), "unknown run \"none\"", None),
        ("import \"nothing\" as n;".into(), "no library \"nothing\"", None),
    ];
    for (code, message, help) in cases {
        let mut session = session(&folder.path().join("runs"));
        let _ = session.eval(data, "setup").unwrap();
        let failure = session.eval(&code, "case").expect_err(&code);
        assert!(failure.message.contains(message), "{code}\n  says {}\n  not  {message}", failure.message);
        assert!(!failure.message.contains('\n'), "{code}: more than one sentence: {}", failure.message);
        if let Some(help) = help {
            assert!(
                failure.help.as_ref().is_some_and(|h| h.contains(help)),
                "{code}\n  helps {:?}\n  not   {help}",
                failure.help
            );
        }
        assert!(failure.place().is_some_and(|p| p.starts_with("case:1:")), "{code}: at {:?}", failure.place());
        if !code.starts_with("import") {
            let caught = session
                .eval(&format!("let said = (); try {{ {code}; }} catch (e) {{ said = e; }} said != ()"), "caught")
                .unwrap();
            assert_eq!(caught.as_bool(), Ok(true), "{code} cannot be caught");
        }
    }
}

#[test]
fn the_standard_library_and_the_scripts_pass_the_checker() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder.path().join("runs"));
    for (name, text) in modules::STDLIB {
        let findings = check::check(&session, text, name).unwrap_or_else(|f| panic!("{}", f.render(false, 100)));
        assert!(findings.is_empty(), "{name}: {findings:?}");
        for (signature, comment) in library_docs::library_functions(text) {
            assert!(!comment.is_empty(), "{name}::{signature} is not documented");
        }
    }
    for entry in ["scripts", "examples"].iter().flat_map(|d| std::fs::read_dir(root(d)).into_iter().flatten()).flatten()
    {
        if entry.path().extension().is_some_and(|e| e == "rhai") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let name = entry.path().display().to_string();
            let findings = check::check(&session, &text, &name).unwrap_or_else(|f| panic!("{}", f.render(false, 100)));
            assert!(findings.is_empty(), "{name}: {findings:?}");
        }
    }
}

#[test]
fn the_checker_finds_what_would_fail() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&folder.path().join("runs"));
    let text =
        "let a = cooccurence(1);\nlet b = affinity(a);\nspectral_partition(b, 3, #{restart: 1});\nfn f(x) { x }\nf(1);";
    let findings = check::check(&session, text, "t").unwrap();
    let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "there is no function cooccurence",
            "affinity does not take 1 argument",
            "spectral_partition has no option \"restart\""
        ]
    );
    assert_eq!(findings[0].position, (1, 9));
    // Where an option belongs that stands in the wrong place, as the program says that runs.
    for (options, message, help) in [
        ("head: |m, p| m", "train_teacher has no option \"head\"", "head belongs in model: model: #{head: ...}"),
        (
            "adapter: |b, x, p| x",
            "train_teacher has no option \"adapter\"",
            "adapter belongs in model: model: #{adapter: ...}",
        ),
        ("flip: 0.0", "train_teacher has no option \"flip\"", "flip belongs in augment: augment: #{flip: ...}"),
        (
            "model: #{backbone: \"small_cnn\", loss: \"bce\"}",
            "option \"model\" of train_teacher has no key \"loss\"",
            "loss is an option of train_teacher itself, beside model: model: #{...}, loss: ...",
        ),
    ] {
        let text = format!(
            "let data = dataset(\"emoji-scenes\", #{{train: 24, val: 6, test: 6, test_shifted: 4, size: 32}});\ntrain_teacher(data, [\"dog\"], #{{{options}}});"
        );
        let findings = check::check(&session, &text, "t").unwrap();
        let found: Vec<(&str, Option<&str>)> = findings
            .iter()
            .filter(|f| f.severity == check::Severity::Error)
            .map(|f| (f.message.as_str(), f.help.as_deref()))
            .collect();
        assert_eq!(found, [(message, Some(help))], "{options}");
        let failure = crate::common::session(&folder.path().join("runs")).eval(&text, "t").unwrap_err();
        assert_eq!((failure.message.as_str(), failure.help.as_deref()), (message, Some(help)), "{options}");
    }
    assert!(check::check(&session, "let a = (1;", "t").is_err());
}
