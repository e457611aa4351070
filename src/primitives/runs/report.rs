//! `report`: runs side by side as one HTML page.

use std::path::Path;
use std::rc::Rc;

use rhai::{Dynamic, Engine, Map};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files;
use crate::graph::Partition;
use crate::images::Dataset;
use crate::metrics::Evaluation;
use crate::primitives::glue;
use crate::primitives::values::predictions::PredictionsValue;
use crate::primitives::values::run::RunValue;
use crate::primitives::values::table::TableValue;
use crate::reports::{Data, Given, PageOptions, Source, page, subject};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::script::{options, show};

pub const WORD: Word = Word {
    name: "report",
    chapter: Chapter::Runs,
    signatures: &["report(runs, path) -> string", "report(runs, path, #{options}) -> string"],
    summary: "Writes one self-contained HTML page that compares runs: metrics, settings, learning curves, labels, class activation maps.",
    details: "runs is a Run, Model, Ensemble, Predictions or Report, an array of them, the Table that runs() gives (what is no training in it \
is left out), or a map of names to them; an array of one-entry maps, [#{baseline: a}, #{CPSD: b}], gives names and an order, and a name may stand for an \
array, as the seeds of a method, of which the page shows means too. With \
dataset: (a Dataset, or the map of splits that dataset() gives) all are evaluated on option splits, the label graph is drawn from \
train, and the same pictures are shown under all models; without it the page holds what the store and given Reports know. Tables \
sort by their headers, and have their text as LaTeX, Markdown and CSV. The page loads nothing from elsewhere. Gives back the path.",
    options: Some(OptionDocs { defaults, docs: || crate::options::list(DOCS) }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet model = train_teacher(data, [\"dog\", \"person\"], #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16});\nreport([model], \"out/example/report.html\", #{dataset: data, pictures: 2})",
        prints: "report.html",
    }],
    register: |r| register(r.engine, r.host),
};

const DOCS: &[(&str, &str)] = &[
    ("dataset", "a Dataset or a map of splits: evaluated on, drawn as a label graph, shown as pictures"),
    ("partition", "a Partition or a map of names to Partitions: heat maps and tasks"),
    ("title", "the heading"),
    ("notes", "text below the first result; an empty line begins a paragraph"),
    (
        "baseline",
        "the name of what the others are compared with; () takes the one called \"baseline\", or else the first",
    ),
    ("splits", "which splits of a map of splits to evaluate on; the pictures are from the first"),
    ("pictures", "how many pictures are shown with class activation maps, 0 to 12"),
    ("evaluate", "options of evaluate: #{threshold, top_k, convention, context, ...}"),
];

/// The options that are values of the language, not data, stand before the others.
fn defaults() -> Value {
    let mut all: serde_json::Map<String, Value> =
        [("dataset", Value::Null), ("partition", Value::Null)].map(|(k, v)| (k.into(), v)).into_iter().collect();
    if let Value::Object(others) = options::defaults::<PageOptions>() {
        all.extend(others);
    }
    Value::Object(all)
}

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("report", move |runs: Dynamic, path: &str| -> Fallible<String> {
            write(&a, &runs, path, Map::new()).or_raise()
        })
        .register_fn("report", move |runs: Dynamic, path: &str, map: Map| -> Fallible<String> {
            write(&b, &runs, path, map).or_raise()
        });
}

fn write(host: &Host, runs: &Dynamic, path: &str, mut map: Map) -> Result<String> {
    if !Path::new(path).extension().is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm")) {
        let error = Error::argument(format!("report writes an .html file; got \"{path}\""));
        return Err(error.with_help(format!("try \"{}\"", Path::new(path).with_extension("html").display())));
    }
    let (data, partition) = (map.remove("dataset"), map.remove("partition"));
    if let Some(unknown) = map.keys().find(|k| !DOCS.iter().any(|(known, _)| *known == k.as_str())) {
        return Err(options::unknown_option("report", unknown, DOCS.iter().map(|(known, _)| *known)));
    }
    let options: PageOptions = options::parse("report", &map)?;
    let mut given = Vec::new();
    collect(host, None, false, runs, &mut given)?;
    let mut all = match data.filter(|d| !d.is_unit()) {
        Some(data) => splits(&data, &options.splits)?,
        None => Data::default(),
    };
    if let Some(partition) = partition.filter(|p| !p.is_unit()) {
        all.partitions = partitions(&partition)?;
    }
    let text = page(&glue::store(host), given, &all, &options)?;
    files::write(Path::new(path), text.as_bytes())?;
    Ok(path.to_string())
}

