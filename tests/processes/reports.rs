//! Report pages as a browser shows them, and tables as readers of LaTeX, Markdown and CSV read them. setup/chromium.sh brings
//! the browser and the readers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cpsd::metrics::{self, MetricOptions};
use cpsd::reports::export::{ExportOptions, latex, markdown};
use cpsd::reports::{Data, Given, PageOptions, Source, page};
use cpsd::runs::RunStore;
use cpsd::script::session::Session;
use cpsd::tables::{Cell, Table};
use serde_json::Value;

use crate::common::{err, eval, root, session};

/// The Python that drives the browser and reads tables.
fn python() -> Option<PathBuf> {
    let python = root("target/browser/venv/bin/python");
    if !python.exists() {
        eprintln!("skipped: target/browser is absent (setup/chromium.sh makes it)");
        return None;
    }
    Some(python)
}

/// The page as a browser shows it.
fn look(file: &Path) -> Option<Value> {
    let (python, browser) = (python()?, root("target/browser/chromium"));
    if !browser.exists() {
        eprintln!("skipped: no Chromium can be had here (setup/chromium.sh looks for one)");
        return None;
    }
    let seen =
        Command::new(python).arg(root("tests/processes/reports_page.py")).arg(browser).arg(file).output().unwrap();
    assert!(seen.status.success(), "{}", err(&seen));
    Some(serde_json::from_slice(&seen.stdout).unwrap())
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_string()).collect()
}

fn rows(value: &Value) -> Vec<Vec<String>> {
    value.as_array().unwrap().iter().map(texts).collect()
}

fn table<'a>(seen: &'a Value, id: &str) -> &'a Value {
    seen["tables"].as_array().unwrap().iter().find(|t| t["id"] == id).unwrap_or_else(|| panic!("no table {id}"))
}

/// A number as a page shows it; `None` for a dash.
fn number(text: &str) -> Option<f64> {
    text.replace('−', "-").parse().ok()
}

const SMALL: &str = "let data = dataset(\"emoji-scenes\", #{train: 64, val: 16, test: 40, test_shifted: 16, size: 32});
let o = #{epochs: 2, batch: 16, views: 0, threads: 1, eval_every: 1, model: #{backbone: \"small_cnn\", head: \"conv\", head_width: 16, image_size: 32}};
";