/// Puts what was given, with its name where it has one, at the end of `given`.
fn collect(host: &Host, name: Option<&str>, grouped: bool, value: &Dynamic, given: &mut Vec<Given>) -> Result<()> {
    let one = |source: Source, grouped: bool| Given { name: name.map(String::from), grouped, source };

    if let Some(table) = value.clone().try_cast::<TableValue>() {
        given.extend(trainings(host, &table)?.into_iter().map(|run| one(run, name.is_some())));
        return Ok(());
    }
    if let Ok(array) = value.as_array_ref() {
        // An array under a name holds several of one kind, as the seeds of a method.
        return array.iter().try_for_each(|item| collect(host, name, name.is_some(), item, given));
    }
    if let Ok(map) = value.as_map_ref() {
        return map.iter().try_for_each(|(name, item)| collect(host, Some(name), false, item, given));
    }
    given.push(one(source(value)?, grouped));
    Ok(())
}

fn source(value: &Dynamic) -> Result<Source> {
    if let Some(run) = value.clone().try_cast::<RunValue>() {
        return Ok(Source::Run(run.0));
    }
    if let Some(report) = value.clone().try_cast::<Evaluation>() {
        return Ok(Source::Evaluation(Box::new(report)));
    }
    if let Some(predictions) = value.clone().try_cast::<PredictionsValue>() {
        return Ok(Source::Predictions(predictions.0));
    }
    glue::predictor("report", value).map(Source::Predictor).map_err(|_| {
        Error::argument(format!(
            "report compares Runs, Models, Ensembles, Predictions and Reports, in an array, a map of names or the Table of runs(); got {}",
            show::a_type(value)
        ))
    })
}

/// The trainings among the runs that a table lists.
fn trainings(host: &Host, table: &TableValue) -> Result<Vec<Source>> {
    let (store, mut found) = (glue::store(host), Vec::new());
    for id in table.0.column("id")? {
        let id = id.to_string();
        let run = store
            .find(&id)
            .ok_or_else(|| Error::argument(format!("report: the table's run \"{id}\" is not in the store")))?;
        if subject::is_training(&run)? {
            found.push(Source::Run(run));
        }
    }
    Ok(found)
}

fn splits(data: &Dynamic, asked: &[String]) -> Result<Data> {
    if let Some(dataset) = data.clone().try_cast::<Dataset>() {
        return Ok(Data {
            splits: vec![(dataset.split.clone(), dataset.clone())],
            graph: Some(dataset),
            partitions: vec![],
        });
    }
    let Ok(map) = data.as_map_ref() else {
        return Err(Error::argument(format!(
            "report: the dataset must be a Dataset or a map of splits as dataset(...) gives; got {}",
            show::a_type(data)
        )));
    };
    let splits =
        asked.iter().map(|name| Ok((name.clone(), glue::split("report", &map, name)?))).collect::<Result<Vec<_>>>()?;
    let graph = match map.contains_key("train") {
        true => Some(glue::split("report", &map, "train")?),
        false => splits.first().map(|(_, dataset)| dataset.clone()),
    };
    Ok(Data { splits, graph, partitions: vec![] })
}

fn partitions(value: &Dynamic) -> Result<Vec<(String, Partition)>> {
    let one = |what: &str, value: &Dynamic| glue::expect::<Partition>("report", what, "a Partition", value);
    match value.as_map_ref() {
        Ok(map) => {
            map.iter().map(|(name, p)| Ok((name.to_string(), one(&format!("partition \"{name}\""), p)?))).collect()
        }
        Err(_) => Ok(vec![(String::new(), one("option partition", value)?)]),
    }
}