#[test]
fn a_page_of_trainings_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/report.html");
    let mut session = session(&folder.path().join("runs"));
    let code = format!(
        "{SMALL}
        let p = spectral_partition(affinity(cooccurrence(data.train), \"co\"), 2);
        let a = train_teacher(data, data.train.names, o);
        let b = train_teacher(data, data.train.names, o + #{{seed: 1, epochs: 3}});
        let e = merge(train_teachers(data, p, o));
        report([#{{baseline: a}}, #{{\"<img src=x onerror=alert(1)> & b\": b}}, #{{teachers: e}}, #{{old: evaluate(a, data.test)}}], \"{}\",
            #{{dataset: data, partition: #{{co: p}}, title: \"<b>T & t</b>\", notes: \"one\\n\\ntwo\", pictures: 2, evaluate: #{{context: true}}}})",
        file.display()
    );
    assert_eq!(eval(&mut session, &code).into_string().unwrap(), file.display().to_string());
    // A page is decided by what it is made from.
    let first = std::fs::read(&file).unwrap();
    let _ = eval(&mut session, &code);
    assert!(first == std::fs::read(&file).unwrap(), "the same call gave another page");
    let map_of_a = eval(&mut session, "evaluate(a, data.test).mAP").as_float().unwrap();

    let Some(seen) = look(&file) else { return };
    assert_eq!(texts(&seen["said"]), Vec::<String>::new(), "the console says something");
    let requests = texts(&seen["requests"]);
    assert!(requests[0].starts_with("file://") && requests.len() == 1, "it asked for {requests:?}");
    assert_eq!(seen["title"], "<b>T & t</b>");
    assert_eq!(
        texts(&seen["headings"]),
        ["<b>T & t</b>", "Results", "Configuration", "Learning curves", "Labels", "Label graph", "Activation maps"]
    );
    assert_eq!(
        (&seen["scripts"], &seen["anchors"], &seen["ids"]),
        (&Value::from(1), &Value::from(true), &Value::from(true))
    );
    // Two curves, two differences, the graph and its heat map, the gallery: two pictures, plain and under three models.
    assert_eq!((seen["figures"].as_u64(), seen["pictures"].as_u64()), (Some(7), Some(8)));

    let summary = table(&seen, "metrics-test");
    let shown = rows(&summary["cells"]);
    assert_eq!(
        shown.iter().map(|r| r[0].as_str()).collect::<Vec<_>>(),
        ["baseline", "<img src=x onerror=alert(1)> & b", "teachers"]
    );
    assert_eq!(texts(&summary["heads"])[..2], ["run", "mAP"]);
    assert_eq!(shown[0][1], format!("{map_of_a:.1}"));
    assert_eq!(
        rows(&table(&seen, "metrics")["cells"])[0][1],
        format!("{map_of_a:.1}"),
        "the evaluation that was given"
    );
    let differing: Vec<String> = rows(&table(&seen, "differing")["cells"]).into_iter().map(|r| r[0].clone()).collect();
    assert!(
        ["seed", "epochs", "labels", "teachers"].iter().all(|k| differing.contains(&k.to_string())),
        "{differing:?}"
    );
    let shared = rows(&table(&seen, "shared")["cells"]);
    assert!(
        shared.contains(&vec!["model.backbone".into(), "small_cnn".into()]) && !shared.iter().any(|r| r[0] == "seed"),
        "{shared:?}"
    );

    for table in seen["tables"].as_array().unwrap() {
        sorts_and_exports(table);
    }
    assert_eq!(seen["copied"]["clipboard"], seen["copied"]["shown"]);
    assert_eq!(seen["copied"]["closed"], true);
    assert_eq!(seen["saved"][1], "<svg");

    let of = |when: &str, what: &str| seen[when][what].as_str().unwrap().to_string();
    assert_ne!(of("light", "page"), of("dark", "page"));
    assert_eq!((of("light", "filter"), of("toggled", "page")), ("none".to_string(), of("dark", "page")));
    assert_ne!(of("dark", "filter"), "none", "figures are not dark");
    assert_ne!(of("light", "text"), of("dark", "text"), "the gallery's text is not dark");
    assert_eq!(
        (of("printed", "page"), of("printed", "filter")),
        ("rgb(255, 255, 255)".into(), "none".into()),
        "paper is white"
    );
    for width in seen["widths"].as_array().unwrap() {
        assert!(width[1].as_i64() <= width[0].as_i64(), "wider than the window: {width}");
    }
}

/// Asserts that a table sorts by each column, down, up and back, and that its exports hold the cells shown.
fn sorts_and_exports(table: &Value) {
    let (id, first) = (table["id"].as_str().unwrap(), rows(&table["cells"]));
    assert_eq!(table["aligned"], true, "{id}");
    for step in table["sorted"].as_array().unwrap() {
        let (column, order, now) = (step[0].as_u64().unwrap() as usize, step[1].as_str().unwrap(), rows(&step[2]));
        let mut same = (first.clone(), now.clone());
        same.0.sort();
        same.1.sort();
        assert_eq!(same.0, same.1, "{id} lost rows");
        if order == "none" {
            assert_eq!(now, first, "{id}, column {column}");
            continue;
        }
        if table["numbers"][column] == false {
            let words: Vec<String> = now.iter().map(|r| r[column].to_lowercase()).collect();
            let plain = words.iter().all(|w| w.chars().all(|c| c.is_ascii_lowercase()));
            let sorted = words.windows(2).all(|w| if order == "ascending" { w[0] <= w[1] } else { w[0] >= w[1] });
            // How a browser orders signs and digits is its own affair.
            assert!(!plain || sorted, "{id}, column {column}, {order}: {words:?}");
            continue;
        }
        let values: Vec<Option<f64>> = now.iter().map(|r| number(&r[column])).collect();
        let known: Vec<f64> = values.iter().copied().flatten().collect();
        let sorted = known.windows(2).all(|w| if order == "ascending" { w[0] <= w[1] } else { w[0] >= w[1] });
        assert!(sorted, "{id}, column {column}, {order}: {known:?}");
        assert!(
            values.iter().skip_while(|v| v.is_some()).all(Option::is_none),
            "{id}: cells without a value are not last"
        );
    }
    let plain = |cell: &String| if cell == "–" { String::new() } else { cell.replace('−', "-") };
    let expected: Vec<Vec<String>> =
        std::iter::once(texts(&table["heads"])).chain(first.iter().map(|r| r.iter().map(plain).collect())).collect();
    let read =
        |rows: Vec<Vec<String>>| rows.iter().map(|r| r.iter().map(plain).collect::<Vec<_>>()).collect::<Vec<_>>();
    assert_eq!(read(rows(&table["markdown"])), expected, "{id} as Markdown");
    // CSV has all digits.
    for (row, expected) in rows(&table["csv"]).iter().zip(&expected) {
        for (cell, expected) in row.iter().zip(expected) {
            match (cell.parse::<f64>(), expected.parse::<f64>()) {
                (Ok(cell), Ok(expected)) => {
                    assert!((cell - expected).abs() <= 0.05001, "{id}: {cell} is not {expected}")
                }
                _ => assert_eq!(plain(cell).trim(), expected, "{id} as CSV"),
            }
        }
    }
    assert!(table["latex"].as_str().unwrap().contains("\\toprule"), "{id}");
}

#[test]
fn labels_and_names_are_text_whatever_they_look_like() {
    let labels: Vec<String> =
        ["<script>alert(1)</script>", "</table><h1>x</h1>", "a & b", "50 % \"q\" 'r'", "x_y{z}", "&amp;"]
            .map(String::from)
            .into();
    let (n, m) = (12, labels.len());
    let targets: Vec<u8> = (0..n * m).map(|i| u8::from(i % 5 == 0 || i % 7 == 0)).collect();
    let report = |scale: f32| {
        let scores: Vec<f32> = (0..n * m).map(|i| (i as f32 * scale).sin() / 2.0 + 0.5).collect();
        let report = metrics::evaluate(&scores, &targets, n, m, &labels, &MetricOptions::default()).unwrap();
        Source::Evaluation(Box::new(report))
    };
    let given = [Some("label"), None, None].into_iter().enumerate();
    let given = given
        .map(|(i, name)| Given { name: name.map(String::from), grouped: false, source: report(i as f32 + 1.0) })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let store = RunStore::new(folder.path().join("runs"));
    let text = page(
        &store,
        given,
        &Data::default(),
        &PageOptions { baseline: Some("evaluation".into()), ..Default::default() },
    )
    .unwrap();
    std::fs::write(&file, text).unwrap();
    let Some(seen) = look(&file) else { return };
    assert_eq!(texts(&seen["said"]), Vec::<String>::new());
    assert_eq!((seen["scripts"].as_u64(), texts(&seen["headings"]).len()), (Some(1), 3));
    let shown: Vec<String> = rows(&table(&seen, "per-label")["cells"]).into_iter().map(|r| r[0].clone()).collect();
    assert_eq!(shown, labels);
    // A name that a column has, and one that is used twice.
    assert_eq!(texts(&table(&seen, "per-label")["heads"])[2..5], ["label (2)", "evaluation", "evaluation (2)"]);
    seen["tables"].as_array().unwrap().iter().for_each(sorts_and_exports);
}

#[test]
fn readers_of_latex_markdown_and_csv_find_the_cells_again() {
    let Some(python) = python() else { return };
    let nasty = [
        "a & b",
        "50 %",
        "x_y",
        "#1 $2",
        "{z}",
        "~ ^",
        "back\\slash",
        "<script>",
        "p | q",
        "[t]",
        "*star*",
        "**",
        "__init__",
        "`code`",
        "![a](b)",
        "~~no~~",
        "http://x.y",
        "&lt;",
        "a, \"b\"",
        "Δ ± − × ≤ –",
        "- item",
        "1. one",
        "naïve 漢字",
        "tab\there",
        "\\",
        "\\\\",
        "%",
        "$x^2$",
    ];
    let rows: Vec<Vec<Cell>> = nasty
        .iter()
        .enumerate()
        .map(|(i, text)| vec![Cell::from(*text), Cell::from(i), Cell::from(i as f64 - 1.25)])
        .collect();
    let names = ["a_b & <c>", "n", "Δ %"].map(String::from);
    let table = Table::from_rows(&names, rows).unwrap();
    let options = ExportOptions {
        signed: vec!["Δ %".into()],
        bold: vec!["n".into()],
        caption: "50 % of x_y & z".into(),
        label: "tab:a_b".into(),
        ..Default::default()
    };
    let made = serde_json::json!({
        "latex": latex(&table, &options).unwrap(), "markdown": markdown(&table, &options).unwrap(), "csv": table.to_csv().unwrap(),
    });
    let mut reader = Command::new(python)
        .arg(root("tests/processes/reports_tables.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    reader.stdin.take().unwrap().write_all(made.to_string().as_bytes()).unwrap();
    let read: Value = serde_json::from_slice(&reader.wait_with_output().unwrap().stdout).unwrap();
    let spaced = |s: &str| s.replace('\t', " ");
    for form in ["latex", "markdown", "csv"] {
        let came = self::rows(&read[form]);
        assert_eq!(came.len(), nasty.len() + 1, "{form}");
        for (i, row) in came.iter().enumerate() {
            let expected = match i {
                0 => names.to_vec(),
                // Two decimals and a sign; CSV has the number as it is.
                _ if form == "csv" => vec![nasty[i - 1].into(), (i - 1).to_string(), format!("{:?}", i as f64 - 2.25)],
                _ => vec![spaced(nasty[i - 1]), (i - 1).to_string(), format!("{:+.2}", i as f64 - 2.25)],
            };
            // LaTeX has one minus, and its reader another circumflex.
            let row: Vec<String> = row
                .iter()
                .map(|c| if form == "latex" { c.replace('−', "-").replace('ˆ', "^") } else { c.clone() })
                .collect();
            let expected: Vec<String> =
                expected.iter().map(|c| if form == "latex" { c.replace('−', "-") } else { c.clone() }).collect();
            assert_eq!(row, expected, "{form}, row {i}");
        }
    }
    let text = made["latex"].as_str().unwrap();
    assert!(text.contains("\\caption{50 \\% of x\\_y \\& z}\n\\label{tab:a_b}\n\\begin{tabular}{lrr}"), "{text}");
    assert!(text.contains("\\textbf{27}") && !text.contains("\\textbf{26}"), "{text}");
}

#[test]
fn tables_of_scripts_have_the_same_texts() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    let _ = eval(
        &mut session,
        "let t = table([#{m: \"a_b\", AP: 1.25}, #{m: \"c\", AP: ()}, #{m: \"d\", AP: 3}], [\"m\", \"AP\"]);",
    );
    let text = |session: &mut Session, code: &str| eval(session, code).into_string().unwrap();
    assert_eq!(
        text(&mut session, "t.to_markdown(#{decimals: 1})"),
        "| m | AP |\n| :--- | ---: |\n| a\\_b | 1.2 |\n| c |  |\n| d | 3.0 |\n"
    );
    assert_eq!(text(&mut session, "t.to_csv()"), "m,AP\na_b,1.25\nc,\nd,3.0\n");
    let latex = "\\begin{tabular}{lr}\n\\toprule\nm & AP \\\\\n\\midrule\na\\_b & 1.250 \\\\\nc & -- \\\\\nd & \\textbf{3.000} \\\\\n\\bottomrule\n\\end{tabular}\n";
    assert_eq!(text(&mut session, "t.to_latex(#{decimals: #{AP: 3}, bold: [\"AP\"]})"), latex);
    let file = folder.path().join("t.tex");
    let _ = eval(&mut session, &format!("t.write_latex(\"{}\", #{{decimals: 3, bold: [\"AP\"]}})", file.display()));
    assert_eq!(std::fs::read_to_string(file).unwrap(), latex);
    for (code, says, helps) in [
        ("t.to_latex(#{bold: [\"mAP\"]})", "unknown column \"mAP\"", "did you mean \"AP\"?"),
        ("t.to_latex(#{decimal: 1})", "to_latex has no option \"decimal\"", "did you mean \"decimals\"?"),
        ("t.to_markdown(#{decimals: 40})", "at most 17 decimals; got 40", ""),
        (
            "t.to_markdown(#{decimals: \"two\"})",
            "must be an integer from 0 to 17, or a map of them by column; got \"two\"",
            "",
        ),
    ] {
        let failure = session.eval(code, "test").expect_err(code);
        assert!(failure.message.contains(says), "{code}: {}", failure.message);
        assert!(failure.help.unwrap_or_default().contains(helps), "{code}");
    }
}

#[test]
fn runs_of_the_store_are_told_apart_and_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&folder.path().join("runs"));
    let path = folder.path().join("r.html").display().to_string();
    let code = format!(
        "{SMALL}
        let frozen = o + #{{epochs: 1, views: 1, model: #{{backbone: \"small_cnn\", head: \"gap\", image_size: 32, freeze: 1}}}};
        let a = train_teacher(data, [\"dog\", \"car\"], frozen);
        let b = train_teacher(data, [\"dog\", \"car\"], frozen + #{{seed: 1}});
        report(runs(), \"{path}\")"
    );
    let _ = eval(&mut session, &code);
    // Kept features are in the store's table too, and in no page.
    assert!(eval(&mut session, "runs().len()").as_int().unwrap() > 2);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("teacher of 2 labels, seed 0") && text.contains("teacher of 2 labels, seed 1"), "{text}");
    assert!(!text.contains("Label graph"), "without a data set there is no graph");
    // Several under one name are told apart, and have means.
    let _ = eval(&mut session, &format!("report(#{{both: [a, b]}}, \"{path}\", #{{dataset: data.test, pictures: 0}})"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mean =
        eval(&mut session, "let s = standard_error([evaluate(a, data.test).mAP, evaluate(b, data.test).mAP]); s.mean")
            .as_float()
            .unwrap();
    let error = eval(&mut session, "s.error").as_float().unwrap();
    assert!(text.contains("both, seed 0") && text.contains("both, seed 1") && text.contains("Means on test"), "{text}");
    assert!(text.contains(&format!(">{mean:.1} ± {error:.1}<")), "{mean} ± {error}");
    for (code, says, helps) in [
        ("report([], \"r.html\")", "report needs at least one run, model or evaluation; got none", ""),
        ("report(1, \"r.html\")", "report compares Runs, Models, Ensembles, Predictions and Evaluations", ""),
        ("report([a, [\"x\"]], \"r.html\")", "got a string", ""),
        ("report(a, \"r.pdf\")", "report writes an .html file; got \"r.pdf\"", "try \"r.html\""),
        (
            "report(#{one: a, two: b}, \"r.html\", #{baseline: \"on\"})",
            "unknown baseline \"on\"",
            "did you mean \"one\"?",
        ),
        ("report(a, \"r.html\", #{picture: 1})", "report has no option \"picture\"", "did you mean \"pictures\"?"),
        ("report(a, \"r.html\", #{pictures: 99})", "option pictures of report must be from 0 to 12; got 99", ""),
        ("report(a, \"r.html\", #{dataset: 7})", "the dataset must be a Dataset or a map of splits", ""),
        (
            "report(a, \"r.html\", #{dataset: data, splits: [\"tset\"]})",
            "the data has no split \"tset\"",
            "did you mean \"test\"?",
        ),
        (
            "report(a, \"r.html\", #{dataset: data, partition: 3})",
            "report: option partition must be a Partition; got an integer",
            "",
        ),
        ("report(a, \"r.html\", #{dataset: data, evaluate: #{top: 1}})", "option \"evaluate\" of report", ""),
        ("report(table([#{x: 1}]), \"r.html\")", "unknown column \"id\"", ""),
        ("report(table([#{id: \"train-0\"}]), \"r.html\")", "the table's run \"train-0\" is not in the store", ""),
        (
            "report(run(runs().column(\"id\").filter(|i| !i.starts_with(\"train\"))[0]), \"r.html\")",
            "is not a training",
            "",
        ),
    ] {
        let failure = session.eval(code, "test").expect_err(code);
        assert!(failure.message.contains(says), "{code}: {}", failure.message);
        assert!(failure.help.clone().unwrap_or_default().contains(helps), "{code}: {:?}", failure.help);
    }
}
